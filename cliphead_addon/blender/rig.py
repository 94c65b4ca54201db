"""A rig on demand: bones for neck, head, jaw and eyes, eyeballs in open sockets, all in one collection."""

from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Vector

from ..engine.errors import ClipHeadError
from ..engine.geometry.eyes import CLEARANCE, FRONT, REACH, Eye, eyeball
from ..engine.geometry.mouth import mouth as place_mouth
from ..engine.geometry.rig import BONES, Neck, skin_weights
from ..engine.iris import iris_colour, paint_eye
from ..engine.jobfiles import load_rig, save_arrays
from . import session
from .bases import Applies, done, refuse, select_alone
from .compat import undo_step
from .expressions import ChildPanel, HeadOperator, find_head, own_recipe
from .family import find_rig
from .head_object import read_recipe
from .jaw import follow_jaw
from .language import t
from .material import colour_image, eye_material, plain_material
from .mesh import UV_MAP, canonical_points, set_positions, smooth_mesh, vertices
from .sockets import EYES, close_sockets, cut_sockets, move_eyeballs, read_eyes

LEVELS = 255  # steps of a vertex group's weights
LIDS = "lids"  # vertex groups of the skin that slides over the eyeballs
EYE_BONE = 0.03  # metres
MOUTH_LOOKS = (  # name, sRGB, roughness, subsurface; in the order of `geometry.mouth.Body.part`
    ("Enamel", (0.93, 0.90, 0.82), 0.25, 0.1),
    ("Gums", (0.74, 0.36, 0.35), 0.35, 0.2),
    ("Tongue", (0.72, 0.35, 0.34), 0.45, 0.2),
)
SHRINKWRAP = "Lids over Eye"
PART = "cliphead_part"  # custom property of the mouth's objects
PARTS = ("Teeth", "Tongue")


class CLIPHEAD_OT_add_rig(HeadOperator, bpy.types.Operator):
    """Give the selected head bones for neck, head, jaw and eyes, and eyeballs. The engine works in the background"""

    bl_idname = "cliphead.add_rig"
    bl_label = "Add Rig"
    bl_options = {"REGISTER"}  # the undo step is apply_rig's

    eyes: bpy.props.BoolProperty(
        name="Eyeballs",
        description="Open the skin between the lids and set eyeballs in; without, the painted eyes stay",
        default=True,
    )
    mouth: bpy.props.BoolProperty(name="Teeth and Tongue", description="Simple bodies behind the lips", default=True)

    @classmethod
    def obstacle(cls, context):
        if obstacle := super().obstacle(context):
            return obstacle
        rigged = find_rig(find_head(context.object)) is not None
        return t("The head has a rig already: remove it first") if rigged else ""

    def execute(self, context):
        head = find_head(context.object)
        choices = {"eyes": self.eyes, "mouth": self.mouth}
        try:
            ask_rig(head, self.place(context, "apply_rig", {"head": head.name, **choices}), **choices)
        except ClipHeadError as error:
            return refuse(self, str(error))
        return {"FINISHED"}


def ask_rig(head, place=None, progress=None, **choices):
    """Have the engine find a head's rig, and build it, as one undo step.

    place: a `session.Place` for when the engine is ready, or None to wait for it; choices: of `apply_rig`. Raises
    ClipHeadError.
    """
    mesh = head.data
    layer = mesh.uv_layers.get(UV_MAP)
    if layer is None or len({len(face.vertices) for face in mesh.polygons}) != 1:
        raise ClipHeadError(
            f"'{head.name}' is no longer the mesh that was made here: its faces or UV map were changed.", "BAD_MESH"
        )
    folder = session.new_folder()
    corners = np.empty((len(mesh.loops), 2), np.float32)
    mesh.attributes[layer.name].data.foreach_get("vector", corners.ravel())
    faces = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", faces)
    uv = np.zeros((len(mesh.vertices), 2), np.float32)
    uv[faces] = corners
    faces = faces.reshape(len(mesh.polygons), -1)
    arrays = {"canonical": canonical_points(mesh), "rest": vertices(mesh), "uv": uv, "faces": faces}
    save_arrays(arrays, folder)
    session.about_head("rig", own_recipe(head), folder, place, progress)
    if place is None:
        undo_step(bpy.ops.cliphead.apply_rig, folder=str(folder), head=head.name, **choices)


