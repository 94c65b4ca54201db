"""Eyeballs: where they sit in a head, how the skin opens for them, and how lids stay outside of them.

Everything is in the Blender frame, metres: Z up, the face looks along -Y, +X is the head's own left. numpy alone, as Blender's
side uses it too.
"""

from dataclasses import dataclass

import numpy as np

# Constants of the mean head of ICT-FaceKit: its eyeballs, and the corners of its lids, in metres.
RADIUS = 0.0153
CORNERS = 0.02694  # between the lids' corners
CENTRE = np.array([-0.0005, 0.0102, 0.0026])  # of the left eyeball, from the middle between its lids' corners
CORNEA = 0.10  # of the radius, how far the cornea's middle stands out
CORNEA_ANGLES = np.radians([13.0, 42.0])  # from the axis of sight: where it is highest, where it has ended
PAINTED_CORNEA = 0.15  # of the eyeballs that the head model was trained with
IRIS_ANGLE = np.radians(20.5)  # of its rim
FRONT = np.array([0.0, -1.0, 0.0])

SINK = 0.0042  # how deep the skin behind the lids goes into the eyeball
SINK_OVER = 0.0009  # within this distance from the lids' edge
WALL = 0.0008  # from the lids' edge: what lies further in stays inside the eyeball
HIDDEN = 0.0006  # at least this deep
LID_EDGE = 0.0008  # vertices so near to the lids' edges stand for them
LID_BAND = (0.0025, 0.0065)  # from the edge: where the lid moves as it should
CORNER_OVERLAP = 0.04  # more of it near the lids' corners, where the opening is narrow
LID_OVERLAP = 0.07  # radians that the upper lid goes beyond the lower one's edge
LID_LENGTH = 0.0095  # from the edge to the fold, which a blink leaves where it is
CLEARANCE = 0.00025  # of lids over the eyeball
REACH = 1.5  # radii around the centre in which skin is kept out


@dataclass(frozen=True)
class Eye:
    """One eyeball; it looks along FRONT."""

    centre: np.ndarray  # (3,) metres
    radius: float  # of the white

    def surface(self, points):
        """Distances from the centre (N,), and those of the eyeball's surface in the same directions (N,)."""
        away = np.asarray(points, np.float64) - self.centre
        distance = np.linalg.norm(away, axis=-1)
        return distance, self.radius * (1 + cornea(_angle(away, distance)))


def cornea(angle, height=CORNEA):
    """How far the surface stands out at an angle from the axis of sight, in radii."""
    start, end = CORNEA_ANGLES
    x = np.clip((end - angle) / (end - start), 0, 1)
    return height * x * x * (3 - 2 * x)


def fit_eye(points, corners):
    """The eyeball under an eye that the head's own surface shows.

    points: (N,3) of that surface; corners: (2,3) the lids' outer and inner corner -> Eye. The size follows from the corners;
    the centre is the one whose surface lies nearest to the points, those that lids cover having less of a say.
    """
    scale = float(np.linalg.norm(corners[0] - corners[1])) / CORNERS
    radius = RADIUS * scale
    side = np.sign(corners[:, 0].mean())
    centre = corners.mean(axis=0) + scale * CENTRE * [side, 1, 1]
    weights = np.ones(len(points))
    for _ in range(12):  # Gauss-Newton
        away = points - centre
        distance = np.linalg.norm(away, axis=1)
        error = distance - radius * (1 + cornea(_angle(away, distance), PAINTED_CORNEA))
        weights = 1 / (1 + (error / (0.01 * radius)) ** 2)
        direction = away / distance[:, None]
        hold = 0.02 * len(points)  # points on a cap leave the centre's depth loose: the mean head holds it a little
        A = (weights[:, None] * direction).T @ direction + hold * np.eye(3)
        centre = centre + np.linalg.solve(A, direction.T @ (weights * error))
    return Eye(centre, radius)


def open_sockets(points, eyes, depths):
    """Lids' edges stay, the skin between them goes into the eyeball: a pocket instead of a painted eye.

    points: (V,3); eyes: two Eye; depths: (2,V) metres inside the lids' edges, negative on the skin -> (V,3)
    """
    moved = np.array(points, np.float64)
    for eye, depth in zip(eyes, depths, strict=True):
        inside = depth > 0
        x = np.clip(depth[inside] / SINK_OVER, 0, 1)
        away = moved[inside] - eye.centre
        distance = np.linalg.norm(away, axis=1)
        moved[inside] -= away * (SINK * (x * x * (3 - 2 * x)) / distance)[:, None]
    return keep_out(moved, eyes, depths)


