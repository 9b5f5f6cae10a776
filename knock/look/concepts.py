"""What pictures show, measured: how much ink, how slanted, and which strokes where."""

from knock.data.imageset import Pixels

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMOOTH = 1.5  # pixels: strokes this near to a place are seen there
_STRONG = 0.6  # the share of all places that have too little of a stroke
_CLEARLY = 3.0  # times as much of one direction as of the other


def ink(pixels: Pixels) -> Floats:
    """The mean grey level of each picture, 0 … 255: float64 N of uint8 N×H×W×C."""
    found: Floats = pixels.mean((1, 2, 3))
    return found


def slant(pixels: Pixels) -> Floats:
    """How far to the right a picture leans on its way up, in pixels a pixel: float64 N.

    The slope of the best line through the ink, x as a function of y: 0 is upright, 1 leans by 45°,
    and 0 also stands for a picture without ink.
    """
    p = pixels.mean(3) / 255
    _, height, width = p.shape
    total = np.maximum(p.sum((1, 2), keepdims=True), 1e-9)
    y, x = np.mgrid[height - 1 : -1 : -1, 0:width].astype(np.float64)
    y = y - (p * y).sum((1, 2), keepdims=True) / total
    x = x - (p * x).sum((1, 2), keepdims=True) / total
    found: Floats = (p * x * y).sum((1, 2)) / np.maximum((p * y * y).sum((1, 2)), 1e-9)
    return found


def strokes(pixels: Pixels) -> tuple[Floats, Floats]:
    """How much of a horizontal stroke, and of a vertical one, is at each pixel: float64 N×H×W.

    Where grey changes from row to row there is the edge of a horizontal stroke. The squares of
    Sobel's differences, smoothed: the diagonal of the structure tensor (Bigün & Granlund 1987).
    """
    import cv2

    across: list[Floats] = []
    along: list[Floats] = []
    for picture in pixels.mean(3) / 255:
        for found, (dx, dy) in ((across, (0, 1)), (along, (1, 0))):
            slope = cv2.Sobel(picture, cv2.CV_64F, dx, dy, ksize=3) / 8
            found.append(cv2.GaussianBlur(slope**2, (0, 0), _SMOOTH))
    return np.stack(across), np.stack(along)


def where(this: Floats, other: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """The places, N×height×width, with clearly more of one kind of strokes than of the other.

    Both are N×H×W, H and W multiples of height and width. A place counts if both together are
    among the strongest four tenths of all places.
    """
    this, other = (_coarse(one, height, width) for one in (this, other))
    both = this + other
    found: NDArray[np.bool_] = (both > np.quantile(both, _STRONG)) & (this > _CLEARLY * other)
    return found


def _coarse(maps: Floats, height: int, width: int) -> Floats:
    count, high, wide = maps.shape
    blocks = maps.reshape(count, height, high // height, width, wide // width)
    found: Floats = blocks.mean((2, 4))
    return found
