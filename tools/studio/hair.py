"""Hair as closed volumes that follow a person's skull: styles by name, signed distances and surface samples.

A style's vertices are linear in everything that moves them: v + volume * thickness + length * drop + W (skin of the person
minus skin of the mean head), where W is a linear radial-basis map on 220 control points of the skin. Hair stays still under
expression, so W looks at neutral faces. Lengths are ICT centimetres unless said otherwise.
"""

from dataclasses import dataclass
from functools import cached_property

import igl
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from cliphead_addon.engine.geometry import frames

from .ict import SKIN_VERTICES, boundary_loops, data_folder, triangles

BOX_LOW = np.array([-0.64, -0.84, -0.96])  # NPHM units; larger than the skin's box, for hair that hangs or stands out
BOX_HIGH = np.array([0.64, 0.84, 0.42])
FAR = 2.5  # cm: hair distances are clamped here, which is also the distance everywhere around a bald head
BALD = "bald"
CONTROL_POINTS = 220
THICKEST = 2.5  # cm: hair farther from the skin than this gains no more from `volume`
HANGS_BELOW = 1.0  # cm: `length` moves what hangs below this height, that is, below the nose


@dataclass(frozen=True)
class Source:
    """Where a style comes from in the open head data, and what is repaired."""

    file: str
    smooth: float = 0.15  # cm^2: softens grooves narrower than about six times its square root
    floor: float = -30.0  # cm: stray pieces below are cut off
    reach: float = 1.0  # factor on what hangs below HANGS_BELOW, to keep the ends inside the box
    hangs: bool = False  # `length` means something
    thinnest: float = 0.0  # cm: hair thinner than this sinks below the skin
    braided: bool = False  # a braid hangs from the nape


STYLES = {
    "buzz cut": Source("buzz", smooth=0.02),
    "receding": Source("receding", smooth=0.02, thinnest=0.45),
    "short": Source("short"),
    "side part": Source("side_part"),
    "slicked back": Source("slick_back"),
    "quiff": Source("quiff"),
    "sideburns": Source("mh_short04", smooth=0.02, floor=-9),
    "tousled": Source("mh_short01", smooth=0.02),
    "shaggy": Source("mh_short02", smooth=0.02, floor=-9),
    "curly": Source("curly", smooth=0.02),
    "afro": Source("afro", smooth=0.02),
    "mohawk": Source("mohawk", smooth=0.02),
    "bob": Source("bob", hangs=True),
    "long straight": Source("long", hangs=True),
    "long wavy": Source("long_wavy", hangs=True),
    "very long": Source("mh_long01", smooth=0.02, floor=-22, reach=0.75, hangs=True),
    "ponytail": Source("mh_ponytail01", smooth=0.02, reach=0.75, hangs=True),
    "high ponytail": Source("ponytail", hangs=True),
    "pigtails": Source("pigtails", hangs=True),
    "braid": Source("slick_back", hangs=True, braided=True),
    "bun": Source("bun"),
}
STYLE_NAMES = (BALD, *STYLES)
PARAMETERS = len(STYLE_NAMES) + 2  # what a hair is to a network: one of the styles, volume, length


@dataclass(frozen=True)
class Hair:
    """One head of hair."""

    style: str = BALD  # of STYLE_NAMES
    volume: float = 0.0  # -1 flat .. 1 voluminous
    length: float = 0.0  # -1 cut shorter .. 1 grown longer, for hair that hangs

    def parameters(self):
        """(PARAMETERS,) float32: the style one-hot, then volume and length."""
        row = np.zeros(PARAMETERS, np.float32)
        row[STYLE_NAMES.index(self.style)] = 1
        if self.style != BALD:
            row[-2:] = self.volume, self.length if STYLES[self.style].hangs else 0.0
        return row


