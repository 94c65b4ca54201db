"""Paints albedo textures in the aligned UV space from a `look.Look`.

Skin is a base tone attenuated by melanin and haemoglobin densities that vary over the face; everything else is laid over it:
lips, eyes, lashes, brows and beard hair by hair, make-up, and the styles that turn the head into another creature or material.
Noise is sampled in three dimensions on the resting mean head, so nothing breaks at the cut.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .atlas import EYE, MOUTH, SKIN
from .look import BEARDS, LIPS, MAKE_UPS, SCALPS, STYLES

# sRGB of the six tones in `look.SKIN_TONES`, light to dark.
TONES = np.array([[236, 203, 188], [226, 181, 156], [204, 155, 123], [178, 131, 95], [134, 90, 64], [82, 55, 43]], np.float32)
EYES = np.array([[86, 128, 172], [92, 122, 72], [128, 138, 144], [136, 100, 54], [98, 60, 32], [54, 34, 24]], np.float32)
HAIRS = np.array(
    [[24, 21, 21], [48, 33, 25], [88, 58, 38], [146, 66, 30], [200, 162, 104], [136, 134, 132], [226, 223, 219]], np.float32
)
LIP_COLOURS = {"pink lipstick": (208, 88, 116), "red lipstick": (178, 20, 34), "dark lipstick": (74, 18, 36)}
EYE_SHADOWS = np.array([[110, 62, 132], [62, 92, 150], [120, 74, 52], [52, 112, 96], [70, 66, 72]], np.float32)
MELANIN = np.array([0.45, 0.70, 0.95], np.float32)  # how density darkens red, green, blue
HAEMOGLOBIN = np.array([0.12, 0.75, 0.62], np.float32)
IRIS_RADIUS, PUPIL_RADIUS = 0.6, 0.21  # cm


@dataclass(frozen=True)
class Creature:
    """What a style changes on living skin; colours are sRGB."""

    base: tuple
    red: float  # share of skin's redness that is left
    lips: tuple
    hair: tuple | None
    sclera: tuple
    iris: tuple
    socket: float  # how dark the eye sockets are


CREATURES = {
    "zombie": Creature((134, 144, 108), 0.25, (92, 74, 66), (52, 50, 42), (206, 200, 160), (168, 172, 150), 1.0),
    "alien": Creature((112, 168, 104), 0.05, (82, 126, 78), None, (14, 16, 18), (10, 12, 14), 0.35),
    "vampire": Creature((226, 220, 224), 0.15, (150, 14, 26), (16, 14, 18), (232, 220, 218), (178, 18, 20), 0.75),
    "joker": Creature((238, 236, 232), 0.1, (186, 18, 28), (56, 128, 50), (230, 226, 218), (84, 116, 74), 0.2),
    "orc": Creature((86, 112, 58), 0.35, (70, 62, 46), (28, 26, 22), (212, 196, 120), (190, 132, 28), 0.55),
}
# Materials replace everything: their colour, and how much of the painted detail stays as shading.
MATERIALS = {
    "marble statue": dict(colour=(226, 223, 217), detail=0.16),
    "bronze statue": dict(colour=(136, 92, 48), detail=0.4),
    "clay": dict(colour=(176, 106, 76), detail=0.25),
    "robot metal": dict(colour=(150, 156, 166), detail=0.2),
}


def paint(look, atlas, rng=None, cavity=None):
    """Albedo of one look: -> (R,R,3) uint8 sRGB, row 0 at the top, padded past the island.

    cavity: (T,) optional shading by the head's own relief, 0 flat, positive in hollows (see `cavity_from_normals`).
    """
    rng = rng or np.random.default_rng(look.seed)
    style = STYLES[look.style]
    creature = CREATURES.get(style)
    base = np.array(creature.base, np.float32) if creature else _tone(look.tone)
    hair = HAIRS[look.hair] * np.float32(rng.uniform(0.92, 1.08))
    if creature:
        hair = None if creature.hair is None else np.array(creature.hair, np.float32)
    rgb = _skin(look, atlas, rng, base, creature)
    if cavity is not None:
        rgb *= np.exp(-0.35 * cavity)[:, None]
    _make_up(rgb, look, atlas, rng)
    _lips(rgb, look, atlas, rng, base, creature)
    if hair is not None:
        _scalp(rgb, look, atlas, rng, hair)
        _beard(rgb, look, atlas, rng, hair)
        _brows(rgb, look, atlas, rng, hair)
    _eyes(rgb, look, atlas, rng, creature)
    _lashes(rgb, look, atlas, rng)
    _over(rgb, np.array([52, 22, 20]) * np.clip((atlas.position[:, 2:] - 5) / 5, 0.35, 1.3), atlas.part == MOUTH)
    if style == "zombie":
        _rot(rgb, atlas, rng)
    if style == "joker":
        _joker_paint(rgb, atlas, rng)
    if style in MATERIALS:
        rgb = _material(rgb, style, atlas, rng, base)
    return atlas.image(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


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


def noise(points, size, rng):
    """Smooth random field of about unit deviation at points (T,3); `size` is its grain, in the points' unit."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    lattice = _lattice()
    period = len(lattice)
    q = points @ (rotation * np.float32(2 / size)) + rng.uniform(0, period, 3).astype(np.float32)
    low = np.floor(q).astype(np.int32)
    f = q - low
    f *= f * (3 - 2 * f)
    i, j, k = ((low[:, a] % period, (low[:, a] + 1) % period) for a in range(3))
    flat = lattice.ravel()
    value = 0
    for a in (0, 1):
        for b in (0, 1):
            row = (i[a] * period + j[b]) * period
            line = flat[row + k[0]] * (1 - f[:, 2]) + flat[row + k[1]] * f[:, 2]
            value = value + line * (f[:, 0] if a else 1 - f[:, 0]) * (f[:, 1] if b else 1 - f[:, 1])
    return value


