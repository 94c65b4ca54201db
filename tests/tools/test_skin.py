from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("igl")

from tools.studio import skin  # noqa: E402
from tools.studio.atlas import EYE, SKIN, Atlas, Marks  # noqa: E402
from tools.studio.look import BEARDS, LIPS, SCALPS, STYLES, Look  # noqa: E402

SIZE = 96
PLAIN = Look(
    tone=1.0, eyes=0, hair=1, scalp=0, beard=0, lips=0, make_up=0, style=0,
    brow_density=0.8, redness=0.3, freckles=0.0, wrinkles=0.0, seed=3,
)  # fmt: skip


def on_egg(x, y):
    """Front of an egg-shaped head, cm: (N,), (N,) -> (N,3)."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    return np.stack([x, y, 10.5 * np.sqrt(np.maximum(1 - (x / 8.5) ** 2 - ((y - 1) / 15) ** 2, 0))], axis=-1)


@pytest.fixture(scope="module")
def atlas():
    """An egg with a face, flattened like a map: azimuth across, height up, cut at the back."""
    jaw = np.linspace(-np.pi / 2, np.pi / 2, 17)
    brow = np.stack([[-5.5, -4.6, -3.6, -2.4, -1.2], [5.2, 5.9, 6.1, 6.0, 5.8]], axis=-1)
    eye = np.stack([[-4.4, -3.6, -2.7, -1.8, -2.7, -3.6], [3.4, 3.9, 3.9, 3.3, 3.0, 3.0]], axis=-1)
    mirror = np.array([-1, 1])
    turn = np.linspace(np.pi, -np.pi, 13)[:-1]
    lips = np.stack([2.5 * np.cos(turn), -3.5 + 0.95 * np.sin(turn)], axis=-1)
    inner = np.stack([[-2, -1, 0, 1, 2, 1, 0, -1], np.full(8, -3.5)], axis=-1)
    flat = np.concatenate([
        np.stack([7 * np.sin(jaw), 2 - 9.5 * np.cos(jaw)], axis=-1),
        brow, brow[::-1] * mirror,
        [[0, 3.7], [0, 2.6], [0, 1.5], [0, 0.4]],
        [[-1.2, -1.0], [-0.6, -1.2], [0, -1.2], [0.6, -1.2], [1.2, -1.0]],
        eye, eye[[3, 2, 1, 0, 5, 4]] * mirror, lips, inner,
    ])  # fmt: skip
    ring = np.linspace(0, 2 * np.pi, 43)[:-1]
    lid = np.stack([3.1 + 1.3 * np.cos(ring), 3.4 + 0.5 * np.sin(ring)], axis=-1)
    eyes = on_egg([3.1, -3.1], 3.4)
    marks = Marks(
        landmarks=on_egg(*flat.T),
        lids=np.stack([on_egg(*lid.T), on_egg(*(lid * mirror).T)]),
        eyes=eyes - [0, 0, 1.4],
        nostrils=on_egg([0.7, -0.7], -1.1),
    )
    azimuth, height = np.meshgrid(np.linspace(-np.pi, np.pi, SIZE), np.linspace(14, -12, SIZE))
    width = np.sqrt(np.maximum(1 - ((height - 1) / 15) ** 2, 0))
    position = np.stack([8.5 * width * np.sin(azimuth), height, 10.5 * width * np.cos(azimuth)], axis=-1)
    position[:3] = np.nan  # outside the island
    opening = ((np.abs(position[..., 0]) - 3.1) / 1.3) ** 2 + ((position[..., 1] - 3.4) / 0.5) ** 2 < 1
    return Atlas.build(position, np.where(opening & (position[..., 2] > 0), EYE, SKIN), marks)


def colour(atlas, look, where):
    return atlas.texel_values(skin.paint(look, atlas))[where].astype(float).mean(0)


def bare(atlas):
    f = atlas.regions
    return (atlas.part == SKIN) & (f["front"] > 0.3) & (f["lip"] < -0.5) & (f["brow"] > 1) & (f["lid"] > 1)


def test_fields_say_where_the_features_are(atlas):
    f = atlas.regions
    nearest = [np.linalg.norm(atlas.position - point, axis=-1).argmin() for point in on_egg([0, 0], [-3.9, 0.4])]
    assert f["lip"][nearest[0]] > 0.2 and f["lip"][nearest[1]] < 0 and f["nose"][nearest[1]] < 0.5
    assert (f["eye_axis"][atlas.part == EYE] < 1.5).all()
    assert f["hairline"][atlas.position[:, 1].argmax()] > 1 > 0 > f["hairline"][nearest[1]]
    back = atlas.position[:, 2] < -5
    assert (f["lip"][back] < 0).all() and (f["beard"][back] < 0).all()


def test_an_atlas_survives_its_file(atlas, tmp_path):
    atlas.save(tmp_path / "atlas.npz")
    again = Atlas.load(tmp_path / "atlas.npz")
    np.testing.assert_array_equal(again.to_pixel, atlas.to_pixel)
    np.testing.assert_array_equal(again.marks.lids, atlas.marks.lids)
    assert again.size == SIZE


def test_texels_and_images_are_inverse_and_padding_copies_the_nearest(atlas):
    image = atlas.image(atlas.position)
    np.testing.assert_array_equal(atlas.texel_values(image), atlas.position)
    np.testing.assert_array_equal(image[0], image[3])


def test_a_look_paints_the_same_texture_twice(atlas):
    one = skin.paint(PLAIN, atlas)
    assert one.shape == (SIZE, SIZE, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, skin.paint(PLAIN, atlas))
    assert (one != skin.paint(replace(PLAIN, seed=4), atlas)).any()


def test_tones_run_from_light_to_dark_and_skin_is_not_flat(atlas):
    where = bare(atlas)
    light = [colour(atlas, replace(PLAIN, tone=float(tone)), where).mean() for tone in range(6)]
    assert (np.diff(light) < -5).all()
    assert atlas.texel_values(skin.paint(PLAIN, atlas))[where].std(0).min() > 2


def test_both_sides_of_the_cut_are_one_place(atlas):
    image = skin.paint(replace(PLAIN, scalp=2, seed=8), atlas).astype(float)
    low = slice(70, None)  # bare neck; hairs above end at the cut
    assert np.abs(image[low, 0] - image[low, -1]).mean() < 2


def test_words_colour_their_own_region(atlas):
    f = atlas.regions
    lips, chin, scalp = f["lip"] > 0.15, f["goatee"] > 0.4, f["hairline"] > 2
    iris = (atlas.part == EYE) & (f["eye_axis"] < 0.5) & (f["eye_axis"] > 0.25)
    red = colour(atlas, replace(PLAIN, lips=LIPS.index("red lipstick")), lips)
    assert red[0] > 2 * red[1] and red[0] > 2 * red[2]
    for word, where in ((dict(beard=BEARDS.index("full beard")), chin), (dict(scalp=SCALPS.index("short hair")), scalp)):
        assert colour(atlas, replace(PLAIN, hair=0, **word), where).mean() < 90 < colour(atlas, PLAIN, where).mean()
    blue, brown = (colour(atlas, replace(PLAIN, eyes=eyes), iris) for eyes in (0, 4))
    assert blue[2] > blue[0] and brown[0] > brown[2]


@pytest.mark.parametrize("style", STYLES)
def test_styles_change_the_whole_head(atlas, style):
    red, green, blue = colour(atlas, replace(PLAIN, style=STYLES.index(style)), bare(atlas))
    told_apart = {
        "skin": red > green > blue,
        "marble statue": min(red, green, blue) > 190 and red - blue < 20,
        "bronze statue": red > 1.2 * blue,
        "clay": red > 1.5 * blue,
        "robot metal": blue > red,
        "zombie": green > blue,
        "alien": green > 1.2 * red,
        "vampire": min(red, green, blue) > 170,
        "joker": min(red, green, blue) > 170,
        "orc": green > 1.1 * red and green > 1.4 * blue,
    }
    assert told_apart[style]


def test_hollows_of_the_relief_are_darker(atlas):
    deep = np.zeros(len(atlas.texels), np.float32)
    deep[::2] = 1
    ratio = (
        atlas.texel_values(skin.paint(PLAIN, atlas, cavity=deep))[bare(atlas)].mean() / colour(atlas, PLAIN, bare(atlas)).mean()
    )
    assert 0.75 < ratio < 0.95


def test_a_hair_follows_its_tangent(atlas):
    root = np.linalg.norm(atlas.position - on_egg(0, 0), axis=-1).argmin()
    ink, _ = skin.strokes(atlas, np.array([root]), np.array([[0, 1.0, 0]]), 3.0, 0.3, np.ones(1), np.random.default_rng(0))
    x, y, _ = atlas.position[ink > 0.05].T
    assert np.abs(x).max() < 1 and y.min() > -0.8 and 2 < y.max() < 4
