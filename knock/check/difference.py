"""How far an answer's numbers are from the judge's, and how far they may be."""

from collections.abc import Mapping
from typing import Any

from knock.recipe import Recipe

import numpy as np
from numpy.typing import NDArray

TOLERANCE = {
    "parameters": 0.0,
    "forward": 1e-12,
    "loss": 1e-12,
    "gradients": 1e-12,
    "switches": 1e-12,
    "10 steps": 1e-11,
    "100 steps": 1e-8,
    "batch norm": 1e-8,
    "checkpoint": 1e-12,
}
"""For each stage, the largest relative difference that passes, in float64.

Four frameworks stay below it, with room for another machine's order of summation. Any mistake makes
a far larger difference."""


def relative(got: NDArray[Any], expected: NDArray[Any]) -> float:
    """‖got − expected‖ / ‖expected‖ over all numbers.

    Infinite where the shapes differ, or where a number is NaN or infinite.
    """
    if got.shape != expected.shape or not np.isfinite(got).all():
        return float("inf")
    scale = float(np.linalg.norm(expected))
    difference = float(np.linalg.norm(got - expected))
    return difference / scale if scale else difference


def of_output(name: str, got: NDArray[Any], expected: NDArray[Any], recipe: Recipe) -> float:
    """The relative difference of an output, as a share of what it may be, times that of all.

    A recipe may allow more for an output that is a small difference of large numbers.
    """
    allowed = recipe.loose.get(name, TOLERANCE["forward"])
    return relative(got, expected) * (TOLERANCE["forward"] / allowed)


def of_losses(got: Mapping[str, float], expected: Mapping[str, float]) -> float:
    """The largest relative difference of a step's losses; infinite where one is not there."""
    worst = 0.0
    for name, value in expected.items():
        if name not in got or not np.isfinite(got[name]):
            return float("inf")
        worst = max(worst, abs(got[name] - value) / (abs(value) or 1.0))
    return worst
