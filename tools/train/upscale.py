"""Trains the starter pack's upscaler: x2, from what the VAE makes at 256 px to what the painter paints at 512 px.

$ python -m tools.train.upscale data --pictures 120       paints at 512 px and passes their halves through the trained VAE
$ python -m tools.train.upscale train --minutes 4         resumes where it stopped
$ python -m tools.train.upscale export                    writes the pack's upscaler.safetensors
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch.nn import functional as F

from cliphead_addon.engine.geometry.unwrap import UVLayout
from cliphead_addon.engine.nets.upscale import CompactUpscaler
from cliphead_addon.engine.packs import set_part
from tools.studio import skin
from tools.studio.atlas import studio_atlas
from tools.studio.look import random_look
from tools.studio.people import Population
from tools.train.texture import PACK, VAE, Run, averaged, detail_loss, to_tensor

from diffusers import AutoencoderKL  # isort: skip  after tools.train.texture, which makes it importable

FOLDER = Path("runs/upscale")
LARGE = 512  # px
NETWORK = dict(features=24, convolutions=6, factor=2)


@torch.no_grad()
def make_data(pack, pictures):
    """Pairs of a painted texture and what the VAE makes of its half-size copy: (N,512,512,3) and (N,256,256,3) uint8."""
    population = Population()
    layout = UVLayout.from_arrays(load_file(pack / "layout.safetensors"))
    atlas = studio_atlas(population, layout, LARGE)
    vae = AutoencoderKL(**VAE)
    averaged("vae", {"vae": vae})
    large, small = [], []
    for i in range(pictures):
        rng = np.random.default_rng([i, 73])
        person = population.person(7 * 10**6 + i)
        large.append(skin.paint(random_look(rng, person), atlas, rng))
        half = F.interpolate(to_tensor(large[-1][None]), scale_factor=0.5, mode="area")
        made = vae.decode(vae.encode(half).latent_dist.mean).sample.clamp(-1, 1)
        small.append(((made[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez(FOLDER / "pairs.npz", large=np.stack(large), small=np.stack(small))


def train(minutes, batch=16, crop=64):
    """L1 with edges and grain, so that fine structure is drawn rather than averaged."""
    with np.load(FOLDER / "pairs.npz") as file:
        large, small = file["large"], file["small"]
    network = CompactUpscaler(**NETWORK).to(memory_format=torch.channels_last)
    torch.nn.init.zeros_(network.body[-1].weight)  # starts as nearest neighbour
    torch.nn.init.zeros_(network.body[-1].bias)

    def step(generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        rows = rng.integers(len(small), size=batch)
        y, x = rng.integers(0, small.shape[1] - crop + 1, (2, batch))
        inputs = np.stack([small[i, r : r + crop, c : c + crop] for i, r, c in zip(rows, y, x, strict=True)])
        scale = NETWORK["factor"]
        wanted = [
            large[i, scale * r : scale * (r + crop), scale * c : scale * (c + crop)] for i, r, c in zip(rows, y, x, strict=True)
        ]
        inputs, wanted = ((to_tensor(images) + 1) / 2 for images in (inputs, np.stack(wanted)))
        made = network(inputs.contiguous(memory_format=torch.channels_last))
        return F.l1_loss(made, wanted) + 0.5 * detail_loss(made, wanted)

    Run("upscaler", {"network": network}, 2e-3, minutes, average=0.99, folder=FOLDER)(step)


def export(pack):
    """Writes upscaler.safetensors in half precision."""
    network = CompactUpscaler(**NETWORK)
    averaged("upscaler", {"network": network}, FOLDER)
    state = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, pack / "upscaler.safetensors")
    set_part(pack, "upscaler", {"implementation": "realesrgan-compact", "file": "upscaler.safetensors"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("data", "train", "export"))
    parser.add_argument("--pack", type=Path, default=PACK)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--minutes", type=float, default=4.0)
    options = parser.parse_args()
    match options.command:
        case "data":
            make_data(options.pack, options.pictures)
        case "train":
            train(options.minutes)
        case "export":
            export(options.pack)


if __name__ == "__main__":
    main()
