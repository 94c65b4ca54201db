"""Expressions that other programs know by name: Apple's face tracking shapes and the mouth shapes of speech."""

_BOTH_SIDES = """eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide mouthSmile mouthFrown mouthDimple
    mouthStretch mouthPress mouthLowerDown mouthUpperUp browDown browOuterUp cheekSquint noseSneer""".split()
_ONE = """jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper browInnerUp cheekPuff""".split()

ARKIT = tuple(sorted([*_ONE, *(name + side for name in _BOTH_SIDES for side in ("Left", "Right"))]))  # all but tongueOut
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
SETS = {"arkit": ARKIT, "visemes": VISEMES}


def expand(names):
    """Names with "arkit" and "visemes", in any case, replaced by what these sets hold -> list without repetitions."""
    return list(dict.fromkeys(one for name in names for one in SETS.get(name.lower(), (name,))))
