"""Small measures of a triangle mesh."""

import numpy as np


def vertex_normals(vertices, faces):
    """Area-weighted unit normals. vertices: (V,3), faces: (F,3) int -> (V,3) float32."""
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[faces], 1, 0)
    across = np.cross(b - a, c - a)  # twice the area along the normal
    corners = faces.ravel()
    summed = [np.bincount(corners, np.repeat(across[:, axis], 3), minlength=len(vertices)) for axis in range(3)]
    normals = np.stack(summed, axis=-1)
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)).astype(np.float32)
