"""The extension's zip."""

import zipfile
from pathlib import Path

import pytest

from cliphead_addon.engine import VERSION
from tools import build_extension
from tools.build_extension import ROOT, BuildError, build, main, validate


@pytest.fixture
def small(tmp_path):
    """A repository in miniature."""
    files = {
        "blender_manifest.toml": (ROOT / "blender_manifest.toml").read_text(),
        "README.md": "read me",
        "LICENSES/GPL.txt": "licence",
        "cliphead_addon/__init__.py": "def register(): pass",
        "cliphead_addon/engine/worker.py": "pass",
        "cliphead_addon/packs/starter/pack.toml": "format = 1",
        "cliphead_addon/engine/__pycache__/worker.cpython-311.pyc": "stale",
        "cliphead_addon/.DS_Store": "litter",
        "tools/dev.py": "not for users",
    }
    for name, text in files.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "repository"


def test_the_zip_holds_the_package_its_manifest_and_no_litter(small, tmp_path):
    with zipfile.ZipFile(build(small, tmp_path)) as archive:
        assert archive.namelist() == [
            "LICENSES/GPL.txt",
            "README.md",
            "__init__.py",
            "blender_manifest.toml",
            "engine/worker.py",
            "packs/starter/pack.toml",
        ]


def test_two_builds_are_equal_byte_for_byte(small, tmp_path):
    first = build(small, tmp_path / "first").read_bytes()
    for path in small.rglob("*.py"):
        path.touch(mode=0o755)
    assert build(small, tmp_path / "second").read_bytes() == first


def test_blenders_own_tool_accepts_the_real_zip(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 0
    assert f"cliphead-{VERSION}.zip" in capsys.readouterr().out  # the engine's version, which recipes carry


def test_blenders_refusal_is_an_error(small, tmp_path, monkeypatch, capsys):
    path = small / "blender_manifest.toml"
    path.write_text(path.read_text().replace('id = "cliphead"', 'id = "clip head"'))
    with pytest.raises(BuildError, match="Blender refuses"):
        validate(build(small, tmp_path))
    monkeypatch.setattr(build_extension, "ROOT", small)
    assert main(["--out", str(tmp_path)]) == 1
    assert "Blender refuses" in capsys.readouterr().err


def test_without_a_blender_it_says_how_to_get_one(small, tmp_path, monkeypatch):
    monkeypatch.setattr(build_extension, "find_validator", lambda: None)
    monkeypatch.setattr(build_extension.shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match="tools/dev.py"):
        validate(Path("cliphead.zip"))
