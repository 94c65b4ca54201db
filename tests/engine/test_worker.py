"""The protocol's frames, and the worker as Blender sees it: a process on two pipes."""

import io
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import cliphead_addon
from cliphead_addon.engine import logfile, protocol
from cliphead_addon.engine.jobfiles import load_head, load_painting, save_arrays
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

PACKAGE = Path(cliphead_addon.__file__).parent
FAKE_ENGINE = Path(__file__).parents[1] / "fake_engine.py"


def frame(body, size=None):
    return (len(body) if size is None else size).to_bytes(4, "big") + body


def test_messages_arrive_as_they_were_sent():
    sent = [{"type": "generate", "id": 1, "prompt": "\N{GRINNING FACE}\x00\u202e"}, {"type": "ping"}]
    stream = io.BytesIO()
    for message in sent:
        protocol.write(stream, message)
    stream.seek(0)
    assert [protocol.read(stream), protocol.read(stream), protocol.read(stream)] == [*sent, None]


@pytest.mark.parametrize(
    "data, said",
    [
        (b"\x00\x00", "inside a message's length"),
        (frame(b"{}", size=0), "claims 0 bytes"),
        (frame(b"", size=2**31), "claims 2,147,483,648 bytes"),
        (frame(b'{"type":"ping"}', size=100), "after 15 of a message's 100 bytes"),
        (frame(b"\xff\xfe"), "not JSON"),
        (frame(b"[" * 100_000), "not JSON"),
        (frame(b"[1]"), 'with a "type"'),
        (frame(b'{"type":3}'), 'with a "type"'),
        (frame(b'{"type":"progress","fraction":NaN}'), "NaN is not a number"),
    ],
)
def test_bad_frames_are_refused(data, said):
    with pytest.raises(protocol.ProtocolError, match=said):
        protocol.read(io.BytesIO(data))


def test_a_message_too_long_is_not_sent():
    stream = io.BytesIO()
    with pytest.raises(protocol.ProtocolError, match="Shorten the prompt"):
        protocol.write(stream, {"type": "generate", "text": "x" * protocol.LIMIT})
    assert not stream.getvalue()


class Talk:
    """A worker process and the parent's side of its pipes."""

    def __init__(self, script, log):
        command = [sys.executable, "-I", "-u", str(script), "--engine-module", str(FAKE_ENGINE)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "wb"))
        self.hello = self.read()

    def send(self, kind, **fields):
        protocol.write(self.process.stdin, {"type": kind, **fields})

    def read(self):
        return protocol.read(self.process.stdout)

    def ask(self, prompt, folder, job=1, kind="generate"):
        settings = asdict(Settings(texture_size=256))
        self.send(kind, id=job, prompt=asdict(Prompt(prompt)), settings=settings, pack="starter", folder=str(folder))

    def until(self, kind, **fields):
        """The next message of a kind, with these fields; what comes before it is passed over."""
        while (message := self.read()) is not None:
            if message["type"] == kind and fields.items() <= message.items():
                return message
        raise AssertionError("The worker ended.")


@pytest.fixture
def worker(tmp_path):
    talk = Talk(PACKAGE / "engine" / "worker.py", tmp_path / "log.txt")
    yield talk
    talk.process.kill()
    talk.process.wait()
    talk.process.stdout.close()


def test_the_worker_says_hello_at_once(worker):
    assert worker.hello["type"] == "hello" and worker.hello["protocol"] == protocol.VERSION
    assert worker.hello["pid"] == worker.process.pid


def test_it_works_in_a_folder_of_any_name(tmp_path):
    ignored = shutil.ignore_patterns("packs", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "user default" / "cliphead-2", ignore=ignored)
    talk = Talk(tmp_path / "user default" / "cliphead-2" / "engine" / "worker.py", tmp_path / "log.txt")
    talk.ask("a man", tmp_path / "job")
    assert talk.until("result")["folder"] == str(tmp_path / "job")
    assert load_head(tmp_path / "job").recipe["prompt"]["text"] == "a man"
    talk.send("shutdown")
    assert talk.process.wait(timeout=5) == 0


def test_stages_come_before_the_result(worker, tmp_path):
    worker.ask("a man", tmp_path / "job")
    stages = []
    while (message := worker.read())["type"] == "progress":
        stages.append(message["stage"])
    assert message == {"type": "result", "id": 1, "folder": str(tmp_path / "job")}
    stages = list(dict.fromkeys(stages))  # a stage may report more than once
    assert stages[:2] == ["Starting the engine", "Loading the models"] and stages[-1] == "Writing the files"


@pytest.fixture
def bare(tmp_path):
    """A job's folder with a mesh that waits for a texture: one triangle, unwrapped."""
    folder = tmp_path / "bare"
    folder.mkdir()
    faces = np.int32([[0, 1, 2]])
    uv = np.float32([[[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]]])
    save_arrays({"vertices": np.eye(3, dtype=np.float32), "faces": faces, "uv": uv, "seam": np.zeros((0, 2), np.int32)}, folder)
    return folder


def test_a_mesh_gets_its_texture(worker, bare):
    worker.ask("a blond man", bare, kind="paint")
    assert worker.until("result", id=1)["folder"] == str(bare)
    assert load_painting(bare).size == 256


