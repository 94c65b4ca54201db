"""Networks for another CLIP: they say what the pack's own networks say, from the other tower's embeddings."""

import gzip
import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cliphead_addon.engine import adapt
from cliphead_addon.engine.errors import Cancelled, PackError
from cliphead_addon.engine.nets.mapping import AMOUNTS, Mapper, Mappers, hair_features
from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.packs import BUNDLED, open_pack, set_part

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

C, D, H, I, W, X = 8, 6, 3, 10, 4, 5  # embedding, shape parameters, hair styles, latent and expression widths
SENTENCES = [
    f"a {age} {noun} with {hair} hair" for age in ("young", "old") for noun in ("man", "woman") for hair in ("red", "no")
]
WORDS = sorted({word for sentence in SENTENCES for word in sentence.split()})


def mappers_arrays():
    torch.manual_seed(1)
    networks = {"identity": Mapper(C, 2 * D, 48), "expression": Mapper(C, W, 48), "hair": Mapper(C + D, H + 2 * AMOUNTS, 48)}
    arrays = {f"{name}.{key}": value * 1.5 for name, net in networks.items() for key, value in net.state_dict().items()}
    shapes = {"identity_basis": (I, D), "identity_mean": (I,), "expression_basis": (X, W), "expression_mean": (X,)}
    arrays["identity_spread"] = torch.tensor(1.5)
    shapes |= {"neutral": (X,), "hair_basis": (H, 1 + AMOUNTS, I)}
    return {name: value.clone() for name, value in (arrays | {n: torch.randn(s) for n, s in shapes.items()}).items()}


@pytest.fixture(scope="module")
def teacher():
    return Mappers({name: value.numpy() for name, value in mappers_arrays().items()})


@pytest.fixture(scope="module")
def embeddings():
    """The same 400 meanings as two towers put them: the other one wider, turned, and around a direction of its own."""
    random = torch.Generator().manual_seed(2)
    ours = torch.nn.functional.normalize(torch.randn(400, C, generator=random), dim=-1)
    theirs = 0.2 * ours @ torch.linalg.qr(torch.randn(12, 12, generator=random))[0][:C]
    return ours, torch.nn.functional.normalize(theirs + torch.ones(12), dim=-1)


