"""Analytic heads: smooth unions of ellipsoids with 39 landmarks, bounded by a neck that leaves the box below."""

import numpy as np

LOW, HIGH = np.array([-0.5, -0.6, -0.7]), np.array([0.5, 0.65, 0.5])

# centre, radii; mirrored where the centre is off the plane x = 0
PARTS = (
    ((0, 0.1, -0.12), (0.31, 0.40, 0.38)),
    ((0, -0.12, 0.02), (0.24, 0.30, 0.25)),
    ((0, -0.6, -0.16), (0.19, 0.5, 0.2)),
    ((0, -0.03, 0.25), (0.045, 0.09, 0.08)),
    ((0.3, -0.02, -0.16), (0.03, 0.10, 0.07)),
)


class AnalyticHead:
    """A smooth union of ellipsoids, negative inside; scale stretches it about the origin, seed varies the parts."""

    def __init__(self, seed=None, scale=(1, 1, 1)):
        random = np.random.default_rng(seed)
        parts = []
        for centre, radii in PARTS:
            shake = 1 + (0 if seed is None else 0.07) * random.standard_normal(6)
            centre, radii = np.multiply(centre, shake[:3]) * scale, np.multiply(radii, shake[3:]) * scale
            parts.append((centre, radii))
            if centre[0] > 0:
                parts.append((centre * [-1, 1, 1], radii))
        self.parts = parts
        self.evaluations = 0

    def __call__(self, points):
        self.evaluations += len(points)
        total = 0
        for centre, radii in self.parts:
            q = (np.asarray(points, np.float64) - centre) / radii
            k0 = np.linalg.norm(q, axis=-1)
            k1 = np.maximum(np.linalg.norm(q / radii, axis=-1), 1e-9)
            total = total + np.exp(-np.clip(k0 * (k0 - 1) / k1, -1, 1) / 0.012)
        return (-0.012 * np.log(np.maximum(total, 1e-30))).astype(np.float32)

    def anchors(self):
        """(39,3) landmarks a bit off the surface: 16 mirrored pairs, then 7 on the midline."""
        directions = [
            (0.30, -0.45, 0.85), (0.9, -0.5, 0.1), (0.5, -0.7, 0.6), (0.6, -0.1, 0.8), (0.45, 0.45, 0.85), (0.25, 0.15, 0.95),
            (0.55, 0.18, 0.8), (0.25, -0.15, 0.95), (0.8, -0.7, -0.1), (0.9, 0.2, 0.35), (1.0, -0.1, -0.2), (0.5, 0.8, 0.5),
            (0.6, 0.9, -0.2), (0.7, 0.3, -0.8), (0.7, -0.4, -0.8), (0.7, -1.0, -0.4),
        ]  # fmt: skip
        midline = [
            (0, -1, 0.3),
            (0, -0.05, 1),
            (0, -0.5, 0.9),
            (0, -0.35, 0.95),
            (0, 0.15, 1),
            (0, 0.45, 0.9),
            (0, -0.75, 0.75),
        ]
        rays = [row for x, y, z in directions for row in ((-x, y, z), (x, y, z))] + midline
        rays = np.array(rays) / np.linalg.norm(rays, axis=1, keepdims=True)
        near, far = np.zeros(len(rays)), np.full(len(rays), 0.9)
        for _ in range(20):
            middle = (near + far) / 2
            inside = self(rays * middle[:, None]) < 0
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        return rays * near[:, None] * 1.01


def mirror_order():
    """Row order that pairs every landmark with its mirror image."""
    return np.concatenate([np.arange(32).reshape(-1, 2)[:, ::-1].ravel(), np.arange(32, 39)])
