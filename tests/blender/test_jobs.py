"""Heads one after the other, and whatever may happen to the worker that makes them."""

import os
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import bpy
import pytest
from waiting import let_time_pass, press_generate

from cliphead_addon.blender import api, pictures
from cliphead_addon.engine.errors import ClipHeadError

PNG = b"\x89PNG"


def names():
    return sorted(obj.name for obj in bpy.data.objects)


def script(folder, name, text):
    """An executable file -> its path."""
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_second_press_queues_another_head(session):
    jobs = [press_generate(session, prompt) for prompt in ("brief one", "brief two", "brief three")]
    assert [job.state for job in jobs] == ["running", "queued", "queued"]
    let_time_pass(session)
    assert [job.state for job in jobs] == ["done"] * 3
    assert names() == ["Brief one", "Brief three", "Brief two"] and not session.state.jobs


def test_every_queued_head_can_be_cancelled_singly(session):
    first, second, third = (press_generate(session, prompt) for prompt in ("brief one", "brief two", "brief three"))
    bpy.ops.cliphead.cancel(job=second.id)
    assert second.state == "cancelled"
    let_time_pass(session)
    assert (first.state, third.state) == ("done", "done") and names() == ["Brief one", "Brief three"]


def test_cancelling_the_running_head_begins_the_next(session):
    slow, brief = press_generate(session, "slow"), press_generate(session, "brief")
    let_time_pass(session, until=lambda: slow.stage == "Painting slowly")
    bpy.ops.cliphead.cancel()
    let_time_pass(session)
    assert (slow.state, brief.state) == ("cancelled", "done") and names() == ["Brief"]


def test_a_script_waits_for_the_heads_before_its_own(session):
    press_generate(session, "brief")
    assert api.generate("a man").name == "A man"
    let_time_pass(session)
    assert names() == ["A man", "Brief"]


def test_a_bad_head_does_not_stop_the_next(session):
    press_generate(session, "wrong")
    press_generate(session, "brief")
    let_time_pass(session)
    assert names() == ["Brief"]


def test_opening_another_file_sends_the_head_to_the_history(session):
    from cliphead_addon.blender import history

    running, queued = press_generate(session, "brief one"), press_generate(session, "brief two")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    let_time_pass(session)
    assert (running.state, queued.state) == ("done", "done")
    assert not bpy.data.objects and "is in the history" in session.state.message
    assert [entry.recipe["prompt"]["text"] for entry in history.entries()[:2]] == ["brief two", "brief one"]
    assert not running.folder.exists()


def test_a_placed_head_is_in_the_history_and_its_job_folder_is_gone(session):
    from cliphead_addon.blender import history

    job = press_generate(session, "a man")
    let_time_pass(session)
    assert history.entries()[0].recipe["prompt"]["text"] == "a man" and not job.folder.exists()


def test_a_head_is_placed_even_if_the_history_cannot_be_written(session, monkeypatch, tmp_path):
    from cliphead_addon.blender import preferences

    (tmp_path / "history").write_text("a file where the folder should be")
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    press_generate(session, "a man")
    let_time_pass(session)
    assert names() == ["A man"] and "cannot be written to" in session.state.warnings[0]


def test_the_preview_is_a_small_picture_in_the_job_folder(session):
    job = press_generate(session, "painted slow")
    let_time_pass(session, until=lambda: job.stage == "Painting slowly")
    assert job.preview is None  # nothing is shown before it is there
    session.cancel()
    let_time_pass(session)
    job = press_generate(session, "painted")
    let_time_pass(session, until=lambda: job.preview is not None)
    assert job.preview.parent == job.folder and job.preview.read_bytes().startswith(PNG)
    assert job.preview.stat().st_size < 50_000
    assert pictures.icon(job.preview) is not None and not bpy.data.images
    let_time_pass(session)
    assert job.preview.name == "preview_2.png"


def test_progress_tells_the_whole_and_the_time_that_is_left(session):
    job = press_generate(session, "a man")
    seen = []
    let_time_pass(session, until=lambda: seen.append((job.whole, job.seconds_left)) or False)
    told = [pair for pair in seen if None not in pair]
    assert told and all(0 <= whole <= 1 and left >= 0 for whole, left in told)
    assert [whole for whole, _ in told] == sorted(whole for whole, _ in told)


