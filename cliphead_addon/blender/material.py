"""The head's material: one image on a Principled shader that behaves like skin."""

import bpy
import numpy as np

from .compat import new_node_material

SKIN = {  # Principled inputs by name: their order changes between Blenders
    "Roughness": 0.5,
    "IOR": 1.4,
    "Subsurface Weight": 0.08,
    "Subsurface Radius": (1.0, 0.35, 0.2),  # red light travels furthest in skin
    "Subsurface Scale": 0.004,  # metres
}


def skin_material(name, image_path):
    """A material whose base colour is an image, packed into the .blend file. image_path: PNG, sRGB -> bpy material"""
    image = bpy.data.images.load(str(image_path))
    image.name = name
    image.colorspace_settings.name = "sRGB"
    image.pack()
    image.filepath_raw = f"//{bpy.path.clean_name(name)}.png"  # where "unpack" would put it, not the worker's folder
    material = new_node_material(name)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    principled = nodes.new("ShaderNodeBsdfPrincipled")
    texture = nodes.new("ShaderNodeTexImage")
    output.location, principled.location, texture.location = (300, 0), (0, 0), (-320, 0)
    texture.image = image
    for socket, value in SKIN.items():
        principled.inputs[socket].default_value = value
    links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    links.new(principled.outputs["BSDF"], output.inputs["Surface"])
    nodes.active = texture
    material.diffuse_color = (*_mean_colour(image), 1.0)  # what Solid view shows
    return material


def _mean_colour(image):
    """The mean of an 8-bit sRGB image -> (r, g, b), linear."""
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    return np.mean(pixels.reshape(-1, 4)[:, :3] ** 2.2, axis=0)
