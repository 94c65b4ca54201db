"""What a user may choose, with defaults and units."""

from dataclasses import dataclass

from .errors import ClipHeadError

RESOLUTIONS = (64, 384)  # samples along the longest side of the pack's box, lowest and highest
TEXTURE_SIZES = (256, 512, 1024, 2048)  # px
HAIR = ("object", "merged", "none")
ALIGNMENTS = ("landmarks", "paper")
TOPOLOGIES = ("quads", "dense")
DENSITIES = ("low", "medium", "high")  # about 3,000, 13,000 and 51,000 quads


@dataclass(frozen=True)
class Settings:
    """Choices of one run; they travel in the recipe."""

    resolution: int = 192  # grid samples along the longest side of the box
    texture_size: int = 512  # px, side of the square albedo
    steps: int = 12  # denoising steps
    guidance: float = 2.0  # classifier-free guidance scale, 1 = off
    alignment: str = "landmarks"  # "paper": the harmonic map alone
    topology: str = "quads"  # "quads": one grid for all heads, "dense": the triangles of the surface extraction
    density: str = "medium"  # of the quads
    shape_keys: tuple = ()  # names of expressions to deliver as displacements
    hair: str = "object"  # "object": a mesh of its own, "merged": one surface with the skin, "none": skin alone
    device: str = "auto"  # "auto", "cpu", "cuda", "mps"

    def __post_init__(self):
        low, high = RESOLUTIONS
        if not low <= self.resolution <= high:
            raise ClipHeadError(
                f"Resolution {self.resolution} is outside {low} to {high}. Choose 192 for a start.", "BAD_SETTING"
            )
        if self.texture_size not in TEXTURE_SIZES:
            sizes = ", ".join(map(str, TEXTURE_SIZES))
            raise ClipHeadError(f"Texture size {self.texture_size} px is not offered. Choose one of {sizes}.", "BAD_SETTING")
        if self.alignment not in ALIGNMENTS:
            raise ClipHeadError(
                f"Alignment '{self.alignment}' is unknown. Choose one of {', '.join(ALIGNMENTS)}.", "BAD_SETTING"
            )
        if self.topology not in TOPOLOGIES:
            raise ClipHeadError(f"Topology '{self.topology}' is unknown. Choose one of {', '.join(TOPOLOGIES)}.", "BAD_SETTING")
        if self.density not in DENSITIES:
            raise ClipHeadError(f"Density '{self.density}' is unknown. Choose one of {', '.join(DENSITIES)}.", "BAD_SETTING")
        if self.hair not in HAIR:
            raise ClipHeadError(f"Hair '{self.hair}' is unknown. Choose one of {', '.join(HAIR)}.", "BAD_SETTING")
        if not 1 <= self.steps <= 100:
            raise ClipHeadError(f"{self.steps} denoising steps were asked for. Choose 1 to 100; 12 is usual.", "BAD_SETTING")
