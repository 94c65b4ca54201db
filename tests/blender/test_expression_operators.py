"""Shape keys on demand, the expression buttons, words and face tracking as keyframes."""

import time

import bpy
import numpy as np
import pytest

from cliphead_addon.blender import api, expressions
from cliphead_addon.blender.mesh import key_points
from cliphead_addon.blender.shape_keys import add_shape_keys
from cliphead_addon.engine.expression_sets import ARKIT, NAMED, VISEMES
from cliphead_addon.engine.livelink import SHAPES

METRES = 0.25


@pytest.fixture
def head():
    made = api.generate("a man")
    bpy.context.view_layer.objects.active = made
    return made


def let_time_pass(session, limit=20.0):
    begin = time.monotonic()
    while session.tick() is not None:
        assert time.monotonic() - begin < limit
        time.sleep(0.02)


def values(head):
    return {key.name: round(key.value, 4) for key in head.data.shape_keys.key_blocks[1:]}


def keyed(head, name):
    """Frames and values of a shape key's curve."""
    keys = head.data.shape_keys
    curve = keys.animation_data.action.fcurve_ensure_for_datablock(keys, f'key_blocks["{name}"].value')
    return [(point.co.x, round(point.co.y, 4)) for point in curve.keyframe_points]


def write_csv(path, columns, rows):
    lines = [",".join(["Timecode", "BlendShapeCount", *columns])]
    lines += [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("kind, names", [("named", NAMED), ("arkit", ARKIT), ("visemes", VISEMES)])
def test_sets_become_shape_keys_of_these_names(head, kind, names):
    assert bpy.ops.cliphead.add_expressions(kind=kind) == {"FINISHED"}
    keys = head.data.shape_keys.key_blocks
    assert set(keys.keys()) == {"Basis", *names}
    move = key_points(keys[names[0]]) - key_points(keys["Basis"])
    np.testing.assert_allclose(move, np.broadcast_to([0, 0, 0.1 * METRES], move.shape), atol=1e-6)


def test_keys_that_are_there_are_kept_as_they_are(session, head):
    bpy.ops.cliphead.show_expression(name="smile")
    head.data.shape_keys.key_blocks["smile"].points[0].co = (9, 9, 9)
    bpy.ops.cliphead.add_expressions(kind="named")
    assert tuple(head.data.shape_keys.key_blocks["smile"].points[0].co) == (9, 9, 9)
    process = session.state.client.process
    bpy.ops.cliphead.show_expression(name="sad")  # nothing is missing: no job is needed
    assert session.state.client.process is process and session.state.message == "Shown: sad"


def test_a_button_shows_one_expression_alone(head):
    bpy.ops.cliphead.show_expression(name="smile", strength=0.6)
    bpy.ops.cliphead.show_expression(name="kiss")
    assert values(head) == {"smile": 0.0, "kiss": 1.0}
    bpy.ops.cliphead.show_expression(name="neutral")
    assert values(head) == {"smile": 0.0, "kiss": 0.0}


def test_a_head_made_with_an_expression_goes_back_to_neutral_first(head):
    smiling = bpy.data.objects[bpy.ops.cliphead.generate(prompt="b", expression="smile") and "B"]
    bpy.context.view_layer.objects.active = smiling
    bpy.ops.cliphead.show_expression(name="kiss")
    assert values(smiling) == {"kiss": 1.0, "neutral": 1.0}
    assert expressions.IS_NEUTRAL not in smiling


def test_the_button_returns_at_once_and_is_one_undo_step(session, head):
    bpy.ops.ed.undo_push(message="before")
    operator = expressions.HeadOperator()
    operator.interactive = True
    assert operator.express(bpy.context, head, "apply_expressions", ("smile",)) == {"FINISHED"}
    assert head.data.shape_keys is None and session.running()
    assert not bpy.ops.cliphead.add_expressions.poll()
    let_time_pass(session)
    assert bpy.data.objects["A man"].data.shape_keys.key_blocks.keys() == ["Basis", "smile"]
    bpy.ops.ed.undo()
    assert bpy.data.objects["A man"].data.shape_keys is None
    bpy.ops.ed.redo()
    assert bpy.data.objects["A man"].data.shape_keys.key_blocks.keys() == ["Basis", "smile"]


def test_words_are_keyed_at_the_current_frame(head):
    bpy.context.scene.frame_set(12)
    bpy.ops.cliphead.keyframe_words(words="wow")
    assert keyed(head, "jawOpen") == [(12.0, 0.3)] and keyed(head, "eyeBlinkLeft") == [(12.0, 0.0)]
    assert values(head)["jawOpen"] == 0.3
    with pytest.raises(RuntimeError, match="Write an expression first"):
        bpy.ops.cliphead.keyframe_words()


def test_a_list_of_frames_and_words_becomes_an_animation(head):
    motion = bpy.context.scene.cliphead_motion
    for frame, words in ((30, "aaaaaaaa"), (10, "")):
        bpy.context.scene.frame_set(frame)
        motion.words = words
        bpy.ops.cliphead.add_line()
    bpy.ops.cliphead.remove_line()
    motion.words = "ab"
    bpy.ops.cliphead.add_line()
    bpy.ops.cliphead.animate_words()
    assert keyed(head, "jawOpen") == [(10.0, 0.2), (30.0, 0.8)]
    bpy.ops.cliphead.animate_words(lines='[[20, "abc"]]')
    assert keyed(head, "jawOpen") == [(10.0, 0.2), (20.0, 0.3), (30.0, 0.8)]
    bpy.context.scene.frame_set(20)
    assert values(head)["jawOpen"] == 0.3
    with pytest.raises(RuntimeError, match="to be given as"):
        bpy.ops.cliphead.animate_words(lines="[1")


def test_the_list_can_be_undone():
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.cliphead.add_line("EXEC_DEFAULT", True)
    assert len(bpy.context.scene.cliphead_motion.lines) == 1
    bpy.ops.ed.undo()
    assert not bpy.context.scene.cliphead_motion.lines and not bpy.ops.cliphead.remove_line.poll()


def test_tracking_arrives_at_the_scenes_frame_rate(head, tmp_path):
    columns = [name[0].upper() + name[1:] for name in SHAPES]
    zeros = [0.0] * len(columns)
    rows = []
    for i in range(121):  # two seconds at 60 frames per second, the jaw opening evenly
        row = list(zeros)
        row[columns.index("JawOpen")] = i / 120
        rows.append(
            [f"10:59:{59 + i // 60:02d}:{i % 60:02d}.000" if i < 60 else f"11:00:{i // 60 - 1:02d}:{i % 60:02d}.5", 61, *row]
        )
    for row in rows[60:]:
        row[0] = row[0].replace(".5", ".000")
    bpy.context.scene.render.fps = 30
    bpy.ops.cliphead.import_tracking(filepath=write_csv(tmp_path / "take.csv", columns, rows), start=101)
    curve = keyed(head, "jawOpen")
    assert len(curve) == 61 and curve[0] == (101.0, 0.0) and curve[30] == (131.0, 0.5) and curve[-1] == (161.0, 1.0)


def test_a_bad_recording_changes_nothing(head, tmp_path):
    path = write_csv(tmp_path / "take.csv", ["JawOpen", "MouthClose"], [["00:00:00:00", 61, 0.1, "abc"]])
    with pytest.raises(RuntimeError, match=r"take.csv, line 2, column 4 \(mouthClose\): 'abc' is no number"):
        bpy.ops.cliphead.import_tracking(filepath=path)
    assert head.data.shape_keys is None


def test_buttons_say_why_they_are_grey():
    assert not bpy.ops.cliphead.show_expression.poll()
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    with pytest.raises(RuntimeError, match="Select a head made by CLIP-Head"):
        bpy.ops.cliphead.add_expressions(kind="named")


def test_new_shapes_replace_those_of_the_same_name(head):
    add_shape_keys(head, {"smile": np.ones((len(head.data.vertices), 3))})
    key = head.data.shape_keys.key_blocks["smile"]
    key.value = 0.7
    add_shape_keys(head, {"smile": np.zeros((len(head.data.vertices), 3))})
    np.testing.assert_allclose(key_points(key), key_points(head.data.shape_keys.reference_key), atol=1e-7)
    assert len(head.data.shape_keys.key_blocks) == 2 and round(key.value, 4) == 0.7
