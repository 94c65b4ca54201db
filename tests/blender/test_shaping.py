"""Sliders, blends and rows of heads on the stand-in engine, which makes a head a tenth larger for each step of a slider."""

import json
import time

import bpy
import numpy as np
import pytest

from cliphead_addon.blender import api, mesh, reshaping, shaping
from cliphead_addon.blender.head_object import RECIPE, read_recipe
from cliphead_addon.engine.errors import ClipHeadError


def points(head):
    return reshaping.positions(head.data)


def let_time_pass(session, until=lambda: False, limit=20):
    """What Blender's timers do while a window is open."""
    end = time.monotonic() + limit
    while not until():
        if shaping.pump() is None and session.tick() is None:
            break
        session.tick()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def head(session):
    head = api.generate("a man with curls", seed=3, shape_keys=("smile",))
    bpy.context.view_layer.objects.active = head
    bpy.ops.ed.undo_push(message="before")
    return head


def test_a_slider_moves_the_head_its_shape_keys_and_its_hair(head):
    before, (hair,) = points(head), head.children
    hair_before, uv = points_of(hair), uv_of(head)
    assert bpy.ops.cliphead.shape(attribute="nose width", value=1.0) == {"FINISHED"}
    np.testing.assert_allclose(points(head), 1.1 * before, atol=1e-6)
    smile, basis = (key_points(head, name) for name in ("smile", "Basis"))
    np.testing.assert_allclose(basis, points(head), atol=1e-6)
    np.testing.assert_allclose((smile - basis)[:, 2], 0.025, atol=1e-6)
    np.testing.assert_allclose(points_of(hair), 1.1 * hair_before, atol=1e-6)
    np.testing.assert_array_equal(uv_of(head), uv)
    assert read_recipe(head)["prompt"]["sliders"] == {"nose width": 1.0}
    assert bpy.context.window_manager.cliphead_sliders.nose_width == 1.0


def points_of(obj):
    return reshaping.positions(obj.data)


def key_points(head, name):
    return mesh.key_points(head.data.shape_keys.key_blocks[name])


def uv_of(head):
    uv = np.empty(2 * len(head.data.loops), np.float32)
    head.data.attributes["UVMap"].data.foreach_get("vector", uv)
    return uv


def test_reset_leads_back_to_the_head_as_it_was(head):
    before = points(head)
    bpy.ops.cliphead.shape(attribute="nose width", value=1.0)
    bpy.ops.cliphead.shape(attribute="age", value=-2.0)
    bpy.ops.cliphead.reset_shape(attribute="age")
    np.testing.assert_allclose(points(head), 1.1 * before, atol=1e-6)
    bpy.ops.cliphead.reset_shape()
    np.testing.assert_allclose(points(head), before, atol=1e-6)
    assert not bpy.ops.cliphead.reset_shape.poll()


def test_a_preview_comes_first_and_the_rebuilt_head_is_one_undo_step(session, head):
    before, recipe = points(head), head[RECIPE]
    bpy.context.window_manager.cliphead_sliders.nose_width = 0.5
    bpy.context.window_manager.cliphead_sliders.nose_width = 1.0
    let_time_pass(session, until=lambda: head.name in shaping.state.kept)
    np.testing.assert_allclose(points(head), 1.1 * before, atol=1e-5)
    assert head[RECIPE] == recipe  # the preview is no change of the file
    let_time_pass(session)
    assert read_recipe(head)["prompt"]["sliders"] == {"nose width": 1.0} and not shaping.state.asked
    after = points(head)
    bpy.ops.ed.undo()
    head = bpy.data.objects["A man with curls"]
    np.testing.assert_allclose(points(head), before, atol=1e-6)
    assert bpy.context.window_manager.cliphead_sliders.nose_width == 0 and head[RECIPE] == recipe
    bpy.ops.ed.redo()
    head = bpy.data.objects["A man with curls"]
    np.testing.assert_allclose(points(head), after, atol=1e-6)


