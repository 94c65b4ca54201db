import numpy as np
import pytest

from cliphead_addon.engine.errors import UnwrapError
from cliphead_addon.engine.geometry import topology
from cliphead_addon.engine.geometry.seam import cut_open, find_seam, neck_of_disk


def neck(mesh):
    return topology.boundary_loops(mesh.faces)[0]


def test_the_seam_runs_up_the_back_on_the_middle_plane(heads):
    for mesh in heads:
        path = find_seam(mesh.canonical, mesh.faces, *neck_of_disk(mesh.faces))
        points = mesh.canonical[path]
        assert (points[:, 0] == 0).all()
        assert path[0] in neck(mesh) and not np.isin(path[1:], neck(mesh)).any()
        front, back = mesh.canonical[:, 2].max(), mesh.canonical[:, 2].min()
        assert points[0, 2] < 0 and abs(points[-1, 2] - (front + back) / 2) < 0.2 * (front - back)
        assert points[-1, 1] > 0.95 * mesh.canonical[:, 1].max()


def test_the_seam_is_made_of_mesh_edges(heads):
    mesh = heads[0]
    path = find_seam(mesh.canonical, mesh.faces, *neck_of_disk(mesh.faces))
    edges = {tuple(edge) for edge in topology.edge_table(mesh.faces)[0].tolist()}
    assert all(tuple(sorted(pair)) in edges for pair in zip(path[:-1].tolist(), path[1:].tolist(), strict=True))


def test_a_mesh_without_vertices_on_the_plane_gets_a_path_close_to_it(heads):
    mesh = heads[0]
    shifted = mesh.canonical + np.array([0.006, 0, 0], np.float32)
    points = shifted[find_seam(shifted, mesh.faces, *neck_of_disk(mesh.faces))]
    assert np.abs(points[:, 0]).max() < 0.06 and points[0, 2] < -0.2 and points[-1, 1] > 0.4


def test_a_mesh_beside_the_plane_is_refused(heads):
    mesh = heads[0]
    with pytest.raises(UnwrapError, match="Centre the head"):
        find_seam(mesh.canonical + [2, 0, 0], mesh.faces, *neck_of_disk(mesh.faces))


def test_cutting_leaves_a_disk_with_the_seam_twice_on_its_rim(heads):
    mesh = heads[0]
    path = find_seam(mesh.canonical, mesh.faces, *neck_of_disk(mesh.faces))
    faces, source, rim = cut_open(mesh.faces, path, neck(mesh))
    assert topology.euler(faces) == 1
    np.testing.assert_array_equal(source[faces], mesh.faces)
    assert len(source) == len(mesh.canonical) + len(path) - 1
    np.testing.assert_array_equal(source[rim[: len(path)]], path[::-1])
    np.testing.assert_array_equal(source[rim[len(rim) - len(path) + 1 :]], path[:-1])
    # The rim starts down the head's own right side, which is the left of the UV tile.
    triangles = (faces == rim[len(path) // 2]).any(axis=1)
    assert mesh.canonical[mesh.faces[triangles]][..., 0].mean() < 0
