"""The quad grid of the starter pack, and how it comes onto heads."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import Delaunay

from cliphead_addon.engine.errors import UnwrapError
from cliphead_addon.engine.geometry import quads, topology
from cliphead_addon.engine.geometry.mesh import triangulate
from cliphead_addon.engine.geometry.planar import locate
from cliphead_addon.engine.geometry.quads import QuadGrid, lay, subdivide
from cliphead_addon.engine.geometry.unwrap import UVLayout, unwrap
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.settings import DENSITIES

from .conftest import head_mesh
from .heads import AnalyticHead

ABOUT = dict(zip(DENSITIES, (3000, 12_000, 50_000), strict=True))


@pytest.fixture(scope="module")
def pack():
    return open_pack("starter")


@pytest.fixture(scope="module")
def arrays(pack):
    return pack.tensors(pack.part("quads")["file"])


@pytest.fixture(scope="module")
def grids(arrays):
    return {density: QuadGrid.from_arrays(arrays, density) for density in DENSITIES}


@pytest.fixture(scope="module")
def quad_layout(pack, layout):
    """The analytic heads' layout with the seam where the grid has it."""
    own = UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
    return replace(layout, seam_share=own.seam_share)


def signed_areas(corner):
    """Polygons (F,n,2) -> (F,)"""
    after = np.roll(corner, -1, axis=1)
    return 0.5 * (corner[..., 0] * after[..., 1] - corner[..., 1] * after[..., 0]).sum(axis=1)


def test_a_subdivided_cube_has_four_times_the_faces_and_is_still_closed():
    cube = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
    faces = subdivide(cube)
    assert len(faces) == 24 and faces.max() + 1 == 8 + 12 + 6
    halves = np.stack([faces.ravel(), np.roll(faces, -1, axis=1).ravel()], axis=-1)
    assert {tuple(half) for half in halves} == {tuple(half) for half in halves[:, ::-1]}
    assert (faces[:, 0].reshape(6, 4) == cube).all()  # old vertices keep their numbers


@pytest.mark.parametrize("density", DENSITIES)
def test_the_closed_grid_is_a_disk_of_quads_whose_boundary_is_the_neck(grids, density):
    grid = grids[density]
    faces = grid.closed_faces
    assert abs(len(faces) / ABOUT[density] - 1) < 0.15
    assert (np.diff(np.sort(faces, axis=1), axis=1) > 0).all()  # four corners each
    start, end = faces.astype(np.int64).ravel(), np.roll(faces, -1, axis=1).astype(np.int64).ravel()
    half = start * (faces.max() + 1) + end
    assert len(np.unique(half)) == len(half)  # no edge has two faces on one side, so no corner lies within an edge
    edges = np.unique(np.minimum(start, end) * (faces.max() + 1) + np.maximum(start, end))
    assert faces.max() + 1 - len(edges) + len(faces) == 1  # Euler: a disk
    (boundary,) = topology.boundary_loops(faces)
    assert set(boundary) == set(grid.neck)


@pytest.mark.parametrize("density", DENSITIES)
def test_quads_tile_the_island_without_folds(grids, density):
    grid = grids[density]
    corner = grid.plane[grid.faces]
    for turn in range(4):  # convex: every corner turns left
        assert (signed_areas(np.roll(corner, turn, axis=1)[:, :3]) > 0).all()
    np.testing.assert_allclose(signed_areas(corner).sum(), signed_areas(grid.plane[grid.rim][None])[0])
    assert np.abs(grid.plane).max() <= 1 + 1e-6


def test_a_density_keeps_the_vertices_of_the_one_below(grids):
    for coarse, fine in (("low", "medium"), ("medium", "high")):
        np.testing.assert_array_equal(grids[coarse].plane, grids[fine].plane[: len(grids[coarse].plane)])


def test_the_banks_of_the_seam_lie_opposite_each_other(grids):
    for grid in grids.values():
        right, left = grid.rim[1 : grid.seam_edges + 1], grid.rim[: -grid.seam_edges - 1 : -1]
        np.testing.assert_allclose(grid.plane[right] * [-1, 1], grid.plane[left], atol=1e-5)
        np.testing.assert_array_equal(grid.whole[right], grid.whole[left])