def directions(part):
    """A pack's hair part by name, each (I,) -> (H,3,I): what each of STYLE_NAMES, its volume and its length add to a code.

    A bald head adds nothing, nor does the length of hair that does not hang.
    """
    volume, length = part["volume"], part["length"]
    rows = [[np.zeros_like(volume)] * 3]
    rows += [[part[style], volume, length if source.hangs else np.zeros_like(length)] for style, source in STYLES.items()]
    return np.stack([np.stack(row) for row in rows])


# How often each style is worn by women, men, girls and boys; `random_hair` shifts this by age and ancestry.
WORN = {
    BALD: (1, 14, 0, 0), "buzz cut": (2, 14, 0, 10), "receding": (0, 12, 0, 0), "short": (6, 14, 2, 22),
    "side part": (2, 12, 0, 18), "slicked back": (2, 8, 0, 4), "quiff": (1, 7, 0, 8), "sideburns": (0, 5, 0, 0),
    "tousled": (5, 9, 3, 15), "shaggy": (4, 6, 5, 15), "curly": (9, 6, 10, 8), "afro": (6, 5, 6, 6),
    "mohawk": (1, 3, 0, 1), "bob": (15, 0.5, 16, 1), "long straight": (13, 2, 14, 1), "long wavy": (11, 2, 10, 0),
    "very long": (6, 1, 6, 0), "ponytail": (7, 1, 10, 0), "high ponytail": (4, 0, 8, 0), "pigtails": (2, 0, 14, 0),
    "braid": (5, 0.5, 8, 0), "bun": (9, 1.5, 4, 0),
}  # fmt: skip


def random_hair(rng, person):
    """A hair that goes with a `people.Person`."""
    man, child, african = person.gender > 0.5, person.age < 16, person.ancestry["african"]
    column = 2 * child + man
    weight = {style: worn[column] for style, worn in WORN.items()}
    weight[BALD] *= np.clip((person.age - 20) / 30, 0.2, 1.5)
    weight["receding"] *= np.clip((person.age - 30) / 20, 0, 1.5)
    young, old = np.interp(person.age, (25, 50), (1.5, 0.3)), np.interp(person.age, (45, 75), (1, 0.35))
    for style in ("mohawk", "pigtails", "high ponytail", "quiff"):
        weight[style] *= young
    for style in ("long straight", "long wavy", "very long", "ponytail", "braid"):
        weight[style] *= old
    weight["afro"] *= 0.15 + 4 * african
    weight["curly"] *= 0.6 + 1.2 * african
    for style in ("long straight", "side part", "slicked back", "quiff", "shaggy"):
        weight[style] *= 1 - 0.6 * african
    chance = np.array([weight[style] for style in STYLE_NAMES])
    style = STYLE_NAMES[rng.choice(len(STYLE_NAMES), p=chance / chance.sum())]
    return shaped(rng, style)


def shaped(rng, style):
    """A `Hair` of a style with random volume and length."""
    volume, length = np.round(rng.uniform(-1, 1, 2), 3).tolist()
    return Hair(style, volume, length)


@dataclass(frozen=True, eq=False)
class Volume:
    """A style's closed surface on the mean head and what moves it."""

    vertices: np.ndarray  # (V,3) float64
    faces: np.ndarray  # (F,3) int64
    thickness: np.ndarray  # (V,3) added at volume 1
    drop: np.ndarray  # (V,3) added at length 1
    follow: np.ndarray  # (V,220) float32, control point displacements -> vertex displacements
    hidden: np.ndarray  # (V,) bool: below the skin


