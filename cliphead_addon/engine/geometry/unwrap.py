"""Texture coordinates that mean the same place on every head."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from scipy.spatial import ConvexHull, cKDTree
from scipy.special import erf

from ..errors import UnwrapError
from ..stages import UnwrappedHead
from .harmonic import HarmonicSolver, boundary_curve, inside_curve
from .seam import cut_open, find_seam, neck_of_disk
from .spots import SpotModel

MARGIN = 0.02  # of the tile, left free around the island for padding
FIXED_POINTS = 64  # of the boundary that the landmark warp must not move
FADE = 0.12  # depth, in units of inside_curve, over which the warp dies out towards the boundary
WARP_STEPS = 4
LOCAL = 0.04  # of all triangles: as many folds are mended before the whole warp is damped
MENDINGS = 3  # at most: mending a fold may leave a smaller one beside it
LATTICE = 97  # samples per axis for the warp
CROWDED = 0.1  # of the usual share of the tile for a vertex's share of the surface: those with less get more room
ROOM = 0.2  # exponent of how much more, in each of at most ROOMS rounds
ROOMS = 12
SPREAD = 4  # times that this is averaged around, or a step in weight would itself crowd
POCKET_RINGS = 12  # of triangles around a pocket that make room
SHRUNK = 2.0  # about as much as magnification shrinks the sides of triangles far from the face
FEW = 1e-3  # share of all triangles, or 50, that may be mended one by one where rounding or the warp turned them over
NEEDLE_STEPS = 12  # needles are opened by 2^-24 to 2^-13 of the tile
DAMPINGS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
FRONT = 0.05  # of the nose tip's z: landmarks further in front outline the face
FACE_REACH = 1.6  # the face reaches this much farther from its middle than its landmarks
FACE_SHARE = 0.38  # of the island, wished for the mean head


@dataclass(frozen=True)
class UVLayout:
    """What all heads of a pack share in UV space; coordinates in the square [-1,1]^2 before magnification."""

    anchors: np.ndarray  # (K,2) mean place of each anchor after the harmonic map
    used: np.ndarray  # (K,) bool, False for anchors at the cut, whose place is fixed or torn
    seam_share: np.ndarray  # () share of the boundary curve that the two sides of the seam take
    face: np.ndarray  # (P,2) convex outline of the face, counter-clockwise, after the harmonic map
    centre: np.ndarray  # (2,) the face's centre, which magnification keeps
    strength: np.ndarray  # () extra density at the centre, 0 = none
    spread: np.ndarray  # () standard deviation of the magnified zone
    spots: SpotModel | None = None  # many more landmarks, found by the shape around the anchors; None: the anchors alone

    def to_arrays(self):
        """Name -> array, ready for a safetensors file."""
        own = {part.name: np.asarray(getattr(self, part.name)) for part in fields(self) if part.name != "spots"}
        more = {} if self.spots is None else self.spots.to_arrays()
        return own | {f"spots.{name}": array for name, array in more.items()}

    @classmethod
    def from_arrays(cls, arrays):
        """Inverse of `to_arrays`."""
        own = {part.name: np.asarray(arrays[part.name]) for part in fields(cls) if part.name != "spots"}
        more = {name.removeprefix("spots."): array for name, array in arrays.items() if name.startswith("spots.")}
        return cls(**own | {"used": arrays["used"] > 0.5, "spots": SpotModel.from_arrays(more) if more else None})


def unwrap(mesh, layout, alignment="landmarks"):
    """Flatten a head into one island of the unit tile.

    mesh: HeadMesh, flattened in its canonical pose, so that an expression does not change its UVs; layout: UVLayout;
    alignment: "landmarks", or "paper" for the harmonic map alone. u = 0.5 is the face's midline, the head's own left is at
    u > 0.5, v is up. Returns UnwrappedHead; its report holds the proof that the map is one to one (`prove_one_to_one`),
    damping of the warp and what was tried, angle and area distortion and the face's share. Raises UnwrapError for a mesh
    that is no disk or folds even without a warp.
    """
    neck, edges = neck_of_disk(mesh.faces)
    flat = FlatHead.of(mesh.canonical, mesh.faces, neck, edges, layout.seam_share)
    uv, report = lay_out(flat, layout, mesh.anchors if alignment == "landmarks" else None, magnified=alignment == "landmarks")
    report |= distortion(mesh.canonical, mesh.faces, uv[flat.faces])
    return UnwrappedHead(mesh, flat.seam, neck.astype(np.int32), uv[flat.faces], report)


def lay_out(flat, layout, anchors=None, magnified=True):
    """A flat head in the tile: UVs (V',2) float32 of the cut mesh, and a report.

    anchors: (K,3) landmarks to be carried to their places in the layout, or None; magnified: whether the face gets its
    share. layout: UVLayout, or None for the harmonic map as it is. Raises UnwrapError where the map is not one to one.
    """
    tried = []
    for plane, damping, last in _warps(flat, layout, anchors):
        shown = magnify(plane, layout) if magnified and layout is not None else plane
        uv, needles, folded = _stored(shown, flat.faces, flat.rim)
        # Where many triangles fold it is the warp that folds, which less of it cures.
        for _ in range(MENDINGS):
            if folded.any() and (last or _few(folded) or damping == 1 and folded.mean() < LOCAL):
                shown, uv, needles, folded = _mended(flat.vertices, flat.faces, flat.rim, shown, at_any_price=last)
        tried.append([damping, int(folded.sum())])
        if not folded.any():
            break
    proof = prove_one_to_one(uv, flat.faces, flat.rim)
    if proof["flipped"] or not proof["boundary_simple"]:
        raise UnwrapError(
            f"{proof['flipped']} of {len(flat.faces)} triangles fold over in UV space. Try another resolution or seed."
        )
    report = proof | {"needles_opened": needles, "damping": damping, "damping_tried": tried}
    if layout is not None:
        report["face_share"] = _face_share(flat.faces, plane, layout.face, uv)
    return uv, report


def _opened(uv, faces, rim):
    """UVs (V',2) float32 with needles opened that rounding closed or turned over, and how many.

    A needle's blunt corner goes off its longest edge, by more and more units in the last place. Rim vertices stay.
    """
    folded = _folded(uv, faces)
    count = int(folded.sum())
    if not count or not _few(folded):
        return uv, 0
    uv, fixed = uv.copy(), np.isin(np.arange(len(uv)), rim)
    for exponent in range(NEEDLE_STEPS):
        needles = faces[folded]
        corner = uv[needles].astype(np.float64)
        along = corner[:, [1, 2, 0]] - corner  # from each corner to the next, opposite the one after
        length = np.linalg.norm(along, axis=-1)
        longest = length.argmax(axis=1)
        row = np.arange(len(needles))
        along = along[row, longest] / np.maximum(length[row, longest, None], 1e-30)
        blunt = needles[row, (longest + 2) % 3]
        away = 2.0 ** (exponent - 24) * np.stack([-along[:, 1], along[:, 0]], axis=-1)
        uv[blunt[~fixed[blunt]]] += away[~fixed[blunt]].astype(np.float32)
        folded = _folded(uv, faces)
        if not folded.any():
            break
    return uv, count


def prove_one_to_one(uv, faces, rim):
    """Whether a disk's map to the tile is one to one: a proof for every triangle, not a sample.

    uv: (V',2) float32, faces: (F,3), rim: (B,) boundary -> flipped, the number of triangles without positive area, decided in
    exact arithmetic, and boundary_simple. With no flipped triangle and a boundary that does not meet itself, the map winds
    once around every point inside, so no two triangles overlap (the argument principle for piecewise linear maps).
    """
    return {"flipped": int(_folded(uv, faces).sum()), "boundary_simple": _simple(uv[rim])}


def fit_layout(heads, face_share=FACE_SHARE):
    """The mean layout of some heads (HeadMesh with anchors in one order), symmetric about u = 0.5.

    face_share: share of the island that the face shall have on the mean of these heads.
    """
    share = float(np.mean([flatten(head).seam_share for head in heads]))
    flats = [flatten(head, share) for head in heads]
    places = np.array([flat.locate(head.anchors) for flat, head in zip(flats, heads, strict=True)])  # (heads,K,2)
    solid = np.mean([head.anchors for head in heads], axis=0)
    partner = cKDTree(solid).query(solid * [-1, 1, 1])[1]
    partner = np.where(partner[partner] == np.arange(len(partner)), partner, np.arange(len(partner)))
    mean = np.median(places, axis=0)
    mean = (mean + mean[partner] * [-1, 1]) / 2
    used = (inside_curve(places) > FADE).all(axis=0)
    used &= used[partner]
    return _magnified(flats, solid, mean, used, share, face_share)


def distortion(vertices, faces, uv):
    """How far a map is from keeping angles and areas.

    vertices: (V,3), faces: (F,3), uv: (F,3,2) -> angle_distortion, mean absolute difference of corner angles in degrees,
    and area_distortion, mean absolute log of the area ratio to the map's mean ratio; both weighted by area in space.
    """
    turned, scale, weight = local_distortion(vertices, faces, uv)
    return {"angle_distortion": float(turned @ weight), "area_distortion": float(np.abs(scale) @ weight)}


def local_distortion(vertices, faces, uv):
    """`distortion` by triangle: degrees (F,), log of the area ratio (F,), and each triangle's share of the area (F,)."""
    angle, area = _angles(np.asarray(vertices, np.float64)[faces])
    angle_uv, area_uv = _angles(np.asarray(uv, np.float64))
    weight = area / area.sum()
    scale = np.log(np.maximum(area_uv / area_uv.sum(), 1e-30) / np.maximum(weight, 1e-30))
    return np.degrees(np.abs(angle - angle_uv).mean(axis=0)), scale, weight


@dataclass(frozen=True)
class FlatHead:
    """A cut head and its harmonic map."""

    vertices: np.ndarray  # (V',3) of the cut mesh
    faces: np.ndarray  # (F,3) over the cut mesh
    rim: np.ndarray  # (B,) boundary of the cut mesh, from the crown down the head's right side
    path: np.ndarray  # (P,) seam, vertices of the whole mesh
    seam_share: float
    uv: np.ndarray  # (V',2) in [-1,1]^2

    @classmethod
    def of(cls, vertices, faces, neck, edges, seam_share):
        """Cut and flatten a disk (V,3), (F,3) in the NPHM frame; seam_share None: as the lengths of seam and neck have it."""
        vertices = np.asarray(vertices, np.float64)
        path = find_seam(vertices, faces, neck, edges)
        faces, source, rim = cut_open(faces, path, neck)
        vertices = vertices[source]
        share, curve = rim_on_curve(vertices[rim], len(path) - 1, seam_share)
        uv = _roomy_map(vertices, faces, rim, curve)
        return cls(vertices, faces, rim, path, share, uv)

    @property
    def seam(self):
        """(S,2) int32 edges of the cut, vertices of the whole mesh."""
        return np.stack([self.path[:-1], self.path[1:]], axis=-1).astype(np.int32)

    def locate(self, points):
        """Points (K,3) near the surface -> (K,2) plane coordinates of the surface points below them."""
        points = np.asarray(points, np.float64)
        nearest = cKDTree(self.vertices, balanced_tree=False, compact_nodes=False).query(points)[1]
        near = np.zeros(len(self.vertices), bool)
        near[nearest] = True
        faces = self.faces[near[self.faces].any(axis=1)]
        weights, distance = _closest(points, self.vertices[faces])
        best = distance.argmin(axis=1)
        return np.einsum("ki,kic->kc", weights[np.arange(len(points)), best], self.uv[faces[best]])


def flatten(mesh, seam_share=None):
    """HeadMesh -> FlatHead. Raises UnwrapError if it is no disk."""
    return FlatHead.of(mesh.canonical, mesh.faces, *neck_of_disk(mesh.faces), seam_share)


def _roomy_map(vertices, faces, rim, rim_uv):
    """The harmonic map (V',2), bent where it would fold or crowd triangles beyond what float32 coordinates can tell apart.

    Plain cotangents keep angles best and flip a few triangles, which `_mended` puts right in place.
    """
    uv = HarmonicSolver(vertices, faces, rim, positive=False).solve(rim_uv) / SHRUNK
    return _mended(vertices, faces, rim, uv, at_any_price=True)[0] * SHRUNK


def _mended(vertices, faces, rim, uv, at_any_price):
    """Plane coordinates (V',2) without folds where local means can do it, and the three of `_stored`.

    Positive weights within two rings around a fold put most right. Deep, narrow pockets, such as a closed tunnel behind an
    ear, shrink by the same factor with every ring of triangles, far beyond what coordinates can hold; `_roomier` opens them.
    All else stays in place, unless the map is wanted at any price.
    """
    stored = _stored(uv, faces, rim)
    if not stored[2].any():
        return uv, *stored
    held = np.isin(np.arange(len(uv)), rim)
    uv = _relaid(vertices, faces, uv, held | ~_around(faces, stored[2], 2))
    stored = _stored(uv, faces, rim)
    if not stored[2].any():
        return uv, *stored
    uv, *stored = _roomier(vertices, faces, rim, uv, held | ~_around(faces, stored[2], POCKET_RINGS))
    if at_any_price and stored[2].any():
        uv, *stored = _roomier(vertices, faces, rim, uv, held)
    return uv, *stored


def _roomier(vertices, faces, rim, uv, held):
    """`_relaid` with smaller and smaller weights where triangles crowd, until none folds -> the best found, as `_mended`.

    Weights that follow how a map of the same mesh crowds are Yoshizawa, Belyaev and Seidel's (2004); positive ones cannot fold.
    """

    def gathered(area):
        return np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))

    surface = np.maximum(gathered(_angles(vertices[faces])[1]), 1e-30)
    degree = gathered(np.ones(len(faces)))
    softness, best = np.ones(len(vertices)), None
    for _ in range(ROOMS):
        uv = _relaid(vertices, faces, uv, held, softness)
        found = uv, *_stored(uv, faces, rim)
        if best is None or found[3].sum() < best[3].sum():
            best = found
        if not best[3].any():
            break
        share = gathered(np.abs(_signed_areas(uv[faces]))) / surface
        crowding = np.log(np.clip(share / (CROWDED * np.median(share)), 1e-30, 1))
        for _ in range(SPREAD):
            crowding = gathered(crowding[faces].mean(axis=1)) / degree
        softness *= np.exp(ROOM * crowding)
    return best


def _stored(plane, faces, rim):
    """Plane coordinates -> UVs (V',2) float32, how many needles were opened there, and which triangles (F,) still fold."""
    uv, needles = _opened(to_tile(plane), faces, rim)
    return uv, needles, _folded(uv, faces)


def _few(folded):
    return folded.sum() <= max(50, FEW * len(folded))


def _relaid(vertices, faces, uv, held, softness=None):
    """The map (V',2) with vertices that are not held (V',) where positive weights have them among the held."""
    inside = faces[~held[faces].all(axis=1)]
    rows, inside = np.unique(inside, return_inverse=True)
    rim = np.flatnonzero(held[rows])
    solver = HarmonicSolver(vertices[rows], inside.reshape(-1, 3), rim, None if softness is None else softness[rows])
    uv = uv.copy()
    uv[rows] = solver.solve(uv[rows[rim]])
    return uv


def _around(faces, chosen, rings):
    """Vertices (V,) bool of some faces (F,) bool and of that many rings of faces around them."""
    near = np.zeros(int(faces.max()) + 1, bool)
    near[faces[chosen]] = True
    for _ in range(rings):
        near[faces[near[faces].any(axis=1)]] = True
    return near


def rim_on_curve(rim, seam_edges, seam_share):
    """Rim points (B,3) from the crown round to the crown -> the seam's share and their places (B,2) on the boundary curve.

    Seam and neck are spaced by edge length, each within its own share, so the two sides of the seam lie opposite each other.
    """
    length = np.linalg.norm(np.roll(rim, -1, axis=0) - rim, axis=1)
    length = np.maximum(length, 1e-6 * length.mean())
    total = np.array([length[:seam_edges].sum(), length[seam_edges:-seam_edges].sum(), length[-seam_edges:].sum()])
    share = float((total[0] + total[2]) / total.sum()) if seam_share is None else float(seam_share)
    scale = np.array([share / 2, 1 - share, share / 2]) / total
    part = np.repeat([0, 1, 2], [seam_edges, len(rim) - 2 * seam_edges, seam_edges])
    return share, boundary_curve(np.concatenate([[0], np.cumsum(length * scale[part])[:-1]]))


def _warps(flat, layout, anchors):
    """The map with its landmarks carried to their places, then less and less far.

    Yields plane coordinates (V',2), the damping, and whether they are the last, which no warp folds.
    """
    if anchors is None or layout is None:
        yield flat.uv, 1.0, True
        return
    if len(anchors) != len(layout.anchors):
        raise UnwrapError(f"The head has {len(anchors)} anchors, the layout {len(layout.anchors)}. Use the layout of its pack.")
    places = flat.locate(anchors)
    used = layout.used & (inside_curve(places) > 0.2 * FADE)
    sources, targets = places[used], layout.anchors[used]
    if layout.spots is not None:
        sources = layout.spots.find(flat, rough_places(layout, places))
        targets = layout.spots.places
    for damping in DAMPINGS:
        yield _carried(flat.uv, sources, sources + damping * (targets - sources)), damping, not damping


def align(flat, layout, anchors):
    """Plane coordinates (V',2) of a FlatHead with its landmarks (K,3) carried to their places all the way, folds or not."""
    return next(_warps(flat, layout, anchors))[0]


def rough_places(layout, places):
    """A function from points (N,2) of UV space to where, by the landmarks' places (K,2), they are on a head."""
    used = layout.used & (inside_curve(places) > 0.2 * FADE)

    def guess(points):
        sources, targets = layout.anchors[used], places[used]
        for step in range(WARP_STEPS):
            knots, goal = sources, sources + (targets - sources) / (WARP_STEPS - step)
            points, sources = (moving + thin_plate(moving, knots, goal) for moving in (points, sources))
        return points

    return guess


def _carried(points, sources, targets):
    """Points (N,2) after a smooth warp that takes sources (K,2) to targets (K,2) and leaves the boundary alone.

    The way is gone in small steps, each a thin-plate spline of its own, because many small warps do not fold where one
    large one would. The spline is evaluated on a lattice and interpolated, which is as smooth and needs far fewer kernels.
    """
    line = np.linspace(-1, 1, LATTICE, dtype=np.float32)  # to a thousandth of a pixel, in a third of the time
    lattice = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    for step in range(WARP_STEPS):
        shift = thin_plate(lattice, sources, sources + (targets - sources) / (WARP_STEPS - step)).reshape(LATTICE, LATTICE, 2)
        splines = [spline_filter(shift[..., axis]) for axis in range(2)]
        points, sources = (_step(moving, splines) for moving in (points, sources))
    return points


def _step(points, splines):
    """Points (N,2) moved by splines on the lattice; they are small at the boundary, and the fade makes them nothing."""
    place = (points.T + 1) * ((LATTICE - 1) / 2)
    shift = np.stack([map_coordinates(spline, place, prefilter=False, mode="nearest") for spline in splines], axis=-1)
    t = np.clip(inside_curve(points) / FADE, 0, 1)
    return points + shift * (t * t * (3 - 2 * t))[:, None]


def thin_plate(points, sources, targets):
    """Displacements (N,2) at points (N,2) of the thin-plate spline that carries sources (K,2) to targets (K,2).

    They are as precise as the points' type. Points spread over the boundary curve stay where they are.
    """
    rim = boundary_curve(np.arange(FIXED_POINTS) / FIXED_POINTS)
    knots = np.concatenate([sources, rim])
    shifts = np.concatenate([targets - sources, np.zeros_like(rim)])
    K = len(knots)
    system = np.zeros((K + 3, K + 3))
    system[:K, :K] = _thin_plate_kernel(knots, knots)
    system[:K, K:] = np.concatenate([np.ones((K, 1)), knots], axis=1)
    system[K:, :K] = system[:K, K:].T
    # Two anchors at one place would make the system singular; a trace of smoothing settles on their mean.
    system[np.arange(K), np.arange(K)] += 1e-6
    weights = np.linalg.solve(system, np.concatenate([shifts, np.zeros((3, 2))]))
    knots, weights = knots.astype(points.dtype), weights.astype(points.dtype)
    return _thin_plate_kernel(points, knots) @ weights[:K] + weights[K] + points @ weights[K + 1 :]


def _thin_plate_kernel(points, knots):
    """r^2 log r^2 between points (N,2) and knots (K,2), (N,K)."""
    square = np.square(points[:, None, 0] - knots[:, 0])
    square += np.square(points[:, None, 1] - knots[:, 1])
    kernel = np.maximum(square, 1e-30)
    np.log(kernel, out=kernel)
    kernel *= square
    return kernel


def magnify(points, layout):
    """Points (N,2) of [-1,1]^2 -> (N,2), each axis by its own monotone map, steepest at the face's centre; +-1 stay."""
    centre, spread, strength = layout.centre, float(layout.spread), float(layout.strength)

    def raw(x):
        return x + strength * spread * np.sqrt(np.pi / 2) * erf((x - centre) / (np.sqrt(2) * spread))

    low, high = raw(np.full(2, -1.0)), raw(np.full(2, 1.0))
    return 2 * (raw(points) - low) / (high - low) - 1


def _magnified(flats, solid, mean, used, share, face_share):
    """The layout with the weakest magnification that gives the face its share."""
    front = mean[used & (solid[:, 2] > FRONT * solid[:, 2].max())]
    face = front[ConvexHull(front).vertices]
    face = face.mean(axis=0) + FACE_REACH * (face - face.mean(axis=0))
    centre = np.array([0.0, (face[:, 1].min() + face[:, 1].max()) / 2])
    spread = float(np.ptp(face, axis=0).max() / 4)  # measured: less distorts the face itself, more the rest
    weak, strong = 0.0, 40.0
    for _ in range(24):
        strength = (weak + strong) / 2
        layout = UVLayout(mean, used, np.array(share), face, centre, np.array(strength), np.array(spread))
        island = _polygon_area(magnify(boundary_curve(np.arange(512) / 512), layout))
        if _polygon_area(magnify(_dense(face), layout)) < face_share * island:
            weak = strength
        else:
            strong = strength
    return layout


def face_outline(layout):
    """The face's outline in the tile, (P,2) counter-clockwise."""
    return to_tile(magnify(_dense(layout.face), layout))


def _face_share(faces, plane, outline, uv):
    """Share of the island's area taken by the triangles whose place before magnification is in the face's convex outline."""
    return float(_signed_areas(uv[faces[on_face(faces, plane, outline)]].astype(np.float64)).sum() / _island(uv, faces))


def on_face(faces, plane, outline):
    """Which faces (F,) have their middle, in plane coordinates (V',2), within the convex outline (P,2)."""
    middle = (plane[faces[:, 0]] + plane[faces[:, 1]] + plane[faces[:, 2]]) / 3
    inside = ((middle > outline.min(axis=0)) & (middle < outline.max(axis=0))).all(axis=1)
    near = np.flatnonzero(inside)
    edge = np.roll(outline, -1, axis=0) - outline
    inside[near] = (_cross(edge, middle[near, None] - outline) > 0).all(axis=1)
    return inside


def _island(uv, faces):
    return _signed_areas(uv[faces].astype(np.float64)).sum()


def _dense(polygon, count=32):
    """A polygon (P,2) with `count` points per side."""
    t = np.arange(count)[:, None] / count
    return np.concatenate([a + t * (b - a) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)])


