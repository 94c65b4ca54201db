"""The rig: what is built around a head, how bones move it, and what stays when it is removed."""

import math

import bpy
import numpy as np
import pytest
from mathutils import Quaternion, Vector

from cliphead_addon.blender import api, sockets
from cliphead_addon.blender.expressions import find_head, find_rig
from cliphead_addon.blender.mesh import key_points
from cliphead_addon.engine.geometry.eyes import poke_through


@pytest.fixture
def head():
    made = api.generate("a man with curls and green eyes", location=(0, 0, 1))
    bpy.context.view_layer.objects.active = made
    return made


@pytest.fixture
def rig(head):
    assert bpy.ops.cliphead.add_rig() == {"FINISHED"}
    return find_rig(head)


def seen(obj):
    """Vertices as modifiers leave them: (V,3) world."""
    bpy.context.view_layer.update()
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    return points @ np.array(obj.matrix_world.to_3x3()).T + np.array(obj.matrix_world.translation)


def turn(rig, bone, axis, degrees):
    """Turn a bone about an axis of the armature."""
    rest = rig.data.bones[bone].matrix_local.to_quaternion()
    rig.pose.bones[bone].rotation_quaternion = rest.inverted() @ Quaternion(axis, math.radians(degrees)) @ rest


def faces_of(mesh):
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    return corners.reshape(len(mesh.polygons), -1)


def test_everything_is_parented_named_and_in_one_collection(head, rig):
    name = "A man with curls and green eyes"
    parts = [f"{name}{part}" for part in (" Rig", "", " Hair", " Eye L", " Eye R", " Teeth", " Tongue")]
    assert sorted(obj.name for obj in bpy.data.collections[f"{name} Rig"].objects) == sorted(parts)
    assert all(len(obj.users_collection) == 1 for obj in bpy.data.objects)
    assert {obj.name for obj in rig.children_recursive} == set(parts[1:])
    assert set(rig.data.bones.keys()) == {"neck", "head", "jaw", "eye.L", "eye.R"}
    assert tuple(rig.location) == (0, 0, 1) and tuple(head.location) == (0, 0, 0)
    for obj in (rig, *rig.children_recursive):
        assert find_head(obj) is head


def test_nothing_moves_before_a_bone_does(head):
    before = seen(head)
    bpy.ops.cliphead.add_rig(eyes=False, mouth=False)
    np.testing.assert_allclose(seen(head), before, atol=1e-6)
    assert [obj.type for obj in bpy.data.objects].count("MESH") == 2


def test_weights_sum_to_one(head, rig):
    for obj in (head, *head.children):
        names = [group.name for group in obj.vertex_groups]
        for vertex in obj.data.vertices:
            assert sum(g.weight for g in vertex.groups if names[g.group] in ("neck", "head", "jaw")) == pytest.approx(
                1, abs=1e-5
            )


def test_bones_move_what_belongs_to_them(head, rig):
    before, strands = seen(head), seen(head.children[0])
    turn(rig, "jaw", (1, 0, 0), 20)
    moved = np.linalg.norm(seen(head) - before, axis=1)
    assert moved[before[:, 2] > 1.12].max() < 1e-6 and moved.max() > 0.01
    assert seen(head)[moved.argmax(), 2] < before[moved.argmax(), 2]  # it opens downwards
    turn(rig, "jaw", (1, 0, 0), 0)
    turn(rig, "head", (0, 0, 1), 30)
    moved, rim = np.linalg.norm(seen(head) - before, axis=1), (before[:, 2] < 1.01) & (before[:, 1] > -0.03)
    assert moved[rim].max() < 1e-5 and moved[before[:, 2].argmax()] < 1e-3 and moved.max() > 0.02
    assert np.linalg.norm(seen(head.children[0]) - strands, axis=1).max() > 0.02


def test_eyes_turn_about_their_middle(head, rig):
    eye = next(obj for obj in rig.children if obj.name.endswith("Eye L"))
    before = seen(eye)
    pupil = before[:, 1].argmin()
    turn(rig, "eye.L", (0, 0, 1), 30)
    after = seen(eye)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=2e-3)
    assert after[pupil, 0] > before[pupil, 0] + 0.005  # about the up axis, to the head's left


def test_lids_stay_outside_of_the_eyeballs_and_sockets_inside(head, rig):
    bpy.context.view_layer.objects.active = head
    bpy.ops.cliphead.add_expressions(kind="named")
    found = sockets.read_sockets(head)
    faces = faces_of(head.data)
    for key in head.data.shape_keys.key_blocks:
        assert poke_through(key_points(key).astype(float), faces, found.eyes, found.depths) < 1e-3  # of faces 10 mm wide
    for eye, depth in zip(found.eyes, found.depths, strict=True):
        distance, surface = eye.surface(sockets.vertices(head.data))
        assert (distance < surface)[depth > 0.001].all()


