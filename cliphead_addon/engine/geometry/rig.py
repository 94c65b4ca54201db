"""Joints and skin weights of a head, from its anchors and from how its jaw opens.

Everything is in the Blender frame, metres: Z up, the face looks along -Y. Letters: V vertices, F faces.
"""

from dataclasses import dataclass

import numpy as np

BONES = ("neck", "head", "jaw")  # in the order of weights
OPENING = 0.8  # share of the largest motion: what moves more turns with the jaw
TEMPERED = 0.02  # weight of the anatomical joint against the motions, each
JOINT_FROM_EARS = np.array([-0.015, -0.005])  # y and z, metres
SMOOTHINGS = 6
NECK_SOFT = 0.030  # metres to either side of the plane between neck and head
THROAT_BELOW_CHIN, NAPE_BELOW_EARS = 0.010, 0.035  # metres
NAPE_FROM_BACK = 0.7  # of the way from the ears to the back of the head
SKULL_BELOW_EARS = 0.025  # metres: where the head turns on the neck


@dataclass(frozen=True)
class Hinge:
    """How the jaw opens: a turn about the X axis through a joint."""

    joint: np.ndarray  # (3,) metres, in the middle of the head
    angle: float  # radians, of the shape jawOpen


def fit_hinge(points, opening, ears):
    """The hinge of a jaw: points (V,3), opening (V,3) their displacements by jawOpen, ears (2,3) -> Hinge.

    A point that turns about the joint moves at right angles to the line from the joint to the middle of its path; the joint
    that fits the points moved most is sought, held near the place where it is in a skull.
    """
    size = np.linalg.norm(opening, axis=1)
    most = size > OPENING * size.max()
    path, middle = opening[most][:, 1:], (points + opening / 2)[most][:, 1:]
    direction = path / size[most, None]
    usual = ears.mean(axis=0)[1:] + JOINT_FROM_EARS
    hold = TEMPERED * most.sum()
    joint = np.linalg.solve(
        direction.T @ direction + hold * np.eye(2), direction.T @ (middle * direction).sum(axis=1) + hold * usual
    )
    before, after = points[most][:, 1:] - joint, (points + opening)[most][:, 1:] - joint
    turn = np.arctan2(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0], (before * after).sum(axis=1))
    furthest = np.argsort(-size[most])[: max(8, most.sum() // 3)]
    return Hinge(np.array([ears[:, 0].mean(), *joint]), float(np.median(turn[furthest])))


def jaw_weights(points, opening, hinge, faces):
    """How far each point follows the jaw: (V,) in 0..1, the share of the hinge's motion that its own motion is."""
    sine, cosine = np.sin(hinge.angle), np.cos(hinge.angle)
    away = (points - hinge.joint)[:, 1:]
    turned = np.zeros_like(points)
    turned[:, 1:] = away @ (np.array([[cosine, -sine], [sine, cosine]]) - np.eye(2)).T
    share = (opening * turned).sum(axis=1) / ((turned**2).sum(axis=1) + 1e-6)  # (1 mm)^2: near the joint nothing moves
    return smooth(np.clip(share, 0, 1), faces, SMOOTHINGS)


def smooth(values, faces, rounds):
    """Values (V,) at the vertices of faces (F,3) or (F,4), moved half-way to their neighbours' mean `rounds` times."""
    from scipy.sparse import coo_matrix  # Blender's side uses the rest of this module, and may have no scipy

    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    edges = coo_matrix((np.ones(len(start)), (start, end)), (len(values),) * 2).tocsr()
    edges = ((edges + edges.T) > 0).astype(float)
    count = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (edges @ values) / count
    return values


@dataclass(frozen=True)
class Neck:
    """The plane that parts the head from the neck, from below the chin up to the nape."""

    point: np.ndarray  # (3,) metres
    normal: np.ndarray  # (3,) unit, towards the head

    @classmethod
    def between(cls, chin, ears, back):
        """chin: (3,); ears: (2,3); back: (3,) of the head."""
        middle = ears.mean(axis=0)
        throat = np.array([0, (chin[1] + middle[1]) / 2, chin[2] - THROAT_BELOW_CHIN])
        nape = np.array([0, middle[1] + NAPE_FROM_BACK * (back[1] - middle[1]), middle[2] - NAPE_BELOW_EARS])
        along = nape - throat
        normal = np.array([0, -along[2], along[1]])
        return cls((throat + nape) / 2, normal / np.linalg.norm(normal))

    def head_share(self, points):
        """How far points (N,3) follow the head rather than the neck: (N,) in 0..1."""
        x = np.clip(((points - self.point) @ self.normal) / (2 * NECK_SOFT) + 0.5, 0, 1)
        return x * x * (3 - 2 * x)


def skin_weights(jaw, head):
    """Shares of jaw and head (V,) each -> (V,3) in the order of BONES, rows of sum 1."""
    return np.stack([(1 - jaw) * (1 - head), (1 - jaw) * head, jaw], axis=-1).astype(np.float32)
