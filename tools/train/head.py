"""Trains the starter pack's head model: identity network and expression network.

$ python -m tools.train.head data --heads 1000        exact distances of studio people, about 0.7 s a head and core
$ python -m tools.train.head identity --minutes 45    resumes where it stopped
$ python -m tools.train.head expression --minutes 10
$ python -m tools.train.head export                   writes identity, expression and named expressions into the pack

Shapes are linear in known parameters, so a linear layer from parameters to codes is learnt with each network: no code search.
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
from safetensors.torch import save_file
from torch import nn

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet
from cliphead_addon.engine.packs import set_part
from tools.studio import shapes
from tools.studio.expressions import CANONICAL, EXPRESSIONS, coefficients
from tools.studio.people import SHAPE_DIMENSIONS, Population

RUN = Path("runs/head")
STEP = 2.0**-14  # NPHM units per integer: points and distances are stored as int16, 0.008 mm off at most
SURFACE, NEAR, FIELD, UNIFORM = 20_000, 24_000, 10_000, 6_000  # samples per head
HELD_OUT = 5_000_000  # seeds from here on are never trained on
IDENTITY = IdentityConfig(latent_global=32, latent_local=24, hidden=96, anchor_hidden=128, blend_epsilon=0.0)
EXPRESSION = ExpressionConfig(latent_identity=IDENTITY.latent, latent_expression=64, hidden=192)
CENTIMETRE = 1 / frames.CM_PER_UNIT
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
    """Samples of one person in the canonical pose, written to the run folder once."""
    path = RUN / "data" / f"{seed:08d}.npz"
    if path.exists():
        return
    people, rng = population(), np.random.default_rng([seed, 7])
    person = people.person(seed)
    head = shapes.HeadShape(people, person)
    points, normals, face, bary = head.sample_surface(SURFACE + NEAR + FIELD, rng, sample_density(people.ict))
    offset = rng.uniform(1, 4, (NEAR, 1)) * rng.choice([-1, 1], (NEAR, 1)) / frames.MM_PER_UNIT
    points[SURFACE : SURFACE + NEAR] += offset * normals[SURFACE : SURFACE + NEAR]
    points[SURFACE + NEAR :] += rng.normal(size=(FIELD, 3)) * 2 * CENTIMETRE
    points = np.concatenate([points, rng.uniform(shapes.BOX_LOW, shapes.BOX_HIGH, (UNIFORM, 3))])
    distance = np.concatenate([np.zeros(SURFACE), head.sdf(points[SURFACE:])])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        points=np.round(points / STEP).clip(-32767, 32767).astype(np.int16),
        distance=np.round(distance / STEP).astype(np.int16),
        triangle=head.exposed[face[:SURFACE]].astype(np.int32),  # of the surface samples, for expressions
        bary=bary[:SURFACE].astype(np.float16),
        anchors=people.anchors(head.vertices).astype(np.float32),
        code=people.shape_code(person),
    )
    os.replace(part, path)


def make_data(heads, held_out, processes):
    seeds = [*range(heads), *range(HELD_OUT, HELD_OUT + held_out)]
    started = time.time()
    with ProcessPoolExecutor(processes) as pool:
        for done, _ in enumerate(pool.map(make_head, seeds), 1):
            if done % 50 == 0:
                print(f"{done} of {len(seeds)} heads, {time.time() - started:.0f} s", flush=True)


class Samples:
    """All stored heads in memory."""

    def __init__(self, held_out=False):
        paths = sorted((RUN / "data").glob("????????.npz"))
        paths = [path for path in paths if (int(path.stem) >= HELD_OUT) == held_out]
        if not paths:
            raise SystemExit("No training heads yet: run `python -m tools.train.head data` first.")
        files = [dict(np.load(path)) for path in paths]
        for name in files[0]:
            setattr(self, name, torch.from_numpy(np.stack([file[name] for file in files])))

    def __len__(self):
        return len(self.code)

    def batch(self, heads, count, generator):
        """Points (heads*count,3), distances, owner row, codes, anchors of random heads."""
        chosen = torch.randperm(len(self), generator=generator)[:heads]
        picks = torch.randint(self.points.shape[1], (len(chosen), count), generator=generator)
        row = chosen[:, None].expand_as(picks)
        points = self.points[row, picks].float().flatten(0, 1) * STEP
        distance = self.distance[row, picks].float().flatten() * STEP
        owner = torch.arange(len(chosen)).repeat_interleave(count)
        return points, distance, owner, self.code[chosen], self.anchors[chosen]


class IdentityTrainer(nn.Module):
    """Shape parameters -> code, and the network."""

    def __init__(self, mean_anchors):
        super().__init__()
        self.net = IdentityNet(IDENTITY, mean_anchors)
        self.code = nn.Linear(SHAPE_DIMENSIONS, IDENTITY.latent)
        with torch.no_grad():
            self.code.weight.normal_(std=0.3 / SHAPE_DIMENSIONS**0.5)
            self.code.bias.zero_()
            # Local coordinates are small numbers beside the code; their columns start larger so that detail is learnt early.
            layers = self.net.ensembled_deep_sdf
            layers["lin0"].weight[:, :, :3] *= 15
            start = IDENTITY.hidden - 3 - IDENTITY.latent_global - IDENTITY.latent_local
            layers[f"lin{self.net.skip}"].weight[:, :, start : start + 3] *= 15


class ExpressionTrainer(nn.Module):
    """ICT expression weights -> expression code, and the network."""

    def __init__(self, shapes_count):
        super().__init__()
        self.net = ExpressionNet(EXPRESSION)
        self.code = nn.Linear(shapes_count, EXPRESSION.latent_expression)
        with torch.no_grad():
            self.code.weight.normal_(std=0.3)
            self.code.bias.zero_()
            self.net.defDeepSDF["lin0"].weight[:, :3] *= 8
            self.net.defDeepSDF["lin6"].weight *= 0.1


def run_training(name, trainer, step, minutes, rate, evaluate):
    """Adam on a cosine over the time budget, with a checkpoint every two minutes; continues a stopped run."""
    path = RUN / f"{name}.pt"
    optimiser = torch.optim.Adam(trainer.parameters(), lr=rate)
    steps, spent = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        trainer.load_state_dict(state["trainer"])
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
            state = {"trainer": trainer.state_dict(), "optimiser": optimiser.state_dict(), "steps": steps, "spent": now}
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


def train_identity(minutes, heads=24, count=1000):
    samples, held_out = Samples(), Samples(held_out=True)
    trainer = IdentityTrainer(samples.anchors.mean(0))

    def step(generator):
        points, distance, owner, parameters, anchors = samples.batch(heads, count, generator)
        code = trainer.code(parameters)
        sdf = trainer.net.sparse(points, code, threshold=1e-3, owner=owner)[:, 0]
        near = CENTIMETRE / (CENTIMETRE + distance.abs())
        return (near * (sdf - distance).abs()).mean() + 0.2 * (trainer.net.anchors(code) - anchors).abs().mean()

    def evaluate():
        with torch.no_grad():
            generator = torch.Generator().manual_seed(1)
            errors = []
            for part in (samples, held_out):
                points, distance, owner, parameters, anchors = part.batch(16, 2000, generator)
                code = trainer.code(parameters)
                sdf = trainer.net.sparse(points, code, threshold=1e-3, owner=owner)[:, 0]
                errors.append((sdf - distance)[distance == 0].abs().mean() * frames.MM_PER_UNIT)
                errors.append((trainer.net.anchors(code) - anchors).norm(dim=-1).mean() * frames.MM_PER_UNIT)
        return "surface and anchors mm: training {:.2f} {:.2f}, held out {:.2f} {:.2f}".format(*errors)

    run_training("identity", trainer, step, minutes, 2e-3, evaluate)


def random_expressions(count, names, generator):
    """(count,57) weights: named expressions at a random strength, mixes of two, and a few single shapes."""
    named = torch.tensor([coefficients(e, names) for e in EXPRESSIONS.values()])
    pick = torch.randint(len(named), (2, count), generator=generator)
    share = torch.rand(2, count, 1, generator=generator)
    weights = named[pick[0]] * (0.4 + 0.6 * share[0])
    mixed = torch.rand(count, 1, generator=generator) < 0.3
    weights = torch.where(mixed, weights * (1 - share[1]) + named[pick[1]] * share[1], weights)
    single = (torch.rand(count, len(names), generator=generator) < 0.04) * torch.rand(count, len(names), generator=generator)
    loose = torch.rand(count, 1, generator=generator) < 0.4
    return torch.where(loose, (weights * (torch.rand(count, 1, generator=generator) < 0.5) + single).clamp(-0.25, 1), weights)


def train_expression(minutes, heads=24, count=800):
    samples, held_out = Samples(), Samples(held_out=True)
    identity = IdentityTrainer(samples.anchors.mean(0))
    identity.load_state_dict(torch.load(RUN / "identity.pt", weights_only=True)["trainer"])
    names = population().ict.expression_names
    offsets = torch.from_numpy(population().expression_shapes).transpose(0, 1) * CENTIMETRE  # (26719,57,3)
    caps = len(shapes.close(population().ict, population().ict.neutral)) - len(offsets)
    offsets = torch.cat([offsets, offsets.new_zeros(caps, *offsets.shape[1:])]).contiguous()
    canonical = torch.tensor(coefficients(CANONICAL, names))
    trainer = ExpressionTrainer(len(names))

    def examples(part, generator, size):
        chosen = torch.randint(len(part), (size,), generator=generator)
        picks = torch.randint(SURFACE, (size, count), generator=generator)
        row = chosen[:, None].expand_as(picks)
        points = part.points[row, picks].float() * STEP
        points = points + torch.randn(points.shape, generator=generator) * 0.5 / frames.MM_PER_UNIT
        weights = random_expressions(size, names, generator)
        corners = offsets[part.triangle[row, picks].long()]  # (B,N,3,57,3)
        moved = torch.einsum("bnkcd,bnk,bc->bnd", corners, part.bary[row, picks].float(), weights - canonical)
        with torch.no_grad():
            code = identity.code(part.code[chosen])
            anchors = identity.net.anchors(code)
        return points, code, anchors, weights, moved

    def predict(points, code, anchors, weights):
        return trainer.net(points, code, anchors, trainer.code(weights))

    def step(generator):
        points, code, anchors, weights, moved = examples(samples, generator, heads)
        return (predict(points, code, anchors, weights) - moved).norm(dim=-1).mean() * 10

    def evaluate():
        with torch.no_grad():
            *inputs, moved = examples(held_out, torch.Generator().manual_seed(1), 60)
            error = (predict(*inputs) - moved).norm(dim=-1)
            moving = moved.norm(dim=-1) > 1 / frames.MM_PER_UNIT
        return f"held out: {error.mean() * 250:.3f} mm, where it moves {error[moving].mean() * 250:.3f} mm"

    run_training("expression", trainer, step, minutes, 2e-3, evaluate)


def export(folder):
    """Writes the networks, the named expressions and the linear code bases that the mappers learn on."""
    samples = Samples()
    names = population().ict.expression_names
    identity = IdentityTrainer(samples.anchors.mean(0))
    identity.load_state_dict(torch.load(RUN / "identity.pt", weights_only=True)["trainer"])
    expression = ExpressionTrainer(len(names))
    expression.load_state_dict(torch.load(RUN / "expression.pt", weights_only=True)["trainer"])

    weights = identity.net.state_dict() | {"mean_anchors": identity.net.mean_anchors}
    half(weights, folder / "identity.safetensors")
    half(expression.net.state_dict(), folder / "expression.safetensors")
    with torch.no_grad():
        codes = {name: expression.code(torch.tensor(coefficients(e, names))) for name, e in EXPRESSIONS.items()}
    half(codes, folder / "expressions.safetensors")
    for part, config, about in (("identity", IDENTITY, ABOUT), ("expression", EXPRESSION, {})):
        set_part(folder, part, {"implementation": "nphm", "file": f"{part}.safetensors", "config": asdict(config)}, **about)
    set_part(folder, "expressions", {"file": "expressions.safetensors"})
    bases = {
        "identity_basis": identity.code.weight.detach(),  # (I,D)
        "identity_mean": identity.code.bias.detach(),
        "expression_basis": expression.code.weight.detach(),  # (X,57)
        "expression_mean": expression.code.bias.detach(),
        "neutral": codes["neutral"],
    }
    half(bases, folder / "bases.safetensors")
    set_part(folder, "bases", {"file": "bases.safetensors"})
    print(f"Wrote the head model to {folder}.")


def half(tensors, path):
    """Writes tensors as float16 safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().half().contiguous() for name, value in tensors.items()}, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data")
    data.add_argument("--heads", type=int, default=1000)
    data.add_argument("--held-out", type=int, default=24)
    data.add_argument("--processes", type=int, default=os.cpu_count())
    for name in ("identity", "expression"):
        commands.add_parser(name).add_argument("--minutes", type=float, required=True)
    commands.add_parser("export").add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    options = parser.parse_args()
    if options.command == "data":
        make_data(options.heads, options.held_out, options.processes)
    elif options.command == "identity":
        train_identity(options.minutes)
    elif options.command == "expression":
        train_expression(options.minutes)
    else:
        export(options.pack)


if __name__ == "__main__":
    main()
