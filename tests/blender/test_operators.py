"""The buttons, the timer behind them, and the functions for scripts."""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from waiting import let_time_pass, press_generate

from cliphead_addon.blender import api
from cliphead_addon.blender.head_object import read_recipe
from cliphead_addon.blender.operators import CLIPHEAD_OT_generate
from cliphead_addon.engine.errors import Cancelled, ClipHeadError


def test_the_operator_makes_a_head_at_the_cursor(session):
    bpy.context.scene.cursor.location = (1, 2, 3)
    assert bpy.ops.cliphead.generate(prompt="a bald man", seed=5, expression="smile", texture_size="256") == {"FINISHED"}
    head = bpy.context.object
    assert tuple(head.location) == (1, 2, 3)
    recipe = read_recipe(head)
    assert recipe["prompt"]["seed"] == 5 and recipe["prompt"]["expression"] == "smile"
    assert recipe["settings"]["texture_size"] == 256
    assert head.select_get()


def test_the_operator_takes_from_the_scene_what_it_is_not_given(session):
    settings = bpy.context.scene.cliphead
    settings.prompt, settings.seed, settings.resolution, settings.variation = "a woman", 11, 96, 0.7
    bpy.ops.cliphead.generate(seed=12)
    recipe = read_recipe(bpy.context.object)
    assert recipe["prompt"]["text"] == "a woman" and recipe["prompt"]["seed"] == 12
    assert recipe["settings"]["resolution"] == 96 and recipe["prompt"]["variation"] == 0.7


def test_a_random_head_needs_no_words(session):
    assert bpy.ops.cliphead.generate(random=True, seed=21) == {"FINISHED"}
    first = read_recipe(bpy.context.object)["prompt"]
    assert first["random"] and first["seed"] == 21 and first["text"] == ""
    assert not bpy.context.scene.cliphead.random  # the next head is one of words again


def test_every_press_of_the_random_button_draws_another_seed(session):
    settings = bpy.context.scene.cliphead
    unset = SimpleNamespace(is_property_set=lambda name: False)
    pressed = SimpleNamespace(random=True, ask=False, properties=unset, execute=lambda context: settings.seed)
    seeds = {CLIPHEAD_OT_generate.invoke(pressed, bpy.context, None) for _ in range(3)}
    assert len(seeds) == 3 and 0 not in seeds


def test_the_function_for_scripts_returns_the_object(session):
    told = []
    head = api.generate("a girl", seed=3, shape_keys=("smile",), location=(0, 0, 1), progress=lambda *step: told.append(step))
    assert head.name == "A girl" and tuple(head.location) == (0, 0, 1)
    assert head.data.shape_keys.key_blocks.keys() == ["Basis", "smile"]
    assert ("Painting", 0.5) in told


def test_the_worker_stays_warm_between_heads(session):
    api.generate("one")
    process = session.state.client.process
    api.generate("two")
    assert session.state.client.process is process and process.poll() is None


@pytest.mark.parametrize(
    "prompt, said",
    [
        ("", "Write a description first"),
        ("wrong", "These words make no head"),
        ("bug", "KeyError: 'nose'"),
        ("torchless", "no package 'a_package_nobody_has'"),
        ("huge", "not enough memory"),
        ("crash", "stopped unexpectedly: exit status 7"),
    ],
)
def test_errors_are_sentences_and_leave_the_scene_alone(session, prompt, said):
    with pytest.raises(RuntimeError, match=said):
        bpy.ops.cliphead.generate(prompt=prompt)
    assert not bpy.data.objects and not bpy.data.meshes and not bpy.data.images
    assert said in session.state.message and session.state.failed
    assert api.generate("a man").name == "A man"  # and the next one works


def test_errors_for_scripts_carry_a_code(session):
    with pytest.raises(ClipHeadError) as caught:
        api.generate("wrong")
    assert caught.value.code == "BAD_PROMPT"
    with pytest.raises(ClipHeadError) as caught:
        api.generate("a man", resolution=9000)
    assert caught.value.code == "BAD_SETTING"


def test_a_library_that_prints_disturbs_nothing(session):
    assert api.generate("a noisy man").name == "A noisy man"


def test_warnings_reach_the_panel(session):
    press_generate(session, "a flibber man")
    let_time_pass(session)
    assert "flibber" in session.state.warnings[0] and session.state.message.startswith("Done")


def test_the_button_returns_at_once_and_the_timer_places_the_head(session):
    bpy.context.scene.cursor.location = (0, 1, 0)
    begin = time.monotonic()
    press_generate(session, "a man")
    assert time.monotonic() - begin < 1.0
    bpy.context.scene.cursor.location = (5, 5, 5)  # where the cursor was when the button was pressed is what counts
    let_time_pass(session)
    (head,) = bpy.data.objects
    assert tuple(head.location) == (0, 1, 0)


