"""Measures the starter pack.

$ python3 tools/dev.py evaluate shapes [--heads 12] [--first-seed 5000000]
$ python3 tools/dev.py evaluate words [--heads 60]
$ python3 tools/dev.py evaluate heads [--heads 12]
$ python3 tools/dev.py evaluate disks [--heads 500] [--fields 2000]
$ python3 tools/dev.py evaluate texture [--heads 12]
$ python3 tools/dev.py evaluate clip-score [--heads 30] [--clip ViT-L-14=vit_l_14.safetensors --clip ...]
$ python3 tools/dev.py evaluate retrieval [--heads 500] [--clip ...]
$ python3 tools/dev.py evaluate sliders [--heads 8] [--known]

`shapes` compares the head model with studio people it never saw, `words` measures the heads that sentences give; both need the
open head data (CLIPHEAD_DATA). `heads` makes heads from sentences and measures their texture coordinates, the colours on
both sides of the cut, and the time they took. `disks` draws heads from the whole population and checks that the surface of
each is one disk: Euler characteristic 1, one boundary, no face without area, no two vertices in one place; then the same
for random fields that no head has, which may be refused with a message. `sliders` moves each slider of random heads and
measures, with CLIPHEAD_DATA, which share of the change is in its own attribute.

`texture` compares textures with the painter's (tools/evaluate_texture.py). `clip-score` follows docs/clip_score.md, `retrieval`
ranks captions of held-out renders (tools/evaluate_clip.py); both take the pack's own CLIP or any of open_clip's with weights.
"""

# ruff: noqa: E402
import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

if not __package__:  # started as a file: dev.py finds the environment
    raise SystemExit(subprocess.call([sys.executable, str(Path(__file__).with_name("dev.py")), "evaluate", *sys.argv[1:]]))


import igl
import numpy as np

from cliphead_addon.engine.errors import SurfaceError
from cliphead_addon.engine.geometry import frames, surface, topology
from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.nets.texture import seam_pairs
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.pipeline import generate, recipe_code
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.sliders import Sliders
from cliphead_addon.engine.stages import HeadCode, Prompt
from tools import hostile
from tools.gallery import PROMPTS
from tools.studio import hair, shapes
from tools.studio.atlas import studio_atlas
from tools.studio.attributes import Observer, hair_style, scatter
from tools.studio.expressions import CANONICAL, CODES, EXPRESSIONS, VISEMES, coefficients
from tools.studio.people import ANCESTRIES, Population
from tools.train.sliders import NAMES, GeneratedHeads

HELD_OUT = 5_000_000  # training uses lower seeds
LIPS = ((61, 67), (62, 66), (63, 65))  # landmarks of the inner lips that face each other
MOVES = {name: CODES[name] for name, e in (EXPRESSIONS | VISEMES).items() if e}
GOALS = {  # measure -> must, hope
    "skin, face, mm": (0.6, 0.35),
    "skin, head and neck, mm": (0.9, 0.5),
    "normal consistency, face, at least": (0.97, 0.985),
    "hair, visible surface, mm": (2.5, 1.5),
    "anchors, mm": (1.5, 0.8),
    "expressions, moving points, mm": (0.6, 0.3),
    "lips in neutral, mm": (0.5, None),
    "lips in mouth open, mm, at least": (15, None),
    "skin that is not one disk, of all": (0, None),
    "hair on bald heads, of all": (0, None),
}


def evaluate_shapes(pack, count, first_seed, resolution):
    """Prints the table of GOALS for unseen people: both ways between surfaces, studio against network."""
    people = Population()
    network = Network(pack)
    barber = hair.Barber(people) if network.hair is not None else None
    rows = [compare(people, barber, network, first_seed + i, resolution) for i in range(count)]
    print(f"{count} unseen people, seeds from {first_seed}, resolution {resolution}")
    print(f"  {'':38s}{'mean':>9s}{'worst':>9s}{'must':>8s}{'hope':>8s}")
    for name, (must, hope) in GOALS.items():
        values = [row[name] for row in rows if name in row]
        if not values:
            print(f"  {name:38s}{'-':>9s}")
            continue
        sign = -1 if "at least" in name else 1
        mean, worst = (sum(values),) * 2 if "of all" in name else (np.mean(values), sign * np.max(sign * np.array(values)))
        verdict = (
            "hope" if hope is not None and sign * mean <= sign * hope else "must" if sign * mean <= sign * must else "MISSED"
        )
        print(f"  {name:38s}{mean:9.3f}{worst:9.3f}{must:8g}{'' if hope is None else hope:>8}  {verdict}")
    styles = sorted({row["style"] for row in rows if "style" in row})
    for style in styles:
        values = [row["hair, visible surface, mm"] for row in rows if row.get("style") == style]
        print(f"    {style:36s}{np.mean(values):9.3f}{np.max(values):9.3f}   {len(values)} people")


