"""Small pictures as icons, for the panel."""

import bpy
import numpy as np
from bpy.utils import previews

_pictures = None  # Blender's collection of preview images, made for the first; holds the newest


def icon(path):
    """The icon of the picture that is shown, or None if that is another one."""
    return _pictures[str(path)].icon_id if _pictures is not None and str(path) in _pictures else None


def show(path):
    """Make a small PNG file the picture that the panel shows. Not to be called while drawing: it needs an image for a moment.

    Blender would load it by itself, but later, and with a copy in the user's folder of thumbnails.
    """
    global _pictures
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:  # the job is over and its folder is gone
        return
    width, height = image.size
    pixels = np.empty(4 * width * height, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    if _pictures is None:
        _pictures = previews.new()
    _pictures.clear()
    picture = _pictures.new(str(path))
    picture.image_size = width, height
    picture.image_pixels_float.foreach_set(pixels)


def clear():
    """Forget the picture; Blender complains at its end otherwise."""
    global _pictures
    if _pictures is not None:
        previews.remove(_pictures)
        _pictures = None
