"""The ICT face model's arrays: neutral head, identity modes and expression shapes, in centimetres (MIT, USC ICT)."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

SKIN_VERTICES = 11248  # face, head and neck come first in ICT's vertex order


def data_folder():
    """Where the open head data lies: $CLIPHEAD_DATA, else `shared/data` beside or inside the checkout."""
    root = Path(__file__).resolve().parents[2]
    for folder in filter(None, (os.environ.get("CLIPHEAD_DATA"), root / "shared/data", root.parent / "shared/data")):
        if (Path(folder) / "ict_head.npz").is_file():
            return Path(folder)
    raise FileNotFoundError("The open head data (ict_head.npz) was not found. Set CLIPHEAD_DATA to its folder.")


def unpack(packed, step):
    """Zigzag deltas in two byte planes (2,M,...) -> float32 array, in units of `step`."""
    z = packed[0].astype(np.int32) | (packed[1].astype(np.int32) << 8)
    deltas = ((z >> 1) ^ -(z & 1)).astype(np.int16)
    return np.cumsum(deltas, axis=1, dtype=np.int32).astype(np.int16).astype(np.float32) * np.float32(step)


def triangles(quads):
    """Polygons (Q,4), -1 in the last place for triangles -> (T,3) int64."""
    first, split = quads[:, :3], quads[:, 3] >= 0
    return np.concatenate([first, quads[split][:, [0, 2, 3]]]).astype(np.int64)


def boundary_loops(faces):
    """Boundary loops of a triangle set, each (n,) vertex indices in the order of the surface's half-edges."""
    half = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    key, opposite = half[:, 0] * size + half[:, 1], half[:, 1] * size + half[:, 0]
    following = dict(half[~np.isin(key, opposite)].tolist())
    loops = []
    while following:
        start = vertex = next(iter(following))
        loop = []
        while vertex in following:
            loop.append(vertex)
            vertex = following.pop(vertex)
        assert vertex == start, "boundary touches itself"
        loops.append(np.array(loop))
    return loops


@dataclass(frozen=True, eq=False)
class ICT:
    """Neutral vertices (26719,3), 100 identity modes, 57 expression shapes and the parts of the surface."""

    arrays: dict

    @classmethod
    def load(cls):
        with np.load(data_folder() / "ict_head.npz") as file:
            return cls({name: file[name] for name in file.files})

    @cached_property
    def neutral(self):
        return self.arrays["neutral"].astype(np.float32)

    @cached_property
    def identity_modes(self):
        """(100,26719,3) cm for one standard deviation."""
        return unpack(self.arrays["id_packed"], self.arrays["id_step"])

    @cached_property
    def expression_shapes(self):
        """(57,26719,3) cm at weight one."""
        return unpack(self.arrays["ex_packed"], self.arrays["ex_step"])

    @cached_property
    def expression_names(self):
        return [str(name) for name in self.arrays["ex_names"]]

    @cached_property
    def landmarks(self):
        """68 vertex indices in iBUG order."""
        return self.arrays["lm68"].astype(int)

    def _part(self, name, key):
        i = [str(part) for part in self.arrays["part_names"]].index(name)
        return slice(int(self.arrays[key][i]), int(self.arrays[key][i + 1]))

    def part_vertices(self, name):
        return self._part(name, "part_v")

    def part_quads(self, name):
        return self.arrays["quads"][self._part(name, "part_f")]

    def eye_quads(self, side):
        """Sclera and iris of one eyeball, "L" or "R", without the cornea's shell, whose quads follow them."""
        return self.part_quads(f"eyeball_{side}")[:800]

    @cached_property
    def anchors(self):
        """(39,) vertex indices in NPHM's member order: 16 pairs (right, left), then 7 on the midline."""
        data = json.loads((data_folder() / "anchors.json").read_text())
        pairs = [index for left, right in data["pairs"].values() for index in (right, left)]
        return np.array(pairs + list(data["midline"].values()))
