"""Adapt the chosen model pack to another CLIP: in a worker process of its own, so that Blender and heads go on meanwhile."""

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine.errors import ClipHeadError
from . import preferences, session
from .bases import Polled
from .job import Client, Job
from .language import t

TICK = 0.5  # seconds


@dataclass
class Adaption:
    client: Client | None = None
    job: Job | None = None
    message: str = ""  # about the last one, for the preferences
    failed: bool = False


state = Adaption()


class CLIPHEAD_OT_adapt(Polled, bpy.types.Operator):
    """Train the model pack's mapping networks for this CLIP model: up to ten minutes, in the background"""

    bl_idname = "cliphead.adapt"
    bl_label = "Adapt to this CLIP Model"

    architecture: bpy.props.StringProperty(name="CLIP Model", description="A name of open_clip's, such as ViT-L-14")
    weights: bpy.props.StringProperty(
        name="Weights", description="The model's weights, a file on this computer", subtype="FILE_PATH"
    )

    @classmethod
    def obstacle(cls, _context):
        return t("A CLIP model is being adapted to: wait for it or cancel it") if state.job is not None else ""

    def execute(self, _context):
        try:
            begin(self.architecture.strip(), self.weights)
            if bpy.app.background:
                state.client.wait()
                finish()
            else:
                bpy.app.timers.register(tick, first_interval=TICK, persistent=True)
        except ClipHeadError as error:
            end(str(error), failed=True)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class CLIPHEAD_OT_adapt_cancel(bpy.types.Operator):
    """Stop adapting"""

    bl_idname = "cliphead.adapt_cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context):
        return state.job is not None

    def execute(self, _context):
        state.client.cancel()
        state.job.stage = "Stopping"
        return {"FINISHED"}


CLASSES = (CLIPHEAD_OT_adapt, CLIPHEAD_OT_adapt_cancel)


def begin(architecture, weights):
    """Start the worker. Raises ClipHeadError."""
    weights = Path(bpy.path.abspath(weights))
    if not architecture or not weights.is_file():
        raise ClipHeadError(
            "A CLIP model needs its name in open_clip, such as ViT-L-14, and the file of its weights; found "
            f"'{architecture}' and {weights}.",
            "BAD_SETTING",
        )
    log = preferences.log_file()
    pack = preferences.pack_folder()
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in f"{pack.name}-{architecture}")
    arguments = (*preferences.engine_arguments(), *session.state.worker_arguments)
    state.client = Client(preferences.python(), log.with_name("adapt.log"), arguments)
    state.message = ""
    state.job = state.client.submit_adapt(pack, preferences.packs_folder() / name, architecture, weights)


def tick():
    """The timer: None ends it."""
    if state.job is None:
        return None
    state.client.update()
    redraw()
    if state.job.state == "running":
        return TICK
    try:
        finish()
    except ClipHeadError as error:
        end(str(error), failed=True)
    return None


def finish():
    """Use the new pack. Raises the job's error."""
    job = state.job
    if job.state == "cancelled":
        return end("Cancelled")
    if job.state == "failed":
        raise job.error
    preferences.choose_pack(job.folder)
    end(f"Done in {job.seconds / 60:.1f} min. Heads are made with the model pack {job.folder} now")


def end(message="", failed=False):
    """Close the worker; say how it went."""
    if state.client is not None:
        state.client.close()
    state.client = state.job = None
    state.message, state.failed = message, failed
    redraw()


def redraw():
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def draw(layout, chosen):
    """The part of the preferences; chosen: the add-on's preferences."""
    box = layout.box().column()
    box.use_property_split = True
    box.label(text="Read descriptions with another CLIP model")
    box.prop(chosen, "clip_model")
    box.prop(chosen, "clip_weights")
    if state.job is None:
        button = box.operator(CLIPHEAD_OT_adapt.bl_idname)
        button.architecture, button.weights = chosen.clip_model, chosen.clip_weights
    else:
        row = box.row(align=True)
        row.progress(factor=state.job.fraction, text=state.job.stage)
        row.operator(CLIPHEAD_OT_adapt_cancel.bl_idname, text="", icon="X")
    if state.message:
        box.label(text=state.message, icon="ERROR" if state.failed else "CHECKMARK")


_register, _unregister = bpy.utils.register_classes_factory(CLASSES)


def register():
    _register()


def unregister():
    end()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    _unregister()
