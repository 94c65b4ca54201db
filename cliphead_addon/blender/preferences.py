"""The add-on's preferences and the places they point to."""

import os
import sys
from pathlib import Path

import bpy

from ..engine.runtime import DOWNLOADS, PACKS
from .compat import PACKAGE

EXTENSION = Path(__file__).resolve().parents[1]
STARTER_PACK = EXTENSION / "packs" / "starter"
WHEELHOUSE = EXTENSION / "wheelhouse"  # the engine's packages; the slim extension has none
SHARED = "clip-head"  # folder for all Blenders of a user


class CLIPHEAD_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: bpy.props.StringProperty(
        name="External Python",
        description="Python 3.11 or newer that has the engine's packages, to use a graphics card for example; empty uses those "
        "that travel with the extension, unless it is the slim one",
        subtype="FILE_PATH",
    )
    pack: bpy.props.StringProperty(
        name="Model Pack", description="Folder of a model pack; empty uses the starter pack", subtype="DIR_PATH"
    )
    data: bpy.props.StringProperty(
        name="Data Folder",
        description="Where the engine, packs, log and history are kept; empty uses the usual places of this computer",
        subtype="DIR_PATH",
    )
    history_size: bpy.props.IntProperty(
        name="Heads in History",
        description="Finished heads that are kept; the oldest goes first",
        default=100,
        min=0,
        max=10000,
    )
    idle_minutes: bpy.props.IntProperty(
        name="Free Memory After Minutes",
        description="Without a head for so long, the engine is stopped and its memory freed; 0 keeps it",
        default=15,
        min=0,
        max=1440,
    )
    clip_model: bpy.props.StringProperty(
        name="CLIP Model",
        description="A name of open_clip's; its text tower reads the descriptions. OpenAI's weights need one with -quickgelu",
        default="ViT-L-14",
    )
    clip_weights: bpy.props.StringProperty(
        name="Weights", description="The CLIP model's weights, a file on this computer", subtype="FILE_PATH"
    )
    keep: bpy.props.BoolProperty(
        name="Keep Packs and History",
        description="When CLIP-Head is removed, leave the model packs, and the history if it is in a chosen data folder",
    )

    def draw(self, context):
        from . import adapt, pack_files, storage  # which need this module

        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "python")
        column.prop(self, "pack")
        pack_files.draw(column)
        column.prop(self, "data")
        column.prop(self, "history_size")
        column.prop(self, "idle_minutes")
        column.separator()
        if uses_own_engine():
            column.label(text="The engine travels with the extension", icon="CHECKMARK")
        elif python() == sys.executable:
            column.label(text="This is the slim extension: choose an External Python", icon="ERROR")
        else:
            column.label(text=f"Python in use: {python()}", icon="CONSOLE")
        row = column.row()
        row.label(text=f"Log: {log_file()}", icon="TEXT")
        row.operator("cliphead.copy_report", icon="COPYDOWN")
        adapt.draw(column, self)
        storage.draw(context, self.layout, self)


def _chosen(name, default=""):
    """A preference's value; the default when the add-on was registered by hand and has no preferences."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return getattr(addon.preferences, name, default) if addon is not None and addon.preferences is not None else default


def python():
    """The interpreter that runs the worker: the preference, the variable CLIPHEAD_PYTHON, or Blender's own."""
    chosen = _chosen("python")
    return bpy.path.abspath(chosen) if chosen else os.environ.get("CLIPHEAD_PYTHON") or sys.executable


def uses_own_engine():
    """Whether the worker runs on the packages that travel with the extension."""
    return WHEELHOUSE.is_dir() and python() == sys.executable


def engine_arguments():
    """Words for the worker's command line that tell where its packages come from."""
    return ("--wheelhouse", str(WHEELHOUSE), "--data", str(shared_folder())) if uses_own_engine() else ()


def pack_folder():
    """The model pack in use."""
    chosen = _chosen("pack")
    return Path(bpy.path.abspath(chosen)) if chosen else STARTER_PACK


def packs_folder():
    """Where installed packs go."""
    return shared_folder() / PACKS


def downloads_folder():
    """Where files are fetched to."""
    return shared_folder() / DOWNLOADS


def choose_pack(folder):
    """Use a pack for the next heads, if there are preferences to say so in."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is not None and addon.preferences is not None:
        addon.preferences.pack = str(folder)


def history_size():
    """How many finished heads are kept."""
    return _chosen("history_size", 100)


def idle_seconds():
    """How long a worker without work is kept, or None for ever."""
    return 60.0 * _chosen("idle_minutes", 15) or None


def data_folder():
    """Where the log and the history go; Blender deletes it with the extension. Nothing is created here: the panel asks too."""
    chosen = _chosen("data")
    if chosen:
        return Path(bpy.path.abspath(chosen)) / SHARED  # its own folder in the user's: it may be deleted
    if PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(PACKAGE))
    return Path(bpy.app.tempdir)  # registered by a script from a source folder


def shared_folder():
    """Where the engine, packs and downloads go, for all Blenders of a user, of any version; short, for Windows' sake."""
    chosen = _chosen("data")
    if chosen or not PACKAGE.startswith("bl_ext."):
        return data_folder()
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Application Support"
    else:
        home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / SHARED


def keeps_data():
    """Whether packs and history stay when the extension is removed."""
    return bool(_chosen("keep", False))


def log_file():
    """Where the worker's log goes."""
    return data_folder() / "worker.log"
