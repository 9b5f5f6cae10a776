"""The noise that pictures are made from, keyed by a seed of the user's and a picture's number.

It is NumPy's, so the same weights make the same pictures in every framework, but for rounding.
"""

from typing import Any

from knock.data.batches import random_draws
from knock.recipe import Recipe

import msgspec
from numpy.typing import NDArray

AT_ONCE = 100
"""How many pictures are made at a time."""

_BEFORE_TRAINING = -1  # from here down, steps whose draws no training step has


def of(recipe: Recipe, seed: int, first: int, count: int, size: int) -> dict[str, NDArray[Any]]:
    """All that a recipe draws for `count` pictures from number `first` on: by name, N×shape.

    They are drawn `size` at a time, of which `first` is a multiple, and `count` is at most that. So
    what a picture is made from depends on the seed and its number only, however many are made.
    Draws that are the same in every batch are the run's own.
    """
    step = _BEFORE_TRAINING - first
    drawn = random_draws(msgspec.structs.replace(recipe, seed=seed), step, size, "sampling")
    if any(draw.fixed for draw in recipe.draws.values()):
        own = random_draws(recipe, step, size, "sampling")
        drawn |= {name: rows for name, rows in own.items() if recipe.draws[name].fixed}
    whole = {name for name in drawn if recipe.draws[name].rows is not None}
    return {name: rows if name in whole else rows[:count] for name, rows in drawn.items()}
