"""Materials on Principled shaders: skin under its images, and hair in one colour with strands in its relief."""

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
RELIEF_RANGE = 0.002  # metres between the lowest and the highest that a relief image can show

HAIR = {
    "Roughness": 0.45,
    "Specular IOR Level": 0.3,
    "Anisotropic": 0.8,
    "Anisotropic Rotation": 0.25,  # highlights run around the head, across the strands
}
EYE = {"Roughness": 0.35, "IOR": 1.376, "Coat Weight": 1.0, "Coat Roughness": 0.02}  # a wet film over the white
STRANDS = 90.0  # waves of the relief around the head
FALL = 6.0  # waves per metre along a strand
RELIEF = 0.003  # metres
SHADES = 0.4, 1.4  # of the colour, from the darkest strand to the lightest
SAMPLED = 13  # every so many pixels are enough for a mean; odd, so that columns differ from row to row


def skin_material(name, images, uv_map=None):
    """A material under images packed into the .blend file.

    images: "albedo", and "roughness" and "relief" where there are any -> path of a PNG. uv_map: name of the map that they lie
    on, None: the mesh has no other. -> bpy material
    """
    material = new_node_material(name)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    output, principled = nodes.new("ShaderNodeOutputMaterial"), nodes.new("ShaderNodeBsdfPrincipled")
    output.location, principled.location = (300, 0), (0, 0)
    for socket, value in SKIN.items():
        principled.inputs[socket].default_value = value
    links.new(principled.outputs["BSDF"], output.inputs["Surface"])

    if uv_map is not None:
        layout = nodes.new("ShaderNodeUVMap")
        layout.uv_map, layout.location = uv_map, (-760, 0)

    def texture(kind, place, colour_space):
        node = nodes.new("ShaderNodeTexImage")
        if uv_map is not None:
            links.new(layout.outputs["UV"], node.inputs["Vector"])
        node.image = _packed(images[kind], name if kind == "albedo" else f"{name} {kind}", colour_space)
        node.label, node.location = kind, place
        return node

    albedo = texture("albedo", (-320, 200), "sRGB")
    links.new(albedo.outputs["Color"], principled.inputs["Base Color"])
    if "roughness" in images:
        links.new(texture("roughness", (-320, -100), "Non-Color").outputs["Color"], principled.inputs["Roughness"])
    if "relief" in images:
        bump = nodes.new("ShaderNodeBump")
        bump.location = (-180, -400)
        bump.inputs["Distance"].default_value = RELIEF_RANGE
        links.new(texture("relief", (-500, -400), "Non-Color").outputs["Color"], bump.inputs["Height"])
        links.new(bump.outputs["Normal"], principled.inputs["Normal"])
    nodes.active = albedo
    material.diffuse_color = (*_mean_colour(albedo.image), 1.0)  # what Solid view shows
    return material


def replace_material(obj, material):
    """Put a material where a mesh object has the one that most of its faces show, which stays in the file."""
    if not obj.material_slots:
        obj.data.materials.append(None)
    slot = main_slot(obj)
    if slot.material is not None:
        slot.material.use_fake_user = True
    slot.material = material


def main_slot(obj):
    """The material slot that most faces of a mesh object show."""
    slots = np.empty(len(obj.data.polygons), np.int32)
    obj.data.polygons.foreach_get("material_index", slots)
    return obj.material_slots[min(int(np.bincount(slots).argmax()), len(obj.material_slots) - 1)]


def _packed(path, name, colour_space):
    image = bpy.data.images.load(str(path))
    image.name = name
    image.colorspace_settings.name = colour_space
    image.pack()
    image.filepath_raw = f"//{bpy.path.clean_name(name)}.png"  # where "unpack" would put it, not the worker's folder
    return image


