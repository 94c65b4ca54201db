"""Places of a quad grid on the mean head: even, smooth and square on the surface, with loops along outlines."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import csr_matrix, diags, vstack
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from cliphead_addon.engine.geometry import frames

EVEN = 0.06  # weight of equal edge lengths against lines without kinks
SQUARE = 0.25  # weight of right angles
FOLLOW = 6.0  # weight of outlines
REACH = 0.4  # edges that an outline pulls a vertex at once
STEADY = 0.1  # Levenberg's damping
SHARPEST = 0.05  # sine of a quad's sharpest corner in UV that no step may go below


@dataclass(frozen=True)
class Surface:
    """The mean head as a position map."""

    positions: np.ndarray  # (R,R,3) cm, padded past the island

    def __call__(self, uv):
        """UV (n,2) -> (n,3)"""
        column, row = frames.uv_to_pixel(uv, len(self.positions)).T - 0.5
        place = np.stack([row, column])
        return np.stack([map_coordinates(self.positions[..., c], place, order=1, mode="nearest") for c in range(3)], axis=-1)

    def blurred(self, pixels):
        """The same head without its smaller folds, over which a coarse grid would stumble."""
        return Surface(gaussian_filter(self.positions, (pixels, pixels, 0), mode="nearest"))

    def slope(self, uv):
        """UV (n,2) -> (n,3,2) cm per unit of UV."""
        step = 1 / len(self.positions)
        shift = step * np.eye(2)
        return np.stack([(self(uv + s) - self(uv - s)) / (2 * step) for s in shift], axis=-1)


@dataclass(frozen=True)
class Guide:
    """A loop of vertices and the outline it follows."""

    loop: np.ndarray  # (n,) vertices of the cut grid
    curve: np.ndarray  # (m,2) closed, UV
    pinned: bool  # whether its first vertex and the one opposite stay at the curve's left and right end
    followed: bool  # False: only the first guess lies along it


def smooth(grid, uv, rim_t, rim_uv, surface, guides, rounds):
    """Improve the places of a `QuadGrid`'s cut vertices by Gauss-Newton steps on the surface.

    uv: (W,2) without folds; rim_t: (B,) position of the rim on the boundary, in [0,1]; rim_uv: function from these to UV, along
    which all of the rim but the crown and the seam's lower end slide; surface: Surface; guides: [Guide].
    -> uv, rim_t
    """
    uv, rim_t, closed = uv.copy(), rim_t.copy(), grid.closed_faces
    unknowns = _Unknowns(grid)
    lines, hubs, centred = stencils(closed, grid.neck)
    edges = np.unique(np.sort(np.stack([closed, np.roll(closed, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1), axis=0)
    for _ in range(rounds):
        x = surface(uv[unknowns.shown])
        jacobian = unknowns.jacobian(surface, uv, rim_t, rim_uv)
        length = np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1)
        size = np.bincount(edges.ravel(), np.repeat(length, 2)) / np.bincount(edges.ravel())  # mean edge at each vertex
        vanish = [  # operators (m,V) on places, in units of (m,)
            diags(1 / size[lines[:, 1]]) @ _combine(lines, (1, -2, 1), len(x)),
            diags(1 / size[hubs]) @ centred,
            np.sqrt(EVEN) / length.mean() * _combine(edges, (1, -1), len(x)),
        ]
        rows = [operator @ jacobian[axis] for operator in vanish for axis in range(3)]
        values = [operator @ x[:, axis] for operator in vanish for axis in range(3)]
        # The product of a quad's two mean edges, which is linear in each, is nothing where they are square to each other.
        e, f = (_combine(closed, signs, len(x)) * 0.5 for signs in ((-1, 1, 1, -1), (-1, -1, 1, 1)))
        ex, fx = e @ x, f @ x
        area = np.linalg.norm(ex, axis=1) * np.linalg.norm(fx, axis=1) / SQUARE
        rows.append(sum(diags(fx[:, c] / area) @ e @ jacobian[c] + diags(ex[:, c] / area) @ f @ jacobian[c] for c in range(3)))
        values.append((ex * fx).sum(axis=1) / area)
        for guide in guides:
            if not guide.followed:
                continue
            normal, offset, chosen = _offsets(guide, uv)
            per_uv = np.linalg.norm(surface.slope(uv[chosen]), axis=(1, 2)) / np.sqrt(2)
            near = size[grid.whole[chosen]] / per_uv
            offset = np.clip(offset, -REACH * near, REACH * near)  # farther at once would fold quads
            weight = FOLLOW / near
            rows.append(unknowns.uv_operator(chosen, normal * weight[:, None]))
            values.append(offset * weight)
        system, residual = vstack(rows).tocsr(), np.concatenate(values)
        normal_matrix = (system.T @ system).tocsc()
        strength = normal_matrix.diagonal()
        normal_matrix += diags(STEADY * strength + 1e-6 * strength.mean())
        step = splu(normal_matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(
            -(system.T @ residual)
        )
        uv, rim_t = unknowns.moved(grid, uv, rim_t, rim_uv, step)
    return mirrored_mean(uv), rim_t


class _Unknowns:
    """Two numbers for every vertex inside the island, one for those that slide along its rim; the seam's banks share theirs."""

    def __init__(self, grid):
        W, S, B = len(grid.whole), grid.seam_edges, len(grid.rim)
        sliding = np.concatenate([np.arange(1, S), np.arange(S + 1, B - S)])  # places on the rim: right bank, neck
        free = np.ones(W, bool)
        free[grid.rim] = False
        self.inside = np.flatnonzero(free)
        self.sliding = sliding
        self.rim = grid.rim
        self.count = 2 * len(self.inside) + len(sliding)
        self.column = np.full(W, -1)  # first unknown of an inside vertex
        self.column[self.inside] = 2 * np.arange(len(self.inside))
        self.shown = np.unique(grid.whole, return_index=True)[1]  # cut vertex that stands for each closed one
        self.shown[grid.whole[grid.rim[: S + 1]]] = grid.rim[: S + 1]
        self.whole = grid.whole

    def jacobian(self, surface, uv, rim_t, rim_uv):
        """How the closed vertices' places follow the unknowns: three (V,unknowns) matrices."""
        slope = surface.slope(uv[self.inside])  # (n,3,2)
        step = 1e-3  # some pixels of the map
        along = (surface(rim_uv(rim_t[self.sliding] + step)) - surface(rim_uv(rim_t[self.sliding] - step))) / (2 * step)
        row = np.concatenate([np.repeat(self.whole[self.inside], 2), self.whole[self.rim[self.sliding]]])
        column = np.arange(self.count)
        shape = (len(self.shown), self.count)
        return [csr_matrix((np.concatenate([slope[:, c].ravel(), along[:, c]]), (row, column)), shape) for c in range(3)]

    def uv_operator(self, vertices, weights):
        """Rows (n,unknowns) that weigh the two coordinates of inside vertices (n,) by weights (n,2)."""
        column = self.column[vertices][:, None] + np.arange(2)
        row = np.repeat(np.arange(len(vertices)), 2)
        return csr_matrix((weights.ravel(), (row, column.ravel())), (len(vertices), self.count))

    def moved(self, grid, uv, rim_t, rim_uv, step):
        """The step taken as far, vertex by vertex, as no quad gets too sharp -> uv, rim_t"""
        S = grid.seam_edges
        share = np.ones(len(uv))
        sharp = np.minimum(sharpest(uv[grid.faces]), SHARPEST) - 1e-7
        for _ in range(30):
            t = rim_t.copy()
            t[self.sliding] += share[self.rim[self.sliding]] * step[2 * len(self.inside) :]
            t[: -S - 1 : -1] = 1 - t[1 : S + 1]
            new = uv.copy()
            new[self.inside] += share[self.inside, None] * step[: 2 * len(self.inside)].reshape(-1, 2)
            new[grid.rim] = rim_uv(t)
            bad = sharpest(new[grid.faces]) < sharp
            if not bad.any():
                return new, t
            share[grid.faces[bad]] *= 0.5
            banks = share[grid.rim[1 : S + 1]], share[grid.rim[: -S - 1 : -1]]
            share[grid.rim[1 : S + 1]] = share[grid.rim[: -S - 1 : -1]] = np.minimum(*banks)
        return uv, rim_t


