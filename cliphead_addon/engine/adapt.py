"""Mapping networks for another CLIP, learnt from a pack's own: the same sentences, read by both text towers.

The pack's networks say, for each of its captions, which heads it leaves open: a mean and a deviation for every shape parameter,
a chance for every hair style, expression weights. New networks learn to say the same from the other tower's embedding, so no
training data is needed, and every caption teaches a whole distribution, not one draw from it. The texture part goes on reading
words with the pack's own tower.
"""

import gzip
import math
import os
import shutil
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from .errors import PackError
from .nets.mapping import Mapper, Mappers, hair_features, split, split_hair
from .nets.text import TextModel
from .packs import BUNDLED, MANIFEST, open_pack, set_part

MINUTES = 9.0  # in all: reading the captions takes what is left after TRAINING
TRAINING = 2.0  # minutes of it for the networks
STEPS, BATCH, RATE = 4000, 256, 1e-3
LINEAR = (  # of a mappers part, beside the networks
    "identity_basis", "identity_mean", "identity_named", "identity_spread", "expression_basis", "expression_mean", "neutral",
    "hair_basis",
)  # fmt: skip
READ_AT_ONCE = 32  # sentences, of similar length
FLOOR = 0.02  # of the largest deviation over captions: directions of the embedding below it count less
BORROWED = ("layout", "identity", "expression", "expressions", "bases", "texture", "upscaler", "quads", "hair")


def captions(pack):
    """The sentences of a pack's captions part. Raises PackError."""
    if "captions" not in pack.parts:
        raise PackError(
            f"Pack '{pack.name}' has no captions to learn from. Choose the starter pack, or write them: "
            "python3 tools/dev.py train captions --help"
        )
    return gzip.decompress(pack.part("captions")["file"].read_bytes()).decode().splitlines()


def adapt(pack, architecture, weights, folder, minutes=MINUTES, progress=None):
    """Make a pack that reads words with another CLIP.

    pack: folder or name of a pack with text, mappers and captions of its own; architecture: a name of open_clip's, weights: a
    local file of its weights; folder: where the new pack goes, replaced if it is one; minutes: in all, more than TRAINING;
    progress: called as (stage, fraction), what it raises ends the work -> Pack. Raises PackError.
    """
    report = progress or (lambda stage, fraction: None)
    source, folder = open_pack(pack), Path(folder).resolve()
    if "folder" not in source.part("text"):
        raise PackError(
            f"Pack '{source.name}' reads with {source.part('text')['architecture']} already. Adapt the pack it came from."
        )
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise PackError(f"{folder} holds other files. Name a new folder for the adapted pack.")
    if source.folder.parent not in (BUNDLED, folder.parent) and set(BORROWED) & set(source.parts):
        raise PackError(f"{folder} is not beside {source.folder}, of which it borrows parts. Write it beside that pack.")
    sentences = captions(source)
    report("Loading the CLIP model", 0.0)
    other = TextModel.load({"architecture": architecture, "file": Path(weights).resolve()})
    teacher, own = Mappers.load(source), TextModel.load(source.part("text"))
    ours, theirs = read(own, other, sentences, 60 * (minutes - TRAINING), report)
    student = Student(teacher, theirs)
    student.learn(ours, theirs, 60 * TRAINING, report)

    report("Writing the pack", 0.0)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "text").mkdir(parents=True)
    for file in Path(source.part("text")["folder"]).iterdir():
        shutil.copy(file, draft / "text")
    tower = {name: tensor.half().contiguous() for name, tensor in other.model.state_dict().items()}
    save_file(tower, draft / "clip.safetensors")
    save_file(student.arrays(), draft / "mappers.safetensors")
    top = {key: source.manifest[key] for key in ("version", "license", "credits", "box")}
    top["name"] = f"{source.name} {architecture}"
    top["credits"] = [*top["credits"], f"Words: {architecture}, from {Path(weights).name}, under its own licence"]
    for part in BORROWED:
        if part in source.parts:
            set_part(draft, part, {"pack": source.folder.name})
    set_part(draft, "text", {"architecture": architecture, "file": "clip.safetensors", "tower": "text"})
    set_part(draft, "texture_text", {"implementation": "open_clip", "folder": "text"})
    set_part(draft, "mappers", {"implementation": "mlp", "file": "mappers.safetensors"}, **top)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
    return open_pack(folder)


