"""Train both mapping networks for a text encoder: sentence embedding -> head code.

$ python -m tools.train.mappers --minutes 3                                       # for the pack's own text part
$ python -m tools.train.mappers --text ViT-B-32 --weights vit_b_32.safetensors --captions 8000 --pack my_pack

The pairs are studio people and sentences about them. The identity network learns by the likelihood of a person's whitened shape
parameters s: y = A s is normal with the mean and deviations that the network reads from the sentence, A learnt with it. The
expression network learns the expression's weights. Both then continue with the linear maps to codes from tools.train.head.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from cliphead_addon.engine.nets.mapping import LOG_DEVIATION, Mapper, split
from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.packs import set_part
from tools.studio import captions
from tools.studio.expressions import EXPRESSIONS, coefficients
from tools.studio.people import OPPOSITES

from .text import HELD_OUT, RUN, Crowd, Speller, encode

START = math.log(-LOG_DEVIATION[0] / LOG_DEVIATION[1])  # where `split` gives deviation 1, the population's


class Embedder:
    """Sentences -> unit embeddings (B,C); the small model takes a short cut past the padding."""

    def __init__(self, text):
        self.text = text
        self.spell = Speller(text.tokenizer) if text.vocabulary else None

    @torch.no_grad()
    def __call__(self, sentences, size=256):
        parts = []
        for start in range(0, len(sentences), size):
            some = sentences[start : start + size]
            if self.spell:
                parts.append(nn.functional.normalize(encode(self.text.model, [self.spell(s) for s in some]), dim=-1))
            else:
                parts.append(self.text.encode_many(some)[0])
        return torch.cat(parts)


def make_pairs(crowd, embed, count, seed):
    """-> dict: index of the person, embedding (n,C), expression weights (n,23), mask of what is spoken of (n,P), sentences."""
    rng = np.random.default_rng([seed, 11])
    index, sentences, rows, masks = zip(*(crowd.example(rng) for _ in range(count)), strict=True)
    return {
        "index": np.array(index),
        "embedding": embed(sentences),
        "expression": torch.from_numpy(np.stack(rows)[:, captions.SLICES["expression"]]),
        "mask": np.stack(masks),
        "sentences": sentences,
    }


def shape_codes(crowd):
    """(n,D) whitened shape parameters of a crowd."""
    return torch.from_numpy(np.stack([crowd.population.shape_code(person) for person in crowd.people])).float()


def word_axes(crowd, codes):
    """An orthonormal basis (D,D) whose first rows lie along what words speak of: the deviation of each can then shrink alone.

    The directions of gender, age, ancestry, measures and local words in shape space, as close as an orthonormal set can be.
    """
    rows = [
        np.r_[p.gender, p.age, [p.ancestry[a] for a in captions.ANCESTRIES[1:]], z, [_local(p, pair) for pair in OPPOSITES]]
        for p, z in zip(crowd.people, crowd.measures, strict=True)
    ]
    directions = np.linalg.lstsq(codes.numpy().astype(np.float64), np.array(rows) - np.mean(rows, 0), rcond=None)[0]  # (D,k)
    u, _, vt = np.linalg.svd(directions / np.linalg.norm(directions, axis=0))
    count = len(vt)
    return torch.from_numpy(np.concatenate([u[:, :count] @ vt, u[:, count:]], axis=1).T).float()


def _local(person, pair):
    return person.local.get(pair[0], 0) - person.local.get(pair[1], 0)


class Training(nn.Module):
    """Both mappers and the mix A of shape parameters, from where it starts."""

    def __init__(self, inputs, mix, shapes):
        super().__init__()
        dimensions = len(mix)
        self.identity = Mapper(inputs, 2 * dimensions, dropout=0.15)
        self.expression = Mapper(inputs, shapes, dropout=0.05)
        self.mix = nn.Parameter(mix.clone())
        with torch.no_grad():
            for mapper in (self.identity, self.expression):
                mapper.layers[-1].weight.mul_(0.1)
            self.identity.layers[-1].bias[dimensions:] = START

    def identity_loss(self, embedding, code):
        """Negative log likelihood per parameter. embedding (B,C), whitened code (B,D)."""
        mean, log_deviation = split(self.identity(embedding))
        y = code @ self.mix.T
        squared = ((y - mean) * (-log_deviation).exp()).square()
        return (0.5 * squared + log_deviation).mean() - torch.linalg.slogdet(self.mix).logabsdet / len(self.mix)

    def expression_loss(self, embedding, weights):
        return (self.expression(embedding) - weights).square().sum(-1).mean()


@torch.no_grad()
def judge(training, crowd, pairs, codes, heads=150, seeds=24):
    """Held-out sentences to shapes, measured as the studio measures.

    -> dict: per topic the share of mentioned things on the right side of the population's median, at variation 0 ("mean") and 1
    ("seed"); how far the spread of unmentioned measures keeps to the population's ("spread"); expression weight errors.
    """
    training.eval()
    population, rng = crowd.population, np.random.default_rng(5)
    back = torch.linalg.inv(training.mix)
    mean, log_deviation = split(training.identity(pairs["embedding"]))
    probes = {"gender": [p.gender for p in crowd.people], "age": [p.age for p in crowd.people]}
    probes |= {ancestry: [p.ancestry[ancestry] for p in crowd.people] for ancestry in captions.ANCESTRIES}
    with_one = np.c_[codes.numpy(), np.ones(len(codes))]
    truth = np.array(list(probes.values())).T
    probe = np.linalg.lstsq(with_one, truth, rcond=None)[0]
    truth = np.c_[crowd.measures, truth]
    names = [*captions.MEASURES, *probes]
    middle = np.median(truth, 0)

    def measure(y):
        code = (y @ back.T).numpy()
        z = population.attributes(population.vertices_from_shape_code(code))
        return np.r_[[z[name] for name in captions.MEASURES], np.r_[code, 1] @ probe]

    said = np.stack([pairs["mask"][:, captions.SLICES[_topic(name)].start] for name in names], 1)
    true = truth[pairs["index"]]
    right = {}
    for kind, scale in (("mean", 0.0), ("seed", 1.0)):
        noise = torch.from_numpy(rng.normal(size=mean.shape)).float() * scale
        y = mean + noise * log_deviation.exp()
        rows = np.array([measure(row) for row in y[:heads]])
        clear = said[:heads] & (np.abs(true[:heads] - middle) > 0.2 * truth.std(0))
        hit = (rows > middle) == (true[:heads] > middle)
        right[kind] = {name: (int(hit[clear[:, i], i].sum()), int(clear[:, i].sum())) for i, name in enumerate(names)}
    quiet = pairs["mask"][:, : captions.SLICES["style"].start].sum(1).argsort()[:4]
    spreads = []
    for i in quiet:
        noise = torch.from_numpy(rng.normal(size=(seeds, mean.shape[1]))).float()
        rows = np.array([measure(row) for row in mean[i] + noise * log_deviation[i].exp()])
        spreads.append(np.where(said[i], np.nan, rows.std(0) / truth.std(0)))
    error = (training.expression(pairs["embedding"]) - pairs["coefficients"]).abs().max(1).values
    training.train()
    return right, dict(zip(names, np.nanmean(spreads, 0), strict=True)), float((error < 0.35).float().mean())


def _topic(name):
    return "ancestry" if name in captions.ANCESTRIES else name


def report(right, spread, expression):
    lines = [f"{'':18s}{'mean':>7s}{'seed':>7s}{'said':>6s}{'spread':>8s}"]
    total = {kind: np.zeros(2) for kind in right}
    for name in spread:
        shares = []
        for kind in right:
            total[kind] += right[kind][name]
            shares.append(f"{right[kind][name][0] / max(right[kind][name][1], 1):7.2f}")
        lines.append(f"{name:18s}{''.join(shares)}{right['mean'][name][1]:6d}{spread[name]:8.2f}")
    lines.append(f"{'all':18s}" + "".join(f"{a / b:7.3f}" for a, b in total.values()))
    lines.append(f"expressions with every weight within 0.35: {expression:.3f}")
    return "\n".join(lines)


def write_pack(training, pack):
    """Folds the mix into the pack's identity basis and writes the mappers part."""
    bases = {name: value.float() for name, value in load_file(pack / "bases.safetensors").items()}
    back = torch.linalg.inv(training.mix.detach().double())
    arrays = {f"identity.{name}": value for name, value in training.identity.state_dict().items()}
    arrays |= {f"expression.{name}": value for name, value in training.expression.state_dict().items()}
    arrays |= {name: bases[name] for name in ("identity_mean", "expression_basis", "expression_mean", "neutral")}
    arrays["identity_basis"] = bases["identity_basis"].double() @ back
    save_file({name: value.half().contiguous() for name, value in arrays.items()}, pack / "mappers.safetensors")
    set_part(pack, "mappers", {"implementation": "mlp", "file": "mappers.safetensors"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3, help="for the mapping networks, after the sentences are encoded")
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    parser.add_argument("--text", help="any architecture of open_clip; without it the pack's own text part")
    parser.add_argument("--weights", type=Path, help="its weights, a local file")
    parser.add_argument("--captions", type=int, default=30_000)
    parser.add_argument("--people", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--dry", action="store_true", help="measure, but write nothing and need no trained head model")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)

    part = {"architecture": options.text, "file": options.weights} if options.text else {"folder": "text"}
    embed = Embedder(TextModel.load(part, "." if options.text else options.pack))
    crowd = Crowd(range(options.people), RUN / "people.npz")
    held_out = Crowd(range(HELD_OUT, HELD_OUT + 800), RUN / "held_out.npz")
    names = crowd.population.ict.expression_names
    recipes = torch.tensor([coefficients(expression, names) for expression in EXPRESSIONS.values()])  # (23,57)
    started = time.monotonic()
    pairs, test = make_pairs(crowd, embed, options.captions, 1), make_pairs(held_out, embed, 1500, 2)
    for some in (pairs, test):
        some["coefficients"] = some["expression"] @ recipes
    codes, test_codes = shape_codes(crowd), shape_codes(held_out)
    print(f"{options.captions} sentences encoded in {time.monotonic() - started:.0f} s", flush=True)

    index, test_index = torch.from_numpy(pairs["index"]), torch.from_numpy(test["index"])
    training = Training(pairs["embedding"].shape[1], word_axes(crowd, codes), recipes.shape[1])
    optimiser = torch.optim.AdamW(training.parameters(), 1e-3, weight_decay=0.01)
    end = time.monotonic() + 60 * options.minutes
    step = 0
    while time.monotonic() < end and step < options.steps:
        descent = max(step / options.steps, 1 - (end - time.monotonic()) / (60 * options.minutes))
        optimiser.param_groups[0]["lr"] = 1e-3 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * descent)))
        rows = torch.randint(len(index), (512,))
        loss = training.identity_loss(pairs["embedding"][rows], codes[index[rows]])
        loss = loss + training.expression_loss(pairs["embedding"][rows], pairs["coefficients"][rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 250 == 0:
            training.eval()
            with torch.no_grad():
                nll = training.identity_loss(test["embedding"], test_codes[test_index])
                face = training.expression_loss(test["embedding"], test["coefficients"])
            training.train()
            print(f"step {step}  loss {loss:.4f}  held out: identity {nll:.4f}, expression {face:.4f}", flush=True)
    right, spread, expression = judge(training, held_out, test, test_codes)
    print(report(right, spread, expression))
    RUN.mkdir(parents=True, exist_ok=True)
    (RUN / "mappers.json").write_text(json.dumps({"right": right, "spread": spread, "expression": expression}, indent=1))
    if not options.dry:
        write_pack(training, options.pack)


if __name__ == "__main__":
    main()
