"""Harmonic maps of disks: cotangent weights, one factorisation, any boundary values."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import splu

from ..errors import UnwrapError
from .dissection import SYMMETRIC, elimination_order

ROUNDNESS = 0.8  # of the boundary curve: 0 is a circle, 1 a square
LEAST_WEIGHT = 0.02  # of an edge's cotangent weight, 0.577 in an equilateral triangle, where weights must be positive
LEAST_HEIGHT = 1e-4  # of a triangle, in its longest edges: flatter ones are weighed as if they were so high
SMALL = 60_000  # unknowns; below, SuperLU is a sixth faster column by column, above, a tenth faster in panels


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
        V = len(vertices)
        start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
        half = edge_weights(vertices, faces).ravel()
        edges = coo_matrix((half, (np.minimum(start, end), np.maximum(start, end))), shape=(V, V)).tocsr().tocoo()
        weight = np.clip(edges.data, LEAST_WEIGHT, 1 / LEAST_WEIGHT) if positive else edges.data
        first, second = edges.row, edges.col
        if softness is not None:
            product = softness[first] * softness[second]
            weight = np.where(product < 1, product, weight)
        self.boundary = np.asarray(boundary)
        inner = np.ones(V, bool)
        inner[self.boundary] = False
        place = np.empty(V, np.int32)
        place[inner] = np.arange(V - len(self.boundary))
        place[self.boundary] = np.arange(len(self.boundary))
        inside = inner[first] & inner[second]
        across = inner[first] != inner[second]
        one, other = np.where(inner[first], first, second)[across], np.where(inner[first], second, first)[across]
        N, B = V - len(self.boundary), len(self.boundary)
        to_boundary = csr_matrix((weight[across], (place[one], place[other])), shape=(N, B))
        degree = np.bincount(first, weight, V) + np.bincount(second, weight, V)
        first, second, weight = place[first[inside]], place[second[inside]], -weight[inside]
        diagonal = np.arange(N, dtype=np.int32)
        entries = np.concatenate([weight, weight, degree[inner]])
        entries = entries, (np.concatenate([first, second, diagonal]), np.concatenate([second, first, diagonal]))
        laplacian = csr_matrix(entries, shape=(N, N))
        inner = np.flatnonzero(inner)
        circle = 2 * np.pi * np.arange(B) / B
        pull = to_boundary @ np.stack([np.cos(circle), np.sin(circle)], axis=-1)
        try:
            order = elimination_order(np.asarray(vertices)[inner], laplacian, pull)
            panel = 1 if N < SMALL else 8
            self.factor = splu(laplacian[order][:, order].tocsc(), permc_spec="NATURAL", relax=8, panel_size=panel, **SYMMETRIC)
        except RuntimeError as error:
            raise UnwrapError(
                "Some vertices of the mesh are not connected to its boundary. Clean the mesh to one piece."
            ) from error
        self.inner, self.to_boundary = inner[order], to_boundary[order]

    def solve(self, values):
        """Boundary values (B,C) -> (V,C) float64, harmonic inside."""
        values = np.asarray(values, np.float64)
        result = np.empty((len(self.inner) + len(self.boundary), values.shape[1]))
        result[self.boundary] = values
        result[self.inner] = self.factor.solve(self.to_boundary @ values)
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
