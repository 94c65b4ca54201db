"""Texture coordinates for head meshes from elsewhere: scans, sculpts, decimated meshes, of any size and position."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from ..errors import UnwrapError
from ..stages import HairMesh, HeadMesh, UnwrappedHead
from .mesh import vertex_normals
from .seam import DETOUR, closed_loops
from .topology import edge_table, face_pairs, half_edges, split_fans
from .unwrap import FlatHead, distortion, lay_out

LEAST_FACES = 200
NAMED = 5  # offending elements that a refusal names
CUT_HEIGHT = 0.04  # share of a closed mesh's height, from below, between whose ends its neck is slit open
SAMPLES = 3000  # surface points that look for the symmetry plane
DIRECTIONS = 48  # normals tried for it
REGISTRATIONS = 20  # rounds of refining the best
TRIMMED = 0.8  # share of the points that count there: clothes and hair need not be symmetric
LOPSIDED = 0.03  # of the head's height: a mean distance from its mirror image above this is worth a warning
LOWEST = 0.05  # share of a closed mesh's surface that stands for the end of its neck
THINNEST = 0.05  # of its greatest deviation from its middle: the least that a mesh with a volume may have
REPORTED_UP = "The mesh is closed; its neck was slit open at the lowest points."


def unwrap_mesh(vertices, faces, layout=None, anchors=None, up=None, front=None, diagonals=None):
    """Flatten any triangle mesh of a head into one island of the unit tile; the mesh itself stays as it is.

    vertices: (V,3), any unit and position; faces: (F,3) int, one connected piece, manifold, consistently oriented. Holes
    are closed for the computation only, and the longest boundary is taken for the neck. A mesh without any is slit open
    from the back of its lowest part to the front. layout: UVLayout that the face shall follow; anchors: its landmarks (K,3) on
    this mesh, None: no landmark is aligned, but the face still gets its share. up, front: (3,) roughly upwards and where the
    face looks, None: found from the neck and the shape; a closed mesh needs `up`. diagonals: (D,2) edges along which the cut
    must not run, because they only divide a polygon into triangles.

    Returns UnwrappedHead: seam and boundary name vertices of the mesh, `canonical` has it upright in the NPHM frame at about
    NPHM's size. Its report adds to `unwrap`'s: holes_closed, neck ("boundary" or "slit"), asymmetry (mean distance from the
    mirror image, in heights of the head), frame (4,4) from the mesh's coordinates to the NPHM frame, and warnings. Raises
    UnwrapError with the first offending elements for meshes that cannot be flattened.
    """
    whole, whole_faces = _checked(vertices, faces)
    used, faces = np.unique(whole_faces, return_inverse=True)  # scans and sculpts may have vertices without faces
    vertices, faces = whole[used], faces.reshape(whole_faces.shape)
    if diagonals is not None:
        diagonals = np.searchsorted(used, diagonals)
    loops = sorted(_boundaries(faces), key=lambda loop: -_length(vertices[loop]))
    if not loops and up is None:
        raise UnwrapError("The mesh is closed and has no neck to tell its upright from. Say which way is up.")
    closed, filled = _filled(vertices, faces, loops)
    inside_out = _volume(closed, filled) < 0
    if inside_out:
        filled, loops = filled[:, ::-1], [loop[::-1] for loop in loops]
    frame, asymmetry = _frame(closed, filled, loops[0] if loops else None, up, front)
    placed = closed @ frame[:3, :3].T + frame[:3, 3]
    warnings = []
    if asymmetry > LOPSIDED:
        warnings.append(
            "The mesh is not symmetric: the cut may run beside the middle. Say where its front is if it looks wrong."
        )
    disk = filled[: len(faces) + sum(map(len, loops[1:]))]  # the neck's cap comes last
    neck, slit, source = (loops[0], np.zeros((0, 2), int), np.arange(len(placed))) if loops else (None, None, None)
    if not loops:
        warnings.append(REPORTED_UP)
        disk, source, neck, slit = _slit(placed, disk, diagonals)
    edges = _without(edge_table(disk)[0], diagonals, source)
    flat = FlatHead.of(placed[source], disk, neck, edges, None if layout is None else layout.seam_share)
    own = None if anchors is None else np.asarray(anchors) @ frame[:3, :3].T + frame[:3, 3]
    # The spots are found by the shapes of the pack's own heads, in their exact frame: the anchors alone serve other meshes.
    uv, report = lay_out(flat, None if layout is None else replace(layout, spots=None), own)
    uv = uv[flat.faces[: len(faces)]]
    if inside_out:
        uv = uv[:, ::-1]
    seam = np.concatenate([slit, source[flat.seam]])
    seam = used[seam[(seam < len(vertices)).all(axis=1)]].astype(np.int32)
    canonical = (whole @ frame[:3, :3].T + frame[:3, 3]).astype(np.float32)
    mesh = HeadMesh(
        vertices=whole.astype(np.float32),
        faces=whole_faces.astype(np.int32),
        canonical=canonical,
        normals=vertex_normals(whole, whole_faces),
        anchors=np.zeros((0, 3), np.float32) if anchors is None else np.asarray(anchors, np.float32),
    )
    report |= distortion(canonical, whole_faces, uv) | {
        "holes_closed": max(len(loops) - 1, 0),
        "neck": "boundary" if loops else "slit",
        "asymmetry": asymmetry,
        "frame": frame.tolist(),
        "warnings": warnings,
    }
    return UnwrappedHead(mesh, seam, used[source[neck]].astype(np.int32), uv, report)


def unwrapped_already(vertices, faces, uv, seam, canonical=None, hair_vertices=None, hair_faces=None):
    """A mesh of triangles that has texture coordinates (F,3,2) and a seam (S,2) as UnwrappedHead, its faces turned outwards.

    vertices: (V,3) in the axes of the NPHM frame; canonical: (V,3), only of the pack's own heads; the hair, if any: (H,3) and
    (G,3). Its report says whether it is `aligned`: laid out by landmarks, as the pack's heads are.
    """
    if _volume(vertices.astype(np.float64), faces) < 0:  # inside out, or mirrored on its way here
        faces, uv = faces[:, ::-1], uv[:, ::-1]
    mesh = HeadMesh(
        vertices=vertices,
        faces=faces,
        canonical=vertices if canonical is None else canonical,
        normals=vertex_normals(vertices, faces),
        anchors=np.zeros((0, 3), np.float32),
        hair=None if hair_vertices is None else HairMesh(hair_vertices, hair_faces),
    )
    return UnwrappedHead(mesh, seam, np.zeros(0, np.int32), uv, {"aligned": canonical is not None})


def _checked(vertices, faces):
    """The arrays as float64 and int64, if they are one manifold piece; UnwrapError with the offending elements if not."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise ValueError(f"vertices {vertices.shape} and faces {faces.shape} {faces.dtype}: (V,3) and whole (F,3) are needed")
    faces = faces.astype(np.int64)
    if len(faces) < LEAST_FACES:
        raise UnwrapError(f"The mesh has {len(faces)} triangles; a head needs at least {LEAST_FACES}.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise UnwrapError(f"Some triangles name vertices beyond the mesh's {len(vertices):,}. Export the mesh again.")
    bad = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if len(bad):
        raise UnwrapError(f"{_named('vertex', bad)} without finite coordinates. Clean the mesh first.")
    bad = np.flatnonzero((faces == np.roll(faces, 1, axis=1)).any(axis=1))
    if len(bad):
        raise UnwrapError(f"{_named('triangle', bad)} with a vertex used twice. Dissolve degenerate faces first.")
    spread = np.linalg.eigvalsh(np.cov(vertices[np.unique(faces)].T))
    if not spread[0] > THINNEST**2 * spread[2]:
        raise UnwrapError("The mesh is flat. Choose the mesh of a whole head.")
    edges, side, count = edge_table(faces)
    if count.max() > 2:
        bad = [tuple(edge) for edge in edges[count > 2].tolist()]
        raise UnwrapError(f"{_named('edge', bad)} with more than two triangles. Make the mesh manifold there.")
    inner, one, other = face_pairs(side, count)
    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(len(faces),) * 2)
    parts, label = connected_components(graph, directed=False)
    if parts > 1:
        sizes = np.bincount(label)
        first = faces[np.unique(label, return_index=True)[1], 0][np.argsort(-sizes)][1:]
        raise UnwrapError(
            f"The mesh is in {parts} pieces; besides the largest, {sizes.max():,} triangles, "
            f"{_named('piece', first, 'at vertex')}. "
            "Separate the head from eyes, teeth and hair first."
        )
    start, end = half_edges(faces)
    along = np.bincount(side.ravel(), start < end, minlength=len(edges))
    bad = [tuple(edge) for edge in edges[(count == 2) & (along != 1)].tolist()]
    if bad:
        raise UnwrapError(f"{_named('edge', bad)} between triangles that face opposite ways. Recalculate the normals first.")
    source = split_fans(faces)[1]
    used = int(faces.max()) + 1
    bad = np.unique(source[used:])
    if len(bad):
        raise UnwrapError(f"{_named('vertex', bad)} where the surface touches itself in a point. Split it there.")
    return vertices, faces


