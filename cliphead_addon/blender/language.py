"""The interface in other languages, through Blender's own translation system."""

import bpy

from . import german

CONTEXTS = ("*", "Operator")  # Blender looks up an operator's label in the second, everything else in the first


def t(text, **values):
    """A sentence in the user's language, its {places} filled in; for what Blender does not translate by itself."""
    return bpy.app.translations.pgettext_rpt(text).format(**values)


def register():
    german_texts = german.texts()
    catalogue = {(context, text): other for text, other in german_texts.items() for context in CONTEXTS}
    bpy.app.translations.register(__package__, {"de_DE": catalogue})


def unregister():
    bpy.app.translations.unregister(__package__)
