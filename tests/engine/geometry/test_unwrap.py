from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine.errors import UnwrapError
from cliphead_addon.engine.geometry import unwrap
from cliphead_addon.engine.geometry.unwrap import UVLayout

from .conftest import mirrored
from .heads import AnalyticHead


def signed_areas(uv):
    corner = uv.astype(np.float64)
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) / 2


@pytest.mark.parametrize("alignment", ["landmarks", "paper"])
def test_no_triangle_flips_and_the_island_fits_the_tile(heads, layout, alignment):
    for mesh in heads:
        result = unwrap.unwrap(mesh, layout, alignment)
        assert (signed_areas(result.uv) > 0).all()
        assert result.uv.dtype == np.float32 and result.uv.shape == (len(mesh.faces), 3, 2)
        assert result.uv.min() >= unwrap.MARGIN - 1e-6 and result.uv.max() <= 1 - unwrap.MARGIN + 1e-6
        assert result.report["flipped"] == 0 and result.report["damping"] == 1


def test_uvs_are_one_island_cut_at_the_seam_only(heads, layout):
    mesh = heads[0]
    result = unwrap.unwrap(mesh, layout)
    seam = np.unique(result.seam)
    order = np.argsort(mesh.faces.ravel(), kind="stable")
    vertex, uv = mesh.faces.ravel()[order], result.uv.reshape(-1, 2)[order]
    differs = (vertex[1:] == vertex[:-1]) & (uv[1:] != uv[:-1]).any(axis=1)
    assert np.isin(vertex[1:][differs], seam).all() and differs.any()


def test_landmarks_arrive_at_their_places(heads, layout):
    for mesh in heads:
        flat = unwrap.flatten(mesh, layout.seam_share)
        plane = unwrap.align(flat, layout, mesh.anchors)
        arrived = replace(flat, uv=plane).locate(mesh.anchors)
        assert np.abs(arrived - layout.anchors)[layout.used].max() < 0.01


def test_landmarks_on_the_cut_are_left_out(heads):
    on_seam = np.array([[0, 0.1, -0.5]], np.float32)
    layout = unwrap.fit_layout([replace(mesh, anchors=np.concatenate([mesh.anchors, on_seam])) for mesh in heads])
    assert not layout.used[-1] and layout.used[:-1].sum() > 30


def test_the_midline_is_the_middle_and_up_is_up(heads, layout):
    mesh = heads[0]
    result = unwrap.unwrap(mesh, layout)
    place = {vertex: uv for vertex, uv in zip(mesh.faces.ravel().tolist(), result.uv.reshape(-1, 2), strict=True)}
    front = np.flatnonzero((mesh.canonical[:, 0] == 0) & (mesh.canonical[:, 2] > 0.1))
    rows = np.array([place[vertex] for vertex in front.tolist()])
    assert np.abs(rows[:, 0] - 0.5).max() < 0.01
    assert rows[mesh.canonical[front, 1].argmax(), 1] > rows[mesh.canonical[front, 1].argmin(), 1]
    left_ear = mesh.canonical[:, 0].argmax()
    assert place[int(left_ear)][0] > 0.6


def test_a_mirrored_head_gets_mirrored_uvs(heads, layout):
    mesh = heads[1]
    result, image = unwrap.unwrap(mesh, layout), unwrap.unwrap(mirrored(mesh), layout)
    np.testing.assert_allclose(image.uv[:, ::-1], result.uv * [-1, 1] + [1, 0], atol=2e-4)


def test_an_expression_does_not_change_the_uvs(heads, layout):
    mesh = heads[0]
    posed = replace(mesh, vertices=mesh.vertices + np.float32(0.1) * np.sin(5 * mesh.vertices))
    np.testing.assert_array_equal(unwrap.unwrap(posed, layout).uv, unwrap.unwrap(mesh, layout).uv)


def test_magnification_gives_the_face_its_share(heads, layout):
    wide = unwrap.fit_layout(heads, face_share=0.25)
    for mesh in heads:
        plain, some, more = (
            unwrap.unwrap(mesh, *rest).report["face_share"] for rest in ((layout, "paper"), (wide,), (layout,))
        )
        assert plain < some < more
        assert more == pytest.approx(unwrap.FACE_SHARE, abs=0.03)


def test_a_warp_that_would_fold_is_damped(heads, layout):
    torn = layout.anchors.copy()
    torn[[0, 1, 33, 38]] = torn[[38, 33, 1, 0]]
    result = unwrap.unwrap(heads[0], replace(layout, anchors=torn))
    assert result.report["damping"] < 1 and (signed_areas(result.uv) > 0).all()


def test_a_layout_survives_being_stored(layout):
    again = UVLayout.from_arrays({name: array.astype(np.float64) for name, array in layout.to_arrays().items()})
    assert again.used.dtype == bool
    for name, array in layout.to_arrays().items():
        np.testing.assert_array_equal(getattr(again, name), array)


def test_a_similarity_is_free_of_distortion():
    vertices = np.random.default_rng(2).normal(size=(30, 3)) * [1, 1, 0]
    faces = np.arange(30).reshape(-1, 3)
    report = unwrap.distortion(vertices, faces, vertices[faces][..., :2] * 0.3 + 0.1)
    assert report["angle_distortion"] < 1e-6 and report["area_distortion"] < 1e-6


def test_a_mesh_that_is_no_disk_is_refused(heads, layout):
    mesh = heads[0]
    hole = np.delete(mesh.faces, np.flatnonzero((mesh.canonical[mesh.faces, 2] > 0.2).all(axis=1))[0], axis=0)
    with pytest.raises(UnwrapError, match="no disk"):
        unwrap.unwrap(replace(mesh, faces=hole), layout)


def test_anchors_of_another_pack_are_refused(heads, layout):
    with pytest.raises(UnwrapError, match="anchors"):
        unwrap.unwrap(replace(heads[0], anchors=AnalyticHead().anchors()[:20]), layout)


def test_a_bow_tie_is_no_simple_boundary():
    assert unwrap._simple(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))
    assert not unwrap._simple(np.array([[0, 0], [1, 1], [1, 0], [0, 1]], np.float32))


def test_a_deep_closed_tube_keeps_room_for_every_triangle():
    rings, around = 60, 8
    angle = 2 * np.pi * np.arange(around) / around
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    vertices = np.concatenate([np.c_[circle, np.full(around, 0.8 * ring)] for ring in range(rings)] + [[[0, 0, 0.8 * rings]]])
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    a, b = (i * around + j).ravel(), (i * around + (j + 1) % around).ravel()
    last = (rings - 1) * around
    cap = np.stack([last + np.arange(around), last + np.roll(np.arange(around), -1), np.full(around, rings * around)], axis=-1)
    faces = np.concatenate([np.stack([a, b, b + around], axis=-1), np.stack([a, b + around, a + around], axis=-1), cap])
    uv = unwrap._roomy_map(vertices, faces, np.arange(around), circle).astype(np.float32)
    p, q, r = np.moveaxis(uv[faces].astype(np.float64), 1, 0)
    area = (q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]
    assert area.min() > 0
