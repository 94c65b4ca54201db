"""Picture files as icons: those on the expression buttons, drawn once by `tools.expression_icons`, and the history's."""

from pathlib import Path

import bpy.utils.previews

FOLDER = Path(__file__).with_name("icons")
_previews = None


def icon(name):
    """An expression's icon as the number that layouts take; 0 where there is no picture."""
    return icon_of(FOLDER / f"{name.replace(' ', '_')}.png")


def icon_of(path):
    """A picture file's icon as the number that layouts take; 0 where there is no file."""
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    key = str(path)
    if key not in _previews:
        if not path.is_file():
            return 0
        _previews.load(key, key, "IMAGE")
    return _previews[key].icon_id


def close():
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
