"""Model packs as zip archives: unpacked beside the packs there are, whole and verified, or not at all."""

import lzma
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .archives import ArchiveError, check_list, extract, plain_files
from .errors import PackError
from .packs import MANIFEST, Pack, open_pack

MOST_FILES = 1000
MOST_BYTES = 16 << 30  # of all files together, unpacked


def install_pack(archive, packs, progress=None) -> Pack:
    """Unpack a pack's zip into a folder of its name within `packs`.

    progress: called as (stage, fraction), what it raises ends the work. -> the verified Pack. Raises PackError; then nothing
    was left behind, and a pack of that name that was there before stays as it was.
    """
    archive, packs = Path(archive), Path(packs)
    report = progress or (lambda stage, fraction: None)
    packs.mkdir(parents=True, exist_ok=True)
    try:
        check_list(archive)
        with zipfile.ZipFile(archive) as file, tempfile.TemporaryDirectory(prefix=".pack_", dir=packs) as draft:
            entries = plain_files(archive, file, MOST_FILES, MOST_BYTES)
            free = shutil.disk_usage(packs).free
            total = sum(entry.file_size for entry in entries)
            if total > free:
                raise PackError(f"{archive} needs {total:,} bytes and {packs} has {free:,}. Free some space first.")
            done = 0

            def written(count):
                nonlocal done
                done += count
                report("Unpacking the pack", done / max(total, 1))

            for entry in entries:
                target = Path(draft, *PurePosixPath(entry.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                extract(archive, file, entry, target, written)
            top = Path(draft)
            if not (top / MANIFEST).is_file():
                folders = [path for path in top.iterdir() if (path / MANIFEST).is_file()]
                if len(folders) != 1 or len(list(top.iterdir())) != 1:
                    raise PackError(f"{archive} is no model pack: it has no {MANIFEST}. Choose the zip of a pack.")
                top = folders[0]
            report("Checking the pack", 0.0)
            return _place(open_pack(top), packs)
    except ArchiveError as error:
        raise PackError(str(error)) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise PackError(f"{archive} is not a whole zip archive ({error}). Get it again.") from error
    except OSError as error:
        raise PackError(f"{archive} cannot be unpacked into {packs}: {error.strerror or error}.") from error


def _place(pack, packs):
    """A verified pack in a draft folder -> the same pack under its own name."""
    name = "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in pack.name).strip()[:60] or "pack"
    folder = packs / name
    if folder.exists():
        raise PackError(f"There is a pack '{pack.name}' already, in {folder}. Delete that one first.")
    pack.folder.rename(folder)
    return open_pack(folder)
