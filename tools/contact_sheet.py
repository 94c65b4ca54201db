"""Many portraits on one picture."""

from PIL import Image, ImageDraw, ImageFont

TILE, LABEL = 320, 22  # px


def contact_sheet(tiles, labels, columns):
    """Portraits with a line of text under each, `columns` side by side. -> PIL image"""
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * (TILE + LABEL)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for i, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        x, y = i % columns * TILE, i // columns * (TILE + LABEL)
        sheet.paste(tile, (x, y))
        draw.text((x + TILE / 2, y + TILE + LABEL / 2), label, fill="black", font=font, anchor="mm")
    return sheet
