"""Hair as a surface of its own, and as one with the skin."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..errors import NoSurfaceError
from . import surface
from .frames import uv_to_pixel

HIDDEN = 0.008  # NPHM units: hair faces deeper than this inside the skin are left out (2 mm)
SMALLEST = 0.02  # of all faces: smaller loose pieces are left out
UNKNOWN_COLOUR = (70, 50, 38)  # sRGB, a dark brown, where the texture shows none
LOOSE = 0.012  # NPHM units above the skin from where on a merged surface is hair and does not move with the face (3 mm)
THICKER = 0.005  # NPHM units: what hangs is made so much thicker (1.2 mm), as its thin ends would be torn
HANGS = 0.3, 0.1  # NPHM units, heights between which this sets in, below the hairline
FAR = 0.1  # NPHM units: the skin's distance outside of the box that it was trained in


def inside_box(field, low, high):
    """A field that counts as empty space outside its box. field: callable (N,3) -> (N,) -> another such callable"""

    def bounded(points):
        points = np.asarray(points, np.float32)
        within = ((points >= low) & (points <= high)).all(axis=1)
        values = np.full(len(points), FAR, np.float32)
        values[within] = field(points[within])
        return values

    return bounded


def thickened(field):
    """A hair field whose hanging ends hold together. field: callable (N,3) -> (N,) -> another such callable"""
    top, bottom = HANGS
    return lambda points: field(points) - THICKER * np.clip((top - points[:, 1]) / (top - bottom), 0, 1)


def union(*fields):
    """The field whose inside is inside of any of the fields."""
    return lambda points: np.minimum.reduce([field(points) for field in fields])


def extract(hair, skin, low, high, resolution):
    """The visible zero surface of a hair field: all its pieces of some size, without what is hidden inside the skin.

    hair, skin: callables (N,3) float32 -> (N,) signed distances; low, high: (3,) the hair's box; resolution: samples along its
    longest side. -> vertices (H,3) float32, faces (G,3) int32 counter-clockwise seen from outside; None for a bald head.
    """
    try:
        vertices, faces = surface.isosurface(hair, low, high, resolution)
    except NoSurfaceError:
        return None
    hidden = skin(vertices) < -HIDDEN
    faces = faces[~hidden[faces].all(axis=1)]
    faces = _without_crumbs(faces, len(vertices))
    used = np.unique(faces)
    return (vertices[used], np.searchsorted(used, faces).astype(np.int32)) if len(faces) else None


def attachment(points, skin):
    """How far points (N,3) of a merged surface follow the face: 1 on the skin, 0 in the hair -> (N,) float32"""
    return np.clip(1 - skin(points) / LOOSE, 0, 1).astype(np.float32)


def colour_below(albedo, uv, faces, covered):
    """The median colour of the skin under the hair, where the texture paints its roots.

    albedo: (R,R,3) uint8, uv: (F,3,2), faces: (F,3), covered: (V,) bool -> (r, g, b) 0..255 sRGB.
    """
    below = covered[faces].all(axis=1)
    if not below.any():
        return UNKNOWN_COLOUR
    texel = np.clip(uv_to_pixel(uv[below].mean(axis=1), len(albedo)).astype(int), 0, len(albedo) - 1)
    return tuple(np.median(albedo[texel[:, 1], texel[:, 0]], axis=0).astype(int).tolist())


def _without_crumbs(faces, count):
    """Faces (G,3) of pieces with at least SMALLEST of all faces."""
    if not len(faces):
        return faces
    start, end = faces[:, [0, 1]].T
    edges = coo_matrix((np.ones(2 * len(faces)), (np.r_[start, start], np.r_[end, faces[:, 2]])), shape=(count, count))
    piece = connected_components(edges, directed=False)[1][faces[:, 0]]
    return faces[np.bincount(piece)[piece] >= SMALLEST * len(faces)]
