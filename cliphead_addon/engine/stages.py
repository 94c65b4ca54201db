"""What travels between the stages. Letters: V vertices, F faces, K anchors, S seam edges, R pixels, I and X latent widths."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Prompt:
    """A sentence and how freely to read it."""

    text: str
    seed: int = 0
    negative: str = ""  # what the texture should avoid
    expression: str = ""  # words or an expression's name; empty: taken from the text
    variation: float = 1.0  # 0 = the mapper's mean head, 1 = the spread it was trained with
    expression_strength: float = 1.0  # 0 = neutral, 1 = as trained
    random: bool = False  # a head drawn from the whole population by the seed; the words then only guide the texture
    mix: dict | None = None  # a blend: "from" and "to" Prompts as dicts, "share" 0 .. 1 of the second; the text only names it
    locks: dict = field(default_factory=dict)  # attribute -> value, in deviations of the population, that it is to have
    sliders: dict = field(default_factory=dict)  # attribute -> deviations to move it by; texture and UVs stay
    look: dict = field(default_factory=dict)  # "text", "seed", "negative" of the texture's own, any of them


@dataclass(frozen=True)
class HeadCode:
    """A point of the head model's latent space."""

    identity: np.ndarray  # (I,) float32
    expression: np.ndarray  # (X,) float32
    hair: np.ndarray | None = None  # (I,) float32: how much of `identity` is the hair style, in packs that have styles

    @property
    def bald(self):
        """(I,) the identity code without its hair style."""
        return self.identity if self.hair is None else self.identity - self.hair


@dataclass(frozen=True)
class HairMesh:
    """Hair as a surface of its own; it stays where it is under every expression."""

    vertices: np.ndarray  # (H,3) float32, NPHM frame
    faces: np.ndarray  # (G,3) int32, counter-clockwise seen from outside


@dataclass(frozen=True)
class HeadMesh:
    """A head's surface, a disk whose one boundary is the neck."""

    vertices: np.ndarray  # (V,3) float32, NPHM frame, posed
    faces: np.ndarray  # (F,3) triangles or (F,4) quads, int32, counter-clockwise seen from outside
    canonical: np.ndarray  # (V,3) float32, NPHM frame, the canonical pose with its slightly open mouth
    normals: np.ndarray  # (V,3) float32, unit, of `vertices`
    anchors: np.ndarray  # (K,3) float32, NPHM frame, canonical pose
    displacements: dict = field(default_factory=dict)  # expression name -> (V,3) float32, how it differs from neutral
    report: dict = field(default_factory=dict)  # evaluations, repairs; plain numbers and words
    hair: HairMesh | None = None  # None: bald, merged with the skin, or not in the pack


@dataclass(frozen=True)
class UnwrappedHead:
    """A head with texture coordinates: one island, cut at the back from the neck to the crown."""

    mesh: HeadMesh
    seam: np.ndarray  # (S,2) int32 vertex pairs: the mesh edges of the cut
    boundary: np.ndarray  # (N,) int32 vertices of the neck loop, in order
    uv: np.ndarray  # (F,3,2) or (F,4,2) float32 per corner, in [0,1]^2, v up
    report: dict = field(default_factory=dict)  # flipped, damping, angle and area distortion, face share


@dataclass(frozen=True)
class TextureSet:
    """Images in UV space; row 0 at the top (v = 1)."""

    albedo: np.ndarray  # (R,R,3) uint8 sRGB, padded past the island
    normal_uv: np.ndarray  # (r,r,3) uint8, NPHM-frame normal mapped from [-1,1] to [0,255], (128,128,128) outside
    coverage: np.ndarray  # (R,R) bool, texels inside the island
    hair_colour: tuple | None = None  # (r, g, b) 0..255 sRGB, for hair that is a mesh of its own
    roughness: np.ndarray | None = None  # (R,R) uint8, 0 to 1; None: the pack's texture part makes none
    relief: np.ndarray | None = None  # (R,R) uint16, -1 to 1 mm outward


@dataclass(frozen=True)
class Head:
    """The finished head and everything needed to make it again."""

    unwrapped: UnwrappedHead
    textures: TextureSet
    recipe: dict  # prompt, seed, settings, pack name and version, program version; JSON-ready
    warnings: tuple = ()  # sentences for the user
    timings: dict = field(default_factory=dict)  # stage name -> seconds
