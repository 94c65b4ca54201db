"""Train the starter text model's image tower on pictures of studio heads, against its finished text tower.

$ python -m tools.train.image_tower data --heads 10000    draws pictures of painted heads; resumes
$ python -m tools.train.image_tower train --minutes 60    resumes from runs/image

CLIP's symmetric contrastive loss between pictures and sentences about the same heads, with the text tower frozen. The encoder
of parameters that the text tower was trained with gives a second, denser target for each picture.
"""

import argparse
import json
import os
import time
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional as F

from cliphead_addon.engine.geometry.unwrap import UVLayout
from cliphead_addon.engine.nets.text import TextModel, normalise
from tools.evaluate_clip import ranks
from tools.studio import captions
from tools.studio.atlas import studio_atlas
from tools.studio.expressions import EXPRESSIONS
from tools.studio.look import Look, random_look
from tools.studio.people import Population
from tools.studio.renders import Photographer

from .mappers import Embedder
from .text import ARCHITECTURE, HELD_OUT, NAME, Teacher, random_expression, write_pack
from .text import RUN as TEXT_RUN

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

RUN = Path("runs/image")
VIEWS, CHUNK, ATLAS = 4, 50, 192  # pictures of a head, heads in a file, px of the painted texture
SIDE = ARCHITECTURE["vision_cfg"]["image_size"]
SENTENCES, TRIES = 12, 4  # about each head of training, each the one that says most of up to so many: short ones teach little
LOPSIDED = {"wink left", "wink right", "jaw left", "jaw right", "smirk"}
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # open_clip's for OpenAI's CLIP


@cache
def photographer(pack):
    population = Population()
    layout = UVLayout.from_arrays(load_file(pack / "layout.safetensors"))
    return Photographer(population, studio_atlas(population, layout, ATLAS))


def draw_head(pack, seed):
    """-> pictures (VIEWS,SIDE,SIDE,3) uint8 and what is needed to write sentences about them."""
    camera, rng = photographer(pack), np.random.default_rng([seed, 73])
    population = camera.population
    person = population.person(seed)
    look, expression = random_look(rng, person), random_expression(rng)
    z = population.attributes(population.vertices(person))
    shapes = {}
    for name, weight in expression.items():
        for shape, value in EXPRESSIONS[name].items():
            shapes[shape] = shapes.get(shape, 0) + weight * value
    vertices, colours = population.vertices(person, shapes), camera.colours(look, rng)
    hair = camera.hair(person, look, colours, rng)
    pictures = np.stack([camera.picture(vertices, colours, rng, SIDE, hair) for _ in range(VIEWS)])
    return pictures, {"seed": seed, "z": z, "look": asdict(look), "expression": expression}


def make_data(pack, heads, held_out):
    RUN.mkdir(parents=True, exist_ok=True)
    began, made = time.time(), 0
    for first, count in ((0, heads), (HELD_OUT, held_out)):
        for start in range(first, first + count, CHUNK):
            if (RUN / f"{start:07}.json").is_file():
                continue
            pictures, rows = zip(*(draw_head(pack, start + i) for i in range(min(CHUNK, first + count - start))), strict=True)
            np.save(RUN / f"{start:07}.npy", np.stack(pictures))
            (RUN / f"{start:07}.json").write_text(json.dumps(rows))
            made += len(rows)
            print(f"{made} heads, {(time.time() - began) / made:.2f} s each", flush=True)


class Album:
    """All drawn heads of one kind: pictures, and sentences made on the spot."""

    def __init__(self, population, held_out):
        chunks = [path for path in sorted(RUN.glob("???????.json")) if (int(path.stem) >= HELD_OUT) == held_out]
        if not chunks:
            raise SystemExit("No pictures yet: run `python -m tools.train.image_tower data` first.")
        self.pictures = torch.from_numpy(np.concatenate([np.load(path.with_suffix(".npy")) for path in chunks]))
        rows = [row for path in chunks for row in json.loads(path.read_text())]
        heads = [(population.person(row["seed"]), row["z"], Look(**row["look"]), row["expression"]) for row in rows]
        self.heads = heads
        self.parameters = torch.from_numpy(np.stack([captions.parameters(*head) for head in heads]))
        self.even = torch.tensor([LOPSIDED.isdisjoint(row["expression"]) for row in rows])  # their mirror images are heads too

    def sentences(self, indices, rng, tries=1):
        """One sentence per head, the one that says most of `tries`."""
        return [normalise(max((captions.caption(*self.heads[i], rng) for _ in range(tries)), key=len)) for i in indices]


def prepare(pictures, shift=0):
    """(B,SIDE,SIDE,3) uint8 -> (B,3,SIDE,SIDE) float32 as open_clip's preprocessing gives them.

    shift: for training, px by which the batch is moved at most; each picture's brightness then varies as well.
    """
    x = pictures.permute(0, 3, 1, 2).float() / 255
    if shift:
        x = F.pad(x, (shift,) * 4, mode="replicate")
        top, left = torch.randint(2 * shift + 1, (2,))
        x = x[..., top : top + SIDE, left : left + SIDE] * (0.85 + 0.3 * torch.rand(len(x), 1, 1, 1))
    x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    return x.contiguous(memory_format=torch.channels_last)  # convolutions on a CPU are half as fast again