def test_points_are_found_in_a_flat_triangulation():
    rng = np.random.default_rng(0)
    corners = np.concatenate([rng.uniform(0, 1, (4000, 2)), [[0, 0], [1, 0], [0, 1], [1, 1]]])
    faces = Delaunay(corners).simplices
    points = rng.uniform(0, 1, (5000, 2))
    face, weights = locate(corners[faces], points)
    assert weights.min() >= 0
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", weights, corners[faces][face]), points, atol=1e-9)
    with pytest.raises(UnwrapError, match="outside"):
        locate(corners[faces] * 0.5, np.array([[0.1, 0.1], [5.0, 5.0]]))


def test_all_heads_get_the_same_quads_on_their_own_surface(heads, quad_layout, grids):
    grid = grids["medium"]
    uv, laid = grid.uv(quad_layout), []
    for seed, head in zip((None, 1), heads, strict=False):
        dense = unwrap(head, quad_layout)
        found = lay(dense, grid, uv, lambda canonical: (canonical, {}))
        distance = np.abs(AnalyticHead(seed)(found.mesh.canonical))
        assert distance.mean() < 1e-3  # a voxel is 15 times as wide
        laid.append(found)
    one, other = laid
    np.testing.assert_array_equal(one.mesh.faces, other.mesh.faces)
    np.testing.assert_array_equal(one.uv, other.uv)
    assert np.abs(one.mesh.vertices - other.mesh.vertices).max() > 0.01


def test_quads_lie_nearer_to_the_surface_than_chords_of_it(heads, quad_layout, grids, monkeypatch):
    dense, grid, off = unwrap(heads[1], quad_layout), grids["low"], {}
    for hold in (quads.HOLD, 1e9):  # which leaves every vertex on the surface
        monkeypatch.setattr(quads, "HOLD", hold)
        laid = lay(dense, grid, grid.uv(quad_layout), lambda canonical: (canonical, {})).mesh
        middles = laid.canonical[triangulate(laid.faces)].mean(axis=1)
        off[hold] = np.abs(AnalyticHead(1)(middles)).mean(), laid.canonical[grid.neck]
    (fitted, neck), (chords, rim) = off.values()
    assert fitted < 0.75 * chords
    np.testing.assert_allclose(neck, rim, atol=1e-3)


def test_an_expression_moves_the_vertices_and_nothing_else(heads, quad_layout, grids):
    dense, grid = unwrap(heads[0], quad_layout), grids["low"]
    rest, raised = (
        lay(dense, grid, grid.uv(quad_layout), lambda canonical, up=up: (canonical + [0, up, 0], {"up": 0 * canonical + up}))
        for up in (0.0, 0.1)
    )
    np.testing.assert_array_equal(rest.mesh.faces, raised.mesh.faces)
    np.testing.assert_array_equal(rest.uv, raised.uv)
    np.testing.assert_allclose(raised.mesh.vertices - rest.mesh.vertices, [[0, 0.1, 0]] * len(rest.mesh.vertices), atol=1e-6)
    np.testing.assert_allclose(raised.mesh.displacements["up"], 0.1)


def test_the_lifted_seam_closes(heads, quad_layout, grids):
    """The vertices of either bank are one point of the surface."""
    dense, grid = unwrap(heads[0], quad_layout), grids["medium"]
    corners = dense.mesh.canonical[dense.mesh.faces]
    banks = []
    for side in (grid.rim[1 : grid.seam_edges], grid.rim[: -grid.seam_edges : -1]):
        face, weights = locate(dense.uv, grid.uv(quad_layout)[side])
        banks.append(np.einsum("nk,nkd->nd", weights, corners[face]))
    edge = np.linalg.norm(np.diff(banks[0], axis=0), axis=1).mean()
    gap = np.linalg.norm(banks[0] - banks[1], axis=1)
    assert gap.mean() < 0.05 * edge and gap.max() < edge


def test_the_two_triangles_of_a_quad_share_its_area():
    square = np.array([[[0, 0], [2, 0], [2, 1], [0, 1.0]]])
    np.testing.assert_allclose(signed_areas(triangulate(square)), [1, 1])


def test_a_head_of_another_resolution_gets_the_same_quads(quad_layout, grids):
    grid = grids["low"]
    coarse, fine = (
        lay(
            unwrap(head_mesh(AnalyticHead(1), resolution), quad_layout), grid, grid.uv(quad_layout), lambda points: (points, {})
        )
        for resolution in (48, 80)
    )
    np.testing.assert_array_equal(coarse.uv, fine.uv)
    assert np.linalg.norm(coarse.mesh.vertices - fine.mesh.vertices, axis=1).mean() < 0.02
