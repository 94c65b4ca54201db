"""A head's arrays as a Blender mesh."""

import bpy
import numpy as np

from ..engine.geometry.frames import neck_centre, nphm_to_blender

UV_MAP = "UVMap"
CANONICAL = "cliphead_canonical"  # point attribute: the vertices in the head model's canonical pose, NPHM units


def build_mesh(name, unwrapped):
    """`UnwrappedHead` -> bpy mesh in metres, Z up, face towards -Y, origin at the neck, with its UV map and seams."""
    head = unwrapped.mesh
    points = nphm_to_blender(head.vertices, neck_centre(head.vertices, unwrapped.boundary))
    mesh = smooth_mesh(name, points, head.faces)
    mesh.uv_layers.new(name=UV_MAP)
    mesh.attributes[UV_MAP].data.foreach_set("vector", _flat(unwrapped.uv, np.float32))
    mesh.attributes.new(CANONICAL, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", _flat(head.canonical, np.float32))
    mark_seam(mesh, unwrapped.seam)
    return mesh


def smooth_mesh(name, points, faces):
    """Points (V,3) in metres and faces, (F,3) triangles or (F,4) quads -> smooth bpy mesh."""
    V, (F, corners) = len(points), faces.shape
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(V)
    mesh.loops.add(corners * F)
    mesh.polygons.add(F)
    # attributes by name and whole arrays: ten times faster than from_pydata, and their order differs between Blenders
    mesh.attributes["position"].data.foreach_set("vector", _flat(points, np.float32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, corners * F, corners, dtype=np.int32))
    mesh.loops.foreach_set("vertex_index", _flat(faces, np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def canonical_points(mesh):
    """(V,3) float32 in the canonical pose, or None for a mesh that was not made here."""
    attribute = mesh.attributes.get(CANONICAL)
    if attribute is None or attribute.domain != "POINT" or attribute.data_type != "FLOAT_VECTOR":
        return None
    points = np.empty((len(mesh.vertices), 3), np.float32)
    attribute.data.foreach_get("vector", points.ravel())
    return points


def positions(mesh):
    """A mesh's vertices as they stand: (V,3) float32, object space."""
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points.ravel())
    return points


def set_positions(mesh, points):
    """Inverse of `positions`."""
    mesh.attributes["position"].data.foreach_set("vector", _flat(points, np.float32))
    mesh.update()


def vertices(mesh):
    """A mesh's vertices at rest, those of its Basis: (V,3) float32, object space."""
    return positions(mesh) if mesh.shape_keys is None else key_points(mesh.shape_keys.reference_key)


def key_points(key):
    """A shape key's points: (V,3) float32, object space."""
    points = np.empty((len(key.points), 3), np.float32)
    key.points.foreach_get("co", points.ravel())
    return points


def triangles(mesh):
    """A mesh's faces as triangles: (F,3) int32 of vertices, and of corners."""
    faces, corners = np.empty((2, len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces.ravel())
    mesh.loop_triangles.foreach_get("loops", corners.ravel())
    return faces, corners


def marked_seam(mesh):
    """Vertex pairs (S,2) int32 of the edges that are marked as seams."""
    pairs = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", pairs.ravel())
    marked = np.empty(len(mesh.edges), bool)
    mesh.edges.foreach_get("use_seam", marked)
    return pairs[marked]


def mark_seam(mesh, seam):
    """seam: (S,2) vertex pairs, each an edge of the mesh."""
    V = len(mesh.vertices)
    pairs = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", pairs.ravel())
    marked = np.isin(_edge_keys(pairs, V), _edge_keys(seam, V))
    attribute = mesh.attributes.get("uv_seam") or mesh.attributes.new("uv_seam", "BOOLEAN", "EDGE")
    attribute.data.foreach_set("value", marked)


def _edge_keys(pairs, V):
    """(E,2) vertex pairs in either direction -> (E,) one number each."""
    low, high = np.sort(np.asarray(pairs, np.int64), axis=-1).T
    return low * V + high


def _flat(array, dtype):
    return np.ascontiguousarray(array, dtype).ravel()
