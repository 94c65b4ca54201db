"""Random presses on two heads: each can be undone and redone to the same file, and undo leads back all the way."""

import random

import bpy
import numpy as np
import pytest
from played import curves

from cliphead_addon.blender import api, preferences
from cliphead_addon.blender.expressions import find_head, find_rig
from cliphead_addon.blender.mesh import key_points, positions

PRESSES = 60
NAMES = ("A man with curls", "A woman")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    path = tmp_path / "take.csv"
    path.write_text("Timecode,BlendShapeCount,JawOpen,HeadYaw,HeadPitch,HeadRoll\n0:0:0:0,61,0,0,0,0\n0:0:0:30,61,1,0.5,0,0\n")
    return path


def plain(value):
    """A custom property as something to be compared."""
    return value if isinstance(value, str | int | float | bool) else str(value)


def keyframes(block):
    """Keyframes of a datablock by their path."""
    animation = block.animation_data
    if animation is None:
        return None
    keyed = [(c.data_path, c.array_index, *(tuple(point.co) for point in c.keyframe_points)) for c in curves(block)]
    return sorted(keyed), sorted(driver.data_path for driver in animation.drivers)


def pixels(image):
    found = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(found)
    return hash(found.tobytes())


def file():
    """What the file holds, to be compared."""
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)  # what is animated is as undo leaves it
    found = {"lines": [(line.frame, line.words) for line in bpy.context.scene.cliphead_motion.lines]}
    found["prompt"] = bpy.context.scene.cliphead.prompt
    found["materials"] = {m.name: [n.name for n in m.node_tree.nodes] for m in bpy.data.materials}
    found["images"] = {image.name: pixels(image) for image in bpy.data.images if image.users}
    found["collections"] = {c.name: sorted(c.objects.keys()) for c in bpy.data.collections}
    for obj in bpy.data.objects:
        about = {
            "kind": obj.type,
            "place": np.round(np.array(obj.matrix_basis), 6).tolist(),
            "parent": obj.parent.name if obj.parent else None,
            "properties": {name: plain(value) for name, value in obj.items()},
            "materials": [slot.material.name for slot in obj.material_slots],
            "modifiers": [(m.name, m.type) for m in obj.modifiers],
            "groups": obj.vertex_groups.keys() if obj.type == "MESH" else None,
            "asset": obj.asset_data is not None,
            "curves": keyframes(obj),
        }
        if obj.type == "MESH":
            keys = obj.data.shape_keys
            about["points"] = positions(obj.data).tobytes()
            about["attributes"] = sorted((a.name, a.domain, a.data_type) for a in obj.data.attributes)
            about["keys"] = keys and [(key.name, round(key.value, 5), key_points(key).tobytes()) for key in keys.key_blocks]
            about["played"] = keys and keyframes(keys)
        if obj.type == "ARMATURE":
            about["bones"] = [(bone.name, tuple(bone.head_local), tuple(bone.tail_local)) for bone in obj.data.bones]
            about["pose"] = [np.round(np.array(bone.matrix_basis), 6).tolist() for bone in obj.pose.bones]
        found[obj.name] = about
    return found


def differences(one, other, path=""):
    """Where two files differ, as paths of what is compared."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [d for name in one.keys() | other.keys() for d in differences(one.get(name), other.get(name), f"{path}/{name}")]
    return [] if one == other else [path]


def choices(rng, take):
    """Operator -> properties to press it with."""
    attribute = rng.choice(("age", "nose width", "weight"))
    return {
        "shape": {"attribute": attribute, "value": round(rng.uniform(-1, 1), 1)},
        "reset_shape": {},
        "add_expressions": {"kind": "named"},
        "show_expression": {"name": rng.choice(("smile", "kiss", "neutral")), "strength": round(rng.random(), 1)},
        "keyframe_words": {"words": "w" * rng.randrange(2, 9)},
        "animate_words": {"lines": '[[1, "ab"], [9, "abcd"]]'},
        "import_tracking": {"filepath": str(take), "start": rng.randrange(1, 40)},
        "add_rig": {"eyes": rng.random() < 0.7, "mouth": rng.random() < 0.7},
        "remove_rig": {},
        "add_line": {},
        "remove_line": {},
        "use_prompt": {"text": f"a head {rng.random():.3f}"},
        "mark_asset": {},
    }


@pytest.mark.parametrize("seed", [1])
def test_random_presses_can_be_undone_and_redone(session, data, seed):
    rng = random.Random(seed)
    for place, name in enumerate(NAMES):
        api.generate(name.lower(), seed=place, shape_keys=("smile",), location=(place, 0, 0))
    bpy.context.preferences.edit.undo_steps = 2 * PRESSES  # 32 without this
    bpy.ops.ed.undo_push(message="before")
    steps, pressed = [file()], set()
    while len(steps) <= PRESSES:
        head = find_head(bpy.data.objects[rng.choice(NAMES)])
        rig = find_rig(head)
        bpy.context.view_layer.objects.active = rng.choice([head, rig or head, *head.children])
        operator, properties = rng.choice(sorted(choices(rng, data).items()))
        if not getattr(bpy.ops.cliphead, operator).poll():
            continue
        assert getattr(bpy.ops.cliphead, operator)("EXEC_DEFAULT", True, **properties) == {"FINISHED"}
        after = file()
        bpy.ops.ed.undo()
        assert not differences(file(), steps[-1]), f"{operator} undone"
        bpy.ops.ed.redo()
        assert not differences(file(), after), f"{operator} redone"
        steps.append(after)
        pressed.add(operator)
    assert len(pressed) > 9
    for step in reversed(steps[:-1]):
        bpy.ops.ed.undo()
        assert not differences(file(), step)