class Network:
    """The pack's head model with the linear maps from studio parameters to codes."""

    def __init__(self, pack):
        self.head, self.bases = HeadModel.load(pack), pack.tensors(pack.part("bases")["file"])
        self.hair = hair.directions(pack.tensors(pack.part("hair")["file"])) if "hair" in pack.parts else None

    def code(self, shape_code, worn=None):
        """Shape parameters (D,) and a hair.Hair, or bald -> HeadCode with neutral expression."""
        identity = self.bases["identity_basis"] @ shape_code + self.bases["identity_mean"]
        if worn is not None:
            identity = identity + np.float32([1, worn.volume, worn.length]) @ self.hair[hair.STYLE_NAMES.index(worn.style)]
        return HeadCode(identity.astype(np.float32), self.head.named_expression("neutral"))


def compare(people, barber, network, seed, resolution):
    """One person: studio against network. -> measure name -> number"""
    person, rng = people.person(seed), np.random.default_rng(seed)
    truth = shapes.HeadShape(people, person)
    head, code = network.head, network.code(people.shape_code(person))
    row = {"skin that is not one disk, of all": 0}
    try:
        vertices, faces, _ = surface.extract(head.field(code), head.low, head.high, resolution)
        row["skin that is not one disk, of all"] = int(not _is_disk(faces))
    except SurfaceError:
        return row | {"skin that is not one disk, of all": 1}

    points, normals, triangle, bary = truth.sample_surface(20_000, rng)
    corners = truth.exposed[triangle]
    bag = people.ict.part_vertices("mouth_socket")
    outer = ~((corners >= bag.start) & (corners < bag.stop)).any(1)
    face = (corners < people.ict.arrays["narrow_face"][0]).all(1)
    mesh = vertices.astype(np.float64), faces.astype(np.int64)
    to_network, found, _ = igl.point_mesh_squared_distance(points, *mesh)[:3]
    to_network = np.sqrt(to_network) * frames.MM_PER_UNIT
    network_normals = _face_normals(vertices, faces)[found]

    there = scatter(*mesh, 20_000, rng)
    to_truth, hit = igl.point_mesh_squared_distance(
        np.ascontiguousarray(frames.nphm_to_ict(there)), truth.vertices, truth.exposed
    )[:2]
    to_truth = np.sqrt(to_truth) * 10
    hit_corners = truth.exposed[hit]
    back_face = (hit_corners < people.ict.arrays["narrow_face"][0]).all(1)
    back_outer = ~((hit_corners >= bag.start) & (hit_corners < bag.stop)).any(1)

    row |= {
        "skin, face, mm": (to_network[face].mean() + to_truth[back_face].mean()) / 2,
        "skin, head and neck, mm": (to_network[outer].mean() + to_truth[back_outer].mean()) / 2,
        "normal consistency, face, at least": (network_normals[face] * normals[face]).sum(1).mean(),
        "anchors, mm": np.linalg.norm(head.anchors(code) - people.anchors(truth.vertices), axis=1).mean() * frames.MM_PER_UNIT,
        "expressions, moving points, mm": _expression_error(people, head, code, points[:4000], corners[:4000], bary[:4000]),
    }
    for name in ("neutral", "mouth open"):
        key = "lips in neutral, mm" if name == "neutral" else "lips in mouth open, mm, at least"
        row[key] = _lip_gap(people, head, code, truth, mesh, name)
    if barber is not None:
        row |= compare_hair(people, barber, network, person, resolution, rng)
    return row


