"""Expressions of a head made before, and words as weights of Apple's shapes, with the bundled starter pack."""

import numpy as np
import pytest

from cliphead_addon.engine import motion, pipeline
from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.expression_sets import ARKIT, NAMED, VISEMES, expand
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

PROMPT = Prompt("an old man", seed=4, expression="neutral")


@pytest.fixture(scope="module")
def face(models):
    """Points on the front of the mean head, near its anchors."""
    anchors = models.head.anchors(pipeline.recipe_code(PROMPT, models))
    return (
        (anchors[:, None] + np.random.default_rng(0).normal(0, 0.03, (len(anchors), 20, 3))).reshape(-1, 3).astype(np.float32)
    )


def express(models, face, names=(), words=(), prompt=PROMPT):
    return motion.express(prompt, Settings(hair="none"), models, face, names, words)


def test_the_pack_has_all_that_the_sets_promise(models):
    assert set(expand(("named", "arkit", "visemes"))) == {"neutral", *NAMED, *ARKIT, *VISEMES} <= set(models.head.expressions)
    assert (len(NAMED) + 1, len(ARKIT), len(VISEMES)) == (23, 51, 15)


def test_displacements_are_those_of_the_shape_keys(models, face):
    found = express(models, face, ("smile", "jawOpen"))
    keys = models.head.shape_keys(face, pipeline.recipe_code(PROMPT, models).identity, ("smile", "jawOpen"))
    assert found["names"] == ["smile", "jawOpen"]
    np.testing.assert_allclose(found["displacements"], np.stack(list(keys.values())), atol=1e-6)


def test_only_a_head_made_with_an_expression_needs_the_way_back(models, face):
    assert express(models, face, ("neutral", "kiss"))["names"] == ["kiss"]
    smiling = Prompt("an old man", seed=4, expression="smile")
    found = express(models, face, ("neutral", "smile"), prompt=smiling)
    assert found["names"] == ["neutral", "smile"]
    np.testing.assert_allclose(found["displacements"][0], -found["displacements"][1], atol=1e-5)


@pytest.mark.parametrize(
    "words, expected",
    [
        ("jawOpen", {"jawOpen": 1}),
        ("eyes closed", {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}),
        ("smile", {"mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "cheekSquintLeft": 0.35}),
        ("winking with the left eye", {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0}),
        ("neutral", {}),
        (" ", {}),
    ],
)
def test_words_become_the_weights_they_were_made_of(models, face, words, expected):
    (weights,) = express(models, face, words=(words,))["weights"]
    assert set(weights) <= set(ARKIT) and all(0 < weight <= 1 for weight in weights.values())
    for name, weight in expected.items():
        assert weights.get(name, 0) == pytest.approx(weight, abs=0.2)
    if not expected:
        assert not weights


def strength(models, face, words, shape):
    return express(models, face, words=(words,))["weights"][0].get(shape, 0.0)


@pytest.mark.parametrize(
    "shape, rising",
    [
        ("mouthSmileLeft", ("a slight smile", "a smile", "a broad smile")),
        ("mouthSmileRight", ("smiling slightly", "smiling", "smiling broadly")),
        ("jawOpen", ("mouth slightly open", "mouth open", "mouth wide open")),
        ("mouthFrownLeft", ("a little sad", "sad", "very sad")),
    ],
)
def test_words_say_how_strong_an_expression_is(models, face, shape, rising):
    least, plain, most = (strength(models, face, words, shape) for words in rising)
    assert 0.15 < least < 0.6 * plain and plain + 0.1 < most <= 1


def test_a_broad_smile_is_nearly_all_of_it_and_a_slight_one_a_third(models, face):
    assert 0.8 <= strength(models, face, "a broad smile", "mouthSmileLeft") <= 1
    assert strength(models, face, "a slight smile", "mouthSmileLeft") == pytest.approx(0.3, abs=0.05)
    assert strength(models, face, "a smile", "mouthSmileLeft") == pytest.approx(
        strength(models, face, "smile", "mouthSmileLeft"), abs=0.1
    )


@pytest.mark.parametrize(
    "words, plain",
    [
        ("A Broad smile", "A smile"), ("smiling slightly", "smiling"), ("very slightly sad", "sad"),
        ("a hint of a smile", "a smile"), ("wide open mouth", "open mouth"),
    ],
)  # fmt: skip
def test_degrees_are_taken_out_of_the_words(words, plain):
    assert motion.degree(words)[0] == plain and motion.degree(words)[1] != 1


@pytest.mark.parametrize("words", ["smile", "wide eyes", "big eyes", "winking with the left eye", "a little", "very", ""])
def test_other_words_say_no_degree(words):
    assert motion.degree(words) == (words, 1.0)


def test_unknown_names_are_refused(models, face):
    with pytest.raises(ClipHeadError, match="no expression 'grimace'"):
        express(models, face, ("grimace",))
