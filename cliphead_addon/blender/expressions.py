"""Expressions on demand: shape keys by name, buttons that show one, words and face tracking as keyframes."""

import json

import bpy
import numpy as np
from bpy_extras.io_utils import ImportHelper
from mathutils import Euler

from ..engine.errors import ClipHeadError
from ..engine.expression_sets import ARKIT, NAMED, NEUTRAL, SETS
from ..engine.jobfiles import load_expressions, save_arrays
from ..engine.livelink import RATE, read_tracking
from . import icons, preferences, session
from .bases import InObjectMode, Polled, Starts, done, refuse
from .compat import undo_step
from .family import find_rig
from .head_object import read_recipe
from .jaw import follow_jaw
from .keyframes import write_curves
from .language import t
from .mesh import canonical_points
from .panels import SideBarPanel
from .properties import about_pack
from .shape_keys import add_shape_keys

SET_ITEMS = [
    ("named", "Named", "The expressions with a button: smile, laugh, sad and so on"),
    ("arkit", "ARKit", "Apple's face tracking shapes under their exact names, all but tongueOut: the heads have no tongue"),
    ("visemes", "Visemes", "The 15 mouth shapes of speech: sil, PP, FF, TH and so on"),
]
IS_NEUTRAL = "cliphead_neutral"  # custom property of heads known to need no key of that name
BONES = {"head": "head", "leftEye": "eye.L", "rightEye": "eye.R"}  # ARKit's parts -> bones of the rig


def find_head(obj):
    """The head that an object belongs to: itself, the head its hair or an eye hangs on, or the head of a rig; else None."""
    family = []
    while obj is not None:
        family.append(obj)
        obj = obj.parent
    for member in (*family, *(family[-1].children_recursive if family else ())):
        if member.type == "MESH" and read_recipe(member) is not None:
            return member
    return None


def missing_keys(head, names):
    """Those of the names that are no shape keys of the head yet."""
    keys = head.data.shape_keys
    return [name for name in names if keys is None or name not in keys.key_blocks]


def why_not_animated(head):
    """Why a head has neither expressions nor a rig to come, as a sentence; "" for one that can have them."""
    if head is None:
        return t("Select a head made by CLIP-Head")
    if not (head.is_editable and head.data.is_editable):
        return t("The head is linked from another file: make it local first")
    if canonical_points(head.data) is None:
        return t("The head was made by an older version: make it again from its recipe")
    return ""


class HeadOperator(Starts, InObjectMode):
    """An operator about the selected head."""

    @classmethod
    def obstacle(cls, context):
        if obstacle := why_not_animated(find_head(context.object)) or super().obstacle(context):
            return obstacle
        return t("The engine is busy: wait for it or cancel it") if session.state.job is not None else ""

    def place(self, context, operator, choices):
        """Where the engine's answer goes when a pressed button's job ends; None for a script, which waits."""
        return session.Place(context.scene.name, (), operator, choices) if self.interactive else None

    def express(self, context, head, operator, names=(), words=(), **choices):
        """`express` for this operator; -> its result."""
        place = self.place(context, operator, {"head": head.name, **choices})
        try:
            express(head, operator, names, words, place, **choices)
        except ClipHeadError as error:
            return refuse(self, str(error))
        return {"FINISHED"}


def express(head, operator, names=(), words=(), place=None, progress=None, **choices):
    """Have the engine compute shape keys that a head lacks, and weights for words; an operator takes them, as one undo step.

    operator: "apply_expressions" or another that takes the folder; choices: its other properties. place: a `session.Place`
    for when the engine is ready, or None to wait for it. Raises ClipHeadError.
    """
    names, folder = missing_keys(head, names), ""
    if names or words:
        if not head.get(IS_NEUTRAL):
            names += missing_keys(head, [NEUTRAL])
        folder = session.new_folder()
        save_arrays({"canonical": canonical_points(head.data)}, folder)
        session.about_head("express", own_recipe(head), folder, place, progress, names=names, words=list(words))
        if place is not None:
            return
    undo_step(getattr(bpy.ops.cliphead, operator), folder=str(folder), head=head.name, **choices)


