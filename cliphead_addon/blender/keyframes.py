"""Many keyframes at once."""

import bpy
import numpy as np

INTERPOLATION = {item.identifier: item.value for item in bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items}


def write_curves(datablock, frames, curves, interpolation="BEZIER"):
    """Keyframes of a datablock: (data path, index) -> values (N,) at rising frames (N,).

    Keyframes that were there between the first and the last of the frames are replaced, others stay.
    """
    animation = datablock.animation_data or datablock.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{datablock.name} Action")
    for (path, index), values in curves.items():
        curve = animation.action.fcurve_ensure_for_datablock(datablock, path, index=index)
        _write(curve, np.asarray(frames, np.float32), np.asarray(values, np.float32), INTERPOLATION[interpolation])


def move_animation(old, new):
    """Let a datablock play what another plays, whose place it takes."""
    animation = old.animation_data
    if animation is not None and animation.action is not None:
        played = new.animation_data_create()
        played.action = animation.action
        if hasattr(animation, "action_slot"):  # since 4.4
            played.action_slot = animation.action_slot


def _write(curve, frames, values, kind):
    old = np.empty((len(curve.keyframe_points), 2), np.float32)
    kinds = np.empty(len(old), np.int32)
    curve.keyframe_points.foreach_get("co", old.ravel())
    curve.keyframe_points.foreach_get("interpolation", kinds)
    outside = (old[:, 0] < frames[0]) | (old[:, 0] > frames[-1])
    points = np.concatenate([old[outside], np.stack([frames, values], axis=-1)])
    kinds = np.concatenate([kinds[outside], np.full(len(frames), kind, np.int32)])
    order = np.argsort(points[:, 0], kind="stable")
    curve.keyframe_points.clear()
    curve.keyframe_points.add(len(points))
    curve.keyframe_points.foreach_set("co", points[order].ravel())
    curve.keyframe_points.foreach_set("interpolation", kinds[order])
    curve.update()  # also sets the handles
