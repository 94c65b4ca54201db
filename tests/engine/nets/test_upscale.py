import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import PackError
from cliphead_addon.engine.nets.upscale import TILE, CompactUpscaler, Upscaler


def published_layout(features=64, convolutions=32, factor=4):
    """Random weights under the names and shapes of Real-ESRGAN's general x4 v3 model."""
    shapes = {"body.0.weight": (features, 3, 3, 3), "body.0.bias": (features,), "body.1.weight": (features,)}
    for i in range(2, 2 + 2 * convolutions, 2):
        shapes |= {f"body.{i}.weight": (features, features, 3, 3), f"body.{i}.bias": (features,)}
        shapes |= {f"body.{i + 1}.weight": (features,)}
    last = 2 + 2 * convolutions
    shapes |= {f"body.{last}.weight": (3 * factor**2, features, 3, 3), f"body.{last}.bias": (3 * factor**2,)}
    generator = torch.Generator().manual_seed(0)
    return {name: 0.02 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_a_file_of_the_published_general_model_loads_and_enlarges_four_times(tmp_path):
    torch.save({"params": published_layout()}, tmp_path / "realesr-general-x4v3.pth")
    upscaler = Upscaler.load(tmp_path / "realesr-general-x4v3.pth")
    assert (upscaler.network.factor, len(upscaler.network.body)) == (4, 67)
    large = upscaler.enlarge(np.random.default_rng(0).random((8, 8, 3), np.float32), 32)
    assert large.shape == (32, 32, 3) and np.isfinite(large).all()


def nearest_neighbour(factor):
    network = CompactUpscaler(4, 1, factor)
    torch.nn.init.zeros_(network.body[-1].weight)
    torch.nn.init.zeros_(network.body[-1].bias)
    return Upscaler(network)


def test_a_network_that_adds_nothing_repeats_pixels_at_any_size():
    image = np.random.default_rng(1).random((8, 8, 3), np.float32)
    large = nearest_neighbour(2).enlarge(image, 32)
    np.testing.assert_allclose(large, image.repeat(4, 0).repeat(4, 1), atol=1e-6)
    assert nearest_neighbour(2).enlarge(image, 24).shape == (24, 24, 3)
    np.testing.assert_array_equal(nearest_neighbour(2).enlarge(image, 8), image)


def test_a_network_with_more_outputs_says_what_it_sees_even_where_nothing_grows(tmp_path):
    torch.manual_seed(0)
    torch.save(CompactUpscaler(4, 1, 2, outputs=5).state_dict(), tmp_path / "five.pth")
    upscaler = Upscaler.load(tmp_path / "five.pth")
    assert (upscaler.network.factor, upscaler.network.outputs) == (2, 5)
    image = np.random.default_rng(3).random((16, 16, 3), np.float32)
    assert upscaler.enlarge(image, 16).shape == (16, 16, 5)
    assert upscaler.enlarge(image, 64).shape == (64, 64, 5)


def test_tiles_join_without_a_trace():
    torch.manual_seed(0)
    upscaler = Upscaler(CompactUpscaler(4, 2, 2))
    image = np.random.default_rng(2).random((TILE + 16, TILE + 16, 3), np.float32)
    whole = upscaler.network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1).numpy()
    np.testing.assert_allclose(upscaler.enlarge(image, 2 * (TILE + 16)), whole, atol=1e-5)


def test_a_file_of_another_form_is_refused_in_words(tmp_path):
    torch.save({"conv_first.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(PackError, match="compact form"):
        Upscaler.load(tmp_path / "other.pth")
