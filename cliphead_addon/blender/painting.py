"""A new texture for a head that is there, or for any mesh that was unwrapped as one; the old one stays in the file."""

import json
import random
from dataclasses import asdict, replace

import bpy
import numpy as np

from ..engine import recipes
from ..engine.errors import ClipHeadError, PromptError
from ..engine.geometry.frames import blender_to_nphm
from ..engine.jobfiles import load_painting, save_arrays
from ..engine.settings import Settings
from ..engine.stages import Prompt
from . import history, session
from .bases import Applies, Starts, done, refuse
from .compat import undo_step
from .expressions import find_head, own_recipe
from .foreign import HEAD_MAP, placed
from .hair import hair_of, recolour
from .head_object import RECIPE, object_name, read_recipe
from .language import t
from .material import replace_material, skin_material
from .mesh import UV_MAP, canonical_points, marked_seam, positions, triangles, vertices
from .properties import TEXTURE_ITEMS
from .reshaping import origin
from .sockets import read_sockets


def find_paintable(obj):
    """The mesh object that a texture for an object is for: itself, or the head that it belongs to; None for neither."""
    if obj is not None and obj.type == "MESH" and (read_recipe(obj) is not None or HEAD_MAP in obj.data.uv_layers):
        return obj
    return find_head(obj)


def why_not_painted(obj):
    """Why an object gets no texture, as a sentence; "" for one that can."""
    mesh_object = find_paintable(obj)
    if mesh_object is None:
        return t("Unwrap as Head first") if obj is not None and obj.type == "MESH" else t("Select a head, or a mesh of one")
    if mesh_object.mode != "OBJECT":
        return t("Go to Object Mode first")
    if not (mesh_object.is_editable and mesh_object.data.is_editable):
        return t("The mesh is linked from another file: make it local first")
    if read_recipe(mesh_object) is not None:
        if UV_MAP not in mesh_object.data.uv_layers:
            return t("The head has lost its UV map '{name}'", name=UV_MAP)
        if canonical_points(mesh_object.data) is None:
            return t("The head was made by an older version: make it again from its recipe")
    return ""


def paint(obj, look, texture_size, device="auto", place=None, progress=None):
    """Have the engine paint a texture and put it on an object: at once, or with a session.Place when the job ends.

    obj: one that `find_paintable` gave. look: "text", "seed" and "negative" as in `Prompt.look`. device: for meshes of others;
    a head keeps to its recipe. progress: called as (stage, fraction). Raises ClipHeadError.
    """
    recipe = _request(obj, look, texture_size, device)
    folder = session.new_folder()
    save_arrays(arrays_of(obj), folder)
    choices = {"object": obj.name, "look": json.dumps(look)}
    if place is not None:
        place = replace(place, operator="apply_paint", choices=choices)
    session.about_head("paint", recipe, folder, place, progress)
    if place is None:
        undo_step(bpy.ops.cliphead.apply_paint, folder=str(folder), **choices)
        if bpy.app.background:  # in a window the operator may be redone
            session.discard(folder)


def _request(obj, look, texture_size, device):
    """A recipe that leads to the texture: the head's own with another look, for other meshes the look alone."""
    if read_recipe(obj) is None:
        return {
            "prompt": asdict(Prompt(**look)),
            "settings": asdict(Settings(texture_size=texture_size, hair="none", device=device)),
        }
    prompt, settings = recipes.choices(own_recipe(obj))
    return {
        "prompt": asdict(replace(prompt, look=look)),
        "settings": asdict(replace(settings, texture_size=texture_size)),
    }


def arrays_of(obj):
    """What `jobfiles.load_surface` reads of a mesh object: at rest, in the axes of the NPHM frame; of heads the hair too."""
    mesh = obj.data
    faces, corners = triangles(mesh)
    uv = np.empty((len(mesh.loops), 2), np.float32)
    ours = read_recipe(obj) is not None
    mesh.attributes[UV_MAP if ours else HEAD_MAP].data.foreach_get("vector", uv.ravel())
    arrays = {"faces": faces, "uv": uv[corners], "seam": marked_seam(mesh)}
    if not ours:
        return arrays | {"vertices": placed(obj)}
    sockets, hair, centre = read_sockets(obj), hair_of(obj), origin(obj)
    points = vertices(mesh) if sockets is None else sockets.closed  # the painted lids lie over the eyeballs
    arrays |= {"vertices": blender_to_nphm(points, centre).astype(np.float32), "canonical": canonical_points(mesh)}
    if hair is not None:
        arrays["hair_vertices"] = blender_to_nphm(positions(hair.data), centre).astype(np.float32)
        arrays["hair_faces"] = triangles(hair.data)[0]
    return arrays


