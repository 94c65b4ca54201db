"""Where spots of the skin lie on a head, told from its landmarks and the shape around them."""

from dataclasses import dataclass, fields

import numpy as np

from .planar import locate

MOST = 3.0  # deviations: what is further off the population's shapes counts as this far


@dataclass(frozen=True)
class SpotModel:
    """A linear regression, as those that follow faces in pictures (Cootes 1998, Xiong and De la Torre 2013).

    The landmarks say roughly where things are. The surface that is found there shows how wrong that was, because heads vary
    in few ways: on unseen people it leaves less than half of the error. Places are of UV space before magnification.
    """

    places: np.ndarray  # (S,2) of the spots in UV space, alike on all heads
    nodes: np.ndarray  # (N,2) where the surface is looked at
    mean: np.ndarray  # (3N,) of the surface at the nodes, NPHM frame
    axes: np.ndarray  # (M,3N) its principal directions, divided by its deviations along them
    slopes: np.ndarray  # (M,S,2) how far a deviation along each moves the spots
    offset: np.ndarray  # (S,2) how far the spots of the mean head are from the guess

    def to_arrays(self):
        """Name -> array, ready for a safetensors file."""
        return {part.name: np.asarray(getattr(self, part.name)) for part in fields(self)}

    @classmethod
    def from_arrays(cls, arrays):
        """Inverse of `to_arrays`."""
        return cls(**{part.name: np.asarray(arrays[part.name], np.float64) for part in fields(cls)})

    def find(self, flat, guess):
        """Places (S,2) of the spots on a FlatHead; guess: points (P,2) of UV space -> roughly where they are on this head."""
        nodes, spots = np.split(guess(np.concatenate([self.nodes, self.places])), [len(self.nodes)])
        score = self.axes @ (surface_at(flat, nodes) - self.mean)
        return spots + self.offset + np.tensordot(np.clip(score, -MOST, MOST), self.slopes, 1)


def surface_at(flat, nodes):
    """Points (3N,) of a FlatHead's surface that its harmonic map takes to nodes (N,2)."""
    corners = flat.uv[flat.faces]
    near = ((corners.min(axis=1) <= nodes.max(axis=0)) & (corners.max(axis=1) >= nodes.min(axis=0))).all(axis=1)
    face, weights = locate(corners[near], nodes)
    return np.einsum("nk,nkd->nd", weights, flat.vertices[flat.faces[near][face]]).ravel()


def fit(heads, places, nodes, directions, ridge):
    """The SpotModel of some heads: for each `surface_at` (3N,), the guess of its spots' places and the true ones (S,2)."""
    seen, guessed, true = (np.array(part, np.float64) for part in zip(*heads, strict=True))
    mean, missed = seen.mean(axis=0), true - guessed
    score, spread, axes = np.linalg.svd(seen - mean, full_matrices=False)
    directions = min(directions, len(heads) // 2)  # the last ones of few heads are chance
    score, spread, axes = score[:, :directions], spread[:directions], axes[:directions]
    offset = missed.mean(axis=0)
    # Ridge regression: directions in which heads hardly differ say little.
    damped = np.square(spread) / (np.square(spread) + ridge * spread[0] ** 2)
    slopes = np.einsum("hm,hsc->msc", score * damped, missed - offset) / np.sqrt(len(heads))
    axes = axes * (np.sqrt(len(heads)) / spread)[:, None]
    return SpotModel(places, nodes, mean, axes, slopes, offset)
