"""What the user may choose, on the scene and on the operator alike."""

import json
import tomllib
from functools import lru_cache
from pathlib import Path

import bpy

from ..engine.archives import is_plain
from ..engine.settings import RESOLUTIONS, TEXTURE_SIZES, Settings
from ..engine.stages import Prompt
from . import preferences

DEFAULTS = Settings()
MANIFEST_LIMIT = 1 << 20  # characters
UNREADABLE = (AttributeError, OSError, RecursionError, ValueError, KeyError, TypeError)
TEXTURE_ITEMS = [(str(size), f"{size} px", f"A texture of {size} by {size} pixels") for size in TEXTURE_SIZES]

TOPOLOGY_ITEMS = [
    ("quads", "Quads", "The same quads for every head, so that textures and shape keys can be moved between heads"),
    ("dense", "Dense Triangles", "All triangles of the surface extraction"),
]
DENSITY_ITEMS = [
    ("low", "Low", "About 3,000 quads"),
    ("medium", "Medium", "About 13,000 quads"),
    ("high", "High", "About 51,000 quads"),
]
HAIR_ITEMS = [
    ("object", "Object", "A mesh of its own, parented to the head"),
    ("merged", "Merged", "One closed surface with the skin"),
    ("none", "None", "The skin alone"),
]

DEVICE_ITEMS = [
    ("auto", "Automatic", "The fastest device there is"),
    ("cpu", "Processor", "The computer's processor: slower, works everywhere"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "The graphics unit of an Apple computer"),
]


def expression_names(_owner, _context, typed):
    """The expressions the chosen pack knows by name, for the field's drop-down list."""
    return [name for name in names_in_pack(preferences.pack_folder()) if typed.lower() in name.lower()]


@lru_cache(maxsize=4)
def names_in_pack(pack):
    """Names of the tensors in a pack's expressions file, from its header alone; () when the pack is not readable."""
    try:
        part = _manifest(pack)["parts"]["expressions"]
        if not is_plain(part["file"]):
            return ()
        with open(Path(pack) / part["file"], "rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 1 << 20)))
    except UNREADABLE:
        return ()
    return tuple(sorted(name for name in header if name != "__metadata__"))


@lru_cache(maxsize=4)
def about_pack(pack):
    """A pack folder's name and the names of its sliders, from its manifest alone; ("", ()) when that cannot be read."""
    try:
        manifest = _manifest(pack)
        return manifest["name"], tuple(manifest["parts"].get("sliders", {}).get("names", ()))
    except UNREADABLE:
        return "", ()


def _manifest(pack):
    with open(Path(pack) / "pack.toml", encoding="utf-8") as file:
        return tomllib.loads(file.read(MANIFEST_LIMIT))


class HeadChoices:
    """Properties shared by the scene's settings and the operator that scripts call."""

    prompt: bpy.props.StringProperty(
        name="Description", description='The head in words, such as "an old man with a wide nose, laughing"'
    )
    expression: bpy.props.StringProperty(
        name="Expression",
        description="An expression in words or by name; empty takes it from the description",
        search=expression_names,
        search_options={"SUGGESTION"},
    )
    expression_strength: bpy.props.FloatProperty(
        name="Intensity",
        description="How strong the expression is: 0 neutral, 1 as the words say",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another number gives another head for the same words", default=0, min=0, max=2**31 - 1
    )
    random: bpy.props.BoolProperty(
        name="Random Head", description="Any head of the model pack, drawn by the seed; words then only guide the texture"
    )
    variation: bpy.props.FloatProperty(
        name="Variation",
        description="How far seeds lead away from the average head of the description; 0 gives that average itself",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_max=1.0,
        subtype="FACTOR",
    )
    resolution: bpy.props.IntProperty(
        name="Resolution",
        description="Samples along the head's longest side: more give a finer mesh and take longer",
        default=DEFAULTS.resolution,
        min=RESOLUTIONS[0],
        max=RESOLUTIONS[1],
        step=32,
    )
    texture_size: bpy.props.EnumProperty(
        name="Texture",
        description="Side of the texture image",
        items=TEXTURE_ITEMS,
        default=str(DEFAULTS.texture_size),
    )
    topology: bpy.props.EnumProperty(
        name="Topology", description="The kind of mesh", items=TOPOLOGY_ITEMS, default=DEFAULTS.topology
    )
    density: bpy.props.EnumProperty(
        name="Density", description="How many quads the head has", items=DENSITY_ITEMS, default=DEFAULTS.density
    )
    hair: bpy.props.EnumProperty(
        name="Hair", description="What becomes of the hair, if the pack has any", items=HAIR_ITEMS, default=DEFAULTS.hair
    )
    device: bpy.props.EnumProperty(
        name="Device", description="What computes the head", items=DEVICE_ITEMS, default=DEFAULTS.device
    )


CHOICES = tuple(HeadChoices.__annotations__)


class CLIPHEAD_PG_settings(HeadChoices, bpy.types.PropertyGroup):
    """The panel's settings, one set per scene."""

    seed_locked: bpy.props.BoolProperty(
        name="Lock Seed",
        description="Keep the seed, so that the same words lead to the same head; open, every Generate draws another",
        default=True,
    )


def request(choices):
    """Chosen values, a mapping with the names of CHOICES -> (Prompt, Settings). Raises ClipHeadError for bad ones."""
    prompt = Prompt(
        text=choices["prompt"],
        expression=choices["expression"],
        seed=choices["seed"],
        random=choices["random"],
        variation=round(choices["variation"], 4),  # Blender keeps 0.7 as 0.699999988
        expression_strength=round(choices["expression_strength"], 4),
    )
    settings = Settings(
        resolution=choices["resolution"],
        texture_size=int(choices["texture_size"]),
        topology=choices["topology"],
        density=choices["density"],
        hair=choices["hair"],
        device=choices["device"],
    )
    return prompt, settings
