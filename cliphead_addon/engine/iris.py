"""The colour of irises, in a head's texture and on its eyeballs: what the words say, else what the texture shows."""

import re

import numpy as np

from .geometry.eyes import IRIS_ANGLE
from .geometry.frames import uv_to_pixel

SIZE = 512  # px
PUPIL = 0.36  # of the iris's angle
RIM = (0.93, 1.05)  # of the iris's angle: where it fades into the white
COLOURS = {  # sRGB of the fibres
    (92, 126, 158): "blue",
    (96, 116, 78): "green emerald",
    (122, 136, 148): "grey gray steel silver",
    (124, 96, 52): "hazel amber golden honey",
    (96, 58, 30): "brown chestnut",
    (46, 28, 20): "dark_brown black dark",
    (110, 84, 160): "violet purple",
    (170, 24, 20): "red",
    (212, 190, 40): "yellow",
}
BY_WORD = {word.replace("_", " "): colour for colour, words in COLOURS.items() for word in words.split()}
HUMAN = tuple(COLOURS)[:6]
WHITE, VEIN = np.float32([222, 214, 205]), np.float32([196, 128, 116])
LIMBUS = 0.38  # how bright the rim of the iris is
# Where an iris is on the texture, in widths and heights of the opening between the lids: all heads look straight ahead.
NASAL, RISE, HALF_SIZES = 0.14, 0.05, (0.21, 0.47)
FIBRES = (0.35, 0.9)  # of the iris's radius, between pupil and rim
SHADES = (0.15, 1.5)  # darkest and brightest that fibres are, of their mean
FADE = (1.05, 1.4)  # of the iris's radius, between which its colour ends: painted ones are blurred


def iris_colour(text, samples):
    """(r, g, b) 0..255 sRGB. text: the prompt; samples: (N,3) 0..255 of the texture where irises are painted, N may be 0."""
    named = colour_in_words(text)
    if named is not None or not len(samples):
        return named or HUMAN[4]
    seen = np.median(np.asarray(samples, np.float64), axis=0)
    # painted irises are shaded and blurred: their hue and their depth decide, not their exact colour
    known = np.array(HUMAN, np.float64)
    difference = np.abs(_hue(known) - _hue(seen)).sum(axis=1) + 0.3 * np.abs(np.log(known.sum(1) / max(seen.sum(), 1.0)))
    return HUMAN[int(difference.argmin())]


def dye_irises(albedo, text, outlines):
    """Give both irises on a texture the colour that words name, or else the mean of both, and keep their light and dark.

    A texture model that paints a whole head has few places for an iris: it blurs them, and may give each a colour of its own.
    An iris whose colour is named gets a pupil and a dark rim as well; others may have none, as on statues.
    albedo: (R,R,3) uint8 sRGB; text: the prompt; outlines: a pack's quads part, of which "eyes.*" are read -> (R,R,3) uint8
    """
    openings = [uv_to_pixel(np.asarray(loop), len(albedo)) for name, loop in outlines.items() if name.startswith("eyes.")]
    irises = []
    for opening in openings:
        window, r = _around_iris(opening, len(albedo))
        irises.append((window, albedo[window].astype(np.float32), r, (FIBRES[0] < r) & (r < FIBRES[1])))
    if not irises or not all(ring.any() for *_, ring in irises):
        return albedo
    dyed, named = albedo.copy(), colour_in_words(text)
    colour = named or np.mean([eye[ring].mean(axis=0) for _, eye, _, ring in irises], axis=0)
    for window, eye, r, ring in irises:
        light = eye.mean(axis=2, keepdims=True)
        light = np.clip(light / max(1.0, light[ring].mean()), *SHADES)
        if named:
            light *= ((0.1 + 0.9 * _ramp(r, PUPIL - 0.1, PUPIL)) * (1 - 0.5 * np.exp(-(((r - 1.05) / 0.14) ** 2))))[..., None]
        eye += (1 - _ramp(r, *FADE))[..., None] * (light * np.float32(colour) - eye)
        dyed[window] = np.rint(eye.clip(0, 255)).astype(np.uint8)
    return dyed


