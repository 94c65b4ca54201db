"""Meshes from elsewhere: the analytic heads moved, decimated, roughened and broken."""

from functools import cache

import igl
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cliphead_addon.engine.errors import UnwrapError
from cliphead_addon.engine.geometry import topology
from cliphead_addon.engine.geometry.foreign import unwrap_mesh

from .heads import AnalyticHead

TURN = Rotation.from_euler("xyz", [40, 70, -25], degrees=True).as_matrix()


def signed_areas(uv):
    corner = uv.astype(np.float64)
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) / 2


def check(result, faces):
    """One to one, and cut along edges of the mesh."""
    assert result.uv.shape == (len(faces), 3, 2) and (np.abs(signed_areas(result.uv)) > 0).all()
    assert result.report["flipped"] == 0 and result.report["boundary_simple"]
    edges = {tuple(edge) for edge in topology.edge_table(np.asarray(faces, np.int64))[0].tolist()}
    assert {tuple(sorted(edge)) for edge in result.seam.tolist()} <= edges


@pytest.fixture(scope="module")
def head(heads):
    return heads[1].canonical.astype(np.float64), heads[1].faces.astype(np.int64)


@cache
def closed_head(resolution=40):
    """A head that ends inside its box, round below."""
    from skimage.measure import marching_cubes

    line = np.linspace(-1.3, 1.0, resolution)
    points = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    vertices, faces, _, _ = marching_cubes(AnalyticHead()(points).reshape((resolution,) * 3).astype(float), 0.0)
    return vertices * (line[1] - line[0]) + line[0], faces[:, ::-1].astype(np.int64)


def direction_of(result, turn):
    """How well the frame found takes the head's own axes, turned by `turn`, back: cosines of the three angles."""
    frame = np.array(result.report["frame"])[:3, :3]
    return np.diag(frame @ turn) / np.linalg.norm(frame, axis=1)


@pytest.mark.parametrize("scale", [0.001, 1, 1000])
def test_any_position_and_size_gives_the_same_map(head, layout, scale):
    vertices, faces = head
    at_home, away = unwrap_mesh(vertices, faces, layout), unwrap_mesh(scale * (vertices @ TURN.T + [3, -2, 5]), faces, layout)
    check(away, faces)
    assert direction_of(away, TURN).min() > 0.99
    assert away.report["face_share"] == pytest.approx(at_home.report["face_share"], abs=0.02)
    assert np.median(np.linalg.norm(away.uv - at_home.uv, axis=-1)) < 0.01
    np.testing.assert_allclose(away.mesh.vertices, scale * (vertices @ TURN.T + [3, -2, 5]), rtol=1e-5)


def test_our_own_landmarks_are_followed(heads, layout):
    mesh = heads[1]
    result = unwrap_mesh(mesh.vertices @ TURN.T, mesh.faces, layout, anchors=mesh.anchors @ TURN.T)
    check(result, mesh.faces)
    assert result.report["damping"] == 1


@pytest.mark.parametrize("count", [600, 3000])
def test_a_decimated_head(head, layout, count):
    vertices, faces = head
    found = igl.decimate(vertices, faces, count)
    vertices, faces = next((a, b) for a, b in [found[:2] if not isinstance(found[0], bool) else found[1:3]])
    result = unwrap_mesh(vertices, faces, layout)
    check(result, faces)
    assert direction_of(result, np.eye(3)).min() > 0.97


def test_a_noisy_head(head, layout):
    vertices, faces = head
    noisy = vertices + np.random.default_rng(0).normal(0, 0.002, vertices.shape)  # 0.5 mm
    check(unwrap_mesh(noisy, faces, layout), faces)


def test_a_head_turned_inside_out_gets_the_same_places(head, layout):
    vertices, faces = head
    outside, inside = unwrap_mesh(vertices, faces, layout), unwrap_mesh(vertices, faces[:, ::-1], layout)
    assert (signed_areas(inside.uv) < 0).all()  # its faces look inwards in space, and so in the map
    assert np.median(np.linalg.norm(inside.uv[:, ::-1] - outside.uv, axis=-1)) < 1e-3


def test_holes_are_closed_for_the_computation_only(head, layout):
    vertices, faces = head
    middle = vertices[faces].mean(axis=1)
    eyes = (np.linalg.norm(middle * [-1, 1, 1] - [0.1, 0.1, 0.28], axis=1) < 0.06) | (
        np.linalg.norm(middle - [0.1, 0.1, 0.28], axis=1) < 0.06
    )
    open_eyes = faces[~eyes]
    result = unwrap_mesh(vertices, open_eyes, layout)
    check(result, open_eyes)
    assert result.report["holes_closed"] >= 1 and result.report["neck"] == "boundary"


