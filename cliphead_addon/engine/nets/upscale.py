"""Super-resolution by a compact network in the form of Real-ESRGAN's `SRVGGNetCompact` (Wang et al. 2021, arXiv:2107.10833)."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ..errors import PackError

TILE = 512  # px of input processed at once: bounds the memory of large images


class CompactUpscaler(nn.Module):
    """Convolutions with PReLU at the input's resolution, then one pixel shuffle; predicts what nearest neighbour lacks."""

    def __init__(self, features=64, convolutions=32, factor=4):
        super().__init__()
        self.factor = factor
        layers = [nn.Conv2d(3, features, 3, padding=1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(features, 3 * factor**2, 3, padding=1)])

    def forward(self, image):
        """(B,3,H,W) in [0,1] -> (B,3,factor*H,factor*W)"""
        x = image
        for layer in self.body:
            x = layer(x)
        return nn.functional.pixel_shuffle(x, self.factor) + nn.functional.interpolate(image, scale_factor=self.factor)


class Upscaler:
    """A compact network with its weights, applied as often as the wanted size needs."""

    def __init__(self, network, device="cpu"):
        self.network = network.eval().requires_grad_(False).to(device)
        self.device = device

    @classmethod
    def load(cls, path, device="cpu"):
        """From a .safetensors, or a published .pth; widths are read off the shapes. Raises PackError."""
        path = Path(path)
        try:
            state = (
                load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
            )
            state = state.get("params_ema", state.get("params", state))
            state = {name: tensor.float() for name, tensor in state.items()}
            last = max(int(name.split(".")[1]) for name in state)
            factor = round((len(state[f"body.{last}.bias"]) / 3) ** 0.5)
            network = CompactUpscaler(len(state["body.0.bias"]), last // 2 - 1, factor)
            network.load_state_dict(state)
        except Exception as error:
            raise PackError(
                f"{path} is not an upscaler of Real-ESRGAN's compact form ({type(error).__name__}: {error}). "
                "Choose a file such as realesr-general-x4v3.pth, or reinstall the pack."
            ) from error
        return cls(network, device)

    @torch.no_grad()
    def enlarge(self, image, size, progress=None):
        """(R,R,3) float32 in [0,1] -> (size,size,3) float32 in [0,1]; returned as it is when already large enough."""
        x = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
        while x.shape[-1] < size:
            x = self._once(x, progress).clamp(0, 1)
        if x.shape[-1] != size:
            x = nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
        return x[0].permute(1, 2, 0).numpy()

    def _once(self, x, progress):
        halo = len(self.network.body) // 2 + 1  # one pixel for every 3x3 convolution
        height, width = x.shape[-2:]
        scale = self.network.factor
        out = torch.empty(1, 3, height * scale, width * scale)
        corners = [(row, column) for row in range(0, height, TILE) for column in range(0, width, TILE)]
        for done, (row, column) in enumerate(corners):
            top, left = max(row - halo, 0), max(column - halo, 0)
            tile = x[:, :, top : row + TILE + halo, left : column + TILE + halo].to(self.device)
            large = self.network(tile).cpu()[:, :, (row - top) * scale :, (column - left) * scale :]
            large = large[:, :, : TILE * scale, : TILE * scale]
            out[:, :, row * scale : row * scale + large.shape[2], column * scale : column * scale + large.shape[3]] = large
            if progress:
                progress("super-resolution", (done + 1) / len(corners))
        return out
