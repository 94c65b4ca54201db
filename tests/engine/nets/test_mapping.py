"""Mapping networks: seeds, variation and strength mean what they say. The networks are random."""

import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.nets.mapping import LOG_DEVIATION, REACH, Mapper, Mappers
from cliphead_addon.engine.stages import Prompt

C, D, W, I, X = 16, 6, 5, 20, 7


@pytest.fixture
def arrays():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    networks = {"identity.": Mapper(C, 2 * D, 8), "expression.": Mapper(C, W, 8)}
    state = {prefix + name: value.numpy() for prefix, net in networks.items() for name, value in net.state_dict().items()}
    shapes = {
        "identity_basis": (I, D),
        "identity_mean": (I,),
        "expression_basis": (X, W),
        "expression_mean": (X,),
        "neutral": (X,),
    }
    return state | {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def mappers(arrays):
    return Mappers(arrays)


@pytest.fixture
def embedding():
    values = np.random.default_rng(1).normal(size=C).astype(np.float32)
    return values / np.linalg.norm(values)


def test_a_seed_gives_the_same_head_and_another_seed_another(mappers, embedding):
    one, same, other = (mappers.map(embedding, Prompt("", seed=seed)).identity for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_without_variation_the_seed_changes_nothing(mappers, embedding):
    mean = mappers.identity_basis @ mappers.shape(embedding)[0] + mappers.identity_mean
    for seed in (0, 1):
        np.testing.assert_allclose(mappers.map(embedding, Prompt("", seed=seed, variation=0)).identity, mean, atol=1e-5)


def test_variation_scales_the_departure_from_the_mean(mappers, embedding):
    mean, half, whole = (mappers.map(embedding, Prompt("", seed=5, variation=v)).identity for v in (0, 0.5, 1))
    np.testing.assert_allclose(half - mean, (whole - mean) / 2, atol=1e-5)


def test_heads_of_one_sentence_have_the_networks_mean_and_deviation(mappers, embedding):
    mean, deviation = mappers.shape(embedding)
    back = np.linalg.pinv(mappers.identity_basis)
    codes = np.array([mappers.map(embedding, Prompt("", seed=seed)).identity for seed in range(600)])
    y = (codes - mappers.identity_mean) @ back.T
    np.testing.assert_allclose(y.mean(0), mean, atol=0.15 * deviation.max())
    np.testing.assert_allclose(y.std(0), deviation, rtol=0.12)
    assert np.abs((y - mean) / deviation).max() <= REACH + 1e-3


def test_deviations_stay_within_bounds(mappers, embedding):
    deviation = mappers.shape(embedding)[1]
    assert np.exp(LOG_DEVIATION[0]) <= deviation.min() and deviation.max() <= np.exp(LOG_DEVIATION[1])


def test_expression_strength_leads_from_neutral_to_the_sentences_expression(mappers, embedding):
    said = mappers.expression(embedding)
    for strength in (0, 0.3, 1):
        code = mappers.map(embedding, Prompt("", expression_strength=strength)).expression
        np.testing.assert_allclose(code, (1 - strength) * mappers.neutral + strength * said, atol=1e-5)


def test_an_expression_code_replaces_the_sentences_own(mappers, embedding):
    chosen = np.arange(X, dtype=np.float32)
    np.testing.assert_allclose(mappers.map(embedding, Prompt(""), chosen).expression, chosen, atol=1e-5)


def test_an_embedding_of_another_text_model_is_refused(mappers):
    with pytest.raises(PackError, match="another text model"):
        mappers.map(np.zeros(C + 1, np.float32), Prompt(""))


@pytest.mark.parametrize("name", ["neutral", "identity_basis", "expression.layers.1.weight"])
def test_a_missing_array_is_refused(arrays, name):
    del arrays[name]
    with pytest.raises(PackError, match="damaged"):
        Mappers(arrays)


def test_linear_maps_of_another_width_are_refused(arrays):
    arrays["identity_basis"] = np.zeros((I, D + 1), np.float32)
    with pytest.raises(PackError, match="damaged"):
        Mappers(arrays)
