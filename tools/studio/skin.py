"""Paints albedo, roughness and relief in the aligned UV space from a `look.Look`.

Skin is two pigments over the face, melanin and blood, whose colour `pigment` knows; everything else is laid over it: lips, eyes
(`eyes`), lashes, brows, beard and scalp hair by hair (`hairs`), make-up (`make_up`), and the styles that turn the head into
another creature or material (`styles`).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import hairs, make_up, pigment, styles
from .canvas import Canvas, bell, ramp, segment_distance
from .eyes import paint_eyes
from .look import LIPS, MAKE_UPS, STYLES

LIP_COLOURS = {"pink lipstick": (208, 88, 116), "red lipstick": (172, 18, 32), "dark lipstick": (70, 16, 36)}
TONE_SCALE = (1.7, 1.4, 1.0, 0.8, 0.5, 0.32)  # how far melanin varies: the same share is seen more on dark skin


@dataclass(frozen=True)
class Painted:
    """What a look gives a renderer; row 0 at the top, padded past the island."""

    albedo: np.ndarray  # (R,R,3) uint8 sRGB
    roughness: np.ndarray  # (R,R) float32, 0 to 1
    relief: np.ndarray  # (R,R) float32, mm outward, within one millimetre


def paint(look, atlas, rng=None, cavity=None):
    """Albedo of one look alone: -> (R,R,3) uint8 sRGB; see `paint_maps`."""
    return atlas.image(_bytes(_painted(look, atlas, rng, cavity).rgb))


def paint_maps(look, atlas, rng=None, cavity=None):
    """All maps of one look.

    rng: numpy Generator that stands in for the look's own seed. cavity: (T,) optional shading by the head's own relief, 0 flat,
    positive in hollows (see `cavity_from_normals`) -> Painted.
    """
    canvas = _painted(look, atlas, rng, cavity)
    return Painted(
        atlas.image(_bytes(canvas.rgb)),
        atlas.image(np.clip(canvas.roughness, 0.03, 1)),
        atlas.image(np.clip(canvas.relief, -1, 1)),
    )


def _bytes(rgb):
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def _painted(look, atlas, rng, cavity):
    canvas = Canvas(look, atlas, look.seed if rng is None else int(rng.integers(2**31)))
    style = STYLES[look.style]
    creature = styles.CREATURES.get(style)
    _skin(canvas, creature)
    if cavity is not None:
        canvas.rgb *= np.exp(-0.2 * cavity)[:, None]
    if style in styles.BODIES:
        canvas.layer("body")
        styles.BODIES[style](canvas)
    make_up.paint_face(canvas)
    _lips(canvas, creature)
    hair = styles.hair_colour(canvas, creature)
    if hair is not None:
        hairs.paint_scalp(canvas, hair)
        hairs.paint_beard(canvas, hair)
        hairs.paint_brows(canvas, hair)
    paint_eyes(canvas, creature)
    make_up.paint_lids(canvas)
    hairs.paint_lashes(canvas)
    canvas.layer("mouth")
    deep = np.clip((canvas.p[:, 2:] - 5) / 5, 0.35, 1.3)
    canvas.over(np.array([58, 24, 22]) * deep, canvas.is_mouth, 0.25)
    if style in styles.FINISHES:
        canvas.layer("finish")
        styles.FINISHES[style](canvas, cavity)
    return canvas


def cavity_from_normals(normal_map, atlas):
    """How hollow the surface is at each texel, from its UV normal map (R,R,3) uint8 -> (T,) about -1 to 1.5.

    The divergence of the normals along the surface is the mean curvature; it is negative in folds.
    """
    normal = normal_map.astype(np.float32) / 127.5 - 1
    down, across = np.gradient(normal, axis=(0, 1))
    to_pixel = atlas.to_pixel
    divergence = np.einsum("tc,tc->t", atlas.texel_values(across), to_pixel[:, 0]) + np.einsum(
        "tc,tc->t", atlas.texel_values(down), to_pixel[:, 1]
    )
    divergence[~np.isfinite(divergence)] = 0
    smooth = ndimage.gaussian_filter(atlas.image(np.clip(divergence, -3, 3)), atlas.size / 300)
    return np.clip(-atlas.texel_values(smooth), -0.6, 1.5)


def _skin(c, creature):
    """Base colour, mottling, regional redness, relief, and what age and chance add."""
    look, f, p = c.look, c.f, c.p
    c.layer("skin")
    central = ramp(f["front"] - 0.2, 0.8) * ramp(p[:, 1] + 9, 4) * ramp(-f["hairline"], 2)
    melanin, blood = _mottling(c), _redness(c)
    freckled(c, melanin)
    pores = c.specks(c.is_skin * (15 + 55 * central * (0.35 + bell(f["nose"], 2.2) + bell(f["cheek"], 3.2))), 0.0016)
    network = np.abs(c.noise(0.09)) - 0.7  # the lattice of fine lines between pores
    melanin += 0.30 * pores - 0.03 * network
    blood += 0.35 * pores
    c.relief += -0.09 * pores + 0.018 * network + 0.012 * c.noise(0.3)
    lines = _wrinkles(c, melanin, blood)
    marks = _moles(c, melanin)
    scale = np.interp(look.tone, range(6), TONE_SCALE)
    red = 1.0 if creature is None else creature.red
    base_melanin, base_blood = pigment.tone_pigments(look.tone if creature is None else 1.5)
    if creature is not None:
        scale = 1.2
        melanin += creature.socket * bell(f["lid"], 0.9) * (1.4 - 0.5 * f["lid_up"])
    c.rgb[:] = pigment.colours(base_melanin + scale * melanin, base_blood + red * blood)
    c.rgb *= np.exp(-0.22 * lines)[:, None]  # folds shade themselves, on dark skin too
    if creature is not None:
        c.rgb *= np.array(creature.base, np.float32) / pigment.tone_colour(1.5)
    oil = central * (0.6 * bell(f["nose"], 1.8) + 0.45 * ramp(p[:, 1] - 6, 2) * ramp(f["front"] - 0.6, 0.4))
    c.roughness[:] = 0.52 - 0.13 * oil + 0.03 * c.noise(0.4) + 0.1 * pores + 0.08 * lines + 0.05 * look.wrinkles - 0.05 * marks
    c.glaze((96, 46, 40), 0.9 * bell(f["nostril"], 0.42) * c.is_skin)
    _veins(c)
    _scars(c)


def _mottling(c):
    """(T,) log melanin about the tone: patches from centimetres to pores, and the regions that are paler or darker."""
    f, p, look = c.f, c.p, c.look
    uneven = 0.5 + 0.6 * look.wrinkles
    melanin = uneven * (0.10 * c.noise(4.0) + 0.10 * c.noise(1.4) + 0.08 * c.noise(0.42)) + 0.05 * c.noise(0.17)
    melanin += 0.03 * c.noise(0.09)
    melanin -= 0.10 * bell(f["bridge"], 0.8)
    melanin += 0.10 * ramp(f["neck"], 3) + 0.9 * bell(f["nostril"], 0.45) + 0.2 * bell(f["nostril"], 0.9)
    below = 0.5 - 0.5 * f["lid_up"]
    melanin += (0.06 + 0.3 * look.wrinkles) * bell(f["lid"], 0.9) * (0.6 + 0.6 * below)
    melanin += 0.5 * ramp(f["ear"] - 0.1, 0.4) * ramp(8.35 - np.abs(p[:, 0]), 0.9)  # the ear's hollow
    return melanin


def _redness(c):
    """(T,) log blood about its mean: cheeks, nose, ears, chin, lids, and fine capillaries."""
    f, look = c.f, c.look
    red, flush, fine = look.redness, c.noise(0.9), c.noise(0.28)
    blood = 0.12 * c.noise(2.6) + (0.10 + 0.08 * look.wrinkles) * flush + 0.08 * fine + 0.05 * c.noise(0.12)
    blood += bell(f["cheek"], 2.4) * (0.12 + 1.6 * red) * (1 + 0.25 * flush + 0.15 * fine)
    blood += bell(f["nose"], 1.3) * (0.2 + 1.4 * red) + bell(f["nose_wing"], 0.6) * (0.3 + 0.3 * red)
    blood += ramp(f["ear"] - 0.1, 1.3) * (0.5 + 0.6 * red) + bell(f["chin"], 1.3) * (0.12 + 0.5 * red)
    blood += bell(f["lash"], 0.2) * 0.6 + bell(f["lid"], 0.9) * 0.08
    capillaries = np.exp(-np.abs(c.noise(0.55)) / 0.09) * (bell(f["cheek"], 1.8) + bell(f["nose_wing"], 0.9))
    return blood + capillaries * (0.25 * red + 0.3 * look.wrinkles) - 0.12 * bell(f["bridge"], 0.8)


def freckled(c, melanin):
    """Adds freckles, densest over cheeks and nose, to the log melanin (T,)."""
    c.layer("freckles")
    amount, f = c.look.freckles, c.f
    if amount <= 0:
        return
    where = np.clip(bell(f["cheek"], 3.2) + bell(f["bridge"], 1.9) + 0.35 * ramp(f["front"] - 0.3, 0.6), 0, 1)
    where = where * ramp(-f["hairline"] - 0.6, 2.5) * ramp(f["lid"] - 0.2, 0.3)
    for size, rarity, strength in ((0.34, 1.5, 0.8), (0.2, 1.35, 1.0), (0.12, 1.5, 0.9)):
        dots = ramp(c.noise(size) - rarity + 0.55 * amount - 0.7 * (1 - where), 0.45)
        melanin += strength * (0.5 + 0.7 * amount) * dots * where


def _wrinkles(c, melanin, blood):
    """Folds, crow's feet and the fine criss-cross of old skin; adds to the pigments and the relief -> (T,) how lined."""
    c.layer("wrinkles")
    f, old = c.f, c.look.wrinkles
    if old <= 0:
        return np.zeros(len(melanin), np.float32)
    broken = np.clip(0.75 + 0.4 * c.noise(1.2), 0.1, 1.4)
    wander = 0.035 * c.noise(0.5)
    lines = old * bell(np.maximum(f["crease"] + wander, 0), 0.055 + 0.05 * old) * broken
    shallow = old * bell(f["crease"], 0.45)
    crinkle = np.maximum(c.noise(0.24, (0.45, 1.7, 0.8)) - 0.1, 0) + 0.7 * np.maximum(c.noise(0.16, (1.2, 0.7, 1)), 0)
    crinkle = old**1.5 * crinkle * (0.5 + bell(f["lid"], 2.0) + 0.6 * ramp(f["neck"], 2))
    lip_lines = old**2 * np.maximum(c.noise(0.16, (1.4, 0.25, 0.5)) - 0.3, 0) * bell(f["lip"] + 0.45, 0.4) * c.is_skin
    melanin += 0.9 * lines + 0.16 * shallow + 0.05 * crinkle + 0.3 * lip_lines
    blood += 0.5 * lines + 0.08 * shallow
    c.relief += -0.45 * lines - 0.10 * shallow - 0.06 * crinkle - 0.12 * lip_lines
    spots = ramp(c.noise(0.55) - 2.0 + 0.25 * c.noise(0.2), 0.5) * old**2 * (f["hairline"] > -8.5)
    melanin += 0.8 * spots
    return np.minimum(lines + 0.4 * crinkle, 1)


