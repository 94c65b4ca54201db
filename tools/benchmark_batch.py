"""Heads a minute by one single-threaded batch worker and by two at once, and the memory that each holds head after head.

$ python3 tools/dev.py bench batch --heads 12
$ python3 tools/dev.py bench batch --heads 200 --workers 2 --engine-only --json batch.json

The heads differ in words and seeds. --engine-only leaves Blender's files and portraits out: it is a new process for each head
and keeps nothing. Memory is what a worker's process holds after a head, where the system says so (Linux).
"""

import argparse
import collections
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt
from tools import batch
from tools.gallery import PROMPTS
from tools.measuring import run

FIRST = 10  # heads after which a worker has seen everything once


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py bench batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="*", default=(1, 2), help="numbers of workers to compare (1 2)")
    parser.add_argument("--engine-only", action="store_true", help="no files, no portraits")
    parser.add_argument("--pack", default="starter")

    def work(options):
        rows = [
            batch.Row(f"{i:04}", Prompt(PROMPTS[i % len(PROMPTS)], seed=i), Settings(device="cpu"))
            for i in range(options.heads)
        ]
        figures = [measure(rows, workers, options) for workers in options.workers]
        show(figures)
        return figures

    return run(parser, arguments, work)


class Metered(batch.Maker):
    """A batch worker that tells what it holds."""

    def __init__(self, pack, device, threads, engine_only):
        super().__init__(pack, device, threads)
        self.engine_only = engine_only

    def make(self, row):
        if self.engine_only:
            self.pipeline.generate(row.prompt, self.models, row.settings)
        else:
            super().make(row)
        return {"memory": held_mb()}


def held_mb():
    """Memory that this process holds, MB; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def measure(rows, workers, options):
    """-> {workers, heads, seconds, memory: a list for each worker, MB after each of its heads}. Models are loaded before."""
    arguments = options.pack, "cpu", 1, options.engine_only
    lanes = [batch.LocalLane(arguments, Metered, cores) for cores in batch.shares_of_cores(workers)]
    waiting = collections.deque(rows)

    def work(lane):
        held = []
        while waiting:
            held.append(lane.make(waiting.popleft())["memory"])
        return held

    for lane in lanes:
        lane.make(rows[0])
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        memory = list(pool.map(work, lanes))
    seconds = time.perf_counter() - began
    for lane in lanes:
        lane.close()
    return {"workers": workers, "heads": len(rows), "seconds": seconds, "memory": memory}


def show(figures):
    for row in figures:
        rate = 60 * row["heads"] / row["seconds"]
        print(f"{row['workers']} worker(s): {row['heads']} heads in {row['seconds']:.0f} s, {rate:.1f} a minute")
        for held in filter(any, row["memory"]):
            later = held[FIRST:] or held[-1:]
            print(f"  MB held after {min(FIRST, len(held))} heads {held[:FIRST][-1]}, then {min(later)} to {max(later)}")
    for row in figures[1:]:
        gain = row["heads"] / row["seconds"] / (figures[0]["heads"] / figures[0]["seconds"])
        print(f"{row['workers']} workers make {gain:.2f} times as many heads as {figures[0]['workers']}")


if __name__ == "__main__":
    sys.exit(main())
