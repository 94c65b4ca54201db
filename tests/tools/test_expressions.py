"""The expressions that have codes, against Apple's published list and ICT's shapes."""

import pytest
import torch

from cliphead_addon.engine.expression_sets import SETS, expand
from tools.studio.expressions import ARKIT, CODES, EXPRESSIONS, VISEMES, coefficients

APPLE = """
    eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft
    eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight
    jawForward jawLeft jawRight jawOpen
    mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight
    mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower
    mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight
    browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight
    cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut
""".split()  # ARFaceAnchor.BlendShapeLocation
ICT = """
    browDown_L browDown_R browInnerUp_L browInnerUp_R browOuterUp_L browOuterUp_R cheekPuff_L cheekPuff_R cheekSquint_L
    cheekSquint_R eyeBlink_L eyeBlink_R eyeLookDown_L eyeLookDown_R eyeLookIn_L eyeLookIn_R eyeLookOut_L eyeLookOut_R
    eyeLookUp_L eyeLookUp_R eyeSquint_L eyeSquint_R eyeWide_L eyeWide_R jawForward jawLeft jawOpen jawRight mouthClose
    mouthDimple_L mouthDimple_R mouthFrown_L mouthFrown_R mouthFunnel mouthLeft mouthLowerDown_L mouthLowerDown_R mouthPress_L
    mouthPress_R mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmile_L mouthSmile_R
    mouthStretch_L mouthStretch_R mouthUpperUp_L mouthUpperUp_R noseSneer_L noseSneer_R PupilDilate_L PupilDilate_R
    cheekRaiser_L cheekRaiser_R
""".split()


def active(expression):
    return {name: weight for name, weight in zip(ICT, coefficients(expression, ICT), strict=True) if weight}


def test_arkit_is_apples_list_without_the_tongue():
    assert len(APPLE) == 52
    assert set(ARKIT) == set(APPLE) - {"tongueOut"}


@pytest.mark.parametrize(
    "name, shapes",
    [
        ("eyeBlinkLeft", {"eyeBlink_L"}),
        ("jawLeft", {"jawLeft"}),
        ("mouthRight", {"mouthRight"}),
        ("mouthSmileRight", {"mouthSmile_R"}),
        ("browInnerUp", {"browInnerUp_L", "browInnerUp_R"}),
        ("cheekPuff", {"cheekPuff_L", "cheekPuff_R"}),
    ],
)
def test_apples_shapes_are_icts_at_full_weight(name, shapes):
    assert active(ARKIT[name]) == dict.fromkeys(shapes, 1.0)


def test_every_code_is_made_of_icts_shapes():
    assert len(VISEMES) == 15 and len(EXPRESSIONS) == 23
    assert len(CODES) == 23 + 51 + 15  # no name means two things
    for expression in CODES.values():
        assert len(coefficients(expression, ICT)) == len(ICT)


def test_lips_meet_in_p_and_part_in_a():
    assert "jawOpen" not in active(VISEMES["PP"]) and active(VISEMES["aa"])["jawOpen"] > 0.3
    assert active(VISEMES["sil"]) == {}


def test_sets_expand_in_any_case_and_without_repetition():
    assert expand(["smile", "ARKit", "jawOpen"]) == ["smile", *SETS["arkit"]]
    assert expand(["visemes"]) == list(VISEMES)
    assert expand([]) == []


def test_training_sees_single_shapes_recipes_and_mixes_of_several():
    training = pytest.importorskip("tools.train.expression")
    weights = training.random_expressions(4000, ICT, torch.Generator().manual_seed(0))
    assert -0.25 <= weights.min() and weights.max() <= 1.2
    used = weights != 0
    singles = used.sum(1) == 1
    assert 0.15 < singles.float().mean() < 0.5
    left = [i for i, name in enumerate(ICT) if name not in ("PupilDilate_L", "PupilDilate_R", "cheekRaiser_L", "cheekRaiser_R")]
    paired = ("browInnerUp_L", "browInnerUp_R", "cheekPuff_L", "cheekPuff_R")  # Apple has both sides in one
    for i in left:
        assert used[:, i].any()
        assert ICT[i] in paired or used[singles, i].any()
    assert (used.sum(1) > 8).float().mean() > 0.1
    smile = torch.tensor(coefficients(EXPRESSIONS["smile"], ICT))
    assert (weights == smile).all(1).any()  # at full strength
