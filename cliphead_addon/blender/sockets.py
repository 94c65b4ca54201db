"""A head whose skin is open for eyeballs: what is stored on it, and how its shape keys keep to that."""

import json
from dataclasses import dataclass

import numpy as np
from mathutils import Vector

from ..engine.geometry.eyes import Eye, close_lids, keep_out, open_sockets
from .family import find_eyeballs
from .mesh import key_points, positions, set_positions, vertices

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
    mesh = head.data
    if EYES not in head or any(name not in mesh.attributes for name in (CLOSED, *DEPTHS, *BLINKS)):
        return None
    eyes = [Eye(np.array(eye["centre"]), eye["radius"]) for eye in read_eyes(head)]
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


def read_eyes(head):
    """The eyeballs that a head's sockets are open for, as JSON: side, centre and radius in metres; [] with painted eyes."""
    return json.loads(head.get(EYES, "[]"))


def move_sockets(head, points):
    """Take a mesh object's skin, sockets, shape keys and eyeballs along to where its closed skin goes: (V,3) metres."""
    mesh, before, sockets = head.data, read_eyes(head), read_sockets(head)
    eyes = []
    for eye, depth in zip(before, sockets.depths, strict=True):
        shift = (points - sockets.closed)[depth > 0].mean(axis=0)  # of the painted eye, which the closed skin has
        eyes.append(eye | {"centre": (np.array(eye["centre"]) + shift).tolist()})
    _write(mesh, CLOSED, "FLOAT_VECTOR", points)
    head[EYES] = json.dumps(eyes)
    sockets = read_sockets(head)
    _replace(mesh, sockets.open(), sockets.pose)
    move_eyeballs(head, before)


def move_eyeballs(head, before):
    """Take eyeballs from where they were, as JSON, to where a head's sockets are; what was changed by hand stays changed."""
    balls, old = find_eyeballs(head), {eye["side"]: eye for eye in before}
    for eye in read_eyes(head):
        ball, was = balls.get(eye["side"]), old.get(eye["side"])
        if ball is not None and was is not None:
            ball.location += Vector(eye["centre"]) - Vector(was["centre"])
            set_positions(ball.data, positions(ball.data) * np.float32(eye["radius"] / was["radius"]))


def keep_sockets(head):
    """What `move_sockets` changes beside vertices and shape keys, for `put_sockets_back`; None with painted eyes."""
    return (head[EYES], _read(head.data, CLOSED, 3)) if EYES in head else None


def put_sockets_back(head, kept):
    """Inverse of what `move_sockets` did since `keep_sockets`."""
    if kept is not None and EYES in head:
        before = read_eyes(head)
        head[EYES] = kept[0]
        _write(head.data, CLOSED, "FLOAT_VECTOR", kept[1])
        move_eyeballs(head, before)


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
