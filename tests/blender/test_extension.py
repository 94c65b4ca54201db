"""The zip in a Blender with an empty user folder: installed, enabled, used, disabled, removed."""

import os
import subprocess
import sys
from pathlib import Path

from tools import build_extension

STORY = """
import importlib, os, sys
from pathlib import Path
import bpy

archive, fake_engine = sys.argv[1:]
bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.cliphead"
folder = Path(importlib.import_module(name).__file__).parent
preferences = bpy.context.preferences.addons[name].preferences
preferences.python = sys.executable
session = importlib.import_module(name + ".blender.session")
session.state.worker_arguments = ("--engine-module", fake_engine)
assert bpy.ops.cliphead.generate(prompt="a man") == {"FINISHED"}
assert bpy.context.object.name == "A man"
head = importlib.import_module(name + ".blender.api").generate("a woman", seed=2)
assert head.name == "A woman"
log = Path(bpy.utils.extension_path_user(name)) / "worker.log"
assert log.is_file(), log
assert not any(str(folder) in path for path in sys.path)
process = session.state.client.process
bpy.ops.preferences.addon_disable(module=name)
assert process.poll() is not None and not hasattr(bpy.types.Scene, "cliphead")
bpy.ops.extensions.package_uninstall(repo_directory=str(folder.parent), pkg_id="cliphead")
assert not folder.exists()
print("THE END")
sys.stdout.flush()
os._exit(0)
"""


def test_the_zip_lives_and_leaves_in_an_empty_blender(tmp_path):
    root = Path(build_extension.__file__).parents[1]
    archive = build_extension.build(root, tmp_path)
    (tmp_path / "user").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", STORY, str(archive), str(root / "tests" / "fake_engine.py")],
        env={**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")},
        cwd=tmp_path,  # nothing of the repository is on the path
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "THE END" in done.stdout, done.stdout + done.stderr
