"""A pack from files in the official layout and widths, against the network's formulas written down plainly.

The files hold the starter's head, placed inside networks of the official widths.
"""

from dataclasses import asdict

import numpy as np
import pytest
import torch
import yaml

from cliphead_addon.engine.errors import ClipHeadError, PackError
from cliphead_addon.engine.geometry import topology
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.pipeline import generate
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt
from tools.benchmark_surface import mean_code, widen
from tools.import_nphm import import_nphm

PAIRS, ANCHORS, GLOBAL, LOCAL = 16, 39, 64, 32
SLOTS = [*np.arange(2 * PAIRS) // 2, *range(PAIRS, PAIRS + ANCHORS + 1 - 2 * PAIRS)]  # member -> set of weights
YAML = {
    "identity": {
        "decoder": {
            "decoder_lat_dim_glob": GLOBAL,
            "decoder_lat_dim_loc": LOCAL,
            "decoder_hidden_dim": 200,
            "decoder_nlayers": 4,
            "decoder_nloc": ANCHORS,
            "decoder_nsymm_pairs": PAIRS,
        }
    },
    "expression": {
        "ex_decoder": {
            "decoder_hidden_dim": 512,
            "decoder_lat_dim_expr": 200,
            "decoder_lat_dim_id": 32,
            "decoder_nlayers": 6,
            "mode": "compress",
        }
    },
}


class Reference:
    """The published networks in plain numpy, double precision, every member at every point."""

    def __init__(self, identity, expression, mean_anchors):
        """identity, expression: official state dicts; mean_anchors: (39,3)"""
        self.id, self.ex = ({name: value.double().numpy() for name, value in state.items()} for state in (identity, expression))
        self.mean_anchors = mean_anchors

    def anchors(self, code):
        """Code (1344,) -> (39,3)"""
        x = code[:GLOBAL]
        for layer in (0, 2, 4):
            x = self.id[f"mlp_pos.{layer}.weight"] @ x + self.id[f"mlp_pos.{layer}.bias"]
            x = np.maximum(x, 0) if layer < 4 else x
        return x.reshape(ANCHORS, 3) + self.mean_anchors

    def distance(self, points, code):
        """Points (N,3), code (1344,) -> (N,)"""
        anchors = self.anchors(code)
        total = weighted = 0
        for member, slot in enumerate(SLOTS):
            apart = points - anchors[member] if member < ANCHORS else points
            weight = np.exp(-((np.linalg.norm(apart, axis=1) + 1e-5) ** 2) / 0.01) if member < ANCHORS else np.exp(-20)
            local = apart * [-1, 1, 1] if member < 2 * PAIRS and member % 2 else apart
            start = GLOBAL + LOCAL * member
            latent = np.concatenate([code[:GLOBAL], code[start : start + LOCAL]])
            inputs = np.concatenate([local, np.broadcast_to(latent, (len(points), len(latent)))], axis=1)
            value = perceptron(inputs, self.id, "ensembled_deep_sdf", layers=4, slot=slot)[:, 0]
            total, weighted = total + weight, weighted + weight * value
        return weighted / (total + 1e-6)

    def displacement(self, points, code, expression):
        """Points (N,3), code (1344,), expression (200,) -> (N,3)"""
        who = np.concatenate([code, self.anchors(code).ravel()])
        latent = np.concatenate([self.ex["compressor.0.weight"] @ who + self.ex["compressor.0.bias"], expression])
        inputs = np.concatenate([points, np.broadcast_to(latent, (len(points), len(latent)))], axis=1)
        return perceptron(inputs, self.ex, "defDeepSDF", layers=6)


def perceptron(inputs, state, name, layers, slot=...):
    """Inputs (N,D) -> (N,O): softplus between layers, the inputs once more at the middle one."""
    x = inputs
    for i in range(layers + 1):
        if i == layers // 2:
            x = np.concatenate([x, inputs], axis=1) / np.sqrt(2)
        x = x @ state[f"{name}.lin{i}.weight"][slot].T + state[f"{name}.lin{i}.bias"][slot]
        x = np.logaddexp(0, 100 * x) / 100 if i < layers else x
    return x


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The pack, the Reference for the same files, and the mean code (1344,)."""
    folder = tmp_path_factory.mktemp("official")
    starter = open_pack("starter")
    net, mean = widen(HeadModel.load(starter).identity, mean_code(starter))
    torch.manual_seed(0)
    expression = ExpressionNet(ExpressionConfig()).requires_grad_(False)
    expression.defDeepSDF["lin6"].weight *= 0.3  # moves of some millimetres
    states = {"identity": net.state_dict(), "expression": expression.state_dict()}
    for part, state in states.items():
        (folder / part / "checkpoints").mkdir(parents=True)
        content = {"epoch": 1, "decoder_state_dict": state, "optimizer_lat_state_dict": {"state": {}}}
        torch.save(content, folder / part / "checkpoints" / "checkpoint_epoch_1.tar")
        (folder / part / "configs.yaml").write_text(yaml.safe_dump(YAML[part]), encoding="utf-8")
    anchors = net.mean_anchors.double().numpy()
    # Each number varies on its own, as in the official statistics, and little, so that the head stays one.
    arrays = {"anchors": anchors, "mean": mean, "std": np.where(mean == 0, 0, 0.1 * mean.std()).astype(np.float32)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    statistics = folder / "mean.npy", folder / "std.npy"
    files = (folder / name for name in ("identity", "expression", "anchors.npy", "pack"))
    pack = import_nphm(*files, statistics, borrow=("text", "layout", "texture"))
    return pack, Reference(*states.values(), anchors), mean


@pytest.fixture(scope="module")
def official(imported):
    """The pack's HeadModel, the Reference, and the mean code (1344,)."""
    pack, reference, mean = imported
    return HeadModel.load(pack), reference, mean


@pytest.fixture(scope="module")
def head(official):
    """A random head: its HeadCode and its HeadMesh."""
    model = official[0]
    code = model.random(3, np.random.default_rng(3).normal(0, 0.1, 200))
    return code, model.mesh(code, 64)


def test_the_pack_has_the_official_widths(official):
    model = official[0]
    assert asdict(model.identity.config) == asdict(IdentityConfig())
    assert asdict(model.expression.config) == asdict(ExpressionConfig())
    assert sum(value.numel() for value in model.identity.state_dict().values()) == 3_014_149
    assert sum(value.numel() for value in model.expression.state_dict().values()) == 1_361_880


def test_distances_are_the_published_ones_in_the_whole_box_and_at_the_surface(official, head):
    model, reference, _ = official
    code, mesh = head
    random = np.random.default_rng(0)
    near = random.choice(mesh.canonical, 150) + random.normal(0, 0.02, (150, 3))
    points = np.concatenate([random.uniform(model.low, model.high, (150, 3)), near]).astype(np.float32)
    expected = reference.distance(points, code.identity)
    np.testing.assert_allclose(model.field(code)(points), expected, atol=1e-5)
    with torch.no_grad():
        dense = model.identity(torch.from_numpy(points)[None], torch.from_numpy(code.identity)[None])[0, :, 0]
    np.testing.assert_allclose(dense, expected, atol=1e-5)


def test_the_mesh_is_the_published_zero_set(official, head):
    model, reference, _ = official
    code, mesh = head
    assert topology.flaws(mesh.canonical, mesh.faces) == [] and mesh.report["handles_cut"] <= 6
    voxel = (model.high - model.low).max() / 63
    chosen = np.random.default_rng(1).choice(len(mesh.canonical), 150, replace=False)
    points = mesh.canonical[chosen].astype(np.float64)
    values = reference.distance(points, code.identity)
    normals = vertex_normals(mesh.canonical, mesh.faces)[chosen]
    ahead = reference.distance(points + 0.1 * voxel * normals, code.identity)
    # A tenth of a voxel or less: what remains is the line along which marching cubes interpolates, and where handles were cut.
    assert np.quantile(np.abs(values / (ahead - values)), 0.9) < 1.0
    np.testing.assert_allclose(mesh.anchors, reference.anchors(code.identity), atol=1e-6)


def test_posed_meshes_are_the_published_ones(official, head):
    model, reference, _ = official
    code, mesh = head
    chosen = np.random.default_rng(2).choice(len(mesh.canonical), 200, replace=False)
    moves = reference.displacement(mesh.canonical[chosen].astype(np.float64), code.identity, code.expression)
    assert np.linalg.norm(moves, axis=1).max() > 1e-3
    np.testing.assert_allclose(mesh.vertices[chosen], mesh.canonical[chosen] + moves, atol=1e-5)


def test_random_heads_follow_the_packs_statistics(official):
    model, _, mean = official
    codes = np.stack([model.random(seed).identity for seed in range(200)])
    deviation = model.population[1]
    np.testing.assert_allclose(codes.mean(axis=0), mean, atol=0.3 * deviation.max())
    assert (codes == mean)[:, deviation == 0].all()
    assert (codes.std(axis=0)[deviation > 0] / deviation[deviation > 0]).mean() == pytest.approx(0.85, abs=0.02)
    assert not model.random(0).expression.any()


def test_a_pack_without_statistics_has_no_random_heads(official):
    model = official[0]
    bare = HeadModel(model.identity, model.expression, {}, model.low, model.high)
    with pytest.raises(ClipHeadError, match="--latent-mean"):
        bare.random(1)


def test_a_random_head_is_made_from_the_pack_without_words_and_words_are_refused(imported):
    models = load_models(imported[0].folder, "cpu")
    small = Settings(resolution=64, texture_size=256, steps=1, topology="dense", device="cpu")
    made = generate(Prompt("", seed=3, random=True), models, small)
    assert made.recipe["prompt"]["random"] and topology.flaws(made.unwrapped.mesh.canonical, made.unwrapped.mesh.faces) == []
    other = generate(Prompt("", seed=4, random=True), models, small)
    assert not np.array_equal(made.unwrapped.mesh.anchors, other.unwrapped.mesh.anchors)
    with pytest.raises(PackError, match="random head"):
        generate(Prompt("a man"), models, small)
