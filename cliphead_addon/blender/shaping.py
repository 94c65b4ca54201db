"""Shaping after generation: sliders on the selected head, heads blended, and rows of heads that vary.

The head's recipe is the only truth about its sliders. While a slider moves, what is asked for lives in `state` alone: a preview
moves the vertices within a moment, and when nothing more is asked the head is rebuilt and recipe, mesh and one undo step are
written together. Undoing in between takes the preview back first.
"""

import json
import random
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache

import bpy
from bpy.app.handlers import persistent

from ..engine import recipes
from ..engine.errors import ClipHeadError
from ..engine.jobfiles import load_rig, load_shaped, save_arrays
from ..engine.sliders import ENDS, GROUPS, LIMIT
from ..engine.stages import Prompt
from . import preferences, reshaping, session
from .bases import MakesHeads, OfRecipe, Starts
from .compat import undo_step
from .expressions import find_head
from .family import find_rig
from .german import SLIDER
from .head_object import RECIPE, read_recipe
from .language import t
from .mesh import canonical_points
from .panels import SideBarPanel, draw_text
from .properties import about_pack, names_in_pack
from .rig import refit_rig
from .session import Place

TICK = 0.05  # seconds
SPACING = 0.32  # metres between heads side by side
ROWS = 10  # of sliders at a time: the panel is to fit a laptop's screen


@dataclass
class Shaping:
    asked: dict = field(default_factory=dict)  # object's name -> its sliders as they are to be
    dirty: dict = field(default_factory=dict)  # names whose preview is behind; a dict keeps their order
    due: dict = field(default_factory=dict)  # names that are to be rebuilt
    kept: dict = field(default_factory=dict)  # name -> `reshaping.keep` from before its previews
    flight: tuple | None = None  # name, "preview" or "rebuild", and number of the job under way


state = Shaping()


def why_not_shaped(obj):
    """Why an object has no sliders, as a sentence; "" for one that has."""
    recipe = read_recipe(obj)
    if recipe is None:
        return t("Select a head that CLIP-Head has made")
    name, sliders = about_pack(preferences.pack_folder())
    made_with = recipe.get("pack", {}).get("name")
    if made_with != name:
        return t("This head was made with the model pack '{pack}'. Choose it in the preferences", pack=made_with)
    if not sliders:
        return t("The model pack '{pack}' has no sliders", pack=name)
    if canonical_points(obj.data) is None:
        return t("This head is from an earlier version: use Make Again first")
    if not (obj.is_editable and obj.data.is_editable):
        return t("The head is linked from another file: make it local first")
    if obj.mode != "OBJECT":
        return t("Go to Object Mode first")
    return ""


def sliders_of(obj):
    """What an object's sliders show: name -> deviations, those at zero left out."""
    if obj is None:
        return {}
    return state.asked[obj.name] if obj.name in state.asked else _stored_sliders(obj.get(RECIPE))


@lru_cache(maxsize=8)  # the panel asks for every slider
def _stored_sliders(text):
    try:
        return json.loads(text)["prompt"].get("sliders", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def moved(sliders, changes):
    """Sliders with some set to other values, rounded as recipes keep them -> those that are not at zero"""
    both = sliders | {name: round(float(value), 3) for name, value in changes.items()}
    return {name: value for name, value in both.items() if value}


def checked(sliders):
    """The same sliders, of which the pack knows all. Raises ClipHeadError."""
    names = about_pack(preferences.pack_folder())[1]
    for name, value in sliders.items():
        if name not in names:
            raise ClipHeadError(f"There is no attribute '{name}'. Choose one of: {', '.join(names)}.", "NO_SLIDER")
        if not abs(value) <= LIMIT:
            raise ClipHeadError(f"'{name}' cannot be {value:g}: sliders go from {-LIMIT:g} to {LIMIT:g}.", "BAD_SETTING")
    return sliders


def ask(obj, sliders):
    """Let an object's sliders become these; returns at once."""
    state.asked[obj.name] = sliders
    state.dirty[obj.name] = True
    state.due.pop(obj.name, None)
    _keep_going()


def shape(obj, sliders, progress=None):
    """As `ask`, and wait until it is done, as one undo step. Raises ClipHeadError."""
    if problem := why_not_shaped(obj):
        raise ClipHeadError(problem + ".", "NOT_SHAPED")
    rig = find_rig(obj) is not None
    job = session.about_head("reshape", _recipe(obj, sliders), session.new_folder(), progress=progress, before=None, rig=rig)
    undo_step(bpy.ops.cliphead.apply_shape, folder=str(job.folder), object=obj.name, sliders=json.dumps(sliders))


def _keep_going():
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=0.0, persistent=True)


