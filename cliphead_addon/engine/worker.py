"""The worker process: makes heads for Blender, unwraps and paints its meshes, one at a time, and keeps the models warm.

$ python -I -u worker.py [--log FILE] [--wheelhouse FOLDER --data FOLDER] [--engine-module FILE]

It speaks `protocol` on stdin and stdout, writes heads as `jobfiles`, and logs to stderr, which --log says is that file. It ends
when stdin ends or its parent is gone, so it never outlives Blender. --wheelhouse names the wheels that travel with the
extension: the engine is imported from them, unpacked once into the data folder (`runtime`). --engine-module names a Python file
with `load_models` and `generate` to use in place of the real engine; the tests do.
"""

import argparse
import faulthandler
import gc
import importlib.util
import io
import itertools
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

from . import logfile, protocol, runtime
from .errors import Cancelled, ClipHeadError, StorageError

PROGRESS_INTERVAL = 0.05  # seconds between messages of one stage
WATCH_INTERVAL = 0.2  # seconds between looks at the parent and the log
SILENCE = 600.0  # seconds without a word from the parent, which says something every second, until an idle worker leaves
PREVIEW_SIZE = 192  # px
NO_MEMORY = ("out of memory", "not enough memory", "allocate memory")  # torch's words on cards, on Windows, and elsewhere
HEAVY = {  # what the engine imports -> seconds until then on one core; between two of them a job can be cancelled
    "torch": 0.0,
    ".head": 1.9,
    ".torchvision_guard": 2.5,
    "open_clip": 4.2,
    ".nets.text": 6.2,
    ".nets.texture": 6.2,
    ".pipeline": 7.8,
}


def real_engine(progress):
    gc.disable()  # nothing that is imported is garbage: looking for it takes a fifth of the time
    try:
        for name, seconds in HEAVY.items():
            progress("Starting the engine", seconds / max(HEAVY.values()))
            importlib.import_module(name, __package__)
        from . import adapt, models, motion, pipeline, repaint, reshape, rigging
    finally:
        gc.enable()
    gc.freeze()
    return SimpleNamespace(
        load_models=models.load_models,
        generate=pipeline.generate,
        paint=repaint.repaint,
        express=motion.express,
        rig=rigging.rig,
        preview=reshape.preview,
        rebuild=reshape.rebuild,
        adapt=adapt.adapt,
    )


