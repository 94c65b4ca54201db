"""Where things are in the aligned UV space: lips, lids, brows, hairline ... as fields over the texels of the mean head.

Lengths are centimetres on ICT's neutral mean head (frame: +y up, +z out of the face, +x to the head's own left), whatever
pose the texture coordinates were made in, so that a lip or a brow is described where it is at rest.
"""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import igl
import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import cKDTree
from skimage.measure import points_in_poly

from cliphead_addon.engine.geometry import frames, raster, surface
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.geometry.unwrap import fit_layout, unwrap
from cliphead_addon.engine.stages import HeadMesh

from .ict import boundary_loops, data_folder, triangles
from .people import ANCESTRIES, Person
from .shapes import BOX_HIGH, BOX_LOW, HeadShape

SKIN, EYE, MOUTH = 0, 1, 2  # what a texel belongs to
FAR = 9.0  # cm: where a field says "not here"
HEAD_CENTRE = np.array([0.0, 5.5, 0.0])  # cm: from here the hairline is measured in angles
# Azimuth from the face (degrees) -> height of the hairline at 9 cm from the head's axis (cm above HEAD_CENTRE).
HAIRLINE = np.array([[0, 5.0], [22, 5.3], [40, 5.0], [52, 3.4], [64, 1.5], [74, -3.4], [82, -2.9], [90, -1.9], [108, -2.2],
                     [122, -4.6], [150, -7.4], [180, -8.0]])  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """Named points of the resting mean head, cm."""

    landmarks: np.ndarray  # (68,3), iBUG order
    lids: np.ndarray  # (2,L,3) closed loops of the lid margins, left then right
    eyes: np.ndarray  # (2,3) eyeball centres, left then right
    nostrils: np.ndarray  # (2,3)


@dataclass(frozen=True)
class Atlas:
    """The texels of the island and what lies under them."""

    size: int  # px
    texels: np.ndarray  # (T,) int64 flat indices of covered texels
    fill: np.ndarray  # (size*size,) int32: covered texel nearest to each pixel, as an index into `texels`
    position: np.ndarray  # (T,3) float32 cm, resting mean head
    part: np.ndarray  # (T,) uint8: SKIN, EYE or MOUTH
    corners: np.ndarray  # (T,3) int32 ICT vertices of the triangle under the texel
    weights: np.ndarray  # (T,3) float32 barycentric
    to_pixel: np.ndarray  # (T,2,3) float32: a tangent in cm -> (columns, rows) in px
    marks: Marks
    landmark_uv: np.ndarray  # (68,2) float32, v up

    @classmethod
    def build(cls, position, part, marks, corners=None, weights=None):
        """From images: position (R,R,3) cm with NaN outside the island, part (R,R). corners, weights: (R,R,3) each."""
        size = len(position)
        coverage = np.isfinite(position).all(-1)
        texels = np.flatnonzero(coverage)
        index = np.full(size * size, -1, np.int32)
        index[texels] = np.arange(len(texels))
        nearest = ndimage.distance_transform_edt(~coverage, return_distances=False, return_indices=True)
        fill = index[nearest[0].ravel() * size + nearest[1].ravel()]
        points = position.reshape(-1, 3)[texels].astype(np.float32)
        rows = texels // size
        nearest_texel = cKDTree(points).query(marks.landmarks)[1]
        uv = np.stack([(texels % size + 0.5) / size, 1 - (rows + 0.5) / size], axis=-1)
        empty = np.zeros((len(texels), 3))
        return cls(
            size=size,
            texels=texels,
            fill=fill,
            position=points,
            part=part.ravel()[texels].astype(np.uint8),
            corners=(empty if corners is None else corners.reshape(-1, 3)[texels]).astype(np.int32),
            weights=(empty if weights is None else weights.reshape(-1, 3)[texels]).astype(np.float32),
            to_pixel=_tangent_to_pixel(points[fill].reshape(size, size, 3)).reshape(-1, 2, 3)[texels],
            marks=marks,
            landmark_uv=uv[nearest_texel].astype(np.float32),
        )

    def image(self, values):
        """Texel values (T,...) -> (R,R,...), padded past the island with the nearest texel."""
        return values[self.fill].reshape(self.size, self.size, *values.shape[1:])

    def texel_values(self, image):
        """Inverse of `image`: (R,R,...) -> (T,...)."""
        return image.reshape(self.size * self.size, *image.shape[2:])[self.texels]

    @cached_property
    def coverage(self):
        """(R,R) bool."""
        covered = np.zeros(self.size * self.size, bool)
        covered[self.texels] = True
        return covered.reshape(self.size, self.size)

    @cached_property
    def texel_cm(self):
        """(T,) how many centimetres one texel spans."""
        return (1 / np.sqrt(np.maximum((self.to_pixel**2).sum((1, 2)) / 2, 1e-6))).astype(np.float32)

    @cached_property
    def regions(self):
        """Field name -> (T,) float32; see `region_fields`. lash: distance from the visible eyeball, along the image."""
        seen = np.zeros(self.size * self.size, bool)
        seen[self.texels] = self.part == EYE
        steps = ndimage.distance_transform_edt(~seen.reshape(self.size, self.size)) if seen.any() else np.full(seen.shape, FAR)
        lash = np.minimum(steps.ravel()[self.texels] * self.texel_cm, FAR).astype(np.float32)
        return region_fields(self.position, self.part, self.marks) | {"lash": lash}

    def normal_map(self, vertices, faces):
        """UV normal map of an ICT-shaped head: vertices (26719,3), faces (F,3) -> (R,R,3) uint8, 128 outside the island."""
        normals = igl.per_vertex_normals(vertices.astype(np.float64), faces)
        normal = np.einsum("tcd,tc->td", normals[self.corners], self.weights)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
        image = np.full((self.size * self.size, 3), 128, np.uint8)
        image[self.texels] = np.rint((normal + 1) * 127.5)
        return image.reshape(self.size, self.size, 3)

    def save(self, path):
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "marks"}
        arrays |= {f"marks.{f.name}": getattr(self.marks, f.name) for f in fields(Marks)}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        marks = Marks(**{f.name: arrays.pop(f"marks.{f.name}") for f in fields(Marks)})
        return cls(**{**arrays, "size": int(arrays["size"])}, marks=marks)


