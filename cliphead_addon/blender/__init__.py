"""The only place that imports bpy: what a user sees of CLIP-Head, and what the engine's results become in a scene."""

import bpy

from . import (
    adapt,
    cli,
    export,
    expressions,
    history_panel,
    language,
    operators,
    pack_files,
    painting,
    panels,
    pictures,
    preferences,
    presets,
    properties,
    recent,
    report,
    rig,
    session,
    shaping,
    storage,
)

CLASSES = (
    properties.CLIPHEAD_PG_settings,
    preferences.CLIPHEAD_AP_preferences,
    operators.CLIPHEAD_OT_generate,
    operators.CLIPHEAD_OT_cancel,
    operators.CLIPHEAD_OT_apply_result,
    operators.CLIPHEAD_OT_unwrap_as_head,
    operators.CLIPHEAD_OT_apply_unwrap,
    report.CLIPHEAD_OT_copy_report,
    *pack_files.CLASSES,
    panels.CLIPHEAD_PT_main,
    panels.CLIPHEAD_PT_quality,
    panels.CLIPHEAD_PT_head,
    panels.CLIPHEAD_PT_mesh,
    *storage.CLASSES,
)
# each with classes and properties of its own; in the order of their panels
MODULES = (language, expressions, rig, export, painting, recent, shaping, presets, history_panel, adapt, storage)
_command = None  # what Blender gave for the command line's command
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register():
    _register_classes()
    bpy.types.Scene.cliphead = bpy.props.PointerProperty(type=properties.CLIPHEAD_PG_settings)
    bpy.types.VIEW3D_MT_mesh_add.append(operators.add_menu)
    session.register()
    for module in MODULES:
        module.register()
    global _command
    _command = bpy.utils.register_cli_command(cli.COMMAND, cli.run)


def unregister():
    bpy.utils.unregister_cli_command(_command)
    for module in reversed(MODULES):
        module.unregister()
    session.unregister()
    pack_files.close()
    pictures.clear()
    bpy.types.VIEW3D_MT_mesh_add.remove(operators.add_menu)
    del bpy.types.Scene.cliphead
    _unregister_classes()