def strokes(atlas, roots, tangent, length, width, shade, rng, bend=0.0):
    """Draws hairs. roots: (N,) texel indices, tangent: (N,3), length, width: cm, shade: (N,) -> opacity (T,), mean shade (T,).

    A hair follows its tangent through the position map's derivative at its root; opacity adds up as hairs overlap.
    """
    size, N = atlas.size, len(roots)
    path = np.einsum("npc,nc->np", atlas.to_pixel[roots], tangent / np.linalg.norm(tangent, axis=-1, keepdims=True))
    path *= np.broadcast_to(length, N)[:, None]
    span = np.linalg.norm(path, axis=-1)
    too_far = span > 0.12 * size
    path[too_far] *= (0.12 * size / span[too_far])[:, None]
    K = int(np.clip(np.ceil(np.percentile(span, 95) / 0.8), 2, 40)) if N else 2
    t = ((np.arange(K) + 0.5) / K).astype(np.float32)[:, None]
    curl = (np.broadcast_to(bend, N) * rng.normal(size=N)).astype(np.float32)
    texel = atlas.texels[roots]
    column = texel % size + rng.random(N) - 0.5 + t * path[:, 0] - t * t * curl * path[:, 1]  # (K,N)
    row = texel // size + rng.random(N) - 0.5 + t * path[:, 1] + t * t * curl * path[:, 0]
    ink = (width / atlas.texel_cm[roots]) * np.maximum(np.minimum(span, 0.12 * size), 0.7) / K * (1.25 - 0.7 * t)
    x0, y0 = np.floor(column).astype(np.int32), np.floor(row).astype(np.int32)
    fx, fy = column - x0, row - y0
    acc, tinted = np.zeros(size * size), np.zeros(size * size)
    for dx, dy, w in ((0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy)):
        x, y = x0 + dx, y0 + dy
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        flat, w = (y * size + x)[inside], (w * ink)[inside]
        acc += np.bincount(flat, w, size * size)
        tinted += np.bincount(flat, w * np.broadcast_to(shade, (K, N))[inside], size * size)
    acc, tinted = acc[atlas.texels], tinted[atlas.texels]
    return (1 - np.exp(-1.4 * acc)).astype(np.float32), (tinted / np.maximum(acc, 1e-6)).astype(np.float32)


