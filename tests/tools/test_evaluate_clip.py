"""The CLIP score against another library's CLIP with the same weights, and what its pictures show."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.settings import Settings
from tests import fake_engine
from tools import evaluate_clip
from tools.evaluate_clip import Judge, picture, ranks

import open_clip  # isort: skip  after evaluate_clip, which makes it importable beside any torchvision

WIDTH, SENTENCES = 32, ["a face of an old man", "a face of a zombie", "a clown"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny CLIP of open_clip's, on disk."""
    folder = tmp_path_factory.mktemp("clip")
    vision = {"image_size": 32, "layers": 2, "width": WIDTH, "head_width": 16, "patch_size": 8}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": {"width": WIDTH, "heads": 2, "layers": 2}}
    (folder / "tiny-judge.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "tiny-judge.json")
    torch.manual_seed(0)
    state = {
        name: tensor + 0.05 * torch.randn(tensor.shape)
        for name, tensor in open_clip.create_model("tiny-judge").state_dict().items()
    }
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


def of_transformers(state):
    """The same network in transformers' classes."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    layers = dict(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu")
    text = CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, eos_token_id=49407, bos_token_id=49406, **layers)
    vision = CLIPVisionConfig(image_size=32, patch_size=8, **layers)
    model = CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16))
    new = {"logit_scale": state["logit_scale"], "text_projection.weight": state["text_projection"].T}
    new["visual_projection.weight"] = state["visual.proj"].T
    new["text_model.embeddings.token_embedding.weight"] = state["token_embedding.weight"]
    new["text_model.embeddings.position_embedding.weight"] = state["positional_embedding"]
    new["vision_model.embeddings.class_embedding"] = state["visual.class_embedding"]
    new["vision_model.embeddings.patch_embedding.weight"] = state["visual.conv1.weight"]
    new["vision_model.embeddings.position_embedding.weight"] = state["visual.positional_embedding"]
    norms = {"text_model.final_layer_norm": "ln_final", "vision_model.pre_layrnorm": "visual.ln_pre"}
    norms["vision_model.post_layernorm"] = "visual.ln_post"
    for theirs, ours, tower in (("text_model", "transformer", 2), ("vision_model", "visual.transformer", 2)):
        for i in range(tower):
            here, there = f"{ours}.resblocks.{i}", f"{theirs}.encoder.layers.{i}"
            norms |= {f"{there}.layer_norm1": f"{here}.ln_1", f"{there}.layer_norm2": f"{here}.ln_2"}
            norms |= {f"{there}.mlp.fc1": f"{here}.mlp.c_fc", f"{there}.mlp.fc2": f"{here}.mlp.c_proj"}
            norms[f"{there}.self_attn.out_proj"] = f"{here}.attn.out_proj"
            for kind in ("weight", "bias"):
                parts = state[f"{here}.attn.in_proj_{kind}"].chunk(3)
                new |= {f"{there}.self_attn.{p}_proj.{kind}": part for p, part in zip("qkv", parts, strict=True)}
    new |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for theirs, ours in norms.items() for kind in ("weight", "bias")}
    missing, unexpected = model.load_state_dict(new, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)
    return model.eval()


def test_the_score_is_that_of_another_implementation(weights):
    judge = Judge.load(None, f"tiny-judge={weights}")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    peer = of_transformers(judge.text.model.state_dict())
    mean, deviation = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    small = [np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.BICUBIC)) for p in pictures]
    pixels = torch.tensor((np.stack(small) / 255 - mean) / deviation).permute(0, 3, 1, 2).float()
    ids = open_clip.tokenize(SENTENCES)
    with torch.no_grad():
        out = peer(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids))
    one, other = out.image_embeds.numpy(), out.text_embeds.numpy()
    expected = [a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(judge.scores(pictures, SENTENCES), expected, atol=2e-5)
    assert np.ptp(expected) > 1e-3  # three different pairs


def test_a_model_without_weights_is_refused():
    with pytest.raises(PackError, match="ARCHITECTURE=FILE"):
        Judge.load(None, "ViT-B-16")


def test_ranks_count_the_better_sentences():
    images = torch.eye(3)
    sentences = torch.tensor([[0.9, 0.1, 0.0], [0.95, 0.2, 0.0], [0.0, 0.5, 0.4]])
    assert ranks(images, sentences).tolist() == [1, 1, 0]


@pytest.fixture(scope="module")
def head():
    prompt = SimpleNamespace(text="curls")
    mesh, seam, boundary, uv = fake_engine.ellipsoid(24, 48)
    hairy = fake_engine.with_hair(mesh, prompt)
    textures = SimpleNamespace(albedo=fake_engine.texture(256).albedo, hair_colour=fake_engine.HAIR_COLOUR)
    return SimpleNamespace(unwrapped=SimpleNamespace(mesh=mesh, uv=uv), textures=textures, hairy=hairy)


def test_a_picture_shows_the_head_from_the_front_on_white(head):
    front = picture(head, 0.0, 64)
    assert (front[0, 0] == 255).all() and (front[32, 32] < 250).any()
    np.testing.assert_array_equal((front < 255).any(-1), (front[:, ::-1] < 255).any(-1))  # an ellipsoid is symmetric
    eyes = front[22:42].astype(int).sum(-1)
    assert eyes[:, 20:44].min() < 260  # dark eyes or mouth


def test_a_positive_yaw_turns_the_face_to_the_right_of_the_picture(head):
    def dark(image):
        return np.argwhere(image.astype(int).sum(-1) < 330)[:, 1].mean()

    assert dark(picture(head, 20.0, 64)) > dark(picture(head, 0.0, 64)) + 2 > dark(picture(head, -20.0, 64)) + 4


def test_hair_has_its_own_colour(head):
    hairy = SimpleNamespace(unwrapped=SimpleNamespace(mesh=head.hairy, uv=head.unwrapped.uv), textures=head.textures)
    top = picture(hairy, 0.0, 64)[12, 32].astype(float)
    assert top[0] > 1.5 * top[1] > 2 * top[2] > 0  # brown, as HAIR_COLOUR


def test_the_protocol_is_complete():
    assert len(set(evaluate_clip.PROMPTS)) == 30 and evaluate_clip.TEMPLATE.format("x") == "a face of x"
    assert Settings().steps == 12  # the document names the default settings


def test_a_judge_reads_the_words_that_its_tower_knows():
    seen = []
    text = SimpleNamespace(
        vocabulary=SimpleNamespace(read=lambda sentence: (sentence.replace(" zyzzyva", ""),)),
        encode_many=lambda sentences: (seen.extend(sentences), (torch.ones(len(sentences), 2),) * 2)[1],
        model=SimpleNamespace(visual=SimpleNamespace(image_size=16)),
    )
    Judge("small", text).sentences(["a zyzzyva man"])
    assert seen == ["a man"]
