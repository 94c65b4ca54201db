"""Seconds for many expressions of one head in a single call, as a full set of shape keys needs them.

$ python3 tools/dev.py bench expressions
$ python3 tools/dev.py bench expressions --vertices 12000 --shapes 52
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.models import choose_device
from cliphead_addon.engine.packs import open_pack
from tools.measuring import run


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py bench expressions", description=__doc__.partition("\n")[0])
    parser.add_argument("--vertices", type=int, nargs="+", default=[12_000, 100_000])
    parser.add_argument("--shapes", type=int, default=52)
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is shown (3)")

    def work(options):
        head = HeadModel.load(open_pack(options.pack), choose_device(options.device))
        rows = [measure(head, count, options.shapes, max(1, options.repeats)) for count in options.vertices]
        print(f"{torch.get_num_threads()} threads, device {head.device}, network {head.expression.config.hidden} units wide")
        print(f"  {'vertices':>9} {'shapes':>7} {'seconds':>8} {'processor seconds':>18}")
        for row in rows:
            print(f"  {row['vertices']:9,} {row['shapes']:7} {row['seconds']:8.2f} {row['processor_seconds']:18.2f}")
        return rows

    return run(parser, arguments, work)


def measure(head, vertices, shapes, repeats):
    """`HeadModel`, number of points in its box and of random expression codes -> figures by name."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(shapes, head.expression.config.latent_expression)).astype(np.float32)
    points = rng.uniform(head.low, head.high, (vertices, 3)).astype(np.float32)
    identity = np.zeros(head.identity.config.latent, np.float32)
    head.displacements(points[:5000], identity, codes[:1])  # kernels are compiled at their first call
    wall, busy = [], []
    for _ in range(repeats):
        started, worked = time.perf_counter(), time.process_time()
        head.displacements(points, identity, codes)
        wall.append(time.perf_counter() - started)
        busy.append(time.process_time() - worked)
    return {
        "vertices": vertices,
        "shapes": shapes,
        "seconds": statistics.median(wall),
        "processor_seconds": statistics.median(busy),
    }


if __name__ == "__main__":
    sys.exit(main())
