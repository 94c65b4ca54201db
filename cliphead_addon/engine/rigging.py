"""Everything that Blender needs to rig a head made before: joints, weights, eyeballs."""

from dataclasses import asdict

import numpy as np

from .geometry.eyes import IRIS_ANGLE, depth_inside, fit_eye
from .geometry.frames import nphm_to_blender
from .geometry.rig import SKULL_BELOW_EARS, Neck, fit_hinge, jaw_weights, skin_weights
from .motion import own_expression
from .pipeline import recipe_code

# Anchors, by their places in NPHM's order: pairs are right, left.
EYES = {"L": (1, 3), "R": (0, 2)}  # outer and inner corner of the lids
EARS, CHIN, TOP, BACK = (26, 27), 36, 37, 38
MOUTH_CORNERS, UPPER_LIP = (16, 17), (18, 19)
JAW_OPEN, BLINKS = "jawOpen", ("eyeBlinkLeft", "eyeBlinkRight")
IRIS_BAND = (0.45, 0.85)  # of the iris's angle: where the texture shows its colour


def rig(prompt, settings, models, canonical, rest, uv, faces):
    """Rig a head on its own surface points.

    prompt, settings: as the head's recipe has them; canonical: (V,3) NPHM units; rest: (V,3) metres, as they stand in Blender;
    uv: (V,2); faces: (F,3) or (F,4). -> dict of arrays weights (V,3) in the order of `geometry.rig.BONES`, depths (2,V) and
    blinks (2,V,3) of `geometry.eyes` for left and right, and a JSON-ready "about" with joints, plane and eyes; metres,
    Blender's frame.
    Raises ClipHeadError.
    """
    head = models.head
    code = recipe_code(prompt, models)
    neutral = rest - nphm_to_blender(own_expression(head, code, canonical, settings.hair))
    moves = head.pose(code, canonical, (JAW_OPEN, *BLINKS), settings.hair)[1]
    moves = {name: nphm_to_blender(move) for name, move in moves.items()}
    opening = moves[JAW_OPEN]
    anchors = _anchors(head.anchors(code), canonical, neutral)

    ears = anchors[list(EARS)]
    hinge = fit_hinge(neutral, opening, ears)
    neck = Neck.between(anchors[CHIN], ears, anchors[BACK])
    weights = skin_weights(jaw_weights(neutral, opening, hinge, faces), neck.head_share(neutral))
    skull = ears.mean(axis=0) - [0, 0, SKULL_BELOW_EARS]
    about = {
        "joints": {"skull": skull, "top": anchors[TOP], "jaw": hinge.joint, "chin": anchors[CHIN]},
        "jaw_angle": hinge.angle,
        "neck": asdict(neck),
        "mouth": {"corners": anchors[list(MOUTH_CORNERS)], "upper_lip": anchors[list(UPPER_LIP)]},
        "eyes": [],
        "iris_uv": [],
        "warnings": [],
    }
    outlines = _eye_outlines(models)
    if outlines is None:
        about["warnings"].append(f"The pack '{models.pack.name}' does not say where eyes are: the head keeps its painted eyes.")
        none = np.zeros((0, len(rest), 3), np.float32)
        return {"weights": weights, "depths": none[..., 0], "blinks": none, "about": _plain(about)}
    depths = []
    for side, rows in EYES.items():
        corners = anchors[list(rows)]
        outline = outlines[side]
        depth = depth_inside(uv, outline, np.linalg.norm(corners[0] - corners[1]) / np.ptp(outline[:, 0]))
        eye = fit_eye(neutral[depth > 0], corners)
        away = neutral - eye.centre
        angle = np.arccos(np.clip(-away[:, 1] / np.linalg.norm(away, axis=1), -1, 1))
        iris = (depth > 0) & (angle > IRIS_BAND[0] * IRIS_ANGLE) & (angle < IRIS_BAND[1] * IRIS_ANGLE)
        about["eyes"].append({"side": side, "centre": eye.centre, "radius": eye.radius})
        about["iris_uv"] += uv[iris].tolist()
        depths.append(depth)
    return {
        "weights": weights,
        "depths": np.stack(depths).astype(np.float32),
        "blinks": np.stack([moves[name] for name in BLINKS]).astype(np.float32),
        "about": _plain(about),
    }


def _anchors(anchors, canonical, neutral):
    """Canonical anchors (K,3) carried to the neutral pose in Blender's frame: each moves as the surface nearest to it."""
    gap = ((anchors[:, None] - canonical[None]) ** 2).sum(-1)
    nearest = gap.argmin(axis=1)
    return neutral[nearest] + nphm_to_blender(anchors - canonical[nearest])


def _eye_outlines(models):
    """The lids' edges in UV space: "L" and "R" -> (n,2); None in a pack without outlines."""
    loops = [] if models.quads is None else [loop for name, loop in models.quads.items() if name.startswith("eyes.")]
    if len(loops) != 2:
        return None
    right, left = sorted(loops, key=lambda loop: loop[:, 0].mean())
    return {"L": np.asarray(left, np.float64), "R": np.asarray(right, np.float64)}


def _plain(value):
    """numpy arrays inside dicts and lists as lists."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
