"""Files from the network: only when allowed, only over https, only if they are exactly what was promised."""

import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from .errors import ClipHeadError

ATTEMPTS = 4  # for a connection that breaks off; each goes on where the last one stopped
TIMEOUT = 20.0  # seconds without a byte
BLOCK = 1 << 18  # bytes
SPARE = 64 << 20  # bytes that stay free on the disk


class DownloadError(ClipHeadError):
    """A file cannot be fetched, or is not what was promised."""

    code = "DOWNLOAD"


def download(url, path, size, sha256, *, online, progress=None, schemes=("https",)):
    """Fetch a file of known size and SHA-256 to `path`, by way of path.part, from which a later call goes on.

    online: whether the user allows it; schemes: of the address and of all redirections; progress: called as (stage, fraction),
    what it raises ends the work. -> Path. Raises DownloadError; `path` exists only if it holds what was promised.
    """
    path, part = Path(path), Path(f"{path}.part")
    if path.is_file() and path.stat().st_size == size and _sha256(path) == sha256:
        return path
    if not online:
        raise DownloadError(
            "Going online is not allowed. Tick Edit > Preferences > System > Allow Online Access, or copy the file by hand.",
            "OFFLINE",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    there = part.stat().st_size if part.is_file() else 0
    if there > size:
        part.unlink()
        there = 0
    if shutil.disk_usage(path.parent).free < size - there + SPARE:
        raise DownloadError(f"{path.parent} has too little free space for {size:,} bytes. Free some, or choose another folder.")
    opener = urllib.request.build_opener(_Redirections(schemes))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(opener, url, part, size, schemes, progress or (lambda stage, fraction: None))
            break
        except (OSError, http.client.HTTPException) as error:  # urllib's own errors are OSErrors
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise DownloadError(f"{url} answers {error.code} {error.reason}. Check the address.") from error
            if attempt == ATTEMPTS:
                raise DownloadError(
                    f"The connection to {url} broke off {ATTEMPTS} times ({error}). What arrived is kept: try again later."
                ) from error
    if _sha256(part) != sha256:
        part.unlink()
        raise DownloadError(f"{url} is not the file that was promised: its SHA-256 differs. It was deleted; ask its maker.")
    os.replace(part, path)
    return path


def _fetch(opener, url, part, size, schemes, progress):
    """Bring part to `size` bytes. Raises DownloadError for an answer that cannot be right, OSError for a broken connection."""
    there = part.stat().st_size if part.is_file() else 0
    if there == size:
        return
    _check_scheme(url, schemes)
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    with opener.open(request, timeout=TIMEOUT) as answer:
        if there and answer.status != 206:  # the server starts from the beginning, so do we
            there = 0
        if there and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {there}-"):
            raise DownloadError(f"{url} answers with another part than asked for. Try again later.")
        promised = answer.headers.get("Content-Length")
        if promised is not None and promised != str(size - there):
            part.unlink(missing_ok=True)
            raise DownloadError(f"{url} has {promised} bytes where {size - there:,} were promised. Ask its maker.")
        with part.open("ab" if there else "wb") as file:
            while there < size:
                block = answer.read(min(BLOCK, size - there))
                if not block:
                    raise ConnectionError(f"it ended after {there:,} of {size:,} bytes")
                file.write(block)
                there += len(block)
                progress("Downloading", there / size)
        if answer.read(1):
            part.unlink()
            raise DownloadError(f"{url} is longer than the {size:,} bytes that were promised. Ask its maker.")


class _Redirections(urllib.request.HTTPRedirectHandler):
    def __init__(self, schemes):
        self.schemes = schemes

    def redirect_request(self, request, answer, code, message, headers, url):
        _check_scheme(url, self.schemes)
        return super().redirect_request(request, answer, code, message, headers, url)


def _check_scheme(url, schemes):
    if urllib.parse.urlsplit(url).scheme not in schemes:
        raise DownloadError(f"{url} is not an {' or '.join(schemes)} address. Only these are safe to follow.")


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