def _named(what, items, where=""):
    """ "3 edges (4-7, 4-9, 7-9)", naming the first few."""
    words = ["-".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in items[:NAMED]]
    plural = {"vertex": "vertices"}.get(what, what + "s")
    rest = ", ..." if len(items) > NAMED else ""
    return f"{len(items)} {what if len(items) == 1 else plural} ({where}{' ' if where else ''}{', '.join(words)}{rest})"


def _boundaries(faces):
    """Boundary loops; UnwrapError if the surface, its holes closed, has handles."""
    edges, side, count = edge_table(faces)
    rim = count[side.ravel()] == 1
    start, end = half_edges(faces)
    loops = closed_loops(start[rim], end[rim])
    handles = (2 - len(loops) - (len(np.unique(faces)) - len(edges) + len(faces))) // 2
    if handles:
        raise UnwrapError(
            f"The mesh has {handles} handle{'s' if handles > 1 else ''}, such as a tunnel from nostril to nostril or a ring. "
            "A head has none: close them first, for example with a voxel remesh."
        )
    return loops


def _filled(vertices, faces, loops):
    """The mesh closed by a fan in every loop, the first loop's last: vertices (V+L,3), faces."""
    loops = [*loops[1:], *loops[:1]]
    fans = [np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(vertices) + i)], axis=-1) for i, loop in enumerate(loops)]
    centres = [vertices[loop].mean(axis=0) for loop in loops]
    return np.concatenate([vertices, np.reshape(centres, (-1, 3))]), np.concatenate([faces, *fans])


