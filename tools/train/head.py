"""Trains the starter pack's identity network, and writes the head model into the pack.

$ python -m tools.train.head data --heads 2000        exact distances of studio people, about 1.2 s a head and core
$ python -m tools.train.head identity --minutes 45    resumes where it stopped; widens the run of a narrower network
$ python -m tools.train.head export                   writes identity, expression (tools.train.expression) and their codes

The identity network has two outputs, the distances to skin and to hair. Shapes are linear in known parameters (hair: a style,
its volume and its length), so a linear layer from parameters to codes is learnt with each network: no code search.
"""

import argparse
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet
from cliphead_addon.engine.packs import set_part
from tools.studio import hair, shapes
from tools.studio.expressions import CODES, coefficients
from tools.studio.people import SHAPE_DIMENSIONS, Population
from tools.studio.walls import mouth_walls

from .widen import widen_expression, widen_identity

RUN = Path("runs/head")
STEP = 2.0**-14  # NPHM units per integer: points and distances are stored as int16, 0.008 mm off at most
SURFACE, NEAR, FIELD, UNIFORM = 20_000, 24_000, 10_000, 6_000  # samples per head
HAIR_SURFACE, HAIR_NEAR, HAIR_FIELD, HAIR_UNIFORM = 6_000, 6_000, 4_000, 4_000  # samples per hair
HAIRS = 2  # per person: what suits them, and any other, since words may ask for every style on everybody
HIDDEN_HAIR = 0.3  # share of samples where nobody looks: the underside of the hair
SKIN_OUTPUT, HAIR_OUTPUT = 0, 1  # of the identity network
MEAN_PEOPLE = 1000  # whose mean anchors the network starts from
BALD_SHARE = 0.06  # of training heads
HELD_OUT = 5_000_000  # seeds from here on are never trained on
IDENTITY = IdentityConfig(latent_global=40, latent_local=32, hidden=112, anchor_hidden=128, out_dim=2, blend_epsilon=0.0)
SKIN_ONLY = IdentityConfig(latent_global=32, latent_local=24, hidden=96, anchor_hidden=128, blend_epsilon=0.0)  # earlier runs
PARAMETERS = SHAPE_DIMENSIONS + hair.PARAMETERS
EXPRESSION = ExpressionConfig(latent_identity=IDENTITY.latent, latent_expression=64, hidden=192)
CENTIMETRE = 1 / frames.CM_PER_UNIT
FAR = hair.FAR * CENTIMETRE
ABOUT = {  # the pack's own entries, for its first part
    "name": "starter",
    "version": "0.1.0",
    "license": "CC0-1.0",
    "credits": [
        "Shapes: ICT-FaceKit, (c) 2020 USC Institute for Creative Technologies, MIT",
        "Shapes: MakeHuman base mesh and targets, CC0 1.0",
    ],
    "box": {"low": shapes.BOX_LOW.tolist(), "high": shapes.BOX_HIGH.tolist()},
}


@cache
def population():
    return Population()


@cache
def barber():
    return hair.Barber(population())


def sample_density(ict):
    """(26724,) factor by which small, important places are drawn more often: lids, lips, nose, ears."""
    rest = ict.neutral
    density = np.ones(len(shapes.close(ict, rest)))
    frontal = np.zeros(len(density), bool)
    frontal[: len(rest)] = rest[:, 2] > 3
    density[frontal] = 2
    for landmarks, radius, factor in ((range(36, 48), 1.0, 8), (range(48, 68), 1.2, 8), (range(29, 36), 1.2, 5)):
        centres = rest[ict.landmarks[list(landmarks)]]
        close = np.linalg.norm(rest[:, None] - centres, axis=-1).min(1) < radius
        density[: len(rest)][close] = factor
    ears = (np.abs(rest[:, 0]) > 7.6) & (rest[:, 1] > -3) & (rest[:, 1] < 7) & (rest[:, 2] < 3.5)
    density[: len(rest)][ears] = 4
    density[ict.part_vertices("mouth_socket")] = 1
    return density


def make_head(seed):
    """Samples of one person's skin and hair in the canonical pose, each written to the run folder once."""
    for folder, make in (("skin", make_skin), ("hair", make_hair)):
        path = RUN / folder / f"{seed:08d}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npz")
            np.savez(part, **make(seed))
            os.replace(part, path)


