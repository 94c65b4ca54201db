"""The side bar's tab."""

import textwrap

import bpy

from . import session
from .head_object import read_recipe
from .operators import CLIPHEAD_OT_generate, CLIPHEAD_OT_unwrap_as_head
from .progress import draw_jobs
from .report import CLIPHEAD_OT_copy_report

CHARACTER_WIDTH = 6.5  # pixels of an average letter at interface scale 1
LABEL_LIMIT = 12  # lines of one message


class SideBarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "CLIP-Head"


class CLIPHEAD_PT_main(SideBarPanel, bpy.types.Panel):
    bl_label = "Head from Text"

    def draw(self, context):
        settings = context.scene.cliphead
        column = self.layout.column()
        row = column.row(align=True)
        row.prop(settings, "prompt", text="", placeholder="Describe a head")
        row.menu("CLIPHEAD_MT_recent", text="", icon="DOWNARROW_HLT")
        column.separator()
        fields = column.column()
        fields.use_property_split = True
        fields.use_property_decorate = False
        fields.prop(settings, "expression", placeholder="From description")
        strength = fields.row()
        strength.active = bool(settings.expression)
        strength.prop(settings, "expression_strength")
        seed = fields.row(align=True)
        seed.prop(settings, "seed")
        seed.operator("cliphead.random_seed", text="", icon="FILE_REFRESH")
        seed.prop(settings, "seed_locked", text="", icon="LOCKED" if settings.seed_locked else "UNLOCKED")
        fields.prop(settings, "variation")
        column.separator()
        button = column.row()
        button.scale_y = 1.4
        button.operator(CLIPHEAD_OT_generate.bl_idname, icon="USER")
        column.operator(CLIPHEAD_OT_generate.bl_idname, text="Random Head", icon="FILE_REFRESH").random = True
        draw_jobs(column)
        if session.state.message:
            draw_text(context, column, session.state.message, "ERROR" if session.state.failed else "CHECKMARK")
        for warning in session.state.warnings:
            draw_text(context, column, warning, "INFO")
        if session.state.failed:
            column.operator(CLIPHEAD_OT_copy_report.bl_idname, icon="COPYDOWN")


class CLIPHEAD_PT_quality(SideBarPanel, bpy.types.Panel):
    bl_label = "Mesh and Texture"
    bl_parent_id = "CLIPHEAD_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(context.scene.cliphead, "resolution")
        column.prop(context.scene.cliphead, "texture_size")
        column.prop(context.scene.cliphead, "topology")
        row = column.row()
        row.active = context.scene.cliphead.topology == "quads"
        row.prop(context.scene.cliphead, "density")
        column.prop(context.scene.cliphead, "hair")
        column.prop(context.scene.cliphead, "device")


class CLIPHEAD_PT_head(SideBarPanel, bpy.types.Panel):
    bl_label = "Selected Head"
    bl_parent_id = "CLIPHEAD_PT_main"

    @classmethod
    def poll(cls, context):
        return read_recipe(context.object) is not None

    def draw(self, context):
        recipe = read_recipe(context.object)
        prompt, pack = recipe.get("prompt", {}), recipe.get("pack", {})
        column = self.layout.column(align=True)
        words = f"\N{LEFT DOUBLE QUOTATION MARK}{prompt.get('text')}\N{RIGHT DOUBLE QUOTATION MARK}"
        draw_text(context, column, words if prompt.get("text") else "Random head")
        column.separator()
        details = {
            "Texture": prompt.get("look", {}).get("text"),
            "Expression": prompt.get("expression"),
            "Seed": prompt.get("seed"),
            "Variation": prompt.get("variation"),
            "Resolution": recipe.get("settings", {}).get("resolution"),
            "Vertices": f"{len(context.object.data.vertices):,}",
            "Pack": f"{pack.get('name')} {pack.get('version')}",
        }
        for name, value in details.items():
            if value not in (None, ""):
                row = column.split(factor=0.4)
                row.label(text=name)
                row.label(text=f"{value:.2f}" if isinstance(value, float) else str(value))
        column.separator()
        column.operator("cliphead.paint", icon="BRUSH_DATA")


class CLIPHEAD_PT_mesh(SideBarPanel, bpy.types.Panel):
    bl_label = "Selected Mesh"
    bl_parent_id = "CLIPHEAD_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return context.object is not None and context.object.type == "MESH" and read_recipe(context.object) is None

    def draw(self, _context):
        self.layout.operator(CLIPHEAD_OT_unwrap_as_head.bl_idname, icon="UV")
        self.layout.operator("cliphead.paint", icon="BRUSH_DATA")


def draw_text(context, layout, text, icon="NONE"):
    """A text of any length, wrapped to the side bar's width; labels do not wrap by themselves."""
    scale = context.preferences.system.ui_scale
    width = max(16, int((context.region.width / scale - 60) / CHARACTER_WIDTH))
    lines = textwrap.wrap(text, width) or [""]
    if len(lines) > LABEL_LIMIT:
        lines = [*lines[: LABEL_LIMIT - 1], lines[LABEL_LIMIT - 1][: width - 1] + "\N{HORIZONTAL ELLIPSIS}"]
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in lines:
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"