@pytest.fixture(scope="module")
def student(teacher, embeddings):
    torch.manual_seed(3)
    student = adapt.Student(teacher, embeddings[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapt, "STEPS", 400)
        patch.setattr(adapt, "RATE", 4e-3)
        student.learn(*(part[:350] for part in embeddings), 600, lambda stage, fraction: None)
    return student


def test_the_student_says_what_the_teacher_says(student, teacher, embeddings):
    new = Mappers({name: value.float().numpy() for name, value in student.arrays().items()})
    said = np.array([teacher.shape(e.numpy())[0] for e in embeddings[0]])
    found = np.array([new.shape(e.numpy())[0] for e in embeddings[1][350:]])
    assert new.identity_spread == teacher.identity_spread
    assert np.square(found - said[350:]).mean() < 0.4 * said.var(0).mean()
    faces = [np.stack([m.expression(e.numpy()) for e in part]) for m, part in zip((teacher, new), embeddings, strict=True)]
    assert np.square(faces[0] - faces[1])[350:].mean() < 0.4 * faces[0].var(0).mean()


def test_the_arrays_hold_the_networks_as_they_were_trained(student, embeddings):
    new = Mappers({name: value.float().numpy() for name, value in student.arrays().items()})
    some, shape = embeddings[1][:5], torch.randn(5, D)
    features = student.features(some)
    with torch.no_grad():
        torch.testing.assert_close(new._identity(some), student.identity(features), atol=0.02, rtol=0.02)
        expected = student.hair(torch.cat([features, shape], dim=-1))
        torch.testing.assert_close(new._hair(hair_features(some, shape)), expected, atol=0.03, rtol=0.02)


def test_divergence_is_zero_for_the_same_and_right_for_another():
    zero, one = torch.zeros(3), torch.ones(3)
    assert adapt.divergence(zero, zero, zero, zero).abs().max() == 0
    torch.testing.assert_close(adapt.divergence(zero, zero, one, zero), 0.5 * one)
    both = torch.distributions.Normal(zero, one), torch.distributions.Normal(one, 2 * one)
    torch.testing.assert_close(adapt.divergence(zero, zero, one, torch.log(2 * one)), torch.distributions.kl_divergence(*both))


def write_clip(folder, name, vocab, embed, width):
    vision = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    text = {"context_length": 32, "vocab_size": vocab, "width": width, "heads": 2, "layers": 1}
    (folder / f"{name}.json").write_text(json.dumps({"embed_dim": embed, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(name)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
    return model


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack with words, mappers and captions, and nothing else."""
    folder = tmp_path_factory.mktemp("adapt") / "small"
    (folder / "text").mkdir(parents=True)
    (folder / "text/vocabulary.txt.gz").write_bytes(gzip.compress(b"#version: 0.2\na n</w>", mtime=0))
    (folder / "text/words.txt").write_text("\n".join(WORDS))
    write_clip(folder / "text", "adapt-own", 515, C, 16)
    save_file(mappers_arrays(), folder / "mappers.safetensors")
    (folder / "captions.txt.gz").write_bytes(gzip.compress("\n".join(SENTENCES).encode(), mtime=0))
    set_part(folder, "text", {"folder": "text"})
    set_part(folder, "captions", {"file": "captions.txt.gz"})
    box = {"low": [-1.0, -1.0, -1.0], "high": [1.0, 1.0, 1.0]}
    top = {"name": "small", "version": "1", "license": "CC0-1.0", "credits": ["us"], "box": box}
    return set_part(folder, "mappers", {"file": "mappers.safetensors"}, **top)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    return write_clip(folder, "adapt-other", 49408, 24, 32), folder / "model.safetensors"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(adapt, "STEPS", 20)


def test_an_adapted_pack_reads_with_the_other_tower(pack, other, quick, tmp_path):
    told = []
    adapted = adapt.adapt(pack.folder, "adapt-other", other[1], tmp_path / "new", progress=lambda *step: told.append(step))
    text = TextModel.load(adapted.part("text"))
    with torch.no_grad():
        expected = other[0].encode_text(open_clip.get_tokenizer("adapt-other")(SENTENCES[:2]), normalize=True)
    torch.testing.assert_close(text.embeddings(SENTENCES[:2]), expected, atol=2e-3, rtol=0)
    assert Mappers.load(adapted).embedding_width == 24
    assert TextModel.load(adapted.part("texture_text")).vocabulary.words == frozenset(WORDS)
    assert "adapt-other" in adapted.name and {stage for stage, _ in told} >= {
        "Reading captions",
        "Training the mapping networks",
    }
    with pytest.raises(PackError, match="reads with adapt-other already"):
        adapt.adapt(adapted.folder, "adapt-other", other[1], tmp_path / "again")


def test_a_second_adaption_takes_the_place_of_the_first(pack, other, quick, tmp_path):
    for _ in range(2):
        adapt.adapt(pack.folder, "adapt-other", other[1], tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_stopping_leaves_nothing_behind(pack, other, quick, tmp_path):
    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        adapt.adapt(pack.folder, "adapt-other", other[1], tmp_path / "new", progress=stop)
    assert not list(tmp_path.iterdir())


def test_other_files_are_not_replaced(pack, other, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(PackError, match="holds other files"):
        adapt.adapt(pack.folder, "adapt-other", other[1], tmp_path)


def test_a_pack_whose_parts_are_borrowed_must_be_beside_the_lender(other, tmp_path):
    mine = tmp_path / "packs/mine"
    shutil.copytree(BUNDLED / "starter", mine)
    with pytest.raises(PackError, match="beside"):
        adapt.adapt(mine, "adapt-other", other[1], tmp_path / "new")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.promise
def test_weights_that_would_run_code_are_refused(pack, tmp_path):
    (tmp_path / "bomb.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded"), protocol=2))
    with pytest.raises(PackError, match="without running code"):
        adapt.adapt(pack.folder, "adapt-other", tmp_path / "bomb.pt", tmp_path / "new")
    assert not (tmp_path / "exploded").exists()


def test_a_model_that_nobody_knows_is_named(pack, other, tmp_path):
    with pytest.raises(PackError, match="adapt-unheard-of"):
        adapt.adapt(pack.folder, "adapt-unheard-of", other[1], tmp_path / "new")


def test_a_pack_without_captions_is_told_so(pack, other, tmp_path):
    bare = pack.folder.parent / "bare"
    bare.mkdir()
    top = {key: pack.manifest[key] for key in ("name", "version", "license", "credits", "box")}
    set_part(bare, "text", {"pack": "small"}, **top)
    with pytest.raises(PackError, match="no captions to learn from"):
        adapt.adapt(bare, "adapt-other", other[1], tmp_path / "new")


def test_the_starter_pack_has_captions():
    sentences = adapt.captions(open_pack("starter"))
    assert len(set(sentences)) == len(sentences) >= 5000 and all(sentences)
