import time
from dataclasses import replace

import numpy as np
from scipy.spatial import ConvexHull, Delaunay
from skimage.measure import label

from cliphead_addon.engine.geometry import raster, unwrap
from cliphead_addon.engine.geometry.mesh import mean_curvature, vertex_normals
from cliphead_addon.engine.nets.texture import seam_pairs
from cliphead_addon.engine.packs import open_pack


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
    assert label(~coverage, connectivity=1).max() == 1


def sphere(radius, count=40_000):
    """An even sphere: points (V,3), faces (F,3) counter-clockwise from outside."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    points = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=-1)
    faces = ConvexHull(points).simplices
    inward = np.einsum(
        "fc,fc->f", np.cross(*np.moveaxis(points[faces][:, 1:] - points[faces][:, :1], 1, 0)), points[faces[:, 0]]
    )
    faces[inward < 0] = faces[inward < 0][:, ::-1]
    return radius * points, faces


def test_a_spheres_mean_curvature_is_one_over_its_radius():
    for radius in (0.4, 2.0):
        points, faces = sphere(radius, 3000)
        np.testing.assert_allclose(mean_curvature(points, faces, points / radius), 1 / radius, rtol=2e-3)
        found = mean_curvature(points, faces, vertex_normals(points, faces))
        assert abs(np.median(found) * radius - 1) < 0.01 and (np.abs(found * radius - 1) < 0.1).all()


def test_a_cylinder_of_quads_has_half_the_curvature_and_a_hollow_one_its_negative():
    around, along = 64, 5
    angle = 2 * np.pi * np.arange(around) / around
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points = np.concatenate([np.column_stack([ring, np.full(around, 0.1 * level)]) for level in range(along)])
    i, j = np.meshgrid(np.arange(around), np.arange(along - 1))
    i, j, after = i.ravel(), j.ravel(), (i.ravel() + 1) % around
    faces = np.stack([j * around + i, j * around + after, (j + 1) * around + after, (j + 1) * around + i], axis=-1)
    normals = points * [1, 1, 0]
    np.testing.assert_allclose(mean_curvature(points, faces, normals), 0.5, rtol=2e-3)
    np.testing.assert_allclose(mean_curvature(points, faces[:, ::-1], -normals), -0.5, rtol=2e-3)


def test_a_plane_is_flat():
    points, faces = triangulation(300)
    points = np.column_stack([points, np.zeros(len(points))])
    normals = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    np.testing.assert_allclose(mean_curvature(points, faces, normals), 0, atol=1e-9)


def points_on_rim(uv):
    """Points (N,2) on the edges of an island (F,3,2) that have one triangle: both banks of the seam and the neck."""
    _, corner = np.unique(uv.reshape(-1, 2), axis=0, return_inverse=True)
    corner = corner.reshape(uv.shape[:2])
    ends = np.stack([corner, np.roll(corner, -1, axis=1)], axis=-1).reshape(-1, 2)
    _, side, count = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True, return_counts=True)
    alone = count[side.ravel()] == 1
    start, end = (corners.reshape(-1, 1, 2)[alone] for corners in (uv, np.roll(uv, -1, axis=1)))
    t = np.linspace(0, 1, 9)[:, None]
    return ((1 - t) * start + t * end).reshape(-1, 2)


def test_maps_leave_no_hole_along_the_seam_and_the_boundary(heads, layout):
    result = unwrap.unwrap(heads[0], layout)
    rim = points_on_rim(result.uv)
    for size in (256, 512):
        positions, coverage = raster.position_map(result, size, padding=2)
        curvature, _ = raster.curvature_map(result, size, padding=2)
        normals = raster.normal_map(result, size, padding=2)
        assert label(~coverage, connectivity=1).max() == 1  # what is not drawn is one piece: around the island
        # Every texel that a lookup on the rim, on either bank of the seam, mixes together is filled.
        place = raster.frames.uv_to_pixel(rim, size) - 0.5
        for offset in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = (np.floor(place) + offset).astype(int).T
            assert np.linalg.norm(positions[row, column], axis=-1).min() > 0.1
            assert (normals[row, column] != 128).any(axis=-1).all()
            assert (curvature[row, column] != 0).all()


def test_both_banks_of_the_seam_show_the_same_place(heads, layout):
    result = unwrap.unwrap(heads[0], layout)
    positions, _ = raster.position_map(result, 512, padding=2)
    pairs = seam_pairs(result.mesh.faces, result.uv, result.seam)
    column, row = np.moveaxis(raster.frames.uv_to_pixel(pairs, 512).astype(int), -1, 0)
    one, other = np.moveaxis(positions[row, column], 1, 0)
    assert np.linalg.norm(one - other, axis=1).max() < 0.06  # about two pixels' width there


def test_quads_and_triangles_give_the_same_maps(heads, layout):
    result = unwrap.unwrap(heads[0], layout)
    faces = np.concatenate([result.mesh.faces, result.mesh.faces[:, :1]], axis=1)  # quads with one corner twice
    quads = replace(result, mesh=replace(result.mesh, faces=faces), uv=np.concatenate([result.uv, result.uv[:, :1]], axis=1))
    for draw in (raster.normal_map, lambda head, size: raster.position_map(head, size)[0]):
        np.testing.assert_allclose(draw(quads, 128), draw(result, 128), atol=1e-5)


def test_parts_are_filled_by_the_even_odd_rule():
    def square(low, high):
        return np.array([[low, low], [high, low], [high, high], [low, high]])

    outlines = {
        "lips.0": square(0.25, 0.75),
        "lips.1": square(0.375, 0.625),
        "eyes.0": square(0.0, 0.125),
        "other": np.zeros(1),
    }
    image = raster.part_map(outlines, 64)
    assert image.dtype == np.uint8
    lips, eyes = (image == raster.PARTS.index(name) for name in ("lips", "eyes"))
    assert lips.sum() == 32 * 32 - 16 * 16 and lips[32, 20] and not lips[32, 32]
    assert eyes.sum() == 8 * 8 and eyes[60, 3]  # v is up: low is at the bottom
    assert (image[~lips & ~eyes] == 0).all()


def test_the_packs_parts_lie_where_they_are_on_the_face():
    pack = open_pack("starter")
    image = raster.part_map(pack.tensors(pack.part("quads")["file"]), 256)
    centre = {name: np.argwhere(image == index).mean(axis=0) for index, name in enumerate(raster.PARTS)}
    rows = [centre[name][0] for name in ("scalp", "brows", "eyes", "lips")]
    assert rows == sorted(rows)
    for name, (_, column) in centre.items():
        assert abs(column - 128) < 3, name  # they are symmetric
        assert (image == raster.PARTS.index(name)).any()


def test_many_small_triangles_are_drawn_in_seconds():
    points, faces = triangulation(75_000)
    started = time.process_time()
    raster.rasterise(points[faces], points[faces], 512)
    assert time.process_time() - started < 5  # about 0.3 on an idle core; a loop over triangles takes minutes
