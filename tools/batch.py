"""A head for every row of a CSV file, on this computer or on a Ray cluster; stopped, it goes on where it was.

$ python3 tools/dev.py batch prompts.csv --out heads/
$ python3 tools/dev.py batch prompts.csv --out heads/ --workers 2
$ python3 tools/dev.py batch prompts.csv --out heads/ --ray auto

The CSV's first row names its columns. `prompt` is needed; `name` is the folder of a head's files, otherwise its row's number;
every other column is a choice of `generate`: seed, negative, expression, variation, resolution, texture_size and so on. An
empty cell leaves a choice as it is. OUT gets a folder per head with the files of `generate`, manifest.jsonl with a line per
attempt, and sheet.jpg with all portraits. Exit status: 0 all heads made, 1 some rows failed, 2 nothing could be done.
"""

import argparse
import csv
import hashlib
import io
import json
import multiprocessing
import os
import queue
import re
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

from PIL import Image

from cliphead_addon.engine import VERSION
from cliphead_addon.engine.commandline import comma_separated
from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

from . import generate
from .contact_sheet import TILE, contact_sheet

MANIFEST, SHEET = "manifest.jsonl", "sheet.jpg"
ATTEMPTS = 3  # for a row whose worker died under it
SHEET_COLUMNS, SHEET_MOST = 6, 120  # heads on the contact sheet
NAME = re.compile(r"[^\W.][\w .-]{0,99}")
RESERVED = {MANIFEST, SHEET}


class WorkerDied(Exception):
    """The process that made a head is gone; another one may fare better."""


