"""Small pictures of studio heads, from the front to the profile, in varied light: what the image tower learns to read."""

from functools import cached_property

import igl
import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cliphead_addon.engine.geometry import raster

from . import skin
from .hair import BALD, Barber
from .ict import triangles
from .look import STYLES
from .styles import HAIRS

CENTRE, HALF = np.array([0.0, 3.0, -1.0]), 15.5  # cm: the middle of the picture and half its side
GAMMA = 2.2


class Photographer:
    """Paints heads vertex by vertex and draws them with a depth buffer; enough for pictures of about 100 px."""

    def __init__(self, population, atlas):
        self.population, self.atlas = population, atlas
        ict = population.ict
        parts = [ict.part_quads(part) for part in ("face", "head_neck", "mouth_socket")]
        parts += [ict.eye_quads(side) for side in "LR"]
        self.faces = np.concatenate([triangles(quads) for quads in parts])

    @cached_property
    def _painted(self):
        """Share of paint at each vertex (26719,), and for each vertex the nearest one that has paint."""
        atlas, rest = self.atlas, self.population.ict.neutral
        share = np.bincount(atlas.corners.ravel(), atlas.weights.ravel(), minlength=len(rest))
        has = np.flatnonzero(share > 1e-3)
        return share, has[cKDTree(rest[has]).query(rest)[1]]

    def colours(self, look, rng):
        """A look's albedo at ICT's vertices: (26719,3) sRGB in [0,1]."""
        atlas = self.atlas
        albedo = atlas.texel_values(skin.paint(look, atlas, rng)) / 255  # (T,3)
        share, nearest = self._painted
        corners = atlas.corners.ravel()
        sums = [np.bincount(corners, (atlas.weights * albedo[:, [c]]).ravel(), minlength=len(share)) for c in range(3)]
        return (np.stack(sums, axis=1) / np.maximum(share, 1e-9)[:, None])[nearest]

    @cached_property
    def _barber(self):
        return Barber(self.population)

    def hair(self, person, look, colours, rng):
        """The hair that a look wears: vertices (V,3) cm, faces (F,3), colours (V,3) in [0,1]; no rows for a bald head.

        colours: (26719,3) of the skin, whose crown tells the colour where the look's style has its own.
        """
        worn = look.hair_shape
        if worn.style == BALD:
            return np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros((0, 3))
        vertices = self._barber.vertices(person, worn)
        own = HAIRS[look.hair] / 255 * rng.uniform(0.85, 1.15)
        crown = self.population.ict.neutral[: len(colours), 1] > 14
        colour = own if STYLES[look.style] == "skin" else colours[crown].mean(0)
        grain = 1 + 0.08 * rng.normal(size=(len(vertices), 1))
        return vertices, self._barber.volume(worn.style).faces, np.clip(colour * grain, 0, 1)

    def picture(self, vertices, colours, rng, size=64, hair=None):
        """One view in random light.

        vertices: (26719,3) cm, colours: (26719,3) in [0,1], hair: what `hair` gave -> (size,size,3) uint8 sRGB.
        """
        faces = self.faces
        if hair is not None:
            faces = np.concatenate([faces, len(vertices) + hair[1]])
            vertices, colours = np.concatenate([vertices, hair[0]]), np.concatenate([colours, hair[2]])
        yaw = rng.normal() * 22 if rng.random() < 0.6 else rng.uniform(-90, 90)
        turn = Rotation.from_euler("yxz", [yaw, rng.normal() * 8, rng.normal() * 3], degrees=True)
        points = turn.apply(vertices - CENTRE) / (2 * HALF * rng.uniform(0.92, 1.1)) + 0.5
        points[:, :2] += rng.normal(size=2) * 0.015
        normals = igl.per_vertex_normals(points, faces)
        light = np.array([rng.normal() * 0.7, rng.normal() * 0.4 + 0.4, 1.0])
        ambient = rng.uniform(0.25, 0.55)
        shade = ambient + (1.05 - ambient) * np.maximum(np.nan_to_num(normals) @ (light / np.linalg.norm(light)), 0)
        lit = (colours**GAMMA * shade[:, None]).clip(0, 1) ** (1 / GAMMA)
        image, mask = raster.render(points, faces, lit, size)
        backdrop = np.clip(rng.uniform(0.1, 0.95) + rng.normal(size=3) * 0.05, 0, 1)
        return np.rint(255 * np.where(mask[..., None], image, backdrop)).astype(np.uint8)