def contrast(one, other, scale):
    logits = scale * one @ other.T
    target = torch.arange(len(one))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def start(pack):
    """The pack's text model with an image tower of ARCHITECTURE: its own, or a new one where that was another. -> TextModel"""
    text, path = TextModel.load({"folder": "text"}, pack, keep_image=True), pack / f"text/{NAME}.json"
    config = json.loads(path.read_text("utf-8"))
    if config["vision_cfg"] != ARCHITECTURE["vision_cfg"]:
        config["vision_cfg"] = ARCHITECTURE["vision_cfg"]
        text.model.visual = open_clip.CLIP(**config).visual
        path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    text.model.visual.requires_grad_(True).to(memory_format=torch.channels_last)
    return text


def train(pack, minutes, size, rate, threads):
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    text = start(pack)
    model, embed, teacher = text.model, Embedder(text), Teacher()
    teacher.load_state_dict(torch.load(TEXT_RUN / "last.pt", weights_only=True)["teacher"])
    teacher.requires_grad_(False)
    population = Population()
    album, held_out = Album(population, False), Album(population, True)
    optimiser = torch.optim.AdamW(model.visual.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.05)
    steps, spent, last = 0, 0.0, RUN / "last.pt"
    if last.is_file():
        state = torch.load(last, weights_only=True)
        model.visual.load_state_dict(state["visual"])
        optimiser.load_state_dict(state["optimiser"])
        steps, spent = state["steps"], state["spent"]
    rng = np.random.default_rng([steps, 5])
    torch.manual_seed(steps)
    heads = np.arange(len(album.heads)).repeat(SENTENCES)
    told = [album.sentences([i], rng, tries=int(rng.integers(1, TRIES + 1)))[0] for i in heads]
    told = embed(told).reshape(len(album.heads), SENTENCES, -1)
    with torch.no_grad():
        known = F.normalize(teacher.parameters_in(album.parameters), dim=-1)
    scale = float(model.logit_scale.exp())
    started = saved = time.monotonic()
    model.visual.train()
    while True:
        now = spent + time.monotonic() - started
        done = now >= 60 * minutes
        if done or time.monotonic() - saved > 90:
            saved = time.monotonic()
            state = {"visual": model.visual.state_dict(), "optimiser": optimiser.state_dict(), "steps": steps, "spent": now}
            torch.save(state, last.with_suffix(".part"))
            os.replace(last.with_suffix(".part"), last)
        if done:
            break
        descent = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * now / (60 * minutes)))
        optimiser.param_groups[0]["lr"] = rate * min((steps + 1) / 100, float(descent))
        chosen = torch.randperm(len(album.heads))[:size]  # each head once: it is no wrong answer to itself
        views = album.pictures[chosen, torch.randint(VIEWS, (size,))]
        mirrored = album.even[chosen] & (torch.rand(size) < 0.5)
        views[mirrored] = views[mirrored].flip(2)
        with torch.autocast("cpu", torch.bfloat16):  # twice as fast where the processor has it
            image = model.encode_image(prepare(views, shift=4))
        image = F.normalize(image.float(), dim=-1)
        sentences = told[chosen, torch.randint(SENTENCES, (size,))]
        loss = contrast(image, sentences, scale) + contrast(image, known[chosen], scale)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.visual.parameters(), 1.0)
        optimiser.step()
        steps += 1
        if steps % 50 == 0:
            print(f"image: step {steps}, {now / 60:.1f} of {minutes:g} min, loss {loss:.3f}", flush=True)
    model.eval()
    with torch.no_grad():
        pictures = held_out.pictures[:, 0].split(100)
        images = torch.cat([model.encode_image(prepare(part), normalize=True) for part in pictures])
        known = F.normalize(teacher.parameters_in(held_out.parameters), dim=-1)
    for name, tries in (("any sentence", 1), ("the longest of eight", 8)):
        chosen = held_out.sentences(range(len(images)), np.random.default_rng(3), tries)
        sentences = embed(chosen)
        for kind, found in (("pictures", images), ("the parameters themselves", known)):
            place = ranks(found, sentences)
            print(f"held-out retrieval, {kind}, {name}: top-1 {(place == 0).mean():.3f}, top-5 {(place < 5).mean():.3f}")
    write_pack(model, pack)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data")
    data.add_argument("--heads", type=int, default=10_000)
    data.add_argument("--held-out", type=int, default=500)
    training = commands.add_parser("train")
    training.add_argument("--minutes", type=float, default=60)
    training.add_argument("--batch", type=int, default=256)
    training.add_argument("--rate", type=float, default=1e-3)
    training.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.command == "data":
        make_data(options.pack, options.heads, options.held_out)
    else:
        train(options.pack, options.minutes, options.batch, options.rate, options.threads)


if __name__ == "__main__":
    main()
