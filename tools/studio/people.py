"""People by seed: shape parameters that words can name, linear in ICT's identity modes and MakeHuman's directions."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cliphead_addon.engine.geometry import frames

from .expressions import CANONICAL, coefficients
from .ict import ICT, SKIN_VERTICES, data_folder, unpack

ANCESTRIES = ("caucasian", "asian", "african")
SHAPE_DIMENSIONS = 128  # principal shape parameters kept; vertices move by 0.2 mm without the rest
MEASURED_SEEDS = range(2 * 10**6, 2 * 10**6 + 300)  # the people that measures are compared with
PRINCIPAL_FILE = Path(__file__).with_name("principal.npz")  # delete it to compute it anew, then retrain everything
CLEARANCE = 0.02  # cm between the inner lips of a neutral face
LOWER_SHARE = 0.65  # of closing the lips; the upper lip does the rest
AGES = ((10, "child"), (25, "young"), (90, "old"))  # years of MakeHuman's corner shapes
ANTISYMMETRIC_MODES = (9, 20, 25, 28, 33, 37, 43, 45, 51, 53, 58, 60, 65, 67, 71, 73, 76, 80, 83, 85, 89, 91, 93, 95, 97)

# Words for local shape, each a mix of MakeHuman targets; opposites share a row so that no head gets both.
OPPOSITES = (
    ("wide nose", "narrow nose"), ("long nose", "short nose"), ("big nose", "small nose"), ("hooked nose", "snub nose"),
    ("full lips", "thin lips"), ("wide mouth", "small mouth"), ("big ears", "small ears"), ("protruding ears", "flat ears"),
    ("pointed ears", None), ("square jaw", "narrow jaw"), ("pointed chin", "broad chin"), ("prominent chin", "receding chin"),
    ("heavy", "thin"), ("round face", "long face"), ("high cheekbones", None), ("chubby cheeks", "hollow cheeks"),
    ("large eyes", "small eyes"), ("eye bags", None), ("low brows", "high brows"), ("high forehead", "low forehead"),
    ("thick neck", "thin neck"),
)  # fmt: skip
LOCAL_WORDS = {
    "wide nose": {"nose/nose-scale-horiz-incr": 1, "nose/nose-nostrils-width-incr": 0.7, "nose/nose-width2-incr": 0.4},
    "narrow nose": {"nose/nose-scale-horiz-decr": 1, "nose/nose-nostrils-width-decr": 0.7, "nose/nose-width2-decr": 0.4},
    "long nose": {"nose/nose-scale-vert-incr": 1, "nose/nose-trans-down": 0.3},
    "short nose": {"nose/nose-scale-vert-decr": 1, "nose/nose-trans-up": 0.3},
    "big nose": {"nose/nose-volume-incr": 1, "nose/nose-scale-depth-incr": 0.6},
    "small nose": {"nose/nose-volume-decr": 1, "nose/nose-scale-depth-decr": 0.6},
    "hooked nose": {"nose/nose-hump-incr": 1, "nose/nose-curve-convex": 0.7, "nose/nose-point-down": 0.6},
    "snub nose": {"nose/nose-point-up": 1, "nose/nose-curve-concave": 0.7},
    "full lips": {
        "mouth/mouth-upperlip-volume-incr": 0.8, "mouth/mouth-lowerlip-volume-incr": 0.8,
        "mouth/mouth-upperlip-height-incr": 0.8, "mouth/mouth-lowerlip-height-incr": 0.8,
    },
    "thin lips": {
        "mouth/mouth-upperlip-volume-decr": 0.8, "mouth/mouth-lowerlip-volume-decr": 0.8,
        "mouth/mouth-upperlip-height-decr": 0.8, "mouth/mouth-lowerlip-height-decr": 0.8,
    },
    "wide mouth": {"mouth/mouth-scale-horiz-incr": 1},
    "small mouth": {"mouth/mouth-scale-horiz-decr": 1},
    "big ears": {"ears/ear-scale-incr": 1},
    "small ears": {"ears/ear-scale-decr": 1},
    "protruding ears": {"ears/ear-wing-incr": 1},
    "flat ears": {"ears/ear-wing-decr": 1},
    "pointed ears": {"ears/ear-shape-pointed": 1},
    "square jaw": {"head/head-square": 0.7, "chin/chin-bones-incr": 0.7, "chin/chin-width-incr": 0.3},
    "narrow jaw": {"head/head-invertedtriangular": 0.7, "chin/chin-bones-decr": 0.7},
    "pointed chin": {"chin/chin-triangle": 0.8, "chin/chin-width-decr": 0.8},
    "broad chin": {"chin/chin-width-incr": 1},
    "prominent chin": {"chin/chin-prominent-incr": 1, "chin/chin-prognathism-incr": 0.6},
    "receding chin": {"chin/chin-prominent-decr": 1, "chin/chin-prognathism-decr": 0.6},
    "heavy": {"head/head-fat-incr": 1, "neck/neck-double-incr": 0.8},
    "thin": {"head/head-fat-decr": 1, "neck/neck-double-decr": 0.5, "cheek/cheek-volume-decr": 0.4},
    "round face": {"head/head-round": 1},
    "long face": {"head/head-rectangular": 0.6, "head/head-scale-vert-incr": 0.6, "head/head-scale-horiz-decr": 0.4},
    "high cheekbones": {"cheek/cheek-bones-incr": 1, "cheek/cheek-trans-up": 0.5},
    "chubby cheeks": {"cheek/cheek-volume-incr": 1, "cheek/cheek-inner-incr": 0.5},
    "hollow cheeks": {"cheek/cheek-volume-decr": 1, "cheek/cheek-inner-decr": 0.7},
    "large eyes": {"eyes/eye-scale-incr": 1, "eyes/eye-height2-incr": 0.4},
    "small eyes": {"eyes/eye-scale-decr": 1, "eyes/eye-height2-decr": 0.4},
    "eye bags": {"eyes/eye-bag-incr": 1, "eyes/eye-bag-out": 0.7},
    "low brows": {"eyebrows/eyebrows-trans-down": 1},
    "high brows": {"eyebrows/eyebrows-trans-up": 1},
    "high forehead": {"forehead/forehead-scale-vert-incr": 1},
    "low forehead": {"forehead/forehead-scale-vert-decr": 1},
    "thick neck": {"neck/neck-scale-horiz-incr": 0.8, "neck/neck-scale-depth-incr": 0.6},
    "thin neck": {"neck/neck-scale-horiz-decr": 0.8, "neck/neck-scale-depth-decr": 0.6},
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One identity, as words and numbers."""

    seed: int
    gender: float  # 0 female .. 1 male
    age: float  # years
    ancestry: dict  # ANCESTRIES -> weight, summing to one
    local: dict  # LOCAL_WORDS -> weight 0..1
    identity: np.ndarray  # (100,) ICT coefficients