def from_position_map(ict, posed, position):
    """Atlas of a head's position map.

    ict: `ict.ICT`, posed: (26719,3) the same head's ICT vertices, position: (R,R,3), NaN outside; both in one frame and unit.
    Every texel is taken to the nearest point of skin, eyeball or mouth, then to the resting mean.
    """
    surfaces = [
        (SKIN, np.concatenate([triangles(ict.part_quads("face")), triangles(ict.part_quads("head_neck"))])),
        (MOUTH, triangles(ict.part_quads("mouth_socket"))),
        *((EYE, triangles(ict.eye_quads(side))) for side in "LR"),
    ]
    faces = np.concatenate([f for _, f in surfaces])
    kind = np.concatenate([np.full(len(f), code, np.uint8) for code, f in surfaces])
    size = len(position)
    covered = np.flatnonzero(np.isfinite(position).all(-1))
    points = position.reshape(-1, 3)[covered].astype(np.float64)
    posed = np.ascontiguousarray(posed, np.float64)
    _, nearest, foot = igl.point_mesh_squared_distance(points, posed, faces)
    tri = faces[nearest]
    weights = igl.barycentric_coordinates(foot, posed[tri[:, 0]], posed[tri[:, 1]], posed[tri[:, 2]])
    resting = np.einsum("tcd,tc->td", ict.neutral[tri], weights)

    def image(values, width):
        out = np.full((size * size, width), np.nan)
        out[covered] = values.reshape(len(covered), width)
        return out.reshape(size, size, width)

    part = np.nan_to_num(image(kind[nearest], 1)[..., 0])
    return Atlas.build(image(resting, 3), part, ict_marks(ict), np.nan_to_num(image(tri, 3)), np.nan_to_num(image(weights, 3)))


