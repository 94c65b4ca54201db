"""Draws the pictures on the expression buttons: the pack's mean head, in clay, under every named expression.

$ python -m tools.expression_icons [--pack cliphead_addon/packs/starter]

Writes cliphead_addon/blender/icons/*.png, which are kept in git.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from cliphead_addon.engine.expression_sets import NAMED, NEUTRAL
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.geometry.raster import render
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.stages import HeadCode

FOLDER = Path(__file__).resolve().parents[1] / "cliphead_addon/blender/icons"
SIZE, OVERSAMPLING = 64, 4  # px
RESOLUTION = 160  # of the surface
EXAGGERATION = 1.25  # small pictures need it
WINDOW = 0.54  # NPHM units across
LIGHT = np.array([0.35, 0.55, 0.75]) / np.linalg.norm([0.35, 0.55, 0.75])
CLAY, SHADE = np.array([232, 205, 188]), np.array([92, 70, 66])
IRIS, MOUTH = 0.022, 0.08  # NPHM units: radii of what is dark around the eyes' and the mouth's middle


def darkness(mesh):
    """How dark the vertices are besides their shade: irises and the inside of the mouth, (V,1) in 0..1."""
    lids, corners = mesh.anchors[[[4, 6], [5, 7]]].mean(axis=1), mesh.anchors[[16, 17]].mean(axis=0)  # lids, mouth's corners
    eyes = np.linalg.norm(mesh.canonical[None, :, :2] - lids[:, None, :2], axis=-1).min(axis=0)
    mouth = np.linalg.norm(mesh.canonical[:, :2] - corners[:2], axis=1) < MOUTH
    inside = mouth * np.clip((corners[2] - mesh.canonical[:, 2]) / 0.02, 0, 1)
    return np.maximum(np.clip((IRIS - eyes) / 0.006 + 0.5, 0, 1), inside)[:, None]


def draw(vertices, faces, dark, centre):
    """A head from the front: vertices (V,3) NPHM units, dark (V,1) -> (SIZE,SIZE,4) uint8."""
    light = np.clip(vertex_normals(vertices, faces) @ LIGHT, 0, 1)[:, None] * (1 - 0.9 * dark)
    points = np.concatenate([(vertices[:, :2] - centre[:2]) / WINDOW + 0.5, vertices[:, 2:]], axis=1)
    image, mask = render(
        points, faces, np.concatenate([SHADE + light * (CLAY - SHADE), 0 * light + 255], axis=1), SIZE * OVERSAMPLING
    )
    image = (image * mask[..., None]).reshape(SIZE, OVERSAMPLING, SIZE, OVERSAMPLING, 4).mean(axis=(1, 3))
    image[..., :3] /= np.maximum(image[..., 3:], 1) / 255  # colours are not mixed with what is transparent
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pack", default="starter", help="folder of a pack")
    pack = open_pack(parser.parse_args().pack)
    model = HeadModel.load(pack)
    code = HeadCode(pack.tensors(pack.part("bases")["file"])["identity_mean"], model.named_expression(NEUTRAL))
    mesh = model.mesh(code, RESOLUTION, NAMED, hair="none")
    centre = mesh.anchors[[4, 5, 16, 17]].mean(axis=0)  # between upper lids and the mouth's corners
    dark = darkness(mesh)
    FOLDER.mkdir(exist_ok=True)
    for name in (NEUTRAL, *NAMED):
        move = mesh.displacements.get(name, np.zeros_like(mesh.vertices))
        picture = Image.fromarray(draw(mesh.vertices + EXAGGERATION * move, mesh.faces, dark, centre))
        picture.quantize(32).save(FOLDER / f"{name.replace(' ', '_')}.png", optimize=True)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(NAMED) + 1} icons, {size / 1024:.0f} KB, in {FOLDER}")


if __name__ == "__main__":
    main()
