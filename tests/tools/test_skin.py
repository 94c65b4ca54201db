from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("igl")

from skimage.color import deltaE_ciede2000, rgb2lab  # noqa: E402

from tools.studio import canvas, pigment, skin  # noqa: E402
from tools.studio.atlas import EYE, SKIN, Atlas, Marks  # noqa: E402
from tools.studio.look import BEARDS, BROW_SHAPES, LIPS, MAKE_UPS, SCALPS, STYLES, Look  # noqa: E402

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
        "ghost": blue >= green >= red > 120,
        "werewolf": max(red, green, blue) < 90,
        "wood": red > 1.25 * green > 1.25 * blue,
        "porcelain doll": min(red, green, blue) > 190,
        "old photograph": red > green > blue and red - blue < 80,
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
    ink, _ = canvas.strokes(atlas, np.array([root]), np.array([[0, 1.0, 0]]), 3.0, 0.3, np.ones(1), np.random.default_rng(0))
    x, y, _ = atlas.position[ink > 0.05].T
    assert np.abs(x).max() < 1 and y.min() > -0.8 and 2 < y.max() < 4


def lab(rgb):
    return rgb2lab(np.asarray(rgb, float)[None] / 255)[0]


@pytest.mark.parametrize(
    ("tone", "least", "most"),
    [(0, 55, 90), (1, 41, 55), (2, 28, 41), (3, 10, 28), (4, -30, 10), (5, -90, -30)],
)
def test_tones_have_the_published_typology_angles(tone, least, most):
    """Chardon et al. 1991: very light, light, intermediate, tan, brown, dark."""
    lightness, _, yellow = lab(pigment.tone_colour(tone))
    assert least < np.degrees(np.arctan2(lightness - 50, yellow)) < most


def test_more_melanin_darkens_and_more_blood_reddens():
    light = pigment.to_srgb(pigment.reflectance(np.array([0.01, 0.1, 0.4]), 0.01))
    assert (np.diff(light, axis=0) < 0).all()
    redness = [lab(pigment.to_srgb(pigment.reflectance(0.02, blood)))[1] for blood in (0.004, 0.01, 0.03, 0.08)]
    assert (np.diff(redness) > 2).all()


def test_the_table_of_colours_agrees_with_the_spectra():
    melanin, blood = np.log([0.008, 0.07, 0.5]), np.log([0.02, 0.006, 0.05])
    exact = pigment.to_srgb(pigment.reflectance(np.exp(melanin), np.exp(blood)))
    np.testing.assert_allclose(pigment.colours(melanin, blood), exact, atol=0.6)


@pytest.mark.parametrize("tone", range(6))
def test_bare_skin_has_its_tones_mean_colour(atlas, tone):
    f = atlas.regions
    calm = bare(atlas) & (f["cheek"] > 2.5) & (f["nose"] > 2) & (f["hairline"] < -1) & (f["ear"] < -1)
    painted = colour(atlas, replace(PLAIN, tone=float(tone), redness=0.0), calm)
    assert deltaE_ciede2000(lab(painted), lab(pigment.tone_colour(tone))) < 3


def test_lipstick_changes_the_lips_alone(atlas):
    one, other = (atlas.texel_values(skin.paint(replace(PLAIN, lips=lips), atlas)).astype(int) for lips in (0, 3))
    changed = np.abs(one - other).max(-1) > 0
    assert changed[atlas.regions["lip"] > 0.15].all()
    assert not changed[atlas.regions["lip"] < -0.8].any()


def test_a_word_leaves_the_chance_of_other_layers_alone(atlas):
    f = atlas.regions
    bearded = atlas.texel_values(skin.paint(replace(PLAIN, beard=BEARDS.index("full beard"), hair=0), atlas)).astype(int)
    plain = atlas.texel_values(skin.paint(replace(PLAIN, hair=0), atlas)).astype(int)
    forehead = (f["beard"] < -2.5) & (f["moustache"] < -2.5) & (f["goatee"] < -2.5)
    np.testing.assert_array_equal(bearded[forehead], plain[forehead])