def to_tile(plane):
    """[-1,1]^2 -> the unit tile less its margin, float32 as it is stored."""
    return (0.5 + (0.5 - MARGIN) * plane).astype(np.float32)


def _folded(uv, faces):
    """Which triangles (F,) of the stored coordinates (V',2) float32 have no positive area, decided exactly.

    Between MARGIN and 1 a float32 is a whole multiple of 2^-30, so the products below are exact integers.
    """
    a, b, c = np.moveaxis(np.rint(uv.astype(np.float64) * 2.0**30).astype(np.int64)[faces], 1, 0)
    return _cross(b - a, c - a) <= 0


def _simple(rim):
    """Whether a closed curve (B,2) is two chains over u, from its leftmost to its rightmost point, one above the other.

    Together with positive areas everywhere this makes the map of a disk one to one.
    """
    rim = np.roll(rim.astype(np.float64), -int(rim[:, 0].argmin()), axis=0)
    right = int(rim[:, 0].argmax())
    below, above = rim[: right + 1], np.concatenate([rim[right:], rim[:1]])[::-1]
    if (np.diff(below[:, 0]) < 0).any() or (np.diff(above[:, 0]) < 0).any():
        return False
    u = np.unique(rim[:, 0])
    u = np.concatenate([u[1:-1], (u[1:] + u[:-1]) / 2])
    return bool((np.interp(u, *below.T) < np.interp(u, *above.T)).all())


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _signed_areas(corner):
    """(F,3,2) -> (F,)"""
    return 0.5 * _cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


