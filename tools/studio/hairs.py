"""Everything drawn hair by hair: brows, lashes, beards, the short hair of the scalp, and fur."""

import numpy as np

from .canvas import bell, ramp
from .look import BEARDS, BROW_SHAPES, MAKE_UPS, SCALPS

WHORL = np.array([1.2, 13.5, -4.0])  # cm: where the scalp's hair turns
# How high a brow's line runs above the natural one (cm), at shares of the way from the nose outwards.
BROW_LINES = {
    "natural": [[0, 0], [1, 0]],
    "straight": [[0, 0.12], [0.3, 0.02], [0.6, -0.16], [1, 0.12]],
    "arched": [[0, -0.12], [0.3, -0.02], [0.64, 0.34], [0.85, 0.1], [1, -0.18]],
    "round": [[0, -0.2], [0.25, 0.1], [0.5, 0.26], [0.75, 0.16], [1, -0.22]],
    "slanted": [[0, -0.3], [0.4, 0], [0.75, 0.32], [1, 0.38]],
    "joined": [[0, 0], [1, 0]],
}
LASH = np.array([24, 18, 17], np.float32)


def darker(hair, fair, dark):
    """Brows and beards are darker than fair hair on the head."""
    return hair * np.interp(hair.mean(), [70, 130], [dark, fair])


