"""Grids of pictures, and how they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from knock.files import write_atomically

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

ACROSS = 10
"""How many pictures stand side by side in a sheet of samples."""

_GAP = 2  # pixels between the pictures of a grid

_WHITE = 255


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


def band(rows: Mapping[str, Pixels], name: str, across: int) -> tuple[int, int]:
    """Where in such a grid the first line of a row lies: from which pixel's height to which."""
    top = 0
    for row, pixels in rows.items():
        height = pixels.shape[1] + 2 * _GAP
        if row == name:
            return top, top + height
        top += height * -(-len(pixels) // across)
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
    import cv2

    bigger = picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    _, data = cv2.imencode(".png", bigger[:, :, ::-1])
    write_atomically(path, data.tobytes())


def write_rows(path: Path, rows: Mapping[str, Pixels], enlarge: int) -> None:
    """Write rows of pictures (each N×H×W×C), at most `ACROSS` of them side by side.

    Raises UserError when it cannot be written.
    """
    write_png(path, grid(list(rows.values()), ACROSS), enlarge)


def enlargement(side: int, wanted: int = 64) -> int:
    """How many times to enlarge pictures of `side` pixels so that a person can see them."""
    return max(1, round(wanted / side))
