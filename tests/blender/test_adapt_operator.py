"""The preferences' button that learns to read with another CLIP."""

import time
from pathlib import Path

import bpy
import pytest

from cliphead_addon.blender import adapt, preferences


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "data_folder", lambda: tmp_path)
    (tmp_path / "vit.safetensors").write_bytes(b"weights")
    return tmp_path / "vit.safetensors"


def test_the_operator_makes_a_pack_of_its_own_and_uses_it(session, weights, monkeypatch):
    chosen = []
    monkeypatch.setattr(preferences, "choose_pack", chosen.append)
    assert bpy.ops.cliphead.adapt(architecture="ViT-L-14", weights=str(weights)) == {"FINISHED"}
    (folder,) = chosen
    assert folder == weights.parent / "packs/starter-ViT-L-14"
    pack, architecture, file = (Path(folder) / "asked.txt").read_text().splitlines()
    assert Path(pack) == preferences.STARTER_PACK and architecture == "ViT-L-14" and Path(file) == weights
    assert "Done" in adapt.state.message and not adapt.state.failed
    assert adapt.state.client is None and session.state.job is None  # the worker of heads is another one


@pytest.mark.parametrize("architecture, file", [("", "vit.safetensors"), ("ViT-L-14", "nothing.safetensors")])
def test_a_model_without_name_or_weights_is_refused(weights, architecture, file):
    with pytest.raises(RuntimeError, match="needs its name in open_clip"):
        bpy.ops.cliphead.adapt(architecture=architecture, weights=str(weights.parent / file))
    assert adapt.state.failed and adapt.state.job is None


def test_what_the_engine_says_is_told(weights):
    with pytest.raises(RuntimeError, match="Try plainer ones"):
        bpy.ops.cliphead.adapt(architecture="wrong", weights=str(weights))
    assert adapt.state.failed and "Try plainer ones" in adapt.state.message


def test_it_can_be_cancelled_while_it_runs(weights):
    adapt.begin("slow", str(weights))
    assert not bpy.ops.cliphead.adapt.poll()
    begun = time.monotonic()
    while adapt.state.job.stage == "Starting":
        adapt.tick()
        assert time.monotonic() - begun < 60
        time.sleep(0.05)
    assert bpy.ops.cliphead.adapt_cancel() == {"FINISHED"}
    while adapt.tick() is not None:
        assert time.monotonic() - begun < 60
        time.sleep(0.05)
    assert adapt.state.message == "Cancelled" and adapt.state.client is None
