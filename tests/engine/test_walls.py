"""The mouth's inside stays behind the skin."""

import numpy as np
import pytest

from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.pipeline import recipe_code
from cliphead_addon.engine.stages import HeadCode, Prompt
from cliphead_addon.engine.walls import ENOUGH, LEAST, Walls


@pytest.fixture
def walls():
    rng = np.random.default_rng(0)
    return Walls(rng.normal(size=(6, 9)), rng.uniform(2, 5, 9), rng.normal(size=(20, 6)), rng.normal(size=20))


def widths(walls, code):
    shape = np.linalg.lstsq(walls.basis, code.identity - walls.mean, rcond=None)[0]
    return walls.widths + shape @ walls.slopes


def test_a_head_with_walls_is_left_as_it_is(walls):
    code = HeadCode(walls.mean.astype(np.float32), np.zeros(3, np.float32))
    assert walls.kept(code) is code


def test_a_head_without_gets_them_by_a_small_change(walls):
    rng = np.random.default_rng(1)
    for _ in range(20):
        shape = rng.normal(size=6)
        code = HeadCode((walls.mean + walls.basis @ shape).astype(np.float32), np.zeros(3, np.float32))
        thinnest = widths(walls, code).min()
        assert widths(walls, walls.kept(code)).min() > min(thinnest, LEAST) - 2 * ENOUGH
        if thinnest < LEAST:
            assert widths(walls, walls.kept(code)).min() > LEAST - 2 * ENOUGH


def test_one_thin_wall_is_mended_by_the_shortest_way():
    walls = Walls(np.array([[3.0], [4.0]]), np.array([0.0]), np.eye(2), np.zeros(2))
    np.testing.assert_allclose(walls.change(np.zeros(2)), LEAST * np.array([3, 4]) / 25, atol=ENOUGH)


def test_hair_stays_as_it_is(walls):
    hair = np.linspace(0, 1, 20, dtype=np.float32)
    thin = walls.basis @ (-3 * walls.slopes[:, 0])
    bald = HeadCode((walls.mean + thin).astype(np.float32), np.zeros(3, np.float32))
    haired = HeadCode(bald.identity + hair, bald.expression, hair)
    np.testing.assert_allclose(walls.kept(haired).identity - hair, walls.kept(bald).identity, atol=1e-4)


@pytest.mark.parametrize("text, seed", [("a zombie", 7), ("a woman with gothic make-up", 19)])
def test_no_chin_has_a_hole(text, seed):
    """These were open below the lower lip, which left no landmarks to align."""
    models = load_models("starter")
    code = recipe_code(Prompt(text, seed=seed), models)
    assert widths(models.walls, HeadCode(code.bald, code.expression)).min() > LEAST - 0.05
    assert unwrap(models.head.mesh(code, 128, hair="none"), models.layout).report["damping"] == 1
