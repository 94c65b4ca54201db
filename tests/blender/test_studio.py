"""The files handed over, opened again."""

import json
import struct

import bpy
import fake_engine
import numpy as np
import pytest

from cliphead_addon.blender import studio
from cliphead_addon.engine.jobfiles import IMAGES, SURFACE_IMAGES, save_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "PORTRAIT_SIZE", 96)
    monkeypatch.setattr(studio, "SAMPLES", 2)
    prompt, settings = Prompt("a man"), Settings(texture_size=256, shape_keys=("smile",))
    save_head(fake_engine.generate(prompt, None, settings, lambda *_: None), tmp_path / "job")
    return tmp_path / "job"


@pytest.fixture
def delivered(job, tmp_path):
    studio.deliver(job, tmp_path / "out")
    return tmp_path / "out"


def test_a_portrait_alone_is_the_same_picture_beside_the_head(job):
    studio.portrait(job, 96)
    check_portrait(pixels(job / "head.png"))


def pixels(path):
    """An image file -> (height, width, 4) float in [0,1], row 0 at the top."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    return np.array(image.pixels[:]).reshape(height, width, 4)[::-1]


def test_everything_is_delivered_and_holds_together(delivered):
    names = {"head.blend", "head.glb", "head.png", "recipe.json"}
    names |= {f"{name}.png" for name in (*IMAGES, *SURFACE_IMAGES)}
    assert {path.name for path in delivered.iterdir()} == names
    assert json.loads((delivered / "recipe.json").read_text())["prompt"]["text"] == "a man"
    check_portrait(pixels(delivered / "head.png"))
    check_gltf(delivered / "head.glb")
    check_blend(delivered / "head.blend")


def check_portrait(picture):
    """The head fills the frame without touching it, neither black nor burnt out."""
    background = picture[0, 0, :3]
    rows, columns = np.nonzero(np.abs(picture[..., :3] - background).max(-1) > 0.08)
    assert min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < 95
    assert 0.8 < max(np.ptp(rows), np.ptp(columns)) / 96 < 0.95
    head = picture[20:76, 30:66, :3]
    assert 0.2 < head.mean() < 0.8 and (head > 0.98).mean() < 0.05


def check_gltf(path):
    data = path.read_bytes()
    magic, _, _, length, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, kind) == (b"glTF", b"JSON")
    scene = json.loads(data[20 : 20 + length])
    (mesh,) = scene["meshes"]
    assert {"POSITION", "NORMAL", "TEXCOORD_0"} <= mesh["primitives"][0]["attributes"].keys()
    assert mesh["extras"]["targetNames"] == ["smile"]
    assert scene["images"][0]["mimeType"] == "image/png"
    assert "baseColorTexture" in scene["materials"][0]["pbrMetallicRoughness"]
    assert len(scene["nodes"]) == 1  # no camera, no lamps


def check_blend(path):
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert bpy.data.objects["A man"].data.uv_layers and bpy.context.scene.camera is not None
    assert [image.packed_file is not None for image in bpy.data.images if image.source == "FILE"] == 3 * [True]
