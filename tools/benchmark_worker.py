"""The worker process by the clock: how soon it speaks, is ready, stops when asked, and is gone when its parent is.

$ python3 tools/dev.py bench worker [--deaths] [--resolution 192]

Prints seconds on a cold and a warm worker, the time it takes to obey a cancel at every stage, and the longest time a ping
waited for its answer in every stage, which bounds how late it notices anything. --deaths kills a parent at every stage, each
in a fresh start.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

from cliphead_addon.engine import protocol
from cliphead_addon.engine.estimate import SECONDS
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

WORKER = Path(__file__).resolve().parents[1] / "cliphead_addon" / "engine" / "worker.py"
STARTER = WORKER.parents[1] / "packs" / "starter"
PING_EVERY = 0.01  # seconds
WORDS = "a young woman with long wavy red hair, smiling"


class Talk:
    """A worker and the parent's side of its pipes."""

    def __init__(self, folder, command=()):
        self.folder, self.began, self.pings, self.waits = folder, time.monotonic(), [], {}
        self.stage, self.jobs, self.lock = "Starting", 0, threading.Lock()
        log = open(Path(folder) / "worker.log", "ab")
        arguments = [*command, sys.executable, "-I", "-u", str(WORKER)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def send(self, kind, **fields):
        with self.lock:
            protocol.write(self.process.stdin, {"type": kind, **fields})

    def ask(self, settings):
        self.jobs += 1
        prompt = asdict(Prompt(WORDS, seed=7))
        job = Path(self.folder) / f"job{self.jobs}"
        self.send("generate", id=self.jobs, prompt=prompt, settings=asdict(settings), pack=str(STARTER), folder=str(job))

    def messages(self):
        """Messages until the job's end, with the seconds since the worker's start; pongs are measured and left out."""
        while (message := protocol.read(self.process.stdout)) is not None:
            now = time.monotonic()
            if message["type"] == "pong":
                self.waits[self.stage] = max(self.waits.get(self.stage, 0.0), now - self.pings.pop(0))
                continue
            self.stage = message.get("stage", self.stage)
            yield now - self.began, message
            if message["type"] in ("result", "error"):
                return

    def keep_asking(self):
        """Ping for ever, from a thread of its own."""
        try:
            while True:
                self.pings.append(time.monotonic())
                self.send("ping")
                time.sleep(PING_EVERY)
        except (OSError, ValueError):
            pass  # the worker is gone

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def starts(talk, settings):
    """A cold head and a warm one -> milestones in seconds."""
    times = {}
    for heat in ("cold", "warm"):
        asked = time.monotonic() - talk.began if heat == "warm" else 0.0
        talk.ask(settings)
        previews = 0
        for seconds, message in talk.messages():
            times.setdefault(f"{heat}: first progress", seconds - asked) if message["type"] == "progress" else None
            if message.get("stage") == "Reading the words":
                times.setdefault(f"{heat}: ready", seconds - asked)
            if message["type"] == "preview":
                previews += 1
                times.setdefault(f"{heat}: first preview", seconds - asked)
        times[f"{heat}: done, {previews} previews"] = seconds - asked
    return times


def cancels(talk, settings):
    """Seconds from a cancel to its answer at every stage of a warm worker."""
    times = {}
    for stage in list(SECONDS)[2:]:
        talk.ask(settings)
        asked = None
        for seconds, message in talk.messages():
            if asked is None and message.get("stage") == stage:
                asked = seconds
                talk.send("cancel", id=talk.jobs)
        times[stage] = seconds - asked if message["type"] == "error" else None  # None: it was done before it noticed
    return times


def deaths(settings, folder):
    """Seconds from the parent's SIGKILL to the worker's end at every stage, each with a worker of its own."""
    parent = (
        "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); "
        "print(p.pid, file=sys.stderr, flush=True)\n"
        "while block := sys.stdin.buffer.raw.read(65536):\n    p.stdin.write(block)\n    p.stdin.flush()"
    )
    times = {}
    for stage in SECONDS:
        talk = Talk(folder, command=(sys.executable, "-c", parent))
        talk.ask(settings)
        for _, message in talk.messages():
            if message["type"] == "hello":
                pid = message["pid"]
            if message.get("stage") == stage:
                break
        talk.process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        while alive(pid):
            time.sleep(0.002)
        times[stage] = time.monotonic() - began
        talk.process.wait()
    return times


def alive(pid):
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except (OSError, ValueError):
        return False


def show(title, times):
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:36} {'done before' if seconds is None else f'{seconds:8.3f} s'}", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py bench worker", description=__doc__.partition("\n")[0])
    parser.add_argument("--deaths", action="store_true", help="kill a parent at every stage too")
    parser.add_argument("--resolution", type=int, default=Settings().resolution, help="of the heads (192)")
    options = parser.parse_args(arguments)
    settings = Settings(resolution=options.resolution)
    with tempfile.TemporaryDirectory() as folder:
        talk = Talk(folder)
        threading.Thread(target=talk.keep_asking, daemon=True).start()
        show("Seconds after the worker's start, or after asking the warm one", starts(talk, settings))
        show("Longest wait for the answer to a ping", dict(talk.waits))
        show("From a cancel to the end of the job", cancels(talk, settings))
        talk.close()
        if options.deaths:
            show("From the parent's SIGKILL to the worker's end", deaths(settings, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
