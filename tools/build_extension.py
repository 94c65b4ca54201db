"""Build the extension's zip and have Blender's own tool validate it.

$ python3 tools/dev.py build --out dist/

The zip is of the slim kind: the engine's packages come from the Python named in the add-on's preferences. Two builds of the
same files are equal byte for byte. The tool is found in a bpy package or a Blender installation; --blender names one.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = "blender_manifest.toml"
BESIDE = ("LICENSES", "README.md")  # they come along where they exist
LEFT_OUT = ("__pycache__", ".")  # names, or beginnings of names, of what is not packed
DENSE = (".safetensors", ".png")  # compressing these takes long and saves little
OLDEST = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold, for every file
VALIDATOR = "scripts/addons_core/bl_pkg/cli/blender_ext.py"


class BuildError(Exception):
    """Says what is missing and what to do next."""


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev.py build", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip (dist)")
    parser.add_argument("--blender", help="a Blender program to validate with")
    options = parser.parse_args(arguments)
    try:
        path = build(ROOT, options.out)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
        print(validate(path, options.blender))
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


def build(root, out):
    """Pack the repository at `root` into out/<id>-<version>.zip -> its path."""
    manifest = tomllib.loads((root / MANIFEST).read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{manifest['id']}-{manifest['version']}.zip"
    unfinished = path.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name, source in sorted(contents(root).items()):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system = 3  # Unix on every system, so that the permissions below are written alike
            entry.external_attr = 0o100644 << 16
            method = zipfile.ZIP_STORED if source.suffix in DENSE else zipfile.ZIP_DEFLATED
            archive.writestr(entry, source.read_bytes(), method, compresslevel=9)
    unfinished.replace(path)
    return path


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
    if blender is not None:
        command = [blender, "--command", "extension", "validate", str(path)]
    elif (script := find_validator()) is not None:
        command = [sys.executable, "-I", str(script), "validate", str(path)]
    elif (program := shutil.which("blender")) is not None:
        command = [program, "--command", "extension", "validate", str(path)]
    else:
        raise BuildError(
            f"{path} was built but not validated: there is no Blender here. Run this through tools/dev.py, whose environment "
            "has one, or name one with --blender."
        )
    verdict = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    if verdict.returncode:
        raise BuildError(f"Blender refuses {path}:\n{verdict.stdout.strip()}")
    return verdict.stdout.strip()


def find_validator():
    """Blender's extension tool, a plain script, inside this Python's bpy package or a virtual environment of the project."""
    spec = importlib.util.find_spec("bpy")
    packages = [Path(spec.origin).parent] if spec is not None and spec.origin else []
    packages += sorted(ROOT.glob(".venv*/[Ll]ib/**/site-packages/bpy"))
    scripts = (script for package in packages for script in package.glob(f"*/{VALIDATOR}"))
    return next(scripts, None)


if __name__ == "__main__":
    sys.exit(main())
