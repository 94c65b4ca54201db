"""Every button: pressed, undone, redone, and the file compared each time; then a long run of random presses."""

import random

import bpy
import numpy as np
import pytest

from cliphead_addon.blender import api, history, preferences, presets, reshaping
from cliphead_addon.blender.head_object import RECIPE, read_recipe
from cliphead_addon.blender.mesh import key_points
from cliphead_addon.engine.jobfiles import load_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

PRESSED = {  # operators that change the file -> what they are pressed with
    "generate": {"prompt": "a girl", "seed": 4},
    "apply_result": {},
    "shape": {"attribute": "nose width", "value": 1.5},
    "reset_shape": {},
    "apply_shape": {},
    "make_again": {},
    "vary": {"kind": "RANDOM", "count": 1, "seed": 5},
    "blend": {"other": "Other", "share": 0.5},
    "make_preset": {"name": "mine"},
    "open_preset": {},
    "paste_preset": {},
    "restore": {},
    "use_prompt": {"text": "an old man"},
    "random_seed": {},
    "paint": {"prompt": "a ghost", "seed": 6},
    "add_expressions": {"kind": "named"},
    "show_expression": {"name": "kiss"},
    "keyframe_words": {"words": "wow"},
    "animate_words": {"lines": '[[1, "ab"], [9, "abcd"]]'},
    "import_tracking": {},
    "add_line": {},
    "remove_line": {},
    "add_rig": {},
    "remove_rig": {},
    "mark_asset": {},
}
BEFORE = {"remove_line": "add_line", "remove_rig": "add_rig"}  # operator -> what is pressed before it
INSIDE = (  # the second halves of others
    "apply_expressions", "apply_words", "apply_tracking", "apply_rig", "apply_unwrap", "apply_paint",
)  # fmt: skip
NO_CHANGE = (
    "save_preset",
    "remove_preset",
    "copy_preset",
    "write_preset",
    "forget",
    "cancel",
    "apply_preview",
    "export",
    "copy_report",
)
ELSEWHERE = ("unwrap_as_head",)  # has a test of its own beside its other tests
PREFERENCES = ("install_pack", "download_pack", "stop_download", "adapt", "adapt_cancel", "delete_data")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def scene(session, data):
    """A shaped head, which is active, and another, a preset and a head in the history. -> arguments by operator"""
    other = api.generate("a woman with curls", seed=9, location=(2, 0, 0))
    other.name = "Other"
    head = api.generate("a man with curls", seed=3, shape_keys=("smile",))
    bpy.context.view_layer.objects.active = head
    bpy.ops.cliphead.shape(attribute="age", value=1.0)
    bpy.context.scene.cliphead.seed_locked = False
    path = presets.save(read_recipe(head), "mine")
    made = session.run(Prompt("a boy", 8), Settings())
    history.save(load_head(made))
    recipe = read_recipe(head)["prompt"] | {"sliders": {"age": 2.0}}
    about = {"prompt": recipe, "settings": read_recipe(head)["settings"]}
    shaped = session.about_head("reshape", about, session.new_folder(), before=None).folder
    tracked = data / "take.csv"
    tracked.write_text("Timecode,BlendShapeCount,JawOpen\n00:00:00:00.000,61,0.5\n00:00:00:30.000,61,1.0\n")
    bpy.ops.ed.undo_push(message="before")
    return {
        "apply_result": {"folder": str(made)},
        "apply_shape": {"folder": str(shaped), "object": head.name, "sliders": '{"age": 2.0}'},
        "open_preset": {"filepath": str(path)},
        "import_tracking": {"filepath": str(tracked)},
        "paste_preset": {"text": path.read_text(encoding="utf-8")},
    }


def file():
    """What the file holds, to be compared."""
    found = {"settings": {name: getattr(bpy.context.scene.cliphead, name) for name in ("prompt", "seed", "resolution")}}
    found["lines"] = len(bpy.context.scene.cliphead_motion.lines)
    for obj in bpy.data.objects:
        if obj.type != "MESH":
            found[obj.name] = obj.type
            continue
        keys = obj.data.shape_keys
        found[obj.name] = (
            tuple(obj.location),
            obj.get(RECIPE),
            obj.parent.name if obj.parent else None,
            reshaping.positions(obj.data).tobytes(),
            [] if keys is None else [(key.name, key.value, key_points(key).tobytes()) for key in keys.key_blocks],
            [material.name for material in obj.data.materials],
            obj.asset_data is not None,
        )
    return found


def test_every_operator_is_pressed(session):
    assert {*PRESSED, *INSIDE, *NO_CHANGE, *ELSEWHERE, *PREFERENCES} == set(dir(bpy.ops.cliphead))


@pytest.mark.parametrize("name", PRESSED)
def test_a_button_can_be_undone_and_redone(scene, name):
    if name in BEFORE:
        getattr(bpy.ops.cliphead, BEFORE[name])("EXEC_DEFAULT", True)
        bpy.ops.ed.undo_push(message="before")
    before = file()
    assert getattr(bpy.ops.cliphead, name)("EXEC_DEFAULT", True, **PRESSED[name], **scene.get(name, {})) == {"FINISHED"}
    after = file()
    assert after != before
    bpy.ops.ed.undo()
    assert file() == before
    bpy.ops.ed.redo()
    assert file() == after


def test_sixty_random_presses(scene):
    rng = random.Random(1)
    steps = [file()]  # what undo leads back to
    for _ in range(60):
        action = rng.choice(("shape", "shape", "reset_shape", "use_prompt", "random_seed", "restore", "undo", "undo", "redo"))
        if action == "undo" and len(steps) > 1:
            steps.pop()
            bpy.ops.ed.undo()
        elif action in ("undo", "redo"):
            continue
        else:
            head = bpy.data.objects["A man with curls"]
            bpy.context.view_layer.objects.active = head
            operator = getattr(bpy.ops.cliphead, action)
            if not operator.poll():
                continue
            choices = {
                "shape": {"attribute": rng.choice(("age", "nose width")), "value": round(rng.uniform(-2, 2), 1)},
                "use_prompt": {"text": f"a head {rng.random()}"},
            }
            operator("EXEC_DEFAULT", True, **choices.get(action, {}))
            steps.append(file())
        assert file() == steps[-1], action
    head = bpy.data.objects["A man with curls"]
    size = 1 + 0.1 * sum(read_recipe(head)["prompt"]["sliders"].values())
    plain = np.ptp(reshaping.positions(bpy.data.objects["Other"].data), axis=0)
    np.testing.assert_allclose(np.ptp(reshaping.positions(head.data), axis=0), size * plain, rtol=1e-4)
