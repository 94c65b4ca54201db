"""Train the mapping networks for a text encoder: sentence embedding -> head code.

$ python -m tools.train.mappers --minutes 12                                      # for the pack's own text part
$ python -m tools.train.mappers --text ViT-L-14 --weights vit_l_14.safetensors --out packs/starter-l14
$ python -m tools.train.mappers --hair --minutes 6                                # the hair network alone, from the pack's
$ python -m tools.train.mappers --measure --pack packs/starter-l14               # held-out sentences, as after a training

With --text the networks are learnt from the pack's own and its captions, for any text tower of open_clip, in under ten minutes
and without the studio's data (engine/adapt.py); the result is a pack of its own. --from-studio trains them as below instead.

The pairs are studio people and sentences about them. The identity network learns by the likelihood of a person's whitened shape
parameters s: y = A s is normal with the mean and deviations that the network reads from the sentence, A learnt with it; what
words can name (measures, age, ...) counts once more, each by a likelihood and a deviation of its own. The hair network learns
the chances of styles for a sentence about a person, the expression network the expression's weights. All continue with the
linear maps to codes from tools.train.head; a pack without hair gets no hair network.
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
from torch.nn import functional as F

from cliphead_addon.engine import adapt
from cliphead_addon.engine.nets.mapping import (
    AMOUNTS,
    LOG_DEVIATION,
    SELDOM,
    Mapper,
    Mappers,
    hair_features,
    split,
    split_hair,
    steady,
)
from cliphead_addon.engine.nets.text import TextModel
from cliphead_addon.engine.packs import open_pack, set_part
from tools.studio import captions
from tools.studio.expressions import CODES, EXPRESSIONS, coefficients
from tools.studio.hair import BALD, STYLE_NAMES, STYLES, directions, random_hair
from tools.studio.people import OPPOSITES

from .text import HELD_OUT, RUN, Crowd, Speller, encode

HIDDEN = 512  # width of the identity network
SPREAD = 1.22  # without it heads of one sentence, measured on their surfaces, vary by 0.77 to 0.92 of the people whom it fits
FAINT = 0.05  # deviation that a named quantity keeps however clearly it is said
SAID = 10.0  # how much more a named quantity counts in sentences that speak of it; few do, of any one
WORN_TRIES = 24  # hairs that each person might wear, for sentences that do not say
AMOUNT_ROWS = [captions.SLICES["hair volume"].start, captions.SLICES["hair length"].start]
HAS_AMOUNT = torch.tensor([[style != BALD, style != BALD and STYLES[style].hangs] for style in STYLE_NAMES]).float()  # (H,2)
START = math.log(-LOG_DEVIATION[0] / LOG_DEVIATION[1])  # where `split` gives deviation 1, the population's


class Embedder:
    """Sentences -> unit embeddings (B,C), without running towers over the padding."""

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
                parts.append(self.text.embeddings(some))
        return torch.cat(parts)


def make_pairs(crowd, embed, count, seed):
    """-> dict: index of the person, embedding (n,C), expression weights (n,23), hair style (n,) and amounts (n,2), mask of what
    is spoken of (n,P), sentences.
    """
    rng = np.random.default_rng([seed, 11])
    index, sentences, rows, masks = zip(*(crowd.example(rng) for _ in range(count)), strict=True)
    rows = np.stack(rows)
    return {
        "index": np.array(index),
        "embedding": embed(sentences),
        "expression": torch.from_numpy(rows[:, captions.SLICES["expression"]]),
        "style": torch.from_numpy(rows[:, captions.SLICES["scalp"]].argmax(1)),
        "amounts": torch.from_numpy(rows[:, AMOUNT_ROWS] / captions.HAIR_AMOUNT),
        "mask": np.stack(masks),
        "sentences": sentences,
    }


def shape_codes(crowd):
    """(n,D) whitened shape parameters of a crowd."""
    return torch.from_numpy(np.stack([crowd.population.shape_code(person) for person in crowd.people])).float()


def named(crowd):
    """What words can name, of each person, in the order of NAMED -> (n,Q), each of deviation one."""
    rows = [
        np.r_[z, p.gender, p.age, [p.ancestry[a] for a in captions.ANCESTRIES], [_local(p, pair) for pair in OPPOSITES]]
        for p, z in zip(crowd.people, crowd.measures, strict=True)
    ]
    return (rows - np.mean(rows, 0)) / np.std(rows, 0)


NAMED = (*captions.MEASURES, "gender", "age", *captions.ANCESTRIES, *(pair[0] for pair in OPPOSITES))


def spoken_of(pairs):
    """(n,Q) float32: which of the NAMED quantities each sentence speaks of."""
    return torch.from_numpy(pairs["mask"][:, [captions.SLICES[_topic(name)].start for name in NAMED]]).float()


def word_directions(crowd, codes):
    """(D,k) least squares from shape codes to what is `named`."""
    return torch.from_numpy(np.linalg.lstsq(codes.numpy().astype(np.float64), named(crowd), rcond=None)[0]).float()


def word_axes(directions):
    """An orthonormal basis (D,D) whose first rows lie along what words speak of: the deviation of each can then shrink alone.

    The directions (D,k) in shape space, as close as an orthonormal set can be; the last ancestry follows from the others.
    """
    last = len(captions.MEASURES) + 1 + len(captions.ANCESTRIES)
    directions = np.delete(directions.numpy().astype(np.float64), last, axis=1)
    u, _, vt = np.linalg.svd(directions / np.linalg.norm(directions, axis=0))
    count = len(vt)
    return torch.from_numpy(np.concatenate([u[:, :count] @ vt, u[:, count:]], axis=1).T).float()


def _local(person, pair):
    return person.local.get(pair[0], 0) - person.local.get(pair[1], 0)


def styles_left_open(pairs, styles):
    """(n,WORN_TRIES) styles that each sentence's head might wear as well: what is said stays, and coloured hair is hair.

    styles: (people,WORN_TRIES) of `wardrobe`
    """
    worn, mask = pairs["style"][:, None], torch.from_numpy(pairs["mask"])
    said, coloured = (mask[:, [captions.SLICES[topic].start]] for topic in ("scalp", "hair"))
    others = styles[torch.from_numpy(pairs["index"])]
    return torch.where(said | (coloured & (others == STYLE_NAMES.index(BALD))), worn, others)


def wardrobe(crowd):
    """(n,WORN_TRIES) styles that each person might wear."""
    rng = np.random.default_rng(12)
    return torch.tensor(
        [[STYLE_NAMES.index(random_hair(rng, person).style) for _ in range(WORN_TRIES)] for person in crowd.people]
    )


class Training(nn.Module):
    """The mappers and the mix A of shape parameters, from where it starts."""

    def __init__(self, inputs, directions, shapes):
        super().__init__()
        dimensions = len(directions)
        self.identity = Mapper(inputs, 2 * dimensions + directions.shape[1], HIDDEN, dropout=0.05)
        self.hair = Mapper(inputs + dimensions, len(STYLE_NAMES) + 2 * AMOUNTS, dropout=0.15)
        self.expression = Mapper(inputs, shapes, dropout=0.05)
        self.mix = nn.Parameter(word_axes(directions))
        self.register_buffer("directions", directions, persistent=False)
        with torch.no_grad():
            for mapper in (self.identity, self.hair, self.expression):
                mapper.layers[-1].weight.mul_(0.1)
            self.identity.layers[-1].bias[dimensions:] = START

    @classmethod
    def of_pack(cls, pack, directions):
        """The networks of a pack as if they had just been trained, for `judge`."""
        mappers, bases = Mappers.load(pack), pack.tensors(pack.part("bases")["file"])
        training = cls(mappers.embedding_width, directions, mappers.expression_basis.shape[1])
        training.identity, training.expression, training.hair = mappers._identity, mappers._expression, mappers._hair
        training.hair.requires_grad_(True)
        back = np.linalg.lstsq(bases["identity_basis"], mappers.identity_basis, rcond=None)[0]
        with torch.no_grad():
            training.mix.copy_(torch.linalg.inv(torch.from_numpy(back).double()))
        return training

    def identity_loss(self, embedding, code, said):
        """Negative log likelihood per parameter, and per named quantity.

        embedding (B,C), whitened code (B,D), said (B,Q) whether the sentence speaks of a quantity.
        """
        mean, log_deviation, log_limit = split(self.identity(embedding), len(self.mix))
        y = code @ self.mix.T
        squared = ((y - mean) * (-log_deviation).exp()).square()
        whole = (0.5 * squared + log_deviation).mean() - torch.linalg.slogdet(self.mix).logabsdet / len(self.mix)
        variance = (2 * log_limit).exp() + FAINT**2
        missed = (code @ self.directions - mean @ self.named()).square()
        weight = 1 + (SAID - 1) * said
        return whole + 0.5 * ((missed / variance + variance.log()) * weight).sum() / weight.sum()

    def named(self):
        """(D,Q) from y to what words can name."""
        return torch.linalg.inv(self.mix).T @ self.directions

    def hair_loss(self, embedding, code, style, amounts, weight):
        """Negative log likelihoods of styles (B,) and amounts (B,2), weighted (B,2). embedding (B,C), whitened code (B,D)."""
        logits, mean, log_deviation = split_hair(self.hair(hair_features(embedding, code @ self.mix.T.detach())))
        squared = ((amounts - mean) * (-log_deviation).exp()).square()
        return F.cross_entropy(logits, style) + ((0.5 * squared + log_deviation) * weight).sum() / weight.sum()

    def expression_loss(self, embedding, weights):
        return (self.expression(embedding) - weights).square().sum(-1).mean()


@torch.no_grad()
def calibrate(training, embedding, code, said):
    """Widens all deviations until unseen people are likeliest: the people of the training are known too well."""
    training.eval()
    D = code.shape[1]
    for name, some in (("shape parameters", slice(D, 2 * D)), ("named quantities", slice(2 * D, None))):
        bias = training.identity.layers[-1].bias[some]
        learnt, shifts = bias.clone(), np.linspace(0, 2, 21)
        losses = []
        for shift in shifts:
            bias.copy_(learnt + shift)
            losses.append(float(training.identity_loss(embedding, code, said)))
        best = int(np.argmin(losses))
        bias.copy_(learnt + shifts[best])
        print(f"deviations of {name}: logit + {shifts[best]:.1f}, {losses[0]:.4f} -> {losses[best]:.4f}", flush=True)


@torch.no_grad()
def judge(training, crowd, pairs, codes, heads=150, seeds=24):
    """Held-out sentences to shapes, measured as the studio measures.

    -> dict: per topic the share of mentioned things on the right side of the population's median, at variation 0 ("mean") and 1
    ("seed"); how far the spread of unmentioned measures keeps to the population's ("spread"); expression weight errors.
    """
    training.eval()
    population, rng = crowd.population, np.random.default_rng(5)
    back = torch.linalg.inv(training.mix)
    outputs = split(training.identity(pairs["embedding"]).double(), len(codes[0]))
    mean, deviation, limits = outputs[0].numpy(), *(x.exp().numpy() for x in outputs[1:])
    quantities = training.named().double().numpy()
    probes = {"gender": [p.gender for p in crowd.people], "age": [p.age for p in crowd.people]}
    probes |= {ancestry: [p.ancestry[ancestry] for p in crowd.people] for ancestry in captions.ANCESTRIES}
    with_one = np.c_[codes.numpy(), np.ones(len(codes))]
    truth = np.array(list(probes.values())).T
    probe = np.linalg.lstsq(with_one, truth, rcond=None)[0]
    truth = np.c_[crowd.measures, truth]
    names = [*captions.MEASURES, *probes]
    middle = np.median(truth, 0)

    def draw(i, scale=1.0):
        return mean[i] + scale * steady(deviation[i] * rng.normal(size=len(mean[i])), deviation[i], limits[i], quantities)

    def measure(y):
        code = y @ back.T.numpy()
        z = population.attributes(population.vertices_from_shape_code(code))
        return np.r_[[z[name] for name in captions.MEASURES], np.r_[code, 1] @ probe]

    said = np.stack([pairs["mask"][:, captions.SLICES[_topic(name)].start] for name in names], 1)
    true = truth[pairs["index"]]
    right = {}
    for kind, scale in (("mean", 0.0), ("seed", 1.0)):
        rows = np.array([measure(draw(i, scale)) for i in range(heads)])
        clear = said[:heads] & (np.abs(true[:heads] - middle) > 0.2 * truth.std(0))
        hit = (rows > middle) == (true[:heads] > middle)
        right[kind] = {name: (int(hit[clear[:, i], i].sum()), int(clear[:, i].sum())) for i, name in enumerate(names)}
    quiet = pairs["mask"][:, : captions.SLICES["style"].start].sum(1).argsort()[:4]
    spreads = []
    for i in quiet:
        rows = np.array([measure(draw(i)) for _ in range(seeds)])
        spreads.append(np.where(said[i], np.nan, rows.std(0) / truth.std(0)))
    error = (training.expression(pairs["embedding"]) - pairs["coefficients"]).abs().max(1).values
    training.train()
    return right, dict(zip(names, np.nanmean(spreads, 0), strict=True)), float((error < 0.35).float().mean())


@torch.no_grad()
def judge_hair(training, pairs, codes, styles):
    """Held-out sentences to hair styles -> shares by name.

    Words such as "short hair" suit many styles, of which one was worn, so that the shares of styles as said cannot reach one.
    """
    training.eval()
    index, rng = torch.from_numpy(pairs["index"]), np.random.default_rng(6)
    y = codes[index] @ training.mix.T
    logits, mean, _ = split_hair(training.hair(hair_features(pairs["embedding"], y)))
    luck = torch.from_numpy(rng.gumbel(size=logits.shape)).float()
    likely = logits > logits.amax(1, keepdim=True) + math.log(SELDOM)
    drawn = torch.where(likely, logits + luck, torch.tensor(-torch.inf)).argmax(1)
    mask = torch.from_numpy(pairs["mask"])
    said, bald = mask[:, captions.SLICES["scalp"].start], pairs["style"] == STYLE_NAMES.index(BALD)
    wanted = F.one_hot(styles_left_open(pairs, styles)[~said], len(STYLE_NAMES)).float().mean((0, 1))
    open_ = F.one_hot(drawn[~said], len(STYLE_NAMES)).float().mean(0)
    coloured = mask[:, captions.SLICES["hair"].start] & ~said & ~bald
    amounts = mask[:, AMOUNT_ROWS] & (HAS_AMOUNT[pairs["style"]] > 0) & (pairs["amounts"].abs() > 0.4)
    training.train()
    return {
        "style likeliest": float((logits.argmax(1) == pairs["style"])[said].float().mean()),
        "style drawn": float((drawn == pairs["style"])[said].float().mean()),
        "bald as said": float((drawn == pairs["style"])[said & bald].float().mean()),
        "bald where a colour was said": float((drawn == STYLE_NAMES.index(BALD))[coloured].float().mean()),
        "volume or length, side": float(((mean > 0) == (pairs["amounts"] > 0))[amounts].float().mean()),
        "styles left open, distance from the population's": float((open_ - wanted).abs().sum() / 2),
    }


def _topic(name):
    return "ancestry" if name in captions.ANCESTRIES else name


def report(right, spread, expression, hair):
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
    lines += [f"hair, {name}: {value:.3f}" for name, value in hair.items()]
    return "\n".join(lines)


def write_hair(training, pack):
    """Puts the hair network into the pack's mappers part and leaves everything else in it."""
    arrays = load_file(pack / "mappers.safetensors")
    arrays |= {f"hair.{name}": value.half().contiguous() for name, value in training.hair.state_dict().items()}
    save_file(arrays, pack / "mappers.safetensors")


