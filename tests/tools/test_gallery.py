"""Contact sheets: every head in its place, every expression on its sheet."""

from types import SimpleNamespace

from PIL import Image

from tools import contact_sheet, gallery
from tools.studio.hair import STYLE_NAMES


def test_tiles_stand_in_rows_in_the_order_given():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    tiles = [Image.new("RGB", (contact_sheet.TILE, contact_sheet.TILE), colour) for colour in colours]
    sheet = contact_sheet.contact_sheet(tiles, ["one", "two", "three"], columns=2)
    assert sheet.size == (2 * contact_sheet.TILE, 2 * (contact_sheet.TILE + contact_sheet.LABEL))
    below = contact_sheet.TILE + contact_sheet.LABEL
    assert [sheet.getpixel(place) for place in ((5, 5), (contact_sheet.TILE + 5, 5), (5, below + 5))] == colours
    labelled = sheet.crop((0, contact_sheet.TILE, contact_sheet.TILE, below))
    assert labelled.convert("L").getextrema()[0] < 128  # there is text


def test_every_named_expression_has_a_tile():
    models = SimpleNamespace(head=SimpleNamespace(expressions={"smile": 0, "neutral": 0}, hair=None))
    _, tiles = gallery.sheets(models)["expressions"]
    assert [(label, prompt.expression) for label, prompt in tiles] == [("neutral", "neutral"), ("smile", "smile")]


def test_every_hair_style_has_a_tile_in_a_pack_with_hair():
    head = SimpleNamespace(expressions={}, hair=object())
    _, tiles = gallery.sheets(SimpleNamespace(head=head))["hair"]
    assert len(tiles) == len(STYLE_NAMES)
    assert len({prompt.text for _, prompt in tiles}) == len(tiles)
    head.hair = None
    assert "hair" not in gallery.sheets(SimpleNamespace(head=head))
