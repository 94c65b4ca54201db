"""The head model of the bundled starter pack, from code to mesh."""

import numpy as np
import pytest

from cliphead_addon.engine.errors import ClipHeadError, PackError
from cliphead_addon.engine.geometry import topology
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.head import HeadModel, random_head
from cliphead_addon.engine.packs import open_pack
from cliphead_addon.engine.stages import HeadCode

NAMED = """neutral smile laugh sad angry surprised disgusted afraid pout kiss puffed_cheeks eyes_closed wink_left wink_right
    mouth_open jaw_left jaw_right frown raised_brows squint sneer lips_pressed smirk""".split()


@pytest.fixture(scope="module")
def model():
    return HeadModel.load(open_pack("starter"))


@pytest.fixture(scope="module")
def code(model):
    mean = open_pack("starter").tensors(open_pack("starter").part("bases")["file"])["identity_mean"]
    return HeadCode(mean, model.named_expression("neutral"))


@pytest.fixture(scope="module")
def mesh(model, code):
    return model.mesh(code, 96, shape_keys=("smile", "mouth open"))


def test_the_mean_head_is_a_disk_of_human_size(mesh):
    boundary = topology.boundary_loops(mesh.faces)
    assert topology.euler(mesh.faces) == 1 and len(boundary) == 1
    height = np.ptp(mesh.vertices[:, 1]) * 0.25
    width = np.ptp(mesh.vertices[:, 0]) * 0.25
    assert 0.2 < height < 0.35 and 0.14 < width < 0.26  # metres, with some neck


def test_the_surface_is_the_zero_set_of_the_field(model, code, mesh):
    voxel = (model.high - model.low).max() / 95
    assert np.abs(model.field(code)(mesh.canonical)).max() < voxel


def test_the_normals_point_out_of_the_face(mesh):
    nose = mesh.vertices[:, 2].argmax()
    assert mesh.normals[nose, 2] > 0.5
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mesh.normals, vertex_normals(mesh.vertices, mesh.faces), atol=1e-6)


def test_anchors_lie_on_the_head(mesh):
    gap = np.linalg.norm(mesh.anchors[:, None] - mesh.canonical[None], axis=-1).min(1)
    assert gap.max() * 250 < 8  # mm


def test_every_promised_expression_is_in_the_pack(model):
    assert {name.replace("_", " ") for name in NAMED} <= set(model.expressions)


def test_an_open_mouth_drops_the_chin_and_leaves_the_crown(mesh):
    drop = mesh.displacements["mouth open"] * 250  # mm
    anchors = mesh.anchors
    chin = np.linalg.norm(mesh.canonical - anchors[36], axis=1).argmin()
    crown = mesh.canonical[:, 1].argmax()
    assert drop[chin, 1] < -10
    assert np.linalg.norm(drop[crown]) < 1


def test_winks_are_mirror_images(model, code):
    points = np.array([[0.13, 0.09, 0.15], [-0.13, 0.09, 0.15]], np.float32)  # by the head's left and right upper lid
    keys = model.shape_keys(points, code.identity, ("wink left", "wink right"))
    left, right = (np.linalg.norm(keys[name], axis=1) for name in ("wink left", "wink right"))
    assert left[0] > 3 * left[1] and right[1] > 3 * right[0]


def test_an_unknown_expression_is_refused_with_the_names_there_are(model):
    with pytest.raises(ClipHeadError, match="smile"):
        model.named_expression("grimace of doom")


def test_a_configuration_that_does_not_fit_the_weights_is_refused(tmp_path):
    import shutil

    from cliphead_addon.engine.packs import set_part

    folder = tmp_path / "pack"
    shutil.copytree(open_pack("starter").folder, folder)
    part = dict(open_pack(folder).manifest["parts"]["identity"])
    part["config"] = part["config"] | {"hidden": 104}
    set_part(folder, "identity", part)
    with pytest.raises(PackError, match="identity.safetensors"):
        HeadModel.load(open_pack(folder))


def test_random_heads_follow_the_official_recipe():
    mean, deviation = np.full(2000, 0.5), np.full(2000, 0.1)
    code = random_head(mean, deviation, np.zeros(3), seed=4)
    assert abs(code.identity.mean() - 0.5) < 0.01 and abs(code.identity.std() - 0.085) < 0.005
    np.testing.assert_array_equal(code.identity, random_head(mean, deviation, np.zeros(3), seed=4).identity)