class CLIPHEAD_OT_apply_rig(Applies, bpy.types.Operator):
    """Build a computed rig around its head"""

    bl_idname = "cliphead.apply_rig"
    bl_label = "Add Rig"

    head: bpy.props.StringProperty(name="Head", description="Name of its object", options={"HIDDEN", "SKIP_SAVE"})
    eyes: bpy.props.BoolProperty(name="Eyeballs", description="Set eyeballs in", default=True)
    mouth: bpy.props.BoolProperty(name="Teeth and Tongue", description="Put them behind the lips", default=True)

    def execute(self, context):
        try:
            weights, depths, blinks, about = load_rig(self.folder)
            head = bpy.data.objects.get(self.head)
            if head is None or len(head.data.vertices) != len(weights) or find_rig(head) is not None:
                raise ClipHeadError(f"The head '{self.head}' was changed meanwhile: it was not rigged. Try again.", "NO_HEAD")
            rig = build_rig(context, head, weights, depths, blinks, about, self.eyes, self.mouth)
        except ClipHeadError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return done(self, f"Rigged: {len(rig.data.bones)} bones", about["warnings"])


class CLIPHEAD_OT_remove_rig(HeadOperator, bpy.types.Operator):
    """Take the rig and the eyeballs away again; the painted eyes come back, shape keys stay"""

    bl_idname = "cliphead.remove_rig"
    bl_label = "Remove Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def obstacle(cls, context):
        if obstacle := super().obstacle(context):
            return obstacle
        return t("The head has no rig") if find_rig(find_head(context.object)) is None else ""

    def execute(self, context):
        head = find_head(context.object)
        remove_rig(head)
        context.view_layer.objects.active = head
        head.select_set(True)
        session.tell("The rig is removed")
        return {"FINISHED"}


def build_rig(context, head, weights, depths, blinks, about, eyes=True, mouth=True):
    """Build armature, weights and eyeballs around a head from what `rigging.rig` found. -> bpy object of the armature"""
    name = head.name
    collection = bpy.data.collections.new(f"{name} Rig")
    head.users_collection[0].children.link(collection)
    balls = about["eyes"] if eyes else []
    rig = _armature(context, name, about["joints"], balls, collection)
    rig.parent, rig.matrix_parent_inverse = head.parent, head.matrix_parent_inverse.copy()
    rig.matrix_basis = head.matrix_basis.copy()
    hair = [child for child in head.children if child.type == "MESH" and child.data.vertices]
    for obj in (head, *hair):
        for other in obj.users_collection:
            other.objects.unlink(obj)
        collection.objects.link(obj)
    head.parent = rig
    head.matrix_parent_inverse.identity()
    head.matrix_basis.identity()
    for obj, shares in _shares(head, hair, weights, about["neck"]):
        _deform(obj, rig, shares)
    if balls:
        _set_eyes(head, rig, collection, balls, depths, blinks, about["iris_uv"])
    if mouth:
        _set_mouth(head, rig, collection, about["mouth"])
        follow_jaw(head, rig)
    select_alone(context, rig)
    return rig


def refit_rig(context, head, place, weights, depths, blinks, about):
    """Give a rigged head another shape, and fit its rig to that, from what `rigging.rig` found for it.

    place: called with nothing, moves the skin. Bones, weights, eyeballs, teeth and tongue go to their new places, those that
    are there; poses and keyframes stay.
    """
    rig, before = find_rig(head), read_eyes(head)
    if before:
        close_sockets(head)
    place()
    with _editing(context, rig.data) as bones:
        for name, (start, end, _, roll) in _bones(about["joints"], about["eyes"]).items():
            if name in bones:
                bones[name].head, bones[name].tail = start, end
                bones[name].align_roll(roll)
    strands = [child for child in head.children if child.type == "MESH" and find_rig(child) is rig]
    for obj, shares in _shares(head, strands, weights, about["neck"]):
        _weigh(obj, shares)
    if before and about["eyes"]:
        cut_sockets(head, about["eyes"], depths, blinks)
        move_eyeballs(head, before)
        for eye, depth in zip(about["eyes"], depths, strict=True):
            _weigh_lids(head, eye, depth)
    for label, body in zip(PARTS, _mouth(about["mouth"]), strict=True):
        for obj in rig.children:
            if obj.get(PART) == label and len(obj.data.vertices) == len(body.vertices):
                obj.shape_key_clear()
                set_positions(obj.data, body.vertices)
    follow_jaw(head, rig)


