"""A texture for a mesh that is there already and unwrapped, whatever made it."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import map_coordinates

from . import pipeline
from .geometry import raster
from .geometry.frames import pixel_to_uv, uv_to_pixel
from .geometry.register import register
from .geometry.unwrap import unwrap
from .nets.texture import PADDING
from .settings import RESOLUTIONS


def repaint(prompt, models, settings, unwrapped, progress=None, preview=None):
    """As `pipeline.paint`, for an UnwrappedHead of `geometry.foreign.unwrapped_already`.

    On the pack's own heads a texel means the same spot. Other meshes lie in their maps as their necks and faces have it, so
    they are compared with the pack's mean head, painted in its layout, and the images are carried back to their own.
    """
    reference = None if unwrapped.report["aligned"] else mean_head(models)
    if reference is None:
        return pipeline.paint(prompt, models, settings, unwrapped, progress, preview)
    alignment = register(unwrapped, reference)
    mesh = replace(unwrapped.mesh, normals=(unwrapped.mesh.normals @ alignment.rotation.T).astype(np.float32))
    there = replace(unwrapped, mesh=mesh, uv=alignment.move(unwrapped.uv))
    textures, warnings = pipeline.paint(prompt, models, settings, there, progress, preview)
    coverage = raster.coverage(unwrapped.uv, settings.texture_size)
    images = {
        name: raster.pad(carried(getattr(textures, name), alignment), coverage, PADDING)
        for name in ("albedo", "roughness", "relief")
        if getattr(textures, name) is not None
    }
    normal_uv = raster.normal_map(unwrapped, pipeline.HINT_SIZE)
    return replace(textures, normal_uv=normal_uv, coverage=coverage, **images), warnings


def mean_head(models):
    """The middle of the pack's population as a small UnwrappedHead; None for a pack that does not describe it."""
    code = models.head.average()
    return None if code is None else unwrap(models.head.mesh(code, RESOLUTIONS[0], hair="none"), models.layout)


def carried(image, alignment):
    """An image (R,R) or (R,R,3) in the reference's layout -> the same in the head's own."""
    R = len(image)
    row, column = np.mgrid[:R, :R]
    uv = alignment.move(pixel_to_uv(np.stack([column, row], axis=-1) + 0.5, R))
    column, row = np.moveaxis(uv_to_pixel(uv, R) - 0.5, -1, 0)
    parts = np.moveaxis(np.atleast_3d(image), -1, 0)
    found = [map_coordinates(part.astype(np.float32), [row, column], order=1, mode="nearest") for part in parts]
    return np.rint(np.stack(found, axis=-1)).astype(image.dtype).reshape(image.shape)
