"""Files for other programs, and the asset; the scene is the same before and after."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest

from cliphead_addon.blender import api, preview
from cliphead_addon.blender.export import CATALOGUE, CATALOGUE_FILE, family, tags_in

VALIDATOR = Path(__file__).parents[2] / "tools" / "validate_gltf.mjs"


@pytest.fixture
def head():
    """A rigged and animated head with hair."""
    made = api.generate("a man with curls and green eyes")
    bpy.context.view_layer.objects.active = made
    bpy.ops.cliphead.add_expressions(kind="visemes")
    bpy.ops.cliphead.add_rig()
    bpy.ops.cliphead.animate_words(lines='[[1, "a"], [10, "abcde"]]')
    return made


def scene_state():
    """All that an export could disturb."""
    kinds = ("objects", "meshes", "materials", "images", "armatures", "actions", "collections", "shape_keys", "texts")
    blocks = {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}
    objects = {
        obj.name: (
            obj.select_get(),
            obj.hide_get(),
            tuple(map(tuple, obj.matrix_world)),
            [m.name for m in obj.modifiers],
            [group.name for group in obj.vertex_groups],
            obj.parent and obj.parent.name,
            [len(slot.material.node_tree.links) for slot in obj.material_slots],
        )
        for obj in bpy.data.objects
    }
    scene, active = bpy.context.scene, bpy.context.view_layer.objects.active
    return blocks, objects, scene.frame_current, active and active.name, bpy.context.mode, bpy.data.filepath


def read_glb(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + size])


@pytest.mark.parametrize("kind, ending", [("GLTF", ".glb"), ("FBX", ".fbx"), ("USD", ".usdc"), ("OBJ", ".obj")])
def test_an_export_writes_its_file_and_changes_nothing(head, tmp_path, kind, ending):
    bpy.data.objects[f"{head.name} Hair"].hide_set(True)
    before = scene_state()
    assert bpy.ops.cliphead.export(filepath=str(tmp_path / "head"), format=kind) == {"FINISHED"}
    assert (tmp_path / f"head{ending}").stat().st_size > 10_000
    assert scene_state() == before


def test_gltf_keeps_names_skin_uv_and_images(head, tmp_path):
    bpy.ops.cliphead.export(filepath=str(tmp_path / "head.glb"), format="GLTF")
    gltf = read_glb(tmp_path / "head.glb")
    mesh = next(mesh for mesh in gltf["meshes"] if mesh["name"] == head.data.name)
    assert mesh["extras"]["targetNames"] == [key.name for key in head.data.shape_keys.key_blocks[1:]]
    (primitive,) = mesh["primitives"]
    assert {"TEXCOORD_0", "JOINTS_0", "WEIGHTS_0"} <= set(primitive["attributes"])
    assert len(primitive["targets"]) == len(mesh["extras"]["targetNames"])
    joints = {gltf["nodes"][joint]["name"] for skin in gltf["skins"] for joint in skin["joints"]}
    assert {"neck", "head", "jaw", "eye.L", "eye.R"} <= joints
    name = bpy.path.clean_name(head.name)
    assert {image["name"] for image in gltf["images"]} == {name, f"{name}_roughness", f"{head.name} Eyes"}
    assert not any("normalTexture" in material for material in gltf["materials"])  # a relief is no normal map
    assert gltf["animations"]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_gltf_is_valid_for_khronos(head, tmp_path):
    bpy.ops.cliphead.export(filepath=str(tmp_path / "head.glb"), format="GLTF")
    found = subprocess.run(["node", str(VALIDATOR), str(tmp_path / "head.glb")], capture_output=True, text=True)
    if "Cannot find module" in found.stderr:
        pytest.skip("needs npm's gltf-validator in the current folder or in NODE_PATH")
    issues = json.loads(found.stdout)["issues"]
    assert issues["numErrors"] == 0, issues["messages"]


def test_an_obj_finds_its_images(head, tmp_path):
    bpy.ops.cliphead.export(filepath=str(tmp_path / "head.obj"), format="OBJ")
    maps = [line.split(maxsplit=1)[1] for line in (tmp_path / "head.mtl").read_text().splitlines() if line.startswith("map_Kd")]
    assert len(maps) == 2 and all((tmp_path / name).is_file() for name in maps)


def test_fbx_and_usd_come_back_with_shape_keys_and_bones(head, tmp_path):
    for kind, ending, load in (("FBX", ".fbx", bpy.ops.import_scene.fbx), ("USD", ".usdc", bpy.ops.wm.usd_import)):
        bpy.context.view_layer.objects.active = head
        bpy.ops.cliphead.export(filepath=str(tmp_path / f"head{ending}"), format=kind)
        before = set(bpy.data.objects)
        load(filepath=str(tmp_path / f"head{ending}"))
        new = set(bpy.data.objects) - before
        keys = [obj.data.shape_keys for obj in new if obj.type == "MESH" and obj.data.shape_keys]
        assert any({"aa", "jawOpen"} <= set(key.key_blocks.keys()) for key in keys)
        (bones,) = [obj.data.bones.keys() for obj in new if obj.type == "ARMATURE"]
        assert len(bones) >= 5


def test_a_place_that_is_not_there_is_a_message(head, tmp_path):
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.cliphead.export(filepath=str(tmp_path / "none" / "head.glb"), format="GLTF")


def test_a_rigged_head_becomes_one_asset_with_picture_tags_and_catalogue(head, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "heads.blend"))
    assert bpy.ops.cliphead.mark_asset() == {"FINISHED"}
    asset = head.users_collection[0]
    assert asset.asset_data.catalog_id == CATALOGUE
    assert {"head", "man", "curls", "green", "eyes"} <= set(asset.asset_data.tags.keys())
    assert asset.asset_data.description == "a man with curls and green eyes"
    pixels = np.array(asset.preview.image_pixels_float[:]).reshape(-1, 4)
    assert 0.2 < (pixels[:, 3] > 0).mean() < 0.9 and pixels[:, 0].std() > 0.05
    text = (tmp_path / CATALOGUE_FILE).read_text()
    assert f"{CATALOGUE}:Characters/Heads:" in text and "VERSION 1" in text
    bpy.ops.cliphead.mark_asset()
    assert (tmp_path / CATALOGUE_FILE).read_text() == text


def test_marking_can_be_undone():
    head = api.generate("a man")
    bpy.context.view_layer.objects.active = head
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.cliphead.mark_asset("EXEC_DEFAULT", True)
    assert bpy.data.objects["A man"].asset_data is not None
    bpy.ops.ed.undo()
    assert bpy.data.objects["A man"].asset_data is None


def test_catalogues_that_are_there_are_kept(head, tmp_path):
    (tmp_path / CATALOGUE_FILE).write_text("VERSION 1\n\n11111111-2222-3333-4444-555555555555:Props:Props")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "heads.blend"))
    bpy.ops.cliphead.mark_asset()
    lines = (tmp_path / CATALOGUE_FILE).read_text().splitlines()
    assert lines[-2].startswith("11111111") and lines[-1].startswith(CATALOGUE)


def test_a_preview_shows_the_head_in_its_colours(head):
    picture = preview.draw(family(head))
    red, green, blue, there = picture.reshape(-1, 4)[picture[..., 3].ravel() > 0].mean(axis=0)
    assert there == 1 and red > green > blue > 0.05


def test_tags_are_the_words_that_say_something():
    assert tags_in("A very old man, with the hooked nose; a-man old!") == ["old", "man", "hooked", "nose", "a-man"]