class Barber:
    """Prepares styles once and puts them on people of a `people.Population`."""

    def __init__(self, population):
        self.population = population
        ict = population.ict
        skin = ict.neutral[:SKIN_VERTICES].astype(np.float64)
        self._skin = skin, triangles(np.concatenate([ict.part_quads("face"), ict.part_quads("head_neck")]))
        candidates = np.flatnonzero(skin[:, 1] > -9)
        self._control = candidates[farthest_points(skin[candidates], CONTROL_POINTS)]
        self._volumes = {}

    def volume(self, style):
        """The prepared `Volume` of a style's name."""
        if style not in self._volumes:
            self._volumes[style] = self._prepare(STYLES[style])
        return self._volumes[style]

    def vertices(self, person, hair):
        """A style on a person: (V,3) float64, ICT centimetres."""
        return self.fit(self.population.vertices(person, {}), hair)

    def fit(self, skin, hair):
        """A style on any head of ICT's topology: its neutral vertices, skin first (11248 or more,3) cm -> (V,3) float64 cm."""
        volume = self.volume(hair.style)
        moved = volume.follow @ (skin[self._control] - self.population.ict.neutral[self._control])
        return volume.vertices + hair.volume * volume.thickness + hair.length * volume.drop + moved

    def _prepare(self, source):
        vertices, faces = _read(source.file)
        vertices, faces = largest_closed_part(vertices, faces[(vertices[faces][..., 1] > source.floor).all(1)])
        if source.braided:
            braid, braid_faces = _braid()
            faces = np.concatenate([faces, braid_faces + len(vertices)])
            vertices = np.concatenate([vertices, braid])
        vertices = smoothed(vertices, vertices, faces, source.smooth)
        hanging = np.zeros_like(vertices)
        hanging[:, 1] = -1.5 * np.logaddexp(0, (HANGS_BELOW - vertices[:, 1]) / 1.5)
        vertices = vertices + (source.reach - 1) * hanging

        signed, away = self._above_skin(vertices)
        sunk = np.clip((source.thinnest - signed) / max(source.thinnest, 1e-9), 0, 1) * (signed > -source.thinnest)
        vertices = vertices - (2 * source.thinnest * sunk)[:, None] * away
        height = signed.clip(0, THICKEST)[:, None]
        return Volume(
            vertices=vertices,
            faces=faces,
            thickness=0.3 * smoothed(vertices, height * away, faces, 0.3),
            drop=0.2 * hanging if source.hangs else np.zeros_like(vertices),
            follow=radial_basis_map(vertices, self._skin[0][self._control]),
            hidden=signed < 0,
        )

    def _above_skin(self, points):
        """Signed height (N,) over the mean head's skin and the unit direction (N,3) away from it."""
        vertices, faces = self._skin
        squared, _, closest = igl.point_mesh_squared_distance(points, vertices, faces)[:3]
        distance = np.sqrt(squared)
        inside = igl.fast_winding_number(vertices, faces, points) > 0.5
        away = (points - closest) / np.maximum(distance, 1e-6)[:, None]
        return np.where(inside, -distance, distance), np.where(inside[:, None], -away, away)


class HairShape:
    """Signed distance and surface samples of the hair on one person, in NPHM units; negative inside."""

    def __init__(self, barber, person, hair):
        self.hair = hair
        if hair.style != BALD:
            self._volume = barber.volume(hair.style)
            self.vertices = np.ascontiguousarray(barber.vertices(person, hair))  # (V,3) cm
            self.faces = self._volume.faces

    def sdf(self, points):
        """(N,3) -> (N,) signed distance to the hair, clamped at FAR; FAR everywhere around a bald head."""
        if self.hair.style == BALD:
            return np.full(len(points), FAR / frames.CM_PER_UNIT)
        points = np.ascontiguousarray(frames.nphm_to_ict(points), np.float64)
        distance = np.full(len(points), FAR)
        near = ((points > self._low - FAR) & (points < self._high + FAR)).all(1)
        if near.any():
            some = np.ascontiguousarray(points[near])
            away = np.sqrt(igl.point_mesh_squared_distance(some, self.vertices, self.faces)[0])
            inside = igl.fast_winding_number(self.vertices, self.faces, some) > 0.5
            distance[near] = np.where(inside, -away, away)
        return distance.clip(-FAR, FAR) / frames.CM_PER_UNIT

    def sample_surface(self, count, rng, hidden=1.0):
        """Area-uniform points (count,3), their unit normals (count,3) and which lie above the skin, (count,) bool.

        hidden: factor on the share of points below the skin, which nobody sees. There is nothing to sample on a bald head.
        """
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        below = self._volume.hidden[self.faces].all(1)
        weight = area * np.where(below, hidden, 1.0)
        face = rng.choice(len(area), count, p=weight / weight.sum())
        u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
        points = (1 - u) * a[face] + u * (1 - v) * b[face] + u * v * c[face]
        return frames.ict_to_nphm(points), normal[face] / area[face, None], ~below[face]

    @cached_property
    def _low(self):
        return self.vertices.min(0)

    @cached_property
    def _high(self):
        return self.vertices.max(0)


