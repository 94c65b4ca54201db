"""The importer, on files in the official layout that the tests write themselves."""

import numpy as np
import pytest
import torch
import yaml

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet
from tools import import_nphm as tool

IDENTITY = IdentityConfig(latent_global=6, latent_local=3, anchors=7, symmetric_pairs=2, hidden=16, anchor_hidden=8)
EXPRESSION = ExpressionConfig(latent_identity=IDENTITY.latent, latent_expression=5, anchors=7, compressed=4, hidden=20)
NEWEST = "checkpoint_epoch_15000.tar"


def write_experiment(folder, state, settings, epochs=(0, 15000)):
    """An experiment's folder; the last epoch holds the weights, earlier ones hold zeros."""
    (folder / "checkpoints").mkdir(parents=True)
    for epoch in epochs:
        weights = {key: value if epoch == epochs[-1] else torch.zeros_like(value) for key, value in state.items()}
        content = {"epoch": epoch, "decoder_state_dict": weights}
        torch.save(content, folder / "checkpoints" / f"checkpoint_epoch_{epoch}.tar")
    (folder / "configs.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


@pytest.fixture
def official(tmp_path):
    """What a user has: two experiments, anchors and latent statistics. Also the networks they hold."""
    torch.manual_seed(0)
    anchors = np.random.default_rng(0).normal(size=(7, 3))
    identity = IdentityNet(IDENTITY, anchors).requires_grad_(False)
    expression = ExpressionNet(EXPRESSION).requires_grad_(False)
    decoder = {
        "decoder_lat_dim_glob": 6,
        "decoder_lat_dim_loc": 3,
        "decoder_hidden_dim": 16,
        "decoder_nlayers": 4,
        "decoder_nloc": 7,
        "decoder_nsymm_pairs": 2,
    }
    ex_decoder = {
        "decoder_hidden_dim": 20,
        "decoder_lat_dim_expr": 5,
        "decoder_lat_dim_id": 4,
        "decoder_nlayers": 6,
        "mode": "compress",
    }
    both = {"ex_decoder": ex_decoder, "id_decoder": decoder | {"pos_mlp_dim": 128}, "has_forward": True}
    np.save(tmp_path / "anchors_39.npy", anchors)
    np.save(tmp_path / "mean.npy", np.full(IDENTITY.latent, 0.25, np.float32))
    np.save(tmp_path / "std.npy", np.full(IDENTITY.latent, 0.5, np.float32))
    return {
        "identity": write_experiment(tmp_path / "identity_space", identity.state_dict(), {"decoder": decoder}),
        "expression": write_experiment(tmp_path / "expression_space", expression.state_dict(), both),
        "anchors": tmp_path / "anchors_39.npy",
        "out": tmp_path / "pack",
    }, (identity, expression)


def rewrite(experiment, change):
    """Load an experiment's newest checkpoint, change its content in place, save it again."""
    path = experiment / "checkpoints" / NEWEST
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_the_networks_of_the_pack_give_the_values_of_the_checkpoints(official):
    files, (identity, expression) = official
    pack = tool.import_nphm(**files)
    tensors = {name: torch.from_numpy(value) for name, value in pack.tensors("identity.safetensors").items()}
    copy = IdentityNet(IdentityConfig(**pack.part("identity")["config"]), tensors.pop("mean_anchors"))
    copy.load_state_dict(tensors)
    points, code = torch.randn(1, 9, 3), torch.randn(1, IDENTITY.latent)
    torch.testing.assert_close(copy(points, code), identity(points, code), rtol=0, atol=0)

    twin = ExpressionNet(ExpressionConfig(**pack.part("expression")["config"]))
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in pack.tensors("expression.safetensors").items()})
    arguments = points, code, identity.anchors(code), torch.randn(1, 5)
    torch.testing.assert_close(twin(*arguments), expression(*arguments), rtol=0, atol=0)


def test_all_widths_are_read_from_the_tensors(official):
    files, _ = official
    for experiment in ("identity", "expression"):
        (files[experiment] / "configs.yaml").unlink()
    pack = tool.import_nphm(**files)
    assert IdentityConfig(**pack.part("identity")["config"]) == IDENTITY
    assert ExpressionConfig(**pack.part("expression")["config"]) == EXPRESSION


def test_official_weights_keep_the_epsilon_they_were_trained_with_and_the_official_box(official):
    pack = tool.import_nphm(**official[0])
    assert pack.part("identity")["config"]["blend_epsilon"] == 1e-6
    np.testing.assert_allclose(pack.box, [[-0.55, -0.50, -0.95], [0.55, 0.75, 0.40]])
    assert pack.manifest["license"] == "unknown, supplied by the user"


def test_a_single_checkpoint_file_will_do(official):
    files, _ = official
    files["identity"] = files["identity"] / "checkpoints" / NEWEST
    assert tool.import_nphm(**files).parts == ("identity", "expression")


def test_optimiser_states_and_latent_codes_are_neither_needed_nor_kept(official):
    files, _ = official
    extra = {"latent_codes_state_dict": {"weight": torch.ones(4, 5)}, "optimizer_lat_state_dict": {"state": {}}}
    rewrite(files["identity"], lambda content: content.update(extra))
    assert not any("latent_codes" in name for name in tool.import_nphm(**files).tensors("identity.safetensors"))


