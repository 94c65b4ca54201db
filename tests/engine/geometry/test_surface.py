import numpy as np
import pytest
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from cliphead_addon.engine.errors import Cancelled, SurfaceError
from cliphead_addon.engine.geometry import sampling, surface, topology
from tools.hostile import BOX, KINDS, ball, hostile, union

from .heads import HIGH, LOW, AnalyticHead


def assert_disk(vertices, faces):
    assert topology.euler(faces) == 1
    loops = topology.boundary_loops(faces)
    assert len(loops) == 1
    assert topology.edge_table(faces)[2].max() == 2
    assert len(np.unique(faces)) == len(vertices)
    corner = vertices[faces].astype(np.float64)
    assert (np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) > 0).all()
    assert len(np.unique(vertices, axis=0)) == len(vertices)
    return loops[0]


def test_a_sphere_that_leaves_the_box_below_is_a_disk_on_the_sphere():
    field = ball((0, -0.5, 0), 0.7)
    vertices, faces, _ = surface.extract(field, *BOX, 65)
    loop = assert_disk(vertices, faces)
    assert np.abs(field(vertices)).max() < 0.1 * 2 / 64  # a tenth of a voxel
    np.testing.assert_allclose(vertices[loop, 1], -1.0, atol=1e-6)
    circle = np.sqrt(0.7**2 - 0.5**2)
    np.testing.assert_allclose(np.linalg.norm(vertices[loop][:, [0, 2]], axis=1), circle, atol=0.1 * 2 / 64)


def test_faces_are_counter_clockwise_seen_from_outside():
    vertices, faces, _ = surface.extract(ball((0, -0.5, 0), 0.7), *BOX, 49)
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert (np.einsum("fi,fi->f", normal, corner.mean(axis=1) - [0, -0.5, 0]) > 0).all()


def test_vertices_on_the_middle_plane_form_a_path_over_the_head():
    vertices, faces, _ = surface.extract(AnalyticHead(), LOW, HIGH, 64)
    edges = topology.edge_table(faces)[0]
    middle = vertices[:, 0] == 0
    degree = np.bincount(edges[middle[edges].all(axis=1)].ravel(), minlength=len(vertices))
    assert (degree[middle] <= 2).all() and (degree[middle] == 1).sum() == 2


def test_sparse_extraction_is_the_dense_marching_cubes_surface():
    field = AnalyticHead()
    vertices, faces, report = surface.extract(field, LOW, HIGH, 96)
    grid = sampling.Grid.over(LOW, HIGH, 96)
    values = field(grid.points(np.arange(np.prod(grid.shape)))).reshape(grid.shape)
    dense, dense_faces, _, _ = marching_cubes(values, 0.0)
    dense = dense * grid.step + grid.origin
    to_dense = _distance(vertices, dense, dense_faces)
    to_sparse = _distance(dense[dense[:, 1] < HIGH[1]], vertices, faces)
    assert max(to_dense, to_sparse) < 0.1 * grid.step
    assert report["evaluations"] < 0.07 * report["dense_evaluations"]


def _distance(points, vertices, faces):
    """Largest distance from points to a surface, sampled by its vertices, edge middles and face middles."""
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    near = cKDTree(corner.mean(axis=1)).query(points, k=8)[1]
    return np.abs(np.einsum("nki,nki->nk", points[:, None] - corner[near, 0], normal[near])).min(axis=1).max()


def test_only_the_largest_part_is_kept():
    vertices, faces, report = surface.extract(union(ball((0, -0.6, 0), 0.5), ball((0, 0.6, 0), 0.2)), *BOX, 49)
    assert_disk(vertices, faces)
    assert vertices[:, 1].max() < 0 and report["components_removed"] == 1


def test_a_bubble_inside_disappears():
    def hollow(points):
        return np.maximum(ball((0, -0.5, 0), 0.8)(points), -ball((0, -0.3, 0), 0.3)(points))

    vertices, faces, report = surface.extract(hollow, *BOX, 49)
    assert_disk(vertices, faces)
    assert report["components_removed"] == 1


def ring(points):
    """A torus standing on a ball."""
    across = np.hypot(points[:, 0], points[:, 1] - 0.35) - 0.3
    return np.hypot(across, points[:, 2]) - 0.09


@pytest.mark.parametrize("field", [ring, lambda points: ring(points * [1, 1, 1] + [0.35, 0, 0])])
def test_a_handle_is_cut(field):
    vertices, faces, report = surface.extract(union(ball((0, -0.6, 0), 0.7), field), *BOX, 49)
    assert_disk(vertices, faces)
    assert report["handles_cut"] == 1


