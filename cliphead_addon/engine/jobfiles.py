"""A finished head as a folder of plain files: the way arrays travel from the worker to Blender.

head.json holds the recipe, reports, warnings, timings and the names of the displacements; every array is a .npy, every
image a .png. Reading needs numpy alone and leaves the images on disk, where Blender opens them by itself.
"""

import json
import math
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from types import NoneType

import numpy as np

from .errors import ClipHeadError
from .geometry.frames import neck_centre, nphm_to_blender
from .stages import HairMesh, HeadMesh, UnwrappedHead

FORMAT = 2
MESH_ARRAYS = {"vertices": "f", "faces": "i", "canonical": "f", "normals": "f", "anchors": "f"}  # name -> dtype kind
UNWRAP_ARRAYS = {"seam": "i", "boundary": "i", "uv": "f"}
HAIR_ARRAYS = {"hair_vertices": "f", "hair_faces": "i"}  # only for heads whose hair is a mesh of its own
KINDS = {**MESH_ARRAYS, **UNWRAP_ARRAYS, **HAIR_ARRAYS, "displacements": "f"}
PAINT_ARRAYS = ("vertices", "faces", "uv", "seam")  # of a mesh that is unwrapped already
FOREIGN_ARRAYS = {"vertices": "f", "faces": "i", "diagonals": "i"}  # of a mesh that comes from Blender
MADE_ARRAYS = ("canonical", "rest", "uv", "faces")  # of a head made before, for its rig
SHAPED_ARRAYS = ("vertices", "canonical", "faces", "uv", "seam", "boundary", "displacements", *HAIR_ARRAYS)
RIG_ARRAYS = ("weights", "depths", "blinks")
IMAGES = ("albedo", "normal_uv")
SURFACE_IMAGES = ("roughness", "relief")  # not every pack makes them
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
ABOUT = {  # keys of head.json -> kinds
    "format": int,
    "recipe": dict,
    "mesh_report": dict,
    "unwrap_report": dict,
    "displacements": list,
    "images": list,
    "hair_colour": list | NoneType,
    "warnings": list,
    "timings": dict,
}
ABOUT_PAINTING = {name: ABOUT[name] for name in ("images", "hair_colour", "warnings")}
ABOUT_EXPRESSIONS = {"names": list, "weights": list, "warnings": list}
ABOUT_SHAPE = {"arrays": list, "attributes": dict, "displacements": list}
ABOUT_RIG = {"joints": dict, "neck": dict, "eyes": list, "iris_uv": list, "warnings": list}


class JobFilesError(ClipHeadError):
    """A job folder is incomplete or damaged."""

    code = "BAD_RESULT"


@dataclass(frozen=True)
class SavedHead:
    """A head read back from its folder."""

    unwrapped: UnwrappedHead
    images: dict  # IMAGES, and SURFACE_IMAGES where the pack made them -> Path of a PNG
    recipe: dict
    warnings: tuple
    timings: dict
    hair_colour: tuple | None = None  # (r, g, b) 0..255 sRGB

    @property
    def folder(self):
        """Where it was read from."""
        return self.images["albedo"].parent


@dataclass(frozen=True)
class SavedPainting:
    """A texture for a mesh that was there already, read back from its job's folder, where its thumbnail is too."""

    images: dict  # as a SavedHead's
    size: int  # px, side of the albedo
    hair_colour: tuple | None  # (r, g, b) 0..255 sRGB, for hair that is a mesh of its own
    warnings: tuple

    @property
    def folder(self):
        """Where it was read from."""
        return self.images["albedo"].parent


