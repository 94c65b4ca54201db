"""Blender's own unwrap as a peer: a process that reads names of .npz files from stdin and answers each with a file beside it.

A file holds vertices (V,3), faces (F,3) and seam (S,2). The answer, `<name>.uv.npz`, holds for every method of Blender's the
coordinates (F,3,2) and the processor's seconds of the operator alone, and `ready` goes to stdout.
"""

import os
import sys
import time

import bpy
import numpy as np

from cliphead_addon.blender.mesh import mark_seam, smooth_mesh

METHODS = ("ANGLE_BASED", "MINIMUM_STRETCH")


def unwrap(vertices, faces, seam):
    """-> method -> coordinates (F,3,2) and seconds."""
    mesh = smooth_mesh("Head", vertices, faces)
    mark_seam(mesh, seam)
    mesh.uv_layers.new(name="UVMap")
    head = bpy.data.objects.new("Head", mesh)
    bpy.context.collection.objects.link(head)
    bpy.context.view_layer.objects.active = head
    found = {}
    for method in METHODS:
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        started = time.process_time()
        bpy.ops.uv.unwrap(method=method, margin=0.0)
        seconds = time.process_time() - started
        bpy.ops.object.mode_set(mode="OBJECT")
        uv = np.empty((len(faces), 3, 2), np.float32)
        mesh.attributes["UVMap"].data.foreach_get("vector", uv.ravel())
        found[method] = uv, seconds
    bpy.data.objects.remove(head)
    bpy.data.meshes.remove(mesh)
    return found


def main():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    for line in sys.stdin:
        name = line.strip()
        with np.load(name) as file:
            found = unwrap(file["vertices"], file["faces"], file["seam"])
        rows = {method: uv for method, (uv, _) in found.items()}
        rows |= {f"{method} seconds": seconds for method, (_, seconds) in found.items()}
        np.savez(f"{name}.uv.npz", **rows)
        print("ready", flush=True)
    sys.stdout.flush()
    os._exit(0)  # bpy may hang when the interpreter ends


if __name__ == "__main__":
    main()
