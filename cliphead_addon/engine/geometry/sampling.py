"""Sample a field only where its surface is: coarse signs to find it, then from cell to cell across their faces."""

import time
from dataclasses import dataclass

import numpy as np

from ..errors import NoSurfaceError, SurfaceError

COARSE_STRIDES = (8, 4)  # cells between the samples that look for the surface; the finer one only if the first sees nothing
CHUNK = 32768  # points per call of the field, so that progress and cancelling stay lively

CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])  # of a cell, (8,3)
FACE_STEPS = np.array([(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)])
FACE_CORNERS = np.array([np.flatnonzero(CORNERS[:, np.abs(s).argmax()] == (s.sum() > 0)) for s in FACE_STEPS])  # (6,4)


@dataclass(frozen=True)
class Grid:
    """Cubic voxels over a box, with one plane of samples exactly on x = 0 and one on the box's bottom.

    A layer of samples outside of the box surrounds it on every side but the bottom; they count as empty space, so a
    surface that leaves the box is closed there, and stays open below, where the neck goes on.
    """

    step: float  # voxel edge, units of the box
    origin: np.ndarray  # (3,) position of sample (0,0,0)
    shape: tuple  # samples per axis, one more than cells
    inside: tuple  # (low, high) indices (3,) of the samples within the box
    middle: int  # index of the plane x = 0

    @classmethod
    def over(cls, low, high, resolution):
        """The grid with `resolution` samples along the longest side of the box from low (3,) to high (3,)."""
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if not (np.isfinite([low, high]).all() and (low < high).all() and low[0] < 0 < high[0]):
            raise SurfaceError(f"The box from {low} to {high} is no box around the plane x = 0. Check the pack's [box].")
        step = (high - low).max() / (resolution - 1)
        left, right = np.floor(np.array([-low[0], high[0]]) / step + 1e-6).astype(int)
        counts = np.array([left + right + 1, *(np.floor((high - low)[1:] / step + 1e-6).astype(int) + 1)])
        first = np.array([1, 0, 1])  # the bottom layer has no neighbour below
        coarsest = max(COARSE_STRIDES)
        shape = -(-(first + counts) // coarsest) * coarsest + 1
        origin = np.array([-(left + 1) * step, low[1], low[2] - step])
        return cls(float(step), origin, tuple(shape.tolist()), (first, first + counts - 1), int(left) + 1)

    def points(self, flat):
        """Flat sample indices (N,) -> (N,3) float32 positions; x is odd about the middle plane to the last bit."""
        i, j, k = np.unravel_index(flat, self.shape)
        x = (i - self.middle) * self.step
        return np.stack([x, self.origin[1] + j * self.step, self.origin[2] + k * self.step], axis=-1).astype(np.float32)

    def contains(self, flat):
        """Which of the flat sample indices (N,) lie within the box."""
        index = np.stack(np.unravel_index(flat, self.shape), axis=-1)
        return ((index >= self.inside[0]) & (index <= self.inside[1])).all(axis=-1)


class Sampler:
    """A field on a grid, remembered where it was asked; `values` is NaN elsewhere. `evaluations`, `seconds`: what that took."""

    def __init__(self, field, grid, progress=None):
        self.field, self.grid, self.progress = field, grid, progress
        self.values = np.full(grid.shape, np.nan, np.float32)
        self.evaluations, self.seconds = 0, 0.0
        # The surface of a head covers about 1.7 times the square of its longest side: good enough for a progress bar.
        self._expected = 3.4 * max(grid.shape) ** 2

    def __call__(self, flat):
        """Flat sample indices (N,) -> (N,) float32 values; evaluates the field for those not known yet."""
        values = self.values.reshape(-1)
        missing = np.unique(flat[np.isnan(values[flat])])
        within = self.grid.contains(missing)
        values[missing[~within]] = self.grid.step
        missing = missing[within]
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            started = time.perf_counter()
            found = np.asarray(self.field(self.grid.points(part)), np.float32).reshape(-1)
            self.seconds += time.perf_counter() - started
            if len(found) != len(part) or not np.isfinite(found).all():
                bad = int((~np.isfinite(found)).sum())
                raise SurfaceError(
                    f"The head field gave {len(found)} values, {bad} of them not finite, for {len(part)} points. "
                    "Try another seed; if it stays, the model pack is damaged: install it again."
                )
            values[part] = found
            self.evaluations += len(part)
            if self.progress is not None:
                self.progress("surface", min(0.95, self.evaluations / self._expected))
        return values[flat]


def follow_surface(field, grid, progress=None):
    """Sample a field at the corners of every cell its surface passes through, and hardly anywhere else.

    field: callable (N,3) float32 -> (N,), negative inside; only signs are trusted away from the surface.
    Returns (sampler, cells): values at the corners are in sampler.values, cells is a bool array of the grid's shape, True
    at the lowest corner of a crossed cell. Raises NoSurfaceError if no sign changes.
    """
    sampler = Sampler(field, grid, progress)
    for stride in COARSE_STRIDES:
        cells = _seeds(sampler, grid, stride)
        within = tuple(slice(a, b + 1) for a, b in zip(*grid.inside, strict=True))
        lowest, highest = np.nanmin(sampler.values[within]), np.nanmax(sampler.values[within])
        if lowest < 0 <= highest:
            return sampler, _grow(sampler, grid, cells)
    raise NoSurfaceError(
        f"No surface to extract: distances run from {lowest:.3g} to {highest:.3g} in the box. "
        "Try another seed or a plainer prompt."
    )


def _seeds(sampler, grid, stride):
    """Cells on the surface: one on every coarse edge whose ends differ in sign, found by bisection."""
    axes = [np.arange(0, n, stride) for n in grid.shape]
    lattice = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), grid.shape)  # (a,b,c) flat indices
    inside = (sampler(lattice.ravel()) < 0).reshape(lattice.shape)
    found = []
    for axis, jump in enumerate(_strides(grid.shape)):
        rest = [slice(None)] * 3
        below, above = list(rest), list(rest)
        below[axis], above[axis] = slice(None, -1), slice(1, None)
        differs = inside[tuple(below)] != inside[tuple(above)]
        low = lattice[tuple(below)][differs]
        low_inside = inside[tuple(below)][differs]
        width = stride
        while width > 1:
            width //= 2
            same = (sampler(low + width * jump) < 0) == low_inside
            low = np.where(same, low + width * jump, low)
        found.append(low)
    # An edge on the far side of the grid has no cell of its own index: the cells beside it have.
    index = np.minimum(np.unravel_index(np.concatenate(found), grid.shape), np.array(grid.shape)[:, None] - 2)
    return np.unique(np.ravel_multi_index(index, grid.shape))


