"""Trains the starter pack's texture part: VAE, UNet and ControlNet in diffusers' own classes and folder format.

$ python -m tools.train.texture layout                    fits the UV layout into the pack, unless it has one
$ python -m tools.train.texture spots --people 300        adds spots that align it better, once the head networks are trained
$ python -m tools.train.texture data --pairs 3000         paints textures with captions and UV normal maps; resumes
$ python -m tools.train.texture grow                      starts the networks from a run at half the size, if there is one
$ python -m tools.train.texture vae --minutes 12          resumes where it stopped, as do the others
$ python -m tools.train.texture latents                   encodes textures and captions once
$ python -m tools.train.texture diffusion --minutes 28
$ python -m tools.train.texture guesses                   what the diffusion makes of its own training textures
$ python -m tools.train.texture decoder --minutes 20      learns to see through its mistakes; the encoder stays as it is
$ python -m tools.train.texture export                    writes the pack's texture/
$ python -m tools.train.texture samples --out out/        a sheet of samples by the pack as it stands

With --half they work at half the size: data, vae, latents, decoder and diffusion there, then grow, cost a fraction of learning
everything at full size (compare Karras et al. 2018, arXiv:1710.10196).
Every texture lies in the aligned UV space, so that a mirrored pair (image, normals) is another valid pair.
"""

import argparse
import json
import math
import os
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

from cliphead_addon.engine import torchvision_guard  # noqa: F401  before diffusers
from cliphead_addon.engine.geometry.unwrap import UVLayout
from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.nets.texture import TextureModel
from cliphead_addon.engine.packs import open_pack, seal, set_part
from cliphead_addon.engine.settings import Settings
from tools.evaluate import Network
from tools.studio import captions, skin, spots
from tools.studio.atlas import EYE, studio_atlas, studio_layout
from tools.studio.expressions import EXPRESSIONS
from tools.studio.eyes import IRIS_RADIUS
from tools.studio.ict import triangles
from tools.studio.look import random_look
from tools.studio.people import Population

from diffusers import (  # isort: skip  after torchvision_guard
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    UNet2DConditionModel,
)

PACK = Path("cliphead_addon/packs/starter")
HEADS = 240  # people whose normal maps are shared by all pairs
CAPTIONS = 6  # sentences per texture
EVEN = 0.4  # share of looks that are drawn evenly, so that what is rare among people is seen often enough to be learnt
HELD_OUT = 16  # textures at the end that the VAE is judged by
CHUNK = 50  # textures painted between two looks at the clock
UNCONDITIONAL = 0.12  # share of captions dropped, for classifier-free guidance
LAST_STEP = 0.25  # share of pure-noise steps: these decide the mean colour
# Words of features that few textures have and many prompts ask for; their textures are drawn so many times more often.
SOUGHT, SOUGHT_FACTOR = ("beard", "moustache", "mustache", "goatee", "whiskers", "lipstick", "make-up", "clown"), 3.0
GROWN_DEVIATION = 2.0  # of a grown VAE's new latents, about that of its old ones
GUESSED_STEPS = 3, 6  # of the sampler's last steps, at least and fewer than, that `guesses` goes through
KEPT = 0.3  # weight of how far a grown VAE's first channels may stray from those of the VAE it was grown from


@dataclass(frozen=True)
class Stage:
    """A size at which the networks are trained."""

    size: int  # px of textures and of the UV normal maps that guide them
    widths: tuple  # of the VAE's levels, each half as large as the one before
    latent: int  # channels
    hint: tuple  # widths of the levels by which the ControlNet takes a normal map in

    @property
    def run(self):
        return Path(f"runs/texture{self.size}")

    @property
    def shrink(self):
        """Pixels of a texture per place of its latent image."""
        return 2 ** (len(self.widths) - 1)

    def vae(self, **settings):
        levels = len(self.widths)
        return AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=self.widths,
            layers_per_block=1,
            latent_channels=self.latent,
            norm_num_groups=8,
            sample_size=self.size,
            mid_block_add_attention=False,
            **settings,
        )

    def networks(self):
        """UNet and ControlNet, to be trained together from nothing."""
        shared = dict(
            in_channels=self.latent,
            block_out_channels=(48, 96, 144),
            layers_per_block=1,
            cross_attention_dim=128,
            attention_head_dim=4,  # heads, by diffusers' historical misnomer
            norm_num_groups=16,
        )
        unet = UNet2DConditionModel(
            **shared,
            sample_size=self.size // self.shrink,
            out_channels=self.latent,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            # The sentence as a whole reaches every block beside the time: attention alone learned rare words too slowly.
            addition_embed_type="text",
            addition_embed_type_num_heads=4,
        )
        controlnet = ControlNetModel(
            **shared,
            down_block_types=("DownBlock2D",) * 3,  # it says where, the UNet reads what: no text attention here
            mid_block_type="UNetMidBlock2D",
            conditioning_embedding_out_channels=self.hint,
        )
        # Zero convolutions protect a trained UNet; with none to protect they only delay.
        for layer in [
            *controlnet.controlnet_down_blocks,
            controlnet.controlnet_mid_block,
            controlnet.controlnet_cond_embedding.conv_out,
        ]:
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            layer.weight.data *= 0.3
        return {name: net.to(memory_format=torch.channels_last) for name, net in (("unet", unet), ("controlnet", controlnet))}


