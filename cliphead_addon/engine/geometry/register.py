"""Where the features of one unwrapped head are on another: a smooth warp of the tile that makes their normals alike."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, map_coordinates

from .frames import uv_to_pixel
from .raster import over_corners

SIZE = 96  # px of the normal maps that are compared
CONTROLS = 12  # of the cubic spline along each axis; those at the tile's border stay in place
# Blur in px, and stiffness against bending in mean weights of what is to fit: noses meet before nostrils do.
LEVELS = ((8.0, 1.0), (4.0, 0.4), (2.0, 0.2), (1.0, 0.1))
ROUNDS = 10  # of least squares at each level
OUTLIER = 0.3  # squared difference of normals above which a texel, of hair or glasses say, counts less and less
CORE = 0.25  # least share of the normals' blurred weight: further out there is nothing to compare


@dataclass(frozen=True)
class Alignment:
    """How the features of a head come to those of a reference."""

    shift: np.ndarray  # (SIZE,SIZE,2) in UV, row 0 at the top: what is here is there on the reference
    rotation: np.ndarray  # (3,3) of the head's own axes to the reference's

    def move(self, uv):
        """Texture coordinates (...,2) of the head -> where the reference has the same feature."""
        column, row = np.moveaxis(uv_to_pixel(uv, SIZE) - 0.5, -1, 0)
        moves = [map_coordinates(part, [row, column], order=1, mode="nearest") for part in np.moveaxis(self.shift, -1, 0)]
        return (uv + np.stack(moves, axis=-1)).astype(np.float32)


def register(head, reference):
    """Compare two UnwrappedHeads of triangles -> Alignment of the first.

    Gauss-Newton on the difference of their normals (as Lucas and Kanade 1981 do for pictures), over a spline's controls, from
    coarse to fine, with a Geman-McClure weight for texels that stay different, and the rotation that suits each round. Bending
    costs, but not distance: where a mesh has shoulders, its face may lie far away.
    """
    own, there = (over_corners(each, each.mesh.normals, SIZE) for each in (head, reference))
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    spline = _spline()  # (SIZE,C)
    C = spline.shape[1]
    basis = np.einsum("ri,cj->rcij", spline, spline).reshape(SIZE * SIZE, C * C)
    bending = np.kron(np.eye(2), _bending(C))
    controls, rotation = np.zeros((2, C, C)), np.eye(3)
    for blur, stiffness in LEVELS:
        (normals, weight), (target, target_weight) = _blurred(*own, blur), _blurred(*there, blur)
        slope = np.stack(np.gradient(target, axis=(0, 1)), axis=-1)  # (SIZE,SIZE,3,2) per pixel, by row and column
        for _ in range(ROUNDS):
            at = np.stack([rows, columns]) + spline @ controls @ spline.T
            found, rise = _look(target, at), _look(slope.reshape(SIZE, SIZE, 6), at).reshape(SIZE, SIZE, 3, 2)
            both = weight * _look(target_weight[..., None], at)[..., 0]
            rotation = _best_rotation(normals, found, both)
            missing = found - normals @ rotation.T
            both = both / (1 + np.square(missing).sum(axis=-1) / OUTLIER) ** 2
            squares = np.einsum("rcxa,rcxb,rc->rcab", rise, rise, both).reshape(-1, 2, 2)
            pull = np.einsum("rcxa,rcx,rc->rca", rise, missing, both).reshape(-1, 2)
            system = np.block([[basis.T @ (squares[:, i, j, None] * basis) for j in (0, 1)] for i in (0, 1)])
            stiff = stiffness * np.trace(system) / len(system) * bending
            wanted = -(basis.T @ pull).T.ravel() - stiff @ controls.ravel()
            controls = controls + np.linalg.solve(system + stiff, wanted).reshape(controls.shape)
    down, right = spline @ controls @ spline.T / SIZE
    return Alignment(np.stack([right, -down], axis=-1), rotation)


def _spline():
    """Values (SIZE,CONTROLS-2) of a clamped cubic B-spline's functions at pixel centres, without the two that end in 1."""
    knots = np.concatenate([np.zeros(3), np.linspace(0, 1, CONTROLS - 2), np.ones(3)])
    return BSpline.design_matrix((np.arange(SIZE) + 0.5) / SIZE, knots, 3).toarray()[:, 1:-1]


def _bending(count):
    """Squared second differences of (count,count) controls, along both axes, as a quadratic form of mean weight one."""
    second = np.diff(np.pad(np.eye(count), 1), n=2, axis=0)[:, 1:-1]  # the controls around them stay at zero
    form = np.kron(second.T @ second, np.eye(count)) + np.kron(np.eye(count), second.T @ second)
    return form / np.diag(form).mean()


def _blurred(normals, coverage, blur):
    """Normals (r,r,3) blurred within their coverage, and how much of it each texel sees."""
    weight = gaussian_filter(coverage.astype(np.float64), blur)
    summed = gaussian_filter(normals.astype(np.float64) * coverage[..., None], (blur, blur, 0))
    return summed / np.maximum(weight, 1e-6)[..., None], np.where(weight > CORE, weight, 0)


def _look(image, at):
    """An image (r,r,C) at places (2,r,r), rows and columns -> (r,r,C)"""
    return np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in np.moveaxis(image, -1, 0)], axis=-1)


def _best_rotation(normals, others, weight):
    """The rotation (3,3) that brings normals (r,r,3) nearest to others (Kabsch 1976)."""
    left, _, right = np.linalg.svd(np.einsum("rc,rcx,rcy->xy", weight, others, normals))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
