"""The Storage box, and the end of the data when the extension is removed."""

import threading

import bpy
import pytest

from cliphead_addon.blender import api, preferences, storage
from cliphead_addon.engine import runtime
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A shared folder with an engine of 3 bytes, a pack of 5 and a download of 7."""
    folder = tmp_path / "clip-head"
    for name, count in (("engine/cp311-1/torch.so", 3), ("packs/mine/pack.toml", 5), ("downloads/big.part", 7)):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(count))
    monkeypatch.setattr(preferences, "shared_folder", lambda: folder)
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path / "own")
    return folder


def measured():
    return storage.measure(storage.all_paths())


def test_each_kind_is_measured_and_deleted_by_itself(session, shared):
    assert {kind: measured()[kind] for kind in ("engine", "packs", "downloads")} == {
        "engine": 3,
        "packs": 5,
        "downloads": 7,
    }
    assert bpy.ops.cliphead.delete_data(kind="engine") == {"FINISHED"}
    assert sorted(path.name for path in shared.iterdir()) == ["downloads", "packs"] and measured()["engine"] == 0


def test_a_window_does_not_wait_for_deleting(shared, monkeypatch):
    may_go = threading.Event()
    delete = runtime.delete
    monkeypatch.setattr(runtime, "delete", lambda path: may_go.wait(5) and delete(path))
    deletion = storage.Deletion("engine")
    assert not (shared / "engine").exists()  # a head that is made now unpacks its own
    monkeypatch.setattr(storage, "_deletion", deletion)
    assert not bpy.ops.cliphead.delete_data.poll()
    may_go.set()
    deletion.join(5)
    assert deletion.freed == 3 and bpy.ops.cliphead.delete_data.poll()
    assert sorted(path.name for path in shared.iterdir()) == ["downloads", "packs"]


def test_what_a_deletion_left_behind_goes_with_the_next(shared):
    (shared / f"{storage.DOOMED}engine-1").mkdir()
    storage.Deletion("engine").join(5)
    assert sorted(path.name for path in shared.iterdir()) == ["downloads", "packs"]


def test_drawing_does_not_wait_for_measuring(shared, monkeypatch):
    monkeypatch.setattr(storage, "_measured", {})
    monkeypatch.setattr(storage, "_measured_at", -storage.MEASURED_FOR)
    may_measure = threading.Event()
    monkeypatch.setattr(storage, "size", lambda path: may_measure.wait(5) and 1)
    assert storage.sizes() == {}
    may_measure.set()
    storage._measuring.join(5)
    assert storage._show() is None and storage.sizes()["packs"] == 1
    bpy.app.timers.unregister(storage._show)


def test_the_files_of_heads_count_and_go_and_the_heads_stay(session, shared):
    head = api.generate("a man")
    (session.new_folder() / "vertices.npy").write_bytes(bytes(20_000))
    assert measured()["jobs"] >= 20_000 and storage.measure(storage.all_paths())["history"] > 0
    for kind in ("jobs", "history"):
        bpy.ops.cliphead.delete_data(kind=kind)
        assert measured()[kind] == 0
    assert head.name in bpy.data.objects and head.active_material is not None
    assert api.generate("a woman").name == "A woman"  # and work goes on


def test_removing_everything_leaves_nothing(session, shared):
    api.generate("a man")
    bpy.ops.cliphead.delete_data(kind="everything")
    assert not shared.exists() and sum(measured().values()) == 0


def test_nothing_is_deleted_under_a_running_job(session, shared):
    session.start(Prompt("slow"), Settings(), session.Place(bpy.context.scene.name, (0, 0, 0)))
    assert not bpy.ops.cliphead.delete_data.poll()
    session.close()
    assert bpy.ops.cliphead.delete_data.poll()


def test_a_chosen_data_folder_gets_one_of_our_own_within(session, tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "_chosen", lambda name, default="": str(tmp_path) if name == "data" else default)
    assert preferences.shared_folder() == preferences.data_folder() == tmp_path / "clip-head"


def farewell(shared, tmp_path, **changes):
    extension, own, history = tmp_path / "extension", tmp_path / "user", tmp_path / "history"
    for folder in (extension, own, history):
        folder.mkdir()
    runtime.sign_in(shared, extension, "cp311-1")
    return storage.Farewell(**{"extension": extension, "own": own, "shared": shared, "made": (history,), "keep": (), **changes})


@pytest.mark.promise
def test_the_data_goes_with_the_extension_and_not_with_an_update(shared, tmp_path):
    goodbye = farewell(shared, tmp_path)
    assert not goodbye.due()
    goodbye.extension.rmdir()  # an update does that too, and keeps the user folder
    assert not goodbye.due()
    goodbye.own.rmdir()
    assert goodbye.due()
    goodbye.clean()
    assert not shared.exists() and not goodbye.made[0].exists()


@pytest.mark.promise
def test_what_the_user_chose_to_keep_stays(shared, tmp_path):
    goodbye = farewell(shared, tmp_path, made=(), keep=("packs",))
    goodbye.extension.rmdir()
    goodbye.clean()
    assert [path.name for path in shared.iterdir()] == ["packs"] and (tmp_path / "history").is_dir()


def test_enabling_again_calls_the_cleaning_off(shared, tmp_path, monkeypatch):
    goodbye = farewell(shared, tmp_path)
    goodbye.extension.rmdir()
    goodbye.own.rmdir()
    monkeypatch.setattr(storage, "_farewell", None)  # what `register` does
    storage._watch(goodbye)
    assert shared.exists()
    monkeypatch.setattr(storage, "_farewell", goodbye)
    monkeypatch.setattr(storage, "WATCH_EVERY", 0.0)
    storage._watch(goodbye)
    assert not shared.exists()
