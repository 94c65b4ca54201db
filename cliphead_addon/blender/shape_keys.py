"""Expressions as shape keys."""

import numpy as np

from ..engine.geometry.frames import nphm_to_blender

BASIS = "Basis"


def add_shape_keys(obj, displacements):
    """Give an object a Basis and one shape key per displacement: name -> (V,3) in NPHM units and axes.

    A key that is there by name gets the new shape and keeps its value.
    """
    if not displacements:
        return
    if obj.data.shape_keys is None:
        obj.shape_key_add(name=BASIS, from_mix=False)
    blocks = obj.data.shape_keys.key_blocks
    rest = key_points(obj.data.shape_keys.reference_key)
    for name, move in displacements.items():
        key = blocks.get(name)
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # 5.0 adds keys switched on
        # a difference has no origin, so only the axes and the unit change
        key.points.foreach_set("co", (rest + nphm_to_blender(move).astype(np.float32)).ravel())
    obj.data.update()


def key_points(key):
    """A shape key's points: (V,3) float32, object space."""
    points = np.empty((len(key.points), 3), np.float32)
    key.points.foreach_get("co", points.ravel())
    return points