def ict_marks(ict):
    """The named points of ICT's neutral head."""
    skin = np.concatenate([triangles(ict.part_quads("face")), triangles(ict.part_quads("head_neck"))])
    lids = [loop for loop in boundary_loops(skin) if len(loop) == 42]
    lids.sort(key=lambda loop: -ict.neutral[loop, 0].mean())
    eyes = [ict.neutral[ict.part_vertices(f"eyeball_{side}")][:770] for side in "LR"]
    with np.load(data_folder() / "nostril.npz") as file:
        nostrils = sorted((ict.neutral[file[rim]].mean(0) for rim in ("la", "lb")), key=lambda p: -p[0])
    return Marks(
        landmarks=ict.neutral[ict.landmarks],
        lids=np.stack([ict.neutral[loop] for loop in lids]),
        eyes=np.stack([(eye.min(0) + eye.max(0)) / 2 for eye in eyes]),
        nostrils=np.stack(nostrils),
    )


def region_fields(position, part, marks):
    """What the painter asks about a texel. position: (T,3) cm, part: (T,) -> dict of (T,) float32, cm unless said otherwise.

    lip: depth inside the vermilion (negative outside); lip_up: height above the mouth's line. eye_axis: distance from the
    optical axis; lid: from the lid margin; lid_up: +1 at the upper lid to -1 at the lower; lid_along: 0 inner to 1 outer
    corner. brow: distance from the brow's curve; brow_along: 0 inner to 1 outer; brow_up: height above it. nose, nose_wing,
    nostril, bridge, cheek, chin: distance from the place. ear, beard, moustache, goatee: depth inside the region. hairline:
    height above the hair's edge. neck: depth below the jaw. crease: distance from the nearest expression line. azimuth:
    degrees from the face, and front: its cosine.
    """
    x, y, z = position.T
    landmarks = marks.landmarks
    skin = part == SKIN
    ahead = z > 5
    out = {}

    outline = _smooth_loop(landmarks[48:60])
    depth = cKDTree(outline[:, :2]).query(position[:, :2])[0]
    depth *= np.where(points_in_poly(position[:, :2], outline[:, :2]), 1, -1)
    out["lip"] = np.where(ahead & (part != EYE), depth, -FAR)
    line_x = landmarks[[60, 61, 62, 63, 64], 0]
    line_y = (landmarks[[60, 61, 62, 63, 64], 1] + landmarks[[60, 67, 66, 65, 64], 1]) / 2
    out["lip_up"] = y - np.interp(x, line_x, line_y)

    left = x > 0
    axis = np.where(left[:, None], marks.eyes[0], marks.eyes[1])
    out["eye_axis"] = np.where(part == EYE, np.hypot(x - axis[:, 0], y - axis[:, 1]) + FAR * (z < axis[:, 2]), FAR)
    inner = np.where(left[:, None], landmarks[42], landmarks[39])
    outer = np.where(left[:, None], landmarks[45], landmarks[36])
    out["lid"] = cKDTree(_dense(marks.lids)).query(position)[0]
    along = (x - inner[:, 0]) / (outer[:, 0] - inner[:, 0])
    out["lid_along"] = along
    out["lid_up"] = np.tanh((y - inner[:, 1] - along * (outer[:, 1] - inner[:, 1])) / 0.15)

    brows = [_curve(landmarks[[22, 23, 24, 25, 26]]), _curve(landmarks[[21, 20, 19, 18, 17]])]
    near, place = cKDTree(np.concatenate(brows)).query(position)
    out["brow"] = near
    out["brow_along"] = (place % len(brows[0])) / (len(brows[0]) - 1)
    out["brow_up"] = y - np.concatenate(brows)[place, 1]

    def distance(*points):
        return np.min([np.linalg.norm(position - p, axis=-1) for p in points], axis=0)

    out["nose"] = distance(landmarks[30])
    out["nose_wing"] = distance(landmarks[31], landmarks[35])
    out["nostril"] = distance(*marks.nostrils)
    out["bridge"] = cKDTree(_curve(landmarks[27:31])).query(position)[0]
    cheek = np.array([4.6, 0.6, 8.9])
    out["cheek"] = distance(cheek, cheek * [-1, 1, 1])
    out["chin"] = distance(landmarks[8] + [0, 0.8, 0])
    ear = 2.0 * (1 - np.sqrt(((y - 0.9) / 3.1) ** 2 + ((z + 0.6 + 0.15 * (y - 0.9)) / 2.1) ** 2))
    out["ear"] = np.where(skin & (np.abs(x) > 6.6), np.minimum(ear, FAR), -FAR)

    azimuth = np.degrees(np.arctan2(np.abs(x), z))
    radius = np.maximum(np.hypot(x, z), 0.5)
    lifted = (y - HEAD_CENTRE[1]) * 9 / radius
    out["hairline"] = np.where(skin & (out["ear"] < -0.2), lifted - PchipInterpolator(*HAIRLINE.T)(azimuth), -FAR)
    out["front"] = np.cos(np.radians(azimuth))
    out["azimuth"] = azimuth

    a = np.abs(x)
    nose_base, corner, chin = landmarks[33], landmarks[54], landmarks[8]
    cheek_edge = np.interp(
        a, [0, 1.2, 2.4, 3.2, 4.5, 6.0, 7.2], [nose_base[1] - 0.15, nose_base[1] - 0.2, -2.4, -3.6, -3.4, -1.0, 2.6]
    )
    under = np.interp(a, [0, 3, 5, 6.5, 8], [chin[1] - 1.6, chin[1] - 1.4, -6.6, -4.8, -3.0]) - np.clip((7 - z) * 0.25, 0, 1.2)
    side = (z - 0.2) * np.where(a > 5, 1, FAR)
    beard = np.minimum.reduce([cheek_edge - y, y - under, side, np.where(skin, FAR, -FAR)])
    out["beard"] = np.minimum(beard, np.maximum(-out["lip"] - 0.12, -FAR))
    lip_gap = -out["lip"] - 0.08
    moustache_low = np.interp(a, [0, 2.6, 3.3], [corner[1] + 0.9, corner[1] - 0.1, corner[1] - 0.9])
    moustache = np.minimum.reduce(
        [nose_base[1] - 0.12 - 0.25 * np.maximum(a - 1.2, 0) - y, y - moustache_low, 3.2 - a, (z - 8) * FAR]
    )
    out["moustache"] = np.minimum.reduce([moustache, lip_gap, np.where(skin, FAR, -FAR)])
    goatee = np.minimum.reduce(
        [2.5 - a + 0.25 * np.minimum(y - chin[1], 0), corner[1] - 0.45 - y, y - chin[1] + 1.5, (z - 6.5) * FAR]
    )
    out["goatee"] = np.minimum.reduce([goatee, lip_gap, np.where(skin, FAR, -FAR)])
    out["neck"] = np.minimum(under - 0.3 - y, FAR)

    out["crease"] = cKDTree(np.concatenate([_curve(c) for c in _expression_lines(landmarks)])).query(position)[0]
    return {name: np.asarray(values, np.float32) for name, values in out.items()}


