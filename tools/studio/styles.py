"""Styles that turn a head into another creature, or into a thing made of marble, bronze, clay, wood, metal or porcelain."""

from dataclasses import dataclass

import numpy as np

from . import hairs
from .canvas import bell, ramp, segment_distance
from .look import STYLES

# sRGB of `look.HAIR_COLOURS`.
HAIRS = np.array(
    [[24, 21, 21], [48, 33, 25], [88, 58, 38], [146, 66, 30], [196, 158, 102], [136, 134, 132], [222, 219, 215]], np.float32
)
BLOOD = np.array([96, 12, 12], np.float32)


@dataclass(frozen=True)
class Creature:
    """What a style changes on living skin; colours are sRGB."""

    base: tuple
    red: float  # share of skin's redness that is left
    lips: tuple | None  # None: as the look says
    hair: tuple | None
    sclera: tuple
    iris: tuple | None
    socket: float = 0.0  # how dark the eye sockets are, log melanin
    bloodshot: float = 0.3
    slit: bool = False
    own_hair: bool = False  # keeps the look's hair colour


CREATURES = {
    "zombie": Creature((136, 146, 112), 0.35, (88, 72, 64), (52, 50, 42), (208, 202, 160), (170, 174, 154), 1.5, 1.6),
    "alien": Creature((108, 158, 108), 0.1, (98, 122, 98), None, (10, 12, 14), (8, 9, 11), 0.5, 0.0),
    "vampire": Creature((222, 216, 218), 0.25, (146, 14, 26), (18, 15, 19), (228, 214, 210), (186, 18, 20), 1.3, 1.5, True),
    "joker": Creature((206, 182, 168), 0.6, (176, 18, 28), (52, 126, 48), (226, 220, 210), (84, 116, 74), 0.3, 0.8),
    "orc": Creature((92, 116, 64), 0.5, (66, 58, 46), (28, 26, 22), (214, 194, 116), (196, 122, 24), 0.9, 0.8),
    "ghost": Creature((198, 212, 224), 0.12, (150, 166, 184), (206, 214, 222), (222, 232, 240), (166, 190, 212), 1.2, 0.1),
    "werewolf": Creature((104, 82, 68), 0.5, (44, 34, 32), None, (222, 196, 120), (214, 142, 24), 0.9, 0.8, False, True),
    "porcelain doll": Creature((240, 222, 212), 0.15, (192, 46, 62), None, (244, 243, 240), None, 0.0, 0.0, False, True),
}


def hair_colour(c, creature):
    """(3,) sRGB of scalp, brows and beard, or None where nothing grows."""
    c.layer("hair colour")
    own = HAIRS[c.look.hair] * np.float32(c.rng.uniform(0.9, 1.1))
    if creature is None or creature.own_hair:
        return own
    return None if creature.hair is None else np.array(creature.hair, np.float32)


def _rotten(c):
    """Zombie: livid patches, dark veins, open wounds, blood below the mouth."""
    f, p, skin = c.f, c.p, c.is_skin
    c.over((64, 62, 74), 0.45 * ramp(c.noise(2.2) + 0.3 * c.noise(0.6) - 0.7, 0.9) * skin)
    c.over((150, 148, 92), 0.3 * ramp(c.noise(1.7) - 0.8, 0.8) * skin)
    veins = np.exp(-np.abs(c.noise(2.0) + 0.25 * c.noise(0.6)) / 0.05) * ramp(c.noise(3.0) + 0.4, 1)
    c.glaze((92, 92, 110), 0.6 * veins * skin)
    rot = c.noise(1.6) + 0.35 * c.noise(0.45)
    wounds = ramp(rot - 1.35, 0.18) * skin * ramp(f["lid"] - 0.3, 0.3)
    rim = ramp(rot - 1.1, 0.4) * skin
    c.over((70, 40, 38), 0.6 * rim)
    flesh = np.array([112, 30, 26]) * np.clip(1 + 0.28 * c.noise(0.2) + 0.2 * c.noise(0.08), 0.3, 1.8)[:, None]
    c.over(flesh, 0.93 * wounds, 0.22)
    c.relief += -0.5 * wounds + 0.1 * c.noise(0.2) * wounds
    drips = (
        ramp(-f["lip_up"] - 0.1, 0.4) * ramp(0.9 - np.abs(p[:, 0]) + c.noise(0.35, (1, 0.14, 1)), 0.45) * bell(f["lip"], 1.8)
    )
    c.over(BLOOD * 0.85, 0.85 * drips * (p[:, 2] > 6) * skin, 0.3)
    c.over((40, 34, 36), 0.55 * bell(f["lid"], 0.6) * skin)
    c.roughness += 0.06 * skin