def remove_rig(head):
    """Undo `build_rig`; what was moved with the bones goes back to where it was built."""
    rig = find_rig(head)
    collection = head.users_collection[0]
    added = [child for child in rig.children if child.type == "MESH" and child is not head]
    parts = [head, *(child for child in head.children if child.type == "MESH")]
    for obj in parts:
        for modifier in [m for m in obj.modifiers if m.type == "ARMATURE" or m.name.startswith(SHRINKWRAP)]:
            obj.modifiers.remove(modifier)
        for group in [g for g in obj.vertex_groups if g.name in BONES or g.name.startswith(LIDS)]:
            obj.vertex_groups.remove(group)
    head.parent, head.matrix_parent_inverse = rig.parent, rig.matrix_parent_inverse.copy()
    head.matrix_basis = rig.matrix_basis.copy()
    for part in added:
        mesh = part.data
        bpy.data.objects.remove(part)
        bpy.data.meshes.remove(mesh)
    armature = rig.data
    bpy.data.objects.remove(rig)
    bpy.data.armatures.remove(armature)
    if EYES in head:
        close_sockets(head)
    outer = next((c for c in (bpy.context.scene.collection, *bpy.data.collections) if collection.name in c.children), None)
    if outer is not None and set(collection.objects) == set(parts) and not collection.children:
        for obj in parts:
            outer.objects.link(obj)
        bpy.data.collections.remove(collection)


def _armature(context, name, joints, eyes, collection):
    """The armature in metres, its bones from joints in the head's own space. -> bpy object"""
    data = bpy.data.armatures.new(f"{name} Rig")
    rig = bpy.data.objects.new(f"{name} Rig", data)
    collection.objects.link(rig)
    data.display_type = "STICK"
    rig.show_in_front = True
    with _editing(context, data) as edit_bones:
        for bone_name, (start, end, parent, roll) in _bones(joints, eyes).items():
            bone = edit_bones.new(bone_name)
            bone.head, bone.tail = start, end
            bone.align_roll(roll)
            if parent:
                bone.parent = edit_bones[parent]
                bone.use_connect = bone.parent.tail == bone.head
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION"
    return rig


@contextmanager
def _editing(context, armature):
    """An armature's edit bones, for a while; whether its object is hidden, active or in the scene at all does not matter."""
    layer = context.view_layer
    active, stand_in = layer.objects.active, bpy.data.objects.new("Bones", armature)
    context.scene.collection.objects.link(stand_in)
    layer.objects.active = stand_in
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        yield armature.edit_bones
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.data.objects.remove(stand_in)
        layer.objects.active = active


def _bones(joints, eyes):
    """Where bones are, in the order of their chain: name -> head, tail, parent's name or None, direction of their roll."""
    forward, up = -Vector(FRONT), Vector((0, 0, 1))
    skull, top, jaw, chin = (Vector(joints[joint]) for joint in ("skull", "top", "jaw", "chin"))
    bones = {"neck": (Vector(), skull, None, forward), "head": (skull, top, "neck", forward), "jaw": (jaw, chin, "head", up)}
    for eye in eyes:
        centre = Vector(eye["centre"])
        bones[f"eye.{eye['side']}"] = (centre, centre + EYE_BONE * Vector(FRONT), "head", up)
    return bones


def _shares(head, hair, weights, neck):
    """Pairs of an object and the weights (V,3) that it has, in the order of BONES: the head, and hair, which has no jaw."""
    yield head, weights
    plane = Neck(np.array(neck["point"]), np.array(neck["normal"]))
    for strands in hair:
        share = plane.head_share(vertices(strands.data))
        yield strands, skin_weights(np.zeros(len(share)), share)


def _deform(obj, rig, weights):
    """Vertex groups and an armature modifier. weights: (V,3) in the order of BONES."""
    _weigh(obj, weights)
    modifier = obj.modifiers.new("Rig", "ARMATURE")
    modifier.object = rig
    modifier.show_in_editmode = modifier.show_on_cage = True


def _weigh(obj, weights):
    """Vertex groups of the bones. weights: (V,3) in the order of BONES."""
    steps = np.rint(np.cumsum(weights, axis=1) * LEVELS).astype(int)
    steps = np.diff(steps, axis=1, prepend=0)  # rounded so that every vertex's weights still sum to one
    for bone, level in zip(BONES, steps.T, strict=True):
        group = _empty_group(obj, bone)
        order = np.argsort(level, kind="stable")
        for same in np.split(order, np.flatnonzero(np.diff(level[order])) + 1):
            if level[same[0]]:
                group.add(same.tolist(), level[same[0]] / LEVELS, "REPLACE")


def _weigh_lids(head, eye, depth):
    """The vertex group of the skin that slides over an eyeball. depth: (V,) metres inside the lids' edges."""
    away = vertices(head.data) - np.array(eye["centre"])
    near = (depth <= 0) & (np.linalg.norm(away, axis=1) < REACH * eye["radius"]) & (away @ FRONT > 0)
    _empty_group(head, f"{LIDS}.{eye['side']}").add(np.flatnonzero(near).tolist(), 1.0, "REPLACE")


def _empty_group(obj, name):
    group = obj.vertex_groups.get(name)
    if group is None:
        return obj.vertex_groups.new(name=name)
    group.remove(range(len(obj.data.vertices)))
    return group


