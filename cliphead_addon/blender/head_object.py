"""A finished head as an object of the scene, with the recipe it was made from."""

import json

import bpy

from .hair import add_hair
from .material import skin_material
from .mesh import build_mesh, neck_centre
from .shape_keys import add_shape_keys

RECIPE = "cliphead_recipe"  # custom property: the recipe as JSON text
NAME_LENGTH = 48


def add_head(saved, collection, location=(0.0, 0.0, 0.0)):
    """Add a `SavedHead` to a collection, its neck at location (metres), its hair as a child. -> bpy object of the head"""
    name = object_name(saved.recipe["prompt"]["text"])
    mesh = build_mesh(name, saved.unwrapped)
    mesh.materials.append(skin_material(name, saved.images))
    head = bpy.data.objects.new(name, mesh)
    head[RECIPE] = json.dumps(saved.recipe)
    head.location = location
    collection.objects.link(head)
    shape = saved.unwrapped.mesh
    add_shape_keys(head, shape.displacements)
    if shape.hair is not None:
        add_hair(shape.hair, saved.hair_colour, neck_centre(shape.vertices, saved.unwrapped.boundary), head, collection)
    return head


def read_recipe(obj):
    """The recipe a head was made from, or None for any other object."""
    text = obj.get(RECIPE) if obj is not None else None
    if not isinstance(text, str):
        return None
    try:
        recipe = json.loads(text)
    except (RecursionError, ValueError):  # a .blend file may come from anybody
        return None
    return recipe if is_recipe(recipe) else None


def is_recipe(found):
    """Whether what was read as JSON has the form of a recipe."""
    if not isinstance(found, dict) or not all(isinstance(found.get(key, {}), dict) for key in ("prompt", "settings", "pack")):
        return False
    return isinstance(found.get("prompt", {}).get("look", {}), dict)


def object_name(prompt):
    """A prompt's first words, short enough for a name: "Head" when there are none."""
    words = "".join(letter if letter.isprintable() else " " for letter in prompt).split()
    name = ""
    for word in words:
        if len(name) + len(word) >= NAME_LENGTH:
            break
        name = f"{name} {word}".strip()
    name = name.rstrip(" ,.;:") or "Head"
    while len(name.encode()) > 60:  # Blender 4.5 cuts names at 63 bytes, wherever a letter ends
        name = name[:-1]
    return name[0].upper() + name[1:]
