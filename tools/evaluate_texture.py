"""How well the texture model does what its words say: against the painter, on heads and captions it never saw.

A study draws a person and a look that training did not use, and a caption that names as many colours of it as possible. The
pack's own head model shapes and unwraps the head, so that the texture model is guided as for a user; the studio's painter
paints the same look. Regions come from the pack's part map and the atlas's fields, both the same on every head.
"""

import hashlib
import time
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from skimage.color import deltaE_ciede2000, rgb2lab

from cliphead_addon.engine.geometry import frames, raster
from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.iris import dye_irises
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.nets.texture import TextureModel, resize, seam_pairs
from cliphead_addon.engine.pipeline import HINT_SIZE
from cliphead_addon.engine.settings import Settings
from tools.studio import captions, skin
from tools.studio.atlas import EYE, studio_atlas
from tools.studio.expressions import EXPRESSIONS
from tools.studio.eyes import IRIS_RADIUS, PUPIL_RADIUS
from tools.studio.look import LIPS, MAKE_UPS, SHOW_HAIR, STYLES, random_look
from tools.studio.people import Population

SIZE = 1024  # px of the textures that users get
MEASURED = 512  # px at which colours and places are compared
SMALL = 256  # px where only broad colours matter: seeds and styles
CLASSIFIED = 192  # px that the classifier of styles sees
TRIES = 16  # captions drawn for a look, of which the one that names most colours is taken
NEAR = 12.0  # CIEDE2000 within which a named colour counts as met
HEADS_PER_SHAPE = 4  # captions that share one head's shape
SHARP = 6  # textures whose sharpness is measured: the painter takes seconds for each
SEEDS = 3
RUN = Path("runs/texture_study")
# How far around a feature the detector looks, cm.
REACH = {"lips": 0.85, "brows": 0.75, "irises": 0.4}
GOALS = {  # measure -> must, hope; "at least" where more is better
    "named colours within 12 dE, at least": (0.90, 0.97),
    "features in place, IoU, at least": (0.60, 0.75),
    "styles recognised, at least": (0.90, 0.97),
    "across the cut, dE": (2.0, 1.0),
    "fine detail against the painter, at least": (0.60, 0.90),
    "between seeds, dE, at least": (3.0, 3.0),
    "between seeds, dE": (15.0, 15.0),
    f"seconds for {SIZE} px, warm": (4.0, 2.5),
}


@dataclass(frozen=True)
class Study:
    """One held-out head: what was asked for and what the texture model is guided by."""

    look: object
    text: str
    mentioned: frozenset
    normal_uv: np.ndarray  # (R,R,3) uint8
    uv: np.ndarray  # (F,3,2)
    seam: np.ndarray  # (P,2,2) UV, both sides of the cut


@dataclass(frozen=True)
class Regions:
    """Where the features are at MEASURED px: masks (R,R) bool, and how many cm a texel spans in each."""

    masks: dict
    texel_cm: dict
    eye: np.ndarray  # (R,R) bool, the eyeballs
    coverage: np.ndarray

    @classmethod
    def of(cls, atlas, quads):
        """From the studio's atlas and the pack's quads part, whose outlines give the part map."""
        parts, fields = raster.part_map(quads, atlas.size), atlas.regions
        eye = atlas.part == EYE
        front = (fields["front"] > 0.35) & (fields["hairline"] < -1) & (fields["lip"] < -0.6) & (fields["lid"] > 1.2)
        bare = (
            front & (fields["brow"] > 1) & (fields["beard"] < -0.2) & (fields["moustache"] < -0.2) & (fields["nostril"] > 0.8)
        )
        ring = eye & (fields["eye_axis"] > 1.5 * PUPIL_RADIUS) & (fields["eye_axis"] < 0.9 * IRIS_RADIUS)
        masks = {
            "skin": atlas.image(bare),
            "hair": parts == raster.PARTS.index("scalp"),
            "brows": parts == raster.PARTS.index("brows"),
            "lips": parts == raster.PARTS.index("lips"),
            "irises": atlas.image(eye & (fields["eye_axis"] < IRIS_RADIUS)),
            "iris": atlas.image(ring),
        }
        masks = {name: mask & atlas.coverage for name, mask in masks.items()}
        spans = atlas.image(atlas.texel_cm)
        return cls(masks, {n: float(np.median(spans[m])) for n, m in masks.items()}, atlas.image(eye), atlas.coverage)