@pytest.mark.parametrize("prompt, stage", [("stuck", "Stuck"), ("stuck", "Starting"), ("slow", "Painting slowly")])
def test_cancelled_within_three_seconds_at_any_stage(session, prompt, stage):
    job = press_generate(session, prompt)
    let_time_pass(session, until=lambda: stage in (job.stage, "Starting"))
    begin = time.monotonic()
    bpy.ops.cliphead.cancel()
    let_time_pass(session, limit=10)
    assert job.state == "cancelled" and time.monotonic() - begin < 3.5  # half a second for a busy computer
    assert not bpy.data.objects


def test_an_engine_that_never_starts_can_be_cancelled(session, tmp_path):
    engine = tmp_path / "engine.py"
    engine.write_text("import time; time.sleep(600)")
    session.state.worker_arguments = ("--engine-module", str(engine))
    job = press_generate(session, "a man")
    let_time_pass(session, until=lambda: job.stage == "Starting the engine")
    bpy.ops.cliphead.cancel()
    let_time_pass(session, limit=10)
    assert job.state == "cancelled"


@pytest.mark.parametrize("prompt", ["crash", "killed"])
def test_two_crashes_in_a_row_empty_the_queue(session, prompt):
    jobs = [press_generate(session, f"{prompt} {number}") for number in range(4)]
    let_time_pass(session)
    assert {job.state for job in jobs} == {"failed"} and session.client_starts == 2
    assert api.generate("a man").name == "A man"


@pytest.fixture
def session(session, monkeypatch):
    """Counts the worker processes that were started."""
    from cliphead_addon.blender.job import Client

    start, session.client_starts = Client._start, 0

    def counted(self):
        session.client_starts += 1
        start(self)

    monkeypatch.setattr(Client, "_start", counted)
    return session


def test_a_worker_without_work_is_stopped_after_the_chosen_time(session, monkeypatch):
    from cliphead_addon.blender import job, preferences

    monkeypatch.setattr(job, "HEARTBEAT", 0.05)
    monkeypatch.setattr(preferences, "idle_seconds", lambda: 0.3)
    api.generate("brief")
    process = session.state.client.process
    assert process.poll() is None
    assert process.wait(timeout=10) == 0
    assert api.generate("a man").name == "A man" and session.client_starts == 2


def test_the_heartbeat_goes_both_ways(session, monkeypatch):
    from cliphead_addon.blender import job

    monkeypatch.setattr(job, "HEARTBEAT", 0.05)
    monkeypatch.setattr(job, "QUIET", 0.5)
    stuck = press_generate(session, "stuck")
    let_time_pass(session, until=lambda: stuck.stage == "Stuck")
    client, heard = session.state.client, session.state.client.heard
    time.sleep(0.7)
    assert client.heard > heard and not client.quiet  # it computes without a word about its job, and is alive all the same
    os.kill(client.process.pid, signal.SIGSTOP)
    time.sleep(1.0)
    assert client.quiet > 0.5
    os.kill(client.process.pid, signal.SIGCONT)


@pytest.mark.promise
@pytest.mark.parametrize(
    "prompt, said",
    [
        ("crash", "exit status 7"),
        ("killed", "memory ran out"),
        ("huge", "not enough memory"),
        ("diskfull", "the disk is full. Free some space"),
        ("numpyfull", "the disk is full. Free some space"),
        ("protected", "it is read-only. Allow writing there"),
        ("torchless", "no package 'a_package_nobody_has'"),
    ],
)
def test_every_mishap_is_one_message_and_the_old_head_stays(session, prompt, said):
    old = api.generate("an old man")
    shape = [tuple(vertex.co) for vertex in old.data.vertices[:5]]
    job = press_generate(session, prompt)
    let_time_pass(session)
    assert job.state == "failed" and session.state.failed and said in session.state.message
    assert names() == ["An old man"] and [tuple(vertex.co) for vertex in old.data.vertices[:5]] == shape


def test_a_missing_pack_and_a_damaged_one_are_messages(session, monkeypatch, tmp_path):
    from cliphead_addon.blender import preferences

    session.state.worker_arguments = ()  # the real engine, as far as its packs
    (tmp_path / "pack.toml").write_text("seal = 1")
    for folder, said in ((tmp_path, "damaged"), (tmp_path / "nowhere", "No model pack")):
        monkeypatch.setattr(preferences, "pack_folder", lambda folder=folder: folder)
        with pytest.raises(ClipHeadError, match=said) as caught:
            session.unwrap(session.new_folder())
        assert caught.value.code == "BAD_PACK"


