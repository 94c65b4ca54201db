"""From a signed distance to a clean mesh: sparse samples, marching cubes, one disk."""

import time

import numpy as np
from skimage.measure import marching_cubes

from ..errors import SurfaceError
from .sampling import CORNERS, Grid, follow_surface
from .topology import ClosedSurface, clean_disk, flip_needles, merge_near_samples, settle

NECK_CUT = 0.04  # share of a closed surface's height that is cut off below to open its neck
NECK_TRIES = 4  # parts of a surface that may turn out to be closed, one after the other
FLATTEST = 1e-3  # of the median value at the surface: samples closer to zero would make faces without area
STEEPEST = 1e3  # of the same: what a sample may count at most, so that no float32 overflows
SIDES = (("right", "bottom", "back"), ("left", "top", "front"))  # of the box by axis; +x is the head's own left
TOO_SMALL = "The surface is too small for this grid. Try a higher resolution or another seed."


def extract(field, low, high, resolution, progress=None):
    """The zero surface of a field as one disk whose boundary is the neck.

    The cells that the surface crosses are found by following it; marching cubes (Lewiner 2003) turns them into triangles;
    vertices that crowd around a sample are merged, what keeps the surface from being a disk is repaired as `clean_disk` says,
    and needles are turned. A surface that leaves the box is closed where it does, except at the bottom: there is the neck. A
    surface that does not reach the bottom is cut open above its lowest point.

    field: callable (N,3) float32 -> (N,) distances, negative inside; low, high: (3,) box in the field's units (NPHM units);
    resolution: samples along the longest side of the box; progress: callable (stage, fraction) or None.
    Returns vertices (V,3) float32, faces (F,3) int32 counter-clockwise seen from outside, and a report of evaluations,
    repairs and seconds. Vertices on the plane x = 0 have x exactly 0. Raises SurfaceError where no disk can be had.
    """
    began = time.perf_counter()
    grid = Grid.over(low, high, resolution)
    sampler, cells = follow_surface(field, grid, progress)
    found = time.perf_counter()
    layers = np.flatnonzero(cells.any(axis=(0, 2)))
    bottom = 0 if layers[0] == 0 else _neck_layer(layers[0], layers[-1])
    for _ in range(NECK_TRIES):
        started = time.perf_counter()
        vertices, faces, merged = _march(sampler.values, cells, grid, bottom)
        marched = time.perf_counter()
        try:
            vertices, faces, repairs = clean_disk(vertices, faces)
            break
        except ClosedSurface as closed:  # something reaches the bottom of the box, but not the largest part
            lowest, highest = np.round((np.array([closed.low[1], closed.high[1]]) - grid.origin[1]) / grid.step)
            bottom = max(bottom + 1, _neck_layer(int(lowest), int(highest)))
    else:
        raise SurfaceError("The surface falls into several closed parts of about one size. Try another seed.")
    vertices, parted = settle(vertices, flip_needles(vertices, faces))
    cleaned = time.perf_counter()
    report = repairs | {
        "neck_opened": bottom > 0,
        "closed_at_the_box": _sides_left(vertices, grid),
        "merged_vertices": merged,
        "parted_vertices": parted,
        "evaluations": sampler.evaluations,
        "dense_evaluations": int(np.prod(np.array(grid.inside[1]) - grid.inside[0] + 1)),
        "vertices": len(vertices),
        "faces": len(faces),
        "seconds": {
            "evaluating": sampler.seconds,
            "growing": found - began - sampler.seconds,
            "marching": marched - started,
            "cleaning": cleaned - marched,
        },
    }
    if progress is not None:
        progress("surface", 1.0)
    return vertices, faces, report


def isosurface(field, low, high, resolution):
    """All of a field's zero surface as it is, in any number of parts, open only at the bottom of the box.

    Arguments as for `extract` -> vertices (V,3) float32, faces (F,3) int32. Raises NoSurfaceError if no sign changes.
    """
    grid = Grid.over(low, high, resolution)
    sampler, cells = follow_surface(field, grid)
    vertices, faces, _ = _march(sampler.values, cells, grid, 0)
    return vertices.astype(np.float32), faces.astype(np.int32)


def _neck_layer(lowest, highest):
    """Layer of samples at which a surface between two layers is cut open below."""
    return int(lowest + max(2, round(NECK_CUT * (highest - lowest))))


def _sides_left(vertices, grid):
    """Names of the box's sides at which the surface was closed because it leaves the box there."""
    index = (vertices - grid.origin) / grid.step
    low, high = grid.inside
    out = np.stack([(index < low - 1e-3).any(axis=0), (index > high + 1e-3).any(axis=0)])  # (2,3)
    return [SIDES[side][axis] for side, axis in np.argwhere(out)]


def _march(values, cells, grid, bottom):
    """Marching cubes in the crossed cells above layer `bottom`: positions in the field's frame, faces, merged vertices."""
    cells = cells.copy()
    cells[:, :bottom] = False
    crossed = np.argwhere(cells)
    if not len(crossed):
        raise SurfaceError(TOO_SMALL)
    first, last = crossed.min(axis=0), crossed.max(axis=0) + 2
    window = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    values = values[window].copy()
    corners = (crossed - first)[:, None] + CORNERS  # (N,8,3)
    corners = np.unique(np.ravel_multi_index(np.moveaxis(corners, -1, 0), values.shape))
    near = values.reshape(-1)[corners].astype(np.float64)
    if not (near < 0).any():
        raise SurfaceError(TOO_SMALL)
    near /= np.median(np.abs(near[near != 0]))
    near = np.where(near < 0, -1, 1) * np.clip(np.abs(near), FLATTEST, STEEPEST)
    values[:] = 1.0
    values.reshape(-1)[corners] = near
    # skimage asks the mask at a cell's highest corner.
    mask = np.zeros(values.shape, bool)
    mask[1:, 1:, 1:] = cells[window][:-1, :-1, :-1]
    positions, faces, _, _ = marching_cubes(values, 0.0, mask=mask)
    planes = grid.middle - first[0], bottom - first[1]
    positions, faces, merged = merge_near_samples(positions.astype(np.float64), faces.astype(np.int64), *planes)
    positions += first
    positions[:, 0] -= grid.middle
    positions[np.abs(positions[:, 0]) < 1e-4, 0] = 0.0
    positions[np.abs(positions[:, 1] - bottom) < 1e-4, 1] = bottom
    return positions * grid.step + [0.0, grid.origin[1], grid.origin[2]], faces, merged
