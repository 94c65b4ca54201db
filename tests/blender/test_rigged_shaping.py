"""Sliders on a head with a rig: skin, bones, eyeballs, teeth and tongue follow; poses, keyframes and choices stay."""

import math

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from played import curves
from waiting import let_time_pass as let_jobs_pass

from cliphead_addon.blender import api, shaping, sockets
from cliphead_addon.blender.expressions import find_head, find_rig
from cliphead_addon.blender.family import find_eyeballs
from cliphead_addon.blender.head_object import read_recipe
from cliphead_addon.blender.mesh import key_points, positions, vertices
from cliphead_addon.engine.geometry.eyes import poke_through

NAME = "A man with curls"


@pytest.fixture
def head(session):
    made = api.generate("a man with curls", seed=3, shape_keys=("smile", "jawOpen"), location=(0, 0, 1))
    bpy.context.view_layer.objects.active = made
    return made


def rigged(head, **choices):
    bpy.context.view_layer.objects.active = head
    bpy.ops.cliphead.add_rig(**choices)
    return find_rig(head)


def state(head):
    """Everything of a rigged head that shaping may move."""
    rig = find_rig(head)
    found = {bone.name: (*bone.head_local, *bone.tail_local) for bone in rig.data.bones}
    for obj in (head, *head.children, *(child for child in rig.children if child is not head)):
        found[obj.name] = (*obj.location, *positions(obj.data).ravel())
        for key in obj.data.shape_keys.key_blocks if obj.data.shape_keys is not None else ():
            found[obj.name, key.name] = key_points(key).ravel()
        groups = sorted((group.name, group.index) for group in obj.vertex_groups)
        table = np.zeros((len(obj.data.vertices), len(groups)))
        for vertex in obj.data.vertices:
            for element in vertex.groups:
                table[vertex.index, [index for _, index in groups].index(element.group)] = element.weight
        found[obj.name, "groups"] = table.ravel()
    return {name: np.array(values) for name, values in found.items()}


def assert_same(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=str(name), **({"atol": 2e-6} | tolerance))


@pytest.mark.parametrize("choices", [{}, {"eyes": False}, {"mouth": False}], ids=str)
def test_shaping_then_rigging_and_rigging_then_shaping_are_the_same(session, choices):
    """The truth for a fitted rig is the one that is built on the finished shape."""
    first, second = (api.generate("a man", seed=3, shape_keys=("smile", "jawOpen")) for _ in range(2))
    api.shape(first, {"nose width": 1.0})
    rigged(first, **choices)
    rigged(second, **choices)
    api.shape(second, {"nose width": 1.0})
    one, other = state(first), state(second)
    names = [key[0] if isinstance(key, tuple) else key for key in (*one, *other)]
    assert len(names) > 10
    for values, values_too in zip(one.values(), other.values(), strict=True):
        np.testing.assert_allclose(values, values_too, atol=1e-5)
    assert read_recipe(second)["prompt"]["sliders"] == {"nose width": 1.0}


def test_back_to_zero_is_back_where_it_was(head):
    rigged(head)
    before = state(head)
    api.shape(head, {"nose width": 1.0})
    assert np.abs(state(head)["head"] - before["head"]).max() > 1e-3
    assert len(find_rig(head).data.bones) == 5 and not [obj for obj in bpy.data.objects if obj.name.startswith("Bones")]
    api.shape(head)
    assert_same(state(head), before)


def test_lids_stay_outside_of_the_moved_eyeballs(head):
    rigged(head)
    api.shape(head, {"nose width": 1.0})
    found = sockets.read_sockets(head)
    corners = np.empty(len(head.data.loops), np.int32)
    head.data.loops.foreach_get("vertex_index", corners)
    for key in head.data.shape_keys.key_blocks:
        faces = corners.reshape(len(head.data.polygons), -1)
        assert poke_through(key_points(key).astype(float), faces, found.eyes, found.depths) < 1e-3
    for eye, ball in zip(found.eyes, find_eyeballs(head).values(), strict=True):
        np.testing.assert_allclose(ball.location, eye.centre, atol=1e-6)


