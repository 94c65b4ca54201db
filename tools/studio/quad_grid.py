"""The quad grid that all heads of a pack share: its topology in blocks, its places relaxed on the mean head.

$ python -m tools.studio.quad_grid --pack cliphead_addon/packs/starter

Writes quads.safetensors: the grid of `geometry.quads` and the outlines of lips, eyes, brows, ears and scalp in UV space. Needs
the open head data (CLIPHEAD_DATA), and is to be run again when the pack's UV layout changes.
"""

import argparse
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.interpolate import PchipInterpolator, splev, splprep
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu
from skimage.measure import approximate_polygon, find_contours

from cliphead_addon.engine.geometry import frames, raster
from cliphead_addon.engine.geometry.harmonic import boundary_curve
from cliphead_addon.engine.geometry.quads import DENSITIES, QuadGrid, edges_of, subdivide
from cliphead_addon.engine.geometry.topology import boundary_loops
from cliphead_addon.engine.geometry.unwrap import MARGIN, UVLayout, magnify, unwrap
from cliphead_addon.engine.head import HeadModel
from cliphead_addon.engine.packs import open_pack, set_part
from cliphead_addon.engine.stages import HeadCode

from .atlas import EYE, MOUTH, studio_atlas
from .people import Population
from .quad_smoothing import Guide, Surface, sharpest, smooth

ATLAS_SIZE = 512  # px
MAP_SIZE = 1024  # px of the mean head's position map
# The lowest density, in quads. Columns go around the head from one bank of the seam to the other, rows from the neck up to
# a cap over the hair, a block like the lid of a box: its four corners let all columns end without a pole.
CAP = (16, 14)  # across, and from the back to the front; as many columns as its outline has edges
CROWN = 7  # rows of the cap from its back edge to the crown, where the seam ends
COLUMNS, ROWS = 2 * sum(CAP), 37
BLOCKS = {  # name: first and last column, first and last row, edge loops laid around the block
    "mouth": (24, 36, 12, 16, 9),
    "nose": (27, 33, 20, 24, 3),
    "right eye": (21, 27, 25, 29, 4),
    "left eye": (33, 39, 25, 29, 4),
    "right ear": (7, 12, 19, 29, 4),
    "left ear": (48, 53, 19, 29, 4),
}
# How far along the seam, from the crown to the neck, some rows end, so that they run level around the head.
SEAM_ROWS = ((0, 0.0), (CROWN, 0.28), (CROWN + 9, 0.56), (CROWN + 17, 0.74), (CROWN + ROWS, 1.0))
SMOOTHINGS = {"low": (24, 10), "medium": (8, 2)}  # density: Gauss-Newton steps, and px by which the position map is blurred
ROUNDS = 4  # in which edges even out
HOLD = 30.0  # how much more a guided vertex is drawn to its outline than to its neighbours, at first
SMOOTH = 0.05  # px^2: mean square by which outlines may leave the atlas's pixels
PER_CM = 0.03  # a centimetre on the head weighs as much as this in UV: smaller makes quads finer where the texture is
PINNED = ("eye",)  # blocks whose followed loop has a corner at either end
FOLLOWED = ("mouth", "eye", "ear")  # blocks that keep to their outlines; the others only start there
PART_BROW = 0.35  # cm from the brow's curve


def build(pack, atlas):
    """An open Pack's quad grid: arrays for `QuadGrid.from_arrays`."""
    layout = UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
    faces, number = topology()
    arrays = {"faces": faces, "seam_edges": np.array([CROWN + ROWS], np.int32)}
    rim = boundary_loops(faces)[0]
    rim = np.roll(rim, -int(np.flatnonzero(rim == 0)[0]))
    rim_t, surface = _rim_positions(layout, len(rim)), _mean_surface(pack, layout)

    def rim_uv(t):
        return _to_tile(magnify(boundary_curve(t), layout))

    guides = []
    for name, followed in outlines(atlas).items():
        for depth, curve in followed.items():
            loop = np.array([number(*block_key(name, depth, *corner)) for corner in block_outline(name)])
            guides.append(Guide(loop, curve, name.split()[-1] in PINNED, name.split()[-1] in FOLLOWED))
    uv = relax(faces, surface, rim, rim_uv(rim_t), guides)
    for density, (steps, blur) in SMOOTHINGS.items():
        if density != DENSITIES[0]:
            guides = [replace(guide, loop=_refined(faces, guide.loop)) for guide in guides]
            rim_t = np.stack([rim_t, (rim_t + np.append(rim_t[1:], 1.0)) / 2], axis=-1).ravel()
            uv, faces, rim = _refined_places(faces, uv), subdivide(faces), _refined(faces, rim)
            uv[rim] = rim_uv(rim_t)
        grid = QuadGrid.from_arrays(arrays | {"plane": _demagnified(uv, layout)}, density)
        uv, rim_t = smooth(grid, uv, rim_t, rim_uv, surface.blurred(blur), guides, steps)
    arrays["plane"] = _demagnified(uv, layout).astype(np.float32)
    for density in DENSITIES:
        grid = QuadGrid.from_arrays(arrays, density)
        if min(sharpest(grid.plane[grid.faces]).min(), sharpest(grid.uv(layout)[grid.faces]).min()) <= 0:
            raise SystemExit("Some quads fold over in UV space: change BLOCKS so that they fit the outlines better.")
    return arrays


