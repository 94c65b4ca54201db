"""Sliders for finished heads: how attributes follow from shape parameters, and the direction that moves each alone.

$ python3 tools/dev.py train sliders [--people 600] [--pack cliphead_addon/packs/starter]

Attributes are read, as the studio reads them everywhere (tools.studio.attributes), off surfaces that the pack's network makes
of studio people: what the network gets wrong is part of how a slider must move. They are nearly linear in the shape parameters.
Takes some minutes of one core, trains no network, and is measured by `evaluate sliders` on other heads.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.packs import open_pack, set_part
from cliphead_addon.engine.sliders import ENDS
from cliphead_addon.engine.stages import HeadCode
from tools.studio.attributes import Observer
from tools.studio.ict import SKIN_VERTICES, triangles
from tools.studio.people import ANCESTRIES, SHAPE_DIMENSIONS, Population

FIRST_SEED = 4_000_000  # people that neither the probe nor the measures' statistics have seen
NAMES = tuple(ENDS)  # without "jaw width": it goes with cheek width (correlation 0.94) and with jaw squareness
LONGEST = 0.012  # NPHM units, 3 mm: further from the studio's surface the network's is another part of the head
FAINT = 0.05  # deviations: what an attribute may change beside another one, so that directions need not be long


class GeneratedHeads:
    """Reads attributes of the surfaces that a pack makes of studio people."""

    def __init__(self, pack, observer):
        self.head, self.observer, population = HeadModel.load(pack), observer, observer.population
        bases = pack.tensors(pack.part("bases")["file"])
        self.basis, self.centre = bases["identity_basis"], bases["identity_mean"]
        self.mean, self.directions = population.shape_basis(len(population.ict.neutral))
        self.neutral = self.head.named_expression("neutral")
        skin = np.concatenate([triangles(population.ict.part_quads(part)) for part in ("face", "head_neck")])
        self.skin = skin[(skin < SKIN_VERTICES).all(1)]

    def read(self, shape):
        """Shape parameters (D,) -> (A,) attributes in deviations from the population's mean.

        The studio's vertices go along their normals to the network's surface.
        """
        vertices = (self.mean + np.tensordot(shape.astype(np.float32), self.directions, 1)).astype(np.float64)
        points = frames.ict_to_nphm(vertices[:SKIN_VERTICES]).astype(np.float32)
        field = self.head.field(HeadCode((self.centre + self.basis @ shape).astype(np.float32), self.neutral))
        step = np.clip(field(points), -LONGEST, LONGEST)[:, None]
        vertices[:SKIN_VERTICES] = frames.nphm_to_ict(points - step * vertex_normals(points, self.skin))
        read, observer = self.observer.read(vertices), self.observer
        return np.array([(read[name] - observer.means[name]) / observer.deviations[name] for name in NAMES])


def slopes(heads, people):
    """Least squares from shape parameters to attributes.

    -> gradients (D,A), centre (A,), share of each attribute's variance that they explain (A,)
    """
    population = heads.observer.population
    shapes = np.stack([population.shape_code(population.person(FIRST_SEED + i)) for i in range(people)]).astype(np.float64)
    values = np.stack([heads.read(shape) for shape in shapes])
    inputs = np.c_[shapes, np.ones(people)]
    found = np.linalg.lstsq(inputs, values, rcond=None)[0]
    return found[:-1], found[-1], 1 - (values - inputs @ found).var(0) / values.var(0)


def targets(deviations):
    """(A,A) what a slider at one does to all attributes: one to its own; what one ancestry gains, the others lose by halves."""
    wanted = np.eye(len(NAMES))
    for name in ANCESTRIES:
        for other in set(ANCESTRIES) - {name}:
            wanted[NAMES.index(other), NAMES.index(name)] = -0.5 * deviations[name] / deviations[other]
    return wanted


def directions(gradients, deviations):
    """Shape parameters (D,A) that do what `targets` asks, by the least change: ridge regression with FAINT for its errors.

    Long directions lead to heads that the network has never seen, and there it is wrong.
    """
    wanted = targets(deviations)
    found = np.linalg.solve(gradients @ gradients.T + FAINT**2 * np.eye(len(gradients)), gradients @ wanted)
    return found / np.diag(gradients.T @ found)  # a slider at one moves its own attribute by one


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    options = parser.parse_args()
    observer = Observer(Population())
    gradients, centre, explained = slopes(GeneratedHeads(open_pack(options.pack), observer), options.people)
    moves = directions(gradients, observer.deviations)
    print(f"{'':18s}{'explained':>10s}{'length':>8s}")
    for name, share, length in zip(NAMES, explained, np.linalg.norm(moves, axis=0), strict=True):
        print(f"{name:18s}{share:10.3f}{length:8.2f}")
    arrays = {"gradients": gradients, "centre": centre, "directions": moves}
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, options.pack / "sliders.safetensors")
    set_part(options.pack, "sliders", {"file": "sliders.safetensors", "names": list(NAMES)})
    size = (options.pack / "sliders.safetensors").stat().st_size
    print(f"Wrote {len(NAMES)} sliders of {SHAPE_DIMENSIONS} parameters to {options.pack}: {size / 1024:.0f} KB.")


if __name__ == "__main__":
    main()
