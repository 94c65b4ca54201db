"""Portraits without Blender."""

import fake_engine
import numpy as np

from cliphead_addon.engine.geometry.thumbnail import thumbnail
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


def portrait(words, **choices):
    head = fake_engine.generate(Prompt(words), None, Settings(texture_size=256), lambda *_: None)
    return thumbnail(head.unwrapped, head.textures.albedo, head.unwrapped.mesh.hair, head.textures.hair_colour, **choices)


def test_a_head_fills_its_picture_and_the_rest_is_transparent():
    image = portrait("a man", size=96)
    assert image.shape == (96, 96, 4) and image.dtype == np.uint8
    rows = np.flatnonzero((image[..., 3] == 255).any(axis=1))
    assert 84 <= np.ptp(rows) <= 90  # five per cent are free above and below
    assert not image[0, 0].any() and (image[48, 48, :3] > 40).all()


def test_the_head_looks_at_the_viewer_with_its_face_upright():
    image = portrait("a man")[..., :3].astype(int).sum(-1) + 999 * (portrait("a man")[..., 3] < 255)
    row, column = np.unravel_index(image.argmin(), image.shape)  # the eyes are the darkest
    assert row < 110 and 30 < column < 160


def test_hair_is_drawn_in_its_colour():
    hair, bald = portrait("curls"), portrait("a man")
    crown = hair[20:30, 90:100, :3].astype(float).mean((0, 1))
    np.testing.assert_allclose(crown / crown.max(), np.array(fake_engine.HAIR_COLOUR) / 120, atol=0.03)
    assert not np.array_equal(hair, bald)
