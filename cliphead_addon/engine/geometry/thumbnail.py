"""A small portrait of a head without Blender: its mesh, drawn with a depth buffer under one soft lamp."""

import numpy as np

from . import frames
from .mesh import triangulate, vertex_normals
from .raster import render

LAMP = np.array([0.35, 0.45, 0.82])  # NPHM frame: from above, before and a little to the side
AMBIENT, DIRECT = 0.65, 0.6
TURN = np.radians(25)  # of the head to its own right
MARGIN = 0.05  # of the picture, free on every side
OVERSAMPLING = 2


def thumbnail(unwrapped, albedo, hair=None, hair_colour=None, size=192):
    """Draw an `UnwrappedHead`. albedo: (R,R,3) uint8; hair: HairMesh or None; hair_colour: (3,) 0..255.

    -> (size,size,4) uint8 sRGB with transparency around the head
    """
    mesh, uv, corners = unwrapped.mesh, unwrapped.uv, unwrapped.mesh.faces
    if corners.shape[1] == 4:
        uv, corners = triangulate(uv), triangulate(corners)
    corners = corners.ravel()
    pixel = np.clip(frames.uv_to_pixel(uv.reshape(-1, 2), len(albedo)).astype(int), 0, len(albedo) - 1)
    points, normals, colours = [mesh.vertices[corners]], [mesh.normals[corners]], [albedo[pixel[:, 1], pixel[:, 0]]]
    if hair is not None:
        corners = hair.faces.ravel()
        points.append(hair.vertices[corners])
        normals.append(vertex_normals(hair.vertices, hair.faces)[corners])
        colours.append(np.broadcast_to(np.asarray(hair_colour, np.uint8), (len(corners), 3)))
    points = np.concatenate(points) @ _turned()
    low, high = points.min(0), points.max(0)
    scale = (1 - 2 * MARGIN) / max(high[0] - low[0], high[1] - low[1])
    points = (points - (low + high) / 2) * scale + [0.5, 0.5, 0.0]
    light = AMBIENT + DIRECT * np.clip(np.concatenate(normals) @ _turned() @ (LAMP / np.linalg.norm(LAMP)), 0, 1)
    shaded = np.concatenate(colours) * light[:, None]
    fine = OVERSAMPLING * size
    image, drawn = render(points, np.arange(len(points)).reshape(-1, 3), shaded, fine)
    picture = np.concatenate([image, 255.0 * drawn[..., None]], axis=-1)
    picture = picture.reshape(size, OVERSAMPLING, size, OVERSAMPLING, 4).mean(axis=(1, 3))
    picture[..., :3] *= 255 / np.maximum(picture[..., 3:], 1)  # the mean of what was drawn, not of the empty pixels beside it
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _turned():
    """Rotation about the vertical axis, to be applied from the right."""
    c, s = np.cos(TURN), np.sin(TURN)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