def read(own, other, sentences, seconds, report):
    """Embeddings of the sentences by both towers, of as many as the time allows -> (n,C), (n,D) float32."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].split()))
    batches = [order[i : i + READ_AT_ONCE] for i in range(0, len(order), READ_AT_ONCE)]
    shuffle = torch.randperm(len(batches), generator=torch.Generator().manual_seed(0)).tolist()
    started, ours, theirs = time.monotonic(), [], []
    for done, number in enumerate(shuffle):
        some = [sentences[i] for i in batches[number]]
        ours.append(own.embeddings(some))
        theirs.append(other.embeddings(some))
        spent = time.monotonic() - started
        report("Reading captions", max((done + 1) / len(shuffle), min(1.0, spent / seconds)))
        if spent > seconds:
            break
    return torch.cat(ours), torch.cat(theirs)


class Student:
    """The new networks. Their first layer takes the embedding with its mean taken away and its directions evened out.

    A CLIP's sentences about heads lie close together around one direction; `arrays` folds the map into the layer's weights.
    """

    def __init__(self, teacher, embeddings):
        self.teacher = teacher
        self.mean = embeddings.mean(0)
        variance, directions = torch.linalg.eigh(torch.cov(embeddings.T.double()))
        deviation = variance.clamp(min=0).sqrt()
        self.even = (directions / (deviation + FLOOR * deviation.max()).clamp(min=1e-12)).float()  # (D,D)
        inputs, shape = len(self.even), teacher.identity_basis.shape[1]
        self.named = torch.from_numpy(teacher.identity_named).float()  # (D,Q)
        self.identity = like(teacher._identity, inputs, 0.1)
        self.expression = like(teacher._expression, inputs, 0.05)
        self.hair = None if teacher.hair_basis is None else like(teacher._hair, inputs + shape, 0.1)
        for mapper in self.networks.values():
            mapper.scale = 1.0  # `features` are of unit size already

    @property
    def networks(self):
        found = {"identity": self.identity, "expression": self.expression, "hair": self.hair}
        return {name: mapper for name, mapper in found.items() if mapper is not None}

    def features(self, embeddings):
        return (embeddings - self.mean) @ self.even

    def learn(self, ours, theirs, seconds, report):
        """Follow the teacher's answers to ours (n,C) from theirs (n,D), for a time."""
        parameters = [p for mapper in self.networks.values() for p in mapper.train().parameters()]
        optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=0.05)
        features, random = self.features(theirs), torch.Generator().manual_seed(0)
        started, step, share = time.monotonic(), 0, 0.0
        while share < 1:
            optimiser.param_groups[0]["lr"] = RATE * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
            rows = torch.randint(len(features), (min(BATCH, len(features)),), generator=random)
            loss = self.loss(ours[rows], features[rows], random)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            share = max(step / STEPS, (time.monotonic() - started) / seconds)
            report("Training the mapping networks", min(share, 1.0))
        for mapper in self.networks.values():
            mapper.eval().requires_grad_(False)

    def loss(self, ours, features, random):
        """Divergences of the new answers from the teacher's, per sentence."""
        teacher = self.teacher
        with torch.no_grad():
            mean, log_deviation, log_limit = split(teacher._identity(ours), len(self.named))
            weights = teacher._expression(ours)
            shape = mean + log_deviation.exp() * torch.randn(mean.shape, generator=random)
        new_mean, new_log_deviation, new_log_limit = split(self.identity(features), len(self.named))
        loss = divergence(mean, log_deviation, new_mean, new_log_deviation).mean()
        loss = loss + divergence(mean @ self.named, log_limit, new_mean @ self.named, new_log_limit).sum() / max(
            1, log_limit.numel()
        )
        loss = loss + (self.expression(features) - weights).square().sum(-1).mean()
        if self.hair is not None:
            with torch.no_grad():
                logits, *amounts = split_hair(teacher._hair(hair_features(ours, shape)))
            found, *new_amounts = split_hair(self.hair(torch.cat([features, shape], dim=-1)))
            loss = loss + F.cross_entropy(found, logits.softmax(-1)) + divergence(*amounts, *new_amounts).mean()
        return loss

    def arrays(self):
        """Tensors of a mappers part: the teacher's linear maps and new networks, whose folded first layers need float32."""
        linear = {name: getattr(self.teacher, name, None) for name in LINEAR}
        found = {name: torch.from_numpy(a).half() for name, a in linear.items() if a is not None and a.size}
        for name, mapper in self.networks.items():
            state = {key: value.clone() for key, value in mapper.state_dict().items()}
            first, inputs = state["layers.0.weight"], len(self.even)
            from_words = first[:, :inputs] @ self.even.T  # (hidden,D), of raw embeddings
            state["layers.0.bias"] -= from_words @ self.mean
            scale = math.sqrt(inputs)  # `Mapper` and `hair_features` bring unit embeddings to entries of unit size
            state["layers.0.weight"] = torch.cat([from_words / scale, first[:, inputs:]], dim=1)
            half = {key: value if key.startswith("layers.0.") else value.half() for key, value in state.items()}
            found |= {f"{name}.{key}": value.contiguous() for key, value in half.items()}
        return found


def like(mapper, inputs, dropout):
    """A new Mapper of a trained one's widths behind other inputs."""
    return Mapper(inputs, mapper.layers[-1].out_features, mapper.layers[0].out_features, dropout)


def divergence(mean, log_deviation, new_mean, new_log_deviation):
    """Kullback-Leibler divergence of new normal distributions from the first, elementwise."""
    variance = (2 * (log_deviation - new_log_deviation)).exp() + ((mean - new_mean) / new_log_deviation.exp()).square()
    return new_log_deviation - log_deviation + (variance - 1) / 2
