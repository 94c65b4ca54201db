"""A stand-in for the engine: an ellipsoid with an open neck, made with numpy alone, and bad manners on request.

Words in the prompt ask for them: "slow" takes ten seconds, "brief" half a second, "stuck" never looks at its progress callback,
"crash" ends the process, "killed" does so as the system does when memory is short, "wrong" raises an error for the user, "bug"
one for the programmer, "greedy" takes memory until it is stopped, "noisy" prints to stdout, "torchless" imports a package that
is not there, "huge" and "torchfull" run out of memory, "diskfull", "numpyfull" and "protected" fail to write their files.
"curls" puts hair on the head; "painted" shows two previews.
"""

import errno
import os
import signal
import sys
import time
from dataclasses import asdict, replace

import numpy as np

from cliphead_addon.engine.errors import PromptError
from cliphead_addon.engine.expression_sets import expand
from cliphead_addon.engine.recipes import look
from cliphead_addon.engine.stages import HairMesh, Head, HeadMesh, TextureSet, UnwrappedHead

RADII = np.array([0.32, 0.46, 0.40])  # NPHM units: a head 16 cm wide, 20 cm deep
HAIR_COLOUR = (120, 60, 20)
UNWRITABLE = {
    "diskfull": OSError(errno.ENOSPC, "No space left on device"),
    "numpyfull": OSError("25600 requested and 0 written"),
    "protected": OSError(errno.EROFS, "Read-only file system"),
}
NECK_LEVEL = -0.85  # of the ellipsoid's height


def load_models(pack, device):
    return {"pack": pack, "device": device}


def adapt(pack, architecture, weights, folder, progress):
    """Bad manners by the architecture's words; else a folder that says what was asked for."""
    misbehave(architecture, progress)
    progress("Reading captions", 0.5)
    os.makedirs(folder)
    with open(os.path.join(folder, "asked.txt"), "w", encoding="utf-8") as file:
        file.write(f"{pack}\n{architecture}\n{weights}")


def generate(prompt, models, settings, progress, preview=None):
    misbehave(prompt.text, progress)
    if "painted" in prompt.text:
        for grey in (80, 160):
            preview(np.full((256, 256, 3), grey, np.uint8))
    for stage in ("Understanding the words", "Shaping the head", "Painting"):
        progress(stage, 0.5)
    mesh, seam, boundary, uv = ellipsoid(rings=24, segments=48)
    recipe = {
        "prompt": asdict(prompt),
        "settings": asdict(settings),
        "pack": {"name": "starter", "version": "1"},
        "program": "0.1.0",
        "attributes": {"nose width": 0.5, "age": 0.0},
    }
    warnings = ("'flibber' is unknown; the nearest known word is 'fat'.",) if "flibber" in prompt.text else ()
    return Head(
        unwrapped=UnwrappedHead(with_hair(with_smile(mesh, settings), prompt), seam, boundary, uv, {"flipped": 0}),
        textures=replace(texture(settings.texture_size), hair_colour=HAIR_COLOUR if "curls" in prompt.text else None),
        recipe=recipe,
        warnings=warnings,
        timings={"shape": 0.1},
    )