def _alien(c):
    """Smooth, faintly scaled skin with darker bands over the skull, and black eyes that run on over the lids."""
    f, p, skin = c.f, c.p, c.is_skin
    cells = np.abs(c.noise(0.28))
    c.rgb *= (1 + 0.06 * (cells - 0.7))[:, None]
    bands = ramp(np.sin(1.9 * p[:, 1] + 1.2 * c.noise(2.5)), 1.2) * ramp(p[:, 1] - 6.5, 3)
    c.over((66, 92, 92), 0.42 * bands * skin)
    c.over((168, 182, 132), 0.3 * ramp(c.noise(0.5) - 1.3, 0.5) * skin * ramp(f["front"], 1))
    c.relief += -0.05 * (cells < 0.12)
    slant = f["lid"] - 0.45 * ramp(f["lid_along"] - 0.5, 1) * ramp(f["lid_up"] + 0.2, 1)
    c.over((8, 9, 11), 0.98 * ramp(0.42 - slant, 0.1 + c.atlas.texel_cm) * skin, 0.06)
    c.over((52, 70, 66), 0.5 * bell(slant - 0.55, 0.3) * skin)
    c.roughness -= 0.12 * skin


def _vampire(c):
    """Bluish veins round the eyes, bruised lids, a trace of blood at the mouth's corner."""
    f, skin = c.f, c.is_skin
    veins = np.exp(-np.abs(c.noise(1.2) + 0.3 * c.noise(0.4)) / 0.06) * bell(f["lid"], 1.8)
    c.glaze((130, 130, 170), 0.6 * veins * skin)
    c.glaze((150, 96, 116), 0.75 * bell(f["lid"], 0.45) * skin)
    corner = c.atlas.marks.landmarks[54] * [c.rng.choice((-1, 1)), 1, 1]
    trail = corner + np.array([[0, 0, 0], [0.1, -0.9, -0.1], [0.05, -2.1, -0.1], [0.1, -3.2, -0.5]])
    d, along = segment_distance(c.p, trail)
    c.over(BLOOD * 1.3, 0.95 * ramp(0.13 * (1 - 0.6 * along) + 0.06 * (along > 0.9) - d, 0.07) * skin, 0.15)


def _orc(c):
    """Leathery green with dark mottling, warts, and tusks at the corners of the mouth."""
    f, skin = c.f, c.is_skin
    c.rgb *= (1 + 0.13 * c.noise(1.2) + 0.07 * c.noise(0.35))[:, None]
    leather = np.abs(c.noise(0.22))
    c.rgb *= (0.93 + 0.1 * np.minimum(leather, 1))[:, None]
    c.relief -= 0.12 * (leather < 0.2)
    c.over((124, 96, 66), 0.35 * (bell(f["nose"], 1.6) + bell(f["cheek"], 1.4) + bell(f["chin"], 1.4)) * skin)
    for centre in c.p[c.roots(skin * (f["front"] > 0.2) * (f["lip"] < -0.5) * (f["lid"] > 0.5), 14)]:
        bump = ramp(c.rng.uniform(0.1, 0.22) - np.linalg.norm(c.p - centre, axis=-1), 0.1)
        c.over((118, 128, 82), 0.6 * bump * skin)
        c.relief += 0.6 * bump * skin


