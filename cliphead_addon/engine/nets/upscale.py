"""Super-resolution by a compact network in the form of Real-ESRGAN's `SRVGGNetCompact` (Wang et al. 2021, arXiv:2107.10833).

The published networks make colours of colours. Ours adds two channels, roughness and relief, by what it recognises in them.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from ..errors import PackError

TILE = 512  # px of input processed at once: bounds the memory of large images
COLOURS = 3


class CompactUpscaler(nn.Module):
    """Convolutions with PReLU at the input's resolution, then one pixel shuffle; predicts what nearest neighbour lacks.

    outputs: 3 for colours alone, 5 with roughness and relief (0.5 is level), which are predicted as they are.
    """

    def __init__(self, features=64, convolutions=32, factor=4, outputs=COLOURS):
        super().__init__()
        self.factor, self.outputs = factor, outputs
        layers = [nn.Conv2d(COLOURS, features, 3, padding=1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(features, outputs * factor**2, 3, padding=1)])

    def forward(self, image):
        """(B,3,H,W) in [0,1] -> (B,outputs,factor*H,factor*W)"""
        x = image
        for layer in self.body:
            x = layer(x)
        base = nn.functional.interpolate(image, scale_factor=self.factor)
        return nn.functional.pixel_shuffle(x, self.factor) + nn.functional.pad(base, (0, 0, 0, 0, 0, self.outputs - COLOURS))


class Upscaler:
    """A compact network with its weights, applied as often as the wanted size needs.

    grain: deviation of the noise that it was trained to make pores and hairs of; 0 for the published networks.
    """

    def __init__(self, network, device="cpu", grain=0.0):
        self.network = network.eval().requires_grad_(False).to(device)
        self.device, self.grain = device, grain

    @classmethod
    def load(cls, path, device="cpu", grain=0.0):
        """From a .safetensors, or a published .pth; widths are read off the shapes. Raises PackError."""
        path = Path(path)
        try:
            state = (
                load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
            )
            state = state.get("params_ema", state.get("params", state))
            state = {name: tensor.float() for name, tensor in state.items()}
            last = max(int(name.split(".")[1]) for name in state)
            network = CompactUpscaler(len(state["body.0.bias"]), last // 2 - 1, *_form(len(state[f"body.{last}.bias"])))
            network.load_state_dict(state)
        except Exception as error:
            raise PackError(
                f"{path} is not an upscaler of Real-ESRGAN's compact form ({type(error).__name__}: {error}). "
                "Choose a file such as realesr-general-x4v3.pth, or reinstall the pack."
            ) from error
        return cls(network, device, grain)

    @torch.no_grad()
    def enlarge(self, image, size, progress=None, seed=0):
        """(R,R,3) float32 in [0,1] -> (size,size,outputs) float32 in [0,1]; seed: of the grain.

        Colours that are large enough are returned as they are by a network that makes nothing else.
        """
        x = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
        generator = torch.Generator().manual_seed(seed)
        while x.shape[-1] < size or x.shape[1] < self.network.outputs:
            x = x[:, :COLOURS]
            x = self._once(x + self.grain * torch.randn(x.shape, generator=generator), progress).clamp(0, 1)
        if x.shape[-1] != size:
            x = nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
        return x[0].permute(1, 2, 0).numpy()

    def _once(self, x, progress):
        halo = len(self.network.body) // 2 + 1  # one pixel for every 3x3 convolution
        height, width = x.shape[-2:]
        scale = self.network.factor
        out = torch.empty(1, self.network.outputs, height * scale, width * scale)
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


def _form(channels):
    """What the last layer's channels mean: factor and outputs, of networks that make colours or all five."""
    for outputs in (COLOURS, COLOURS + 2):
        factor = round((channels / outputs) ** 0.5)
        if outputs * factor**2 == channels:
            return factor, outputs
    raise ValueError(f"{channels} channels in the last layer")
