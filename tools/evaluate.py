"""Measures the starter pack.

$ python3 tools/dev.py evaluate shapes [--heads 12] [--first-seed 5000000]
$ python3 tools/dev.py evaluate heads [--heads 12]

`shapes` compares the head model with studio people it never saw and needs the open head data (CLIPHEAD_DATA). `heads` makes
heads from sentences and measures their texture coordinates, the colours on both sides of the cut, and the time they took.
"""

import argparse
import time

import igl
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from cliphead_addon.engine.geometry import frames, surface
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.nets.texture import seam_pairs
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.pipeline import generate
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import HeadCode, Prompt
from tools.studio import shapes
from tools.studio.expressions import CANONICAL, EXPRESSIONS, coefficients
from tools.studio.people import Population

HELD_OUT = 5_000_000  # training uses lower seeds


def evaluate_shapes(pack, count, first_seed, resolution):
    """Prints the table: surface distances both ways, normals, anchors and expressions of unseen people."""
    people = Population()
    head, bases = HeadModel.load(pack), pack.tensors(pack.part("bases")["file"])
    rows = [compare(people, head, bases, first_seed + i, resolution) for i in range(count)]
    print(f"{count} unseen people, seeds from {first_seed}, resolution {resolution}")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"  {name:44s} mean {np.mean(values):7.3f}   worst {np.max(values):7.3f}")


def compare(people, head, bases, seed, resolution):
    """One person: studio against network. -> measure name -> number"""
    person, rng = people.person(seed), np.random.default_rng(seed)
    truth = shapes.HeadShape(people, person)
    identity = bases["identity_basis"] @ people.shape_code(person) + bases["identity_mean"]
    code = HeadCode(identity, head.named_expression("neutral"))
    vertices, faces, _ = surface.extract(head.field(code), head.low, head.high, resolution)

    points, normals, triangle, bary = truth.sample_surface(20_000, rng)
    corners = truth.exposed[triangle]
    bag = people.ict.part_vertices("mouth_socket")
    outer = ~((corners >= bag.start) & (corners < bag.stop)).any(1)
    face = (corners < people.ict.arrays["narrow_face"][0]).all(1)
    to_network, found, _ = igl.point_mesh_squared_distance(points, vertices.astype(np.float64), faces.astype(np.int64))[:3]
    to_network = np.sqrt(to_network) * frames.MM_PER_UNIT
    network_normals = _face_normals(vertices, faces)[found]

    pick = rng.choice(len(vertices), 20_000)
    to_truth, hit = igl.point_mesh_squared_distance(
        np.ascontiguousarray(frames.nphm_to_ict(vertices[pick]), np.float64), truth.vertices, truth.exposed
    )[:2]
    to_truth = np.sqrt(to_truth) * 10
    hit_corners = truth.exposed[hit]
    back_face = (hit_corners < people.ict.arrays["narrow_face"][0]).all(1)
    back_outer = ~((hit_corners >= bag.start) & (hit_corners < bag.stop)).any(1)

    anchors = people.anchors(truth.vertices)
    predicted = head.anchors(code)
    return {
        "face, mean distance both ways, mm": (to_network[face].mean() + to_truth[back_face].mean()) / 2,
        "head and neck, mean distance both ways, mm": (to_network[outer].mean() + to_truth[back_outer].mean()) / 2,
        "1 - normal consistency, face": 1 - (network_normals[face] * normals[face]).sum(1).mean(),
        "anchors, mm": np.linalg.norm(predicted - anchors, axis=1).mean() * frames.MM_PER_UNIT,
        "expressions over moving points, mm": _expression_error(people, head, code, points, corners, bary),
    }


def _expression_error(people, head, code, points, corners, bary):
    names = people.ict.expression_names
    canonical = np.array(coefficients(CANONICAL, names))
    weights = np.array([coefficients(e, names) for e in EXPRESSIONS.values()])
    moved = head.displacements(points, code.identity, np.stack([head.named_expression(name) for name in EXPRESSIONS]))
    shifts = np.concatenate([people.expression_shapes, np.zeros((len(weights[0]), 5, 3), np.float32)], axis=1)
    at_points = np.einsum("knsd,ns->knd", shifts[:, corners], bary) / frames.CM_PER_UNIT  # (57,N,3)
    errors = []
    for weight, predicted in zip(weights, moved, strict=True):
        true = np.tensordot(weight - canonical, at_points, 1)
        moving = np.linalg.norm(true, axis=1) * frames.MM_PER_UNIT > 1
        errors.append(np.linalg.norm(predicted - true, axis=1)[moving].mean() * frames.MM_PER_UNIT)
    return float(np.mean(errors))


PROMPTS = (
    "an old man with a wide nose, laughing",
    "a young woman with full lips and red lipstick",
    "an african woman with big ears, surprised",
    "an asian boy, smiling",
    "a bald man with a full black beard, angry",
    "a heavy middle-aged man with a moustache",
    "a pale old woman with grey hair, sad",
    "a zombie",
    "a marble statue of a young man",
    "a clown with puffed cheeks",
    "a thin man with a hooked nose and blue eyes",
    "an orc with pointed ears",
)


def evaluate_heads(pack, count, resolution):
    """Prints, for one head a sentence: triangles, flips, the face's share of UV space, colours across the cut, seconds."""
    models = load_models(pack.folder)
    print(f"{'':48s}{'triangles':>10s}{'flipped':>9s}{'damping':>9s}{'face':>7s}{'cut, dE':>9s}{'seconds':>9s}")
    for seed in range(count):
        text = PROMPTS[seed % len(PROMPTS)]
        started = time.perf_counter()
        head = generate(Prompt(text, seed=seed), models, Settings(resolution=resolution))
        seconds = time.perf_counter() - started
        report, faces = head.unwrapped.report, head.unwrapped.mesh.faces
        cut = _cut_difference(head.textures.albedo, seam_pairs(faces, head.unwrapped.uv, head.unwrapped.seam))
        print(
            f"{text:48s}{len(faces):10,}{report['flipped']:9d}{report['damping']:9.1f}{report['face_share']:7.2f}"
            f"{cut:9.2f}{seconds:9.1f}"
        )


def _cut_difference(albedo, pairs):
    """Mean CIEDE2000 between the texels on both sides of the cut. albedo: (R,R,3) uint8, pairs: (P,2,2) UV points."""
    texel = np.clip(frames.uv_to_pixel(pairs, len(albedo)).astype(int), 0, len(albedo) - 1)
    lab = rgb2lab(albedo[texel[..., 1], texel[..., 0]])  # (P,2,3)
    return float(deltaE_ciede2000(lab[:, 0], lab[:, 1]).mean())


def _face_normals(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shapes", "heads"])
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=HELD_OUT)
    parser.add_argument("--resolution", type=int, default=192)
    options = parser.parse_args()
    pack = open_pack(options.pack)
    if options.what == "shapes":
        evaluate_shapes(pack, options.heads, options.first_seed, options.resolution)
    else:
        evaluate_heads(pack, options.heads, options.resolution)


if __name__ == "__main__":
    main()
