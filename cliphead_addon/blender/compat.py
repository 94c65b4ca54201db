"""What differs between Blender 4.5 and 5.2, tested by feature rather than by version, and the add-on's own name."""

import bpy

from ..engine.errors import ClipHeadError

PACKAGE = __package__.rpartition(".")[0]  # "bl_ext.<repository>.cliphead" once installed: preferences and folders go by it


def new_node_material(name):
    """A material with a node tree; 4.5 makes it on request, 5.0 always and calls the request deprecated."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    return material


def new_grey_world(level):
    """A world of one grey, with nodes on every Blender."""
    world = bpy.data.worlds.new("Grey")
    if world.node_tree is None:
        world.use_nodes = True
    nodes = world.node_tree.nodes
    nodes.clear()
    background, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    background.inputs["Color"].default_value = (level, level, level, 1.0)
    world.node_tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def has_denoiser():
    """Whether this Blender was built with Open Image Denoise."""
    import _cycles  # Cycles' own add-on asks here too

    return getattr(_cycles, "with_openimagedenoise", False)


def undo_step(operator, **properties):
    """Call an operator so that it makes an undo step of its own: from timers and scripts the flag must be given.

    Raises ClipHeadError with what it reports as an error.
    """
    try:
        return operator("EXEC_DEFAULT", True, **properties)
    except RuntimeError as error:
        raise ClipHeadError(str(error).removeprefix("Error: ").strip(), "NOT_APPLIED") from error