def own_recipe(head):
    """A head's recipe. Raises ClipHeadError if the pack in use is not the one that the head was made with."""
    recipe = read_recipe(head)
    pack, made_with = about_pack(preferences.pack_folder())[0], recipe.get("pack", {}).get("name")
    if pack and pack != made_with:  # where it cannot be read, the engine says what is wrong with it
        raise ClipHeadError(
            f"This head was made with the pack '{made_with}', the pack in use is '{pack}'. Choose the head's pack in "
            "Edit > Preferences > Add-ons > CLIP-Head.",
            "BAD_PACK",
        )
    return recipe


class CLIPHEAD_OT_add_expressions(HeadOperator, bpy.types.Operator):
    """Add a set of expressions to the selected head as shape keys. The engine computes them in the background"""

    bl_idname = "cliphead.add_expressions"
    bl_label = "Add Expressions"
    bl_options = {"REGISTER"}  # the undo step is apply_expressions'

    kind: bpy.props.EnumProperty(name="Set", description="Which expressions", items=SET_ITEMS)

    @classmethod
    def description(cls, _context, properties):
        return next(text for name, _, text in SET_ITEMS if name == properties.kind) + ". The engine works in the background"

    def execute(self, context):
        head = find_head(context.object)
        return self.express(context, head, "apply_expressions", [name for name in SETS[self.kind] if name != NEUTRAL])


class CLIPHEAD_OT_show_expression(HeadOperator, bpy.types.Operator):
    """Put this expression on the selected head and take all others off"""

    bl_idname = "cliphead.show_expression"
    bl_label = "Show Expression"
    bl_options = {"REGISTER"}

    name: bpy.props.StringProperty(name="Expression", description="Its name", default=NEUTRAL)
    strength: bpy.props.FloatProperty(
        name="Intensity", description="1 is the expression as trained", default=1.0, min=0.0, max=2.0, soft_max=1.0
    )

    @classmethod
    def description(cls, _context, properties):
        return f"Put '{properties.name}' on the head and take all other expressions off"

    def execute(self, context):
        head = find_head(context.object)
        names = [self.name] if self.name != NEUTRAL or not head.get(IS_NEUTRAL) else []
        return self.express(context, head, "apply_expressions", names, show=self.name, strength=self.strength)


class CLIPHEAD_OT_keyframe_words(HeadOperator, bpy.types.Operator):
    """Set keyframes of the expression in the words at the current frame, on Apple's shape keys"""

    bl_idname = "cliphead.keyframe_words"
    bl_label = "Keyframe Expression"
    bl_options = {"REGISTER"}

    words: bpy.props.StringProperty(name="Words", description='An expression such as "a broad smile"; empty: the panel\'s')

    def execute(self, context):
        words = self.words or context.scene.cliphead_motion.words
        if not words.strip():
            return refuse(self, 'Write an expression first, such as "a broad smile"')
        frames = json.dumps([context.scene.frame_current])
        head = find_head(context.object)
        return self.express(context, head, "apply_words", ARKIT, [words], frames=frames)


class CLIPHEAD_OT_animate_words(HeadOperator, bpy.types.Operator):
    """Turn the list of frames and words into an animation of the selected head"""

    bl_idname = "cliphead.animate_words"
    bl_label = "Animate List"
    bl_options = {"REGISTER"}

    lines: bpy.props.StringProperty(
        name="Lines", description='Frames and words as JSON, such as [[1, "neutral"], [20, "smile"]]; empty: the panel\'s list'
    )

    def execute(self, context):
        try:
            pairs = read_lines(self.lines) if self.lines else [(line.frame, line.words) for line in lines_of(context)]
        except ClipHeadError as error:
            return refuse(self, str(error))
        pairs = sorted((frame, words) for frame, words in pairs if words.strip())
        if not pairs:
            return refuse(self, "Add lines to the list first: a frame and an expression in words")
        frames, words = zip(*pairs, strict=True)
        head = find_head(context.object)
        return self.express(context, head, "apply_words", ARKIT, words, frames=json.dumps(frames))


