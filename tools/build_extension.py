"""Build the extension's zips, one for each platform and Python, and have Blender's own tool validate them.

$ python3 tools/build_extension.py                       a zip for every Blender, and their index.json, in dist/repository/
$ python3 tools/build_extension.py --only linux-x64-cp311
$ python3 tools/build_extension.py --slim                one small zip for all, in dist/

A full zip holds the engine's packages as wheels. A slim one has none: the engine then runs in the Python named in the add-on's
preferences. Wheels are kept in .wheels/ and compared with tools/wheels.lock. Two builds of one commit are equal byte for byte.
The validating tool is found in a bpy package or a Blender installation; --blender names one.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import wheelhouse
from tools.wheelhouse import TARGETS, WheelError

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "blender_manifest.toml"
BESIDE = ("LICENSES", "README.md")  # they come along where they exist
LEFT_OUT = ("__pycache__", ".")  # names, or beginnings of names, of what is not packed
DENSE = (".safetensors", ".png", ".jpg", ".whl")  # compressing these takes long and saves little
OLDEST = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold, for every file
TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"
LAST_WITH = {"3.11": "5.1.0"}  # Python -> the first Blender that has another


class BuildError(Exception):
    """Says what is missing and what to do next."""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py build", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slim", action="store_true", help="one zip without the engine's packages, for all Blenders")
    names = [str(target) for target in TARGETS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="TARGET", help=f"some of {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zips (dist)")
    parser.add_argument("--lock", action="store_true", help="trust what pip brings: write its sums into tools/wheels.lock")
    parser.add_argument("--blender", help="a Blender program to validate with")
    options = parser.parse_args(arguments)
    try:
        if options.slim:
            tell(build(ROOT, options.out), options.blender)
            return 0
        return build_repository(options)
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1


def build_repository(options):
    """A zip for every target whose wheels can be had, and the index -> exit status: 0 all that were asked for, or most."""
    folder, missing = options.out / "repository", {}
    for target in TARGETS:
        if options.only and str(target) not in options.only:
            continue
        try:
            wheels = wheelhouse.fetch(target, options.lock)
        except WheelError as error:
            missing[target] = error
            print(f"{target}: NOT BUILT", flush=True)
            continue
        tell(build(ROOT, folder, target, wheels), options.blender)
    if any(folder.glob("*.zip")):
        print(ask_blender(options.blender, "server-generate", "--repo-dir", str(folder)))
    for target, error in missing.items():
        print(f"{target} could not be built: {error}. Blender there can use the slim zip and an External Python.")
    return 1 if missing and (options.only or len(missing) == len(TARGETS)) else 0


def tell(path, blender):
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB", flush=True)
    print(validate(path, blender), flush=True)


def build(root, out, target=None, wheels=()):
    """Pack the repository at `root` into a zip in the folder `out` -> its path.

    target: the kind of Blender that it is for, with the engine's wheels; None: the slim one, for all.
    """
    text = (root / MANIFEST).read_text(encoding="utf-8")
    manifest = tomllib.loads(text)
    files = contents(root)
    made = {MANIFEST: manifest_for(target, text).encode()}
    name = f"{manifest['id']}-{manifest['version']}"
    if target is not None:
        name += f"-{target.platform.replace('-', '_')}-{target.tag}"
        files |= {f"wheelhouse/{path.name}": path for path in wheels}
        made[f"wheelhouse/{wheelhouse.LISTING}"] = wheelhouse.listing(target, wheels).encode()
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.zip"
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in sorted(files.keys() | made.keys()):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system = 3  # Unix on every system, so that the permissions below are written alike
            entry.external_attr = 0o100644 << 16
            method = zipfile.ZIP_STORED if name.endswith(DENSE) else zipfile.ZIP_DEFLATED
            content = made[name] if name in made else files[name].read_bytes()
            archive.writestr(entry, content, method, compresslevel=9)
    unfinished.replace(path)
    return path


def manifest_for(target, text):
    """The manifest's text, narrowed to one platform and to the Blenders that have the target's Python."""
    if target is None:
        return text
    lines = []
    for line in text.splitlines():
        if line.startswith("blender_version_min"):
            if target.python in LAST_WITH:
                lines += [line, f'blender_version_max = "{LAST_WITH[target.python]}"']
            else:
                lines.append(f'blender_version_min = "{LAST_WITH["3.11"]}"')
            lines.append(f'platforms = ["{target.platform}"]')
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def contents(root):
    """Name in the zip -> file: the add-on's package at the top, its manifest beside its __init__.py."""
    package = root / "cliphead_addon"
    files = {MANIFEST: root / MANIFEST}
    for base, sources in ((package, [package]), (root, [root / name for name in BESIDE])):
        for source in sources:
            for path in [source] if source.is_file() else source.rglob("*"):
                parts = path.relative_to(base).parts
                if path.is_file() and not any(part.startswith(LEFT_OUT) for part in parts):
                    files["/".join(parts)] = path
    return files


def validate(path, blender=None):
    """Blender's verdict on a zip, in words. Raises BuildError when it refuses or when there is no Blender to ask."""
    return ask_blender(blender, "validate", str(path))


def ask_blender(blender, *words):
    """Have Blender's extension tool do something -> what it says. Raises BuildError when it fails or is not there."""
    if blender is not None:
        command = [blender, "--command", "extension", *words]
    elif (script := find_tool()) is not None:
        command = [sys.executable, "-I", str(script), *words]
    elif (program := shutil.which("blender")) is not None:
        command = [program, "--command", "extension", *words]
    else:
        raise BuildError(
            f"There is no Blender here to {words[0]} {words[-1]}. Run this through tools/dev.py, whose environment has one, or "
            "name one with --blender."
        )
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    if answer.returncode:
        raise BuildError(f"Blender refuses to {words[0]} {words[-1]}:\n{answer.stdout.strip()}")
    return answer.stdout.strip()


def find_tool():
    """Blender's extension tool, a plain script, inside this Python's bpy package or a virtual environment of the project."""
    spec = importlib.util.find_spec("bpy")
    packages = [Path(spec.origin).parent] if spec is not None and spec.origin else []
    packages += sorted(ROOT.glob(".venv*/[Ll]ib/**/site-packages/bpy"))
    scripts = (script for package in packages for script in package.glob(f"*/{TOOL}"))
    return next(scripts, None)


if __name__ == "__main__":
    sys.exit(main())