class Population:
    """Draws people, gives their vertices, and knows the population's principal shape parameters."""

    def __init__(self):
        self.ict = ICT.load()
        with np.load(data_folder() / "ict_semantics.npz") as file:
            self._direction_names = [str(name) for name in file["names"]]
            self._directions = unpack(file["packed"], file["step"])  # (292,26719,3) cm
        self._gender = np.load(data_folder() / "gender_dir.npy")  # (60,) in identity coefficients

    def person(self, seed):
        """A random person; the same seed gives the same one."""
        rng = np.random.default_rng([seed, 39])
        gender = float(rng.random() < 0.5)
        age = float(rng.choice([10, *rng.uniform(16, 88, 5)]))
        ancestry = dict(zip(ANCESTRIES, rng.dirichlet([0.45] * 3).tolist(), strict=True))
        identity = rng.normal(size=100) * (0.62 if age > 16 else 0.45)
        identity[list(ANTISYMMETRIC_MODES)] *= 0.5
        # Words stay true when the random part says little about age, gender and ancestry.
        identity[:60] -= 0.8 * self._macro_subspace.T @ (self._macro_subspace @ identity[:60])
        identity[:60] += self._gender * (0 if age < 16 else 1.0 if gender else -2.0)
        local = {}
        for row in rng.permutation(len(OPPOSITES))[: rng.integers(1, 6)]:
            word = OPPOSITES[row][rng.integers(2)]
            if word is None or (word == "pointed ears" and rng.random() > 0.5):
                continue
            local[word] = float(rng.uniform(0.35, 1.0))
        return Person(int(seed), gender, age, ancestry, local, identity)

    def coefficients(self, person):
        """All linear weights of a person: (100 + 292,) for ICT's modes and MakeHuman's directions."""
        weights = np.zeros(len(self._direction_names))
        ages, names = zip(*AGES, strict=True)
        place = np.interp(person.age, ages, range(len(ages)))  # between child, young and old
        for i, name in enumerate(names):
            by_age = max(0.0, 1 - abs(place - i))
            for ancestry, by_ancestry in person.ancestry.items():
                for gender, by_gender in (("female", 0.95 - 0.9 * person.gender), ("male", 0.05 + 0.9 * person.gender)):
                    weights[self._index(f"macro/{ancestry}-{gender}-{name}")] += by_age * by_ancestry * by_gender
        for word, weight in person.local.items():
            for target, share in LOCAL_WORDS[word].items():
                weights[self._index(target)] += weight * share
        return np.concatenate([person.identity, weights])

    def vertices(self, person, expression=CANONICAL):
        """A person with an expression: (26719,3) float32, ICT centimetres."""
        return self._from_coefficients(self.coefficients(person)) + self.expression_offset(expression)

    def expression_offset(self, expression):
        """What an expression adds to any person's vertices: (26719,3) float32 cm."""
        weights = np.array(coefficients(expression, self.ict.expression_names), np.float32)
        return np.tensordot(weights, self.expression_shapes, 1)

    @cached_property
    def expression_shapes(self):
        """ICT's expression shapes (57,26719,3) cm; a blink also draws its eyeball back, or the cornea pokes through the lid."""
        shapes = self.ict.expression_shapes.copy()
        for side in "LR":
            blink = self.ict.expression_names.index(f"eyeBlink_{side}")
            shapes[blink, self.ict.part_vertices(f"eyeball_{side}"), 2] -= 0.2
        return shapes

    def anchors(self, vertices):
        """(26719,3) ICT cm -> (39,3) NPHM frame, in member order."""
        return frames.ict_to_nphm(vertices[self.ict.anchors])

    def shape_code(self, person):
        """Whitened principal shape parameters, (SHAPE_DIMENSIONS,) with mean 0 and deviation 1 over the population."""
        mean, encode, _ = self._principal
        return ((self.coefficients(person) - mean) @ encode).astype(np.float32)

    def vertices_from_shape_code(self, code, expression=CANONICAL):
        """Inverse of `shape_code`, up to what the kept parameters leave out: (D,) -> (26719,3) ICT cm."""
        mean, _, decode = self._principal
        return self._from_coefficients(mean + code @ decode) + self.expression_offset(expression)

    def shape_basis(self, rows=SKIN_VERTICES):
        """What `vertices_from_shape_code` is linear in: mean canonical vertices (rows,3) and directions (D,rows,3), ICT cm."""
        mean, _, decode = self._principal
        shapes = np.concatenate([self.ict.identity_modes[:, :rows], self._directions[:, :rows]]).reshape(len(mean), -1)
        directions = (decode.astype(np.float32) @ shapes).reshape(len(decode), rows, 3)
        directions += np.stack([self._seal(direction, clearance=0) for direction in directions])
        return self.vertices_from_shape_code(np.zeros(len(decode)))[:rows], directions

    def attributes(self, vertices):
        """Measures of a neutral or canonical head as z-scores over the population, by name. vertices: (26719,3) ICT cm."""
        mean, deviation = self._attribute_statistics
        return {name: (value - mean[name]) / deviation[name] for name, value in measure(self.ict, vertices).items()}

    def _index(self, name):
        return self._direction_names.index(name)

    def _from_coefficients(self, weights):
        modes = np.tensordot(weights[:100].astype(np.float32), self.ict.identity_modes, 1)
        used = np.flatnonzero(weights[100:])
        vertices = self.ict.neutral + modes + np.tensordot(weights[100:][used].astype(np.float32), self._directions[used], 1)
        return vertices + self._seal(vertices)

    def _seal(self, vertices, clearance=CLEARANCE):
        """What closes the lips, which random identities leave millimetres apart: (N,3), linear in vertices (N,3) cm.

        The gap between upper and lower inner lip at three places is taken from both lips, less towards chin and nose.
        """
        upper, lower = vertices[self.ict.landmarks[[61, 62, 63]]], vertices[self.ict.landmarks[[67, 66, 65]]]
        gap = (upper - lower - [0, clearance, 0]) * [0, 1, 1]  # (3,3): right, middle, left
        return (self._lip_share[: len(vertices)] @ gap).astype(np.float32)

    @cached_property
    def _lip_share(self):
        """(26719,3) how much of the gap at each of three places every vertex takes up; negative above the lips' line."""
        rest, line = self.ict.neutral, self.ict.neutral[self.ict.landmarks[60:68]]
        across = np.argsort(line[:5, 0])
        hats = [np.interp(rest[:, 0], line[:5, 0][across], np.eye(5)[k][across]) for k in (1, 2, 3)]
        opens = -self.ict.expression_shapes[self.ict.expression_names.index("jawOpen")][:, 1]
        jaw = np.clip(opens / opens[self.ict.landmarks[66]], 0, 1)  # 1 on the lower lip, 0 on the upper
        height = rest[:, 1] - line[[1, 2, 3, 5, 6, 7], 1].mean()
        near = np.interp(height, [-3.5, -1.2, 0.8, 2.0], [0, 1, 1, 0]) * np.interp(rest[:, 2], [5, 8], [0, 1])
        share = LOWER_SHARE * jaw - (1 - LOWER_SHARE) * (1 - jaw)
        return np.stack(hats, axis=1) * (near * share)[:, None]

    @cached_property
    def _macro_subspace(self):
        """(5,60) orthonormal directions of identity space that look like age, gender or ancestry (ridge projection)."""
        modes = self.ict.identity_modes[:60, :SKIN_VERTICES].reshape(60, -1).astype(np.float64)
        macro = [i for i, name in enumerate(self._direction_names) if name.startswith("macro/") and not name.endswith("baby")]
        shapes = self._directions[macro][:, :SKIN_VERTICES].reshape(len(macro), -1).astype(np.float64)
        projected = np.linalg.solve(modes @ modes.T + 20 * np.eye(60), modes @ (shapes - shapes.mean(0)).T)  # (60,24)
        return np.linalg.svd(projected.T, full_matrices=False)[2][:5]

    @cached_property
    def _principal(self):
        """Mean (392,), encoder (392,D) and decoder (D,392) of the principal shape parameters.

        With coefficients q of covariance C and vertices q B, the directions a solve C G a = lambda a, G = B B^T. Kept in a
        file: eigenvectors may turn between machines, and every network trained on the codes must see the same ones.
        """
        if PRINCIPAL_FILE.exists():
            with np.load(PRINCIPAL_FILE) as file:
                return file["mean"], file["encode"], file["decode"]
        samples = np.stack([self.coefficients(self.person(seed)) for seed in range(10**6, 10**6 + 4000)])
        basis = np.concatenate([self.ict.identity_modes[:, :SKIN_VERTICES], self._directions[:, :SKIN_VERTICES]])
        basis = basis.reshape(len(basis), -1).astype(np.float64)
        gram = basis @ basis.T
        root = np.linalg.cholesky(gram + 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram)))
        variance, y = np.linalg.eigh(root.T @ np.cov(samples.T) @ root)
        variance, y = variance[::-1][:SHAPE_DIMENSIONS], y[:, ::-1][:, :SHAPE_DIMENSIONS]
        directions = np.linalg.solve(root.T, y)  # (392,D)
        encode = gram @ directions / np.sqrt(variance)
        arrays = {"mean": samples.mean(0), "encode": encode, "decode": (np.cov(samples.T) @ encode).T}
        np.savez_compressed(PRINCIPAL_FILE, **{name: array.astype(np.float32) for name, array in arrays.items()})
        return tuple(arrays.values())

    @cached_property
    def _attribute_statistics(self):
        values = [measure(self.ict, self.vertices(self.person(seed))) for seed in MEASURED_SEEDS]
        names = values[0]
        return tuple({n: float(f([v[n] for v in values])) for n in names} for f in (np.mean, np.std))


