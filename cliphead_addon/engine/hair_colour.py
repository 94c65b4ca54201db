"""The colour of hair as geometry: what the words say, else what the texture paints under it."""

import re

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from .geometry.hair import colour_below
from .geometry.raster import PARTS, over_corners, pad

SKIN, BROWS = PARTS.index("skin"), PARTS.index("brows")
DARK_BROWS = 0.3  # share of the brows' texels, the darkest: between the hairs there is skin
BARE = 12.0  # dE: a scalp that differs less from the skin has no hair painted on it
DYED_MARGIN = 8  # px past the island
SHADES = (0.75, 1.25)  # how dark and light strands of one colour are

COLOURS = {  # sRGB
    (22, 20, 20): "black raven jet ebony",
    (58, 40, 30): "dark_brown brunette brunet espresso",
    (96, 64, 42): "brown chestnut mousy hazel",
    (150, 62, 32): "red ginger redhead redheaded copper",
    (120, 52, 34): "auburn",
    (205, 165, 105): "blond blonde golden honey fair flaxen sandy strawberry_blond strawberry_blonde",
    (232, 214, 178): "platinum platinum_blond platinum_blonde",
    (140, 138, 136): "grey gray greying graying salt_and_pepper silver silvery",
    (228, 226, 222): "white snow_white",
    (60, 140, 70): "green",
    (50, 90, 180): "blue",
    (225, 110, 160): "pink",
    (120, 60, 150): "purple violet",
}
BY_WORD = {word.replace("_", " "): colour for colour, words in COLOURS.items() for word in words.split()}
ALONE = "blond blonde brunette brunet redhead redheaded".split()  # they speak of hair by themselves
NOUNS = """hair haired hairs haircut hairdo hairstyle curls locks bob ponytail ponytails pony pigtails braid braids bun afro
    mohawk mohican quiff pompadour mane waves bangs fringe dreadlocks buzz""".split()
PHRASE_ENDS = "with and or in but wearing no man woman person boy girl lady guy".split()  # what stands before is about others


def hair_colour(text, albedo, unwrapped, covered, parts=None):
    """The colour of a head's hair: (r, g, b) 0..255 sRGB.

    text: the prompt; albedo: (R,R,3) uint8; unwrapped: UnwrappedHead; covered: (V,) bool, vertices under hair; parts: (R,R)
    uint8 of `raster.part_map`, or None. Where the texture paints a bald scalp under the hair, the brows tell its colour.
    """
    named = colour_in_words(text)
    if named:
        return named
    roots = colour_below(albedo, unwrapped.uv, unwrapped.mesh.faces, covered)
    if parts is None or not (parts == BROWS).any():
        return roots
    skin = np.median(albedo[parts == SKIN], axis=0)
    brows = albedo[parts == BROWS].astype(np.float64)
    brows = np.median(brows[brows.sum(axis=1) <= np.quantile(brows.sum(axis=1), DARK_BROWS)], axis=0)
    difference = deltaE_ciede2000(*(rgb2lab(np.asarray(colour, np.float64) / 255) for colour in (roots, skin)))
    return roots if difference > BARE else tuple(brows.astype(int).tolist())


def dye(albedo, colour, unwrapped, hairy):
    """Colour what of a merged surface is hair, and keep the light and dark of its texture.

    albedo: (R,R,3) uint8; colour: (r, g, b) 0..255; unwrapped: UnwrappedHead; hairy: (V,) 0 on skin, 1 in hair -> (R,R,3) uint8
    """
    share, covered = over_corners(unwrapped, np.asarray(hairy, np.float32)[:, None], len(albedo))
    share = pad(share, covered, DYED_MARGIN)
    if not (share > 0.5).any():
        return albedo
    light = albedo.astype(np.float32).mean(axis=2, keepdims=True)
    light = np.clip(light / max(1.0, np.median(light[share > 0.5])), *SHADES)
    dyed = albedo + share * (light * np.array(colour, np.float32) - albedo)
    return np.rint(dyed.clip(0, 255)).astype(np.uint8)


def colour_in_words(text):
    """The colour of "dark brown curls", "her hair is red" or "a blonde" -> (r, g, b) 0..255 sRGB; None where none is named."""
    words = re.findall(r"[a-z]+|[,.;]", text.lower().replace("-", " "))
    for i, word in enumerate(words):
        if word in NOUNS:
            before = []
            for earlier in reversed(words[:i]):
                if earlier in PHRASE_ENDS or not earlier.isalpha():
                    break
                before.insert(0, earlier)
            after = (
                words[i + 2 : i + 4] if words[i + 1 : i + 2] in (["is"], ["dyed"], ["are"], ["coloured"], ["colored"]) else []
            )
            found = _last_colour(before) or _last_colour(after)
            if found:
                return found
    return next((BY_WORD[word] for word in words if word in ALONE), None)


def _last_colour(words):
    """The last colour in some words; two words together, such as "dark brown", come before one."""
    for end in range(len(words), 0, -1):
        for start in (end - 3, end - 2, end - 1):
            if start >= 0 and (colour := BY_WORD.get(" ".join(words[start:end]))):
                return colour
    return None
