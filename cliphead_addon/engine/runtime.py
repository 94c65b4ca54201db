"""The engine's packages, unpacked once from the wheels that travel in the extension's zip, for the worker alone.

A folder of data that all Blenders of a user share holds them: DATA/engine/cp311-1a2b3c4d, named after the wheels' sums. It is
made whole under another name and then renamed, under a lock, so that two Blenders starting at once get one whole engine.
DATA/users knows which extension uses which engine; what nobody uses is deleted. Standard library only: it runs before there is
anything else.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .archives import ArchiveError, check_list, extract, plain_files
from .errors import ClipHeadError, StorageError

LISTING = "wheels.json"  # made by tools/wheelhouse.py
FORMAT = 1
ENGINES, USERS, LOCK, PACKS, DOWNLOADS = "engine", "users", "engine.lock", "packs", "downloads"  # in the data folder
CONTENTS = "cliphead-contents.json"  # in an engine's folder: path -> bytes of every file, written last
LISTING_LIMIT = 1 << 20  # bytes
MOST_FILES = 50_000  # of one wheel; torch has 12,000
MOST_BYTES = 4 << 30  # of one wheel, unpacked
SPARE = 256 << 20  # bytes that stay free on the disk
WAIT = 0.2  # seconds
NOT_NEEDED = {"tests", "include", "cmake", "licenses", "license_files"}  # folders; with them go the longest paths
NOT_NEEDED_BEGINNINGS = ("torch/test/", "torch/bin/protoc", "torch/bin/test_")  # a fifth of all bytes
NOT_NEEDED_ENDS = (".lib", ".a", ".pth")
WHOLE = "Install the extension's zip again."


class EngineError(ClipHeadError):
    """The engine's packages cannot be unpacked or do not fit this Python."""

    code = "BAD_ENGINE"


def use(wheelhouse, data, progress):
    """Make this process import from the unpacked engine, and from no other installed packages.

    wheelhouse: folder of wheels; data: folder shared by all Blenders; progress: called as (stage, fraction), what it raises
    ends the work. Raises EngineError.
    """
    folder = prepare(wheelhouse, data, progress)
    sys.path[:] = [
        str(folder),
        *(path for path in sys.path if not path.rstrip("/\\").endswith(("site-packages", "dist-packages"))),
    ]


def prepare(wheelhouse, data, progress):
    """The folder with the wheelhouse's packages, unpacked now if it is not there whole -> Path. As `use`."""
    wheelhouse, data = Path(wheelhouse), Path(data)
    listing, name = read_listing(wheelhouse)
    check_python(listing)
    folder = data / ENGINES / name
    try:
        sign_in(data, wheelhouse.parent, name)  # first: then no other Blender takes the folder for one that nobody uses
        if not is_whole(folder):
            (data / ENGINES).mkdir(parents=True, exist_ok=True)
            with locked(data, progress):
                if not is_whole(folder):  # another Blender may have made it while this one waited
                    unpack(wheelhouse, listing, folder, progress)
    except OSError as error:
        raise StorageError(
            f"The engine cannot be unpacked into {data}: {error.strerror or error}. Make room or allow writing there, or "
            "choose another data folder in Edit > Preferences > Add-ons > CLIP-Head."
        ) from error
    return folder


def read_listing(wheelhouse):
    """(contents of wheels.json, name of the engine's folder). Raises EngineError."""
    path = wheelhouse / LISTING
    try:
        with open(path, "rb") as file:
            text = file.read(LISTING_LIMIT + 1)
        listing = json.loads(text.decode()) if len(text) <= LISTING_LIMIT else {}
        if listing["format"] != FORMAT or not listing["wheels"]:
            raise ValueError("another format")
        for wheel in listing["wheels"]:
            if Path(wheel["file"]).name != wheel["file"] or not wheel["file"].endswith(".whl"):
                raise ValueError(f"'{wheel['file']}' is no wheel's name")
            if len(wheel["sha256"]) != 64 or not 0 <= wheel["unpacked"] <= MOST_BYTES:
                raise ValueError(f"'{wheel['file']}' has no proper sum or size")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} is not a list of wheels ({error}). {WHOLE}") from error
    return listing, f"cp{listing['python'].replace('.', '')}-{hashlib.sha256(text).hexdigest()[:8]}"


def check_python(listing):
    """Raises EngineError if this Python or computer is not the one that the wheels are for."""
    python, here = ".".join(map(str, sys.version_info[:2])), computer()
    if (python, here) != (listing["python"], listing["platform"]):
        raise EngineError(
            f"This CLIP-Head holds packages for Python {listing['python']} on {listing['platform']}, but Blender's own is "
            f"Python {python} on {here}. Install the zip for it, or choose an External Python in the preferences.",
            "WRONG_PYTHON",
        )


def computer():
    """This computer's platform in Blender's words, such as "linux-x64"."""
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    machine = platform.machine().lower()
    return f"{system}-{ {'x86_64': 'x64', 'amd64': 'x64', 'aarch64': 'arm64'}.get(machine, machine) }"


def is_whole(folder):
    """Whether every file of an engine is there in its full size."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        return all(os.stat(f"{folder}/{name}").st_size == size for name, size in contents.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def locked(data, progress):
    """Hold the data folder's lock, which the system releases if this process dies."""
    with open(data / LOCK, "a+b") as file:
        while not lock(file):
            progress("Another Blender is unpacking the engine", 0.0)
            time.sleep(WAIT)
        yield