def measure(ict, vertices):
    """Lengths (cm) and ratios of a head, by name, on the 68 landmarks. vertices: (26719,3) ICT cm, mouth shut or canonical."""
    p = vertices[ict.landmarks]
    skin, rest = vertices[:SKIN_VERTICES], ict.neutral[:SKIN_VERTICES]

    def span(a, b):
        return float(np.linalg.norm(p[a] - p[b]))

    ears = [skin[(side * rest[:, 0] > 7.9) & (rest[:, 1] > -3) & (rest[:, 1] < 7.5) & (rest[:, 2] < 4)] for side in (1, -1)]
    head_width = float(np.ptp(skin[np.abs(rest[:, 1] - 8) < 1.5][:, 0]))
    face_width, jaw_width, face_height = span(1, 15), span(4, 12), span(27, 8)
    cheeks = span(3, 13)
    lids = p[[37, 38, 43, 44]].mean(0)
    return {
        "head width": head_width,
        "face roundness": face_width / face_height,
        "jaw width": jaw_width,
        "jaw squareness": jaw_width / face_width,
        "cheek width": cheeks,
        "chin width": span(7, 9),
        "chin prominence": float(p[8, 2] - 0.5 * (p[57, 2] + p[33, 2])),
        "nose width": span(31, 35),
        "nose length": span(27, 33),
        "nose projection": float(p[30, 2] - 0.5 * (p[31, 2] + p[35, 2])),
        "nose tip up": float(p[30, 1] - p[33, 1]),
        "mouth width": span(48, 54),
        "lip fullness": span(51, 62) + span(66, 57),
        "eye opening": (span(37, 41) + span(38, 40) + span(43, 47) + span(44, 46)) / 4,
        "eye width": (span(36, 39) + span(42, 45)) / 2,
        "eye spacing": span(39, 42),
        "brow height": float(p[[19, 24], 1].mean() - lids[1]),
        "ear size": float(np.mean([np.ptp(ear[:, 1]) for ear in ears])),
        "ear protrusion": float(np.ptp(np.concatenate(ears)[:, 0])) - head_width,
        "neck width": float(np.ptp(skin[np.abs(rest[:, 1] + 9.5) < 0.7][:, 0])),
    }