def compare_hair(people, barber, network, person, resolution, rng):
    """The hair that suits a person, or any other where they would be bald: mean distance between visible surfaces."""
    random = np.random.default_rng([person.seed, 77])
    worn = hair.random_hair(random, person)
    if worn.style == hair.BALD:
        worn = hair.shaped(random, hair.STYLE_NAMES[random.integers(1, len(hair.STYLE_NAMES))])
    shape_code = people.shape_code(person)
    bald = network.head.hair_mesh(network.code(shape_code), 64)
    found = network.head.hair_mesh(network.code(shape_code, worn), resolution)
    row = {"hair on bald heads, of all": int(bald is not None), "style": worn.style, "hair, visible surface, mm": 50.0}
    if found is not None:  # no hair at all counts as five centimetres off
        truth = hair.HairShape(barber, person, worn)
        points, _, _ = truth.sample_surface(10_000, rng, hidden=0)
        mesh = found.vertices.astype(np.float64), found.faces.astype(np.int64)
        there = np.sqrt(igl.point_mesh_squared_distance(points, *mesh)[0]).mean() * frames.MM_PER_UNIT
        points = frames.nphm_to_ict(scatter(*mesh, 10_000, rng))
        back = np.sqrt(igl.point_mesh_squared_distance(points, truth.vertices, truth.faces)[0]).mean() * 10
        row["hair, visible surface, mm"] = (there + back) / 2
    return row


def _is_disk(faces):
    """Whether a mesh is one piece with one boundary and no handle."""
    edges = igl.edges(faces)
    used = len(np.unique(faces))
    pieces = igl.facet_components(faces.astype(np.int64))
    labels = pieces[-1] if isinstance(pieces, tuple) else pieces  # newer versions give their count first
    return int(np.max(labels)) == 0 and used - len(edges) + len(faces) == 1


def _lip_gap(people, head, code, truth, mesh, expression):
    """Millimetres between the inner lips' lines of the network's head, across the mouth, mean of three places."""
    rows = people.ict.landmarks[np.array(LIPS).ravel()]
    points = igl.point_mesh_squared_distance(frames.ict_to_nphm(truth.vertices[rows]), *mesh)[2]
    points = points + head.displacements(points, code.identity, head.named_expression(expression)[None])[0]
    gap = (points[0::2] - points[1::2])[:, 1:]  # the landmarks of a pair differ a little in x
    return float(np.linalg.norm(gap, axis=1).mean() * frames.MM_PER_UNIT)


def _expression_error(people, head, code, points, corners, bary):
    names = people.ict.expression_names
    canonical = np.array(coefficients(CANONICAL, names))
    known = [name for name in MOVES if head.find_expression(name) is not None]
    weights = np.array([coefficients(MOVES[name], names) for name in known])
    moved = head.displacements(points, code.identity, np.stack([head.named_expression(name) for name in known]))
    shifts = np.concatenate([people.expression_shapes, np.zeros((len(weights[0]), 5, 3), np.float32)], axis=1)
    at_points = np.einsum("knsd,ns->knd", shifts[:, corners], bary) / frames.CM_PER_UNIT  # (57,N,3)
    errors = []
    for weight, predicted in zip(weights, moved, strict=True):
        true = np.tensordot(weight - canonical, at_points, 1)
        moving = np.linalg.norm(true, axis=1) * frames.MM_PER_UNIT > 1
        errors.append(np.linalg.norm(predicted - true, axis=1)[moving].mean() * frames.MM_PER_UNIT)
    return float(np.mean(errors))