def save_head(head, folder):
    """Write a `Head` into a folder, which is made if needed; head.json comes last, so its presence means all is there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mesh = head.unwrapped.mesh
    save_arrays(unwrapped_arrays(head.unwrapped), folder)
    about = {
        "format": FORMAT,
        "recipe": head.recipe,
        "mesh_report": mesh.report,
        "unwrap_report": head.unwrapped.report,
        "displacements": list(mesh.displacements),
        **_save_textures(head.textures, head.unwrapped, folder),
        "warnings": list(head.warnings),
        "timings": head.timings,
    }
    (folder / "head.json").write_text(json.dumps(about, indent=1, default=_plain), encoding="utf-8")


def _save_textures(textures, unwrapped, folder):
    """Write a TextureSet's images, and the thumbnail of the head in them -> what to say of them in a description."""
    from PIL import Image  # the worker has Pillow and scipy, Blender may not

    from .geometry.thumbnail import thumbnail

    images = [name for name in IMAGES + SURFACE_IMAGES if getattr(textures, name) is not None]
    for name in images:
        # level 1: five times faster than the default, a few per cent larger
        Image.fromarray(getattr(textures, name)).save(folder / f"{name}.png", compress_level=1)
    hair = unwrapped.mesh.hair
    Image.fromarray(thumbnail(unwrapped, textures.albedo, hair, textures.hair_colour)).save(folder / THUMBNAIL)
    return {"images": images, "hair_colour": None if hair is None else list(textures.hair_colour)}


def unwrapped_arrays(unwrapped):
    """The arrays of an UnwrappedHead by name; displacements as one (M,V,3)."""
    mesh = unwrapped.mesh
    moves = [np.asarray(move, np.float32) for move in mesh.displacements.values()]
    arrays = {name: getattr(mesh, name) for name in MESH_ARRAYS} | {name: getattr(unwrapped, name) for name in UNWRAP_ARRAYS}
    arrays["displacements"] = np.stack(moves) if moves else np.zeros((0, len(mesh.vertices), 3), np.float32)
    if mesh.hair is not None:
        arrays |= {"hair_vertices": mesh.hair.vertices, "hair_faces": mesh.hair.faces}
    return arrays


def made_arrays(unwrapped):
    """What `rigging.rig` takes, MADE_ARRAYS by name, of an UnwrappedHead as it will stand in Blender."""
    mesh = unwrapped.mesh
    uv = np.zeros((len(mesh.vertices), 2), np.float32)
    uv[mesh.faces] = unwrapped.uv
    rest = nphm_to_blender(mesh.vertices, neck_centre(mesh.vertices, unwrapped.boundary)).astype(np.float32)
    return {"canonical": mesh.canonical, "rest": rest, "uv": uv, "faces": mesh.faces}


def save_arrays(arrays, folder):
    """Write arrays by name; other arrays in the folder stay."""
    for name, array in arrays.items():
        np.save(Path(folder) / f"{name}.npy", array)


