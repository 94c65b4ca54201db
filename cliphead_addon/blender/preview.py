"""A small portrait of a head, drawn with numpy: Blender's own previews need a window and some seconds."""

import bpy
import numpy as np

from .material import colour_image
from .mesh import UV_MAP

SIZE = 256  # px
TURN = np.radians(25.0)  # the viewer's place, from straight ahead
COSINE, SINE = np.cos(TURN), np.sin(TURN)
VIEW = np.array([[COSINE, SINE, 0], [-SINE, COSINE, 0], [0, 0, 1]], np.float32)  # rows, the viewer's axes: right, away, up
LIGHT = np.array([0.45, -0.75, 0.5], np.float32) / np.linalg.norm([0.45, -0.75, 0.5])  # in the viewer's axes
FILL = 0.9  # share of the picture's height
DOTS = 2.2  # along a triangle's side, for each pixel that it would have if those in front filled the object evenly


def draw(objects):
    """Mesh objects as they are seen, in the colours of their materials -> (SIZE,SIZE,4) float 0..1 sRGB, row 0 at the top."""
    seen = [_arrays(obj) for obj in objects if obj.type == "MESH"]
    corners = np.stack([end(points, axis=0) for points, *_ in seen if len(points) for end in (np.min, np.max)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = max(high[0] - low[0], high[2] - low[2]) / (FILL * SIZE)
    parts = [_dots(*arrays, step) for arrays in seen if len(arrays[2])]
    place, normal, colour = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    column, row = (np.rint((place[:, axis] - (low + high)[axis] / 2) / (sign * step)).astype(np.int32) + SIZE // 2
                   for axis, sign in ((0, 1), (2, -1)))  # fmt: skip
    depth = np.rint((high[1] - place[:, 1]) * (65535 / max(high[1] - low[1], 1e-9))).astype(np.uint16)
    order = np.argsort(depth, kind="stable")  # short integers are sorted in one go
    nearest = np.full((SIZE, SIZE), -1)
    nearest[row[order], column[order]] = order  # the last one written stays
    drawn = nearest >= 0
    at = nearest[drawn]
    light = 0.35 + 0.75 * np.clip(normal[at] @ LIGHT, 0, 1)
    picture = np.zeros((SIZE, SIZE, 4))
    picture[drawn, :3] = np.clip(colour[at] * light[:, None], 0, 1)
    picture[..., 3] = drawn
    around = sum(np.roll(picture, (i, j), axis=(0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    holes = (picture[..., 3] == 0) & (around[..., 3] > 4)  # between the dots
    picture[holes] = around[holes] / around[holes][:, 3:]
    return picture


def _arrays(obj):
    """What is seen of an object: points (V,3) and normals (V,3) in the viewer's axes, triangles (T,3) that face the viewer,
    texture coordinates (T,3,2) of their corners, and the material."""
    seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = seen.to_mesh()
    try:
        triangles = np.empty((len(mesh.loop_triangles), 3), np.int32)
        loops = np.empty_like(triangles)
        mesh.loop_triangles.foreach_get("vertices", triangles.ravel())
        mesh.loop_triangles.foreach_get("loops", loops.ravel())
        points, normals = np.empty((2, len(mesh.vertices), 3), np.float32)
        mesh.vertices.foreach_get("co", points.ravel())
        mesh.vertex_normals.foreach_get("vector", normals.ravel())
        layer = mesh.uv_layers.get(UV_MAP)
        uv = np.zeros((len(mesh.loops), 2), np.float32)
        if layer is not None:
            mesh.attributes[layer.name].data.foreach_get("vector", uv.ravel())
    finally:
        seen.to_mesh_clear()
    matrix = VIEW @ np.array(obj.matrix_world, np.float32)[:3]
    points, normals = points @ matrix[:, :3].T + matrix[:, 3], normals @ matrix[:, :3].T
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    x, _, z = np.moveaxis(points[triangles], -1, 0)  # (T,3) each
    turned = (x[:, 1] - x[:, 0]) * (z[:, 2] - z[:, 0]) - (z[:, 1] - z[:, 0]) * (x[:, 2] - x[:, 0])
    front = turned * np.linalg.det(matrix[:, :3]) > 0
    return points, normals, triangles[front], uv[loops[front]], obj.active_material


def _dots(points, normals, triangles, uv, material, step):
    """Dense places on triangles, with normals and colours: (N,3) each. step: size of a pixel."""
    side = np.ptp(points[:, [0, 2]], axis=0).max() / step  # px
    count = int(np.clip(np.ceil(DOTS * side / np.sqrt(len(triangles))), 2, 40))
    u, v = ((np.stack(np.meshgrid(*[np.arange(count)] * 2, indexing="ij"), -1).reshape(-1, 2) + 0.3) / count).T
    inside = u + v < 1
    weights = np.stack([1 - u - v, u, v], axis=-1)[inside].astype(np.float32)  # (D,3)
    place, normal, uv = (weights @ values for values in (points[triangles], normals[triangles], uv))  # (T,D,...)
    return place.reshape(-1, 3), normal.reshape(-1, 3), _colours(material, uv.reshape(-1, 2))


def _colours(material, uv):
    """Base colours (N,3) sRGB at texture coordinates (N,2)."""
    image = colour_image(material)
    if image is not None and all(image.size):
        width, height = image.size
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        column, row = np.clip((uv * [width, height]).astype(int), 0, [width - 1, height - 1]).T
        return pixels.reshape(height, width, -1)[row, column, :3]
    flat = np.array(material.diffuse_color[:3]) if material is not None else np.full(3, 0.5)
    return np.broadcast_to(np.clip(flat, 0, 1) ** (1 / 2.2), (len(uv), 3))