HALF = Stage(256, (16, 32, 64, 96), 8, (8, 16, 32, 64))
FULL = Stage(512, (16, *HALF.widths), 16, (8, *HALF.hint))
# Zero terminal SNR with v-prediction lets the first step choose the mean colour (Lin et al. 2023, arXiv:2305.08891).
SCHEDULER = dict(
    beta_schedule="scaled_linear",
    beta_start=0.00085,
    beta_end=0.012,
    prediction_type="v_prediction",
    rescale_betas_zero_snr=True,
    timestep_spacing="trailing",
    clip_sample=False,
    set_alpha_to_one=True,
)


def fit_layout(pack):
    """Writes the UV layout that textures and heads share."""
    if (pack / "layout.safetensors").is_file():
        print(f"{pack} has a layout already.")
        return
    arrays = studio_layout(Population()).to_arrays()
    pack.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.tensor(np.asarray(a, np.float32)) for name, a in arrays.items()}, pack / "layout.safetensors")
    set_part(pack, "layout", {"file": "layout.safetensors"})


def fit_spots(pack, count):
    """Adds to the pack's layout what finds many more landmarks on a head than its anchors; no place in UV space changes."""
    opened, path = open_pack(pack), pack / "layout.safetensors"
    layout = UVLayout.from_arrays(opened.tensors(opened.part("layout")["file"]))
    layout = spots.fit_spots(Population(), Network(opened), layout, count)
    spots.save(layout, path)
    seal(pack)


@cache
def studio(pack, size):
    """Population, skin triangles and the atlas of a size in pixels, once per process."""
    from safetensors.numpy import load_file

    population = Population()
    arrays = load_file(pack / "layout.safetensors")
    layout = UVLayout.from_arrays(arrays)
    ict = population.ict
    parts = ["face", "head_neck", "mouth_socket"]
    faces = [triangles(ict.part_quads(part)) for part in parts] + [triangles(ict.eye_quads(side)) for side in "LR"]
    return population, np.concatenate(faces), studio_atlas(population, layout, size)


def make_head(stage, pack, index):
    """A person's measures and the UV normal map of that person with an expression."""
    population, faces, atlas = studio(pack, stage.size)
    rng = np.random.default_rng([index, 71])
    person = population.person(9 * 10**6 + index)
    name = "neutral" if rng.random() < 0.35 else str(rng.choice(list(EXPRESSIONS)))
    attributes = population.attributes(population.vertices(person))
    vertices = population.vertices(person, EXPRESSIONS[name])
    return atlas.normal_map(vertices, faces), attributes, name


def paint_chunk(stage, pack, start, count, heads):
    """Pairs start..start+count-1: -> albedo (count,S,S,3) uint8, list of {head, captions}."""
    torch.set_num_threads(1)
    population, _, atlas = studio(pack, stage.size)
    normals = np.load(stage.run / "normals.npy", mmap_mode="r")
    images, rows = [], []
    for i in range(start, start + count):
        rng = np.random.default_rng([i, 72])
        head = int(rng.integers(len(heads)))
        person = population.person(9 * 10**6 + head)
        attributes, expression = heads[head]
        look = random_look(rng, person, EVEN)
        images.append(skin.paint(look, atlas, rng, skin.cavity_from_normals(normals[head], atlas)))
        rows.append(
            {"head": head, "captions": [captions.caption(person, attributes, look, expression, rng) for _ in range(CAPTIONS)]}
        )
    return np.stack(images), rows


