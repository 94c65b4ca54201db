"""Expressions, animation, rig and export from scripts."""

import bpy
import pytest

from cliphead_addon.blender import api
from cliphead_addon.blender.expressions import find_rig
from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.expression_sets import VISEMES


@pytest.fixture
def head(session):
    return api.generate("a man with curls")


def keyed(head, name):
    """Frames and values of a shape key's curve."""
    keys = head.data.shape_keys
    curve = keys.animation_data.action.fcurve_ensure_for_datablock(keys, f'key_blocks["{name}"].value')
    return [(point.co.x, round(point.co.y, 4)) for point in curve.keyframe_points]


def code_of(function, *arguments, **choices):
    with pytest.raises(ClipHeadError) as caught:
        function(*arguments, **choices)
    return caught.value.code


def test_sets_become_shape_keys_whatever_is_selected(head):
    bpy.context.view_layer.objects.active = None
    assert api.add_expressions(head.children[0], "visemes") == VISEMES  # the hair belongs to the head
    assert set(head.data.shape_keys.key_blocks.keys()) == {"Basis", *VISEMES}


def test_an_expression_is_shown_by_name_or_in_words(head):
    assert api.express(head, "smile", strength=0.5) == {"smile": 0.5}
    assert api.express(head, "wow!!", strength=0.5) == {"jawOpen": 0.25}  # the stand-in's reading: five letters
    assert head.data.shape_keys.animation_data is None
    assert api.express(head, "neutral") == {}


def test_a_frame_sets_keyframes(head):
    api.express(head, "smile", frame=12)
    api.express(head, "wow!!", strength=2.0, frame=24)
    assert keyed(head, "jawOpen") == [(12, 0.5), (24, 1.0)]


def test_lines_become_an_animation_in_their_order(head):
    api.animate(head, [(20, "abcd"), (1, "ab")])
    assert keyed(head, "jawOpen") == [(1, 0.2), (20, 0.4)]


def test_a_recording_becomes_keyframes(head, tmp_path):
    path = tmp_path / "take.csv"
    path.write_text("Timecode,BlendShapeCount,JawOpen\n0:0:0:0,61,0.0\n0:0:1:0,61,1.0\n")
    bpy.context.scene.render.fps = 24
    api.import_tracking(head, path, start=10)
    curve = keyed(head, "jawOpen")
    assert curve[0] == (10, 0.0) and curve[-1] == (34, 1.0)


def test_a_rig_is_built_and_taken_along_by_sliders(head):
    rig = api.add_rig(head, mouth=False)
    assert find_rig(head) is rig and len(rig.children) == 3
    length = rig.data.bones["head"].length
    api.shape(head, {"nose width": 1.0})
    assert rig.data.bones["head"].length == pytest.approx(1.1 * length, rel=1e-3)
    assert code_of(api.add_rig, head) == "NOT_ANIMATED"


@pytest.mark.parametrize("ending", ["glb", "obj"])
def test_the_ending_tells_the_format(head, tmp_path, ending):
    before = bpy.data.objects.keys()
    path = api.export(head, tmp_path / f"head.{ending}")
    assert path.stat().st_size > 1000 and bpy.data.objects.keys() == before


def test_each_call_is_one_undo_step(head):
    bpy.ops.ed.undo_push(message="before")
    api.express(head, "smile")
    bpy.ops.ed.undo()
    assert bpy.data.objects["A man with curls"].data.shape_keys is None


def test_errors_have_codes(head, tmp_path):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    assert code_of(api.express, cube, "smile") == code_of(api.export, cube, tmp_path / "a.glb") == "NOT_A_HEAD"
    assert code_of(api.add_expressions, head, "grimaces") == "NO_EXPRESSION"
    assert code_of(api.express, head, "smile", strength=3) == "BAD_SETTING"
    assert code_of(api.express, head, " ") == "BAD_PROMPT"
    assert code_of(api.animate, head, []) == code_of(api.animate, head, ["smile"]) == "BAD_LINES"
    assert code_of(api.import_tracking, head, tmp_path / "missing.csv") == "BAD_TRACKING"
    assert code_of(api.export, head, tmp_path / "head.doc") == "EXPORT"
    assert code_of(api.export, head, tmp_path / "no" / "folder.glb") == "EXPORT"
    head.data.attributes.remove(head.data.attributes["cliphead_canonical"])
    assert code_of(api.add_rig, head) == "NOT_ANIMATED"
