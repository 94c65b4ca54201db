"""CLIP-Head for scripts; works in the interface and under `blender --background` alike.

from bl_ext.user_default.cliphead.blender import api
head = api.generate("an old man with a wide nose, laughing", seed=7)
"""

import bpy

from ..engine.jobfiles import load_head
from ..engine.settings import Settings
from ..engine.stages import Prompt
from . import session
from .head_object import add_head


def generate(
    prompt,
    *,
    seed=0,
    expression="",
    negative="",
    variation=1.0,
    expression_strength=1.0,
    resolution=192,
    texture_size=512,
    shape_keys=(),
    location=None,
    collection=None,
    progress=None,
):
    """Make a head from a sentence and add it to the scene; returns its object when it is ready.

    prompt: the head in words. seed: another number, another head. expression: words or a name; empty takes it from the
    prompt. negative: what the texture should avoid. variation: 0 the average head of these words, 1 as varied as the model
    was trained to be. expression_strength: 0 neutral to 1. resolution: grid samples along the longest side, 64 to 384.
    texture_size: 256, 512, 1024 or 2048 px. shape_keys: names of expressions to add as shape keys. location: (x, y, z)
    in metres, the 3D cursor if None. collection: a bpy collection, the active one if None. progress: called as
    (stage, fraction). -> bpy.types.Object

    Raises ClipHeadError, with a stable `code`, when the head cannot be made; the scene is then as it was.
    """
    words = Prompt(
        text=prompt,
        seed=seed,
        negative=negative,
        expression=expression,
        variation=variation,
        expression_strength=expression_strength,
    )
    settings = Settings(resolution=resolution, texture_size=texture_size, shape_keys=tuple(shape_keys))
    folder = session.run(words, settings, progress)
    scene = bpy.context.scene
    return add_head(
        load_head(folder),
        bpy.context.collection if collection is None else collection,
        scene.cursor.location if location is None else location,
    )
