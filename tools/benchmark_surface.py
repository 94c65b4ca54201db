"""Extraction of a head's surface against the published dense way, on a network of the official width.

$ python3 tools/dev.py bench surface
$ python3 tools/dev.py bench surface --resolution 384 --threads 1 --json surface.json

The pack's identity network is placed inside one of NPHM's published width, hidden units 200 and latents 64 and 32, so that the
surface is the pack's and the cost is the published one. The dense way evaluates every member at every sample of the grid; it
is timed on some of them. On a smaller grid the surface that it gives is made, and the two surfaces are compared.
"""

import argparse
import sys
import time

import igl
import numpy as np
import torch
from skimage.measure import marching_cubes

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.geometry import surface, topology
from cliphead_addon.engine.geometry.sampling import Grid
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.models import choose_device
from cliphead_addon.engine.nets.nphm import HeadField, IdentityConfig, IdentityNet
from cliphead_addon.engine.packs import open_pack
from tools.benchmark import DENSE_CHUNK, peak_memory
from tools.measuring import run
from tools.train.widen import code_places

SAME = 0.1  # voxels between surfaces that count as one


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py bench surface", description=__doc__.partition("\n")[0])
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--check", type=int, default=96, help="resolution at which the two surfaces are compared (96)")
    parser.add_argument("--sample", type=int, default=DENSE_CHUNK, help=f"points that time the dense way ({DENSE_CHUNK})")
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of the processor (as many as torch chooses)")

    def work(options):
        if options.threads:
            torch.set_num_threads(options.threads)
        pack = open_pack(options.pack)
        head = HeadModel.load(pack, choose_device(options.device))
        code = mean_code(pack)
        figures = measure(head, code, options.resolution, options.sample) | compare(head, code, options.check)
        print_table(figures)
        return figures

    return run(parser, arguments, work)


def mean_code(pack):
    """The pack's mean identity code (I,)."""
    for part, name in (("bases", "identity_mean"), ("latents", "mean")):
        if part in pack.parts:
            return pack.tensors(pack.part(part)["file"])[name]
    raise ClipHeadError(f"The pack '{pack.name}' has no mean identity code. Import it with its latent mean and deviation.")


