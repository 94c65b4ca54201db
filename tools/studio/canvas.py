"""The canvas that the painter works on: a layer of colour, roughness and relief over the texels, and what it draws with.

Noise is sampled in three dimensions on the resting mean head, so nothing breaks at the cut. Every layer of paint draws from a
generator of its own, so that changing one word of a look changes that layer alone.
"""

import zlib
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .atlas import EYE, MOUTH, SKIN


class Canvas:
    """Texels being painted. rgb: (T,3) float32 sRGB 0..255, roughness: (T,) 0..1, relief: (T,) mm outward."""

    def __init__(self, look, atlas, seed):
        self.look, self.atlas, self.seed = look, atlas, seed
        self.f, self.p = atlas.regions, atlas.position
        self.is_skin, self.is_eye, self.is_mouth = (atlas.part == part for part in (SKIN, EYE, MOUTH))
        self.rgb = np.zeros((len(self.p), 3), np.float32)
        self.roughness = np.full(len(self.p), 0.5, np.float32)
        self.relief = np.zeros(len(self.p), np.float32)
        self.layer("canvas")

    def layer(self, name):
        """Starts the generator of a layer."""
        self.rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def noise(self, size, stretch=None):
        """`noise` over all texels; stretch: (3,) factors of the position, large where it should vary fast."""
        points = self.p if stretch is None else self.p * np.asarray(stretch, np.float32)
        return noise(points, size, self.rng)

    def over(self, colour, alpha, roughness=None):
        """Lays a colour (3,) or (T,3) over the texels with opacity alpha (T,)."""
        alpha = np.asarray(alpha, np.float32)
        self.rgb += alpha[:, None] * (np.asarray(colour, np.float32) - self.rgb)
        if roughness is not None:
            self.roughness += alpha * (roughness - self.roughness)

    def roots(self, density, count):
        """`count` texels (N,) drawn in proportion to density (T,) per square centimetre."""
        total = np.cumsum(density * self.atlas.texel_cm**2)
        if total[-1] <= 0:
            return np.zeros(0, int)
        return np.minimum(np.searchsorted(total, self.rng.random(count) * total[-1]), len(density) - 1)

    def area(self, density):
        """Integral of density (T,) over the surface, square centimetres."""
        return float((density * self.atlas.texel_cm**2).sum())

    def specks(self, density, area):
        """Points strewn by density (T,) per square centimetre, each `area` cm2: -> (T,) share of a texel that they cover."""
        roots = self.roots(density, self.rng.poisson(self.area(density)))
        covered = np.bincount(roots, self.rng.uniform(0.5, 1.5, len(roots)) * area, len(density))
        return np.minimum(covered / self.atlas.texel_cm**2, 1).astype(np.float32)

    def hairs(self, roots, tangent, length, width, shade, bend=0.0):
        """`strokes` with this layer's generator."""
        return strokes(self.atlas, roots, tangent, length, width, shade, self.rng, bend)

    def glaze(self, colour, alpha):
        """Multiplies: a glaze of colour (3,), sRGB 0..255 where 255 changes nothing."""
        self.rgb *= 1 - np.asarray(alpha, np.float32)[:, None] * (1 - np.asarray(colour, np.float32) / 255)


def ramp(x, width):
    """0 below -width/2, 1 above width/2, smooth between."""
    t = np.clip(x / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def bell(distance, radius):
    """1 at distance 0, falling like a Gaussian."""
    return np.exp(-((distance / radius) ** 2))


def segment_distance(points, ends):
    """Distance of points (T,3) from a polyline through `ends` (n,3) -> (T,), and the share of the way along (T,)."""
    best, along = np.full(len(points), np.inf, np.float32), np.zeros(len(points), np.float32)
    for i, (a, b) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        t = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-9), 0, 1)
        d = np.linalg.norm(points - a - t[:, None] * (b - a), axis=-1)
        closer = d < best
        best[closer], along[closer] = d[closer], (i + t[closer]) / (len(ends) - 1)
    return best, along


def noise(points, size, rng):
    """Smooth random field of about unit deviation at points (T,3); `size` is its grain, in the points' unit."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32)
    lattice = _lattice()
    period = len(lattice)
    q = points @ (rotation * np.float32(2 / size)) + rng.uniform(0, period, 3).astype(np.float32)
    low = np.floor(q).astype(np.int32)
    f = q - low
    f *= f * (3 - 2 * f)
    i, j, k = ((low[:, a] % period, (low[:, a] + 1) % period) for a in range(3))
    flat = lattice.ravel()
    value = 0
    for a in (0, 1):
        for b in (0, 1):
            row = (i[a] * period + j[b]) * period
            line = flat[row + k[0]] * (1 - f[:, 2]) + flat[row + k[1]] * f[:, 2]
            value = value + line * (f[:, 0] if a else 1 - f[:, 0]) * (f[:, 1] if b else 1 - f[:, 1])
    return value


def strokes(atlas, roots, tangent, length, width, shade, rng, bend=0.0):
    """Draws hairs. roots: (N,) texel indices, tangent: (N,3), length, width: cm, shade: (N,) -> opacity (T,), mean shade (T,).

    A hair follows its tangent through the position map's derivative at its root; opacity adds up as hairs overlap.
    """
    size, N = atlas.size, len(roots)
    path = np.einsum("npc,nc->np", atlas.to_pixel[roots], tangent / np.linalg.norm(tangent, axis=-1, keepdims=True))
    path *= np.broadcast_to(length, N)[:, None]
    span = np.linalg.norm(path, axis=-1)
    too_far = span > 0.12 * size
    path[too_far] *= (0.12 * size / span[too_far])[:, None]
    K = int(np.clip(np.ceil(np.percentile(span, 95) / 0.8), 2, 90)) if N else 2
    t = ((np.arange(K) + 0.5) / K).astype(np.float32)[:, None]
    curl = (np.broadcast_to(bend, N) * rng.normal(size=N)).astype(np.float32)
    texel = atlas.texels[roots]
    column = texel % size + rng.random(N) - 0.5 + t * path[:, 0] - t * t * curl * path[:, 1]  # (K,N)
    row = texel // size + rng.random(N) - 0.5 + t * path[:, 1] + t * t * curl * path[:, 0]
    ink = (width / atlas.texel_cm[roots]) * np.maximum(np.minimum(span, 0.12 * size), 0.7) / K * (1.25 - 0.7 * t)
    x0, y0 = np.floor(column).astype(np.int32), np.floor(row).astype(np.int32)
    fx, fy = column - x0, row - y0
    acc, tinted = np.zeros(size * size), np.zeros(size * size)
    for dx, dy, w in ((0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy)):
        x, y = x0 + dx, y0 + dy
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        flat, w = (y * size + x)[inside], (w * ink)[inside]
        acc += np.bincount(flat, w, size * size)
        tinted += np.bincount(flat, w * np.broadcast_to(shade, (K, N))[inside], size * size)
    acc, tinted = acc[atlas.texels], tinted[atlas.texels]
    return (1 - np.exp(-1.4 * acc)).astype(np.float32), (tinted / np.maximum(acc, 1e-6)).astype(np.float32)


@lru_cache(maxsize=1)
def _lattice(period=64):
    values = np.random.default_rng(0).normal(size=(period,) * 3)
    values = ndimage.gaussian_filter(values, 0.7, mode="wrap").astype(np.float32)
    return values / values.std()
