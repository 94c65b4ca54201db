"""Named expressions as weights of ICT's expression shapes: captions' words, Apple's shapes, and the visemes of speech."""

from cliphead_addon.engine import expression_sets

CANONICAL = {"jawOpen": 0.22}  # NPHM's canonical pose: neutral with a slightly open mouth, so that lips can separate

EXPRESSIONS = {
    "neutral": {},
    "smile": {"mouthSmile": 0.75, "cheekSquint": 0.35, "mouthDimple": 0.15, "eyeSquint": 0.1},
    "laugh": {
        "mouthSmile": 0.95, "jawOpen": 0.4, "mouthUpperUp": 0.3, "mouthLowerDown": 0.2,
        "cheekSquint": 0.7, "eyeSquint": 0.5, "browInnerUp": 0.2, "browOuterUp": 0.2,
    },
    "sad": {
        "browInnerUp": 1.0, "browDown": 0.25, "mouthFrown": 0.75, "mouthShrugLower": 0.35,
        "eyeBlink": 0.15, "eyeLookDown": 0.25,
    },
    "angry": {
        "browDown": 1.0, "eyeSquint": 0.4, "eyeWide": 0.35, "noseSneer": 0.6, "mouthFrown": 0.4,
        "mouthPress": 0.6, "jawForward": 0.15, "mouthRollLower": 0.15,
    },
    "surprised": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.9, "jawOpen": 0.45, "mouthFunnel": 0.2},
    "disgusted": {
        "noseSneer": 0.9, "browDown": 0.55, "mouthUpperUp": 0.45, "mouthFrown": 0.45,
        "eyeSquint": 0.5, "cheekSquint": 0.4, "mouthShrugLower": 0.3,
    },
    "afraid": {
        "browInnerUp": 1.0, "browOuterUp": 0.4, "browDown": 0.35, "eyeWide": 1.0,
        "mouthStretch": 0.75, "jawOpen": 0.22, "mouthLowerDown": 0.25,
    },
    "pout": {"mouthPucker": 0.45, "mouthShrugLower": 0.85, "mouthRollLower": -0.25, "mouthFrown": 0.35, "browDown": 0.3},
    "kiss": {"mouthPucker": 1.0, "mouthFunnel": 0.25, "eyeBlink": 0.15},
    "puffed cheeks": {"cheekPuff": 1.0, "mouthPress": 0.3, "mouthPucker": 0.3},
    "eyes closed": {"eyeBlink": 1.0},
    "wink left": {"eyeBlink_L": 1.0, "cheekSquint_L": 0.7, "mouthSmile_L": 0.35, "browDown_L": 0.25},
    "wink right": {"eyeBlink_R": 1.0, "cheekSquint_R": 0.7, "mouthSmile_R": 0.35, "browDown_R": 0.25},
    "mouth open": {"jawOpen": 0.75},
    "jaw left": {"jawLeft": 1.0, "mouthLeft": 0.3},
    "jaw right": {"jawRight": 1.0, "mouthRight": 0.3},
    "frown": {"mouthFrown": 0.9, "mouthShrugLower": 0.5, "browDown": 0.7},
    "raised brows": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.25},
    "squint": {"eyeSquint": 1.0, "cheekSquint": 0.6, "browDown": 0.45, "eyeBlink": 0.2},
    "sneer": {"noseSneer_R": 1.0, "noseSneer_L": 0.25, "mouthUpperUp_R": 0.5, "mouthSmile_R": 0.2, "browDown_R": 0.4},
    "lips pressed": {"mouthPress": 0.8, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    "smirk": {"mouthSmile_L": 0.8, "mouthDimple_L": 0.5, "cheekSquint_L": 0.3, "mouthLeft": 0.15},
}  # fmt: skip


def _ict_shape(name):
    """ICT's name of one of Apple's shapes; shapes that ICT splits keep theirs, which stands for both sides."""
    for word, letter in (("Left", "_L"), ("Right", "_R")):
        if name.endswith(word) and name.removesuffix(word) not in ("jaw", "mouth"):
            return name.removesuffix(word) + letter
    return name


# ICT's shapes follow Apple's, so each is its namesake. mouthClose is a correction there as well: it shuts the lips of a jaw
# that jawOpen has opened as far. tongueOut is missing: ICT has no such shape and our heads have no tongue.
ARKIT = {name: {_ict_shape(name): 1.0} for name in expression_sets.ARKIT}

VISEMES = {
    "sil": {},
    "PP": {"mouthPress": 0.35, "mouthRollLower": 0.35, "mouthRollUpper": 0.35, "mouthPucker": 0.15},
    "FF": {"mouthRollLower": 0.75, "mouthShrugLower": 0.2, "mouthUpperUp": 0.3, "jawOpen": 0.06},
    "TH": {"jawOpen": 0.11, "mouthLowerDown": 0.2, "mouthUpperUp": 0.2},
    "DD": {"jawOpen": 0.08, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2, "mouthStretch": 0.15},
    "kk": {"jawOpen": 0.14, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15, "mouthStretch": 0.2},
    "CH": {"jawOpen": 0.08, "mouthFunnel": 0.6, "mouthPucker": 0.25, "mouthLowerDown": 0.2, "mouthUpperUp": 0.2},
    "SS": {"jawOpen": 0.04, "mouthStretch": 0.35, "mouthSmile": 0.2, "mouthLowerDown": 0.35, "mouthUpperUp": 0.2},
    "nn": {"jawOpen": 0.06, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12, "mouthSmile": 0.12},
    "RR": {"jawOpen": 0.12, "mouthFunnel": 0.35, "mouthPucker": 0.4, "mouthLowerDown": 0.1},
    "aa": {"jawOpen": 0.42, "mouthLowerDown": 0.25, "mouthUpperUp": 0.2},
    "E": {"jawOpen": 0.24, "mouthStretch": 0.35, "mouthSmile": 0.3, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15},
    "I": {"jawOpen": 0.12, "mouthStretch": 0.3, "mouthSmile": 0.45, "mouthLowerDown": 0.25, "mouthUpperUp": 0.2},
    "O": {"jawOpen": 0.35, "mouthFunnel": 0.7, "mouthPucker": 0.2},
    "U": {"jawOpen": 0.14, "mouthPucker": 0.75, "mouthFunnel": 0.4},
}

AJAR = 0.02  # of jawOpen: ICT's own neutral leaves the lips 0.4 mm apart
# Everything that a pack has a code for, with lips that close.
CODES = {name: e | {"jawOpen": e.get("jawOpen", 0) - AJAR} for name, e in (EXPRESSIONS | ARKIT | VISEMES).items()}


def coefficients(expression, names):
    """Weights by shape name -> (len(names),) list; a name without _L or _R sets both sides."""
    weights = dict.fromkeys(names, 0.0)
    for name, weight in expression.items():
        for shape in (name,) if name in weights else (name + "_L", name + "_R"):
            if shape not in weights:
                raise KeyError(f"'{name}' is no ICT expression shape")
            weights[shape] = weight
    return list(weights.values())
