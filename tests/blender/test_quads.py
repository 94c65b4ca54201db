"""Heads of one topology in the scene: quads, and what can be moved from one head to another by name."""

from dataclasses import replace

import bpy
import fake_engine
import numpy as np
import pytest

from cliphead_addon.blender.head_object import add_head
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.geometry.quads import QuadGrid
from cliphead_addon.engine.jobfiles import load_head, save_head
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import HeadMesh, Prompt, UnwrappedHead


@pytest.fixture
def grid():
    pack = open_pack("starter")
    return QuadGrid.from_arrays(pack.tensors(pack.part("quads")["file"]), "low")


def quad_head(grid, width, folder, smile=None):
    """The grid rolled up to a bulging tube, `width` wide, closed at its seam; as it comes from the engine's files."""
    first = np.unique(grid.whole, return_index=True)[1]
    u, v = grid.plane[first].T
    bulge = 1.2 - v**2
    vertices = np.stack([width * bulge * np.sin(np.pi * u), v, width * bulge * np.cos(np.pi * u)], axis=-1).astype(np.float32)
    normals = vertex_normals(vertices, grid.closed_faces)
    keys = {} if smile is None else {"smile": np.full_like(vertices, smile)}
    mesh = HeadMesh(vertices, grid.closed_faces, vertices, normals, np.zeros((0, 3), np.float32), keys)
    uv = (0.5 + 0.48 * grid.plane[grid.faces]).astype(np.float32)
    whole = fake_engine.generate(Prompt(f"head {width}"), None, Settings(texture_size=256), lambda *_: None)
    save_head(replace(whole, unwrapped=UnwrappedHead(mesh, grid.seam, grid.neck, uv)), folder)
    return add_head(load_head(folder), bpy.context.collection)


@pytest.fixture
def pair(grid, tmp_path):
    return quad_head(grid, 0.3, tmp_path / "one", smile=0.02), quad_head(grid, 0.4, tmp_path / "other")


def corner_uv(mesh):
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.attributes["UVMap"].data.foreach_get("vector", uv)
    return uv


def test_the_mesh_is_of_quads_and_valid(grid, pair):
    for head in pair:
        mesh = head.data
        assert not mesh.validate()  # nothing to correct
        assert {len(face.vertices) for face in mesh.polygons} == {4}
        marked = {tuple(sorted(edge.vertices)) for edge in mesh.edges if edge.use_seam}
        assert marked == {tuple(sorted(edge)) for edge in grid.seam.tolist()}


def test_a_texture_fits_every_head(pair):
    """The material of one head, given to another by name, shows every spot of the skin at the same vertex."""
    one, other = pair
    np.testing.assert_array_equal(corner_uv(one.data), corner_uv(other.data))
    assert [tuple(face.vertices) for face in one.data.polygons] == [tuple(face.vertices) for face in other.data.polygons]
    other.data.materials[0] = bpy.data.materials[one.data.materials[0].name]
    assert other.active_material is one.active_material


def test_a_shape_key_moves_to_another_head_by_name(pair):
    """Blender's own Transfer Shape Key does it, vertex by vertex."""
    one, other = pair
    for head in pair:
        head.select_set(True)
    bpy.context.view_layer.objects.active = other
    one.active_shape_key_index = one.data.shape_keys.key_blocks.find("smile")
    assert bpy.ops.object.shape_key_transfer() == {"FINISHED"}
    moves = []
    for head in pair:
        blocks = head.data.shape_keys.key_blocks
        points = {name: np.empty(3 * len(head.data.vertices), np.float32) for name in ("Basis", "smile")}
        for name, place in points.items():
            blocks[name].points.foreach_get("co", place)
        moves.append(points["smile"] - points["Basis"])
    np.testing.assert_allclose(moves[1], moves[0], atol=1e-6)
    assert np.abs(moves[0]).max() > 0.004  # 0.02 units are 5 mm