# What sentences are made of: a fragment, and which way it should push which attribute of the surface.
NOUNS = (
    ("man", {"gender": 1}), ("woman", {"gender": -1}), ("gentleman", {"gender": 1}), ("lady", {"gender": -1}),
    ("guy", {"gender": 1}), ("female", {"gender": -1}), ("person", {}),
)  # fmt: skip
AGES = (
    ("young", {"age": -1}), ("elderly", {"age": 1}), ("old", {"age": 1}), ("teenage", {"age": -1}), ("aged", {"age": 1}),
    ("very old", {"age": 1}), ("youthful", {"age": -1}), ("20 year old", {"age": -1}), ("75 year old", {"age": 1}),
)  # fmt: skip
ORIGINS = (
    ("asian", {"asian": 1}), ("chinese", {"asian": 1}), ("japanese", {"asian": 1}), ("african", {"african": 1}),
    ("black", {"african": 1}), ("nigerian", {"african": 1}), ("caucasian", {"caucasian": 1}), ("white", {"caucasian": 1}),
)  # fmt: skip
BUILDS = (
    ("fat", {"weight": 1}), ("heavy", {"weight": 1}), ("chubby", {"weight": 1}), ("thin", {"weight": -1}),
    ("skinny", {"weight": -1}), ("slim", {"weight": -1}),
)  # fmt: skip
FEATURES = (
    ("a wide nose", {"nose width": 1}), ("a narrow nose", {"nose width": -1}), ("a big nose", {"nose size": 1}),
    ("a small nose", {"nose size": -1}), ("a tiny nose", {"nose size": -1}), ("a huge nose", {"nose size": 1}),
    ("a long nose", {"nose length": 1}), ("a short nose", {"nose length": -1}), ("an upturned nose", {"nose tip up": 1}),
    ("full lips", {"lip fullness": 1}), ("thin lips", {"lip fullness": -1}), ("plump lips", {"lip fullness": 1}),
    ("a wide mouth", {"mouth width": 1}), ("a small mouth", {"mouth width": -1}), ("a round face", {"face roundness": 1}),
    ("a long face", {"face roundness": -1}), ("a narrow face", {"face roundness": -1}), ("a square jaw", {"jaw squareness": 1}),
    ("a wide jaw", {"jaw width": 1}), ("a jutting chin", {"chin prominence": 1}), ("a receding chin", {"chin prominence": -1}),
    ("a weak chin", {"chin prominence": -1}), ("big ears", {"ear size": 1}), ("small ears", {"ear size": -1}),
    ("ears that stick out", {"ear protrusion": 1}), ("elf ears", {"pointed ears": 1}), ("pointy ears", {"pointed ears": 1}),
    ("large eyes", {"eye size": 1}), ("small eyes", {"eye size": -1}), ("wide set eyes", {"eye spacing": 1}),
    ("close set eyes", {"eye spacing": -1}), ("high eyebrows", {"brow height": 1}), ("a thick neck", {"neck width": 1}),
    ("a thin neck", {"neck width": -1}),
)  # fmt: skip
LONG = {"long straight", "long wavy", "very long"}
HAIRDOS = (
    ("no hair", {"bald"}), ("a bald head", {"bald"}), ("a shaved head", {"buzz cut"}), ("a buzz cut", {"buzz cut"}),
    ("an afro", {"afro"}), ("a mohawk", {"mohawk"}), ("a ponytail", {"ponytail", "high ponytail"}), ("a bun", {"bun"}),
    ("a top knot", {"bun"}), ("pigtails", {"pigtails"}), ("a braid", {"braid"}), ("curly hair", {"curly", "afro", "long wavy"}),
    ("long hair", LONG), ("long straight hair", LONG - {"long wavy"}), ("wavy hair", {"long wavy"}), ("a bob", {"bob"}),
    ("short hair", set(hair.STYLE_NAMES) - LONG - {"bald", "bob", "ponytail", "high ponytail", "pigtails", "braid", "bun"}),
    ("shaggy hair", {"shaggy"}), ("slicked back hair", {"slicked back"}), ("shoulder length hair", LONG | {"bob"}),
)  # fmt: skip


def random_sentence(rng):
    """-> sentence, {attribute: +1 or -1}, set of hair styles that would do (empty: not mentioned)."""

    def draw(table, share=1.0):
        return table[rng.integers(len(table))] if rng.random() < share else ("", {})

    parts = [draw(BUILDS, 0.3), draw(AGES, 0.6), draw(ORIGINS, 0.4), draw(NOUNS)]
    features = [FEATURES[i] for i in rng.choice(len(FEATURES), rng.integers(0, 3), replace=False)]
    hairdo, styles = draw(HAIRDOS, 0.5)
    wanted = {}
    for _, push in parts + features:
        wanted |= push
    text = " ".join(["a", *(word for word, _ in parts if word)])
    told = [fragment for fragment, _ in features] + ([hairdo] if hairdo else [])
    return text + (f" with {' and '.join(told)}" if told else ""), wanted, set(styles)


