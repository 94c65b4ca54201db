from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine.geometry import unwrap
from cliphead_addon.engine.geometry.spots import SpotModel, fit, surface_at


@pytest.fixture(scope="module")
def nodes():
    return np.random.default_rng(1).uniform(-0.3, 0.3, (20, 2))


def no_correction(places, nodes):
    return SpotModel(places, nodes, np.zeros(60), np.zeros((1, 60)), np.zeros((1, len(places), 2)), np.zeros((len(places), 2)))


def test_heads_that_vary_in_few_ways_are_predicted_exactly():
    rng = np.random.default_rng(0)
    ways, effect, mean, offset = rng.normal(size=(3, 30)), rng.normal(size=(3, 10)), rng.normal(size=30), rng.normal(size=10)
    strength = rng.uniform(-1, 1, (40, 3))
    guess = rng.normal(size=(40, 5, 2))
    true = guess + (strength @ effect + offset).reshape(40, 5, 2)
    model = fit(list(zip(strength @ ways + mean, guess, true, strict=True))[:30], np.zeros((5, 2)), None, 3, 0.0)
    for seen, roughly, place in zip(strength[30:] @ ways + mean, guess[30:], true[30:], strict=True):
        found = roughly + model.offset + np.tensordot(model.axes @ (seen - model.mean), model.slopes, 1)
        np.testing.assert_allclose(found, place, atol=1e-9)


def test_the_surface_at_a_node_is_mapped_to_the_node(heads, layout, nodes):
    flat = unwrap.flatten(heads[0], layout.seam_share)
    points = surface_at(flat, nodes).reshape(-1, 3)
    missed = np.linalg.norm(flat.locate(points) - nodes, axis=1)  # now and then the nearest vertex is of another triangle
    assert np.median(missed) < 1e-9 and missed.max() < 0.01


def test_spots_at_the_anchors_without_correction_change_nothing(heads, layout, nodes):
    spots = no_correction(layout.anchors[layout.used], nodes)
    alone, along = (unwrap.unwrap(heads[1], each) for each in (layout, replace(layout, spots=spots)))
    np.testing.assert_allclose(along.uv, alone.uv, atol=2e-4)
    assert along.report["flipped"] == 0


def test_a_correction_moves_the_spot_and_a_strange_head_moves_it_no_further(heads, layout, nodes):
    places = layout.anchors[layout.used]
    flat = unwrap.flatten(heads[1], layout.seam_share)
    guess = unwrap.rough_places(layout, flat.locate(heads[1].anchors))
    still = no_correction(places, nodes)
    axes, slopes = np.zeros((1, 60)), np.zeros((1, len(places), 2))
    axes[0, 0], slopes[0, 4] = 1e6, [0.01, 0]
    moved = replace(still, axes=axes, slopes=slopes).find(flat, guess) - still.find(flat, guess)
    assert abs(moved[4, 0]) == pytest.approx(0.03) and np.abs(np.delete(moved, 4, axis=0)).max() == 0


def test_a_layout_with_spots_survives_its_arrays(layout, nodes):
    spots = no_correction(layout.anchors[layout.used], nodes)
    again = unwrap.UVLayout.from_arrays(replace(layout, spots=spots).to_arrays())
    np.testing.assert_array_equal(again.spots.places, spots.places)
    assert unwrap.UVLayout.from_arrays(layout.to_arrays()).spots is None
