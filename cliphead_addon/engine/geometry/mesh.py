"""Small measures of a mesh of triangles or quads."""

import numpy as np


def vertex_normals(vertices, faces):
    """Area-weighted unit normals. vertices: (V,3), faces: (F,3) or (F,4) int -> (V,3) float32."""
    corner = np.asarray(vertices, np.float64)[faces]
    # Twice the area along the normal: of a quad the product of its diagonals, which for a triangle are two of its sides.
    across = np.cross(corner[:, 2] - corner[:, 0], corner[:, -1] - corner[:, 1])
    corners = faces.ravel()
    summed = [np.bincount(corners, np.repeat(across[:, axis], faces.shape[1]), minlength=len(vertices)) for axis in range(3)]
    normals = np.stack(summed, axis=-1)
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)).astype(np.float32)


def mean_curvature(vertices, faces, normals):
    """Half the divergence of the normals: 1/r on a sphere of radius r, positive where the surface bulges outwards.

    vertices: (V,3), faces: (F,3) or (F,4) int, normals: (V,3) unit -> (V,) float32, per unit of vertices. Normals are taken to
    be linear over each triangle, and a vertex gets the mean of its triangles by area, so slivers hardly count.
    """
    corners = faces.shape[1]
    triangles = faces if corners == 3 else np.concatenate([np.roll(faces, -turn, axis=1)[:, :3] for turn in range(4)])
    corner = np.asarray(vertices, np.float64)[triangles]
    opposite = np.roll(corner, 1, axis=1) - np.roll(corner, -1, axis=1)  # (F,3,3), the edge across from each corner
    across = np.cross(opposite[:, 0], opposite[:, 1])
    double = np.linalg.norm(across, axis=1)  # twice the area
    out = across / np.maximum(double, 1e-20)[:, None]
    inward = np.cross(out[:, None], opposite)  # gradients of the hat functions, times twice the area
    divergence = np.einsum("fkc,fkc->f", inward, np.asarray(normals, np.float64)[triangles])
    summed, area = (
        np.bincount(triangles.ravel(), np.repeat(value, 3), minlength=len(vertices)) for value in (divergence, double)
    )
    return (0.5 * summed / np.maximum(area, 1e-20)).astype(np.float32)


def triangulate(quads):
    """Quads (F,4,...) -> the two triangles of each, (2F,3,...), split along the diagonal from the first corner."""
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3, *quads.shape[2:])
