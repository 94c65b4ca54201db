"""Teeth with gums, and a tongue, as simple closed bodies behind the lips.

Places and sizes are those of ICT-FaceKit's mean head, carried to other heads by the lips' anchors. Blender frame, metres; numpy
alone. Letters: V vertices, F faces.
"""

from dataclasses import dataclass

import numpy as np

# Millimetres from the middle of the upper lip's two anchors on the mean head: +X left, +Y back, +Z up.
MOUTH_WIDTH = 50.7  # between the mouth's corners
TEETH = np.array([  # of the left half, front to back: across, back, and each one's width, depth
    (4.4, 11.8, 8.6, 6.0), (11.4, 14.2, 7.2, 6.0), (16.6, 19.6, 7.6, 7.2), (19.6, 26.6, 7.2, 8.4),
    (21.8, 33.6, 7.2, 9.0), (23.6, 42.2, 10.0, 10.4), (25.4, 51.2, 9.6, 10.4), (28.0, 60.6, 9.0, 10.0),
])  # fmt: skip
UPPER = (-10.6, -1.5)  # the upper crowns, from edge to gum
LOWER = (-9.4, -20.5)
LOWER_SHARE, LOWER_BACK = 0.92, 2.2  # the lower arch is narrower and further back
GUM = (3.6, 5.0)  # half thickness and half height
LEAN = 0.33  # how far teeth lean back from edge to root, of their height
GUM_BEYOND = 5.0  # of the crowns' ends
TONGUE = ((14.0, 20.0, 66.0), -17.0)  # half width, front and back end; height of its middle
ROUND = 3.5  # exponent of the teeth's superellipsoids: 2 is an ellipsoid, more is a box


@dataclass(frozen=True)
class Body:
    """A closed mesh in parts."""

    vertices: np.ndarray  # (V,3) metres
    faces: np.ndarray  # (F,4) int32
    part: np.ndarray  # (F,) 0 teeth, 1 gums, 2 tongue
    lower: np.ndarray  # (V,) bool: moves with the jaw


def mouth(corners, upper_lip):
    """Teeth with gums, and tongue: corners of the mouth (2,3), anchors of the upper lip (2,3) -> two Body, metres."""
    # wide mouths have wider teeth only in part
    scale = np.sqrt(1000 * np.linalg.norm(corners[0] - corners[1]) / MOUTH_WIDTH)
    origin = np.array([(corners[:, 0].mean() + upper_lip[:, 0].mean()) / 2, *upper_lip.mean(axis=0)[1:]])
    teeth = _join([part for upper in (True, False) for part in _jaw(upper)])
    tongue = _join([_tongue()])

    def placed(body):
        return Body(origin + 0.001 * scale * body.vertices, body.faces, body.part, body.lower)

    return placed(teeth), placed(tongue)


def _jaw(upper):
    """Crowns and gum of one jaw, mm."""
    edge, root = UPPER if upper else LOWER
    share, back = (1.0, 0.0) if upper else (LOWER_SHARE, LOWER_BACK)
    arch = np.concatenate([TEETH[::-1] * [-1, 1, 1, 1], TEETH])  # right to left
    places = np.stack([share * arch[:, 0], arch[:, 1] + back], axis=-1)
    along = np.gradient(places, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    end = root + np.sign(root - edge) * GUM_BEYOND
    for (x, y), (cosine, sine), (width, depth) in zip(places, along, arch[:, 2:], strict=True):
        shape, faces = _superellipsoid(7, 10)
        size = [0.5 * share * width, 0.5 * depth, 0.5 * abs(end - edge)]
        shape = shape * size
        shape[:, :2] *= 1 - 0.18 * (shape[:, 2:] * np.sign(end - edge) / size[2])  # narrower at the root
        turned = np.stack([cosine * shape[:, 0] - sine * shape[:, 1], sine * shape[:, 0] + cosine * shape[:, 1]], axis=-1)
        from_edge = np.abs(shape[:, 2] + (end - edge) / 2)
        turned = turned + LEAN * from_edge[:, None] * [-sine, cosine]
        yield np.column_stack([turned + [x, y], shape[:, 2] + (edge + end) / 2]), faces, 0, not upper
    middle = root + np.sign(root - edge) * 0.7 * GUM[1]
    inward = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    yield (*_tube(places + LEAN * abs(middle - edge) * inward, middle), 1, not upper)


def _tube(places, height):
    """A rounded band along places (N,2), mm, smoothed."""
    N = 33
    t = np.linspace(0, len(places) - 1, N)
    line = np.stack([np.interp(t, np.arange(len(places)), places[:, i]) for i in (0, 1)], axis=-1)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1) / np.linalg.norm(along, axis=1)[:, None]
    turn = 2 * np.pi * np.arange(12) / 12
    ends = np.sqrt(np.clip(1 - np.linspace(-1.02, 1.02, N) ** 30, 0, 1))[:, None]  # closes at both ends
    thick, high = GUM[0] * ends * np.cos(turn), GUM[1] * ends * np.sin(turn)
    ring = np.concatenate([line[:, None] + across[:, None] * thick[..., None], height + high[..., None]], axis=-1)
    return ring.reshape(-1, 3), _strip(N, 12)


def _tongue():
    """The tongue, mm: broad and flat in front, thick behind."""
    (half, front, back), height = TONGUE
    shape, faces = _superellipsoid(16, 16, 2.3)
    x, y, z = shape.T
    along = (1 + y) / 2
    hump = 4.5 * np.sin(np.pi * along) + 2 * along
    groove = 1.6 * np.exp(-((x / 0.18) ** 2)) * (z > 0) * np.sin(np.pi * np.clip(along, 0, 1))
    place = np.stack([half * x, front + (back - front) * along, height + z * (4.0 + 6.0 * along) + hump - groove], axis=-1)
    return place, faces, 2, True


def _superellipsoid(rings, segments, power=ROUND):
    """A rounded box of half size 1: vertices (V,3), quads (F,4), the poles along Z being rings of no size."""
    polar = np.pi * np.arange(rings + 1)[:, None] / rings
    turn = 2 * np.pi * np.arange(segments)[None] / segments
    unit = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], axis=-1)
    unit /= (np.abs(unit) ** power).sum(axis=-1, keepdims=True) ** (1 / power)
    return unit.reshape(-1, 3), _strip(rings + 1, segments)[:, ::-1]


def _strip(rings, segments):
    """Quads between rings of vertices."""
    cell = np.arange((rings - 1) * segments).reshape(-1, segments)
    after = np.roll(cell, -1, axis=1)
    return np.stack([cell, after, after + segments, cell + segments], axis=-1).reshape(-1, 4).astype(np.int32)


def _join(parts):
    """Bodies (vertices, faces, part, lower) in one."""
    start = np.cumsum([0] + [len(vertices) for vertices, *_ in parts])
    return Body(
        np.concatenate([vertices for vertices, *_ in parts]),
        np.concatenate([faces + first for (_, faces, *_), first in zip(parts, start, strict=False)]),
        np.concatenate([np.full(len(faces), part) for _, faces, part, _ in parts]),
        np.concatenate([np.full(len(vertices), lower) for vertices, _, _, lower in parts]),
    )