def test_latent_statistics_come_along_when_given(official, tmp_path):
    files, _ = official
    pack = tool.import_nphm(**files, statistics=(tmp_path / "mean.npy", tmp_path / "std.npy"))
    latents = pack.tensors(pack.part("latents")["file"])
    assert latents["mean"].shape == (IDENTITY.latent,)
    assert np.all(latents["deviation"] == 0.5)


def test_one_latent_statistic_alone_is_refused(official, tmp_path):
    with pytest.raises(PackError, match="both --latent-mean and --latent-std"):
        tool.import_nphm(**official[0], statistics=(tmp_path / "mean.npy", None))


@pytest.mark.parametrize(
    ("experiment", "name", "message"),
    [
        ("identity", "ensembled_deep_sdf.lin2.weight", "'ensembled_deep_sdf.lin2.weight' has shape"),
        ("identity", "mlp_pos.4.bias", "'mlp_pos.4.bias' has shape"),
        ("identity", "mlp_pos.0.weight", "does not fit 7 anchors|has shape"),
        ("expression", "defDeepSDF.lin3.weight", "'defDeepSDF.lin3.weight' has shape"),
        ("expression", "compressor.0.weight", "trained together"),
    ],
)
def test_tensors_of_wrong_shapes_are_refused(official, experiment, name, message):
    def widen(content):
        state = content["decoder_state_dict"]
        state[name] = torch.cat([state[name], state[name]], dim=-1)

    rewrite(official[0][experiment], widen)
    with pytest.raises(PackError, match=message):
        tool.import_nphm(**official[0])
    assert not official[0]["out"].exists()


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        ("identity", "ensembled_deep_sdf.lin3.bias"),
        ("identity", "mlp_pos.0.weight"),
        ("expression", "compressor.0.weight"),
        ("expression", "defDeepSDF.lin5.weight"),
    ],
)
def test_missing_tensors_are_named(official, experiment, name):
    rewrite(official[0][experiment], lambda content: content["decoder_state_dict"].pop(name))
    with pytest.raises(PackError, match=name):
        tool.import_nphm(**official[0])


def test_a_checkpoint_without_weights_is_refused(official):
    rewrite(official[0]["identity"], lambda content: content.pop("decoder_state_dict"))
    with pytest.raises(PackError, match="no 'decoder_state_dict'"):
        tool.import_nphm(**official[0])


def test_swapped_checkpoints_are_recognised(official):
    files, _ = official
    with pytest.raises(PackError, match="swapped"):
        tool.import_nphm(**files | {"identity": files["expression"], "expression": files["identity"]})


def test_anchors_of_another_model_are_refused(official):
    np.save(official[0]["anchors"], np.zeros((65, 3)))
    with pytest.raises(PackError, match="anchors"):
        tool.import_nphm(**official[0])


@pytest.mark.parametrize(
    ("experiment", "block", "key"), [("identity", "decoder", "decoder_nloc"), ("expression", "ex_decoder", "mode")]
)
def test_a_contradicting_configuration_is_refused(official, experiment, block, key):
    path = official[0][experiment] / "configs.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings[block][key] = 40
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(PackError, match=rf"{block}\.{key} = 40"):
        tool.import_nphm(**official[0])


class Bomb:
    """Leaves a trace if unpickled as code."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


@pytest.mark.promise
def test_a_checkpoint_that_carries_code_is_not_opened(official, tmp_path):
    path = official[0]["identity"] / "checkpoints" / NEWEST
    torch.save({"epoch": 1, "decoder_state_dict": Bomb(tmp_path / "trace")}, path)
    with pytest.raises(PackError, match="more than tensors and plain values"):
        tool.import_nphm(**official[0])
    assert not (tmp_path / "trace").exists()


def test_an_array_that_carries_code_is_not_opened(official, tmp_path):
    np.save(official[0]["anchors"], np.array([Bomb(tmp_path / "trace")], dtype=object))
    with pytest.raises(PackError, match="cannot be read as an array"):
        tool.import_nphm(**official[0])
    assert not (tmp_path / "trace").exists()


def test_a_yaml_that_carries_code_is_not_run(official, tmp_path):
    path = official[0]["identity"] / "configs.yaml"
    path.write_text(f"!!python/object/apply:builtins.open ['{tmp_path / 'trace'}', 'w']", encoding="utf-8")
    with pytest.raises(PackError, match="cannot be read"):
        tool.import_nphm(**official[0])
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\3\4 cut off"])
def test_a_damaged_checkpoint_is_refused(official, content):
    (official[0]["identity"] / "checkpoints" / NEWEST).write_bytes(content)
    with pytest.raises(PackError, match="checkpoint_epoch_15000"):
        tool.import_nphm(**official[0])


def test_diverged_weights_are_refused(official):
    rewrite(official[0]["expression"], lambda content: content["decoder_state_dict"]["compressor.0.bias"].fill_(torch.nan))
    with pytest.raises(PackError, match="'compressor.0.bias' holds numbers that are not finite"):
        tool.import_nphm(**official[0])


def test_a_folder_with_other_things_in_it_is_left_alone(official):
    official[0]["out"].mkdir()
    (official[0]["out"] / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(PackError, match="is not empty"):
        tool.import_nphm(**official[0])


def test_the_command_reports_an_error_without_a_trace(official, tmp_path, capsys):
    files, _ = official
    words = ["--identity", tmp_path, "--expression", files["expression"], "--anchors", files["anchors"], "--out", files["out"]]
    assert tool.main([str(word) for word in words]) == 1
    assert "holds no checkpoints" in capsys.readouterr().err
