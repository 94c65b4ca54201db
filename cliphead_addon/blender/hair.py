"""Hair as an object of its own, parented to the head."""

import bpy
import numpy as np

from ..engine.geometry.frames import nphm_to_blender
from .material import hair_material, replace_material, to_linear
from .mesh import smooth_mesh

HAIR = "cliphead_hair"  # custom property of hair objects


def hair_of(head):
    """The hair object of a head's object, or None."""
    return next((child for child in head.children if child.get(HAIR) and child.type == "MESH"), None)


def add_hair(hair, colour, origin, head, collection):
    """Add a `HairMesh` to a collection as a child of the head's object. -> bpy object

    colour: (r, g, b) 0..255 sRGB. origin: (3,) the NPHM point where the head's object has its own origin.
    """
    name = f"{head.name} Hair"
    mesh = smooth_mesh(name, nphm_to_blender(hair.vertices, origin), hair.faces)
    mesh.materials.append(hair_material(name, np.asarray(colour) / 255))
    strands = bpy.data.objects.new(name, mesh)
    strands.parent = head
    strands[HAIR] = True
    collection.objects.link(strands)
    return strands


def recolour(strands, colour):
    """Give a hair object a material of another colour; the old one stays in the file. colour: (r, g, b) 0..255 sRGB"""
    colour, old = np.asarray(colour) / 255, strands.active_material
    if old is not None and np.allclose(old.diffuse_color[:3], to_linear(colour), atol=1e-3):
        return
    replace_material(strands, hair_material(strands.name, colour))
