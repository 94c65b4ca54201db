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
    for name, move in displacements.items():
        key = blocks.get(name)
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = 0.0  # 5.0 adds keys switched on
        # a difference has no origin, so only the axes and the unit change
        motion = nphm_to_blender(move)
        points = rest + motion if sockets is None else sockets.pose(rest, motion)
        key.points.foreach_set("co", points.astype(np.float32).ravel())
    obj.data.update()
