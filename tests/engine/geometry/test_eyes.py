"""Eyeballs and the skin around them, on spheres where the answer is known."""

import numpy as np
import pytest

from cliphead_addon.engine.geometry import eyes
from cliphead_addon.engine.geometry.eyes import (
    CORNERS,
    FRONT,
    Eye,
    close_lids,
    cornea,
    depth_inside,
    eyeball,
    fit_eye,
    keep_out,
    open_sockets,
    poke_through,
)
from cliphead_addon.engine.iris import HUMAN, colour_in_words, iris_colour, paint_eye

EYE = Eye(np.array([0.031, -0.09, 0.15]), 0.015)
OPENING = np.array([0.013, 0.0055])  # metres: half axes of the lids' opening


@pytest.fixture(scope="module")
def lid():
    """A sheet 1 mm before the eyeball, with an almond opening: points, quads, depth inside the opening."""
    n = 61
    x, z = np.meshgrid(np.linspace(-0.02, 0.02, n), np.linspace(-0.02, 0.02, n), indexing="ij")
    r = 0.0165
    y = -np.sqrt(np.maximum(r * r - x * x - z * z, (0.35 * r) ** 2))
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3) + EYE.centre
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.stack([corner, corner + n, corner + n + 1, corner + 1], axis=-1)
    depth = OPENING[1] * (1 - np.linalg.norm(np.stack([x, z], -1).reshape(-1, 2) / OPENING, axis=1))
    return points, faces, depth


def outside(points, depth):
    distance, surface = EYE.surface(points)
    return (distance - surface)[depth <= 0]


def test_the_eyeball_is_a_sphere_with_a_cornea():
    vertices, quads, triangles, uv = eyeball(EYE)
    distance, surface = Eye(np.zeros(3), EYE.radius).surface(vertices)
    np.testing.assert_allclose(distance, surface, atol=1e-12)
    assert distance.max() == pytest.approx(EYE.radius * (1 + eyes.CORNEA)) and distance.min() == pytest.approx(EYE.radius)
    np.testing.assert_allclose(vertices[vertices[:, 1].argmin()] / distance.max(), FRONT, atol=1e-12)
    edges = np.concatenate([np.stack([f, np.roll(f, -1, 1)], -1).reshape(-1, 2) for f in (quads, triangles)])
    assert len(np.unique(edges, axis=0)) == len(edges) == 2 * len(np.unique(np.sort(edges, 1), axis=0))  # closed, one winding
    a, b, c = np.moveaxis(vertices[np.concatenate([quads[:, :3], triangles])], 1, 0)
    assert (np.einsum("fc,fc->f", np.cross(b - a, c - a), a + b + c) > 0).all()  # outward
    assert ((uv >= 0) & (uv <= 1)).all()


def test_the_pupil_is_in_the_middle_of_the_picture():
    vertices, _, _, uv = eyeball(EYE)
    np.testing.assert_allclose(uv[vertices[:, 1].argmin()], 0.5, atol=1e-9)
    left = vertices[:, 0].argmax()
    assert uv[left, 0] > 0.7 and uv[left, 1] == pytest.approx(0.5)


def test_a_painted_eye_tells_where_its_eyeball_is():
    """The front of a known eyeball, as a head's surface shows it, with some lid over its rim."""
    scale = EYE.radius / eyes.RADIUS
    random = np.random.default_rng(0)
    angle, turn = random.uniform(0, np.radians(48), 400), random.uniform(0, 2 * np.pi, 400)
    direction = np.stack([np.sin(angle) * np.cos(turn), -np.cos(angle), np.sin(angle) * np.sin(turn)], axis=-1)
    points = EYE.centre + direction * (EYE.radius * (1 + cornea(angle, eyes.PAINTED_CORNEA)))[:, None]
    points[angle > np.radians(42)] += 0.0008 * direction[angle > np.radians(42)]
    middle = EYE.centre - scale * eyes.CENTRE + [0.001, 0.0005, 0]  # where the lids' corners are does not decide
    corners = middle + np.array([[scale * CORNERS / 2, 0, 0], [-scale * CORNERS / 2, 0, 0]])
    found = fit_eye(points, corners)
    assert found.radius == pytest.approx(EYE.radius, rel=1e-6)
    np.testing.assert_allclose(found.centre, EYE.centre, atol=3e-4)


