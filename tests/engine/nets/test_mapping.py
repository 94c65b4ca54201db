"""Mapping networks: seeds, variation and strength mean what they say. The networks are random."""

import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.nets.mapping import AMOUNTS, LOG_DEVIATION, REACH, SELDOM, Mapper, Mappers, steady
from cliphead_addon.engine.stages import Prompt

C, D, W, I, X, H = 16, 6, 5, 20, 7, 4


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
    mean, deviation, _ = mappers.shape(embedding)
    back = np.linalg.pinv(mappers.identity_basis)
    codes = np.array([mappers.map(embedding, Prompt("", seed=seed)).identity for seed in range(600)])
    y = (codes - mappers.identity_mean) @ back.T
    np.testing.assert_allclose(y.mean(0), mean, atol=0.15 * deviation.max())
    np.testing.assert_allclose(y.std(0), deviation, rtol=0.12)
    assert np.abs((y - mean) / deviation).max() <= REACH + 1e-3


def test_a_packs_spread_widens_departures_and_keeps_the_mean(arrays, mappers, embedding):
    wider = Mappers(arrays | {"identity_spread": np.array(1.5, np.float32)})
    mean, head, wide = (
        m.map(embedding, Prompt("", seed=5, variation=v)).identity for m, v in ((mappers, 0), (mappers, 1), (wider, 1))
    )
    np.testing.assert_allclose(wide - mean, 1.5 * (head - mean), atol=1e-5)


def test_draws_stray_no_farther_along_a_named_quantity_than_the_words_leave_open():
    rng = np.random.default_rng(4)
    deviation, named = rng.uniform(0.5, 1.5, 8), rng.normal(size=(8, 3))
    named[:, 2] = 0  # no draw has anything of it
    limits = np.array([0.2, 100.0, 1.0])
    draws = rng.normal(size=(4000, 8)) * deviation
    kept = np.array([steady(draw, deviation, limits, named) for draw in draws])
    np.testing.assert_allclose((kept @ named[:, 0]).std(), 0.2, rtol=0.05)
    np.testing.assert_allclose(kept @ named[:, 1], draws @ named[:, 1], atol=0.01)  # the other keeps its draw


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


@pytest.fixture
def with_hair(arrays):
    """Mappers whose hair network gives four styles the chances 0.6, 0.3, 0.08 and 0.02, whatever it reads."""
    net = Mapper(C + D, H + 2 * AMOUNTS, 8)
    torch.nn.init.zeros_(net.layers[-1].weight)
    with torch.no_grad():
        net.layers[-1].bias[:] = torch.cat([torch.tensor([0.6, 0.3, 0.08, 0.02]).log(), torch.tensor([0.5, -0.5, -2, -1])])
    basis = np.random.default_rng(3).normal(size=(H, 1 + AMOUNTS, I)).astype(np.float32)
    basis[0] = 0  # bald
    state = {f"hair.{name}": value.numpy() for name, value in net.state_dict().items()}
    return Mappers(arrays | state | {"hair_basis": basis})


def test_one_style_is_drawn_and_added_never_a_blend(mappers, with_hair, embedding):
    styles = set()
    for seed in range(40):
        prompt = Prompt("", seed=seed)
        added = with_hair.map(embedding, prompt).identity - mappers.map(embedding, prompt).identity
        fits = []
        for style in with_hair.hair_basis:
            amounts = np.linalg.lstsq(style[1:].T, added - style[0], rcond=None)[0]
            fits.append(np.abs(style[0] + amounts @ style[1:] - added).max() < 1e-4 and np.abs(amounts).max() < 1 + 1e-3)
        assert sum(fits) == 1
        styles.add(fits.index(True))
    assert styles == {0, 1, 2}  # the fourth is too seldom


def test_styles_come_as_often_as_they_are_likely(with_hair, embedding):
    random, shape = np.random.default_rng(0), np.zeros(D)
    drawn = [with_hair.hair(embedding, shape, random) for _ in range(3000)]
    share = np.bincount([style for style, _ in drawn], minlength=H) / len(drawn)
    assert 0.02 / 0.6 < SELDOM < 0.08 / 0.6
    np.testing.assert_allclose(share, np.array([0.6, 0.3, 0.08, 0]) / 0.98, atol=0.03)
    amounts = np.array([amounts for _, amounts in drawn])
    np.testing.assert_allclose(np.median(amounts, 0), [0.5, -0.5], atol=0.05)
    assert np.abs(amounts).max() <= 1


def test_without_variation_the_likeliest_style_is_worn(with_hair, embedding):
    for seed in range(5):
        style, amounts = with_hair.hair(embedding, np.zeros(D), np.random.default_rng(seed), variation=0)
        assert style == 0
        np.testing.assert_allclose(amounts, [0.5, -0.5], atol=1e-6)


def test_hair_does_not_change_the_face_that_a_seed_gives(mappers, with_hair, embedding):
    bald = next(seed for seed in range(50) if not _added(mappers, with_hair, embedding, seed).any())
    np.testing.assert_array_equal(_added(mappers, with_hair, embedding, bald), 0)


def _added(without, with_hair, embedding, seed):
    prompt = Prompt("", seed=seed)
    return with_hair.map(embedding, prompt).identity - without.map(embedding, prompt).identity


def test_a_hair_network_without_its_linear_maps_is_refused(with_hair, arrays):
    with pytest.raises(PackError, match="damaged"):
        Mappers(arrays | {"hair_basis": with_hair.hair_basis})