def stencils(faces, boundary):
    """Where grid lines pass straight through vertices of a closed grid (F,4): (L,3) vertices before, at and after.

    boundary: (N,) the neck in order, a line of its own. The other results are all other inside vertices (n,) and their
    operator (n,V) "itself less its neighbours' mean".
    """
    V = int(faces.max()) + 1
    start, after, before = (np.roll(faces, turn, axis=1).astype(np.int64).ravel() for turn in (0, -1, 1))
    key = start * V + after
    order = np.argsort(key)

    def turn(wanted):
        """The next edge counter-clockwise about its start, for edges start * V + end; -1 past the boundary."""
        place = order[np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)]
        return np.where((wanted >= 0) & (key[place] == wanted), start[place] * V + before[place], -1)

    once = turn(key)
    twice = turn(once)
    straight = (twice >= 0) & (turn(turn(twice)) == key)
    a, v, b = after[straight], start[straight], twice[straight] % V
    lines = np.stack([a, v, b], axis=-1)[a < b]
    lines = np.concatenate([lines, np.stack([np.roll(boundary, 1), boundary, np.roll(boundary, -1)], axis=-1)])
    hubs = np.setdiff1d(np.arange(V), np.concatenate([lines[:, 1], boundary]))
    near = np.isin(start, hubs)
    valence = np.bincount(start[near], minlength=V)
    row = np.concatenate([np.arange(len(hubs)), np.searchsorted(hubs, start[near])])
    value = np.concatenate([np.ones(len(hubs)), -1 / valence[start[near]]])
    operator = csr_matrix((value, (row, np.concatenate([hubs, after[near]]))), (len(hubs), V))
    return lines, hubs, operator


