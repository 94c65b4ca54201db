"""A text tower learns new words at the end of its vocabulary, and its old features can be held."""

from types import SimpleNamespace

import pytest
import torch

from cliphead_addon.engine.nets.text import TextModel
from tools.train import text as training

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

OLD = ["a man with short black hair", "an old woman with a wide nose", "a man with black hair and a wide nose"] * 2
NEW = OLD + ["a man with a ponytail", "an old woman with a curly ponytail"] * 2


def crowd(texts):
    """What speaks these sentences in turn."""
    rest = iter(texts)
    return SimpleNamespace(example=lambda rng: (0, next(rest)))


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """A small tower with the vocabulary of OLD, and its grown twin with that of NEW: folders."""
    run = tmp_path_factory.mktemp("towers")
    training.start_folder(run / "anchor", crowd(OLD), sentences=len(OLD))
    training.start_folder(run / "tower", crowd(NEW), run / "anchor", sentences=len(NEW))
    for folder, before in (("anchor", None), ("tower", run / "anchor")):
        torch.manual_seed(0)
        open_clip.add_model_config(run / folder / f"{training.NAME}.json")
        model = open_clip.create_model(training.NAME)
        if before:
            model.load_state_dict(training.grown(training.load_file(before / "model.safetensors"), model.vocab_size))
        training.save_file({k: v.contiguous() for k, v in model.state_dict().items()}, run / folder / "model.safetensors")
    return [TextModel.load({"folder": folder}, run) for folder in ("anchor", "tower")]


@pytest.fixture
def keeper(towers):
    return training.Keeper(towers[0], training.Speller(towers[1].tokenizer))


def test_new_words_are_single_tokens_and_old_ones_keep_theirs(towers):
    before, after = towers
    for word in " ".join(OLD).split():
        assert before.tokenizer.encode(word) == after.tokenizer.encode(word)
    assert len(before.tokenizer.encode("ponytail")) > 1 and len(after.tokenizer.encode("ponytail")) == 1
    assert "ponytail" in after.vocabulary.words and "ponytail" not in before.vocabulary.words


def test_a_grown_tower_reads_old_sentences_as_before(towers):
    for one, other in zip(*(tower.encode_many(OLD) for tower in towers), strict=True):
        torch.testing.assert_close(one, other)


def test_the_teacher_of_a_tower_that_did_not_change_has_nothing_to_say(keeper, towers):
    assert keeper.loss(towers[1].model, OLD) < 1e-6


def test_a_new_word_is_held_to_what_the_texture_would_have_read(keeper):
    new, old, place, weight = keeper.places("a man with a curly ponytail")
    spelled = keeper.spell_before
    assert old[:6] == spelled("a man with a hair")[:6]  # no "curly", and a hairdo is hair
    assert place[:8] == [0, 1, 2, 3, 4, 4, 5, 6] and place[8:] == list(range(8, 77))
    assert weight[7] == training.CHANGED_END and weight[6] == 1 and weight[8] == training.PADDING
    assert len(new) == len(old) == len(place) == len(weight) == 77


def test_sentences_without_new_words_keep_every_place(keeper):
    _, old, place, weight = keeper.places("an old woman with a wide nose")
    assert place == list(range(77)) and min(weight) == training.PADDING
    assert old == keeper.spell_before("an old woman with a wide nose") + [0] * 68
