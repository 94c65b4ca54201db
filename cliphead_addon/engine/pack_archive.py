"""Model packs as zip archives: unpacked beside the packs there are, whole and verified, or not at all."""

import lzma
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .errors import PackError
from .packs import MANIFEST, Pack, open_pack

MOST_FILES = 1000
MOST_BYTES = 16 << 30  # of all files together, unpacked
MOST_TIMES = 1000  # a file may grow by this factor; deflate's limit is 1032
BLOCK = 1 << 20
DO_NOT = "Do not use this archive."


def install_pack(archive, packs, progress=None) -> Pack:
    """Unpack a pack's zip into a folder of its name within `packs`.

    progress: called as (stage, fraction), what it raises ends the work. -> the verified Pack. Raises PackError; then nothing
    was left behind, and a pack of that name that was there before stays as it was.
    """
    archive, packs = Path(archive), Path(packs)
    report = progress or (lambda stage, fraction: None)
    packs.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as file, tempfile.TemporaryDirectory(prefix=".pack_", dir=packs) as draft:
            entries = _checked(archive, file.infolist())
            free = shutil.disk_usage(packs).free
            total = sum(entry.file_size for entry in entries)
            if total > free:
                raise PackError(f"{archive} needs {total:,} bytes and {packs} has {free:,}. Free some space first.")
            done = 0
            for entry in entries:
                target = Path(draft, *PurePosixPath(entry.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as source, target.open("xb") as sink:
                    left = entry.file_size
                    while block := source.read(min(BLOCK, left + 1)):
                        left -= len(block)
                        if left < 0:
                            raise PackError(f"'{entry.filename}' in {archive} is longer than it says. {DO_NOT}")
                        sink.write(block)
                        done += len(block)
                        report("Unpacking the pack", done / max(total, 1))
            top = Path(draft)
            if not (top / MANIFEST).is_file():
                folders = [path for path in top.iterdir() if (path / MANIFEST).is_file()]
                if len(folders) != 1 or len(list(top.iterdir())) != 1:
                    raise PackError(f"{archive} is no model pack: it has no {MANIFEST}. Choose the zip of a pack.")
                top = folders[0]
            report("Checking the pack", 0.0)
            return _place(open_pack(top), packs)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise PackError(f"{archive} is not a whole zip archive ({error}). Get it again.") from error
    except OSError as error:
        raise PackError(f"{archive} cannot be unpacked into {packs}: {error.strerror or error}.") from error


def _checked(archive, entries):
    """The archive's files, if there are not too many, none too large, and all with plain names."""
    files = [entry for entry in entries if not entry.is_dir()]
    if len(files) > MOST_FILES:
        raise PackError(f"{archive} has {len(files)} files; a pack has fewer than {MOST_FILES}. {DO_NOT}")
    names = set()
    for entry in files:
        name = PurePosixPath(entry.filename)
        plain = str(name) == entry.filename and not name.is_absolute() and ".." not in name.parts
        if not plain or set(entry.filename) & set('\\:\0"*?<>|') or entry.filename.lower() in names:
            raise PackError(f"{archive} holds '{entry.filename}', which is not a plain path of its own. {DO_NOT}")
        names.add(entry.filename.lower())
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise PackError(f"'{entry.filename}' in {archive} is a link. {DO_NOT}")
        if entry.file_size > MOST_TIMES * max(entry.compress_size, 1):
            raise PackError(f"'{entry.filename}' in {archive} claims to grow {MOST_TIMES} times. {DO_NOT}")
    if sum(entry.file_size for entry in files) > MOST_BYTES:
        raise PackError(f"{archive} unpacks to more than {MOST_BYTES >> 30} GB. {DO_NOT}")
    return files


def _place(pack, packs):
    """A verified pack in a draft folder -> the same pack under its own name."""
    name = "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in pack.name).strip()[:60] or "pack"
    folder = packs / name
    if folder.exists():
        raise PackError(f"There is a pack '{pack.name}' already, in {folder}. Delete that one first.")
    pack.folder.rename(folder)
    return open_pack(folder)
