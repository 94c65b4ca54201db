"""Expressions by name: those of the starter pack, Apple's face tracking shapes and the mouth shapes of speech."""

_BOTH_SIDES = """eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide mouthSmile mouthFrown mouthDimple
    mouthStretch mouthPress mouthLowerDown mouthUpperUp browDown browOuterUp cheekSquint noseSneer""".split()
_ONE = """jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper browInnerUp cheekPuff""".split()

ARKIT = tuple(sorted([*_ONE, *(name + side for name in _BOTH_SIDES for side in ("Left", "Right"))]))  # all but tongueOut
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
NAMED = ("smile", "laugh", "smirk", "sad", "frown", "pout", "angry", "sneer", "disgusted", "surprised", "raised brows",
    "afraid", "squint", "wink left", "wink right", "eyes closed", "kiss", "puffed cheeks", "lips pressed", "mouth open",
    "jaw left", "jaw right")  # fmt: skip
NEUTRAL = "neutral"  # as a shape key it takes a head made with an expression back to none
SETS = {"arkit": ARKIT, "visemes": VISEMES, "named": (NEUTRAL, *NAMED)}


def expand(names):
    """Names with "arkit", "visemes" and "named", in any case, replaced by what these sets hold -> list without repetitions."""
    return list(dict.fromkeys(one for name in names for one in SETS.get(name.lower(), (name,))))
