"""The measures of textures, on pictures whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("igl")

from tools.evaluate_texture import (  # noqa: E402
    Regions,
    StyleClassifier,
    colour_differences,
    cut_difference,
    features_in_place,
    fine_energy,
    found_by_colour,
    mean_colour,
    overlap,
    seed_difference,
)
from tools.studio.look import LIPS, STYLES  # noqa: E402

SIZE = 96
SKIN, LIP = (205, 160, 135), (160, 70, 75)
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disk(row, column, radius):
    return np.hypot(ROWS - row, COLUMNS - column) < radius


def face(lips, colour=LIP, seed=0):
    """Grainy skin with lips where a mask says."""
    grain = np.random.default_rng(seed).normal(size=(SIZE, SIZE, 1)) * 6
    image = np.where(lips[..., None], colour, SKIN) + grain
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


EVERYWHERE = np.ones((SIZE, SIZE), bool)


def test_a_feature_in_its_place_is_found():
    place = disk(50, 50, 14)
    assert overlap(found_by_colour(face(place), place, EVERYWHERE, 10), place) > 0.9


def test_a_feature_half_its_width_away_is_missed():
    place = disk(50, 50, 14)
    assert overlap(found_by_colour(face(disk(50, 64, 14)), place, EVERYWHERE, 10), place) < 0.6


def test_nothing_is_found_on_bare_skin():
    place = disk(50, 50, 14)
    assert overlap(found_by_colour(face(~EVERYWHERE), place, EVERYWHERE, 10), place) < 0.6


def test_texels_that_do_not_count_are_never_found():
    place = disk(50, 50, 14)
    usable = COLUMNS < 50
    assert not (found_by_colour(face(place), place, usable, 10) & ~usable).any()


def regions():
    masks = {"skin": disk(20, 20, 9), "hair": ROWS < 8, "brows": disk(30, 70, 8), "lips": disk(70, 40, 10)}
    masks |= {"irises": disk(70, 75, 6), "iris": disk(70, 75, 4)}
    return Regions(masks, dict.fromkeys(masks, 0.1), disk(70, 75, 12), EVERYWHERE)


def test_all_features_are_looked_for():
    some = regions()
    image = face(some.masks["lips"] | some.masks["brows"] | some.masks["irises"])
    found = features_in_place(image, some)
    assert set(found) == {"lips", "brows", "irises"} and min(found.values()) > 0.7


def test_only_colours_that_the_caption_names_are_compared():
    some, lips = regions(), regions().masks["lips"]
    red, pale = face(lips, (170, 20, 30)), face(lips, (200, 120, 120))
    look = SimpleNamespace(lips=LIPS.index("red lipstick"), style=0, scalp=0)
    assert colour_differences(red, pale, look, {"gender"}, some) == {}
    found = colour_differences(red, pale, look, {"lips", "tone", "hair"}, some)
    assert found["lips"] > 20 and found["skin"] < 2 and set(found) == {"lips", "skin", "hair"}
    natural = SimpleNamespace(lips=0, style=STYLES.index("wood"), scalp=2)
    assert set(colour_differences(red, pale, natural, {"lips", "tone", "hair"}, some)) == {"skin"}


def test_the_mean_of_black_and_white_is_the_middle_of_the_light():
    board = np.where(((ROWS + COLUMNS) % 2 == 0)[..., None], 255, 0).astype(np.uint8) * np.ones(3, np.uint8)
    assert mean_colour(board, EVERYWHERE)[0] == pytest.approx(76, abs=1)  # sRGB 186 sends half as much light as 255


def test_fine_energy_counts_what_is_finer_than_eight_texels():
    box = (0, SIZE, 0, SIZE)

    def stripes(period):
        wave = 128 + 60 * np.sin(2 * np.pi * COLUMNS / period)
        return np.repeat(np.rint(wave)[..., None], 3, axis=-1).astype(np.uint8)

    assert fine_energy(stripes(4), box) > 100 * fine_energy(stripes(24), box)
    grain = face(~EVERYWHERE)
    soft = np.rint(ndimage.gaussian_filter(grain.astype(float), (1.5, 1.5, 0))).astype(np.uint8)
    assert fine_energy(soft, box) < 0.3 * fine_energy(grain, box)


def test_the_cut_is_measured_on_both_its_sides():
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:, : SIZE // 2], image[:, SIZE // 2 :] = (100, 100, 100), (110, 100, 100)
    across = np.array([[[0.25, 0.5], [0.75, 0.5]]] * 3)
    assert cut_difference(image, across) > 3 > 0.1 > cut_difference(image, across[:, [0, 0]])


def test_seeds_differ_on_average_over_all_pairs():
    one, other = face(~EVERYWHERE, seed=1), np.full((SIZE, SIZE, 3), 90, np.uint8)
    assert seed_difference([one, one], EVERYWHERE) == 0
    assert seed_difference([one, one, other], EVERYWHERE) == pytest.approx(2 / 3 * seed_difference([one, other], EVERYWHERE))


def test_the_classifier_learns_styles_from_colour_and_grain():
    texels, eye = np.arange(SIZE * SIZE), np.zeros(SIZE * SIZE, np.uint8)
    column = COLUMNS.ravel().astype(float)
    fields = {name: np.where(column < SIZE / 2, 1.0, -1.0) for name in ("front", "lip", "hairline", "ear", "neck")}
    fields |= {"cheek": column / 20, "brow": column / 90, "eye_axis": column / 90}
    fields["hairline"] = np.where(column < SIZE / 4, 2.0, -2.0)
    fields["neck"] = fields["neck"] * 2
    eye[: SIZE * 4] = 1
    atlas = SimpleNamespace(
        regions=fields, part=eye, texel_values=lambda image: image.reshape(SIZE * SIZE, *image.shape[2:])[texels]
    )
    classifier, random = StyleClassifier(atlas), np.random.default_rng(0)

    def sample(style):
        colour = ((205, 160, 135), (120, 160, 120), (205, 160, 135))[style] + random.normal(size=3) * 8
        grain = random.normal(size=(SIZE, SIZE, 1)) * (4, 4, 25)[style]
        return np.clip(colour + ndimage.gaussian_filter(grain, (1, 1, 0)) * 3, 0, 255).astype(np.uint8)

    labels = np.arange(24) % 3
    features = np.stack([classifier.features(sample(style)) for style in labels])
    classifier.fit(features[:15], labels[:15])
    assert (classifier(features[15:]) == labels[15:]).all()