def pump():
    """The timer that has what is asked for done, one job after another; None ends it."""
    if session.state.job is not None:
        if state.flight is not None and state.flight[1] == "rebuild" and state.flight[0] in state.dirty:
            session.cancel(state.flight[2])
        return TICK
    if state.flight is not None:  # its job has ended and nothing was applied
        name = state.flight[0]
        state.flight = None
        if name not in state.dirty:
            forget(name)
    try:
        if state.dirty:
            _start_preview(next(iter(state.dirty)))
        elif state.due:
            _start_rebuild(next(iter(state.due)))
        else:
            return None
    except ClipHeadError as error:
        for name in [*state.dirty, *state.due]:
            forget(name)
        session.tell(str(error), failed=True)
    return TICK


def _start_preview(name):
    state.dirty.pop(name)
    obj = bpy.data.objects.get(name)
    if why_not_shaped(obj):
        forget(name)
        return
    folder = session.new_folder()
    save_arrays(reshaping.arrays_of(obj), folder)
    before = state.kept[name].sliders if name in state.kept else _stored_sliders(obj.get(RECIPE))
    _start(obj, folder, "preview", before=before)


def _start_rebuild(name):
    state.due.pop(name)
    obj = bpy.data.objects.get(name)
    if why_not_shaped(obj):
        forget(name)
        return
    _start(obj, session.new_folder(), "rebuild", before=None, rig=find_rig(obj) is not None)


def _start(obj, folder, level, **fields):
    sliders = state.asked[obj.name]
    operator = "apply_preview" if level == "preview" else "apply_shape"
    place = Place(bpy.context.scene.name, (), operator, {"object": obj.name, "sliders": json.dumps(sliders)})
    state.flight = obj.name, level, 0
    job = session.about_head("reshape", _recipe(obj, sliders), folder, place, **fields)
    state.flight = obj.name, level, job.id


def _recipe(obj, sliders):
    """A head's recipe with other sliders, and with the shape keys that it has by now."""
    prompt, settings = recipes.choices(read_recipe(obj))
    known = names_in_pack(preferences.pack_folder())
    keys = obj.data.shape_keys.key_blocks.keys() if obj.data.shape_keys is not None else ()
    settings = replace(settings, shape_keys=tuple(name for name in keys if name in known and name != "neutral"))
    return {"prompt": asdict(replace(prompt, sliders=sliders)), "settings": asdict(settings)}


def forget(name):
    """Give up what is asked of a head; its preview goes back to what its recipe says."""
    for table in (state.asked, state.dirty, state.due):
        table.pop(name, None)
    kept, obj = state.kept.pop(name, None), bpy.data.objects.get(name)
    if kept is not None and obj is not None and obj.type == "MESH":
        reshaping.put_back(obj, kept)


@persistent
def _before_undo(*_):
    for name in list(state.asked):
        forget(name)
    if state.flight is not None:
        session.cancel(state.flight[2])


@persistent
def _before_load(*_):
    state.__init__()


