"""CLIP-Head for scripts; works in the interface and under `blender --background` alike.

from bl_ext.user_default.cliphead.blender import api
head = api.generate("an old man with a wide nose, laughing", seed=7)
"""

import json
from pathlib import Path

import bpy

from ..engine import recipes
from ..engine.errors import ClipHeadError
from ..engine.expression_sets import ARKIT, NEUTRAL, SETS
from ..engine.jobfiles import load_head
from ..engine.livelink import RATE, read_tracking
from ..engine.settings import Settings
from ..engine.stages import Prompt
from . import export as exports
from . import expressions, foreign, painting, rig, session, shaping
from .export import ENDINGS
from .expressions import find_head
from .family import find_rig
from .head_object import add_head, read_recipe
from .material import main_slot


def generate(
    prompt,
    *,
    seed=0,
    random=False,
    expression="",
    negative="",
    variation=1.0,
    expression_strength=1.0,
    resolution=192,
    texture_size=512,
    shape_keys=(),
    topology="quads",
    density="medium",
    hair="object",
    location=None,
    collection=None,
    progress=None,
):
    """Make a head from a sentence and add it to the scene; returns its object when it is ready.

    prompt: the head in words. seed: another number, another head. random: any head of the pack, drawn by the seed; the
    prompt may be empty and only guides the texture. expression: words or a name; empty takes it from the prompt. negative:
    what the texture should avoid. variation: 0 the average head of these words, 1 as varied as the model was trained to be.
    expression_strength: 0 neutral to 1. resolution: grid samples along the longest side, 64 to 384. texture_size: 256, 512,
    1024 or 2048 px. shape_keys: names of expressions to add as shape keys, "arkit" or "visemes" for all of these. topology:
    "quads", the same mesh for every head, or "dense" triangles. density: of the quads, "low", "medium" or "high" for about
    3,000, 13,000 or 51,000. hair: "object" a mesh of its own, "merged" one surface with the skin, "none". location: (x, y,
    z) in metres, the 3D cursor if None. collection: a bpy collection, the active one if None. progress: called as (stage,
    fraction). -> bpy.types.Object

    Raises ClipHeadError, with a stable `code`, when the head cannot be made; the scene is then as it was.
    """
    words = Prompt(
        text=prompt,
        seed=seed,
        random=random,
        negative=negative,
        expression=expression,
        variation=variation,
        expression_strength=expression_strength,
    )
    settings = Settings(
        resolution=resolution,
        texture_size=texture_size,
        topology=topology,
        density=density,
        shape_keys=tuple(shape_keys),
        hair=hair,
    )
    return _make(words, settings, location, collection, progress)


def shape(head, sliders=None, *, progress=None):
    """Move sliders of a head; texture, UV map and all other attributes stay.

    head: an object that `generate` made. sliders: attribute -> standard deviations of the population away from the head as it
    was generated; those not named stay where they are, None sets all back to zero. -> what the head's sliders are now, a dict

    Raises ClipHeadError for an unknown attribute, for other objects, and for heads of another model pack.
    """
    before = shaping.sliders_of(head)
    wanted = {} if sliders is None else shaping.moved(before, shaping.checked(sliders))
    if wanted != before:
        shaping.shape(head, wanted, progress)
    return wanted


def vary(head, count=3, *, random=False, seed=0, keep=(), spacing=shaping.SPACING, collection=None, progress=None):
    """Make heads like a head, with other seeds, in a row beside it -> list of bpy objects.

    random: any heads of the model pack instead; the words then only guide the texture. seed: of the first, the others follow;
    0 goes on from the head's own. keep: names of attributes, such as "nose width", that stay as they are on `head`. spacing:
    metres from head to head.
    """
    prompts, settings = shaping.variations(_recipe(head), random, count, seed, keep)
    x, y, z = head.matrix_world.translation
    return [_make(prompt, settings, (x + spacing * (i + 1), y, z), collection, progress) for i, prompt in enumerate(prompts)]