def paint(prompt, models, settings, unwrapped, progress, preview=None):
    """The head's usual texture as bright as the look's seed says; words misbehave as for `generate`."""
    wanted = look(prompt)
    misbehave(wanted.text, progress)
    if "painted" in wanted.text:
        preview(np.full((256, 256, 3), 120, np.uint8))
    progress("Painting the texture", 0.5)
    textures = texture(settings.texture_size)
    textures = replace(textures, albedo=textures.albedo // 2 + np.uint8(wanted.seed % 100))
    if unwrapped.mesh.hair is not None:
        textures = replace(textures, hair_colour=(200, 160, 90) if "blond" in wanted.text else HAIR_COLOUR)
    warnings = ("'flibber' is unknown; the nearest known word is 'fat'.",) if "flibber" in wanted.text else ()
    return textures, warnings


def express(prompt, settings, models, canonical, names, words):
    """Every expression moves the head up by a tenth of a unit; words open the jaw as many tenths as they have letters."""
    misbehave(" ".join(words), lambda *_: None)
    names = [name for name in expand(names) if name != "neutral" or prompt.expression]
    moves = np.zeros((len(names), *canonical.shape), np.float32) + np.float32([0, 0.1, 0])
    weights = [{"jawOpen": min(len(text) / 10, 1.0)} for text in words]
    return {"names": names, "displacements": moves, "weights": weights, "warnings": []}


def rig(prompt, settings, models, canonical, rest, uv, faces):
    """Everything above the ears' height follows the head, the chin the jaw; eyes look out of two round holes in the front."""
    height = np.clip((rest[:, 2] - 0.04) / 0.06, 0, 1)
    jaw = np.clip((0.07 - rest[:, 2]) / 0.03, 0, 1) * (rest[:, 1] < -0.03)
    weights = np.stack([(1 - jaw) * (1 - height), (1 - jaw) * height, jaw], axis=-1)
    eyes, depths, blinks = [], [], []
    for side, x in (("L", 0.03), ("R", -0.03)):
        front = (rest[:, 1] < 0) * np.linalg.norm(rest[:, [0, 2]] - [x, 0.12], axis=1)
        depths.append(np.where(rest[:, 1] < 0, 0.012 - front, -1))
        surface = rest[np.argmax(depths[-1]), 1]
        eyes.append({"side": side, "centre": [x, surface + 0.0145, 0.12], "radius": 0.0135})
        blinks.append(np.zeros_like(rest))
    joints = {"skull": [0, 0, 0.09], "top": [0, 0, 0.2], "jaw": [0, -0.01, 0.1], "chin": [0, -0.08, 0.05]}
    size = np.ptp(rest[:, 2]) / (-(NECK_LEVEL - 1) * RADII[1] * 0.25)  # sliders make it grow
    about = {
        "joints": {name: (size * np.array(place)).tolist() for name, place in joints.items()},
        "jaw_angle": 0.3,
        "mouth": {
            "corners": (size * np.array([[-0.025, -0.08, 0.07], [0.025, -0.08, 0.07]])).tolist(),
            "upper_lip": (size * np.array([[-0.006, -0.095, 0.08]] * 2)).tolist(),
        },
        "neck": {"point": [0, 0, 0.07], "normal": [0, -0.5, 0.8]},
        "eyes": eyes,
        "iris_uv": [[0.42, 0.45]],
        "warnings": [],
    }
    return {"weights": weights, "depths": np.stack(depths), "blinks": np.stack(blinks), "about": about}


def preview(prompt, models, before, canonical, faces, hair=None):
    """The mesh grows by a tenth of what its sliders say, and so does its hair."""
    change = grown(prompt.sliders) / grown(before)
    arrays = {"canonical": canonical * change, "vertices": canonical * change}
    if hair is not None:
        arrays["hair_vertices"] = hair * change
    return arrays, {"nose width": sum(prompt.sliders.values())}


def rebuild(prompt, models, settings, progress):
    misbehave(prompt.text.replace("slow", ""), progress)
    progress("Shaping the head", 0.5)
    mesh, seam, boundary, uv = ellipsoid(rings=24, segments=48)
    mesh = with_hair(with_smile(mesh, settings), prompt)
    size = grown(prompt.sliders)
    hair = replace(mesh.hair, vertices=mesh.hair.vertices * size) if mesh.hair else None
    mesh = replace(mesh, vertices=mesh.vertices * size, canonical=mesh.canonical * size, hair=hair)
    return UnwrappedHead(mesh, seam, boundary, uv, {"flipped": 0}), {"nose width": sum(prompt.sliders.values())}


def grown(sliders):
    return np.float32(1 + 0.1 * sum(sliders.values()))


def misbehave(text, progress):
    if "slow" in text:
        for step in range(100):
            progress("Painting slowly", step / 100)
            time.sleep(0.1)
    if "brief" in text:
        for step in range(5):
            progress("Painting", step / 5)
            time.sleep(0.1)
    if "stuck" in text:
        progress("Stuck", 0.0)
        time.sleep(600)
    if "crash" in text:
        os._exit(7)
    if "wrong" in text:
        raise PromptError("These words make no head. Try plainer ones.")
    if "bug" in text:
        raise KeyError("nose")
    if "greedy" in text:
        taken = []
        while len(taken) < 400:
            taken.append(b"x" * 10**7)
    if "noisy" in text:
        print("a library's chatter " * 1000)
        os.write(1, b"\x00\x00\x00\x04null" * 100)
        sys.stdin.read()
    if "torchless" in text:
        import a_package_nobody_has  # noqa: F401
    if "huge" in text:
        raise MemoryError
    if "torchfull" in text:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to ...")
    if "killed" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    for word, error in UNWRITABLE.items():
        if word in text.split():
            raise error


def ellipsoid(rings, segments):
    """A disk: its pole is the crown, its boundary the neck; the seam runs down the back. -> mesh, seam, boundary, uv"""
    polar = np.linspace(0, np.arccos(NECK_LEVEL), rings + 1)[:, None]  # crown to neck
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None]  # from the back, counter-clockwise seen from above
    unit = np.stack([-np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn, -np.sin(polar) * np.cos(turn)], axis=-1)
    unit = np.concatenate([unit[0, :1], unit[1:].reshape(-1, 3)])

    def index(corner):
        ring, segment = np.moveaxis(corner, -1, 0)
        return np.where(ring == 0, 0, 1 + (ring - 1) * segments + segment % segments)

    cell = np.stack(np.meshgrid(np.arange(rings), np.arange(segments), indexing="ij"), axis=-1).reshape(-1, 1, 2)
    lower = cell + [[0, 0], [1, 0], [1, 1]]  # (ring, segment) of each corner
    upper = cell[segments:] + [[0, 0], [1, 1], [0, 1]]  # the crown's triangles have no upper half
    corners = np.concatenate([lower, upper])
    faces = index(corners).astype(np.int32)
    uv = np.stack([corners[..., 1] / segments, 1 - corners[..., 0] / rings], axis=-1).astype(np.float32)
    normals = unit / RADII
    mesh = HeadMesh(
        vertices=(unit * RADII).astype(np.float32),
        faces=faces,
        canonical=(unit * RADII).astype(np.float32),
        normals=(normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32),
        anchors=np.zeros((39, 3), np.float32),
        report={"evaluations": np.int64(12345)},
    )
    back = index(np.stack([np.arange(rings + 1), np.zeros(rings + 1, int)], axis=-1)).astype(np.int32)
    boundary = index(np.stack([np.full(segments, rings), np.arange(segments)], axis=-1)).astype(np.int32)
    return mesh, np.stack([back[:-1], back[1:]], axis=-1), boundary, uv


