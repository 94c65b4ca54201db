"""Make-up: party, eyeliner, gothic and clown."""

import numpy as np

from .canvas import bell, ramp, segment_distance
from .look import MAKE_UPS

EYE_SHADOWS = np.array([[110, 62, 132], [62, 92, 150], [128, 78, 50], [46, 112, 98], [66, 62, 70], [176, 98, 120]], np.float32)
INK = np.array([20, 16, 20], np.float32)


def paint_face(c):
    """What lies on the skin, under lips, hair and lashes."""
    c.layer("make-up")
    paint = {"eye shadow": _party, "gothic": _gothic, "clown": _clown}.get(MAKE_UPS[c.look.make_up])
    if paint:
        paint(c)


def paint_lids(c):
    """Eyeliner with a wing, drawn over everything but the lashes."""
    c.layer("eyeliner")
    if MAKE_UPS[c.look.make_up] not in ("eye shadow", "eyeliner", "gothic"):
        return
    f, texel = c.f, c.atlas.texel_cm
    thick = 0.07 + 0.12 * np.clip(f["lid_along"], 0, 1) ** 1.5
    upper = ramp(thick - f["lash"], 0.05 + texel) * ramp(f["lid_up"] - 0.05, 0.5) * ramp(f["lid_along"] - 0.1, 0.15)
    lower = 0.7 * ramp(0.05 - f["lash"], 0.05 + texel) * ramp(-f["lid_up"] - 0.1, 0.6) * ramp(f["lid_along"] - 0.4, 0.5)
    c.over(INK, 0.93 * np.maximum(upper, lower) * c.is_skin, 0.4)
    for corner, side in ((c.atlas.marks.landmarks[45], 1), (c.atlas.marks.landmarks[36], -1)):
        wing = np.stack([corner, corner + np.array([0.42 * side, 0.17, -0.2]), corner + np.array([0.85 * side, 0.5, -0.6])])
        d, along = segment_distance(c.p, wing)
        c.over(INK, 0.93 * ramp(0.11 * (1 - along) + 0.02 - d, 0.05 + texel) * c.is_skin * (along > 0), 0.4)


def _party(c):
    """Two-toned eye shadow, blush, and a shimmer on cheekbones and brow bones."""
    f = c.f
    above = ramp(f["lid_up"] + 0.1, 0.9) * ramp(f["brow"] - 0.25, 0.3)
    colour = EYE_SHADOWS[c.rng.integers(len(EYE_SHADOWS))]
    outer = ramp(f["lid_along"] - 0.55, 0.9)
    c.over(colour, 0.85 * bell(f["lash"], 0.8) * above * c.is_skin, 0.4)
    c.over(0.45 * colour, 0.7 * bell(f["lash"], 0.5) * above * outer * c.is_skin, 0.4)
    c.glaze((240, 160, 156), 0.38 * bell(f["cheek"], 1.9) * c.is_skin)
    across = np.stack([np.abs(c.p[:, 0]), c.p[:, 1], c.p[:, 2]], axis=-1)
    high = bell(np.linalg.norm(across - [5.2, 2.3, 7.6], axis=-1), 1.1) + 0.8 * bell(f["brow_up"] + 0.5, 0.2) * bell(
        f["brow"], 0.8
    )
    c.over(np.minimum(1.25 * c.rgb + 14, 252), 0.5 * np.minimum(high, 1) * c.is_skin, 0.3)


def _gothic(c):
    """Powdered white, black round the eyes, running into the cheeks."""
    f = c.f
    above = ramp(f["lid_up"] + 0.1, 0.9)
    face = ramp(f["front"] - 0.1, 0.8) * ramp(-f["neck"] + 1, 2) * ramp(-f["hairline"] + 0.2, 1) * c.is_skin
    c.over(np.minimum(c.rgb * 0.3 + 162, 238), 0.72 * face, 0.6)
    ragged = 0.12 * c.noise(0.4)
    c.over(INK, 0.93 * ramp(0.72 + ragged - f["lid"], 0.5) * (0.5 + 0.5 * above) * c.is_skin, 0.5)
    runs = ramp(c.noise(0.3, (1, 0.12, 0.3)) - 1.2, 0.5) * ramp(-f["lid_up"], 0.5) * ramp(2.4 - f["lid"], 1.6) * c.is_skin
    c.over(INK, 0.5 * runs * (f["lid_along"] > 0.1) * (f["lid_along"] < 0.9))


def _clown(c):
    """White ground with brush marks, red nose and cheeks, blue diamonds over the eyes, a wide red mouth outlined in black."""
    f, texel = c.f, c.atlas.texel_cm
    skin = c.is_skin
    face = (
        ramp(f["front"] - 0.25 + 0.04 * c.noise(0.8), 0.2)
        * ramp(-f["neck"] + 0.2, 0.8)
        * ramp(-f["hairline"] - 0.3, 0.6)
        * skin
    )
    brushed = 234 + 5 * c.noise(0.5, (0.4, 2, 1)) + 3 * c.noise(0.15)
    cracked = 1 - 0.25 * np.exp(-np.abs(c.noise(0.7)) / 0.03) * ramp(c.noise(2.0), 1.5)
    c.over(np.minimum(brushed * cracked, 250)[:, None] * [1, 0.99, 0.96], 0.94 * face, 0.62)
    edge = 0.05 * c.noise(0.35)
    c.over((226, 96, 92), 0.75 * ramp(1.25 + edge - f["cheek"], 0.8) * skin, 0.6)
    c.over((204, 22, 28), 0.97 * ramp(1.45 + edge - f["nose"], 0.12 + texel) * skin, 0.25)
    diamond = 1.5 - np.abs(f["lid_along"] - 0.5) * 2.4 - 0.85 * f["lid"] + edge
    c.over((38, 92, 188), 0.94 * ramp(diamond - 0.15, 0.1 + texel) * (f["lid"] < 2) * skin, 0.6)
    c.over(INK, 0.8 * bell(diamond - 0.1, 0.06) * (f["lid"] < 2) * skin)
    corner = c.atlas.marks.landmarks[54]
    smile = 0.6 + edge + f["lip"] + 0.9 * bell(np.abs(c.p[:, 0]) - corner[0] - 0.3, 0.9) * ramp(c.p[:, 1] - corner[1], 1)
    smile = np.where(c.p[:, 2] > 5, smile, -1)
    c.over((196, 18, 28), 0.96 * ramp(smile, 0.1 + texel) * skin, 0.45)
    c.over(INK, 0.8 * bell(smile, 0.07) * skin)
