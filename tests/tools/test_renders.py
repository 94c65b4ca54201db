"""Pictures of studio heads show what they are made of."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("igl")

from tools.studio.look import HAIR_COLOURS, STYLES  # noqa: E402
from tools.studio.renders import CENTRE, Photographer  # noqa: E402
from tools.studio.styles import HAIRS  # noqa: E402


def ball(radius, centre, rings=12):
    """Vertices and faces of a sphere."""
    polar, turn = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    points = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], axis=-1)
    index = np.arange(points[..., 0].size).reshape(points.shape[:2])
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)])
    return points.reshape(-1, 3) * radius + centre, faces


@pytest.fixture
def camera():
    """A photographer of a ball, whose barber has one style: a cap, another ball further up."""
    camera = Photographer.__new__(Photographer)
    skin, camera.faces = ball(8.0, CENTRE)
    cap, faces = ball(7.0, CENTRE + [0, 4, 0])
    camera.population = SimpleNamespace(ict=SimpleNamespace(neutral=skin))
    camera.__dict__["_barber"] = SimpleNamespace(
        vertices=lambda person, worn: cap, volume=lambda style: SimpleNamespace(faces=faces)
    )
    return camera


def look(style="skin", hairdo="short"):
    shape = SimpleNamespace(style=hairdo)
    return SimpleNamespace(hair=HAIR_COLOURS.index("red"), style=STYLES.index(style), hair_shape=shape)


def photograph(camera, some_look):
    skin = camera.population.ict.neutral
    colours = np.tile([0.2, 0.3, 0.9], (len(skin), 1))
    hair = camera.hair(None, some_look, colours, np.random.default_rng(0))
    return hair, camera.picture(skin, colours, np.random.default_rng(1), 48, hair).astype(float)


def test_hair_is_seen_above_the_face_in_its_own_colour(camera):
    hair, image = photograph(camera, look())
    np.testing.assert_allclose(
        hair[2].mean(0) / hair[2].mean(), HAIRS[HAIR_COLOURS.index("red")] / HAIRS[HAIR_COLOURS.index("red")].mean(), atol=0.05
    )
    above, below = image[10:14, 20:28].reshape(-1, 3), image[30:36, 20:28].reshape(-1, 3)
    assert (above[:, 0] > above[:, 2]).all() and (below[:, 2] > below[:, 0]).all()


def test_the_bald_have_no_hair_and_the_same_picture_without_it(camera):
    hair, image = photograph(camera, look(hairdo="bald"))
    assert all(len(part) == 0 for part in hair)
    colours = np.tile([0.2, 0.3, 0.9], (len(camera.population.ict.neutral), 1))
    np.testing.assert_array_equal(image, camera.picture(camera.population.ict.neutral, colours, np.random.default_rng(1), 48))


def test_hair_of_stone_has_the_crowns_colour(camera):
    camera.population.ict.neutral[:, 1] += 20
    hair, _ = photograph(camera, look("marble statue"))
    np.testing.assert_allclose(hair[2].mean(0), [0.2, 0.3, 0.9], atol=0.02)
