"""The life of an extension's zip in an empty Blender: installed, enabled, used, disabled, removed, and nothing left.

$ python3 tools/dev.py try dist/repository/cliphead-0.1.0-linux_x64-cp311.zip
$ python3 tools/dev.py try dist/cliphead-0.1.0.zip --python /path/to/python
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STORY = """
import importlib, os, sys, time, traceback
from pathlib import Path
import bpy


def fail(*error):  # at once: with an add-on registered, Blender's module may hang at the end of Python
    traceback.print_exception(*error, file=sys.stdout)
    sys.stdout.flush()
    os._exit(1)


sys.excepthook = fail

archive, python, engine_module, prompt = sys.argv[1:]
begin = time.monotonic()


def tell(what):
    print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)


paths = list(sys.path)
bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.cliphead"
folder = Path(importlib.import_module(name).__file__).parent
tell(f"installed and enabled in {folder}")
preferences = importlib.import_module(name + ".blender.preferences")
bpy.context.preferences.addons[name].preferences.python = python
assert preferences.uses_own_engine() == (not python), "the zip has no engine, or one that is not used"
session = importlib.import_module(name + ".blender.session")
if engine_module:
    session.state.worker_arguments = ("--engine-module", engine_module)
assert bpy.ops.cliphead.generate(prompt=prompt, texture_size="256") == {"FINISHED"}
tell(f"the first head, '{bpy.context.object.name}', is there")
shared = preferences.shared_folder()
assert (shared / "engine").is_dir() == (not python), "the engine is not where it belongs"
head = importlib.import_module(name + ".blender.api").generate(prompt, seed=2, texture_size=256)
tell("the second head is there")
log = preferences.log_file()
assert log.is_file(), log
assert sys.path == paths, "Blender's sys.path has changed"
assert not any("cliphead" in (getattr(module, "__file__", None) or "") and "site-packages" in module.__file__
               for module in list(sys.modules.values())), "Blender has imported the engine's packages"
process = session.state.client.process
bpy.ops.preferences.addon_disable(module=name)
assert process.poll() is not None, "the worker outlives the extension"
assert not hasattr(bpy.types.Scene, "cliphead")
tell("disabled")
bpy.ops.extensions.package_uninstall(repo_directory=str(folder.parent), pkg_id="cliphead")
assert not folder.exists(), folder
end = time.monotonic() + 600  # thousands of files on a busy disk
while shared.exists() and time.monotonic() < end:
    time.sleep(0.1)
tell("removed")
print("THE END", flush=True)
os._exit(0)
"""


class StoryError(Exception):
    """The zip did not live as it should; the text is what was said."""


def live(archive, home, python="", engine_module="", prompt="a man", show=None):
    """Run the story with everything of the user in the empty folder `home` -> what was said.

    python: the External Python, "" for the engine in the zip; engine_module: as the worker's; show: called with each line.
    Raises StoryError, also when something of the extension is left behind.
    """
    home = Path(home)
    places = {"BLENDER_USER_RESOURCES": "blender", "XDG_DATA_HOME": "data", "LOCALAPPDATA": "data", "HOME": "home"}
    for name in set(places.values()):
        (home / name).mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("CLIPHEAD_PYTHON", "PYTHONPATH")}
    environment |= {variable: str(home / name) for variable, name in places.items()}
    words = [sys.executable, "-c", STORY, str(Path(archive).resolve()), str(python), str(engine_module), prompt]
    lines = []
    with subprocess.Popen(
        words, env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stdout:
            lines.append(line)
            if show is not None:
                show(line.rstrip())
    said = "".join(lines)
    if process.returncode or "THE END" not in said:
        raise StoryError(f"It ended with status {process.returncode}:\n{said}")
    left = sorted(str(path.relative_to(home)) for path in home.rglob("*") if "clip" in path.name.lower())
    if left:
        raise StoryError(f"Left behind: {', '.join(left)}\n{said}")
    return said


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py try", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("zip", type=Path, help="a zip that `dev.py build` made, for this computer and this Python")
    parser.add_argument("--python", default="", help="the External Python for a slim zip, as `dev.py setup` prints it")
    parser.add_argument("--prompt", default="an old man with a wide nose", help="the head that is made")
    options = parser.parse_args(arguments)
    if not options.zip.is_file():
        print(f"try: there is no {options.zip}. `python3 tools/dev.py build` makes it.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as home:
        try:
            live(options.zip, home, options.python, prompt=options.prompt, show=print)
        except StoryError as error:
            print(f"try: {error}", file=sys.stderr)
            return 1
    print("Nothing was left behind.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
