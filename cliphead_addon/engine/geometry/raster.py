"""Triangles to pixels, in numpy without a loop over triangles: maps in UV space, padding, and depth-buffered renders."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from . import frames
from .mesh import mean_curvature, triangulate

PARTS = ("skin", "lips", "eyes", "brows", "ears", "scalp")
FRAGMENTS = 4_000_000  # at a time, which bounds the memory whatever the size of the image


def rasterise(uv, attributes, size):
    """Interpolate attributes over triangles in UV space.

    uv: (F,3,2), v up; attributes: (F,3,C) per corner; size: pixels R.
    Returns image (R,R,C) float32, row 0 at the top, 0 outside, and coverage (R,R) bool, the pixels whose centre lies in a
    triangle. Every edge belongs to one of its two triangles, so a mesh covers without holes or double pixels.
    """
    corner = frames.uv_to_pixel(np.asarray(uv, np.float64), size)
    attributes = np.asarray(attributes, np.float32)
    image = np.zeros((size * size, attributes.shape[-1]), np.float32)
    coverage = np.zeros(size * size, bool)
    for face, pixel, weights in _fragments(corner, size):
        image[pixel] = np.einsum("nk,nkc->nc", weights, attributes[face])
        coverage[pixel] = True
    return image.reshape(size, size, -1), coverage.reshape(size, size)


def render(points, faces, attributes, size):
    """Draw triangles with a depth buffer, seen along the third coordinate.

    points: (V,3), the first two in [0,1]^2 as UV (the second up), the third the depth, larger is nearer; faces: (F,3);
    attributes: (V,C). Returns image (R,R,C) float32 and mask (R,R) bool as `rasterise`. Faces turned away are drawn too.
    """
    points = np.asarray(points, np.float64)
    corner = frames.uv_to_pixel(points[:, :2], size)[faces]
    depth = points[faces, 2]
    attributes = np.asarray(attributes, np.float32)
    image = np.zeros((size * size, attributes.shape[-1]), np.float32)
    nearest = np.full(size * size, -np.inf)
    for face, pixel, weights in _fragments(corner, size):
        z = np.einsum("nk,nk->n", weights, depth[face])
        order = np.argsort(z, kind="stable")  # of equal pixels the last written, the nearest, stays
        order = order[z[order] > nearest[pixel[order]]]
        front = np.zeros(size * size, np.int64)
        front[pixel[order]] = order + 1
        drawn = np.flatnonzero(front)
        chosen = front[drawn] - 1
        nearest[drawn] = z[chosen]
        image[drawn] = np.einsum("nk,nkc->nc", weights[chosen], attributes[faces[face[chosen]]])
    return image.reshape(size, size, -1), np.isfinite(nearest).reshape(size, size)


def coverage(uv, size):
    """Which pixels have their centre in a triangle: uv (F,3,2) -> (R,R) bool, row 0 at the top."""
    return rasterise(uv, np.zeros((len(uv), 3, 0), np.float32), size)[1]


def pad(image, coverage, pixels):
    """Copy the nearest covered pixel outwards. image: (R,R,...), coverage: (R,R) bool -> image, `pixels` px wider."""
    if not pixels or not coverage.any():
        return image.copy()
    distance, nearest = distance_transform_edt(~coverage, return_indices=True)
    rows, columns = np.nonzero((distance > 0) & (distance <= pixels))
    padded = image.copy()
    padded[rows, columns] = image[nearest[0, rows, columns], nearest[1, rows, columns]]
    return padded


def normal_map(unwrapped, size, padding=0):
    """NPHM-frame normals in UV space: (R,R,3) uint8, [-1,1] mapped to [0,255], 128 outside; padding: px, see `pad`."""
    normals, coverage = over_corners(unwrapped, unwrapped.mesh.normals, size)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    image = np.where(coverage[..., None], np.rint(normals * 127.5 + 127.5), 128).astype(np.uint8)
    return pad(image, coverage, padding)


def position_map(unwrapped, size, padding=0):
    """Canonical positions in UV space: (R,R,3) float32 NPHM units, 0 outside, and coverage (R,R) bool before padding (px)."""
    image, coverage = over_corners(unwrapped, unwrapped.mesh.canonical, size)
    return pad(image, coverage, padding), coverage


def curvature_map(unwrapped, size, padding=0):
    """Mean curvature in UV space, positive where the surface bulges: (R,R) float32 per NPHM unit, 0 outside, and coverage."""
    mesh = unwrapped.mesh
    curvature = mean_curvature(mesh.vertices, mesh.faces, mesh.normals)
    image, coverage = over_corners(unwrapped, curvature[:, None], size)
    return pad(image[..., 0], coverage, padding), coverage


def part_map(outlines, size):
    """Which part of the head each texel shows: (R,R) uint8, an index into PARTS.

    outlines: "part.loop" -> (n,2) UV of a closed curve, as a pack's quads part holds them; the same for all heads, as their
    coordinates are aligned. A texel is in a part by the even-odd rule over its loops; where parts overlap the later one of
    PARTS wins. The outlines reach past the island, so neither seam nor boundary needs padding.
    """
    image = np.zeros((size, size), np.uint8)
    for index, part in enumerate(PARTS):
        loops = [np.asarray(loop, np.float64) for name, loop in outlines.items() if name.startswith(f"{part}.")]
        if loops:
            image[_inside([frames.uv_to_pixel(loop, size) for loop in loops], size)] = index
    return image


def _inside(loops, size):
    """Pixels (R,R) bool whose centre lies inside closed curves [(n,2) pixels, ...] by the even-odd rule."""
    start = np.concatenate(loops)
    end = np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    top, bottom = (np.where((start[:, 1] <= end[:, 1])[:, None], *pair) for pair in ((start, end), (end, start)))
    first = np.clip(np.ceil(top[:, 1] - 0.5), 0, size).astype(np.int64)
    height = np.clip(np.ceil(bottom[:, 1] - 0.5), 0, size).astype(np.int64) - first
    edge = np.repeat(np.arange(len(start)), height)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(height) - height, height) + first[edge]
    column = np.clip(np.ceil(_crossing(top[edge], bottom[edge], row + 0.5) - 0.5), 0, size).astype(np.int64)
    crossings = np.bincount(row * (size + 1) + column, minlength=size * (size + 1)).reshape(size, size + 1)
    return (np.cumsum(crossings[:, :size], axis=1) & 1).astype(bool)


def over_corners(unwrapped, values, size):
    """Values (V,C) at the vertices of an `UnwrappedHead` of triangles or quads, as `rasterise` draws them."""
    uv, attributes = unwrapped.uv, values[unwrapped.mesh.faces]
    if uv.shape[1] == 4:
        uv, attributes = triangulate(uv), triangulate(attributes)
    return rasterise(uv, attributes, size)


def _fragments(corner, size):
    """Yield (face (N,), flat pixel (N,), barycentric weights (N,3)) for triangles (F,3,2) in pixels (column, row).

    Row by row: an edge crosses a row's centre line at a place computed from its upper end to its lower one, the same to the
    last bit in both its triangles, and a span takes the pixel centres from its left crossing up to, not with, its right.
    """
    order = np.lexsort((corner[..., 0], corner[..., 1]), axis=-1)  # corners by row, then column
    top, middle, bottom = np.moveaxis(np.take_along_axis(corner, order[..., None], axis=1), 1, 0)
    first = np.clip(np.ceil(top[:, 1] - 0.5), 0, size).astype(np.int64)
    last = np.clip(np.ceil(bottom[:, 1] - 0.5), 0, size).astype(np.int64)
    width = np.clip(np.ptp(corner[..., 0], axis=1) + 1, 1, size)
    work = np.cumsum((last - first) * width)
    cuts = np.searchsorted(work, np.arange(FRAGMENTS, work[-1] if len(work) else 0, FRAGMENTS))
    for faces in np.split(np.arange(len(corner)), cuts):
        height = last[faces] - first[faces]
        face = np.repeat(faces, height)
        if not len(face):
            continue
        row = np.arange(len(face)) - np.repeat(np.cumsum(height) - height, height) + first[face]
        y = row + 0.5
        whole = _crossing(top[face], bottom[face], y)
        upper = y < middle[face, 1]
        half = _crossing(
            np.where(upper[:, None], top[face], middle[face]), np.where(upper[:, None], middle[face], bottom[face]), y
        )
        left = np.clip(np.ceil(np.minimum(whole, half) - 0.5), 0, size).astype(np.int64)
        right = np.clip(np.ceil(np.maximum(whole, half) - 0.5), 0, size).astype(np.int64)
        length = np.maximum(right - left, 0)
        face, row = np.repeat(face, length), np.repeat(row, length)
        column = np.arange(len(face)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(left, length)
        yield face, row * size + column, _barycentric(corner[face], column + 0.5, row + 0.5)


def _crossing(start, end, y):
    """Where edges (N,2) to (N,2), start above end, cross the lines y (N,)."""
    drop = end[:, 1] - start[:, 1]
    return start[:, 0] + (y - start[:, 1]) * ((end[:, 0] - start[:, 0]) / np.where(drop == 0, 1, drop))


def _barycentric(corner, x, y):
    """Weights (N,3) of points (N,) in triangles (N,3,2), clamped to the triangle and summing to one."""
    a, b, c = np.moveaxis(corner, 1, 0)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(area == 0, 1, area)
    v = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    weights = np.clip(np.stack([1 - v - w, v, w], axis=-1), 0, 1)
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