def hair_material(name, colour):
    """A material whose shades and relief look like strands that fall from the crown. colour: (3,) sRGB 0..1 -> bpy material

    The colour is also a plain value, and its shade a factor: exporters that know no node trees keep it.
    """
    material = new_node_material(name)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()

    def add(kind, x, y=0, **settings):
        node = nodes.new(kind)
        node.location = (x, y)
        for setting, value in settings.items():
            setattr(node, setting, value)
        return node

    output, principled = add("ShaderNodeOutputMaterial", 300), add("ShaderNodeBsdfPrincipled", 0)
    linear = to_linear(colour)
    principled.inputs["Base Color"].default_value = (*linear, 1.0)  # what exporters keep
    for socket, value in HAIR.items():
        principled.inputs[socket].default_value = value
    links.new(principled.outputs["BSDF"], output.inputs["Surface"])

    # Around the vertical axis the noise sees only the direction, so its grains become strands from the crown downwards.
    place, split = add("ShaderNodeTexCoord", -1400), add("ShaderNodeSeparateXYZ", -1200)
    flat, direction = add("ShaderNodeCombineXYZ", -1000), add("ShaderNodeVectorMath", -800, operation="NORMALIZE")
    around = add("ShaderNodeVectorMath", -600, operation="SCALE")
    height = add("ShaderNodeMath", -800, -220, operation="MULTIPLY")
    lifted, grain = add("ShaderNodeCombineXYZ", -600, -220), add("ShaderNodeVectorMath", -420, operation="ADD")
    noise, bump = add("ShaderNodeTexNoise", -240, -260), add("ShaderNodeBump", -240)
    tangent = add("ShaderNodeTangent", -240, -520, direction_type="RADIAL", axis="Z")
    around.inputs["Scale"].default_value = STRANDS / (2 * np.pi)
    height.inputs[1].default_value = FALL
    noise.inputs["Scale"].default_value = 1.0
    noise.inputs["Detail"].default_value = 6.0
    noise.inputs["Roughness"].default_value = 0.75  # fine strands show as much as locks
    shade = add("ShaderNodeMapRange", -420, 60)
    tint = add("ShaderNodeMix", -200, 60, data_type="RGBA", blend_type="MULTIPLY")  # glTF's exporter knows such a factor
    shade.inputs["From Min"].default_value, shade.inputs["From Max"].default_value = 0.3, 0.7  # where the noise mostly is
    shade.inputs["To Min"].default_value, shade.inputs["To Max"].default_value = SHADES
    tint.inputs["Factor"].default_value = 1.0
    shaded, own = (socket for socket in tint.inputs if socket.type == "RGBA")
    own.default_value = (*linear, 1.0)
    bump.inputs["Strength"].default_value = 0.7
    bump.inputs["Distance"].default_value = RELIEF
    for start, end in (
        (place.outputs["Object"], split.inputs["Vector"]),
        (split.outputs["X"], flat.inputs["X"]),
        (split.outputs["Y"], flat.inputs["Y"]),
        (split.outputs["Z"], height.inputs[0]),
        (flat.outputs["Vector"], direction.inputs[0]),
        (direction.outputs["Vector"], around.inputs[0]),
        (height.outputs["Value"], lifted.inputs["Z"]),
        (around.outputs["Vector"], grain.inputs[0]),
        (lifted.outputs["Vector"], grain.inputs[1]),
        (grain.outputs["Vector"], noise.inputs["Vector"]),
        (noise.outputs["Fac"], bump.inputs["Height"]),
        (noise.outputs["Fac"], shade.inputs["Value"]),
        (shade.outputs["Result"], shaded),
        (next(socket for socket in tint.outputs if socket.type == "RGBA"), principled.inputs["Base Color"]),
        (bump.outputs["Normal"], principled.inputs["Normal"]),
        (tangent.outputs["Tangent"], principled.inputs["Tangent"]),
    ):
        links.new(start, end)
    material.diffuse_color = (*linear, 1.0)  # what Solid view shows
    return material


def to_linear(colour):
    """sRGB 0..1 -> linear, of any shape."""
    colour = np.asarray(colour)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def plain_material(name, colour, roughness, subsurface=0.0):
    """A material of one colour. colour: (3,) sRGB 0..1 -> bpy material"""
    material = new_node_material(name)
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    linear = np.asarray(colour) ** 2.2
    principled.inputs["Base Color"].default_value = (*linear, 1.0)
    principled.inputs["Roughness"].default_value = roughness
    principled.inputs["Subsurface Weight"].default_value = subsurface
    principled.inputs["Subsurface Scale"].default_value = SKIN["Subsurface Scale"]
    material.diffuse_color = (*linear, 1.0)
    return material


def eye_material(name, picture):
    """A wet eyeball under an image. picture: (R,R,3) uint8 sRGB, row 0 at the top -> bpy material"""
    R = len(picture)
    image = bpy.data.images.new(name, R, R)
    pixels = np.ones((R, R, 4), np.float32)
    pixels[..., :3] = picture[::-1] / 255
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    material = new_node_material(name)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    principled = nodes.new("ShaderNodeBsdfPrincipled")
    texture = nodes.new("ShaderNodeTexImage")
    output.location, principled.location, texture.location = (300, 0), (0, 0), (-320, 0)
    texture.image = image
    for socket, value in EYE.items():
        principled.inputs[socket].default_value = value
    links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    links.new(principled.outputs["BSDF"], output.inputs["Surface"])
    nodes.active = texture
    material.diffuse_color = (*_mean_colour(image), 1.0)
    return material


def colour_image(material):
    """The image that colours a material, not the one of its roughness or relief; None where there is none."""
    nodes = material.node_tree.nodes if material is not None and material.node_tree is not None else ()
    for node in nodes:
        colour = node.inputs.get("Base Color") if node.type == "BSDF_PRINCIPLED" else None
        if colour is not None and colour.is_linked and colour.links[0].from_node.type == "TEX_IMAGE":
            return colour.links[0].from_node.image
    return None


def _mean_colour(image):
    """The mean of an 8-bit sRGB image -> (r, g, b), linear."""
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    return np.mean(pixels.reshape(-1, 4)[::SAMPLED, :3] ** 2.2, axis=0)
