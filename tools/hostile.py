"""Fields that no head has, on which surface extraction has to give a disk or a clear answer."""

import numpy as np

BOX = np.full(3, -1.0), np.full(3, 1.0)
KINDS = (
    "bumps", "nothing but bumps", "rings on a head", "rings alone", "ring-shaped tunnels", "bubbles", "many parts",
    "a slanted plane", "a thin sheet", "many zeros", "numbers next to nothing", "numbers next to infinity", "chance",
    "a chequerboard",
)  # fmt: skip


def ball(centre, radius):
    return lambda points: np.linalg.norm(points - np.asarray(centre, np.float32), axis=1) - np.float32(radius)


def union(*fields):
    return lambda points: np.min([field(points) for field in fields], axis=0)


def waves(random, height, frequency):
    """Bumps all over the place."""
    direction, phase = random.normal(0, frequency, (8, 3)), random.uniform(0, 6, 8)
    return lambda points: height * np.sin(points @ direction.T + phase).sum(axis=1)


def tori(random, count):
    """Rings of any size in any direction."""

    def torus(frame, centre, radius, thickness):
        def field(points):
            x, y, z = ((points - centre) @ frame).T
            return np.hypot(np.hypot(x, y) - radius, z) - thickness

        return field

    frames = (np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(count))
    return union(
        *(torus(frame, random.uniform(-0.7, 0.7, 3), random.uniform(0.15, 0.5), random.uniform(0.04, 0.12)) for frame in frames)
    )


def balls(random, count):
    return union(*(ball(random.uniform(-1, 1, 3), random.uniform(0.1, 0.4)) for _ in range(count)))


NECK = ball((0, -0.5, 0), 0.7)


def hostile(kind, random):
    """A field that no head has, one of KINDS, drawn by a random generator; it fills BOX."""
    bumps, rings, bubbles = waves(random, 0.05, 8), tori(random, 4), balls(random, 15)
    normal, level, steps = random.normal(size=3), random.uniform(-0.5, 0.5), random.integers(2, 5)
    fields = {
        "bumps": lambda p: NECK(p) + bumps(p),
        "nothing but bumps": lambda p: 10 * bumps(0.5 * p) + level,
        "rings on a head": union(NECK, rings),
        "rings alone": rings,
        "ring-shaped tunnels": lambda p: np.maximum(NECK(p), -rings(p)),
        "bubbles": lambda p: np.maximum(NECK(p), -bubbles(p)),
        "many parts": bubbles,
        "a slanted plane": lambda p: p @ normal - level,
        "a thin sheet": lambda p: np.abs(p @ normal) - 0.1,
        "many zeros": lambda p: np.round((NECK(p) + bumps(p)) * steps) / steps,
        "numbers next to nothing": lambda p: (NECK(p) + bumps(p)) * 1e-38,
        "numbers next to infinity": lambda p: (NECK(p) + bumps(p)) * 1e37,
        "chance": lambda p: np.sin(1e3 * np.sin(p @ (300 * normal))),
        "a chequerboard": lambda p: np.floor((p + 1) * steps).sum(axis=1) % 2 - 0.5,
    }
    return fields[kind]
