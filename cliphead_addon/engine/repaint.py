"""A texture for a mesh that is there already and unwrapped, whatever made it."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import map_coordinates

from . import pipeline
from .geometry import raster
from .geometry.frames import pixel_to_uv, uv_to_pixel
from .geometry.register import register
from .geometry.unwrap import unwrap
from .nets.texture import PADDING, equalise_seam, seam_pairs
from .settings import RESOLUTIONS


def repaint(prompt, models, settings, unwrapped, progress=None, preview=None):
    """As `pipeline.paint`, for an UnwrappedHead of `geometry.foreign.unwrapped_already`.

    On the pack's own heads a texel means the same spot. Other meshes lie in their maps as their necks and faces have it, and
    have eye sockets or collars that the texture model never saw: the pack's mean head is painted in their place, and the images
    are carried to where the mesh has the same features.
    """
    reference = None if unwrapped.report["aligned"] else mean_head(models)
    if reference is None:
        return pipeline.paint(prompt, models, settings, unwrapped, progress, preview)
    alignment = register(unwrapped, reference)
    textures, warnings = pipeline.paint(prompt, models, settings, reference, progress, preview)
    coverage = raster.coverage(unwrapped.uv, settings.texture_size)
    across = seam_pairs(unwrapped.mesh.faces, unwrapped.uv, unwrapped.seam)
    images = {
        name: carried(getattr(textures, name), alignment, coverage, across)
        for name in ("albedo", "roughness", "relief")
        if getattr(textures, name) is not None
    }
    normal_uv = raster.normal_map(unwrapped, pipeline.HINT_SIZE)
    return replace(textures, normal_uv=normal_uv, coverage=coverage, **images), warnings


def mean_head(models):
    """The middle of the pack's population as a small UnwrappedHead; None for a pack that does not describe it."""
    code = models.head.average()
    return None if code is None else unwrap(models.head.mesh(code, RESOLUTIONS[0], hair="none"), models.layout)


def carried(image, alignment, coverage, across):
    """An image (R,R) or (R,R,3) in the reference's layout -> the same in the head's own, padded.

    coverage: (R,R) bool of the head; across: (P,2,2) UV points that face each other across its cut (`seam_pairs`).
    """
    R = len(image)
    row, column = np.mgrid[:R, :R]
    uv = alignment.move(pixel_to_uv(np.stack([column, row], axis=-1) + 0.5, R))
    column, row = np.moveaxis(uv_to_pixel(uv, R) - 0.5, -1, 0)
    parts = np.moveaxis(np.atleast_3d(image), -1, 0)
    found = [map_coordinates(part.astype(np.float32), [row, column], order=1, mode="nearest") for part in parts]
    found = raster.pad(np.stack(found, axis=-1), coverage, PADDING)
    if len(across):
        found = raster.pad(equalise_seam(found, across), coverage, PADDING)
    return np.rint(np.clip(found, 0, np.iinfo(image.dtype).max)).astype(image.dtype).reshape(image.shape)
