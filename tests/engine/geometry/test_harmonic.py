import igl
import numpy as np
import pytest
from scipy.spatial import Delaunay

from cliphead_addon.engine.errors import UnwrapError
from cliphead_addon.engine.geometry.harmonic import (
    LEAST_WEIGHT,
    HarmonicSolver,
    boundary_curve,
    edge_weights,
    harmonic_uv,
    inside_curve,
)
from cliphead_addon.engine.geometry.topology import boundary_loops


@pytest.fixture
def sheet():
    """A flat sheet of nearly equilateral triangles, all weights well above zero, and its rim."""
    row, column = np.meshgrid(np.arange(12), np.arange(14), indexing="ij")
    points = np.stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)
    points += np.random.default_rng(5).uniform(-0.06, 0.06, points.shape)
    corner = (row * 14 + column)[:-1, :-1].ravel()
    even = (row[:-1, :-1] % 2 == 0).ravel()[:, None]
    below = np.where(even, corner[:, None] + [0, 1, 14], corner[:, None] + [0, 1, 15])
    above = np.where(even, corner[:, None] + [1, 15, 14], corner[:, None] + [0, 15, 14])
    faces = np.concatenate([below, above])
    return np.c_[points, np.zeros(len(points))], faces, boundary_loops(faces)[0]


def test_a_flat_sheet_keeps_its_own_coordinates(sheet):
    vertices, faces, rim = sheet
    np.testing.assert_allclose(harmonic_uv(vertices, faces, rim, vertices[rim, :2]), vertices[:, :2], atol=1e-11)


def test_the_map_is_libigls_where_all_weights_are_positive(sheet):
    vertices, faces, rim = sheet
    vertices = vertices + np.c_[np.zeros((len(vertices), 2)), 0.2 * np.sin(vertices[:, 0])]
    stiffness = -igl.cotmatrix(vertices, faces).tocoo()
    inner = (stiffness.row != stiffness.col) & ~np.isin(stiffness.row, rim)
    assert (-stiffness.data[inner]).min() > LEAST_WEIGHT
    circle = boundary_curve(np.arange(len(rim)) / len(rim))
    peer = igl.harmonic(vertices, faces, rim.astype(faces.dtype), circle, 1)
    np.testing.assert_allclose(harmonic_uv(vertices, faces, rim, circle), peer, atol=1e-10)


def test_one_factorisation_serves_any_boundary_values(sheet):
    vertices, faces, rim = sheet
    solver = HarmonicSolver(vertices, faces, rim)
    one, other = np.random.default_rng(0).normal(size=(2, len(rim), 2))
    np.testing.assert_allclose(solver.solve(one + 2 * other), solver.solve(one) + 2 * solver.solve(other), atol=1e-9)


def test_cotangents_of_an_equilateral_triangle():
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(3) / 2, 0]])
    np.testing.assert_allclose(edge_weights(triangle, np.array([[0, 1, 2]])), 0.5 / np.sqrt(3))


def test_needles_do_not_flip():
    random = np.random.default_rng(1)
    points = random.uniform(-1, 1, (300, 2)) * [1, 0.03]  # squeezed after triangulation: mostly obtuse triangles
    points[:, 1] /= 0.03
    faces = Delaunay(points).simplices
    corner = points[faces]
    faces = np.where((np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) < 0)[:, None], faces[:, ::-1], faces)
    vertices = np.c_[points * [1, 0.03], np.zeros(300)]
    rim = boundary_loops(faces)[0]
    uv = harmonic_uv(vertices, faces, rim, boundary_curve(np.arange(len(rim)) / len(rim)))
    corner = uv[faces]
    assert (np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) > 0).all()


def test_a_loose_piece_is_refused(sheet):
    vertices, faces, rim = sheet
    loose = np.concatenate([faces, len(vertices) + np.array([[0, 1, 2], [0, 2, 1]])])
    more = np.concatenate([vertices, np.eye(3)])
    with pytest.raises(UnwrapError, match="not connected"):
        harmonic_uv(more, loose, rim, vertices[rim, :2])


def test_the_boundary_curve_is_convex_symmetric_and_evenly_spaced():
    curve = boundary_curve(np.arange(400) / 400)
    np.testing.assert_allclose(inside_curve(curve), 0, atol=1e-12)
    step = np.roll(curve, -1, axis=0) - curve
    assert (np.cross(step, np.roll(step, -1, axis=0)) > 0).all()
    lengths = np.linalg.norm(step, axis=1)
    assert lengths.max() / lengths.min() < 1.002
    np.testing.assert_allclose(curve[0], [0, 1], atol=1e-9)
    np.testing.assert_allclose(curve[1:], curve[:0:-1] * [-1, 1], atol=1e-6)