def lay(c, colour, roots, tangent, length, width, opacity, mask, spread=0.25, bend=0.2):
    """Draws hairs in three passes: dark ones below, then the middle, then a few that catch the light."""
    order = c.rng.permutation(len(roots))
    tone = 1 + spread * c.rng.normal(size=len(roots))
    for share, light in ((order[: len(order) // 2], 0.72), (order[len(order) // 2 :], 1.0), (order[: len(order) // 8], 1.24)):
        alpha, shade = c.hairs(roots[share], tangent[share], length[share], width, light * tone[share].clip(0.4, 1.8), bend)
        c.over(np.minimum(colour * shade[:, None], 250), opacity * alpha * mask, 0.5)
        c.relief += 0.04 * alpha * mask


def fine_width(c, width):
    """Hairs thinner than half a texel are drawn fewer and wider."""
    return float(np.maximum(width, 0.45 * np.median(c.atlas.texel_cm)))


def paint_brows(c, hair):
    c.layer("brows")
    f, p, density = c.f, c.p, c.look.brow_density
    shape = BROW_SHAPES[c.look.brow_shape]
    along = f["brow_along"]
    height = f["brow_up"] - np.interp(along, *np.transpose(BROW_LINES[shape]))
    sideways = np.sqrt(np.maximum(f["brow"] ** 2 - f["brow_up"] ** 2, 0)) * ((along < 0.01) | (along > 0.99))
    if shape == "joined":
        sideways = sideways * np.where((along < 0.01) & (np.abs(p[:, 0]) < 1.6), 0.1, 1)
    half = np.interp(along, [0, 0.12, 0.55, 1.0], [0.26, 0.36, 0.29, 0.07]) * (0.55 + 0.65 * density)
    inside = ramp(half - np.hypot(height, sideways), 0.24) * c.is_skin * (f["front"] > 0)
    inside = inside * np.interp(along, [0, 0.1, 0.25, 1], [0.25, 0.6, 1, 1])
    colour = darker(hair, 0.62, 0.9)
    c.over(colour, 0.3 * density * inside)
    width = fine_width(c, 0.017)
    roots = c.roots(inside, int((350 + 1500 * density) * 0.017 / width))
    lean = np.interp(along[roots], [0, 0.15, 0.45, 1], [80, 55, 20, -16])
    lean = np.radians(lean) - 1.3 * height[roots] + 0.2 * c.rng.normal(size=len(roots))
    side = np.where(p[roots, :1] < 0, -1, 1)
    flat = np.cos(lean)[:, None] * (side * [1.0, 0, 0] + [0, 0, -0.45])
    tangent = flat + np.sin(lean)[:, None] * [0, 1.0, 0]
    length = c.rng.uniform(0.35, 0.75, len(roots)) * (0.75 + 0.4 * density)
    lay(c, colour, roots, tangent, length, width, 0.93, c.is_skin, bend=0.25)


def paint_lashes(c):
    """A dark line along the lid's margin, and lashes that sweep outwards from it."""
    c.layer("lashes")
    f, p = c.f, c.p
    made_up = MAKE_UPS[c.look.make_up] in ("eye shadow", "gothic", "eyeliner")
    texel = c.atlas.texel_cm
    outside = ramp(f["lid_along"] - 0.1, 0.14) * c.is_skin
    upper = outside * ramp(0.05 + 0.03 * made_up - f["lash"], 0.08 + texel) * ramp(f["lid_up"] - 0.1, 0.8)
    lower = outside * ramp(0.03 - f["lash"], 0.05 + texel) * ramp(-f["lid_up"] - 0.1, 0.8)
    c.over(LASH, (0.85 if made_up else 0.62) * upper + (0.4 if made_up else 0.15) * lower)
    for sign, count, length, width in ((1, 230, 0.5, 0.02), (-1, 130, 0.24, 0.014)):
        margin = outside * (f["lash"] < 0.04 + texel) * (sign * f["lid_up"] > 0.2)
        roots = c.roots(margin, count + 90 * made_up)
        outward = np.sign(p[roots, :1]) * np.clip(1.9 * (f["lid_along"][roots] - 0.32), -0.5, 1.2)[:, None]
        tangent = outward * [1.0, 0, 0] + [0, 1.0 * sign, 0] + 0.12 * c.rng.normal(size=(len(roots), 3))
        long = length * c.rng.uniform(0.6, 1.1, len(roots)) * (1 + 0.35 * made_up)
        alpha, _ = c.hairs(roots, tangent, long, fine_width(c, width), np.zeros(len(roots)), 0.25)
        c.over(LASH, 0.85 * alpha * c.is_skin)


def paint_scalp(c, hair):
    """Shaved or short hair; long hair is geometry and hides what is under it."""
    c.layer("scalp")
    f, p = c.f, c.p
    kind = SCALPS[c.look.scalp]
    if kind == "bald":
        return
    edge = f["hairline"] + 0.2 * c.noise(0.45) + 0.22 * c.noise(1.5)
    if kind == "shaved":
        inside = ramp(edge - 0.4, 2.2)
        c.over(darker(hair, 0.8, 0.9), 0.36 * inside * np.clip(1 + 0.12 * c.noise(0.5), 0, 1.4))
        stubble(c, darker(hair, 0.75, 0.8), inside, 95, 0.09)
        return
    locks = c.noise(0.55)
    c.over(hair * (0.6 + 0.07 * locks)[:, None], 0.96 * ramp(edge - 0.75, 1.5), 0.6)
    inside = ramp(edge - 0.15, 1.3)
    width = fine_width(c, 0.028)
    roots = c.roots(inside, int(1.15 * c.area(inside) / width))
    tangent = p[roots] - WHORL
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    swirl = 0.5 * locks[roots, None] * np.stack([tangent[:, 1], -tangent[:, 0], tangent[:, 2] * 0], axis=-1)
    tangent = tangent + swirl + [0, -0.25, 0.25] + 0.2 * c.rng.normal(size=tangent.shape)
    shaded = hair * (1 + 0.16 * locks)[:, None]
    length = c.rng.uniform(0.5, 1.3, len(roots)) * np.clip(0.5 + 0.35 * edge[roots], 0.4, 1)
    lay(c, shaded, roots, tangent, length, width, 0.88, c.is_skin, spread=0.28, bend=0.15)


def stubble(c, colour, inside, per_cm2, length):
    """Cut hairs: short dark strokes where `inside` (T,) says."""
    width = fine_width(c, 0.018)
    roots = c.roots(inside, int(per_cm2 * c.area(inside) * min(1, 0.018 / width * 1.6)))
    tangent = c.rng.normal(size=(len(roots), 3)) * [1, 0.6, 1] + [0, -1, 0]
    long = length * c.rng.uniform(0.6, 1.4, len(roots))
    alpha, shade = c.hairs(roots, tangent, long, width, c.rng.uniform(0.7, 1.3, len(roots)))
    c.over(colour * shade[:, None], 0.85 * alpha * c.is_skin)
    c.relief += 0.05 * alpha * c.is_skin


def paint_beard(c, hair):
    c.layer("beard")
    f, p = c.f, c.p
    kind = BEARDS[c.look.beard]
    if kind == "none":
        return
    colour = darker(hair, 0.8, 0.95)
    ragged = 0.16 * c.noise(0.4) + 0.16 * c.noise(1.2)
    whole = np.maximum.reduce([f["beard"], f["moustache"] + 0.12, f["goatee"]])
    if kind == "stubble":
        inside = ramp(whole + ragged - 0.15, 1.5) * c.is_skin * np.clip(0.9 + 0.2 * c.noise(0.8), 0.3, 1.2)
        c.over(0.75 * colour + 0.25 * np.array([84, 88, 96]), 0.24 * inside)  # hair under the skin looks blue
        stubble(c, darker(hair, 0.7, 0.75), inside, 90, 0.1)
        return
    full = kind == "full beard"
    depth = whole if full else f["moustache"] + 0.1 if kind == "moustache" else np.maximum(f["goatee"], f["moustache"] + 0.1)
    soft = np.where((f["moustache"] > -0.3) | (not full), 0.4, 1.0)  # narrow regions have room for a narrow edge only
    inside = ramp(depth + ragged * (1 if full else 0.45) - 0.05, soft)
    c.over(colour * (0.58 + 0.07 * c.noise(0.3))[:, None], 0.93 * ramp(depth + 0.7 * ragged - 0.3 * soft, soft), 0.6)
    width = fine_width(c, 0.024)
    roots = c.roots(inside, int(1.5 * c.area(inside) / width))
    upper = np.clip(1 + 2 * f["moustache"][roots], 0, 1)[:, None]
    side = np.sign(p[roots, :1]) * np.minimum(np.abs(p[roots, :1]) / 0.4, 1)
    wave = 0.5 * c.noise(0.9)[roots, None]
    tangent = side * (0.1 + 0.9 * upper + (1 - upper) * wave) * [1.0, 0, 0] + [0, -1.0, 0.15]
    tangent = tangent + 0.26 * c.rng.normal(size=(len(roots), 3))
    length = c.rng.uniform(0.5, 1.15, len(roots)) * (1.0 if full else 0.65)
    mask = c.is_skin * ramp(-f["lip"] + 0.05, 0.12)
    lay(c, colour * (1 + 0.12 * c.noise(0.6))[:, None], roots, tangent, length, width, 0.9, mask, spread=0.3, bend=0.3)


def paint_fur(c, colour):
    """A werewolf's face: fur everywhere but round the eyes, on the nose and the lips, running away from the nose."""
    f, p = c.f, c.p
    bare = np.maximum.reduce([bell(f["lid"], 0.45), bell(f["nose"], 0.9), ramp(f["lip"] + 0.15, 0.2)])
    inside = np.clip(1 - 1.2 * bare, 0, 1) * c.is_skin * ramp(0.5 + 0.3 * c.noise(0.5) + 0.5 * np.abs(f["ear"]), 1)
    patches = 1 + 0.2 * c.noise(1.6)
    c.over(colour * (0.5 * patches)[:, None], 0.9 * inside, 0.7)
    width = fine_width(c, 0.032)
    roots = c.roots(inside, int(1.1 * c.area(inside) / width))
    away = p[roots] - [0, 0.5, 9.0]
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    tangent = away + [0, -0.55, -0.2] + 0.22 * c.rng.normal(size=away.shape)
    length = c.rng.uniform(0.5, 1.3, len(roots)) * np.clip(0.35 + 0.12 * f["nose"][roots], 0.3, 1)
    lay(c, colour * patches[:, None], roots, tangent, length, width, 0.9, c.is_skin * (1 - 0.8 * bare), spread=0.3)
