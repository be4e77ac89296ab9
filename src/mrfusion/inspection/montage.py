"""A montage of a data set: modalities in rows, cases in columns, regions outlined in colours for all eyes."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mrfusion.files import writing
from mrfusion.inspection.look import Inspection, View
from mrfusion.run_folder.slice_view import outline

TILE = 220  # pixels of the longer side
MARGIN, LINE = 84, 24
# Okabe and Ito (2008): told apart in all common forms of colour blindness, here in the order of contrast on grey
COLOURS = ((86, 180, 233), (230, 159, 0), (240, 228, 66), (204, 121, 167), (0, 158, 115), (213, 94, 0))
Colour = tuple[int, int, int]


def write_montage(path: Path, inspection: Inspection) -> None:
    """Write a PNG, whole or not at all; where no case could be read, it says so."""
    columns, rows = max(1, len(inspection.views)), max(1, len(inspection.modalities))
    size = (MARGIN + columns * (TILE + 4), LINE + rows * (TILE + 4) + LINE)
    sheet = Image.new("RGB", size, "black")
    pen = ImageDraw.Draw(sheet)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(inspection.regions)}
    for column, view in enumerate(inspection.views):
        left = MARGIN + column * (TILE + 4)
        _write(pen, (left, 4), view.case, TILE)
        for row, modality in enumerate(inspection.modalities):
            corner = (left, LINE + row * (TILE + 4))
            if modality in view.images:
                sheet.paste(_tile(view, modality, colours), corner)
            else:
                _write(pen, (left + 8, corner[1] + TILE // 2), "missing", TILE)
    for row, modality in enumerate(inspection.modalities):
        _write(pen, (4, LINE + row * (TILE + 4) + TILE // 2), modality, MARGIN - 8)
    if not inspection.views:
        _write(pen, (MARGIN + 8, LINE + 8), "no case could be read", TILE)
    _legend(pen, size[1] - LINE + 4, colours)
    with writing(path) as temporary:
        sheet.save(temporary, "PNG")


def _tile(view: View, modality: str, colours: dict[str, Colour]) -> Image.Image:
    """One image with true proportions in the middle of a square, and the outlines at the square's resolution."""
    image = view.images[modality]
    height, width = image.shape[0] * view.pixel_mm[0], image.shape[1] * view.pixel_mm[1]
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR).convert("RGB"))
    for name, mask in sorted(view.masks.items(), key=lambda entry: -int(entry[1].sum())):
        large = np.array(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
        picture[outline(large)] = colours[name]
    square = Image.new("RGB", (TILE, TILE), "black")
    square.paste(Image.fromarray(picture), ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    return square


def _legend(pen: ImageDraw.ImageDraw, top: int, colours: dict[str, Colour]) -> None:
    left = MARGIN
    for name, colour in colours.items():
        pen.line((left, top + 8, left + 20, top + 8), fill=colour, width=3)
        _write(pen, (left + 26, top), name, 400)
        left += 42 + int(pen.textlength(_plain(name), _font()))


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """White text, cut where it is wider than ``width`` pixels: the end of a name tells cases apart, so it stays."""
    shown = _plain(text)
    while len(shown) > 4 and pen.textlength(shown, _font()) > width:
        shown = "…" + shown[2:]
    pen.text(place, shown, fill="white", font=_font())


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(13)
