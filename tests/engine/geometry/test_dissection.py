import igl
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from cliphead_addon.engine.geometry.dissection import LEAF, SYMMETRIC, dissect, elimination_order
from cliphead_addon.engine.geometry.harmonic import LEAST_WEIGHT, harmonic_uv


def grid(n):
    """A square of n by n vertices: points in the plane, and its edges with one diagonal per cell."""
    index = np.arange(n * n).reshape(n, n)
    pairs = (index[:-1], index[1:]), (index[:, :-1], index[:, 1:]), (index[:-1, :-1], index[1:, 1:])
    first, second = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in range(2))
    points = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2)
    return points.astype(float), first, second


def laplacian(points, first, second):
    """Positive definite as if every vertex were also held a little."""
    N = len(points)
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    degree = np.bincount(rows, minlength=N) + 0.1
    values = np.concatenate([np.full(len(rows), -1.0), degree])
    return csr_matrix((values, (np.concatenate([rows, np.arange(N)]), np.concatenate([columns, np.arange(N)]))), shape=(N, N))


@pytest.mark.parametrize("n", [2, 3, 5, 17, 60])
def test_every_vertex_comes_once(n):
    points, first, second = grid(n)
    matrix = laplacian(points, first, second)
    order = elimination_order(np.c_[points, np.zeros(n * n)], matrix, points - points.mean(axis=0))
    np.testing.assert_array_equal(np.sort(order), np.arange(n * n))


def test_the_last_vertices_part_the_surface_in_halves():
    n = 40
    points, first, second = grid(n)
    order = dissect(points, first, second)
    left = np.ones(n * n, bool)
    left[order[-3 * n :]] = False  # more than any top separator, fewer than two levels of them together with the next
    inside = left[first] & left[second]
    graph = csr_matrix((np.ones(inside.sum()), (first[inside], second[inside])), shape=(n * n,) * 2)
    label = connected_components(graph, directed=False)[1][left]
    assert np.bincount(label).max() < 0.55 * n * n


def test_factors_stay_small():
    points, first, second = grid(60)
    matrix = laplacian(points, first, second)
    order = dissect(points, first, second)
    ordered, natural = (splu(m.tocsc(), permc_spec="NATURAL", **SYMMETRIC).L.nnz for m in (matrix[order][:, order], matrix))
    assert ordered < 0.6 * natural  # 3,600 vertices row by row fill a band of 60


def test_very_few_vertices_need_no_order():
    points, first, second = grid(3)
    assert len(points) <= LEAF
    order = elimination_order(np.c_[points, np.zeros(9)], laplacian(points, first, second), points)
    np.testing.assert_array_equal(order, np.arange(9))


def test_the_solution_is_libigls_for_the_same_weights_on_a_large_bumpy_sheet():
    n = 70
    points, first, second = grid(n)
    row, column = points.T
    shifted = np.stack([row + 0.5 * column, np.sqrt(3) / 2 * column], axis=-1)  # equilateral triangles
    vertices = np.c_[shifted, 0.5 * np.sin(shifted[:, 0] / 6) * np.cos(shifted[:, 1] / 5)]
    corner = np.arange(n * n).reshape(n, n)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[1:, :-1].ravel(), corner[1:, 1:].ravel(), corner[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, d], axis=-1), np.stack([b, c, d], axis=-1)])
    rim = np.concatenate([corner[:-1, 0], corner[-1, :-1], corner[:0:-1, -1], corner[0, :0:-1]])
    stiffness = igl.cotmatrix(vertices, faces).tocoo()
    off = (stiffness.row != stiffness.col) & ~(np.isin(stiffness.row, rim) & np.isin(stiffness.col, rim))
    assert stiffness.data[off].min() > LEAST_WEIGHT  # no weight is raised, so the equations are the same
    angle = 2 * np.pi * np.arange(len(rim)) / len(rim)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    peer = igl.harmonic(vertices, faces, rim, circle, 1)
    np.testing.assert_allclose(harmonic_uv(vertices, faces, rim, circle), peer, atol=1e-8)
