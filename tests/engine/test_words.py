"""What the starter pack's text tower makes of synonyms, word order, negation and several attributes at once."""

import pytest

from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.packs import open_pack


@pytest.fixture(scope="module")
def text():
    return TextModel.load(open_pack("starter").part("text"))


def apart(text, one, other):
    """One less the cosine between two sentences' embeddings."""
    return 1 - float(text.encode(one).embedding @ text.encode(other).embedding)


@pytest.mark.parametrize(
    "said, same, different",
    [
        ("a fat man", "a chubby man", "a skinny man"),
        ("an old woman", "an elderly lady", "a young woman"),
        ("a man with a beard", "a bearded guy", "a clean shaven man"),
        ("a happy woman", "a smiling woman", "an angry woman"),
        ("a bald man", "a man without hair", "a man with long hair"),
        ("a man with blond hair", "a blonde haired man", "a man with black hair"),
        ("a zombie", "an undead man", "a marble statue of a man"),
    ],
)
def test_synonyms_lie_nearer_than_opposites(text, said, same, different):
    assert apart(text, said, same) < 0.7 * apart(text, said, different)


@pytest.mark.parametrize(
    "denied, absent, present",
    [
        ("a man without a beard", "a clean shaven man", "a man with a full beard"),
        ("a man with no beard", "a clean shaven man", "a bearded man"),
        ("a woman without make up", "a woman not wearing make up", "a woman with eye shadow"),
        ("a man who is not smiling", "a man with a neutral expression", "a man, smiling"),
    ],
)
def test_what_is_denied_is_not_there(text, denied, absent, present):
    assert apart(text, denied, absent) < 0.7 * apart(text, denied, present)


def test_word_order_says_which_thing_is_which(text):
    said, other = "a man with a wide nose and thin lips", "a man with a thin nose and wide lips"
    assert apart(text, said, "a man with thin lips and a wide nose") < 0.7 * apart(text, said, other)


def test_order_of_phrases_hardly_matters(text):
    said, shuffled = "an old african man with a beard, laughing", "laughing, african, a beard, old man"
    assert apart(text, said, shuffled) < 0.3 * apart(text, said, "an old african woman, laughing")


def test_every_attribute_of_several_counts(text):
    whole = "an old asian woman with red hair and full lips, angry"
    changed = (
        "a young asian woman with red hair and full lips, angry",
        "an old african woman with red hair and full lips, angry",
        "an old asian man with red hair and full lips, angry",
        "an old asian woman with white hair and full lips, angry",
        "an old asian woman with red hair and thin lips, angry",
        "an old asian woman with red hair and full lips, happy",
    )
    assert min(apart(text, whole, other) for other in changed) > 0.01


def test_unknown_words_are_named_and_change_nothing(text):
    features = text.encode("an old man with a flummoxle")
    assert [word for word, _ in features.unknown] == ["flummoxle"] and "flummoxle" in features.warnings[0]
    assert apart(text, "an old man with a flummoxle", "an old man") < 0.02