def make_skin(seed):
    """Points, distances, the surface points' triangles, anchors and shape code of a person. -> arrays by name"""
    people, rng = population(), np.random.default_rng([seed, 7])
    person = people.person(seed)
    head = shapes.HeadShape(people, person)
    points, normals, face, bary = head.sample_surface(SURFACE + NEAR + FIELD, rng, sample_density(people.ict))
    offset = rng.uniform(1, 4, (NEAR, 1)) * rng.choice([-1, 1], (NEAR, 1)) / frames.MM_PER_UNIT
    points[SURFACE : SURFACE + NEAR] += offset * normals[SURFACE : SURFACE + NEAR]
    points[SURFACE + NEAR :] += rng.normal(size=(FIELD, 3)) * 2 * CENTIMETRE
    points = np.concatenate([points, rng.uniform(shapes.BOX_LOW, shapes.BOX_HIGH, (UNIFORM, 3))])
    distance = np.concatenate([np.zeros(SURFACE), head.sdf(points[SURFACE:])])
    return {
        "points": _steps(points),
        "distance": _steps(distance),
        "triangle": head.exposed[face[:SURFACE]].astype(np.int32),  # of the surface samples, for expressions
        "bary": bary[:SURFACE].astype(np.float16),
        "anchors": people.anchors(head.vertices).astype(np.float32),
        "code": people.shape_code(person),
    }


def make_hair(seed):
    """Points, distances and parameters of HAIRS hairs on a person, none of them bald. -> arrays by name"""
    person, rng = population().person(seed), np.random.default_rng([seed, 77])
    own = hair.random_hair(rng, person)
    styles = [own] if own.style != hair.BALD else []
    while len(styles) < HAIRS:
        styles.append(hair.shaped(rng, hair.STYLE_NAMES[rng.integers(1, len(hair.STYLE_NAMES))]))
    rows = []
    for style in styles:
        shape = hair.HairShape(barber(), person, style)
        points, normals, _ = shape.sample_surface(HAIR_SURFACE + HAIR_NEAR + HAIR_FIELD, rng, HIDDEN_HAIR)
        offset = rng.uniform(0.5, 6, (HAIR_NEAR, 1)) * rng.choice([-1, 1], (HAIR_NEAR, 1)) / frames.MM_PER_UNIT
        points[HAIR_SURFACE : HAIR_SURFACE + HAIR_NEAR] += offset * normals[HAIR_SURFACE : HAIR_SURFACE + HAIR_NEAR]
        points[HAIR_SURFACE + HAIR_NEAR :] += rng.normal(size=(HAIR_FIELD, 3)) * 1.5 * CENTIMETRE
        points = np.concatenate([points, rng.uniform(hair.BOX_LOW, hair.BOX_HIGH, (HAIR_UNIFORM, 3))])
        distance = np.concatenate([np.zeros(HAIR_SURFACE), shape.sdf(points[HAIR_SURFACE:])])
        rows.append((_steps(points), _steps(distance), style.parameters()))
    return dict(zip(("points", "distance", "hair"), map(np.stack, zip(*rows, strict=True)), strict=True))


def _steps(values):
    return np.round(values / STEP).clip(-32767, 32767).astype(np.int16)


def make_data(heads, held_out, processes):
    seeds = [*range(HELD_OUT, HELD_OUT + held_out), *range(heads)]
    started = time.time()
    with ProcessPoolExecutor(processes) as pool:
        for done, _ in enumerate(pool.map(make_head, seeds), 1):
            if done % 50 == 0:
                print(f"{done} of {len(seeds)} heads, {time.time() - started:.0f} s", flush=True)


def stored(folder, held_out):
    """Seed -> file of one half of the people."""
    seeds = {int(path.stem): path for path in sorted((RUN / folder).glob("????????.npz"))}
    return {seed: path for seed, path in seeds.items() if (seed >= HELD_OUT) == held_out}


def load(paths):
    """Files of equal arrays -> name -> tensor with one more dimension."""
    files = [dict(np.load(path)) for path in paths]
    return {name: torch.from_numpy(np.stack([file[name] for file in files])) for name in files[0]}


