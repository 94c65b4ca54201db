"""The worker process: makes heads for Blender, or unwraps its meshes, one at a time, and keeps the models warm in between.

$ python -I -u worker.py [--wheelhouse FOLDER --data FOLDER] [--engine-module FILE]

It speaks `protocol` on stdin and stdout, writes heads as `jobfiles`, and logs to stderr. It ends when stdin ends, so it
never outlives Blender. --wheelhouse names the wheels that travel with the extension: the engine is imported from them, unpacked
once into the data folder (`runtime`). --engine-module names a Python file with `load_models` and `generate` to use in place of
the real engine; the tests do.
"""

import argparse
import faulthandler
import importlib.util
import os
import queue
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from types import SimpleNamespace

if not __package__:  # started as a script: open the package under its plain name, whatever its folder is called
    PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        "cliphead_addon", PACKAGE_FOLDER / "__init__.py", submodule_search_locations=[str(PACKAGE_FOLDER)]
    )
    sys.modules["cliphead_addon"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["cliphead_addon"])
    __package__ = "cliphead_addon.engine"

from . import protocol, runtime
from .errors import Cancelled, ClipHeadError

PROGRESS_INTERVAL = 0.05  # seconds between messages of one stage


def real_engine():
    from . import models, pipeline  # torch arrives here

    return SimpleNamespace(load_models=models.load_models, generate=pipeline.generate)


def engine_from(path):
    spec = importlib.util.spec_from_file_location("cliphead_engine_module", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Worker:
    """Takes jobs from one stream and answers on another.

    find_engine: () -> an object with load_models(pack, device) and generate(prompt, models, settings, progress); called at
    the first job, because importing the real one takes seconds. prepare: called with a progress callback before anything of
    the engine is imported; None if its packages are there already.
    """

    def __init__(self, source, sink, find_engine, prepare=None):
        self.source, self.sink, self.find_engine, self.prepare = source, sink, find_engine, prepare
        self.sending = threading.Lock()
        self.jobs = queue.SimpleQueue()
        self.cancelled = set()  # ids of jobs to give up
        self.engine = None
        self.layouts = {}  # pack -> UVLayout
        self.models = {}  # (pack, device) -> models, one entry at most

    def send(self, kind, **fields):
        with self.sending:
            try:
                protocol.write(self.sink, {"type": kind, **fields})
            except OSError:  # nobody is there to read
                os._exit(0)

    def run(self):
        version = ".".join(map(str, sys.version_info[:3]))
        self.send("hello", protocol=protocol.VERSION, python=version, pid=os.getpid())
        threading.Thread(target=self.listen, daemon=True).start()
        while True:
            self.work(self.jobs.get())

    def listen(self):
        """Obey the parent while the main thread computes; leave at once when it is gone or talks nonsense."""
        try:
            while (message := protocol.read(self.source)) is not None:
                match message["type"]:
                    case "generate" | "unwrap":
                        self.jobs.put(message)
                    case "cancel":
                        self.cancelled.add(message.get("id"))
                    case "ping":
                        self.send("pong")
                    case "shutdown":
                        break
        except protocol.ProtocolError as error:
            self.send("error", id=None, code=error.code, text=str(error))
            os._exit(2)
        os._exit(0)

    def work(self, message):
        """Run one job and answer with its result or its error; nothing a job does ends the worker."""
        job = message.get("id")
        print(f"--- job {job}", file=sys.stderr, flush=True)
        try:
            progress = self.reporter(job)
            progress("Starting the engine", 0.0)
            if self.prepare is not None:
                self.prepare(progress)
                self.prepare = None
            do = self.make_head if message["type"] == "generate" else self.unwrap
            do(message, progress)
        except ClipHeadError as error:
            self.send("error", id=job, code=error.code, text=str(error))
        except ModuleNotFoundError as error:
            traceback.print_exc()
            self.send("error", id=job, code="NO_ENGINE", text=missing_package(error.name))
        except Exception as error:
            traceback.print_exc()
            if isinstance(error, MemoryError) or "out of memory" in str(error) or "not enough memory" in str(error):
                text = "There is not enough memory. Choose a lower resolution or texture size, or close other programs."
                self.send("error", id=job, code="OOM", text=text)
            else:
                self.send(
                    "error",
                    id=job,
                    code="INTERNAL",
                    text=f"An unexpected {type(error).__name__}: {error}. The log has details.",
                )
        else:
            self.send("result", id=job, folder=message["folder"])
        self.cancelled.discard(job)

    def make_head(self, message, progress):
        if self.engine is None:
            self.engine = self.find_engine()
        from .jobfiles import save_head
        from .settings import Settings
        from .stages import Prompt

        settings = Settings(**{**message["settings"], "shape_keys": tuple(message["settings"].get("shape_keys", ()))})
        key = message["pack"], settings.device
        if key not in self.models:
            progress("Loading the models", 0.0)
            self.models.clear()
            self.models[key] = self.engine.load_models(*key)
        head = self.engine.generate(Prompt(**message["prompt"]), self.models[key], settings, progress)
        progress("Writing the files", 0.0)
        save_head(head, message["folder"])

    def unwrap(self, message, progress):
        """Texture coordinates for the mesh in the job's folder, laid out as the pack's heads; needs no network."""
        from .geometry.foreign import unwrap_mesh
        from .geometry.unwrap import UVLayout
        from .jobfiles import load_mesh, save_unwrapped
        from .packs import open_pack

        if message["pack"] not in self.layouts:
            pack = open_pack(message["pack"])
            self.layouts[message["pack"]] = UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
        progress("Unwrapping", 0.0)
        mesh = load_mesh(message["folder"])
        hints = {name: message.get(name) for name in ("up", "front")}
        save_unwrapped(unwrap_mesh(**mesh, layout=self.layouts[message["pack"]], **hints), message["folder"])

    def reporter(self, job):
        """progress(stage, fraction) for one job: tells the parent, and raises Cancelled when the job is to stop."""
        last = SimpleNamespace(stage=None, time=0.0)

        def progress(stage, fraction):
            if job in self.cancelled:
                raise Cancelled()
            now = time.monotonic()
            if stage != last.stage or now - last.time >= PROGRESS_INTERVAL:
                last.stage, last.time = stage, now
                self.send("progress", id=job, stage=stage, fraction=float(fraction))

        return progress


def missing_package(name):
    return (
        f"The Python at {sys.executable} has no package '{name}', which CLIP-Head's engine needs. Run 'python3 tools/dev.py "
        "setup' in the project's folder and put the Python it prints into Edit > Preferences > Add-ons > CLIP-Head > External "
        "Python."
    )


def main():
    parser = argparse.ArgumentParser(description="CLIP-Head's worker; started by Blender.")
    parser.add_argument("--engine-module", help="a Python file with load_models and generate")
    parser.add_argument("--wheelhouse", help="folder of the wheels that the engine is unpacked from")
    parser.add_argument("--data", help="folder that the engine is unpacked into")
    options = parser.parse_args()
    module, prepare = options.engine_module, None
    if options.wheelhouse:
        prepare = partial(runtime.use, options.wheelhouse, options.data)
    faulthandler.enable()
    # Libraries may print and read as they like: the protocol keeps its own copies of both streams.
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    Worker(source, sink, (lambda: engine_from(module)) if module else real_engine, prepare).run()


if __name__ == "__main__":
    main()