def test_two_tunnels_are_closed():
    def pierced(points):
        tunnels = [np.hypot(points[:, 0] - x, points[:, 1]) - 0.12 for x in (-0.3, 0.3)]
        return np.maximum(ball((0, -0.4, 0), 0.9)(points), -np.min(tunnels, axis=0))

    vertices, faces, report = surface.extract(pierced, *BOX, 49)
    assert_disk(vertices, faces)
    assert report["handles_cut"] == 2


def test_a_second_opening_below_is_closed():
    vertices, faces, report = surface.extract(
        union(ball((0, -0.1, 0), 0.5), lambda p: np.maximum(np.hypot(p[:, 0], p[:, 2]) - 0.4, p[:, 1]),
              lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1] + 0.9) - 0.6, p[:, 2]) - 0.08),
        *BOX, 65,
    )  # fmt: skip
    assert_disk(vertices, faces)
    assert report["holes_closed"] >= 1


def test_a_surface_leaving_the_sides_is_closed_there():
    vertices, faces, report = surface.extract(lambda p: np.hypot(p[:, 0] * 0.2, p[:, 1] + 0.6) - 0.5, *BOX, 33)
    loop = assert_disk(vertices, faces)
    np.testing.assert_allclose(vertices[loop, 1], -1, atol=1e-6)
    assert set(report["closed_at_the_box"]) >= {"right", "left"}


def test_a_closed_surface_is_opened_at_its_neck():
    vertices, faces, report = surface.extract(ball((0, 0.1, 0), 0.6), *BOX, 49)
    loop = assert_disk(vertices, faces)
    assert report["neck_opened"] and np.ptp(vertices[loop, 1]) < 1e-6 and vertices[loop, 1].max() < -0.3


def test_a_surface_that_leaves_the_box_is_said_to():
    slanted = [0.9, 0.1, 0]
    vertices, faces, report = surface.extract(lambda p: p @ slanted + 0.3, *BOX, 33)
    assert_disk(vertices, faces)
    assert set(report["closed_at_the_box"]) == {"right", "top", "front", "back"} and not report["neck_opened"]


def test_parts_that_are_all_closed_are_opened_at_the_largest_ones_neck():
    vertices, faces, report = surface.extract(union(ball((0.3, 0, 0), 0.5), ball((-0.6, 0.6, 0), 0.25)), *BOX, 49)
    assert_disk(vertices, faces)
    assert report["neck_opened"] and report["components_removed"] == 1 and vertices[:, 0].min() > -0.3


def test_more_handles_than_a_head_can_have_are_refused():
    def sieve(points):
        holes = np.cos(20 * points[:, 0]) + np.cos(20 * points[:, 1])
        return np.maximum(ball((0, -0.3, 0), 0.9)(points), holes - 1)

    with pytest.raises(SurfaceError, match=r"handles; a head has none\. Try"):
        surface.extract(sieve, *BOX, 33)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_any_field_gives_a_disk_or_a_clear_answer(kind, seed):
    random = np.random.default_rng(seed)
    field, resolution = hostile(kind, random), random.choice([17, 25])
    try:
        vertices, faces, _ = surface.extract(field, *BOX, resolution)
    except SurfaceError as error:
        assert "Try" in str(error)
    else:
        assert topology.flaws(vertices, faces) == []
        assert_disk(vertices, faces)


@pytest.mark.parametrize("noise", range(4))
def test_a_noisy_field_gives_a_disk_or_says_why_not(noise):
    random = np.random.default_rng(noise)
    wave, phase = random.normal(0, 12, (6, 3)), random.uniform(0, 6, 6)

    def rough(points):
        return ball((0, -0.5, 0), 0.7)(points) + 0.06 * np.sin(points @ wave.T + phase).sum(axis=1)

    try:
        assert_disk(*surface.extract(rough, *BOX, 33)[:2])
    except SurfaceError as error:
        assert "Try" in str(error)


@pytest.mark.parametrize("value, word", [(1.0, "No surface"), (-1.0, "No surface"), (np.nan, "not finite")])
def test_fields_without_a_head_are_refused(value, word):
    with pytest.raises(SurfaceError, match=word):
        surface.extract(lambda p: np.full(len(p), value, np.float32), *BOX, 33)


def test_cancelling_stops_the_sampling():
    def stop(stage, fraction):
        raise Cancelled

    field = AnalyticHead()
    with pytest.raises(Cancelled):
        surface.extract(field, LOW, HIGH, 64, stop)
    assert field.evaluations <= sampling.CHUNK