def test_a_turned_eye_pushes_the_lids(head, rig):
    """The shrinkwrap modifiers see to what shape keys cannot know."""
    kinds = [modifier.type for modifier in head.modifiers]
    assert kinds == ["ARMATURE", "SHRINKWRAP", "SHRINKWRAP"]
    assert all(modifier.target is not None for modifier in list(head.modifiers)[1:])


def test_the_iris_has_the_colour_of_the_words(rig):
    eye = next(obj for obj in rig.children if obj.name.endswith("Eye L"))
    (image,) = (node.image for node in eye.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    pixels = np.array(image.pixels[:]).reshape(*image.size, 4)
    iris = pixels[256, 256 + 55]
    assert iris[1] > 1.1 * iris[0] and iris[1] > 1.1 * iris[2] and image.packed_file is not None


def test_a_rig_is_one_undo_step(head):
    bpy.ops.ed.undo_push(message="before")
    before = seen(head)
    bpy.ops.cliphead.add_rig("EXEC_DEFAULT", True)
    assert not bpy.ops.cliphead.add_rig.poll()
    bpy.ops.ed.undo()
    assert not bpy.data.armatures and not bpy.data.collections
    head = find_head(next(obj for obj in bpy.data.objects if obj.name.startswith("A man")))
    np.testing.assert_allclose(seen(head), before, atol=1e-7)
    bpy.ops.ed.redo()
    assert len(bpy.data.armatures) == 1 and len(bpy.data.objects) == 7


def test_a_removed_rig_leaves_the_head_as_it_was(head):
    bpy.ops.cliphead.show_expression(name="smile", strength=0.5)
    before, names = seen(head), sorted(obj.name for obj in bpy.data.objects)
    bpy.ops.cliphead.add_rig()
    turn(find_rig(head), "head", (0, 0, 1), 30)
    assert bpy.ops.cliphead.remove_rig() == {"FINISHED"}
    np.testing.assert_allclose(seen(head), before, atol=1e-4)
    assert sorted(obj.name for obj in bpy.data.objects) == names
    assert not bpy.data.armatures and not bpy.data.collections and not head.vertex_groups and not head.modifiers
    assert not [name for name in head.data.attributes.keys() if name.startswith(("cliphead_lids", "cliphead_blink"))]
    assert bpy.ops.cliphead.add_rig() == {"FINISHED"}


def test_tracked_rotations_turn_the_bones(head, rig, tmp_path):
    path = tmp_path / "take.csv"
    names = ["JawOpen", "HeadYaw", "HeadPitch", "HeadRoll"]
    path.write_text(
        "\n".join([",".join(["Timecode", "BlendShapeCount", *names]), "0:0:0:0,61,0,0,0,0", "0:0:1:0,61,1,0.5,0,0"])
    )
    bpy.context.scene.render.fps = 24
    bpy.ops.cliphead.import_tracking(filepath=str(path), start=1)
    bpy.context.scene.frame_set(25)
    nose = rig.pose.bones["head"].matrix.to_quaternion() @ rig.data.bones["head"].matrix_local.to_quaternion().inverted()
    looks = nose @ Vector((0, -1, 0))
    np.testing.assert_allclose(looks, [math.sin(0.5), -math.cos(0.5), 0], atol=1e-5)  # to the head's left
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(1)


def test_the_lower_teeth_go_along_with_shape_keys_and_bone(head, rig):
    bpy.context.view_layer.objects.active = head
    bpy.ops.cliphead.add_expressions(kind="named")
    teeth = next(obj for obj in rig.children if obj.name.endswith("Teeth"))
    lower = np.array([teeth.vertex_groups["jaw"].index in {g.group for g in v.groups} for v in teeth.data.vertices])
    before = seen(teeth)
    head.data.shape_keys.key_blocks["smile"].value = 1.0  # the stand-in's expressions move the head up: a turn that closes
    moved = np.linalg.norm(seen(teeth) - before, axis=1)
    assert moved[~lower].max() < 1e-6 and moved[lower].max() > 1e-3
    head.data.shape_keys.key_blocks["smile"].value = 0.0
    turn(rig, "jaw", (1, 0, 0), 20)
    moved = np.linalg.norm(seen(teeth) - before, axis=1)
    assert moved[~lower].max() < 1e-6 and moved[lower].max() > 0.01


def test_a_changed_mesh_is_refused(head):
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.delete(type="ONLY_FACE")
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(RuntimeError, match="no longer the mesh that was made here"):
        bpy.ops.cliphead.add_rig()
