"""What arrives in the scene, from arrays whose geometry is known."""

import json

import bpy
import fake_engine
import numpy as np
import pytest

from cliphead_addon.blender.head_object import add_head, object_name, read_recipe
from cliphead_addon.blender.mesh import neck_centre
from cliphead_addon.engine.jobfiles import load_head, save_head
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

METRES = 0.25


@pytest.fixture
def saved(tmp_path):
    prompt, settings = Prompt("An old man, laughing", seed=7), Settings(texture_size=256, shape_keys=("smile",))
    save_head(fake_engine.generate(prompt, None, settings, lambda *_: None), tmp_path)
    return load_head(tmp_path)


@pytest.fixture
def head(saved):
    return add_head(saved, bpy.context.collection, (1.0, 2.0, 3.0))


def positions(mesh):
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points.ravel())
    return points


def test_the_head_is_in_metres_with_its_neck_at_the_origin(head):
    x, y, z = fake_engine.RADII * METRES
    points = positions(head.data)
    np.testing.assert_allclose(points.max(0) - points.min(0), [2 * x, 2 * z, y * (1 - fake_engine.NECK_LEVEL)], atol=3e-4)
    np.testing.assert_allclose([points[:, 2].min(), np.ptp(points[:, 0]) / 2 - points[:, 0].max()], 0, atol=1e-6)
    assert tuple(head.location) == (1.0, 2.0, 3.0)


def test_the_face_looks_along_minus_y(saved, head):
    front = saved.unwrapped.mesh.vertices[:, 2].argmax()  # +z leaves the face in the NPHM frame
    left = saved.unwrapped.mesh.vertices[:, 0].argmax()  # +x is the head's own left
    points = positions(head.data)
    assert points[:, 1].argmin() == front
    assert points[:, 0].argmax() == left


def test_faces_look_outward_and_the_mesh_is_valid(head):
    mesh = head.data
    assert not mesh.validate()  # nothing to correct
    centres = np.array([face.center for face in mesh.polygons])
    normals = np.array([face.normal for face in mesh.polygons])
    assert (((centres - [0, 0, 0.1]) * normals).sum(-1) > 0).all()
    assert all(face.use_smooth for face in mesh.polygons)


def test_seams_are_the_seam_edges_and_no_others(saved, head):
    marked = {tuple(sorted(edge.vertices)) for edge in head.data.edges if edge.use_seam}
    assert marked == {tuple(sorted(pair)) for pair in saved.unwrapped.seam.tolist()}


def test_each_corner_keeps_its_texture_coordinate(saved, head):
    (layer,) = head.data.uv_layers
    uv = np.array([corner.uv for corner in layer.data])
    np.testing.assert_array_equal(uv, saved.unwrapped.uv.reshape(-1, 2))


def test_the_image_is_packed_srgb_and_colours_the_skin(head):
    (material,) = head.data.materials
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    (link,) = principled.inputs["Base Color"].links
    image = link.from_node.image
    assert image.packed_file is not None
    assert image.colorspace_settings.name == "sRGB"
    assert tuple(image.size) == (256, 256)


def test_shape_keys_move_in_blenders_axes_and_unit(head):
    keys = head.data.shape_keys.key_blocks
    basis, smile = (np.array([point.co for point in keys[name].points]) for name in ("Basis", "smile"))
    np.testing.assert_allclose(smile - basis, np.broadcast_to([0, 0, 0.1 * METRES], basis.shape), atol=1e-6)  # up by 0.1 units
    assert keys["smile"].value == 0


def test_the_recipe_stays_with_the_object_through_saving(saved, head, tmp_path):
    path = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    saved.images["albedo"].unlink()
    bpy.ops.wm.open_mainfile(filepath=path)
    head = bpy.data.objects["An old man, laughing"]
    assert read_recipe(head) == json.loads(json.dumps(saved.recipe))
    image = next(image for image in bpy.data.images if image.packed_file)
    assert max(image.pixels[:4]) > 0.5  # readable without the worker's file


def test_other_objects_have_no_recipe():
    empty = bpy.data.objects.new("Empty", None)
    assert read_recipe(None) is read_recipe(empty) is None
    for text in ("{", "[1]", 3):
        empty["cliphead_recipe"] = text
        assert read_recipe(empty) is None


@pytest.mark.parametrize(
    "prompt, name",
    [
        ("a bald man.", "A bald man"),
        ("", "Head"),
        ("\x00\u202e \n", "Head"),
        ("x" * 2000, "Head"),
        ("a woman " * 300, "A woman a woman a woman a woman a woman a woman"),
    ],
)
def test_names_are_the_first_words(prompt, name):
    assert object_name(prompt) == name


def test_names_fit_blender_in_any_script():
    assert 1 < len(object_name("\N{GRINNING FACE} " * 40).encode()) <= 60


def test_the_neck_centre_does_not_depend_on_how_the_rim_is_sampled():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [0.5, 0, 1], [0.25, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(neck_centre(square, np.arange(6)), [0.5, 0, 0.5])