def test_cancel_stops_the_job_and_keeps_the_worker(session):
    press_generate(session, "slow")
    let_time_pass(session, until=lambda: session.state.job.stage == "Painting slowly")
    begin, process = time.monotonic(), session.state.client.process
    bpy.ops.cliphead.cancel()
    let_time_pass(session)
    assert time.monotonic() - begin < 3.0
    assert session.state.message == "Cancelled" and not session.state.failed
    assert process.poll() is None and not bpy.data.objects
    assert not bpy.ops.cliphead.cancel.poll()


def test_cancel_uses_force_when_the_worker_does_not_listen(session, monkeypatch):
    from cliphead_addon.blender import job

    monkeypatch.setattr(job, "TERMINATE_AFTER", 0.2)
    press_generate(session, "stuck")
    let_time_pass(session, until=lambda: session.state.job.stage == "Stuck")
    bpy.ops.cliphead.cancel()
    let_time_pass(session, limit=10)
    assert session.state.message == "Cancelled"
    assert api.generate("a man").name == "A man"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_worker_is_a_message_and_nothing_else(session):
    mesh = bpy.data.meshes.new("Mine")
    press_generate(session, "slow")
    let_time_pass(session, until=lambda: session.state.job.stage == "Painting slowly")
    os.kill(session.state.client.process.pid, signal.SIGKILL)
    let_time_pass(session)
    assert session.state.failed and "killed, perhaps because memory ran out" in session.state.message
    assert not bpy.data.objects and list(bpy.data.meshes) == [mesh]
    assert bpy.ops.cliphead.generate.poll()
    assert api.generate("a man").name == "A man"


@pytest.fixture
def short_memory():
    """Takes a process's pid and allows it 100 MB more than it has: the kernel kills it beyond that."""
    if Path("/sys/fs/cgroup/memory").is_dir():
        group, limit = Path("/sys/fs/cgroup/memory/cliphead-test"), "memory.limit_in_bytes"
    else:
        group, limit = Path("/sys/fs/cgroup/cliphead-test"), "memory.max"
    try:
        group.mkdir(exist_ok=True)
        (group / limit).write_text(str(100_000_000))
    except OSError:
        pytest.skip("needs the right to make a memory control group")
    yield lambda pid: (group / "cgroup.procs").write_text(str(pid))
    group.rmdir()


def test_a_worker_without_memory_is_killed_by_the_system_and_said_to_be(session, short_memory):
    press_generate(session, "brief greedy")
    let_time_pass(session, until=lambda: session.state.job.stage == "Painting")
    short_memory(session.state.client.process.pid)
    let_time_pass(session)
    assert session.state.failed and "killed, perhaps because memory ran out" in session.state.message
    assert not bpy.data.objects and bpy.ops.cliphead.generate.poll()


def test_a_head_waits_for_object_mode(session):
    bpy.ops.object.add(type="MESH", enter_editmode=True)
    press_generate(session, "a man")
    let_time_pass(session, until=lambda: session.state.job.state == "done")
    for _ in range(3):
        assert session.tick() is not None and len(bpy.data.objects) == 1
    bpy.ops.object.mode_set(mode="OBJECT")
    let_time_pass(session)
    assert len(bpy.data.objects) == 2


def test_a_python_that_is_not_there_is_a_message(session, monkeypatch):
    monkeypatch.setenv("CLIPHEAD_PYTHON", "/no/such/python")
    with pytest.raises(RuntimeError, match="could not start the Python at /no/such/python"):
        bpy.ops.cliphead.generate(prompt="a man")
    monkeypatch.delenv("CLIPHEAD_PYTHON")
    assert api.generate("a man").name == "A man"


def test_a_callback_that_raises_stops_the_worker(session):
    def stop(stage, _fraction):
        if stage == "Painting slowly":
            raise Cancelled()

    with pytest.raises(Cancelled):
        api.generate("slow", progress=stop)
    assert session.state.client.process is None
    assert api.generate("a man").name == "A man"


def test_a_placed_head_is_one_undo_step(session):
    bpy.ops.ed.undo_push(message="before")
    press_generate(session, "a man")
    let_time_pass(session)
    assert [obj.name for obj in bpy.data.objects] == ["A man"]
    bpy.ops.ed.undo()
    assert not bpy.data.objects
    bpy.ops.ed.redo()
    assert np.prod(bpy.data.objects["A man"].dimensions) > 0