def write_pack(training, pack):
    """Folds the mix into the pack's identity basis and writes the mappers part, with hair if the pack has some."""
    bases = {name: value.float() for name, value in load_file(pack / "bases.safetensors").items()}
    back = torch.linalg.inv(training.mix.detach().double())
    arrays = {f"identity.{name}": value for name, value in training.identity.state_dict().items()}
    arrays |= {f"expression.{name}": value for name, value in training.expression.state_dict().items()}
    arrays |= {name: bases[name] for name in ("identity_mean", "expression_basis", "expression_mean", "neutral")}
    arrays["identity_basis"] = bases["identity_basis"].double() @ back
    arrays["identity_named"], arrays["identity_spread"] = training.named().detach(), torch.tensor(SPREAD)
    if (pack / "hair.safetensors").is_file():
        part = {name: value.float().numpy() for name, value in load_file(pack / "hair.safetensors").items()}
        arrays |= {f"hair.{name}": value for name, value in training.hair.state_dict().items()}
        arrays["hair_basis"] = torch.from_numpy(directions(part))
    save_file({name: value.half().contiguous() for name, value in arrays.items()}, pack / "mappers.safetensors")
    set_part(pack, "mappers", {"implementation": "mlp", "file": "mappers.safetensors"})


def from_pack(options):
    """`adapt.adapt` with its progress printed."""
    if not (options.weights and options.out):
        raise SystemExit("--text needs --weights, a local file, and --out, the folder of the new pack.")
    told = None

    def progress(stage, fraction):
        nonlocal told
        if told != (stage, int(20 * fraction)):
            told = stage, int(20 * fraction)
            print(f"{stage}: {fraction:.0%}", flush=True)

    minutes = min(options.minutes, adapt.MINUTES)
    pack = adapt.adapt(options.pack, options.text, options.weights, options.out, minutes, progress)
    print(f"Wrote {pack.folder}. Measure it: python -m tools.train.mappers --measure --pack {pack.folder}")