def _moles(c, melanin):
    """Brown spots with soft edges, slightly raised -> (T,) where."""
    c.layer("moles")
    share = np.zeros(len(melanin), np.float32)
    everywhere = c.is_skin * (c.f["lip"] < -0.3) * (c.f["lid"] > 0.5) * (c.f["front"] > 0.05)
    for centre in c.p[c.roots(everywhere, c.rng.poisson(0.6 + 14 * c.look.moles))]:
        radius = c.rng.uniform(0.045, 0.08 + 0.07 * c.look.moles)
        near = np.flatnonzero(np.abs(c.p - centre).max(1) < 2.5 * radius)
        d = np.linalg.norm(c.p[near] - centre, axis=-1) * (1 + 0.12 * c.rng.normal())
        spot = ramp(radius - d, 0.5 * radius + 0.02)
        share[near] = np.maximum(share[near], spot)
        melanin[near] += c.rng.uniform(1.2, 2.2) * spot
        c.relief[near] += 0.25 * spot * c.rng.random()
    return share


def _veins(c):
    """Bluish branches under thin skin: temples, under the eyes, the neck's sides."""
    c.layer("veins")
    amount = c.look.veins
    if amount <= 0:
        return
    f, p = c.f, c.p
    where = ramp(np.abs(p[:, 0]) - 5.2, 1.5) * ramp(p[:, 1] - 4.0, 2) + 0.8 * ramp(f["neck"], 2) + 0.6 * bell(f["lid"], 1.1)
    where = np.clip(where, 0, 1) * c.is_skin
    width = 0.07 + 0.04 * amount
    branches = np.exp(-np.abs(c.noise(2.6) + 0.25 * c.noise(0.8)) / width) + 0.6 * np.exp(-np.abs(c.noise(1.3)) / width)
    c.glaze((120, 168, 205), 0.3 * amount * np.minimum(branches, 1) * where)
    c.relief += 0.18 * amount * np.minimum(branches, 1) * where


