"""A head goes through its folder unchanged, and a damaged folder is refused."""

import json
import tracemalloc
from dataclasses import replace

import fake_engine
import numpy as np
import pytest

from cliphead_addon.engine.jobfiles import (
    JobFilesError,
    load_head,
    load_painting,
    load_surface,
    save_arrays,
    save_head,
    save_painting,
    save_repainted,
)
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt


@pytest.fixture
def head():
    return fake_engine.generate(
        Prompt("flibber \N{GRINNING FACE}"), None, Settings(shape_keys=("smile", "wink left")), print_nothing
    )


@pytest.fixture
def folder(head, tmp_path):
    save_head(head, tmp_path / "job")
    return tmp_path / "job"


def print_nothing(_stage, _fraction):
    pass


def test_a_head_comes_back_as_it_went(head, folder):
    saved = load_head(folder)
    for name in ("vertices", "faces", "canonical", "normals", "anchors"):
        np.testing.assert_array_equal(getattr(saved.unwrapped.mesh, name), getattr(head.unwrapped.mesh, name))
    for name in ("seam", "boundary", "uv"):
        np.testing.assert_array_equal(getattr(saved.unwrapped, name), getattr(head.unwrapped, name))
    assert list(saved.unwrapped.mesh.displacements) == ["smile", "wink left"]
    np.testing.assert_array_equal(saved.unwrapped.mesh.displacements["smile"], head.unwrapped.mesh.displacements["smile"])
    assert saved.recipe == json.loads(json.dumps(head.recipe))
    assert saved.warnings == head.warnings and saved.timings == head.timings
    assert saved.unwrapped.mesh.report == {"evaluations": 12345}
    assert saved.unwrapped.mesh.hair is None and saved.hair_colour is None


def test_hair_comes_back_as_it_went(tmp_path):
    head = fake_engine.generate(Prompt("curls"), None, Settings(), print_nothing)
    save_head(head, tmp_path)
    saved = load_head(tmp_path)
    assert saved.hair_colour == fake_engine.HAIR_COLOUR
    np.testing.assert_array_equal(saved.unwrapped.mesh.hair.vertices, head.unwrapped.mesh.hair.vertices)
    np.testing.assert_array_equal(saved.unwrapped.mesh.hair.faces, head.unwrapped.mesh.hair.faces)
    np.save(tmp_path / "hair_faces.npy", head.unwrapped.mesh.hair.faces + 100_000)
    with pytest.raises(JobFilesError, match="hair_faces"):
        load_head(tmp_path)


def test_images_are_lossless(head, folder):
    from PIL import Image

    for name, path in load_head(folder).images.items():
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), getattr(head.textures, name))


def test_a_pack_that_makes_no_relief_leaves_it_out(head, tmp_path):
    save_head(replace(head, textures=replace(head.textures, relief=None)), tmp_path)
    assert set(load_head(tmp_path).images) == {"albedo", "normal_uv", "roughness"}