def with_smile(mesh, settings):
    """Every shape key asked for moves the whole head up by a tenth of a unit."""
    move = np.zeros_like(mesh.vertices) + np.float32([0, 0.1, 0])
    return HeadMesh(**{**vars(mesh), "displacements": {name: move for name in settings.shape_keys}})


def with_hair(mesh, prompt):
    """Curls are the ellipsoid again, a fifth larger, above the eyes."""
    if "curls" not in prompt.text:
        return mesh
    vertices = 1.2 * mesh.vertices
    faces = mesh.faces[(vertices[mesh.faces, 1] > 0).all(axis=1)]
    used, faces = np.unique(faces, return_inverse=True)
    return replace(mesh, hair=HairMesh(vertices[used].astype(np.float32), faces.reshape(-1, 3).astype(np.int32)))


def texture(size):
    """Skin that reddens downwards, with two eyes and a mouth where u = 0.5 faces the viewer."""
    v, u = 1 - np.mgrid[0:size, 0:size] / size
    albedo = np.stack([200 + 30 * v, 130 + 40 * v, 110 + 30 * v], axis=-1)
    for cu, cv, du, dv, colour in ((0.42, 0.45, 0.03, 0.02, 40), (0.58, 0.45, 0.03, 0.02, 40), (0.5, 0.25, 0.07, 0.015, 90)):
        albedo[((u - cu) / du) ** 2 + ((v - cv) / dv) ** 2 < 1] = (colour + 60, colour, colour)
    normal = np.full((size, size, 3), 128, np.uint8)
    return TextureSet(
        albedo=albedo.astype(np.uint8),
        normal_uv=normal,
        coverage=np.ones((size, size), bool),
        roughness=np.full((size, size), 90, np.uint8),
        relief=np.tile(np.linspace(30000, 36000, size).astype(np.uint16), (size, 1)),
    )
