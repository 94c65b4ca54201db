"""A head's vertices moved in place: points for the worker, and its answer back on the mesh, its shape keys and its hair."""

from types import SimpleNamespace

import bpy
import numpy as np

from ..engine.errors import ClipHeadError
from ..engine.geometry.frames import blender_to_nphm, nphm_to_blender
from .hair import hair_of
from .keyframes import move_animation
from .mesh import CANONICAL, build_mesh, canonical_points, key_points, positions, set_positions, smooth_mesh, vertices
from .shape_keys import add_shape_keys
from .sockets import EYES, keep_sockets, move_sockets, put_sockets_back


def arrays_of(head):
    """What the worker needs for a preview: canonical (V,3), faces (F,3 or 4), and hair_vertices (H,3) where there is hair."""
    mesh = head.data
    faces = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", faces)
    arrays = {"canonical": canonical_points(mesh), "faces": faces.reshape(len(mesh.polygons), -1)}
    hair = hair_of(head)
    if hair is not None:
        arrays["hair_vertices"] = blender_to_nphm(positions(hair.data), origin(head)).astype(np.float32)
    return arrays


def keep(head):
    """Everything that `place` changes of a mesh whose vertices keep their order, for `put_back`."""
    hair = hair_of(head)
    keys = head.data.shape_keys
    return SimpleNamespace(
        points=positions(head.data),
        canonical=canonical_points(head.data),
        keys={} if keys is None else {key.name: key_points(key) for key in keys.key_blocks},
        hair=None if hair is None else positions(hair.data),
        sockets=keep_sockets(head),
    )


def put_back(head, kept):
    """Inverse of what `place` did since `keep`; nothing where the mesh is another by now."""
    if len(head.data.vertices) != len(kept.points):
        return
    set_positions(head.data, kept.points)
    head.data.attributes[CANONICAL].data.foreach_set("vector", kept.canonical.ravel())
    if head.data.shape_keys is not None:
        for key in head.data.shape_keys.key_blocks:
            if key.name in kept.keys:
                key.points.foreach_set("co", kept.keys[key.name].ravel())
    put_sockets_back(head, kept.sockets)
    hair = hair_of(head)
    if hair is not None and kept.hair is not None and len(hair.data.vertices) == len(kept.hair):
        set_positions(hair.data, kept.hair)


def place(head, arrays):
    """Give a head's object the worker's arrays; see `jobfiles.load_shaped`. Texture coordinates and materials stay.

    Vertices in the same order move where they are, and shape keys with them; another surface replaces the mesh.
    """
    same = len(arrays["vertices"]) == len(head.data.vertices)
    if "faces" in arrays and (not same or arrays["faces"].shape[1] == 3):  # triangles are never the same twice
        _replace(head, arrays)
    elif same:
        _move(head, arrays)
    else:
        raise ClipHeadError(f"The mesh of '{head.name}' was changed meanwhile. Move the slider again.", "BAD_MESH")
    _place_hair(head, arrays)


def _move(head, arrays):
    mesh = head.data
    points = nphm_to_blender(arrays["vertices"], _rim_centre(mesh, arrays["vertices"])).astype(np.float32)
    keys = mesh.shape_keys
    if EYES in head:
        move_sockets(head, points)
    else:
        shift = points - vertices(mesh)
        for key in keys.key_blocks if keys is not None else ():
            key.points.foreach_set("co", (key_points(key) + shift).ravel())
        set_positions(mesh, points)
    mesh.attributes[CANONICAL].data.foreach_set("vector", np.ascontiguousarray(arrays["canonical"], np.float32).ravel())
    for name, move in arrays.get("displacements", {}).items():
        key = keys.key_blocks.get(name) if keys is not None else None
        if key is not None:
            key.points.foreach_set("co", (points + nphm_to_blender(move).astype(np.float32)).ravel())


def _replace(head, arrays):
    old = head.data
    mesh = build_mesh(old.name, SimpleNamespace(mesh=SimpleNamespace(**arrays), **arrays))
    for material in old.materials:
        mesh.materials.append(material)
    head.data = mesh
    add_shape_keys(head, arrays["displacements"])
    if mesh.shape_keys is not None and old.shape_keys is not None:
        for key in mesh.shape_keys.key_blocks:
            if key.name in old.shape_keys.key_blocks:
                key.value = old.shape_keys.key_blocks[key.name].value
        move_animation(old.shape_keys, mesh.shape_keys)
    if old.users == 0:
        name = old.name
        bpy.data.meshes.remove(old)
        mesh.name = name


def _place_hair(head, arrays):
    hair, points = hair_of(head), arrays.get("hair_vertices")
    if hair is None or points is None:
        return
    points = nphm_to_blender(points, _rim_centre(head.data, arrays["vertices"]))
    if len(points) == len(hair.data.vertices) and "hair_faces" not in arrays:
        set_positions(hair.data, points)
    elif "hair_faces" in arrays:
        old = hair.data
        hair.data = smooth_mesh(old.name, points, arrays["hair_faces"])
        for material in old.materials:
            hair.data.materials.append(material)
        if old.users == 0:
            bpy.data.meshes.remove(old)


def _rim_centre(mesh, vertices):
    """Where a head's origin goes: the centre of the mesh's open edges, by length, on vertices (V,3) of any frame."""
    around = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", around)
    pairs = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", pairs.ravel())
    start, end = np.moveaxis(vertices[pairs[np.bincount(around, minlength=len(pairs)) == 1]].astype(np.float64), 1, 0)
    return np.average((start + end) / 2, axis=0, weights=np.linalg.norm(end - start, axis=1))


def origin(head):
    """The NPHM point where a head's object has its origin: most of the skin is where it is in the canonical pose."""
    return np.median(canonical_points(head.data) - blender_to_nphm(vertices(head.data)), axis=0)
