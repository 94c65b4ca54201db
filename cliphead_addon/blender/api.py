"""CLIP-Head for scripts; works in the interface and under `blender --background` alike.

from bl_ext.user_default.cliphead.blender import api
head = api.generate("an old man with a wide nose, laughing", seed=7)
"""

import bpy

from ..engine import recipes
from ..engine.errors import ClipHeadError
from ..engine.jobfiles import load_head
from ..engine.settings import Settings
from ..engine.stages import Prompt
from . import foreign, painting, session, shaping
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
    x, y, z = head.location
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
