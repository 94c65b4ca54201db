"""Train the starter pack's text tower on captions and the parameters they speak of.

$ python -m tools.train.text --minutes 25                # resumes from runs/text; one thread is fastest
$ python -m tools.train.text --minutes 0                 # measure the last checkpoint and write the pack again
$ python -m tools.train.text --minutes 27 --restart      # a tower from nothing; the texture part must be trained again too

The tower is CLIP's, in open_clip's classes. It learns by CLIP's symmetric contrastive loss against a small encoder of the
parameters, and by telling what the sentence says (which topics, and their values); the encoder and those heads are thrown
away afterwards. The image tower is trained against the finished text tower by tools.train.image_tower.

A pack's tower learns new words without its texture part noticing: the vocabulary grows at its end, and the token features,
which the texture part reads, are held to those of the tower as it was found, which is kept in runs/text/anchor. Delete that
folder once a texture part has been trained on the new tower.
"""

import argparse
import collections
import gzip
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from cliphead_addon.engine.hair_colour import NOUNS
from cliphead_addon.engine.nets.text import TextModel, normalise
from cliphead_addon.engine.packs import set_part
from tools.studio import captions
from tools.studio.expressions import EXPRESSIONS
from tools.studio.look import random_look
from tools.studio.people import Population

import open_clip  # isort: skip  after nets.text, which makes it importable beside any torchvision

RUN = Path("runs/text")
ARCHITECTURE = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 96, "layers": [2, 2, 3, 2], "width": 16},  # CLIP's ResNet: learns from few pictures
    "text_cfg": {"context_length": 77, "vocab_size": 0, "width": 128, "heads": 4, "layers": 3},
}
NAME = "cliphead-small"
MERGES = 3000  # at most; fewer once every word is one token
TOWER, ANCHOR = "tower", "anchor"  # folders of the run: the tower in training, and the one that the texture part has read
HELD = 24  # sentences of a batch whose token features are held to the anchor's
KEEP = 4.0  # weight of that, against variance one
PADDING, CHANGED_END = 0.3, 0.15  # weights of positions after a sentence, and of the end of one with new words
HELD_OUT = 10**5  # seeds from here on are never trained on
CHOICES = ("eyes", "hair", "scalp", "beard", "lips", "make-up", "style")  # topics of which one value is true
MOUTHS = "smile|laugh|pout|kiss|puffed cheeks|mouth open|jaw left|jaw right|lips pressed|smirk|sneer".split("|")
EYES = "eyes closed|wink left|wink right|raised brows|squint".split("|")


class Crowd:
    """People with their measures, kept in one file so that they are measured once."""

    def __init__(self, seeds, path):
        self.population = Population()
        self.people = [self.population.person(seed) for seed in seeds]
        stored = self._stored(path, list(seeds))
        new = [self._measure(person) for person in self.people[len(stored) :]]
        self.measures = np.array([*stored, *new], np.float32)
        if new:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, seeds=np.array(seeds), measures=self.measures)

    def _stored(self, path, seeds):
        """Measures kept in a file of the first of these people, as the studio makes them today. -> (n,M), n from 0"""
        if not path.is_file():
            return np.zeros((0, len(captions.MEASURES)))
        with np.load(path) as file:
            known, measures = file["seeds"].tolist(), file["measures"]
        today = [self._measure(person) for person in self.people[:3]]
        if known != seeds[: len(known)] or not np.allclose(measures[:3], today, atol=1e-3):
            return measures[:0]
        return measures

    def _measure(self, person):
        z = self.population.attributes(self.population.vertices(person))
        return [z[name] for name in captions.MEASURES]

    def draw(self, rng):
        """A random head: -> index of the person, measures by name, look, expression weights by name."""
        i = int(rng.integers(len(self.people)))
        look = random_look(rng, self.people[i])
        return i, dict(zip(captions.MEASURES, self.measures[i].tolist(), strict=True)), look, random_expression(rng)

    def example(self, rng):
        """-> (index, sentence as the text model reads it, parameters (P,), mask of what the sentence speaks of (P,))."""
        i, measures, look, expression = self.draw(rng)
        text, mentioned = captions.describe(self.people[i], measures, look, expression, rng)
        row = captions.parameters(self.people[i], measures, look, expression)
        return i, normalise(text), row, captions.mask(mentioned)


