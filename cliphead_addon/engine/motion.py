"""What a finished head is animated with: its expressions as displacements, and words as weights of Apple's shapes."""

import re
from dataclasses import replace

import numpy as np
from scipy.optimize import lsq_linear

from . import pipeline
from .errors import ClipHeadError
from .expression_sets import ARKIT, NEUTRAL, expand
from .geometry.frames import MM_PER_UNIT

SAMPLES = 1500  # points on which words are fitted
SPARSE = 0.01  # mm^2 of mean squared error that a weight of one must be worth, so that shapes that undo each other stay out
FAINT = 0.02  # weights below are left out
WEAK = 0.3  # a sum of weights that is hardly seen
STILL = 0.05  # mm: a head that its expression moves by less is neutral
SENTENCES = ("a man, {}", "a woman, {}")  # the mapper learnt from sentences about people: bare words it reads as weaker
SHOWN = r"(?:smiles?|smiling|grins?|laughs?|laughter|frowns?|pouts?|sneers?|smirks?|scowls?|yawns?)"
DEGREES = {  # how strong words say an expression is; "big" and "wide" only of what a face does, not of its parts
    0.4: r"slight(?:ly)?|faint(?:ly)?|subtl[ey]|mild(?:ly)?|gent(?:le|ly)|weak(?:ly)?|somewhat"
    rf"|an? (?:little|bit|(?:hint|touch) of)|(?:small|little|tiny)(?= {SHOWN})",
    1.25: r"very|really|extremely|intense(?:ly)?|strong(?:ly)?|broadly|widely"
    rf"|(?:broad|big|wide|huge|great)(?= {SHOWN})"
    rf"|wide(?= open mouth)|(?<=mouth )wide(?= open)",
}


def express(prompt, settings, models, canonical, names=(), words=()):
    """Displacements of a head's own surface points, and weights of Apple's shapes for expressions in words.

    prompt, settings: as the head's recipe has them; canonical: (V,3) NPHM units; names: of expressions, "arkit" and "visemes"
    for all of these, "neutral" for the way back from the head's own expression, if it has one; words: sentences or names of
    expressions. -> dict: names, displacements (M,V,3) float32 NPHM units, weights (name -> 0..1 for each of `words`),
    warnings. Raises ClipHeadError for unknown names.
    """
    warnings = []
    code = pipeline.recipe_code(prompt, models)
    names = expand(names)
    back = -own_expression(models.head, code, canonical, settings.hair) if NEUTRAL in names else None
    if back is not None and MM_PER_UNIT * np.abs(back).max() < STILL:
        names.remove(NEUTRAL)
    moves = models.head.pose(code, canonical, [name for name in names if name != NEUTRAL], settings.hair)[1]
    moves[NEUTRAL] = back
    displacements = np.stack([moves[name] for name in names]) if names else np.zeros((0, len(canonical), 3), np.float32)
    weights = [fit_words(text, prompt, models, code, canonical, warnings) for text in words]
    return {"names": names, "displacements": displacements, "weights": weights, "warnings": warnings}


def own_expression(head, code, canonical, hair="object"):
    """How a head's surface differs from its neutral pose: (V,3) float32 NPHM units."""
    neutral = head.find_expression(NEUTRAL)
    if neutral is None:
        raise ClipHeadError("This pack has no neutral expression. Choose another pack.", "NO_EXPRESSION")
    resting = replace(code, expression=neutral)
    return head.pose(code, canonical, (), hair)[0] - head.pose(resting, canonical, (), hair)[0]


def degree(text):
    """An expression in words -> the same without words that say how strong it is, and that strength, 1 where none does."""
    found = [strength for strength, words in DEGREES.items() if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)]
    plain = " ".join(re.sub(rf"\b(?:{'|'.join(DEGREES.values())})\b", " ", text, flags=re.IGNORECASE).split())
    if not found or not any(map(str.isalpha, plain)):
        return text, 1.0
    return plain, min(found)  # "very slightly" is slight


def fit_words(text, prompt, models, code, canonical, warnings):
    """Weights of Apple's shapes that together move the skin as an expression in words does -> name -> 0..1.

    The pack's expression mapper reads the words, or an expression's name stands for its code; shapes are fitted to its
    displacements, by bounded least squares, because shape keys add up there and nowhere else. Words such as "broad" and
    "slightly" scale the displacements: where they stand in a sentence, and in which company, does not matter then.
    """
    if not text.strip():
        return {}
    plain, strength = degree(text)
    targets = [pipeline.expression_code(replace(prompt, expression=plain), models, warnings)]
    if models.head.find_expression(plain) is None:
        sentences = (sentence.format(plain) for sentence in SENTENCES)
        targets = [pipeline.expression_code(replace(prompt, expression=sentence), models, []) for sentence in sentences]
    some = canonical[np.linspace(0, len(canonical) - 1, min(SAMPLES, len(canonical))).astype(int)]
    codes = np.stack([models.head.named_expression(name) for name in (NEUTRAL, *ARKIT)] + targets)
    neutral, *moves = models.head.displacements(some, code.identity, codes)
    shapes, asked = moves[: len(ARKIT)], np.mean(moves[len(ARKIT) :], axis=0)
    mm = MM_PER_UNIT / np.sqrt(len(some))
    A = np.stack([(shape - neutral).ravel() for shape in shapes], axis=1) * mm  # (3N,51)
    b = strength * (asked - neutral).ravel() * mm
    q, r = np.linalg.qr(A)
    # the sum of the weights costs something too; its gradient enters the normal equations as a shift of the target
    shift = np.linalg.lstsq(r.T, np.full(r.shape[1], SPARSE), rcond=None)[0]
    found = lsq_linear(r, q.T @ b - shift, bounds=(0, 1)).x
    if models.head.find_expression(plain) is None and found.sum() < WEAK:
        warnings.append(f"'{text}' hardly moves the face: plainer words, such as 'smiling' or 'angry', are understood better.")
    return {name: round(float(w), 4) for name, w in zip(ARKIT, found, strict=True) if w > FAINT}
