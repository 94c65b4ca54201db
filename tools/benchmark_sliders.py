"""Seconds from letting go of a slider to the preview, and to the rebuilt head; and what placing them costs Blender.

$ python3 tools/dev.py bench sliders [--density medium] [--resolution 192] [--repeats 3]

Times are of the wall clock, and in brackets of the processor, which other programs disturb less. Placing is timed on a head
with Apple's 51 shape keys.
"""

import argparse
import statistics
import time
from dataclasses import replace
from types import SimpleNamespace

import bpy

from cliphead_addon.blender import reshaping
from cliphead_addon.blender.mesh import build_mesh
from cliphead_addon.blender.shape_keys import add_shape_keys
from cliphead_addon.engine import models, reshape
from cliphead_addon.engine.jobfiles import unwrapped_arrays
from cliphead_addon.engine.settings import DENSITIES, Settings
from cliphead_addon.engine.stages import Prompt

PROMPT = Prompt("an old man with a wide nose, laughing", seed=7)
MOVES = {"nose width": 1.0, "age": -1.0}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py bench sliders", description=__doc__.partition("\n")[0])
    parser.add_argument("--density", choices=DENSITIES, default="medium")
    parser.add_argument("--resolution", type=int, default=Settings.resolution)
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is shown (3)")
    parser.add_argument("--pack", default="starter")
    options = parser.parse_args(arguments)
    loaded = models.load_models(options.pack)
    settings = Settings(resolution=options.resolution, density=options.density, shape_keys=("arkit",))
    moved = replace(PROMPT, sliders=MOVES)
    head, _ = reshape.rebuild(PROMPT, loaded, settings)
    hair = None if head.mesh.hair is None else head.mesh.hair.vertices
    print(f"{len(head.mesh.vertices):,} vertices, {len(head.mesh.displacements)} shape keys, resolution {options.resolution}")

    def timed(name, work):
        rows = []
        for _ in range(options.repeats):
            started = time.perf_counter(), time.process_time()
            found = work()
            rows.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        wall, processor = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"  {name:44}{wall:8.3f} s  ({processor:.3f})")
        return found

    arrays, _ = timed("preview", lambda: reshape.preview(moved, loaded, {}, head.mesh.canonical, head.mesh.faces, hair))
    rebuilt, _ = timed("rebuilt head, shape keys and all", lambda: reshape.rebuild(moved, loaded, settings))
    timed("rebuilt head without shape keys", lambda: reshape.rebuild(moved, loaded, replace(settings, shape_keys=())))

    mesh = build_mesh("Head", SimpleNamespace(mesh=head.mesh, uv=head.uv, seam=head.seam, boundary=head.boundary))
    obj = bpy.data.objects.new("Head", mesh)
    timed("Blender: adding the shape keys", lambda: _add_keys(obj, head.mesh.displacements))
    timed("Blender: reading what the worker needs", lambda: reshaping.arrays_of(obj))
    timed("Blender: keeping the head for undo", lambda: reshaping.keep(obj))
    timed("Blender: placing the preview", lambda: reshaping.place(obj, arrays))
    arrays = unwrapped_arrays(rebuilt) | {"displacements": rebuilt.mesh.displacements}
    timed("Blender: placing the rebuilt head", lambda: reshaping.place(obj, arrays))
    return 0


def _add_keys(obj, displacements):
    obj.shape_key_clear()
    add_shape_keys(obj, displacements)


if __name__ == "__main__":
    raise SystemExit(main())
