import json
import shutil
import sys

import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import Cancelled, PackError
from cliphead_addon.engine.nets.texture import PADDING, TextureModel, equalise_seam, seam_pairs
from cliphead_addon.engine.nets.upscale import CompactUpscaler, Upscaler

from diffusers import (  # isort: skip  after nets.texture, which makes it importable beside any torchvision
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    UNet2DConditionModel,
)

SIZE = 32  # px of the tiny pipeline
RANDOM = np.random.default_rng(0)
TOKENS, EMPTY = RANDOM.normal(size=(2, 5, 8)).astype(np.float32)
NORMALS = RANDOM.integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole pipeline of random weights in diffusers' folder format."""
    torch.manual_seed(0)
    shared = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)
    conditioned = shared | dict(cross_attention_dim=8, attention_head_dim=2, in_channels=4)
    down = ("DownBlock2D", "CrossAttnDownBlock2D")
    vae_blocks = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    pipeline = StableDiffusionControlNetPipeline(
        vae=AutoencoderKL(**shared, **vae_blocks, latent_channels=4),
        unet=UNet2DConditionModel(
            **conditioned, sample_size=SIZE // 2, down_block_types=down, up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")
        ),
        controlnet=ControlNetModel(**conditioned, down_block_types=down, conditioning_embedding_out_channels=(4, 8)),
        scheduler=DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"),
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    folder = tmp_path_factory.mktemp("texture")
    pipeline.to(torch.float16).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return TextureModel.load(folder)


def paint(model, size=SIZE, **choices):
    coverage = np.zeros((size, size), bool)
    coverage[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = True
    return model.paint(TOKENS, EMPTY, NORMALS, coverage, size=size, **{"steps": 2} | choices).albedo


def test_paints_the_wanted_size_and_pads_the_island(model):
    image = paint(model)
    assert image.shape == (SIZE, SIZE, 3) and image.dtype == np.uint8
    low = SIZE // 4
    np.testing.assert_array_equal(image[low - PADDING : low, SIZE // 2], np.broadcast_to(image[low, SIZE // 2], (PADDING, 3)))


def test_the_upscaler_brings_larger_sizes(model):
    network = CompactUpscaler(4, 1, 2)
    torch.nn.init.zeros_(network.body[-1].weight)
    torch.nn.init.zeros_(network.body[-1].bias)
    large = paint(TextureModel(model.pipeline, Upscaler(network)), size=4 * SIZE)
    middle = large[SIZE : 3 * SIZE, SIZE : 3 * SIZE]
    np.testing.assert_array_equal(middle, middle[::4, ::4].repeat(4, 0).repeat(4, 1))


def test_an_upscaler_that_knows_more_gives_roughness_and_relief(model):
    network = CompactUpscaler(4, 1, 2, outputs=5)
    torch.nn.init.zeros_(network.body[-1].weight)
    torch.nn.init.constant_(network.body[-1].bias, 0.5)
    whole = np.ones((SIZE, SIZE), bool)
    made = TextureModel(model.pipeline, Upscaler(network)).paint(TOKENS, EMPTY, NORMALS, whole, size=SIZE, steps=1)
    assert made.roughness.dtype == np.uint8 and made.relief.dtype == np.uint16
    assert set(made.roughness.ravel()) == {128} and set(made.relief.ravel()) == {32768}
    assert model.paint(TOKENS, EMPTY, NORMALS, whole, size=SIZE, steps=1).relief is None


def test_a_seed_gives_one_texture_and_another_seed_another(model):
    np.testing.assert_array_equal(paint(model, seed=5), paint(model, seed=5))
    assert (paint(model, seed=5) != paint(model, seed=6)).any()


def test_words_guide_and_guidance_of_one_ignores_the_negative(model):
    coverage = np.ones((SIZE, SIZE), bool)

    def once(negative, guidance):
        return model.paint(TOKENS, negative, NORMALS, coverage, size=SIZE, steps=2, guidance=guidance).albedo

    np.testing.assert_array_equal(once(EMPTY, 1.0), once(-EMPTY, 1.0))
    assert (once(EMPTY, 4.0) != once(-EMPTY, 4.0)).any()


def test_progress_rises_to_one_and_cancelling_stops_at_the_step(model):
    seen = []
    paint(model, progress=lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen) and (seen[0], seen[-1]) == (0, 1)

    def cancel(stage, fraction):
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        paint(model, progress=cancel)


def test_a_folder_without_a_pipeline_is_refused_in_words(tmp_path):
    with pytest.raises(PackError, match="model_index.json"):
        TextureModel.load(tmp_path)


def strip(columns=6):
    """A tube cut along one line: (columns+1) x 2 vertices, the last column glued to the first in space, apart in UV."""
    faces, uv = [], []
    place = lambda i, j: (0.1 + 0.8 * i / columns, 0.1 + 0.8 * j)  # noqa: E731
    for i in range(columns):
        a, b, c, d = (i, 0), (i + 1, 0), (i + 1, 1), (i, 1)
        for triangle in ((a, b, c), (a, c, d)):
            faces.append([(x % columns) * 2 + y for x, y in triangle])
            uv.append([place(x, y) for x, y in triangle])
    return np.array(faces, np.int32), np.array(uv, np.float32), np.array([[0, 1]], np.int32)


def test_seam_pairs_face_each_other_across_the_cut():
    pairs = seam_pairs(*strip(), samples=5)
    assert pairs.shape == (5, 2, 2)
    np.testing.assert_allclose(pairs[:, 0, 1], pairs[:, 1, 1], atol=1e-6)  # the same height
    np.testing.assert_allclose(np.sort(pairs[:, :, 0], axis=1), np.broadcast_to([0.1, 0.9], (5, 2)), atol=1e-6)


def test_equalising_brings_the_difference_at_the_seam_to_zero_and_leaves_the_middle_alone():
    size = 128
    rows, columns = np.mgrid[:size, :size] / size
    image = np.stack([columns, 0.3 + 0.4 * columns * np.sin(6 * rows), 0.5 + 0 * rows], axis=-1).astype(np.float32)
    pairs = seam_pairs(*strip(), samples=400)
    level = equalise_seam(image, pairs)
    column, row = pairs[:, :, 0] * size - 0.5, (1 - pairs[:, :, 1]) * size - 0.5
    sides = level[np.rint(row).astype(int), np.rint(column).astype(int)]  # (P,2,3)
    before = image[np.rint(row).astype(int), np.rint(column).astype(int)]
    inner = slice(20, -20)
    assert np.abs(before[inner, 0] - before[inner, 1]).mean() > 0.2
    assert np.abs(sides[inner, 0] - sides[inner, 1]).mean() < 0.004
    np.testing.assert_array_equal(level[:, size // 3 : 2 * size // 3], image[:, size // 3 : 2 * size // 3])


def test_sides_that_agree_stay_as_they_are():
    image = np.broadcast_to(np.float32([0.2, 0.5, 0.7]), (64, 64, 3))
    np.testing.assert_allclose(equalise_seam(image, seam_pairs(*strip())), image, atol=1e-6)


def test_previews_show_what_the_image_is_going_to_be_and_change_nothing(model, monkeypatch):
    monkeypatch.setattr("cliphead_addon.engine.nets.texture.PREVIEW_SHARE", 1.0)
    shown = []
    plain = paint(model, steps=6)
    np.testing.assert_array_equal(paint(model, steps=6, preview=shown.append), plain)
    assert len(shown) == 5 and shown[0].shape == (SIZE, SIZE, 3) and shown[0].dtype == np.uint8
    inner = np.s_[SIZE // 3 : SIZE // 2, SIZE // 3 : SIZE // 2]
    distance = [np.abs(picture[inner].astype(float) - plain[inner]).mean() for picture in shown]
    assert distance[-1] < distance[0]


def test_previews_take_a_small_share_of_the_time(model, monkeypatch):
    monkeypatch.setattr("cliphead_addon.engine.nets.texture.PREVIEW_SHARE", 1e-6)
    shown = []
    paint(model, steps=6, preview=shown.append)
    assert len(shown) == 1


@pytest.mark.promise
@pytest.mark.parametrize("text", ['{"unet": ["antigravity", "UNet2DConditionModel"]}', "[" * 100_000, "[]", '{"vae": ["a"]}'])
def test_a_pipeline_that_names_another_program_is_refused(folder, tmp_path, text):
    shutil.copytree(folder, tmp_path / "texture")
    index = json.loads((folder / "model_index.json").read_text())
    try:
        text = json.dumps(index | json.loads(text))
    except (RecursionError, TypeError):
        pass
    (tmp_path / "texture" / "model_index.json").write_text(text)
    with pytest.raises(PackError, match="model_index.json"):
        TextureModel.load(tmp_path / "texture")
    assert "antigravity" not in sys.modules
