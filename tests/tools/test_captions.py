"""Sentences speak of what is there, and say what they speak of."""

from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine.nets.text import normalise
from tools.studio import captions, vocabulary
from tools.studio.look import BEARDS, HAIR_COLOURS, LIPS, MAKE_UPS, SCALPS, STYLES, Look
from tools.studio.people import OPPOSITES, Person

LOOK = Look(
    tone=0.9, eyes=0, hair=0, scalp=2, beard=0, lips=0, make_up=0, style=0, brow_density=0.7, redness=0.3, freckles=0.0,
    wrinkles=0.2, seed=1,
)  # fmt: skip
PLAIN = dict.fromkeys(captions.MEASURES, 0.0)
PERSON = Person(1, 1.0, 45.0, {"caucasian": 0.8, "asian": 0.1, "african": 0.1}, {}, np.zeros(100))


def sentences(person=PERSON, measures=PLAIN, look=LOOK, expression="neutral", count=600):
    rng = np.random.default_rng(0)
    return [captions.describe(person, measures, look, expression, rng) for _ in range(count)]


def said(word, found):
    return [text for text, _ in found if word in normalise(text).split()]


def test_the_same_generator_gives_the_same_sentence():
    assert sentences(count=20) == sentences(count=20)


def test_sentences_are_many_short_mostly_and_sometimes_empty():
    texts = [text for text, _ in sentences()]
    assert len(set(texts)) > 350
    assert "" in texts
    assert 3 < np.median([len(normalise(text).split()) for text in texts]) < 20


def test_a_man_is_never_called_a_woman():
    found = sentences()
    assert not any(said(word, found) for word in ("woman", "she", "her", "lady", "girl"))
    assert said("man", found)
    assert all("gender" in topics for text, topics in found if "man" in text.split())


@pytest.mark.parametrize(
    ("age", "yes", "no"), [(10.0, "child", "elderly"), (22.0, "young", "elderly"), (80.0, "elderly", "young")]
)
def test_age_words_follow_the_age(age, yes, no):
    found = sentences(replace(PERSON, age=age, gender=0.0))
    assert said(yes, found) and not said(no, found)
    assert all("age" in topics for text, topics in found if yes in text.split())


def test_numbers_give_the_age_or_its_decade():
    texts = [text for text, _ in sentences()]
    assert any("45 year" in text for text in texts) and any("forties" in text for text in texts)
    assert not any("fifties" in text for text in texts)


def test_a_wide_nose_is_named_wide_only_when_it_is():
    wide = sentences(measures=PLAIN | {"nose width": 1.4})
    narrow = sentences(measures=PLAIN | {"nose width": -1.4})
    assert any("wide nose" in text for text, _ in wide) and not any("narrow nose" in text for text, _ in wide)
    assert any("narrow nose" in text for text, _ in narrow) and not any("wide nose" in text for text, _ in narrow)
    assert all("nose width" in topics for text, topics in wide if "wide nose" in text)


def test_a_persons_own_word_is_not_said_when_the_measure_disagrees():
    person = replace(PERSON, local={"wide nose": 0.9})
    assert any("nostrils" in text for text, _ in sentences(person, PLAIN | {"nose width": 1.0}, count=1500))
    assert not any("nostrils" in text for text, _ in sentences(person, PLAIN | {"nose width": -1.0}, count=1500))


def test_the_heavy_and_the_thin():
    assert said("fat", sentences(replace(PERSON, local={"heavy": 0.8})))
    assert said("skinny", sentences(replace(PERSON, local={"thin": 0.8}), count=1500))
    assert not said("fat", sentences())


def test_beards_are_said_and_denied():
    full = sentences(look=replace(LOOK, beard=BEARDS.index("full beard")))
    none = [text for text, _ in sentences(count=1500)]
    assert any("bearded" in text for text, _ in full) and not any("no beard" in text for text, _ in full)
    assert any("no beard" in text or "without a beard" in text for text in none)