def random_expression(rng):
    """Mostly one named expression at some strength, often neutral, now and then a mouth with eyes."""
    if rng.random() < 0.3:
        return {"neutral": 1.0}
    weight = float(rng.choice([0.55, 1.0, 1.0, 1.0, 1.0, 1.2]))
    if rng.random() < 0.1:
        return {str(rng.choice(MOUTHS)): 1.0, str(rng.choice(EYES)): 1.0}
    return {str(rng.choice(list(EXPRESSIONS))): weight}


def learn_vocabulary(texts, known=(), words=(), most=MERGES):
    """Byte-pair merges (Sennrich et al. 2016) and the word list of a body of sentences.

    texts: normalised sentences; known, words: merges and words of a vocabulary to grow, whose spellings stay
    -> (list of (left, right) pairs, sorted words, new ones seen at least twice)
    """
    counts = collections.Counter(word for text in texts for word in text.split())
    new = sorted(word for word, count in counts.items() if count > 1 and word != "," and word not in words)
    spelled = {word: [*word[:-1], word[-1] + "</w>"] for word in new}
    learnt = [*known]
    for pair in known:
        spelled = {word: _merge(parts, pair) for word, parts in spelled.items()}
    while len(learnt) < most:
        pairs = collections.Counter()
        for word, parts in spelled.items():
            for pair in zip(parts, parts[1:], strict=False):
                pairs[pair] += counts[word] ** 0.5
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learnt.append(best)
        spelled = {word: _merge(parts, best) for word, parts in spelled.items()}
    return learnt, sorted([*words, *new])


def _merge(parts, pair):
    if pair[0] not in parts:
        return parts
    merged, i = [], 0
    while i < len(parts):
        both = tuple(parts[i : i + 2]) == pair
        merged.append(parts[i] + parts[i + 1] if both else parts[i])
        i += 1 + both
    return merged


def write_vocabulary(folder, merges, words):
    """vocabulary.txt.gz for open_clip's SimpleTokenizer and words.txt, both without a time stamp."""
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "vocabulary.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    (folder / "words.txt").write_text("\n".join(words) + "\n", "utf-8")


class Speller:
    """The tokenizer with a memory of words: the same ids, much faster on sentences that share words."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}

    def word(self, word):
        if word not in self.known:
            self.known[word] = self.tokenizer.encode(word)
        return self.known[word]

    def __call__(self, text):
        ids = [i for word in text.split() for i in self.word(word)]
        return [self.tokenizer.sot_token_id, *ids[: self.tokenizer.context_length - 2], self.tokenizer.eot_token_id]


def hidden(model, ids):
    """Token ids (B,T) -> hidden states after the last normalisation (B,T,D)."""
    length = ids.shape[1]
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    return model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))


def embedding(model, ids, states):
    """Token ids (B,T) and their hidden states -> text features (B,C), not normalised."""
    return states[torch.arange(len(ids)), ids.argmax(-1)] @ model.text_projection


def encode(model, sentences, chunks=6):
    """Token lists -> (B,C) text features, not normalised. Sorted by length, because most sentences are short."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    parts = []
    for chunk in np.array_split(order, min(chunks, len(order))):
        length = len(sentences[chunk[-1]])
        ids = torch.tensor([sentences[i] + [0] * (length - len(sentences[i])) for i in chunk])
        parts.append(embedding(model, ids, hidden(model, ids)))
    back = torch.empty(len(order), dtype=torch.long)
    back[order] = torch.arange(len(order))
    return torch.cat(parts)[back]


