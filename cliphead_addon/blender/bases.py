"""What operators share: the words over a greyed button, how heads are asked for, what is told and selected afterwards."""

import bpy

from ..engine.errors import ClipHeadError
from . import session
from .compat import undo_step
from .head_object import read_recipe
from .language import t


class Polled:
    """An operator that says in a sentence what stands in its way, "" for nothing: obstacle(context)."""

    @classmethod
    def poll(cls, context):
        obstacle = cls.obstacle(context)
        if obstacle:
            cls.poll_message_set(obstacle)
        return not obstacle


class InObjectMode(Polled):
    """An operator for which Object Mode is all that it needs."""

    @classmethod
    def obstacle(cls, context):
        return "" if context.mode == "OBJECT" else t("Go to Object Mode first")


class Applies(InObjectMode):
    """An operator that puts what the engine made into the scene, and is the undo step of it."""

    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    folder: bpy.props.StringProperty(
        name="Job Folder", description="Folder of the engine's answer", options={"HIDDEN", "SKIP_SAVE"}
    )


class OfRecipe(Polled):
    """An operator about the recipe of the selected head."""

    @classmethod
    def obstacle(cls, context):
        return "" if read_recipe(context.object) is not None else t("Select a head that CLIP-Head has made")


class Starts(Polled):
    """An operator that starts the engine: pressed as a button it returns at once, called by a script it waits for the end."""

    interactive = False  # whether a button was pressed

    def invoke(self, context, _event):
        self.interactive = not bpy.app.background
        return self.execute(context)


class MakesHeads(Starts, InObjectMode):
    """An operator that makes heads: wanted(context) gives their prompts, settings and session.Places."""

    def execute(self, context):
        try:
            prompts, settings, places = self.wanted(context)
            for prompt, place in zip(prompts, places, strict=True):
                if self.interactive:
                    session.start(prompt, settings, place)
                else:
                    folder = session.run(prompt, settings)
                    undo_step(bpy.ops.cliphead.apply_result, folder=str(folder), location=place.location)
        except ClipHeadError as error:
            return refuse(self, str(error))
        return {"FINISHED"}


def refuse(operator, text):
    """Tell the user, in the status bar and in the panel."""
    session.tell(text, failed=True)
    operator.report({"ERROR"}, text)
    return {"CANCELLED"}


def done(operator, text, warnings=()):
    """Tell the user what was done and what to know about it, in the status bar and in the panel."""
    session.tell(text, warnings=warnings)
    operator.report({"INFO"}, text)
    for warning in warnings:
        operator.report({"WARNING"}, warning)
    return {"FINISHED"}


def select_alone(context, obj):
    """Make an object the active one and the only one selected, unless its collection is excluded from the view layer."""
    for other in context.selected_objects:
        other.select_set(False)
    if obj.name in context.view_layer.objects:
        obj.select_set(True)
        context.view_layer.objects.active = obj
