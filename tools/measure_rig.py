"""Measures rigs: eyeballs that show through lids, eyes that do not close, jaws, and how evenly heads get there.

$ python -m tools.measure_rig --heads 10 [--resolution 128] [--pack cliphead_addon/packs/starter]

For heads of the pack's population on medium quads, each with all 23 named expressions:
  poke-through   how deep skin lies inside an eyeball, the deepest place of all faces, mm; also half-way to each expression
  seen           share of the opening of the resting eye, seen from the front, that an eyeball still fills when the eyes close
  gap            how far lids' edges stand off the eyeballs at rest, mm
  jaw            the angle of the shape jawOpen about the joint found, and how far the joint lies from the ears' middle
"""

import argparse

import numpy as np

from cliphead_addon.engine import rigging
from cliphead_addon.engine.expression_sets import NAMED
from cliphead_addon.engine.geometry.eyes import Eye, close_lids, eyeball, keep_out, open_sockets, poke_through
from cliphead_addon.engine.geometry.frames import nphm_to_blender
from cliphead_addon.engine.geometry.mesh import triangulate
from cliphead_addon.engine.geometry.quads import QuadGrid, lay
from cliphead_addon.engine.geometry.raster import render
from cliphead_addon.engine.geometry.unwrap import unwrap
from cliphead_addon.engine.models import load_models
from cliphead_addon.engine.pipeline import recipe_code
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

POKE_LIMIT = 0.1  # mm: less is not seen
PIXELS = 200  # of a picture of one eye
WINDOW = 0.045  # metres across


def measure(seed, models, resolution):
    """One random head -> dict of figures."""
    prompt, settings = Prompt("", seed=seed, random=True, expression="neutral"), Settings(resolution=resolution, hair="none")
    code = recipe_code(prompt, models)
    mesh = models.head.mesh(code, resolution, (), None, "none")
    grid = QuadGrid.from_arrays(models.quads, settings.density)
    names = (*NAMED, *rigging.BLINKS)
    laid = lay(
        unwrap(mesh, models.layout),
        grid,
        grid.uv(models.layout),
        lambda canonical: models.head.pose(code, canonical, names, "none"),
    )
    mesh = laid.mesh
    rest = nphm_to_blender(mesh.vertices)
    uv = np.zeros((len(rest), 2))
    uv[mesh.faces.ravel()] = laid.uv.reshape(-1, 2)
    found = rigging.rig(prompt, settings, models, mesh.canonical, rest, uv, mesh.faces)
    eyes = [Eye(np.array(eye["centre"]), eye["radius"]) for eye in found["about"]["eyes"]]
    depths, blinks = found["depths"], found["blinks"]
    opened = open_sockets(rest, eyes, depths)
    keys = {}
    for name in NAMED:
        moved = nphm_to_blender(mesh.displacements[name])
        raw = poke_through(rest + moved, mesh.faces, eyes, depths)
        for eye, depth, blink in zip(eyes, depths, blinks, strict=True):
            moved = close_lids(moved, rest, eye, depth, blink)
        keys[name] = keep_out(opened + moved, eyes, depths), raw
    pokes = {name: 1000 * poke_through(key, mesh.faces, eyes, depths) for name, (key, _) in keys.items()}
    pokes["neutral"] = 1000 * poke_through(opened, mesh.faces, eyes, depths)
    halves = {name: 1000 * poke_through((opened + key) / 2, mesh.faces, eyes, depths) for name, (key, _) in keys.items()}
    edges = np.concatenate([
        np.subtract(*eye.surface(opened[np.abs(depth) < 0.0008])) for eye, depth in zip(eyes, depths, strict=True)
    ])  # fmt: skip
    rest_seen, shut_seen = (sum(_seen(points, mesh.faces, eye) for eye in eyes) for points in (opened, keys["eyes closed"][0]))
    joints = found["about"]["joints"]
    return {
        "raw": 1000 * max(raw for _, raw in keys.values()),
        "poke": max(pokes.values()),
        "failed": sum(poke > POKE_LIMIT for poke in pokes.values()),
        "half": max(halves.values()),
        "worst_half": max(halves, key=halves.get),
        "seen": shut_seen / max(rest_seen, 1),
        "gap": float(1000 * np.median(edges)),
        "gap_most": float(1000 * edges.max()),
        "jaw": float(np.degrees(found["about"]["jaw_angle"])),
        "joint": 1000 * np.array(joints["jaw"]) - 1000 * np.array(joints["skull"]),
    }


def _seen(points, faces, eye):
    """Pixels that an eyeball fills, seen from the front, with the skin before it."""
    ball, quads, triangles, _ = eyeball(eye)
    corners = np.concatenate([triangulate(faces), len(points) + np.concatenate([triangulate(quads), triangles])])
    both = np.concatenate([points, ball + eye.centre]) - eye.centre
    place = np.stack([both[:, 0] / WINDOW + 0.5, both[:, 2] / WINDOW + 0.5, -both[:, 1]], axis=-1)
    is_ball = (np.arange(len(both)) >= len(points)).astype(np.float32)[:, None]
    near = (np.abs(place[corners][..., :2] - 0.5) < 1).all(axis=(1, 2))
    image, _ = render(place, corners[near], is_ball, PIXELS)
    return int((image[..., 0] > 0.5).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=10)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--pack", default="starter")
    options = parser.parse_args()
    models = load_models(options.pack, "cpu")
    rows = []
    for seed in range(options.first, options.first + options.heads):
        row = measure(seed, models, options.resolution)
        rows.append(row)
        joint = " ".join(f"{x:+.0f}" for x in row["joint"])
        print(f"seed {seed}: poke-through {row['poke']:.2f} mm, {row['raw']:.2f} without the rig's care", end="; ")
        print(f"half-way {row['half']:.2f} mm ({row['worst_half']}); seen when closed {row['seen']:.1%}", end="; ")
        print(f"gap {row['gap']:.2f} (most {row['gap_most']:.2f}) mm", end="; ")
        print(f"jaw {row['jaw']:.0f} degrees, its joint {joint} mm from the skull's", flush=True)
    failed, seen = sum(row["failed"] for row in rows), [row["seen"] for row in rows]
    print(f"{len(rows)} heads, {len(rows) * (len(NAMED) + 1)} faces: {failed} with poke-through over {POKE_LIMIT} mm", end="; ")
    print(f"deepest {max(row['poke'] for row in rows):.2f} mm, half-way {max(row['half'] for row in rows):.2f} mm", end="; ")
    print(f"closed eyes show {np.mean(seen):.1%} (most {max(seen):.1%})")


if __name__ == "__main__":
    main()