def _tusks(c, cavity):
    """Laid over the lips, as seen from the front."""
    for side in (1, -1):
        foot = c.atlas.marks.landmarks[54, :2] * [side, 1] + [-0.75 * side, -0.5]
        d, along = segment_distance(c.p[:, :2], foot + np.array([[0, 0], [0.1 * side, 0.8], [0.3 * side, 1.7]]))
        tusk = ramp(0.34 * (1 - along) ** 0.7 + 0.02 - d, 0.05 + c.atlas.texel_cm) * (c.p[:, 2] > 5)
        c.glaze((60, 50, 40), 0.6 * bell(d - 0.26 * (1 - along), 0.12) * (c.p[:, 2] > 5) * c.is_skin)
        c.over(np.array([222, 208, 170]) * (1 - 0.35 * (1 - along)[:, None] ** 3), 0.97 * tusk * (c.p[:, 2] > 5), 0.25)
        c.relief += 0.8 * tusk


def _ghost(c):
    """Fading, milky, with darkness where the eyes lie and veins of mist."""
    f, skin = c.f, c.is_skin
    mist = c.noise(3.0) + 0.5 * c.noise(1.0, (1, 0.35, 1))
    c.over((232, 240, 248), 0.35 * ramp(mist - 0.2, 1.6) * skin)
    c.over((118, 140, 168), 0.35 * ramp(-mist - 0.3, 1.4) * skin)
    c.over((58, 70, 92), 0.72 * bell(f["lid"], 0.95) * skin)
    c.over((92, 108, 132), 0.4 * (bell(f["nostril"], 0.6) + bell(np.abs(f["cheek"]) - 2.5, 0.8) * ramp(-c.p[:, 1], 2)) * skin)


def _furred(c):
    hairs.paint_fur(c, HAIRS[c.look.hair] * 0.9 + 6)
    c.over((26, 22, 22), 0.92 * ramp(1.15 + 0.1 * c.noise(0.3) - c.f["nose"], 0.35) * c.is_skin, 0.25)
    c.relief += 0.08 * np.abs(c.noise(0.12)) * bell(c.f["nose"], 1.2)


def _white_paint(c):
    """Joker: cracked white grease paint that leaves skin bare here and there, and smeared black eyes."""
    f, skin = c.f, c.is_skin
    worn = 0.5 * c.noise(0.9) + 0.35 * c.noise(0.25, (1, 2, 1)) + 0.25 * c.noise(0.1)
    face = (
        ramp(f["front"] - 0.2 + 0.1 * worn, 0.3) * ramp(-f["neck"] + 0.4 + worn, 1.2) * ramp(-f["hairline"] + 0.3 * worn, 0.8)
    )
    cracks = np.exp(-np.abs(c.noise(0.5)) / 0.035) * ramp(c.noise(1.8) + 0.2, 1)
    cover = face * skin * np.clip(0.98 - 0.4 * ramp(worn - 0.75, 0.6) - 0.4 * cracks, 0, 1)
    c.over(np.clip(236 + 4 * worn, 0, 246)[:, None] * [1, 0.99, 0.97], cover, 0.6)
    smear = 0.22 * c.noise(0.45) + 0.1 * c.noise(0.15)
    c.over((24, 22, 26), 0.93 * ramp(0.75 + smear - f["lid"] + 0.15 * f["lid_up"], 0.45) * skin, 0.55)


def _red_smile(c, cavity):
    """Joker: the painted smile runs from the corners of the mouth up the cheeks."""
    f, p, skin = c.f, c.p, c.is_skin
    corner = c.atlas.marks.landmarks[54]
    smear = 0.09 * c.noise(0.4) + 0.05 * c.noise(0.12)
    t = np.clip((np.abs(p[:, 0]) - corner[0] + 0.7) / 2.7, 0, 1)
    smile = 0.4 * (1 - t) ** 0.7 + 0.03 - np.abs(p[:, 1] - corner[1] - 1.5 * t**1.5) + smear
    ahead = (np.abs(p[:, 0]) < corner[0] + 2.1) * (np.abs(p[:, 0]) > corner[0] - 1.2) * (p[:, 2] > 5) * skin
    red = np.array([170, 16, 26]) * (1 + 0.12 * c.noise(0.2))[:, None]
    c.over(red, 0.94 * np.maximum(ramp(smile, 0.16) * ahead, ramp(f["lip"] + 0.14 + smear, 0.16) * skin), 0.4)


