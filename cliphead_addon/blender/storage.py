"""What CLIP-Head keeps on the disk: how much, how to delete it, and its end when the extension is removed.

Blender deletes the extension's own user folder with it, but not the folder that all Blenders share. An extension that is gone
cannot run code, so the code of the one that was just disabled stays to look: once its folders are deleted, it cleans up.
"""

import atexit
import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine import runtime
from . import preferences
from .compat import PACKAGE
from .language import t

MEASURED_FOR = 10.0  # seconds that sizes are shown before they are taken again
WATCH_EVERY, WATCH_FOR = 0.5, 300.0  # seconds
DOOMED = ".deleted-"  # begins the name of what a thread deletes; all of it is gone with the next deletion if Blender ends
CERTAIN = 3  # looks in a row that must find the folders gone


@dataclass(frozen=True)
class Kind:
    """Something that is kept."""

    title: str
    description: str
    paths: object  # () -> list of Path


def _shared(name):
    return lambda: [preferences.shared_folder() / name]


def _engines():
    shared = preferences.shared_folder()
    return [shared / runtime.ENGINES, *shared.glob(f"{DOOMED}*")]


def _jobs():
    """Folders of `session.new_folder`; Blender deletes them when it ends, and they stay after a crash."""
    return sorted(Path(bpy.app.tempdir).glob("cliphead_*"))


KINDS = {
    "engine": Kind("Engine", "Unpacked packages; the next head unpacks them again", _engines),
    "packs": Kind("Packs", "Installed model packs; the starter pack is part of the extension", _shared(runtime.PACKS)),
    "downloads": Kind("Downloads", "Files that were fetched, and halves of them", _shared(runtime.DOWNLOADS)),
    "jobs": Kind("Jobs", "Files of this session's heads", _jobs),
    "history": Kind("History", "Finished heads and the log", lambda: _of_data_folder("history", "worker.log*", "adapt.log*")),
    "presets": Kind("Presets", "Presets, and descriptions used lately", lambda: _of_data_folder("presets", "prompts.json")),
}
EVERYTHING = "everything"
_measured = {}  # kind -> bytes
_measured_at = -MEASURED_FOR
_measuring = None  # the thread that does
_deletion = None  # the thread of the last


def _of_data_folder(*patterns):
    return [path for pattern in patterns for path in preferences.data_folder().glob(pattern)]


def all_paths():
    """Kind -> list of the paths that are kept, whether there or not."""
    return {name: kind.paths() for name, kind in KINDS.items()}


def measure(paths):
    """Kind -> list of paths -> kind -> bytes on the disk, now: an engine has tens of thousands of files."""
    return {kind: sum(map(size, some)) for kind, some in paths.items()}


def sizes():
    """Kind -> bytes on the disk, some seconds old, for drawing: empty until a thread has measured them for the first time."""
    global _measuring
    if _measuring is None and time.monotonic() - _measured_at >= MEASURED_FOR:
        paths = all_paths()  # what asks Blender belongs to this thread
        _measuring = threading.Thread(target=lambda: _measured.update(measure(paths)), daemon=True)
        _measuring.start()
        bpy.app.timers.register(_show, first_interval=0.1, persistent=True)
    return _measured


def _show():
    global _measuring, _measured_at
    if _measuring.is_alive():
        return 0.1
    _measuring, _measured_at = None, time.monotonic()
    _redraw()
    return None


def _redraw():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def size(path):
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    total = 0
    for file in files:
        with contextlib.suppress(OSError):  # gone in the meantime
            total += file.lstat().st_size if not file.is_dir() else 0
    return total


class Deletion(threading.Thread):
    """Deletes one kind, or "everything", while Blender goes on; `freed` bytes once it has ended. The worker must have ended.

    What the next head might use is moved aside at once, so that it is never seen half deleted.
    """

    def __init__(self, kind):
        super().__init__(daemon=True)
        self.shared, self.freed, self.everything = preferences.shared_folder(), 0, kind == EVERYTHING
        paths = [path for name in (KINDS if self.everything else [kind]) for path in KINDS[name].paths()]
        if self.everything:
            paths += [self.shared / name for name in (runtime.USERS, runtime.LOCK)]
        self.paths = [self._aside(path) for path in paths]
        self.start()

    def _aside(self, path):
        if path.parent == self.shared and not path.name.startswith(DOOMED):
            with contextlib.suppress(OSError):  # not there, or open on Windows
                return path.rename(self.shared / f"{DOOMED}{path.name}-{time.time_ns()}")
        return path

    def run(self):
        for path in self.paths:
            before = size(path)
            runtime.delete(path)
            self.freed += before - size(path)
        if self.everything:
            with contextlib.suppress(OSError):  # another Blender's files are in it
                self.shared.rmdir()