def test_undoing_during_a_preview_takes_it_back(session, head):
    before = points(head)
    bpy.context.window_manager.cliphead_sliders.nose_width = 1.0
    let_time_pass(session, until=lambda: head.name in shaping.state.kept)
    shaping._before_undo()  # what Blender calls first
    np.testing.assert_allclose(points(head), before, atol=1e-6)
    let_time_pass(session)
    np.testing.assert_allclose(points(head), before, atol=1e-6)


def test_an_unknown_attribute_is_a_message(head):
    with pytest.raises(RuntimeError, match="no attribute 'charm'"):
        bpy.ops.cliphead.shape(attribute="charm", value=1.0)


def test_heads_of_other_packs_and_plain_meshes_have_no_sliders(session, head):
    recipe = read_recipe(head)
    recipe["pack"]["name"] = "other"
    head[RECIPE] = json.dumps(recipe)
    assert "model pack 'other'" in shaping.why_not_shaped(head) and not bpy.ops.cliphead.shape.poll()
    with pytest.raises(ClipHeadError, match="model pack 'other'"):
        shaping.shape(head, {"age": 1.0})
    bpy.ops.mesh.primitive_cube_add()
    assert not bpy.ops.cliphead.shape.poll() and not bpy.ops.cliphead.vary.poll()


def test_variations_stand_side_by_side_and_keep_what_is_locked(head):
    bpy.context.window_manager.cliphead_locks.nose_width = True
    bpy.ops.cliphead.vary(kind="SEEDS", count=3)
    heads = [obj for obj in bpy.data.objects if obj != head and obj.get(RECIPE)]
    prompts = [read_recipe(obj)["prompt"] for obj in heads]
    assert sorted(prompt["seed"] for prompt in prompts) == [4, 5, 6]
    assert all(prompt["locks"] == {"nose width": 0.5} and prompt["text"] == "a man with curls" for prompt in prompts)
    np.testing.assert_allclose(sorted(obj.location[0] for obj in heads), shaping.SPACING * np.arange(1, 4), atol=1e-6)
    bpy.ops.cliphead.vary(kind="RANDOM", count=1, seed=77, locked="age")
    prompt = read_recipe(bpy.context.object)["prompt"]
    assert prompt["random"] and prompt["seed"] == 77 and prompt["locks"] == {"age": 0.0}


def test_a_blend_remembers_both_heads(head):
    other = api.generate("a woman", seed=9, location=(1, 0, 0))
    bpy.ops.cliphead.blend(other=other.name, share=0.25)
    mix = read_recipe(bpy.context.object)["prompt"]["mix"]
    assert (mix["from"]["text"], mix["to"]["text"], mix["share"]) == ("a man with curls", "a woman", 0.25)


def test_make_again_follows_the_recipe(head):
    bpy.ops.cliphead.shape(attribute="nose width", value=1.0)
    bpy.ops.cliphead.make_again()
    again = bpy.context.object
    assert again != head
    assert {**read_recipe(again)["prompt"]} == {**read_recipe(head)["prompt"]}


def test_vertices_in_the_same_order_move_with_exact_shape_keys(head):
    before, smile = points(head), key_points(head, "smile") - key_points(head, "Basis")
    arrays = reshaping.arrays_of(head)
    moved = {"canonical": arrays["canonical"] * 1.1, "vertices": arrays["canonical"] * 1.1}
    reshaping.place(head, moved)
    np.testing.assert_allclose(key_points(head, "smile") - points(head), smile, atol=1e-6)
    reshaping.place(head, moved | {"displacements": {"smile": np.full_like(arrays["canonical"], [0, 0.2, 0])}})
    np.testing.assert_allclose(points(head), 1.1 * before, atol=1e-6)
    np.testing.assert_allclose((key_points(head, "smile") - points(head))[:, 2], 0.05, atol=1e-6)
