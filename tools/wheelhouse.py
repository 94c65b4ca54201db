"""The engine's packages as wheels, for every computer and Python that Blender runs on.

Versions come from constraints.txt and constraints-cp313.txt, SHA-256 sums from tools/wheels.lock; pip downloads what the cache
in .wheels/ lacks, so pip's own settings and PIP_* variables decide from where.
"""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".wheels"
LOCK = ROOT / "tools" / "wheels.lock"
LISTING = "wheels.json"  # beside the wheels: what `engine.runtime` checks them against
CONSTRAINTS = {"3.11": "constraints.txt", "3.13": "constraints-cp313.txt"}
NOT_ENGINE = {  # pinned too, but for tests, developers and the bpy package
    *("attrs", "cattrs", "cython", "iniconfig", "libigl", "pluggy", "pytest", "ruff", "trimesh", "zstandard"),
}
PLATFORMS = {  # Blender's name -> pip's names, newest first
    "linux-x64": [*(f"manylinux_2_{n}_x86_64" for n in range(28, 4, -1)), "manylinux2014_x86_64", "manylinux1_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": ["macosx_15_0_arm64", "macosx_15_0_universal2"],
    "macos-x64": ["macosx_15_0_x86_64", "macosx_15_0_universal2"],
}


class WheelError(Exception):
    """Says which wheels cannot be had and what to do next."""


@dataclass(frozen=True)
class Target:
    """One kind of Blender."""

    platform: str  # Blender's name for it
    python: str  # "3.11" or "3.13"

    @property
    def tag(self):
        return "cp" + self.python.replace(".", "")

    def __str__(self):
        return f"{self.platform}-{self.tag}"


TARGETS = tuple(Target(platform, python) for platform in PLATFORMS for python in CONSTRAINTS)


def requirements(target):
    """What the engine needs there, as "name==version"."""
    lines = []
    for line in (ROOT / CONSTRAINTS[target.python]).read_text(encoding="utf-8").splitlines():
        pin, _, marker = line.partition("#")[0].partition(";")
        if not pin.strip() or ("win32" in marker and target.platform != "windows-x64"):
            continue
        if normal(pin.partition("==")[0]) not in NOT_ENGINE:
            lines.append(pin.strip())
    return lines


def normal(name):
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def fetch(target, relock=False):
    """The target's wheels, sums checked -> paths in the cache, sorted by name.

    relock: write the sums of what pip brings into the lock instead of comparing them. Raises WheelError.
    """
    folder = CACHE / str(target)
    locked = {} if relock else read_lock().get(str(target), {})
    wheels = [folder / name for name in sorted(locked)]
    if not wheels or not all(path.is_file() and sha256(path) == locked[path.name] for path in wheels):
        download(target, folder)
        wheels = pick(target, folder)
    found = {path.name: sha256(path) for path in wheels}
    for path in wheels:
        if target.platform == "linux-x64" and needs_cuda(path):
            raise WheelError(
                f"{path.name} is PyTorch's CUDA build, whose libraries take several GB more. Offer pip a CPU build of the same "
                "version, with PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS, and try again"
            )
    if relock:
        write_lock({**read_lock(), str(target): found})
    elif not locked:
        raise WheelError(f"{LOCK.name} has no sums for it. If pip's sources can be trusted, add them with --lock")
    elif found != locked:
        others = sorted({name for name in found if found[name] != locked.get(name)} | (locked.keys() - found.keys()))
        raise WheelError(f"these wheels are not those of {LOCK.name}: {', '.join(others)}. Delete {folder} or use --lock")
    return wheels


def download(target, folder):
    """Have pip bring the wheels; what is there already stays. Raises WheelError with pip's own reason."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [word for name in PLATFORMS[target.platform] for word in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *platforms]
    command += ["--dest", str(folder), "--find-links", str(folder), *requirements(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stdout.splitlines() if line.startswith("ERROR")]
        raise WheelError(f"pip says: {errors[-1] if errors else done.stdout.strip()[-300:]}")


def pick(target, folder):
    """The wheel of each requirement, among others that an older lock left in the folder."""
    there = {}
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        there[normal(name), version.partition("+")[0]] = path
    return sorted(there[normal(name), version] for name, _, version in (pin.partition("==") for pin in requirements(target)))


def needs_cuda(wheel):
    """Whether a wheel wants NVIDIA's own packages beside it."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return "\nRequires-Dist: nvidia-" in archive.read(metadata).decode("utf-8", "replace")


def listing(target, wheels):
    """What the runtime must know of the wheels, as the text of wheels.json."""
    entries = []
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        entries.append({"file": path.name, "sha256": sha256(path), "size": path.stat().st_size, "unpacked": unpacked})
    content = {"format": 1, "python": target.python, "platform": target.platform, "wheels": entries}
    return json.dumps(content, indent=1) + "\n"


def read_lock():
    """Target -> {file name: SHA-256}."""
    return json.loads(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else {}


def write_lock(sums):
    text = json.dumps({target: sums[target] for target in sorted(sums)}, indent=1)
    LOCK.write_text(text + "\n", encoding="utf-8", newline="\n")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