class ApplyShape:
    """What previews and rebuilt heads have in common."""

    folder: bpy.props.StringProperty(
        name="Job Folder", description="Folder of a shaped head", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    object: bpy.props.StringProperty(name="Head", description="The object it belongs to", options={"HIDDEN", "SKIP_SAVE"})
    sliders: bpy.props.StringProperty(
        name="Sliders", description="What it was made with, as JSON", options={"HIDDEN", "SKIP_SAVE"}
    )

    def execute(self, context):
        head = context.scene.objects.get(self.object)
        state.flight = None
        try:
            if problem := why_not_shaped(head):
                raise ClipHeadError(problem)
            self.apply(context, head, *load_shaped(self.folder), json.loads(self.sliders))
        except ClipHeadError as error:
            forget(self.object)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class CLIPHEAD_OT_apply_preview(ApplyShape, bpy.types.Operator):
    """Show where a head's vertices go while its sliders move"""

    bl_idname = "cliphead.apply_preview"
    bl_label = "Preview Shape"
    bl_options = {"INTERNAL"}  # no undo step: the rebuilt head makes it

    def apply(self, _context, head, arrays, _attributes, sliders):
        session.discard(self.folder)
        name = head.name
        if name not in state.asked:  # taken back meanwhile
            return
        if name not in state.kept:
            state.kept[name] = reshaping.keep(head)
        reshaping.place(head, arrays)
        state.kept[name].sliders = sliders
        if name not in state.dirty:
            state.due[name] = True
        _keep_going()


class CLIPHEAD_OT_apply_shape(ApplyShape, bpy.types.Operator):
    """Give a head the shape that its sliders ask for"""

    bl_idname = "cliphead.apply_shape"
    bl_label = "Shape Head"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def apply(self, context, head, arrays, attributes, sliders):
        if find_rig(head) is None:
            reshaping.place(head, arrays)
        else:
            refit_rig(context, head, lambda: reshaping.place(head, arrays), *load_rig(self.folder))
        recipe = read_recipe(head)
        recipe["prompt"]["sliders"], recipe["attributes"] = sliders, attributes
        head[RECIPE] = json.dumps(recipe)
        state.kept.pop(head.name, None)
        if head.name not in state.dirty:
            state.asked.pop(head.name, None)


def variations(recipe, at_random, count, seed=0, keep=()):
    """Prompts for heads like a recipe's, or for random ones, and their settings. Raises ClipHeadError.

    seed: of the first; 0 goes on from the recipe's, or draws one. keep: names of attributes that stay as they are.
    """
    prompt, settings = recipes.choices(recipe)
    seed = seed or (random.randrange(1, 2**30) if at_random else prompt.seed + 1)
    values = recipe.get("attributes", {})
    missing = [name for name in keep if name not in values]
    if missing:
        raise ClipHeadError(f"Attribute '{missing[0]}' of this head is not known, so it cannot be kept.", "NO_SLIDER")
    while prompt.mix:  # a blend has no words of its own: the nearer head's
        prompt = Prompt(**prompt.mix["from" if prompt.mix["share"] < 0.5 else "to"])
    locks = {name: values[name] for name in keep}
    look = {name: value for name, value in prompt.look.items() if name != "seed"}
    prompt = replace(prompt, sliders={}, locks=locks, random=at_random or prompt.random, look=look)
    return [replace(prompt, seed=(seed + i) % recipes.SEED_LIMIT) for i in range(count)], settings


def blended(recipe, other, share):
    """The Prompt of a head between those of two recipes; share: of the second, 0 to 1."""
    (first, _), (second, _) = recipes.choices(recipe), recipes.choices(other)
    mix = {"from": asdict(first), "to": asdict(second), "share": round(float(share), 4)}
    return Prompt(first.text or second.text, first.seed, mix=mix)


class OfShapedHead(Starts):
    """Operators on a head that has sliders."""

    @classmethod
    def obstacle(cls, context):
        return why_not_shaped(find_head(context.object))

    def execute(self, context):
        try:
            head = find_head(context.object)
            sliders = self.wanted(head)
            if self.interactive:
                ask(head, sliders)
            else:
                shape(head, sliders)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def _slider_names(_self, _context, typed):
    return [name for name in about_pack(preferences.pack_folder())[1] if typed.lower() in name]


class CLIPHEAD_OT_shape(OfShapedHead, bpy.types.Operator):
    """Change one attribute of the selected head; texture, UV map and the other attributes stay"""

    bl_idname = "cliphead.shape"
    bl_label = "Shape Head"
    bl_options = {"REGISTER"}  # no undo step: the shape arrives later, through apply_shape

    attribute: bpy.props.StringProperty(
        name="Attribute", description='What to change, such as "nose width"', search=_slider_names
    )
    value: bpy.props.FloatProperty(
        name="Value",
        description="Standard deviations of the population away from the head as it was generated",
        min=-LIMIT,
        max=LIMIT,
        soft_min=-3,
        soft_max=3,
    )

    def wanted(self, head):
        return moved(sliders_of(head), checked({self.attribute: self.value}))


class CLIPHEAD_OT_reset_shape(OfShapedHead, bpy.types.Operator):
    """Set sliders back to zero, where the head is as it was generated"""

    bl_idname = "cliphead.reset_shape"
    bl_label = "Reset"
    bl_options = {"REGISTER"}

    attribute: bpy.props.StringProperty(
        name="Attribute", description="The slider to reset; empty resets them all", search=_slider_names
    )

    @classmethod
    def obstacle(cls, context):
        if obstacle := super().obstacle(context):
            return obstacle
        return "" if sliders_of(find_head(context.object)) else t("All sliders are at zero")

    def wanted(self, head):
        return moved(sliders_of(head), {self.attribute: 0}) if self.attribute else {}


class FromSelected(MakesHeads):
    """An operator that makes heads beside the selected one: heads(context) gives their prompts and settings."""

    @classmethod
    def obstacle(cls, context):
        return OfRecipe.obstacle(context) or super().obstacle(context)

    def wanted(self, context):
        prompts, settings = self.heads(context)
        x, y, z = context.object.matrix_world.translation  # of a rigged head, the rig has the location
        places = [Place(context.scene.name, (x + SPACING * i, y, z)) for i in range(1, len(prompts) + 1)]
        return prompts, settings, places


class CLIPHEAD_OT_make_again(FromSelected, bpy.types.Operator):
    """Make the selected head again from its recipe: the same geometry and texture, beside it"""

    bl_idname = "cliphead.make_again"
    bl_label = "Make Again"
    bl_options = {"REGISTER"}

    def heads(self, context):
        prompt, settings = recipes.choices(read_recipe(context.object))
        return [prompt], settings


class CLIPHEAD_OT_vary(FromSelected, bpy.types.Operator):
    """Make several heads in a row beside the selected one; locked attributes are kept"""

    bl_idname = "cliphead.vary"
    bl_label = "Variations"
    bl_options = {"REGISTER"}

    kind: bpy.props.EnumProperty(
        name="Kind",
        description="What the new heads have in common with the selected one",
        items=[
            ("SEEDS", "Variations", "Other seeds of the same description"),
            ("RANDOM", "Random", "Any heads of the model pack; the description only guides the texture"),
        ],
    )
    count: bpy.props.IntProperty(name="Count", description="How many heads to make", default=3, min=1, max=20)
    seed: bpy.props.IntProperty(
        name="First Seed",
        description="Seed of the first head, the others follow; 0 goes on from the selected head's own, or draws one",
        min=0,
        max=2**31 - 1,
    )
    locked: bpy.props.StringProperty(
        name="Locked", description="Attributes to keep, separated by commas; empty takes those locked in the panel"
    )

    def heads(self, context):
        names = [name.strip() for name in self.locked.split(",") if name.strip()] or locked(context)
        return variations(read_recipe(context.object), self.kind == "RANDOM", self.count, self.seed, names)


class CLIPHEAD_OT_blend(FromSelected, bpy.types.Operator):
    """Make a head between the two selected ones, beside the active one"""

    bl_idname = "cliphead.blend"
    bl_label = "Blend"
    bl_options = {"REGISTER"}

    share: bpy.props.FloatProperty(
        name="Share", description="How much of the other head: 0 none, 1 all", default=0.5, min=0, max=1, subtype="FACTOR"
    )
    other: bpy.props.StringProperty(name="Other Head", description="Name of the other head; empty takes the other selected one")

    @classmethod
    def obstacle(cls, context):
        if obstacle := super().obstacle(context):
            return obstacle
        others = any(obj != context.object and read_recipe(obj) is not None for obj in context.scene.objects)
        return "" if others else t("There is only one head in the scene: make another")

    def heads(self, context):
        other = context.scene.objects.get(self.other) if self.other else _other_head(context)
        if read_recipe(other) is None:
            what = f"'{self.other}' is not a head that CLIP-Head has made." if self.other else "Select two heads to blend."
            raise ClipHeadError(what, "NOT_A_HEAD")
        return [blended(read_recipe(context.object), read_recipe(other), self.share)], recipes.choices(
            read_recipe(context.object)
        )[1]


def _other_head(context):
    others = [obj for obj in context.selected_objects if obj != context.object and read_recipe(obj) is not None]
    return others[0] if len(others) == 1 else None


def property_of(name):
    """An attribute's name as a Python name."""
    return name.replace(" ", "_")


def locked(context):
    """Names of the attributes that are locked in the panel and known to the model pack."""
    locks = context.window_manager.cliphead_locks
    return [name for name in about_pack(preferences.pack_folder())[1] if name in ENDS and getattr(locks, property_of(name))]


def _slider(name):
    """A slider's property: it reads the recipe of the selected head, and asks for another shape when it is moved."""

    def get(_self):
        return float(sliders_of(find_head(bpy.context.object)).get(name, 0.0))

    def set_(_self, value):
        head = find_head(bpy.context.object)
        if not why_not_shaped(head):
            ask(head, moved(sliders_of(head), {name: value}))

    low, high = ENDS[name]
    return bpy.props.FloatProperty(
        name=name.title(),
        description=SLIDER.format(low=low.capitalize(), high=high),
        min=-LIMIT,
        max=LIMIT,
        soft_min=-3,
        soft_max=3,
        precision=2,
        step=10,
        get=get,
        set=set_,
    )


def _lock(name):
    return bpy.props.BoolProperty(
        name=f"Lock {name.title()}", description="Keep this attribute in variations and random heads", default=False
    )


class CLIPHEAD_PG_sliders(bpy.types.PropertyGroup):
    """The sliders of the selected head: nothing of it is stored, so that moving one is no undo step of its own."""

    __annotations__ = {property_of(name): _slider(name) for name in ENDS}


class CLIPHEAD_PG_locks(bpy.types.PropertyGroup):
    """Attributes that variations and random heads keep."""

    __annotations__ = {property_of(name): _lock(name) for name in ENDS}


class CLIPHEAD_PG_shaping(bpy.types.PropertyGroup):
    """What the panels of shaping show, and the choices of their buttons."""

    group: bpy.props.EnumProperty(
        name="Group",
        description="Which attributes are shown",
        items=[(name, name, f"Attributes of the group {name}") for name in GROUPS],
        default="Nose",
    )
    search: bpy.props.StringProperty(
        name="Search", description="Show attributes whose names contain these letters", options={"TEXTEDIT_UPDATE"}
    )
    count: bpy.props.IntProperty(name="Count", description="How many heads to make in a row", default=3, min=1, max=20)
    share: bpy.props.FloatProperty(
        name="Share",
        description="How much of the other selected head goes into the blend",
        default=0.5,
        min=0,
        max=1,
        subtype="FACTOR",
    )


class CLIPHEAD_PT_shape(SideBarPanel, bpy.types.Panel):
    bl_label = "Shape"
    bl_order = 20

    @classmethod
    def poll(cls, context):
        return find_head(context.object) is not None

    def draw(self, context):
        column, manager, head = self.layout.column(), context.window_manager, find_head(context.object)
        if problem := why_not_shaped(head):
            draw_text(context, column, problem, "INFO")
            return
        choices = manager.cliphead_shaping
        column.prop(choices, "search", text="", icon="VIEWZOOM", placeholder="Search")
        letters = choices.search.strip().lower()
        if not letters:
            column.prop(choices, "group", text="")
        shown = [name for name in ENDS if letters in name] if letters else list(GROUPS[choices.group])
        known, moved_now = about_pack(preferences.pack_folder())[1], sliders_of(head)
        rows = column.column(align=True)
        shown = [name for name in shown if name in known]
        for name in shown[:ROWS]:
            row = rows.row(align=True)
            row.prop(manager.cliphead_sliders, property_of(name), slider=True)
            locks, lock = manager.cliphead_locks, property_of(name)
            row.prop(locks, lock, text="", icon="LOCKED" if getattr(locks, lock) else "UNLOCKED")
            reset = row.row(align=True)
            reset.enabled = name in moved_now
            reset.operator(CLIPHEAD_OT_reset_shape.bl_idname, text="", icon="LOOP_BACK").attribute = name
        if not shown:
            rows.label(text="No attribute has this name")
        if len(shown) > ROWS:
            rows.label(text=t("{count} more: type more letters", count=len(shown) - ROWS))
        column.operator(CLIPHEAD_OT_reset_shape.bl_idname, text="Reset All", icon="LOOP_BACK")


class CLIPHEAD_PT_vary(SideBarPanel, bpy.types.Panel):
    bl_label = "Vary and Blend"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 21

    @classmethod
    def poll(cls, context):
        return read_recipe(context.object) is not None

    def draw(self, context):
        column, choices = self.layout.column(), context.window_manager.cliphead_shaping
        column.operator(CLIPHEAD_OT_make_again.bl_idname, icon="FILE_REFRESH")
        column.separator()
        column.prop(choices, "count")
        row = column.row(align=True)
        for kind, icon in (("SEEDS", "PARTICLES"), ("RANDOM", "MOD_NOISE")):
            button = row.operator(CLIPHEAD_OT_vary.bl_idname, text={"SEEDS": "Variations", "RANDOM": "Random"}[kind], icon=icon)
            button.kind, button.count = kind, choices.count
        names = locked(context)
        if names:
            draw_text(context, column, t("Locked: {names}", names=", ".join(t(name.title()) for name in names)), "LOCKED")
        column.separator()
        column.prop(choices, "share")
        column.operator(CLIPHEAD_OT_blend.bl_idname, icon="AUTOMERGE_ON").share = choices.share


CLASSES = (
    CLIPHEAD_PG_sliders,
    CLIPHEAD_PG_locks,
    CLIPHEAD_PG_shaping,
    CLIPHEAD_OT_apply_preview,
    CLIPHEAD_OT_apply_shape,
    CLIPHEAD_OT_shape,
    CLIPHEAD_OT_reset_shape,
    CLIPHEAD_OT_make_again,
    CLIPHEAD_OT_vary,
    CLIPHEAD_OT_blend,
    CLIPHEAD_PT_shape,
    CLIPHEAD_PT_vary,
)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)
PROPERTIES = {
    "cliphead_sliders": CLIPHEAD_PG_sliders,
    "cliphead_locks": CLIPHEAD_PG_locks,
    "cliphead_shaping": CLIPHEAD_PG_shaping,
}


def register():
    _register_classes()
    # On the window manager, as what belongs to the window and not to the file: changes are no undo steps.
    for name, group in PROPERTIES.items():
        setattr(bpy.types.WindowManager, name, bpy.props.PointerProperty(type=group))
    bpy.app.handlers.undo_pre.append(_before_undo)
    bpy.app.handlers.redo_pre.append(_before_undo)
    bpy.app.handlers.load_pre.append(_before_load)


def unregister():
    state.__init__()
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    bpy.app.handlers.undo_pre.remove(_before_undo)
    bpy.app.handlers.redo_pre.remove(_before_undo)
    bpy.app.handlers.load_pre.remove(_before_load)
    for name in PROPERTIES:
        delattr(bpy.types.WindowManager, name)
    _unregister_classes()