def test_a_mesh_that_cannot_be_painted_is_refused(worker, bare, tmp_path):
    (bare / "uv.npy").unlink()
    worker.ask("a man", bare, job=1, kind="paint")
    assert "uv" in worker.until("error", id=1)["text"]
    worker.ask("a man", tmp_path / "job", job=2)  # and the worker goes on
    worker.until("result", id=2)


def test_output_of_libraries_goes_to_the_log(worker, tmp_path):
    worker.ask("noisy", tmp_path / "job")
    assert worker.until("result")["id"] == 1
    assert "a library's chatter" in (tmp_path / "log.txt").read_text(errors="replace")


def test_it_answers_a_ping_while_it_computes(worker, tmp_path):
    worker.ask("slow", tmp_path / "job")
    worker.until("progress", stage="Painting slowly")
    begin = time.monotonic()
    worker.send("ping")
    worker.until("pong")
    assert time.monotonic() - begin < 1.0


def test_a_cancelled_job_ends_and_the_next_one_runs(worker, tmp_path):
    worker.ask("slow", tmp_path / "slow", job=1)
    worker.until("progress", stage="Painting slowly")
    worker.send("cancel", id=1)
    assert worker.until("error", id=1)["code"] == "CANCELLED"
    assert not (tmp_path / "slow").exists()
    worker.ask("a man", tmp_path / "job", job=2)
    worker.until("result", id=2)


@pytest.mark.parametrize(
    "prompt, code",
    [("wrong", "BAD_PROMPT"), ("bug", "INTERNAL"), ("torchless", "NO_ENGINE"), ("huge", "OOM"), ("torchfull", "OOM")],
)
def test_errors_are_answers(worker, tmp_path, prompt, code):
    worker.ask(prompt, tmp_path / "job")
    assert worker.until("error")["code"] == code
    worker.send("ping")
    worker.until("pong")


def test_settings_out_of_range_are_refused(worker, tmp_path):
    worker.send("generate", id=1, prompt={"text": "a man"}, settings={"resolution": 10**9}, pack="", folder=str(tmp_path))
    assert worker.until("error")["code"] == "BAD_SETTING"


@pytest.mark.promise
def test_nonsense_on_the_pipe_ends_the_worker(worker):
    worker.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
    worker.process.stdin.flush()
    assert worker.until("error")["code"] == "PROTOCOL"
    assert worker.process.wait(timeout=5) == 2


def test_the_worker_does_not_outlive_its_parent(worker, tmp_path):
    worker.ask("stuck", tmp_path / "job")
    worker.until("progress", stage="Stuck")
    worker.process.stdin.close()
    begin = time.monotonic()
    worker.process.wait(timeout=5)
    assert time.monotonic() - begin < 1.0


@pytest.mark.promise
def test_the_worker_dies_with_a_killed_parent_even_if_its_pipe_stays_open(tmp_path):
    """The parent of the worker is killed while somebody else, the test, holds the pipe to its stdin."""
    script = (
        "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], stdin=0, stdout=subprocess.PIPE);"
        "p.stdout.read(4); print(p.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, sys.executable, "-I", str(PACKAGE / "engine" / "worker.py")]
    source, held = os.pipe()
    parent = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(source)
    parent.stdout.readline()
    parent.kill()
    begin = time.monotonic()
    parent.communicate(timeout=5)  # stderr, which the worker shares, ends with its last holder
    os.close(held)
    assert time.monotonic() - begin < 1.5  # half a second for a busy computer


@pytest.mark.promise
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_the_worker_opens_no_port(worker, tmp_path):
    worker.ask("slow", tmp_path / "job")
    worker.until("progress", stage="Painting slowly")
    links = [os.readlink(path) for path in Path(f"/proc/{worker.process.pid}/fd").iterdir()]
    assert links and not [link for link in links if link.startswith("socket:")]


def test_a_log_on_a_full_disk_stops_nothing(tmp_path):
    talk = Talk(PACKAGE / "engine" / "worker.py", "/dev/full")
    talk.ask("bug", tmp_path / "job", job=1)
    assert talk.until("error")["code"] == "INTERNAL"  # and its traceback goes nowhere
    talk.ask("a man", tmp_path / "job", job=2)
    assert talk.until("result")["id"] == 2
    talk.send("shutdown")
    assert talk.process.wait(timeout=5) == 0


def test_the_log_is_bounded_and_its_end_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(logfile, "LIMIT", 1000)
    path = tmp_path / "worker.log"
    with open(path, "ab", buffering=0) as log:  # stays open, as the worker's does
        for number in range(100):
            log.write(f"line {number:04} and more\n".encode())
            logfile.rotate(path)
            assert path.stat().st_size <= 1000
    text = logfile.tail(path, 1500)
    assert text.endswith("line 0099 and more\n") and "line 0050" in text and len(text) <= 1500
    assert logfile.tail(tmp_path / "absent", 10) == ""


def test_a_number_that_is_not_finite_is_not_sent():
    with pytest.raises(protocol.ProtocolError, match="finite"):
        protocol.write(io.BytesIO(), {"type": "generate", "variation": float("nan")})


@pytest.mark.promise
def test_the_worker_dies_with_a_killed_parent(tmp_path):
    script = (
        "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        "p.stdout.read(4); print('started', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, sys.executable, "-I", str(PACKAGE / "engine" / "worker.py")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parent.stdout.readline()
    parent.kill()
    parent.communicate(timeout=5)  # stderr, which the worker shares, ends with its last holder
