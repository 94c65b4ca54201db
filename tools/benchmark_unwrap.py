"""Texture coordinates of the same heads by the paper's recipe, ours, libigl and Blender, side by side.

$ python3 tools/dev.py bench unwrap --heads 200
$ python3 tools/dev.py bench unwrap --heads 10 --sizes 80 192 --blender-heads 2 --json unwrap.json --map error.png

Heads are people of the studio whom no network has seen, put through the engine's own extraction; their landmarks are those that
the pack's identity network predicts. All people share ICT's vertices, so the same vertex of two people is the same spot of a
face: misalignment is how far, on average over the face's area, the spots of a head lie from their mean place over all heads.
It needs the open head data (CLIPHEAD_DATA) and is left out without. Blender's islands are first turned, scaled and moved
to fit each other best. Times are of the processor, on random heads of the pack.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import igl
import numpy as np
import trimesh
from PIL import Image
from skimage.measure import points_in_poly

from cliphead_addon.engine.geometry import frames, raster, seam, surface, unwrap
from cliphead_addon.engine.geometry.harmonic import HarmonicSolver
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.stages import HeadMesh
from tools.measuring import run

PIXELS = 1024
SIZES = (80, 128, 192, 384)  # resolutions; about 12,000 to 300,000 vertices
PAPER, OURS, LIBIGL, ANGLE, STRETCH = "paper", "ours", "libigl", "Blender angle", "Blender stretch"
METHODS = (PAPER, OURS, LIBIGL, ANGLE, STRETCH)
BLENDER = {ANGLE: "ANGLE_BASED", STRETCH: "MINIMUM_STRETCH"}
MAP_RANGE = 8.0  # px that the map of errors shows as white
SAME_HEAD = 3  # seed of the head that is timed at every size
NOTE = "The open head data was not found (set CLIPHEAD_DATA): random heads of the pack instead, and no misalignment."


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="dev.py bench unwrap", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=200)
    parser.add_argument(
        "--first-seed", type=int, default=5_000_000, help="of the studio's people (5000000: none was trained on)"
    )
    parser.add_argument("--resolution", type=int, default=128, help="of these heads (128)")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help=f"resolutions to time at {SIZES}")
    parser.add_argument("--repeats", type=int, default=3, help="timings at each size, of which the least is shown (3)")
    parser.add_argument("--blender-heads", type=int, default=20, help="heads that Blender unwraps as well (20)")
    parser.add_argument("--blender-limit", type=int, default=100_000, help="vertices above which Blender is not timed (100000)")
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--map", metavar="FILE", help="picture of our misalignment in UV space, white for 8 px and more")

    def work(options):
        from tools.evaluate import Network  # torch arrives here

        pack = open_pack(options.pack)
        network, layout = Network(pack), unwrap.UVLayout.from_arrays(pack.tensors(pack.part("layout")["file"]))
        with Blender() as blender:
            times = [time_one(network, layout, blender, size, options) for size in options.sizes]
            print_times(times)
            quality = compare(network, layout, blender, options)
        print_quality(quality, options.heads)
        return {"times": times, "quality": quality}

    return run(parser, arguments, work)


class Blender:
    """Blender in a process of its own, started at its first mesh; without bpy it answers nothing."""

    def __init__(self):
        self.process, self.folder = None, tempfile.TemporaryDirectory()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
        self.folder.cleanup()

    def __call__(self, cut):
        """`Cut` -> method -> (uv (F,3,2), seconds); {} where Blender is not to be had."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tools.blender_unwrap"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        path = Path(self.folder.name) / "head.npz"
        np.savez(path, vertices=cut.mesh.canonical, faces=cut.mesh.faces, seam=cut.seam)
        try:
            self.process.stdin.write(f"{path}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {}
        for line in self.process.stdout:  # Blender prints as it likes
            if line.strip() == "ready":
                with np.load(f"{path}.uv.npz") as file:
                    return {name: (file[method], float(file[f"{method} seconds"])) for name, method in BLENDER.items()}
        return {}


class Cut:
    """A head cut open, which all methods but Blender's flatten."""

    def __init__(self, mesh, layout):
        self.mesh = mesh
        neck, edges = seam.neck_of_disk(mesh.faces)
        path = seam.find_seam(mesh.canonical, mesh.faces, neck, edges)
        self.seam = np.stack([path[:-1], path[1:]], axis=-1)
        faces, source, rim = seam.cut_open(mesh.faces, path, neck)
        self.vertices, self.faces = mesh.canonical[source].astype(np.float64), faces.astype(np.int64)
        self.rim = rim.astype(np.int64)
        self.curve = unwrap.rim_on_curve(self.vertices[rim], len(path) - 1, layout.seam_share)[1]

    def paper(self):
        """Plain cotangents, and the whole boundary by arc length on a circle -> (V',2)."""
        edge = np.linalg.norm(np.roll(self.vertices[self.rim], -1, axis=0) - self.vertices[self.rim], axis=1)
        angle = 2 * np.pi * (np.cumsum(edge) - edge) / edge.sum()
        return igl.harmonic(self.vertices, self.faces, self.rim, np.stack([-np.sin(angle), np.cos(angle)], axis=-1), 1)

    def libigl(self):
        return igl.harmonic(self.vertices, self.faces, self.rim, self.curve, 1)

    def ours(self):
        """The harmonic map alone, for the time."""
        return HarmonicSolver(self.vertices, self.faces, self.rim).solve(self.curve)

    def corners(self, plane):
        """Plane coordinates (V',2) in [-1,1]^2 -> (F,3,2) of the tile."""
        return unwrap.to_tile(np.asarray(plane))[self.faces]


def time_one(network, layout, blender, resolution, options):
    """Seconds of the processor that one head takes, by method."""
    head = network.head
    code = head.random(SAME_HEAD)
    vertices, faces, _ = surface.extract(head.field(code), head.low, head.high, resolution)
    mesh = HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), head.anchors(code))
    cut = Cut(mesh, layout)
    ways = {
        "ours, harmonic map": cut.ours,
        "ours, from mesh to proven UVs": lambda: unwrap.unwrap(mesh, layout),
        LIBIGL: cut.libigl,
        PAPER: cut.paper,
    }
    seconds = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            started = time.process_time()
            way()
            seconds[name].append(time.process_time() - started)
    row = {name: min(values) for name, values in seconds.items()}
    if len(vertices) <= options.blender_limit and options.blender_heads:
        row |= {name: spent for name, (_, spent) in blender(cut).items()}
    return {"vertices": len(vertices), **row, "ratio": row["ours, harmonic map"] / row[LIBIGL]}


