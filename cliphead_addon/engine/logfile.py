"""The worker's log: bounded, with one older piece beside it."""

import os
import shutil
from pathlib import Path

LIMIT = 1 << 20  # bytes of one piece


def older(path):
    """Where the piece before the present one is."""
    return Path(f"{path}.1")


def rotate(path):
    """Move a log that is too long aside. It is copied and cut, not renamed: the worker has it open and goes on appending."""
    try:
        if os.path.getsize(path) > LIMIT:
            shutil.copyfile(path, older(path))
            os.truncate(path, 0)
    except OSError:
        pass  # a log that cannot be moved is no reason to stop


def tail(path, size):
    """The last `size` bytes of a log and of the piece before it, as text that ends with the newest line."""
    found = b""
    for piece in (path, older(path)):
        try:
            with open(piece, "rb") as file:
                file.seek(max(0, os.path.getsize(piece) - size + len(found)))
                found = file.read(size) + found
        except OSError:
            continue
    return found[-size:].decode("utf-8", "replace")
