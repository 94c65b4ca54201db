"""The cut at the back of the head: where it runs, and the disk it leaves."""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from ..errors import UnwrapError
from .topology import boundary_loops, edge_table, half_edges, split_fans

DETOUR = 3.0  # how much dearer an edge gets per edge length that it is off the plane x = 0


def find_seam(vertices, faces, loop):
    """The path of mesh edges on the plane x = 0 from the back of the neck to the crown.

    vertices: (V,3) NPHM frame, canonical pose; faces: (F,3) a disk; loop: (B,) its neck boundary. The crown is where the
    path, going up the back of the head, first comes above the middle between the head's foremost and rearmost points: the
    surface is nearly level there, so the place hardly depends on how the head is held. Meshes without edges on the plane
    get the shortest path that stays close to it. Returns (P,) vertices, the first on the boundary, the last at the crown.
    """
    edges = edge_table(faces)[0]
    foot = loop[np.argmin(np.where(vertices[loop, 2] < vertices[loop, 2].mean(), np.abs(vertices[loop, 0]), np.inf))]
    crown = _crown(vertices, faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    usable = (~np.isin(edges, np.setdiff1d(loop, foot))).all(axis=1)  # the path leaves the boundary at once
    on_plane = usable & (vertices[edges, 0] == 0).all(axis=1)
    off_plane = np.abs(vertices[edges, 0]).mean(axis=1) / np.median(length)
    for chosen, cost in ((on_plane, length), (usable, length * (1 + DETOUR * off_plane))):
        graph = csr_matrix((np.maximum(cost[chosen], 1e-9), edges[chosen].T), shape=(len(vertices),) * 2)
        parent = dijkstra(graph, directed=False, indices=foot, return_predecessors=True)[1]
        path = [int(crown)]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
        if path[-1] == foot and len(path) > 1:
            return np.array(path[::-1])
    raise UnwrapError("No seam runs from the neck to the crown of this mesh. Check that it is one head in one piece.")


def cut_open(faces, path):
    """Cut a disk along a path from its boundary.

    faces: (F,3); path: (P,) vertices from find_seam. Returns (faces (F,3) over the cut vertices, source (V',) the vertex
    each came from, rim (B,) the new boundary from the path's end around the mesh, surface on the left).
    """
    cut_faces, source = split_fans(faces, np.stack([path[:-1], path[1:]], axis=-1))
    loops = boundary_loops(cut_faces)
    if len(loops) != 1:
        raise UnwrapError(
            f"Cutting the seam left {len(loops)} boundaries instead of one. Check the mesh at the back of the head."
        )
    rim = loops[0]
    start = np.flatnonzero(source[rim] == path[-1])
    return cut_faces, source, np.roll(rim, -start[0])


def _crown(vertices, faces):
    """The vertex of the midline, in the upper half of the head, nearest to the middle of the head's depth."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    upper = vertices[:, 1] > (low[1] + high[1]) / 2
    depth = vertices[upper, 2]
    middle = (depth.min() + depth.max()) / 2
    start, end = half_edges(faces)
    midline = upper & (vertices[:, 0] == 0)
    if not midline.any():
        near = np.median(np.abs(vertices[start] - vertices[end]).max(axis=1))
        midline = upper & (np.abs(vertices[:, 0]) < near)
    # Of all sheets crossing that depth (hair, a mouth), the outermost is the crown.
    candidates = np.flatnonzero(midline)
    if not len(candidates):
        raise UnwrapError("The mesh has no vertices near the plane x = 0. Centre the head on it.")
    score = np.abs(vertices[candidates, 2] - middle) - 0.5 * vertices[candidates, 1]
    return candidates[np.argmin(score)]