def _tone(tone):
    """Continuous tone 0..5 -> sRGB, interpolated as densities."""
    return np.exp([np.interp(tone, range(6), channel) for channel in np.log(TONES).T]).astype(np.float32)


@lru_cache(maxsize=1)
def _lattice(period=64):
    values = np.random.default_rng(0).normal(size=(period,) * 3)
    values = ndimage.gaussian_filter(values, 0.7, mode="wrap").astype(np.float32)
    return values / values.std()


def _ramp(x, width):
    """0 below -width/2, 1 above width/2, smooth between."""
    t = np.clip(x / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _bell(distance, radius):
    return np.exp(-((distance / radius) ** 2))


def _over(rgb, colour, alpha):
    rgb += np.asarray(alpha, np.float32)[:, None] * (np.asarray(colour, np.float32) - rgb)


def _roots(atlas, density, count, rng):
    """`count` texels drawn in proportion to density (T,) per square centimetre."""
    total = np.cumsum(density * atlas.texel_cm**2)
    if total[-1] <= 0:
        return np.zeros(0, int)
    return np.minimum(np.searchsorted(total, rng.random(count) * total[-1]), len(density) - 1)


def _skin(look, atlas, rng, base, creature):
    f, p, T = atlas.regions, atlas.position, len(atlas.texels)
    red = 1.0 if creature is None else creature.red
    uneven = 1 + 0.5 * look.wrinkles
    blotch, patch, grain, fine = (noise(p, s, rng) for s in (4.0, 1.3, 0.42, 0.16))
    pores = noise(p, 0.085, rng)
    central = _ramp(f["front"] - 0.2, 0.8) * _ramp(p[:, 1] + 9, 4)  # pores and shine are strongest on the face
    melanin = uneven * (0.018 * blotch + 0.016 * patch) + 0.02 * grain + 0.022 * fine + 0.02 * (0.5 + central) * pores
    flush = noise(p, 0.9, rng)
    haemoglobin = uneven * (0.022 * flush + 0.018 * patch) + 0.022 * noise(p, 0.3, rng)
    redness = look.redness
    light = np.clip(1.25 - 0.17 * look.tone, 0.35, 1.2)  # blood shows less under dark skin
    haemoglobin += light * (
        _bell(f["cheek"], 2.5) * (0.08 + 0.36 * redness) * (1 + 0.25 * flush)
        + _bell(f["nose"], 1.25) * (0.1 + 0.42 * redness)
        + _bell(f["nose_wing"], 0.7) * 0.14
        + _ramp(f["ear"], 0.8) * 0.12
        + _bell(f["chin"], 1.3) * 0.08
        + _bell(f["lid"], 0.35) * 0.16
    )
    socket = 0.12 + 0.12 * look.wrinkles + (creature.socket if creature else 0) * 0.9
    below = 0.5 - 0.5 * f["lid_up"]
    melanin += socket * _bell(f["lid"], 0.85) * (0.65 + 0.6 * below)
    haemoglobin += 0.5 * socket * _bell(f["lid"], 0.6) * red
    melanin -= 0.05 * _bell(f["bridge"], 0.8) + 0.04 * _ramp(p[:, 1] - 6.8, 2) * _ramp(
        f["front"] - 0.6, 0.4
    )  # forehead, bridge
    melanin += 0.05 * _ramp(f["neck"], 3) + 0.35 * _bell(f["nostril"], 0.42) + 0.1 * _bell(f["nostril"], 0.9)
    hollow = _ramp(f["ear"] - 0.1, 0.3) * _ramp(8.35 - np.abs(p[:, 0]), 0.9)
    melanin += 0.3 * hollow
    haemoglobin += 0.18 * hollow * light

    fold = noise(p, 1.2, rng)
    lines = look.wrinkles * _bell(f["crease"], 0.1 + 0.05 * look.wrinkles) * np.clip(0.75 + 0.35 * fold, 0.1, 1.4)
    shallow = look.wrinkles * _bell(f["crease"], 0.5) * 0.08
    crinkle = (
        np.maximum(noise(p * [0.5, 1.6, 0.8], 0.22, rng), 0) * look.wrinkles**1.5 * 0.05
    )  # fine horizontal lines of old skin
    melanin += 0.34 * lines + shallow + crinkle
    haemoglobin += 0.2 * lines
    spots = _ramp(noise(p, 0.6, rng) - 2.3 + 0.3 * grain, 0.6) * look.wrinkles**2
    melanin += 0.22 * spots * (f["hairline"] > -8.5)

    if look.freckles > 0:
        where = np.clip(_bell(f["cheek"], 3.0) + _bell(f["bridge"], 1.8) + 0.3 * _ramp(f["front"] - 0.3, 0.6), 0, 1)
        where = where * _ramp(-f["hairline"] - 1, 3)
        dots = _ramp(noise(p, 0.3, rng) - 1.35 + 0.5 * (1 - where), 0.5) + 0.7 * _ramp(
            noise(p, 0.17, rng) - 1.45 + 0.5 * (1 - where), 0.5
        )
        melanin += 0.6 * look.freckles**0.5 * dots * where
    for centre in p[
        _roots(atlas, (f["front"] > 0.1) * (atlas.part == SKIN), rng.poisson(1.5 if look.style == 0 else 0.3), rng)
    ]:
        melanin += rng.uniform(0.4, 0.9) * _ramp(rng.uniform(0.07, 0.16) - np.linalg.norm(p - centre, axis=-1), 0.08)

    density = melanin[:, None] * MELANIN + red * haemoglobin[:, None] * HAEMOGLOBIN
    rgb = base * np.exp(-density)
    # A thin shine of oil over the pores keeps dark skin from looking flat.
    rgb += (6 * central * np.maximum(noise(p, 2.2, rng) + 0.5 * pores, 0))[:, None]
    assert rgb.shape == (T, 3)
    return rgb.astype(np.float32)


def _lips(rgb, look, atlas, rng, base, creature):
    f, p = atlas.regions, atlas.position
    inside = _ramp(f["lip"] - 0.02 + 0.03 * noise(p, 0.35, rng), 0.14) * (atlas.part == SKIN)
    lines = noise(p * [1.0, 0.18, 0.3], 0.11, rng) + 0.5 * noise(p, 0.12, rng)
    name = LIPS[look.lips]
    blood, brown = (0.16, -0.02) if name == "pale" else (0.52 - 0.03 * look.tone, 0.1)
    colour = base * np.exp(-(blood * HAEMOGLOBIN + (brown + 0.02 * look.tone) * MELANIN))
    alpha = 0.92 * inside
    if creature:
        colour = np.array(creature.lips, np.float32)
    elif name in LIP_COLOURS:
        colour = np.array(LIP_COLOURS[name], np.float32)
        alpha = 0.97 * _ramp(f["lip"], 0.08 + 0.5 * atlas.texel_cm) * (atlas.part == SKIN)
    shade = 1 - 0.055 * lines - 0.07 * (f["lip_up"] > 0) + 0.05 * _bell(f["lip_up"] + 0.45, 0.25)
    _over(rgb, colour * shade[:, None], alpha)
    inner = _bell(f["lip_up"], 0.11) * inside * (f["lip"] > 0)
    rgb *= (1 - 0.45 * inner)[:, None]


def _eyes(rgb, look, atlas, rng, creature):
    f, p = atlas.regions, atlas.position
    eye = atlas.part == EYE
    if not eye.any():
        return
    r, lid, q = f["eye_axis"][eye], f["lid"][eye], p[eye]
    texel = atlas.texel_cm[eye]
    along, up = f["lid_along"][eye], f["lid_up"][eye]
    sclera = np.array(creature.sclera if creature else (232, 227, 220), np.float32)
    corner = np.exp(-np.clip(along, 0, 1) / 0.09) + 0.45 * np.exp(-np.clip(1 - along, 0, 1) / 0.1)
    veins = np.maximum(noise(q * [0.5, 2.0, 1.0], 0.16, rng) - 0.6, 0) * _ramp(r - 0.75, 0.3)
    pink = np.clip(0.8 * corner + 0.12 * veins + 0.04 * look.tone / 5, 0, 1) * (0.2 if creature else 1)
    white = sclera * np.exp(-pink[:, None] * np.array([0.12, 0.55, 0.5]))
    white += 3 * noise(q, 0.5, rng)[:, None]
    iris = np.array(creature.iris, np.float32) if creature else EYES[look.eyes] * np.float32(rng.uniform(0.9, 1.1))
    side = np.where(q[:, :1] > 0, atlas.marks.eyes[0], atlas.marks.eyes[1])
    angle = np.arctan2(q[:, 1] - side[:, 1], q[:, 0] - side[:, 0])
    spokes = np.stack([np.cos(angle), np.sin(angle), 0.6 * r], axis=-1) + 9 * (q[:, :1] > 0)
    fibres = noise(spokes.astype(np.float32), 0.22, rng)
    ring = 1.15 - 0.75 * _ramp(r - 0.53, 0.16) - 0.3 * _bell(r - PUPIL_RADIUS, 0.05) + 0.13 * fibres
    disk = iris * ring[:, None] + (22 * _bell(r - 0.3, 0.07))[:, None] * np.array([1.0, 0.8, 0.4])
    colour = white + _ramp(IRIS_RADIUS - r, 0.06 + texel)[:, None] * (disk - white)
    colour += _ramp(PUPIL_RADIUS - r, 0.04 + texel)[:, None] * (np.array([10, 9, 9]) - colour)
    shadow = 0.5 * np.exp(-lid / 0.14) * (0.6 + 0.4 * up) + 0.12 * np.exp(-lid / 0.35)  # the lid's own shadow
    rgb[eye] = np.maximum(colour, 0) * (1 - np.clip(shadow, 0, 0.7))[:, None]
    # The wet red corner and rim.
    tear = np.array([196, 120, 112], np.float32) if not creature else sclera * 0.8
    rim = np.clip(0.75 * np.exp(-lid / (0.05 + 0.3 * texel)) * (up < 0.3) + 0.8 * (along < 0.035), 0, 0.85)
    rgb[eye] += rim[:, None] * (tear * 0.9 - rgb[eye])


def _lashes(rgb, look, atlas, rng):
    f, p = atlas.regions, atlas.position
    skin = atlas.part == SKIN
    liner = MAKE_UPS[look.make_up] in ("eye shadow", "gothic")
    upper = skin * _ramp(0.09 + 0.08 * liner - f["lid"], 0.09 + atlas.texel_cm) * _ramp(f["lid_up"] - 0.1, 0.8)
    lower = skin * _ramp(0.05 + 0.05 * liner - f["lid"], 0.06 + atlas.texel_cm) * _ramp(-f["lid_up"] - 0.1, 0.8)
    dark = np.array([26, 20, 19], np.float32)
    _over(rgb, dark, (0.88 if liner else 0.72) * upper + (0.6 if liner else 0.28) * lower)
    roots = _roots(atlas, skin * (f["lid"] < 0.12) * (0.2 + 0.8 * (f["lid_up"] > 0.2)), 260, rng)
    outward = np.sign(p[roots, :1]) * np.clip(f["lid_along"][roots] - 0.35, -0.5, 0.9)[:, None]
    tangent = (
        outward * [1.0, 0, 0] + np.sign(f["lid_up"][roots])[:, None] * [0, 1.0, 0] + 0.15 * rng.normal(size=(len(roots), 3))
    )
    length = np.where(f["lid_up"][roots] > 0, 0.42, 0.16) * (1 + 0.4 * liner)
    alpha, _ = strokes(atlas, roots, tangent, length, 0.016, np.zeros(len(roots)), rng, 0.2)
    _over(rgb, dark, 0.8 * alpha * skin)


def _brows(rgb, look, atlas, rng, hair):
    f, p = atlas.regions, atlas.position
    along, up, density = f["brow_along"], f["brow_up"], look.brow_density
    half = np.interp(along, [0, 0.12, 0.6, 1.0], [0.22, 0.4, 0.33, 0.1]) * (0.75 + 0.4 * density)
    inside = _ramp(half - f["brow"], 0.22) * (atlas.part == SKIN) * (f["front"] > 0)
    colour = hair * (0.62 if hair.mean() > 120 else 0.9)  # brows are darker than fair hair
    _over(rgb, colour, 0.34 * density * inside)
    roots = _roots(atlas, inside * np.interp(along, [0, 0.15, 1], [0.5, 1, 1]), int(300 + 900 * density), rng)
    lean = np.radians(np.interp(along[roots], [0, 0.15, 0.45, 1], [78, 52, 18, -14])) - 0.9 * up[roots]
    lean = (lean + 0.22 * rng.normal(size=len(roots)))[:, None]
    side = np.sign(p[roots, :1])
    tangent = np.cos(lean) * side * [1.0, 0, 0] + np.cos(lean) * [0, 0, -0.45] + np.sin(lean) * [0, 1.0, 0]
    shade = rng.uniform(0.7, 1.3, len(roots))
    alpha, shade = strokes(atlas, roots, tangent, rng.uniform(0.35, 0.8, len(roots)), 0.02, shade, rng, 0.25)
    _over(rgb, colour * shade[:, None], 0.92 * alpha)


def _scalp(rgb, look, atlas, rng, hair):
    f, p = atlas.regions, atlas.position
    kind = SCALPS[look.scalp]
    if kind == "bald":
        return
    edge = f["hairline"] + 0.35 * noise(p, 0.5, rng) + 0.3 * noise(p, 1.5, rng)
    if kind == "shaved":
        stubble = np.clip(0.75 + 0.14 * noise(p, 0.1, rng) + 0.06 * noise(p, 0.5, rng), 0, 1)
        _over(rgb, hair * 0.9, 0.6 * stubble * _ramp(edge - 0.4, 2.0))
        return
    inside = _ramp(edge - 0.3, 1.1)
    locks = noise(p, 0.5, rng)
    _over(rgb, hair * (0.72 + 0.09 * locks)[:, None], 0.93 * inside)
    width = float(np.maximum(0.035, 0.5 * np.median(atlas.texel_cm)))
    roots = _roots(atlas, inside, int(650 / (1.1 * width)), rng)
    whorl = np.array([1.2, 13.5, -4.0])
    tangent = p[roots] - whorl
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    tangent = tangent + [0, -0.25, 0.25] + 0.22 * rng.normal(size=tangent.shape)
    shade = np.clip(1 + 0.28 * rng.normal(size=len(roots)), 0.45, 1.75)
    alpha, shade = strokes(atlas, roots, tangent, rng.uniform(0.7, 1.6, len(roots)), width, shade, rng, 0.15)
    _over(rgb, hair * shade[:, None], 0.85 * alpha * _ramp(edge + 0.3, 1.2))


def _beard(rgb, look, atlas, rng, hair):
    f, p = atlas.regions, atlas.position
    kind = BEARDS[look.beard]
    if kind == "none":
        return
    hair = hair * (0.8 if hair.mean() > 120 else 0.95)
    ragged = 0.22 * noise(p, 0.4, rng) + 0.2 * noise(p, 1.2, rng)
    if kind == "stubble":
        depth = np.maximum(f["beard"], f["moustache"]) + ragged
        dots = np.clip(0.65 + 0.2 * noise(p, 0.09, rng) + 0.1 * noise(p, 0.5, rng), 0, 1)
        _over(rgb, hair * 0.9, 0.46 * dots * _ramp(depth - 0.2, 1.3))
    else:
        depth = {"moustache": f["moustache"], "goatee": np.maximum(f["goatee"], f["moustache"])}.get(kind)
        depth = np.maximum(f["beard"], f["moustache"]) if depth is None else depth
        soft, length = (0.9, 1.0) if kind == "full beard" else (0.35, 0.6)
        inside = _ramp(depth + ragged * (1 if kind == "full beard" else 0.5) - 0.1, soft)
        _over(rgb, hair * (0.68 + 0.08 * noise(p, 0.3, rng))[:, None], 0.82 * inside)
        width = float(np.maximum(0.03, 0.4 * np.median(atlas.texel_cm)))
        area = float((inside * atlas.texel_cm**2).sum())
        roots = _roots(atlas, inside, int(1.3 * area / (length * width)), rng)
        upper = (f["moustache"][roots] > -0.1)[:, None]
        sideways = np.sign(p[roots, :1]) * np.where(upper, 0.9, 0.15)
        tangent = sideways * [1.0, 0, 0] + [0, -1.0, 0.15] + 0.3 * rng.normal(size=(len(roots), 3))
        shade = np.clip(1 + 0.3 * rng.normal(size=len(roots)), 0.4, 1.8)
        alpha, shade = strokes(atlas, roots, tangent, rng.uniform(0.5, 1.2, len(roots)) * length, width, shade, rng, 0.3)
        _over(rgb, hair * shade[:, None], 0.85 * alpha * (f["lip"] < 0.1) * (atlas.part == SKIN))


def _make_up(rgb, look, atlas, rng):
    f, p = atlas.regions, atlas.position
    name = MAKE_UPS[look.make_up]
    skin = atlas.part == SKIN
    above = _ramp(f["lid_up"] + 0.1, 0.9)
    if name == "eye shadow":
        colour = EYE_SHADOWS[rng.integers(len(EYE_SHADOWS))]
        _over(rgb, colour, 0.75 * _bell(f["lid"], 0.62) * above * skin)
        _over(rgb, (206, 92, 96), 0.3 * _bell(f["cheek"], 1.7) * skin)
    elif name == "gothic":
        _over(rgb, np.minimum(rgb * 0.35 + 150, 236), 0.55 * _ramp(f["front"] - 0.1, 0.8) * _ramp(-f["neck"] + 1, 2) * skin)
        _over(rgb, (20, 16, 20), 0.92 * _ramp(0.75 + 0.12 * noise(p, 0.4, rng) - f["lid"], 0.5) * (0.55 + 0.45 * above) * skin)
    elif name == "clown":
        face = _ramp(f["front"] - 0.25, 0.3) * _ramp(-f["neck"], 1.0) * _ramp(-f["hairline"] - 0.3, 0.8) * skin
        _over(rgb, np.minimum(232 + 5 * noise(p, 0.6, rng), 248)[:, None], 0.93 * face)
        _over(rgb, (208, 30, 34), 0.92 * _ramp(1.35 - f["nose"], 0.4) * skin)
        _over(rgb, (226, 92, 92), 0.75 * _ramp(1.3 - f["cheek"], 0.9) * skin)
        diamond = 1.0 - np.abs(f["lid_along"] - 0.5) * 2.2 + 0.4 - f["lid"]
        _over(rgb, (44, 96, 190), 0.9 * _ramp(diamond, 0.3) * (f["lid"] < 1.6) * skin)
        _over(rgb, (200, 24, 32), 0.95 * _ramp(f["lip"] + 0.5, 0.15) * skin)


def _rot(rgb, atlas, rng):
    f, p = atlas.regions, atlas.position
    wounds = _ramp(noise(p, 1.6, rng) + 0.4 * noise(p, 0.4, rng) - 1.5, 0.4) * (atlas.part == SKIN)
    _over(rgb, np.array([96, 34, 28]) * (1 + 0.15 * noise(p, 0.15, rng))[:, None], 0.8 * wounds)
    _over(rgb, (58, 62, 40), 0.4 * _ramp(noise(p, 2.4, rng) - 0.6, 0.8) * (atlas.part == SKIN))
    drips = (
        _ramp(-f["lip_up"] - 0.1, 0.4)
        * _ramp(0.9 - np.abs(p[:, 0]) + noise(p * [1, 0.15, 1], 0.4, rng), 0.5)
        * _bell(f["lip"], 1.6)
    )
    _over(rgb, (88, 14, 14), 0.75 * drips * (p[:, 2] > 6) * (atlas.part == SKIN))


def _joker_paint(rgb, atlas, rng):
    f, p = atlas.regions, atlas.position
    skin = atlas.part == SKIN
    smear = 0.18 * noise(p, 0.45, rng)
    _over(rgb, (22, 20, 24), 0.9 * _ramp(0.8 + smear - f["lid"], 0.5) * skin)
    # The painted smile runs from the corners of the mouth up the cheeks.
    corner = atlas.marks.landmarks[54]
    t = np.clip((np.abs(p[:, 0]) - corner[0] + 0.6) / 2.6, 0, 1)
    smile = 0.42 * (1 - t) + 0.1 - np.abs(p[:, 1] - corner[1] - 1.5 * t**1.6) + 0.6 * smear
    _over(rgb, (178, 20, 28), 0.9 * _ramp(smile, 0.2) * (np.abs(p[:, 0]) < corner[0] + 2) * (p[:, 2] > 5) * skin)
    _over(rgb, (182, 18, 28), 0.9 * _ramp(f["lip"] + 0.18 + smear, 0.2) * skin)


def _material(rgb, style, atlas, rng, base):
    f, p = atlas.regions, atlas.position
    recipe = MATERIALS[style]
    colour = np.array(recipe["colour"], np.float32)
    light = np.log(np.maximum(rgb @ np.array([0.3, 0.59, 0.11], np.float32), 6) / (base @ [0.3, 0.59, 0.11]))
    shade = np.exp(recipe["detail"] * np.clip(light, -1.6, 0.5))[:, None]
    iris = _bell(f["eye_axis"] - 0.5, 0.1) + 0.8 * _ramp(0.2 - f["eye_axis"], 0.1)
    shade = shade * (1 - 0.25 * iris * (atlas.part == EYE))[:, None]
    out = colour * shade
    if style == "marble statue":
        turbulence = p + 1.6 * np.stack([noise(p, 3.0, rng) for _ in range(3)], axis=-1)
        vein = np.exp(-np.abs(noise(turbulence, 5.0, rng)) / 0.07) * np.clip(0.5 + 0.6 * noise(p, 4.0, rng), 0, 1)
        out *= np.exp(-0.3 * vein[:, None] * np.array([1.0, 0.95, 0.85]) - 0.02 * noise(p, 1.5, rng)[:, None])
    elif style == "bronze statue":
        patina = _ramp(noise(p, 2.5, rng) + 0.5 * noise(p, 0.5, rng) - 1.1 + 1.2 * np.clip(-light, 0, 0.6), 1.2)
        out *= np.exp(0.05 * noise(p, 0.8, rng) + 0.04 * noise(p, 0.15, rng))[:, None]
        _over(out, (86, 132, 112), 0.35 * patina)
    elif style == "clay":
        out *= np.exp(0.05 * noise(p, 1.2, rng) + 0.04 * noise(p * [1, 3, 1], 0.35, rng) + 0.03 * noise(p, 0.1, rng))[:, None]
    else:
        out *= np.exp(0.05 * noise(p * [0.4, 4, 0.4], 0.3, rng) + 0.03 * noise(p, 3.0, rng))[:, None]  # brushed
        cuts = np.min(
            [np.abs(np.abs(p[:, 0]) - 5.0), np.abs(p[:, 1] - 7.0), np.abs(p[:, 1] + 5.2), np.abs(p[:, 2] - 2.0)], axis=0
        )
        _over(out, (52, 54, 60), 0.8 * _ramp(0.09 - cuts, 0.06 + atlas.texel_cm) * (atlas.part == SKIN))
        bolts = np.linalg.norm(np.mod(p, 2.6) - 1.3, axis=-1)
        _over(out, (92, 96, 104), 0.7 * _ramp(0.22 - bolts, 0.1) * (cuts < 1.2) * (atlas.part == SKIN))
        glow = (atlas.part == EYE) * _ramp(0.62 - f["eye_axis"], 0.2)
        _over(out, (40, 44, 50), (atlas.part == EYE) * 0.85)
        _over(out, (96, 206, 255), glow * (1 - 0.8 * _ramp(0.18 - f["eye_axis"], 0.08)))
    _over(out, colour * 0.42, 0.85 * (atlas.part == MOUTH))
    return out
