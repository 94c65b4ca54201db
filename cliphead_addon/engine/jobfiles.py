"""A finished head as a folder of plain files: the way arrays travel from the worker to Blender.

head.json holds the recipe, reports, warnings, timings and the names of the displacements; every array is a .npy, every
image a .png. Reading needs numpy alone and leaves the images on disk, where Blender opens them by itself.
"""

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from types import NoneType

import numpy as np

from .errors import ClipHeadError
from .stages import HairMesh, HeadMesh, UnwrappedHead

FORMAT = 1
MESH_ARRAYS = {"vertices": "f", "faces": "i", "canonical": "f", "normals": "f", "anchors": "f"}  # name -> dtype kind
UNWRAP_ARRAYS = {"seam": "i", "boundary": "i", "uv": "f"}
HAIR_ARRAYS = {"hair_vertices": "f", "hair_faces": "i"}  # only for heads whose hair is a mesh of its own
KINDS = {**MESH_ARRAYS, **UNWRAP_ARRAYS, **HAIR_ARRAYS, "displacements": "f"}
FOREIGN_ARRAYS = {"vertices": "f", "faces": "i", "diagonals": "i"}  # of a mesh that comes from Blender
IMAGES = ("albedo", "normal_uv")
THUMBNAIL = "thumbnail.png"
LARGEST_PICTURE = 8192  # px
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
NO_HEADER = (
    EOFError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    TokenError,
)  # what numpy's parser raises
JSON_LIMIT = 16 << 20  # bytes
ABOUT = {  # its keys -> kinds
    "format": int,
    "recipe": dict,
    "mesh_report": dict,
    "unwrap_report": dict,
    "displacements": list,
    "hair_colour": list | NoneType,
    "warnings": list,
    "timings": dict,
}


class JobFilesError(ClipHeadError):
    """A job folder is incomplete or damaged."""

    code = "BAD_RESULT"


@dataclass(frozen=True)
class SavedHead:
    """A head read back from its folder."""

    unwrapped: UnwrappedHead
    images: dict  # "albedo" and "normal_uv" -> Path of a PNG
    recipe: dict
    warnings: tuple
    timings: dict
    hair_colour: tuple | None = None  # (r, g, b) 0..255 sRGB

    @property
    def folder(self):
        """Where it was read from."""
        return self.images["albedo"].parent


def save_head(head, folder):
    """Write a `Head` into a folder, which is made if needed; head.json comes last, so its presence means all is there."""
    from PIL import Image  # the worker has Pillow and scipy, Blender may not

    from .geometry.thumbnail import thumbnail

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mesh = head.unwrapped.mesh
    for name in MESH_ARRAYS:
        np.save(folder / f"{name}.npy", getattr(mesh, name))
    for name in UNWRAP_ARRAYS:
        np.save(folder / f"{name}.npy", getattr(head.unwrapped, name))
    moves = [np.asarray(move, np.float32) for move in mesh.displacements.values()]
    np.save(folder / "displacements.npy", np.stack(moves) if moves else np.zeros((0, len(mesh.vertices), 3), np.float32))
    if mesh.hair is not None:
        np.save(folder / "hair_vertices.npy", mesh.hair.vertices)
        np.save(folder / "hair_faces.npy", mesh.hair.faces)
    for name in IMAGES:
        # level 1: five times faster than the default, a few per cent larger
        Image.fromarray(getattr(head.textures, name)).save(folder / f"{name}.png", compress_level=1)
    picture = thumbnail(head.unwrapped, head.textures.albedo, mesh.hair, head.textures.hair_colour)
    Image.fromarray(picture).save(folder / THUMBNAIL)
    about = {
        "format": FORMAT,
        "recipe": head.recipe,
        "mesh_report": mesh.report,
        "unwrap_report": head.unwrapped.report,
        "displacements": list(mesh.displacements),
        "hair_colour": None if mesh.hair is None else list(head.textures.hair_colour),
        "warnings": list(head.warnings),
        "timings": head.timings,
    }
    (folder / "head.json").write_text(json.dumps(about, indent=1, default=_plain), encoding="utf-8")


def load_head(folder):
    """Folder written by `save_head` -> SavedHead. Raises JobFilesError where files are missing or do not fit each other."""
    folder = Path(folder)
    try:
        about = _read_about(folder / "head.json")
        names = [*MESH_ARRAYS, *UNWRAP_ARRAYS, "displacements", *(HAIR_ARRAYS if about["hair_colour"] else ())]
        arrays = {name: load_array(folder / f"{name}.npy") for name in names}
        pictures = {name: _picture_size(folder / f"{name}.png") for name in IMAGES}
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The head in {folder} cannot be read: {error}. Generate it again.") from error
    _check(folder, about, arrays, pictures)
    moves = arrays.pop("displacements")
    mesh = HeadMesh(
        **{name: arrays[name] for name in MESH_ARRAYS},
        displacements=dict(zip(about["displacements"], moves, strict=True)),
        report=about["mesh_report"],
        hair=HairMesh(arrays["hair_vertices"], arrays["hair_faces"]) if "hair_faces" in arrays else None,
    )
    return SavedHead(
        unwrapped=UnwrappedHead(mesh, **{name: arrays[name] for name in UNWRAP_ARRAYS}, report=about["unwrap_report"]),
        images={name: folder / f"{name}.png" for name in IMAGES},
        recipe=about["recipe"],
        warnings=tuple(about["warnings"]),
        timings=about["timings"],
        hair_colour=tuple(about["hair_colour"]) if about["hair_colour"] else None,
    )


