"""Zip archives of others: nothing is written outside its folder, nothing is longer than it says."""

from pathlib import PurePosixPath

MOST_TIMES = 1000  # a file may grow by this factor; deflate's limit is 1032
BLOCK = 1 << 20
DO_NOT = "Do not use this archive."


class ArchiveError(Exception):
    """The archive breaks a rule; the text says which and what to do."""


def plain_files(path, archive, most_files, most_bytes):
    """The files in an open zip, if there are not too many, none too large, all with plain names of their own.

    path: of the archive, for messages -> list of ZipInfo. Raises ArchiveError.
    """
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(files) > most_files:
        raise ArchiveError(f"{path} has {len(files)} files, more than the {most_files} allowed. {DO_NOT}")
    names = set()
    for entry in files:
        name = PurePosixPath(entry.filename)
        plain = str(name) == entry.filename and not name.is_absolute() and ".." not in name.parts
        if not plain or set(entry.filename) & set('\\:\0"*?<>|') or entry.filename.lower() in names:
            raise ArchiveError(f"{path} holds '{entry.filename}', which is not a plain path of its own. {DO_NOT}")
        names.add(entry.filename.lower())
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise ArchiveError(f"'{entry.filename}' in {path} is a link. {DO_NOT}")
        if entry.file_size > MOST_TIMES * max(entry.compress_size, 1):
            raise ArchiveError(f"'{entry.filename}' in {path} claims to grow {MOST_TIMES} times. {DO_NOT}")
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