def _carved(c, detail, base):
    """How a painted head shades the stuff it is carved from: (T,1) factor, and its log lightness (T,)."""
    light = np.log(np.maximum(c.rgb @ np.array([0.3, 0.59, 0.11], np.float32), 8) / base)
    shade = np.exp(detail * np.clip(light, -1.4, 0.4))
    axis = c.f["eye_axis"]
    iris = bell(axis - 0.52, 0.07) + 0.9 * ramp(0.2 - axis, 0.1)
    shade = np.where(c.is_eye, np.exp(-0.3 * iris), shade)
    c.relief *= 0.6
    c.relief -= 0.35 * iris * c.is_eye
    return shade[:, None].astype(np.float32), light


def _sunk(c, cavity):
    """(T,) 0..1: the hollows that dirt and patina gather in."""
    f = c.f
    known = bell(f["nostril"], 0.5) + bell(f["lid"], 0.25) + bell(f["lip_up"], 0.2) * (f["lip"] > 0) + ramp(f["ear"] - 0.3, 1)
    return np.clip(known * 0.7 + (0 if cavity is None else np.maximum(cavity, 0)), 0, 1)


def _marble(c, cavity):
    shade, _ = _carved(c, 0.14, 150)
    warp = 1.5 * c.noise(3.0)
    veins = np.exp(-np.abs(c.noise(5.0) + 0.35 * warp + 0.12 * c.noise(0.8)) / 0.05) * ramp(c.noise(3.5) + 0.3, 1.4)
    thin = 0.6 * np.exp(-np.abs(c.noise(2.4) + 0.1 * c.noise(0.5)) / 0.03) * ramp(c.noise(3.0), 1.4)
    cloud = 0.018 * c.noise(3.0) + 0.012 * c.noise(0.9) + 0.008 * c.noise(0.1)
    stone = np.array([232, 229, 223]) * shade * (1 + cloud)[:, None]
    c.rgb[:] = stone * np.exp(-0.5 * (veins + thin)[:, None] * np.array([0.85, 0.82, 0.75]))
    c.glaze((186, 176, 156), 0.5 * _sunk(c, cavity))
    c.roughness[:] = 0.3 + 0.05 * c.noise(0.5) + 0.15 * _sunk(c, cavity)
    _mouth(c, (150, 146, 138))


def _bronze(c, cavity):
    shade, _ = _carved(c, 0.3, 150)
    worn = c.noise(1.8) + 0.5 * c.noise(0.4)
    c.rgb[:] = np.array([128, 84, 44]) * shade * (1 + 0.10 * worn + 0.04 * c.noise(0.12))[:, None]
    high = (
        bell(c.f["nose"], 1.2)
        + bell(c.f["chin"], 1.0)
        + 0.7 * bell(c.f["brow_up"], 0.5) * bell(c.f["brow"], 0.6)
        + 0.5 * bell(c.f["cheek"], 1.6)
    )
    c.over((190, 140, 78), 0.5 * np.minimum(high, 1) * c.is_skin)
    streak = c.noise(1.2, (1.3, 0.2, 1.3))
    patina = ramp(worn + 0.7 * streak + 1.6 * _sunk(c, cavity) - 1.5, 1.1)
    c.over(np.array([92, 142, 122]) * (1 + 0.08 * c.noise(0.2))[:, None], 0.62 * patina)
    c.roughness[:] = 0.34 + 0.05 * worn + 0.4 * patina
    c.relief += 0.05 * c.noise(0.3)
    _mouth(c, (52, 38, 26))


def _clay(c, cavity):
    shade, _ = _carved(c, 0.22, 150)
    fingers = c.noise(0.8, (1, 1.6, 1)) + 0.4 * c.noise(0.25, (0.6, 3, 0.6))
    c.rgb[:] = np.array([176, 108, 78]) * shade * (1 + 0.045 * fingers + 0.03 * c.noise(2.5) + 0.03 * c.noise(0.07))[:, None]
    c.over((140, 80, 56), 0.5 * _sunk(c, cavity) + 0.6 * c.specks(0.8 + 0 * shade[:, 0], 0.004))
    c.roughness[:] = 0.86 + 0.04 * fingers
    c.relief += 0.14 * fingers + 0.03 * c.noise(0.1)
    _mouth(c, (92, 52, 38))


