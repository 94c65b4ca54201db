"""Seconds per stage, peak memory, evaluations, and the ratio to the published dense way on the same weights.

$ python3 tools/dev.py bench
$ python3 tools/dev.py bench --resolution 256 --json bench.json
$ python3 tools/dev.py bench expressions
$ python3 tools/dev.py bench surface
$ python3 tools/dev.py bench unwrap --heads 200
$ python3 tools/dev.py bench quads
$ python3 tools/dev.py bench sliders
$ python3 tools/dev.py bench worker
$ python3 tools/dev.py bench batch --heads 12
"""

# ruff: noqa: E402
import argparse
import importlib
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

if not __package__:  # started as a file: dev.py finds the environment
    raise SystemExit(subprocess.call([sys.executable, str(Path(__file__).with_name("dev.py")), "bench", *sys.argv[1:]]))


import numpy as np
import torch

from cliphead_addon.engine import models, pipeline
from cliphead_addon.engine.geometry import surface
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt
from tools.measuring import run

DENSE_CHUNK = 20000  # points at a time in the official fitting script
OTHERS = (
    "expressions",
    "surface",
    "unwrap",
    "quads",
    "sliders",
    "worker",
    "batch",
)  # in modules of their own, each with its own imports
PROMPT = "an old man with a wide nose, laughing"


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] and arguments[0] in OTHERS:
        return importlib.import_module(f"tools.benchmark_{arguments[0]}").main(arguments[1:])
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__.partition("\n")[0])
    parser.add_argument("prompt", nargs="?", default=PROMPT)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--resolution", type=int, default=Settings.resolution)
    parser.add_argument("--texture-size", type=int, default=Settings.texture_size)
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3, help="warm runs, of which the median is shown (3)")
    parser.add_argument("--sample", type=int, default=DENSE_CHUNK, help=f"points for the dense way ({DENSE_CHUNK})")

    def work(options):
        settings = Settings(resolution=options.resolution, texture_size=options.texture_size, device=options.device)
        prompt = Prompt(options.prompt, seed=options.seed)
        figures = measure(prompt, settings, options.pack, max(1, options.repeats), max(1, options.sample))
        print_table(figures)
        return figures

    return run(parser, arguments, work)


def measure(prompt, settings, pack, repeats, sample):
    """Prompt, Settings, pack, number of warm runs and of points for the dense way -> dict of figures, JSON-ready."""
    started = time.perf_counter()
    loaded = models.load_models(pack, settings.device)
    loading = time.perf_counter() - started
    pipeline.generate(prompt, loaded, settings)  # the first run pays for caches and compiled kernels
    seconds, heads = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        heads.append(pipeline.generate(prompt, loaded, settings))
        seconds.append(time.perf_counter() - started)
    mesh = heads[-1].unwrapped.mesh
    vertices = mesh.report.get("dense_vertices", len(mesh.vertices))
    return {
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "device": loaded.head.device,
        "pack": f"{loaded.pack.name} {loaded.pack.version}",
        "prompt": prompt.text,
        "resolution": settings.resolution,
        "texture_size": settings.texture_size,
        "repeats": repeats,
        "loading": loading,
        "stages": {name: statistics.median(head.timings[name] for head in heads) for name in heads[0].timings},
        "total": statistics.median(seconds),
        "peak_memory_mb": peak_memory(),
        "vertices": vertices,
        "evaluations": int(mesh.report["evaluations"]),
        "evaluations_per_vertex": mesh.report["evaluations"] / vertices,
        **compare_with_dense(prompt, loaded, settings, sample),
    }


@torch.inference_mode()
def compare_with_dense(prompt, loaded, settings, sample):
    """Our extraction against every member at every point of the same grid, which is timed on a sample of its points."""
    head = loaded.head
    code = loaded.mappers.map(loaded.text.encode(prompt.text).embedding, prompt, None)
    started = time.perf_counter()
    field = head.field(code)
    surface.extract(field, head.low, head.high, settings.resolution)
    ours = time.perf_counter() - started
    side = head.high - head.low
    grid = int(np.prod(np.ceil(side / side.max() * (settings.resolution - 1)) + 1))

    points = np.random.default_rng(0).uniform(head.low, head.high, (sample, 3)).astype(np.float32)
    batch = torch.as_tensor(points, device=head.device)[None]
    latent = torch.as_tensor(code.identity, device=head.device)[None]
    head.identity(batch[:, :1000], latent)
    started = time.perf_counter()
    dense = torch.cat([head.identity(part, latent)[0, :, 0].cpu() for part in batch.split(DENSE_CHUNK, dim=1)])
    per_point = (time.perf_counter() - started) / sample
    return {
        "extraction": ours,
        "grid_points": grid,
        "dense_points_per_second": 1 / per_point,
        "dense_seconds": per_point * grid,
        "ratio": per_point * grid / ours,
        "largest_difference": float(np.abs(field(points) - dense.numpy()).max()),
    }


def peak_memory():
    """Most memory this process has held, MB, or None where the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)  # bytes on macOS, kilobytes on Linux


def print_table(figures):
    print(f"{figures['machine']}, {figures['threads']} threads, {figures['cores']} cores, device {figures['device']}")
    print(f"pack {figures['pack']}, resolution {figures['resolution']}, texture {figures['texture_size']} px")
    print(f"\n  {'stage (warm, median of ' + str(figures['repeats']) + ')':36} {'seconds':>9}")
    for name, seconds in figures["stages"].items():
        print(f"  {name:36} {seconds:9.2f}")
    print(f"  {'prompt to head':36} {figures['total']:9.2f}")
    print(f"  {'loading the models, once':36} {figures['loading']:9.2f}")
    memory = figures["peak_memory_mb"]
    print(f"\n  peak memory                 {'unknown' if memory is None else f'{memory:,.0f} MB'}")
    each = figures["evaluations_per_vertex"]
    print(f"  evaluations of the field    {figures['evaluations']:,}, {each:.1f} per point of the mesh")
    print(f"  surface extraction          {figures['extraction']:.2f} s")
    dense = f"{figures['dense_seconds']:.0f} s at {figures['dense_points_per_second']:,.0f} points/s"
    print(f"  the dense way               {dense}, for the same grid's {figures['grid_points']:,} points")
    print(f"  ratio                       {figures['ratio']:.0f} times faster")
    print(
        f"  largest difference          {figures['largest_difference']:.1e} in distance, sparse against dense, in the whole box"
    )


if __name__ == "__main__":
    sys.exit(main())
