"""A finished head as a folder of plain files: the way arrays travel from the worker to Blender.

head.json holds the recipe, reports, warnings, timings and the names of the displacements; every array is a .npy, every
image a .png. Reading needs numpy alone and leaves the images on disk, where Blender opens them by itself.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import ClipHeadError
from .stages import HairMesh, HeadMesh, UnwrappedHead

FORMAT = 1
MESH_ARRAYS = {"vertices": "f", "faces": "i", "canonical": "f", "normals": "f", "anchors": "f"}  # name -> dtype kind
UNWRAP_ARRAYS = {"seam": "i", "boundary": "i", "uv": "f"}
HAIR_ARRAYS = {"hair_vertices": "f", "hair_faces": "i"}  # only for heads whose hair is a mesh of its own
KINDS = {**MESH_ARRAYS, **UNWRAP_ARRAYS, **HAIR_ARRAYS, "displacements": "f"}
FOREIGN_ARRAYS = {"vertices": "f", "faces": "i", "diagonals": "i"}  # of a mesh that comes from Blender
SHAPED_ARRAYS = {name: KINDS[name] for name in ("vertices", "canonical", "faces", "uv", "seam", "boundary", "displacements")}
IMAGES = ("albedo", "normal_uv")
THUMBNAIL = "thumbnail.png"


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
    save_arrays(unwrapped_arrays(head.unwrapped), folder)
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


def unwrapped_arrays(unwrapped):
    """The arrays of an UnwrappedHead by name; displacements as one (M,V,3)."""
    mesh = unwrapped.mesh
    moves = [np.asarray(move, np.float32) for move in mesh.displacements.values()]
    arrays = {name: getattr(mesh, name) for name in MESH_ARRAYS} | {name: getattr(unwrapped, name) for name in UNWRAP_ARRAYS}
    arrays["displacements"] = np.stack(moves) if moves else np.zeros((0, len(mesh.vertices), 3), np.float32)
    if mesh.hair is not None:
        arrays |= {"hair_vertices": mesh.hair.vertices, "hair_faces": mesh.hair.faces}
    return arrays


def save_arrays(arrays, folder):
    """Write arrays by name; other arrays in the folder stay."""
    for name, array in arrays.items():
        np.save(Path(folder) / f"{name}.npy", array)


def load_head(folder):
    """Folder written by `save_head` -> SavedHead. Raises JobFilesError where files are missing or do not fit each other."""
    folder = Path(folder)
    try:
        about = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        names = [*MESH_ARRAYS, *UNWRAP_ARRAYS, "displacements", *(HAIR_ARRAYS if about.get("hair_colour") else ())]
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names}
    except (EOFError, OSError, ValueError) as error:
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
        images={name: folder / f"{name}.png" for name in IMAGES},
        recipe=about["recipe"],
        warnings=tuple(about["warnings"]),
        timings=about["timings"],
        hair_colour=tuple(about["hair_colour"]) if about.get("hair_colour") else None,
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
    return uv, seam, json.loads((Path(folder) / "unwrap.json").read_text(encoding="utf-8"))


def save_shaped(arrays, attributes, names, folder):
    """Write a head whose sliders were moved: arrays by name (see `reshape`), attributes by name, names of displacements.

    shaped.json comes last.
    """
    save_arrays({name: array for name, array in arrays.items() if name in SHAPED_ARRAYS or name in HAIR_ARRAYS}, folder)
    about = {"arrays": sorted(arrays), "attributes": attributes, "displacements": list(names)}
    (Path(folder) / "shaped.json").write_text(json.dumps(about, default=_plain), encoding="utf-8")


def load_shaped(folder):
    """What `save_shaped` wrote: arrays by name, displacements as name -> (V,3); attributes by name.

    Raises JobFilesError where files are missing or do not fit each other.
    """
    try:
        about = json.loads((Path(folder) / "shaped.json").read_text(encoding="utf-8"))
        names = [name for name in about["arrays"] if name in SHAPED_ARRAYS or name in HAIR_ARRAYS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobFilesError(f"The shape in {folder} cannot be read: {error}. Move a slider again.") from error
    arrays = _arrays(folder, names)
    counts = {"hair_faces": len(arrays.get("hair_vertices", ())), "faces": len(arrays.get("vertices", ()))}
    for name, array in arrays.items():
        fine = array.dtype.kind == KINDS[name] and (array.dtype.kind != "f" or np.isfinite(array).all())
        if not fine or name in counts and array.size and not 0 <= array.min() <= array.max() < counts[name]:
            raise JobFilesError(f"The shape in {folder} is damaged: {name}. Move a slider again.")
    if arrays["vertices"].shape != arrays["canonical"].shape or arrays["vertices"].shape[1:] != (3,):
        raise JobFilesError(f"The shape in {folder} is damaged: {arrays['vertices'].shape} vertices. Move a slider again.")
    if "displacements" in arrays:
        arrays["displacements"] = dict(zip(about["displacements"], arrays["displacements"], strict=True))
    return arrays, about["attributes"]


def load_arrays(folder, names):
    """Those of the named arrays that a folder has: name -> array."""
    return _arrays(folder, [name for name in names if (Path(folder) / f"{name}.npy").is_file()])


def _arrays(folder, names):
    try:
        return {name: np.load(Path(folder) / f"{name}.npy", allow_pickle=False) for name in names}
    except (EOFError, OSError, ValueError) as error:
        raise JobFilesError(f"The mesh in {folder} cannot be read: {error}. Try again.") from error


def _check(folder, about, arrays):
    """Shapes, kinds and index ranges: Blender crashes on a mesh with indices out of range."""

    def refuse(what):
        raise JobFilesError(f"The head in {folder} is damaged: {what}. Generate it again.")

    if about.get("format") != FORMAT:
        refuse(f"format {about.get('format')} instead of {FORMAT}")
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
    for name in IMAGES:
        if not (folder / f"{name}.png").is_file():
            refuse(f"{name}.png is missing")


def _plain(value):
    """numpy scalars and arrays in reports, as JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)
