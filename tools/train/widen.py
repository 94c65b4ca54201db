"""Wider networks that start out computing what narrower ones computed, so that a run continues with room for more.

New units and new latent numbers are read with weight zero by everything that was there before; their own weights keep the
random start of the wider network, so that gradients reach them at once.
"""

import numpy as np
import torch


def code_places(old, new):
    """Where the numbers of a narrow identity code stand in a wide one: (I_old,) int64. old, new: IdentityConfig."""
    members = np.arange(old.anchors + 1)[:, None]
    local = new.latent_global + members * new.latent_local + np.arange(old.latent_local)
    return torch.from_numpy(np.concatenate([np.arange(old.latent_global), local.ravel()]))


def widen_identity(narrow, wide, old, new):
    """An identity trainer's state for a wider network, one with more outputs or with more parameters at the end.

    narrow, wide: state dicts, `wide` as the wide trainer was born; old, new: their IdentityConfig -> state dict.
    Raises ValueError unless the skip layer keeps its width, that is, unless hidden grows with the latent numbers.
    """
    if old.hidden - old.latent_global - old.latent_local != new.hidden - new.latent_global - new.latent_local:
        raise ValueError("hidden must grow by as much as latent_global and latent_local together")
    latent = np.r_[0 : old.latent_global, new.latent_global : new.latent_global + old.latent_local]
    inputs = np.r_[0:3, 3 + latent]  # point, global, local
    carried = old.hidden - 3 - old.latent_global - old.latent_local  # what the layer before the skip hands on
    hidden, skip = np.arange(old.hidden), old.layers // 2
    columns = {0: inputs, skip: np.r_[0:carried, carried + inputs]}
    rows = {skip - 1: np.arange(carried), old.layers: np.arange(old.out_dim)}
    state = {name: value.clone() for name, value in wide.items()}
    for i in range(old.layers + 1):
        name = f"net.ensembled_deep_sdf.lin{i}"
        for target, source in zip(state[f"{name}.weight"], narrow[f"{name}.weight"], strict=True):
            _embed(target, source, rows.get(i, hidden), columns.get(i, hidden))
        state[f"{name}.bias"][:, rows.get(i, hidden)] = narrow[f"{name}.bias"]
    for name, value in narrow.items():
        if name.startswith("net.mlp_pos"):
            _embed(state[name], value, slice(None), slice(value.shape[-1]))
    places = code_places(old, new)
    _embed(state["code.weight"], narrow["code.weight"], places, slice(narrow["code.weight"].shape[1]))
    state["code.weight"][_others(places, new.latent), : narrow["code.weight"].shape[1]] = 0
    state["code.bias"][places] = narrow["code.bias"]
    return state


def widen_expression(narrow, old, new):
    """An expression trainer's state for the codes of a wider identity network, whose new numbers it ignores.

    narrow: state dict; old, new: IdentityConfig -> state dict.
    """
    name, places = "net.compressor.0.weight", code_places(old, new)
    anchors = new.latent + np.arange(3 * new.anchors)
    weight = narrow[name].new_zeros(len(narrow[name]), new.latent + 3 * new.anchors)
    weight[:, torch.cat([places, torch.from_numpy(anchors)])] = narrow[name]
    return narrow | {name: weight}


def _embed(target, source, rows, columns):
    """Places a matrix (or vector) in a larger one; its rows read nothing else."""
    if source.dim() == 1:
        target[rows] = source
        return
    whole = target.new_zeros(len(source), target.shape[1])
    whole[:, columns] = source
    target[rows] = whole


def _others(places, count):
    return torch.from_numpy(np.setdiff1d(np.arange(count), places.numpy()))