def _scars(c):
    """Pale, shiny, slightly raised lines with a pink seam, some with the marks of stitches."""
    c.layer("scars")
    if c.look.scars <= 0.05:
        return
    face = c.is_skin * (c.f["front"] > 0.45) * (c.f["lip"] < -0.8) * (c.f["lid"] > 0.5) * (c.f["hairline"] < -1)
    for start in c.p[c.roots(face, 1 + int(2.5 * c.look.scars))]:
        heading = c.rng.normal(size=3) * [0.6, 1, 0.3]
        ends = start + np.linspace(0, 1, 4)[:, None] * heading / np.linalg.norm(heading) * c.rng.uniform(2, 4.5)
        ends[1:3] += c.rng.normal(size=(2, 3)) * 0.15
        nearest = np.linalg.norm(c.p[None, ::7] - ends[:, None], axis=-1).argmin(1)
        ends = c.p[::7][nearest].astype(float)  # back onto the surface
        near = np.flatnonzero((np.abs(c.p - ends.mean(0)).max(1) < 4) & c.is_skin)
        d, along = segment_distance(c.p[near], ends)
        width = 0.09 * np.sin(np.pi * np.clip(along, 0.04, 0.96)) + 0.02
        seam, rim = np.zeros(len(c.p), np.float32), np.zeros(len(c.p), np.float32)
        seam[near], rim[near] = ramp(width - d, 0.06), bell(d - width - 0.03, 0.09)
        if c.rng.random() < 0.4:
            stitch = ramp(0.05 - np.abs(np.mod(12 * along, 1) - 0.5) * 0.3, 0.05) * ramp(0.3 - d, 0.08)
            seam[near] = np.maximum(seam[near], 0.7 * stitch)
        c.glaze((214, 158, 150), 0.75 * rim)
        c.over(np.minimum(c.rgb * 1.1 + 20, 255), 0.75 * seam, 0.34)
        c.relief += 0.15 * seam - 0.12 * rim


