"""A small portrait of a head, drawn with numpy: Blender's own previews need a window and some seconds."""

import bpy
import numpy as np

from .material import colour_image
from .mesh import UV_MAP

SIZE = 256  # px
TURN = np.radians(25.0)  # the viewer's place, from straight ahead
LIGHT = np.array([0.45, -0.75, 0.5]) / np.linalg.norm([0.45, -0.75, 0.5])  # in the viewer's axes: right, away, up
FILL = 0.9  # share of the picture's height
DOTS = 2.2  # along a triangle's side, for each pixel that it would have if all of them filled the picture evenly


def draw(objects):
    """Mesh objects as they are seen, in the colours of their materials -> (SIZE,SIZE,4) float 0..1 sRGB, row 0 at the top."""
    parts = [part for obj in objects if obj.type == "MESH" for part in [_dots(obj)] if part is not None]
    place, normal, colour = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    cosine, sine = np.cos(TURN), np.sin(TURN)
    view = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])  # rows: right, away, up
    place, normal = place @ view.T, normal @ view.T
    light = 0.35 + 0.75 * np.clip(normal @ LIGHT, 0, 1)
    low, high = place.min(axis=0), place.max(axis=0)
    step = max(high[0] - low[0], high[2] - low[2]) / (FILL * SIZE)
    pixel = np.rint((place - (low + high) / 2) / step * [1, 1, -1] + SIZE / 2).astype(int)[:, [2, 0]]
    order = np.argsort(-place[:, 1], kind="stable")  # the nearest is written last
    order = order[((pixel[order] >= 0) & (pixel[order] < SIZE)).all(axis=1)]
    picture = np.zeros((SIZE, SIZE, 4))
    row, column = pixel[order].T
    picture[row, column, :3] = np.clip(colour * light[:, None], 0, 1)[order]
    picture[row, column, 3] = 1
    around = sum(np.roll(picture, (i, j), axis=(0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    holes = (picture[..., 3] == 0) & (around[..., 3] > 4)  # between the dots
    picture[holes] = around[holes] / around[holes][:, 3:]
    return picture


def _dots(obj):
    """Dense places on an evaluated mesh with normals and colours: (N,3) each, world space; None for a mesh without faces."""
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
    if not len(triangles):
        return None
    matrix = np.array(obj.matrix_world)
    points, normals = points @ matrix[:3, :3].T + matrix[:3, 3], normals @ matrix[:3, :3].T
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    count = int(np.clip(np.ceil(DOTS * SIZE / np.sqrt(len(triangles))), 2, 40))
    u, v = ((np.stack(np.meshgrid(*[np.arange(count)] * 2, indexing="ij"), -1).reshape(-1, 2) + 0.3) / count).T
    inside = u + v < 1
    weights = np.stack([1 - u - v, u, v], axis=-1)[inside]  # (D,3)
    dots = [np.einsum("dk,tkc->tdc", weights, values).reshape(-1, values.shape[-1]) for values in
            (points[triangles], normals[triangles], uv[loops])]  # fmt: skip
    return dots[0], dots[1], _colours(obj.active_material, dots[2])


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
