import numpy as np
import pytest

from cliphead_addon.engine.errors import SurfaceError
from cliphead_addon.engine.geometry import topology


def sheet(n=6):
    """A flat n x n square of triangles."""
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()[:, None]
    faces = np.concatenate([corner + [0, n + 2, n + 1], corner + [0, 1, n + 2]])
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0))
    return np.stack([x.ravel(), y.ravel(), np.zeros((n + 1) ** 2)], axis=-1), faces


def torus(n=12, m=8):
    i, j = np.meshgrid(np.arange(n), np.arange(m), indexing="ij")
    at = lambda a, b: ((a % n) * m + b % m).ravel()  # noqa: E731
    a, b, c, d = at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)
    faces = np.concatenate([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)])
    u, v = 2 * np.pi * i.ravel() / n, 2 * np.pi * j.ravel() / m
    around = 2 + 0.6 * np.cos(v)
    return np.stack([around * np.cos(u), around * np.sin(u), 0.6 * np.sin(v)], axis=-1), faces


def test_euler_characteristics():
    assert topology.euler(sheet()[1]) == 1
    assert topology.euler(torus()[1]) == 0


def test_the_boundary_keeps_the_surface_on_its_left():
    vertices, faces = sheet(3)
    (loop,) = topology.boundary_loops(faces)
    x, y = vertices[loop, :2].T
    assert len(loop) == 12
    assert 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) == 9


def test_a_clean_sheet_stays_as_it_is():
    vertices, faces = sheet()
    clean, clean_faces, report = topology.clean_disk(vertices, faces)
    np.testing.assert_array_equal(clean[clean_faces], vertices[faces])
    assert not any(report.values())


def test_a_hole_is_closed():
    vertices, faces = sheet()
    _, clean, report = topology.clean_disk(vertices, np.delete(faces, [20, 21], axis=0))
    assert topology.euler(clean) == 1 and report["holes_closed"] > 0


def test_a_punctured_torus_becomes_a_disk():
    vertices, faces = torus()
    clean, clean_faces, report = topology.clean_disk(vertices, faces[(faces != 5).all(axis=1)])
    assert topology.euler(clean_faces) == 1 and len(topology.boundary_loops(clean_faces)) == 1
    assert report["handles_cut"] == 1
    assert len(clean) > len(vertices)  # both ends of the cut were capped


def test_a_closed_surface_has_no_neck():
    with pytest.raises(SurfaceError, match="closed"):
        topology.clean_disk(*torus())


def test_a_fin_on_an_inner_edge_is_dropped():
    vertices, faces = sheet()
    edges, _, count = topology.edge_table(faces)
    inner = edges[(count == 2).argmax()]
    fin = np.concatenate([faces, [[*inner, len(vertices)]]])
    _, clean, report = topology.clean_disk(np.concatenate([vertices, [[1, 1, 1.0]]]), fin)
    assert topology.euler(clean) == 1 and report["nonmanifold_faces_removed"] == 3


def test_fans_touching_in_a_point_are_parted():
    faces, source = topology.split_fans(np.array([[0, 1, 2], [0, 3, 4]]))
    assert len(np.unique(faces)) == 6
    assert sorted(source) == [0, 0, 1, 2, 3, 4]


def test_a_cut_parts_both_sides_but_not_its_inner_end():
    _, faces = sheet(4)
    path = np.array([2, 7, 12])  # from the rim to the middle
    cut, source = topology.split_fans(faces, np.stack([path[:-1], path[1:]], axis=-1))
    assert sorted(source[25:]) == [2, 7]
    assert topology.euler(cut) == 1 and len(topology.boundary_loops(cut)[0]) == 16 + 4


def test_needles_are_turned_and_the_outline_stays():
    vertices, faces = sheet(8)
    vertices = vertices + [0.3, 0, 0]  # off the middle plane
    skewed = vertices + np.stack([3 * vertices[:, 1], np.zeros(81), np.zeros(81)], axis=-1)
    turned = topology.flip_needles(skewed, faces, rounds=12)

    def widest(faces):
        corner = skewed[faces]
        sides = np.linalg.norm(corner - np.roll(corner, -1, axis=1), axis=-1)
        return sides.max()

    assert widest(turned) < widest(faces)
    assert topology.euler(turned) == 1
    assert set(topology.boundary_loops(turned)[0]) == set(topology.boundary_loops(faces)[0])
    corner = skewed[turned]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])[:, 2] / 2
    assert (area > 0).all() and area.sum() == pytest.approx(64)


def test_edges_on_the_middle_plane_are_never_turned():
    vertices = np.array([[0, 0, 0], [0, 1, 0], [0.1, 0.5, 0], [-0.1, 0.5, 0], [1, 0.5, 0.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3]])
    np.testing.assert_array_equal(topology.flip_needles(vertices, faces), faces)
