"""Errors that a user can act on. `ValueError` stays for programmers' mistakes."""


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


class Cancelled(ClipHeadError):
    """The user asked to stop."""

    code = "CANCELLED"

    def __init__(self, message="Cancelled."):
        super().__init__(message)
