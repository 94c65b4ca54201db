"""New coordinates for a head whose sliders were moved: at once by following the field, then from a surface of its own."""

from dataclasses import replace

import numpy as np
from scipy.special import softmax

from .geometry.mesh import vertex_normals
from .geometry.unwrap import unwrap
from .pipeline import attributes, recipe_code, surface, with_quads

REACH = 0.01  # of an anchor's pull, squared NPHM units, as in the head model's own blending
STEPS = 2  # towards the surface; two leave hundredths of a millimetre
LONGEST = 0.02  # NPHM units of one step: where the field is no distance, points must not fly away


def preview(prompt, models, before, canonical, faces, hair=None):
    """A head's vertices after its sliders have moved, in the order that they have; texture coordinates keep their places.

    prompt: with the sliders as they are to be; before: the sliders that `canonical` (V,3) was made with; faces: (F,3) or (F,4)
    of the mesh; hair: (H,3) vertices of a hair mesh, or None. All in NPHM units and axes.
    -> arrays by name: canonical (V,3), vertices (V,3) posed, and hair_vertices (H,3) where hair was given; attributes by name
    """
    old, new = recipe_code(replace(prompt, sliders=before), models), recipe_code(prompt, models)
    anchors = models.head.anchors(old), models.head.anchors(new)
    moved = follow(models.head.field(new), carry(canonical, *anchors), faces)
    arrays = {"canonical": moved, "vertices": models.head.pose(new, moved)[0]}
    if hair is not None:
        arrays["hair_vertices"] = carry(hair, *anchors)
    return arrays, attributes(new, models)


def rebuild(prompt, models, settings, progress=None):
    """As `pipeline.generate` shapes a head, without a texture -> UnwrappedHead, attributes by name"""
    progress = progress or (lambda stage, fraction: None)
    code = recipe_code(prompt, models)
    mesh = surface(code, models, settings, lambda inner, fraction: progress("Shaping the surface", fraction))
    progress("Unwrapping", 0.0)
    unwrapped = unwrap(mesh, models.layout, settings.alignment)
    if settings.topology == "quads":
        unwrapped = with_quads(unwrapped, code, models, settings, [])
    return unwrapped, attributes(code, models)


def carry(points, before, after):
    """Points (N,3) taken along by anchors (K,3) that move from before to after, the nearest counting most -> (N,3) float32"""
    squared = ((points[:, None] - before) ** 2).sum(-1)  # (N,K)
    return (points + softmax(-squared / REACH, axis=1) @ (after - before)).astype(np.float32)


def follow(field, points, faces):
    """Points (V,3) of a mesh near a field's surface, moved along their normals onto it -> (V,3) float32"""
    for _ in range(STEPS):
        step = np.clip(field(points), -LONGEST, LONGEST)[:, None]
        points = (points - step * vertex_normals(points, faces)).astype(np.float32)
    return points
