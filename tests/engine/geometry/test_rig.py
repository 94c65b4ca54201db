"""Joints and weights of a made-up jaw whose hinge is known, and the bodies of the mouth."""

import numpy as np
import pytest

from cliphead_addon.engine.geometry.mouth import mouth
from cliphead_addon.engine.geometry.rig import Hinge, Neck, fit_hinge, jaw_weights, skin_weights

EARS = np.array([[-0.08, -0.02, 0.14], [0.08, -0.02, 0.14]])
JOINT, ANGLE = np.array([0.0, -0.032, 0.132]), np.radians(18)


@pytest.fixture(scope="module")
def jaw():
    """A sheet from the ears to the chin that follows the jaw more and more: points, faces, weights, opening."""
    n = 40
    y, z = np.meshgrid(np.linspace(-0.12, 0.03, n), np.linspace(0.02, 0.2, n), indexing="ij")
    points = np.stack([0.03 * np.ones_like(y), y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.stack([corner, corner + n, corner + n + 1, corner + 1], axis=-1)
    share = np.clip((-0.04 - points[:, 1]) / 0.03, 0, 1) * np.clip((0.1 - points[:, 2]) / 0.03, 0, 1)
    away = points - JOINT
    turned = np.stack([
        away[:, 0], np.cos(ANGLE) * away[:, 1] - np.sin(ANGLE) * away[:, 2],
        np.sin(ANGLE) * away[:, 1] + np.cos(ANGLE) * away[:, 2],
    ], axis=-1)  # fmt: skip
    return points, faces, share, share[:, None] * (turned - away)


def test_the_hinge_is_found_from_the_motion(jaw):
    points, _, _, opening = jaw
    found = fit_hinge(points, opening, EARS)
    np.testing.assert_allclose(found.joint, JOINT, atol=0.004)
    assert found.angle == pytest.approx(ANGLE, rel=0.1)


def test_weights_are_the_shares_of_the_motion(jaw):
    points, faces, share, opening = jaw
    found = jaw_weights(points, opening, Hinge(JOINT, ANGLE), faces)
    assert np.abs(found - share).mean() < 0.01 and found[share == 1].mean() > 0.97
    assert ((found >= 0) & (found <= 1)).all()


def test_the_neck_ends_below_chin_and_nape():
    neck = Neck.between(np.array([0, -0.11, 0.05]), EARS, np.array([0, 0.07, 0.17]))
    inside, chin, nape, rim = neck.head_share(np.array([[0, -0.02, 0.16], [0, -0.11, 0.05], [0, 0.06, 0.14], [0, 0, 0.0]]))
    assert inside == chin == 1 and nape > 0.9 and rim == 0
    weights = skin_weights(np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.5, 1.0]))
    np.testing.assert_allclose(weights, [[0.75, 0.25, 0], [0.25, 0.25, 0.5], [0, 0, 1]])


def test_teeth_stand_behind_the_lips_and_the_lower_ones_move_with_the_jaw():
    corners = np.array([[-0.026, -0.08, 0.07], [0.026, -0.08, 0.07]])
    lip = np.array([[-0.007, -0.095, 0.08], [0.007, -0.095, 0.08]])
    teeth, tongue = mouth(corners, lip)
    assert teeth.vertices[:, 1].min() > -0.095 + 0.006
    assert np.abs(teeth.vertices[:, 0]).max() < 0.036 and abs(teeth.vertices[:, 0].mean()) < 1e-4
    assert teeth.vertices[teeth.lower, 2].mean() < teeth.vertices[~teeth.lower, 2].mean() and tongue.lower.all()
    assert set(teeth.part) == {0, 1} and set(tongue.part) == {2}
    for body in (teeth, tongue):
        a, b, c, d = np.moveaxis(body.vertices[body.faces], 1, 0)
        volume = (np.einsum("fc,fc->f", np.cross(a, b), c) + np.einsum("fc,fc->f", np.cross(a, c), d)).sum() / 6
        assert volume > 1e-6 and np.isfinite(body.vertices).all()  # faces look outward
