"""A studio head as a closed surface with its exact signed distance, in the NPHM frame."""

from functools import cached_property, lru_cache

import igl
import numpy as np

from cliphead_addon.engine.geometry import frames

from .expressions import CANONICAL
from .ict import boundary_loops, data_folder, triangles

BOX_LOW = np.array([-0.46, -0.52, -0.72])  # NPHM units; the neck leaves through the bottom
BOX_HIGH = np.array([0.46, 0.70, 0.42])
NECK_AXIS_Z = -0.5  # cm
NECK_RADIUS = ([-15, -11, -7.5, -4], [8.2, 8.6, 12, 40])  # cm: heights, and the cylinder that trims the shoulders there


@lru_cache(maxsize=1)
def _topology(ict):
    """Closed parts as triangles over ICT's vertices and five cap centres, and how the centres are made.

    The outer skin has holes at shoulders, eyes and mouth: shoulders and eyes are capped (the eyes behind the eyeballs,
    which are united with the skin), the mouth continues into its bag, the nostrils are plugged.
    """
    skin_quads = np.concatenate([ict.part_quads("face"), ict.part_quads("head_neck")])
    loops = boundary_loops(triangles(skin_quads))
    neck = min(loops, key=lambda loop: ict.neutral[loop, 1].mean())
    eyes = sorted((loop for loop in loops if len(loop) == 42), key=lambda loop: -ict.neutral[loop, 0].mean())  # left, right
    eyeballs = [np.unique(ict.eye_quads(side)) for side in "LR"]
    with np.load(data_folder() / "nostril.npz") as file:
        plugged = np.delete(ict.part_quads("face"), file["faces"], axis=0)
        nostrils = [(file["la"], file["va"]), (file["lb"], file["vb"])]

    # A cap's centre is a fixed mix of vertices, so that it follows any identity and expression.
    mixes = [((neck, 1.0),)]
    mixes += [((eye, 0.55), (ball, 0.45)) for eye, ball in zip(eyes, eyeballs, strict=True)]
    mixes += [((rim, 0.7), (inside, 0.3)) for rim, inside in nostrils]
    rims = [neck, *eyes, *(rim for rim, _ in nostrils)]
    count = len(ict.neutral)
    caps = [np.stack([np.roll(rim, -1), rim, np.full(len(rim), count + i)], axis=1) for i, rim in enumerate(rims)]
    skin = [triangles(plugged), triangles(ict.part_quads("head_neck")), triangles(ict.part_quads("mouth_socket")), *caps]
    parts = [np.concatenate(skin)] + [triangles(ict.eye_quads(side)) for side in "LR"]
    return parts, mixes


def close(ict, vertices):
    """Vertices (26719,3) cm -> (26724,3) float64 cm with the cap centres appended."""
    _, mixes = _topology(ict)
    centres = [sum(share * vertices[rows].mean(0) for rows, share in mix) for mix in mixes]
    centres[0] = centres[0] + [0, -1.5, 0]  # the neck's cap bulges down, away from the box
    return np.concatenate([vertices, centres]).astype(np.float64)


class HeadShape:
    """Signed distance and surface samples of one posed person. Points and distances are in NPHM units, negative inside."""

    def __init__(self, population, person, expression=CANONICAL):
        self.ict = population.ict
        self.vertices = close(self.ict, population.vertices(person, expression))  # (26724,3) cm
        self.parts, _ = _topology(self.ict)

    @cached_property
    def exposed(self):
        """Triangles (T,3) that lie on the united surface."""
        faces = np.concatenate(self.parts)
        a, b, c = self.vertices[faces].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-20
        return faces[~self._inside((a + b + c) / 3 + 0.02 * normal)]

    def sdf(self, points):
        """(N,3) -> (N,) signed distance to the head, shoulders trimmed around the neck."""
        return self._sdf_cm(np.ascontiguousarray(frames.nphm_to_ict(points), np.float64)) / frames.CM_PER_UNIT

    def sample_surface(self, count, rng, density=None):
        """Area-uniform points inside the box: (count,3), their unit normals (count,3), triangle (count,) and barycentrics.

        density: optional (26724,) factor per vertex, to draw more samples where it is larger.
        """
        a, b, c = self.vertices[self.exposed].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        weight = area if density is None else area * density[self.exposed].mean(1)
        inside = (frames.ict_to_nphm((a + b + c) / 3)[:, 1] > BOX_LOW[1]) & (self._collar((a + b + c) / 3) < 0)
        weight = weight * inside
        face = rng.choice(len(area), count, p=weight / weight.sum())
        u = np.sqrt(rng.random((count, 1)))
        v = rng.random((count, 1))
        bary = np.concatenate([1 - u, u * (1 - v), u * v], axis=1)
        points = np.einsum("nk,nkd->nd", bary, self.vertices[self.exposed[face]])
        return frames.ict_to_nphm(points), normal[face] / area[face, None], face, bary

    def _sdf_cm(self, points):
        distance = np.sqrt(self._tree.squared_distance(self.vertices, self.exposed, points)[0])
        return np.maximum(np.where(self._inside(points), -distance, distance), self._collar(points))

    def _collar(self, points):
        """Distance (cm) to the rounded cylinder around the neck that trims the shoulders; negative inside."""
        radius = np.interp(points[:, 1], *NECK_RADIUS)
        return np.hypot(points[:, 0], points[:, 2] - NECK_AXIS_Z) - radius

    @cached_property
    def _tree(self):
        """For distances to the exposed surface; kept, because a field asks in many small portions."""
        tree = igl.AABB()
        tree.init(self.vertices, self.exposed)
        return tree

    @cached_property
    def _hulls(self):
        """For every part the corners of its box and its winding numbers."""
        corners = [self.vertices[part].reshape(-1, 3) for part in self.parts]
        windings = [igl.FastWindingNumberBVH() for _ in self.parts]
        for winding, part in zip(windings, self.parts, strict=True):
            winding.init(self.vertices, part, 2)
        return [(c.min(0), c.max(0), winding) for c, winding in zip(corners, windings, strict=True)]

    def _inside(self, points):
        inside = np.zeros(len(points), bool)
        for low, high, winding in self._hulls:
            near = np.flatnonzero(((points > low) & (points < high)).all(1) & ~inside)
            if len(near):
                inside[near] = winding.winding_number(np.ascontiguousarray(points[near])) > 0.5
        return inside
