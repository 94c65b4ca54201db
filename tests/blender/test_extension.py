"""The zips in a Blender with an empty user folder: installed, enabled, used, disabled, removed."""

import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from cliphead_addon.engine import runtime
from tools import build_extension
from tools.try_extension import StoryError, live
from tools.wheelhouse import Target

ROOT = Path(build_extension.__file__).parents[1]
FAKE_ENGINE = ROOT / "tests" / "fake_engine.py"
HERE = Target(runtime.computer(), ".".join(map(str, sys.version_info[:2])))


def wheel_of(name, folder):
    """A wheel made of a package that is installed here: the stand-in engine needs three, native parts included."""
    package = distribution(name)
    path = folder / f"{name}-{package.version}-{HERE.tag}-{HERE.tag}-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in package.files:
            if ".." not in file.parts and not {"tests", "__pycache__"} & set(file.parts) and file.locate().is_file():
                archive.write(file.locate(), str(file))
    return path


@pytest.mark.promise
def test_the_full_zip_lives_and_leaves_in_an_empty_blender(tmp_path):
    wheels = [wheel_of(name, tmp_path) for name in ("numpy", "pillow", "scipy")]
    live(build_extension.build(ROOT, tmp_path, HERE, wheels), tmp_path / "home", engine_module=FAKE_ENGINE)


def test_the_slim_zip_does_the_same_with_an_external_python(tmp_path):
    live(build_extension.build(ROOT, tmp_path), tmp_path / "home", sys.executable, FAKE_ENGINE)


def test_a_zip_for_another_blender_is_refused(tmp_path):
    other = Target(HERE.platform, "3.13" if HERE.python == "3.11" else "3.11")
    with pytest.raises(StoryError, match="This Blender version"):
        live(build_extension.build(ROOT, tmp_path, other), tmp_path / "home", engine_module=FAKE_ENGINE)


def test_a_story_that_fails_tells_why_and_ends(tmp_path):
    with pytest.raises(StoryError, match="no engine, or one that is not used"):
        live(build_extension.build(ROOT, tmp_path), tmp_path / "home")
