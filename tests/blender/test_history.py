"""Finished heads that are kept and come back."""

import os
import shutil

import fake_engine
import numpy as np
import pytest

from cliphead_addon.engine.errors import StorageError
from cliphead_addon.engine.jobfiles import JobFilesError, load_head, save_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture
def history(monkeypatch, tmp_path, session):
    from cliphead_addon.blender import history, preferences

    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path / "data")
    return history


@pytest.fixture
def make(tmp_path):
    def make(seed=0):
        head = fake_engine.generate(Prompt("curls", seed=seed), None, Settings(texture_size=256), lambda *_: None)
        save_head(head, tmp_path / f"job{seed}")
        return load_head(tmp_path / f"job{seed}")

    return make


def test_a_kept_head_comes_back_as_it_was(history, make, tmp_path):
    assert history.entries() == []
    saved = make(seed=7)
    folder = history.save(saved)
    shutil.rmtree(tmp_path / "job7")
    (entry,) = history.entries()
    assert entry.folder == folder and folder.name.endswith("Z-7") and entry.recipe == saved.recipe
    assert entry.thumbnail.is_file()
    back = history.load(entry)
    np.testing.assert_array_equal(back.unwrapped.uv, saved.unwrapped.uv)
    np.testing.assert_array_equal(back.unwrapped.mesh.hair.faces, saved.unwrapped.mesh.hair.faces)
    assert back.images["albedo"].is_file() and back.hair_colour == saved.hair_colour


def test_the_newest_comes_first_and_the_oldest_goes(history, make, monkeypatch):
    saved = make()
    folders = [history.save(saved) for _ in range(3)]  # within a second, so that names must be told apart
    assert [entry.folder for entry in history.entries()] == folders[::-1]
    monkeypatch.setattr("cliphead_addon.blender.preferences.history_size", lambda: 2)
    newest = history.save(saved)
    assert [entry.folder for entry in history.entries()] == [newest, folders[2]]
    assert not folders[0].exists()


def test_a_removed_head_is_gone(history, make):
    history.save(make())
    (entry,) = history.entries()
    history.remove(entry)
    history.remove(entry)
    assert history.entries() == [] and not entry.folder.exists()


def test_what_is_damaged_is_passed_over(history, make):
    history.save(make(seed=1))
    broken, torn = history.save(make(seed=2)), history.save(make(seed=3))
    (broken / "recipe.json").write_text("[" * 100_000)
    (torn / "faces.npy").write_bytes(b"")
    (history.folder() / "notes").mkdir()
    (history.folder() / "mine.txt").write_text("x")
    assert [entry.recipe["prompt"]["seed"] for entry in history.entries()] == [3, 1]
    with pytest.raises(JobFilesError):
        history.load(history.entries()[0])


def test_what_a_blender_left_in_the_middle_is_cleared_away(history, make):
    old, new = history.folder() / ".draft-1", history.folder() / ".draft-2"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    history.save(make())
    assert not old.exists() and new.exists() and len(history.entries()) == 1


def test_a_folder_that_cannot_be_written_is_a_message(history, make, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="another data folder"):
        history.save(make())
    (tmp_path / "data").unlink()
    assert history.entries() == []
