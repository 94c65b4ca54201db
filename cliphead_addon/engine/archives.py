"""Zip archives of others: nothing is written outside its folder, nothing is longer than it says."""

import struct
import unicodedata

from .packs import is_plain

MOST_TIMES = 1000  # a file may grow by this factor; deflate's limit is 1032
BLOCK = 1 << 20
MOST_LISTED = 4 << 20  # bytes of the list of files at an archive's end
DO_NOT = "Do not use this archive."


class ArchiveError(Exception):
    """The archive breaks a rule; the text says which and what to do."""


def check_list(path):
    """Refuse a zip whose list of files would fill the memory; zipfile reads it as a whole. Raises ArchiveError."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, (1 << 16) + 22 + 76), 2)  # the longest comment, the end record, zip64's
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    size = struct.unpack_from("<L", tail, end + 12)[0] if 0 <= end <= len(tail) - 22 else 0
    large = tail[max(end - 76, 0) : end]  # zip64's end record, if there is one
    if len(large) == 76 and large.startswith(b"PK\6\6"):
        size = struct.unpack_from("<Q", large, 40)[0]
    if size > MOST_LISTED:
        raise ArchiveError(f"{path} lists too many files. {DO_NOT}")


def plain_files(path, archive, most_files, most_bytes):
    """The files in an open zip, if there are not too many, none too large, all with plain names of their own.

    path: of the archive -> list of ZipInfo. Raises ArchiveError.
    """
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(files) > most_files:
        raise ArchiveError(f"{path} has {len(files)} files, more than the {most_files} allowed. {DO_NOT}")
    names = set()
    for entry in files:
        folded = unicodedata.normalize("NFC", entry.filename).casefold()  # as file systems may take names for the same
        if not is_plain(entry.filename) or folded in names:
            raise ArchiveError(f"{path} holds '{entry.filename}', which is not a plain path of its own. {DO_NOT}")
        names.add(folded)
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise ArchiveError(f"'{entry.filename}' in {path} is a link. {DO_NOT}")
        if entry.file_size > MOST_TIMES * max(entry.compress_size, 1):
            raise ArchiveError(f"'{entry.filename}' in {path} claims to grow {MOST_TIMES} times. {DO_NOT}")
    if sum(entry.compress_size for entry in files) > path.stat().st_size:
        raise ArchiveError(f"{path} uses the same bytes for several files. {DO_NOT}")
    if sum(entry.file_size for entry in files) > most_bytes:
        raise ArchiveError(f"{path} unpacks to more than the {most_bytes:,} bytes allowed. {DO_NOT}")
    return files


def extract(path, archive, entry, target, written=lambda count: None):
    """Write one file of an open zip to a new path; written: called with the bytes of every block. Raises ArchiveError."""
    with archive.open(entry) as source, target.open("xb") as sink:
        left = entry.file_size
        while block := source.read(min(BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                raise ArchiveError(f"'{entry.filename}' in {path} is longer than it says. {DO_NOT}")
            sink.write(block)
            written(len(block))