@torch.inference_mode()
def measure(head, code, resolution, sample):
    """`HeadModel`, identity code (I,), resolution, points for the dense way -> figures by name, JSON-ready."""
    net, code = widen(head.identity, code)
    field = HeadField(net, code, head.low, head.high)
    surface.extract(field, head.low, head.high, 32)  # kernels are compiled at their first call
    started, worked = time.perf_counter(), time.process_time()
    field = HeadField(net, code, head.low, head.high)
    vertices, _, report = surface.extract(field, head.low, head.high, resolution)
    ours, ours_worked = time.perf_counter() - started, time.process_time() - worked
    memory = peak_memory()

    rng = np.random.default_rng(0)
    points = np.concatenate([rng.permutation(vertices)[: sample // 2], rng.uniform(head.low, head.high, (sample // 2, 3))])
    batch, latent = (torch.as_tensor(x, dtype=torch.float32, device=head.device)[None] for x in (points, code))
    net(batch[:, :1000], latent)
    started, worked = time.perf_counter(), time.process_time()
    dense = torch.cat([net(part, latent)[0, :, 0].cpu() for part in batch.split(DENSE_CHUNK, dim=1)])
    each, each_worked = ((time.perf_counter() - started) / len(points), (time.process_time() - worked) / len(points))
    return {
        "device": str(head.device),
        "threads": torch.get_num_threads(),
        "resolution": resolution,
        "hidden": net.config.hidden,
        "vertices": len(vertices),
        "evaluations": report["evaluations"],
        "stages": report["seconds"],
        "seconds": ours,
        "processor_seconds": ours_worked,
        "peak_memory_mb": memory,
        "dense_points_per_second": 1 / each,
        "dense_seconds": each * resolution**3,
        "ratio": each * resolution**3 / ours,
        "processor_ratio": each_worked * resolution**3 / ours_worked,
        "same_samples_ratio": each_worked * report["dense_evaluations"] / ours_worked,
        "largest_difference": float(np.abs(field(points) - dense.numpy()).max()),
    }


def widen(net, code):
    """An IdentityNet and a code (I,) -> the same skin from a network as wide as the published one or wider.

    The further units keep their random weights, but nothing that counts reads them.
    """
    old, published = net.config, IdentityConfig()
    if old.hidden >= published.hidden:
        return net, code
    new = IdentityConfig(layers=old.layers, blend_epsilon=old.blend_epsilon)
    wide = IdentityNet(new, net.mean_anchors.cpu())
    latent = [*range(old.latent_global), *range(new.latent_global, new.latent_global + old.latent_local)]
    inputs = np.r_[0:3, 3 + np.array(latent)]
    columns = {0: inputs, net.skip: np.r_[: _carried(old), _carried(new) + inputs]}
    for i, (narrow, layer) in enumerate(zip(net.ensembled_deep_sdf.values(), wide.ensembled_deep_sdf.values(), strict=True)):
        rows = min(narrow.weight.shape[1], layer.weight.shape[1])
        place = np.arange(rows)[:, None], columns.get(i, np.arange(narrow.weight.shape[2]))
        layer.weight.data[:, :rows] = 0
        layer.weight.data[:, *place] = narrow.weight[:, :rows].cpu()
        layer.bias.data[:, :rows] = narrow.bias[:, :rows].cpu()
    for narrow, layer in zip(net.mlp_pos[::2], wide.mlp_pos[::2], strict=True):
        rows, count = narrow.weight.shape
        layer.weight.data[:rows] = 0
        layer.weight.data[:rows, :count] = narrow.weight.cpu()
        layer.bias.data[:rows] = narrow.bias.cpu()
    wide_code = np.zeros(new.latent, np.float32)
    wide_code[code_places(old, new).numpy()] = code
    return wide.to(net.flip.device).eval().requires_grad_(False), wide_code


def _carried(config):
    """Units that the layer before the skip hands on."""
    return config.hidden - 3 - config.latent_global - config.latent_local


@torch.inference_mode()
def compare(head, code, resolution):
    """Our surface against the dense one: distances both ways in voxels, Euler characteristics, and what repairs moved.

    Signs come from every sample of the grid; the values next to the dense surface, which alone decide where it lies, are the
    published network's, all members at every point.
    """
    net, code = widen(head.identity, code)
    field = HeadField(net, code, head.low, head.high)
    grid = Grid.over(head.low, head.high, resolution)
    flat = np.arange(np.prod(grid.shape))
    inside = flat[grid.contains(flat)]
    values = np.full(grid.shape, grid.step, np.float32)
    values.flat[inside] = field(grid.points(inside))
    near = np.zeros(grid.shape, bool)
    for axis in range(3):
        crossed = np.diff(np.signbit(values), axis=axis)
        for side in (slice(None, -1), slice(1, None)):
            near[(*[slice(None)] * axis, side)] |= crossed
    near = inside[near.flat[inside]]
    latent = torch.as_tensor(code, device=head.device)[None]
    points = torch.as_tensor(grid.points(near), device=head.device)[None]
    values.flat[near] = np.concatenate([net(part, latent)[0, :, 0].cpu() for part in points.split(2000, dim=1)])
    dense, dense_faces, _, _ = marching_cubes(values, 0.0)
    dense = dense * grid.step + grid.origin

    vertices, faces = surface.isosurface(field, head.low, head.high, resolution)
    repaired, _, report = surface.extract(field, head.low, head.high, resolution)
    moved = _distances(repaired, dense, dense_faces) > SAME * grid.step
    return {
        "check_resolution": resolution,
        "to_dense_voxels": float(_distances(vertices, dense, dense_faces).max() / grid.step),
        "to_ours_voxels": float(_distances(dense, vertices, faces).max() / grid.step),
        "euler": topology.euler(faces),
        "dense_euler": topology.euler(dense_faces),
        "handles_cut": report["handles_cut"],
        "moved_by_repairs": int(moved.sum()),
    }


def _distances(points, vertices, faces):
    """Points (N,3), a mesh -> (N,) distances to it."""
    return np.sqrt(igl.point_mesh_squared_distance(*map(np.float64, (points, vertices)), np.int64(faces))[0])


def print_table(figures):
    print(f"device {figures['device']}, {figures['threads']} threads, hidden width {figures['hidden']}")
    print(f"  resolution                  {figures['resolution']}")
    for name, seconds in figures["stages"].items():
        print(f"  {name:27} {seconds:.2f} s")
    print(f"  surface in all              {figures['seconds']:.2f} s, {figures['processor_seconds']:.2f} s of the processor")
    each = figures["evaluations"] / figures["vertices"]
    print(f"  evaluations                 {figures['evaluations']:,}, {each:.1f} per point of the mesh")
    memory = figures["peak_memory_mb"]
    print(f"  peak memory until here      {'unknown' if memory is None else f'{memory:,.0f} MB'}")
    rate = f"{figures['dense_points_per_second']:,.0f} points/s"
    print(f"  the dense way               {figures['dense_seconds']:,.0f} s at {rate} for {figures['resolution']}^3 points")
    print(f"  ratio                       {figures['ratio']:.0f}; of processor seconds {figures['processor_ratio']:.0f}")
    print(f"  ratio for the same samples  {figures['same_samples_ratio']:.0f}, of processor seconds, on our grid of cubes")
    print(f"  largest difference          {figures['largest_difference']:.1e} in distance, at the surface and in the box")
    ways = f"{figures['to_dense_voxels']:.3f} and {figures['to_ours_voxels']:.3f} voxels"
    print(f"  at {figures['check_resolution']}, against dense       {ways} at most, there and back")
    print(f"  Euler characteristics       {figures['euler']} ours, {figures['dense_euler']} dense, before repairs")
    moved = f"{figures['moved_by_repairs']} vertices moved by more than {SAME} voxels"
    print(f"  repairs                     {figures['handles_cut']} handles cut, {moved}")


if __name__ == "__main__":
    sys.exit(main())
