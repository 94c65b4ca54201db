"""From a sentence to a head with the bundled starter pack, small and quick."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine.errors import Cancelled, ClipHeadError
from cliphead_addon.engine.models import choose_device
from cliphead_addon.engine.pipeline import generate
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import Prompt

SMALL = Settings(resolution=64, texture_size=256, steps=2, device="cpu")
ODD_PROMPTS = ("an old man " * 700, "😀 a laughing woman 🎉", "אישה צעירה, a young woman", "a\x07 man\x1b[31m")
PROMPT = Prompt("an old man with a wide nose, laughing", seed=7)


@pytest.fixture(scope="module")
def head(models):
    return generate(PROMPT, models, SMALL)


class OtherReader:
    """Another CLIP's text tower: the same shapes, other token features, no vocabulary."""

    def __init__(self, text):
        self.text = text

    def encode(self, text, required=True):
        return replace(self.text.encode(text, required), tokens=np.zeros((4, 3), np.float32), warnings=())


def test_the_texture_keeps_its_own_reader_beside_another_clip(head, models):
    adapted = replace(models, text=OtherReader(models.text), texture_text=models.text)
    same = generate(PROMPT, adapted, SMALL)
    np.testing.assert_array_equal(same.textures.albedo, head.textures.albedo)
    told = generate(Prompt("an old zyzzyva man", seed=7), adapted, replace(SMALL, hair="none")).warnings
    assert [warning for warning in told if warning.startswith("For the texture:") and "zyzzyva" in warning]


def all_turn_left(uv):
    """Whether every corner of polygons (F,n,2) is convex."""
    side = np.roll(uv.astype(np.float64), -1, axis=1) - uv
    before = np.roll(side, 1, axis=1)
    return (before[..., 0] * side[..., 1] - before[..., 1] * side[..., 0] > 0).all()


def test_a_sentence_becomes_a_textured_head(head):
    mesh, uv = head.unwrapped.mesh, head.unwrapped.uv
    assert uv.shape == (len(mesh.faces), 4, 2) and uv.min() >= 0 and uv.max() <= 1
    assert all_turn_left(uv)  # no quad is flipped or folded
    assert head.unwrapped.report["flipped"] == 0
    assert head.textures.albedo.shape == (256, 256, 3) and head.textures.albedo.dtype == np.uint8
    assert head.textures.coverage.mean() > 0.5


def test_dense_triangles_have_the_texture_of_the_quads(head, models):
    dense = generate(PROMPT, models, replace(SMALL, topology="dense"))
    uv = dense.unwrapped.uv
    assert uv.shape == (len(dense.unwrapped.mesh.faces), 3, 2) and all_turn_left(uv)
    np.testing.assert_array_equal(dense.textures.albedo, head.textures.albedo)
    np.testing.assert_array_equal(dense.textures.normal_uv, head.textures.normal_uv)


def test_all_heads_share_their_quads(head, models):
    other = generate(Prompt("a young woman, surprised", seed=3), models, SMALL)
    np.testing.assert_array_equal(other.unwrapped.mesh.faces, head.unwrapped.mesh.faces)
    np.testing.assert_array_equal(other.unwrapped.uv, head.unwrapped.uv)
    np.testing.assert_array_equal(other.unwrapped.seam, head.unwrapped.seam)
    assert not other.warnings


def test_density_changes_the_number_of_quads_and_shape_keys_come_along(models):
    few, many = (generate(PROMPT, models, replace(SMALL, density=name, shape_keys=("smile",))) for name in ("low", "high"))
    assert len(many.unwrapped.mesh.faces) == 16 * len(few.unwrapped.mesh.faces)
    for head in (few, many):
        assert head.unwrapped.mesh.displacements["smile"].shape == head.unwrapped.mesh.vertices.shape


def test_a_pack_without_quads_gives_dense_triangles_and_a_warning(models):
    head = generate(PROMPT, replace(models, quads=None), replace(SMALL, shape_keys=("smile",)))
    assert head.unwrapped.mesh.faces.shape[1] == 3 and "smile" in head.unwrapped.mesh.displacements
    assert any("quad" in warning for warning in head.warnings)


def test_the_recipe_is_json_and_makes_the_same_head_again(head, models):
    recipe = json.loads(json.dumps(head.recipe))
    settings = recipe["settings"] | {"shape_keys": tuple(recipe["settings"]["shape_keys"])}
    again = generate(Prompt(**recipe["prompt"]), models, Settings(**settings))
    np.testing.assert_array_equal(again.unwrapped.mesh.vertices, head.unwrapped.mesh.vertices)
    np.testing.assert_array_equal(again.textures.albedo, head.textures.albedo)


def test_seeds_vary_the_head_and_variation_zero_does_not(head, models):
    other = generate(replace(PROMPT, seed=8), models, SMALL).unwrapped.mesh
    assert other.vertices.shape != head.unwrapped.mesh.vertices.shape or not np.allclose(
        other.vertices, head.unwrapped.mesh.vertices
    )
    mean = [generate(replace(PROMPT, seed=seed, variation=0.0), models, SMALL).unwrapped.mesh for seed in (7, 8)]
    np.testing.assert_array_equal(mean[0].vertices, mean[1].vertices)


def test_a_named_expression_replaces_the_sentences_own(models):
    open_mouth, shut = (
        generate(replace(PROMPT, variation=0.0, expression=name), models, SMALL).unwrapped.mesh
        for name in ("Mouth open", "neutral")
    )
    np.testing.assert_array_equal(open_mouth.canonical, shut.canonical)
    assert (shut.vertices - open_mouth.vertices)[:, 1].max() * 250 > 8  # mm that the jaw falls


def test_texture_coordinates_do_not_depend_on_the_expression(models):
    one, other = (generate(replace(PROMPT, expression=name), models, SMALL).unwrapped for name in ("kiss", "laugh"))
    np.testing.assert_array_equal(one.uv, other.uv)


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01\x02", "\u200b"])
def test_prompts_without_words_are_refused_clearly(models, text):
    with pytest.raises(ClipHeadError, match=r"[Dd]escribe|[Ww]rite|words"):
        generate(Prompt(text), models, SMALL)


@pytest.mark.parametrize("text", ODD_PROMPTS)
def test_odd_prompts_give_a_sane_head(models, text):
    head = generate(Prompt(text), models, SMALL)
    assert 0.2 < np.ptp(head.unwrapped.mesh.vertices[:, 1]) * 0.25 < 0.4


def test_unknown_words_are_named(models):
    head = generate(Prompt("a man with a zqxv nose"), models, SMALL)
    assert any("zqxv" in warning for warning in head.warnings)


def test_every_stage_reports_and_can_be_cancelled(models):
    stages = []
    generate(PROMPT, models, SMALL, lambda stage, fraction: stages.append(stage))
    for stage in dict.fromkeys(stages):

        def cancel(name, fraction, stage=stage):
            if name == stage:
                raise Cancelled()

        with pytest.raises(Cancelled):
            generate(PROMPT, models, SMALL, cancel)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ClipHeadError, match="cpu"):
        choose_device("abacus")