class Samples:
    """All stored heads in memory, and their hairs if asked for."""

    def __init__(self, held_out=False, hairs=False, skip=()):
        """skip: arrays left out, to save memory."""
        skins, scalps = stored("skin", held_out), stored("hair", held_out)
        seeds = [seed for seed in skins if seed in scalps or not hairs]
        if not seeds:
            raise SystemExit("No training heads yet: run `python -m tools.train.head data` first.")
        for name, value in load([skins[seed] for seed in seeds]).items():
            if name not in skip:
                setattr(self, name, value)
        self.hairs = load([scalps[seed] for seed in seeds]) if hairs else None

    def __len__(self):
        return len(self.code)

    def batch(self, heads, count, generator):
        """Skin and hair samples of random heads, each with one of its hairs or bald.

        -> points (heads*2*count,3), distances, the output of the network they belong to, owner row; parameters, anchors.
        """
        chosen = torch.randperm(len(self), generator=generator)[:heads]
        wig = torch.randint(self.hairs["hair"].shape[1], (len(chosen),), generator=generator)
        bald = torch.rand(len(chosen), generator=generator) < BALD_SHARE
        picks = torch.randint(self.points.shape[1], (len(chosen), count), generator=generator)
        hair_picks = torch.randint(self.hairs["points"].shape[2], (len(chosen), count), generator=generator)
        row, column = chosen[:, None].expand_as(picks), wig[:, None].expand_as(picks)
        hair_distance = self.hairs["distance"][row, column, hair_picks].float() * STEP
        hair_distance[bald] = FAR
        points = torch.stack([self.points[row, picks], self.hairs["points"][row, column, hair_picks]], 1)  # (B,2,count,3)
        distance = torch.stack([self.distance[row, picks].float() * STEP, hair_distance], 1)
        style = self.hairs["hair"][chosen, wig]
        style[bald] = torch.from_numpy(hair.Hair().parameters())
        output = torch.tensor([SKIN_OUTPUT, HAIR_OUTPUT]).view(1, 2, 1).expand_as(distance)
        owner = torch.arange(len(chosen)).repeat_interleave(2 * count)
        parameters = torch.cat([self.code[chosen], style], dim=1)
        return points.float().view(-1, 3) * STEP, distance.flatten(), output.flatten(), owner, parameters, self.anchors[chosen]


def mean_anchors(samples):
    """(39,3): of the first training people, so that more people do not move what a run has started with."""
    return samples.anchors[:MEAN_PEOPLE].mean(0)


def with_hair(shape_codes, style=None):
    """Shape codes (B,D) -> parameters (B,PARAMETERS) of these people with one hair, bald by default."""
    row = torch.from_numpy((style or hair.Hair()).parameters())
    return torch.cat([shape_codes, row.expand(len(shape_codes), -1)], dim=1)


class IdentityTrainer(nn.Module):
    """Shape and hair parameters -> code, and the network."""

    config = IDENTITY

    def __init__(self, mean_anchors):
        super().__init__()
        self.net = IdentityNet(IDENTITY, mean_anchors)
        self.code = nn.Linear(PARAMETERS, IDENTITY.latent)
        with torch.no_grad():
            self.code.weight.normal_(std=0.3 / SHAPE_DIMENSIONS**0.5)
            self.code.weight[:, SHAPE_DIMENSIONS:].normal_(std=0.3)
            self.code.bias.zero_()
            # Local coordinates are small numbers beside the code; their columns start larger so that detail is learnt early.
            layers = self.net.ensembled_deep_sdf
            layers["lin0"].weight[:, :, :3] *= 15
            start = IDENTITY.hidden - 3 - IDENTITY.latent_global - IDENTITY.latent_local
            layers[f"lin{self.net.skip}"].weight[:, :, start : start + 3] *= 15

    def widened(self, state):
        """The state of an earlier, narrower run (skin alone, fewer latent numbers) as one of this network."""
        return widen_identity(state, self.state_dict(), SKIN_ONLY, IDENTITY)