def keep_out(points, eyes, depths):
    """Points (...,V,3) as `open_sockets` with skin pushed out of the eyeballs, and the pockets' ground kept inside them."""
    moved = np.array(points, np.float64)
    for eye, depth in zip(eyes, depths, strict=True):
        distance, surface = eye.surface(moved)
        before = ((moved - eye.centre) @ FRONT > -0.2 * eye.radius) & (distance < REACH * eye.radius) & (distance > 1e-6)
        lids = before & (depth <= 0) & (distance < surface + CLEARANCE)
        ground = before & (depth > WALL) & (distance > surface - HIDDEN)
        wanted = np.where(lids, surface + CLEARANCE, surface - HIDDEN)
        at = lids | ground
        moved[at] = eye.centre + (moved[at] - eye.centre) * (wanted[at] / distance[at])[:, None]
    return moved


def close_lids(motion, points, eye, depth, blink):
    """A motion of the skin whose upper lid goes all the way that it sets out on.

    The expression network is smooth where lid and eyeball part, so that a closing lid's edge lags behind the lid. The edge's
    whole way is known: to the lower lid. Where the edge has done less of it than the lid has of a blink, the rest is added.
    motion: (...,V,3) metres, of several shapes at once; points: (V,3) at rest; depth: (V,); blink: (V,3) the motion of the
    same eye's blink -> (...,V,3)
    """
    band = (depth < -LID_BAND[0]) & (depth > -LID_BAND[1]) & (blink[:, 2] < 0)
    size = (blink[band] ** 2).sum()
    if size < 1e-12:
        return motion
    share = np.clip((motion[..., band, :] * blink[band]).sum(axis=(-2, -1)) / size, 0, 1)[..., None]
    way, weight = _closing(points, eye, depth)
    length = (way**2).sum(axis=1) + 1e-8  # (0.1 mm)^2
    done, usual = (motion * way).sum(axis=-1) / length, (blink * way).sum(axis=-1) / length
    lack = np.clip((share - done) / np.maximum(1 - usual, 0.05), 0, share)  # less where the motion is closed already
    return motion + (weight * lack)[..., None] * (way - blink)


def _closing(points, eye, depth):
    """How the upper lid turns about the eyeball's middle until its edge is at the lower lid's: (V,3), and its weights (V,)."""
    away = np.asarray(points, np.float64) - eye.centre
    height = np.arctan2(away[:, 2], -away[:, 1])  # elevation seen from the eyeball's middle
    edge = np.flatnonzero(np.abs(depth) < LID_EDGE)
    if len(edge) < 12:
        return np.zeros_like(away), np.zeros(len(away))
    x, h = away[edge, 0], height[edge]
    ends = x.argmin(), x.argmax()
    middle = np.interp(x, x[list(ends)], h[list(ends)])
    upper, lower = (np.polyfit(x[some], h[some], 3) for some in (h >= middle, h <= middle))
    opening = np.maximum(np.polyval(upper, away[:, 0]) - np.polyval(lower, away[:, 0]), 0)
    towards_corners = 1 - opening / max(opening[edge].max(), 1e-9)
    opening += (LID_OVERLAP + CORNER_OVERLAP * np.clip(towards_corners, 0, 1)) * np.clip(opening / LID_OVERLAP, 0, 1)
    opening[(away[:, 0] < x.min()) | (away[:, 0] > x.max())] = 0
    above = height > (np.polyval(upper, away[:, 0]) + np.polyval(lower, away[:, 0])) / 2
    turn = opening * np.clip(1 + depth / LID_LENGTH, 0, 1)  # of the skin, the more the nearer to the edge
    weight = np.clip((LID_BAND[1] + depth) / (LID_BAND[1] - LID_BAND[0]), 0, 1) * above * (depth < LID_EDGE)
    weight *= np.linalg.norm(away, axis=1) < REACH * eye.radius
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = np.stack([away[:, 0], cosine * away[:, 1] - sine * away[:, 2], sine * away[:, 1] + cosine * away[:, 2]], axis=-1)
    return turned - away, weight


