"""The command of Blender's own command line."""

import json

import pytest

from cliphead_addon.blender import cli


def test_a_head_is_written_without_a_window(session, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.run(["--prompt", "a flibber man", "--seed", "7", "--texture-size", "256", "--out", str(out)]) == 0
    assert {"head.blend", "head.glb", "head.png", "albedo.png", "normal_uv.png", "recipe.json"} <= {
        p.name for p in out.iterdir()
    }
    assert json.loads((out / "recipe.json").read_text(encoding="utf-8"))["prompt"]["seed"] == 7
    assert "flibber" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, status, said", [(["wrong"], 1, "plainer"), ([], 2, "describe a head"), (["a man", "--seed", "-1"], 1, "Seed")]
)
def test_the_exit_status_tells_what_went_wrong(session, tmp_path, capsys, words, status, said):
    assert cli.run([*words, "--out", str(tmp_path / "out")]) == status
    assert said in capsys.readouterr().err
