"""Every frame conversion of the project, each beside its inverse.

NPHM frame: right-handed, +y up, +z out of the face, +x to the head's own left; 1 unit = 0.25 m (specs: FLAME scaled by 4).
Blender frame: Z up, face towards -Y, metres. ICT frame: centimetres, axes as NPHM, origin inside the skull.
"""

import numpy as np

METRES_PER_UNIT = 0.25
MM_PER_UNIT = 250.0
CM_PER_UNIT = 25.0
ICT_ORIGIN = np.array([0.0, 1.6, 5.5])  # cm: brings ICT's mean landmarks onto NPHM's mean anchors


def nphm_to_blender(points, origin=(0.0, 0.0, 0.0)):
    """Points (N,3), NPHM units -> (N,3) metres, Z up, face towards -Y. origin: the NPHM point that becomes (0,0,0)."""
    x, y, z = (np.asarray(points) - origin).T * METRES_PER_UNIT
    return np.stack([x, -z, y], axis=-1)


def blender_to_nphm(points, origin=(0.0, 0.0, 0.0)):
    """Inverse of `nphm_to_blender`."""
    x, y, z = np.asarray(points).T / METRES_PER_UNIT
    return np.stack([x, z, -y], axis=-1) + origin


def neck_centre(vertices, boundary):
    """Where Blender's origin goes on a head: the centre of the neck's rim, weighted by length.

    vertices: (V,3) NPHM frame, boundary: (N,) vertex loop -> (3,) NPHM frame
    """
    loop = vertices[boundary].astype(np.float64)
    after = np.roll(loop, -1, axis=0)
    length = np.linalg.norm(after - loop, axis=-1)
    return np.average((loop + after) / 2, axis=0, weights=length)


def ict_to_nphm(points):
    """Points (N,3) in ICT centimetres -> (N,3) NPHM units."""
    return (np.asarray(points) - ICT_ORIGIN) / CM_PER_UNIT


def nphm_to_ict(points):
    """Inverse of `ict_to_nphm`."""
    return np.asarray(points) * CM_PER_UNIT + ICT_ORIGIN


def uv_to_pixel(uv, size):
    """UV (N,2), v up -> (N,2) float (column, row) in a square image whose row 0 is the top; texel centres at +0.5."""
    uv = np.asarray(uv)
    return np.stack([uv[..., 0] * size, (1 - uv[..., 1]) * size], axis=-1)


def pixel_to_uv(pixel, size):
    """Inverse of `uv_to_pixel`."""
    pixel = np.asarray(pixel)
    return np.stack([pixel[..., 0] / size, 1 - pixel[..., 1] / size], axis=-1)