def evaluate_words(pack, count, first_seed, resolution, seeds):
    """Prints, per attribute, how often what a sentence asks for lies on its side of the population's median.

    Then how the spread over seeds of what two plain sentences leave open compares with that of the people whom they fit.
    """
    people, models, network = Population(), load_models(pack.folder), Network(pack)
    observer, barber = Observer(people), hair.Barber(people)
    with tempfile.TemporaryDirectory() as folder:  # made anew: it must mean what `unwrap` means today
        atlas = studio_atlas(people, models.layout, 512, folder)

    def look_at(code, worn="object"):
        """HeadCode -> attributes, hair style."""
        mesh = models.head.mesh(code, resolution, hair=worn)
        skin = observer.vertices_of(unwrap(mesh, models.layout), atlas)
        return observer.read(skin), hair_style(barber, skin, mesh.hair)

    def asked_for(text, seed):
        return recipe_code(Prompt(text, seed=seed), models)

    middle = observer.medians | {"gender": 0.5}
    tally, missed = {}, []
    for i in range(count):
        text, wanted, styles = random_sentence(np.random.default_rng([first_seed, i]))
        found, style = look_at(asked_for(text, i))
        right = {name: (found[name] > middle[name]) == (sign > 0) for name, sign in wanted.items()}
        if styles and models.head.hair is not None:
            right["hair style"] = style in styles
        for name, hit in right.items():
            tally.setdefault(name, []).append(hit)
        missed += [
            f"{text}: {name}" + (f" ({style})" if name == "hair style" else "") for name, hit in right.items() if not hit
        ]
    print(f"{count} sentences, first seed {first_seed}: share on the asked side of the population's median")
    for name in sorted(tally, key=lambda name: -len(tally[name])):
        print(f"  {name:20s}{np.mean(tally[name]):7.2f}   of {len(tally[name])}")
    print(f"  {'all':20s}{np.mean(np.concatenate(list(tally.values()))):7.3f}   must 0.9, no common attribute below 0.85")
    for line in missed:
        print("  missed:", line)
    print(f"Spread over {seeds} seeds of what a sentence leaves open, against people whom it fits (must: 0.6 to 1.4)")
    for text, said, fits in (
        ("a person", set(), lambda person: True),
        ("an old man", {"age", "gender"}, lambda person: person.gender > 0.5 and person.age >= 60),
    ):
        fitting = list(itertools.islice(filter(fits, map(people.person, itertools.count(first_seed))), PEOPLE_AS_THEY_ARE))
        crowds = [asked_for(text, seed) for seed in range(seeds)], [network.code(people.shape_code(p)) for p in fitting[:seeds]]
        ours, read_alike = ([look_at(code, "none")[0] for code in crowd] for crowd in crowds)
        exactly = [observer.read(people.vertices(person)) for person in fitting]
        # What is read from a surface is smaller than what it was made from: so once against people as they are, once as read.
        for how, theirs in (("as they are", exactly), ("read alike", read_alike)):
            deviations = {name: np.std([row[name] for row in theirs]) for name in ours[0]}
            ratio = {name: np.std([row[name] for row in ours]) / deviations[name] for name in ours[0] if name not in said}
            outside = [f"{name} {value:.2f}" for name, value in ratio.items() if not 0.6 <= value <= 1.4]
            inside = 1 - len(outside) / len(ratio)
            print(
                f"  {text:14s}{how:14s}mean {np.mean(list(ratio.values())):.2f}, {inside:.0%} of {len(ratio)} within the band"
            )
            print("   ", "  ".join(outside))


