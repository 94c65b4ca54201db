"""Presets: the recipe of a head as a JSON file in the user folder, or on the clipboard, from which heads are made again."""

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..engine import recipes
from ..engine.errors import ClipHeadError, StorageError
from . import preferences, session
from .bases import MakesHeads, OfRecipe, Polled
from .head_object import object_name, read_recipe
from .language import t
from .panels import SideBarPanel

KIND = ".json"
_items = []  # Blender needs the strings of a dynamic list kept alive


def folder():
    """Where presets are; it may not exist yet."""
    return preferences.data_folder() / "presets"


def names():
    """The presets there are, in the order of the alphabet."""
    home = folder()
    return sorted(path.stem for path in home.glob(f"*{KIND}")) if home.is_dir() else []


def _matching(_owner, _context, typed):
    return [name for name in names() if typed.lower() in name.lower()]


def save(recipe, name):
    """Keep a recipe under a name; one that is there by this name is replaced. -> its file. Raises StorageError."""
    path = folder() / f"{bpy.path.clean_name(name) or 'Head'}{KIND}"
    write(recipe, name, path)
    return path


def write(recipe, name, path):
    """A recipe as a preset file. Raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(recipes.to_preset(recipe, name), encoding="utf-8")
    except OSError as error:
        raise StorageError.of(error, path.parent) from error


def load(name):
    """A preset by its name -> recipe. Raises ClipHeadError that names the file and the line."""
    return read(folder() / f"{name}{KIND}")


def read(path):
    """A preset file -> recipe. Raises ClipHeadError that names the file and the line."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClipHeadError(f"The preset {path} cannot be read: {error}. Choose another one.", "BAD_RECIPE") from error
    return recipes.from_preset(text, Path(path).name)


class FromPreset(MakesHeads):
    """An operator that makes the head of a preset at the 3D cursor: recipe(context) gives it."""

    def wanted(self, context):
        prompt, settings = recipes.choices(self.recipe(context))
        return [prompt], settings, [session.Place(context.scene.name, tuple(context.scene.cursor.location))]


class CLIPHEAD_OT_save_preset(OfRecipe, bpy.types.Operator):
    """Keep the recipe of the selected head as a preset"""

    bl_idname = "cliphead.save_preset"
    bl_label = "Save Preset"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(name="Name", description="The preset's name; empty takes the head's")

    def invoke(self, context, _event):
        self.name = context.object.name
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context):
        try:
            path = save(read_recipe(context.object), self.name or context.object.name)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {path.name}")
        return {"FINISHED"}


class CLIPHEAD_OT_make_preset(FromPreset, bpy.types.Operator):
    """Make the head of a preset at the 3D cursor"""

    bl_idname = "cliphead.make_preset"
    bl_label = "Make Head"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(name="Preset", description="The preset's name", search=_matching)

    def recipe(self, _context):
        return load(self.name)


class CLIPHEAD_OT_remove_preset(Polled, bpy.types.Operator):
    """Delete a preset's file; heads made from it stay"""

    bl_idname = "cliphead.remove_preset"
    bl_label = "Remove Preset"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(name="Preset", description="The preset's name", search=_matching)

    @classmethod
    def obstacle(cls, _context):
        return "" if names() else t("There are no presets")

    def execute(self, _context):
        if self.name not in names():
            self.report({"ERROR"}, f"There is no preset '{self.name}'")
            return {"CANCELLED"}
        (folder() / f"{self.name}{KIND}").unlink(missing_ok=True)
        return {"FINISHED"}


class CLIPHEAD_OT_copy_preset(OfRecipe, bpy.types.Operator):
    """Copy the recipe of the selected head to the clipboard, as text that can be pasted here or sent to somebody"""

    bl_idname = "cliphead.copy_preset"
    bl_label = "Copy"
    bl_options = {"REGISTER"}

    def execute(self, context):
        context.window_manager.clipboard = recipes.to_preset(read_recipe(context.object), context.object.name)
        self.report({"INFO"}, t("The recipe is on the clipboard"))
        return {"FINISHED"}


