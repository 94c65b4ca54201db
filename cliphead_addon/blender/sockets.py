"""A head whose skin is open for eyeballs: what is stored on it, and how its shape keys keep to that."""

import json
from dataclasses import dataclass

import numpy as np

from ..engine.geometry.eyes import Eye, close_lids, keep_out, open_sockets
from .mesh import key_points, vertices

EYES = "cliphead_eyes"  # custom property: the eyeballs as JSON
CLOSED = "cliphead_closed"  # point attribute: the vertices before the sockets were opened
DEPTHS = ("cliphead_lids_L", "cliphead_lids_R")  # point attributes: metres inside the lids' edges
NEAR = 2.0  # radii around an eyeball: what lies further away cannot come to it
BLINKS = ("cliphead_blink_L", "cliphead_blink_R")  # point attributes: how the skin moves in a blink, metres


@dataclass(frozen=True)
class Sockets:
    """The eyeballs of a head, and its skin around them."""

    eyes: list  # two Eye
    closed: np.ndarray  # (V,3) metres
    depths: np.ndarray  # (2,V) metres
    blinks: np.ndarray  # (2,V,3) metres

    def open(self):
        """The vertices with the sockets open: (V,3)."""
        return open_sockets(self.closed, self.eyes, self.depths)

    def pose(self, rest, motion):
        """Vertices (V,3) at rest and motions of shape keys (...,V,3) -> (...,V,3), lids closed and outside of the eyeballs."""
        posed = rest + motion
        for eye, depth, blink in zip(self.eyes, self.depths, self.blinks, strict=True):
            at = np.flatnonzero(np.linalg.norm(self.closed - eye.centre, axis=1) < NEAR * eye.radius)
            moved = rest[at] + close_lids(motion[..., at, :], self.closed[at], eye, depth[at], blink[at])
            posed[..., at, :] = keep_out(moved, [eye], depth[None, at])
        return posed


def read_sockets(head):
    """The `Sockets` of a mesh object, or None for a head with painted eyes."""
    text, mesh = head.get(EYES), head.data
    if text is None or any(name not in mesh.attributes for name in (CLOSED, *DEPTHS, *BLINKS)):
        return None
    eyes = [Eye(np.array(eye["centre"]), eye["radius"]) for eye in json.loads(text)]
    depths = np.stack([_read(mesh, name, 1) for name in DEPTHS])
    return Sockets(eyes, _read(mesh, CLOSED, 3), depths, np.stack([_read(mesh, name, 3) for name in BLINKS]))


def cut_sockets(head, eyes, depths, blinks):
    """Open the skin between the lids of a mesh object, in every shape key. eyes: as JSON; the rest as in `Sockets`."""
    mesh = head.data
    _write(mesh, CLOSED, "FLOAT_VECTOR", vertices(mesh))
    for names, kind, arrays in ((DEPTHS, "FLOAT", depths), (BLINKS, "FLOAT_VECTOR", blinks)):
        for name, values in zip(names, arrays, strict=True):
            _write(mesh, name, kind, values)
    head[EYES] = json.dumps(eyes)
    sockets = read_sockets(head)
    _replace(mesh, sockets.open(), sockets.pose)


def close_sockets(head):
    """Undo `cut_sockets`: the painted eyes are back; shape keys keep what holds their lids outside of the eyeballs."""
    mesh = head.data
    _replace(mesh, _read(mesh, CLOSED, 3), lambda rest, motion: rest + motion)
    for name in (CLOSED, *DEPTHS, *BLINKS):
        mesh.attributes.remove(mesh.attributes[name])
    del head[EYES]


def _replace(mesh, rest, pose):
    """New vertices (V,3), and shape keys with the motions (K,V,3) they had, posed by pose(rest, motions)."""
    keys = mesh.shape_keys
    if keys is not None:
        blocks = keys.key_blocks[1:]
        motions = np.reshape([key_points(key) for key in blocks], (-1, *rest.shape)) - key_points(keys.reference_key)
        for key, points in zip(blocks, pose(rest, motions).astype(np.float32), strict=True):
            key.points.foreach_set("co", points.ravel())
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