def _grow(sampler, grid, cells):
    """Follow the surface from cells (N,) over every cell face whose corners differ in sign."""
    strides = _strides(grid.shape)
    corner_steps, face_steps = CORNERS @ strides, FACE_STEPS @ strides
    seen = np.zeros(grid.shape, bool)
    crossed = np.zeros(grid.shape, bool)
    seen.reshape(-1)[cells] = True
    while len(cells):
        corners = cells[:, None] + corner_steps  # (N,8)
        inside = (sampler(corners.ravel()) < 0).reshape(corners.shape)
        crossed.reshape(-1)[cells[inside.any(axis=1) & ~inside.all(axis=1)]] = True
        at_bottom = np.unravel_index(cells, grid.shape)[1] == 0
        onward = []
        for step, corner in zip(face_steps, FACE_CORNERS, strict=True):
            face = inside[:, corner]
            passes = face.any(axis=1) & ~face.all(axis=1)
            if step == -strides[1]:
                passes &= ~at_bottom
            onward.append(cells[passes] + step)
        cells = np.unique(np.concatenate(onward))
        cells = cells[~seen.reshape(-1)[cells]]
        seen.reshape(-1)[cells] = True
    return crossed


def _strides(shape):
    """Distance in flat indices between neighbours along each axis, (3,)."""
    return np.array([shape[1] * shape[2], shape[2], 1])
