"""Paints eyeballs: sclera with veins, iris with fibres, collarette and limbal ring, pupil, tear duct and the lids' shadow."""

import numpy as np

from .canvas import bell, noise, ramp

# sRGB of `look.EYE_COLOURS`: the fibres, and the collar round the pupil.
IRISES = np.array([[94, 134, 168], [96, 122, 78], [126, 138, 146], [122, 98, 56], [98, 62, 34], [56, 35, 24]], np.float32)
COLLARS = np.array([[150, 158, 140], [158, 132, 66], [160, 160, 148], [128, 78, 34], [132, 84, 42], [80, 50, 32]], np.float32)
IRIS_RADIUS, PUPIL_RADIUS = 0.59, 0.19  # cm; the adult human iris is 11.8 mm wide


def paint_eyes(c, creature):
    """Over the texels of the eyeballs. creature: styles.Creature or None."""
    c.layer("eyes")
    eye, f = c.is_eye, c.f
    if not eye.any():
        return
    rng, q, texel = c.rng, c.p[eye], c.atlas.texel_cm[eye]
    r, lid, along, up = (f[name][eye] for name in ("eye_axis", "lid", "lid_along", "lid_up"))
    colour = _sclera(c, q, r, along, creature)

    side = np.where(q[:, :1] > 0, c.atlas.marks.eyes[0], c.atlas.marks.eyes[1])
    x, y = q[:, 0] - side[:, 0], q[:, 1] - side[:, 1]
    iris, collar = IRISES[c.look.eyes] * rng.uniform(0.88, 1.12), COLLARS[c.look.eyes]
    if creature is not None and creature.iris is not None:
        iris = np.array(creature.iris, np.float32)
        collar = np.minimum(1.35 * iris, 255)
    pupil_radius = PUPIL_RADIUS * rng.uniform(0.85, 1.2)
    turn = np.stack([np.cos(np.arctan2(y, x)), np.sin(np.arctan2(y, x)), 0.5 * r], axis=-1) + 9 * (q[:, :1] > 0)
    turn = turn.astype(np.float32)
    fibres, coarse = noise(turn, 0.14, rng), noise(turn, 0.42, rng)
    edge = 0.055 * coarse
    collared = ramp(0.36 + edge - r, 0.14)
    disk = iris + collared[:, None] * (collar - iris)
    disk = disk * (1 + 0.17 * fibres + 0.09 * coarse)[:, None]
    disk *= (1 - 0.3 * bell(r - 0.38, 0.05) * np.maximum(coarse, 0))[:, None]  # crypts outside the collarette
    disk *= (1 - 0.62 * ramp(r - 0.53, 0.13))[:, None]  # limbal ring
    disk *= (1 - 0.35 * bell(r - pupil_radius, 0.05))[:, None]
    colour += ramp(IRIS_RADIUS - r, 0.07 + 0.7 * texel)[:, None] * (disk - colour)
    pupil = ramp(_slit(x, y, r, pupil_radius, creature), 0.03 + 0.7 * texel)
    colour += pupil[:, None] * (np.array([9, 8, 8]) - colour)

    shadow = 0.55 * np.exp(-lid / 0.13) * np.clip(0.55 + 0.55 * up, 0, 1) + 0.16 * np.exp(-lid / 0.3)
    colour *= (1 - np.clip(shadow, 0, 0.72))[:, None] * (1 - 0.05 * shadow[:, None] * np.array([0, 1.0, 1.0]))
    c.rgb[eye] = np.maximum(colour, 0)
    c.roughness[eye], c.relief[eye] = 0.07, 0.0
    _wet_rim(c, eye, lid, along, up, texel, creature)


def _sclera(c, q, r, along, creature):
    """(E,3) sRGB: warm white, yellower and pinker to the corners, with branching veins."""
    look, rng = c.look, c.rng
    white = np.array((208, 199, 188) if creature is None else creature.sclera, np.float32)
    white = white * (1 - np.array([0.01, 0.025, 0.07]) * (0.4 * look.tone / 5 + look.wrinkles))
    corner = np.exp(-np.clip(along, 0, 1) / 0.1) + 0.5 * np.exp(-np.clip(1 - along, 0, 1) / 0.1)
    outer = ramp(r - 0.72, 0.3)
    veins = np.exp(-np.abs(noise(q * np.float32([0.6, 1.6, 1]), 0.35, rng)) / 0.14) * outer
    pink = np.clip(0.7 * corner + (0.16 + 0.2 * look.veins) * veins + 0.05 * outer, 0, 1.1)
    pink *= 1.0 if creature is None else creature.bloodshot
    out = white * np.exp(-pink[:, None] * np.array([0.1, 0.5, 0.46]))
    return (out + 2.5 * noise(q, 0.4, rng)[:, None]).astype(np.float32)


def _slit(x, y, r, radius, creature):
    """Depth inside the pupil, cm; some creatures have a cat's."""
    if creature is None or not creature.slit:
        return radius - r
    return radius * 0.45 * np.sqrt(np.maximum(1 - (y / 0.5) ** 2, 0)) - np.abs(x)


def _wet_rim(c, eye, lid, along, up, texel, creature):
    """The tear duct at the inner corner and the wet edge of the lower lid."""
    tear = np.array((188, 116, 106) if creature is None else np.array(creature.sclera) * 0.75, np.float32)
    rim = np.clip(0.6 * np.exp(-lid / (0.035 + 0.3 * texel)) * (up < 0.3) + 0.8 * ramp(0.075 - along, 0.06), 0, 0.85)
    c.rgb[eye] += rim[:, None] * (tear - c.rgb[eye])
