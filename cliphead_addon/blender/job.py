"""The client of the worker process: starts it at the first job, follows the job, cancels it, notices when it dies.

Nothing here imports bpy. `update` never blocks, for the interface's timer; `wait` blocks, for scripts and the command line.
"""

import itertools
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine import protocol
from ..engine.errors import Cancelled, ClipHeadError

WORKER = Path(__file__).resolve().parents[1] / "engine" / "worker.py"
PYTHON_NEEDED = (3, 11)
TERMINATE_AFTER, KILL_AFTER = 3.0, 5.0  # seconds a cancelled job may take to stop by itself
LOG_MARK = "---"  # begins the log's headings: a worker was started, a job was begun
LOG_LIMIT = 1 << 20  # bytes; a longer log starts anew
ENDED = {"type": "ended"}  # the reader thread's last word


class WorkerError(ClipHeadError):
    """The worker process cannot be started or has died."""

    code = "WORKER"


@dataclass
class Job:
    """One head in the making. state: "running", "done", "failed" or "cancelled"."""

    id: int
    folder: Path  # where the result goes (`jobfiles`)
    started: float  # time.monotonic()
    state: str = "running"
    stage: str = "Starting"
    fraction: float = 0.0  # of the stage
    error: ClipHeadError | None = None
    cancel_asked: float | None = None  # time.monotonic()

    @property
    def seconds(self):
        return time.monotonic() - self.started