class CLIPHEAD_OT_delete_data(bpy.types.Operator):
    bl_idname = "cliphead.delete_data"
    bl_label = "Delete"
    bl_description = "Delete what CLIP-Head keeps on the disk; heads in your files stay"
    bl_options = {"INTERNAL"}

    kind: bpy.props.EnumProperty(
        name="Kind",
        description="What is deleted",
        items=[(name, kind.title, kind.description) for name, kind in KINDS.items()]
        + [(EVERYTHING, "Everything", "All of these")],
    )

    @classmethod
    def poll(cls, _context):
        from . import adapt, pack_files, session

        if session.state.job is not None or adapt.state.job is not None or pack_files.busy():
            cls.poll_message_set(t("The engine is busy: wait for it or cancel it"))
            return False
        if _deletion is not None and _deletion.is_alive():
            cls.poll_message_set(t("Still deleting"))
            return False
        return True

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(
            self, event, title=f"Delete {self.kind.title()}?", message="This cannot be undone.", confirm_text="Delete"
        )

    def execute(self, _context):
        global _deletion
        from . import session

        session.close()
        _deletion = Deletion(self.kind)
        if bpy.app.background:
            _deletion.join()
            self.report({"INFO"}, f"{_text(_deletion.freed)} freed")
        bpy.app.timers.register(_measure_again, persistent=True)
        return {"FINISHED"}


def _measure_again():
    """After a deletion, for the Storage box."""
    global _measured_at
    if _deletion.is_alive():
        return 0.1
    _measured_at = -MEASURED_FOR
    _redraw()
    return None


CLASSES = (CLIPHEAD_OT_delete_data,)


def draw(_context, layout, chosen):
    """The Storage box of the preferences."""
    box = layout.box()
    box.label(text="Storage", icon="DISK_DRIVE")
    column, found = box.column(align=True), sizes()
    for name, kind in KINDS.items():
        row = column.split(factor=0.25)
        row.label(text=kind.title)
        row = row.split(factor=0.25)
        row.label(text=_text(found[name]) if name in found else "…")
        row = row.split(factor=0.6)
        row.label(text=kind.description)
        button = row.row()
        button.enabled = found.get(name, 0) > 0
        button.operator(CLIPHEAD_OT_delete_data.bl_idname, text="Delete").kind = name
    box.label(text=f"In {preferences.shared_folder()}", icon="FILE_FOLDER")
    row = box.row()
    row.prop(chosen, "keep")
    row.operator(CLIPHEAD_OT_delete_data.bl_idname, text="Remove Everything", icon="TRASH").kind = EVERYTHING


def _text(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


# The end


@dataclass(frozen=True)
class Farewell:
    """What to look at, and what to do, once this extension is removed. No bpy: a thread and the end of Python use it."""

    extension: Path
    own: Path  # its user folder, which Blender deletes on removal and keeps on an update
    shared: Path
    made: tuple  # history and presets: paths to be deleted in a data folder that the user chose
    keep: tuple

    def due(self):
        return not self.extension.exists() and not self.own.exists()

    def clean(self):
        for path in self.made:
            runtime.delete(path)
        runtime.sign_out(self.shared, self.keep)


_farewell = None


def sign_in():
    """Note that this Blender uses the shared folder, if it is there; the worker does so where it uses an engine in it."""
    if preferences.shared_folder().is_dir() and not preferences.uses_own_engine():
        with contextlib.suppress(OSError):
            runtime.sign_in(preferences.shared_folder(), preferences.EXTENSION, "")


def register():
    global _farewell
    _farewell = None
    atexit.register(_at_exit)


def unregister():
    global _farewell
    if not PACKAGE.startswith("bl_ext.") or not preferences.shared_folder().is_dir():
        return
    own = Path(bpy.utils.extension_path_user(PACKAGE, create=True))  # there, so that its end means something
    keep = preferences.keeps_data()
    made = () if keep else (*KINDS["history"].paths(), *KINDS["presets"].paths())
    _farewell = Farewell(preferences.EXTENSION, own, preferences.shared_folder(), made, (runtime.PACKS,) if keep else ())
    with contextlib.suppress(RuntimeError):  # Blender is ending: no more threads, but `_at_exit`
        threading.Thread(target=_watch, args=(_farewell,), daemon=True).start()


def _watch(farewell):
    """Wait for the removal that may follow."""
    end, gone = time.monotonic() + WATCH_FOR, 0
    while _farewell is farewell and time.monotonic() < end:
        gone = gone + 1 if farewell.due() else 0
        if gone == CERTAIN:
            farewell.clean()
            return
        time.sleep(WATCH_EVERY)


def _at_exit():
    if _farewell is not None and _farewell.due():
        _farewell.clean()