def test_poses_keyframes_and_materials_stay(head):
    rig = rigged(head)
    bpy.ops.cliphead.animate_words(lines='[[1, "ab"], [9, "abcdefghij"]]')
    turned = Quaternion((1, 0, 0), math.radians(20))
    rig.pose.bones["head"].rotation_quaternion = turned
    rig.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=3)
    materials = {obj.name: [m.name for m in obj.data.materials] for obj in bpy.data.objects if obj.type == "MESH"}
    objects = sorted(bpy.data.objects.keys())
    bpy.context.scene.frame_set(5)
    value = head.data.shape_keys.key_blocks["jawOpen"].value
    assert value > 0.1
    api.shape(head, {"nose width": 1.0})
    bpy.context.scene.frame_set(5)
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(value)
    assert rig.pose.bones["head"].rotation_quaternion == turned
    assert curves(rig)
    assert {obj.name: [m.name for m in obj.data.materials] for obj in bpy.data.objects if obj.type == "MESH"} == materials
    assert sorted(bpy.data.objects.keys()) == objects
    teeth = next(obj for obj in rig.children if obj.name.endswith("Teeth"))
    assert teeth.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(value)  # still driven


def test_what_was_changed_by_hand_stays(head):
    rig = rigged(head)
    bpy.data.objects.remove(find_eyeballs(head)["R"])
    find_eyeballs(head)["L"].location.z += 0.01
    above = find_eyeballs(head)["L"].location.z - sockets.read_sockets(head).eyes[0].centre[2]
    rig.hide_set(True)
    glasses = bpy.data.objects.new("Glasses", bpy.data.meshes.new("Glasses"))
    bpy.context.scene.collection.objects.link(glasses)
    glasses.parent = head
    api.shape(head, {"nose width": 1.0})
    assert list(find_eyeballs(head)) == ["L"] and not glasses.vertex_groups and rig.hide_get()
    moved = find_eyeballs(head)["L"].location.z - sockets.read_sockets(head).eyes[0].centre[2]
    assert moved == pytest.approx(above, abs=1e-6) and above > 0.009


def let_time_pass(session, until=lambda: False):
    while not until() and (shaping.pump() is not None or session.state.jobs):
        let_jobs_pass(session, until=until)


def test_it_is_previewed_with_its_eyes_and_one_undo_step(session, head):
    rig = rigged(head)
    bpy.context.view_layer.objects.active = rig  # its sliders are the head's
    before, opened = state(head), positions(head.data)
    bpy.ops.ed.undo_push(message="before")
    bpy.context.window_manager.cliphead_sliders.nose_width = 1.0
    let_time_pass(session, until=lambda: NAME in shaping.state.kept)
    preview = sockets.read_sockets(head)
    assert np.abs(positions(head.data) - opened).max() > 1e-3
    for eye, ball in zip(preview.eyes, find_eyeballs(head).values(), strict=True):
        np.testing.assert_allclose(ball.location, eye.centre, atol=1e-6)
    np.testing.assert_allclose(vertices(head.data), preview.open(), atol=1e-6)
    shaping._before_undo()  # what Blender calls first
    assert_same(state(head), before)
    bpy.context.window_manager.cliphead_sliders.nose_width = 1.0
    let_time_pass(session)
    assert read_recipe(head)["prompt"]["sliders"] == {"nose width": 1.0}
    after = state(head)
    bpy.ops.ed.undo()
    head = find_head(bpy.data.objects[NAME])
    assert_same(state(head), before)
    bpy.ops.ed.redo()
    assert_same(state(bpy.data.objects[NAME]), after)


def test_a_head_of_triangles_keeps_rig_and_animation(session):
    """Its mesh is another one after every slider."""
    head = api.generate("a man", seed=3, topology="dense", shape_keys=("jawOpen",))
    rig = rigged(head)
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    head.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    api.shape(head, {"nose width": 1.0})
    assert find_rig(head) is rig and sockets.read_sockets(head) is not None and len(bpy.data.meshes) == 5
    assert {"neck", "head", "jaw", "lids.L", "lids.R"} <= set(head.vertex_groups.keys())
    keys = head.data.shape_keys
    assert keys.animation_data.action is not None and keys.key_blocks["jawOpen"].value == pytest.approx(0.5)
