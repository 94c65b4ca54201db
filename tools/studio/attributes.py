"""What a head is like, read off its surface: measures on landmarks, and traits that a linear probe of the shape tells.

Studio heads have ICT's vertices. Generated heads get them from their texture coordinates, which mean the same place on every
head, and from a few rounds of fitting the studio's principal shape parameters to the surface. Nothing here sees a prompt.
"""

from functools import cached_property

import igl
import numpy as np

from cliphead_addon.engine.geometry import frames, raster

from .expressions import CANONICAL
from .hair import BALD, STYLE_NAMES, Hair
from .ict import SKIN_VERTICES
from .people import ANCESTRIES, MEASURED_SEEDS, SHAPE_DIMENSIONS

TRAITS = ("gender", "age", *ANCESTRIES, "weight", "pointed ears")  # gender: 0 female .. 1 male, weight: thin -1 .. heavy 1
SIZES = {"nose size": ("nose width", "nose length", "nose projection"), "eye size": ("eye opening", "eye width")}
PROBE_SEEDS = range(3 * 10**6, 3 * 10**6 + 3000)
FIT_ERROR = 0.15  # cm: what a surface point says about its vertex, against parameters of deviation one
PRIOR = FIT_ERROR**2 * SKIN_VERTICES / SHAPE_DIMENSIONS  # neighbours err alike: they are no 11248 independent witnesses
ROUNDS = 6
TANGENTIAL = 0.05  # weight of being off along the surface, where texture coordinates may be some millimetres wrong
CLOSE_ERROR = 0.02  # cm: what the head model's surfaces err by, for comparing two of them
CLOSE_ROUNDS, CLOSE_TANGENTIAL = 8, 0.002  # they converge further before what is likely holds them back
NECK = -6.0  # cm: what lies below, on the neutral mean head, does not tell about its shape
OUTER = 0.25  # share of people at either end who get a word for a measure
WORDS = {  # measure -> word at the low end, word at the high end
    "head width": ("narrow head", "wide head"), "face roundness": ("long face", "round face"),
    "jaw width": ("narrow jaw", "wide jaw"), "jaw squareness": ("tapered jaw", "square jaw"),
    "cheek width": ("narrow cheeks", "wide cheeks"), "chin width": ("pointed chin", "broad chin"),
    "chin prominence": ("receding chin", "prominent chin"), "nose width": ("narrow nose", "wide nose"),
    "nose length": ("short nose", "long nose"), "nose projection": ("flat nose", "protruding nose"),
    "nose tip up": ("drooping nose", "upturned nose"), "mouth width": ("small mouth", "wide mouth"),
    "lip fullness": ("thin lips", "full lips"), "eye opening": ("narrow eyes", "wide-open eyes"),
    "eye width": ("small eyes", "large eyes"), "eye spacing": ("close-set eyes", "wide-set eyes"),
    "brow height": ("low brows", "high brows"), "ear size": ("small ears", "big ears"),
    "ear protrusion": ("flat ears", "protruding ears"), "neck width": ("thin neck", "thick neck"),
}  # fmt: skip


def traits(person):
    """The true values that the probe estimates, (len(TRAITS),)."""
    weight = person.local.get("heavy", 0) - person.local.get("thin", 0)
    ears = person.local.get("pointed ears", 0)
    return np.array([person.gender, person.age, *(person.ancestry[name] for name in ANCESTRIES), weight, ears])