def test_open_sockets_dive_into_the_eyeball_and_leave_the_skin(lid):
    points, _, depth = lid
    opened = open_sockets(points, [EYE], depth[None])
    distance, surface = EYE.surface(opened)
    assert (distance < surface)[depth > eyes.WALL].all()
    np.testing.assert_array_equal(opened[depth <= 0], points[depth <= 0])  # it was outside already


def test_skin_is_pushed_out_of_the_eyeball(lid):
    points, faces, depth = lid
    pressed = points + 0.002 * -FRONT  # 2 mm towards the eyeball
    assert poke_through(pressed, faces, [EYE], depth[None]) > 0.0005
    kept = keep_out(pressed, [EYE], depth[None])
    assert outside(kept, depth).min() > 0.9 * eyes.CLEARANCE
    assert poke_through(kept, faces, [EYE], depth[None]) < 1e-4


def test_a_lid_that_stops_short_goes_on_to_the_lower_lid(lid):
    """A motion as the network makes it: the lid follows a blink, but its edge lags."""
    points, _, depth = lid
    away = points - EYE.centre
    x, h = away[:, 0], np.arctan2(away[:, 2], -away[:, 1])
    above = (h > 0) & (depth < 0.0008)
    opening = 2 * np.arctan(OPENING[1] * np.sqrt(np.clip(1 - (x / OPENING[0]) ** 2, 0, 1)) / 0.016)
    turn = opening * np.clip(1 + depth / eyes.LID_LENGTH, 0, 1) * above
    y, z = np.cos(turn) * away[:, 1] - np.sin(turn) * away[:, 2], np.sin(turn) * away[:, 1] + np.cos(turn) * away[:, 2]
    turned = np.stack([x, y, z], axis=-1)
    blink = (turned - away) * np.clip(-depth / 0.003, 0.2, 1)[:, None]
    edge = above & (np.abs(depth) < 0.0006) & (np.abs(x) < 0.008)
    before = (points + blink)[edge, 2] - EYE.centre[2]
    after = (points + close_lids(blink, points, EYE, depth, blink))[edge, 2] - EYE.centre[2]
    assert before.mean() > 0.001 and after.max() < -0.003  # the lower lid's edge is at about -5 mm
    half = close_lids(0.5 * blink, points, EYE, depth, blink)[edge, 2]
    np.testing.assert_allclose(half, 0.5 * (after - (points[edge, 2] - EYE.centre[2])), atol=6e-4)
    still = close_lids(np.zeros_like(points), points, EYE, depth, blink)
    np.testing.assert_allclose(still, 0, atol=1e-12)


def test_depth_is_the_distance_from_the_outline():
    outline = 0.5 + 0.1 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    found = depth_inside(np.array([[0.5, 0.5], [0.58, 0.5], [0.62, 0.5], [0.0, 0.0]]), outline, 2.0)
    np.testing.assert_allclose(found[:3], [0.2, 0.04, -0.04], atol=1e-12)
    assert found[3] < 0


@pytest.mark.parametrize(
    "text, index",
    [
        ("a man with blue eyes", 0),
        ("green-eyed woman", 1),
        ("eyes of hazel", 3),
        ("dark brown eyes", 5),
        ("brown eyes", 4),
    ],
)
def test_words_name_the_iris(text, index):
    assert iris_colour(text, np.zeros((0, 3))) == HUMAN[index]


def test_without_words_the_painted_iris_decides():
    assert colour_in_words("a man with red hair") is None
    assert iris_colour("a man", np.array([[60, 80, 105]] * 5)) == HUMAN[0]
    assert iris_colour("a man", np.array([[70, 44, 26]] * 5)) == HUMAN[4]


def test_the_picture_has_pupil_iris_and_white():
    picture = paint_eye((90, 120, 160), size=256)
    assert picture.shape == (256, 256, 3) and picture[128, 128].max() < 20
    iris = picture[128, 128 + 32].astype(int)
    assert iris[2] > iris[0] and picture[128, 128 + 80].min() > 150