class Client:
    """One worker process, started when needed.

    python: the interpreter that runs it. log: file that receives its stderr. arguments: more words for its command line.
    """

    def __init__(self, python, log, arguments=()):
        self.python, self.log, self.arguments = str(python), Path(log), tuple(arguments)
        self.process = None
        self.inbox = queue.SimpleQueue()
        self.numbers = itertools.count(1)
        self.job = None

    def submit(self, prompt, settings, pack, folder):
        """Start making a head: Prompt, Settings, pack folder and result folder -> Job, which `update` keeps current."""
        return self._begin("generate", pack, folder, prompt=asdict(prompt), settings=asdict(settings))

    def submit_unwrap(self, pack, folder, up=None, front=None):
        """Start unwrapping the mesh in a folder (`jobfiles.save_mesh`); up, front: (3,) where these are known -> Job."""
        return self._begin("unwrap", pack, folder, up=up, front=front)

    def submit_reshape(self, prompt, settings, pack, folder, before=None):
        """Start shaping a head anew from its recipe's prompt and settings, tables both -> Job.

        before: the sliders that the points in the folder (`jobfiles.save_arrays`) were made with, for a quick preview of where
        these go; None for the head's surface as it would be generated.
        """
        return self._begin("reshape", pack, folder, prompt=prompt, settings=settings, before=before)

    def _begin(self, kind, pack, folder, **fields):
        if self.job is not None and self.job.state == "running":
            raise WorkerError("A head is being made already. Wait for it or cancel it.", "BUSY")
        self.job = Job(next(self.numbers), Path(folder), time.monotonic())
        if self.process is None or self.process.poll() is not None:
            self._start()
        self._send({"type": kind, "id": self.job.id, "pack": str(pack), "folder": str(folder), **fields})
        return self.job

    def update(self, timeout=0.0):
        """Take in what the worker has said; waits up to `timeout` seconds for a first message."""
        try:
            self._receive(self.inbox.get(timeout=timeout) if timeout else self.inbox.get_nowait())
            while True:
                self._receive(self.inbox.get_nowait())
        except queue.Empty:
            pass
        job = self.job
        if job is not None and job.state == "running" and job.cancel_asked is not None and self.process is not None:
            late = time.monotonic() - job.cancel_asked
            if late > KILL_AFTER:
                self.process.kill()
            elif late > TERMINATE_AFTER:
                self.process.terminate()

    def wait(self, progress=None):
        """Block until the current job has ended -> its folder; raises its error. progress: called as (stage, fraction)."""
        job, told = self.job, None
        try:
            while job.state == "running":
                self.update(timeout=0.1)
                if progress is not None and (job.stage, job.fraction) != told:
                    told = job.stage, job.fraction
                    progress(*told)
        except BaseException:  # Ctrl-C, or the callback wants to stop: nothing may go on computing behind our back
            self.close()
            raise
        if job.error is not None:
            raise job.error
        return job.folder

    def cancel(self):
        """Ask the current job to stop; `update` uses force when it does not."""
        if self.job is not None and self.job.state == "running" and self.job.cancel_asked is None:
            self.job.cancel_asked = time.monotonic()
            self._send({"type": "cancel", "id": self.job.id})

    def close(self):
        """End the worker; the memory it holds is free afterwards. The next job starts another."""
        if self.process is None:
            return
        process, self.process = self.process, None
        self._close_pipe(process)  # the end of its stdin is its order to leave
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._finish("cancelled", Cancelled())

    def _start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        mode = "ab" if self.log.exists() and self.log.stat().st_size < LOG_LIMIT else "wb"
        self.inbox = inbox = queue.SimpleQueue()  # what a dead worker still said is not for the new one
        try:
            with open(self.log, mode) as log:
                log.write(f"{LOG_MARK} worker started {time.ctime()}\n".encode())
                log.flush()
                self.process = subprocess.Popen(
                    [self.python, "-I", "-u", "-X", "utf8", str(WORKER), *self.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=worker_environment(os.environ),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            self.job.state = "failed"
            raise WorkerError(
                f"CLIP-Head could not start the Python at {self.python}: {error.strerror}. Choose another one in "
                "Edit > Preferences > Add-ons > CLIP-Head > External Python."
            ) from error
        threading.Thread(target=_read, args=(self.process.stdout, inbox), daemon=True).start()

    def _send(self, message):
        try:
            protocol.write(self.process.stdin, message)
        except protocol.ProtocolError:
            self.job.state = "failed"
            raise
        except OSError:
            pass  # it has died: the reader thread notices the same and `update` tells the story

    def _receive(self, message):
        job, kind = self.job, message["type"]
        if kind == "hello":
            self._check_hello(message)
        elif kind == "ended":
            self._worker_ended(message)
        elif job is None or job.state != "running" or message.get("id") not in (job.id, None):
            return  # an answer to a job given up earlier
        elif kind == "progress":
            job.stage, job.fraction = str(message["stage"]), min(max(float(message["fraction"]), 0.0), 1.0)
        elif kind == "result":
            self._finish("done")
        elif kind == "error":
            error = ClipHeadError(str(message["text"]), str(message["code"]))
            self._finish("cancelled" if error.code == Cancelled.code else "failed", error)

    def _check_hello(self, message):
        python = tuple(int(part) for part in message["python"].split(".")[:2])
        if message["protocol"] != protocol.VERSION:
            problem = f"its worker speaks protocol {message['protocol']}, not {protocol.VERSION}. Restart Blender."
        elif python < PYTHON_NEEDED:
            problem = (
                f"{self.python} is Python {message['python']}; 3.11 or newer is needed. Choose another in the preferences."
            )
        else:
            return
        self._finish("failed", WorkerError(f"CLIP-Head cannot work like this: {problem}"))
        self.close()

    def _worker_ended(self, message):
        """Its stdout has ended: it is dead or dying. Nothing of Blender is touched, and the next job starts a fresh one."""
        process, self.process = self.process, None
        if process is None:  # `close` has seen to it
            return
        self._close_pipe(process)
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self.job.cancel_asked is not None:
            self._finish("cancelled", Cancelled())
            return
        reason = message.get("problem") or how_it_ended(process.returncode, self.log)
        text = f"CLIP-Head's worker stopped unexpectedly: {reason}. The scene is as it was; try again. The log is {self.log}"
        self._finish("failed", WorkerError(text))

    def _finish(self, state, error=None):
        if self.job is not None and self.job.state == "running":
            self.job.state, self.job.error = state, error

    @staticmethod
    def _close_pipe(process):
        try:
            process.stdin.close()
        except OSError:
            pass  # unsent bytes for a process that is gone


def worker_environment(environment):
    """The parent's environment, without what would redirect the worker's Python or send it online."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PYTHON") and name != "LD_PRELOAD"}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**kept, **offline, "PYTORCH_ENABLE_MPS_FALLBACK": "1"}


def how_it_ended(status, log):
    """Exit status and log file -> a few words for the user."""
    if status == -signal.SIGTERM or status == -getattr(signal, "SIGKILL", 9):
        return "it was killed, perhaps because memory ran out (a lower resolution or texture size needs less)"
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    said = f", last words: {lines[-1][:200]}" if lines and not lines[-1].startswith(LOG_MARK) else ""
    return f"exit status {status}{said}"


def _read(stream, inbox):
    """The reader thread: messages from the worker into the inbox, until the stream ends or breaks the rules."""
    with stream:
        try:
            while (message := protocol.read(stream)) is not None:
                inbox.put(message)
            inbox.put(ENDED)
        except protocol.ProtocolError as error:
            inbox.put({**ENDED, "problem": str(error)})
