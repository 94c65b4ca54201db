"""Texture coordinates for meshes that are already in the scene."""

import numpy as np
from mathutils import Vector

from ..engine.errors import UnwrapError
from ..engine.geometry.frames import blender_to_nphm
from ..engine.jobfiles import load_mesh, load_unwrapped, save_mesh
from . import session
from .mesh import mark_seam, triangles, vertices

HEAD_MAP = "Head"  # the UV map that is written; other maps of the mesh stay as they are
FRAME = "cliphead_frame"  # custom property of the mesh: the 16 numbers of the matrix from it to the NPHM frame, row by row


def unwrap_as_head(obj, upright=False):
    """Write a mesh object's seam and UV map `HEAD_MAP`, laid out as the pack's heads, and how it stands; nothing else changes.

    upright: trust the scene that the head is upright (+Z) and looks to -Y, instead of finding that out from its shape. Returns
    the report of `geometry.foreign.unwrap_mesh`. Raises ClipHeadError, and leaves the mesh untouched.
    """
    return write_map(obj, ask(obj, upright).folder)


def ask(obj, upright=False, place=None):
    """Have the engine unwrap a mesh object -> the Job, ended, or followed to its place. Raises ClipHeadError."""
    mesh = obj.data
    if not len(mesh.polygons):
        raise UnwrapError(f"'{obj.name}' has no faces. Choose the mesh of a head.")
    if HEAD_MAP not in mesh.uv_layers and len(mesh.uv_layers) == 8:
        raise UnwrapError(f"'{obj.name}' has 8 UV maps, the most there can be. Remove one first.")
    faces, _ = triangles(mesh)
    around = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", around)
    closed = bool((np.bincount(around) != 1).all())  # no edge is open
    folder = session.new_folder()
    save_mesh(vertices(mesh), faces, _diagonals(mesh, faces), folder)
    to_object = obj.matrix_world.to_3x3().inverted_safe()
    up, front = (list((to_object @ Vector(axis)).normalized()) for axis in ((0, 0, 1), (0, -1, 0)))
    return session.unwrap(folder, up if upright or closed else None, front if upright else None, place)


def write_map(obj, folder):
    """Give a mesh object the seam and the map that the engine has found for it -> report. Raises ClipHeadError."""
    uv, seam, report = load_unwrapped(folder)
    mesh = obj.data
    faces, loops = triangles(mesh)
    if not np.array_equal(faces, load_mesh(folder)["faces"]):
        raise UnwrapError(f"The mesh of '{obj.name}' was changed meanwhile: it was not unwrapped. Try again.")
    corners = np.empty((len(mesh.loops), 2), np.float32)
    corners[loops.ravel()] = uv.reshape(-1, 2)  # the cut runs along the polygons' edges: all triangles of one agree
    layer = mesh.uv_layers.get(HEAD_MAP) or mesh.uv_layers.new(name=HEAD_MAP, do_init=False)
    mesh.attributes[layer.name].data.foreach_set("vector", corners.ravel())
    layer.active = layer.active_render = True
    mark_seam(mesh, seam)
    mesh[FRAME] = np.ravel(report["frame"]).tolist()
    mesh.update()
    return report


def placed(obj):
    """The vertices of a mesh that was unwrapped here, in the NPHM frame: (V,3) float32.

    One that does not say how it stands, from an earlier version, is taken to stand upright and to look to -Y in the scene.
    """
    points, frame = vertices(obj.data).astype(np.float64), np.array(obj.data.get(FRAME, ()), np.float64)
    if frame.shape == (16,):
        frame = frame.reshape(4, 4)
        return (points @ frame[:3, :3].T + frame[:3, 3]).astype(np.float32)
    return blender_to_nphm(points @ np.array(obj.matrix_world.to_3x3()).T).astype(np.float32)


def _diagonals(mesh, faces):
    """Sides (D,2) of the triangles that are no edges of the mesh."""
    edges = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", edges.ravel())
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1).astype(np.int64)
    key, real = (pairs @ [len(mesh.vertices), 1] for pairs in (sides, np.sort(edges, axis=1).astype(np.int64)))
    return np.unique(sides[~np.isin(key, real)], axis=0)
