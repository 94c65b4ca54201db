"""Irises on a texture take the colour that words name."""

import numpy as np
import pytest

from cliphead_addon.engine.iris import COLOURS, colour_in_words, dye_irises

SIZE = 256
ANGLE = np.linspace(0, 2 * np.pi, 40, endpoint=False)
CENTRES = np.array([[0.4, 0.6], [0.6, 0.6]])
OPENING = np.stack([0.04 * np.cos(ANGLE), 0.02 * np.sin(ANGLE)], axis=-1)
OUTLINES = {f"eyes.{i}": centre + OPENING for i, centre in enumerate(CENTRES)} | {"lips.0": 0.5 + OPENING}


def texture(left, right):
    """Skin, whites between the lids, and irises with black pupils where people who look straight ahead have them."""
    column, row = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE, 1 - (np.arange(SIZE) + 0.5) / SIZE)
    image = np.full((SIZE, SIZE, 3), (200, 160, 140), np.uint8)
    for centre, colour in zip(CENTRES, (left, right), strict=True):
        image[np.hypot((column - centre[0]) / 0.04, (row - centre[1]) / 0.02) < 1] = 220
        inward = 0.0112 * np.sign(0.5 - centre[0])
        r = np.hypot((column - centre[0] - inward) / 0.0168, (row - centre[1] - 0.002) / 0.0188)
        image[r < 1] = colour
        image[r < 0.3] = 8
    return image


def rings(image):
    """Mean colours (2,3) half way between pupil and rim."""
    places = [((c[0] + 0.0112 * np.sign(0.5 - c[0]) + 0.011) * SIZE, (1 - c[1] - 0.002) * SIZE) for c in CENTRES]
    return np.array([image[int(y) - 1 : int(y) + 2, int(x)].mean(axis=0) for x, y in places])


def test_both_irises_get_the_colour_that_is_named():
    dyed = rings(dye_irises(texture((120, 90, 60), (90, 110, 130)), "a man with green eyes", OUTLINES))
    np.testing.assert_allclose(dyed, [colour_in_words("green eyes")] * 2, rtol=0.3)
    assert (dyed.argmax(axis=1) == 1).all()


def test_irises_without_a_word_become_alike():
    before = texture((120, 90, 60), (90, 110, 130))
    dyed = rings(dye_irises(before, "a man", OUTLINES))
    np.testing.assert_allclose(dyed[0], dyed[1], atol=3)
    np.testing.assert_allclose(dyed.mean(axis=0), rings(before).mean(axis=0), atol=25)


def test_pupils_whites_and_skin_stay():
    before = texture((120, 90, 60), (90, 110, 130))
    after = dye_irises(before, "blue eyes", OUTLINES)
    changed = (before != after).any(axis=2)
    assert 0 < changed.mean() < 0.01
    assert after[before.max(axis=2) == 8].max() < 40
    assert changed[before[..., 0] == 200].mean() < 2e-3  # of the skin, along the lids


def test_a_pack_without_outlines_keeps_its_textures():
    before = texture((120, 90, 60), (90, 110, 130))
    np.testing.assert_array_equal(dye_irises(before, "blue eyes", {}), before)


@pytest.mark.parametrize(
    "words, name",
    [
        ("green eyes", "green"),
        ("a blue-eyed boy", "blue"),
        ("eyes of hazel", "hazel"),
        ("amber coloured eyes", "amber"),
        ("red lips", None),
    ],
)
def test_eye_colours_are_read_from_words(words, name):
    found = colour_in_words(words)
    assert found is None if name is None else name in COLOURS[found].split()
