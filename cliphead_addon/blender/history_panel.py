"""The history of finished heads as pictures: place one again, beside another to compare, or remove it."""

import bpy

from ..engine.errors import ClipHeadError
from . import history, icons
from .bases import InObjectMode, select_alone
from .head_object import add_head, object_name
from .language import t
from .panels import SideBarPanel, draw_text
from .shaping import SPACING

_items = []  # Blender needs the strings of a dynamic list kept alive


def entry_named(name):
    """The Entry of a name, the newest for "". Raises ClipHeadError."""
    entries = history.entries()
    found = next((entry for entry in entries if entry.name == name or not name), None)
    if found is None:
        raise ClipHeadError(f"The head '{name}' is not in the history any more. Choose another.", "NO_ENTRY")
    return found


def title(entry):
    """What an entry is called in the list."""
    prompt = entry.recipe.get("prompt", {})
    return f"{object_name(str(prompt.get('text', '')))}, {prompt.get('seed', 0)}"


class OfHistory(InObjectMode):
    entry: bpy.props.StringProperty(name="Entry", description="Name of an entry of the history; empty takes the newest")

    @classmethod
    def obstacle(cls, context):
        if not history.entries():
            return t("The history is empty: finished heads come here by themselves")
        return super().obstacle(context)


class CLIPHEAD_OT_restore(OfHistory, bpy.types.Operator):
    """Place a head of the history in the scene again, without computing"""

    bl_idname = "cliphead.restore"
    bl_label = "Place"
    bl_options = {"REGISTER", "UNDO"}

    beside: bpy.props.BoolProperty(
        name="Beside", description="Stand it beside the selected head, to compare them, instead of at the 3D cursor"
    )

    def execute(self, context):
        try:
            saved = history.load(entry_named(self.entry))
            place = context.scene.cursor.location
            if self.beside and context.object is not None:
                x, y, z = context.object.location
                place = (x + SPACING, y, z)
            head = add_head(saved, context.collection, place)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        select_alone(context, head)
        return {"FINISHED"}


class CLIPHEAD_OT_forget(OfHistory, bpy.types.Operator):
    """Remove a head from the history and delete its files; heads in scenes stay"""

    bl_idname = "cliphead.forget"
    bl_label = "Remove from History"
    bl_options = {"REGISTER"}

    def execute(self, _context):
        try:
            history.remove(entry_named(self.entry))
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def _choices(_self, _context):
    _items.clear()
    for number, entry in enumerate(history.entries()):
        made = entry.made.astimezone().strftime("%Y-%m-%d %H:%M")
        _items.append((entry.name, title(entry), made, icons.icon_of(entry.thumbnail), number))
    return _items or [("", "Empty", "", 0, 0)]


class CLIPHEAD_PG_history(bpy.types.PropertyGroup):
    """What the panel of the history shows."""

    chosen: bpy.props.EnumProperty(name="Head", description="A head made before", items=_choices)


class CLIPHEAD_PT_history(SideBarPanel, bpy.types.Panel):
    bl_label = "History"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 41

    def draw(self, context):
        column, shown = self.layout.column(), context.window_manager.cliphead_history
        if not history.entries():
            draw_text(context, column, t("Finished heads come here by themselves"), "INFO")
            return
        column.template_icon_view(shown, "chosen", show_labels=True, scale=6, scale_popup=5)
        entry = next((entry for entry in history.entries() if entry.name == shown.chosen), None)
        if entry is not None:
            draw_text(context, column, title(entry))
        row = column.row(align=True)
        row.operator(CLIPHEAD_OT_restore.bl_idname, icon="IMPORT").entry = shown.chosen
        beside = row.operator(CLIPHEAD_OT_restore.bl_idname, text="Compare", icon="MOD_MIRROR")
        beside.entry, beside.beside = shown.chosen, True
        row.operator(CLIPHEAD_OT_forget.bl_idname, text="", icon="TRASH").entry = shown.chosen


CLASSES = (CLIPHEAD_PG_history, CLIPHEAD_OT_restore, CLIPHEAD_OT_forget, CLIPHEAD_PT_history)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register():
    _register_classes()
    bpy.types.WindowManager.cliphead_history = bpy.props.PointerProperty(type=CLIPHEAD_PG_history)


def unregister():
    del bpy.types.WindowManager.cliphead_history
    _unregister_classes()