def test_a_full_beard_covers_its_region_and_has_a_soft_edge(atlas):
    f = atlas.regions
    dark = replace(PLAIN, beard=BEARDS.index("full beard"), hair=0)
    cover = (atlas.texel_values(skin.paint(dark, atlas)).mean(-1) < 80)[:, None]
    assert cover[f["beard"] > 0.8].mean() > 0.95
    assert 0.05 < cover[np.abs(f["beard"]) < 0.3].mean() < 0.95


def test_regions_are_mirror_images(atlas):
    """The cut is at the back, so that column c and column -1-c are one place on either side."""
    for name, values in atlas.regions.items():
        image = np.where(atlas.coverage, atlas.image(values), 0)
        np.testing.assert_allclose(image, image[:, ::-1], atol=0.12 if name.startswith("brow_along") else 0.06, err_msg=name)


@pytest.mark.parametrize("style", ("skin", "robot metal", "zombie", "porcelain doll"))
def test_roughness_and_relief_stay_in_range(atlas, style):
    look = replace(PLAIN, style=STYLES.index(style), wrinkles=0.9, scars=1.0, moles=1.0, beard=4, scalp=2)
    maps = skin.paint_maps(look, atlas)
    np.testing.assert_array_equal(maps.albedo, skin.paint(look, atlas))
    assert maps.roughness.shape == maps.relief.shape == (SIZE, SIZE)
    assert 0.03 <= maps.roughness.min() < maps.roughness.max() <= 1
    assert -1 <= maps.relief.min() < 0 < maps.relief.max() <= 1


def test_eyes_are_glossier_than_skin_and_lipstick_than_lips(atlas):
    bare_lips, painted = (
        atlas.texel_values(skin.paint_maps(replace(PLAIN, lips=lips), atlas).roughness)
        for lips in (0, LIPS.index("red lipstick"))
    )
    lips = atlas.regions["lip"] > 0.2
    assert bare_lips[atlas.part == EYE].max() < bare_lips[bare(atlas)].min()
    assert painted[lips].mean() < bare_lips[lips].mean() < bare_lips[bare(atlas)].mean()


@pytest.mark.parametrize("mark", ("moles", "veins", "scars", "freckles", "wrinkles"))
def test_marks_are_seen_only_when_asked_for(atlas, mark):
    plain, marked = (skin.paint(replace(PLAIN, **{mark: amount}), atlas).astype(int) for amount in (0.0, 1.0))
    changed = (np.abs(marked - plain).max(-1) > 4)[atlas.coverage]
    assert 0.001 < changed.mean() < 0.95


def test_brow_shapes_put_hair_in_different_places(atlas):
    f = atlas.regions
    outer = (np.abs(f["brow_along"] - 0.64) < 0.15) & (f["brow_up"] > 0.25) & (f["brow_up"] < 0.75) & (f["front"] > 0)
    between = (np.abs(atlas.position[:, 0]) < 0.7) & (f["brow"] < 1.3) & (np.abs(f["brow_up"]) < 0.3)
    by_shape = {name: replace(PLAIN, hair=0, brow_shape=i) for i, name in enumerate(BROW_SHAPES)}
    assert colour(atlas, by_shape["arched"], outer).mean() < colour(atlas, by_shape["straight"], outer).mean() - 10
    assert colour(atlas, by_shape["joined"], between).mean() < colour(atlas, by_shape["natural"], between).mean() - 5


def test_eyeliner_darkens_the_lids_edge(atlas):
    edge = (atlas.part == SKIN) & (atlas.regions["lash"] < 0.4) & (atlas.regions["lid_up"] > 0.5)
    lined = replace(PLAIN, make_up=MAKE_UPS.index("eyeliner"))
    assert colour(atlas, lined, edge).mean() < colour(atlas, PLAIN, edge).mean() - 3
