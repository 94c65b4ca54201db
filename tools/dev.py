"""The one door for newcomers: makes the environment the project needs, then runs one of its commands in it.

$ python3 tools/dev.py generate "an old man with a wide nose, laughing" --seed 7 --out out/
$ python3 tools/dev.py test [--blender 4.5|5.0|5.2] [pytest's own arguments]
$ python3 tools/dev.py help

Any Python from 3.8 starts it, with the standard library alone; it looks for a fitting one (3.11, or 3.13) by itself. The
packages are pinned in constraints.txt and constraints-cp313.txt and come through pip, so pip's own settings and PIP_* variables
decide from where. The first run takes minutes, every later one starts at once and needs no network.
"""

import ast
import collections
import contextlib
import glob
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"

# One virtual environment. requirements: pip's arguments, pins included; imports: native packages that must load.
Environment = collections.namedtuple("Environment", "folder python requirements imports")

ENGINES = (  # either runs everything; the first that this computer can have is taken
    Environment(".venv", (3, 11), ("-r", "constraints.txt", "bpy==4.5.15"), "numpy scipy cvxopt skimage torch bpy"),
    Environment(".venv-cp313", (3, 13), ("-r", "constraints-cp313.txt", "bpy==5.2.3"), "numpy scipy cvxopt skimage torch bpy"),
)
BLENDER_TOOLS = ("cvxopt", "numpy", "pillow", "pytest", "safetensors", "scipy", "tomli_w")
BLENDERS = {  # Blender's side alone, for its tests; the worker runs in an engine environment
    "4.5": Environment(".venv-4.5", (3, 11), ("-c", "constraints.txt", "bpy==4.5.15") + BLENDER_TOOLS, "numpy bpy"),
    "5.0": Environment(".venv-5.0", (3, 11), ("-c", "constraints.txt", "bpy==5.0.1") + BLENDER_TOOLS, "numpy bpy"),
    "5.2": Environment(".venv-5.2", (3, 13), ("-c", "constraints-cp313.txt", "bpy==5.2.3") + BLENDER_TOOLS, "numpy bpy"),
}

COMMANDS = {  # name -> (module run in the environment, what it does)
    "generate": ("tools.generate", "a sentence to a textured head: head.blend, head.glb, pictures and the recipe"),
    "batch": ("tools.batch", "a head for every row of a CSV file, on several cores or a Ray cluster"),
    "test": ("pytest", "the test suite; --blender 4.5, 5.0 or 5.2: Blender's side in that version"),
    "bench": ("tools.benchmark", "seconds per stage, memory, and the ratio to the published dense way"),
    "build": ("tools.build_extension", "the extension's zips for Blender; --slim: one without the engine"),
    "try": ("tools.try_extension", "the life of a built zip in an empty Blender, from installing to removing"),
    "gallery": ("tools.gallery", "contact sheets of heads, rendered by Cycles, into docs/gallery"),
    "evaluate": ("tools.evaluate", "the starter pack against heads it never saw"),
    "train": (None, "list the training scripts, or start one: train head --minutes 30"),
    "import-nphm": ("tools.import_nphm", "official NPHM checkpoints to a model pack"),
    "install-pack": ("tools.install_pack", "a model pack from its zip, a file or a download"),
    "seal": ("tools.seal", "renew the sums of a model pack whose files you changed"),
    "setup": (None, "make the environment and print its Python, which Blender's preferences ask for"),
}

PROBE = (
    "import ensurepip, platform, sys, sysconfig, venv;"
    "print(sys.version_info[0], sys.version_info[1], int(sys.maxsize > 2**32),"
    " int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), sys.executable, sep='|')"
)
SYSTEM_PACKAGES = "libegl1 libgl1 libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1"


class Problem(Exception):
    """Something the user can put right; the text says how."""


def main(arguments):
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(__doc__)
        for name, (_, purpose) in COMMANDS.items():
            print(f"  {name:12} {purpose}")
        print("\nEach command has a --help of its own.")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        raise Problem(f"There is no command '{command}'. Choose one of: {', '.join(COMMANDS)}.")
    module = COMMANDS[command][0]
    if command == "train":
        scripts = training_scripts()
        if not rest or rest[0] not in scripts:
            return list_training(scripts, rest)
        module, rest = f"tools.train.{rest[0]}", rest[1:]
    if command == "test":
        return test(rest)
    python = ensure(choose_engine())
    if command == "setup":
        print(python)
        return 0
    return run_module(python, module, rest)


