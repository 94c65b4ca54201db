"""Official NPHM checkpoints to a model pack.

$ python3 tools/dev.py import-nphm --identity EXPERIMENTS/nphm_identity_space_pretrained \\
      --expression EXPERIMENTS/nphm_expression_space_pretrained --anchors assets/anchors_39.npy --out packs/nphm

--identity and --expression name an experiment's folder (its configs.yaml and newest checkpoint are taken) or one checkpoint
file. The weights are yours to obtain under their own terms; the pack stays on your computer. Only tensors and plain values
are read from the checkpoints, never code; optimiser states and latent codes are not needed.
"""

import argparse
import pickle
import re
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

from cliphead_addon.engine import packs
from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.jobfiles import load_array
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet

BOX = {"low": [-0.55, -0.50, -0.95], "high": [0.55, 0.75, 0.40]}  # NPHM units; the bounds of the official fitting script
LICENSE = "unknown, supplied by the user"
CREDITS = ["NPHM: Giebenhain et al., Learning Neural Parametric Head Models, CVPR 2023. Weights supplied by the user."]
BLEND_EPSILON = 1e-6  # official weights were trained with it in the sum of the blend weights
FORMS = {  # part -> what a state dict of its kind begins with, and the pattern of its numbered layers
    "identity": ("ensembled_deep_sdf.lin0.weight", r"ensembled_deep_sdf\.lin(\d+)\.weight"),
    "expression": ("defDeepSDF.lin0.weight", r"defDeepSDF\.lin(\d+)\.weight"),
}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py import-nphm", description=__doc__.partition("\n")[0])
    parser.add_argument("--identity", type=Path, required=True, help="experiment folder or checkpoint of the identity space")
    parser.add_argument(
        "--expression", type=Path, required=True, help="experiment folder or checkpoint of the expression space"
    )
    parser.add_argument("--anchors", type=Path, required=True, help="anchors_39.npy of the official assets")
    parser.add_argument("--latent-mean", type=Path, help="nphm_lat_mean.npy, for random identities")
    parser.add_argument("--latent-std", type=Path, help="nphm_lat_std.npy, for random identities")
    parser.add_argument("--borrow", nargs="*", default=[], metavar="PART", help="parts to take from the starter pack: text ...")
    parser.add_argument("--out", type=Path, required=True, help="the pack's folder, new or empty")
    parser.add_argument("--name", default="nphm", help="the pack's name (nphm)")
    options = parser.parse_args(arguments)
    try:
        pack = import_nphm(
            options.identity,
            options.expression,
            options.anchors,
            options.out,
            statistics=(options.latent_mean, options.latent_std),
            borrow=options.borrow,
            name=options.name,
        )
    except PackError as error:
        print(f"import-nphm: {error}", file=sys.stderr)
        return 1
    for part in ("identity", "expression"):
        print(f"{part}: {pack.part(part)['config']}")
    print(f"Wrote {pack.folder} with the parts {', '.join(pack.parts)}.")
    print("To use it with the starter's other parts, see 'Model packs' in README.md.")
    return 0


def import_nphm(identity, expression, anchors, out, statistics=(None, None), borrow=(), name="nphm"):
    """Checkpoints (folder or file each), anchors (K,3) .npy, optional latent mean and deviation (I,) .npy -> Pack.

    borrow: names of parts to take from the starter pack.
    Raises PackError on missing or contradicting contents; nothing is written then.
    """
    mean_anchors = read_array(anchors, (None, 3), "anchors_39.npy")
    identity_state, identity_yaml = read_experiment(identity, "identity")
    expression_state, expression_yaml = read_experiment(expression, "expression")
    identity_config = infer_identity(identity_state, identity_yaml, len(mean_anchors))
    expression_config = infer_expression(expression_state, identity_config)
    check_yaml(identity_yaml, "decoder", identity_settings(identity_config))
    check_yaml(expression_yaml, "id_decoder", identity_settings(identity_config))
    check_yaml(expression_yaml, "ex_decoder", expression_settings(expression_config))
    check_fit(IdentityNet(identity_config, mean_anchors), identity_state, "identity")
    check_fit(ExpressionNet(expression_config), expression_state, "expression")
    files = {
        "identity": identity_state | {"mean_anchors": torch.from_numpy(mean_anchors)},
        "expression": expression_state,
    }
    parts = {
        "identity": {"implementation": "nphm", "file": "identity.safetensors", "config": asdict(identity_config)},
        "expression": {"implementation": "nphm", "file": "expression.safetensors", "config": asdict(expression_config)},
    }
    if any(statistics):
        if not all(statistics):
            raise PackError("The latent mean and deviation go together: give both --latent-mean and --latent-std, or neither.")
        mean, deviation = (read_array(path, (identity_config.latent,), "nphm_lat_mean.npy or _std.npy") for path in statistics)
        files["latents"] = {"mean": torch.from_numpy(mean), "deviation": torch.from_numpy(deviation)}
        parts["latents"] = {"file": "latents.safetensors"}
    parts |= {part: {"pack": "starter"} for part in borrow}
    return write(out, files, parts, name)