def depth_inside(uv, outline, metres_per_uv):
    """How far points (V,2) lie inside a closed curve (n,2) of the UV tile: (V,) metres, negative outside."""
    start, end = outline, np.roll(outline, -1, axis=0)
    near = np.flatnonzero(((uv > outline.min(0) - 0.05) & (uv < outline.max(0) + 0.05)).all(axis=1))
    depth = np.full(len(uv), -1.0)
    p = uv[near][:, None]  # (N,1,2)
    along = end - start
    t = np.clip(((p - start) * along).sum(-1) / (along**2).sum(-1), 0, 1)
    distance = np.linalg.norm(p - (start + t[..., None] * along), axis=-1).min(axis=1)
    above = (start[:, 1] > p[..., 1]) != (end[:, 1] > p[..., 1])
    rise = np.where(along[:, 1] == 0, 1e-12, along[:, 1])
    crossing = start[:, 0] + (p[..., 1] - start[:, 1]) * along[:, 0] / rise
    inside = (above & (p[..., 0] < crossing)).sum(axis=1) % 2 == 1  # even-odd rule
    depth[near] = np.where(inside, distance, -distance) * metres_per_uv
    return depth


def eyeball(eye, rings=26, segments=40):
    """An eyeball's mesh around its own centre: vertices (V,3), quads (F,4), triangles of the two poles (T,3), uv (V,2).

    Rings lie closer to one another towards the pupil; `eye_uv` tells how the texture lies.
    """
    angle = np.pi * (np.arange(1, rings) / rings) ** 1.35
    turn = 2 * np.pi * np.arange(segments) / segments
    angle, turn = (a.ravel() for a in np.meshgrid(angle, turn, indexing="ij"))
    angle, turn = np.append(angle, [0, np.pi]), np.append(turn, [0, 0])
    direction = np.stack([np.sin(angle) * np.cos(turn), -np.cos(angle), np.sin(angle) * np.sin(turn)], axis=-1)
    vertices = direction * (eye.radius * (1 + cornea(angle)))[:, None]
    cell = np.arange((rings - 2) * segments).reshape(-1, segments)
    after = np.roll(cell, -1, axis=1)
    quads = np.stack([cell, cell + segments, after + segments, after], axis=-1).reshape(-1, 4)
    first, last = np.arange(segments), np.arange(segments) + (rings - 2) * segments
    front, back = len(vertices) - 2, len(vertices) - 1
    triangles = np.concatenate([
        np.stack([np.full(segments, front), first, np.roll(first, -1)], axis=-1),
        np.stack([np.full(segments, back), np.roll(last, -1), last], axis=-1),
    ])  # fmt: skip
    return vertices, quads.astype(np.int32), triangles.astype(np.int32), eye_uv(angle, turn)


def eye_uv(angle, turn):
    """Texture coordinates of an eyeball: the pupil in the middle, angles from it as square roots, so that the iris is large."""
    radius = 0.5 * np.sqrt(np.asarray(angle) / np.pi)
    return 0.5 + radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)


def poke_through(points, faces, eyes, depths, samples=6):
    """How deep skin lies inside the eyeballs, metres: the deepest of `samples`^2/2 places on every face (0 where none does).

    points: (V,3) posed; faces: (F,3) or (F,4), of which those with all corners on the skin (depths <= 0) count.
    """
    deepest = 0.0
    for eye, depth in zip(eyes, depths, strict=True):
        skin = faces[(depth[faces] <= 0).all(axis=1)]
        near = np.linalg.norm(points[skin].mean(axis=1) - eye.centre, axis=1) < REACH * eye.radius
        corner = points[skin[near]]
        if not len(corner):
            continue
        for a, b, c in [(0, 1, 2), (0, 2, 3)][: corner.shape[1] - 2]:
            for i in range(samples + 1):
                for j in range(samples + 1 - i):
                    u, v = i / samples, j / samples
                    place = (1 - u - v) * corner[:, a] + u * corner[:, b] + v * corner[:, c]
                    distance, surface = eye.surface(place)
                    before = (place - eye.centre) @ FRONT > -0.2 * eye.radius
                    deepest = max(deepest, float(np.max(np.where(before, surface - distance, 0))))
    return deepest


def _angle(away, distance):
    """From the axis of sight, of vectors (N,3) with lengths (N,)."""
    return np.arccos(np.clip(away @ FRONT / np.maximum(distance, 1e-12), -1, 1))
