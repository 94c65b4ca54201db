"""Make a triangle mesh one disk with one boundary, and say what had to be done."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, depth_first_order, dijkstra, minimum_spanning_tree

from ..errors import SurfaceError

MOST_HANDLES = 12  # a head with more is noise, and cutting it would leave nothing to recognise
SHORT_LOOP = 12  # edge lengths: a loop around a handle that needs no shorter one
FLIP_ROUNDS = 4  # of turning edges; a marching-cubes mesh has few needles left then
BULGE = 0.03  # voxels by which merging vertices may move them off the surface
LIFT = 0.06  # voxels by which it may move the faces around them
ROUNDS = 6  # of removing non-manifold places, and of parting vertices that coincide
THINNEST = 1e-8  # of the median area: faces with less count as degenerate


class ClosedSurface(SurfaceError):
    """The largest part of a mesh has no boundary. `low`, `high`: (3,) its bounding box."""

    def __init__(self, vertices):
        super().__init__("The surface is closed: it has no neck opening to start from. Use a box that cuts the neck.")
        self.low, self.high = vertices.min(axis=0), vertices.max(axis=0)


def half_edges(faces):
    """Faces (F,3) -> starts, ends (3F,), in the order of faces.ravel(): half-edge 3f+i runs from corner i to corner i+1."""
    return faces.ravel(), np.roll(faces, -1, axis=1).ravel()


def edge_table(faces):
    """Undirected edges of faces (F,3).

    Returns edges (E,2) int64 with the lower vertex first, side (F,3) the edge from corner i to corner i+1, and count (E,)
    the number of faces at each edge.
    """
    start, end = half_edges(faces)
    V = int(faces.max()) + 1 if len(faces) else 0
    key, side, count = np.unique(
        np.minimum(start, end).astype(np.int64) * V + np.maximum(start, end), return_inverse=True, return_counts=True
    )
    return np.stack([key // max(V, 1), key % max(V, 1)], axis=-1), side.reshape(faces.shape), count


def face_pairs(side, count):
    """Faces on both sides of the manifold inner edges: (edge (M,), first face (M,), second face (M,))."""
    order = np.argsort(side.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    inner = np.flatnonzero(count == 2)
    return inner, order[first[inner]] // 3, order[first[inner] + 1] // 3


def euler(faces):
    """V - E + F of the vertices in use: 1 for a disk."""
    return len(np.unique(faces)) - len(edge_table(faces)[0]) + len(faces)


def boundary_loops(faces):
    """Closed loops of boundary vertices, each ordered with the surface on its left, the one with most vertices first."""
    start, end = half_edges(faces)
    _, side, count = edge_table(faces)
    rim = count[side.ravel()] == 1
    start, end = start[rim], end[rim]
    if not len(start):
        return []
    names, start = np.unique(start, return_inverse=True)
    end = np.searchsorted(names, end)
    graph = csr_matrix((np.ones(len(start), np.int8), (start, end)), shape=(len(names), len(names)))
    _, label = connected_components(graph, directed=False)
    seeds = np.unique(label, return_index=True)[1]
    loops = [names[depth_first_order(graph, seed, return_predecessors=False)] for seed in seeds]
    return sorted(loops, key=len, reverse=True)


def split_fans(faces, cut=None):
    """Give every fan of faces around a vertex a vertex of its own.

    faces: (F,3); cut: (S,2) edges that no longer hold their two faces together, none: only vertices where surfaces touch
    in a point are parted. Returns (faces (F,3) over the new vertices, source (V',) the old vertex of each); old vertices
    keep their numbers, copies are appended.
    """
    V = int(faces.max()) + 1
    rows = np.arange(len(faces))
    touched = np.ones(V, bool)
    if cut is not None:
        touched = np.zeros(V, bool)
        touched[cut] = True
        rows = np.flatnonzero(touched[faces].any(axis=1))
    part = faces[rows]
    start, end = half_edges(part)
    key = np.minimum(start, end).astype(np.int64) * V + np.maximum(start, end)
    if cut is not None:
        key[np.isin(key, cut.min(axis=1).astype(np.int64) * V + cut.max(axis=1))] = -1
    order = np.argsort(key, kind="stable")
    same = (key[order][1:] == key[order][:-1]) & (key[order][1:] >= 0)
    one, other = order[:-1][same], order[1:][same]  # half-edges running against each other
    corner = np.arange(part.size)
    following = np.roll(corner.reshape(-1, 3), -1, axis=1).ravel()
    rows_a = np.concatenate([corner[one], following[one]])
    rows_b = np.concatenate([following[other], corner[other]])
    graph = coo_matrix((np.ones(len(rows_a), np.int8), (rows_a, rows_b)), shape=(part.size, part.size))
    count, fan = connected_components(graph, directed=False)
    owner = np.zeros(count, np.int64)
    owner[fan] = part.ravel()
    first = np.unique(owner, return_index=True)[1]
    extra = np.setdiff1d(np.arange(count), first)
    extra = extra[touched[owner[extra]]]
    number = owner.copy()
    number[extra] = V + np.arange(len(extra))
    result = faces.copy()
    result[rows] = number[fan].reshape(-1, 3)
    return result, np.concatenate([np.arange(V), owner[extra]])


def compact(vertices, faces):
    """Drop vertices that no face uses."""
    used, faces = np.unique(faces, return_inverse=True)
    return vertices[used], faces.reshape(-1, 3).astype(np.int32)


def merge_near_samples(positions, faces, middle, bottom, nearness=0.22):
    """Merge marching-cubes vertices that crowd around one grid sample, which is where most slivers come from.

    positions: (V,3) in grid units, faces: (F,3). A crowd is merged only if its faces form a disk (or, at the boundary, half
    a disk) with a simple rim, it lies nearly in a plane and no face turns over, so the surface stays what it was. Crowds of
    one parity never share a face: eight rounds treat them all. middle, bottom: indices of the planes x = 0 and of the neck's
    opening; crowds around their samples end on them. Returns (positions, faces, merged), renumbered.
    """
    V = len(positions)
    sample = np.rint(positions).astype(np.int64)
    near = np.abs(positions - sample).max(axis=1) < nearness
    size = sample.max(axis=0) + 1
    key = (sample[:, 0] * size[1] + sample[:, 1]) * size[2] + sample[:, 2]
    parity = (sample % 2) @ np.array([4, 2, 1])
    crowd = np.full(V, -1)
    _, member, count = np.unique(key[near], return_inverse=True, return_counts=True)
    crowd[near] = np.where(count[member] > 1, member, -1)
    C = len(count)
    if C == 0:
        return positions, faces, 0
    positions = positions.copy()
    merged = 0
    for turn in range(8):
        mine = np.where(parity == turn, crowd, -1)
        corner = mine[faces]  # (F,3)
        rows = np.flatnonzero((corner >= 0).any(axis=1))
        if not len(rows):
            continue
        good = _disk_stars(mine, faces[rows], corner[rows], C)
        chosen = np.flatnonzero((mine >= 0) & good[mine])
        for last in (False, True):
            moved, first, index = _gathered(positions, sample, mine, chosen, middle, bottom)
            if last:
                break
            spoiled = _spoiled(positions, moved, faces[rows], corner[rows], C)
            chosen = chosen[~spoiled[mine[chosen]]]
        if not len(chosen):
            continue
        positions = moved
        number = np.arange(V)
        number[chosen] = first[index]
        faces = number[faces]
        faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
        merged += len(chosen) - len(first)
    return *compact(positions, faces), merged


def _disk_stars(mine, faces, corner, C):
    """Which crowds may shrink to a point: a bool per crowd.

    mine: (V,) crowd of each vertex or -1; faces: (n,3) that touch a crowd; corner: (n,3) = mine[faces].
    """
    V = len(mine)
    star = corner.max(axis=1)
    members = np.bincount(mine[mine >= 0], minlength=C)
    start, end = half_edges(faces)
    touching = ((corner >= 0) | (np.roll(corner, -1, axis=1) >= 0)).ravel()
    owner = np.repeat(star, 3)[touching]
    edge, row, uses = np.unique(
        np.minimum(start, end)[touching] * V + np.maximum(start, end)[touching], return_index=True, return_counts=True
    )
    owner = owner[row]
    on_rim = np.bincount(owner[uses == 1], minlength=C)
    euler_of_star = members - np.bincount(owner, minlength=C) + np.bincount(star, minlength=C)
    link = (corner >= 0).sum(axis=1) == 1
    opposite = np.sort(np.where(corner[link] >= 0, -1, faces[link]), axis=1)[:, 1:]
    place, times = np.unique(np.repeat(star[link], 2) * V + opposite.ravel(), return_counts=True)
    length = np.bincount(place // V, minlength=C)
    ends = np.bincount(place[times == 1] // V, minlength=C)
    inner = (on_rim == 0) & (euler_of_star == 1) & (ends == 0) & (length >= 4)
    rim = (on_rim >= 2) & (euler_of_star == 0) & (ends == 2) & (length >= 3)
    good = (inner | rim) & (members > 1)
    good[place[times > 2] // V] = False
    return good


def _gathered(positions, sample, mine, chosen, middle, bottom):
    """All positions with the chosen vertices at the mean of their crowd; each crowd's first vertex; its number by vertex."""
    _, first, index = np.unique(mine[chosen], return_index=True, return_inverse=True)
    first = chosen[first]
    share = np.maximum(np.bincount(index), 1)
    centre = np.stack([np.bincount(index, positions[chosen, axis]) / share for axis in range(3)], axis=-1)
    for axis, plane in ((0, middle), (1, bottom)):
        centre[sample[first, axis] == plane, axis] = plane
    moved = positions.copy()
    moved[chosen] = centre[index]
    return moved, first, index


def _spoiled(before, after, faces, corner, C):
    """Crowds (bool per crowd) that had better stay: those that lie in no plane, and those of which a remaining face would
    pass its old corner by or look away from the crowd's mean normal, or nearly."""
    star = corner.max(axis=1)
    old, new = (_normals(place, faces) for place in (before, after))
    mean = np.stack([np.bincount(star, old[:, axis], minlength=C) for axis in range(3)], axis=-1)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-30)
    kept = (corner >= 0).sum(axis=1) == 1
    along = np.einsum("fi,fi->f", new, mean[star])
    turned = kept & (along < 0.2 * np.linalg.norm(new, axis=1))
    face, at = np.nonzero(corner >= 0)
    moved = after[faces[face, at]] - before[faces[face, at]]
    bulging = np.abs(np.einsum("ni,ni->n", moved, mean[star[face]])) > BULGE
    lifted = kept[face] & (np.abs(np.einsum("ni,ni->n", moved, new[face])) > LIFT * np.linalg.norm(new[face], axis=1))
    return np.bincount(np.concatenate([star[turned], star[face[bulging | lifted]]]), minlength=C) > 0


def _normals(positions, faces):
    a, b, c = np.moveaxis(positions[faces], 1, 0)
    return np.cross(b - a, c - a)


def flip_needles(vertices, faces, rounds=FLIP_ROUNDS):
    """Turn inner edges whose two opposite angles sum to more than half a turn, where the surface is nearly flat.

    vertices: (V,3), faces: (F,3) manifold -> faces (F,3). Makes the triangles about as round as their vertices allow (Delaunay)
    and the cotangent weights positive. Edges on the plane x = 0 stay, none are added there, and none join boundary vertices.
    """
    faces = faces.copy()
    middle = vertices[:, 0] == 0
    for _ in range(rounds):
        edges, side, count = edge_table(faces)
        V, F = int(faces.max()) + 1, len(faces)
        rim = np.zeros(len(vertices), bool)
        rim[edges[count == 1]] = True
        half = np.argsort(side.ravel(), kind="stable")
        first = (np.cumsum(count) - count)[count == 2]
        one, other = half[first], half[first + 1]  # half-edges a -> b and b -> a
        flat = faces.ravel()
        a, b = flat[one], flat[_next(one)]
        c, d = flat[_next(_next(one))], flat[_next(_next(other))]
        bad = _cotangent(vertices, c, a, b) + _cotangent(vertices, d, a, b) < -1e-3
        bad &= ~(middle[a] & middle[b]) & ~(middle[c] & middle[d]) & ~(rim[c] & rim[d])
        one, other, a, b, c, d = (part[bad] for part in (one, other, a, b, c, d))
        before = _normals(vertices, np.stack([a, b, c], axis=-1)) + _normals(vertices, np.stack([b, a, d], axis=-1))
        left, right = np.stack([a, d, c], axis=-1), np.stack([d, b, c], axis=-1)
        ok = _faces_along(vertices, left, before) & _faces_along(vertices, right, before)
        joined = np.minimum(c, d).astype(np.int64) * V + np.maximum(c, d)
        ok &= ~np.isin(joined, edges[:, 0] * V + edges[:, 1])
        # Of the turns that share a face or a new edge, the first in order goes ahead.
        turn = np.flatnonzero(ok)
        claims = np.full(F, len(ok))
        for faces_of in (one[turn] // 3, other[turn] // 3):
            np.minimum.at(claims, faces_of, turn)
        turn = turn[(claims[one[turn] // 3] == turn) & (claims[other[turn] // 3] == turn)]
        turn = turn[np.unique(joined[turn], return_index=True)[1]]
        if not len(turn):
            break
        faces[one[turn] // 3], faces[other[turn] // 3] = left[turn], right[turn]
    return faces


def _next(half):
    """The half-edge that follows in the same face."""
    return half - half % 3 + (half + 1) % 3


def _cotangent(vertices, corner, a, b):
    """Cotangent of the angle at `corner` between a and b."""
    u, v = vertices[a] - vertices[corner], vertices[b] - vertices[corner]
    return np.einsum("ij,ij->i", u, v) / np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-30)


def _faces_along(vertices, faces, direction):
    """Which faces (n,3) look along directions (n,3), within 25 degrees."""
    normal = _normals(vertices, faces)
    return np.einsum("ij,ij->i", normal, direction) > 0.9 * np.linalg.norm(normal, axis=1) * np.linalg.norm(direction, axis=1)


def clean_disk(vertices, faces):
    """The largest part of a mesh as one disk, bounded by its longest boundary.

    vertices: (V,3) float, faces: (F,3) int, consistently oriented. Repairs, in this order: faces at non-manifold edges are
    dropped and surfaces touching in a point parted; all but the largest component go; boundaries other than the longest
    are closed by a fan; handles are cut along their shortest loop and both ends capped.
    Returns (vertices, faces, report); report counts the repairs. Raises ClosedSurface if the largest component has no
    boundary, SurfaceError if no disk comes out.
    """
    report = {"nonmanifold_faces_removed": 0, "components_removed": 0, "holes_closed": 0, "handles_cut": 0}
    vertices = np.asarray(vertices, np.float64)
    for _ in range(ROUNDS):
        faces = _largest_part(_manifold(faces, report), report)
        faces, source = _part_points(faces)
        vertices = vertices[source]
        loops = _by_length(vertices, boundary_loops(faces))
        if not loops:
            raise ClosedSurface(vertices[np.unique(faces)])
        for loop in loops[1:]:
            vertices, faces = _cap(vertices, faces, loop)
            report["holes_closed"] += 1
        edges, _, count = edge_table(faces)
        if count.max() <= 2:
            break
    else:
        raise SurfaceError("The surface stays entangled with itself. Try another seed, or a resolution a little lower.")
    handles = (1 - (len(np.unique(faces)) - len(edges) + len(faces))) // 2
    if handles > MOST_HANDLES:
        raise SurfaceError(
            f"The surface has {handles} handles; a head has none. Try another seed, less variation or a lower resolution."
        )
    for _ in range(handles):
        vertices, faces = _cut_handle(*compact(vertices, faces))
        report["handles_cut"] += 1
    if report["handles_cut"] and (euler(faces) != 1 or len(boundary_loops(faces)) != 1):
        raise SurfaceError("The surface's handles could not be cut. Try another seed or another resolution.")
    return *compact(vertices, faces), report


def _manifold(faces, report):
    """Drop every face at an edge of three or more faces."""
    _, side, count = edge_table(faces)
    bad = (count[side] > 2).any(axis=1)
    report["nonmanifold_faces_removed"] += int(bad.sum())
    return faces[~bad]


def _largest_part(faces, report):
    """The component, connected over edges, with most faces."""
    _, side, count = edge_table(faces)
    _, one, other = face_pairs(side, count)
    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(len(faces), len(faces)))
    parts, label = connected_components(graph, directed=False)
    if parts > 1:
        report["components_removed"] += parts - 1
        faces = faces[label == np.bincount(label).argmax()]
    return faces


def _part_points(faces):
    """Part fans that touch in a vertex only, if there can be any: a disk's V - E + F leaves no room for them."""
    edges, _, count = edge_table(faces)
    used = np.unique(faces)
    rim = edges[count == 1]
    simple_rim = (np.bincount(rim.ravel())[np.unique(rim)] == 2).all() if len(rim) else True
    if simple_rim and len(rim) and len(used) - len(edges) + len(faces) == 1:
        return faces, np.arange(faces.max() + 1)
    return split_fans(faces)


def _by_length(vertices, loops):
    """Loops sorted by their length in space, longest first."""
    return sorted(loops, key=lambda loop: -_span(vertices, loop))


def _cap(vertices, faces, loop):
    """Close a boundary loop by a fan about its mean point."""
    centre = len(vertices)
    fan = np.stack([np.roll(loop, -1), loop, np.full(len(loop), centre)], axis=-1)
    return np.concatenate([vertices, vertices[loop].mean(axis=0, keepdims=True)]), np.concatenate([faces, fan])


def _cut_handle(vertices, faces):
    """Cut one handle along a short loop around it, cap both ends, and let the ends draw back a little."""
    loop = _handle_loop(vertices, faces)
    faces, source = split_fans(faces, np.stack([loop, np.roll(loop, -1)], axis=-1))
    vertices = vertices[source]
    ends = [end for end in boundary_loops(faces) if np.isin(source[end], loop).all()]
    if len(ends) != 2:
        raise SurfaceError("A handle of the surface could not be cut. Try another seed or another resolution.")
    moving = np.concatenate(ends)
    for end in ends:
        vertices, faces = _cap(vertices, faces, end)
    moving = np.concatenate([moving, [len(vertices) - 2, len(vertices) - 1]])
    return _relax(vertices, faces, moving), faces


def _relax(vertices, faces, moving, rounds=4):
    """Move some vertices to the mean of their neighbours, so that the two ends of a cut no longer touch."""
    edges = edge_table(faces)[0]
    V = len(vertices)
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(V, V))
    graph = (graph + graph.T).tocsr()[moving]
    degree = np.asarray(graph.sum(axis=1))
    vertices = vertices.copy()
    for _ in range(rounds):
        vertices[moving] = graph @ vertices / degree
    return vertices


def settle(vertices, faces):
    """Draw vertices that coincide, and those of faces without area, towards the mean of their neighbours.

    vertices: (V,3), faces: (F,3) of a disk -> vertices (V,3) float32, moved (number of vertices). Vertices on the plane x = 0
    and on the boundary's plane stay on it. Raises SurfaceError if some vertices cannot be parted.
    """
    vertices = np.asarray(vertices, np.float32)
    offenders = np.zeros(len(vertices), bool)
    for _ in range(ROUNDS):
        bad = _coinciding(vertices)
        area = np.linalg.norm(_normals(vertices.astype(np.float64), faces), axis=1)
        bad[faces[area < THINNEST * np.median(area)]] = True
        if not bad.any():
            return vertices, int(offenders.sum())
        offenders |= bad
        kept = np.zeros(vertices.shape, bool)
        kept[:, 0] = vertices[:, 0] == 0
        kept[boundary_loops(faces)[0], 1] = True
        relaxed = _relax(vertices.astype(np.float64), faces, np.flatnonzero(bad), rounds=1).astype(np.float32)
        vertices = np.where(kept, vertices, relaxed)
    raise SurfaceError("The surface is folded onto itself. Try another seed, or a resolution a little lower.")


def flaws(vertices, faces):
    """What keeps a mesh from being a clean disk, in words: [] for vertices (V,3), faces (F,3) that are one."""
    edges, _, count = edge_table(faces)
    start, end = half_edges(faces)
    loops = len(boundary_loops(faces))
    area = np.linalg.norm(_normals(np.asarray(vertices, np.float64), faces), axis=1)
    checks = (
        (euler(faces) != 1, f"Euler characteristic {euler(faces)}"),
        (loops != 1, f"{loops} boundaries"),
        (count.max() > 2, f"{(count > 2).sum()} non-manifold edges"),
        (len(np.unique(start.astype(np.int64) * len(vertices) + end)) < len(start), "faces of opposite orientation"),
        (len(split_fans(faces)[1]) > faces.max() + 1, "surfaces that touch in a point"),
        (not (area > 0).all(), f"{(~(area > 0)).sum()} faces without area"),
        (_coinciding(vertices).any(), f"{_coinciding(vertices).sum()} coinciding vertices"),
        (len(np.unique(faces)) < len(vertices), "vertices without a face"),
    )
    return [words for wrong, words in checks if wrong]


def _coinciding(vertices):
    """Which vertices (V,3) have the very place of another one: bool (V,)."""
    order = np.lexsort(vertices.T)
    same = (vertices[order][1:] == vertices[order][:-1]).all(axis=1)
    result = np.zeros(len(vertices), bool)
    result[order[1:][same]] = result[order[:-1][same]] = True
    return result


def _handle_loop(vertices, faces):
    """A short simple loop that does not separate the surface, as ordered vertices.

    Tree and cotree: edges neither in a shortest-path tree from a root nor crossed by a spanning tree of the dual graph
    close exactly two loops per handle (Erickson and Whittlesey 2005), shortest among those through the root. The loops of the
    dual graph that they close tell which side of what any other loop crosses: one that crosses each of them an even number of
    times separates the surface. So shorter loops are looked for close to those found, without the rest of the surface.
    """
    edges, side, count = edge_table(faces)
    V, F = len(vertices), len(faces)
    length = np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), 1e-9)
    rim = np.zeros(V, bool)
    rim[edges[count == 1]] = True
    # A loop must keep off the boundary, where cutting it would open the boundary instead.
    length = np.where(rim[edges].any(axis=1), 1e3, 1.0) * length
    graph = csr_matrix((length, edges.T), shape=(V, V))
    graph = graph + graph.T

    distance, parent = dijkstra(graph, indices=int(np.argmin(rim)), return_predecessors=True)
    free = np.flatnonzero((parent[edges[:, 0]] != edges[:, 1]) & (parent[edges[:, 1]] != edges[:, 0]))
    # The spanning tree takes the longest loops, so that the shortest are left over.
    free = free[np.argsort(-(distance[edges[free]].sum(axis=1) + length[free]), kind="stable")]
    beside = np.full((len(edges), 2), F)  # the faces of each edge; the world beyond the boundary is one more face
    order = np.argsort(side.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    beside[:, 0] = order[first] // 3
    beside[count == 2, 1] = order[first[count == 2] + 1] // 3
    beside.sort(axis=1)
    key = beside[:, 0].astype(np.int64) * (F + 1) + beside[:, 1]
    rank = np.unique(key[free], return_index=True)[1]
    dual = csr_matrix((rank + 1.0, beside[free[rank]].T), shape=(F + 1, F + 1))
    dual = minimum_spanning_tree(dual)
    crossed = free[dual.data.astype(np.int64) - 1]
    left = np.setdiff1d(free, crossed)
    crossing = _crossings(dual, beside, key, crossed, left)

    # The two loops of a handle cross, so a short one is met by going on from other places of the loops found so far.
    loops = [_close(parent, a, b) for a, b in edges[left].tolist()]
    spans = [np.inf if rim[loop].any() else _span(vertices, loop) for loop in loops]
    best, shortest = min(spans), loops[int(np.argmin(spans))]
    for share in (0, 0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875):
        for place in sorted(range(len(loops)), key=spans.__getitem__):
            if best <= SHORT_LOOP * np.median(length):
                return shortest
            root = int(loops[place][int(share * len(loops[place]))])
            loop = _shortest_through(root, graph, edges, length, crossing, min(best, 1e3))
            if loop is not None and _span(vertices, loop) < best and not rim[loop].any():
                best, shortest = _span(vertices, loop), loop
                loops.append(loop)
                spans.append(best)
    return shortest


def _crossings(dual, beside, key, crossed, left):
    """For each edge, one bit per edge left over: whether it is crossed by the dual loop that this one closes. -> (E,) int64"""
    world = dual.shape[0] - 1
    _, parent = breadth_first_order(dual, world, directed=False)
    crossed = crossed[np.argsort(key[crossed])]
    bits = np.zeros(len(key), np.int64)
    for i, edge in enumerate(left):
        ring = _close(parent, *beside[edge].tolist())
        low, high = np.sort([ring[:-1], ring[1:]], axis=0).astype(np.int64)  # its last step, to the first, is the edge itself
        bits[crossed[np.searchsorted(key[crossed], low * (world + 1) + high)]] ^= 1 << i
        bits[edge] ^= 1 << i
    return bits


def _shortest_through(root, graph, edges, length, crossing, limit):
    """The shortest loop through a vertex, below a limit, that does not separate the surface; None if there is none."""
    distance, parent = dijkstra(graph, indices=root, return_predecessors=True, limit=limit / 2)
    near = np.flatnonzero(np.isfinite(distance[edges]).all(axis=1))
    ends = edges[near]
    in_tree = (parent[ends[:, 0]] == ends[:, 1]) | (parent[ends[:, 1]] == ends[:, 0])
    bits = {root: 0}
    for index in near[in_tree][np.argsort(distance[ends[in_tree]].max(axis=1), kind="stable")].tolist():
        a, b = edges[index].tolist()
        a, b = (a, b) if parent[b] == a else (b, a)
        bits[b] = bits[a] ^ int(crossing[index])
    around = distance[ends].sum(axis=1) + length[near]
    for i in np.argsort(around, kind="stable").tolist():
        a, b = ends[i].tolist()
        if around[i] < limit and not in_tree[i] and bits[a] ^ bits[b] ^ int(crossing[near[i]]):
            return _close(parent, a, b)
    return None


def _span(vertices, loop):
    return np.linalg.norm(vertices[loop] - vertices[np.roll(loop, 1)], axis=1).sum()


def _close(parent, a, b):
    """The loop made by edge (a, b) and the tree paths of its ends up to where they meet."""
    paths = []
    for vertex in (a, b):
        path = [vertex]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
        paths.append(path)
    one, other = paths  # the edge's ends come first, the root last
    while len(one) > 1 and len(other) > 1 and one[-2] == other[-2]:
        one.pop()
        other.pop()
    return np.array(one + other[-2::-1])
