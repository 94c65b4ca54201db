"""Trains the starter pack's expression network for the people and the identity network of tools.train.head.

$ python -m tools.train.expression --minutes 25 --bf16            resumes where it stopped
$ python -m tools.train.expression --minutes 5 --bf16 --restart   a fresh schedule from the present weights: after the identity
                                                                  network has changed, or to go on when a run has ended

What moves a vertex is linear in ICT's expression weights, so a linear layer from weights to codes is learnt with the network.
`python -m tools.train.head export` writes both networks and the named codes into the pack.
"""

import argparse

import numpy as np
import torch
from torch.nn import functional

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.nets.nphm import BETA
from tools.studio import hair, shapes
from tools.studio.expressions import ARKIT, CANONICAL, EXPRESSIONS, VISEMES, coefficients

from .head import (
    CENTIMETRE,
    STEP,
    SURFACE,
    ExpressionTrainer,
    IdentityTrainer,
    Samples,
    mean_anchors,
    population,
    restore,
    run_training,
)

HEADS, COUNT = 48, 100  # of a step: each head has an expression of its own and this many points
STILL = 0.3  # mm: points that no expression moves farther are drawn less often
STILL_SHARE = 0.12
WIGS = 300  # different hairs whose codes the network learns to ignore
MOVING = 1.0  # mm: errors are reported where the truth moves farther


def random_expressions(count, names, generator):
    """(count,57) weights: recipes and mixes of two, Apple's shapes one at a time, and several of them at any strength."""

    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    recipes = torch.tensor([coefficients(e, names) for e in (*EXPRESSIONS.values(), *VISEMES.values())])
    shapes_ = torch.tensor([coefficients(e, names) for e in ARKIT.values()])
    strength = torch.where(rand(count, 1) < 0.4, 1.0, 0.3 + 0.7 * rand(count, 1))
    first, second = torch.randint(len(recipes), (2, count), generator=generator)
    share = rand(count, 1) * (rand(count, 1) < 0.3)
    recipe = (recipes[first] * (1 - share) + recipes[second] * share) * strength
    single = shapes_[torch.randint(len(shapes_), (count,), generator=generator)] * strength
    chosen = rand(count, len(shapes_)) < 0.02 + 0.1 * rand(count, 1)  # about one to six
    several = (chosen * rand(count, len(shapes_))) @ shapes_
    closing, opening = names.index("mouthClose"), names.index("jawOpen")
    several[:, closing] = torch.minimum(several[:, closing], several[:, opening])  # it only means something with an open jaw
    several = several + recipe * rand(count, 1) * (rand(count, 1) < 0.4)
    kind = rand(count, 1)
    return torch.where(kind < 0.35, recipe, torch.where(kind < 0.65, single, several)).clamp(-0.25, 1.2)


class FastSoftplus(torch.autograd.Function):
    """Softplus of sharpness BETA whose gradient is the sigmoid that its value was made from."""

    @staticmethod
    def forward(ctx, x):
        sigmoid = (BETA * x).sigmoid_()
        ctx.save_for_backward(sigmoid)
        return torch.relu(x).sub_(torch.maximum(sigmoid, 1 - sigmoid).log_(), alpha=1 / BETA)

    @staticmethod
    def backward(ctx, gradient):
        (sigmoid,) = ctx.saved_tensors
        return gradient * sigmoid


def displace(net, points, compressed, expression, dtype):
    """`ExpressionNet.displace` with hidden layers in `dtype`; what a point or a code adds stays in float32."""
    x = None
    layers = net.fold(compressed, expression)
    for weight, bias, at_point in layers[:-1]:
        y = bias if at_point is None else points @ at_point.T + bias
        y = y.to(dtype)
        x = FastSoftplus.apply(y if weight is None else functional.linear(x, weight.to(dtype)) + y)
    weight, bias, _ = layers[-1]
    return functional.linear(x, weight.to(dtype)).float() + bias


