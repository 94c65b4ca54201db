"""Model packs: a folder of weights, its manifest, and the proof that nothing in it was changed.

pack.toml names the parts and lists every file with its size and SHA-256; its first line is the SHA-256 of the rest of itself.
Nothing in a pack can run code: weights are safetensors, everything else is text.
"""

import codecs
import gzip
import hashlib
import json
import math
import operator
import os
import reprlib
import tomllib
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from .archives import is_plain
from .errors import PackError

MANIFEST = "pack.toml"
FORMAT = 1
BUNDLED = Path(__file__).resolve().parent.parent / "packs"
REQUIRED = ("name", "version", "license", "credits", "box")
TEXT_KINDS = (".toml", ".json", ".txt")
PICKLE_KINDS = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".tar", ".npy", ".npz")
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")  # file managers leave these behind; never read
HEADER_LIMIT = 16 << 20  # bytes of a safetensors header; ours are below 100 kB
MANIFEST_LIMIT = 4 << 20  # bytes
TEXT_LIMIT = 64 << 20  # bytes of any other text, unpacked
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
AGAIN = "Copy the pack again from where it came."


@dataclass(frozen=True)
class Pack:
    """A verified pack; made by `open_pack`."""

    folder: Path
    manifest: dict
    lenders: dict = field(default_factory=dict)  # part name -> the Pack that it is borrowed from

    @property
    def name(self):
        return self.manifest["name"]

    @property
    def version(self):
        return self.manifest["version"]

    @property
    def box(self):
        """Low and high corner, (3,) float32 each in NPHM units, as the pack that holds the identity part gives them."""
        if "identity" in self.lenders:
            return self.lenders["identity"].box
        return tuple(np.array(self.manifest["box"][corner], np.float32) for corner in ("low", "high"))

    @property
    def parts(self):
        """Names of the parts, own and borrowed."""
        return tuple(self.manifest["parts"])

    def part(self, name):
        """Part name -> its table, in which `file` or `folder` is a verified absolute path, wherever the part lives.

        A borrowed part's own entries win over the lender's: a pack can borrow weights and change an option.
        """
        if name not in self.manifest["parts"]:
            raise PackError(f"Pack '{self.name}' has no part '{name}'. It has: {', '.join(self.parts)}.")
        own = self.manifest["parts"][name]
        if name in self.lenders:
            return self.lenders[name].part(name) | {key: value for key, value in own.items() if key != "pack"}
        return own | {key: self.path(own[key]) for key in ("file", "folder") if key in own}

    def path(self, relative):
        """A path relative to the pack, or one that `part` returned -> absolute Path inside a verified pack."""
        for pack in self._family():
            path = (pack.folder / relative).resolve()
            if path.is_relative_to(pack.folder) and (path.is_dir() or _relative(path, pack.folder) in pack.manifest["files"]):
                return path
        raise PackError(f"'{relative}' is not a file of pack '{self.name}'. See [files] in {self.folder / MANIFEST}.")

    def tensors(self, relative):
        """A safetensors file (see `path`) -> dict of name to array; floats become float32, integers stay as they are."""
        from safetensors import SafetensorError  # kept here so that opening a pack needs numpy alone
        from safetensors.numpy import load_file

        path = self.path(relative)
        if any(entry["dtype"] == "BF16" for entry in _safetensors_header(path).values()):
            raise PackError(f"{path} holds bfloat16 tensors, which numpy cannot read. Convert them to float16 or float32.")
        try:
            arrays = load_file(path)
        except (SafetensorError, ValueError) as error:
            raise PackError(f"{path} is not a valid safetensors file ({error}). {AGAIN}") from error
        for name, array in arrays.items():
            if array.dtype.kind == "f":
                arrays[name] = array.astype(np.float32)
                if not np.isfinite(array).all():
                    raise PackError(
                        f"'{name}' in {path} holds numbers that are not finite. Its training failed: train it again."
                    )
        return arrays

    def _family(self):
        """This pack, its lenders, and theirs."""
        yield self
        for lender in self.lenders.values():
            yield from lender._family()


def open_pack(folder):
    """A pack's folder, or a bundled pack's name -> Pack whose files are all present, unchanged, harmless and confined.

    Raises PackError naming the file or the key at fault.
    """
    return _open(_find(folder, Path(folder).expanduser(), BUNDLED / folder), ())


def seal(folder):
    """Rewrite [files] and the seal of a pack from what lies in its folder; for tools that make packs -> Pack.

    The rest of the manifest is kept, comments are not.
    """
    folder = Path(folder).resolve()
    _write(folder, _parse(folder, _manifest_text(folder)))
    return open_pack(folder)


