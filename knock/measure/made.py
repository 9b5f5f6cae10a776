"""The pictures that a run is measured by, from draws that are the same for all.

They have a seed of their own, so two runs of one question start from the same noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knock.data.batches import to_pixels, unit_pair
from knock.data.imageset import ImageSet, Labels, Pixels
from knock.recipe import Recipe
from knock.trained import draws
from knock.trained.model import Model
from knock.trained.opened import Opened

import numpy as np
from numpy.typing import NDArray

DRAWS = 16
"""The seed of the draws."""

METHOD = "generate"


@dataclass(frozen=True)
class Made:
    """Pictures that a run has made, uint8 N×H×W×C.

    `asked` are the classes asked for, int64 N; None where none can be asked for.
    """

    pixels: Pixels
    asked: Labels | None


def make(run: Opened, count: int, pairs: ImageSet | None, device: str, threads: int) -> Made:
    """Let a run make `count` pictures; the classes to ask for come in turn.

    `pairs` is the test set of a recipe of pairs, whose inputs come in turn, too. Raises UserError
    for networks that are not the recipe's, pictures that are not numbers, and a missing device.
    """
    model = Model(run, device, threads)
    parts = [to_pixels(model.ask(METHOD, batch)) for batch in _batches(run, count, pairs)]
    asked = _labels(run.recipe, 0, count) if run.classes else None
    return Made(np.concatenate(parts), asked)


def _batches(run: Opened, count: int, pairs: ImageSet | None) -> Iterator[dict[str, NDArray[Any]]]:
    """All that `generate` may ask for, some pictures at a time."""
    recipe = run.recipe
    # With pairs, batch normalisation may see the other pictures of a batch: as many as it knows.
    size = recipe.train.batch_size if recipe.pairs else draws.AT_ONCE
    for first in range(0, count, size):
        rows = min(size, count - first)
        batch = draws.of(recipe, DRAWS, first, rows, size)
        batch["labels"] = _labels(recipe, first, rows)
        if pairs is not None:
            places = (first + np.arange(rows)) % len(pairs)
            batch["images"], _ = unit_pair(pairs, places, recipe)
        yield batch


def _labels(recipe: Recipe, first: int, count: int) -> Labels:
    """The classes in turn, int64; zeros where there are none to ask for."""
    classes = recipe.constants.get("classes")
    most = classes if isinstance(classes, int) and classes > 0 else 1
    return ((first + np.arange(count)) % most).astype(np.int64)
