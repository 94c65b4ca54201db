"""Walls of the mouth: heads that would be open below the lower lip are brought back to the nearest that are closed.

The mouth's inside hardly follows what words and sliders do to the face in front of it. Under a receding chin or thin lips it
would come out through the skin. How thick the skin is in front of it follows linearly from a head's shape parameters, so a head
that is too thin somewhere goes the shortest way, in deviations of the population, to one that is not.

Letters: D shape parameters, I identity latent width, K places of the mouth's inside.
"""

from dataclasses import dataclass, replace

import numpy as np

LEAST = 1.5  # mm: about a voxel of the default resolution, below which the surface loses the wall
ENOUGH = 0.01  # mm: nearer than this is as good as there
ROUNDS = 200


@dataclass(frozen=True)
class Walls:
    """What a pack's part `bases` knows of the walls."""

    slopes: np.ndarray  # (D,K) mm per deviation
    widths: np.ndarray  # (K,) mm, of the head whose shape parameters are zero
    basis: np.ndarray  # (I,D): codes are linear in shape parameters
    mean: np.ndarray  # (I,)

    @classmethod
    def load(cls, pack):
        """The walls of an open `packs.Pack`, or None if it tells of none."""
        found = pack.tensors(pack.part("bases")["file"]) if "bases" in pack.parts else {}
        if "wall_slopes" not in found:
            return None
        names = "wall_slopes", "wall_widths", "identity_basis", "identity_mean"
        return cls(*(found[name].astype(np.float64) for name in names))

    def kept(self, code):
        """A HeadCode with walls of LEAST everywhere; the same one if it has them."""
        shape = np.linalg.lstsq(self.basis, code.bald - self.mean, rcond=None)[0]  # (D,)
        change = self.change(shape)
        if not change.any():
            return code
        return replace(code, identity=(code.identity + self.basis @ change).astype(np.float32))

    def change(self, shape):
        """What to add to shape parameters (D,): the thinnest place is mended again and again, by as little as will do."""
        change = np.zeros_like(shape)
        for _ in range(ROUNDS):
            missing = LEAST - (self.widths + (shape + change) @ self.slopes)
            thinnest = int(missing.argmax())
            if missing[thinnest] <= ENOUGH:
                break
            slope = self.slopes[:, thinnest]
            change += slope * (missing[thinnest] / (slope @ slope))
        return change