def compare(network, layout, blender, options):
    """Method -> measure -> mean over heads, or total for flipped triangles."""
    try:
        heads = studio_heads(network, options)
        spots = next(heads)
    except FileNotFoundError:
        print(NOTE)
        heads, spots = pack_heads(network, options), None
    rows, places, scales = {}, {}, {}
    for i, (mesh, points) in enumerate(heads):
        cut = Cut(mesh, layout)
        ways = {
            PAPER: cut.corners(cut.paper()),
            OURS: unwrap.unwrap(mesh, layout).uv,
            LIBIGL: cut.corners(cut.libigl()),
        }
        if i < options.blender_heads:
            ways |= {name: uv for name, (uv, _) in blender(cut).items()}
        middle = ways[OURS].mean(axis=1)
        face = points_in_poly(middle, unwrap.face_outline(layout))
        spot = None if points is None else Spots(mesh, points)
        for name, uv in ways.items():
            rows.setdefault(name, []).append(quality_of(mesh, uv, face))
            if spot is not None:
                places.setdefault(name, []).append(spot.on(uv))
                scales.setdefault(name, []).append(_area(uv[face]).sum() / _area(mesh.canonical[mesh.faces[face]]).sum())
    result = {}
    for name, found in rows.items():
        result[name] = {key: float(np.mean([row[key] for row in found])) for key in found[0]}
        result[name]["flipped"] = int(sum(row["flipped"] for row in found))
        result[name]["heads with flips"] = int(sum(row["flipped"] > 0 for row in found))
        result[name]["heads"] = len(found)
        if len(places.get(name, ())) > 1:
            error = misalignment(np.array(places[name]), fitted=name in BLENDER)  # (heads,P)
            millimetres = frames.MM_PER_UNIT / (PIXELS * np.sqrt(np.mean(scales[name])))
            mean = error.mean(axis=0)
            result[name] |= {
                "misalignment": float(mean @ spots.weight),
                "misalignment, mm": float(mean @ spots.weight * millimetres),
                "misalignment, worst head": float((error @ spots.weight).max()),
                "misalignment, worst 5 %": _quantile(mean, spots.weight, 0.95),
            }
            if name == OURS and options.map:
                draw(options.map, spots, np.mean(places[name], axis=0), mean)
    return result


class FaceSpots:
    """Vertices of ICT's face that lie on the mean person's surface, with their share of its area."""

    def __init__(self, people, person_surface):
        ict = people.ict
        face = person_surface[(person_surface < ict.arrays["narrow_face"][0]).all(axis=1)]
        self.vertices, flat = np.unique(face, return_inverse=True)  # (P,) rows of ICT
        self.triangles = flat.reshape(-1, 3)
        area = _area(ict.neutral[face])
        self.weight = np.bincount(flat.ravel(), np.repeat(area, 3), minlength=len(self.vertices))
        self.weight /= self.weight.sum()


class Spots:
    """Where points (P,3) near a mesh's surface lie on it."""

    def __init__(self, mesh, points):
        vertices, faces = mesh.canonical.astype(np.float64), mesh.faces.astype(np.int64)
        _, self.face, near = igl.point_mesh_squared_distance(points, vertices, faces)[:3]
        self.weight = trimesh.triangles.points_to_barycentric(vertices[faces[self.face]], near)

    def on(self, uv):
        """Coordinates (F,3,2) -> places (P,2)"""
        return np.einsum("pk,pkc->pc", self.weight, uv[self.face].astype(np.float64))


