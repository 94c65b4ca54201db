"""Directions of sliders: each does to all attributes what is wanted."""

import numpy as np

from tools.studio.people import ANCESTRIES
from tools.train import sliders


def test_a_direction_moves_its_own_attribute_by_one_and_hardly_any_other():
    gradients = np.random.default_rng(0).normal(size=(128, len(sliders.NAMES)))
    found = gradients.T @ sliders.directions(gradients, np.eye(len(sliders.NAMES)))
    np.testing.assert_allclose(np.diag(found), 1)
    assert np.abs(found - np.eye(len(found))).max() < 0.01


def test_directions_stay_short_where_attributes_are_nearly_the_same():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(128, len(sliders.NAMES))) / 10
    gradients[:, 1] = gradients[:, 0] + 0.001 * rng.normal(size=128)
    exact = np.linalg.pinv(gradients.T)
    found = sliders.directions(gradients, np.eye(len(sliders.NAMES)))
    assert np.linalg.norm(found[:, 0]) < 0.2 * np.linalg.norm(exact[:, 0])


def test_what_one_ancestry_gains_the_others_lose():
    deviations = dict.fromkeys(sliders.NAMES, 1.0) | dict(zip(ANCESTRIES, (0.3, 0.2, 0.1), strict=True))
    wanted = sliders.targets(deviations)
    weights = np.array([deviations[name] for name in sliders.NAMES])
    for name in ANCESTRIES:
        column = wanted[:, sliders.NAMES.index(name)]
        assert column[sliders.NAMES.index(name)] == 1
        np.testing.assert_allclose((column * weights).sum(), 0, atol=1e-12)


def test_what_all_heads_do_beyond_the_wanted_is_taken_back_and_what_they_disagree_on_is_not():
    rng = np.random.default_rng(0)
    response = np.eye(4) + np.array([[0, 0.3, 0, 0], [0] * 4, [0] * 4, [0] * 4])  # the first slider moves the second attribute
    noise = 0.01 * rng.normal(size=(8, 4, 4))
    noise[:, 2, 3] = [0.5, -0.5] * 4
    found = sliders.corrected(np.eye(4), response + noise, np.eye(4))
    after = response.T @ found  # linear: attributes by slider
    assert abs(after[1, 0]) < 0.02
    np.testing.assert_allclose(found[:, 2], [0, 0, 1, 0], atol=0.02)
