import time

import numpy as np
from scipy.spatial import Delaunay

from cliphead_addon.engine.geometry import raster, unwrap


def triangulation(count, seed=0):
    points = np.concatenate([np.random.default_rng(seed).uniform(0, 1, (count, 2)), [[0, 0], [1, 0], [0, 1], [1, 1]]])
    return points, Delaunay(points).simplices


def test_a_tiled_square_is_covered_once_without_holes():
    points, faces = triangulation(3000)
    corner = raster.frames.uv_to_pixel(points[faces], 128)
    pixels = np.concatenate([pixel for _, pixel, _ in raster._fragments(corner, 128)])
    assert len(pixels) == 128 * 128 and len(np.unique(pixels)) == len(pixels)


def test_a_linear_attribute_is_reproduced():
    points, faces = triangulation(200)
    colour = points @ [[0.3, -1, 0], [0.5, 2, 0]] + [0, 0, 7]
    image, coverage = raster.rasterise(points[faces], colour[faces], 64)
    centre = (np.arange(64) + 0.5) / 64
    u, v = np.meshgrid(centre, 1 - centre)
    expected = np.stack([u, v], axis=-1) @ [[0.3, -1, 0], [0.5, 2, 0]] + [0, 0, 7]
    assert coverage.all()
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_covered_pixels_measure_the_polygon():
    angle = np.linspace(0, 2 * np.pi, 7)[:-1]
    hexagon = 0.5 + 0.4 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    uv = np.stack([np.full((6, 2), 0.5), hexagon, np.roll(hexagon, -1, axis=0)], axis=1)
    coverage = raster.coverage(uv, 512)
    np.testing.assert_array_equal(coverage, raster.rasterise(uv, np.ones((6, 3, 1)), 512)[1])
    assert abs(coverage.mean() - 1.5 * np.sqrt(3) * 0.4**2) < 2e-3


def test_row_zero_is_the_top():
    uv = np.array([[[0.1, 0.9], [0.3, 0.7], [0.3, 0.9]]])
    _, coverage = raster.rasterise(uv, np.ones((1, 3, 1)), 50)
    rows, columns = np.nonzero(coverage)
    assert rows.max() < 16 and columns.max() < 16


def test_triangles_outside_or_without_area_draw_nothing():
    uv = np.array([[[1.2, 0.1], [1.5, 0.1], [1.3, 0.4]], [[0.2, 0.2], [0.2, 0.2], [0.5, 0.2]], [[-2, -1], [-1, -1], [-1, -2]]])
    assert not raster.rasterise(uv, np.ones((3, 3, 1)), 32)[1].any()


def test_the_nearer_triangle_is_seen():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, -1.0]])
    colour = np.repeat([[1.0], [2.0]], 3, axis=0)
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        image, mask = raster.render(points, np.array(faces), colour, 64)
        assert image[40, 10, 0] == 2  # low: the second triangle is in front
        assert image[10, 4, 0] == 1  # high: it has sunk behind the first
        assert not mask[2, 60]


def test_padding_repeats_the_nearest_pixel_and_no_more():
    image = np.zeros((32, 32, 3), np.uint8)
    coverage = np.zeros((32, 32), bool)
    image[8:24, 8:16], image[8:24, 16:24] = 10, 200
    coverage[8:24, 8:24] = True
    padded = raster.pad(image, coverage, 4)
    assert (padded[10, 4:8] == 10).all() and (padded[10, 24:28] == 200).all()
    assert (padded[10, :4] == 0).all() and (padded[10, 28:] == 0).all()
    np.testing.assert_array_equal(padded[coverage], image[coverage])


def test_normal_and_position_maps_show_the_head(heads, layout):
    result = unwrap.unwrap(heads[0], layout)
    normals = raster.normal_map(result, 128)
    positions, coverage = raster.position_map(result, 128)
    assert normals.dtype == np.uint8 and (normals[~coverage] == 128).all()
    length = np.linalg.norm(normals[coverage] / 127.5 - 1, axis=1)
    np.testing.assert_allclose(length, 1, atol=0.02)
    assert normals[64, 64, 2] > 200  # the face looks along +z
    surface = np.abs(np.linalg.norm(positions, axis=-1)[coverage])
    assert surface.min() > 0.1 and surface.max() < 1
    # The island has no hole: its complement is one piece that touches the border.
    from skimage.measure import label

    assert label(~coverage, connectivity=1).max() == 1


def test_many_small_triangles_are_drawn_in_seconds():
    points, faces = triangulation(75_000)
    started = time.process_time()
    raster.rasterise(points[faces], points[faces], 512)
    assert time.process_time() - started < 5  # about 0.3 on an idle core; a loop over triangles takes minutes
