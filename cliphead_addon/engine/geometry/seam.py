"""The cut at the back of the head: where it runs, and the disk it leaves."""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, depth_first_order, dijkstra

from ..errors import UnwrapError
from .topology import edge_table, half_edges, split_fans

DETOUR = 3.0  # how much dearer an edge gets per edge length that it is off the plane x = 0


def neck_of_disk(faces):
    """The one boundary of a disk (N,), the surface on its left, and its edges (E,2). Raises UnwrapError if it is no disk."""
    edges, side, count = edge_table(faces)
    start, end = half_edges(faces)
    rim = count[side.ravel()] == 1
    loops = closed_loops(start[rim], end[rim]) if count.max() <= 2 else []
    used = np.zeros(int(faces.max()) + 1, bool)
    used[faces] = True
    euler = int(used.sum()) - len(edges) + len(faces)
    if len(loops) != 1 or euler != 1:
        raise UnwrapError(
            f"The mesh is no disk: {len(loops)} boundaries, V - E + F = {euler}, "
            f"{int((count > 2).sum())} edges with more than two faces. Only the neck may be open; clean the mesh first."
        )
    return loops[0], edges


def closed_loops(start, end):
    """Half-edges (n,), (n,) that form closed loops -> the loops' vertices in order, most vertices first."""
    if not len(start):
        return []
    names, start = np.unique(start, return_inverse=True)
    graph = csr_matrix((np.ones(len(start), np.int8), (start, np.searchsorted(names, end))), shape=(len(names),) * 2)
    seeds = np.unique(connected_components(graph, directed=False)[1], return_index=True)[1]
    loops = [names[depth_first_order(graph, seed, return_predecessors=False)] for seed in seeds]
    return sorted(loops, key=len, reverse=True)


def find_seam(vertices, faces, loop, edges):
    """The path of mesh edges on the plane x = 0 from the back of the neck to the crown.

    vertices: (V,3) NPHM frame, canonical pose; faces: (F,3) a disk; loop: (B,) its neck boundary; edges: (E,2). The crown is
    where the path, going up the back of the head, first comes above the middle between the head's foremost and rearmost
    points: the surface is nearly level there, so the place hardly depends on how the head is held. Meshes without edges on
    the plane get the shortest path that stays close to it. Returns (P,) vertices, the first on the boundary, the last at
    the crown.
    """
    foot = loop[np.argmin(np.where(vertices[loop, 2] < vertices[loop, 2].mean(), np.abs(vertices[loop, 0]), np.inf))]
    crown = _crown(vertices, faces)
    free = np.ones(len(vertices), bool)
    free[loop] = False  # the path leaves the boundary at once
    free[foot] = True
    level = vertices[:, 0] == 0
    for exactly in (True, False):
        chosen = edges[(free & level if exactly else free)[edges].all(axis=1)]
        cost = np.linalg.norm(vertices[chosen[:, 0]] - vertices[chosen[:, 1]], axis=1)
        if not exactly:
            cost *= 1 + DETOUR * np.abs(vertices[chosen, 0]).mean(axis=1) / np.median(cost)
        graph = csr_matrix((np.maximum(cost, 1e-9), chosen.T), shape=(len(vertices),) * 2)
        parent = dijkstra(graph, directed=False, indices=foot, return_predecessors=True)[1]
        path = [int(crown)]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
        if path[-1] == foot and len(path) > 1:
            return np.array(path[::-1])
    raise UnwrapError("No seam runs from the neck to the crown of this mesh. Check that it is one head in one piece.")


def cut_open(faces, path, loop):
    """Cut a disk along a path from its boundary.

    faces: (F,3); path: (P,) vertices from find_seam; loop: (B,) its boundary. Returns (faces (F,3) over the cut vertices,
    source (V',) the vertex each came from, rim (B,) the new boundary from the path's end around the mesh, surface on the left).
    """
    cut_faces, source = split_fans(faces, np.stack([path[:-1], path[1:]], axis=-1))
    touched = np.zeros(len(source), bool)
    touched[loop] = touched[path] = True
    touched = touched[source]
    start, end = half_edges(cut_faces)
    near = np.flatnonzero(touched[start] & touched[end])  # all of the new boundary, and a few edges between its vertices
    start, end = start[near].astype(np.int64), end[near].astype(np.int64)
    rim = ~np.isin(start * len(source) + end, end * len(source) + start)
    loops = closed_loops(start[rim], end[rim])
    if len(loops) != 1:
        raise UnwrapError(
            f"Cutting the seam left {len(loops)} boundaries instead of one. Check the mesh at the back of the head."
        )
    rim = loops[0]
    first = np.flatnonzero(source[rim] == path[-1])
    return cut_faces, source, np.roll(rim, -first[0])


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
        for wide in (1, 2, 4, 8):  # scans may have long edges there
            midline = upper & (np.abs(vertices[:, 0]) < wide * near)
            if midline.any():
                break
    # Of all sheets crossing that depth (hair, a mouth), the outermost is the crown.
    candidates = np.flatnonzero(midline)
    if not len(candidates):
        raise UnwrapError("The mesh has no vertices near the plane x = 0. Centre the head on it.")
    score = np.abs(vertices[candidates, 2] - middle) - 0.5 * vertices[candidates, 1]
    return candidates[np.argmin(score)]
