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
        name="Data Folder", description="Where the log is kept; empty uses the extension's own user folder", subtype="DIR_PATH"
    )

    clip_model: bpy.props.StringProperty(
        name="CLIP Model",
        description="A name of open_clip's; its text tower reads the descriptions. OpenAI's weights need one with -quickgelu",
        default="ViT-L-14",
    )
    clip_weights: bpy.props.StringProperty(
        name="Weights", description="The CLIP model's weights, a file on this computer", subtype="FILE_PATH"
    )

    def draw(self, _context):
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "python")
        column.prop(self, "pack")
        column.prop(self, "data")
        column.separator()
        column.label(text=f"Python in use: {python()}", icon="CONSOLE")
        column.label(text=f"Log: {log_file()}", icon="TEXT")
        from . import adapt  # it reads these preferences

        adapt.draw(column, self)


def _chosen(name):
    """A preference's value; "" also when the add-on was registered by hand and has no preferences."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return getattr(addon.preferences, name, "") if addon is not None and addon.preferences is not None else ""


def python():
    """The interpreter that runs the worker: the preference, the variable CLIPHEAD_PYTHON, or Blender's own."""
    chosen = _chosen("python")
    return bpy.path.abspath(chosen) if chosen else os.environ.get("CLIPHEAD_PYTHON") or sys.executable


def pack_folder():
    """The model pack in use."""
    chosen = _chosen("pack")
    return Path(bpy.path.abspath(chosen)) if chosen else STARTER_PACK


def choose_pack(folder):
    """Make a pack the one in use; without effect when the add-on was registered by hand and has no preferences."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is not None and addon.preferences is not None:
        addon.preferences.pack = str(folder)


def log_file():
    """Where the worker's log goes. Nothing is created here: the panel asks too."""
    chosen = _chosen("data")
    if chosen:
        folder = Path(bpy.path.abspath(chosen))
    elif PACKAGE.startswith("bl_ext."):
        folder = Path(bpy.utils.extension_path_user(PACKAGE))
    else:  # registered by a script from a source folder
        folder = Path(bpy.app.tempdir)
    return folder / "worker.log"