def studio_heads(network, options):
    """First the FaceSpots, then for each person the mesh, with predicted landmarks, and the spots (P,3) on it."""
    from tools.studio.atlas import mean_person
    from tools.studio.people import Population
    from tools.studio.shapes import BOX_HIGH, BOX_LOW, HeadShape

    people = Population()
    spots = FaceSpots(people, HeadShape(people, mean_person()).exposed)
    yield spots
    for seed in range(options.first_seed, options.first_seed + options.heads):
        person = people.person(seed)
        shape = HeadShape(people, person)
        vertices, faces, _ = surface.extract(shape.sdf, BOX_LOW, BOX_HIGH, options.resolution)
        anchors = network.head.anchors(network.code(people.shape_code(person)))
        points = np.ascontiguousarray(frames.ict_to_nphm(shape.vertices[spots.vertices]), np.float64)
        yield HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), anchors), points


def pack_heads(network, options):
    """Random heads of the pack and None, for a computer without the studio's data."""
    head = network.head
    for seed in range(options.heads):
        code = head.random(seed)
        vertices, faces, _ = surface.extract(head.field(code), head.low, head.high, options.resolution)
        yield HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), head.anchors(code)), None


def quality_of(mesh, uv, face):
    """Measures of one map; face: (F,) bool, over which distortion and share are taken."""
    signed = _signed(uv.astype(np.float64))
    return {
        "flipped": int((signed <= 0).sum()),
        "face share": float(np.abs(signed[face]).sum() / np.abs(signed).sum()),
        **unwrap.distortion(mesh.canonical, mesh.faces[face], uv[face]),
    }


def misalignment(places, fitted):
    """Places (heads,P,2) in the tile -> distance of each from its mean over the heads, px (heads,P).

    fitted: turn, scale and move each head's places first to fit the mean, for maps that come in any position.
    """
    if fitted:
        places = places - places.mean(axis=1, keepdims=True)
        size = np.sqrt(np.square(places).mean(axis=(1, 2)).mean())
        mean = places[0]
        for _ in range(10):
            turn = np.einsum("hpi,pj->hij", places, mean)
            u, s, v = np.linalg.svd(turn)
            scale = s.sum(axis=1) / np.square(places).sum(axis=(1, 2))
            placed = scale[:, None, None] * places @ (u @ v)
            mean = placed.mean(axis=0)
            mean *= size / np.sqrt(np.square(mean).mean())
        places = placed
    return PIXELS * np.linalg.norm(places - places.mean(axis=0), axis=-1)


def draw(path, spots, places, error):
    """The misalignment (P,) at the spots' mean places (P,2) as a grey picture."""
    uv = places[spots.triangles]
    image, _ = raster.rasterise(uv, error[spots.triangles][..., None], PIXELS)
    Image.fromarray((255 * np.clip(image[..., 0] / MAP_RANGE, 0, 1)).astype(np.uint8)).save(path)


def print_times(times):
    print("seconds of the processor, one head")
    names = dict.fromkeys(name for row in times for name in row if name not in ("vertices", "ratio"))
    print(f"  {'vertices':32s}" + "".join(f"{row['vertices']:>12,}" for row in times))
    for name in names:
        print(f"  {name:32s}" + "".join(f"{row[name]:12.3f}" if name in row else f"{'-':>12s}" for row in times))
    print(f"  {'our harmonic map to libigl':32s}" + "".join(f"{row['ratio']:12.2f}" for row in times), flush=True)


ROWS = {  # measure -> words, format
    "heads": ("heads", "d"),
    "flipped": ("flipped triangles, of all heads", "d"),
    "heads with flips": ("heads with flipped triangles", "d"),
    "misalignment": (f"misalignment, face, px of {PIXELS}", ".2f"),
    "misalignment, worst 5 %": ("  at the worst 5 % of the face", ".2f"),
    "misalignment, worst head": ("  of the worst head", ".2f"),
    "misalignment, mm": ("  in mm on the face", ".2f"),
    "face share": ("face's share of the UV area", ".3f"),
    "angle_distortion": ("angles off over the face, degrees", ".2f"),
    "area_distortion": ("areas off over the face, |log|", ".3f"),
}


def print_quality(quality, heads):
    names = [name for name in METHODS if name in quality]
    print(f"\n  {f'{heads} heads':36s}" + "".join(f"{name:>17s}" for name in names))
    for key, (words, form) in ROWS.items():
        cells = (format(quality[name][key], form) if key in quality[name] else "-" for name in names)
        print(f"  {words:36s}" + "".join(f"{cell:>17s}" for cell in cells))


def _quantile(values, weight, share):
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), share)])


def _signed(uv):
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def _area(corner):
    """Areas (F,) of triangles (F,3,C), C 2 or 3."""
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    aa, ab, bb = (np.einsum("fc,fc->f", x.astype(np.float64), y) for x, y in ((a, a), (a, b), (b, b)))
    return np.sqrt(np.maximum(aa * bb - ab * ab, 0)) / 2


if __name__ == "__main__":
    sys.exit(main())
