"""Sliders: single attributes of a finished head, each along a direction of the identity code that leaves the others alone.

A pack's part `sliders` knows how attributes, in standard deviations over the population, follow from the D shape parameters
that identity codes are linear in: a = s G + c. A slider's direction is a small change of s that raises its own attribute by one
and hardly any other, close to a column of the pseudo-inverse of G; as the parameters are white over the population, a small
change leads to a likely head. See tools.train.sliders.

Letters: D shape parameters, A attributes, I identity latent width.
"""

from dataclasses import dataclass

import numpy as np

from .errors import ClipHeadError

GROUPS = {  # what a panel lists together -> slider -> what its low and its high end look like
    "General": {
        "age": ("young", "old"), "weight": ("thin", "heavy"), "gender": ("female", "male"),
    },
    "Ancestry": {
        "caucasian": ("less", "more"), "asian": ("less", "more"), "african": ("less", "more"),
    },
    "Face": {
        "face roundness": ("long", "round"), "head width": ("narrow", "wide"), "neck width": ("thin", "thick"),
    },
    "Eyes": {
        "eye opening": ("narrow", "wide open"), "eye width": ("small", "large"), "eye spacing": ("close-set", "wide-set"),
    },
    "Brows": {"brow height": ("low", "high")},
    "Nose": {
        "nose width": ("narrow", "wide"), "nose length": ("short", "long"), "nose projection": ("flat", "protruding"),
        "nose tip up": ("drooping", "upturned"),
    },
    "Lips": {"lip fullness": ("thin", "full"), "mouth width": ("small", "wide")},
    "Cheeks": {"cheek width": ("narrow", "wide")},
    "Jaw": {"jaw squareness": ("tapered", "square")},
    "Chin": {"chin width": ("pointed", "broad"), "chin prominence": ("receding", "prominent")},
    "Ears": {
        "ear size": ("small", "big"), "ear protrusion": ("flat", "protruding"), "pointed ears": ("round", "pointed"),
    },
}  # fmt: skip
ENDS = {name: ends for group in GROUPS.values() for name, ends in group.items()}
LIMIT = 4.0  # standard deviations: heads beyond look broken


@dataclass(frozen=True)
class Sliders:
    """What a pack knows of its attributes. See the module for the letters."""

    names: tuple  # (A,) of attributes
    gradients: np.ndarray  # (D,A) float64: how attributes follow from shape parameters
    centre: np.ndarray  # (A,) attributes of the head whose shape parameters are zero
    directions: np.ndarray  # (D,A): shape parameters for one deviation of each slider
    basis: np.ndarray  # (I,D): codes are linear in shape parameters
    mean: np.ndarray  # (I,)

    @classmethod
    def load(cls, pack):
        """The sliders of an open `packs.Pack`, or None if it has none."""
        if "sliders" not in pack.parts or "bases" not in pack.parts:
            return None
        part, bases = pack.part("sliders"), pack.tensors(pack.part("bases")["file"])
        found = {name: array.astype(np.float64) for name, array in pack.tensors(part["file"]).items()}
        return cls(
            names=tuple(part["names"]),
            gradients=found["gradients"],
            centre=found["centre"],
            directions=found["directions"],
            basis=bases["identity_basis"].astype(np.float64),
            mean=bases["identity_mean"].astype(np.float64),
        )

    def move(self, identity, amounts):
        """An identity code (I,) with sliders moved: amounts, name -> standard deviations. -> (I,) float32"""
        along = sum(amount * self.directions[:, self._index(name)] for name, amount in amounts.items())
        return (identity + self.basis @ along).astype(np.float32) if amounts else identity

    def attributes(self, identity):
        """Attributes of a bald identity code (I,), in standard deviations from the population's mean: name -> value."""
        values = self._shape(identity) @ self.gradients + self.centre
        return dict(zip(self.names, values.tolist(), strict=True))

    def lock(self, identity, wanted):
        """The bald identity code nearest to the given one whose attributes have the wanted values (name -> value). -> (I,)"""
        if not wanted:
            return identity
        columns = [self._index(name) for name in wanted]
        slopes = self.gradients[:, columns]
        missing = np.array(list(wanted.values())) - (self._shape(identity) @ slopes + self.centre[columns])
        # Ancestries sum to one, so that slopes may depend on each other: the pseudo-inverse takes that calmly.
        return (identity + self.basis @ (np.linalg.pinv(slopes.T, rcond=1e-4) @ missing)).astype(np.float32)

    def _shape(self, identity):
        return np.linalg.lstsq(self.basis, identity - self.mean, rcond=None)[0]  # (D,)

    def _index(self, name):
        if name not in self.names:
            raise ClipHeadError(f"This pack has no slider '{name}'. It has: {', '.join(self.names)}.", "NO_SLIDER")
        return self.names.index(name)