def _lips(c, creature):
    """The vermilion: more blood, a soft border, vertical lines; or lipstick, whose edge is drawn."""
    look, f = c.look, c.f
    c.layer("lips")
    name = LIPS[look.lips]
    lines = c.noise(0.12, (1.0, 0.16, 0.3)) + 0.5 * c.noise(0.1, (1.2, 0.4, 0.5))
    inside = ramp(f["lip"] + 0.02 + 0.03 * c.noise(0.3), 0.26) * c.is_skin
    melanin, _ = pigment.tone_pigments(look.tone)
    blood = np.log(0.012 if name == "pale" else 0.095 - 0.006 * look.tone)
    dark = 0.35 - 0.13 * look.tone  # lips of dark skin hold less melanin than the skin around them
    upper = ramp(f["lip_up"], 0.3)
    tint = pigment.colours(melanin + dark + 0.12 * upper + 0.1 * lines, blood + 0.1 * lines - 0.25 * bell(f["lip"], 0.15))
    tint += 0.35 * np.clip((look.tone - 2.5) / 2, 0, 1) * (np.array([126, 84, 84], np.float32) - tint)  # a moist, pink film
    alpha, rough = 0.94 * inside, 0.36
    if creature is not None and creature.lips is not None:
        tint = np.array(creature.lips, np.float32) * (1 - 0.07 * lines[:, None])
    elif MAKE_UPS[look.make_up] == "clown":
        return  # painted with the face
    elif name in LIP_COLOURS:
        gloss = 1 - 0.06 * lines - 0.08 * upper + 0.07 * bell(f["lip_up"] + 0.5, 0.25)
        tint = np.array(LIP_COLOURS[name], np.float32) * gloss[:, None]
        alpha = 0.97 * ramp(f["lip"] - 0.01, 0.1 + 0.5 * c.atlas.texel_cm) * c.is_skin
        rough = 0.24
    c.over(tint, alpha, rough)
    c.relief -= 0.10 * np.maximum(lines, 0) * inside
    if creature is None:
        rim = bell(f["lip"] + 0.13, 0.09) * c.is_skin * (1 - alpha)
        c.over(np.minimum(c.rgb * 1.07 + 3, 255), 0.6 * rim)  # the pale roll round the vermilion
    wet = bell(f["lip_up"], 0.13) * inside * (f["lip"] > 0)
    c.glaze((150, 96, 96), 0.4 * wet)
