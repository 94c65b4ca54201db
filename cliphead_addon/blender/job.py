"""The client of the worker process: starts it at the first job, follows jobs one after the other, notices when it dies.

Nothing here imports bpy. `update` never blocks, for the interface's timer; `wait` blocks, for scripts and the command line.
"""

import itertools
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..engine import logfile, protocol
from ..engine.errors import Cancelled, ClipHeadError

WORKER = Path(__file__).resolve().parents[1] / "engine" / "worker.py"
PYTHON_NEEDED = (3, 11)
TERMINATE_AFTER, KILL_AFTER = 2.0, 2.7  # seconds a cancelled job may take to stop by itself
HEARTBEAT = 1.0  # seconds between two pings
UNANSWERED = 5  # pings without an answer: no more are sent, so that the pipe cannot fill up
QUIET = 5.0  # seconds without a word after which the panel says so
CRASHES = 2  # in a row; then what waits is given up too
LOG_MARK = "---"  # begins the log's headings: a worker was started, a job was begun
ENDED = {"type": "ended"}  # the reader thread's last word


class WorkerError(ClipHeadError):
    """The worker process cannot be started or has died."""

    code = "WORKER"


@dataclass(eq=False)
class Job:
    """One thing that the worker does. state: "queued", "running", "done", "failed" or "cancelled"."""

    id: int
    folder: Path  # where the result goes (`jobfiles`)
    request: dict  # the message that asks the worker for it
    state: str = "queued"
    started: float = field(default_factory=time.monotonic)  # in the queue first, then by the worker
    stage: str = "Waiting"
    fraction: float = 0.0  # of the stage
    whole: float | None = None  # fraction of the whole
    left: float | None = None  # seconds that were left at `told`
    told: float = 0.0  # time.monotonic() of the last progress
    preview: Path | None = None  # a small picture of the texture as it forms
    error: ClipHeadError | None = None
    cancel_asked: float | None = None  # time.monotonic()

    @property
    def seconds(self):
        return time.monotonic() - self.started

    @property
    def seconds_left(self):
        """An estimate, or None while there is none."""
        return None if self.left is None else max(self.left - (time.monotonic() - self.told), 0.0)

    @property
    def kind(self):
        return self.request["type"]

    @property
    def makes_head(self):
        return self.kind == "generate"

    @property
    def unfinished(self):
        return self.state in ("queued", "running")