def make_data(stage, pack, pairs, processes):
    """Normal maps of HEADS people, then `pairs` painted textures with captions."""
    run = stage.run
    run.mkdir(parents=True, exist_ok=True)
    studio(pack, stage.size)  # builds the atlas before the workers ask for it
    with ProcessPoolExecutor(processes) as pool:
        if not (run / "heads.json").is_file():
            made = list(pool.map(make_head, [stage] * HEADS, [pack] * HEADS, range(HEADS), chunksize=8))
            np.save(run / "normals.npy", np.stack([normal for normal, *_ in made]))
            (run / "heads.json").write_text(json.dumps([rest for _, *rest in made]))
        heads = json.loads((run / "heads.json").read_text())
        missing = [start for start in range(0, pairs, CHUNK) if not (run / f"pairs/{start:06}.json").is_file()]
        (run / "pairs").mkdir(exist_ok=True)
        began = time.time()
        jobs = [pool.submit(paint_chunk, stage, pack, start, min(CHUNK, pairs - start), heads) for start in missing]
        for done, (start, job) in enumerate(zip(missing, jobs, strict=True), 1):
            images, rows = job.result()
            np.save(run / f"pairs/{start:06}.npy", images)
            (run / f"pairs/{start:06}.json").write_text(json.dumps(rows))
            print(f"{done * CHUNK} textures, {(time.time() - began) / done / CHUNK:.2f} s each", flush=True)


class Pictures:
    """Albedos (S,S,3) uint8 of chunks, read from disk as they are asked for: all of them would not fit."""

    def __init__(self, chunks):
        self.chunks = [np.load(chunk.with_suffix(".npy"), mmap_mode="r") for chunk in chunks]
        self.starts = np.cumsum([0, *map(len, self.chunks)])

    def __len__(self):
        return int(self.starts[-1])

    def __getitem__(self, i):
        chunk = int(np.searchsorted(self.starts, i, side="right")) - 1
        return self.chunks[chunk][i - self.starts[chunk]]


def read_pairs(stage):
    """Albedos as `Pictures`, head of each (N,), captions (N of CAPTIONS)."""
    chunks = sorted((stage.run / "pairs").glob("*.json"))
    rows = [row for chunk in chunks for row in json.loads(chunk.read_text())]
    return Pictures(chunks), np.array([row["head"] for row in rows]), [row["captions"] for row in rows]


def draw_weights(sentences):
    """Captions (N of CAPTIONS) -> (N,) how often each texture is drawn, so that sought features are not too rare to learn."""
    sought = [any(word in sentence for sentence in row for word in SOUGHT) for row in sentences]
    return torch.where(torch.tensor(sought), SOUGHT_FACTOR, 1.0)


class Run:
    """A training loop that lasts some minutes, saves itself every two and resumes; its learning rate falls to zero.

    modules: name -> nn.Module; rate: the highest learning rate; average: how slowly the averaged weights follow.
    """

    def __init__(self, folder, name, modules, rate, minutes, average=0.0):
        self.path, self.modules, self.rate, self.minutes = folder / f"{name}.pt", modules, rate, minutes
        parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.average = average
        self.share = 0.0  # of the minutes that are over
        self.steps = 0
        if self.path.is_file():
            state = torch.load(self.path, weights_only=True)
            for key, module in modules.items():
                module.load_state_dict(state["modules"][key])
            if "optimiser" in state:  # not where `grow` wrote it
                self.optimiser.load_state_dict(state["optimiser"])
            self.steps = state["steps"]
        self.averages = {key: {k: v.clone() for k, v in m.state_dict().items()} for key, m in modules.items()}
        if self.path.is_file():
            self.averages = state["averages"]

    def __call__(self, step, report=None):
        """step: random generator -> loss tensor; report: called after the last step, with the averaged weights in place."""
        began = saved = ticked = time.time()
        generator = torch.Generator().manual_seed(self.steps)
        shown, since = 0.0, 0
        while (share := (time.time() - began) / (60 * self.minutes)) < 1:
            self.share = share
            warm = min(1.0, (self.steps + 1) / 50)
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * warm * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6
            loss = step(generator)
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], 1.0)
            self.optimiser.step()
            self.steps += 1
            self._follow()
            shown, since = shown + loss.item(), since + 1
            if since == 25:
                speed = since / (time.time() - ticked)
                print(f"step {self.steps}  loss {shown / since:.4f}  {speed:.2f} steps/s  {share:.0%}", flush=True)
                shown, since, ticked = 0.0, 0, time.time()
            if time.time() - saved > 120:
                self.save()
                saved = time.time()
        self.save()
        if report:
            for key, module in self.modules.items():
                module.load_state_dict(self.averages[key])
            print(report(), flush=True)

    @torch.no_grad()
    def _follow(self):
        keep = min(self.average, (1 + self.steps) / (10 + self.steps))
        for key, module in self.modules.items():
            for name, value in module.state_dict().items():
                self.averages[key][name].lerp_(value, 1 - keep)

    def save(self):
        modules = {key: module.state_dict() for key, module in self.modules.items()}
        state = {"modules": modules, "averages": self.averages, "optimiser": self.optimiser.state_dict(), "steps": self.steps}
        draft = self.path.with_suffix(".tmp")
        torch.save(state, draft)
        draft.replace(self.path)


