"""The quads of random heads against the dense surface they lie on: distances both ways, shapes of the quads, seconds.

$ python3 tools/dev.py bench quads
$ python3 tools/dev.py bench quads --heads 20 --resolution 256
"""

import argparse
import sys
import time

import igl
import numpy as np
from skimage.measure import points_in_poly

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.geometry.mesh import triangulate
from cliphead_addon.engine.geometry.quads import QuadGrid, lay
from cliphead_addon.engine.geometry.unwrap import UVLayout, magnify, to_tile, unwrap
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.settings import DENSITIES, Settings
from tools.measuring import run
from tools.studio.quad_smoothing import finely

SAMPLES = 20_000  # points per surface
SHARP = np.sin(np.radians(20))  # a quad with a sharper corner is a poor one
MUST = 0.3  # mm, mean over the face at "medium"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py bench quads", description=__doc__.partition("\n")[0])
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--resolution", type=int, default=Settings.resolution)
    parser.add_argument("--pack", default="starter")

    def work(options):
        pack = open_pack(options.pack)
        head, layout = HeadModel.load(pack), UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
        arrays = pack.tensors(pack.part("quads")["file"])
        grids = {density: QuadGrid.from_arrays(arrays, density) for density in DENSITIES}
        rows = []
        for seed in range(options.first_seed, options.first_seed + options.heads):
            rows += measure(head, layout, grids, seed, options.resolution)
        print_table(rows, options.heads, options.resolution)
        return rows

    return run(parser, arguments, work)


def measure(head, layout, grids, seed, resolution):
    """One random head: a row of figures per density, JSON-ready."""
    code, rng = head.random(seed), np.random.default_rng(seed)
    dense = unwrap(head.mesh(code, resolution, hair="none"), layout)
    vertices, faces = dense.mesh.vertices.astype(np.float64), dense.mesh.faces.astype(np.int64)
    there, there_uv = scatter(vertices[faces], dense.uv, rng)
    rows = []
    for density, grid in grids.items():
        started = time.process_time()
        quads = lay(dense, grid, grid.uv(layout), lambda canonical: head.pose(code, canonical))
        seconds = time.process_time() - started
        points, corners = quads.mesh.vertices.astype(np.float64), quads.mesh.faces.astype(np.int64)
        triangles = triangulate(corners)
        here, here_uv = scatter(points[triangles], triangulate(quads.uv), rng)
        on_quads = _distance(there, points, triangles)
        on_dense = _distance(here, vertices, faces)
        face = np.concatenate([on_face(there_uv, layout), on_face(here_uv, layout)])
        both = np.concatenate([on_quads, on_dense])
        side = np.roll(points[corners], -1, axis=1) - points[corners]
        length = np.linalg.norm(side, axis=-1)
        sine = np.linalg.norm(np.cross(side, np.roll(side, 1, axis=1)), axis=-1) / (length * np.roll(length, 1, axis=1) + 1e-30)
        rows.append(
            {
                "seed": seed,
                "density": density,
                "quads": len(corners),
                "vertices": len(points),
                "face, to quads, mm": float(on_quads[face[: len(there)]].mean()),
                "face, to dense, mm": float(on_dense[face[len(there) :]].mean()),
                "face, 99 %, mm": float(np.percentile(both[face], 99)),
                "whole head, mm": float(both.mean()),
                "sharp corners, share of quads": float((sine.min(axis=1) < SHARP).mean()),
                "processor seconds": seconds,
            }
        )
    return rows


def scatter(corners, uv, rng):
    """Random points, even by area, on triangles (F,3,3) with texture coordinates (F,3,2) -> (N,3), (N,2)"""
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    triangle = rng.choice(len(area), SAMPLES, p=area / area.sum())
    weights = rng.dirichlet((1, 1, 1), SAMPLES)
    return tuple(np.einsum("nk,nkc->nc", weights, values[triangle]) for values in (corners, uv))


def on_face(uv, layout):
    """Which texture coordinates (N,2) lie within the layout's outline of the face."""
    return points_in_poly(uv, to_tile(magnify(finely(layout.face, 32), layout)))


def _distance(points, vertices, faces):
    return np.sqrt(igl.point_mesh_squared_distance(points, vertices, faces)[0]) * frames.MM_PER_UNIT


def print_table(rows, heads, resolution):
    """The mean over all heads per density and figure, and the worst head's."""
    print(f"{heads} random heads at resolution {resolution}: mean (worst head)")
    densities = dict.fromkeys(row["density"] for row in rows)
    print(f"  {'':32s}" + "".join(f"{density:>20s}" for density in densities))
    for name in list(rows[0])[2:]:
        cells = []
        for density in densities:
            values = [row[name] for row in rows if row["density"] == density]
            cells.append(f"{values[0]:,}" if isinstance(values[0], int) else f"{np.mean(values):.3f} ({np.max(values):.3f})")
        print(f"  {name:32s}" + "".join(f"{cell:>20s}" for cell in cells))
    medium = [max(row["face, to quads, mm"], row["face, to dense, mm"]) for row in rows if row["density"] == "medium"]
    if medium:
        print(
            f"  medium over the face: {np.mean(medium):.3f} mm, must {MUST}: {'met' if np.mean(medium) <= MUST else 'MISSED'}"
        )


if __name__ == "__main__":
    sys.exit(main())
