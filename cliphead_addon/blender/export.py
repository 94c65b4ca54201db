"""A finished head out of Blender, as files for other programs or as an asset; the scene stays as it is."""

import re
from contextlib import contextmanager
from pathlib import Path

import addon_utils
import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper

from ..engine.errors import ClipHeadError
from . import preview, session
from .bases import InObjectMode, refuse
from .expressions import ChildPanel, find_head, find_rig
from .head_object import read_recipe
from .language import t
from .material import colour_image

FORMATS = [  # identifier, label, description, ending
    ("GLTF", "glTF", "For game engines and the web: one .glb with rig, shape keys, UV map and images", ".glb"),
    ("FBX", "FBX", "For Maya, Unity and Unreal: rig, shape keys and images in one file", ".fbx"),
    ("USD", "USD", "For Houdini, Omniverse and film pipelines, with images in a folder beside it", ".usdc"),
    ("OBJ", "OBJ", "The shape as it is seen now, with its images beside it; no rig and no shape keys", ".obj"),
]
ENDINGS = {name: ending for name, _, _, ending in FORMATS}

CATALOGUE = "6f2b7a0e-3c51-4c55-9d3e-0f1c2a9d7b61"
CATALOGUE_PATH = "Characters/Heads"
CATALOGUE_FILE = "blender_assets.cats.txt"
CATALOGUE_HEADING = """# This is an Asset Catalog Definition file for Blender.
#
# Empty lines and lines starting with `#` will be ignored.
# The first non-ignored line should be the version indicator.
# Other lines are of the format "UUID:catalog/path/for/assets:simple catalog name"

VERSION 1

"""
TAGS = 12
NO_TAGS = frozenset("a an and the of with in on or very who that has his her their is are at to for from".split())


class FamilyOperator(InObjectMode):
    """An operator about the selected head with all that belongs to it."""

    @classmethod
    def obstacle(cls, context):
        return t("Select a head made by CLIP-Head") if find_head(context.object) is None else super().obstacle(context)


def family(head):
    """A head's objects: the rig, if it has one, the head, its hair and its eyeballs."""
    rig = find_rig(head)
    root = head if rig is None else rig
    return [root, *root.children_recursive]


class CLIPHEAD_OT_export(FamilyOperator, ExportHelper, bpy.types.Operator):
    """Write the selected head with its hair, eyes and rig to a file; nothing in the scene changes"""

    bl_idname = "cliphead.export"
    bl_label = "Export Head"
    bl_options = {"REGISTER"}  # no undo step: the scene is the same afterwards

    filename_ext = ".glb"
    check_extension = None  # `execute` sees to it, as the ending depends on the format
    format: bpy.props.EnumProperty(name="Format", description="The kind of file", items=[item[:3] for item in FORMATS])

    @classmethod
    def description(cls, _context, properties):
        return next(text for name, _, text, _ in FORMATS if name == properties.format)

    def invoke(self, context, event):
        head = find_head(context.object)
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        self.filename_ext = ENDINGS[self.format]
        self.filepath = str(folder / (bpy.path.clean_name(head.name) + self.filename_ext))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        head = find_head(context.object)
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(ENDINGS[self.format])
        if not path.parent.is_dir():
            return refuse(self, f"There is no folder {path.parent}. Choose another place.")
        try:
            export(context, head, path, self.format)
        except (ClipHeadError, OSError, RuntimeError) as error:
            return refuse(self, f"{path.name} was not written: {str(error).removeprefix('Error: ').strip()}")
        said = f"Written: {path.name}"
        session.tell(said)
        self.report({"INFO"}, said)
        return {"FINISHED"}


def export(context, head, path, kind):
    """Write a head's family to a file. kind: "GLTF", "FBX", "USD" or "OBJ"; path: Path with the format's ending."""
    objects = family(head)
    with selected(context, objects):
        if kind == "GLTF":
            with enabled("io_scene_gltf2"), without_relief(objects):
                bpy.ops.export_scene.gltf(
                    filepath=str(path),
                    export_format="GLB",
                    use_selection=True,
                    export_morph=True,
                    export_skins=True,
                    export_apply=False,
                    export_animations=any(is_animated(obj) for obj in objects),
                )
        elif kind == "FBX":
            with enabled("io_scene_fbx"):
                bpy.ops.export_scene.fbx(
                    filepath=str(path),
                    use_selection=True,
                    use_mesh_modifiers=False,  # or shape keys would be left out
                    mesh_smooth_type="FACE",
                    add_leaf_bones=False,
                    path_mode="COPY",
                    embed_textures=True,
                    bake_anim=any(is_animated(obj) for obj in objects),
                )
        elif kind == "USD":
            known = bpy.ops.wm.usd_export.get_rna_type().properties.keys()
            wanted = dict.fromkeys(("export_armatures", "export_shapekeys", "export_materials"), True)
            wanted |= {"export_animation": any(is_animated(obj) for obj in objects), "export_custom_properties": False}
            wanted |= {"export_textures_mode": "NEW"} if "export_textures_mode" in known else {"export_textures": True}
            wanted = {name: value for name, value in wanted.items() if name in known}
            bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, **wanted)
        else:
            bpy.ops.wm.obj_export(filepath=str(path), export_selected_objects=True, export_materials=True, path_mode="STRIP")
            _write_obj_images(objects, path)
    if not path.is_file():
        raise ClipHeadError("Blender's exporter wrote no file.", "EXPORT")


