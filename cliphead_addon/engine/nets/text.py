"""Words to features: a CLIP text tower in open_clip's classes, and what it says about words it does not know."""

import difflib
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .. import torchvision_guard  # noqa: F401  before open_clip
from ..errors import PackError, PromptError

import open_clip  # isort: skip

EXAMPLE = "an old man with a wide nose, laughing"
NO_VISION = {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
LONGEST = 100_000  # characters read at all; far more than any context holds

# English words that carry no looks: never reported, and never sent to a text model that did not learn them.
STOP_WORDS = frozenset(
    """a about all also am an and any are as at be been being but by can could created did do does doing done each for from
    get give gives giving had has have he her hers him his i if in into is it its just kind like looking looks make makes me
    model my now of on one or our out please render she show shows so some someone something such than that the their them
    then there these they thing this those to type up us very want was we were what where which who whose will with would
    you your""".split()
)


@dataclass(frozen=True)
class TextFeatures:
    """What a sentence means to the networks. C embedding, T context length, D hidden width."""

    embedding: np.ndarray  # (C,) float32, unit length, in the joint space of text and images
    tokens: np.ndarray  # (T,D) float32, hidden states after the last normalisation, for cross-attention
    unknown: tuple = ()  # (word, nearest known word or "") pairs
    warnings: tuple = field(default=())  # sentences for the user


class Vocabulary:
    """The words a small text model was trained on, and how a free sentence is brought to them.

    words: iterable of lower-case words. Source: ours; the model's tokenizer can spell any word, but only these mean something.
    """

    def __init__(self, words):
        self.words = frozenset(words)
        self._ordered = sorted(self.words)

    def read(self, text):
        """Rewrite a cleaned sentence in known words.

        text: str -> (str, understood word count, tuple of (word, nearest known word), tuple of those left out).
        A close spelling is put right, another form of a known word is taken for it, anything else is left out.
        """
        kept, unknown, dropped, understood = [], [], [], 0
        for word in normalise(text).split():
            near = word if word in self.words or word == "," or word.isdigit() else self._same_word(word)
            if near:
                kept.append(near)
                understood += near != "," and near not in STOP_WORDS
                if near != word and not _related(near, word):
                    unknown.append((word, near))
            elif word not in STOP_WORDS:
                unknown.append((word, self._closest(word, 0.45)))
                dropped.append(word)
        return " ".join(kept), understood, tuple(dict.fromkeys(unknown)), tuple(dict.fromkeys(dropped))

    def _same_word(self, word):
        """Another form of a known word, or a known word misspelt; "" if neither."""
        if word in STOP_WORDS or not word.isascii():
            return ""
        for ending in ("s", "es", "ed", "d", "ing", "ly", "er", "ish", "y", "like"):
            stem = word.removesuffix(ending)
            for form in (stem, stem + "e", stem + "y", stem + "ing", stem[:-1] if stem[-1:] == stem[-2:-1] else stem):
                if stem != word and len(stem) > 2 and form in self.words:
                    return form
        return self._closest(word, 0.8 if len(word) > 4 else 0.86)

    def _closest(self, word, cutoff):
        return (difflib.get_close_matches(word, self._ordered, n=1, cutoff=cutoff) or [""])[0]


def _related(known, word):
    """Forms of one word share their beginning: reading 'noses' as 'nose' needs no warning."""
    stem = min(len(known), len(word)) - 1
    return stem >= 3 and known[:stem] == word[:stem]


def clean(text):
    """Strip what no reader sees: control, format, private and unassigned characters. str -> (str, number removed)."""
    spaced = re.sub(r"[\t\r\n\v\f\u2028\u2029]+", " , ", str(text)[:LONGEST])
    seen = [c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") and not _is_variation(c)]
    joiners = sum(c == "\u200d" for c in spaced) + sum(map(_is_variation, spaced))  # part of many emoji
    return "".join(seen).strip(), len(spaced) - len(seen) - joiners


def _is_variation(c):
    return "\ufe00" <= c <= "\ufe0f"


def normalise(text):
    """Lower case, words and commas only: the spelling the starter text model is trained on. str -> str."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"(\w)['’]s\b", r"\1", text)
    text = re.sub(r"(\w)n['’]t\b", r"\1 not", text)
    text = re.sub(r"(\d)([^\W\d])", r"\1 \2", text)
    words = re.findall(r"[^\W\d_]+|\d+|[,.;:!?()/|]+|[^\w\s]", text)
    words = [_word(word) for word in words]
    return re.sub(r"(, )+", ", ", " ".join(word for word in words if word)).strip(" ,")


def _word(word):
    """A word as it is, punctuation as a comma, an emoji as its own name, other signs as nothing."""
    if word[0].isalnum():
        return word
    if word[0] in ",.;:!?()/|":
        return ","
    if unicodedata.category(word[0]) == "So" and ord(word[0]) > 0x2600:
        return re.sub(r"[^a-z ]+", " ", unicodedata.name(word[0], "").lower())
    return ""


class TextModel:
    """A text tower with its tokenizer and, for a small model of our own, the list of words it has learnt."""

    def __init__(self, model, tokenizer, vocabulary=None):
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary

    @classmethod
    def load(cls, part, folder=".", online=False, keep_image=False):
        """Load a pack's text part, or any model open_clip can build.

        part: dict with a `folder`, either ours (architecture .json of open_clip's form, model.safetensors, vocabulary.txt.gz,
        words.txt) or one in open_clip's own layout (open_clip_config.json); or with an `architecture` of open_clip and its
        weights as a local `file` (of the text tower alone where `tower` is "text"), or as `weights`, a pretrained tag.
        folder: what relative paths in `part` start from.
        online: whether a model hub may be asked. keep_image: keep the image tower (for clip scores). Raises PackError.
        """
        folder, vocabulary = Path(folder), None
        try:
            if "folder" not in part:
                model, tokenizer = _load_architecture(part, folder, online)
            elif (folder / part["folder"] / "open_clip_config.json").is_file():
                name = f"local-dir:{folder / part['folder']}"
                model, tokenizer = open_clip.create_model(name, require_pretrained=True), open_clip.get_tokenizer(name)
            else:
                model, tokenizer, vocabulary = _load_own(folder / part["folder"])
        except PackError:
            raise
        except Exception as error:  # every format of weights has its own
            raise PackError(
                f"The text model {part.get('folder') or part.get('architecture')} cannot be loaded "
                f"({type(error).__name__}: {str(error)[:300]}). Its weights must be a safetensors file, or one that torch "
                "opens without running code from it, and belong to that model. If they came with a pack, install it again."
            ) from error
        if not keep_image and hasattr(model, "visual"):
            del model.visual
        return cls(model, tokenizer, vocabulary)

    @property
    def width(self):
        """(C, T, D): embedding, context length, hidden width."""
        embedding, tokens = self.encode_many([""])
        return embedding.shape[1], *tokens.shape[1:]

    @torch.no_grad()
    def encode_many(self, texts):
        """Encode sentences as they are, unchecked. texts: B strings -> float32 tensors: (B,C) and hidden states (B,T,D)."""
        ids = self.tokenizer(list(texts))
        hidden = []
        tower = getattr(self.model, "text", self.model)
        last = getattr(tower, "ln_final", None) or tower.transformer
        hook = last.register_forward_hook(lambda module, inputs, output: hidden.append(_tensor(output)))
        try:
            embedding = self.model.encode_text(ids, normalize=True)
        finally:
            hook.remove()
        return embedding.float(), hidden[-1].float()

    @torch.no_grad()
    def embeddings(self, texts):
        """`encode_many`'s first answer alone: B strings -> (B,C) float32.

        A causal tower that reads its answer at the sentence's end runs only as far as the longest sentence reaches, which
        for captions is a quarter of the context: what lies behind the end cannot change it.
        """
        model = self.model
        if not isinstance(model, open_clip.CLIP) or model.text_pool_type != "argmax" or model.attn_mask is None:
            return self.encode_many(texts)[0]
        ids = self.tokenizer(list(texts))
        end = ids.argmax(-1)
        length = int(end.max()) + 1
        x = model.token_embedding(ids[:, :length]) + model.positional_embedding[:length]
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
        x = x[torch.arange(len(x)), end]
        x = model.text_projection(x) if isinstance(model.text_projection, torch.nn.Linear) else x @ model.text_projection
        return torch.nn.functional.normalize(x, dim=-1).float()

    def encode(self, text, required=True):
        """Encode a user's sentence.

        text: str -> TextFeatures. Raises PromptError if nothing in it can be read; with required=False an empty or unknown
        text encodes as no words at all (for a negative prompt or an empty override).
        """
        text, removed = clean(text)
        warnings, unknown = [], ()
        if removed:
            warnings.append(f"{removed} control or invisible characters in the prompt were left out.")
        if required and not text:
            found = f"only {removed} control or invisible characters" if removed else "empty"
            raise PromptError(f"The prompt is {found}. Describe a head, for example: {EXAMPLE}.")
        if self.vocabulary:
            text, understood, unknown, dropped = self.vocabulary.read(text)
            if required and not understood:
                words = _listing(dropped) or "no words at all"
                raise PromptError(
                    f"None of this was understood: {words}. The starter text model reads plain English about heads, "
                    f"for example: {EXAMPLE}. Another pack may know more words."
                )
            warnings += _say_unknown(unknown, dropped)
        text, kept, total = self._fit(text)
        if kept < total:
            warnings.append(f"The prompt has {total} words; the text model reads {kept} at once, so the rest was left out.")
        embedding, tokens = self.encode_many([text])
        return TextFeatures(embedding[0].numpy(), tokens[0].numpy(), unknown, tuple(warnings))

    def _fit(self, text):
        """Keep as many words as the context holds, start and end marks counted. str -> (str, kept, total)."""
        words = text.split()
        room = (getattr(self.tokenizer, "context_length", None) or 77) - 2
        if not hasattr(self.tokenizer, "encode"):
            return text, len(words), len(words)  # a tokenizer of another library cuts by itself
        kept = words[: room + 1]
        while kept and len(self.tokenizer.encode(" ".join(kept))) > room:
            kept.pop()
        return " ".join(kept), len(kept), len(words)


def _tensor(output):
    return output if isinstance(output, torch.Tensor) else output[0]


def _listing(words, most=6):
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(f'"{word}"' for word in words[:most]) + more


def _say_unknown(unknown, dropped):
    read_as = [f'"{word}" was read as "{near}"' for word, near in unknown if word not in dropped]
    left_out = [
        f'"{word}"' + (f' (closest spelling it knows: "{near}")' if near else "") for word, near in unknown if word in dropped
    ]
    sentences = [", ".join(read_as) + "."] if read_as else []
    if left_out:
        more = f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        sentences.append(f"The text model does not know {', '.join(left_out[:6])}{more}; left out.")
    return sentences


def _load_own(folder):
    """Our own small model: its architecture is handed to open_clip by name, through open_clip's configuration mechanism."""
    architectures = sorted(folder.glob("*.json"))
    if len(architectures) != 1:
        raise PackError(f"{folder} should hold one architecture .json, but holds {len(architectures)}. Install the pack again.")
    open_clip.add_model_config(architectures[0])
    model = open_clip.create_model(architectures[0].stem, pretrained=str(folder / "model.safetensors"), require_pretrained=True)
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(folder / "vocabulary.txt.gz"), context_length=model.context_length)
    if tokenizer.vocab_size != model.vocab_size:
        raise PackError(
            f"The text model has {model.vocab_size} tokens but its vocabulary {tokenizer.vocab_size}. Install the pack again."
        )
    return model, tokenizer, Vocabulary((folder / "words.txt").read_text("utf-8").split())


def _load_architecture(part, folder, online):
    """A model of open_clip's by name, its weights from a file or, when allowed, from a hub."""
    architecture, weights = part["architecture"], part.get("weights")
    if "file" in part:
        weights = str(folder / part["file"])
        if not Path(weights).is_file():
            raise PackError(f"The text model's weights {weights} do not exist. Name the file that holds them.")
    elif not online:
        raise PackError(
            f"{architecture} with weights '{weights}' would have to be downloaded, and network access is off. "
            "Name a local weights file, or allow network access."
        )
    if part.get("tower") == "text":
        return _load_text_tower(architecture, weights), open_clip.get_tokenizer(architecture)
    model = open_clip.create_model(architecture, pretrained=weights, require_pretrained=True)
    return model, open_clip.get_tokenizer(architecture)


def _load_text_tower(architecture, weights):
    """The text tower of open_clip's architecture alone, from a safetensors file with its weights and those of no other."""
    config = open_clip.get_model_config(architecture)
    if config is None:
        raise PackError(f"open_clip knows no model '{architecture}'. Install the pack again, or update open_clip.")
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    model = kind(**config | {"vision_cfg": NO_VISION})  # the image tower would be most of the model, and is taken away again
    del model.visual
    model.load_state_dict(load_file(weights))
    return model