def measure(pack, held_out):
    """Prints the report of a training for the networks that a pack has."""
    test = make_pairs(held_out, Embedder(TextModel.load(pack.part("text"))), 1500, 2)
    names = held_out.population.ict.expression_names
    test["coefficients"] = test["expression"] @ torch.tensor([coefficients(e, names) for e in EXPRESSIONS.values()])
    codes = shape_codes(held_out)
    training = Training.of_pack(pack, word_directions(held_out, codes))
    print(report(*judge(training, held_out, test, codes), judge_hair(training, test, codes, wardrobe(held_out))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=13, help="for the mapping networks, after the sentences are encoded")
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    parser.add_argument("--out", type=Path, help=f"where the studio's measures are kept ({RUN}); with --text: the new pack")
    parser.add_argument("--text", help="any architecture of open_clip; without it the pack's own text part")
    parser.add_argument("--weights", type=Path, help="its weights, a local file")
    parser.add_argument("--from-studio", action="store_true", help="with --text: learn from the studio, not from the pack")
    parser.add_argument("--hair", action="store_true", help="train the pack's hair network further, and nothing else")
    parser.add_argument("--measure", action="store_true", help="measure the pack's networks and train nothing")
    parser.add_argument("--captions", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=12_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--dry", action="store_true", help="measure, but write nothing and need no trained head model")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)

    if options.text and not options.from_studio:
        return from_pack(options)
    options.out = options.out or RUN
    held_out = Crowd(range(HELD_OUT, HELD_OUT + 800), options.out / "held_out.npz")
    if options.measure:
        return measure(open_pack(options.pack), held_out)
    part = {"architecture": options.text, "file": options.weights} if options.text else {"folder": "text"}
    embed = Embedder(TextModel.load(part, "." if options.text else options.pack))
    crowd = Crowd(range(options.people), options.out / "people.npz")
    names = crowd.population.ict.expression_names
    recipes = torch.tensor([coefficients(CODES[name], names) for name in EXPRESSIONS])  # (23,57)
    started = time.monotonic()
    pairs, test = make_pairs(crowd, embed, options.captions, 1), make_pairs(held_out, embed, 1500, 2)
    for some in (pairs, test):
        some["coefficients"] = some["expression"] @ recipes
    codes, test_codes = shape_codes(crowd), shape_codes(held_out)
    print(f"{options.captions} sentences encoded in {time.monotonic() - started:.0f} s", flush=True)

    index, test_index = torch.from_numpy(pairs["index"]), torch.from_numpy(test["index"])
    styles, test_styles, named_in = styles_left_open(pairs, wardrobe(crowd)), wardrobe(held_out), spoken_of(pairs)
    # Few sentences say how long or how thick; they must not drown in those that leave it open.
    weight = HAS_AMOUNT[pairs["style"]] * (1 + 3 * torch.from_numpy(pairs["mask"][:, AMOUNT_ROWS]))
    directions = word_directions(crowd, codes)
    if options.hair:
        training = Training.of_pack(open_pack(options.pack), directions).train()
    else:
        training = Training(pairs["embedding"].shape[1], directions, recipes.shape[1])
    optimiser = torch.optim.AdamW(training.parameters(), 1e-3, weight_decay=0.01)
    end = time.monotonic() + 60 * options.minutes
    step = 0
    while time.monotonic() < end and step < options.steps:
        descent = max(step / options.steps, 1 - (end - time.monotonic()) / (60 * options.minutes))
        optimiser.param_groups[0]["lr"] = 1e-3 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * descent)))
        rows = torch.randint(len(index), (512,))
        embedding, code = pairs["embedding"][rows], codes[index[rows]]
        style = styles[rows, torch.randint(WORN_TRIES, (len(rows),))]  # no sentence repeats what it leaves open
        loss = training.hair_loss(embedding, code, style, pairs["amounts"][rows], weight[rows])
        if not options.hair:
            loss = loss + training.identity_loss(embedding, code, named_in[rows])
            loss = loss + training.expression_loss(embedding, pairs["coefficients"][rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 250 == 0:
            training.eval()
            with torch.no_grad():
                nll = training.identity_loss(test["embedding"], test_codes[test_index], spoken_of(test))
                face = training.expression_loss(test["embedding"], test["coefficients"])
            training.train()
            print(f"step {step}  loss {loss:.4f}  held out: identity {nll:.4f}, expression {face:.4f}", flush=True)
    if options.hair:
        print(judge_hair(training, test, test_codes, test_styles))
        return write_hair(training, options.pack)
    unseen = make_pairs(held_out, embed, 1500, 3)
    calibrate(training, unseen["embedding"], test_codes[torch.from_numpy(unseen["index"])], spoken_of(unseen))
    right, spread, expression = judge(training, held_out, test, test_codes)
    hair = judge_hair(training, test, test_codes, test_styles)
    print(report(right, spread, expression, hair))
    options.out.mkdir(parents=True, exist_ok=True)
    figures = {"right": right, "spread": spread, "expression": expression, "hair": hair}
    (options.out / "mappers.json").write_text(json.dumps(figures, indent=1))
    if not options.dry:
        write_pack(training, options.pack)


if __name__ == "__main__":
    main()