def averaged(folder, name, modules):
    """Loads a run's averaged weights into modules: name -> nn.Module."""
    state = torch.load(folder / f"{name}.pt", weights_only=True)
    for key, module in modules.items():
        module.load_state_dict(state["averages"][key])
        module.eval().requires_grad_(False)


def to_tensor(images):
    """(B,S,S,3) uint8 -> (B,3,S,S) float32 in [-1,1]"""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def detail_loss(made, wanted):
    """Three scales of edges, and how strong fine grain is: an L1 alone would wash pores and hairs out."""
    loss = 0
    for _ in range(3):
        for axis in (2, 3):
            loss = loss + F.l1_loss(made.diff(dim=axis), wanted.diff(dim=axis))
        grain = [F.avg_pool2d((x - F.avg_pool2d(x, 3, 1, 1)).abs(), 8) for x in (made, wanted)]
        loss = loss + F.l1_loss(*grain)
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return loss


def reconstruction_loss(made, wanted, weight):
    """How far apart two image batches (B,3,S,S) look; weight: (B,1,S,S) importance of each pixel, 1 on average.

    Lips, eyes and make-up cover few pixels, and their hue is a small part of an L1 over all of them.
    """
    hues = [F.avg_pool2d(x - x.mean(1, keepdim=True), 2) for x in (made, wanted)]
    colour = (F.avg_pool2d(weight, 2) * (hues[0] - hues[1]).abs()).mean() + F.l1_loss(*(F.avg_pool2d(hue, 4) for hue in hues))
    patches = F.l1_loss(F.avg_pool2d(made, 16), F.avg_pool2d(wanted, 16))
    return (weight * (made - wanted).abs()).mean() + 0.3 * detail_loss(made, wanted) + 6 * colour + patches


def importance(atlas):
    """(S,S) float32 weight of each pixel, 1 on average: eyes and lips are small, and the first that anybody looks at."""
    marks = atlas.marks
    places = np.concatenate([marks.eyes, marks.landmarks[48:]])
    near = np.linalg.norm(atlas.position[:, None] - places, axis=-1).min(1) < 1.8  # cm
    iris = (atlas.part == EYE) & (atlas.regions["eye_axis"] < IRIS_RADIUS)  # smaller than a place of the latent image
    weight = 1 + 7 * near + 50 * iris
    weight = atlas.image(weight.astype(np.float32)[:, None])[..., 0]
    return weight / weight.mean()