def test(arguments):
    """The whole suite in an engine environment, or Blender's side in the version asked for."""
    arguments = list(arguments)
    version = None
    for i, argument in enumerate(arguments):
        if argument == "--blender" or argument.startswith("--blender="):
            version = argument.partition("=")[2] or "".join(arguments[i + 1 : i + 2])
            del arguments[i : i + (1 if "=" in argument else 2)]
            break
    if version is not None and version not in BLENDERS:
        raise Problem(f"There is no Blender '{version}' to test with. Choose one of: {', '.join(BLENDERS)}.")
    engine = choose_engine()
    python = ensure(engine)
    if version is None or bpy_of(BLENDERS[version]) == bpy_of(engine):
        return run_module(python, "pytest", arguments, folder=ROOT)
    blender = ensure(BLENDERS[version])
    return run_module(blender, "pytest", arguments or ["tests/blender"], folder=ROOT, CLIPHEAD_PYTHON=str(python))


def bpy_of(environment):
    return next(word for word in environment.requirements if word.startswith("bpy=="))


def run_module(python, module, arguments, folder=None, **variables):
    """Run a module of the project in an environment -> its exit status."""
    try:
        return subprocess.call([str(python), "-m", module, *arguments], cwd=folder, env=clean_environment(**variables))
    except KeyboardInterrupt:
        return 130