class ExpressionTrainer(nn.Module):
    """ICT expression weights -> expression code, and the network."""

    config = EXPRESSION

    def __init__(self, shapes_count):
        super().__init__()
        self.net = ExpressionNet(EXPRESSION)
        self.code = nn.Linear(shapes_count, EXPRESSION.latent_expression)
        with torch.no_grad():
            self.code.weight.normal_(std=0.3)
            self.code.bias.zero_()
            self.net.defDeepSDF["lin0"].weight[:, :3] *= 8
            self.net.defDeepSDF["lin6"].weight *= 0.1

    def widened(self, state):
        """The state of a run on the codes of a narrower identity network."""
        return widen_expression(state, SKIN_ONLY, IDENTITY)


def restore(name, trainer):
    """Fills a trainer from its checkpoint. -> the checkpoint; of a narrower network's, a fresh start."""
    state = torch.load(RUN / f"{name}.pt", map_location="cpu", weights_only=True)
    if state.get("config") == asdict(trainer.config):
        trainer.load_state_dict(state["trainer"])
        return state
    trainer.load_state_dict(trainer.widened(state["trainer"]))
    return {"steps": 0, "spent": 0.0}


def run_training(name, trainer, step, minutes, rate, evaluate, optimiser=None, restart=False):
    """Adam, or another optimiser, on a cosine over the time budget, with a checkpoint every two minutes.

    Continues a stopped run; `restart` keeps nothing of it but the weights.
    """
    path = RUN / f"{name}.pt"
    state = restore(name, trainer) if path.exists() else {"steps": 0, "spent": 0.0}
    if restart:
        state = {"steps": 0, "spent": 0.0}
    optimiser = optimiser or torch.optim.Adam(trainer.parameters(), lr=rate)
    if "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
    steps, spent = state["steps"], state["spent"]
    generator = torch.Generator().manual_seed(steps)
    saved = started = time.time()
    losses = []
    while True:
        now = spent + time.time() - started
        fraction = now / (60 * minutes)
        if fraction >= 1 or time.time() - saved > 120:
            saved = time.time()
            state = {"steps": steps, "spent": now, "config": asdict(trainer.config)}
            state |= {"trainer": trainer.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(state, path.with_suffix(".part"))
            os.replace(path.with_suffix(".part"), path)
            print(f"{name}: step {steps}, {now / 60:.1f} min, loss {np.mean(losses[-100:]):.5f}, {evaluate()}", flush=True)
        if fraction >= 1:
            return
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (steps + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction)))
        loss = step(generator)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
        optimiser.step()
        steps += 1
        losses.append(loss.item())


def clamped_error(found, distance):
    """Absolute error, but none for being beyond FAR where the distance is clamped: there only the side matters."""
    found = torch.where(distance >= FAR, found.clamp(max=FAR), torch.where(distance <= -FAR, found.clamp(min=-FAR), found))
    return (found - distance).abs()


def train_identity(minutes, rate, heads=24, count=500):
    samples = Samples(hairs=True, skip=("triangle", "bary"))
    held_out = Samples(held_out=True, hairs=True, skip=("triangle", "bary"))
    trainer = IdentityTrainer(mean_anchors(samples))

    def errors_of(part, size, each, generator):
        """Distance errors (N,), distances, outputs and anchor errors (B,K) of a batch."""
        points, distance, output, owner, parameters, anchors = part.batch(size, each, generator)
        code = trainer.code(parameters)
        fields = trainer.net.sparse(points, code, threshold=1e-3, owner=owner)
        found = fields.gather(1, output[:, None])[:, 0]
        error = torch.where(output == HAIR_OUTPUT, clamped_error(found, distance), (found - distance).abs())
        return error, distance, output, trainer.net.anchors(code) - anchors

    def step(generator):
        error, distance, _, anchors = errors_of(samples, heads, count, generator)
        near = CENTIMETRE / (CENTIMETRE + distance.abs())
        return (near * error).mean() + 0.2 * anchors.abs().mean()

    @torch.no_grad()
    def evaluate():
        generator = torch.Generator().manual_seed(1)
        texts = []
        for part in (samples, held_out):
            error, distance, output, anchors = errors_of(part, 24, 1500, generator)
            on = [error[(distance == 0) & (output == o)].mean() for o in (SKIN_OUTPUT, HAIR_OUTPUT)]
            texts.append("{:.2f} {:.2f} {:.2f}".format(*(v * frames.MM_PER_UNIT for v in (*on, anchors.norm(dim=-1).mean()))))
        return f"skin, hair and anchors mm: training {texts[0]}, held out {texts[1]}"

    run_training("identity", trainer, step, minutes, rate, evaluate)