def _expression_lines(landmarks):
    """Folds that deepen with age, on both sides: control points (n,3) cm."""
    wing, corner, outer = landmarks[35], landmarks[54], landmarks[45]
    left = [
        [
            wing + [0.25, 0.5, -0.6],
            wing + [1.15, -0.7, -1.2],
            corner + [0.95, 0.6, -0.5],
            corner + [1.0, -0.7, -0.7],
        ],  # nose to mouth
        [corner + [0.35, -0.5, -0.1], corner + [0.65, -1.6, -0.5], corner + [0.6, -2.6, -0.7]],  # marionette
        [landmarks[42] + [-0.1, -0.55, 0.3], landmarks[46] + [0, -0.85, 0.2], outer + [0.2, -0.9, -0.1]],  # under the eye
        *([outer + [0.45, 0.1 * k, -0.3], outer + [1.7, 0.55 * k - 0.1, -1.5]] for k in (-1.4, 0, 1.4)),  # crow's feet
        [landmarks[22] + [-0.55, -0.9, 0.0], landmarks[22] + [-0.65, 0.5, 0.1]],  # between the brows
    ]
    forehead = [
        [[6.0 * t, h + 0.35 * np.cos(3 * t), 10.4 - 2.9 * t * t] for t in np.linspace(-0.85, 0.85, 7)] for h in (7.3, 8.2, 9.1)
    ]
    neck = [
        [[6.2 * np.sin(t), h - 0.6 * np.cos(t), 6.5 * np.cos(t) - 0.5] for t in np.linspace(-1.1, 1.1, 9)]
        for h in (-10.6, -12.6)
    ]
    lines = [np.array(c, float) for c in left]
    return lines + [c * [-1, 1, 1] for c in lines] + [np.array(c) for c in forehead + neck]