def mean_colour(image, mask):
    """Mean Lab (3,) of an sRGB image (R,R,3) uint8 over a mask; the mean is taken over light, not over its code."""
    light = (image[mask] / 255.0) ** 2.2
    return rgb2lab((light.mean(0) ** (1 / 2.2))[None, None])[0, 0]


def colour_differences(made, painted, look, mentioned, regions):
    """CIEDE2000 between a result and the painter's texture over each region whose colour the caption names -> {region: dE}."""
    named = {"skin": "tone" in mentioned, "iris": "eyes" in mentioned, "lips": "lips" in mentioned and look.lips > 0}
    named["hair"] = "hair" in mentioned and look.style in SHOW_HAIR
    found = {}
    for region in (name for name, said in named.items() if said):
        place = "brows" if region == "hair" and look.scalp == 0 else region  # the bald have brows
        mask = regions.masks[place]
        found[region] = float(deltaE_ciede2000(mean_colour(made, mask), mean_colour(painted, mask)))
    return found


def found_by_colour(image, inside, usable, reach):
    """Where a feature's colour is, near where it should be.

    The two colour clouds, of the core of `inside` and of its surroundings, give the direction of Lab that tells them apart best
    (Fisher's linear discriminant); texels on the inner side of the middle between their means are the feature.
    image: (R,R,3) uint8, inside: (R,R) bool, usable: (R,R) bool texels that count, reach: px looked at around
    -> found (R,R) bool.
    """
    deep, away = ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    lab = ndimage.gaussian_filter(rgb2lab(image), (0.7, 0.7, 0))  # grain and single hairs are no edges
    window = (away <= reach) & usable
    core, around = window & (deep >= min(2.0, 0.5 * deep.max())), window & (away >= 0.4 * reach)
    one, other = lab[core], lab[around]
    spread = (np.cov(one.T) + np.cov(other.T)) / 2 + np.eye(3)
    along = lab @ np.linalg.solve(spread, one.mean(0) - other.mean(0))
    return window & (along > (along[core].mean() + along[around].mean()) / 2)