def engine_from(path, progress):
    progress("Starting the engine", 0.0)
    spec = importlib.util.spec_from_file_location("cliphead_engine_module", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Worker:
    """Takes jobs from one stream and answers on another.

    find_engine: (progress) -> an object with load_models(pack, device) and generate(prompt, models, settings, progress,
    preview); called at the first job, because importing the real one takes seconds. log: file that stderr goes to, or None.
    prepare: called with a progress callback before anything of the engine is imported; None if its packages are there already.
    """

    def __init__(self, source, sink, find_engine, log=None, prepare=None):
        self.source, self.sink, self.find_engine, self.log, self.prepare = source, sink, find_engine, log, prepare
        self.parent = os.getppid()
        self.sending = threading.Lock()
        self.jobs = queue.SimpleQueue()
        self.busy, self.heard = False, time.monotonic()
        self.cancelled = set()  # ids of jobs to give up
        self.pace = 1.0  # this computer's, as `estimate.Estimate` learns it
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
        threading.Thread(target=self.watch, daemon=True).start()
        while True:
            message = self.jobs.get()
            self.busy = True
            self.work(message)
            self.busy = False

    def watch(self):
        """Leave when the parent is gone, even if something else holds stdin open; keep the log short."""
        while os.getppid() == self.parent and (self.busy or time.monotonic() - self.heard < SILENCE):
            if self.log is not None:
                logfile.rotate(self.log)
            time.sleep(WATCH_INTERVAL)
        os._exit(0)

    def listen(self):
        """Obey the parent while the main thread computes; leave at once when it is gone or talks nonsense."""
        try:
            while (message := protocol.read(self.source)) is not None:
                self.heard = time.monotonic()
                match message["type"]:
                    case kind if kind in self.JOBS:
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
            progress = Reporter(self, job)
            progress("Starting the engine", 0.0)
            if self.prepare is not None:
                self.prepare(progress)
                self.prepare = None
            self.JOBS[message["type"]](self, message, progress)
        except ClipHeadError as error:
            self.send("error", id=job, code=error.code, text=str(error))
        except ModuleNotFoundError as error:
            traceback.print_exc()
            self.send("error", id=job, code="NO_ENGINE", text=missing_package(error.name))
        except Exception as error:
            traceback.print_exc()
            if isinstance(error, OSError) and StorageError.is_about(error, message["folder"]):
                remedy = "choose another folder in Edit > Preferences > File Paths > Temporary Files"
                self.send("error", id=job, code=StorageError.code, text=str(StorageError.of(error, message["folder"], remedy)))
            elif isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
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

    def load(self, message, progress):
        """The engine's models for a message's pack and device, and its Prompt and Settings."""
        from .estimate import PAINTING, SECONDS, Estimate
        from .recipes import choices

        prompt, settings = choices(message)
        key = message["pack"], settings.device
        stages = {"generate": SECONDS, "paint": PAINTING}.get(message["type"])
        if stages is not None:  # seconds are known of them
            skipped = {
                "Starting the engine": self.engine is not None,
                "Loading the models": key in self.models,
                "Moving the sliders": not prompt.sliders,
            }
            progress.estimate = Estimate(settings, [name for name in stages if not skipped.get(name)], self.pace)
        if self.engine is None:
            self.engine = self.find_engine(progress)
        if key not in self.models:
            progress("Loading the models", 0.0)
            self.models.clear()
            self.models[key] = self.engine.load_models(*key)
        return self.models[key], prompt, settings

    def make_head(self, message, progress):
        """A head in the job's folder."""
        models, prompt, settings = self.load(message, progress)
        from .jobfiles import save_head

        head = self.engine.generate(prompt, models, settings, progress, self.previewer(message))
        progress("Writing the files", 0.0)
        save_head(head, message["folder"])
        progress("Writing the files", 1.0)
        self.pace = progress.estimate.pace

    def paint(self, message, progress):
        """A texture for the mesh in the job's folder, which is unwrapped already: a head made before, or any other."""
        models, prompt, settings = self.load(message, progress)
        from .jobfiles import load_surface, save_painting

        progress("Painting the texture", 0.0)
        unwrapped = load_surface(message["folder"])
        found = self.engine.paint(prompt, models, settings, unwrapped, progress, self.previewer(message))
        progress("Writing the files", 0.0)
        save_painting(*found, unwrapped, message["folder"])
        progress("Writing the files", 1.0)
        self.pace = progress.estimate.pace

    def express(self, message, progress):
        """Displacements and weights for the surface points in the job's folder, those of a head made before."""
        models, prompt, settings = self.load(message, progress)
        from .jobfiles import load_arrays, save_expressions

        progress("Expressions", 0.0)
        canonical = load_arrays(message["folder"], ("canonical",))["canonical"]
        found = self.engine.express(prompt, settings, models, canonical, message["names"], message["words"])
        save_expressions(found, message["folder"])

    def rig(self, message, progress):
        """Joints, weights and eyeballs for a head made before, whose mesh is in the job's folder."""
        models, prompt, settings = self.load(message, progress)
        from .jobfiles import MADE_ARRAYS, load_arrays, save_rig

        progress("Finding the joints", 0.0)
        arrays = load_arrays(message["folder"], MADE_ARRAYS)
        save_rig(self.engine.rig(prompt, settings, models, **arrays), message["folder"])

    def reshape(self, message, progress):
        """A head made before, with other sliders: where its vertices go at once, or its surface as it would be made anew.

        In the second case also the rig of that surface, if it is asked for.
        """
        models, prompt, settings = self.load(message, progress)
        from .jobfiles import load_arrays, made_arrays, save_rig, save_shaped, unwrapped_arrays

        progress("Moving the sliders", 0.0)
        if message["before"] is None:
            unwrapped, attributes = self.engine.rebuild(prompt, models, settings, progress)
            arrays, names = unwrapped_arrays(unwrapped), list(unwrapped.mesh.displacements)
            if message.get("rig"):
                progress("Finding the joints", 0.0)
                save_rig(self.engine.rig(prompt, settings, models, **made_arrays(unwrapped)), message["folder"])
        else:
            found = load_arrays(message["folder"], ("canonical", "faces"), ("hair_vertices",))
            arrays, attributes = self.engine.preview(
                prompt, models, message["before"], found["canonical"], found["faces"], found.get("hair_vertices")
            )
            names = ()
        save_shaped(arrays, attributes, names, message["folder"])

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

    def adapt(self, message, progress):
        """A pack that reads words with another CLIP, in the job's folder."""
        if self.engine is None:
            self.engine = self.find_engine(progress)
        self.engine.adapt(message["pack"], message["architecture"], message["weights"], message["folder"], progress=progress)

    def previewer(self, message):
        """preview(image) for one job: (r,r,3) uint8 into a small PNG in its folder, whose name the parent is told."""
        folder, numbers = Path(message["folder"]), itertools.count(1)

        def preview(image):
            from PIL import Image

            picture = Image.fromarray(image)
            picture.thumbnail((PREVIEW_SIZE, PREVIEW_SIZE))
            name = f"preview_{next(numbers)}.png"  # another name every time, as Blender keeps pictures by name
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / name, compress_level=1)
            self.send("preview", id=message.get("id"), file=name)

        return preview

    JOBS = {
        "generate": make_head,
        "unwrap": unwrap,
        "paint": paint,
        "express": express,
        "rig": rig,
        "reshape": reshape,
        "adapt": adapt,
    }


