"""Model packs as zip archives: unpacked beside the packs there are, whole and verified, or not at all."""

import lzma
import shutil
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .errors import PackError
from .packs import MANIFEST, Pack, is_plain, open_pack

MOST_FILES = 1000
MOST_BYTES = 16 << 30  # of all files together, unpacked
MOST_TIMES = 1000  # a file may grow by this factor; deflate's limit is 1032
MOST_LISTED = 4 << 20  # bytes of the list of files at the archive's end
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
        _check_list(archive)
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


def _check_list(archive):
    """Refuse an archive whose list of files would fill the memory; zipfile reads it as a whole."""
    with archive.open("rb") as file:
        file.seek(-min(archive.stat().st_size, (1 << 16) + 22 + 76), 2)  # the longest comment, the end record, zip64's
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    size = struct.unpack_from("<L", tail, end + 12)[0] if 0 <= end <= len(tail) - 22 else 0
    large = tail[max(end - 76, 0) : end]  # zip64's end record, if there is one
    if len(large) == 76 and large.startswith(b"PK\6\6"):
        size = struct.unpack_from("<Q", large, 40)[0]
    if size > MOST_LISTED:
        raise PackError(f"{archive} lists too many files; a pack has fewer than {MOST_FILES}. {DO_NOT}")


def _checked(archive, entries):
    """The archive's files, if there are not too many, none too large, and all with plain names."""
    files = [entry for entry in entries if not entry.is_dir()]
    if len(files) > MOST_FILES:
        raise PackError(f"{archive} has {len(files)} files; a pack has fewer than {MOST_FILES}. {DO_NOT}")
    names = set()
    for entry in files:
        folded = unicodedata.normalize("NFC", entry.filename).casefold()  # as file systems may take names for the same
        if not is_plain(entry.filename) or folded in names:
            raise PackError(f"{archive} holds '{entry.filename}', which is not a plain path of its own. {DO_NOT}")
        names.add(folded)
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise PackError(f"'{entry.filename}' in {archive} is a link. {DO_NOT}")
        if entry.file_size > MOST_TIMES * max(entry.compress_size, 1):
            raise PackError(f"'{entry.filename}' in {archive} claims to grow {MOST_TIMES} times. {DO_NOT}")
    if sum(entry.compress_size for entry in files) > archive.stat().st_size:
        raise PackError(f"{archive} uses the same bytes for several files. {DO_NOT}")
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