def train_vae(stage, pack, minutes, batch=4, half=False):
    """Reconstruction on crops: its networks are convolutions, so crops teach whole images. Eyes and lips count most."""
    images, _, _ = read_pairs(stage)
    vae = stage.vae().to(memory_format=torch.channels_last)
    kept = Kept() if stage is FULL and trained("decoder", HALF) else None
    held_out = range(len(images) - HELD_OUT, len(images))
    crops = Crops(stage, pack)

    def step(generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        rows, (y, x) = rng.integers(held_out.start, size=batch), crops.places(rng, batch)
        wanted = np.stack([crops.of(images[i], *at) for i, *at in zip(rows, y, x, strict=True)])
        weight = torch.stack([crops.of(crops.weight, *at) for at in zip(y, x, strict=True)])
        wanted[batch // 2 :], weight[batch // 2 :] = wanted[batch // 2 :, :, ::-1].copy(), weight[batch // 2 :].flip(-1)
        wanted = to_tensor(wanted).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            posterior = vae.encode(wanted).latent_dist
            made = vae.decode(posterior.sample(generator)).sample.float()
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
        loss = reconstruction_loss(made, wanted, weight[:, None]) + 1e-4 * kl
        return loss if kept is None else loss + KEPT * kept.strayed(wanted, posterior.mean)

    def report():
        wanted = to_tensor(np.stack([images[i] for i in held_out]))
        return crops.judged(lambda rows: vae.decode(vae.encode(wanted[rows]).latent_dist.mean).sample, wanted)

    Run(stage.run, "vae", {"vae": vae}, 2e-3 if kept is None else 1e-3, minutes, average=0.99)(step, report)


def train_decoder(stage, pack, minutes, batch=4, half=False):
    """The decoder alone, on stored latents, so that these stay valid.

    Where there are `guesses`, half of the crops are decoded from what the diffusion made of its latents: what is blotchy there
    is to come out as even as it was painted.
    """
    images, _, _ = read_pairs(stage)
    vae = trained_vae(stage).to(memory_format=torch.channels_last)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    clean = torch.load(stage.run / "latents.pt", weights_only=True)["latents"]
    guesses = torch.load(stage.run / "guesses.pt", weights_only=True) if trained("guesses", stage) else clean
    held_out = range(len(images) - HELD_OUT, len(images))
    crops = Crops(stage, pack)

    def step(generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        rows, (y, x) = rng.integers(held_out.start, size=batch), crops.places(rng, batch)
        wanted, weight, latents = [], [], []
        for i, *at in zip(rows, y, x, strict=True):
            wanted.append(crops.of(turned(images, i), *at))
            weight.append(crops.of(crops.weight.flip(1) if i % 2 else crops.weight, *at))
            some = clean if rng.random() < 0.5 else guesses
            latents.append(crops.of(some[i].permute(1, 2, 0), *at, stage.shrink).permute(2, 0, 1).float())
        latents = torch.stack(latents).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            made = vae.decode(latents).sample.float()
        return reconstruction_loss(made, to_tensor(np.stack(wanted)), torch.stack(weight)[:, None])

    def report():
        wanted = to_tensor(np.stack([turned(images, i) for i in held_out]))

        def decoded(some, rows):
            return vae.decode(some[held_out.start :][rows].float()).sample

        return "\n".join(
            f"{name}, {crops.judged(partial(decoded, some), wanted)}"
            for name, some in (("latents", clean), ("guesses", guesses))
        )

    Run(stage.run, "decoder", {"vae": vae}, 1e-3, minutes, average=0.99)(step, report)


def turned(images, i):
    """Textures are learnt from as they are stored in `latents.pt`: every other one mirrored."""
    return images[i][:, ::-1] if i % 2 else images[i]


class Crops:
    """Crops of half the side, of which every other one shows the face, and what counts in them."""

    def __init__(self, stage, pack):
        self.stage, self.side = stage, stage.size // 2
        self.weight = torch.from_numpy(importance(studio(pack, stage.size)[2]))

    def places(self, rng, count):
        """Corners (2,count), rows and columns, px: whole places of the latent image."""
        places = np.arange(0, self.side + 1, self.stage.shrink)
        corners = rng.choice(places, (2, count))
        corners[:, ::2] = rng.choice(places[len(places) // 4 : -(len(places) // 4)], (2, (count + 1) // 2))
        return corners

    def of(self, image, row, column, shrink=1):
        """The crop of an image (H,W,...) whose side is a texture's, shrunk."""
        row, column, side = row // shrink, column // shrink, self.side // shrink
        return image[row : row + side, column : column + side]

    @torch.no_grad()
    def judged(self, decode, wanted):
        """How near decode(rows) comes to wanted (HELD_OUT,3,S,S), with a sheet of both -> words."""
        made = torch.cat([decode(slice(i, i + 4)) for i in range(0, len(wanted), 4)]).clamp(-1, 1)
        sheet(torch.cat([wanted[:8], made[:8]]), self.stage.run / "vae.png", 4)
        error = ((made - wanted) / 2).square().mean((0, 1))
        face = error[self.weight > self.weight.mean()]
        return f"held out: {-10 * torch.log10(error.mean()):.1f} dB, eyes and lips {-10 * torch.log10(face.mean()):.1f} dB"


def trained(name, stage):
    """Whether a training has run."""
    return (stage.run / f"{name}.pt").is_file()


def trained_vae(stage, **settings):
    """The autoencoder with the weights of its last training, `decoder` after `vae`."""
    vae = stage.vae(**settings)
    averaged(stage.run, "decoder" if trained("decoder", stage) else "vae", {"vae": vae})
    return vae


class Kept:
    """The latents of the VAE at half the size, which the first channels of the grown one keep, so that the UNet knows them."""

    def __init__(self):
        self.vae = trained_vae(HALF).to(memory_format=torch.channels_last)
        self.deviation = 1 / torch.load(HALF.run / "latents.pt", weights_only=True)["scale"]

    def strayed(self, images, means):
        """How far the means (B,C,h,w) of images (B,3,S,S) are off, in deviations."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            before = self.vae.encode(F.avg_pool2d(images, 2)).latent_dist.mean.float()
        return (means[:, : HALF.latent].float() - before).abs().mean() / self.deviation


def grow(steps=240):
    """Writes vae.pt and diffusion.pt of the full size, from where `vae` and `diffusion` go on, out of those at half the size.

    Whatever fits is taken over; the layers before and behind it, which see the added pixels, first learn to serve it.
    """
    vae, kept = FULL.vae(), Kept()
    # The old levels become the inner ones: the decoder's come first anyway, the encoder's have new numbers.
    taken = adopt(vae, kept.vae, r"encoder\.down_blocks\.", 1, "encoder.conv_in")
    outer = [value for name, value in vae.named_parameters() if name not in taken or name.startswith("decoder.conv_")]
    images, _, _ = read_pairs(FULL)
    rng = np.random.default_rng(0)

    def reconstruct():
        wanted = to_tensor(np.stack([images[i] for i in rng.integers(len(images) - HELD_OUT, size=1)]))
        with torch.autocast("cpu", torch.bfloat16):
            means = vae.encode(wanted).latent_dist.mean
            made = vae.decode(means).sample.float()
        return kept.strayed(wanted, means) + (made - wanted).abs().mean()

    _fit(outer, reconstruct, steps)

    nets, half = FULL.networks(), HALF.networks()
    averaged(HALF.run, "diffusion", half)
    for key, net in nets.items():
        adopt(net, half[key], r"cond_embedding\.blocks\.", 2, "controlnet_cond_embedding.conv_in")
    eye, before = (nets["controlnet"].controlnet_cond_embedding for nets in (nets, half))
    normals = torch.from_numpy(np.load(FULL.run / "normals.npy", mmap_mode="r")[::4].copy())

    def look():
        hint = mirrored(normals[rng.integers(len(normals), size=4)], torch.arange(4) % 2)
        wanted = before(F.avg_pool2d(hint, 2))
        return (eye(hint) - wanted).square().mean() / wanted.square().mean()

    _fit([*eye.conv_in.parameters(), *eye.blocks[0].parameters(), *eye.blocks[1].parameters()], look, steps)
    for name, modules in (("vae", {"vae": vae}), ("diffusion", nets)):
        states = {key: module.state_dict() for key, module in modules.items()}
        torch.save({"modules": states, "averages": states, "steps": 0}, FULL.run / f"{name}.pt")


@torch.no_grad()
def adopt(new, old, numbered, added, own):
    """Give a module the weights of a smaller one -> their names in it.

    numbered: pattern before a number that is greater by `added` in the new one; own: name of a layer that stays as it is.
    Outputs that the old one had not start small, and what it had does not see the new inputs: so it behaves as before.
    """
    before, taken = old.state_dict(), set()
    for name, value in new.state_dict().items():
        source = re.sub(rf"(?<={numbered})\d", lambda level: str(int(level[0]) - added), name)
        if name.startswith(own) or source not in before:
            continue
        taken.add(name)
        there = before[source]
        if value.shape == there.shape:
            value.copy_(there)
            continue
        value.mul_(0.1)
        rows, *columns = (_places(*sizes) for sizes in zip(value.shape[:2], there.shape[:2], strict=True))
        value[rows] = 0
        value[np.ix_(rows, *columns)] = there
    return taken


def _places(new, old):
    """Where an axis of a size holds the channels that it had: latents come first, means and log-variances in either half."""
    if new == old:
        return np.arange(old)
    first = np.arange(HALF.latent)
    return first if old == HALF.latent else np.concatenate([first, first + FULL.latent])


def _fit(parameters, loss, steps):
    """A few steps for some parameters alone; loss: () -> tensor."""
    optimiser = torch.optim.AdamW(parameters, 4e-3, betas=(0.9, 0.98))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        value = loss()
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        if step % 40 == 0 or step == steps - 1:
            print(f"step {step}  loss {value.item():.4f}", flush=True)


@torch.no_grad()
def make_latents(stage, pack):
    """Means of all textures, every other one mirrored, their scale, and the captions' features, in half precision."""
    images, heads, sentences = read_pairs(stage)
    vae = trained_vae(stage)
    seen = (turned(images, i)[None] for i in range(len(images)))
    encoded = [vae.encode(to_tensor(image)).latent_dist.mean.half() for image in seen]
    latents = torch.cat(encoded)  # (N,C,h,w)
    scale = 1 / float(latents.float().std())
    if stage is FULL and trained("decoder", HALF):
        latents, scale = evened_out(latents)
    text = TextModel.load({"folder": "text"}, pack)
    read = [text.vocabulary.read(sentence)[0] if text.vocabulary else sentence for row in sentences for sentence in row]
    tokens = torch.cat([text.encode_many(read[i : i + 256])[1].half() for i in range(0, len(read), 256)])
    empty = text.encode_many([""])[1].half()
    torch.save(
        {
            "latents": latents,
            "scale": scale,
            "heads": torch.from_numpy(heads),
            "drawn": draw_weights(sentences),
            "tokens": tokens.unflatten(0, (-1, CAPTIONS)),
            "empty": empty,
        },
        stage.run / "latents.pt",
    )
    print(f"{len(latents)} textures, latent deviation {latents.float().std():.3f}, tokens {tuple(tokens.shape)}")


def evened_out(latents):
    """Latents (N,C,h,w) of a grown VAE, those of its new channels as wide as the others, and the scale that its UNet knows.

    New channels carry fine detail, little of it, which would drown in the diffusion's noise. The VAE's 1x1 convolutions at
    either end of its latents take the factors in; what it makes stays the same.
    """
    deviation = latents.float().std(dim=(0, 2, 3))
    factor = torch.ones_like(deviation)
    factor[HALF.latent :] = GROWN_DEVIATION / deviation[HALF.latent :]
    state = torch.load(FULL.run / "vae.pt", weights_only=True)
    for weights in (state["modules"]["vae"], state["averages"]["vae"]):
        weights["quant_conv.weight"][: FULL.latent] *= factor[:, None, None, None]
        weights["quant_conv.bias"] += torch.cat([weights["quant_conv.bias"][: FULL.latent] * (factor - 1), 2 * factor.log()])
        weights["post_quant_conv.weight"] /= factor[:, None, None]
    torch.save(state, FULL.run / "vae.pt")
    scale = torch.load(HALF.run / "latents.pt", weights_only=True)["scale"]
    return (latents.float() * factor[:, None, None]).half(), scale


def train_diffusion(stage, pack, minutes, batch=16, half=False):
    """v-prediction on cached latents; captions dropped at random."""
    data = torch.load(stage.run / "latents.pt", weights_only=True)
    normals = torch.from_numpy(np.load(stage.run / "normals.npy"))
    nets = stage.networks()
    scheduler = DDIMScheduler(**SCHEDULER)
    last = scheduler.config.num_train_timesteps - 1
    weight = F.avg_pool2d(torch.from_numpy(importance(studio(pack, stage.size)[2]))[None, None], stage.shrink).sqrt()
    weight = weight / weight.mean()
    seen = features_of(normals, nets["controlnet"]) if stage is FULL and trained("diffusion", HALF) else None

    def step(generator):
        rows = torch.multinomial(data["drawn"], batch, generator=generator)
        clean = data["latents"][rows].float() * data["scale"]
        heads, side = data["heads"][rows], rows % 2
        hint = mirrored(normals[heads], side) if seen is None else seen[side, heads]
        tokens = data["tokens"][rows, torch.randint(CAPTIONS, (batch,), generator=generator)].float()
        tokens[torch.rand(batch, generator=generator) < UNCONDITIONAL] = data["empty"].float()
        times = torch.randint(last + 1, (batch,), generator=generator)
        times[torch.rand(batch, generator=generator) < LAST_STEP] = last
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, times).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            made = predicted(nets, noisy, times, tokens, hint)
        return (weight * (made.float() - scheduler.get_velocity(clean, noise, times)).square()).mean()

    Run(stage.run, "diffusion", nets, 1e-3, minutes, average=0.995)(step)


@torch.no_grad()
def make_guesses(stage, batch=16):
    """Writes latents as the diffusion makes them: the stored ones, made noisy and guessed again in its last few steps.

    What they show stays the same, with the blotches of a diffusion that has learnt for an hour: `decoder` learns from these.
    """
    data = torch.load(stage.run / "latents.pt", weights_only=True)
    normals = torch.from_numpy(np.load(stage.run / "normals.npy"))
    nets, scheduler, settings = stage.networks(), DDIMScheduler(**SCHEDULER), Settings()
    averaged(stage.run, "diffusion", nets)
    scheduler.set_timesteps(settings.steps)
    seen = features_of(normals, nets["controlnet"])
    generator = torch.Generator().manual_seed(0)
    guesses = torch.empty_like(data["latents"])
    for k, rows in enumerate(torch.arange(len(guesses)).split(batch)):
        clean = data["latents"][rows].float() * data["scale"]
        hint, tokens = seen[rows % 2, data["heads"][rows]], data["tokens"][rows, 0].float()
        times = scheduler.timesteps[-int(torch.randint(*GUESSED_STEPS, (1,), generator=generator)) :]
        noisy = scheduler.add_noise(clean, torch.randn(clean.shape, generator=generator), times[:1])
        for time_ in times:
            said, unsaid = (
                predicted(nets, noisy, time_, some, hint) for some in (tokens, data["empty"].float().expand_as(tokens))
            )
            noisy = scheduler.step(unsaid + settings.guidance * (said - unsaid), time_, noisy).prev_sample
        guesses[rows] = (noisy / data["scale"]).half()
        if k % 20 == 0:
            print(f"{k * batch} of {len(guesses)} guesses", flush=True)
    torch.save(guesses, stage.run / "guesses.pt")
    off = (guesses.float() - data["latents"].float()).square().mean().sqrt() * data["scale"]
    print(f"{len(guesses)} guesses, {off:.2f} off on average, where a texture's own deviation is 1")


def predicted(nets, noisy, times, tokens, hint):
    """The velocity that ControlNet and UNet predict."""
    down, middle = nets["controlnet"](noisy, times, tokens, hint, return_dict=False)
    return nets["unet"](noisy, times, tokens, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample


@torch.no_grad()
def features_of(normals, controlnet):
    """What a ControlNet's eye makes of normal maps (N,S,S,3) and their mirror images: (2,N,C,h,w).

    A grown one has learnt to see at half the size, and half of a training step at full size would go into it: so it stays as it
    is, and from here on takes such features in place of the maps.
    """
    eye = controlnet.controlnet_cond_embedding.requires_grad_(False)
    sides = torch.arange(2)[:, None]
    features = [torch.cat([eye(mirrored(normals[i : i + 1], side)) for i in range(len(normals))]) for side in sides]
    eye.forward = lambda features: features
    return torch.stack(features)


def mirrored(normals, side):
    """UV normal maps (B,H,W,3) uint8, flipped where side is 1 -> (B,3,H,W) in [0,1]; x changes sign in the mirror."""
    hint = normals.float() / 255
    flipped = hint.flip(2) * torch.tensor([-1.0, 1, 1]) + torch.tensor([1.0, 0, 0])
    hint = torch.where(side[:, None, None, None] == 1, flipped, hint)
    return hint.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def export(stage, pack):
    """Writes the pipeline in half precision, in diffusers' folder format."""
    data = torch.load(stage.run / "latents.pt", weights_only=True)
    vae = trained_vae(stage, scaling_factor=data["scale"])
    nets = stage.networks()
    averaged(stage.run, "diffusion", nets)
    absent = dict.fromkeys(("text_encoder", "tokenizer", "safety_checker", "feature_extractor"))
    pipeline = StableDiffusionControlNetPipeline(
        vae=vae, **nets, **absent, scheduler=DDIMScheduler(**SCHEDULER), requires_safety_checker=False
    )
    pipeline.to(torch.float16).save_pretrained(pack / "texture")
    set_part(pack, "texture", {"implementation": "diffusers", "folder": "texture"})
    size = sum(file.stat().st_size for file in (pack / "texture").rglob("*") if file.is_file())
    print(f"Wrote {pack / 'texture'}: {size / 1e6:.1f} MB")


SAMPLES = (
    "a young man with fair skin and blue eyes",
    "an old man with dark brown skin and a full white beard",
    "a young woman with red lipstick and freckles",
    "an asian woman with black hair",
    "a zombie",
    "a marble statue",
    "a clown",
    "a bald man with a black moustache",
)


def samples(stage, pack, out, guidance, steps):
    """A sheet of textures for some sentences, on the first heads' normal maps."""
    model = TextureModel.load(pack / "texture")
    text = TextModel.load({"folder": "text"}, pack)
    normals = np.load(stage.run / "normals.npy", mmap_mode="r")
    _, _, atlas = studio(pack, stage.size)
    empty = text.encode("", required=False).tokens
    images, began = [], time.time()
    for i, sentence in enumerate(SAMPLES):
        tokens = text.encode(sentence).tokens
        made = model.paint(tokens, empty, normals[i], atlas.coverage, seed=i, steps=steps, guidance=guidance, size=stage.size)
        images.append(made.albedo)
    print(f"{(time.time() - began) / len(images):.2f} s each")
    out.mkdir(parents=True, exist_ok=True)
    sheet(to_tensor(np.stack(images)), out / "samples.png", 4)


def sheet(images, path, columns):
    """Images (B,3,S,S) in [-1,1] -> one PNG, `columns` side by side."""
    rows = images.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(((rows + 1) * 127.5).round().clamp(0, 255).byte().numpy()).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = ("layout", "spots", "data", "grow", "vae", "latents", "diffusion", "guesses", "decoder", "export", "samples")
    parser.add_argument("command", choices=commands)
    parser.add_argument("--half", action="store_true", help="at half the size")
    parser.add_argument("--pack", type=Path, default=PACK)
    parser.add_argument("--people", type=int, default=300, help="spots: how many to fit to")
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--bf16", action="store_true", help="half precision where the processor is fast at it")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out", type=Path, default=FULL.run)
    options = parser.parse_args()
    stage = HALF if options.half else FULL
    match options.command:
        case "layout":
            fit_layout(options.pack)
        case "spots":
            fit_spots(options.pack, options.people)
        case "data":
            make_data(stage, options.pack, options.pairs, options.processes)
        case "grow":
            grow()
        case "vae":
            train_vae(stage, options.pack, options.minutes, half=options.bf16)
        case "guesses":
            make_guesses(stage)
        case "decoder":
            train_decoder(stage, options.pack, options.minutes, half=options.bf16)
        case "latents":
            make_latents(stage, options.pack)
        case "diffusion":
            train_diffusion(stage, options.pack, options.minutes, half=options.bf16)
        case "export":
            export(stage, options.pack)
        case "samples":
            samples(stage, options.pack, options.out, options.guidance, options.steps)


if __name__ == "__main__":
    main()