class Teacher(nn.Module):
    """What is thrown away after training: an encoder of the parameters, and heads that read a sentence back."""

    def __init__(self, width=ARCHITECTURE["embed_dim"], hidden=256, rarity=1.0):
        """rarity: (P,) how much more a number counts when a sentence speaks of it, because few do."""
        super().__init__()
        parameters = captions.PARAMETERS
        self.parameters_in = nn.Sequential(nn.Linear(parameters, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.values = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, parameters))
        self.topics = nn.Linear(width, parameters)
        amounts = torch.ones(parameters)
        for topic in CHOICES:
            amounts[captions.SLICES[topic]] = 0
        self.register_buffer("amounts", amounts * rarity, persistent=False)
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def _choice(self, topic, read, rows, masks):
        """Cross entropy of a topic of which one value is true, over the sentences that speak of it; small groups count less."""
        where = captions.SLICES[topic]
        said = masks[:, where.start]
        loss = F.cross_entropy(read[:, where], rows[:, where].argmax(1), reduction="none")
        return (loss * said).sum() / (said.sum() + 2)

    def losses(self, features, rows, masks):
        """features (B,C), parameters (B,P), what is spoken of (B,P) -> contrastive, values and topics losses."""
        text = F.normalize(features, dim=-1)
        heads = F.normalize(self.parameters_in(rows), dim=-1)
        logits = self.scale.clamp(max=np.log(100)).exp() * text @ heads.T
        target = torch.arange(len(text))
        contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        read = self.values(text * 8)
        choices = torch.stack([self._choice(topic, read, rows, masks) for topic in CHOICES]).mean()
        values = ((read - rows).square() * masks * self.amounts).sum() / (masks * self.amounts).sum() + choices
        topics = F.binary_cross_entropy_with_logits(self.topics(text * 8), masks)
        return contrast, values, topics


class Keeper:
    """Holds the features of a growing tower to those of the tower before.

    Where a sentence has words that the tower before did not know, it is compared with the sentence that the texture part would
    have read: "hair" for a hairdo's name, nothing for any other; the features of the new words then repeat their neighbours'.
    """

    def __init__(self, before, spell):
        self.model, self.words = before.model, before.vocabulary.words
        self.spell, self.spell_before = spell, Speller(before.tokenizer)

    def places(self, sentence):
        """A sentence -> token ids for both towers, and for each new position the old one and its weight: four lists of T."""
        length, tokenizer = self.spell.tokenizer.context_length, self.spell_before.tokenizer
        new, old, place = [], [], []
        changed = False
        for word in sentence.split():
            known = word if word in self.words or word == "," or word.isdigit() else "hair" if word in NOUNS else ""
            start, spelled = len(old), self.spell.word(word)
            old += self.spell_before.word(known) if known else []
            place += [max(0, min(start + i, len(old) - 1)) for i in range(len(spelled))]
            new += spelled
            changed |= known != word
        new, old = self.spell(sentence), [tokenizer.sot_token_id, *old[: length - 2], tokenizer.eot_token_id]
        place = [0, *(min(1 + i, len(old) - 2) for i in place[: length - 2]), len(old) - 1]
        weight = [1.0] * (len(new) - 1) + [CHANGED_END if changed else 1.0] + [PADDING] * (length - len(new))
        place += range(len(new), length)  # the padding of one is the padding of the other
        return new + [0] * (length - len(new)), old + [0] * (length - len(old)), place, weight

    def loss(self, model, sentences):
        """Weighted square difference of token features over the old ones' variance, and of sentences' features."""
        new, old, place, weight = (torch.tensor(x) for x in zip(*map(self.places, sentences), strict=True))
        with torch.no_grad():
            target = hidden(self.model, old)
            ends = F.normalize(embedding(self.model, old, target), dim=-1)
            target = target.gather(1, place[..., None].expand_as(target))
        found = hidden(model, new)
        difference = (found - target).square().mean(-1) / target.var()
        same = weight.min(1).values >= PADDING  # sentences without new words
        turned = (1 - (F.normalize(embedding(model, new, found), dim=-1) * ends).sum(-1)) * same
        return (weight * difference).sum() / weight.sum() + turned.mean()


def rarity(masks):
    """Masks (N,P) of what sentences speak of -> (P,) one for a number of usual frequency, more for rare ones."""
    share = masks.mean(0)
    return (share.median() / share.clamp(min=1e-6)).sqrt().clamp(0.5, 3.0)


