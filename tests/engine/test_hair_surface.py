"""Hair from analytic fields: a head that is an ellipsoid on a neck, and hair that is a ball around its upper half."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cliphead_addon.engine.errors import ClipHeadError
from cliphead_addon.engine.geometry import hair, raster, topology
from cliphead_addon.engine.hair_colour import BY_WORD, colour_in_words, dye, hair_colour
from cliphead_addon.engine.head import HairPart, HeadModel
from cliphead_addon.engine.nets.nphm import ExpressionConfig, ExpressionNet, IdentityConfig, IdentityNet
from cliphead_addon.engine.settings import Settings
from cliphead_addon.engine.stages import HeadCode

LOW, HIGH = np.float32([-0.5, -0.5, -0.5]), np.float32([0.5, 0.6, 0.5])
HAIR_LOW, HAIR_HIGH = np.float32([-0.7, -0.7, -0.7]), np.float32([0.7, 0.8, 0.7])
CENTRE, RADIUS, HAIR_RADIUS = np.float32([0, 0.1, 0]), 0.35, 0.42
HAIRLINE = 0.15  # y, NPHM units


def skin(points):
    ball = np.linalg.norm(points - CENTRE, axis=1) - RADIUS
    neck = np.maximum(np.hypot(points[:, 0], points[:, 2]) - 0.15, points[:, 1])
    return np.minimum(ball, neck).astype(np.float32)


def cap(points):
    ball = np.linalg.norm(points - CENTRE, axis=1) - HAIR_RADIUS
    return np.maximum(ball, HAIRLINE - points[:, 1]).astype(np.float32)


def crumb(points):
    return (np.linalg.norm(points - [0.6, -0.6, 0], axis=1) - 0.05).astype(np.float32)


def bald(points):
    return np.full(len(points), 0.1, np.float32)


def torn_lock(points):
    """A lock that hangs beside the head, thinner than a network can tell from nothing: pierced twice."""
    lock = np.abs(points - [0.55, -0.2, 0]) - [0.02, 0.35, 0.2]
    holes = sum(0.0225 * np.exp(-(((points[:, 1:] - [y, 0]) / 0.03) ** 2).sum(axis=1)) for y in (-0.05, -0.3))
    return (lock.max(axis=1) + holes).astype(np.float32)


class AnalyticHead(HeadModel):
    """A head model of two fields; its expression network moves every point."""

    def __init__(self, hair_field):
        torch.manual_seed(0)
        config = IdentityConfig(latent_global=4, latent_local=2, anchors=7, symmetric_pairs=2, hidden=16, out_dim=2)
        expression = ExpressionNet(ExpressionConfig(config.latent, 3, anchors=7, compressed=2, hidden=16))
        codes = {"neutral": np.zeros(3, np.float32), "smile": np.ones(3, np.float32)}
        super().__init__(
            IdentityNet(config, np.zeros((7, 3))), expression, codes, LOW, HIGH, hair=HairPart(1, HAIR_LOW, HAIR_HIGH)
        )
        self._hair = hair_field

    def field(self, code):
        return skin

    def hair_field(self, code):
        return self._hair


@pytest.fixture(scope="module")
def code():
    return HeadCode(np.zeros(4 + 8 * 2, np.float32), np.zeros(3, np.float32))


@pytest.fixture(scope="module")
def found():
    return hair.extract(hair.union(cap, crumb), hair.inside_box(skin, LOW, HIGH), HAIR_LOW, HAIR_HIGH, 64)


def test_hair_lies_on_its_zero_set(found):
    vertices, _ = found
    voxel = 1.5 / 63
    assert np.abs(cap(vertices)).max() < 0.5 * voxel


def test_nothing_of_the_hair_is_hidden_inside_the_skin(found):
    vertices, faces = found
    depth = skin(vertices)
    assert (depth[faces].max(axis=1) > -hair.HIDDEN).all()
    assert np.abs(depth).min() < 0.02  # but it reaches the skin: there is no gap at the hairline
    everything, _ = hair.surface.isosurface(cap, HAIR_LOW, HAIR_HIGH, 64)
    assert (skin(everything) < -0.1).any()  # so there was something to hide


def test_hanging_hair_holds_together():
    def handles(field):
        return 1 - topology.euler(hair.extract(field, skin, HAIR_LOW, HAIR_HIGH, 200)[1]) / 2

    assert handles(torn_lock) == 2
    assert handles(hair.thickened(torn_lock)) == 0
    on_top = np.float32([[0, hair.HANGS[0] + 0.01, 0.2]])
    assert hair.thickened(cap)(on_top) == cap(on_top)  # the hairline stays where it is


def test_hair_faces_look_outward(found):
    vertices, faces = found
    a, b, c = vertices[faces].transpose(1, 0, 2)
    top = a[:, 1] > HAIRLINE + 0.1
    assert (np.einsum("nd,nd->n", np.cross(b - a, c - a), a - CENTRE)[top] > 0).all()


def test_loose_crumbs_are_left_out(found):
    assert found[0][:, 1].min() > 0


def test_every_vertex_is_used(found):
    vertices, faces = found
    np.testing.assert_array_equal(np.unique(faces), np.arange(len(vertices)))


def test_bald_heads_have_no_hair(code):
    assert hair.extract(bald, skin, HAIR_LOW, HAIR_HIGH, 48) is None
    assert AnalyticHead(bald).mesh(code, 40).hair is None


def test_hair_inside_the_skull_is_no_hair(code):
    assert AnalyticHead(lambda points: np.linalg.norm(points - CENTRE, axis=1) - 0.2).mesh(code, 40).hair is None


def test_hair_stays_where_it_is_under_every_expression(code):
    head = AnalyticHead(cap)
    neutral, smiling = head.mesh(code, 40), head.mesh(replace(code, expression=head.expressions["smile"]), 40)
    assert np.abs(neutral.vertices - smiling.vertices).max() > 1e-3
    np.testing.assert_array_equal(neutral.hair.vertices, smiling.hair.vertices)


def test_without_hair_only_the_skin_is_made(code):
    assert AnalyticHead(cap).mesh(code, 40, hair="none").hair is None


def test_merged_hair_is_one_disk_that_covers_skin_and_hair(code):
    mesh = AnalyticHead(cap).mesh(code, 48, ("smile",), hair="merged")
    assert mesh.hair is None
    assert topology.euler(mesh.faces) == 1 and len(topology.boundary_loops(mesh.faces)) == 1
    step = 1.1 / 47
    assert np.abs(np.minimum(skin(mesh.canonical), cap(mesh.canonical))).max() < step
    np.testing.assert_allclose(mesh.canonical[:, 1].min(), LOW[1], atol=1e-5)
    in_hair = skin(mesh.canonical) > hair.LOOSE
    assert in_hair.any() and (mesh.displacements["smile"][in_hair] == 0).all()
    np.testing.assert_array_equal(mesh.vertices[in_hair], mesh.canonical[in_hair])
    assert np.abs(mesh.displacements["smile"][skin(mesh.canonical) < 1e-3]).max() > 1e-4


def test_the_scalp_below_hair_is_found(code):
    head, mesh = AnalyticHead(cap), AnalyticHead(cap).mesh(code, 40, hair="none")
    covered = head.under_hair(code, mesh.canonical)
    assert covered.any() and mesh.canonical[covered, 1].min() > HAIRLINE
    assert mesh.canonical[~covered, 1].max() < HAIRLINE + 0.02


def test_the_hairs_colour_is_the_median_of_the_texture_below_it():
    albedo = np.full((64, 64, 3), 200, np.uint8)
    albedo[:32] = (90, 60, 30)
    faces = np.array([[0, 1, 2], [2, 3, 4]])
    uv = np.array([[[0.2, 0.8], [0.4, 0.8], [0.3, 0.9]], [[0.2, 0.1], [0.4, 0.1], [0.3, 0.2]]])  # v up: the first above
    assert hair.colour_below(albedo, uv, faces, np.array([True, True, True, False, False])) == (90, 60, 30)
    assert hair.colour_below(albedo, uv, faces, np.zeros(5, bool)) == hair.UNKNOWN_COLOUR


@pytest.mark.parametrize("scalp, found", [((60, 40, 30), (60, 40, 30)), ((210, 160, 140), (30, 20, 15))])
def test_over_a_bald_scalp_the_brows_tell_the_hairs_colour(scalp, found):
    albedo = np.full((64, 64, 3), (205, 155, 135), np.uint8)
    parts = np.zeros((64, 64), np.uint8)
    albedo[:16], parts[:16] = scalp, raster.PARTS.index("scalp")
    albedo[30:34:2], parts[30:34] = (30, 20, 15), raster.PARTS.index("brows")  # every other row shows the skin between hairs
    mesh = SimpleNamespace(faces=np.array([[0, 1, 2]]))
    unwrapped = SimpleNamespace(mesh=mesh, uv=np.array([[[0.2, 0.8], [0.4, 0.8], [0.3, 0.9]]]))
    covered = np.ones(3, bool)
    assert hair_colour("a woman", albedo, unwrapped, covered, parts) == found
    assert hair_colour("a woman with red hair", albedo, unwrapped, covered, parts) == BY_WORD["red"]
    assert hair_colour("a woman", albedo, unwrapped, covered) == scalp


def test_dye_colours_the_hair_of_a_merged_surface_and_keeps_its_shades():
    albedo = np.full((64, 64, 3), (200, 150, 130), np.uint8)
    albedo[:32, ::2] -= 16
    corners = np.float32([[0, 0], [1, 0], [1, 0.5], [0, 0.5], [1, 1], [0, 1]])
    faces = np.array([[0, 1, 2, 3], [3, 2, 4, 5]])
    unwrapped = SimpleNamespace(mesh=SimpleNamespace(faces=faces), uv=corners[faces])
    dyed = dye(albedo, (60, 30, 20), unwrapped, np.float32([0, 0, 1, 1, 1, 1])).astype(int)
    assert np.abs(dyed[62:] - albedo[62:]).max() < 12  # the neck's end of the skin
    above = dyed[:30].reshape(-1, 3)
    np.testing.assert_allclose(np.median(above, axis=0), (60, 30, 20), atol=3)
    assert np.ptp(above[:, 0]) >= 4
    bare = dye(albedo, (60, 30, 20), unwrapped, np.zeros(6, np.float32))
    np.testing.assert_array_equal(bare, albedo)


@pytest.mark.parametrize(
    "text, word",
    [
        ("a man with short dark brown hair", "dark brown"),
        ("a black man with long hair and red lipstick", None),
        ("a woman with red lips and black curly hair", "black"),
        ("a red-haired girl", "red"),
        ("an old lady, her hair is snow white", "snow white"),
        ("a blonde in a blue dress", "blonde"),
        ("a man with blue eyes", None),
        ("a girl with a long strawberry blonde ponytail", "strawberry blonde"),
        ("", None),
    ],
)
def test_the_words_name_the_hairs_colour(text, word):
    assert colour_in_words(text) == (word and BY_WORD[word])


def test_unknown_ways_to_have_hair_are_refused():
    with pytest.raises(ClipHeadError, match="merged"):
        Settings(hair="wig")