def _set_eyes(head, rig, collection, eyes, depths, blinks, iris_uv):
    """Eyeballs as objects of their own, in sockets that are cut for them."""
    cut_sockets(head, eyes, depths, blinks)
    recipe = read_recipe(head)
    prompt = recipe.get("prompt", {}) if recipe else {}
    prompt = prompt | prompt.get("look", {})
    colour = iris_colour(prompt.get("text") or "", _texture_at(head, iris_uv))
    name = f"{head.name} Eyes"
    material = eye_material(name, paint_eye(colour, prompt.get("seed") or 0))
    for eye, depth in zip(eyes, depths, strict=True):
        side = eye["side"]
        shape, quads, triangles, uv = eyeball(Eye(np.zeros(3), eye["radius"]))
        name = f"{head.name} Eye {side}"
        ball = bpy.data.objects.new(name, _ball_mesh(name, shape, quads, triangles, uv))
        ball.data.materials.append(material)
        collection.objects.link(ball)
        ball.parent = rig
        ball.location = eye["centre"]
        ball.vertex_groups.new(name=f"eye.{side}").add(list(range(len(shape))), 1.0, "REPLACE")
        ball.modifiers.new("Rig", "ARMATURE").object = rig
        _weigh_lids(head, eye, depth)
        over = head.modifiers.new(f"{SHRINKWRAP} {side}", "SHRINKWRAP")  # what blends of shape keys and turned eyes ask for
        over.target = ball
        over.vertex_group = f"{LIDS}.{side}"
        over.wrap_method, over.wrap_mode, over.offset = "NEAREST_SURFACEPOINT", "OUTSIDE", 0.6 * CLEARANCE


def _set_mouth(head, rig, collection, anchors):
    """Teeth and tongue as objects of their own, the lower ones on the jaw's bone."""
    for label, body in zip(PARTS, _mouth(anchors), strict=True):
        name = f"{head.name} {label}"
        obj = bpy.data.objects.new(name, smooth_mesh(name, body.vertices, body.faces))
        kinds = np.unique(body.part)
        for kind in kinds:
            word, *look = MOUTH_LOOKS[kind]
            obj.data.materials.append(plain_material(f"{head.name} {word}", *look))
        obj.data.polygons.foreach_set("material_index", np.searchsorted(kinds, body.part).astype(np.int32))
        collection.objects.link(obj)
        obj.parent, obj[PART] = rig, label
        for bone, rows in (("head", ~body.lower), ("jaw", body.lower)):
            if rows.any():
                obj.vertex_groups.new(name=bone).add(np.flatnonzero(rows).tolist(), 1.0, "REPLACE")
        obj.modifiers.new("Rig", "ARMATURE").object = rig


def _mouth(anchors):
    """Teeth and tongue as `geometry.mouth.Body`, in the order of PARTS."""
    return place_mouth(*(np.array(anchors[name]) for name in ("corners", "upper_lip")))


def _ball_mesh(name, points, quads, triangles, uv):
    """Quads and triangles in one smooth mesh with a UV map."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], [*quads.tolist(), *triangles.tolist()])
    mesh.shade_smooth()
    mesh.uv_layers.new(name=UV_MAP)
    corners = np.concatenate([quads.ravel(), triangles.ravel()])
    mesh.attributes[UV_MAP].data.foreach_set("vector", uv[corners].astype(np.float32).ravel())
    return mesh


def _texture_at(head, uv):
    """Colours of the head's image at some places (N,2) -> (N,3) 0..255 sRGB; none where the head has no image."""
    image = colour_image(head.active_material)
    if image is None or not all(image.size) or not len(uv):
        return np.zeros((0, 3))
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    column, row = (np.clip(np.array(uv) * [width, height], 0, [width - 1, height - 1]).astype(int)).T
    return 255 * pixels.reshape(height, width, image.channels)[row, column, :3]


class CLIPHEAD_PT_rig(ChildPanel, bpy.types.Panel):
    bl_label = "Rig"

    def draw(self, context):
        layout = self.layout
        if find_rig(find_head(context.object)) is None:
            motion = context.scene.cliphead_motion
            row = layout.row()
            row.prop(motion, "eyes")
            row.prop(motion, "mouth")
            button = layout.operator(CLIPHEAD_OT_add_rig.bl_idname, icon="ARMATURE_DATA")
            button.eyes, button.mouth = motion.eyes, motion.mouth
        else:
            layout.operator(CLIPHEAD_OT_remove_rig.bl_idname, icon="X")


CLASSES = (CLIPHEAD_OT_add_rig, CLIPHEAD_OT_apply_rig, CLIPHEAD_OT_remove_rig, CLIPHEAD_PT_rig)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