def _wood(c, cavity):
    """Carved from one trunk standing a little behind the face: growth rings, fibres along it, a knot or two."""
    shade, _ = _carved(c, 0.3, 150)
    p, rng = c.p.astype(np.float32), c.rng
    axis = np.array([rng.uniform(-3, 3), 0, rng.uniform(-7, -3)])
    swing = 0.5 * c.noise(6.0, (1, 0.3, 1)) + 0.12 * c.noise(1.5, (1, 0.3, 1))
    distance = np.hypot(p[:, 0] - axis[0] + 0.05 * p[:, 1], p[:, 2] - axis[2]) + swing
    for knot in p[c.roots(c.is_skin * (c.f["front"] > 0.2), rng.poisson(1.5))]:
        d = np.linalg.norm((p - knot) * [1, 0.55, 1], axis=-1)
        distance = distance + 1.1 * bell(d, 0.9)
    ring = np.mod(distance / 0.62, 1)
    late = ring**3 * ramp(1 - ring, 0.12)  # late wood darkens slowly and ends at once
    fibre = c.noise(0.16, (1, 0.06, 1)) + 0.6 * c.noise(0.3, (1, 0.05, 1))
    wood = np.array([186, 132, 80]) * np.exp(-late[:, None] * np.array([0.26, 0.38, 0.52]))
    c.rgb[:] = wood * shade * (1 + 0.05 * fibre)[:, None]
    vessels = c.noise(0.11, (1, 0.05, 1))
    c.glaze((120, 80, 50), 0.5 * ramp(vessels - 1.3, 0.5) + 0.6 * _sunk(c, cavity))
    c.roughness[:] = 0.5 + 0.08 * late + 0.04 * fibre
    c.relief += 0.03 * late + 0.02 * fibre
    _mouth(c, (70, 44, 26))


def _robot(c, cavity):
    """Brushed plates with seams and bolts, scratches, glowing eyes."""
    f, p, texel = c.f, c.p, c.atlas.texel_cm
    shade, _ = _carved(c, 0.12, 150)
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    seams = np.min([np.abs(x - 5.2 + 0.15 * (y - 2)), np.abs(y - 7.0), np.abs(y + 5.2 - 0.25 * x), np.abs(z - 1.5),
                    np.abs(f["lip"] + 0.75), np.abs(f["lid"] - 0.75)], axis=0)  # fmt: skip
    plate = (x > 5.2 - 0.15 * (y - 2)) * 1.0 + 2 * (y > 7.0) + 3 * (y < -5.2 + 0.25 * x) + 5 * (z < 1.5)
    tone = 1 + 0.07 * np.sin(2.4 * plate)
    brushed = c.noise(0.22, (0.3, 4, 0.3)) + 0.5 * c.noise(0.9, (0.3, 3, 0.3))
    c.rgb[:] = np.array([150, 157, 167]) * shade * (tone * (1 + 0.045 * brushed + 0.03 * c.noise(2.5)))[:, None]
    scratches = ramp(c.noise(0.5, (0.5, 5, 2)) - 1.9, 0.15) * c.is_skin
    c.over((206, 212, 220), 0.5 * scratches, 0.5)
    groove = ramp(0.055 - seams, 0.03 + texel) * c.is_skin
    c.over((34, 36, 42), 0.92 * groove, 0.6)
    c.over((196, 202, 210), 0.5 * bell(seams - 0.12, 0.035) * c.is_skin)
    grid = np.linalg.norm(np.mod(p, 1.7) - 0.85, axis=-1)
    bolts = (seams > 0.2) * (seams < 0.85) * c.is_skin
    c.over((86, 92, 100), 0.85 * ramp(0.3 - grid, 0.06 + texel) * bolts, 0.35)
    c.over((176, 182, 190), 0.85 * ramp(0.22 - grid, 0.06 + texel) * bolts, 0.25)
    c.roughness += -0.18 + 0.04 * brushed
    c.relief += -0.8 * groove + 0.3 * ramp(0.3 - grid, 0.1) * bolts
    rust = ramp(c.noise(1.5) + 0.5 * c.noise(0.3) + 0.6 * bell(seams, 0.3) - 2.0, 0.6) * c.is_skin
    c.over((124, 74, 44), 0.6 * rust, 0.8)
    c.over((24, 26, 32), 0.92 * c.is_eye, 0.1)
    axis = f["eye_axis"]
    c.over(
        (70, 190, 255),
        (ramp(0.5 - axis, 0.12) * (1 - 0.6 * bell(axis - 0.28, 0.06)) + bell(axis - 0.62, 0.04)).clip(0, 1) * c.is_eye,
    )
    c.over((226, 248, 255), ramp(0.18 - axis, 0.12) * c.is_eye)
    _mouth(c, (20, 21, 25))