@pytest.mark.parametrize(
    "text, said",
    [
        ('#!/bin/sh\ncase "$*" in *version_info*) echo Python 3.9.1;; *) exit 1;; esac\n', "is Python 3.9.1; 3.11 or newer"),
        ("#!/bin/sh\necho hello\n", "is not a Python"),
        ("#!/bin/sh\nexit 3\n", "is not a Python"),
    ],
)
def test_a_wrong_python_is_one_message(session, monkeypatch, tmp_path, text, said):
    monkeypatch.setenv("CLIPHEAD_PYTHON", script(tmp_path, "python", text))
    jobs = [press_generate(session, "a man"), press_generate(session, "a woman")]
    let_time_pass(session)
    assert {job.state for job in jobs} == {"failed"} and session.client_starts == 1
    assert said in session.state.message and not bpy.data.objects


def test_a_log_that_cannot_be_written_stops_no_head(session, monkeypatch, tmp_path):
    from cliphead_addon.blender import preferences

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(preferences, "log_file", lambda: tmp_path / "file" / "worker.log")
    assert api.generate("a man").name == "A man"


def test_a_temporary_folder_that_cannot_be_written_is_a_message(session, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(ClipHeadError, match="Temporary Files") as caught:
        api.generate("a man")
    assert caught.value.code == "STORAGE"


@pytest.mark.promise
def test_the_report_has_versions_recipe_and_log_and_no_name(session):
    from cliphead_addon.blender.report import report

    with pytest.raises(ClipHeadError):
        api.generate("bug", seed=77)
    text = report()
    assert bpy.app.version_string in text and "protocol 2" in text and f"Python {sys.version_info[0]}." in text
    assert '"seed": 77' in text and "KeyError: 'nose'" in text
    assert str(Path.home()) not in text
    assert bpy.ops.cliphead.copy_report() == {"FINISHED"}


def test_a_worker_of_another_version_is_refused(session, monkeypatch, tmp_path):
    text = GARBAGE.format(python=sys.executable, garbage="").replace('"protocol": 2', '"protocol": 1')
    monkeypatch.setenv("CLIPHEAD_PYTHON", script(tmp_path, "python", text))
    press_generate(session, "a man")
    let_time_pass(session)
    assert "speaks protocol 1, not 2. Restart Blender" in session.state.message


GARBAGE = """#!{python}
import json, sys, time
def send(message):
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body)
    sys.stdout.flush()
send({{"type": "hello", "protocol": 2, "python": "3.11.0", "pid": 1}})
sys.stdin.buffer.read(4)
{garbage}
time.sleep(60)
"""


@pytest.mark.promise
@pytest.mark.parametrize(
    "garbage",
    [
        'send({"type": "progress", "id": 1})',
        'send({"type": "progress", "id": 1, "stage": "x", "fraction": "much"})',
        'send({"type": "error", "id": 1})',
        'send({"type": "preview", "id": 1})',
        'sys.stdout.buffer.write(b"HTTP/1.1 200 OK\\r\\n"); sys.stdout.flush()',
        'sys.stdout.buffer.write(b"\\x7f\\xff\\xff\\xff"); sys.stdout.flush()',
    ],
)
def test_nonsense_from_the_worker_ends_the_worker_and_not_blender(session, monkeypatch, tmp_path, garbage):
    monkeypatch.setenv("CLIPHEAD_PYTHON", script(tmp_path, "python", GARBAGE.format(python=sys.executable, garbage=garbage)))
    job = press_generate(session, "a man")
    let_time_pass(session)
    assert job.state == "failed" and "stopped unexpectedly" in session.state.message
    assert session.state.client.process is None and not bpy.data.objects


@pytest.mark.promise
def test_the_worker_is_told_to_stay_offline_whatever_blender_was_told():
    from cliphead_addon.blender.job import worker_environment

    given = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "PYTHONPATH": "/evil", "LD_PRELOAD": "evil.so", "HOME": "/h"}
    found = worker_environment(given)
    assert found["HF_HUB_OFFLINE"] == found["TRANSFORMERS_OFFLINE"] == "1" and found["HOME"] == "/h"
    assert not {"PYTHONPATH", "LD_PRELOAD"} & set(found)


@pytest.mark.promise
@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", '{"prompt": 3}', '{"settings": []}', '{"pack": "x"}', "{"])
def test_a_recipe_in_a_file_from_anybody_is_read_with_care(session, text):
    from cliphead_addon.blender.head_object import RECIPE, read_recipe

    obj = bpy.data.objects.new("Head", None)
    obj[RECIPE] = text
    assert read_recipe(obj) is None