def overlap(one, other):
    """Intersection over union of two masks."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def features_in_place(image, regions):
    """Lips, brows and irises found by colour against the part map -> {feature: intersection over union}."""
    found = {}
    for name, reach in REACH.items():
        usable = regions.eye if name == "irises" else regions.coverage & ~regions.eye
        where = found_by_colour(image, regions.masks[name], usable, reach / regions.texel_cm[name])
        found[name] = overlap(where, regions.masks[name])
    return found


def fine_energy(image, box):
    """Energy of lightness above an eighth of the sampling frequency in a box (top, bottom, left, right) of (R,R,3) uint8."""
    top, bottom, left, right = box
    light = rgb2lab(image[top:bottom, left:right])[..., 0]
    window = np.outer(np.hanning(light.shape[0]), np.hanning(light.shape[1]))
    power = np.abs(np.fft.fft2((light - light.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in light.shape), indexing="ij"))  # cycles per px
    return float(power[frequency > 1 / 8].sum())


def face_box(atlas, size):
    """The square of UV space from brows to chin: (top, bottom, left, right) px of an image of `size`."""
    pixels = frames.uv_to_pixel(atlas.landmark_uv.astype(np.float64), size)
    (left, top), (right, bottom) = np.floor(pixels.min(0)).astype(int), np.ceil(pixels.max(0)).astype(int)
    return top, bottom, left, right


def cut_difference(albedo, pairs):
    """Mean CIEDE2000 between the texels on both sides of the cut. albedo: (R,R,3) uint8, pairs: (P,2,2) UV points."""
    texel = np.clip(frames.uv_to_pixel(pairs, len(albedo)).astype(int), 0, len(albedo) - 1)
    lab = rgb2lab(albedo[texel[..., 1], texel[..., 0]])  # (P,2,3)
    return float(deltaE_ciede2000(lab[:, 0], lab[:, 1]).mean())


def seed_difference(images, coverage):
    """Mean CIEDE2000 between all pairs of images [(R,R,3) uint8] over the island."""
    labs = [rgb2lab(image[coverage]) for image in images]
    return float(np.mean([deltaE_ciede2000(one, other).mean() for one, other in combinations(labs, 2)]))


class StyleClassifier:
    """Names a texture's style from the colours and the grain of the head's regions, by logistic regression.

    It is trained on the painter's textures alone, some of them blurred, so that it goes by what a style looks like and not by
    how sharp the texture model is.
    """

    PLACES = ("skin", "cheeks", "brow", "lips", "eyes", "iris", "scalp", "ears", "neck")

    def __init__(self, atlas):
        f, skin_only = atlas.regions, atlas.part != EYE
        self.atlas = atlas
        self.places = np.stack([
            (f["front"] > 0.4) & (f["hairline"] < -1) & skin_only, f["cheek"] < 2.5, (f["brow"] < 0.3) & skin_only,
            f["lip"] > 0.1, atlas.part == EYE, f["eye_axis"] < IRIS_RADIUS, f["hairline"] > 1, f["ear"] > 0, f["neck"] > 1,
        ])  # fmt: skip

    def features(self, image):
        """(R,R,3) uint8 at CLASSIFIED px -> (Q,): of each place the mean Lab, its deviations, and the grain of lightness."""
        lab = rgb2lab(image)
        texels = self.atlas.texel_values(lab)
        grain = [
            np.abs(ndimage.gaussian_filter(lab[..., 0], a) - ndimage.gaussian_filter(lab[..., 0], b))
            for a, b in ((1, 2), (2, 5))
        ]
        grain = np.stack([self.atlas.texel_values(g) for g in grain], axis=-1)
        rows = [np.r_[texels[p].mean(0), texels[p].std(0), np.log(grain[p].mean(0) + 0.1)] for p in self.places]
        return np.concatenate(rows).astype(np.float32)

    def fit(self, features, labels):
        """features (N,Q), labels (N,) -> self."""
        classes = int(np.max(labels)) + 1
        self.middle, self.spread = features.mean(0), features.std(0) + 1e-3
        x, y = torch.from_numpy((features - self.middle) / self.spread), torch.from_numpy(np.asarray(labels, np.int64))
        weight, bias = torch.zeros(x.shape[1], classes, requires_grad=True), torch.zeros(classes, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=120, line_search_fn="strong_wolfe")

        def loss():
            optimiser.zero_grad()
            value = torch.nn.functional.cross_entropy(x @ weight + bias, y) + 1e-3 * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)
        self.weight, self.bias = weight.detach().numpy(), bias.detach().numpy()
        return self

    def __call__(self, features):
        """(N,Q) -> (N,) indices of styles."""
        return (((features - self.middle) / self.spread) @ self.weight + self.bias).argmax(1)


def painted_styles(population, atlas, classifier, per_style, first_seed):
    """Features (N,Q) and labels (N,) of painter textures, `per_style` of each style, each second one blurred."""
    rows, labels = [], []
    for style in range(len(STYLES)):
        for i in range(per_style):
            rng = np.random.default_rng([first_seed, style, i])
            look = replace(random_look(rng, population.person(first_seed + style * per_style + i)), style=style)
            image = skin.paint(look, atlas, rng)
            if i % 2:
                sigma = rng.uniform(0.3, 1.5)
                image = np.rint(ndimage.gaussian_filter(image.astype(np.float32), (sigma, sigma, 0))).astype(np.uint8)
            rows.append(classifier.features(image))
            labels.append(style)
    return np.stack(rows), np.array(labels)


def trained_classifier(population, layout, per_style=24, held_out=6):
    """A StyleClassifier and its accuracy on held-out painter textures; kept in RUN until the painter changes."""
    atlas = studio_atlas(population, layout, CLASSIFIED)
    classifier = StyleClassifier(atlas)
    studio = Path(skin.__file__).parent
    sources = b"".join(
        (studio / f"{name}.py").read_bytes() for name in ("skin", "styles", "make_up", "eyes", "hairs", "pigment", "look")
    )
    path = RUN / f"styles_{hashlib.sha256(sources + atlas.texels.tobytes()).hexdigest()[:12]}.npz"
    if path.is_file():
        with np.load(path) as file:
            sets = [file[name] for name in ("x", "y", "test_x", "test_y")]
    else:
        RUN.mkdir(parents=True, exist_ok=True)
        sets = [
            *painted_styles(population, atlas, classifier, per_style, 6_000_000),
            *painted_styles(population, atlas, classifier, held_out, 7_000_000),
        ]
        np.savez(path, **dict(zip(("x", "y", "test_x", "test_y"), sets, strict=True)))
    x, y, test_x, test_y = sets
    classifier.fit(x, y)
    return classifier, float((classifier(test_x) == test_y).mean())


def coloured_caption(population, person, rng, style=0):
    """A look of a person and the caption, of TRIES, that names most of its colours -> look, text, topics."""
    look = replace(random_look(rng, person), style=style)
    if MAKE_UPS[look.make_up] in ("clown", "gothic"):
        look = replace(look, make_up=0)  # face paint hides what is measured
    if style == 0 and person.gender < 0.5 and person.age > 15 and rng.random() < 0.6:
        look = replace(look, lips=int(rng.integers(LIPS.index("pink lipstick"), len(LIPS))))
    attributes = population.attributes(population.vertices(person))
    expression = str(rng.choice(list(EXPRESSIONS)))
    told = [captions.describe(person, attributes, look, expression, rng) for _ in range(TRIES)]
    colours = {"tone", "eyes", "hair", "lips"}
    return look, *max(told, key=lambda caption: (len(colours & caption[1]), -len(caption[0])))


class Bench:
    """The pack's models and the studio, with held-out heads by number."""

    def __init__(self, pack, first_seed, resolution=128):
        from tools.evaluate import Network

        self.models, self.network = load_models(pack.folder), Network(pack)
        self.population = Population()
        self.first_seed, self.resolution = first_seed, resolution
        self.atlas = studio_atlas(self.population, self.models.layout, MEASURED)
        self.regions = Regions.of(self.atlas, self.models.quads)
        self.plain = TextureModel(self.models.texture.pipeline)  # without super-resolution: for broad colours alone
        self.reader = self.models.texture_text or self.models.text
        self.empty = self.reader.encode("", required=False).tokens
        self.shapes = {}

    def study(self, index, style=0):
        """The held-out head and caption of a number, in a style -> Study."""
        number = index // HEADS_PER_SHAPE
        person = self.population.person(self.first_seed + number)
        look, text, mentioned = coloured_caption(
            self.population, person, np.random.default_rng([self.first_seed, index, style]), style
        )
        if number not in self.shapes:
            code = self.network.code(self.population.shape_code(person))
            unwrapped = unwrap(self.models.head.mesh(code, self.resolution, hair="none"), self.models.layout)
            across = seam_pairs(unwrapped.mesh.faces, unwrapped.uv, unwrapped.seam)
            self.shapes[number] = raster.normal_map(unwrapped, HINT_SIZE), unwrapped.uv, across
        return Study(look, text, mentioned, *self.shapes[number])

    def paint(self, study, seed, size):
        """What a user would get: (size,size,3) uint8, and the seconds it took."""
        settings = Settings()
        coverage = raster.coverage(study.uv, size)
        tokens = self.reader.encode(study.text, required=False).tokens
        painter = self.models.texture if size > SMALL else self.plain
        started = time.perf_counter()
        image = painter.paint(
            tokens,
            self.empty,
            study.normal_uv,
            coverage,
            study.seam,
            seed=seed,
            steps=settings.steps,
            guidance=settings.guidance,
            size=size,
        )
        image = dye_irises(getattr(image, "albedo", image), study.text, self.models.quads)
        return image, time.perf_counter() - started

    def painted(self, study, size, seed):
        """The painter's texture of the same look and head: (size,size,3) uint8."""
        atlas = self.atlas if size == MEASURED else studio_atlas(self.population, self.models.layout, size)
        hint = np.rint(resize(study.normal_uv.astype(np.float32), size)).astype(np.uint8)
        return skin.paint(study.look, atlas, np.random.default_rng([seed, 74]), skin.cavity_from_normals(hint, atlas))