@dataclass(frozen=True)
class Row:
    """One head to be made, or why it cannot be."""

    name: str
    prompt: Prompt | None = None
    settings: Settings | None = None
    error: str = ""

    def key(self, pack):
        """What its files depend on: equal keys make equal heads."""
        text = json.dumps([VERSION, pack, asdict(self.prompt), asdict(self.settings)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_rows(path, device="auto"):
    """A CSV file -> list of Row, bad ones with their error. Raises ClipHeadError for a file that is no such table."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClipHeadError(f"{path} cannot be read: {error}. Give a CSV file in UTF-8.") from error
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ClipHeadError(f"{path} is not a CSV file: {error}.") from error
    head = [title.strip().lower().replace(" ", "_").replace("-", "_") for title in table[0]] if table else []
    known = columns()
    unknown = [title for title in head if title not in known]
    if "prompt" not in head or unknown or len(set(head)) < len(head):
        found = f"unknown: {', '.join(unknown)}" if unknown else f"found {', '.join(head) or 'nothing'}"
        raise ClipHeadError(
            f"{path}: the first row must name each column once, 'prompt' among them ({found}). Known: {', '.join(known)}."
        )
    rows, used = [], set()
    for number, cells in enumerate(table[1:], 1):
        if any(cell.strip() for cell in cells):
            row = _read_row(number, head, cells, known, device)
            if row.name.lower() in used:
                row = Row(f"row {number}", error=f"the name '{row.name}' is taken by an earlier row")
            used.add(row.name.lower())
            rows.append(row)
    return rows


def columns():
    """Column title -> type of its cells."""
    types = get_type_hints(Prompt) | get_type_hints(Settings)
    names = [field.name for field in (*fields(Prompt), *fields(Settings)) if field.name not in ("text", "device")]
    return {"name": str, "prompt": str} | {name: types[name] for name in names}


def _read_row(number, head, cells, known, device):
    name = f"{number:04}"
    try:
        if len(cells) > len(head):
            raise ClipHeadError(f"{len(cells)} cells for {len(head)} columns")
        given = {title: cell.strip() for title, cell in zip(head, cells, strict=False) if cell.strip()}
        name = given.pop("name", name)
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            name, wrong = f"row {number}", name
            raise ClipHeadError(f"'{wrong}' is no name for a folder: use letters, digits, space, point, - and _")
        choices = {title: _value(title, cell, known[title]) for title, cell in given.items()}
        prompt = {field.name: choices[field.name] for field in fields(Prompt) if field.name in choices}
        settings = {field.name: choices[field.name] for field in fields(Settings) if field.name in choices}
        return Row(name, Prompt(choices.get("prompt", ""), **prompt), Settings(**settings, device=device))
    except ClipHeadError as error:
        return Row(name, error=str(error))


def _value(title, cell, kind):
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[cell.lower()]
        return comma_separated(cell) if kind is tuple else kind(cell)
    except (KeyError, ValueError) as error:
        raise ClipHeadError(f"{title} is '{cell}', which is not {'yes or no' if kind is bool else 'a number'}") from error


class Maker:
    """Warm models in a process of their own: rows to files."""

    def __init__(self, pack, device, threads):
        import torch

        from cliphead_addon.engine import models, pipeline

        torch.set_num_threads(threads)
        self.threads = threads
        self.models, self.pipeline = models.load_models(pack, device), pipeline

    def make(self, row):
        """Row -> its files, name to bytes: the caller's disk may be another computer's. Raises ClipHeadError."""
        with tempfile.TemporaryDirectory(prefix="cliphead_") as folder:
            head = self.pipeline.generate(row.prompt, self.models, row.settings)
            generate.deliver(head, Path(folder), self.threads)
            return {name: (Path(folder) / name).read_bytes() for name in generate.DELIVERED}


_maker = None  # of a pool's process


def _open_maker(maker, arguments, cores):
    global _maker
    if cores:
        os.sched_setaffinity(0, cores)
    _maker = maker(*arguments)


def _make(row):
    return _maker.make(row)


def shares_of_cores(workers):
    """Which cores each of several workers keeps to: list of sets, empty where the system offers no such thing.

    Blender leaves threads behind that spin on another core than its own, which slows the worker there down.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return [set(cores[i::workers]) for i in range(workers)]


class LocalLane:
    """A process on this computer that makes one head after the other.

    maker: a class like Maker, made with `arguments`; cores: those that it and its Blender keep to, empty for all.
    """

    def __init__(self, arguments, maker=Maker, cores=()):
        self.arguments, self.maker, self.cores, self.pool = arguments, maker, cores, None

    def make(self, row):
        if self.pool is None:
            fresh = multiprocessing.get_context("spawn")  # a fork would inherit locks of this process's threads
            self.pool = ProcessPoolExecutor(1, fresh, _open_maker, (self.maker, self.arguments, self.cores))
        try:
            return self.pool.submit(_make, row).result()
        except BrokenProcessPool as error:
            self.close()
            raise WorkerDied("the worker process died, perhaps for lack of memory") from error

    def close(self):
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
            self.pool = None


class RayLane:
    """A Ray actor that makes one head after the other, somewhere in the cluster."""

    def __init__(self, ray, arguments, maker=Maker):
        self.ray, self.arguments, self.actor = ray, arguments, None
        self.kind = ray.remote(num_cpus=1, max_restarts=0)(maker)

    def make(self, row):
        if self.actor is None:
            self.actor = self.kind.remote(*self.arguments)
        try:
            return self.ray.get(self.actor.make.remote(row))
        except self.ray.exceptions.RayActorError as error:
            self.actor = None
            raise WorkerDied(f"the worker on the cluster died: {error}") from error
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def close(self):
        if self.actor is not None:
            self.ray.kill(self.actor)
            self.actor = None


class Manifest:
    """What became of each row, a JSON line per attempt, so that a stopped batch goes on."""

    def __init__(self, folder, pack):
        self.folder, self.path, self.pack = folder, folder / MANIFEST, pack
        self.made = set()
        self.lock = threading.Lock()
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    if entry["status"] == "made":
                        self.made.add((entry["name"], entry["key"]))
                except (ValueError, KeyError, TypeError):
                    continue  # the line that was being written when the batch was stopped

    def has(self, row):
        files = (self.folder / row.name / name for name in generate.DELIVERED)
        return (row.name, row.key(self.pack)) in self.made and all(file.is_file() for file in files)

    def note(self, row, status, **more):
        entry = {"name": row.name, "key": row.key(self.pack) if row.prompt else None, "status": status, **more}
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * _torn(self.path) + json.dumps(entry, ensure_ascii=False) + "\n")


def _torn(path):
    """Whether a file ends inside a line."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def run(rows, lanes, manifest, out, say=print):
    """Make all rows that are not made yet, each lane one at a time. -> names of the rows that failed"""
    failed = [row.name for row in rows if row.error]
    for row in rows:
        if row.error:
            manifest.note(row, "failed", error=row.error)
            say(f"  {row.name}: {row.error}")
    todo = [row for row in rows if not row.error and not manifest.has(row)]
    if len(todo) + len(failed) < len(rows):
        say(f"  {len(rows) - len(todo) - len(failed)} heads are there already")
    waiting = queue.SimpleQueue()
    for row in todo:
        waiting.put((row, 1))
    left = threading.Semaphore(0)

    def work(lane):
        while True:
            try:
                row, attempt = waiting.get_nowait()
            except queue.Empty:
                break
            began = time.perf_counter()
            try:
                _store(lane.make(row), out / row.name)
            except Exception as error:  # whatever happens to one row, the others go on
                text = str(error) if isinstance(error, (ClipHeadError, WorkerDied)) else f"{type(error).__name__}: {error}"
                again = isinstance(error, WorkerDied) and attempt < ATTEMPTS
                manifest.note(row, "again" if again else "failed", attempt=attempt, error=text)
                say(f"  {row.name}: {text}{', trying again' if again else ''}")
                if again:
                    waiting.put((row, attempt + 1))
                else:
                    failed.append(row.name)
            else:
                seconds = time.perf_counter() - began
                manifest.note(row, "made", attempt=attempt, seconds=round(seconds, 2))
                say(f"  {row.name}: made in {seconds:.1f} s")
        lane.close()
        left.release()

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for _ in threads:  # a semaphore, unlike join, lets Ctrl-C through on every system
        while not left.acquire(timeout=0.5):
            pass
    return failed


def _store(files, folder):
    """Name -> bytes into a folder, which is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making_", dir=folder.parent) as draft:
        for name, content in files.items():
            (Path(draft) / name).write_bytes(content)
        folder.mkdir(exist_ok=True)
        for name in files:
            os.replace(Path(draft) / name, folder / name)


def write_sheet(rows, out):
    """The portraits of all heads that are there, on one picture."""
    there = [row for row in rows if (out / row.name / "head.png").is_file()][:SHEET_MOST]
    if there:
        tiles = [Image.open(out / row.name / "head.png").convert("RGB").resize((TILE, TILE)) for row in there]
        picture = contact_sheet(tiles, [row.name for row in there], min(SHEET_COLUMNS, len(there)))
        picture.save(out / SHEET, quality=85)


def open_lanes(options):
    """Options -> lanes, as many as workers are wanted or the cluster has room for."""
    if options.ray is None:
        threads = max(1, (os.cpu_count() or 1) // options.workers)
        arguments = options.pack, options.device, threads
        return [LocalLane(arguments, cores=cores) for cores in shares_of_cores(options.workers)]
    try:
        import ray
    except ImportError as error:
        raise ClipHeadError(
            "Ray is not installed in this environment. Install it with 'pip install ray', or leave --ray out."
        ) from error
    project = str(Path(__file__).resolve().parents[1])
    try:
        ray.init(
            address=None if options.ray == "local" else options.ray,
            runtime_env={"env_vars": {"PYTHONPATH": project}},
            log_to_driver=False,
        )
    except (ConnectionError, ValueError) as error:
        raise ClipHeadError(f"No Ray cluster at '{options.ray}': {error}. Start one with 'ray start --head'.") from error
    count = options.workers if options.workers > 1 else max(1, int(ray.cluster_resources().get("CPU", 1)))
    return [RayLane(ray, (options.pack, options.device, 1)) for _ in range(count)]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="the CSV file")
    parser.add_argument("--out", type=Path, required=True, help="folder for all files")
    parser.add_argument("--pack", default="starter", help="a model pack's folder, or the name of a bundled one (starter)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument("--workers", type=int, default=1, help="processes, about 1 GB of memory each (1; on Ray one per core)")
    parser.add_argument("--ray", help="a Ray cluster's address, 'auto' for the one this computer is part of, or 'local'")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(options.table, options.device)
        if options.workers < 1:
            raise ClipHeadError(f"{options.workers} workers make no heads. Give --workers 1 or more.")
        options.out.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(options.out, options.pack)
        wanted = any(not row.error and not manifest.has(row) for row in rows)
        lanes = open_lanes(options) if wanted else []
    except (ClipHeadError, OSError) as error:
        print(f"batch: {error}", file=sys.stderr)
        return 2
    print(f"{len(rows)} rows", flush=True)
    failed = run(rows, lanes, manifest, options.out, lambda text: print(text, flush=True))
    write_sheet(rows, options.out)
    print(f"{len(rows) - len(failed)} of {len(rows)} heads are in {options.out}.")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
