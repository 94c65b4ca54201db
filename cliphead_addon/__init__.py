"""CLIP-Head: type a sentence, get a textured 3D head."""


def register():
    from . import blender  # bpy arrives here, so that tools, tests and the worker import the rest without it

    blender.register()


def unregister():
    from . import blender

    blender.unregister()