def clean_environment(**variables):
    """The caller's variables without those that lead Python elsewhere; offline unless the caller said otherwise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    defaults = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    python = {"PYTHONPATH": str(ROOT), "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    return {**defaults, **kept, **python, **variables}


def training_scripts():
    """Name -> first line of the docstring, of every script in tools/train."""
    scripts = {}
    for path in sorted((ROOT / "tools" / "train").glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        scripts[path.stem] = text.partition("\n")[0]
    return scripts


def list_training(scripts, asked):
    for name, purpose in scripts.items():
        print(f"  {name:12} {purpose}")
    print("\nStart one with: python3 tools/dev.py train NAME [options]; --help shows its options.")
    if asked and asked[0] not in ("-h", "--help"):
        raise Problem(f"There is no training script '{asked[0]}'. Choose one of: {', '.join(scripts)}.")
    return 0


# Environments


def choose_engine():
    """The engine environment that is ready, else the one begun, else the first whose Python this computer has."""
    for environment in ENGINES:
        if is_ready(environment):
            return environment
    for environment in ENGINES:
        if environment_python(environment).exists():
            return environment
    rejected = []
    for environment in ENGINES:
        if find_python(environment.python, rejected):
            return environment
    raise no_python([environment.python for environment in ENGINES], rejected)


def ensure(environment):
    """Make or repair an environment where needed -> its Python."""
    python = environment_python(environment)
    if is_ready(environment):
        return python
    with only_one(environment):
        if is_ready(environment):  # another dev.py has just made it
            return python
        start = time.monotonic()
        say(f"Setting up {environment.folder} once. This takes a few minutes and needs the network; later runs do not.")
        begin(environment)
        try:
            install(environment)
        except Damaged as damage:
            say(f"  {environment.folder} is damaged ({damage}): making it anew")
            create(environment)
            try:
                install(environment)
            except Damaged as again:
                raise Problem(not_loading(str(again))) from again
        ready_file(environment).write_text(fingerprint(environment), encoding="utf-8")
        say(f"  {environment.folder} is ready after {time.monotonic() - start:.0f} s")
    return python


class Damaged(Exception):
    """Installed packages that do not load."""


def begin(environment):
    """Keep what can be kept of an earlier set-up, or make the environment."""
    folder, python = ROOT / environment.folder, environment_python(environment)
    if not folder.exists() or not any(folder.iterdir()):
        create(environment)
    elif interrupted_file(environment).exists() or not python.exists():
        say("  an earlier set-up was interrupted: making it anew")
        create(environment)
    else:
        found = probe([str(python)])
        if isinstance(found, str):
            say(f"  its Python does not start ({found}): making it anew")
            create(environment)
        elif found[0] != environment.python:
            raise Problem(
                f"{folder} is an environment of Python {dotted(found[0])}, not made by this script, which needs its place "
                f"for Python {dotted(environment.python)}. Move it away or delete it, then run this again."
            )


def create(environment):
    """A fresh, empty virtual environment."""
    rejected = []
    base = find_python(environment.python, rejected)
    if not base:
        raise no_python([environment.python], rejected)
    say(f"  python: {base}")
    folder = ROOT / environment.folder
    made = ask([base, "-m", "venv", "--clear", str(folder)])
    if made.returncode:
        raise Problem(f"'{base} -m venv {folder}' failed:\n{made.stdout.strip()}\nDelete {folder} and try again.")


def install(environment):
    """Bring the pinned packages in and try the native ones; raises Damaged where one does not load."""
    folder, python = ROOT / environment.folder, str(environment_python(environment))
    free = shutil.disk_usage(str(folder)).free / 1e9
    if free < 8 and environment in ENGINES:
        say(f"  only {free:.1f} GB are free on this disk: 3 GB are needed, 8 GB where PyTorch brings its CUDA libraries")
    if sys.platform == "linux" and environment in ENGINES and "PIP_FIND_LINKS" not in os.environ:
        say("  PyTorch's own build for Linux is several GB; PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS can offer pip a CPU build")
    interrupted_file(environment).write_text("", encoding="utf-8")
    log = folder / "setup.log"
    words = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    process = subprocess.Popen(
        words + list(environment.requirements),
        cwd=str(ROOT),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines = []
    with open(str(log), "w", encoding="utf-8") as file:
        for line in process.stdout:
            file.write(line)
            lines.append(line.rstrip())
            if line.startswith(("Collecting ", "Installing collected")):
                say("  " + line.strip()[:100].lower())
    failed = process.wait() != 0
    interrupted_file(environment).unlink()  # pip ended by itself, so nothing is half-written
    if failed:
        raise Problem(install_advice("\n".join(lines), log))
    for name in environment.imports.split():
        say(f"  trying {name}")
        tried = ask([python, "-c", "import " + name])
        if tried.returncode:
            last = (tried.stdout.strip().splitlines() or [f"it ended with status {tried.returncode}"])[-1]
            if ".so" in last and "cannot open shared object" in last:
                raise Problem(not_loading(f"import {name}: {last}"))  # the system lacks a library; installing again is no help
            raise Damaged(f"import {name}: {last}")


def install_advice(output, log):
    """What pip said -> what happened and what to do."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-5:]
    if "No space left" in output:
        advice = "The disk is full. Make room and run this again; it goes on where it stopped."
    elif any(words in output for words in ("Max retries", "NewConnectionError", "name resolution", "timed out", "Retrying (")):
        advice = "The package index could not be reached. Check the network, and pip's settings: python -m pip config list"
    elif "No matching distribution" in output or "not a supported wheel" in output:
        advice = (
            f"A package has no build for this computer ({platform.system()} {platform.machine()}). Supported are 64-bit "
            "Windows and Linux on x86-64, and macOS on Apple silicon."
        )
    else:
        advice = "Run this again; if it fails again, the log says more."
    return "\n".join(["The packages could not be installed.", *errors, advice, f"The whole log: {log}"])


def not_loading(what):
    advice = "Delete the environment's folder and run this again."
    if sys.platform == "linux" and ".so" in what:
        advice = f"Blender's module needs system libraries. On Debian or Ubuntu: sudo apt install {SYSTEM_PACKAGES}"
    return f"A package does not load: {what}\n{advice}"


def is_ready(environment):
    try:
        made_with = ready_file(environment).read_text(encoding="utf-8")
    except OSError:
        return False
    return made_with == fingerprint(environment) and environment_python(environment).exists()


def fingerprint(environment):
    """SHA-256 of everything that decides what is installed."""
    pins = [(ROOT / word).read_text(encoding="utf-8") for word in environment.requirements if word.endswith(".txt")]
    return hashlib.sha256(repr((environment, pins)).encode()).hexdigest()


def environment_python(environment):
    return ROOT / environment.folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


def ready_file(environment):
    return ROOT / environment.folder / "cliphead-ready"


def interrupted_file(environment):
    return ROOT / environment.folder / "cliphead-installing"


@contextlib.contextmanager
def only_one(environment):
    """Hold a lock while setting up, which the system releases if this process dies."""
    with open(str(ROOT / (environment.folder + ".lock")), "w") as file:
        told = False
        while not lock(file):
            if not told:
                say(f"Another dev.py is setting up {environment.folder}: waiting for it.")
                told = True
            time.sleep(1)
        yield


