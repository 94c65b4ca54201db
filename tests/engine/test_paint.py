"""A texture after other words than the head's, and for a head that is there already."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from cliphead_addon.engine.geometry.foreign import unwrapped_already
from cliphead_addon.engine.geometry.mesh import triangulate
from cliphead_addon.engine.pipeline import generate, paint, tokens
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

SMALL = Settings(resolution=64, texture_size=256, steps=2, device="cpu")
PROMPT = Prompt("a laughing woman with long curls", seed=7)


@pytest.fixture(scope="module")
def head(models):
    return generate(PROMPT, models, SMALL)


def same_shape(head, other):
    for name in ("vertices", "faces", "canonical"):
        np.testing.assert_array_equal(getattr(head.unwrapped.mesh, name), getattr(other.unwrapped.mesh, name))
    np.testing.assert_array_equal(head.unwrapped.uv, other.unwrapped.uv)


def difference(textures, others, where):
    """Mean over the texels of a coverage."""
    return np.abs(textures.albedo.astype(int) - others.albedo)[where].mean()


def sent_back(head):
    """A generated head as it comes back from a scene: triangles."""
    mesh, uv, faces = head.unwrapped.mesh, head.unwrapped.uv, head.unwrapped.mesh.faces
    if faces.shape[1] == 4:
        faces, uv = triangulate(faces), triangulate(uv)
    return unwrapped_already(mesh.vertices, faces, uv, head.unwrapped.seam, mesh.canonical, mesh.hair.vertices, mesh.hair.faces)


def test_a_look_changes_the_texture_alone(head, models):
    looked = generate(replace(PROMPT, look={"text": "a zqxv zombie", "seed": 8}), models, SMALL)
    same_shape(looked, head)
    assert difference(looked.textures, head.textures, head.textures.coverage) > 10
    assert any(warning.startswith("For the texture:") and "zqxv" in warning for warning in looked.warnings)


def test_a_look_gives_the_texture_that_its_words_give(models):
    """Words do not shape a random head, so that one made with the look's own words has its texture."""
    prompt, look = Prompt("an old man", seed=7, random=True), {"text": "a zombie with red hair", "negative": "beard"}
    looked, other = (generate(replace(prompt, **change), models, SMALL) for change in ({"look": look}, look))
    same_shape(looked, other)
    np.testing.assert_array_equal(looked.textures.albedo, other.textures.albedo)
    assert looked.textures.hair_colour == other.textures.hair_colour and looked.recipe["prompt"]["look"] == look


def test_blends_mix_the_looks_of_their_parents(models):
    parents = Prompt("a man", look={"text": "a ghost"}), Prompt("a woman")
    blend = Prompt("a man", mix={"from": asdict(parents[0]), "to": asdict(parents[1]), "share": 0.25})
    ghost, woman = (models.text.encode(text).tokens for text in ("a ghost", "a woman"))
    np.testing.assert_allclose(tokens(blend, models.text), 0.75 * ghost + 0.25 * woman, atol=1e-6)
    np.testing.assert_array_equal(tokens(replace(blend, look={"text": "a ghost"}), models.text), ghost)


def test_quads_that_are_there_get_nearly_the_texture_they_were_generated_with(head, models):
    """Their normals are smoother than those of the surface's triangles, which guided it then."""
    again = paint(PROMPT, models, SMALL, sent_back(head))[0]
    assert difference(again, head.textures, head.textures.coverage) < 6
    assert np.abs(np.subtract(again.hair_colour, head.textures.hair_colour)).max() <= 2


def test_triangles_that_are_there_get_the_very_texture_they_were_generated_with(models):
    head = generate(PROMPT, models, replace(SMALL, topology="dense"))
    again = paint(PROMPT, models, SMALL, sent_back(head))[0]
    np.testing.assert_array_equal(again.albedo, head.textures.albedo)
    assert again.hair_colour == head.textures.hair_colour


def test_hair_that_is_one_surface_with_the_skin_is_dyed(head, models):
    settings, prompt = replace(SMALL, hair="merged"), replace(PROMPT, look={"text": "a woman with green hair"})
    bald = replace(sent_back(head), mesh=replace(sent_back(head).mesh, hair=None))
    textures, _ = paint(prompt, models, settings, bald)
    assert textures.hair_colour == (60, 140, 70)
    assert paint(prompt, models, SMALL, bald)[0].hair_colour is None  # nothing that could be coloured


def test_a_mesh_turned_inside_out_is_painted_like_any_other(head):
    mesh, faces, uv = head.unwrapped.mesh, triangulate(head.unwrapped.mesh.faces), triangulate(head.unwrapped.uv)
    right = unwrapped_already(mesh.vertices, faces, uv, head.unwrapped.seam)
    turned = unwrapped_already(mesh.vertices, faces[:, ::-1], uv[:, ::-1], head.unwrapped.seam)
    np.testing.assert_allclose(turned.mesh.normals, right.mesh.normals, atol=1e-5)
    assert (np.einsum("vc,vc->v", right.mesh.normals, mesh.normals) > 0.9).mean() > 0.99