class Client:
    """One worker process, started when needed, and the jobs it is given.

    python: the interpreter that runs it. log: file that receives its stderr. arguments: more words for its command line.
    idle: seconds without a job after which it is ended, or None.
    """

    def __init__(self, python, log, arguments=(), idle=None):
        self.python, self.log, self.arguments, self.idle = str(python), Path(log), tuple(arguments), idle
        self.process = None
        self.inbox = queue.SimpleQueue()
        self.numbers = itertools.count(1)
        self.job = None  # the last one that was given to the worker
        self.waiting = []  # jobs, the next one first
        self.lock = threading.RLock()  # of the process and its stdin, which the heartbeat uses too
        self.hello = None  # the worker's first message
        self.heard = 0.0  # time.monotonic() of its last
        self.rested = time.monotonic()  # since when there is nothing to do
        self.crashes = 0

    def submit(self, prompt, settings, pack, folder):
        """Begin or queue a head: Prompt, Settings, pack folder and result folder -> Job, which `update` keeps current."""
        return self._begin("generate", pack, folder, prompt=asdict(prompt), settings=asdict(settings))

    def submit_unwrap(self, pack, folder, up=None, front=None):
        """Unwrap the mesh in a folder (`jobfiles.save_mesh`); up, front: (3,) where these are known -> Job."""
        return self._begin("unwrap", pack, folder, up=up, front=front)

    def submit_adapt(self, pack, folder, architecture, weights):
        """Start learning a pack's mapping networks for another CLIP (engine/adapt.py); folder: of the new pack -> Job."""
        return self._begin("adapt", pack, folder, architecture=architecture, weights=str(weights))

    def submit_about(self, kind, recipe, pack, folder, **fields):
        """A job about a head made before, whose arrays are in the folder -> Job.

        kind and fields: "express" with names and words; "rig"; "paint", which is for other meshes too; "reshape" with before,
        the sliders that the arrays were made with, for a quick preview of where these go, or None for the head's surface as it
        would be generated, with that surface's rig if rig is true. recipe: the head's, for its "prompt" and "settings".
        """
        about = {name: recipe.get(name, {}) for name in ("prompt", "settings")}
        return self._begin(kind, pack, folder, **about, **fields)

    def _begin(self, kind, pack, folder, **fields):
        number = next(self.numbers)
        request = {"type": kind, "id": number, "pack": str(pack), "folder": str(folder), **fields}
        job = Job(number, Path(folder), request)
        self.waiting.append(job)
        if not self.busy:
            self._next()
            if job.state == "failed":
                raise job.error
        return job

    @property
    def busy(self):
        """Whether the worker has a job."""
        return self.job is not None and self.job.state == "running"

    @property
    def quiet(self):
        """Seconds since the worker's last word, 0 while that is not long."""
        silent = time.monotonic() - max(self.heard, self.job.started) if self.busy else 0.0
        return silent if silent > QUIET else 0.0

    def update(self, timeout=0.0):
        """Take in what the worker has said, waiting up to `timeout` seconds for a first message; begin the next job."""
        try:
            self._receive(self.inbox.get(timeout=timeout) if timeout else self.inbox.get_nowait())
            while True:
                self._receive(self.inbox.get_nowait())
        except queue.Empty:
            pass
        except (KeyError, TypeError, ValueError) as error:  # a message without what its kind needs
            self._worker_ended({**ENDED, "problem": f"it sent what is no message ({error!r})"})
        if self.busy and self.job.cancel_asked is not None and self.process is not None:
            late = time.monotonic() - self.job.cancel_asked
            if late > KILL_AFTER:
                self.process.kill()
            elif late > TERMINATE_AFTER:
                self.process.terminate()
        while self.waiting and not self.busy:
            self._next()

    def wait(self, progress=None, job=None):
        """Block until a job, the last one if None, has ended -> its folder; raises its error.

        progress: called as (stage, fraction).
        """
        job, told = job or (self.waiting[-1] if self.waiting else self.job), None
        try:
            while job.unfinished:
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

    def cancel(self, job=None):
        """Give up one job, the worker's if None: one that waits at once, else `update` uses force when asking is not enough."""
        job = job or self.job
        if job in self.waiting:
            self.waiting.remove(job)
            job.state, job.error = "cancelled", Cancelled()
        elif job is not None and job.state == "running" and job.cancel_asked is None:
            job.cancel_asked, job.stage = time.monotonic(), "Stopping"
            self._send({"type": "cancel", "id": job.id})

    def close(self):
        """End the worker and all jobs; the memory it holds is free afterwards. The next job starts another."""
        waiting, self.waiting = self.waiting, []
        for job in waiting:
            job.state, job.error = "cancelled", Cancelled()
        self._stop()
        self._finish("cancelled", Cancelled())

    def _stop(self):
        with self.lock:
            process, self.process = self.process, None
            if process is None:
                return None
            self._close_pipe(process)  # the end of its stdin is its order to leave
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process

    def _next(self):
        """Give the worker the job that has waited longest; one it cannot be given to has failed."""
        job = self.job = self.waiting.pop(0)
        job.state, job.stage, job.started = "running", "Starting", time.monotonic()
        try:
            with self.lock:
                if self.process is None or self.process.poll() is not None:
                    self._start()
                self._send(job.request)
        except WorkerError as error:
            self._give_up(error)
        except ClipHeadError as error:
            self._finish("failed", error)

    def _start(self):
        self.inbox = inbox = queue.SimpleQueue()  # what a dead worker still said is not for the new one
        self.hello, self.heard = None, time.monotonic()
        try:
            with self._open_log() as log:
                self.process = process = subprocess.Popen(
                    [self.python, "-I", "-u", "-X", "utf8", str(WORKER), "--log", str(self.log), *self.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=worker_environment(os.environ),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise WorkerError(
                f"CLIP-Head could not start the Python at {self.python}: {error.strerror}. Choose another one in "
                "Edit > Preferences > Add-ons > CLIP-Head > External Python."
            ) from error
        threading.Thread(target=self._read, args=(process.stdout, inbox), daemon=True).start()
        threading.Thread(target=self._beat, args=(process,), daemon=True).start()

    def _open_log(self):
        """The log, opened for a new worker; where it cannot be written, and that harms no head, nothing is."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            logfile.rotate(self.log)
            log = open(self.log, "ab", buffering=0)
            log.write(f"{LOG_MARK} worker started {time.ctime()}\n".encode())
        except OSError:
            log = open(os.devnull, "ab")
        return log

    def _beat(self, process):
        """The heartbeat thread of one worker: tells it every second that Blender lives, and ends it when it has rested long."""
        sent = 0
        while process.poll() is None and self.process is process:
            now = time.monotonic()
            if self.busy or self.waiting:
                self.rested = now
            elif self.idle is not None and now - self.rested > self.idle:
                with self.lock:
                    if not self.busy and self.process is process:
                        self._stop()
                        return
            sent = 0 if now - self.heard < 2 * HEARTBEAT else sent + 1
            if sent <= UNANSWERED:
                self._send({"type": "ping"}, process)
            time.sleep(HEARTBEAT)

    def _read(self, stream, inbox):
        """The reader thread: messages from the worker into the inbox, until the stream ends or breaks the rules."""
        with stream:
            try:
                while (message := protocol.read(stream)) is not None:
                    self.heard = time.monotonic()
                    if message["type"] != "pong":
                        inbox.put(message)
                inbox.put(ENDED)
            except protocol.ProtocolError as error:
                inbox.put({**ENDED, "problem": str(error)})

    def _send(self, message, process=None):
        with self.lock:
            process = process or self.process
            if process is None:
                return
            try:
                protocol.write(process.stdin, message)
            except (OSError, ValueError):
                pass  # it has died or was told to leave: the reader thread notices and `update` tells the story

    def _receive(self, message):
        job, kind = self.job, message["type"]
        if kind == "hello":
            self._check_hello(message)
        elif kind == "ended":
            self._worker_ended(message)
        elif job is None or job.state != "running" or message.get("id") not in (job.id, None):
            return  # an answer to a job given up earlier
        elif kind == "progress" and job.cancel_asked is None:
            job.stage, job.fraction = str(message["stage"]), min(max(float(message["fraction"]), 0.0), 1.0)
            job.whole, job.left, job.told = message.get("whole"), message.get("left"), time.monotonic()
        elif kind == "preview":
            job.preview = job.folder / Path(str(message["file"])).name
        elif kind == "result":
            self.crashes = 0
            self._finish("done")
        elif kind == "error":
            self.crashes = 0
            error = ClipHeadError(str(message["text"]), str(message["code"]))
            self._finish("cancelled" if error.code == Cancelled.code else "failed", error)

    def _check_hello(self, message):
        self.hello = message
        python = tuple(int(part) for part in message["python"].split(".")[:2])
        if message["protocol"] != protocol.VERSION:
            problem = f"its worker speaks protocol {message['protocol']}, not {protocol.VERSION}. Restart Blender."
        elif python < PYTHON_NEEDED:
            problem = too_old(self.python, message["python"])
        else:
            return
        self._give_up(WorkerError(f"CLIP-Head cannot work like this: {problem}"))
        self.close()

    def _worker_ended(self, message):
        """Its stdout has ended: it is dead or dying. Nothing of Blender is touched, and the next job starts a fresh one."""
        process = self._stop()
        if process is None or not self.busy:  # `close` has seen to it, or it had nothing to do
            return
        if self.job.cancel_asked is not None:
            self._finish("cancelled", Cancelled())
            return
        if self.hello is None and (problem := why_no_hello(self.python)):
            self._give_up(WorkerError(f"CLIP-Head cannot work like this: {problem}"))
            return
        reason = message.get("problem") or how_it_ended(process.returncode, self.log)
        text = f"CLIP-Head's worker stopped unexpectedly: {reason}. The scene is as it was; try again. The log is {self.log}"
        self.crashes += 1
        error = WorkerError(text)
        if self.crashes >= CRASHES:
            self._give_up(error)
            self.crashes = 0
        else:
            self._finish("failed", error)

    def _give_up(self, error):
        """End the job, and those that wait, with an error that all of them would end with."""
        for job in self.waiting:
            job.state, job.error = "failed", error
        self.waiting = []
        self._finish("failed", error)

    def _finish(self, state, error=None):
        if self.busy:
            self.job.state, self.job.error = state, error
            self.rested = time.monotonic()

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


def too_old(python, version):
    return f"{python} is Python {version}; 3.11 or newer is needed. Choose another in the preferences."


def why_no_hello(python):
    """A program that ended without a word of the protocol -> what is wrong with it, "" if it is a Python new enough."""
    ask = "import sys; print('Python', '.'.join(map(str, sys.version_info[:3])))"
    try:
        done = subprocess.run(
            [python, "-I", "-c", ask],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        name, version = done.stdout.split()
        numbers = tuple(int(part) for part in version.split("."))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        name, numbers = "", ()
    if name != "Python":
        return f"{python} is not a Python. Choose one in Edit > Preferences > Add-ons > CLIP-Head > External Python."
    return too_old(python, version) if numbers < PYTHON_NEEDED else ""


def how_it_ended(status, log):
    """Exit status and log file -> a few words for the user."""
    if status == -signal.SIGTERM or status == -getattr(signal, "SIGKILL", 9):
        return "it was killed, perhaps because memory ran out (a lower resolution or texture size needs less)"
    lines = [line.strip() for line in logfile.tail(log, 4096).splitlines() if line.strip()]
    said = f", last words: {lines[-1][:200]}" if lines and not lines[-1].startswith(LOG_MARK) else ""
    return f"exit status {status}{said}"