class CLIPHEAD_OT_paint(Starts, bpy.types.Operator):
    """Paint the selected head, or a mesh unwrapped as one, after the description; its shape and the old material stay"""

    bl_idname = "cliphead.paint"
    bl_label = "New Texture"
    bl_options = {"REGISTER"}  # no undo step: the texture arrives later, through apply_paint

    prompt: bpy.props.StringProperty(
        name="Description", description="The texture in words; empty takes the panel's description", options={"SKIP_SAVE"}
    )
    negative: bpy.props.StringProperty(
        name="Avoid", description="What the texture should not show, in words", options={"SKIP_SAVE"}
    )
    seed: bpy.props.IntProperty(
        name="Seed",
        description="Another number gives another texture for the same words; without one it is the panel's",
        min=0,
        max=2**31 - 1,
        options={"SKIP_SAVE"},
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Side of the texture image; without one it is the panel's",
        items=TEXTURE_ITEMS,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def obstacle(cls, context):
        if obstacle := why_not_painted(context.object):
            return obstacle
        return t("The engine is busy: wait for it or cancel it") if session.state.job is not None else ""

    def invoke(self, context, event):
        if not context.scene.cliphead.seed_locked and not self.properties.is_property_set("seed"):
            context.scene.cliphead.seed = random.randrange(1, 2**31)
        return super().invoke(context, event)

    def execute(self, context):
        panel = context.scene.cliphead
        seed, size = (
            getattr(self if self.properties.is_property_set(name) else panel, name) for name in ("seed", "texture_size")
        )
        look = {"text": self.prompt.strip() or panel.prompt.strip(), "seed": seed, "negative": self.negative}
        try:
            if not look["text"]:
                raise PromptError('Write a description first, such as "a zombie with red eyes"')
            place = session.Place(context.scene.name) if self.interactive else None
            paint(find_paintable(context.object), look, int(size), panel.device, place)
        except (ClipHeadError, RuntimeError) as error:  # RuntimeError: the second operator's report
            return refuse(self, str(error).removeprefix("Error: ").strip())
        return {"FINISHED"}


class CLIPHEAD_OT_apply_paint(Applies, bpy.types.Operator):
    """Put a painted texture on its head; the material that was there stays in the file"""

    bl_idname = "cliphead.apply_paint"
    bl_label = "New Texture"

    object: bpy.props.StringProperty(name="Object", description="Name of what was painted", options={"HIDDEN", "SKIP_SAVE"})
    look: bpy.props.StringProperty(
        name="Look", description="What the texture was painted from, as JSON", options={"HIDDEN", "SKIP_SAVE"}
    )

    def execute(self, _context):
        try:
            painting, look = load_painting(self.folder), json.loads(self.look)
            obj = bpy.data.objects.get(self.object)
            if obj is None or find_paintable(obj) is not obj:
                raise ClipHeadError(f"'{self.object}' is gone or was changed: its texture was not put anywhere.", "NO_HEAD")
            warnings = [*painting.warnings, *put_on(obj, painting, look)]
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return done(self, "The new texture is there; the old one is in the list of materials", warnings)


def put_on(obj, painting, look):
    """Show a `SavedPainting` on an object, and say so in a head's recipe and in the history -> warnings"""
    before = read_recipe(obj)
    replace_material(obj, skin_material(object_name(look["text"]), painting.images, HEAD_MAP if before is None else None))
    if before is None:
        return []
    strands = hair_of(obj)
    if strands is not None and painting.hair_colour is not None:
        recolour(strands, painting.hair_colour)
    recipe = before | {
        "prompt": before.get("prompt", {}) | {"look": look},
        "settings": before.get("settings", {}) | {"texture_size": painting.size},
    }
    obj[RECIPE] = json.dumps(recipe)
    try:
        history.add_repainted(before, recipe, painting)
    except ClipHeadError as error:
        return [str(error)]
    return []


CLASSES = (CLIPHEAD_OT_paint, CLIPHEAD_OT_apply_paint)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
