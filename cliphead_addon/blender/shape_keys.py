"""Expressions as shape keys."""

import numpy as np

from ..engine.geometry.frames import nphm_to_blender
from .mesh import key_points
from .sockets import read_sockets

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
    sockets = read_sockets(obj)
    # differences have no origin, so only the axes and the unit change
    motions = np.stack([nphm_to_blender(move) for move in displacements.values()], dtype=np.float32)
    posed = rest + motions if sockets is None else sockets.pose(rest, motions)
    for name, points in zip(displacements, posed, strict=True):
        key = blocks.get(name)
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # 5.0 adds keys switched on
        key.points.foreach_set("co", points.ravel())
    obj.data.update()