def _read(name):
    """Vertices (V,3) cm and faces (F,3) of one solid of the open head data."""
    with np.load(data_folder() / "hair_styles.npz") as file:
        vertices = file[f"{name}_v"] * np.float64(file["step"]) + file[f"{name}_lo"]
        return vertices, file[f"{name}_f"].astype(np.int64)


def _braid():
    """The free part of MakeHuman's braid, made slimmer and hung on the nape. -> vertices, faces"""
    vertices, faces = _read("mh_braid01")
    vertices, faces = largest_closed_part(vertices, faces[(vertices[faces][..., 1] < -15).all(1)])
    return (vertices - [0.3, -15, -11.4]) * [0.7, 1, 0.75] + [0, -1.5, -8.4], faces


def farthest_points(points, count):
    """Indices (count,) of points (N,3) that are each as far as can be from those before; starts at the first."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    for _ in range(count - 1):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def radial_basis_map(points, control, smoothing=1e-3):
    """Matrix (N,C): displacements of control points (C,3) -> of points (N,3), by linear kernels and an affine part."""

    def rows(some):
        kernel = -np.linalg.norm(some[:, None] - control, axis=2)
        return np.concatenate([kernel, np.ones((len(some), 1)), some / 10], axis=1)

    count = len(control)
    affine = rows(control)[:, count:]
    system = np.zeros((count + 4, count + 4))
    system[:count] = rows(control)
    system[:count, :count] -= smoothing * np.eye(count)
    system[count:, :count] = affine.T
    solution = np.linalg.inv(system)[:, :count]
    parts = np.array_split(points, max(1, len(points) // 4000))
    return np.concatenate([(rows(part) @ solution).astype(np.float32) for part in parts])


def smoothed(vertices, values, faces, amount):
    """One implicit step of heat flow over a mesh's edges: values (V,3) -> (V,3). amount: time, cm^2."""
    graph = igl.adjacency_matrix(faces).astype(np.float64)
    i, j = graph.nonzero()
    time = amount / np.square(vertices[i] - vertices[j]).sum(1).mean()
    laplacian = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
    return spsolve((sparse.eye(len(vertices)) + time * laplacian).tocsc(), values)


def largest_closed_part(vertices, faces):
    """The component with most vertices; its holes are closed by fans over their centres. -> vertices, faces"""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices), len(vertices)))
    label = connected_components(graph, directed=False)[1]
    largest = np.bincount(label[faces[:, 0]]).argmax()
    faces = faces[label[faces[:, 0]] == largest]
    while len(pinched := _pinched(faces)):  # where a boundary touches itself there is no loop to close
        faces = faces[~np.isin(faces, pinched).any(1)]
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    for loop in boundary_loops(faces):
        fan = np.stack([np.roll(loop, -1), loop, np.full(len(loop), len(vertices))], axis=1)
        vertices = np.concatenate([vertices, vertices[loop].mean(0, keepdims=True)])
        faces = np.concatenate([faces, fan])
    return vertices, faces


def _pinched(faces):
    """Vertices that a boundary passes more than once."""
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    free = ~np.isin(half[:, 0] * size + half[:, 1], half[:, 1] * size + half[:, 0])
    vertex, count = np.unique(half[free, 0], return_counts=True)
    return vertex[count > 1]