def export(folder):
    """Writes the networks, the named expressions and the linear code bases that the mappers learn on."""
    names = population().ict.expression_names
    identity = IdentityTrainer(mean_anchors(Samples(skip=("points", "distance", "triangle", "bary"))))
    restore("identity", identity)
    expression = ExpressionTrainer(len(names))
    restore("expression", expression)

    weights = identity.net.state_dict() | {"mean_anchors": identity.net.mean_anchors}
    half(weights, folder / "identity.safetensors")
    half(expression.net.state_dict(), folder / "expression.safetensors")
    with torch.no_grad():
        codes = {name: expression.code(torch.tensor(coefficients(e, names))) for name, e in CODES.items()}
    half(codes, folder / "expressions.safetensors")
    for part, config, about in (("identity", IDENTITY, ABOUT), ("expression", EXPRESSION, {})):
        set_part(folder, part, {"implementation": "nphm", "file": f"{part}.safetensors", "config": asdict(config)}, **about)
    set_part(folder, "expressions", {"file": "expressions.safetensors"})
    # Without a word about hair a code is bald: the hair directions lead from there to each style.
    shape, styles = identity.code.weight.detach().split([SHAPE_DIMENSIONS, hair.PARAMETERS], dim=1)
    bald, others = styles[:, :1], styles[:, 1:]
    directions = torch.cat([others[:, :-2] - bald, others[:, -2:]], dim=1).T  # (styles + 2, I)
    half(dict(zip((*hair.STYLES, "volume", "length"), directions, strict=True)), folder / "hair.safetensors")
    box = {"low": hair.BOX_LOW.tolist(), "high": hair.BOX_HIGH.tolist()}
    set_part(folder, "hair", {"file": "hair.safetensors", "output": HAIR_OUTPUT, "box": box})
    bases = {
        "identity_basis": shape,  # (I,D)
        "identity_mean": identity.code.bias.detach() + bald[:, 0],
        "expression_basis": expression.code.weight.detach(),  # (X,57)
        "expression_mean": expression.code.bias.detach(),
        "neutral": codes["neutral"],
    }
    if (folder / "mappers.safetensors").exists():
        carry_mappers(folder, load_file(folder / "bases.safetensors"), bases, load_file(folder / "hair.safetensors"))
    bases["wall_slopes"], bases["wall_widths"] = map(torch.from_numpy, mouth_walls(Population()))
    half(bases, folder / "bases.safetensors")
    set_part(folder, "bases", {"file": "bases.safetensors"})
    print(f"Wrote the head model to {folder}.")


def carry_mappers(folder, before, bases, styles):
    """Lets mappers that were trained on earlier code bases lead to the same shape parameters and hair in the present ones."""
    mappers = load_file(folder / "mappers.safetensors")
    mix = torch.linalg.lstsq(before["identity_basis"].double(), mappers["identity_basis"].double()).solution  # (D,D)
    kept = {name: value for name, value in bases.items() if name != "identity_basis"}
    kept["identity_basis"] = bases["identity_basis"].double() @ mix
    if "hair_basis" in mappers:
        styles = hair.directions({name: value.float().numpy() for name, value in styles.items()})
        kept["hair_basis"] = torch.from_numpy(styles)
    half(mappers | kept, folder / "mappers.safetensors")


def half(tensors, path):
    """Writes tensors as float16 safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().half().contiguous() for name, value in tensors.items()}, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data")
    data.add_argument("--heads", type=int, default=2000)
    data.add_argument("--held-out", type=int, default=200)
    data.add_argument("--processes", type=int, default=os.cpu_count())
    identity = commands.add_parser("identity")
    identity.add_argument("--minutes", type=float, required=True, help="of the whole run, stops included")
    identity.add_argument("--rate", type=float, default=2e-3, help="of learning, at the start")
    commands.add_parser("export").add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    options = parser.parse_args()
    if options.command == "data":
        make_data(options.heads, options.held_out, options.processes)
    elif options.command == "identity":
        train_identity(options.minutes, options.rate)
    else:
        export(options.pack)


if __name__ == "__main__":
    main()