def lock(file):
    """Take an open file's lock without waiting -> whether it was free."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unpack(wheelhouse, listing, folder, progress):
    """All wheels into `folder`, which appears whole or not at all. The lock is held. Raises EngineError and OSError."""
    for draft in folder.parent.glob(".*"):  # what a process that died left behind
        shutil.rmtree(draft, ignore_errors=True)
    total = sum(wheel["unpacked"] for wheel in listing["wheels"])
    free = shutil.disk_usage(folder.parent).free
    if free < total + SPARE:
        raise StorageError(
            f"The engine takes up to {total >> 20:,} MB once unpacked and {folder.parent} has {free >> 20:,} MB free. Free "
            "some, or choose another data folder in Edit > Preferences > Add-ons > CLIP-Head."
        )
    draft = folder.parent / f".{folder.name}"
    try:
        draft.mkdir()
        contents, done = {}, 0
        for wheel in listing["wheels"]:
            progress("Unpacking the engine, once", done / max(total, 1))
            contents |= unpack_wheel(wheelhouse / wheel["file"], wheel, draft)
            done += wheel["unpacked"]
        with open(draft / CONTENTS, "w", encoding="utf-8") as file:
            json.dump(contents, file)
        settle(draft, contents)
        if folder.exists():  # damaged
            folder.rename(folder.parent / f".damaged-{folder.name}")
            shutil.rmtree(folder.parent / f".damaged-{folder.name}", ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def unpack_wheel(path, promised, folder):
    """One wheel whose sum is as promised into a folder -> {path: bytes} of its files. Raises EngineError."""
    try:
        with open(path, "rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != promised["sha256"]:
                raise EngineError(f"{path} is damaged: its SHA-256 is not that of {LISTING}. {WHOLE}")
            check_list(path)
            with zipfile.ZipFile(stream) as archive:  # the very bytes that were summed
                entries = plain_files(path, archive, MOST_FILES, promised["unpacked"])
                contents = {}
                for entry in entries:
                    name = installed_name(entry.filename)
                    if name is None:
                        continue
                    target = folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    extract(path, archive, entry, target)
                    if os.name == "posix" and (entry.external_attr >> 16) & 0o111:
                        target.chmod(0o755)  # torch has helper programs of its own
                    contents[name] = entry.file_size
                return contents
    except FileNotFoundError as error:
        raise EngineError(f"{error.filename} is missing. {WHOLE}") from error
    except FileExistsError as error:
        raise EngineError(f"{error.filename} comes from two wheels. {WHOLE}") from error
    except (ArchiveError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise EngineError(f"{path} cannot be unpacked: {error} {WHOLE}") from error


def installed_name(name):
    """Where a wheel's file goes, or None if the engine runs without it."""
    parts = PurePosixPath(name).parts
    if parts[0].endswith(".data"):  # files for other places; only those for the packages' own folder are of use
        if len(parts) < 3 or parts[1] not in ("purelib", "platlib"):
            return None
        parts = parts[2:]
    name = "/".join(parts)
    if any(part.lower() in NOT_NEEDED for part in parts[:-1]):
        return None
    return None if name.startswith(NOT_NEEDED_BEGINNINGS) or name.endswith(NOT_NEEDED_ENDS) else name


def settle(folder, contents):
    """Have the system write everything to the disk, so that the rename that follows cannot outlive the files."""
    if hasattr(os, "sync"):
        os.sync()  # one call; thousands of fsyncs take many times longer
        return
    for name in (*contents, CONTENTS):
        with open(folder / name, "r+b") as file:
            os.fsync(file.fileno())


# Who uses what


def sign_in(data, extension, engine):
    """Note that the extension in that folder uses an engine ("": none of these), and delete those that nobody uses any more."""
    record = data / USERS / f"{hashlib.sha256(str(extension).encode()).hexdigest()[:12]}.json"
    text = json.dumps({"extension": str(extension), "engine": engine})
    with contextlib.suppress(OSError):
        if record.read_text(encoding="utf-8") == text:
            return
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(text, encoding="utf-8")
    delete_unused(data)


def sign_out(data, keep=()):
    """After an extension was removed: delete what no other uses; after the last one, all but the folders named in `keep`."""
    if not data.is_dir():
        return
    if users(data):
        delete_unused(data)
        return
    for name in (ENGINES, USERS, LOCK, PACKS, DOWNLOADS):
        if name not in keep:
            delete(data / name)
    with contextlib.suppress(OSError):
        data.rmdir()  # if that was all


def delete_unused(data):
    used = {user["engine"] for user in users(data)}
    for folder in (data / ENGINES).glob("[!.]*"):
        if folder.name not in used:
            delete(folder)


def delete(path):
    """A file or a folder; what another process holds open on Windows stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def users(data):
    """The extensions that are still installed, of those that signed in; forgets the others -> list of their records."""
    found = []
    for record in (data / USERS).glob("*.json"):
        try:
            user = json.loads(record.read_text(encoding="utf-8"))
            if Path(user["extension"]).is_dir() and isinstance(user["engine"], str):
                found.append(user)
                continue
        except (OSError, ValueError, KeyError, TypeError):
            pass
        record.unlink(missing_ok=True)
    return found