def sharpest(corner):
    """The least sine (F,) of the corners of quads (F,4,2): negative where a quad is not convex."""
    after = np.roll(corner, -1, axis=1) - corner
    after /= np.linalg.norm(after, axis=-1, keepdims=True) + 1e-30
    before = np.roll(after, 1, axis=1)
    return (before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]).min(axis=1)


def mirrored_mean(uv):
    """Places (W,2) of a symmetric grid, each with its mirror image's averaged in."""
    twin = cKDTree(uv * [-1, 1] + [1, 0]).query(uv)[1]
    if (twin[twin] != np.arange(len(uv))).any():
        return uv
    return (uv + uv[twin] * [-1, 1] + [1, 0]) / 2


def finely(polygon, count):
    """A closed polygon (P,2) with `count` points per side -> (count * P,2)"""
    closed, place = np.concatenate([polygon, polygon[:1]]), np.arange(count * len(polygon)) / count
    return np.stack([np.interp(place, np.arange(len(closed)), axis) for axis in closed.T], axis=-1)


def _combine(vertices, weights, count):
    """Rows (m,count) that sum vertices (m,k) with weights (k,)."""
    m, k = vertices.shape
    return csr_matrix((np.tile(np.asarray(weights, float), m), (np.repeat(np.arange(m), k), vertices.ravel())), (m, count))


def _offsets(guide, uv):
    """How far the loop is off its curve: directions (n,2), offsets (n,) along them, vertices (n,); two directions for pins."""
    curve, loop = guide.curve, guide.loop
    fine = finely(curve, 7)
    near = cKDTree(fine).query(uv[loop])[1]
    tangent = np.roll(fine, -3, axis=0)[near] - np.roll(fine, 3, axis=0)[near]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=-1)
    offset = ((uv[loop] - fine[near]) * normal).sum(axis=1)
    if not guide.pinned:
        return normal, offset, loop
    half = len(loop) // 2
    pins, ends = loop[[0, half]], np.stack([curve[curve[:, 0].argmin()], curve[curve[:, 0].argmax()]])
    away = uv[pins] - ends
    others = np.setdiff1d(np.arange(len(loop)), [0, half])
    normal = np.concatenate([normal[others], np.tile([[1.0, 0.0]], (2, 1)), np.tile([[0.0, 1.0]], (2, 1))])
    offset = np.concatenate([offset[others], away[:, 0], away[:, 1]])
    return normal, offset, np.concatenate([loop[others], pins, pins])