def batch(crowd, spell, rng, size):
    """-> sentences, their token lists, parameters (size,P), masks of what is spoken of (size,P)."""
    _, texts, rows, masks = zip(*(crowd.example(rng) for _ in range(size)), strict=True)
    tensors = (torch.from_numpy(np.stack(x).astype(np.float32)) for x in (rows, masks))
    return texts, [spell(text) for text in texts], *tensors


@torch.no_grad()
def measure(model, teacher, crowd, spell, keeper, pairs=500, sentences=3000):
    """Held-out retrieval, per topic how often the value read back from the sentence is right, change against the anchor."""
    rng = np.random.default_rng(1)
    texts, tokens, rows, masks = batch(crowd, spell, rng, sentences)
    text = F.normalize(encode(model, tokens, 24), dim=-1)
    heads = F.normalize(teacher.parameters_in(rows[:pairs]), dim=-1)
    rank = (text[:pairs] @ heads.T).argsort(descending=True).eq(torch.arange(pairs)[:, None]).float().argmax(1)
    report = {"top-1": float((rank == 0).float().mean()), "top-5": float((rank < 5).float().mean())}
    if keeper:
        report["change of features"] = float(keeper.loss(model, texts[:200])) ** 0.5
    values = teacher.values(text * 8)
    for topic, where in captions.SLICES.items():
        said = masks[:, where.start] > 0
        if said.sum() < 5:
            continue
        truth, read = rows[said, where], values[said, where]
        if captions.LAYOUT[topic] > 1:
            right = truth.argmax(1) == read.argmax(1)
        else:
            middle = rows[:, where].mean()
            right = (truth > middle) == (read > middle)
        report[topic] = float(right.float().mean())
    return report


def write_pack(model, pack):
    """Weights in half precision, and the pack's entry."""
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, pack / "text/model.safetensors")
    set_part(pack, "text", {"implementation": "open_clip", "folder": "text"})