def topology():
    """The quads of the lowest density, cut open along the seam.

    Returns faces (F,4), with the crown as vertex 0, and a function from a vertex's key to its number. Keys are (column, row)
    outside of blocks, (block, loop, column, row) inside, loop 0 being the block's outline in the grid, and (side, across,
    along) in the cap, side telling the two banks of the seam apart.
    """
    numbers = {cap_key(0, CAP[0] // 2, CROWN): 0}

    def corner(key):
        return numbers.setdefault(key, len(numbers))

    quads = []
    inside = {(i, j) for i0, i1, j0, j1, _ in BLOCKS.values() for i in range(i0, i1) for j in range(j0, j1)}
    for i in range(COLUMNS):
        for j in range(ROWS):
            if (i, j) not in inside:
                quads.append([corner(key) for key in _square(i, j)])
    for name, (i0, i1, j0, j1, loops) in BLOCKS.items():
        outline = block_outline(name)
        for loop in range(loops):
            for a, b in zip(outline, outline[1:] + outline[:1], strict=True):
                ring = ((loop, a), (loop, b), (loop + 1, b), (loop + 1, a))
                quads.append([corner(block_key(name, depth, *place)) for depth, place in ring])
        for i in range(i0, i1):
            for j in range(j0, j1):
                quads.append([corner(block_key(name, loops, *place)) for place in _square(i, j)])
    for p in range(CAP[0]):
        for q in range(CAP[1]):
            side = -1 if p < CAP[0] // 2 else 1
            quads.append([corner(cap_key(side, *place)) for place in reversed(_square(p, q))])
    return np.array(quads, np.int32), lambda *key: numbers[key]


def _square(i, j):
    return (i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)


def block_key(name, loop, i, j):
    return (name, loop, i, j) if loop else (i, j)


def block_outline(name):
    """(column, row) around a block, counter-clockwise from the middle of its left side."""
    i0, i1, j0, j1, _ = BLOCKS[name]
    corners = [(i, j0) for i in range(i0, i1)] + [(i1, j) for j in range(j0, j1)]
    corners += [(i, j1) for i in range(i1, i0, -1)] + [(i0, j) for j in range(j1, j0, -1)]
    start = corners.index((i0, (j0 + j1) // 2))
    return corners[start:] + corners[:start]


def cap_key(side, p, q):
    """Key of the cap's corner p across (left to right), q along (back to front); on its outline that of the top row."""
    across, along = CAP
    half = across // 2
    if q == 0:
        left = p < half or (p == half and side < 0)
        return (half - p if left else COLUMNS + half - p), ROWS
    if p == 0:
        return half + q, ROWS
    if q == along:
        return half + along + p, ROWS
    if p == across:
        return COLUMNS - half - q, ROWS
    return (side if p == half and q < CROWN else 0), p, q


def outlines(atlas):
    """Closed curves that loops of the blocks follow: block -> {loop: (n,2) UV, counter-clockwise}."""
    texel_uv = _texel_uv(atlas)
    regions, left = atlas.regions, texel_uv[:, 0] > 0.5
    eye = _contour(atlas, (atlas.part == EYE) & left, 1)
    mouth = _contour(atlas, atlas.part == MOUTH, 1.5)
    lips = _contour(atlas, (regions["lip"] > 0) | (atlas.part == MOUTH), 1.5)
    ear = _ellipse(texel_uv[(regions["ear"] > 0) & left])
    tip, under, wing = atlas.landmark_uv[[30, 33, 35]]  # iBUG
    nose = [0.5, 0.25 * under[1] + 0.75 * tip[1]] + _circle() * [1.2 * (wing[0] - 0.5), 0.75 * (tip[1] - under[1])]
    halves = {"eye": {3: eye}, "ear": {1: _scaled(ear, 0.95)}}
    return {
        "mouth": {2: lips, 5: mouth},
        "nose": {1: nose},
        **{f"left {name}": curves for name, curves in halves.items()},
        **{f"right {name}": {loop: _mirror(c)[::-1] for loop, c in curves.items()} for name, curves in halves.items()},
    }


def part_outlines(atlas):
    """The regions of the part map as closed curves, inside by the even-odd rule: "part.loop" -> (n,2) float32 UV."""
    regions = atlas.regions
    masks = {
        "lips": regions["lip"] > 0,
        "eyes": atlas.part == EYE,
        "brows": regions["brow"] < PART_BROW,
        "ears": regions["ear"] > 0,
        "scalp": regions["hairline"] > 0,
    }
    curves = {}
    for part, mask in masks.items():
        field = gaussian_filter(atlas.image(mask.astype(np.float64)), 1.0)
        loops = [line for line in find_contours(np.pad(field, 1), 0.5) if len(line) > 20]
        for n, line in enumerate(loops):
            pixel = approximate_polygon(line, 0.15)[:-1, ::-1] - 0.5
            curves[f"{part}.{n}"] = frames.pixel_to_uv(pixel, atlas.size).astype(np.float32)
    return curves


def _texel_uv(atlas):
    pixel = np.stack([atlas.texels % atlas.size, atlas.texels // atlas.size], axis=-1) + 0.5
    return frames.pixel_to_uv(pixel, atlas.size)


def _contour(atlas, mask, blur):
    """The longest outline of a mask over the texels (T,), smoothed by `blur` px -> (n,2) UV, counter-clockwise."""
    image = gaussian_filter(atlas.image(mask.astype(np.float64)), blur)
    line = max(find_contours(image, 0.5), key=len)
    knots = splprep(line.T, s=SMOOTH * len(line), per=True)[0]  # or the pixels' steps would kink the loops
    line = np.stack(splev(np.arange(400) / 400, knots), axis=-1)
    return _counter_clockwise(frames.pixel_to_uv(line[:, ::-1] + 0.5, atlas.size))


def _ellipse(points):
    """The ellipse that as an even disk has the mean and spread of points (N,2) -> (180,2), counter-clockwise."""
    size, axes = np.linalg.eigh(np.cov(points.T))
    return _counter_clockwise(points.mean(axis=0) + 2 * (np.sqrt(size) * _circle()) @ axes.T)


def _circle():
    turn = np.arange(180) * (np.pi / 90)
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)  # (180,2)


def _counter_clockwise(curve):
    after = np.roll(curve, -1, axis=0)
    return curve if (curve[:, 0] * after[:, 1] - curve[:, 1] * after[:, 0]).sum() > 0 else curve[::-1]


def _scaled(curve, factor):
    return curve.mean(axis=0) + factor * (curve - curve.mean(axis=0))


def _mirror(uv):
    return uv * [-1, 1] + [1, 0]


def _spread(curve, count):
    """`count` points along a closed curve, half of them from its leftmost point to its rightmost, each half evenly."""
    curve = np.roll(curve, -int(curve[:, 0].argmin()), axis=0)
    right = int(curve[:, 0].argmax())
    halves = []
    for half in (curve[: right + 1], np.concatenate([curve[right:], curve[:1]])):
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(half, axis=0), axis=1))])
        even = np.arange(count // 2) * (length[-1] / (count // 2))
        halves.append(np.stack([np.interp(even, length, half[:, axis]) for axis in range(2)], axis=-1))
    return np.concatenate(halves)


def _rim_positions(layout, count):
    """Positions (count,) of the rim's vertices on the boundary curve, from the crown round to the crown."""
    bank = PchipInterpolator(*np.transpose(SEAM_ROWS))(np.arange(CROWN + ROWS + 1)) * layout.seam_share / 2
    neck = np.linspace(bank[-1], 1 - bank[-1], count - 2 * len(bank) + 3)[1:-1]
    return np.concatenate([bank, neck, 1 - bank[:0:-1]])


def _to_tile(plane):
    return 0.5 + (0.5 - MARGIN) * plane


def _demagnified(uv, layout):
    """UV (W,2) -> the place before magnification, each axis by interpolation in the map's table."""
    line = np.linspace(-1, 1, 20001)
    table = _to_tile(magnify(np.stack([line, line], axis=-1), layout))
    return np.stack([np.interp(uv[:, axis], table[:, axis], line) for axis in range(2)], axis=-1)


def _refined(faces, loop):
    """A closed loop of edges after `subdivide`: (n,) -> (2n,) with the edges' middles."""
    keys = edges_of(faces)[0]
    after = np.roll(loop, -1).astype(np.int64)
    V = int(faces.max()) + 1
    middle = V + np.searchsorted(keys, np.minimum(loop, after) * V + np.maximum(loop, after))
    return np.stack([loop, middle], axis=-1).ravel()


def _refined_places(faces, uv):
    """Places (V,2) before `subdivide` -> those after it."""
    ends = np.stack(np.divmod(edges_of(faces)[0], len(uv)), axis=-1)
    return np.concatenate([uv, uv[ends].mean(axis=1), uv[faces].mean(axis=1)])


def _mean_surface(pack, layout):
    """The pack's mean head as a `Surface`."""
    head = HeadModel.load(pack)
    mean = pack.tensors(pack.part("bases")["file"])["identity_mean"]
    unwrapped = unwrap(head.mesh(HeadCode(mean, head.named_expression("neutral")), 192, hair="none"), layout)
    return Surface(raster.position_map(unwrapped, MAP_SIZE, padding=32)[0].astype(np.float64) * frames.CM_PER_UNIT)


def relax(faces, surface, rim, rim_uv, guides):
    """First places (W,2) in the unit tile for all vertices of a grid, without folds.

    faces: (F,4); surface: function from UV (n,2) to cm (n,3); rim (B,), rim_uv (B,2): where the boundary is; guides: [Guide].
    Every vertex lies at the weighted mean of its neighbours and of its outline; without the outlines all quads are convex
    (Tutte 1963), so those at folded quads yield. An edge that is long on the surface pulls harder in the next round, which
    evens the edges out on the surface instead of in UV.
    """
    V = int(faces.max()) + 1
    edges = np.stack(np.divmod(edges_of(faces)[0], V), axis=-1)
    uv, target = np.zeros((V, 2)), np.zeros((V, 2))
    uv[rim] = rim_uv
    for guide in guides:
        target[guide.loop] = _spread(guide.curve, len(guide.loop))
    free = np.ones(V, bool)
    free[rim] = False
    hold = np.full(len(guides), HOLD)  # of a guided vertex's spring, relative to the pull of its neighbours together
    weight = np.ones(len(edges))
    for step in count():
        graph = coo_matrix((weight, edges.T), shape=(V, V)).tocsr()
        graph = (graph + graph.T)[free]
        pull = np.asarray(graph.sum(axis=1)).ravel()
        held = np.zeros(V)
        for guide, strength in zip(guides, hold, strict=True):
            held[guide.loop] = strength
        spring = (pull * held[free])[:, None]
        laplacian = -graph[:, free]
        laplacian.setdiag(pull + spring[:, 0])
        uv[free] = splu(laplacian.tocsc()).solve(graph[:, ~free] @ uv[~free] + spring * target[free])
        folded = faces[sharpest(uv[faces]) <= 0]
        if step < ROUNDS:
            place = np.concatenate([uv, PER_CM * surface(uv)], axis=1)
            length = np.linalg.norm(place[edges[:, 0]] - place[edges[:, 1]], axis=1)
            weight *= np.sqrt(length / length.mean())
        elif not len(folded):
            return uv
        else:
            touched = np.array([np.isin(guide.loop, folded).any() for guide in guides])
            hold[touched if touched.any() else slice(None)] *= 0.7


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, default=Path("cliphead_addon/packs/starter"))
    options = parser.parse_args()
    pack = open_pack(options.pack)
    layout = UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
    atlas = studio_atlas(Population(), layout, ATLAS_SIZE)
    save_file(build(pack, atlas) | part_outlines(atlas), options.pack / "quads.safetensors")
    set_part(options.pack, "quads", {"file": "quads.safetensors"})


if __name__ == "__main__":
    main()