def lock(file):
    """Take an open file's lock without waiting -> whether it was free."""
    try:
        if WINDOWS:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# Interpreters


def find_python(version, rejected):
    """(major, minor) -> path of a 64-bit Python that can make environments, or None; rejected: list that gathers reasons."""
    seen = set()
    for words in candidates(version):
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        found = probe(words)
        if isinstance(found, str):
            if dotted(version) in words[-1] or dotted(version).replace(".", "") in words[-1]:
                rejected.append(f"{' '.join(words)}: {found}")
        elif found[0] == version:
            return found[1]
    return None


def probe(words):
    """Command of a Python -> ((major, minor), its executable), or why it will not do."""
    try:
        asked = ask([*words, "-c", PROBE], timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if asked.returncode:
        return (asked.stdout.strip().splitlines() or ["it does not start"])[-1]
    major, minor, wide, threaded, executable = asked.stdout.strip().splitlines()[-1].split("|", 4)
    if wide == "0" or threaded == "1":
        return "a 32-bit build" if wide == "0" else "a free-threaded build"
    return (int(major), int(minor)), executable


def candidates(version):
    """Commands that may start a Python of this version, likeliest first: this one, PATH, managers, usual places."""
    name, joined = dotted(version), dotted(version).replace(".", "")
    if sys.version_info[:2] == version:
        yield [sys.executable]
    for command in ("python" + name, "python3", "python"):
        if shutil.which(command):
            yield [shutil.which(command)]
    if WINDOWS and shutil.which("py"):
        yield [shutil.which("py"), "-" + name]
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", str(home / ".pyenv")))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", str(home / ".local/share/uv/python")))
    local, programs = os.environ.get("LOCALAPPDATA", ""), os.environ.get("ProgramFiles", "")
    roaming = os.environ.get("APPDATA", "")
    if WINDOWS:
        patterns = [
            f"{local}/Programs/Python/Python{joined}/python.exe",
            f"{programs}/Python{joined}/python.exe",
            f"C:/Python{joined}/python.exe",
            f"{pyenv}/pyenv-win/versions/{name}.*/python.exe",
            f"{uv}/cpython-{name}.*/python.exe",
            f"{roaming}/uv/python/cpython-{name}.*/python.exe",
        ]
    else:
        binary = f"bin/python{name}"
        patterns = [
            f"{pyenv}/versions/{name}.*/{binary}",
            f"{uv}/cpython-{name}.*/{binary}",
            f"/usr/{binary}",
            f"/usr/local/{binary}",
            f"/opt/homebrew/{binary}",
            f"/opt/homebrew/opt/python@{name}/{binary}",
            f"/usr/local/opt/python@{name}/{binary}",
            f"/opt/local/{binary}",
            f"/Library/Frameworks/Python.framework/Versions/{name}/{binary}",
            f"/opt/python*{name}*/{binary}",
            f"{home}/*conda*/{binary}",
            f"{home}/*conda*/envs/*/{binary}",
            f"{home}/miniforge*/{binary}",
        ]
    for pattern in patterns:
        for path in sorted(glob.glob(pattern), reverse=True):
            yield [path]


def no_python(versions, rejected):
    """What to install when no fitting Python was found."""
    wanted = " or ".join(dotted(version) for version in versions)
    best = dotted(versions[0])
    lines = [f"No Python {wanted} was found on this computer (this script runs on {platform.python_version()})."]
    lines += [f"  not usable: {reason}" for reason in rejected]
    if WINDOWS:
        lines.append(f"Install one, for example: winget install Python.Python.{best}")
    elif sys.platform == "darwin":
        lines.append(f"Install one, for example: brew install python@{best}")
    else:
        lines.append(f"Install one, for example on Debian or Ubuntu: sudo apt install python{best} python{best}-venv")
    lines.append(f"With uv or pyenv: uv python install {best}, or pyenv install {best}. Then run this again.")
    lines.append("If it is in an unusual place, start this script with it: /path/to/python tools/dev.py ...")
    return Problem("\n".join(lines))


def dotted(version):
    return "{}.{}".format(*version)


def ask(words, timeout=None):
    """Run a command without showing it -> its CompletedProcess, both streams in stdout."""
    return subprocess.run(
        words,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(f"dev.py: {problem}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