def test_a_closed_head_is_slit_below(layout):
    vertices, faces = closed_head()
    result = unwrap_mesh(vertices, faces, layout, up=(0, 1, 0), front=(0, 0, 1))
    check(result, faces)
    assert result.report["neck"] == "slit" and result.report["warnings"]
    with pytest.raises(UnwrapError, match="which way is up"):
        unwrap_mesh(vertices, faces, layout)


def test_the_cut_avoids_diagonals_of_polygons(head, layout):
    vertices, faces = head
    plain = unwrap_mesh(vertices, faces, layout)
    banned = plain.seam[len(plain.seam) // 2 : len(plain.seam) // 2 + 3]
    result = unwrap_mesh(vertices, faces, layout, diagonals=banned)
    check(result, faces)
    assert not {tuple(sorted(edge)) for edge in result.seam.tolist()} & {tuple(sorted(edge)) for edge in banned.tolist()}


def test_without_a_layout_the_map_is_the_harmonic_one(head):
    vertices, faces = head
    result = unwrap_mesh(vertices, faces)
    check(result, faces)
    assert "face_share" not in result.report


def test_vertices_without_faces_do_no_harm(head, layout):
    vertices, faces = head
    more = np.concatenate([[[9.0, 9, 9]], vertices, [[5.0, 5, 5]]])
    result = unwrap_mesh(more, faces + 1, layout)
    np.testing.assert_allclose(result.uv, unwrap_mesh(vertices, faces, layout).uv, atol=1e-6)


def test_an_edge_of_three_triangles_is_refused_by_name(head):
    vertices, faces = head
    a, b = faces[100, :2]
    fin = np.concatenate([faces, [[a, b, len(vertices)]]])
    with pytest.raises(UnwrapError, match=rf"1 edge \({min(a, b)}-{max(a, b)}\) with more than two"):
        unwrap_mesh(np.concatenate([vertices, [[0, 0, 2.0]]]), fin)


def test_several_pieces_are_refused(head):
    vertices, faces = head
    two = np.concatenate([faces, faces + len(vertices)])
    with pytest.raises(UnwrapError, match="2 pieces"):
        unwrap_mesh(np.concatenate([vertices, vertices + [2, 0, 0]]), two)


def test_a_triangle_turned_over_is_refused_by_name(head):
    vertices, faces = head
    turned = faces.copy()
    turned[500] = turned[500, ::-1]
    with pytest.raises(UnwrapError, match="3 edges .* opposite ways"):
        unwrap_mesh(vertices, turned)


def test_handles_tiny_meshes_and_bad_numbers_are_refused(head):
    vertices, faces = head
    u, v = (x.ravel() for x in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    ring = (
        np.stack([np.cos(u / 30 * 2 * np.pi), np.sin(u / 30 * 2 * np.pi)], axis=-1) * (2 + np.cos(v / 20 * 2 * np.pi))[:, None]
    )
    index = np.arange(600).reshape(30, 20)
    right, up = np.roll(index, -1, axis=0), np.roll(index, -1, axis=1)
    across = np.roll(right, -1, axis=1)
    torus = np.concatenate([np.stack([x.ravel() for x in t], axis=-1) for t in ((index, right, across), (index, across, up))])
    with pytest.raises(UnwrapError, match="1 handle"):
        unwrap_mesh(np.c_[ring, np.sin(v / 20 * 2 * np.pi)], torus, up=(0, 1, 0))
    with pytest.raises(UnwrapError, match="at least"):
        unwrap_mesh(vertices, faces[:50])
    broken = vertices.copy()
    broken[7] = np.nan
    with pytest.raises(UnwrapError, match=r"1 vertex \(7\) without finite"):
        unwrap_mesh(broken, faces)
    with pytest.raises(ValueError, match="are needed"):
        unwrap_mesh(vertices[:, :2], faces)


def test_a_flat_mesh_is_refused(head, layout):
    vertices, faces = head
    with pytest.raises(UnwrapError, match="flat"):
        unwrap_mesh(vertices * [1, 1, 0], faces, layout)


def test_triangles_without_area_do_not_fold(head, layout):
    vertices, faces = head
    vertices, flat = vertices.copy(), np.random.default_rng(0).choice(len(faces), 40, replace=False)
    vertices[faces[flat, 2]] = vertices[faces[flat, :2]].mean(axis=1)
    assert unwrap_mesh(vertices, faces, layout).report["flipped"] == 0
