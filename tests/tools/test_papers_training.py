"""The papers' way of training, from end to end on tiny networks of random weights."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.nets.mapping import Mappers
from cliphead_addon.engine.nets.texture import TextureModel
from cliphead_addon.engine.packs import BUNDLED, open_pack, set_part
from cliphead_addon.engine.stages import HeadMesh, Prompt
from tools.train import caption_blip2, controlnet_uv, pairs_controlnet

import open_clip  # isort: skip  after the engine, which makes these importable beside any torchvision
from diffusers import (  # isort: skip
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer  # isort: skip

SIZE, WIDTH = 32, 8


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Networks of a Stable Diffusion, each as small as it goes."""
    torch.manual_seed(0)
    words = tmp_path_factory.mktemp("tokenizer")
    letters = [chr(c) for c in range(33, 127)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (words / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(words, model_max_length=16)
    config = CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=WIDTH, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=len(tokens) - 2, eos_token_id=len(tokens) - 1, pad_token_id=len(tokens) - 1,
    )  # fmt: skip
    shared = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)
    conditioned = shared | dict(cross_attention_dim=WIDTH, attention_head_dim=2, in_channels=4)
    vae_blocks = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    down = ("DownBlock2D", "CrossAttnDownBlock2D")
    up = ("CrossAttnUpBlock2D", "UpBlock2D")
    return dict(
        vae=AutoencoderKL(**shared, **vae_blocks, latent_channels=4),
        unet=UNet2DConditionModel(**conditioned, sample_size=SIZE // 2, down_block_types=down, up_block_types=up),
        text_encoder=CLIPTextModel(config),
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(prediction_type="v_prediction", clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
    )


@pytest.fixture(scope="module")
def diffusion(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("diffusion")
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def painter(parts, tmp_path_factory):
    """The same with a ControlNet."""
    folder = tmp_path_factory.mktemp("painter")
    net = ControlNetModel.from_unet(parts["unet"], conditioning_embedding_out_channels=(4, 8))
    StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """ARCHITECTURE=FILE of a tiny CLIP."""
    folder = tmp_path_factory.mktemp("clip")
    vision = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    config = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": {"width": 16, "heads": 2, "layers": 1}}
    (folder / "papers-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "papers-clip.json")
    state = open_clip.create_model("papers-clip").state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "clip.safetensors")
    return f"papers-clip={folder / 'clip.safetensors'}"


@pytest.fixture
def textures(tmp_path):
    """Three textures with normal maps and captions."""
    folder, random = tmp_path / "textures", np.random.default_rng(0)
    folder.mkdir()
    rows = []
    for i in range(3):
        for name in (f"{i}.png", f"{i}_normal.png"):
            Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / name)
        rows.append({"image": f"{i}.png", "normal": f"{i}_normal.png", "text": f"a face of man {i}"})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


def words(**options):
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def test_a_controlnet_for_uv_maps_is_trained_resumed_and_painted_with(diffusion, textures, tmp_path):
    out = tmp_path / "out"
    options = words(diffusion=diffusion, data=textures, out=out, steps=2, batch=2, rate=1e-3)
    controlnet_uv.main(options)
    first = ControlNetModel.from_pretrained(out / "controlnet").state_dict()
    assert any(
        value.abs().max() > 0 for name, value in first.items() if name.startswith("controlnet_down")
    )  # these begin at zero
    controlnet_uv.main(options)
    assert torch.load(out / "training.pt", weights_only=True)["steps"] == 4
    model = TextureModel.load(out / "pipeline")
    tokens = np.zeros((16, WIDTH), np.float32)
    normals, covered = np.full((SIZE, SIZE, 3), 128, np.uint8), np.ones((SIZE, SIZE), bool)
    assert model.paint(tokens, tokens, normals, covered, size=SIZE, steps=2).albedo.shape == (SIZE, SIZE, 3)


def test_a_dry_run_of_the_uv_controlnet_writes_nothing(diffusion, textures, tmp_path, capsys):
    controlnet_uv.main([*words(diffusion=diffusion, data=textures, out=tmp_path / "out"), "--dry-run"])
    said = capsys.readouterr().out
    assert "3 textures" in said and "a face of man 0" in said and not (tmp_path / "out").exists()


def test_a_texture_without_its_normal_map_is_named(diffusion, textures):
    (textures / "1_normal.png").unlink()
    with pytest.raises(SystemExit, match="line 2: 1_normal.png is missing"):
        controlnet_uv.main([*words(diffusion=diffusion, data=textures), "--dry-run"])


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """The starter's head model with mappers of its own to come."""
    folder = tmp_path_factory.mktemp("pack") / "papers"
    starter = open_pack(BUNDLED / "starter")
    for part in ("text", "identity", "expression", "expressions", "bases"):
        set_part(folder, part, {"pack": "starter"})
    top = {key: starter.manifest[key] for key in ("version", "license", "credits", "box")}
    return set_part(folder, "bases", {"pack": "starter"}, name="papers", **top)


def test_mappers_learn_from_painted_pictures_and_template_sentences(pack, painter, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs_controlnet, "CHUNK", 2)
    monkeypatch.setattr(pairs_controlnet, "STEPS", 3)
    folder = tmp_path / "pairs"
    own = shutil.copytree(pack.folder, tmp_path / "own")
    shared = words(pack=own, clip=clip, out=folder)
    pairs_controlnet.main(["identity", *shared, *words(diffusion=painter, pairs=3, size=SIZE, resolution=64, steps=1)])
    chunks = sorted(folder.glob("0*.npz"))
    assert [path.name for path in chunks] == ["000000.npz", "000002.npz"]
    with np.load(chunks[0]) as first:
        assert first["embedding"].shape == (2, 12)
        np.testing.assert_array_equal(first["identity"][1], HeadModel.load(pack).random(1).identity)
    pairs_controlnet.main(["expression", *shared, "--prompts", "40"])
    pairs_controlnet.main(["train", *shared])
    code = Mappers.load(open_pack(own)).map(np.full(12, 12**-0.5, np.float32), Prompt("a man", seed=1))
    with np.load(chunks[0]) as first:
        assert code.identity.shape == first["identity"][0].shape and np.isfinite(code.identity).all()
    assert code.expression.shape == (HeadModel.load(pack).expression.config.latent_expression,)


def test_a_dry_run_of_the_pairs_loads_nothing(painter, tmp_path, capsys):
    pairs_controlnet.main(["expression", "--clip", "ViT-L-14=nowhere", "--out", str(tmp_path / "out"), "--dry-run"])
    assert capsys.readouterr().out.count("a face of") == 3 and not (tmp_path / "out").exists()


def test_template_sentences_name_every_expression():
    sentences, said = pairs_controlnet.expression_prompts(["smile", "angry"], 60)
    assert all(sentence.endswith(", " + ("smile", "angry")[i]) for sentence, i in zip(sentences, said, strict=True))
    assert len(set(sentences)) > 40 and any("an old" in s for s in sentences) and not any("a old" in s for s in sentences)


def test_a_wall_that_faces_the_viewer_is_blue():
    corners = np.float32([[-0.2, -0.2, 0], [0.2, -0.2, 0], [0.2, 0.2, 0], [-0.2, 0.2, 0]])
    faces, normals = np.int32([[0, 1, 2], [0, 2, 3]]), np.tile(np.float32([0, 0, 1]), (4, 1))
    mesh = HeadMesh(corners, faces, corners, normals, corners[:0])
    picture = pairs_controlnet.normal_picture(mesh, 16)
    assert (picture[8, 8] == (128, 128, 255)).all()
    right = np.tile(np.float32([1, 0, 0]), (4, 1))
    assert (
        pairs_controlnet.normal_picture(HeadMesh(corners, faces, corners, right, corners[:0]), 16)[8, 8] == (255, 128, 128)
    ).all()


def test_principal_coordinates_describe_the_codes():
    random = np.random.default_rng(0)
    codes = random.normal(size=(50, 3)) @ random.normal(size=(3, 20)) + 5
    mean, basis, coordinates = pairs_controlnet.principal(codes)
    assert basis.shape == (20, 3)
    np.testing.assert_allclose(coordinates @ basis.T + mean, codes, atol=1e-6)
    np.testing.assert_allclose(coordinates.std(0), 1, atol=1e-6)


@pytest.fixture(scope="module")
def blip2(tmp_path_factory):
    """A BLIP-2 of random weights that knows a dozen words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessor,
        PreTrainedTokenizerFast,
    )

    known = ["<pad>", "<s>", "</s>", "<unk>", *"a face of man woman old young with beard hair red and".split()]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(known)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="left"
    )
    layers = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    opt = dict(model_type="opt", vocab_size=len(known), hidden_size=16, word_embed_proj_dim=16, ffn_dim=16, num_hidden_layers=1,
               num_attention_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2)  # fmt: skip
    config = Blip2Config(
        vision_config=layers | {"image_size": 16, "patch_size": 8},
        qformer_config=layers | {"encoder_hidden_size": 16, "vocab_size": len(known)},
        text_config=opt,
        num_query_tokens=4,
    )
    processor = Blip2Processor(BlipImageProcessor(size={"height": 16, "width": 16}), tokenizer, num_query_tokens=4)
    config.image_token_index = config.image_token_id = len(processor.tokenizer) - 1
    torch.manual_seed(0)
    model = Blip2ForConditionalGeneration(config)
    model.resize_token_embeddings(len(processor.tokenizer))
    folder = tmp_path_factory.mktemp("blip2")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_captions_are_written_for_the_pictures_that_have_none(blip2, textures, capsys):
    (textures / "metadata.jsonl").write_text(json.dumps({"image": "0.png", "text": "kept"}) + "\n")
    caption_blip2.main([*words(images=textures, model=blip2), "--dry-run"])
    assert "3 pictures" in capsys.readouterr().out
    caption_blip2.main(words(images=textures, model=blip2, batch=1))
    rows = caption_blip2.written(textures)
    assert [row["image"] for row in rows] == ["0.png", "1.png", "2.png"] and rows[0]["text"] == "kept"
    assert all(row["text"].startswith("a face of") and row["normal"] == f"{i}_normal.png" for i, row in enumerate(rows) if i)
    caption_blip2.main(words(images=textures, model=blip2))
    assert len(caption_blip2.written(textures)) == 3