def evaluate_heads(pack, count, resolution):
    """Prints, for one head a sentence: faces, flips, the face's share of UV space, colours across the cut, seconds."""
    from tools.evaluate_texture import cut_difference

    models = load_models(pack.folder)
    print(f"{'':48s}{'faces':>10s}{'flipped':>9s}{'damping':>9s}{'face':>7s}{'cut, dE':>9s}{'seconds':>9s}")
    for seed in range(count):
        text = PROMPTS[seed % len(PROMPTS)]
        started = time.perf_counter()
        head = generate(Prompt(text, seed=seed), models, Settings(resolution=resolution))
        seconds = time.perf_counter() - started
        report, faces = head.unwrapped.report, head.unwrapped.mesh.faces
        cut = cut_difference(head.textures.albedo, seam_pairs(faces, head.unwrapped.uv, head.unwrapped.seam))
        print(
            f"{text:48s}{len(faces):10,}{report['flipped']:9d}{report['damping']:9.1f}{report['face_share']:7.2f}"
            f"{cut:9.2f}{seconds:9.1f}"
        )


def evaluate_disks(pack, count, first_seed, resolution):
    """Draws random heads, prints the flaws of each surface that has some and how many were repaired -> heads with flaws."""
    head, bad, repairs = HeadModel.load(pack), 0, Counter()
    for seed in range(first_seed, first_seed + count):
        code = head.random(seed)
        try:
            vertices, faces, report = surface.extract(head.field(code), head.low, head.high, resolution)
        except SurfaceError as error:
            flaws = [f"refused: {error}"]
        else:
            flaws = topology.flaws(vertices, faces)
            repairs.update(name for name in ("handles_cut", "holes_closed", "components_removed") if report[name])
            repairs.update("closed at the box" for _ in report["closed_at_the_box"][:1])
        if flaws:
            bad += 1
            print(f"  seed {seed}: {'; '.join(flaws)}")
    print(f"{count - bad} of {count} random heads are disks without a flaw, at resolution {resolution}")
    for name, heads in repairs.items():
        print(f"  {name.replace('_', ' ')} on {heads} heads")
    return bad


PEOPLE_AS_THEY_ARE = 300  # few are fat or have pointed ears, so that a deviation takes many
SLIDER_STEP = 1.5  # deviations to either side
OWN_SHARE = 0.7  # of a slider's change that must be in its own attribute


def evaluate_sliders(pack, count, first_seed, resolution, known):
    """Moves every slider of random heads both ways and reads the surfaces -> number of sliders below OWN_SHARE.

    known: take the studio's vertices along their normals onto the surface, ten times faster and without the errors of finding
    them; otherwise they are found on the mesh by its texture coordinates and shape, as for sentences.

    Prints per slider: the change of its own attribute for one deviation asked for, and the share of own change in the sum of
    absolute changes of all attributes, in deviations of the population: of the mean change, of single heads on average, and of
    the worst head. What the three ancestries, which sum to one, exchange among them counts as their own.
    """
    people, models, sliders = Population(), load_models(pack.folder), Sliders.load(pack)
    observer = Observer(people)
    with tempfile.TemporaryDirectory() as folder:
        atlas = None if known else studio_atlas(people, models.layout, 512, folder)
    heads = GeneratedHeads(pack, observer)

    def look_at(code, name, amount):
        """-> (A,) attributes in deviations of the population"""
        moved = HeadCode(sliders.move(code.identity, {name: amount}), code.expression)
        if known:
            shape = np.linalg.lstsq(sliders.basis, moved.identity - sliders.mean, rcond=None)[0]
            return heads.read(shape)[[NAMES.index(other) for other in sliders.names]]
        mesh = models.head.mesh(moved, resolution, hair="none")
        read = observer.read(observer.vertices_of(unwrap(mesh, models.layout), atlas, close=True))
        return np.array([read[other] / observer.deviations[other] for other in sliders.names])

    codes = [models.head.random(first_seed + i) for i in range(count)]
    print(f"{count} heads, first seed {first_seed}, resolution {resolution}, sliders moved by {SLIDER_STEP} to either side")
    print(f"  {'':18s}{'own':>7s}{'share':>8s}{'heads':>8s}{'worst':>8s}  most of the rest")
    low = 0
    for j, name in enumerate(sliders.names):
        own = np.array([other == name or {other, name} <= set(ANCESTRIES) for other in sliders.names])
        changes = np.stack([look_at(code, name, SLIDER_STEP) - look_at(code, name, -SLIDER_STEP) for code in codes])
        changes /= 2 * SLIDER_STEP  # (count,A)
        size, mean = np.abs(changes), changes.mean(0)
        shares = size[:, own].sum(1) / size.sum(1)
        share = np.abs(mean)[own].sum() / np.abs(mean).sum()
        low += share < OWN_SHARE
        rest = np.where(own, 0, mean)
        most = ", ".join(f"{sliders.names[k]} {rest[k]:+.2f}" for k in np.argsort(-np.abs(rest))[:3])
        print(f"  {name:18s}{mean[j]:7.2f}{share:8.2f}{shares.mean():8.2f}{shares.min():8.2f}  {most}", flush=True)
    kept = len(sliders.names) - low
    print(f"  {kept} of {len(sliders.names)} sliders keep {OWN_SHARE:.0%} of the change in their own attribute")
    return low


