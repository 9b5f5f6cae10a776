"""Grids of pictures, and how they are written."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from knock.files import write_atomically

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

ACROSS = 10
"""How many pictures stand side by side in a sheet of samples."""

_GAP = 2  # pixels between the pictures of a grid

_WHITE = 255
_TEXT = 14  # pixels; less where what is written beside is lower
_MARGIN = 6  # pixels on either side of a word
_LARGE = 64  # pixels a side, from which pictures are shown twice as large, and not larger


def grid(rows: Sequence[Pixels], across: int | None = None) -> Pixels:
    """Rows of pictures (each N×H×W×C, C 1 or 3) as one H'×W'×3 picture on white.

    A row of more than `across` pictures goes on in the next line; without it no row is broken.
    """
    lines = []
    for whole in rows:
        width = across or len(whole)
        lines += [_line(whole[i : i + width]) for i in range(0, len(whole), width)]
    widest = max(line.shape[1] for line in lines)
    padded = [
        np.pad(line, ((0, 0), (0, widest - line.shape[1]), (0, 0)), constant_values=_WHITE)
        for line in lines
    ]
    return np.concatenate(padded)


def band(
    rows: Mapping[str, Pixels], name: str, across: int, whole: bool = False
) -> tuple[int, int]:
    """Where in such a grid the first line of a row lies, or the whole row: from and to which pixel.

    Raises KeyError where no row has this name.
    """
    top = 0
    for row, pixels in rows.items():
        height = pixels.shape[1] + 2 * _GAP
        lines = -(-len(pixels) // across)
        if row == name:
            return top, top + height * (lines if whole else 1)
        top += height * lines
    raise KeyError(name)


def _line(row: Pixels) -> Pixels:
    count, height, width, _ = row.shape
    line = np.full((height + 2 * _GAP, count * (width + _GAP) + _GAP, 3), _WHITE, np.uint8)
    for i, picture in enumerate(row):
        left = _GAP + i * (width + _GAP)
        line[_GAP : _GAP + height, left : left + width] = picture  # grey fills all three
    return line


def write_png(path: Path, picture: Pixels, enlarge: int = 1) -> None:
    """Write an H×W×3 RGB picture, each pixel `enlarge` times as wide and high.

    Raises UserError when it cannot be written.
    """
    write_atomically(path, as_png(picture, enlarge))


def as_png(picture: Pixels, enlarge: int = 1) -> bytes:
    """The PNG file that `write_png` writes."""
    import cv2

    bigger = picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    _, data = cv2.imencode(".png", bigger[:, :, ::-1])
    return bytes(data.tobytes())


def write_rows(path: Path, rows: Mapping[str, Pixels], enlarge: int) -> None:
    """Write rows of pictures (each N×H×W×C), at most `ACROSS` of them side by side, with names.

    Raises UserError when it cannot be written.
    """
    write_png(path, named(list(rows.items()), ACROSS, enlarge))


def named(rows: Sequence[tuple[str, Pixels]], across: int, enlarge: int) -> Pixels:
    """Rows of pictures (each N×H×W×C) as one picture (H'×W'×3), each with its name to its left.

    A row goes on in the next line after `across` pictures. Where no row has a name, there is no
    margin for names.
    """
    drawn = grid([row for _, row in rows], across)
    drawn = drawn.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    names = [name for name, _ in rows]
    if not any(names):
        return drawn
    heights = [-(-len(row) // across) * (row.shape[1] + 2 * _GAP) * enlarge for _, row in rows]
    middles = np.cumsum(heights) - np.array(heights) / 2
    return beside(drawn, names, middles.tolist(), _lowest(dict(rows), enlarge))


def names_width(rows: Mapping[str, Pixels], enlarge: int) -> int:
    """The columns, left of the pictures, that `write_rows` gives to the names."""
    return _margin(list(rows), _lowest(rows, enlarge))


def _lowest(rows: Mapping[str, Pixels], enlarge: int) -> int:
    return enlarge * min(int(pixels.shape[1]) for pixels in rows.values())


def beside(drawn: Pixels, words: Sequence[str], middles: Iterable[float], height: int) -> Pixels:
    """A picture (H×W×3) with words to its left, each at a height, and at most `height` high."""
    font = ImageFont.load_default(min(_TEXT, height))
    left = _margin(words, height)
    made = Image.new("RGB", (left + drawn.shape[1], len(drawn)), "white")
    made.paste(Image.fromarray(drawn), (left, 0))
    draw = ImageDraw.Draw(made)
    for word, middle in zip(words, middles, strict=True):
        draw.text((left - _MARGIN, middle), word, "black", font, anchor="rm")
    return np.asarray(made)


def _margin(words: Sequence[str], height: int) -> int:
    font = ImageFont.load_default(min(_TEXT, height))
    return 2 * _MARGIN + max(math.ceil(font.getlength(word)) for word in words)


def enlargement(side: int) -> int:
    """How many times to enlarge pictures of `side` pixels so that a person can see them."""
    return 2 if side == _LARGE else max(1, round(_LARGE / side))
