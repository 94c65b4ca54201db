"""Errors that a user can act on. `ValueError` stays for programmers' mistakes."""

import errno
from pathlib import Path


class ClipHeadError(Exception):
    """Says what was found and what to do next.

    code: a stable word that documentation and the worker protocol refer to.
    """

    code = "INTERNAL"

    def __init__(self, message, code=None):
        super().__init__(message)
        if code is not None:
            self.code = code


class PromptError(ClipHeadError):
    """The words cannot be turned into a head."""

    code = "BAD_PROMPT"


class PackError(ClipHeadError):
    """A model pack is missing, damaged or of the wrong shape."""

    code = "BAD_PACK"


class SurfaceError(ClipHeadError):
    """The field has no surface that can become a head."""

    code = "NO_SURFACE"


class NoSurfaceError(SurfaceError):
    """The field has one sign everywhere."""


class UnwrapError(ClipHeadError):
    """The mesh cannot be flattened."""

    code = "BAD_MESH"


class StorageError(ClipHeadError):
    """A folder cannot be written to: it is full, protected or gone."""

    code = "STORAGE"
    FULL = (errno.ENOSPC, errno.EDQUOT)
    PROTECTED = (errno.EACCES, errno.EPERM, errno.EROFS)

    @classmethod
    def is_about(cls, error, folder):
        """Whether an OSError, met while a folder was being written, is about writing to it."""
        if error.filename is not None:
            return Path(error.filename).is_relative_to(folder)
        return error.errno in (*cls.FULL, *cls.PROTECTED) or "written" in str(error)  # numpy's own words, without a number

    @classmethod
    def of(cls, error, folder, remedy="choose another data folder in the preferences"):
        """The OSError that writing to a folder ended with, and another remedy than to put the folder right."""
        if error.errno in cls.FULL or "written" in str(error):
            found, first = "the disk is full", "Free some space"
        elif error.errno in cls.PROTECTED:
            found, first = "it is read-only", "Allow writing there"
        else:
            found, first = error.strerror or str(error), "Put it right"
        return cls(f"{folder} cannot be written to: {found}. {first}, or {remedy}, and try again.")


class Cancelled(ClipHeadError):
    """The user asked to stop."""

    code = "CANCELLED"

    def __init__(self, message="Cancelled."):
        super().__init__(message)
