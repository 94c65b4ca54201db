"""Finished heads, kept in the user folder: one folder for each, from which it can be placed again without computing.

A folder `<data>/history/<UTC time>-<seed>` holds the files of `jobfiles.save_head`, thumbnail.png among them, and recipe.json.
"""

import json
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from ..engine.errors import StorageError
from ..engine.jobfiles import THUMBNAIL, load_head, save_repainted
from . import preferences
from .head_object import is_recipe

RECIPE = "recipe.json"
KINDS = (".npy", ".json", ".png")  # of a finished job's files
TIME = "%Y%m%dT%H%M%SZ"
DRAFT = ".draft-"  # begins the name of a folder that is still being written
STALE = 3600.0  # seconds after which nobody writes it any more


@dataclass(frozen=True)
class Entry:
    """A head of the history. Its name is unique and sorts by time."""

    folder: Path
    made: datetime  # UTC
    recipe: dict

    @property
    def name(self):
        return self.folder.name

    @property
    def thumbnail(self):
        """Path of a square PNG; the file may be missing."""
        return self.folder / THUMBNAIL


def folder():
    """Where the history is; it may not exist yet."""
    return preferences.data_folder() / "history"


def save(saved):
    """Keep a finished head, a `SavedHead`; beyond the preference's number the oldest goes. -> its folder

    Raises StorageError, and leaves no half-written folder behind.
    """
    home, seed = folder(), saved.recipe.get("prompt", {}).get("seed", 0)
    stem = f"{datetime.now(UTC).strftime(TIME)}-{int(seed)}"
    draft = home / f"{DRAFT}{stem}-{os.getpid()}"  # another Blender may finish a head in the same second
    try:
        draft.mkdir(parents=True, exist_ok=True)
        for path in saved.folder.iterdir():
            if path.suffix in KINDS and not path.name.startswith("preview"):
                shutil.copyfile(path, draft / path.name)
        (draft / RECIPE).write_text(json.dumps(saved.recipe, indent=1, ensure_ascii=False), encoding="utf-8")
        place, number = home / stem, 1
        while place.exists():
            number += 1
            place = home / f"{stem}-{number}"
        draft.rename(place)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StorageError.of(error, home) from error
    for entry in entries()[preferences.history_size() :]:
        remove(entry)
    for left in home.glob(f"{DRAFT}*"):  # by a Blender that ended in the middle
        if time.time() - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
    return place


def add_repainted(before, recipe, painting):
    """Where the head of a recipe is kept, keep it with a new texture too, a `SavedPainting`, and the recipe that leads to it.

    Raises ClipHeadError.
    """
    kept = {entry.name: entry for entry in entries()}
    old = next((entry for entry in kept.values() if entry.recipe == before), None)
    if old is None or any(entry.recipe == recipe for entry in kept.values()):
        return
    draft = painting.folder / old.name
    try:
        save_repainted(load(old), painting, recipe, draft)
    except OSError as error:
        raise StorageError.of(error, draft) from error
    save(load_head(draft))


def entries():
    """The heads that are kept, newest first; folders that are damaged are passed over. -> list of Entry"""
    home = folder()
    names = sorted((path.name for path in home.iterdir()), reverse=True) if home.is_dir() else []
    found = (_read(home / name) for name in names if not name.startswith("."))
    return [entry for entry in found if entry is not None]


def load(entry):
    """An Entry -> the `SavedHead` that was kept. Raises JobFilesError for a damaged one."""
    return load_head(entry.folder)


def remove(entry):
    """Delete an Entry's folder; one that is gone already, or cannot be deleted, is no error."""
    shutil.rmtree(entry.folder, ignore_errors=True)


@lru_cache(maxsize=512)  # the panel asks at every redraw
def _recipe(path, _changed):
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return recipe if is_recipe(recipe) else None


def _read(path):
    """A folder of the history -> Entry, or None if it is not one."""
    try:
        made = datetime.strptime(path.name.split("-")[0], TIME).replace(tzinfo=UTC)
        recipe = _recipe(path / RECIPE, (path / RECIPE).stat().st_mtime_ns)
    except (OSError, ValueError):
        return None
    return None if recipe is None else Entry(path, made, recipe)
