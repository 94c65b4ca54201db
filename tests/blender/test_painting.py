"""New Texture: on heads, on meshes of others, undone, kept in the history, and refused where there is no map."""

import json

import bpy
import fake_engine
import numpy as np
import pytest
from waiting import let_time_pass

from cliphead_addon.blender import api, foreign, history, painting, preferences
from cliphead_addon.blender.hair import hair_of
from cliphead_addon.blender.head_object import read_recipe
from cliphead_addon.blender.material import colour_image, to_linear
from cliphead_addon.blender.mesh import UV_MAP, canonical_points
from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.jobfiles import load_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)


@pytest.fixture
def head(session):
    made = api.generate("a man with curls", seed=3, shape_keys=("smile",), texture_size=256)
    bpy.context.view_layer.objects.active = made
    return made


@pytest.fixture
def sculpt(session):
    """The stand-in's head as a mesh of somebody else: turned, larger, in polygons of its own."""
    mesh, *_ = fake_engine.ellipsoid(rings=24, segments=48)
    data = bpy.data.meshes.new("Sculpt")
    data.from_pydata((mesh.vertices @ np.float32([[0, 0, 1], [1, 0, 0], [0, 1, 0]])).tolist(), [], mesh.faces.tolist())
    obj = bpy.data.objects.new("Sculpt", data)
    obj.location, obj.scale = (3, 1, 0), (2, 2, 2)
    bpy.context.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    return obj


def brightness(material):
    image = colour_image(material)
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    return np.rint(255 * pixels.reshape(-1, 4)[:, :3]).mean()


def test_a_head_gets_a_texture_and_keeps_its_shape_and_its_old_material(session, head):
    points, old = canonical_points(head.data), head.active_material
    new = api.paint(head, "a zombie", seed=40, texture_size=512)
    assert head.active_material == new and new.name == "A zombie" and len(head.material_slots) == 1
    assert old.use_fake_user and old.users == 1 and brightness(new) != brightness(old)
    assert colour_image(new).size[:] == (512, 512)
    np.testing.assert_array_equal(canonical_points(head.data), points)
    recipe = read_recipe(head)
    assert recipe["prompt"]["look"] == {"text": "a zombie", "seed": 40, "negative": ""}
    assert recipe["prompt"]["text"] == "a man with curls" and recipe["settings"]["texture_size"] == 512


