"""A pack's parts, loaded: everything that `pipeline.generate` needs."""

from dataclasses import dataclass

import torch

from .errors import ClipHeadError
from .geometry.unwrap import UVLayout
from .head import HeadModel
from .nets.mapping import Mappers
from .nets.text import TextModel
from .nets.texture import TextureModel
from .nets.upscale import Upscaler
from .packs import Pack, open_pack
from .sliders import Sliders
from .walls import Walls

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Models:
    """The parts of one pack, on one device."""

    pack: Pack
    text: TextModel
    mappers: Mappers | None  # None: the pack makes random heads only
    head: HeadModel
    layout: UVLayout
    quads: dict | None  # arrays of `geometry.quads.QuadGrid` and the outlines of `geometry.raster.part_map`
    texture: TextureModel
    texture_text: TextModel | None = None  # what the texture part reads words with, where `text` is another CLIP; None: `text`
    sliders: Sliders | None = None  # None: the pack's heads have no sliders
    walls: Walls | None = None  # None: the pack does not tell how thick the skin is in front of the mouth


def load_models(pack="starter", device="auto"):
    """Opens a pack (a folder, or a bundled pack's name) and loads every part. Raises PackError and ClipHeadError."""
    pack, device = open_pack(pack), choose_device(device)
    upscaler = None
    if "upscaler" in pack.parts:
        part = pack.part("upscaler")
        upscaler = Upscaler.load(part["file"], device, float(part.get("grain", 0.0)))
    return Models(
        pack=pack,
        text=TextModel.load(pack.part("text")),
        mappers=Mappers.load(pack) if "mappers" in pack.parts else None,
        head=HeadModel.load(pack, device),
        layout=UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"])),
        quads=pack.tensors(pack.part("quads")["file"]) if "quads" in pack.parts else None,
        texture=TextureModel.load(pack.part("texture")["folder"], upscaler, device),
        texture_text=TextModel.load(pack.part("texture_text")) if "texture_text" in pack.parts else None,
        sliders=Sliders.load(pack),
        walls=Walls.load(pack),
    )


def choose_device(name):
    """'auto' -> the fastest device torch sees; any other name is checked. Raises ClipHeadError."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available.get(name):
        found = ", ".join(device for device, there in available.items() if there)
        raise ClipHeadError(f"Device '{name}' is not available; torch sees {found}. Choose one of these, or 'auto'.", "DEVICE")
    return name
