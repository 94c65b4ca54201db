"""The add-on's preferences and the places they point to."""

import os
import sys
from pathlib import Path

import bpy

from .compat import PACKAGE

STARTER_PACK = Path(__file__).resolve().parents[1] / "packs" / "starter"


class CLIPHEAD_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: bpy.props.StringProperty(
        name="External Python",
        description="Python 3.11 or newer that has the engine's packages (torch and others); empty uses Blender's own",
        subtype="FILE_PATH",
    )
    pack: bpy.props.StringProperty(
        name="Model Pack", description="Folder of a model pack; empty uses the starter pack", subtype="DIR_PATH"
    )
    data: bpy.props.StringProperty(
        name="Data Folder",
        description="Where the log and the history are kept; empty uses the extension's own user folder",
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

    def draw(self, _context):
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "python")
        column.prop(self, "pack")
        from . import pack_files  # which needs this module

        pack_files.draw(column)
        column.prop(self, "data")
        column.prop(self, "history_size")
        column.prop(self, "idle_minutes")
        column.separator()
        column.label(text=f"Python in use: {python()}", icon="CONSOLE")
        row = column.row()
        row.label(text=f"Log: {log_file()}", icon="TEXT")
        row.operator("cliphead.copy_report", icon="COPYDOWN")


def _chosen(name, default=""):
    """A preference's value; the default when the add-on was registered by hand and has no preferences."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return getattr(addon.preferences, name, default) if addon is not None and addon.preferences is not None else default


def python():
    """The interpreter that runs the worker: the preference, the variable CLIPHEAD_PYTHON, or Blender's own."""
    chosen = _chosen("python")
    return bpy.path.abspath(chosen) if chosen else os.environ.get("CLIPHEAD_PYTHON") or sys.executable


def pack_folder():
    """The model pack in use."""
    chosen = _chosen("pack")
    return Path(bpy.path.abspath(chosen)) if chosen else STARTER_PACK


def packs_folder():
    """Where installed packs go."""
    return data_folder() / "packs"


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
    """Where the log and the history go. Nothing is created here: the panel asks too."""
    chosen = _chosen("data")
    if chosen:
        return Path(bpy.path.abspath(chosen))
    if PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(PACKAGE))
    return Path(bpy.app.tempdir)  # registered by a script from a source folder


def log_file():
    """Where the worker's log goes."""
    return data_folder() / "worker.log"