def is_animated(obj):
    """Whether an object or its shape keys have keyframes."""
    blocks = [obj, obj.data, getattr(obj.data, "shape_keys", None)]
    return any(block is not None and block.animation_data is not None and block.animation_data.action for block in blocks)


def _write_obj_images(objects, path):
    """Packed images as files beside an .obj, whose materials are told their names."""
    names = {}
    for material in {slot.material for obj in objects for slot in obj.material_slots if slot.material}:
        if (image := colour_image(material)) is not None:
            target = path.with_name(f"{path.stem}_{bpy.path.clean_name(image.name)}.png")
            image.save(filepath=str(target), save_copy=True)
            names[material.name.replace(" ", "_")] = target.name
    library = path.with_suffix(".mtl")
    if not library.is_file():
        return
    lines, current = [], None
    for line in library.read_text(encoding="utf-8").splitlines():
        if line.startswith("newmtl "):
            current = line[7:].strip()
            lines += [line, f"map_Kd {names[current]}"] if current in names else [line]
        elif not (line.startswith("map_Kd") and current in names):
            lines.append(line)
    library.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def selected(context, objects):
    """These objects alone are selected, and visible, for a while."""
    layer = context.view_layer
    before, active = list(context.selected_objects), layer.objects.active
    hidden = [obj for obj in objects if obj.hide_get()]
    try:
        for obj in before:
            obj.select_set(False)
        for obj in objects:
            obj.hide_set(False)
            obj.select_set(True)
        layer.objects.active = objects[0]
        yield
    finally:
        for obj in objects:
            obj.select_set(False)
        for obj in hidden:
            obj.hide_set(True)
        for obj in before:
            obj.select_set(True)
        layer.objects.active = active


@contextmanager
def enabled(module):
    """One of Blender's own add-ons is on for a while."""
    was_on = addon_utils.check(module)[1]
    if not was_on and addon_utils.enable(module) is None:
        raise ClipHeadError(f"Blender's add-on '{module}' cannot be enabled.", "EXPORT")
    try:
        yield
    finally:
        if not was_on:
            addon_utils.disable(module)


@contextmanager
def without_relief(objects):
    """Skin has no bumps for a while: glTF's exporter takes an image of heights for one of normals."""
    cut = []
    for material in {slot.material for obj in objects for slot in obj.material_slots if slot.material}:
        tree = material.node_tree
        for link in list(tree.links) if tree is not None else ():
            if link.from_node.type == "BUMP" and link.to_socket.name == "Normal":
                cut.append((tree, link.from_socket, link.to_socket))
                tree.links.remove(link)
    try:
        yield
    finally:
        for tree, *ends in cut:
            tree.links.new(*ends)


class CLIPHEAD_OT_mark_asset(FamilyOperator, bpy.types.Operator):
    """Offer the head, with its hair, eyes and rig, in the Asset Browser: with a picture, tags and the catalogue 'Heads'"""

    bl_idname = "cliphead.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        head = find_head(context.object)
        asset = mark_asset(head)
        where = write_catalogue()
        said = f"'{asset.name}' is an asset" + ("" if where else "; save the file and mark again to get a catalogue")
        session.tell(said)
        self.report({"INFO"}, said)
        return {"FINISHED"}


def mark_asset(head):
    """Mark a head's object, or its collection where it has a rig, with picture and tags. -> the ID that was marked"""
    asset = head if find_rig(head) is None else head.users_collection[0]
    asset.asset_mark()
    recipe = read_recipe(head) or {}
    text = recipe.get("prompt", {}).get("text") or ""
    asset.asset_data.description = text[:1000]
    asset.asset_data.catalog_id = CATALOGUE
    for tag in ("CLIP-Head", "head", *tags_in(text)):
        asset.asset_data.tags.new(tag, skip_if_exists=True)
    picture = preview.draw(family(head))
    image = asset.preview_ensure()
    image.image_size = picture.shape[1::-1]
    image.image_pixels_float.foreach_set(picture[::-1].astype(np.float32).ravel())
    return asset


def tags_in(text):
    """The words of a prompt that say something, each once."""
    words = (word.strip("-") for word in re.findall(r"[^\W\d_][\w-]*", text.lower()))
    return list(dict.fromkeys(word for word in words if len(word) > 2 and word not in NO_TAGS))[:TAGS]


def write_catalogue():
    """Add the catalogue to the file that lists an asset library's, beside the .blend -> its Path; None for an unsaved file."""
    if not bpy.data.filepath:
        return None
    blend = Path(bpy.data.filepath)
    libraries = [Path(bpy.path.abspath(library.path)) for library in bpy.context.preferences.filepaths.asset_libraries]
    folder = next((library for library in libraries if library in blend.parents), blend.parent)
    path = folder / CATALOGUE_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else CATALOGUE_HEADING
    if CATALOGUE not in text:
        line = f"{CATALOGUE}:{CATALOGUE_PATH}:{CATALOGUE_PATH.replace('/', '-')}\n"
        path.write_text(text + ("" if text.endswith("\n") else "\n") + line, encoding="utf-8")
    return path


class CLIPHEAD_PT_export(ChildPanel, bpy.types.Panel):
    bl_label = "Export"

    def draw(self, _context):
        row = self.layout.row(align=True)
        for kind, label, _, _ in FORMATS:
            row.operator(CLIPHEAD_OT_export.bl_idname, text=label).format = kind
        self.layout.operator(CLIPHEAD_OT_mark_asset.bl_idname, icon="ASSET_MANAGER")


CLASSES = (CLIPHEAD_OT_export, CLIPHEAD_OT_mark_asset, CLIPHEAD_PT_export)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
