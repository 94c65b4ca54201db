"""A finished head as files to hand over: a .blend, a .glb, a portrait, its images and its recipe.

$ python -m cliphead_addon.blender.studio [--threads 1] JOB_FOLDER OUT_FOLDER
$ python -m cliphead_addon.blender.studio --portraits PIXELS JOB_FOLDER [JOB_FOLDER ...]      head.png in each of them
"""

import argparse
import json
import math
import os
import shutil
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..engine.jobfiles import load_head
from .compat import has_denoiser, new_grey_world
from .export import export
from .head_object import add_head
from .mesh import positions

PORTRAIT_SIZE = 640  # px
SAMPLES = 24  # with the denoiser; SAMPLES_NOISY without
SAMPLES_NOISY = 128
TURN, RISE = math.radians(35), math.radians(6)  # the camera, from straight ahead: three quarters, a little above
LENS = 85.0  # mm on a 36 mm sensor
FILL = 0.88  # share of the picture that the head's larger extent takes
GREY_WORLD = 0.22
LIGHTS = {  # direction from the head's centre (towards -Y is the face), size in head lengths, watts at two head lengths
    "Key": ((0.8, -1.5, 1.0), 1.2, 4.0),  # from the side the face turns to, so that its form shows
    "Fill": ((-1.6, -0.8, 0.2), 1.6, 1.1),
    "Rim": ((-1.1, 1.5, 1.2), 0.8, 2.2),
}


def deliver(job_folder, out_folder, threads=0):
    """Write head.blend, head.glb, head.png, the head's images and recipe.json. Replaces the open file.

    job_folder: written by `jobfiles.save_head`; threads: for the portrait, 0 for one a core -> bpy object of the head
    """
    job_folder, out = Path(job_folder), Path(out_folder).resolve()
    saved = load_head(job_folder)
    out.mkdir(parents=True, exist_ok=True)
    head = open_alone(saved)
    export(bpy.context, head, out / "head.glb", "GLTF")
    set_studio(head, PORTRAIT_SIZE)
    bpy.context.scene.render.filepath = "//head.png"
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "head.blend"), compress=True)
    render = bpy.context.scene.render
    render.filepath = str(out / "head.png")
    if threads:
        render.threads_mode, render.threads = "FIXED", threads
    bpy.ops.render.render(write_still=True)
    for name, path in saved.images.items():
        shutil.copyfile(path, out / f"{name}.png")
    (out / "recipe.json").write_text(json.dumps(saved.recipe, indent=1, ensure_ascii=False), encoding="utf-8")
    return head


def portrait(job_folder, pixels):
    """Write head.png into a folder made by `jobfiles.save_head`. Replaces the open file."""
    head = open_alone(load_head(job_folder))
    set_studio(head, pixels)
    bpy.context.scene.render.filepath = str(Path(job_folder).resolve() / "head.png")
    bpy.ops.render.render(write_still=True)


def open_alone(saved):
    """A `jobfiles.SavedHead` as the selected object of an otherwise empty file. -> bpy object of the head"""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    head = add_head(saved, bpy.context.collection)
    bpy.context.view_layer.objects.active = head
    head.select_set(True)
    return head


def set_studio(head, pixels):
    """Camera, neutral lights and render settings for a portrait of one head, `pixels` wide and high, in the current scene."""
    scene = bpy.context.scene
    points = np.concatenate([positions(obj.data) for obj in (head, *head.children)])
    points += np.array(head.matrix_world.translation, np.float32)
    centre = Vector((points.min(0) + points.max(0)) / 2)
    length = float(np.ptp(points, axis=0).max())
    scene.camera = _add("Camera", bpy.data.cameras.new("Camera"))
    scene.camera.data.lens = LENS
    scene.camera.data.clip_start = 0.01
    _aim_to_fill(scene.camera, points)
    for name, (direction, size, watts) in LIGHTS.items():
        light = _add(name, bpy.data.lights.new(name, "AREA"))
        light.data.size = size * length
        light.data.energy = watts * (length / 0.3) ** 2
        away = Vector(direction).normalized()
        light.matrix_world = _looking_along(-away, centre + 2 * length * away)
    scene.world = new_grey_world(GREY_WORLD)
    _set_render(scene, pixels)


def _aim_to_fill(camera, points):
    """Place a camera so that points (N,3), metres, fill the picture from TURN and RISE."""
    away = Vector((-math.sin(TURN) * math.cos(RISE), -math.cos(TURN) * math.cos(RISE), math.sin(RISE)))
    axes = _looking_along(-away, Vector()).to_3x3()
    right, up, back = np.array(axes.col[0]), np.array(axes.col[1]), np.array(axes.col[2])
    x, y, depth = points @ right, points @ up, points @ back
    slope = FILL * math.tan(camera.data.angle / 2)
    # a point at depth d is inside when |x - cx| <= slope * (distance - d): the sharpest pair of opposite points decides
    middle, distances = [], []
    for side in (x, y):
        high, low = (side + slope * depth).max(), (-side + slope * depth).max()
        middle.append((high - low) / 2)
        distances.append((high + low) / 2 / slope)
    place = middle[0] * right + middle[1] * up + max(distances) * back
    camera.matrix_world = _looking_along(-away, Vector(place))


def _looking_along(direction, place):
    """The matrix of a camera or lamp at a place, looking in a direction, upright."""
    return Matrix.Translation(place) @ direction.to_track_quat("-Z", "Y").to_matrix().to_4x4()


def _set_render(scene, pixels):
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = pixels
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    scene.cycles.device = "CPU"
    denoiser = has_denoiser()
    scene.cycles.use_denoising = denoiser
    scene.cycles.samples = SAMPLES if denoiser else SAMPLES_NOISY
    scene.cycles.max_bounces = 4
    scene.view_settings.view_transform = "Standard"


def _add(name, data):
    obj = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(obj)
    return obj


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--portraits", type=int, metavar="PIXELS")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    if options.portraits:
        for folder in options.folders:
            portrait(folder, options.portraits)
    else:
        deliver(*options.folders, options.threads)
    sys.stdout.flush()
    os._exit(0)  # the bpy module of 4.5 may hang when the interpreter ends