def read_lines(text):
    """JSON text -> list of (frame, words). Raises ClipHeadError."""
    try:
        return [(int(frame), str(words)) for frame, words in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise ClipHeadError(
            f'Frames and words are to be given as [[1, "neutral"], [20, "smile"]]; this is not: {error}', "BAD_LINES"
        ) from error


class CLIPHEAD_OT_import_tracking(HeadOperator, ImportHelper, bpy.types.Operator):
    """Import face tracking recorded by Live Link Face (.csv) as keyframes of the selected head, at the scene's frame rate"""

    bl_idname = "cliphead.import_tracking"
    bl_label = "Import Face Tracking"
    bl_options = {"REGISTER"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    start: bpy.props.IntProperty(name="Start Frame", description="Where the recording begins", default=1)
    rate: bpy.props.FloatProperty(
        name="Recorded At", description="Frames per second of the recording's timecodes", default=RATE, min=1.0, max=240.0
    )

    def invoke(self, context, event):
        self.interactive = not bpy.app.background
        return ImportHelper.invoke(self, context, event)

    def execute(self, context):
        try:
            read_tracking(self.filepath, self.rate)  # a bad file is refused before the engine works
        except ClipHeadError as error:
            return refuse(self, str(error))
        head = find_head(context.object)
        choices = {"filepath": self.filepath, "start": self.start, "rate": self.rate}
        return self.express(context, head, "apply_tracking", ARKIT, **choices)


class ApplyOperator(InObjectMode):
    """The second half of an operator: takes what the engine computed into the scene, as one undo step."""

    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    folder: bpy.props.StringProperty(
        name="Job Folder",
        description="Folder of the engine's answer; empty if none was needed",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    head: bpy.props.StringProperty(name="Head", description="Name of its object", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context):
        try:
            head = bpy.data.objects.get(self.head)
            if head is None or canonical_points(head.data) is None:
                raise ClipHeadError(f"The head '{self.head}' is gone: nothing was changed.", "NO_HEAD")
            moves, weights, warnings = load_expressions(self.folder) if self.folder else ({}, [], [])
            if moves and len(next(iter(moves.values()))) != len(head.data.vertices):
                raise ClipHeadError(f"The mesh of '{self.head}' was changed meanwhile: nothing was done. Try again.", "NO_HEAD")
            add_shape_keys(head, moves)
            if moves and find_rig(head) is not None:
                follow_jaw(head, find_rig(head))
            if self.folder and missing_keys(head, [NEUTRAL]):
                head[IS_NEUTRAL] = True  # it was asked for, and the head does not need it
            said = self.apply(context, head, weights) or f"{len(moves)} shape keys added"
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return done(self, said, warnings)


class CLIPHEAD_OT_apply_expressions(ApplyOperator, bpy.types.Operator):
    """Add computed shape keys to a head and show one of them"""

    bl_idname = "cliphead.apply_expressions"
    bl_label = "Expressions"

    show: bpy.props.StringProperty(name="Show", description="Expression to put on the head", options={"SKIP_SAVE"})
    strength: bpy.props.FloatProperty(name="Intensity", description="Of the expression shown", default=1.0, min=0.0, max=2.0)

    def apply(self, context, head, _weights):
        if not self.show:
            return None
        values = {} if self.show == NEUTRAL else {self.show: self.strength}
        set_values(head, values)
        if context.tool_settings.use_keyframe_insert_auto and head.data.shape_keys is not None:
            key_values(head, context.scene.frame_current)
        return f"Shown: {self.show}"


class CLIPHEAD_OT_apply_words(ApplyOperator, bpy.types.Operator):
    """Set keyframes for expressions in words"""

    bl_idname = "cliphead.apply_words"
    bl_label = "Keyframe Expression"

    frames: bpy.props.StringProperty(
        name="Frames", description="JSON list, one per sentence; empty shows the words without keyframes", options={"SKIP_SAVE"}
    )
    strength: bpy.props.FloatProperty(name="Intensity", description="Of the expressions", default=1.0, min=0.0, max=2.0)

    def apply(self, context, head, weights):
        frames = json.loads(self.frames or "[]")
        weights = [{name: self.strength * value for name, value in weight.items()} for weight in weights]
        if not frames:
            set_values(head, weights[0])
            return "Shown"
        write_values(head, frames, {name: [weight.get(name, 0.0) for weight in weights] for name in ARKIT})
        set_values(head, weights[-1] if len(frames) == 1 else {})
        context.scene.frame_set(context.scene.frame_current)
        return f"Expression keyed at frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} expressions keyed"


class CLIPHEAD_OT_apply_tracking(ApplyOperator, bpy.types.Operator):
    """Set keyframes for recorded face tracking"""

    bl_idname = "cliphead.apply_tracking"
    bl_label = "Import Face Tracking"

    filepath: bpy.props.StringProperty(name="File", description="The .csv file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    start: bpy.props.IntProperty(name="Start Frame", description="Where the recording begins", default=1)
    rate: bpy.props.FloatProperty(name="Recorded At", description="Frames per second of its timecodes", default=RATE)

    def apply(self, context, head, _weights):
        scene = context.scene
        tracking = read_tracking(self.filepath, self.rate)
        fps = scene.render.fps / scene.render.fps_base
        frames = np.arange(int(np.floor(tracking.times[-1] * fps + 1e-6)) + 1)
        tracking = tracking.at(frames / fps)
        frames = frames + self.start
        write_values(head, frames, {name: value for name, value in tracking.weights.items() if name in ARKIT}, "LINEAR")
        rig = find_rig(head)
        if rig is not None:
            for part, angles in tracking.rotations.items():
                if BONES[part] in rig.pose.bones:
                    turn_bone(rig, BONES[part], frames, angles)
        scene.frame_set(scene.frame_current)
        without = " (the head has no rig for the rotations)" if rig is None and tracking.rotations else ""
        return f"{len(frames)} frames of face tracking from frame {self.start}{without}"


def set_values(head, values):
    """Show expressions by weight, name -> value, and no others; a head made with an expression is taken back to neutral."""
    if head.data.shape_keys is None:
        return
    for key in head.data.shape_keys.key_blocks[1:]:
        if key.name == NEUTRAL:
            key.value = 1.0
        elif key.name in (*ARKIT, *NAMED, *SETS["visemes"]):
            value = values.get(key.name, 0.0)
            key.slider_max = max(key.slider_max, value)
            key.value = value


def key_values(head, frame):
    """Keyframes of all shape keys as they are."""
    for key in head.data.shape_keys.key_blocks[1:]:
        key.keyframe_insert("value", frame=frame)


def write_values(head, frames, values, interpolation="BEZIER"):
    """Keyframes of shape keys: values by name (N,) at frames (N,); what was keyed between these frames is replaced."""
    keys = head.data.shape_keys
    curves = {(f'key_blocks["{name}"].value', 0): value for name, value in values.items() if name in keys.key_blocks}
    if NEUTRAL in keys.key_blocks:
        curves[f'key_blocks["{NEUTRAL}"].value', 0] = np.ones(len(frames))
    write_curves(keys, frames, curves, interpolation)


def turn_bone(rig, bone, frames, angles):
    """Keyframes of a bone's rotation: angles (N,3) radians about up, left and front of the head, at frames (N,)."""
    pose = rig.pose.bones[bone]
    pose.rotation_mode = "QUATERNION"
    rest = pose.bone.matrix_local.to_quaternion()
    turns, last = [], None
    for yaw, pitch, roll in angles:
        # the scene's axes: up is +Z, the head's left +X, its front -Y
        turn = Euler((pitch, -roll, yaw), "YXZ").to_quaternion()
        turn = rest.inverted() @ turn @ rest
        if last is not None:
            turn.make_compatible(last)
        turns.append(turn)
        last = turn
    path = f'pose.bones["{bone}"].rotation_quaternion'
    write_curves(rig, frames, {(path, i): [turn[i] for turn in turns] for i in range(4)}, "LINEAR")


class CLIPHEAD_PG_line(bpy.types.PropertyGroup):
    """One line of the animation list."""

    frame: bpy.props.IntProperty(name="Frame", description="When the face shows these words", default=1)
    words: bpy.props.StringProperty(name="Words", description='An expression such as "a broad smile", or a name')


class CLIPHEAD_PG_motion(bpy.types.PropertyGroup):
    """The panel's settings for animation, one set per scene."""

    strength: bpy.props.FloatProperty(
        name="Intensity",
        description="Of the expression that a button shows",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_max=1.0,
        subtype="FACTOR",
    )
    words: bpy.props.StringProperty(name="Expression", description='An expression in words, such as "a broad smile"')
    lines: bpy.props.CollectionProperty(
        type=CLIPHEAD_PG_line, name="Lines", description="The animation: expressions in words, each with its frame"
    )
    active: bpy.props.IntProperty(name="Line", description="The line that is selected")
    eyes: bpy.props.BoolProperty(
        name="Eyeballs", description="A rig opens the skin between the lids and sets eyeballs in", default=True
    )
    mouth: bpy.props.BoolProperty(name="Teeth and Tongue", description="A rig comes with teeth and a tongue", default=True)


def lines_of(context):
    return context.scene.cliphead_motion.lines


class CLIPHEAD_OT_add_line(bpy.types.Operator):
    """Add a line for the current frame to the animation list, with the words of the field above"""

    bl_idname = "cliphead.add_line"
    bl_label = "Add Line"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        motion = context.scene.cliphead_motion
        line = motion.lines.add()
        line.frame, line.words = context.scene.frame_current, motion.words
        motion.active = len(motion.lines) - 1
        return {"FINISHED"}


class CLIPHEAD_OT_remove_line(Polled, bpy.types.Operator):
    """Remove the selected line from the animation list"""

    bl_idname = "cliphead.remove_line"
    bl_label = "Remove Line"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def obstacle(cls, context):
        return "" if lines_of(context) else t("The list is empty")

    def execute(self, context):
        motion = context.scene.cliphead_motion
        motion.lines.remove(min(motion.active, len(motion.lines) - 1))
        motion.active = max(0, min(motion.active, len(motion.lines) - 1))
        return {"FINISHED"}


class CLIPHEAD_UL_lines(bpy.types.UIList):
    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_name):
        row = layout.split(factor=0.28)
        row.prop(item, "frame", text="", emboss=False)
        row.prop(item, "words", text="", emboss=False)


class ChildPanel(SideBarPanel):
    bl_parent_id = "CLIPHEAD_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return find_head(context.object) is not None


class CLIPHEAD_PT_expressions(ChildPanel, bpy.types.Panel):
    bl_label = "Expressions"

    def draw(self, context):
        motion = context.scene.cliphead_motion
        layout = self.layout
        layout.prop(motion, "strength", slider=True)
        columns = max(2, min(6, int(context.region.width / context.preferences.system.ui_scale / 88)))
        grid = layout.grid_flow(row_major=True, columns=columns, even_columns=True, even_rows=True, align=True)
        for name in (NEUTRAL, *NAMED):
            cell = grid.column(align=True)
            cell.template_icon(icon_value=icons.icon(name), scale=2.3)
            button = cell.operator(CLIPHEAD_OT_show_expression.bl_idname, text=name.capitalize())
            button.name, button.strength = name, motion.strength
        layout.label(text="Add as Shape Keys")
        row = layout.row(align=True)
        for kind, label, _ in SET_ITEMS:
            row.operator(CLIPHEAD_OT_add_expressions.bl_idname, text=label).kind = kind


class CLIPHEAD_PT_animation(ChildPanel, bpy.types.Panel):
    bl_label = "Animation"

    def draw(self, context):
        motion = context.scene.cliphead_motion
        layout = self.layout
        row = layout.row(align=True)
        row.prop(motion, "words", text="", placeholder="Expression in words")
        row.operator(CLIPHEAD_OT_keyframe_words.bl_idname, text="", icon="KEY_HLT")
        row = layout.row()
        row.template_list("CLIPHEAD_UL_lines", "", motion, "lines", motion, "active", rows=4)
        buttons = row.column(align=True)
        buttons.operator(CLIPHEAD_OT_add_line.bl_idname, text="", icon="ADD")
        buttons.operator(CLIPHEAD_OT_remove_line.bl_idname, text="", icon="REMOVE")
        layout.operator(CLIPHEAD_OT_animate_words.bl_idname, icon="ACTION")
        layout.operator(CLIPHEAD_OT_import_tracking.bl_idname, icon="IMPORT")


CLASSES = (
    CLIPHEAD_PG_line,
    CLIPHEAD_PG_motion,
    CLIPHEAD_OT_add_expressions,
    CLIPHEAD_OT_show_expression,
    CLIPHEAD_OT_keyframe_words,
    CLIPHEAD_OT_animate_words,
    CLIPHEAD_OT_import_tracking,
    CLIPHEAD_OT_apply_expressions,
    CLIPHEAD_OT_apply_words,
    CLIPHEAD_OT_apply_tracking,
    CLIPHEAD_OT_add_line,
    CLIPHEAD_OT_remove_line,
    CLIPHEAD_UL_lines,
    CLIPHEAD_PT_expressions,
    CLIPHEAD_PT_animation,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register():
    _register_classes()
    bpy.types.Scene.cliphead_motion = bpy.props.PointerProperty(type=CLIPHEAD_PG_motion)


def unregister():
    icons.close()
    del bpy.types.Scene.cliphead_motion
    _unregister_classes()
