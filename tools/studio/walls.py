"""How thick the skin is in front of the mouth's inside, and how that follows from the shape."""

import igl
import numpy as np

from .expressions import CANONICAL
from .ict import triangles

SIDE = 2.4  # cm from the middle: beyond are the corners of the mouth, where inside and outside meet
BELOW = -5.4  # cm: under the lower lip
THIN, THICK = 0.1, 2.0  # cm between which, on the mean head, there is a wall
AHEAD = 0.2  # z of the normals of skin that looks forward


def mouth_walls(population):
    """Slopes (D,K) and widths (K,), mm, as `engine.walls.Walls` takes them.

    A wall lies between a vertex of the mouth's inside and the point of the skin nearest to it, both on the mean head with its
    lips slightly open, and is measured along the skin's normal there.
    """
    ict = population.ict
    mean, directions = population.shape_basis(len(ict.neutral))  # (V,3), (D,V,3)
    mean = (mean + population.expression_offset(CANONICAL)).astype(np.float64)
    skin = triangles(np.concatenate([ict.part_quads("face"), ict.part_quads("head_neck")]))
    inside = np.unique(triangles(ict.part_quads("mouth_socket")))
    _, nearest, points = igl.point_mesh_squared_distance(mean[inside], mean, skin)
    faces = skin[nearest]  # (N,3)
    a, b, c = mean[faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    widths = ((points - mean[inside]) * normals).sum(axis=1)
    chosen = (np.abs(mean[inside][:, 0]) < SIDE) & (points[:, 1] < BELOW) & (normals[:, 2] > AHEAD)
    chosen &= (THIN < widths) & (widths < THICK)
    corners = igl.barycentric_coordinates(points, a, b, c)[chosen]
    faces, inside, normals = faces[chosen], inside[chosen], normals[chosen]
    across = np.einsum("kc,dkcx->dkx", corners, directions[:, faces]) - directions[:, inside]
    slopes = (across * normals).sum(axis=2)  # cm
    return slopes * 10, widths[chosen] * 10