def _polygon_area(polygon):
    return 0.5 * _cross(polygon, np.roll(polygon, -1, axis=0)).sum()


def _angles(corner):
    """Angles (3,F), radians, and areas (F,) of triangles (F,3,C)."""
    corner = np.ascontiguousarray(np.moveaxis(corner, 0, -1))  # (3,C,F): long rows
    side = corner[[1, 2, 0]] - corner
    dot = -np.einsum("icf,icf->if", side, side[[2, 0, 1]])
    if corner.shape[1] == 2:
        double = np.abs(side[0, 0] * side[1, 1] - side[0, 1] * side[1, 0])
    else:
        double = np.linalg.norm(np.cross(side[0], side[1], axis=0), axis=0)
    return np.arctan2(double, dot), double / 2


def _closest(points, corner):
    """Points (K,3), triangles (M,3,3) -> barycentric weights (K,M,3) of the nearest place on each and its distance (K,M).

    Exact where the point projects into the triangle; beyond an edge the weights are clamped, which is near enough.
    """
    a, ab, ac = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    offset = points[:, None] - a
    d00, d01, d11 = (np.einsum("mi,mi->m", x, y) for x, y in ((ab, ab), (ab, ac), (ac, ac)))
    d20, d21 = np.einsum("kmi,mi->km", offset, ab), np.einsum("kmi,mi->km", offset, ac)
    whole = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / whole, (d00 * d21 - d01 * d20) / whole
    weights = np.maximum(np.stack([1 - v - w, v, w], axis=-1), 0)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights, np.linalg.norm(np.einsum("kmi,mic->kmc", weights, corner) - points[:, None], axis=-1)
