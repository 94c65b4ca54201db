"""Measures the starter pack against studio people it never saw.

$ python3 tools/dev.py evaluate shapes [--heads 12] [--first-seed 5000000]

Needs the open head data (CLIPHEAD_DATA) and the training environment.
"""

import argparse

import igl
import numpy as np

from cliphead_addon.engine.geometry import frames, surface
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.stages import HeadCode
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


def _face_normals(vertices, faces):
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shapes"])
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=HELD_OUT)
    parser.add_argument("--resolution", type=int, default=192)
    options = parser.parse_args()
    evaluate_shapes(open_pack(options.pack), options.heads, options.first_seed, options.resolution)


if __name__ == "__main__":
    main()