def test_the_bald_have_no_hair_colour():
    found = sentences(look=replace(LOOK, scalp=SCALPS.index("bald")))
    assert any("bald" in text for text, _ in found)
    assert not any("hair" in topics for _, topics in found)
    assert any("black hair" in text for text, _ in sentences(look=replace(LOOK, hair=HAIR_COLOURS.index("black"))))


@pytest.mark.parametrize("name", ["clown", "gothic"])
def test_striking_make_up_is_always_said(name):
    found = sentences(look=replace(LOOK, make_up=MAKE_UPS.index(name)))
    assert all("make-up" in topics for _, topics in found)


def test_a_mans_lipstick_is_always_said():
    assert all("lips" in topics for _, topics in sentences(look=replace(LOOK, lips=LIPS.index("red lipstick"))))


@pytest.mark.parametrize("style", STYLES[1:])
def test_a_style_is_always_said(style):
    found = sentences(look=replace(LOOK, style=STYLES.index(style)), count=300)
    plain = {text for text, _ in sentences(count=300)}
    assert not plain & {text for text, _ in found}


@pytest.mark.parametrize("name", captions.NAMES[1:])
def test_an_expression_is_always_said(name):
    found = sentences(expression=name, count=200)
    states, phrases = vocabulary.EXPRESSIONS[name]
    for text, topics in found:
        assert any(set(_bare(words.replace("{his}", ""))) <= set(_bare(text)) for words in f"{states}|{phrases}".split("|")), (
            text
        )
        assert "expression" in topics


def _bare(text):
    return [word for word in normalise(text).split() if word not in ("a", "an", "the", "his", "her")]


def test_strength_of_an_expression_is_said():
    strong = " ".join(text for text, _ in sentences(expression={"smile": 1.2}))
    weak = " ".join(text for text, _ in sentences(expression={"smile": 0.55}))
    assert "slightly smiling" in weak and "slightly smiling" not in strong
    assert "very happy" in strong and "very happy" not in weak


def test_parameters_follow_the_layout():
    look = replace(LOOK, eyes=3, style=2)
    row = captions.parameters(replace(PERSON, local={"small nose": 0.5}), PLAIN | {"ear size": 1.5}, look, {"smile": 0.5})
    assert row.shape == (captions.PARAMETERS,)
    assert row[captions.SLICES["gender"]] == 1
    assert row[captions.SLICES["ear size"]] == 1.5
    assert row[captions.SLICES["big nose"]] == -1
    assert row[captions.SLICES["eyes"]].argmax() == 3 and row[captions.SLICES["style"]].argmax() == 2
    assert row[captions.SLICES["expression"]][captions.NAMES.index("smile")] == 0.5


def test_the_mask_covers_exactly_the_topics():
    row = captions.mask({"gender", "eyes"})
    assert row.sum() == 1 + captions.LAYOUT["eyes"]
    assert row[captions.SLICES["gender"]].all() and row[captions.SLICES["eyes"]].all()


def test_tables_know_only_words_that_people_have():
    words = {word for pair in OPPOSITES for word in pair if word}
    assert set(vocabulary.LOCAL) | {"heavy", "thin"} == words
    assert set(vocabulary.AGREES) <= words


@pytest.mark.parametrize("mark", ("moles", "veins", "scars"))
def test_marks_of_the_skin_are_said_when_there(mark):
    found = sentences(look=replace(LOOK, **{mark: 0.8}), count=1500)
    assert any(mark in topics for _, topics in found)
    assert not any(mark in topics for _, topics in sentences(count=1500))


def test_hair_and_eye_colours_are_not_said_of_stone():
    found = sentences(look=replace(LOOK, style=STYLES.index("wood")))
    assert not any({"hair", "eyes"} & topics for _, topics in found)


def test_brow_shapes_are_said():
    found = sentences(look=replace(LOOK, brow_shape=5), count=1500)
    assert any("unibrow" in text and "brow shape" in topics for text, topics in found)