def blend(head, other, share=0.5, *, location=None, collection=None, progress=None):
    """Make a head between two: shape, expression and what guides the texture; the hair is that of the nearer one.

    share: of the other head, 0 to 1. location: (x, y, z) in metres, the 3D cursor if None. -> bpy object
    """
    prompt, settings = shaping.blended(_recipe(head), _recipe(other), share), recipes.choices(_recipe(head))[1]
    return _make(prompt, settings, location, collection, progress)


def make_again(head, *, location=None, collection=None, progress=None):
    """Make a head again from the recipe that it carries: on the same computer the same geometry and texture -> bpy object"""
    return _make(*recipes.choices(_recipe(head)), location, collection, progress)


def add_expressions(head, kind="arkit", *, progress=None):
    """Add a set of expressions to a head as shape keys: "named", "arkit" or "visemes" -> the set's names, a tuple.

    Keys that are there already stay as they are.
    """
    head = _animated(head)
    if kind not in SETS:
        raise ClipHeadError(f"There is no set '{kind}'. Choose one of: {', '.join(SETS)}.", "NO_EXPRESSION")
    names = tuple(name for name in SETS[kind] if name != NEUTRAL)
    expressions.express(head, "apply_expressions", names, progress=progress)
    return names


def express(head, words, strength=1.0, frame=None, *, progress=None):
    """Put an expression on a head and take all others off -> what its shape keys are now, those at zero left out: a dict.

    words: the name of an expression, such as "smile" or "jawOpen", which becomes a shape key; or words, such as "a broad
    smile", which become weights of Apple's shapes. strength: 1 is the expression as trained, 0 none, 2 the most. frame: set
    keyframes there, on Apple's shapes for names as well, so that animations are of one kind.
    """
    head = _animated(head)
    if not 0 <= strength <= 2:
        raise ClipHeadError(f"A strength of {strength:g} is outside 0 to 2.", "BAD_SETTING")
    if frame is None and words in {name for names in SETS.values() for name in names}:
        choices = {"show": words, "strength": strength, "progress": progress}
        expressions.express(head, "apply_expressions", [words], **choices)
    else:
        frames = "" if frame is None else json.dumps([int(frame)])
        choices = {"frames": frames, "strength": strength, "progress": progress}
        expressions.express(head, "apply_words", ARKIT, [_checked(words)], **choices)
    keys = head.data.shape_keys
    return {} if keys is None else {key.name: round(key.value, 4) for key in keys.key_blocks[1:] if key.value}


def animate(head, lines, *, progress=None):
    """Turn frames and words into an animation of Apple's shapes: lines such as [(1, "neutral"), (20, "a broad smile")]."""
    head = _animated(head)
    pairs = sorted((frame, _checked(words)) for frame, words in expressions.read_lines(json.dumps(list(lines))))
    if not pairs:
        raise ClipHeadError('There is nothing to animate: give frames and words, such as [(1, "neutral")].', "BAD_LINES")
    frames, words = zip(*pairs, strict=True)
    expressions.express(head, "apply_words", ARKIT, words, frames=json.dumps(frames), progress=progress)


def import_tracking(head, path, *, start=1, rate=RATE, progress=None):
    """Import face tracking recorded by Live Link Face, a .csv file, as keyframes at the scene's frame rate.

    start: frame of the first row. rate: frames per second of the file's timecodes. Head and eyes turn where there is a rig.
    """
    head = _animated(head)
    read_tracking(path, rate)  # a bad file is refused before the engine works
    expressions.express(head, "apply_tracking", ARKIT, filepath=str(path), start=start, rate=rate, progress=progress)


def add_rig(head, *, eyes=True, mouth=True, progress=None):
    """Give a head bones for neck, head, jaw and eyes -> bpy object of the armature.

    eyes: open the skin between the lids and set eyeballs in. mouth: teeth and a tongue behind the lips.
    """
    head = _animated(head)
    if find_rig(head) is not None:
        raise ClipHeadError(f"'{head.name}' has a rig already: remove it first.", "NOT_ANIMATED")
    rig.ask_rig(head, progress=progress, eyes=eyes, mouth=mouth)
    return find_rig(head)