class MuonAndAdam:
    """Muon for the square layers, Adam for everything else, with one learning rate for both."""

    def __init__(self, trainer, rate):
        square = [p for p in trainer.net.defDeepSDF.parameters() if p.dim() == 2 and min(p.shape) > 3]
        theirs = {id(p) for p in square}
        rest = [p for p in trainer.parameters() if id(p) not in theirs]
        muon = torch.optim.Muon(square, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        self.both = muon, torch.optim.Adam(rest, lr=rate)

    @property
    def param_groups(self):
        return [group for one in self.both for group in one.param_groups]

    def zero_grad(self):
        for one in self.both:
            one.zero_grad()

    def step(self):
        for one in self.both:
            one.step()

    def state_dict(self):
        return [one.state_dict() for one in self.both]

    def load_state_dict(self, states):
        for one, state in zip(self.both, states, strict=True):
            one.load_state_dict(state)


class Faces:
    """Training examples: people's surface points, and where an expression takes them."""

    def __init__(self, samples, identity, names):
        self.samples, self.identity, self.names = samples, identity, names
        ict, offsets = population().ict, population().expression_shapes * CENTIMETRE  # (57,26719,3)
        caps = len(shapes.close(ict, ict.neutral)) - offsets.shape[1]  # the centres of caps stay where they are
        self.offsets = torch.from_numpy(np.pad(offsets, ((0, 0), (0, caps), (0, 0)))).flatten(1)  # (57, 3 V)
        self.canonical = torch.tensor(coefficients(CANONICAL, names))
        reach = self.offsets.view(len(names), -1, 3).norm(dim=-1).amax(0) * frames.MM_PER_UNIT  # (V,)
        self.moves = reach[samples.triangle.long()].amax(-1) > STILL  # (people, SURFACE)
        rng = np.random.default_rng(0)
        styles = [hair.shaped(rng, str(style)).parameters() for style in rng.choice(hair.STYLE_NAMES, WIGS)]
        self.wigs = torch.from_numpy(np.stack(styles))

    def draw(self, people, weights, count, generator, everywhere=False):
        """People (B,) under expression weights (B,57), `count` points each, most of them where the face can move.

        -> points (B,N,3), identity codes (B,I), anchors (B,K,3), weights, displacements (B,N,3).
        """
        B, part = len(people), self.samples
        picks = torch.randint(SURFACE, (B, count if everywhere else 2 * count), generator=generator)
        if not everywhere:
            liked = self.moves[people[:, None], picks] + STILL_SHARE * torch.rand(picks.shape, generator=generator) * 2
            picks = picks.gather(1, (liked + 0.1 * torch.rand(picks.shape, generator=generator)).topk(count, dim=1).indices)
        row = people[:, None]
        points = part.points[row, picks].float() * STEP
        points = points + torch.randn(points.shape, generator=generator) * 0.5 / frames.MM_PER_UNIT
        moved = ((weights - self.canonical) @ self.offsets).view(B, -1, 3)  # (B,V,3)
        corners = moved[torch.arange(B)[:, None, None], part.triangle[row, picks].long()]  # (B,N,3,3)
        moved = torch.einsum("bnkd,bnk->bnd", corners, part.bary[row, picks].float())
        wigs = self.wigs[torch.randint(len(self.wigs), (B,), generator=generator)]
        with torch.no_grad():
            code = self.identity.code(torch.cat([part.code[people], wigs], dim=1))
            anchors = self.identity.net.anchors(code)
        return points, code, anchors, weights, moved


def train(minutes, rate, restart, dtype):
    skip = ("distance",)
    samples, held_out = Samples(skip=skip), Samples(held_out=True, skip=skip)
    identity = IdentityTrainer(mean_anchors(samples))
    restore("identity", identity)
    names = population().ict.expression_names
    faces, unseen = Faces(samples, identity, names), Faces(held_out, identity, names)
    trainer = ExpressionTrainer(len(names))

    def errors(points, code, anchors, weights, moved, dtype):
        found = displace(trainer.net, points, trainer.net.compress(code, anchors), trainer.code(weights), dtype)
        return (found - moved).norm(dim=-1) * frames.MM_PER_UNIT

    def step(generator):
        people = torch.randint(len(samples), (HEADS,), generator=generator)
        weights = random_expressions(HEADS, names, generator)
        return errors(*faces.draw(people, weights, COUNT, generator), dtype).mean() / 25

    @torch.no_grad()
    def evaluate():
        """Mean error in mm where it moves, over every recipe and every shape of Apple's, each on a few unseen people."""
        generator, texts = torch.Generator().manual_seed(1), []
        for table in (EXPRESSIONS, ARKIT):
            weights = torch.tensor([coefficients(e, names) for name, e in table.items() if name != "neutral"])
            each = []
            for row in weights:
                people = torch.randint(len(held_out), (3,), generator=generator)
                *inputs, moved = unseen.draw(people, row.expand(3, -1), 1000, generator, everywhere=True)
                error = errors(*inputs, moved, torch.float32)
                each.append(error[moved.norm(dim=-1) * frames.MM_PER_UNIT > MOVING].mean())
            texts.append(f"{torch.stack(each).mean():.3f} (worst {torch.stack(each).max():.3f})")
        return f"held out, where it moves: named {texts[0]} mm, ARKit {texts[1]} mm"

    run_training("expression", trainer, step, minutes, rate, evaluate, MuonAndAdam(trainer, rate), restart)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="of the whole run, stops included")
    parser.add_argument("--rate", type=float, default=4e-3, help="of learning, at the start")
    parser.add_argument("--restart", action="store_true", help="keep the weights, forget the schedule")
    parser.add_argument("--bf16", action="store_true", help="hidden layers in bfloat16, for processors that have it")
    options = parser.parse_args()
    train(options.minutes, options.rate, options.restart, torch.bfloat16 if options.bf16 else torch.float32)


if __name__ == "__main__":
    main()