class Observer:
    """Reads attributes of heads against a `people.Population`."""

    def __init__(self, population):
        self.population = population

    def read(self, vertices):
        """Skin of a canonical head (11248 or more,3) ICT cm -> name -> value: measures as z-scores, SIZES, and TRAITS."""
        measures = self.population.attributes(vertices)
        sizes = {name: sum(measures[part] for part in parts) for name, parts in SIZES.items()}
        found = np.r_[self.fit(vertices[:SKIN_VERTICES]), 1] @ self._probe
        return measures | sizes | dict(zip(TRAITS, found.tolist(), strict=True))

    def words(self, attributes):
        """Words for measures beyond the population's outer quantiles, the most unusual first."""
        found = []
        for name, (low, high) in WORDS.items():
            bottom, top = self.quantiles[name]
            if not bottom <= attributes[name] <= top:
                found.append((abs(attributes[name]), low if attributes[name] < bottom else high))
        return [word for _, word in sorted(found, reverse=True)]

    @cached_property
    def _people(self):
        """Attributes of the population's measured people, name -> (n,)."""
        rows = [self.read(self.population.vertices(self.population.person(seed))) for seed in MEASURED_SEEDS]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    @cached_property
    def quantiles(self):
        """Measure or trait -> its OUTER quantiles, low and high."""
        return {name: tuple(np.quantile(values, [OUTER, 1 - OUTER])) for name, values in self._people.items()}

    @cached_property
    def medians(self):
        return {name: float(np.median(values)) for name, values in self._people.items()}

    @cached_property
    def means(self):
        return {name: float(np.mean(values)) for name, values in self._people.items()}

    @cached_property
    def deviations(self):
        return {name: float(np.std(values)) for name, values in self._people.items()}

    @cached_property
    def _probe(self):
        """(D+1,len(TRAITS)) ridge regression from shape parameters, as `fit` finds them, to traits of studio people.

        The penalty is what the errors of `fit` would add, so that nothing leans on shapes too faint to be measured.
        """
        people = [self.population.person(seed) for seed in PROBE_SEEDS]
        codes = np.stack([self.population.shape_code(person) for person in people])
        gram = self._basis[2]
        posterior = np.linalg.inv(gram + PRIOR * np.eye(SHAPE_DIMENSIONS))
        found = np.c_[codes @ gram @ posterior, np.ones(len(codes))]
        penalty = np.zeros((len(gram) + 1,) * 2)
        penalty[:-1, :-1] = len(codes) * PRIOR * posterior @ gram @ posterior
        return np.linalg.solve(found.T @ found + penalty, found.T @ np.stack([traits(person) for person in people]))

    @cached_property
    def _above_neck(self):
        """(11248,) bool: vertices that heads have; those below are shoulders, which are cut off."""
        return self.population.ict.neutral[:SKIN_VERTICES, 1] > NECK

    @cached_property
    def _basis(self):
        """Mean canonical skin (V,3), directions (3V,D) and their Gram matrix above the neck."""
        mean, directions = self.population.shape_basis()
        directions = directions.reshape(SHAPE_DIMENSIONS, -1).T.astype(np.float64)
        counted = directions[np.repeat(self._above_neck, 3)]
        return mean, directions, counted.T @ counted

    def fit(self, vertices, known=None):
        """Likeliest shape parameters (D,) of canonical skin vertices (11248,3) ICT cm; known: (11248,) bool, which count."""
        mean, directions, gram = self._basis
        counted = np.repeat(self._above_neck if known is None else self._above_neck & known, 3)
        offset, directions = (vertices - mean).ravel()[counted].astype(np.float64), directions[counted]
        if known is not None:
            gram = directions.T @ directions
        return np.linalg.solve(gram + PRIOR * np.eye(SHAPE_DIMENSIONS), directions.T @ offset)

    def vertices_of(self, unwrapped, atlas, close=False):
        """Skin vertices (11248,3) ICT cm of a generated head in the canonical pose.

        unwrapped: stages.UnwrappedHead, atlas: atlas.Atlas of the same layout. close: lean less towards likely shapes, for
        telling apart two heads of one head model; otherwise a change of shape is found smaller than it is.
        """
        mesh = unwrapped.mesh
        position, covered = raster.rasterise(unwrapped.uv, mesh.canonical[mesh.faces], atlas.size)
        texel = vertex_texels(atlas)
        known = (texel >= 0) & covered.ravel()[texel]
        found = frames.nphm_to_ict(position.reshape(-1, 3)[texel])
        mean, directions, _ = self._basis
        surface, faces = mesh.canonical.astype(np.float64), mesh.faces.astype(np.int64)
        normals = igl.per_face_normals(surface, faces, np.zeros(3))
        code = self.fit(found, known)
        for _ in range(CLOSE_ROUNDS if close else ROUNDS):
            model = mean + (directions @ code).reshape(-1, 3)
            _, face, nearest = igl.point_mesh_squared_distance(np.ascontiguousarray(frames.ict_to_nphm(model)), surface, faces)[
                :3
            ]
            found = frames.nphm_to_ict(nearest)
            code = self._slide(found, normals[face], known, close)
        return found

    def _slide(self, points, normals, known, close=False):
        """As `fit`, but distances to planes count most, at points (V,3) with normals (V,3): vertices may move along them."""
        mean, directions, _ = self._basis
        counted = self._above_neck & known
        along = np.einsum("vdk,vd->vk", directions.reshape(len(mean), 3, -1)[counted], normals[counted])
        offset = points[counted] - mean[counted]
        away = (offset * normals[counted]).sum(1)
        inside = directions[np.repeat(counted, 3)]
        loose = CLOSE_TANGENTIAL if close else TANGENTIAL
        prior = PRIOR * (CLOSE_ERROR / FIT_ERROR) ** 2 if close else PRIOR / 3
        gram = along.T @ along + loose * inside.T @ inside
        pull = along.T @ away + loose * inside.T @ offset.ravel()
        return np.linalg.solve(gram + prior * np.eye(SHAPE_DIMENSIONS), pull)


def vertex_texels(atlas):
    """For each skin vertex the texel (row-major index) that shows it best, -1 if none does: (11248,) int64."""
    corners, weights = atlas.corners.ravel(), atlas.weights.ravel()
    texels = np.repeat(atlas.texels, 3)
    use = (corners < SKIN_VERTICES) & (weights > 0.4)
    order = np.argsort(weights[use])  # the last one written has the largest weight
    found = np.full(SKIN_VERTICES, -1)
    found[corners[use][order]] = texels[use][order]
    return found


def hair_style(barber, skin, hair, samples=1500):
    """The studio style nearest to a hair mesh, by mean distance both ways.

    barber: hair.Barber, skin: (11248,3) ICT cm, canonical; hair: stages.HairMesh or None -> style name
    """
    if hair is None:
        return BALD
    rng = np.random.default_rng(0)
    mesh = frames.nphm_to_ict(hair.vertices).astype(np.float64), hair.faces.astype(np.int64)
    mouth = barber.population.expression_offset(CANONICAL)[: len(skin)]
    points = scatter(*mesh, samples, rng)
    distances = {}
    for style in STYLE_NAMES[1:]:
        volume = barber.volume(style)
        vertices = np.ascontiguousarray(barber.fit(skin - mouth, Hair(style)))
        seen = volume.faces[~volume.hidden[volume.faces].all(1)]
        there = igl.point_mesh_squared_distance(points, vertices, seen)[0]
        back = igl.point_mesh_squared_distance(scatter(vertices, seen, samples, rng), *mesh)[0]
        distances[style] = np.sqrt(there).mean() + np.sqrt(back).mean()
    return min(distances, key=distances.get)


def scatter(vertices, faces, count, rng):
    """Area-uniform points (count,3) of a mesh."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    face = rng.choice(len(faces), count, p=area / area.sum())
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - u) * a[face] + u * (1 - v) * b[face] + u * v * c[face]