def write(out, files, parts, name):
    """Tensors by file and tables by part -> sealed Pack in a new folder."""
    if out.exists() and any(out.iterdir()):
        raise PackError(f"{out} is not empty. Choose a new folder for the pack.")
    out.mkdir(parents=True, exist_ok=True)
    for stem, tensors in files.items():
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, out / f"{stem}.safetensors")
    top = {"name": name, "version": "1.0.0", "license": LICENSE, "credits": CREDITS, "box": BOX}
    for part, table in parts.items():
        pack = packs.set_part(out, part, table, **top)
    return pack


def read_experiment(place, kind):
    """Experiment folder or checkpoint file -> float32 state dict, its configs.yaml as a dict (empty if there is none)."""
    checkpoint = place
    if place.is_dir():
        found = sorted(
            place.glob("checkpoints/checkpoint_epoch_*.tar"), key=lambda path: int(re.findall(r"\d+", path.stem)[-1])
        )
        if not found:
            raise PackError(f"{place} holds no checkpoints/checkpoint_epoch_*.tar. Name an experiment's folder, or the file.")
        checkpoint = found[-1]
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise PackError(
            f"{checkpoint} holds more than tensors and plain values, so it was not opened. Get it again."
        ) from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PackError(f"{checkpoint} is not a checkpoint that PyTorch can read: {str(error)[:200]}") from error
    state = content.get("decoder_state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise PackError(f"{checkpoint} has no 'decoder_state_dict' of tensors, so it is not a checkpoint of NPHM.")
    if FORMS[kind][0] not in state:
        raise PackError(f"{checkpoint} is not an {kind} network: '{FORMS[kind][0]}' is missing. Are the two files swapped?")
    return {key: value.float() for key, value in state.items()}, read_yaml(checkpoint)


def read_yaml(checkpoint):
    """configs.yaml beside the checkpoints, or beside the file -> dict, empty if there is none."""
    for folder in (checkpoint.parent.parent, checkpoint.parent):
        path = folder / "configs.yaml"
        if path.is_file():
            try:
                content = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
                raise PackError(f"{path} cannot be read: {error}") from error
            if not isinstance(content, dict):
                raise PackError(f"{path} holds no table of settings. Get it again with its checkpoint.")
            return content
    return {}


def infer_identity(state, settings, anchors):
    """Tensor shapes decide the widths; the split of the code into global and local follows from the anchor network."""
    slots, hidden, width = dimensions(state, "ensembled_deep_sdf.lin0.weight", 3)
    layers = last_layer(state, "identity")
    anchor_hidden, latent_global = dimensions(state, "mlp_pos.0.weight", 2)
    pairs = anchors + 1 - slots
    if not (latent_global < width - 3 and 0 <= 2 * pairs <= anchors):
        raise PackError(
            f"An identity network with {width} inputs, {latent_global} global numbers and {slots} sets of weights does not fit "
            f"{anchors} anchors. Give the anchors that it was trained with."
        )
    return IdentityConfig(
        latent_global=latent_global,
        latent_local=width - 3 - latent_global,
        anchors=anchors,
        symmetric_pairs=pairs,
        hidden=hidden,
        layers=layers,
        anchor_hidden=anchor_hidden,
        out_dim=dimensions(state, f"ensembled_deep_sdf.lin{layers}.weight", 3)[1],
        blend_epsilon=BLEND_EPSILON,
    )


def infer_expression(state, identity):
    """Tensor shapes decide the widths; the identity network says how long its code is."""
    hidden, width = dimensions(state, "defDeepSDF.lin0.weight", 2)
    compressed, condition = dimensions(state, "compressor.0.weight", 2)
    if condition != identity.latent + 3 * identity.anchors:
        raise PackError(
            f"The expression network takes {condition} numbers from the identity; the identity network's code and anchors have "
            f"{identity.latent + 3 * identity.anchors}. Use two networks that were trained together."
        )
    return ExpressionConfig(
        latent_identity=identity.latent,
        latent_expression=width - 3 - compressed,
        anchors=identity.anchors,
        compressed=compressed,
        hidden=hidden,
        layers=last_layer(state, "expression"),
    )


def check_yaml(settings, block, expected):
    """Refuse a configs.yaml that contradicts the tensors; what it does not mention is not missed."""
    written = settings.get(block, {})
    for key, value in expected.items():
        if written.get(key, value) != value:
            raise PackError(
                f"configs.yaml says {block}.{key} = {written[key]!r}, but the tensors say {value!r}. "
                "The checkpoint and its configs.yaml do not belong together."
            )


def identity_settings(config):
    """IdentityConfig -> the same in the words of an official `decoder` block."""
    return {
        "decoder_lat_dim_glob": config.latent_global,
        "decoder_lat_dim_loc": config.latent_local,
        "decoder_hidden_dim": config.hidden,
        "decoder_nlayers": config.layers,
        "decoder_nloc": config.anchors,
        "decoder_nsymm_pairs": config.symmetric_pairs,
    }


def expression_settings(config):
    """ExpressionConfig -> the same in the words of an official `ex_decoder` block."""
    return {
        "decoder_lat_dim_id": config.compressed,
        "decoder_lat_dim_expr": config.latent_expression,
        "decoder_hidden_dim": config.hidden,
        "decoder_nlayers": config.layers,
        "mode": "compress",
    }


def check_fit(net, state, part):
    """Every tensor that the network wants, in its shape and finite, and no others."""
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    for name in sorted(wanted.keys() | state.keys()):
        if name not in state:
            raise PackError(f"The {part} checkpoint has no tensor '{name}'. Get it again.")
        if name not in wanted:
            raise PackError(f"The {part} checkpoint has a tensor '{name}' that this network does not know.")
        if tuple(state[name].shape) != wanted[name]:
            raise PackError(
                f"The {part} checkpoint's '{name}' has shape {tuple(state[name].shape)}, which with its other tensors "
                f"should be {wanted[name]}. Get it again."
            )
        if not state[name].isfinite().all():
            raise PackError(f"The {part} checkpoint's '{name}' holds numbers that are not finite. Take an earlier checkpoint.")


def dimensions(state, name, count):
    """A tensor's shape, which must have `count` dimensions."""
    if name not in state or state[name].ndim != count or 0 in state[name].shape:
        found = f"shape {tuple(state[name].shape)}" if name in state else "nothing"
        raise PackError(f"'{name}' should be a tensor of {count} dimensions; found {found}. Is this a checkpoint of NPHM?")
    return tuple(state[name].shape)


def last_layer(state, part):
    return max(int(match[1]) for match in (re.fullmatch(FORMS[part][1], name) for name in state) if match)


def read_array(path, shape, usual_name):
    """.npy file -> float32 array of a shape, in which None fits any length."""
    try:
        array = load_array(path)
    except (OSError, ValueError) as error:
        raise PackError(f"{path} cannot be read as an array: {error}. It should be the official {usual_name}.") from error
    fits = isinstance(array, np.ndarray) and len(array.shape) == len(shape) and array.dtype.kind == "f"
    if not fits or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        found = getattr(array, "shape", "an archive")
        raise PackError(f"{path} holds {found}, not {wanted} floats. It should be the official {usual_name}.")
    if not np.isfinite(array).all():
        raise PackError(f"{path} holds numbers that are not finite. Get it again.")
    return array.astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
