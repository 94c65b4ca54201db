"""CLIP-Head for scripts; works in the interface and under `blender --background` alike.

from bl_ext.user_default.cliphead.blender import api
head = api.generate("an old man with a wide nose, laughing", seed=7)
"""

import bpy

from ..engine.jobfiles import load_head
from ..engine.settings import Settings
from ..engine.stages import Prompt
from . import foreign, session
from .head_object import add_head


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
    folder = session.run(words, settings, progress)
    scene = bpy.context.scene
    head = add_head(
        load_head(folder),
        bpy.context.collection if collection is None else collection,
        scene.cursor.location if location is None else location,
    )
    session.discard(folder)
    return head


def unwrap_as_head(obj=None, *, upright=False):
    """Unwrap a mesh of a head that is already in the scene, whatever made it; returns what was found and done.

    obj: a mesh object, the active one if None; its polygons stay as they are, the seam at the back of the head is marked, and
    the coordinates go to the UV map "Head". upright: the head stands upright in the scene and looks to -Y; otherwise this is
    found from its neck and shape. -> dict with face_share, angle_distortion, area_distortion, holes_closed, warnings...

    Raises ClipHeadError for a mesh that cannot be flattened, such as one of several pieces; it is then as it was.
    """
    return foreign.unwrap_as_head(bpy.context.object if obj is None else obj, upright)
