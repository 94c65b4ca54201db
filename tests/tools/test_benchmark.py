"""The benchmark's own arithmetic, on tiny networks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import HeadCode, Prompt
from tools import benchmark as tool


@pytest.fixture
def loaded():
    """Models with a random head of seven anchors in the unit cube."""
    torch.manual_seed(0)
    config = IdentityConfig(latent_global=4, latent_local=2, anchors=7, symmetric_pairs=2, hidden=16, blend_epsilon=0)
    identity = IdentityNet(config, np.random.default_rng(0).uniform(-0.3, 0.3, (7, 3)))
    expression = ExpressionNet(ExpressionConfig(config.latent, 3, anchors=7, compressed=2, hidden=16))
    head = HeadModel(identity, expression, {}, [-0.5] * 3, [0.5] * 3)
    code = HeadCode(np.ones(config.latent, np.float32), np.zeros(3, np.float32))
    words = SimpleNamespace(embedding=None)
    return SimpleNamespace(
        head=head,
        text=SimpleNamespace(encode=lambda text: words),
        mappers=SimpleNamespace(map=lambda embedding, prompt, expression: code),
    )


def test_the_dense_way_is_timed_per_point_and_agrees_with_ours(loaded, monkeypatch):
    monkeypatch.setattr(tool.surface, "extract", lambda field, low, high, resolution: field(np.zeros((10, 3))))
    figures = tool.compare_with_dense(Prompt("a man"), loaded, Settings(resolution=64), sample=500)
    assert figures["grid_points"] == 64**3
    assert figures["dense_seconds"] == pytest.approx(64**3 / figures["dense_points_per_second"])
    assert figures["ratio"] == pytest.approx(figures["dense_seconds"] / figures["extraction"])
    assert figures["largest_difference"] < 1e-3


def test_the_peak_memory_is_that_of_a_process_with_torch():
    memory = tool.peak_memory()
    assert memory is None or 100 < memory < 100_000


def test_the_table_shows_every_stage_and_the_ratio(capsys):
    figures = {
        **dict.fromkeys(("machine", "device", "pack"), "x"),
        **dict.fromkeys(("threads", "cores", "resolution", "texture_size", "repeats", "grid_points", "evaluations"), 2),
        **dict.fromkeys(("loading", "total", "extraction", "dense_seconds", "dense_points_per_second"), 1.5),
        "evaluations_per_vertex": 7.25,
        "stages": {"Shaping the surface": 3.25},
        "peak_memory_mb": None,
        "ratio": 123.4,
        "largest_difference": 1e-5,
    }
    tool.print_table(figures)
    out = capsys.readouterr().out
    for words in ("Shaping the surface", "3.25", "123 times", "unknown", "7.2 per point"):
        assert words in out
