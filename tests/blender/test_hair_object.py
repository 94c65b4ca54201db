"""Hair in the scene: an object of its own that goes where the head goes."""

import json
import struct

import bpy
import fake_engine
import numpy as np
import pytest

from cliphead_addon.blender import studio
from cliphead_addon.blender.export import enabled
from cliphead_addon.blender.head_object import add_head
from cliphead_addon.engine.jobfiles import load_head, save_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture
def saved(tmp_path):
    head = fake_engine.generate(Prompt("a man with curls"), None, Settings(texture_size=256), lambda *_: None)
    save_head(head, tmp_path / "job")
    return load_head(tmp_path / "job")


def positions(obj):
    return np.array([obj.matrix_world @ vertex.co for vertex in obj.data.vertices])


def test_hair_sits_on_the_head_and_follows_it(saved):
    head = add_head(saved, bpy.context.collection, (1.0, 2.0, 3.0))
    (hair,) = head.children
    bpy.context.view_layer.update()
    top, skin = positions(hair), positions(head)
    height = fake_engine.RADII[1] * 0.25  # metres; the hair is the ellipsoid a fifth larger
    np.testing.assert_allclose(top[:, 2].max() - skin[:, 2].max(), 0.2 * height, atol=1e-4)
    np.testing.assert_allclose(top[:, :2].mean(0), skin[:, :2].mean(0), atol=2e-3)
    head.location.z += 1
    bpy.context.view_layer.update()
    np.testing.assert_allclose(positions(hair) - top, np.broadcast_to([0, 0, 1], top.shape), atol=1e-5)


def test_hair_is_smooth_and_has_its_colour(saved):
    head = add_head(saved, bpy.context.collection)
    (hair,) = head.children
    assert not hair.data.validate()
    assert all(face.use_smooth for face in hair.data.polygons)
    (material,) = hair.data.materials
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    linear = (np.array(fake_engine.HAIR_COLOUR) / 255 + 0.055) / 1.055
    np.testing.assert_allclose(principled.inputs["Base Color"].default_value[:3], linear**2.4, atol=1e-5)
    assert principled.inputs["Normal"].links and principled.inputs["Anisotropic"].default_value > 0


def exported_colour(program, path):
    """The linear colour of the selected object's one material in a file that Blender's own exporter writes."""
    if program == "gltf":
        with enabled("io_scene_gltf2"):
            bpy.ops.export_scene.gltf(filepath=f"{path}.gltf", export_format="GLTF_SEPARATE", use_selection=True)
        (material,) = json.loads(path.with_suffix(".gltf").read_text())["materials"]
        return material["pbrMetallicRoughness"]["baseColorFactor"][:3]
    if program == "obj":
        bpy.ops.wm.obj_export(filepath=f"{path}.obj", export_selected_objects=True)
        (line,) = [line for line in path.with_suffix(".mtl").read_text().splitlines() if line.startswith("Kd ")]
        return [float(number) for number in line.split()[1:]]
    if program == "usd":
        bpy.ops.wm.usd_export(filepath=f"{path}.usda", selected_objects_only=True)
        (line,) = [line for line in path.with_suffix(".usda").read_text().splitlines() if "inputs:diffuseColor" in line]
        return [float(number) for number in line.split("(")[1].rstrip(")").split(",")]
    known = set(bpy.data.materials)
    with enabled("io_scene_fbx"):
        bpy.ops.export_scene.fbx(filepath=f"{path}.fbx", use_selection=True)
        bpy.ops.import_scene.fbx(filepath=f"{path}.fbx")
    (material,) = set(bpy.data.materials) - known
    return material.diffuse_color[:3]


@pytest.mark.parametrize("program", ["gltf", "fbx", "usd", "obj"])
def test_blenders_own_exporters_keep_the_colour(saved, tmp_path, program):
    """Not only our operator, which may change a material while it writes."""
    (hair,) = add_head(saved, bpy.context.collection).children
    bpy.ops.object.select_all(action="DESELECT")
    hair.select_set(True)
    bpy.context.view_layer.objects.active = hair
    linear = ((np.array(fake_engine.HAIR_COLOUR) / 255 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(exported_colour(program, tmp_path / "hair"), linear, atol=1e-3)


def test_bald_heads_have_no_children(tmp_path):
    save_head(fake_engine.generate(Prompt("a bald man"), None, Settings(texture_size=256), lambda *_: None), tmp_path)
    assert not add_head(load_head(tmp_path), bpy.context.collection).children


def test_hair_is_in_the_files(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "PORTRAIT_SIZE", 32)
    monkeypatch.setattr(studio, "SAMPLES", 1)
    studio.deliver(tmp_path / "job", tmp_path / "out")
    data = (tmp_path / "out" / "head.glb").read_bytes()
    scene = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    assert len(scene["meshes"]) == 2
    hair = next(material for material in scene["materials"] if "Hair" in material["name"])
    assert hair["pbrMetallicRoughness"]["baseColorFactor"][0] == pytest.approx(((120 / 255 + 0.055) / 1.055) ** 2.4, abs=1e-3)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "head.blend"))
    (hair,) = [obj for obj in bpy.data.objects if obj.parent]
    assert hair.type == "MESH" and hair.parent.name == "A man with curls"
