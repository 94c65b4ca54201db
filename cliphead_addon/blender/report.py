"""A report about an error, for the clipboard: versions, the last request, the newest lines of the log."""

import json
import platform
from pathlib import Path

import bpy

from ..engine import VERSION, logfile, protocol
from . import preferences, session
from .head_object import read_recipe

LOG_SIZE = 24_000  # bytes


class CLIPHEAD_OT_copy_report(bpy.types.Operator):
    """Copy versions, the last description and the log to the clipboard, to send along with a question"""

    bl_idname = "cliphead.copy_report"
    bl_label = "Copy Report"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        context.window_manager.clipboard = report(context.object)
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


def report(obj=None):
    """All that helps to understand an error, as text; obj: a head whose recipe belongs to it.

    Nobody's name is in it: the home folder is written as ~.
    """
    client = session.state.client
    hello = client.hello if client is not None else None
    facts = {
        "CLIP-Head": f"{VERSION}, protocol {protocol.VERSION}",
        "Blender": f"{bpy.app.version_string} ({bpy.app.build_hash.decode() if bpy.app.build_hash else 'unknown build'})",
        "System": platform.platform(),
        "Worker": f"Python {hello['python']}, protocol {hello['protocol']}" if hello else "not running",
        "External Python": preferences.python(),
        "Pack": preferences.pack_folder(),
        "Message": session.state.message or "none",
    }
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines += [f"Warning: {warning}" for warning in session.state.warnings]
    for name, found in (("Last request", session.state.request), ("Selected head", read_recipe(obj))):
        if found:
            lines += ["", f"{name}:", json.dumps(found, indent=1, ensure_ascii=False)]
    lines += ["", "Log:", logfile.tail(preferences.log_file(), LOG_SIZE) or "empty"]
    return "\n".join(lines).replace(str(Path.home()), "~")