def _without(edges, diagonals, source):
    """Edges (E,2) whose ends do not come from those of a diagonal (D,2); source: (V',) where vertices come from."""
    if diagonals is None or not len(diagonals):
        return edges
    key, banned = (np.sort(pairs, axis=1) @ [len(source), 1] for pairs in (source[edges], np.asarray(diagonals, np.int64)))
    return edges[~np.isin(key, banned)]


def _length(points):
    return np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1).sum()


def _volume(vertices, faces):
    a, b, c = np.moveaxis(vertices[faces] - vertices.mean(axis=0), 1, 0)
    return np.einsum("fi,fi->", a, np.cross(b, c)) / 6


def _frame(vertices, faces, neck, up, front):
    """Where the head is: (4,4) from its coordinates to the NPHM frame, and how far it is from its mirror image."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    normal = np.cross(b - a, c - a) / 2
    area = np.linalg.norm(normal, axis=1)
    random = np.random.default_rng(0)
    chosen = random.choice(len(faces), SAMPLES, p=area / area.sum())
    points = ((a + b + c) / 3)[chosen]
    normals = normal[chosen] / np.maximum(area[chosen, None], 1e-300)
    size = np.sqrt(area.sum())
    middle = points.mean(axis=0)
    points = (points - middle) / size
    if up is None:
        rim = vertices[neck]
        # The area vector of the opening points out of the head, downwards.
        up = -np.cross(rim - rim.mean(axis=0), np.roll(rim, -1, axis=0) - rim.mean(axis=0)).sum(axis=0)
        up = -up if up @ (middle - rim.mean(axis=0)) < 0 else up
    up = np.asarray(up, np.float64) / np.linalg.norm(up)
    across, shift, distance = _mirror_plane(points, up, front)
    up = up - (up @ across) * across
    up /= np.linalg.norm(up)
    ahead = np.cross(across, up)
    if front is not None:
        turned = ahead @ np.asarray(front, np.float64) < 0
    else:
        low = points @ up < np.quantile(points @ up, LOWEST)
        opening = points[low].mean(axis=0) if neck is None else (vertices[neck].mean(axis=0) - middle) / size
        turned = _face_is_behind(points, normals, up, ahead, opening)
    across, ahead = (-across, -ahead) if turned else (across, ahead)
    shift = -shift if turned else shift
    rotation = np.stack([across, up, ahead])
    turned_points = points @ rotation.T
    low, high = turned_points.min(axis=0), turned_points.max(axis=0)
    height = high[1] - low[1]
    scale = 1 / height
    # The plane x = 0 is the mirror's; y and z are measured from the middle, and the head is one unit high, as NPHM's are.
    origin = np.array([shift, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2])
    frame = np.eye(4)
    frame[:3, :3] = rotation * (scale / size)
    frame[:3, 3] = -scale * (rotation @ middle / size + origin)
    return frame, float(distance / height)


def _mirror_plane(points, up, front):
    """The plane that best mirrors points (N,3) onto themselves, upright: unit normal, offset, mean distance.

    Many directions are tried coarsely; the best are refined by pairing every mirrored point with the nearest, and taking the
    reflection that serves the pairs best: its normal is the least eigenvector of their symmetric covariance.
    """
    tree = cKDTree(points)
    first = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    first /= np.linalg.norm(first)
    second = np.cross(up, first)
    angle = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    normals = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
    if front is not None:
        side = np.cross(up, np.asarray(front, np.float64))
        normals = normals[np.argsort(-np.abs(normals @ side))[: DIRECTIONS // 3]]
    sample = points[:: max(1, len(points) // 500)]

    def apart(normal, offset, these):
        mirrored = these - 2 * (these @ normal - offset)[:, None] * normal
        distance, index = tree.query(mirrored)
        return distance, index

    coarse = [np.sort(apart(normal, 0.0, sample)[0])[: int(TRIMMED * len(sample))].mean() for normal in normals]
    best = None
    for k in np.argsort(coarse)[:6]:
        normal, offset = normals[k], 0.0
        for _ in range(REGISTRATIONS):
            distance, index = apart(normal, offset, points)
            kept = np.argsort(distance)[: int(TRIMMED * len(points))]
            p, q = points[kept], points[index[kept]]
            middle_p, middle_q = p.mean(axis=0), q.mean(axis=0)
            covariance = (p - middle_p).T @ (q - middle_q)
            found = np.linalg.eigh(covariance + covariance.T)[1][:, 0]
            normal = found if found @ normal > 0 else -found
            offset = normal @ (middle_p + middle_q) / 2
        distance = np.sort(apart(normal, offset, points)[0])[: int(TRIMMED * len(points))].mean()
        if (best is None or distance < best[2]) and abs(normal @ up) < 0.6:
            best = normal, offset, distance
    if best is None:
        raise UnwrapError("No upright plane of symmetry was found. Turn the head upright, or say which way is up.")
    return best


def _face_is_behind(points, normals, up, ahead, opening):
    """Whether `ahead` points out of the back of the head.

    The back is a smooth dome; the face's surface turns more from place to place. And the neck stands behind the middle.
    """
    upper = points @ up > np.quantile(points @ up, 0.35)  # without neck and shoulders, whatever they wear
    near = cKDTree(points[upper]).query(points[upper], k=7)[1]
    turning = 1 - np.linalg.norm(normals[upper][near].mean(axis=1), axis=1)
    depth = points[upper] @ ahead
    middle = (depth.min() + depth.max()) / 2
    span = depth.max() - depth.min()
    rough = turning[depth > middle].mean(), turning[depth < middle].mean()
    evidence = (rough[0] - rough[1]) / max(sum(rough), 1e-12)
    return evidence + 2 * (middle - opening @ ahead) / span < 0


def _slit(vertices, faces, diagonals):
    """Open a closed mesh along its lowest part, from the back to the front.

    Returns faces over the slit vertices, their source, the loop around the slit, and its edges (S,2) of the closed mesh.
    """
    edges = _without(edge_table(faces)[0], diagonals, np.arange(len(vertices)))
    used = np.unique(faces)
    y = vertices[:, 1]
    low, high = y[used].min(), y[used].max()
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    bottom = used[y[used] < low + CUT_HEIGHT * (high - low)]
    wide = np.median(length)
    while len(middle := bottom[np.abs(vertices[bottom, 0]) < wide]) < 2 and wide < high - low:
        wide *= 2
    if len(middle) < 2 or np.ptp(vertices[middle, 2]) == 0:
        raise UnwrapError("The closed mesh has too few vertices at its lowest part to open a neck there. Cut its neck open.")
    back, front = middle[np.argmin(vertices[middle, 2])], middle[np.argmax(vertices[middle, 2])]
    # The way round the bottom: higher places are as dear as places off the middle.
    aside = np.abs(vertices[edges, 0]).mean(axis=1) + np.maximum(y[edges].mean(axis=1) - low, 0)
    graph = csr_matrix(
        (np.maximum(length * (1 + DETOUR * aside / np.median(length)), 1e-9), edges.T), shape=(len(vertices),) * 2
    )
    parent = dijkstra(graph, directed=False, indices=back, return_predecessors=True)[1]
    if parent[front] < 0:
        raise UnwrapError("No edges run along the lowest part of the closed mesh. Cut its neck open.")
    path = [int(front)]
    while path[-1] != back:
        path.append(int(parent[path[-1]]))
    path = np.array(path)
    slit = np.stack([path[:-1], path[1:]], axis=-1)
    cut, source = split_fans(faces, slit)
    (loop,) = _boundaries(cut)
    return cut, source, loop, slit
