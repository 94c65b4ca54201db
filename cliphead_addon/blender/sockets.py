"""A head whose skin is open for eyeballs: what is stored on it, and how its shape keys keep to that."""

import json

import numpy as np

from ..engine.geometry.eyes import Eye, keep_out, open_sockets
from .mesh import key_points

EYES = "cliphead_eyes"  # custom property: the eyeballs as JSON
DEPTHS = ("cliphead_lids_L", "cliphead_lids_R")  # point attributes: metres inside the lids' edges
CLOSED = "cliphead_closed"  # point attribute: the vertices before the sockets were opened


def read_sockets(head):
    """The eyeballs of a head and its vertices' depths (2,V), or None for a head with painted eyes."""
    text = head.get(EYES)
    if text is None or any(name not in head.data.attributes for name in DEPTHS):
        return None
    eyes = [Eye(np.array(eye["centre"]), eye["radius"]) for eye in json.loads(text)]
    return eyes, np.stack([_read(head.data, name, 1) for name in DEPTHS])


def cut_sockets(head, eyes, depths):
    """Open the skin between the lids of a mesh object, in every shape key. eyes: as JSON; depths: (2,V) metres."""
    mesh = head.data
    closed = vertices(mesh)
    _write(mesh, CLOSED, "FLOAT_VECTOR", closed)
    for name, depth in zip(DEPTHS, depths, strict=True):
        _write(mesh, name, "FLOAT", depth)
    head[EYES] = json.dumps(eyes)
    balls, depths = read_sockets(head)
    _replace(mesh, open_sockets(closed, balls, depths), lambda points: keep_out(points, balls, depths))


def close_sockets(head):
    """Undo `cut_sockets`: the painted eyes are back; shape keys keep what holds their lids outside of the eyeballs."""
    mesh = head.data
    closed = _read(mesh, CLOSED, 3)
    _replace(mesh, closed, lambda points: points)
    for name in (CLOSED, *DEPTHS):
        mesh.attributes.remove(mesh.attributes[name])
    del head[EYES]


def vertices(mesh):
    """A mesh's vertices, those of its Basis: (V,3) float32."""
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points.ravel())
    return points if mesh.shape_keys is None else key_points(mesh.shape_keys.reference_key)


def _replace(mesh, rest, correct):
    """New vertices (V,3), and shape keys that move as much as before, each corrected."""
    keys = mesh.shape_keys
    if keys is not None:
        before = key_points(keys.reference_key)
        for key in keys.key_blocks[1:]:
            key.points.foreach_set("co", correct(rest + key_points(key) - before).astype(np.float32).ravel())
        keys.reference_key.points.foreach_set("co", np.asarray(rest, np.float32).ravel())
    mesh.attributes["position"].data.foreach_set("vector", np.asarray(rest, np.float32).ravel())
    mesh.update()


def _read(mesh, name, width):
    values = np.empty(width * len(mesh.vertices), np.float32)
    mesh.attributes[name].data.foreach_get("vector" if width == 3 else "value", values)
    return values.reshape(-1, 3) if width == 3 else values


def _write(mesh, name, kind, values):
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set("vector" if kind == "FLOAT_VECTOR" else "value", np.asarray(values, np.float32).ravel())
