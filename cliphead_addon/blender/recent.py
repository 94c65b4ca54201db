"""Descriptions used lately, newest first, in a file of the user folder; and the seed's dice."""

import json
import random

import bpy

from . import preferences
from .bases import Polled
from .language import t

KEPT = 20
SHOWN = 60  # letters of a description in the menu


def _file():
    return preferences.data_folder() / "prompts.json"


def prompts():
    """The descriptions used lately, newest first; none where the file is missing or damaged."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [text for text in found if isinstance(text, str)][:KEPT] if isinstance(found, list) else []


def remember(text):
    """Put a description first; where the file cannot be written it is just not remembered."""
    text = text.strip()
    if not text:
        return
    kept = [text, *(other for other in prompts() if other != text)][:KEPT]
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError:
        pass


class CLIPHEAD_OT_use_prompt(bpy.types.Operator):
    """Take this description again"""

    bl_idname = "cliphead.use_prompt"
    bl_label = "Recent Description"
    bl_options = {"REGISTER", "UNDO"}

    text: bpy.props.StringProperty(name="Description", description="The description to take")

    def execute(self, context):
        context.scene.cliphead.prompt = self.text
        return {"FINISHED"}


class CLIPHEAD_OT_random_seed(Polled, bpy.types.Operator):
    """Draw another seed: another head for the same words"""

    bl_idname = "cliphead.random_seed"
    bl_label = "Random Seed"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def obstacle(cls, context):
        locked = context.scene is None or context.scene.cliphead.seed_locked
        return t("The seed is locked: open the lock beside it first") if locked else ""

    def execute(self, context):
        context.scene.cliphead.seed = random.randrange(1, 2**31)
        return {"FINISHED"}


class CLIPHEAD_MT_recent(bpy.types.Menu):
    """Descriptions used lately"""

    bl_idname = "CLIPHEAD_MT_recent"
    bl_label = "Recent Descriptions"

    def draw(self, _context):
        found = prompts()
        for text in found:
            shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"
            self.layout.operator(CLIPHEAD_OT_use_prompt.bl_idname, text=shown, translate=False).text = text
        if not found:
            self.layout.label(text="None yet")


CLASSES = (CLIPHEAD_OT_use_prompt, CLIPHEAD_OT_random_seed, CLIPHEAD_MT_recent)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
