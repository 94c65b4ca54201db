"""The small pictures on the expression buttons, drawn once by `tools.expression_icons`."""

from pathlib import Path

import bpy.utils.previews

FOLDER = Path(__file__).with_name("icons")
_previews = None


def icon(name):
    """An expression's icon as the number that layouts take; 0 where there is no picture."""
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    if name not in _previews:
        path = FOLDER / f"{name.replace(' ', '_')}.png"
        if not path.is_file():
            return 0
        _previews.load(name, str(path), "IMAGE")
    return _previews[name].icon_id


def close():
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