def start_folder(folder, crowd, before=None, sentences=60_000):
    """Learns a vocabulary, or grows that of a folder `before`, and writes it with the architecture."""
    folder.mkdir(parents=True, exist_ok=True)
    merges, words = read_vocabulary(before) if before else ([], [])
    rng, known = np.random.default_rng(0), len(merges)
    merges, words = learn_vocabulary([crowd.example(rng)[1] for _ in range(sentences)], merges, frozenset(words))
    write_vocabulary(folder, merges, words)
    size = open_clip.SimpleTokenizer(bpe_path=str(folder / "vocabulary.txt.gz")).vocab_size
    config = {**ARCHITECTURE, "text_cfg": {**ARCHITECTURE["text_cfg"], "vocab_size": size}}
    (folder / f"{NAME}.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    print(f"vocabulary: {len(words)} words, {len(merges)} merges of which {len(merges) - known} are new", flush=True)


def read_vocabulary(folder):
    """What `write_vocabulary` wrote. -> list of (left, right) pairs, words"""
    lines = gzip.decompress((folder / "vocabulary.txt.gz").read_bytes()).decode().splitlines()[1:]
    return [tuple(line.split()) for line in lines], (folder / "words.txt").read_text("utf-8").split()


def grown(state, size):
    """A tower's state with room for `size` tokens: new ones come before the two marks at the end, and start small."""
    table = state["token_embedding.weight"].float()
    new = torch.randn(size - len(table), table.shape[1], generator=torch.Generator().manual_seed(0)) * table.std()
    return state | {"token_embedding.weight": torch.cat([table[:-2], new, table[-2:]])}


def save(path, model, teacher, optimiser, steps, spent):
    state = {"model": model.state_dict(), "teacher": teacher.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"sizes": sizes(model), "steps": steps, "spent": spent}, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def sizes(model):
    """What a checkpoint must fit."""
    return [model.vocab_size, captions.PARAMETERS]


def restore(path):
    """A checkpoint, or an empty one where there is none."""
    return torch.load(path, weights_only=True) if path.is_file() else {"steps": 0, "spent": 0.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=25, help="in all, earlier runs counted")
    parser.add_argument("--out", type=Path, default=RUN)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    parser.add_argument("--people", type=int, default=12_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=1, help="one is fastest while other trainings run")
    parser.add_argument("--restart", action="store_true", help="learn the vocabulary and the weights anew")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)

    tower, anchor, last = options.out / TOWER, options.out / ANCHOR, options.out / "last.pt"
    crowd = Crowd(range(options.people), options.out / "people.npz")
    held_out = Crowd(range(HELD_OUT, HELD_OUT + 800), options.out / "held_out.npz")
    if options.restart:
        shutil.rmtree(tower, ignore_errors=True)
        shutil.rmtree(anchor, ignore_errors=True)
        last.unlink(missing_ok=True)
    elif not anchor.is_dir() and not tower.is_dir():
        shutil.copytree(options.pack / "text", anchor)
    if not tower.is_dir():
        start_folder(tower, crowd, anchor if anchor.is_dir() else None)
    before = TextModel.load({"folder": ANCHOR}, options.out) if anchor.is_dir() else None
    open_clip.add_model_config(tower / f"{NAME}.json")
    model = open_clip.create_model(NAME)
    if before:
        model.load_state_dict(grown(load_file(anchor / "model.safetensors"), model.vocab_size))
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(tower / "vocabulary.txt.gz"), context_length=model.context_length)
    spell = Speller(tokenizer)
    teacher = Teacher(rarity=rarity(batch(crowd, spell, np.random.default_rng(2), 4000)[3]))
    keeper = Keeper(before, spell) if before else None
    learnt = [p for name, p in model.named_parameters() if not name.startswith("visual") and name != "logit_scale"]
    gentle = 0.5 if before else 1.0  # the teacher is always new, the tower has little to forget
    groups = [{"params": learnt, "share": gentle}, {"params": list(teacher.parameters()), "share": 1.0}]
    optimiser = torch.optim.AdamW(groups, options.rate, betas=(0.9, 0.98), weight_decay=0.02)
    state = restore(last)
    if state.get("sizes") == sizes(model):
        model.load_state_dict(state["model"])
        teacher.load_state_dict(state["teacher"])
        optimiser.load_state_dict(state["optimiser"])
    else:
        state = {"steps": 0, "spent": 0.0}
    steps, spent = state["steps"], state["spent"]

    rng = np.random.default_rng([steps, 7])
    model.train()
    now, started = spent, time.monotonic()
    saved = started
    while (now := spent + time.monotonic() - started) < 60 * options.minutes:
        texts, tokens, rows, masks = batch(crowd, spell, rng, options.batch)
        contrast, values, topics = teacher.losses(encode(model, tokens), rows, masks)
        kept = keeper.loss(model, texts[:HELD]) if keeper else torch.zeros(())
        loss = contrast + 6 * values + 3 * topics + KEEP * kept
        descent = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * now / (60 * options.minutes)))
        for group in optimiser.param_groups:
            group["lr"] = options.rate * group["share"] * min((steps + 1) / 100, float(descent))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        steps += 1
        if steps % 50 == 0:
            terms = f"contrast {contrast:.3f}  values {values:.3f}  topics {topics:.3f}  change {kept:.4f}"
            print(f"text: step {steps}, {now / 60:.1f} of {options.minutes:g} min, {terms}", flush=True)
        if time.monotonic() - saved > 90:
            save(last, model, teacher, optimiser, steps, now)
            saved = time.monotonic()
    save(last, model, teacher, optimiser, steps, now)

    model.eval()
    with torch.no_grad():
        model.logit_scale.copy_(teacher.scale)
    report = measure(model, teacher, held_out, spell, keeper)
    report["steps"] = steps
    (options.out / "report.json").write_text(json.dumps(report, indent=1))
    print("  ".join(f"{name} {value:.3f}" for name, value in report.items()))
    shutil.copytree(tower, options.pack / "text", dirs_exist_ok=True)
    write_pack(model, options.pack)


if __name__ == "__main__":
    main()