def save_mesh(vertices, faces, diagonals, folder):
    """Write a mesh to be unwrapped: vertices (V,3), triangles (F,3), and the edges (D,2) that only divide its polygons."""
    for name, array in zip(FOREIGN_ARRAYS, (vertices, faces, diagonals), strict=True):
        np.save(Path(folder) / f"{name}.npy", array)


def load_mesh(folder):
    """Inverse of `save_mesh` -> name -> array. Raises JobFilesError where files are missing."""
    return _arrays(folder, FOREIGN_ARRAYS)


def save_unwrapped(unwrapped, folder):
    """Write what `geometry.foreign.unwrap_mesh` has found for the mesh in the folder; unwrap.json comes last."""
    np.save(Path(folder) / "uv.npy", unwrapped.uv)
    np.save(Path(folder) / "seam.npy", unwrapped.seam)
    (Path(folder) / "unwrap.json").write_text(json.dumps(unwrapped.report, default=_plain), encoding="utf-8")


def load_unwrapped(folder):
    """What `save_unwrapped` wrote: uv (F,3,2), seam (S,2), report. Raises JobFilesError where it does not fit the mesh."""
    arrays = _arrays(folder, (*FOREIGN_ARRAYS, "uv", "seam"))
    uv, seam = arrays["uv"], arrays["seam"]
    inside = seam.size == 0 or 0 <= seam.min() <= seam.max() < len(arrays["vertices"])
    if uv.shape != (*arrays["faces"].shape, 2) or not np.isfinite(uv).all() or seam.shape[1:] != (2,) or not inside:
        raise JobFilesError(f"The coordinates in {folder} do not fit the mesh: {uv.shape}, {seam.shape}. Try again.")
    try:
        return uv, seam, read_json(Path(folder) / "unwrap.json")
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The coordinates in {folder} cannot be read: {error}. Try again.") from error


def load_array(path):
    """A .npy file -> array. Raises ValueError or OSError, and asks for no more memory than the file has bytes."""
    try:
        with open(path, "rb") as file:
            read = HEADERS.get(np.lib.format.read_magic(file))
            if read is None:
                raise ValueError("another version of the format")
            shape, _, dtype = read(file)
            size = os.path.getsize(path) - file.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{dtype} {shape} in {size} bytes")
        return np.load(path, allow_pickle=False)
    except NO_HEADER as error:
        raise ValueError(f"{Path(path).name} is no array: {error}") from error


def read_json(path):
    """A small .json file -> what it holds. Raises ValueError or OSError."""
    if path.stat().st_size > JSON_LIMIT:
        raise ValueError(f"{path.name} is larger than {JSON_LIMIT >> 20} MB")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error


def _read_about(path):
    """head.json -> dict with all its keys, of the kinds that `save_head` writes."""
    about = read_json(path)
    for key, kind in ABOUT.items():
        if not isinstance(about, dict) or not isinstance(about.get(key), kind):
            raise ValueError(f"{path.name} has no '{key}'")
    names, colour = about["displacements"], about["hair_colour"] or ()
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"{path.name} has no names for its displacements")
    if len(colour) not in (0, 3) or not all(isinstance(value, int | float) and 0 <= value <= 255 for value in colour):
        raise ValueError(f"{path.name} has no colour for its hair")
    return about


def _picture_size(path):
    """Width and height in px that a PNG file claims."""
    with path.open("rb") as file:
        start = file.read(24)
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[12:16] != b"IHDR" or len(start) < 24:
        raise ValueError(f"{path.name} is no PNG image")
    return struct.unpack(">2L", start[16:])


def _arrays(folder, names):
    try:
        return {name: load_array(Path(folder) / f"{name}.npy") for name in names}
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The mesh in {folder} cannot be read: {error}. Try again.") from error


def _check(folder, about, arrays, pictures):
    """Shapes, kinds and index ranges: Blender crashes on a mesh with indices out of range."""

    def refuse(what):
        raise JobFilesError(f"The head in {folder} is damaged: {what}. Generate it again.")

    if about["format"] != FORMAT:
        refuse(f"format {about['format']} instead of {FORMAT}")
    V, F = len(arrays["vertices"]), len(arrays["faces"])
    corners = 4 if arrays["faces"].shape[-1:] == (4,) else 3
    shapes = {
        "vertices": (V, 3),
        "faces": (F, corners),
        "canonical": (V, 3),
        "normals": (V, 3),
        "anchors": (len(arrays["anchors"]), 3),
        "seam": (len(arrays["seam"]), 2),
        "boundary": (len(arrays["boundary"]),),
        "uv": (F, corners, 2),
        "displacements": (len(about["displacements"]), V, 3),
    }
    counts = dict.fromkeys(shapes, V)
    if "hair_faces" in arrays:
        counts["hair_faces"] = len(arrays["hair_vertices"])
        shapes |= {"hair_vertices": (counts["hair_faces"], 3), "hair_faces": (len(arrays["hair_faces"]), 3)}
    for name, shape in shapes.items():
        kind = KINDS[name]
        if arrays[name].shape != shape or arrays[name].dtype.kind != kind:
            refuse(f"{name} is {arrays[name].dtype} {arrays[name].shape} instead of {shape}")
        if kind == "f" and not np.isfinite(arrays[name]).all():
            refuse(f"{name} has values that are not numbers")
        if kind == "i" and arrays[name].size and not 0 <= arrays[name].min() <= arrays[name].max() < counts[name]:
            refuse(f"{name} points outside the {counts[name]} vertices")
    if not F or not len(arrays["boundary"]):
        refuse("it has no faces or no neck boundary")
    for name, (width, height) in pictures.items():
        if not 0 < width == height <= LARGEST_PICTURE:
            refuse(f"{name}.png has {width} x {height} px")


def _plain(value):
    """numpy scalars and arrays in reports, as JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)
