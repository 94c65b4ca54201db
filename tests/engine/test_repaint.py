"""Meshes of others are painted where their features are, by comparison with the pack's mean head."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cliphead_addon.engine.geometry.foreign import unwrap_mesh, unwrapped_already
from cliphead_addon.engine.geometry.frames import uv_to_pixel
from cliphead_addon.engine.geometry.register import register
from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.nets.texture import seam_pairs
from cliphead_addon.engine.pipeline import paint
from cliphead_addon.engine.repaint import carried, mean_head, repaint
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

SETTINGS = Settings(resolution=64, texture_size=256, steps=4, hair="none", device="cpu")
PROMPT = Prompt("a young woman with red lipstick", 3)


@pytest.fixture(scope="module")
def reference(models):
    return mean_head(models)


@pytest.fixture(scope="module")
def pair(models):
    """A head of the pack in its own layout; and the same, turned and enlarged, unwrapped as a mesh nobody knows."""
    mesh = models.head.mesh(models.head.random(0), 64, hair="none")
    turned = (7 * mesh.vertices @ Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix().T + 3).astype(np.float32)
    found = unwrap_mesh(turned, mesh.faces, models.layout)
    frame = np.array(found.report["frame"])
    placed = (turned @ frame[:3, :3].T + frame[:3, 3]).astype(np.float32)
    return unwrap(mesh, models.layout), unwrapped_already(placed, mesh.faces, found.uv, found.seam)


def face(unwrapped):
    """Corners of the tile's middle."""
    return (np.abs(unwrapped.uv - 0.5) < 0.28).all(axis=-1)


def test_features_are_found_however_the_mesh_lies_in_its_map(pair, reference):
    known, unknown = pair
    alignment = register(unknown, reference)
    before, after = (np.linalg.norm(uv - known.uv, axis=-1)[face(known)] for uv in (unknown.uv, alignment.move(unknown.uv)))
    assert before.mean() > 0.08 and after.mean() < 0.012 and np.quantile(after, 0.95) < 0.04


def test_a_head_compared_with_itself_stays_where_it_is(reference):
    alignment = register(reference, reference)
    np.testing.assert_allclose(alignment.shift, 0, atol=1e-6)
    np.testing.assert_allclose(alignment.rotation, np.eye(3), atol=1e-6)
    image = np.random.default_rng(0).integers(0, 65536, (64, 64), np.uint16)
    everywhere, nothing = np.ones(image.shape, bool), np.zeros((0, 2, 2))
    np.testing.assert_array_equal(carried(image, alignment, everywhere, nothing), image)


def test_a_rotation_that_the_frame_missed_is_found(reference):
    nod = Rotation.from_rotvec([0.2, 0, 0]).as_matrix()
    turned = replace(reference, mesh=replace(reference.mesh, normals=(reference.mesh.normals @ nod.T).astype(np.float32)))
    np.testing.assert_allclose(register(turned, reference).rotation @ nod, np.eye(3), atol=0.03)


def colours(image, uv):
    """Of the texels at UV points (...,2)."""
    column, row = np.moveaxis(uv_to_pixel(uv, len(image)).astype(int), -1, 0)
    return image[row, column].astype(int)


def test_a_mesh_of_others_gets_the_mean_heads_colours_where_it_has_its_features(models, pair, reference):
    known, unknown = pair
    found, mean = repaint(PROMPT, models, SETTINGS, unknown)[0], paint(PROMPT, models, SETTINGS, reference)[0]
    wanted, here = colours(mean.albedo, known.uv), face(known)
    assert np.abs(colours(found.albedo, unknown.uv) - wanted)[here].mean() < 12
    assert np.abs(colours(mean.albedo, unknown.uv) - wanted)[here].mean() > 20  # not carried
    one, other = np.moveaxis(seam_pairs(unknown.mesh.faces, unknown.uv, unknown.seam), 1, 0)
    assert np.abs(colours(found.albedo, one) - colours(found.albedo, other)).mean() < 4
    assert found.coverage.mean() > 0.5 and found.normal_uv.shape == mean.normal_uv.shape


def test_a_pack_that_knows_no_mean_head_paints_by_the_mesh_alone(models, pair, monkeypatch):
    monkeypatch.setattr(models.head, "population", None)
    blind, found = (work(PROMPT, models, SETTINGS, pair[1])[0] for work in (paint, repaint))
    np.testing.assert_array_equal(found.albedo, blind.albedo)
