"""German is complete: every text that Blender shows of this add-on has one."""

import ast
import string
from pathlib import Path

import bpy
import pytest

import cliphead_addon.blender
from cliphead_addon.blender import german
from cliphead_addon.blender.language import t

SOURCES = sorted(Path(cliphead_addon.blender.__file__).parent.glob("*.py"))
SHOWN = ("text", "placeholder")  # keywords of layouts
SAID = ("poll_message_set", "t")  # functions whose first argument is shown


def texts_in(path):
    """Texts that a module gives to layouts, tooltips and messages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN]
            given += node.args[:1] if function in SAID else []
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def texts_of(kind):
    """Texts of a registered class: its label and tooltip, and those of its properties and their items."""
    own = kind.bl_rna
    base = next(base for base in kind.__mro__ if base.__module__.strip("_") == "bpy_types").bl_rna
    inherited = {prop.identifier for prop in base.properties}
    if hasattr(kind, "bl_label"):
        yield kind.bl_label
    if issubclass(kind, bpy.types.Operator | bpy.types.Menu) and own.description:
        yield own.description
    for prop in own.properties:
        if prop.identifier in inherited or prop.is_hidden:
            continue
        yield from (prop.name, prop.description)
        if prop.type == "ENUM":
            for item in prop.enum_items_static:
                yield from (item.name, item.description)


def classes():
    found = {name: getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("CLIPHEAD_")}
    found |= {kind.__name__: kind for kind in bpy.types.PropertyGroup.__subclasses__() if kind.is_registered}
    found |= {kind.__name__: kind for kind in bpy.types.Operator.__subclasses__() if kind.is_registered}
    return [kind for name, kind in found.items() if name.startswith("CLIPHEAD_")]


def test_every_text_of_a_class_has_its_german(session):
    known = german.texts()
    wanted = {text for kind in classes() for text in texts_of(kind)}
    assert "Nose Width" in wanted and "Generate Head" in wanted and len(wanted) > 150
    missing = sorted(text for text in wanted if any(map(str.isalpha, text)) and text not in known and not _is_number(text))
    assert not missing, missing


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_text_of_a_layout_has_its_german(path):
    known = german.texts()
    missing = sorted(text for text in texts_in(path) if any(map(str.isalpha, text)) and text not in known)
    assert not missing, missing


def test_places_to_fill_in_are_the_same():
    for text, other in german.texts().items():
        assert _places(text) == _places(other), text


def test_blender_shows_the_german(session):
    view = bpy.context.preferences.view
    before = view.language
    try:
        view.language = "de_DE"
    except TypeError:
        pytest.skip("this Blender has no languages")
    view.use_translate_interface = view.use_translate_tooltips = view.use_translate_reports = True
    try:
        assert bpy.app.translations.pgettext_iface("Nose Width") == "Nasenbreite"
        assert bpy.app.translations.pgettext_iface("Make Again", "Operator") == "Noch einmal machen"
        assert t("{count} more: type more letters", count=2) == "2 weitere: mehr Buchstaben tippen"
    finally:
        view.language = before
    assert t("{count} more: type more letters", count=2) == "2 more: type more letters"


def _places(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def _is_number(text):
    return text.replace(" px", "").isdigit() or text.startswith("A texture of")
