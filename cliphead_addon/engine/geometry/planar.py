"""Points in a flat triangulation."""

import numpy as np

from ..errors import UnwrapError


def locate(triangles, points):
    """Where points lie in a flat triangulation.

    triangles: (F,3,2), points: (N,2) in the same plane -> face (N,) and barycentric weights (N,3) float64. A point a little
    outside, such as on the arc over a chord of the boundary, gets the nearest place of a triangle there. Raises UnwrapError
    for points far outside.
    """
    triangles, points = np.asarray(triangles, np.float64), np.asarray(points, np.float64)
    # A square of cells lists the triangles that come within half a cell of it; as many cells as triangles.
    G = max(1, int(np.sqrt(len(triangles))))
    low = triangles.min(axis=(0, 1))
    scale = G / np.maximum(triangles.max(axis=(0, 1)) - low, 1e-12)
    first = np.clip(np.floor((triangles.min(axis=1) - low) * scale - 0.5), 0, G - 1).astype(np.int64)
    last = np.clip(np.floor((triangles.max(axis=1) - low) * scale + 0.5), 0, G - 1).astype(np.int64)
    wide = last - first + 1
    face, place = _ranges(wide.prod(axis=1))
    cell = (first[face, 0] + place % wide[face, 0]) * G + first[face, 1] + place // wide[face, 0]
    home = np.floor((points - low) * scale)
    far = ((home < -1) | (home > G)).any(axis=1)
    home = np.clip(home, 0, G - 1).astype(np.int64) @ [G, 1]
    wanted = np.zeros(G * G, bool)
    wanted[home] = True
    face, cell = face[wanted[cell]], cell[wanted[cell]]
    order = np.argsort(cell, kind="stable")
    face, cell = face[order], cell[order]
    start, stop = np.searchsorted(cell, home), np.searchsorted(cell, home, side="right")
    far |= start == stop
    if far.any():
        raise UnwrapError(f"{int(far.sum())} of {len(points)} points lie outside the island. Unwrap the mesh again.")
    point, place = _ranges(stop - start)
    face = face[start[point] + place]
    weights = barycentric(triangles[face], points[point])
    depth = weights.min(axis=1)
    begin = np.concatenate([[0], np.cumsum(stop - start)[:-1]])
    deepest = np.flatnonzero(depth == np.maximum.reduceat(depth, begin)[point])
    deepest = deepest[np.unique(point[deepest], return_index=True)[1]]
    weights = np.maximum(weights[deepest], 0)
    return face[deepest], weights / weights.sum(axis=1, keepdims=True)


def barycentric(triangles, points):
    """Weights (N,3) of points (N,2) in triangles (N,3,2), each with its own; negative beyond an edge."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    ab, ac, ap = b - a, c - a, points - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = np.where(area == 0, 1e-300, area)
    v = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
    w = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
    return np.stack([1 - v - w, v, w], axis=-1)


def _ranges(counts):
    """Counts (N,) -> for each of their sum items its owner and its place within the owner."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
