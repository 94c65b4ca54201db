"""Sliders for finished heads: how attributes follow from shape parameters, and the direction that moves each alone.

$ python3 tools/dev.py train sliders [--people 400] [--heads 6] [--pack cliphead_addon/packs/starter]

Attributes are read off studio heads as the studio reads them everywhere (tools.studio.attributes) and turn out to be linear in
the shape parameters to 99 %. The network errs where directions leave the population: each is tried on some heads, and what it
does to other attributes on all of them is taken back. Trains no network, takes some minutes; `evaluate sliders` measures it.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.head import RANDOM_SHARE, HeadModel
from cliphead_addon.engine.packs import open_pack, set_part
from cliphead_addon.engine.sliders import ENDS
from cliphead_addon.engine.stages import HeadCode
from tools.studio.attributes import Observer
from tools.studio.ict import SKIN_VERTICES, triangles
from tools.studio.people import ANCESTRIES, SHAPE_DIMENSIONS, Population

FIRST_SEED = 4_000_000  # people that neither the probe nor the measures' statistics have seen
NAMES = tuple(ENDS)  # without "jaw width": it goes with cheek width (correlation 0.94) and with jaw squareness
FAINT = 0.05  # deviations per parameter: what attributes may follow beside the asked one, so that directions need not be long
ROUNDS = (100, 300)  # seeds of the heads that directions are tried on: what is taken back changes a little what others do
STEP = 1.5  # deviations to either side, when directions are tried
LONGEST = 0.012  # NPHM units, 3 mm: further from the studio's surface the network's is another part of the head


class GeneratedHeads:
    """Reads attributes of the surfaces that a pack's network makes of shape parameters."""

    def __init__(self, pack, observer):
        self.head, self.observer, population = HeadModel.load(pack), observer, observer.population
        bases = pack.tensors(pack.part("bases")["file"])
        self.basis, self.centre = bases["identity_basis"], bases["identity_mean"]
        self.mean, self.directions = population.shape_basis(len(population.ict.neutral))
        self.neutral = self.head.named_expression("neutral")
        skin = np.concatenate([triangles(population.ict.part_quads(part)) for part in ("face", "head_neck")])
        self.skin = skin[(skin < SKIN_VERTICES).all(1)]

    def read(self, shape):
        """Shape parameters (D,) -> (A,) attributes in deviations of the population.

        The studio's vertices go along their normals to the network's surface.
        """
        vertices = (self.mean + np.tensordot(shape.astype(np.float32), self.directions, 1)).astype(np.float64)
        points = frames.ict_to_nphm(vertices[:SKIN_VERTICES]).astype(np.float32)
        field = self.head.field(HeadCode((self.centre + self.basis @ shape).astype(np.float32), self.neutral))
        step = np.clip(field(points), -LONGEST, LONGEST)[:, None]
        vertices[:SKIN_VERTICES] = frames.nphm_to_ict(points - step * vertex_normals(points, self.skin))
        read = self.observer.read(vertices)
        return np.array([read[name] / self.observer.deviations[name] for name in NAMES])


def responses(heads, moves, seeds):
    """What directions (D,A) do to random heads: (n,A,A) changes of attributes by slider, for one deviation asked for."""
    changes = np.zeros((len(seeds), len(NAMES), len(NAMES)))
    for i, seed in enumerate(seeds):
        start = RANDOM_SHARE * np.random.default_rng(seed).standard_normal(len(moves))
        for j, move in enumerate(moves.T):
            changes[i, j] = (heads.read(start + STEP * move) - heads.read(start - STEP * move)) / (2 * STEP)
    return changes


def corrected(moves, changes, wanted):
    """Directions (D,A) without what they were seen to do beyond what is wanted (A,A).

    changes: (n,A,A) of `responses`. Each entry counts as far as the heads agree: its square against the error of its mean.
    """
    excess = changes.mean(0) - wanted.T
    error = changes.std(0) / np.sqrt(len(changes))
    excess *= excess**2 / (excess**2 + 2 * error**2 + 1e-12)
    return moves - moves @ excess.T


def slopes(observer, people):
    """Least squares from shape parameters to attributes in standard deviations.

    -> gradients (D,A), centre (A,), share of each attribute's variance that they explain (A,)
    """
    population, deviations, means = observer.population, observer.deviations, observer.means
    mean, directions = population.shape_basis(len(population.ict.neutral))
    shapes, values = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + people):
        shape = population.shape_code(population.person(seed))
        read = observer.read(mean + np.tensordot(shape, directions, 1))
        shapes.append(shape)
        values.append([(read[name] - means[name]) / deviations[name] for name in NAMES])
    inputs, values = np.c_[np.array(shapes, np.float64), np.ones(people)], np.array(values)
    found = np.linalg.lstsq(inputs, values, rcond=None)[0]
    return found[:-1], found[-1], 1 - (values - inputs @ found).var(0) / values.var(0)


def targets(deviations):
    """(A,A) what a slider at one does to all attributes: one to its own; what one ancestry gains, the others lose by halves."""
    wanted = np.eye(len(NAMES))
    for name in ANCESTRIES:
        for other in set(ANCESTRIES) - {name}:
            wanted[NAMES.index(other), NAMES.index(name)] = -0.5 * deviations[name] / deviations[other]
    return wanted


def directions(gradients, wanted):
    """Shape parameters (D,A) that do what is wanted (A,A) by a small change: ridge regression, scaled to the own attribute.

    Long directions lead to heads such as the network has never seen, where it errs more than the ridge gives away.
    """
    found = np.linalg.solve(gradients @ gradients.T + FAINT**2 * np.eye(len(gradients)), gradients @ wanted)
    return found / np.diag(gradients.T @ found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    parser.add_argument("--heads", type=int, default=6, help="on which directions are tried, in each of two rounds")
    options = parser.parse_args()
    observer = Observer(Population())
    gradients, centre, explained = slopes(observer, options.people)
    wanted = targets(observer.deviations)
    moves = directions(gradients, wanted)
    heads = GeneratedHeads(open_pack(options.pack), observer)
    for seed in ROUNDS:
        moves = corrected(moves, responses(heads, moves, range(seed, seed + options.heads)), wanted)
    response = np.abs(gradients.T @ moves)
    own = response * (wanted != 0)
    print(f"{'':18s}{'explained':>10s}{'length':>8s}{'own share':>11s}")
    for i, name in enumerate(NAMES):
        share = own[:, i].sum() / response[:, i].sum()
        print(f"{name:18s}{explained[i]:10.3f}{np.linalg.norm(moves[:, i]):8.2f}{share:11.2f}")
    arrays = {"gradients": gradients, "centre": centre, "directions": moves}
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, options.pack / "sliders.safetensors")
    set_part(options.pack, "sliders", {"file": "sliders.safetensors", "names": list(NAMES)})
    size = (options.pack / "sliders.safetensors").stat().st_size
    print(f"Wrote {len(NAMES)} sliders of {SHAPE_DIMENSIONS} parameters to {options.pack}: {size / 1024:.0f} KB.")


if __name__ == "__main__":
    main()
