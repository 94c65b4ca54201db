"""The quad grid's topology and how its vertices find their places."""

import numpy as np
import pytest

from cliphead_addon.engine.geometry.quads import QuadGrid, edges_of, subdivide

pytest.importorskip("igl")
from tools.studio import quad_grid, quad_smoothing


@pytest.fixture(scope="module")
def faces():
    return quad_grid.topology()[0]


def as_grid(faces, plane):
    seam = np.array([quad_grid.CROWN + quad_grid.ROWS], np.int32)
    return QuadGrid.from_arrays({"faces": faces, "plane": plane, "seam_edges": seam}, "low")


def test_the_grid_is_a_disk_without_poles(faces):
    V = faces.max() + 1
    edges = np.stack(np.divmod(edges_of(faces)[0], V), axis=-1)
    assert V - len(edges) + len(faces) == 1
    grid = as_grid(faces, np.zeros((V, 2)))
    closed = grid.closed_faces
    valence = np.bincount(closed.ravel())
    inside = np.setdiff1d(np.arange(len(valence)), grid.neck)
    assert valence[inside].min() >= 3 and valence[inside].max() <= 5
    assert (valence[inside] != 4).mean() < 0.03


def test_lines_run_straight_through_regular_vertices():
    flat = subdivide(subdivide(np.array([[0, 1, 2, 3]])))
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    places = corners
    for faces in (np.array([[0, 1, 2, 3]]), subdivide(np.array([[0, 1, 2, 3]]))):
        places = quad_grid._refined_places(faces, places)
    boundary = np.flatnonzero((np.abs(places - 0.5) == 0.5).any(axis=1))
    around = np.argsort(np.arctan2(*(places[boundary] - 0.5).T))
    lines, hubs, _ = quad_smoothing.stencils(flat, boundary[around])
    assert not len(hubs)
    inside = ~np.isin(lines[:, 1], boundary)
    assert inside.sum() == 2 * 9  # two lines through each of 3 x 3 vertices
    np.testing.assert_allclose(places[lines[inside]].mean(axis=1), places[lines[inside, 1]])


def test_a_step_stops_before_a_quad_folds():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    folded = np.array([[0, 0], [1, 0], [0.2, 0.2], [0, 1.0]])
    np.testing.assert_allclose(quad_smoothing.sharpest(np.stack([square, folded]))[0], 1)
    assert quad_smoothing.sharpest(np.stack([square, folded]))[1] < 0


def test_a_position_map_is_sampled_with_its_slope():
    column, row = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    u, v = column / 64, 1 - row / 64
    surface = quad_smoothing.Surface(np.stack([2 * u, 3 * v, u - v], axis=-1))
    uv = np.random.default_rng(0).uniform(0.1, 0.9, (50, 2))
    np.testing.assert_allclose(surface(uv), np.stack([2 * uv[:, 0], 3 * uv[:, 1], uv[:, 0] - uv[:, 1]], axis=-1))
    np.testing.assert_allclose(surface.slope(uv), np.tile([[2, 0], [0, 3], [1, -1]], (50, 1, 1)), atol=1e-9)


def test_a_loop_knows_how_far_it_is_off_its_outline():
    angle = 2 * np.pi * np.arange(200) / 200
    circle = 0.5 + 0.2 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    loop = 0.5 + 0.25 * np.stack([np.cos(angle[::10]), np.sin(angle[::10])], axis=-1)
    normal, offset, chosen = quad_smoothing._offsets(quad_smoothing.Guide(np.arange(20), circle, False, True), loop)
    np.testing.assert_allclose(np.abs(offset), 0.05, atol=1e-3)
    np.testing.assert_array_equal(chosen, np.arange(20))
    on_circle = loop - normal * offset[:, None]
    np.testing.assert_allclose(np.linalg.norm(on_circle - 0.5, axis=1), 0.2, atol=1e-3)


def test_a_nearly_symmetric_grid_becomes_symmetric():
    rng = np.random.default_rng(1)
    half = rng.uniform(0.05, 0.45, (30, 2))
    uv = np.concatenate([half, half * [-1, 1] + [1, 0]]) + rng.normal(0, 1e-6, (60, 2))
    even = quad_smoothing.mirrored_mean(uv)
    np.testing.assert_allclose(even[:30] * [-1, 1] + [1, 0], even[30:], atol=1e-12)
    np.testing.assert_allclose(even, uv, atol=1e-5)
