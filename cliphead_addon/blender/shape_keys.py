"""Expressions as shape keys."""

import numpy as np

from ..engine.geometry.frames import nphm_to_blender


def add_shape_keys(obj, displacements):
    """Give an object a Basis and one shape key per displacement: name -> (V,3) in NPHM units and axes."""
    if not displacements:
        return
    basis = obj.shape_key_add(name="Basis", from_mix=False)
    rest = np.empty(3 * len(obj.data.vertices), np.float32)
    basis.points.foreach_get("co", rest)
    for name, move in displacements.items():
        key = obj.shape_key_add(name=name, from_mix=False)
        key.value = 0.0  # 5.0 adds keys switched on
        # a difference has no origin, so only the axes and the unit change
        key.points.foreach_set("co", rest + nphm_to_blender(move).astype(np.float32).ravel())