def set_part(folder, part, table, /, **top):
    """Write one part's table, and any top-level keys, into a pack's manifest, begun if missing, and seal it.

    For tools that make a pack part by part. part: its name, table: its TOML values, top: name, version, license, credits, box.
    -> Pack, or None while required keys are still missing.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _parse(folder, _manifest_text(folder)) if (folder / MANIFEST).exists() else {"format": FORMAT}
    manifest |= top
    manifest["parts"] = manifest.get("parts", {}) | {part: table}
    _write(folder, manifest)
    return open_pack(folder) if all(key in manifest for key in REQUIRED) else None


def _write(folder, manifest):
    """Manifest dict -> pack.toml with fresh sums, replaced in one step."""
    import tomli_w

    files = {name: {"size": (folder / name).stat().st_size, "sha256": _sha256(folder / name)} for name in _present(folder)}
    body = tomli_w.dumps({key: value for key, value in manifest.items() if key != "seal"} | {"files": files})
    draft = folder / f".{MANIFEST}.{os.getpid()}"
    draft.write_text(_seal_line(body) + "\n" + body, encoding="utf-8", newline="\n")
    draft.replace(folder / MANIFEST)


def _open(folder, borrowers):
    """Resolved folder, folders that led here -> Pack."""
    if folder in borrowers:
        chain = " -> ".join(pack.name for pack in (*borrowers, folder))
        raise PackError(f"Packs borrow from each other in a circle: {chain}. Remove one 'pack' entry.")
    text = _manifest_text(folder)
    first, _, body = text.partition("\n")
    if first != _seal_line(body):
        raise PackError(
            f"{folder / MANIFEST} is damaged: its first line is not the SHA-256 of the rest. {AGAIN} "
            f"If you edited it yourself: python tools/dev.py seal {folder}"
        )
    manifest = _parse(folder, text)
    _check_manifest(manifest, folder / MANIFEST)
    _check_files(folder, manifest["files"])
    opened, lenders = {}, {}
    for name, part in manifest["parts"].items():
        if "pack" in part:
            place = part["pack"]
            if not is_plain(place.removeprefix("../")) or "/" in place.removeprefix("../"):
                raise PackError(
                    f"{folder / MANIFEST}: parts.{name} is borrowed from '{place}', which is neither a pack beside this one "
                    "nor a bundled one. Do not use this pack."
                )
            lender = _find(place, folder / place, folder.parent / place, BUNDLED / place)
            if lender not in opened:
                opened[lender] = _open(lender, (*borrowers, folder))
            opened[lender].part(name)  # says so now if the lender lacks the part
            lenders[name] = opened[lender]
    return Pack(folder, manifest, lenders)


def _find(place, *candidates):
    """What was asked for, folders to try -> the first, resolved, that has a manifest."""
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate.resolve()
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise PackError(f"No model pack '{place}': no {MANIFEST} in {tried}. Name a folder that holds one, or 'starter'.")


def _manifest_text(folder):
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MANIFEST_LIMIT:
            raise PackError(f"{path} is larger than {MANIFEST_LIMIT >> 20} MB, so it is not a manifest. {AGAIN}")
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror}. {AGAIN}") from error
    except UnicodeDecodeError as error:
        raise PackError(f"{path} is damaged: it is not text. {AGAIN}") from error


def _parse(folder, text):
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: TOML's own errors, and numbers of thousands of digits
        raise PackError(f"{folder / MANIFEST} is not valid TOML: {error}.") from error


def _seal_line(body):
    return f'seal = "{hashlib.sha256(body.encode()).hexdigest()}"'


def _check_manifest(manifest, path):
    """Every key that the program relies on, by name and type."""

    def demand(table, key, expected, valid, where=""):
        value = table.get(key)
        if not valid(value):
            found = "nothing" if value is None else reprlib.repr(value)
            raise PackError(f"{path}: {where}{key} must be {expected}; found {found}.")

    demand(manifest, "format", f"{FORMAT}, the only form that this program reads", lambda value: value == FORMAT)
    for key in ("name", "version", "license"):
        demand(manifest, key, "a few words", lambda value: isinstance(value, str) and value.strip())
    demand(manifest, "credits", "a list of sentences", lambda value: _is_list(value, str))
    for key in ("box", "parts", "files"):
        demand(manifest, key, "a table", lambda value: isinstance(value, dict))
    for key in ("low", "high"):
        demand(manifest["box"], key, "three finite numbers in NPHM units", _is_point, "box.")
    low, high = manifest["box"]["low"], manifest["box"]["high"]
    demand(manifest["box"], "high", f"above box.low {low} on every axis", lambda _: all(map(operator.lt, low, high)), "box.")
    for name, part in manifest["parts"].items():
        demand(manifest["parts"], name, "a table", lambda value: isinstance(value, dict), "parts.")
        places = [key for key in ("file", "folder", "pack") if key in part]
        if len(places) > 1 or not places and "architecture" not in part:  # an architecture may come with weights from a hub
            raise PackError(f"{path}: parts.{name} needs one of 'file', 'folder' and 'pack'; found {places or 'none'}.")
        for key in places:
            demand(part, key, "a relative path", lambda value: isinstance(value, str) and value, f"parts.{name}.")
    for name, entry in manifest["files"].items():
        demand(manifest["files"], name, "a table with 'size' and 'sha256'", lambda value: isinstance(value, dict), "files.")
        demand(entry, "size", "a number of bytes", _is_count, f"files.{name}.")
        demand(entry, "sha256", "64 hexadecimal digits", lambda value: isinstance(value, str), f"files.{name}.")
    files = set(manifest["files"])
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    for name, part in manifest["parts"].items():
        demand(part, "file", "one of [files]", lambda value: value is None or value in files, f"parts.{name}.")
        demand(part, "folder", "a folder of [files]", lambda value: value is None or value in folders, f"parts.{name}.")


def _check_files(folder, files):
    """Names first, then sums, then contents: nothing outside the folder is opened and nothing unproven is parsed."""
    for name in files:
        if not is_plain(name):
            raise PackError(
                f"{folder / MANIFEST} lists '{name}', which is not a plain path inside the pack. Do not use this pack."
            )
    present = _present(folder)
    for name in sorted(set(files) - set(present)):
        raise PackError(f"{folder / name} is missing. {AGAIN}")
    for name in sorted(set(present) - set(files)):
        raise PackError(
            f"{folder / name} is not listed in {MANIFEST}. Remove it; if you put it there: python tools/dev.py seal {folder}"
        )
    for name, entry in files.items():
        path = folder / name
        size = path.stat().st_size
        if size != entry["size"]:
            raise PackError(f"{path} has {size} bytes instead of {entry['size']}. {AGAIN}")
        if _sha256(path) != entry["sha256"]:
            raise PackError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}. {AGAIN}")
        _check_content(path)


def _present(folder):
    """Relative names of all files in the folder but the manifest, sorted; refuses what a pack may not hold."""
    names = []
    for path in sorted(folder.rglob("*")):
        if not path.resolve().is_relative_to(folder):
            raise PackError(f"{path} is a link that leaves the pack. Replace it by what it points to.")
        if path.is_dir() or path.name in SYSTEM_FILES or path.name.startswith(f".{MANIFEST}.") or path == folder / MANIFEST:
            continue
        if path.suffix.lower() in PICKLE_KINDS:
            raise PackError(
                f"{path} is of a kind that can run code when opened. Packs hold safetensors: convert it and remove it."
            )
        if not path.is_file() or path.suffix not in (*TEXT_KINDS, ".safetensors", ".gz"):
            raise PackError(f"{path}: packs hold .safetensors, .toml, .json, .txt and .gz files only. Remove it.")
        names.append(_relative(path, folder))
    return names


def _check_content(path):
    """Refuse a file that is not what its name says, pickles above all."""
    with path.open("rb") as file:
        head = file.read(16)
    # a safetensors header of 640 bytes also starts with 80 02: the brace behind its length tells them apart
    if head.startswith(b"PK") or (head.startswith((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")) and head[8:9] != b"{"):
        raise PackError(f"{path} is a pickle or an archive, which can run code when opened. Do not use this pack.")
    if path.suffix == ".safetensors":
        _safetensors_header(path)
        return
    opener, length = gzip.open if path.suffix == ".gz" else open, 0
    decoder = codecs.getincrementaldecoder("utf-8")()  # incremental: a cut may fall inside a character
    try:
        with opener(path, "rb") as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
                length += len(block)
                if length > TEXT_LIMIT:
                    raise PackError(f"{path} unpacks to more than {TEXT_LIMIT >> 20} MB of text. Do not use this pack.")
        decoder.decode(b"", final=True)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise PackError(f"{path} does not hold text. {AGAIN}") from error


def _safetensors_header(path):
    """Tensor name -> entry (dtype, shape, data_offsets); every tensor must fill its bytes, and together they fill the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            if length > min(HEADER_LIMIT, size - 8):
                raise ValueError(f"header of {length} bytes")
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            spans = []
            for name, entry in header.items():
                begin, end = entry["data_offsets"]
                if not all(map(_is_count, (begin, end, *entry["shape"]))):
                    raise ValueError(f"tensor '{name}' has sizes that are not counts")
                if end - begin != math.prod(entry["shape"]) * DTYPE_BYTES[entry["dtype"]]:
                    raise ValueError(f"tensor '{name}' of shape {entry['shape']} in {end - begin} bytes")
                spans.append((begin, end))
            edges = [0, *(edge for span in sorted(spans) for edge in span), size - 8 - length]
            if edges[::2] != edges[1::2]:
                raise ValueError("tensors overlap or leave gaps")
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise PackError(f"{path} is not a valid safetensors file ({error}). {AGAIN}") from error
    return header


def _is_count(value):
    return type(value) is int and value >= 0


def _is_list(value, kind):
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_point(value):
    return _is_list(value, (float, int)) and len(value) == 3 and all(map(math.isfinite, value))


def _relative(path, folder):
    return path.relative_to(folder).as_posix()


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