def load_head(folder):
    """Folder written by `save_head` -> SavedHead. Raises JobFilesError where files are missing or do not fit each other."""
    folder = Path(folder)
    try:
        about = _read_about(folder / "head.json")
        names = [*MESH_ARRAYS, *UNWRAP_ARRAYS, "displacements", *(HAIR_ARRAYS if about["hair_colour"] else ())]
        arrays = {name: load_array(folder / f"{name}.npy") for name in names}
        for name in about["images"]:
            _picture_side(folder / f"{name}.png")
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The head in {folder} cannot be read: {error}. Generate it again.") from error
    _check(folder, about, arrays)
    moves = arrays.pop("displacements")
    mesh = HeadMesh(
        **{name: arrays[name] for name in MESH_ARRAYS},
        displacements=dict(zip(about["displacements"], moves, strict=True)),
        report=about["mesh_report"],
        hair=HairMesh(arrays["hair_vertices"], arrays["hair_faces"]) if "hair_faces" in arrays else None,
    )
    return SavedHead(
        unwrapped=UnwrappedHead(mesh, **{name: arrays[name] for name in UNWRAP_ARRAYS}, report=about["unwrap_report"]),
        images={name: folder / f"{name}.png" for name in about["images"]},
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
    return load_arrays(folder, FOREIGN_ARRAYS)


def save_unwrapped(unwrapped, folder):
    """Write what `geometry.foreign.unwrap_mesh` has found for the mesh in the folder; unwrap.json comes last."""
    np.save(Path(folder) / "uv.npy", unwrapped.uv)
    np.save(Path(folder) / "seam.npy", unwrapped.seam)
    (Path(folder) / "unwrap.json").write_text(json.dumps(unwrapped.report, default=_plain), encoding="utf-8")


def load_unwrapped(folder):
    """What `save_unwrapped` wrote: uv (F,3,2), seam (S,2), report. Raises JobFilesError where it does not fit the mesh."""
    arrays = load_arrays(folder, (*FOREIGN_ARRAYS, "uv", "seam"))
    uv, seam = arrays["uv"], arrays["seam"]
    inside = seam.size == 0 or 0 <= seam.min() <= seam.max() < len(arrays["vertices"])
    if uv.shape != (*arrays["faces"].shape, 2) or not np.isfinite(uv).all() or seam.shape[1:] != (2,) or not inside:
        raise JobFilesError(f"The coordinates in {folder} do not fit the mesh: {uv.shape}, {seam.shape}. Try again.")
    try:
        return uv, seam, read_json(Path(folder) / "unwrap.json")
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The coordinates in {folder} cannot be read: {error}. Try again.") from error


def load_surface(folder):
    """A mesh to be painted: PAINT_ARRAYS, and canonical and HAIR_ARRAYS where it has them -> UnwrappedHead of triangles.

    vertices: (V,3) in the axes of the NPHM frame. Raises JobFilesError where arrays are missing or do not fit each other.
    """
    from .geometry.foreign import unwrapped_already

    def refuse(what):
        raise JobFilesError(f"The mesh in {folder} cannot be painted: {what}. Unwrap it again.")

    arrays = load_arrays(folder, PAINT_ARRAYS, ("canonical", *HAIR_ARRAYS))
    _check_arrays(arrays, 0, refuse)
    if not len(arrays["faces"]) or arrays["faces"].shape[1] != 3:
        refuse(f"it has faces {arrays['faces'].shape} instead of triangles")
    if len(arrays.keys() & HAIR_ARRAYS.keys()) == 1:
        refuse("its hair has no faces or no vertices")
    return unwrapped_already(**arrays)


def save_painting(textures, warnings, unwrapped, folder):
    """Write a TextureSet for the mesh in the folder, an UnwrappedHead, and warnings; paint.json comes last."""
    about = _save_textures(textures, unwrapped, Path(folder)) | {"warnings": list(warnings)}
    (Path(folder) / "paint.json").write_text(json.dumps(about), encoding="utf-8")


def load_painting(folder):
    """What `save_painting` wrote -> SavedPainting. Raises JobFilesError where files are missing or damaged."""
    folder = Path(folder)
    try:
        about = _read_table(folder / "paint.json", ABOUT_PAINTING)
        _check_textures(about, "paint.json")
        sides = {name: _picture_side(folder / f"{name}.png") for name in about["images"]}
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The texture in {folder} cannot be read: {error}. Paint it again.") from error
    return SavedPainting(
        images={name: folder / f"{name}.png" for name in sides},
        size=sides["albedo"],
        hair_colour=tuple(about["hair_colour"]) if about["hair_colour"] else None,
        warnings=tuple(about["warnings"]),
    )


def save_repainted(saved, painting, recipe, folder):
    """Write a SavedHead with the images of a SavedPainting, and the recipe that leads to both, into a folder that is made."""
    shutil.copytree(saved.folder, folder, dirs_exist_ok=True)
    for path in (*painting.images.values(), painting.folder / THUMBNAIL):
        shutil.copyfile(path, Path(folder) / path.name)
    about = _read_about(saved.folder / "head.json")
    about |= {"recipe": recipe, "images": list(painting.images), "warnings": list(painting.warnings)}
    if None not in (painting.hair_colour, saved.hair_colour):
        about["hair_colour"] = list(painting.hair_colour)
    (Path(folder) / "head.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def save_expressions(found, folder):
    """Write what `motion.express` found; expressions.json comes last."""
    save_arrays({"displacements": np.asarray(found["displacements"], np.float32)}, folder)
    about = {name: found[name] for name in ("names", "weights", "warnings")}
    (Path(folder) / "expressions.json").write_text(json.dumps(about), encoding="utf-8")


def load_expressions(folder):
    """What `save_expressions` wrote: displacements (V,3) by name, weights for each sentence, warnings. Raises JobFilesError."""
    try:
        about = _read_table(Path(folder) / "expressions.json", ABOUT_EXPRESSIONS)
        _check_names(about["names"])
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The expressions in {folder} cannot be read: {error}. Try again.") from error
    moves = load_arrays(folder, ("displacements",))["displacements"]
    points = load_arrays(folder, ("canonical",))["canonical"]
    if moves.shape != (len(about["names"]), *points.shape) or not np.isfinite(moves).all():
        raise JobFilesError(f"The expressions in {folder} do not fit the head: {moves.shape}. Try again.")
    return dict(zip(about["names"], moves, strict=True)), about["weights"], about["warnings"]


def save_rig(found, folder):
    """Write what `rigging.rig` found; rig.json comes last."""
    save_arrays({name: found[name] for name in RIG_ARRAYS}, folder)
    (Path(folder) / "rig.json").write_text(json.dumps(found["about"], default=_plain), encoding="utf-8")


def load_rig(folder):
    """What `save_rig` wrote -> weights, depths, blinks, about. Raises JobFilesError where it does not fit the head."""
    try:
        about = _read_table(Path(folder) / "rig.json", ABOUT_RIG)
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The rig in {folder} cannot be read: {error}. Try again.") from error
    found = load_arrays(folder, RIG_ARRAYS)
    V, E = len(load_arrays(folder, ("canonical",))["canonical"]), len(about["eyes"])
    for name, shape in zip(RIG_ARRAYS, ((V, 3), (E, V), (E, V, 3)), strict=True):
        if found[name].shape != shape or not np.isfinite(found[name]).all():
            raise JobFilesError(f"The rig in {folder} does not fit the head: {name} is {found[name].shape}. Try again.")
    return *found.values(), about


def save_shaped(arrays, attributes, names, folder):
    """Write a head whose sliders were moved: arrays by name (see `reshape`), attributes by name, names of displacements.

    shaped.json comes last.
    """
    arrays = {name: array for name, array in arrays.items() if name in SHAPED_ARRAYS}
    save_arrays(arrays, folder)
    about = {"arrays": sorted(arrays), "attributes": attributes, "displacements": list(names)}
    (Path(folder) / "shaped.json").write_text(json.dumps(about, default=_plain), encoding="utf-8")


def load_shaped(folder):
    """What `save_shaped` wrote: arrays by name, displacements as name -> (V,3); attributes by name.

    Raises JobFilesError where files are missing or do not fit each other.
    """

    def refuse(what):
        raise JobFilesError(f"The shape in {folder} is damaged: {what}. Move a slider again.")

    try:
        about = _read_table(Path(folder) / "shaped.json", ABOUT_SHAPE)
        _check_names(about["displacements"])
    except (OSError, ValueError) as error:
        refuse(error)
    kept, needed = about["arrays"], ("vertices", "canonical")
    if not all(name in SHAPED_ARRAYS for name in kept) or not all(name in kept for name in needed):
        refuse(f"it has {about['arrays']}")
    arrays = load_arrays(folder, about["arrays"])
    _check_arrays(arrays, len(about["displacements"]), refuse)
    if "displacements" in arrays:
        arrays["displacements"] = dict(zip(about["displacements"], arrays["displacements"], strict=True))
    return arrays, about["attributes"]


def load_arrays(folder, names, perhaps=()):
    """Arrays of a folder by name, those of `perhaps` only if they are there. Raises JobFilesError where a file is missing."""
    names = [*names, *(name for name in perhaps if (Path(folder) / f"{name}.npy").is_file())]
    try:
        return {name: load_array(Path(folder) / f"{name}.npy") for name in names}
    except (OSError, ValueError) as error:
        raise JobFilesError(f"The mesh in {folder} cannot be read: {error}. Try again.") from error


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


def _read_about(path):
    """head.json -> dict with all its keys, of the kinds that `save_head` writes."""
    about = _read_table(path, ABOUT)
    _check_textures(about, path.name)
    _check_names(about["displacements"])
    return about


def _check_textures(about, name):
    """Raises ValueError for a description, from the file of that name, with other images or what is no hair colour."""
    images, colour = about["images"], about["hair_colour"] or ()
    if images != [image for image in IMAGES + SURFACE_IMAGES if image in images or image in IMAGES]:
        raise ValueError(f"{name} names the images {images}")
    if len(colour) not in (0, 3) or not all(isinstance(value, int | float) and 0 <= value <= 255 for value in colour):
        raise ValueError(f"{name} has no colour for its hair")


def read_json(path):
    """A small .json file -> what it holds. Raises ValueError or OSError."""
    if path.stat().st_size > JSON_LIMIT:
        raise ValueError(f"{path.name} is larger than {JSON_LIMIT >> 20} MB")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error


def _read_table(path, keys):
    """A JSON file -> dict that has all of the keys: name -> kind."""
    about = read_json(path)
    for key, kind in keys.items():
        if not isinstance(about, dict) or not isinstance(about.get(key), kind):
            raise ValueError(f"{path.name} has no '{key}'")
    return about


def _check_names(names):
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError("displacements have no names of their own")


def _picture_side(path):
    """Side in px that a square PNG file claims. Raises ValueError for what is none, or too large."""
    with path.open("rb") as file:
        start = file.read(24)
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[12:16] != b"IHDR" or len(start) < 24:
        raise ValueError(f"{path.name} is no PNG image")
    width, height = struct.unpack(">2L", start[16:])
    if not 0 < width == height <= LARGEST_PICTURE:
        raise ValueError(f"{path.name} has {width} x {height} px")
    return width


def _check(folder, about, arrays):
    """Shapes, kinds and index ranges: Blender crashes on a mesh with indices out of range."""

    def refuse(what):
        raise JobFilesError(f"The head in {folder} is damaged: {what}. Generate it again.")

    if about["format"] != FORMAT:
        refuse(f"format {about['format']} instead of {FORMAT}")
    _check_arrays(arrays, len(about["displacements"]), refuse)
    if not len(arrays["faces"]) or not len(arrays["boundary"]):
        refuse("it has no faces or no neck boundary")


def _check_arrays(arrays, moves, refuse):
    """Shapes, kinds and index ranges of a head's arrays, of which some may be missing.

    moves: number of displacements; refuse: called with what is wrong.
    """
    length = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    V, H = length["vertices"], length.get("hair_vertices", 0)
    corners = 4 if "faces" in arrays and arrays["faces"].shape[-1:] == (4,) else 3
    shapes = {
        "vertices": (V, 3),
        "faces": (length.get("faces"), corners),
        "canonical": (V, 3),
        "normals": (V, 3),
        "anchors": (length.get("anchors"), 3),
        "seam": (length.get("seam"), 2),
        "boundary": (length.get("boundary"),),
        "uv": (length.get("faces"), corners, 2),
        "displacements": (moves, V, 3),
        "hair_vertices": (H, 3),
        "hair_faces": (length.get("hair_faces"), 3),
    }
    for name, array in arrays.items():
        kind, count = KINDS[name], H if name == "hair_faces" else V
        if array.shape != shapes[name] or array.dtype.kind != kind:
            refuse(f"{name} is {array.dtype} {array.shape} instead of {shapes[name]}")
        if kind == "f" and not np.isfinite(array).all():
            refuse(f"{name} has values that are not numbers")
        if kind == "i" and array.size and not 0 <= array.min() <= array.max() < count:
            refuse(f"{name} points outside the {count} vertices")


def _plain(value):
    """numpy scalars and arrays in reports, as JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)