def _curve(points, samples=160):
    """Smooth open curve through points (n,3) -> (samples,3)."""
    points = np.asarray(points, float)
    t = np.linspace(0, 1, len(points))
    if len(points) < 3:
        return points[0] + np.linspace(0, 1, samples)[:, None] * (points[-1] - points[0])
    return CubicSpline(t, points)(np.linspace(0, 1, samples))


def _smooth_loop(points, samples=400):
    closed = np.concatenate([points, points[:1]])
    t = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=-1))])
    # A Pchip keeps the corners of the mouth and the bow of the lip sharp.
    return np.stack([PchipInterpolator(t, c)(np.linspace(0, t[-1], samples)) for c in closed.T], axis=-1)


def _dense(loops):
    """Closed loops (n,L,3) -> (n*8L,3) points along them."""
    t = np.arange(8)[:, None, None, None] / 8
    return ((1 - t) * loops + t * np.roll(loops, -1, axis=1)).reshape(-1, 3)


def _tangent_to_pixel(position):
    """Pseudo-inverse of a position map's derivative: (R,R,3) cm -> (R,R,2,3), rows (column, row) per cm."""
    down, across = np.gradient(position.astype(np.float32), axis=(0, 1))
    cc, cd, dd = (across**2).sum(-1), (across * down).sum(-1), (down**2).sum(-1)
    # A floor on the determinant keeps creases and the island's rim from throwing strokes across the image.
    det = np.maximum(cc * dd - cd**2, 1e-3 * (cc + dd) ** 2 + 1e-9)[..., None]
    return np.stack(
        [(dd[..., None] * across - cd[..., None] * down) / det, (cc[..., None] * down - cd[..., None] * across) / det], axis=-2
    )


def studio_layout(population, count=12, resolution=192):
    """The pack's UV layout: the mean over `count` studio people in the canonical pose."""
    return fit_layout([studio_mesh(population, population.person(i), resolution) for i in range(count)])


def studio_mesh(population, person, resolution):
    """A studio person in the canonical pose, extracted as the engine extracts heads -> stages.HeadMesh."""
    head = HeadShape(population, person)
    vertices, faces, report = surface.extract(head.sdf, BOX_LOW, BOX_HIGH, resolution)
    anchors = population.anchors(population.vertices(person)).astype(np.float32)
    return HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), anchors, report=report)


def mean_person():
    """The middle of the population, on whom the atlas is drawn."""
    return Person(0, 0.5, 32.0, dict.fromkeys(ANCESTRIES, 1 / len(ANCESTRIES)), {}, np.zeros(100))


def studio_atlas(population, layout, size, folder="runs/atlas"):
    """The atlas of the mean head under a layout, kept in `folder` by size and layout."""
    stamp = hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in layout.to_arrays().values())).hexdigest()[:12]
    path = Path(folder) / f"atlas_{size}_{stamp}.npz"
    if not path.is_file():
        person = mean_person()
        unwrapped = unwrap(studio_mesh(population, person, 192), layout)
        position, coverage = raster.rasterise(unwrapped.uv, unwrapped.mesh.canonical[unwrapped.mesh.faces], size)
        position = np.where(coverage[..., None], position, np.nan)
        posed = frames.ict_to_nphm(population.vertices(person))
        from_position_map(population.ict, posed, position).save(path)
    return Atlas.load(path)