class CLIPHEAD_OT_paste_preset(FromPreset, bpy.types.Operator):
    """Make the head whose recipe is on the clipboard"""

    bl_idname = "cliphead.paste_preset"
    bl_label = "Paste"
    bl_options = {"REGISTER"}

    text: bpy.props.StringProperty(name="Text", description="A preset's text; empty takes the clipboard")

    def recipe(self, context):
        return recipes.from_preset(self.text or context.window_manager.clipboard, "Clipboard")


class CLIPHEAD_OT_open_preset(FromPreset, ImportHelper, bpy.types.Operator):
    """Make the head of a preset file"""

    bl_idname = "cliphead.open_preset"
    bl_label = "Open File"
    bl_options = {"REGISTER"}
    filename_ext = KIND
    filter_glob: bpy.props.StringProperty(default=f"*{KIND}", options={"HIDDEN"})

    def invoke(self, context, event):
        self.interactive = not bpy.app.background
        return ImportHelper.invoke(self, context, event)

    def recipe(self, _context):
        return read(self.filepath)


class CLIPHEAD_OT_write_preset(OfRecipe, ExportHelper, bpy.types.Operator):
    """Write the recipe of the selected head into a preset file"""

    bl_idname = "cliphead.write_preset"
    bl_label = "Save File"
    bl_options = {"REGISTER"}
    filename_ext = KIND
    filter_glob: bpy.props.StringProperty(default=f"*{KIND}", options={"HIDDEN"})

    def invoke(self, context, event):
        self.filepath = f"{bpy.path.clean_name(object_name(context.object.name))}{KIND}"
        return ExportHelper.invoke(self, context, event)

    def execute(self, context):
        try:
            write(read_recipe(context.object), context.object.name, Path(self.filepath))
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def _choices(_self, _context):
    _items[:] = [(name, name, "") for name in names()] or [("", t("No presets yet"), "")]
    return _items


class CLIPHEAD_PG_presets(bpy.types.PropertyGroup):
    """What the panel of presets shows."""

    chosen: bpy.props.EnumProperty(name="Preset", description="The preset to make a head from", items=_choices)


class CLIPHEAD_PT_presets(SideBarPanel, bpy.types.Panel):
    bl_label = "Presets"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 40

    def draw(self, context):
        column, chosen = self.layout.column(), context.window_manager.cliphead_presets
        row = column.row(align=True)
        row.prop(chosen, "chosen", text="")
        row.operator(CLIPHEAD_OT_save_preset.bl_idname, text="", icon="ADD")
        row.operator(CLIPHEAD_OT_remove_preset.bl_idname, text="", icon="REMOVE").name = chosen.chosen
        make = column.row()
        make.enabled = bool(chosen.chosen)
        make.operator(CLIPHEAD_OT_make_preset.bl_idname, icon="USER").name = chosen.chosen
        row = column.row(align=True)
        row.operator(CLIPHEAD_OT_copy_preset.bl_idname, icon="COPYDOWN")
        row.operator(CLIPHEAD_OT_paste_preset.bl_idname, icon="PASTEDOWN")
        row = column.row(align=True)
        row.operator(CLIPHEAD_OT_open_preset.bl_idname, icon="FILE_FOLDER")
        row.operator(CLIPHEAD_OT_write_preset.bl_idname, icon="FILE_TICK")


CLASSES = (
    CLIPHEAD_PG_presets,
    CLIPHEAD_OT_save_preset,
    CLIPHEAD_OT_make_preset,
    CLIPHEAD_OT_remove_preset,
    CLIPHEAD_OT_copy_preset,
    CLIPHEAD_OT_paste_preset,
    CLIPHEAD_OT_open_preset,
    CLIPHEAD_OT_write_preset,
    CLIPHEAD_PT_presets,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register():
    _register_classes()
    bpy.types.WindowManager.cliphead_presets = bpy.props.PointerProperty(type=CLIPHEAD_PG_presets)


def unregister():
    del bpy.types.WindowManager.cliphead_presets
    _unregister_classes()
