"""Recent descriptions, the seed's dice and lock, and the choices that reach the recipe."""

import bpy
import pytest

from cliphead_addon.blender import preferences, recent
from cliphead_addon.blender.head_object import read_recipe


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    return tmp_path


def test_descriptions_are_remembered_newest_first_and_once(session):
    for text in ("a man", "a woman", "a man"):
        bpy.ops.cliphead.generate(prompt=text)
    assert recent.prompts() == ["a man", "a woman"]
    bpy.ops.cliphead.use_prompt(text="a woman")
    assert bpy.context.scene.cliphead.prompt == "a woman"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1}', "[1, 2]"])
def test_a_damaged_file_is_an_empty_list(session, data, text):
    (data / "prompts.json").write_text(text)
    assert recent.prompts() == []
    recent.remember("a man")
    assert recent.prompts() == ["a man"]


def test_the_seed_is_drawn_where_it_is_not_locked(session):
    settings = bpy.context.scene.cliphead
    assert settings.seed_locked and not bpy.ops.cliphead.random_seed.poll()
    settings.seed_locked = False
    before = settings.seed
    bpy.ops.cliphead.random_seed()
    assert settings.seed != before


def test_intensity_and_device_travel_in_the_recipe(session):
    bpy.ops.cliphead.generate(prompt="a man", expression="smile", expression_strength=0.4, device="cpu")
    recipe = read_recipe(bpy.context.object)
    assert recipe["prompt"]["expression_strength"] == 0.4 and recipe["settings"]["device"] == "cpu"
