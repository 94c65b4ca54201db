"""One topology for all heads: a fixed grid of quads in UV space, lifted to each head's surface."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, diags, triu

from ..settings import DENSITIES
from ..stages import UnwrappedHead
from .cholesky import Cholesky
from .mesh import triangulate, vertex_normals
from .planar import locate
from .topology import boundary_loops
from .unwrap import MARGIN, magnify

HOLD = 0.1  # weight of where a quad's vertex is on the surface, where each vertex of the surface weighs one
HOLD_NECK = 1e3  # the same around the neck, which is to stay a clean edge


@dataclass(frozen=True)
class QuadGrid:
    """Quads that tile the island, cut open along the seam as the island is."""

    faces: np.ndarray  # (F,4) int32 over the cut vertices, counter-clockwise
    plane: np.ndarray  # (W,2) place of each cut vertex in [-1,1]^2, with the landmarks aligned and before magnification
    whole: np.ndarray  # (W,) int32 vertex of the closed mesh that each cut vertex is; two cut vertices share one on the seam
    rim: np.ndarray  # (B,) boundary of the cut grid, from the crown down the head's right side
    seam_edges: int  # of the rim, on either side of the crown; the rest is the neck

    @classmethod
    def from_arrays(cls, arrays, density):
        """A pack's arrays (faces of the lowest density, plane of any, seam_edges of the lowest) at one of DENSITIES.

        Where the arrays end, new vertices lie in the middles of edges and quads, which keeps quads convex.
        """
        faces, plane = arrays["faces"].astype(np.int32), arrays["plane"].astype(np.float64)
        level = DENSITIES.index(density)
        for _ in range(level):
            W = int(faces.max()) + 1
            if len(plane) == W:
                ends = np.stack(np.divmod(edges_of(faces)[0], W), axis=-1)
                plane = np.concatenate([plane, plane[ends].mean(axis=1), plane[faces].mean(axis=1)])
            faces = subdivide(faces)
        rim = boundary_loops(faces)[0]
        rim = np.roll(rim, -int(np.flatnonzero(rim == 0)[0]))  # the crown is vertex 0
        seam_edges = int(arrays["seam_edges"][0]) << level
        first = np.arange(int(faces.max()) + 1)
        first[rim[: -seam_edges - 1 : -1]] = rim[1 : seam_edges + 1]
        whole = np.unique(first, return_inverse=True)[1].astype(np.int32)
        return cls(faces, plane[: len(whole)], whole, rim, seam_edges)

    def uv(self, layout, alignment="landmarks"):
        """(W,2) in the unit tile, as `unwrap.unwrap` lays out a head with this alignment."""
        plane = magnify(self.plane, layout) if alignment == "landmarks" else self.plane
        return 0.5 + (0.5 - MARGIN) * plane

    @property
    def closed_faces(self):
        """(F,4) int32 over the vertices of the closed mesh."""
        return self.whole[self.faces]

    @property
    def seam(self):
        """(S,2) int32 vertex pairs of the closed mesh, from the neck to the crown."""
        path = self.whole[self.rim[self.seam_edges :: -1]]
        return np.stack([path[:-1], path[1:]], axis=-1)

    @property
    def neck(self):
        """(N,) int32 vertices of the closed mesh around the neck, in order."""
        return self.whole[self.rim[self.seam_edges : -self.seam_edges]]


def lay(unwrapped, grid, uv, pose):
    """The same head on the quads of a grid.

    unwrapped: UnwrappedHead of triangles; uv: (W,2) of the grid's cut vertices in the same tile; pose: function from canonical
    points (V,3) to posed points (V,3) and displacements by name. -> UnwrappedHead with faces (F,4), uv (F,4,2).
    """
    dense, faces = unwrapped.mesh, grid.closed_faces
    first = np.unique(grid.whole, return_index=True)[1]
    triangle, weights = locate(unwrapped.uv, uv[first])
    canonical = np.einsum("nk,nkd->nd", weights, dense.canonical[dense.faces[triangle]])
    canonical = fit(canonical, unwrapped, grid, uv).astype(np.float32)
    vertices, displacements = pose(canonical)
    mesh = replace(
        dense,
        vertices=vertices,
        faces=faces,
        canonical=canonical,
        normals=vertex_normals(vertices, faces),
        displacements=displacements,
        report=dense.report | {"dense_vertices": len(dense.vertices)},
    )
    return UnwrappedHead(mesh, grid.seam, grid.neck, uv[grid.faces].astype(np.float32), unwrapped.report)


def fit(canonical, unwrapped, grid, uv):
    """Vertices whose quads come nearest to the surface that they span, where those on the surface cut its curves short.

    canonical: (W,3) vertices of the closed mesh on the surface; the rest as in `lay` -> (W,3). Least squares: what the quads
    have at the texture coordinates of a vertex of the surface is to be that vertex. Halves the distances, both ways.
    """
    dense, corners = unwrapped.mesh, triangulate(grid.faces)
    seen, first = np.unique(dense.faces, return_index=True)
    triangle, weights = locate(uv[corners], unwrapped.uv.reshape(-1, 2)[first])
    places = np.repeat(np.arange(len(seen)), 3), grid.whole[corners[triangle]].ravel()
    spread = csr_matrix((weights.ravel(), places), shape=(len(seen), len(canonical)))  # from quads to the surface
    hold = np.full(len(canonical), HOLD)
    hold[grid.neck] = HOLD_NECK
    system = triu(spread.T @ spread + diags(hold), format="coo")
    missing = spread.T @ (dense.canonical[seen] - spread @ canonical)
    return canonical + Cholesky(system.data, system.row, system.col, len(canonical)).solve(missing)


def subdivide(faces):
    """Each quad in four: faces (F,4) -> (4F,4).

    Old vertices keep their numbers; the edges' middles follow in the order of their ends (lower, higher), then the faces'.
    """
    V, F = int(faces.max()) + 1, len(faces)
    edges, side = edges_of(faces)
    after = V + side  # the middle of the edge that follows each corner
    middle = np.repeat(V + len(edges) + np.arange(F), 4).reshape(F, 4)
    return np.stack([faces, after, middle, np.roll(after, 1, axis=1)], axis=-1).reshape(-1, 4).astype(np.int32)


def edges_of(faces):
    """Undirected edges of faces (F,4) over V vertices: sorted lower * V + higher (E,), and which follows each corner (F,4)."""
    start, end = faces.astype(np.int64), np.roll(faces, -1, axis=1).astype(np.int64)
    key = np.minimum(start, end) * (int(faces.max()) + 1) + np.maximum(start, end)
    edges, side = np.unique(key, return_inverse=True)
    return edges, side.reshape(faces.shape)