def export(head, path):
    """Write a head with its hair, eyes and rig to a file; nothing in the scene changes -> Path

    path: its ending tells the format, .glb, .fbx, .usdc or .obj.
    """
    path, found = Path(path), find_head(head)
    kinds = {ending: kind for kind, ending in ENDINGS.items()}
    if found is None or path.suffix.lower() not in kinds:
        what = f"'{path.name}' ends with none of {', '.join(kinds)}." if found else f"{head!r} is not a head of CLIP-Head."
        raise ClipHeadError(what, "EXPORT" if found else "NOT_A_HEAD")
    if not path.parent.is_dir():
        raise ClipHeadError(f"There is no folder {path.parent}. Choose another place.", "EXPORT")
    try:
        exports.export(bpy.context, found, path, kinds[path.suffix.lower()])
    except (OSError, RuntimeError) as error:
        raise ClipHeadError(f"{path.name} was not written: {str(error).removeprefix('Error: ').strip()}.", "EXPORT") from error
    return path


def to_preset(head, name=""):
    """The recipe of a head as the text of a preset, JSON; name: the object's if empty."""
    return recipes.to_preset(_recipe(head), name or head.name)


def from_preset(text, *, location=None, collection=None, progress=None):
    """Make the head of a preset -> bpy object. Raises ClipHeadError that names the line of a damaged one."""
    return _make(*recipes.choices(recipes.from_preset(text, "The preset")), location, collection, progress)


def paint(obj, prompt, *, seed=0, negative="", texture_size=512, progress=None):
    """Give a head a texture after other words, or another seed; its shape stays. Returns the new material.

    obj: a head that `generate` made, or any mesh that `unwrap_as_head` has unwrapped; None takes the active object. The
    material that it had stays in the file. prompt: the texture in words; they say the colour of the hair too. The rest as for
    `generate`.

    Raises ClipHeadError for objects that have no texture coordinates from here, and for heads of another model pack.
    """
    obj = bpy.context.object if obj is None else obj
    if problem := painting.why_not_painted(obj):
        raise ClipHeadError(problem + ".", "NOT_PAINTED")
    obj = painting.find_paintable(obj)
    painting.paint(obj, {"text": prompt, "seed": seed, "negative": negative}, texture_size, progress=progress)
    return main_slot(obj).material


def unwrap_as_head(obj=None, *, upright=False):
    """Unwrap a mesh of a head that is already in the scene, whatever made it; returns what was found and done.

    obj: a mesh object, the active one if None; its polygons stay as they are, the seam at the back of the head is marked, and
    the coordinates go to the UV map "Head". upright: the head stands upright in the scene and looks to -Y; otherwise this is
    found from its neck and shape. -> dict with face_share, angle_distortion, area_distortion, holes_closed, warnings...

    Raises ClipHeadError for a mesh that cannot be flattened, such as one of several pieces; it is then as it was.
    """
    return foreign.unwrap_as_head(bpy.context.object if obj is None else obj, upright)


def _animated(obj):
    """The head that an object belongs to. Raises ClipHeadError for one that cannot have expressions or a rig."""
    head = find_head(obj)
    if problem := expressions.why_not_animated(head):
        raise ClipHeadError(f"{problem}.", "NOT_ANIMATED" if head else "NOT_A_HEAD")
    if bpy.context.mode != "OBJECT":
        raise ClipHeadError("Go to Object Mode first.", "NOT_ANIMATED")
    return head


def _checked(words):
    if not str(words).strip():
        raise ClipHeadError('Write an expression, such as "a broad smile".', "BAD_PROMPT")
    return str(words)


def _recipe(head):
    recipe = read_recipe(head)
    if recipe is None:
        raise ClipHeadError(f"'{getattr(head, 'name', head)}' is not a head that CLIP-Head has made.", "NOT_A_HEAD")
    return recipe


def _make(prompt, settings, location, collection, progress):
    folder = session.run(prompt, settings, progress)
    scene = bpy.context.scene
    head = add_head(
        load_head(folder),
        bpy.context.collection if collection is None else collection,
        scene.cursor.location if location is None else location,
    )
    session.discard(folder)
    return head
