"""Harmonic maps of disks: cotangent weights, one factorisation, any boundary values."""

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from ..errors import UnwrapError
from .cholesky import Cholesky

ROUNDNESS = 0.8  # of the boundary curve: 0 is a circle, 1 a square
LEAST_WEIGHT = 0.02  # of an edge's cotangent weight, 0.577 in an equilateral triangle, where weights must be positive
LEAST_HEIGHT = 1e-4  # of a triangle, in its longest edges: flatter ones are weighed as if they were so high


def edge_weights(vertices, faces):
    """Cotangent weight of every half-edge, from the triangle it belongs to.

    vertices: (V,3), faces: (F,3) -> (F,3) float64: half the cotangent of the angle opposite the edge from corner i to i+1.
    """
    a, b, c = (np.ascontiguousarray(np.asarray(vertices, np.float64)[faces[:, i]].T) for i in range(3))  # (3,F): long rows
    square = np.stack([np.einsum("af,af->f", side, side) for side in (b - a, c - b, a - c)])  # (3,F) lengths of the sides
    total = square.sum(axis=0)
    # Heron. One area for all three weights keeps the Laplacian positive semidefinite.
    area = np.sqrt(np.maximum(np.square(total) - 2 * np.einsum("if,if->f", square, square), 0)) / 2
    area = np.maximum(area, LEAST_HEIGHT * square.max(axis=0) + 1e-30)
    return ((total - 2 * square) / (4 * area)).T


class HarmonicSolver:
    """Factor the interior Laplacian once; solve for any boundary values afterwards.

    positive: raise edge weights to LEAST_WEIGHT. With positive weights on the mesh's own edges and a convex boundary no
    triangle can flip (Tutte 1963, Floater 2003). Plain cotangents keep angles better, on a head of 63,351 triangles 11.3
    degrees off against 12.5, but flip a few (13 there). An intrinsic Delaunay Laplacian has positive weights too, but on
    other edges than the mesh's, so it cannot promise anything either (50 there, 11.3 degrees).
    softness: (V,) factors in (0,1]. An edge between softened ends weighs their product instead of its cotangent: such places
    get more room. Positive weights stay positive, so this bends the map and cannot fold it.
    """

    def __init__(self, vertices, faces, boundary, softness=None, positive=True):
        V, B = len(vertices), len(boundary)
        N = V - B
        self.boundary = np.asarray(boundary)
        inner = np.ones(V, bool)
        inner[self.boundary] = False
        self.inner = np.flatnonzero(inner)
        place = np.empty(V, np.int32)  # the boundary comes last, so that the upper triangle's first columns are the inside
        place[self.inner], place[self.boundary] = np.arange(N, dtype=np.int32), np.arange(N, V, dtype=np.int32)
        corner = place[faces]
        start, end = corner.ravel(), np.roll(corner, -1, axis=1).ravel()
        diagonal = np.arange(V, dtype=np.int32)
        entries = np.concatenate([edge_weights(vertices, faces).ravel(), np.zeros(V)])
        rows, columns = np.minimum(start, end), np.maximum(start, end)
        upper = csc_matrix((entries, (np.concatenate([rows, diagonal]), np.concatenate([columns, diagonal]))), shape=(V, V))
        upper.sort_indices()  # so that the diagonal is the last of each column
        weight, rows = upper.data, upper.indices
        columns = np.repeat(diagonal, np.diff(upper.indptr))
        diagonal = upper.indptr[1:] - 1
        if positive:
            np.clip(weight, LEAST_WEIGHT, 1 / LEAST_WEIGHT, out=weight)
        if softness is not None:
            softness = np.concatenate([softness[self.inner], softness[self.boundary]])
            product = softness[rows] * softness[columns]
            weight = np.where(product < 1, product, weight)
        weight[diagonal] = 0
        degree = np.bincount(rows, weight, V) + np.bincount(columns, weight, V)
        first = upper.indptr[N]  # of the boundary's columns
        across = rows[first:] < N
        ends = rows[first:][across], columns[first:][across] - N
        self.to_boundary = csr_matrix((weight[first:][across], ends), shape=(N, B))
        weight = -weight[:first]
        weight[diagonal[:N]] = degree[:N]
        try:
            self.inside = Cholesky(weight, rows[:first], columns[:first], N)
        except ArithmeticError as error:
            raise UnwrapError(
                "Some vertices of the mesh are not connected to its boundary. Clean the mesh to one piece."
            ) from error

    def solve(self, values):
        """Boundary values (B,C) -> (V,C) float64, harmonic inside."""
        values = np.asarray(values, np.float64)
        result = np.empty((len(self.inner) + len(self.boundary), values.shape[1]))
        result[self.boundary] = values
        result[self.inner] = self.inside.solve(self.to_boundary @ values)
        return result


def harmonic_uv(vertices, faces, boundary, boundary_uv):
    """One-off form of HarmonicSolver. boundary: (B,), boundary_uv: (B,2) -> (V,2)"""
    return HarmonicSolver(vertices, faces, boundary).solve(boundary_uv)


def boundary_curve(position):
    """Positions (N,) in [0,1) along a rounded square -> (N,2) in [-1,1]^2, counter-clockwise from the middle of the top.

    The curve is x^2 + y^2 - ROUNDNESS x^2 y^2 = 1 (Fernandez-Guasti's squircle), by arc length. It fills more of a tile
    than a circle and, unlike a square, is nowhere straight, so that no triangle with three boundary corners loses its area.
    """
    angle = np.linspace(0, 2 * np.pi, 16385)
    curve = _squircle(angle)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return _squircle(np.interp(np.asarray(position) * length[-1], length, angle))


def inside_curve(points):
    """Points (N,2) -> (N,) 1 at the centre of the boundary curve, 0 on it, smooth between."""
    x, y = np.moveaxis(np.square(points), -1, 0)
    return 1 - x - y + ROUNDNESS * x * y


def _squircle(angle):
    radius = np.sqrt(2 / (1 + np.sqrt(1 - ROUNDNESS * np.sin(2 * angle) ** 2)))
    return np.stack([-radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
