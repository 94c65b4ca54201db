"""Unwrap as Head, on a dummy of quads and triangles with an open neck."""

import bmesh
import bpy
import numpy as np
import pytest
from waiting import let_time_pass

from cliphead_addon.blender import api, foreign
from cliphead_addon.blender.foreign import HEAD_MAP
from cliphead_addon.engine.errors import ClipHeadError


@pytest.fixture
def dummy():
    """A sphere of quads with a nose, open below, turned and far from the origin."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=48, ring_count=32, location=(3, 1, 2), rotation=(0.2, 0.1, 0.7))
    obj = bpy.context.object
    points = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", points.ravel())
    nose = np.exp(-np.square(points - [0, -1, -0.1]).sum(axis=1) / 0.03)
    points += 0.3 * nose[:, None] * np.float32([0, -1, 0])
    points *= np.float32([0.8, 1, 1.25])
    obj.data.vertices.foreach_set("co", points.ravel())
    shape = bmesh.new()
    shape.from_mesh(obj.data)
    bmesh.ops.delete(shape, geom=[vertex for vertex in shape.verts if vertex.co.z < -1.0], context="VERTS")
    shape.to_mesh(obj.data)
    shape.free()
    return obj


def coordinates(mesh, name=HEAD_MAP):
    uv = np.empty((len(mesh.loops), 2), np.float32)
    mesh.uv_layers[name].uv.foreach_get("vector", uv.ravel())
    return uv


def areas(mesh):
    """Signed areas of the polygons' triangles in the map."""
    loops = np.array([triangle.loops[:] for triangle in mesh.loop_triangles])
    a, b, c = np.moveaxis(coordinates(mesh).astype(np.float64)[loops], 1, 0)
    return np.cross(b - a, c - a)


def test_it_writes_a_map_and_a_seam_and_keeps_the_polygons(session, dummy):
    before = len(dummy.data.polygons), len(dummy.data.vertices), len(dummy.data.edges)
    assert bpy.ops.cliphead.unwrap_as_head() == {"FINISHED"}
    mesh = dummy.data
    assert (len(mesh.polygons), len(mesh.vertices), len(mesh.edges)) == before
    assert (areas(mesh) > 0).all()
    assert mesh.uv_layers.active.name == HEAD_MAP and len(mesh.uv_layers) == 2
    seam = [edge.vertices[:] for edge in mesh.edges if edge.use_seam]
    ends = np.unique(np.ravel(seam), return_counts=True)[1]
    assert len(seam) > 5 and (ends == 1).sum() == 2 and (ends == 2).sum() == len(seam) - 1  # one path
    assert max(np.mean([mesh.vertices[i].co.y for i in pair]) for pair in seam) > 0.5  # at the back
    assert "face has" in session.state.message


def test_the_face_looks_out_of_the_middle(session, dummy):
    api.unwrap_as_head(dummy)
    mesh = dummy.data
    points = np.array([mesh.vertices[loop.vertex_index].co for loop in mesh.loops])
    uv = coordinates(mesh)
    assert uv[points[:, 1].argmin(), 0] == pytest.approx(0.5, abs=0.03)  # the tip of the nose
    sides = np.abs(points[:, 0]) > 0.3
    assert ((uv[sides, 0] > 0.5) == (points[sides, 0] > 0)).mean() > 0.98  # the head's own left is at u > 0.5


def test_it_is_one_undo_step(session, dummy):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.cliphead.unwrap_as_head("EXEC_DEFAULT", True)
    bpy.ops.ed.undo()
    mesh = bpy.data.objects[0].data
    assert HEAD_MAP not in mesh.uv_layers and not any(edge.use_seam for edge in mesh.edges)


def test_a_window_goes_on_meanwhile(session, dummy):
    """What the button does in a window: ask, and let the timer place what was found."""
    place = session.Place(bpy.context.scene.name, (), "apply_unwrap", {"object": dummy.name})
    job = foreign.ask(dummy, place=place)
    assert job.unfinished and HEAD_MAP not in dummy.data.uv_layers
    assert not bpy.ops.cliphead.unwrap_as_head.poll()
    let_time_pass(session)
    assert (areas(dummy.data) > 0).all() and not session.state.failed


def test_a_mesh_changed_meanwhile_is_left_alone(session, dummy):
    folder = foreign.ask(dummy).folder
    bpy.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match="changed meanwhile"):
        bpy.ops.cliphead.apply_unwrap(folder=str(folder), object=bpy.context.object.name)
    with pytest.raises(RuntimeError, match="is gone"):
        bpy.ops.cliphead.apply_unwrap(folder=str(folder), object="Nobody")


def test_a_mesh_that_cannot_be_flattened_is_left_alone(session):
    bpy.ops.mesh.primitive_torus_add()
    mesh = bpy.context.object.data
    with pytest.raises(RuntimeError, match="handle"):
        bpy.ops.cliphead.unwrap_as_head()
    assert len(mesh.uv_layers) == 1 and not any(edge.use_seam for edge in mesh.edges)
    assert session.state.failed
    with pytest.raises(ClipHeadError, match="triangles"):
        bpy.ops.mesh.primitive_cube_add()
        api.unwrap_as_head()


def test_a_closed_mesh_is_opened_below(session):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=24)
    report = api.unwrap_as_head(upright=True)
    assert report["neck"] == "slit" and report["warnings"]
    assert (areas(bpy.context.object.data) > 0).all()


def test_it_needs_a_mesh(session):
    bpy.ops.object.empty_add()
    assert not bpy.ops.cliphead.unwrap_as_head.poll()
