"""The way from one noise to another."""

import math
from collections.abc import Sequence
from typing import Any

from knock.recipe import Draw

import numpy as np
from numpy.typing import NDArray


def between(
    draw: Draw, start: NDArray[Any], end: NDArray[Any], shares: Sequence[float]
) -> NDArray[Any]:
    """The points of the way at `shares` (from 0, at the start, to 1): N×shape.

    Uniform noise goes straight, as in question 06: every point lies within the cube that noise is
    drawn from. On a straight line, normal noise would come nearer to the origin than it is ever
    drawn. Its way is the arc cos(πt/2)·a + sin(πt/2)·b: as the squares of the two factors sum to 1,
    every point is itself distributed as N(0, 1) (White 2016, "Sampling generative networks", arXiv
    1609.04468, has the arc through the angle between a and b, which in high dimensions is about a
    right one).
    """
    points: NDArray[Any]
    along = np.array(shares).reshape(-1, *[1] * start.ndim)
    if draw.distribution == "normal":
        points = np.cos(along * math.pi / 2) * start + np.sin(along * math.pi / 2) * end
    else:
        points = (1 - along) * start + along * end
    return points.astype(start.dtype, copy=False)


def name(draw: Draw) -> str:
    """What the way is called."""
    return "an arc" if draw.distribution == "normal" else "a straight line"


def even(count: int) -> list[float]:
    """`count` shares in equal steps, both ends included."""
    return [k / (count - 1) for k in range(count)]


def eased(count: int) -> list[float]:
    """`count` shares, both ends included, that leave slowly and arrive slowly."""
    return [(1 - math.cos(math.pi * share)) / 2 for share in even(count)]


def there_and_back(count: int) -> list[int]:
    """The places of `count` pictures in a film that goes there and back and begins anew."""
    return [*range(count), *range(count - 2, 0, -1)]
