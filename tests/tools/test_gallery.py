"""Contact sheets: every head in its place, every expression on its sheet."""

from types import SimpleNamespace

from PIL import Image

from tools import gallery


def test_tiles_stand_in_rows_in_the_order_given():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    tiles = [Image.new("RGB", (gallery.TILE, gallery.TILE), colour) for colour in colours]
    sheet = gallery.contact_sheet(tiles, ["one", "two", "three"], columns=2)
    assert sheet.size == (2 * gallery.TILE, 2 * (gallery.TILE + gallery.LABEL))
    below = gallery.TILE + gallery.LABEL
    assert [sheet.getpixel(place) for place in ((5, 5), (gallery.TILE + 5, 5), (5, below + 5))] == colours
    labelled = sheet.crop((0, gallery.TILE, gallery.TILE, below))
    assert labelled.convert("L").getextrema()[0] < 128  # there is text


def test_every_named_expression_has_a_tile():
    models = SimpleNamespace(head=SimpleNamespace(expressions={"smile": 0, "neutral": 0}))
    _, tiles = gallery.sheets(models)["expressions"]
    assert [(label, prompt.expression) for label, prompt in tiles] == [("neutral", "neutral"), ("smile", "smile")]
