"""Many expressions of one head in one call, on a tiny random head model."""

import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet

NAMES = ("neutral", "smile", "jawOpen", "eyeBlinkLeft")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = IdentityConfig(latent_global=4, latent_local=2, anchors=7, symmetric_pairs=2, hidden=16, blend_epsilon=0)
    identity = IdentityNet(config, np.random.default_rng(0).uniform(-0.3, 0.3, (7, 3)))
    expression = ExpressionNet(ExpressionConfig(config.latent, 5, anchors=7, compressed=3, hidden=24))
    codes = np.random.default_rng(1).normal(size=(len(NAMES), 5)).astype(np.float32)
    return HeadModel(identity, expression, dict(zip(NAMES, codes, strict=True)), [-0.5] * 3, [0.5] * 3)


@pytest.fixture(scope="module")
def code(model):
    return np.linspace(-1, 1, model.identity.config.latent, dtype=np.float32)


@pytest.mark.parametrize("count", [1, 63, 64, 1300])  # fewer and more points than are posed at a time
def test_one_call_gives_what_the_network_gives_point_by_point(model, code, count):
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (count, 3)).astype(np.float32)
    codes = np.stack(list(model.expressions.values()))
    identity = torch.from_numpy(code)[None].expand(len(codes), -1)
    with torch.no_grad():
        batch = torch.from_numpy(points)[None].expand(len(codes), -1, -1)
        expected = model.expression(batch, identity, model.identity.anchors(identity), torch.from_numpy(codes))
    found = model.displacements(points, code, codes)
    assert found.shape == (len(codes), count, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_expressions_are_no_displacements(model, code):
    points = np.zeros((5, 3), np.float32)
    assert model.shape_keys(points, code, ()) == {}
    assert model.displacements(points, code, np.zeros((0, 5), np.float32)).shape == (0, 5, 3)


def test_shape_keys_start_from_neutral(model, code):
    points = np.random.default_rng(3).uniform(-0.5, 0.5, (20, 3)).astype(np.float32)
    keys = model.shape_keys(points, code, ("jawOpen", "neutral"))
    assert list(keys) == ["jawOpen", "neutral"]
    neutral, open_ = model.displacements(points, code, np.stack([model.expressions[n] for n in ("neutral", "jawOpen")]))
    np.testing.assert_allclose(keys["jawOpen"], open_ - neutral, atol=1e-6)
    np.testing.assert_array_equal(keys["neutral"], 0)


def test_names_are_found_in_any_case(model):
    np.testing.assert_array_equal(model.named_expression("JAWOPEN"), model.expressions["jawOpen"])
    assert model.find_expression("grimace") is None


def test_a_set_of_shapes_that_the_pack_lacks_is_refused(model, code):
    with pytest.raises(ClipHeadError, match="browDownLeft"):
        model.shape_keys(np.zeros((5, 3), np.float32), code, ("arkit",))
