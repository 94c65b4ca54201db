"""The head model's networks against arrays computed by the official classes (tests/data/nphm_tiny.npz)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, HeadField, IdentityConfig, IdentityNet

DATA = Path(__file__).parents[2] / "data" / "nphm_tiny.npz"
TOLERANCE = {"atol": 2e-6, "rtol": 0}


@pytest.fixture(scope="module")
def reference():
    with np.load(DATA) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files if file[name].dtype.kind == "f"}


@pytest.fixture(scope="module")
def identity(reference):
    net = IdentityNet(IdentityConfig(latent_global=8, latent_local=4, hidden=16, anchor_hidden=16), reference["anchors"])
    net.load_state_dict({name[3:]: value for name, value in reference.items() if name.startswith("id/")})
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def expression(reference):
    net = ExpressionNet(ExpressionConfig(latent_identity=168, latent_expression=10, hidden=64))
    net.load_state_dict({name[3:]: value for name, value in reference.items() if name.startswith("ex/")})
    return net.eval().requires_grad_(False)


def points_of(reference, batch=3):
    return reference["points"].expand(batch, -1, -1)


def test_distances_agree_with_the_official_network(identity, reference):
    sdf = identity(points_of(reference), reference["lat_id"])[..., 0]
    np.testing.assert_allclose(sdf, reference["sdf"], **TOLERANCE)


def test_double_precision_agrees_with_the_official_network_to_rounding(identity, reference):
    twin = IdentityNet(identity.config, reference["anchors"]).double()
    twin.load_state_dict({name: value.double() for name, value in identity.state_dict().items()})
    sdf = twin(points_of(reference).double(), reference["lat_id"].double())[..., 0].detach()
    np.testing.assert_allclose(sdf, reference["sdf_f64"], atol=1e-12, rtol=0)


def test_anchors_members_and_weights_agree_with_the_official_network(identity, reference):
    code, points = reference["lat_id"][1:2], points_of(reference, 1)
    np.testing.assert_allclose(identity.anchors(reference["lat_id"]), reference["anchors_pred"], **TOLERANCE)
    np.testing.assert_allclose(identity.members(points, code)[0, ..., 0], reference["member_sdf"], **TOLERANCE)
    weights = identity.blend_weights(points, identity.anchors(code))[0]
    np.testing.assert_allclose(weights, reference["blend_weights"], **TOLERANCE)
    local = identity.local_coordinates(points[:, :16], identity.anchors(code))[0]
    np.testing.assert_allclose(local, reference["local_coords16"], **TOLERANCE)


def test_the_gradient_agrees_with_the_official_network(identity, reference):
    points = points_of(reference).clone().requires_grad_()
    gradient = torch.autograd.grad(identity(points, reference["lat_id"]).sum(), points)[0]
    # Points exactly on an anchor have no gradient of the distance to it; they are left out.
    off = (points[0, :, None] - reference["anchors_pred"][0]).norm(dim=-1).amin(1) > 1e-4
    np.testing.assert_allclose(gradient[:, off].detach(), reference["grad_f64"][:, off], atol=2e-5, rtol=1e-4)


def test_the_sparse_way_equals_the_dense_way_when_no_member_is_dropped(identity, reference):
    N = len(reference["points"])
    owner = torch.arange(3).repeat_interleave(N)
    sparse = identity.sparse(points_of(reference).reshape(-1, 3), reference["lat_id"], threshold=0.0, owner=owner)
    np.testing.assert_allclose(sparse[:, 0].view(3, N), reference["sdf"], **TOLERANCE)


def test_a_field_on_the_official_box_agrees_with_the_official_grid(identity, reference):
    low, high = reference["grid_min"].numpy(), reference["grid_max"].numpy()
    axes = [np.linspace(a, b, 32) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = HeadField(identity, reference["lat_id"][1], low, high, threshold=0.0)
    np.testing.assert_allclose(field(grid).reshape(32, 32, 32), reference["grid32"], **TOLERANCE)
    assert field.evaluations == 32**3


def test_dropping_the_epsilon_changes_no_sign(identity, reference):
    config = IdentityConfig(**{**vars(identity.config), "blend_epsilon": 0.0})
    plain = IdentityNet(config, reference["anchors"])
    plain.load_state_dict(identity.state_dict())
    near = reference["points"].abs().amax(1) < 0.6  # farther out the official weights underflow
    signs = plain(points_of(reference), reference["lat_id"])[..., 0].detach().sign()
    np.testing.assert_array_equal(signs[:, near], reference["sdf"].sign()[:, near])


def test_displacements_agree_with_the_official_network(identity, expression, reference):
    anchors = identity.anchors(reference["lat_id"])
    compressed = expression.compress(reference["lat_id"], anchors)
    np.testing.assert_allclose(compressed, reference["compressed"], **TOLERANCE)
    delta = expression(points_of(reference), reference["lat_id"], anchors, reference["lat_ex"])
    np.testing.assert_allclose(delta, reference["delta"], **TOLERANCE)


def test_two_outputs_share_one_code():
    net = IdentityNet(IdentityConfig(8, 4, hidden=16, anchor_hidden=16, out_dim=2), np.zeros((39, 3)))
    assert net(torch.rand(2, 5, 3), torch.rand(2, net.config.latent)).shape == (2, 5, 2)
