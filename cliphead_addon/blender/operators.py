"""Operators: make a head, stop making it, place it; unwrap another mesh."""

import random

import bpy

from ..engine.errors import ClipHeadError, PromptError
from ..engine.jobfiles import load_head
from . import foreign, recent, session
from .bases import Applies, Polled, Starts, done, refuse, select_alone
from .compat import undo_step
from .head_object import add_head
from .language import t
from .properties import CHOICES, HeadChoices, request


class CLIPHEAD_OT_generate(HeadChoices, bpy.types.Operator):
    """Make a textured head from a description and place it at the 3D cursor"""

    bl_idname = "cliphead.generate"
    bl_label = "Generate Head"
    bl_options = {"REGISTER"}  # no undo step: the head arrives later, through apply_result

    ask: bpy.props.BoolProperty(
        name="Ask", description="Ask for the description in a dialog first", options={"HIDDEN", "SKIP_SAVE"}
    )
    interactive = False  # set when a user pressed a button: the operator then returns at once

    @classmethod
    def poll(cls, context):
        return context.scene is not None

    def invoke(self, context, _event):
        self.interactive = not bpy.app.background
        if (self.random or not context.scene.cliphead.seed_locked) and not self.properties.is_property_set("seed"):
            # In the scene, where it is seen and leads to the same head again.
            context.scene.cliphead.seed = random.randrange(1, 2**31)
        if not self.ask:
            return self.execute(context)
        for name, value in self.choices(context).items():
            setattr(self, name, value)
        return context.window_manager.invoke_props_dialog(self, width=480, confirm_text="Generate")

    def draw(self, _context):
        column = self.layout.column()
        column.use_property_split = True
        for name in ("prompt", "expression", "expression_strength", "seed", "variation"):
            column.prop(self, name)

    def execute(self, context):
        try:
            choices = self.choices(context)
            if not choices["prompt"].strip() and not choices["random"]:
                raise PromptError('Write a description first, such as "a young woman with freckles, smiling"')
            prompt, settings = request(choices)
            recent.remember(prompt.text)
            place = session.Place(context.scene.name, tuple(context.scene.cursor.location))
            if self.interactive:
                session.start(prompt, settings, place)
            else:
                folder = session.run(prompt, settings, _report_progress(context))
                bpy.ops.cliphead.apply_result("EXEC_DEFAULT", True, folder=str(folder), location=place.location)
                if bpy.app.background:  # in a window the operator may be redone
                    session.discard(folder)
        except ClipHeadError as error:
            session.tell(str(error), failed=True)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def choices(self, context):
        """The operator's own values where the caller gave them, else the scene's."""
        scene = context.scene.cliphead
        return {name: getattr(self if self.properties.is_property_set(name) else scene, name) for name in CHOICES}


def _report_progress(context):
    """A progress callback that shows the stage's percentage on the mouse pointer, where there is one."""
    manager = context.window_manager
    return lambda _stage, fraction: manager.progress_update(100 * fraction)


class CLIPHEAD_OT_cancel(Polled, bpy.types.Operator):
    """Stop making the head, or take it off the queue"""

    bl_idname = "cliphead.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    job: bpy.props.IntProperty(
        name="Job", description="Number of the job; 0 is the one that is being made", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def obstacle(cls, _context):
        return "" if session.running() else t("No head is being made")

    def execute(self, _context):
        session.cancel(self.job)
        return {"FINISHED"}


class CLIPHEAD_OT_apply_result(Applies, bpy.types.Operator):
    """Place a finished head in the scene"""

    bl_idname = "cliphead.apply_result"
    bl_label = "Place Head"

    location: bpy.props.FloatVectorProperty(
        name="Location", description="Where the head's neck goes", subtype="TRANSLATION", options={"SKIP_SAVE"}
    )

    def execute(self, context):
        try:
            saved = load_head(self.folder)
            head = add_head(saved, context.collection, self.location)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        select_alone(context, head)
        return done(self, "Done", saved.warnings)


class CLIPHEAD_OT_unwrap_as_head(Starts, bpy.types.Operator):
    """Cut the selected mesh of a head at the back and unwrap it, face large and in the middle, as all heads here are"""

    bl_idname = "cliphead.unwrap_as_head"
    bl_label = "Unwrap as Head"
    bl_options = {"REGISTER"}  # the undo step is apply_unwrap's

    upright: bpy.props.BoolProperty(
        name="Upright, Facing -Y",
        description="The head stands upright in the scene and looks to -Y; otherwise this is found from its neck and shape",
    )

    @classmethod
    def obstacle(cls, context):
        obj = context.object
        if obj is None or obj.type != "MESH" or context.mode != "OBJECT":
            return t("Select a mesh in Object Mode")
        if not (obj.is_editable and obj.data.is_editable):
            return t("The mesh is linked from another file: make it local first")
        return t("A head is being made: wait for it or cancel it") if session.state.job is not None else ""

    def execute(self, context):
        obj = context.object
        place = session.Place(context.scene.name, (), "apply_unwrap", {"object": obj.name}) if self.interactive else None
        try:
            job = foreign.ask(obj, self.upright, place)
            if place is None:
                undo_step(bpy.ops.cliphead.apply_unwrap, folder=str(job.folder), object=obj.name)
        except ClipHeadError as error:
            return refuse(self, str(error))
        return {"FINISHED"}


class CLIPHEAD_OT_apply_unwrap(Applies, bpy.types.Operator):
    """Give a mesh the UV map and the seam that were found for it"""

    bl_idname = "cliphead.apply_unwrap"
    bl_label = "Unwrap as Head"

    object: bpy.props.StringProperty(name="Mesh", description="Name of its object", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, _context):
        try:
            obj = bpy.data.objects.get(self.object)
            if obj is None or obj.type != "MESH":
                raise ClipHeadError(f"The mesh '{self.object}' is gone: nothing was done.", "NO_HEAD")
            report = foreign.write_map(obj, self.folder)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return done(self, f"Unwrapped; the face has {report['face_share']:.0%} of the map", report["warnings"])


def add_menu(self, _context):
    """Entry of the Add > Mesh menu."""
    self.layout.operator(CLIPHEAD_OT_generate.bl_idname, text="Head from Text", icon="USER").ask = True