def shrunk(image, size):
    return np.rint(resize(image.astype(np.float32), size)).astype(np.uint8)


def evaluate_texture(pack, count, first_seed):
    """Prints the table of GOALS for `count` held-out captions of natural skin and as many of styles -> {measure: value}."""
    bench = Bench(pack, first_seed)
    bench.paint(bench.study(0), 0, SIZE)  # the first one warms up
    colours, places, painters, cuts, seconds, detail, missed = {}, {}, {}, [], [], [], []
    for i in range(count):
        study = bench.study(i)
        made, took = bench.paint(study, i, SIZE)
        painted = bench.painted(study, MEASURED, i)
        small = shrunk(made, MEASURED)
        for region, difference in colour_differences(small, painted, study.look, study.mentioned, bench.regions).items():
            colours.setdefault(region, []).append(difference)
            if difference > NEAR:
                missed.append(f"{study.text}: {region} {difference:.0f} dE")
        for table, image in ((places, small), (painters, painted)):
            for feature, value in features_in_place(image, bench.regions).items():
                table.setdefault(feature, []).append(value)
        cuts.append(cut_difference(made, study.seam))
        seconds.append(took)
        if i < SHARP:
            box = face_box(bench.atlas, SIZE)
            detail.append(fine_energy(made, box) / fine_energy(bench.painted(study, SIZE, i), box))

    spreads = []
    coverage = bench.regions.coverage[:: MEASURED // SMALL, :: MEASURED // SMALL]
    for i in range(min(count, 6)):
        images = [bench.paint(bench.study(i), 1000 + seed, SMALL)[0] for seed in range(SEEDS)]
        spreads.append(seed_difference(images, coverage))

    classifier, accuracy = trained_classifier(bench.population, bench.models.layout)
    recognised, confused = [], []
    for i in range(count):
        style = 1 + i % (len(STYLES) - 1)
        study = bench.study(i, style)
        image = shrunk(bench.paint(study, i, SMALL)[0], CLASSIFIED)
        found = int(classifier(classifier.features(image)[None])[0])
        recognised.append(found == style)
        if found != style:
            confused.append(f"{study.text}: {STYLES[style]} looks like {STYLES[found]}")

    every = np.concatenate(list(colours.values())) if colours else np.array([np.inf])
    values = {
        "named colours within 12 dE, at least": float((every <= NEAR).mean()),
        "features in place, IoU, at least": float(np.mean([np.mean(v) for v in places.values()])),
        "styles recognised, at least": float(np.mean(recognised)),
        "across the cut, dE": float(np.mean(cuts)),
        "fine detail against the painter, at least": float(np.median(detail)),
        "between seeds, dE, at least": float(np.mean(spreads)),
        "between seeds, dE": float(np.mean(spreads)),
        f"seconds for {SIZE} px, warm": float(np.median(seconds)),
    }
    print(f"{count} held-out captions of skin and {count} of styles, first seed {first_seed}, steps {Settings().steps}")
    print(f"  {'':44s}{'found':>8s}{'must':>8s}{'hope':>8s}")
    for name, (must, hope) in GOALS.items():
        sign = -1 if "at least" in name else 1
        verdict = "hope" if sign * values[name] <= sign * hope else "must" if sign * values[name] <= sign * must else "MISSED"
        print(f"  {name:44s}{values[name]:8.2f}{must:8g}{hope:8g}  {verdict}")
    print("Named colours: mean dE, share within 12")
    for region, differences in sorted(colours.items()):
        share = np.mean(np.array(differences) <= NEAR)
        print(f"  {region:12s}{np.mean(differences):8.1f}{share:8.2f}   of {len(differences)}")
    print("Features, intersection over union with the part map: result, and the painter's own texture of the same look")
    for feature, found in places.items():
        print(f"  {feature:12s}{np.mean(found):8.2f}{np.mean(painters[feature]):8.2f}")
    print(f"Styles: the classifier knows {accuracy:.1%} of held-out painter textures")
    for line in missed + confused:
        print("  missed:", line)
    return values
