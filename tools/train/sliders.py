"""Sliders for finished heads: how attributes follow from shape parameters, and the direction that moves each alone.

$ python3 tools/dev.py train sliders [--people 400] [--pack cliphead_addon/packs/starter]

Attributes are read off studio heads as the studio reads them everywhere (tools.studio.attributes) and turn out to be linear in
the shape parameters to 99 %. Takes a minute, needs no training and no network, and is measured by `evaluate sliders`.
"""

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from cliphead_addon.engine.packs import set_part
from cliphead_addon.engine.sliders import ENDS
from tools.studio.attributes import Observer
from tools.studio.people import ANCESTRIES, SHAPE_DIMENSIONS, Population

FIRST_SEED = 4_000_000  # people that neither the probe nor the measures' statistics have seen
NAMES = tuple(ENDS)  # without "jaw width": it goes with cheek width (correlation 0.94) and with jaw squareness
FAINT = 0.05  # deviations per parameter: what attributes may follow beside the asked one, so that directions need not be long


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
    options = parser.parse_args()
    observer = Observer(Population())
    gradients, centre, explained = slopes(observer, options.people)
    wanted = targets(observer.deviations)
    moves = directions(gradients, wanted)
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