def evaluate_fields(count, first_seed):
    """Draws hostile fields, prints the flaws of each surface that has some and how many were refused -> fields with flaws."""
    bad, refused = 0, Counter()
    for seed in range(first_seed, first_seed + count):
        kind, random = hostile.KINDS[seed % len(hostile.KINDS)], np.random.default_rng(seed)
        field, resolution = hostile.hostile(kind, random), int(random.choice([17, 25, 33, 41]))
        try:
            vertices, faces, _ = surface.extract(field, *hostile.BOX, resolution)
        except SurfaceError as error:
            refused[kind] += 1
            flaws = [] if "Try" in str(error) else [f"refused without a way on: {error}"]
        except Exception as error:  # any other is what is looked for
            flaws = [repr(error)]
        else:
            flaws = topology.flaws(vertices, faces)
        if flaws:
            bad += 1
            print(f"  field {seed}, {kind}, resolution {resolution}: {'; '.join(flaws)}")
    print(f"{count - bad} of {count} hostile fields give a disk without a flaw or a clear answer; refused are:")
    for kind, fields in refused.most_common():
        print(f"  {kind:28s}{fields:5d}")
    return bad


def _face_normals(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shapes", "words", "heads", "disks", "sliders", "texture", "clip-score", "retrieval"])
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--heads", type=int, help="12; for words 60, disks and retrieval 500, sliders 8, clip-score 30 prompts")
    parser.add_argument("--clip", action="append", metavar="ARCHITECTURE=FILE", help="a CLIP that judges; may be repeated")
    parser.add_argument("--seeds", type=int, default=32, help="words: how many of each plain sentence; 32 are 13 %% off or so")
    parser.add_argument("--fields", type=int, default=0, help="disks: how many hostile fields besides")
    parser.add_argument("--first-seed", type=int, default=HELD_OUT)
    parser.add_argument("--resolution", type=int, default=192)
    parser.add_argument("--known", action="store_true", help="sliders: where the studio's vertices are is taken as known")
    options = parser.parse_args()
    pack = open_pack(options.pack)
    if options.what == "shapes":
        evaluate_shapes(pack, options.heads or 12, options.first_seed, options.resolution)
    elif options.what == "words":
        evaluate_words(pack, options.heads or 60, options.first_seed, min(options.resolution, 128), options.seeds)
    elif options.what == "heads":
        evaluate_heads(pack, options.heads or 12, options.resolution)
    elif options.what == "texture":
        from tools.evaluate_texture import evaluate_texture

        evaluate_texture(pack, options.heads or 12, options.first_seed)
    elif options.what in ("clip-score", "retrieval"):
        from tools.evaluate_clip import PAIRS, evaluate_clip_score, evaluate_retrieval

        if options.what == "retrieval":
            evaluate_retrieval(pack, options.clip, options.heads or PAIRS)
        else:
            evaluate_clip_score(pack, options.clip, options.heads, options.resolution)
    elif options.what == "sliders":
        return int(evaluate_sliders(pack, options.heads or 8, options.first_seed, options.resolution, options.known) > 0)
    else:
        heads = 500 if options.heads is None else options.heads
        bad = evaluate_disks(pack, heads, options.first_seed, options.resolution) if heads else 0
        bad += evaluate_fields(options.fields, options.first_seed) if options.fields else 0
        return int(bad > 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