@pytest.mark.parametrize("name", ["head.json", "relief.png", "faces.npy", "albedo.png", "displacements.npy"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(JobFilesError, match="Generate it again"):
        load_head(folder)


@pytest.mark.promise
@pytest.mark.parametrize(
    "name, damage",
    [
        ("faces", lambda faces: faces + 100_000),
        ("faces", lambda faces: -faces),
        ("faces", lambda faces: faces.astype(np.float32)),
        ("faces", lambda faces: faces[:0]),
        ("uv", lambda uv: uv[1:]),
        ("vertices", lambda vertices: vertices * np.nan),
        ("seam", lambda seam: seam + 100_000),
        ("boundary", lambda boundary: boundary[:0]),
        ("normals", lambda normals: np.array([{}], object)),  # a pickle
    ],
)
def test_damaged_arrays_are_refused(folder, name, damage):
    path = folder / f"{name}.npy"
    np.save(path, damage(np.load(path)), allow_pickle=True)
    with pytest.raises(JobFilesError, match="Generate it again"):
        load_head(folder)


@pytest.mark.promise
@pytest.mark.parametrize("shape", [(10**15,), (10**10, 10**10), (3, 10**7)])
def test_an_array_larger_than_its_file_is_refused_before_memory_is_asked_for(folder, shape):
    with open(folder / "vertices.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(64))
    tracemalloc.start()
    with pytest.raises(JobFilesError, match="Generate it again"):
        load_head(folder)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\1\0\x76\0" + b"(" * 118, b"PK\3\4"])
def test_a_file_that_is_no_array_is_refused(folder, content):
    (folder / "vertices.npy").write_bytes(content)
    with pytest.raises(JobFilesError, match="Generate it again"):
        load_head(folder)


@pytest.mark.promise
@pytest.mark.parametrize(
    "change",
    [
        lambda about: [about],
        lambda about: "[" * 100_000,
        lambda about: {**about, "displacements": [1, 2]},
        lambda about: {**about, "displacements": ["smile", "smile"]},
        lambda about: {**about, "hair_colour": ["red"]},
        lambda about: {**about, "recipe": None},
        lambda about: {key: value for key, value in about.items() if key != "timings"},
        lambda about: {**about, "warnings": "x" * (17 << 20)},
    ],
)
def test_a_description_that_is_not_one_is_refused(folder, change):
    about = change(json.loads((folder / "head.json").read_text()))
    (folder / "head.json").write_text(about if isinstance(about, str) else json.dumps(about))
    with pytest.raises(JobFilesError, match="Generate it again"):
        load_head(folder)


@pytest.mark.promise
@pytest.mark.parametrize("side", [0, 100_000])
def test_a_picture_that_claims_a_huge_size_is_refused(folder, side):
    content = bytearray((folder / "albedo.png").read_bytes())
    content[16:24] = side.to_bytes(4, "big") * 2
    (folder / "albedo.png").write_bytes(content)
    with pytest.raises(JobFilesError, match="albedo.png has"):
        load_head(folder)


def surface_arrays():
    mesh, seam, _, uv = fake_engine.ellipsoid(rings=12, segments=24)
    return {"vertices": mesh.vertices, "faces": mesh.faces, "uv": uv, "seam": seam}


@pytest.fixture
def painted(tmp_path):
    """The folder of a finished texture for a mesh with hair."""
    folder = tmp_path / "painted"
    folder.mkdir()
    arrays = surface_arrays()
    save_arrays(arrays | {"hair_vertices": arrays["vertices"], "hair_faces": arrays["faces"]}, folder)
    wanted = Prompt("a man", look={"text": "a blond flibber", "seed": 9})
    unwrapped = load_surface(folder)
    save_painting(*fake_engine.paint(wanted, None, Settings(texture_size=256), unwrapped, print_nothing), unwrapped, folder)
    return folder


def test_a_mesh_to_be_painted_comes_as_it_was_sent(tmp_path):
    arrays = surface_arrays()
    save_arrays(arrays, tmp_path)
    found = load_surface(tmp_path)
    for name in ("vertices", "faces"):
        np.testing.assert_array_equal(getattr(found.mesh, name), arrays[name])
    np.testing.assert_array_equal(found.uv, arrays["uv"])
    np.testing.assert_array_equal(found.seam, arrays["seam"])
    assert found.mesh.hair is None


@pytest.mark.promise
@pytest.mark.parametrize(
    "change",
    [
        {"uv": np.zeros((5, 3, 2), np.float32)},
        {"seam": np.int32([[0, 10**6]])},
        {"vertices": np.full((1, 3), np.nan, np.float32)},
        {"faces": np.zeros((0, 3), np.int32), "uv": np.zeros((0, 3, 2), np.float32)},
        {"faces": np.int32([[0, 1, 2, 3]]), "uv": np.zeros((1, 4, 2), np.float32)},
        {"hair_faces": np.int32([[0, 1, 2]])},
        {"canonical": np.zeros((3, 3), np.float32)},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_mesh_that_cannot_be_painted_is_refused(tmp_path, change):
    save_arrays(surface_arrays() | change, tmp_path)
    with pytest.raises(JobFilesError, match="cannot be painted"):
        load_surface(tmp_path)


def test_a_texture_comes_back_as_it_went(painted):
    found = load_painting(painted)
    assert set(found.images) == {"albedo", "normal_uv", "roughness", "relief"} and found.size == 256
    assert found.hair_colour == (200, 160, 90) and "flibber" in found.warnings[0] and found.folder == painted
    assert (painted / "thumbnail.png").is_file()


@pytest.mark.promise
@pytest.mark.parametrize(
    "change", [{"images": ["albedo"]}, {"images": ["../albedo", "normal_uv"]}, {"hair_colour": [1]}, {"warnings": "none"}]
)
def test_a_texture_with_a_damaged_description_is_refused(painted, change):
    about = json.loads((painted / "paint.json").read_text()) | change
    (painted / "paint.json").write_text(json.dumps(about))
    with pytest.raises(JobFilesError, match="Paint it again"):
        load_painting(painted)


@pytest.mark.parametrize("name", ["paint.json", "albedo.png", "relief.png"])
def test_a_texture_without_its_files_is_refused(painted, name):
    (painted / name).unlink()
    with pytest.raises(JobFilesError, match="Paint it again"):
        load_painting(painted)


@pytest.mark.parametrize("words, hair", [("curls", (200, 160, 90)), ("bald", None)])
def test_a_kept_head_gets_a_texture_and_stays_as_it_was(painted, tmp_path, words, hair):
    made = fake_engine.generate(Prompt(words), None, Settings(), print_nothing)
    save_head(made, tmp_path / "before")
    before, painting, recipe = load_head(tmp_path / "before"), load_painting(painted), {"prompt": {"text": "new"}}
    save_repainted(before, painting, recipe, tmp_path / "after")
    after = load_head(tmp_path / "after")
    assert after.recipe == recipe and after.hair_colour == hair and after.warnings == painting.warnings
    np.testing.assert_array_equal(after.unwrapped.mesh.vertices, before.unwrapped.mesh.vertices)
    for name, path in after.images.items():
        assert path.read_bytes() == painting.images[name].read_bytes() != before.images[name].read_bytes() or name != "albedo"
    assert load_head(tmp_path / "before").recipe == json.loads(json.dumps(made.recipe))
