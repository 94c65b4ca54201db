"""The rig of a head of the bundled starter pack, on a coarse surface."""

from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine import rigging
from cliphead_addon.engine.geometry.frames import nphm_to_blender
from cliphead_addon.engine.geometry.quads import QuadGrid, lay
from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.pipeline import recipe_code
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

PROMPT, SETTINGS = Prompt("a man", seed=2, expression="neutral"), Settings(hair="none", density="low")


@pytest.fixture(scope="module")
def head(models):
    """canonical, rest, uv, faces of the low density."""
    code = recipe_code(PROMPT, models)
    grid = QuadGrid.from_arrays(models.quads, "low")
    mesh = models.head.mesh(code, 80, (), None, "none")
    laid = lay(unwrap(mesh, models.layout), grid, grid.uv(models.layout), lambda p: models.head.pose(code, p, (), "none"))
    rest = nphm_to_blender(laid.mesh.vertices) + [0, 0, 0.3]  # wherever the object's origin is
    uv = np.zeros((len(rest), 2))
    uv[laid.mesh.faces.ravel()] = laid.uv.reshape(-1, 2)
    return {"canonical": laid.mesh.canonical, "rest": rest, "uv": uv, "faces": laid.mesh.faces}


@pytest.fixture(scope="module")
def found(models, head):
    return rigging.rig(PROMPT, SETTINGS, models, **head)


def test_weights_make_a_jaw_a_head_and_a_neck(head, found):
    rest, weights = head["rest"], found["weights"]
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    joints = {name: np.array(place) for name, place in found["about"]["joints"].items()}
    crown, rim = rest[:, 2].argmax(), rest[:, 2].argmin()
    chin = np.linalg.norm(rest - joints["chin"], axis=1).argmin()
    assert weights[crown, 1] > 0.999 and weights[rim, 0] > 0.999 and weights[chin, 2] > 0.8


def test_joints_are_where_a_skull_has_them(head, found):
    joints = {name: np.array(place) for name, place in found["about"]["joints"].items()}
    assert joints["chin"][1] < joints["jaw"][1] - 0.05 and joints["chin"][2] < joints["jaw"][2] - 0.04
    assert joints["top"][2] > joints["skull"][2] + 0.08 and abs(joints["jaw"][0]) < 0.01
    assert np.radians(8) < found["about"]["jaw_angle"] < np.radians(35)


def test_eyeballs_lie_behind_the_lids(head, found):
    rest = head["rest"]
    (left, right), depths = found["about"]["eyes"], found["depths"]
    assert left["side"] == "L" and left["centre"][0] > 0.02 and right["centre"][0] < -0.02
    for eye, depth in zip((left, right), depths, strict=True):
        assert 0.011 < eye["radius"] < 0.018
        distance = np.linalg.norm(rest[depth > 0] - eye["centre"], axis=1)
        np.testing.assert_allclose(distance, 1.1 * eye["radius"], atol=0.003)
        assert (depth > 0).sum() > 15 and (depth > -0.002).sum() < 0.1 * len(rest)
    assert len(found["about"]["iris_uv"]) > 4


def test_a_blink_moves_the_lids(found):
    for blink, depth in zip(found["blinks"], found["depths"], strict=True):
        lid = (depth < -0.002) & (depth > -0.007)
        assert blink[lid, 2].min() < -0.004


def test_a_pack_without_outlines_keeps_painted_eyes(models, head):
    quads = {name: array for name, array in models.quads.items() if not name.startswith("eyes.")}
    found = rigging.rig(PROMPT, SETTINGS, replace(models, quads=quads), **head)
    assert found["about"]["eyes"] == [] and found["depths"].shape == (0, len(head["rest"]))
    assert "keeps its painted eyes" in found["about"]["warnings"][0]