def _around_iris(opening, size):
    """The window of an image (size,size) that an iris is in, and in it the distance (h,w) from its middle, 1 at its rim.

    opening: (n,2) outline of the opening between the lids, px.
    """
    low, high = opening.min(axis=0), opening.max(axis=0)
    width, height = high - low
    x, y = (low + high) / 2
    x, y = x + NASAL * width * np.sign(size / 2 - x), y - RISE * height
    radii = HALF_SIZES[0] * width, HALF_SIZES[1] * height
    reach = [int(FADE[1] * radius) + 2 for radius in radii]
    window = tuple(slice(max(int(at) - far, 0), min(int(at) + far, size)) for at, far in ((y, reach[1]), (x, reach[0])))
    row, column = np.mgrid[window].astype(np.float32) + 0.5
    return window, np.hypot((column - x) / radii[0], (row - y) / radii[1])


def colour_in_words(text):
    """The colour of "green eyes", "amber coloured eyes" or "eyes of hazel" -> (r, g, b); None where none is named."""
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word not in ("coloured", "colored")]
    for i, word in enumerate(words):
        if word in ("eyes", "eyed", "eye", "irises"):
            for start, end in ((i - 2, i), (i - 1, i), (i + 2, i + 4), (i + 1, i + 2), (i + 2, i + 3)):
                colour = BY_WORD.get(" ".join(words[max(start, 0) : end]))
                if colour:
                    return colour
    return None


def paint_eye(colour, seed=0, size=SIZE):
    """An eyeball's texture, as `geometry.eyes.eye_uv` lays it. colour: (3,) sRGB of the iris -> (R,R,3) uint8, row 0 on top."""
    v, u = 1 - (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size
    x, y = 2 * (1 - u) - 1, 2 * v - 1
    r, turn = np.pi * (x * x + y * y) / np.float32(IRIS_ANGLE), np.arctan2(y, x)  # r is 1 at the iris's rim
    random = np.random.default_rng(seed)
    inner, outer = r < RIM[1], r > RIM[0]  # what is painted as iris and as white; both cross-fade between
    fibres, coarse = (_rays(turn[inner], r[inner], random, count) for count in (90, 26))
    iris, s = np.float32(colour) * (1 + 0.22 * fibres + 0.14 * coarse)[:, None], r[inner]
    look = (1 + 0.35 * np.exp(-(((s - 0.52) / 0.12) ** 2)) - 0.15 * (s > 0.62)) * (1 - (1 - LIMBUS) * _ramp(s, 0.80, 1.0))
    look *= 1 - 0.45 * np.exp(-(((s - PUPIL) / 0.07) ** 2))
    look *= _ramp(s + 0.02 * coarse, PUPIL - 0.03, PUPIL + 0.03)
    s = r[outer]
    veins = np.abs(_rays(turn[outer] + 0.25 * np.sin(3 * s), s, random, 34)) ** 3 * _ramp(s, 1.6, 3.2)
    picture = np.zeros((size, size, 3), np.float32)
    picture[outer] = WHITE + (np.clip(0.10 + 0.5 * veins, 0, 0.6) * _ramp(s, 1.2, 3.4))[:, None] * (VEIN - WHITE)
    picture[inner] += (1 - _ramp(r[inner], *RIM))[:, None] * (iris * look[:, None] - picture[inner])
    return np.clip(picture, 4, 255).astype(np.uint8)


def _rays(turn, r, random, count):
    """Bright and dark rays around the pupil, -1..1, a little wavy along the radius."""
    phase, strength = random.uniform(0, 2 * np.pi, (2, 5)).astype(np.float32)
    rays = 0
    for share, start, size in zip((0.5, 0.7, 1.0, 1.3, 1.7), phase, np.cos(strength), strict=True):
        rays = rays + size * np.sin(round(count * share) * turn + start + 2 * np.sin(5 * r + start))
    return rays / 3


def _ramp(x, start, end):
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _hue(colour):
    return np.asarray(colour, np.float64) / np.maximum(np.sum(colour, axis=-1, keepdims=True), 1.0)
