"""Where spots of the face lie in UV space on people of the studio: what `engine.geometry.spots` is fitted to."""

from dataclasses import replace

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial.distance import cdist

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.geometry import frames, spots, surface, unwrap
from cliphead_addon.engine.geometry.harmonic import HarmonicSolver
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.stages import HeadMesh

from ..benchmark_unwrap import PIXELS, FaceSpots, Spots
from .atlas import mean_person, studio_mesh
from .shapes import BOX_HIGH, BOX_LOW, HeadShape

FIRST_SEED = 4_000_000  # people that the networks were not trained on and that no measurement uses
RESOLUTION = 80  # of their surfaces
COUNT = 96  # spots of the face, besides the anchors
STEADY = 4.0  # px by which a spot may be missed, mean
NODES = np.stack(np.meshgrid(np.linspace(-0.34, 0.34, 8), np.linspace(-0.5, 0.42, 10), indexing="ij"), axis=-1).reshape(-1, 2)
DIRECTIONS, RIDGE = 100, 1e-5


def fit_spots(population, network, layout, count, progress=print):
    """The layout with a SpotModel fitted to `count` people, among whom the mean person has the places it had without.

    network: evaluate.Network of the pack, for the anchors that it predicts.
    """
    layout = replace(layout, spots=None)
    rows, places = mean_places(population, layout)
    heads = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        try:
            heads.append(look_at(population, network, layout, population.person(seed), rows, places))
        except ClipHeadError as error:
            progress(f"person {seed} is left out. {error}")
            continue
        if len(heads) % 20 == 0:
            progress(f"{len(heads)} people")
    return replace(layout, spots=fit_model(heads, places, layout))


def save(layout, path):
    """Writes a layout as safetensors, which keeps the memory as it lies: arrays must be contiguous."""
    save_file({name: np.ascontiguousarray(array, np.float32) for name, array in layout.to_arrays().items()}, path)


def mean_places(population, layout):
    """Vertices of ICT (S,) and their places (S,2) on the mean person: the anchors that are used, then all of the face."""
    person = mean_person()
    shape, mesh = HeadShape(population, person), studio_mesh(population, person, 192)
    face = FaceSpots(population, shape.exposed).vertices
    points = np.ascontiguousarray(frames.ict_to_nphm(shape.vertices[face]), np.float64)
    flat = unwrap.flatten(mesh, layout.seam_share)
    # By positive weights, as all maps were when the pack's textures and quads were made, which must stay valid.
    solver = HarmonicSolver(flat.vertices, flat.faces, flat.rim)
    flat = replace(flat, uv=solver.solve(flat.uv[flat.rim]))
    places = Spots(mesh, points).on(unwrap.align(flat, layout, mesh.anchors)[flat.faces])
    rows = np.concatenate([population.ict.anchors[layout.used], face])
    return rows, np.concatenate([layout.anchors[layout.used], places])


def look_at(population, network, layout, person, rows, places):
    """A person's `surface_at` the nodes, a guess of its spots' places, and the true ones (S,2)."""
    shape = HeadShape(population, person)
    vertices, faces, _ = surface.extract(shape.sdf, BOX_LOW, BOX_HIGH, RESOLUTION)
    anchors = network.head.anchors(network.code(population.shape_code(person)))
    mesh = HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), anchors)
    flat = unwrap.flatten(mesh, layout.seam_share)
    nodes, guess = np.split(unwrap.rough_places(layout, flat.locate(anchors))(np.concatenate([NODES, places])), [len(NODES)])
    points = np.ascontiguousarray(frames.ict_to_nphm(shape.vertices[rows]), np.float64)
    return spots.surface_at(flat, nodes), guess, Spots(mesh, points).on(flat.uv[flat.faces])


def fit_model(heads, places, layout):
    """The SpotModel of some heads, of which only the anchors and COUNT steady spots all over the face are kept."""
    model = spots.fit(heads, places, NODES, DIRECTIONS, RIDGE)
    seen, guess, true = (np.array(part) for part in zip(*heads, strict=True))
    score = np.clip((seen - model.mean) @ model.axes.T, -spots.MOST, spots.MOST)
    left = true - guess - model.offset - np.tensordot(score, model.slopes, 1)
    texture = PIXELS / 2 * unwrap.magnify(places, layout)
    error = np.linalg.norm(PIXELS / 2 * unwrap.magnify(places + left, layout) - texture, axis=-1).mean(axis=0)  # (S,)
    kept = list(range(int(layout.used.sum())))
    away = cdist(texture, texture[kept]).min(axis=1)
    away[error > STEADY] = 0  # lips' insides and nostrils tear the map rather than hold it
    for _ in range(COUNT):
        kept.append(int(away.argmax()))  # the farthest from all so far
        away = np.minimum(away, np.linalg.norm(texture - texture[kept[-1]], axis=1))
    return replace(model, places=places[kept], slopes=model.slopes[:, kept], offset=model.offset[kept])
