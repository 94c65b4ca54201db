"""The extension's zip."""

import hashlib
import importlib.metadata
import json
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from cliphead_addon.engine import VERSION
from tools import build_extension, wheelhouse
from tools.build_extension import ROOT, BuildError, build, main, validate
from tools.wheelhouse import TARGETS, Target, WheelError

LINUX = Target("linux-x64", "3.11")


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
    assert main(["--slim", "--out", str(tmp_path)]) == 0
    assert f"cliphead-{VERSION}.zip" in capsys.readouterr().out  # the engine's version, which recipes carry


def test_blenders_refusal_is_an_error(small, tmp_path, monkeypatch, capsys):
    path = small / "blender_manifest.toml"
    path.write_text(path.read_text().replace('id = "cliphead"', 'id = "clip head"'))
    with pytest.raises(BuildError, match="Blender refuses"):
        validate(build(small, tmp_path))
    monkeypatch.setattr(build_extension, "ROOT", small)
    assert main(["--slim", "--out", str(tmp_path)]) == 1
    assert "Blender refuses" in capsys.readouterr().err


def test_without_a_blender_it_says_how_to_get_one(small, tmp_path, monkeypatch):
    monkeypatch.setattr(build_extension, "find_tool", lambda: None)
    monkeypatch.setattr(build_extension.shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match="tools/dev.py"):
        validate(Path("cliphead.zip"))


@pytest.fixture
def pip(small, tmp_path, monkeypatch):
    """A stand-in for pip: it brings noses-1.0, natively for Linux and Windows; `asked` lists for whom it was called."""
    asked = []

    def download(target, folder):
        asked.append(str(target))
        if target.platform.startswith("macos"):
            raise WheelError("pip says: No matching distribution found for noses==1.0")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / f"noses-1.0+cpu-{target.tag}-{target.tag}-{target.platform}.whl", "w") as archive:
            for name, text in (("noses/__init__.py", str(target)), ("noses-1.0.dist-info/METADATA", "Name: noses\n")):
                archive.writestr(zipfile.ZipInfo(name), text)

    monkeypatch.setattr(wheelhouse, "download", download)
    monkeypatch.setattr(wheelhouse, "requirements", lambda target: ["noses==1.0"])
    monkeypatch.setattr(wheelhouse, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(wheelhouse, "LOCK", tmp_path / "wheels.lock")
    monkeypatch.setattr(build_extension, "ROOT", small)
    return asked


def test_every_platform_and_python_gets_a_zip_with_its_wheels_and_the_others_are_named(pip, tmp_path, capsys):
    assert main(["--lock", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "macos-arm64-cp313 could not be built: pip says: No matching distribution" in said
    index = json.loads((tmp_path / "repository" / "index.json").read_text())
    served = {
        (entry["platforms"][0], entry["blender_version_min"], entry.get("blender_version_max")) for entry in index["data"]
    }
    assert served == {
        (platform, *blenders) for platform in ("linux-x64", "windows-x64") for blenders in (("4.5.0", "5.1.0"), ("5.1.0", None))
    }
    for target in TARGETS[:4]:
        with zipfile.ZipFile(
            tmp_path / "repository" / f"cliphead-{VERSION}-{str(target).replace('-x64', '_x64')}.zip"
        ) as archive:
            listing = json.loads(archive.read("wheelhouse/wheels.json"))
            assert (listing["platform"], listing["python"]) == (target.platform, target.python)
            wheel = archive.read("wheelhouse/" + listing["wheels"][0]["file"])
            assert hashlib.sha256(wheel).hexdigest() == listing["wheels"][0]["sha256"]
            assert "wheels" not in tomllib.loads(archive.read("blender_manifest.toml").decode())  # they are not Blender's


def test_full_zips_of_the_same_files_are_equal_byte_for_byte(pip, tmp_path):
    command = ["--only", str(LINUX), "--lock", "--out"]
    zips = []
    for name in ("first", "second"):
        assert main([*command, str(tmp_path / name)]) == 0
        zips.append(next((tmp_path / name / "repository").glob("*.zip")).read_bytes())
    assert zips[0] == zips[1]


def test_wheels_that_are_there_are_not_asked_for_again(pip):
    first = wheelhouse.fetch(LINUX, relock=True)
    asked = list(pip)
    assert wheelhouse.fetch(LINUX) == first and pip == asked


@pytest.mark.promise
def test_a_wheel_that_is_not_the_locked_one_is_refused(pip, tmp_path, capsys):
    wheelhouse.write_lock({str(LINUX): {"noses-1.0+cpu-cp311-cp311-linux-x64.whl": "0" * 64}})
    assert main(["--only", str(LINUX), "--out", str(tmp_path)]) == 1
    assert "not those of wheels.lock: noses-1.0+cpu" in capsys.readouterr().out
    wheelhouse.write_lock({})
    with pytest.raises(WheelError, match="no sums"):
        wheelhouse.fetch(LINUX)


def test_pytorchs_cuda_build_is_refused_for_linux(pip, monkeypatch):
    monkeypatch.setattr(wheelhouse, "needs_cuda", lambda wheel: True)
    with pytest.raises(WheelError, match="CUDA build.*Offer pip a CPU build"):
        wheelhouse.fetch(LINUX, relock=True)
    assert wheelhouse.fetch(Target("windows-x64", "3.11"), relock=True)


def test_the_lock_holds_what_the_constraints_name():
    for target, sums in wheelhouse.read_lock().items():
        platform, _, tag = target.rpartition("-")
        pins = {pin.replace("==", " ") for pin in wheelhouse.requirements(Target(platform, f"{tag[2]}.{tag[3:]}"))}
        locked = {" ".join(name.split("-")[:2]).partition("+")[0] for name in sums}
        assert {wheelhouse.normal(name) for name in locked} == {wheelhouse.normal(name) for name in pins}


def test_the_wheels_bring_all_that_the_engines_packages_need():
    """Followed from what the project imports through the packages installed here."""
    requirement = pytest.importorskip("packaging.requirements").Requirement
    text = (ROOT / wheelhouse.CONSTRAINTS[".".join(map(str, sys.version_info[:2]))]).read_text()
    imported = text.partition("# What its tests")[0].partition("# What the project imports.")[2].split()
    todo, needed = [(pin.partition("==")[0], "") for pin in imported], set()
    while todo:
        name, extra = todo.pop()
        if (wheelhouse.normal(name), extra) in needed:
            continue
        needed.add((wheelhouse.normal(name), extra))
        for line in importlib.metadata.requires(name) or []:
            wanted = requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                todo += [(wanted.name, each) for each in ("", *wanted.extras)]
    brought = {wheelhouse.normal(pin.partition("==")[0]) for pin in wheelhouse.requirements(LINUX)}
    assert {name for name, _ in needed} <= brought
