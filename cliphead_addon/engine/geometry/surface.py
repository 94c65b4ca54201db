"""From a signed distance to a clean mesh: sparse samples, marching cubes, one disk."""

import numpy as np
from skimage.measure import marching_cubes

from ..errors import SurfaceError
from .sampling import CORNERS, Grid, follow_surface
from .topology import clean_disk, flip_needles, merge_near_samples

NECK_CUT = 0.04  # share of a closed surface's height that is cut off below to open its neck
FLATTEST = 1e-3  # of the median value at the surface: samples closer to zero would make faces without area


def extract(field, low, high, resolution, progress=None):
    """The zero surface of a field as one disk whose boundary is the neck.

    field: callable (N,3) float32 -> (N,) distances, negative inside; low, high: (3,) box in the field's units (NPHM units);
    resolution: samples along the longest side of the box; progress: callable (stage, fraction) or None.
    Returns vertices (V,3) float32, faces (F,3) int32 counter-clockwise seen from outside, and a report of evaluations and
    repairs. Vertices on the plane x = 0 have x exactly 0. Raises SurfaceError where no disk can be had.
    """
    grid = Grid.over(low, high, resolution)
    sampler, cells = follow_surface(field, grid, progress)
    crossed = np.argwhere(cells)
    bottom, report = 0, {}
    if crossed[:, 1].min() > 0:
        # Nothing reaches the bottom of the box: open the surface where its neck must be.
        bottom = int(crossed[:, 1].min() + max(2, round(NECK_CUT * np.ptp(crossed[:, 1]))))
        report["neck_opened"] = True
    vertices, faces, merged = _march(sampler.values, cells, grid, bottom)
    vertices, faces, repairs = clean_disk(vertices, faces)
    faces = flip_needles(vertices, faces)
    report |= repairs | {
        "evaluations": sampler.evaluations,
        "dense_evaluations": int(np.prod(np.array(grid.inside[1]) - grid.inside[0] + 1)),
        "merged_vertices": merged,
        "vertices": len(vertices),
        "faces": len(faces),
    }
    if progress is not None:
        progress("surface", 1.0)
    return vertices.astype(np.float32), faces, report


def _march(values, cells, grid, bottom):
    """Marching cubes in the crossed cells above layer `bottom`: positions in the field's frame, faces, merged vertices."""
    cells = cells.copy()
    cells[:, :bottom] = False
    crossed = np.argwhere(cells)
    if not len(crossed):
        raise SurfaceError("The surface is too small for this grid. Try a higher resolution or another seed.")
    first, last = crossed.min(axis=0), crossed.max(axis=0) + 2
    window = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    values = values[window].copy()
    corners = (crossed - first)[:, None] + CORNERS  # (N,8,3)
    corners = np.unique(np.ravel_multi_index(np.moveaxis(corners, -1, 0), values.shape))
    near = values.reshape(-1)[corners]
    smallest = FLATTEST * np.median(np.abs(near))
    near = np.where(np.abs(near) < smallest, np.where(near < 0, -smallest, smallest), near)
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