def test_what_the_engine_gets_is_the_head_at_rest(head):
    head.data.shape_keys.key_blocks["smile"].value = 1.0
    arrays = painting.arrays_of(head)
    mesh, seam, _, uv = fake_engine.ellipsoid(rings=24, segments=48)
    np.testing.assert_allclose(arrays["vertices"], mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(arrays["faces"], mesh.faces)
    np.testing.assert_array_equal(arrays["uv"], uv)
    assert {tuple(sorted(pair)) for pair in arrays["seam"].tolist()} == {tuple(sorted(pair)) for pair in seam.tolist()}
    np.testing.assert_allclose(np.abs(arrays["hair_vertices"]).max(axis=0) / fake_engine.RADII, 1.2, atol=0.01)


def test_the_words_colour_the_hair_and_the_same_colour_changes_nothing(head):
    strands = hair_of(head)
    brown = strands.active_material
    api.paint(head, "a zombie")
    assert strands.active_material == brown
    api.paint(hair_of(head), "a blond man")  # the hair stands for its head
    np.testing.assert_allclose(strands.active_material.diffuse_color[:3], to_linear(np.array([200, 160, 90]) / 255), atol=1e-3)
    assert brown.use_fake_user and head.active_material.name == "A blond man"


def test_an_operator_without_words_takes_the_panels(session, head):
    with pytest.raises(RuntimeError, match="Write a description first"):
        bpy.ops.cliphead.paint()
    panel = bpy.context.scene.cliphead
    panel.prompt, panel.seed, panel.texture_size = "a ghost", 12, "256"
    assert bpy.ops.cliphead.paint() == {"FINISHED"}
    assert read_recipe(head)["prompt"]["look"] == {"text": "a ghost", "seed": 12, "negative": ""}
    bpy.ops.cliphead.paint(prompt="a flibber", seed=0, negative="beard", texture_size="1024")
    assert read_recipe(head)["prompt"]["look"] == {"text": "a flibber", "seed": 0, "negative": "beard"}
    assert session.state.warnings and colour_image(head.active_material).size[0] == 1024


def test_the_button_returns_at_once_and_is_one_undo_step(session, head):
    bpy.ops.ed.undo_push(message="before")
    place = session.Place(bpy.context.scene.name)
    painting.paint(head, {"text": "painted brief", "seed": 1, "negative": ""}, 256, place=place)
    assert session.running() and head.active_material.name == "A man with curls"
    assert not bpy.ops.cliphead.paint.poll()
    (job,) = session.state.jobs
    let_time_pass(session)
    assert job.preview is not None and job.whole is not None
    assert bpy.data.objects["A man with curls"].active_material.name == "Painted brief"
    bpy.ops.ed.undo()
    head = bpy.data.objects["A man with curls"]
    assert head.active_material.name == "A man with curls" and not read_recipe(head)["prompt"]["look"]
    bpy.ops.ed.redo()
    assert bpy.data.objects["A man with curls"].active_material.name == "Painted brief"


def test_a_texture_that_is_cancelled_changes_nothing(session, head):
    painting.paint(head, {"text": "slow", "seed": 1, "negative": ""}, 256, place=session.Place(bpy.context.scene.name))
    let_time_pass(session, until=lambda: any(job.stage == "Painting slowly" for job in session.state.jobs))
    bpy.ops.cliphead.cancel()
    let_time_pass(session)
    assert session.state.message == "Cancelled" and head.active_material.name == "A man with curls"


def test_a_head_that_is_gone_meanwhile_is_a_message(session, head):
    painting.paint(head, {"text": "a ghost", "seed": 1, "negative": ""}, 256, place=session.Place(bpy.context.scene.name))
    bpy.data.objects.remove(head)
    let_time_pass(session)
    assert session.state.failed and "gone" in session.state.message and "A ghost" not in bpy.data.materials


def test_the_history_keeps_the_head_with_both_textures(session):
    folder = session.run(Prompt("a man with curls", 3), Settings(texture_size=256))
    old = history.save(load_head(folder))
    bpy.ops.cliphead.restore()
    head = bpy.context.object
    before = brightness(head.active_material)
    after = api.paint(head, "a blond zombie", seed=70)
    newest, oldest = history.entries()
    assert oldest.folder == old and oldest.recipe["prompt"]["look"] == {}
    assert newest.recipe == read_recipe(head) and newest.thumbnail.read_bytes() != oldest.thumbnail.read_bytes()
    bpy.ops.cliphead.restore(entry=newest.name)
    assert brightness(bpy.context.object.active_material) == brightness(after)
    np.testing.assert_allclose(
        hair_of(bpy.context.object).active_material.diffuse_color[:3], to_linear(np.array([200, 160, 90]) / 255), atol=1e-3
    )
    bpy.ops.cliphead.restore(entry=oldest.name)
    assert brightness(bpy.context.object.active_material) == before


def test_a_head_that_the_history_does_not_have_is_not_added(head):
    api.paint(head, "a zombie")
    assert history.entries() == []


def test_variations_follow_the_look_with_seeds_of_their_own(head):
    api.paint(head, "a zombie", seed=9, negative="beard")
    (other,) = api.vary(head, count=1)
    prompt = read_recipe(other)["prompt"]
    assert prompt["look"] == {"text": "a zombie", "negative": "beard"} and prompt["seed"] == 4
    twin = api.make_again(head)
    assert read_recipe(twin)["prompt"] == read_recipe(head)["prompt"]


def test_a_mesh_of_somebody_else_is_painted_on_its_own_map(session, sculpt):
    assert not bpy.ops.cliphead.paint.poll()
    with pytest.raises(ClipHeadError, match="Unwrap as Head first"):
        api.paint(sculpt, "a zombie")
    eyes, skin = bpy.data.materials.new("Eyes"), bpy.data.materials.new("Skin")
    for material in (eyes, skin):
        sculpt.data.materials.append(material)
    for face in sculpt.data.polygons[3:]:
        face.material_index = 1
    sculpt.data.uv_layers.new(name="Mine").active_render = True
    api.unwrap_as_head(sculpt)
    sculpt.data.uv_layers["Mine"].active_render = True
    new = api.paint(sculpt, "a zombie", seed=5)
    assert [slot.material for slot in sculpt.material_slots] == [eyes, new] and skin.use_fake_user
    maps = [node.uv_map for node in new.node_tree.nodes if node.type == "UVMAP"]
    assert maps == [foreign.HEAD_MAP] and read_recipe(sculpt) is None
    images = [node for node in new.node_tree.nodes if node.type == "TEX_IMAGE"]
    assert len(images) == 3 and all(node.inputs["Vector"].is_linked for node in images)


def test_a_mesh_without_materials_gets_its_first(sculpt):
    api.unwrap_as_head(sculpt)
    assert api.paint(None, "a ghost") == sculpt.active_material


def test_normals_are_in_the_nphm_frame_however_the_mesh_stands(sculpt):
    api.unwrap_as_head(sculpt)
    found = painting.arrays_of(sculpt)["vertices"]
    upright, *_ = fake_engine.ellipsoid(rings=24, segments=48)
    size = np.ptp(upright.vertices[:, 1])
    moved = upright.vertices / size  # one unit high
    # The ellipsoid is the same before and behind: its face may be taken for its back.
    misses = [np.abs(found - found.mean(0) - turn * (moved - moved.mean(0))).max() for turn in ([1, 1, 1], [-1, 1, -1])]
    assert min(misses) < 0.02


def test_a_mesh_unwrapped_by_an_earlier_version_is_taken_to_stand_upright(sculpt):
    api.unwrap_as_head(sculpt)
    del sculpt.data[foreign.FRAME]
    sculpt.rotation_euler = (0, 0, 0.5 * np.pi)
    bpy.context.view_layer.update()
    points = painting.arrays_of(sculpt)["vertices"]
    local = np.array([vertex.co for vertex in sculpt.data.vertices])
    # local x -> world y -> NPHM -z; local y -> world -x -> NPHM -x; local z -> up
    np.testing.assert_allclose(points, 8 * np.stack([-local[:, 1], local[:, 2], -local[:, 0]], axis=1), atol=1e-5)


def test_a_head_without_its_map_says_so(head):
    head.data.uv_layers.remove(head.data.uv_layers[UV_MAP])
    assert not bpy.ops.cliphead.paint.poll()
    with pytest.raises(ClipHeadError, match="lost its UV map 'UVMap'"):
        api.paint(head, "a zombie")


def test_a_look_that_is_no_table_makes_no_recipe(head):
    recipe = read_recipe(head)
    recipe["prompt"]["look"] = "a zombie"
    head["cliphead_recipe"] = json.dumps(recipe)
    assert read_recipe(head) is None
