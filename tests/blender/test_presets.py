"""Presets as files and on the clipboard, and the history as the panel shows it."""

import json

import bpy
import numpy as np
import pytest

from cliphead_addon.blender import api, history, history_panel, preferences, presets
from cliphead_addon.blender.head_object import read_recipe
from cliphead_addon.engine.jobfiles import load_head


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def head(session):
    head = api.generate("a man", seed=3)
    bpy.context.view_layer.objects.active = head
    return head


def test_a_preset_makes_the_same_head_again(head):
    bpy.ops.cliphead.save_preset(name="My Man")
    assert presets.names() == ["My_Man"]
    bpy.context.scene.cursor.location = (0, 2, 0)
    bpy.ops.cliphead.make_preset(name="My_Man")
    made = bpy.context.object
    assert made != head and tuple(made.location) == (0, 2, 0)
    assert read_recipe(made)["prompt"] == read_recipe(head)["prompt"]
    bpy.ops.cliphead.remove_preset(name="My_Man")
    assert not presets.names() and not bpy.ops.cliphead.remove_preset.poll()


def test_a_preset_file_can_be_anywhere(head, tmp_path):
    path = tmp_path / "elsewhere" / "man.json"
    bpy.ops.cliphead.write_preset(filepath=str(path))
    bpy.ops.cliphead.open_preset(filepath=str(path))
    assert read_recipe(bpy.context.object)["prompt"] == read_recipe(head)["prompt"]


def test_copy_and_paste(head):
    bpy.ops.cliphead.copy_preset()
    text = bpy.context.window_manager.clipboard or presets.recipes.to_preset(read_recipe(head), head.name)
    bpy.ops.cliphead.paste_preset(text=text)
    assert read_recipe(bpy.context.object)["prompt"]["seed"] == 3 and bpy.context.object != head


def test_a_damaged_preset_is_refused_by_name_and_line(head, tmp_path):
    presets.save(read_recipe(head), "broken")
    path = presets.folder() / "broken.json"
    text = path.read_text().replace('"seed": 3', '"seed": "three"')
    path.write_text(text)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "three" in row)
    with pytest.raises(RuntimeError, match=f"broken.json, line {line}: 'seed' is 'three'"):
        bpy.ops.cliphead.make_preset(name="broken")
    with pytest.raises(RuntimeError, match="Clipboard, line 1"):
        bpy.ops.cliphead.paste_preset(text="{")
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.cliphead.make_preset(name="gone")


def test_the_history_places_heads_again_and_beside_others(session, head, tmp_path):
    assert not history.entries() and not bpy.ops.cliphead.restore.poll()
    from cliphead_addon.engine.settings import Settings
    from cliphead_addon.engine.stages import Prompt

    for seed in (5, 6):
        history.save(load_head(session.run(Prompt(f"a woman {seed}", seed), Settings())))
    newest, older = history.entries()
    assert history_panel.title(newest) == "A woman 6, 6"
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.cliphead.restore(entry=older.name) == {"FINISHED"}
    assert read_recipe(bpy.context.object)["prompt"]["seed"] == 5
    head.location = (1, 0, 0)
    bpy.context.view_layer.objects.active = head
    bpy.ops.cliphead.restore(beside=True)
    np.testing.assert_allclose(bpy.context.object.location, (1 + history_panel.SPACING, 0, 0), atol=1e-6)
    assert {item[0] for item in history_panel._choices(None, None)} == {newest.name, older.name}
    bpy.ops.cliphead.forget(entry=older.name)
    assert [entry.name for entry in history.entries()] == [newest.name]
    with pytest.raises(RuntimeError, match="not in the history"):
        bpy.ops.cliphead.restore(entry=older.name)


def test_presets_are_json_that_anybody_can_read(head):
    found = json.loads(presets.save(read_recipe(head), "man").read_text())
    assert found["format"] == 1 and found["name"] == "man" and found["prompt"]["text"] == "a man"
