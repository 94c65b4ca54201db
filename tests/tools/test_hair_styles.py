"""Hair volumes: closed, on the skull, moved by their parameters; networks grow without forgetting. The styles need the data."""

from types import SimpleNamespace

import igl
import numpy as np
import pytest
import torch

from cliphead_addon.engine.geometry import frames
from cliphead_addon.engine.nets.nphm import IdentityConfig, IdentityNet
from tools.studio import hair
from tools.studio.ict import data_folder
from tools.train.widen import code_places, widen_expression, widen_identity


def sphere(radius=8.0, rows=24):
    """A closed latitude-longitude sphere: vertices (V,3), faces (F,3) outward."""
    theta = np.linspace(0, np.pi, rows + 1)[1:-1]
    phi = np.arange(2 * rows) * np.pi / rows
    ring = np.stack([np.outer(np.sin(theta), np.sin(phi)), np.outer(np.cos(theta), np.ones(len(phi))),
                     np.outer(np.sin(theta), np.cos(phi))], axis=-1)  # fmt: skip
    vertices = radius * np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    n, across = 2 * rows, np.arange(2 * rows)
    after = (across + 1) % n
    bands = [np.concatenate([np.stack([i * n + across, (i + 1) * n + across, i * n + after], 1),
                             np.stack([i * n + after, (i + 1) * n + across, (i + 1) * n + after], 1)])
             for i in range(rows - 2)]  # fmt: skip
    top = np.stack([np.full(n, len(vertices) - 2), across, after], 1)
    low = (rows - 2) * n
    bottom = np.stack([np.full(n, len(vertices) - 1), low + after, low + across], 1)
    return vertices, np.concatenate([*bands, top, bottom])


def boundary(faces):
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return (np.unique(edges, axis=0, return_counts=True)[1] != 2).sum()


@pytest.fixture
def ball():
    vertices, faces = sphere()
    volume = hair.Volume(
        vertices, faces, 0.1 * vertices, np.zeros_like(vertices), np.zeros((len(vertices), 1), np.float32),
        np.zeros(len(vertices), bool),
    )  # fmt: skip
    barber = SimpleNamespace(
        volume=lambda style: volume,
        vertices=lambda person, worn: volume.vertices + worn.volume * volume.thickness + worn.length * volume.drop,
    )
    return lambda worn: hair.HairShape(barber, None, worn)


def test_distances_to_a_ball_are_those_of_a_ball(ball):
    points = np.random.default_rng(0).uniform(-10, 10, (300, 3))
    found = ball(hair.Hair("bun")).sdf(frames.ict_to_nphm(points)) * frames.CM_PER_UNIT
    expected = (np.linalg.norm(points, axis=1) - 8).clip(-hair.FAR, hair.FAR)
    np.testing.assert_allclose(found, expected, atol=0.08)


def test_volume_moves_the_surface_outwards(ball):
    points, normals, seen = ball(hair.Hair("bun", volume=1.0)).sample_surface(500, np.random.default_rng(0))
    radius = np.linalg.norm(frames.nphm_to_ict(points), axis=1)
    np.testing.assert_allclose(radius, 8.8, atol=0.1)
    assert (normals * frames.nphm_to_ict(points)).sum(1).min() > 8 and seen.all()


def test_a_bald_head_is_far_from_hair_everywhere(ball):
    distance = ball(hair.Hair()).sdf(np.zeros((5, 3)))
    assert (distance * frames.CM_PER_UNIT == hair.FAR).all()


def test_parameters_name_the_style_and_leave_length_to_hair_that_hangs():
    row = hair.Hair("bob", 0.5, -1).parameters()
    assert row[hair.STYLE_NAMES.index("bob")] == 1 and row[:-2].sum() == 1 and row[-2:].tolist() == [0.5, -1]
    assert hair.Hair("afro", 0.5, -1).parameters()[-1] == 0
    assert hair.Hair().parameters().sum() == 1


def test_a_style_leads_from_a_bald_code_to_its_own():
    rng = np.random.default_rng(0)
    part = {name: rng.normal(size=5) for name in (*hair.STYLES, "volume", "length")}
    table = hair.directions(part)
    assert table.shape == (len(hair.STYLE_NAMES), 3, 5) and not table[hair.STYLE_NAMES.index(hair.BALD)].any()
    np.testing.assert_array_equal(table[hair.STYLE_NAMES.index("bob")], [part["bob"], part["volume"], part["length"]])
    np.testing.assert_array_equal(table[hair.STYLE_NAMES.index("afro"), 2], 0)


def test_a_radial_basis_map_repeats_affine_motion_and_its_control_points():
    rng = np.random.default_rng(1)
    control, points = rng.normal(size=(40, 3)) * 5, rng.normal(size=(30, 3)) * 5
    turn, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    matrix = hair.radial_basis_map(points, control)
    np.testing.assert_allclose(matrix @ (control @ turn + shift), points @ turn + shift, atol=1e-3)
    moved = rng.normal(size=(40, 3))
    np.testing.assert_allclose(hair.radial_basis_map(control, control) @ moved, moved, atol=0.02)