class Reporter:
    """progress(stage, fraction) for one job: tells the parent, and raises Cancelled when the job is to stop.

    estimate: an `estimate.Estimate`, once there is one, for the fraction of the whole and the seconds that are left.
    """

    def __init__(self, worker, job):
        self.worker, self.job, self.estimate = worker, job, None
        self.began, self.told, self.stage = time.monotonic(), 0.0, None

    def __call__(self, stage, fraction):
        if self.job in self.worker.cancelled:
            raise Cancelled()
        now = time.monotonic()
        if stage != self.stage or now - self.told >= PROGRESS_INTERVAL:
            self.stage, self.told = stage, now
            whole, left = self.estimate.update(stage, fraction, now - self.began) if self.estimate else (None, None)
            self.worker.send("progress", id=self.job, stage=stage, fraction=float(fraction), whole=whole, left=left)


def missing_package(name):
    return (
        f"The Python at {sys.executable} has no package '{name}', which CLIP-Head's engine needs. Run 'python3 tools/dev.py "
        "setup' in the project's folder and put the Python it prints into Edit > Preferences > Add-ons > CLIP-Head > External "
        "Python."
    )


class Log(io.TextIOWrapper):
    """Text to stderr's file; what cannot be written, to a full disk for example, is lost and nothing else happens."""

    def __init__(self):
        super().__init__(io.FileIO(2, "wb", closefd=False), "utf-8", "backslashreplace", write_through=True)

    def write(self, text):
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self):
        try:
            super().flush()
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser(description="CLIP-Head's worker; started by Blender.")
    parser.add_argument("--log", type=Path, help="the file that stderr goes to; it is kept short")
    parser.add_argument("--wheelhouse", help="folder of the wheels that the engine is unpacked from")
    parser.add_argument("--data", help="folder that the engine is unpacked into")
    parser.add_argument("--engine-module", help="a Python file with load_models and generate")
    options = parser.parse_args()
    faulthandler.enable()
    # Libraries may print and read as they like: the protocol keeps its own copies of both streams.
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr = Log()
    find_engine = partial(engine_from, options.engine_module) if options.engine_module else real_engine
    prepare = partial(runtime.use, options.wheelhouse, options.data) if options.wheelhouse else None
    Worker(source, sink, find_engine, options.log, prepare).run()


if __name__ == "__main__":
    main()
