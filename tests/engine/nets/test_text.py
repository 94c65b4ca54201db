"""Reading prompts: what is understood, what is reported, what is refused. The model is tiny and untrained."""

import gzip
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cliphead_addon.engine.errors import PackError, PromptError
from cliphead_addon.engine.nets.text import TextModel, Vocabulary, clean, normalise

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

WORDS = "a an and beard chin face grinning laughing lips long man nose old with without wide woman year".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    merges = [("m", "a"), ("ma", "n</w>"), ("o", "l"), ("ol", "d</w>")]
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "vocabulary.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    (folder / "words.txt").write_text("\n".join(WORDS), "utf-8")
    vision = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    text = {"context_length": 32, "vocab_size": 512 + len(merges) + 2, "width": 24, "heads": 2, "layers": 1}
    (folder / "tiny-text-model.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / "tiny-text-model.json")
    torch.manual_seed(0)
    state = open_clip.create_model("tiny-text-model").state_dict()
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return TextModel.load({"folder": "."}, folder)


def test_features_have_the_models_widths_and_unit_length(model):
    features = model.encode("an old man, laughing")
    assert features.tokens.shape == (32, 24)
    assert np.linalg.norm(features.embedding) == pytest.approx(1, abs=1e-5)
    assert features.unknown == () and features.warnings == ()


def test_the_embedding_is_open_clips_own(model, folder):
    reference = open_clip.create_model("tiny-text-model", pretrained=str(folder / "model.safetensors"))
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(folder / "vocabulary.txt.gz"), context_length=32)
    with torch.no_grad():
        expected = reference.encode_text(tokenizer("an old man , laughing"), normalize=True)[0]
    np.testing.assert_allclose(model.encode("An OLD man, laughing!").embedding, expected, atol=1e-6)


def test_the_last_token_projects_to_the_embedding(model):
    features = model.encode("an old man")
    end = len(model.tokenizer.encode("an old man")) + 1
    projected = features.tokens[end] @ model.model.text_projection.numpy()
    np.testing.assert_allclose(projected / np.linalg.norm(projected), features.embedding, atol=1e-5)


@pytest.mark.parametrize("prompt", ["", "   \n\t ", "\x00\x01\x02", "\u200b\u202e"])
def test_nothing_to_read_is_refused_with_an_example(model, prompt):
    with pytest.raises(PromptError, match="for example") as caught:
        model.encode(prompt)
    assert caught.value.code == "BAD_PROMPT"


@pytest.mark.parametrize("prompt", ["xylophone", "مرحبا بالعالم", "זקן שמח", "你好", "🚀🚀"])
def test_a_prompt_without_one_known_word_is_refused(model, prompt):
    with pytest.raises(PromptError, match="None of this was understood"):
        model.encode(prompt)


def test_an_optional_text_may_be_empty_or_unknown(model):
    nothing = model.encode("", required=False)
    assert np.isfinite(nothing.embedding).all()
    np.testing.assert_array_equal(model.encode("xylophone", required=False).embedding, nothing.embedding)


def test_control_characters_are_left_out_and_told(model):
    features = model.encode("an old\x07 man\x00")
    np.testing.assert_array_equal(features.embedding, model.encode("an old man").embedding)
    assert "2 control or invisible characters" in features.warnings[0]


def test_a_misspelt_word_is_put_right_and_told(model):
    features = model.encode("a man, lauhging")
    assert features.unknown == (("lauhging", "laughing"),)
    assert '"lauhging" was read as "laughing"' in features.warnings[0]
    np.testing.assert_array_equal(features.embedding, model.encode("a man, laughing").embedding)


def test_an_unknown_word_is_left_out_and_told(model):
    features = model.encode("a zyzzyva man")
    assert features.unknown[0][0] == "zyzzyva"
    assert "zyzzyva" in features.warnings[0] and "left out" in features.warnings[0]
    np.testing.assert_array_equal(features.embedding, model.encode("a man").embedding)


def test_an_emoji_is_read_by_its_name(model):
    assert normalise("a man 😀") == "a man grinning face"
    np.testing.assert_array_equal(model.encode("a man 😀").embedding, model.encode("a man grinning face").embedding)


def test_a_right_to_left_word_beside_english_is_told(model):
    features = model.encode("an old man سعيد")
    assert features.unknown[0][0] == "سعيد"
    np.testing.assert_array_equal(features.embedding, model.encode("an old man").embedding)


def test_little_words_are_not_reported(model):
    assert model.encode("please make me the man that is old").warnings == ()


def test_two_thousand_words_are_cut_to_the_context_and_told(model):
    features = model.encode("old man " * 1000)
    assert "2000 words" in features.warnings[0]
    np.testing.assert_array_equal(features.embedding, model.encode("old man " * 15).embedding)


def test_clean_counts_what_it_removes():
    assert clean("a\x00b\u200b") == ("ab", 2)
    assert clean("man\nold") == ("man , old", 0)
    assert clean("👩‍🦰")[1] == 0  # joiners inside an emoji are no trick


def test_other_forms_of_a_known_word_are_understood_silently():
    read, understood, unknown, dropped = Vocabulary(WORDS).read("Two noses, the man's long-nosed face; 70-year-old")
    assert "nose" in read.split() and "70 year old" in read
    assert {word for word, _ in unknown} == {"two"} and dropped == ("two",)
    assert understood >= 6


def test_a_vocabulary_of_another_size_is_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "vocabulary.txt.gz").write_bytes(gzip.compress(b"#version: 0.2\na b", mtime=0))
    with pytest.raises(PackError, match="518 tokens but its vocabulary 515"):
        TextModel.load({"folder": "."}, tmp_path)


def test_any_model_of_open_clip_loads_from_a_local_file(folder):
    vision = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": {"width": 32, "heads": 2, "layers": 1}}
    path = folder.parent / "another-model.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    weights = folder.parent / "another.safetensors"
    save_file({n: t.contiguous() for n, t in open_clip.create_model("another-model").state_dict().items()}, weights)
    model = TextModel.load({"architecture": "another-model", "file": weights})
    features = model.encode("a zyzzyva man")
    assert features.tokens.shape == (77, 32) and features.unknown == ()
    some = ["a man", "an old woman with a very long nose and no beard at all"]
    torch.testing.assert_close(model.embeddings(some), model.encode_many(some)[0])  # without the padding, yet the same


def test_a_model_on_a_hub_needs_permission():
    with pytest.raises(PackError, match="network access is off"):
        TextModel.load({"architecture": "ViT-B-32", "weights": "openai"})