def test_smoothing_flattens_ripples_and_keeps_the_ball():
    vertices, faces = sphere()
    ripple = vertices * (1 + 0.05 * np.cos(np.arange(len(vertices)) * np.pi))[:, None]
    radius = np.linalg.norm(hair.smoothed(vertices, ripple, faces, 0.5), axis=1)
    assert radius.std() < 0.5 * np.linalg.norm(ripple, axis=1).std()
    np.testing.assert_allclose(radius.mean(), 8, rtol=0.03)


def test_the_largest_part_is_kept_and_closed():
    vertices, faces = sphere()
    open_ball = faces[(vertices[faces][..., 1] > -5).all(1)]
    small = 0.1 * vertices + [20, 0, 0]
    both = np.concatenate([vertices, small]), np.concatenate([open_ball, faces[:200] + len(vertices)])
    kept, closed = hair.largest_closed_part(*both)
    assert kept[:, 0].max() < 10 and boundary(closed) == 0


def test_hair_goes_with_the_person():
    man = SimpleNamespace(gender=1.0, age=70.0, ancestry={"african": 0.0})
    girl = SimpleNamespace(gender=0.0, age=10.0, ancestry={"african": 0.0})
    rng = np.random.default_rng(0)
    his = [hair.random_hair(rng, man).style for _ in range(400)]
    hers = [hair.random_hair(rng, girl).style for _ in range(400)]
    assert his.count(hair.BALD) > 40 and "pigtails" not in his
    assert hair.BALD not in hers and "receding" not in hers and "pigtails" in hers


def test_a_wider_network_computes_what_the_narrow_one_did():
    torch.manual_seed(0)
    old = IdentityConfig(4, 3, anchors=5, symmetric_pairs=2, hidden=16, anchor_hidden=8, blend_epsilon=0.0)
    new = IdentityConfig(6, 4, anchors=5, symmetric_pairs=2, hidden=19, anchor_hidden=8, out_dim=2, blend_epsilon=0.0)
    anchors, points, parameters = torch.randn(5, 3), torch.randn(2, 30, 3) * 0.3, torch.randn(2, 7)
    narrow, wide = IdentityNet(old, anchors), IdentityNet(new, anchors)
    before, after = torch.nn.Linear(7, old.latent), torch.nn.Linear(10, new.latent)
    states = [{f"net.{k}": v for k, v in net.state_dict().items()} | {f"code.{k}": v for k, v in code.state_dict().items()}
              for net, code in ((narrow, before), (wide, after))]  # fmt: skip
    state = widen_identity(*states, old, new)
    wide.load_state_dict({name[4:]: value for name, value in state.items() if name.startswith("net.")})
    after.load_state_dict({name[5:]: value for name, value in state.items() if name.startswith("code.")})
    with torch.no_grad():
        code, grown = before(parameters), after(torch.cat([parameters, torch.zeros(2, 3)], dim=1))
        torch.testing.assert_close(grown[:, code_places(old, new)], code)
        torch.testing.assert_close(wide(points, grown)[..., :1], narrow(points, code))
        torch.testing.assert_close(wide.anchors(grown), narrow.anchors(code))


def test_widening_needs_hidden_units_for_the_new_numbers():
    with pytest.raises(ValueError, match="hidden must grow"):
        widen_identity({}, {}, IdentityConfig(), IdentityConfig(latent_global=70))


def test_a_widened_expression_network_ignores_the_new_numbers():
    old = IdentityConfig(4, 3, anchors=5, symmetric_pairs=2, hidden=16)
    new = IdentityConfig(6, 4, anchors=5, symmetric_pairs=2, hidden=19)
    weight = torch.randn(8, old.latent + 15)
    wide = widen_expression({"net.compressor.0.weight": weight}, old, new)["net.compressor.0.weight"]
    code, anchors, grown = torch.randn(old.latent), torch.randn(15), torch.randn(new.latent)
    grown[code_places(old, new)] = code
    torch.testing.assert_close(wide @ torch.cat([grown, anchors]), weight @ torch.cat([code, anchors]))


def has_data():
    try:
        return data_folder() is not None
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_data(), reason="the open head data is not here")
def test_real_styles_are_closed_and_sit_on_the_skull():
    from tools.studio.people import Population

    population = Population()
    barber, person = hair.Barber(population), population.person(4)
    skin = population.vertices(person, {})
    for style in ("buzz cut", "braid", "shaggy"):
        volume = barber.volume(style)
        assert boundary(volume.faces) == 0
        vertices = barber.vertices(person, hair.Hair(style))
        top = skin[:11248, 1].max()
        assert 0 < vertices[:, 1].max() - top < 4
        inside = igl.fast_winding_number(vertices, volume.faces, np.array([[0.0, 0.0, 0.0], [0, top + 0.1, -1]])) > 0.5
        assert inside.tolist() == [False, True]  # a shell over the skin, not a filled skull
