"""Trains the starter pack's upscaler: x2, from what the VAE makes at 512 px to what the painter paints at 1024 px.

$ python -m tools.train.upscale data --pictures 160       paints at 1024 px and passes their halves through the trained VAE
$ python -m tools.train.upscale train --minutes 30        resumes where it stopped
$ python -m tools.train.upscale export                    writes the pack's upscaler.safetensors

Besides colours it learns the painter's roughness and relief. Where pores and hairs stand cannot be seen in its input, so it
makes them of noise, as strong as the painter's at three scales, and a small critic that sees patches of all five channels says
whether they look like the painter's (Ledig et al. 2017, arXiv:1609.04802; it is thrown away after training).
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from cliphead_addon.engine.geometry.unwrap import UVLayout
from cliphead_addon.engine.nets.upscale import COLOURS, CompactUpscaler
from cliphead_addon.engine.packs import set_part
from tools.studio import skin
from tools.studio.atlas import studio_atlas
from tools.studio.look import random_look
from tools.studio.people import Population
from tools.train.texture import EVEN, FULL, PACK, Run, averaged, to_tensor, trained_vae

FOLDER = Path("runs/upscale")
NETWORK = dict(features=32, convolutions=6, factor=2, outputs=5)
LARGE = FULL.size * NETWORK["factor"]  # px
MARGIN = LARGE // 8  # px at the sides that show the back of the head: fewer crops come from there
GRAIN = 0.06  # deviation of the noise, in colours from 0 to 1
SHOWN = 0.035  # of that in use, where skin is as fine as the painter's (`evaluate texture`)
CRITIC = 0.05  # weight of the critic's opinion, against the mean absolute error
ALONE = 0.15  # share of the training before the critic speaks


@torch.no_grad()
def make_data(pack, pictures):
    """One .npz a picture: what the painter paints (2S,2S,5) uint8, and the VAE's copy of its half (S,S,3) uint8."""
    population = Population()
    layout = UVLayout.from_arrays(load_file(pack / "layout.safetensors"))
    atlas = studio_atlas(population, layout, LARGE)
    vae = trained_vae(FULL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for i in range(pictures):
        path = FOLDER / f"{i:05}.npz"
        if path.is_file():
            continue
        rng = np.random.default_rng([i, 73])
        person = population.person(7 * 10**6 + i)
        painted = skin.paint_maps(random_look(rng, person, EVEN), atlas, rng)
        rest = np.stack([painted.roughness, painted.relief / 2 + 0.5], axis=-1)
        large = np.concatenate([painted.albedo, np.rint(rest * 255).astype(np.uint8)], axis=-1)
        half = F.interpolate(to_tensor(painted.albedo[None]), scale_factor=0.5, mode="area")
        made = vae.decode(vae.encode(half).latent_dist.mean).sample.clamp(-1, 1)
        small = ((made[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, large=large, small=small)
        os.replace(part, path)


class Critic(nn.Sequential):
    """Patches of five channels (B,5,H,W) -> how much each looks painted (B,1,H/8,W/8)."""

    def __init__(self, width=24):
        layers, before = [], NETWORK["outputs"]
        for after in (width, 2 * width, 4 * width):
            layers += [nn.utils.spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
            before = after
        super().__init__(*layers, nn.utils.spectral_norm(nn.Conv2d(before, 1, 3, padding=1)))


def train(minutes, batch=8, crop=64):
    """Colours where they can be known, grain as strong as the painter's, then a critic's opinion as well."""
    stored = [np.load(path) for path in sorted(FOLDER.glob("*.npz"))]
    pictures = [(file["large"], file["small"]) for file in stored]
    network = CompactUpscaler(**NETWORK).to(memory_format=torch.channels_last)
    nn.init.zeros_(network.body[-1].weight)  # starts as nearest neighbour on a smooth, half rough surface
    nn.init.zeros_(network.body[-1].bias)
    with torch.no_grad():
        network.body[-1].bias.view(NETWORK["outputs"], -1)[COLOURS:] = 0.5
    critic = Critic().to(memory_format=torch.channels_last)
    judge = torch.optim.Adam(critic.parameters(), 4e-4, betas=(0.5, 0.9))
    run = Run(FOLDER, "upscaler", {"network": network}, 1e-3, minutes, average=0.995)
    scale = NETWORK["factor"]
    low = MARGIN // scale

    def crops(generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        some = [pictures[i] for i in rng.integers(len(pictures), size=batch)]
        places = rng.integers(low, FULL.size - low - crop + 1, (batch, 2))
        small = [small[y : y + crop, x : x + crop] for (_, small), (y, x) in zip(some, places, strict=True)]
        large = [
            large[scale * y : scale * (y + crop), scale * x : scale * (x + crop)]
            for (large, _), (y, x) in zip(some, places, strict=True)
        ]
        small, large = ((to_tensor(np.stack(images)) + 1) / 2 for images in (small, large))
        return small + GRAIN * torch.randn(small.shape, generator=generator), large

    def step(generator):
        inputs, wanted = crops(generator)
        made = network(inputs.contiguous(memory_format=torch.channels_last))
        loss = F.l1_loss(*(F.avg_pool2d(images, 4) for images in (made, wanted))) + 0.15 * F.l1_loss(made, wanted)
        loss = loss + sum(F.l1_loss(*bands) for bands in zip(grain(made), grain(wanted), strict=True))
        if run.share < ALONE:
            return loss
        judge.zero_grad()
        (F.relu(1 - critic(wanted)).mean() + F.relu(1 + critic(made.detach())).mean()).backward()
        judge.step()
        critic.requires_grad_(False)
        loss = loss - CRITIC * critic(made).mean()
        critic.requires_grad_(True)
        return loss

    run(step)


def grain(images, patch=8):
    """How strong the finest details of images (B,5,H,W) are around each place, finest scale first.

    Differences of colours count as well: skin has pores, and no specks of many colours.
    """
    images = torch.cat([images, images[:, 0:3:2] - images[:, 1:2]], dim=1)
    for _ in range(3):
        coarse = F.avg_pool2d(images, 2)
        fine = images - F.interpolate(coarse, scale_factor=2)
        yield F.avg_pool2d(fine.square(), patch).add(1e-6).sqrt()
        images, patch = coarse, max(patch // 2, 4)


def export(pack):
    """Writes upscaler.safetensors in half precision."""
    network = CompactUpscaler(**NETWORK)
    averaged(FOLDER, "upscaler", {"network": network})
    state = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, pack / "upscaler.safetensors")
    set_part(pack, "upscaler", {"implementation": "realesrgan-compact", "file": "upscaler.safetensors", "grain": SHOWN})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("data", "train", "export"))
    parser.add_argument("--pack", type=Path, default=PACK)
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--minutes", type=float, default=30.0)
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