def _glazed(c):
    """Porcelain: white ground with round painted cheeks; lips, brows and hair are painted on it."""
    f, skin = c.f, c.is_skin
    glaze = np.array([240, 226, 217], np.float32) * (1 + 0.006 * c.noise(2.0))[:, None]
    c.over(glaze, 0.9 * skin)
    c.over((226, 120, 120), 0.6 * bell(f["cheek"], 1.5) * skin)
    c.over((222, 132, 128), 0.25 * (bell(f["nose"], 0.8) + bell(f["chin"], 0.8)) * skin)


def _crazed(c, cavity):
    """Porcelain's gloss and its hair-thin cracks."""
    skin = c.is_skin
    cracks = np.exp(-np.abs(c.noise(3.2) + 0.06 * c.noise(0.5)) / 0.012) * ramp(c.noise(4.0) - 0.3, 0.6)
    craze = 0.25 * np.exp(-np.abs(c.noise(0.9)) / 0.02) * ramp(c.noise(2.6) - 0.4, 0.8)
    c.over((96, 80, 72), np.clip(0.75 * cracks + craze, 0, 1) * skin)
    c.roughness = np.where(skin, 0.14, c.roughness).astype(np.float32)
    c.relief = (0.15 * c.relief - 0.15 * cracks).astype(np.float32)


def _old_photograph(c, cavity):
    """Sepia, faded, grainy, with foxing, dust and scratches."""
    grey = c.rgb @ np.array([0.2, 0.62, 0.18], np.float32) / 255  # the plates of the time hardly saw red
    fade = 0.05 * c.noise(6.0) + 0.03 * c.noise(2.0)
    grey = np.clip(0.10 + 0.86 * np.clip(1.12 * grey - 0.04, 0, 1) ** 0.95 + fade + 0.035 * c.noise(0.07), 0, 1)
    dark, light = np.array([38, 26, 18]), np.array([236, 216, 178])
    c.rgb[:] = dark + grey[:, None] * (light - dark)
    c.over((150, 108, 62), 0.4 * ramp(c.noise(0.8) + 0.5 * c.noise(0.25) - 2.1, 0.5))
    c.over(
        (244, 232, 206), 0.7 * ramp(c.noise(0.4, (6, 0.12, 2)) - 2.25, 0.12) + 0.8 * c.specks(np.full(len(grey), 0.7), 0.002)
    )
    c.roughness[:] = 0.6


def _mouth(c, colour):
    c.over(colour, 0.9 * c.is_mouth)


# Painted on the skin, before make-up and hair.
BODIES = {
    "zombie": _rotten,
    "alien": _alien,
    "vampire": _vampire,
    "orc": _orc,
    "ghost": _ghost,
    "werewolf": _furred,
    "joker": _white_paint,
    "porcelain doll": _glazed,
}
# Laid over the finished head.
FINISHES = {
    "orc": _tusks, "joker": _red_smile, "marble statue": _marble, "bronze statue": _bronze, "clay": _clay, "wood": _wood,
    "robot metal": _robot, "porcelain doll": _crazed, "old photograph": _old_photograph,
}  # fmt: skip
assert set(BODIES) | set(FINISHES) | set(CREATURES) == set(STYLES[1:])
