"""The pictures that a run makes, from draws that are the same for all.

The draws have a seed of their own and are NumPy's, so the same weights make the same pictures in
every framework, but for rounding, and two runs of one question start from the same noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knock import frameworks
from knock.data.batches import random_draws, to_pixels, unit_pair
from knock.data.imageset import ImageSet, Labels, Pixels
from knock.errors import UserError
from knock.frameworks.binding import WrongNetwork
from knock.measure.opened import Opened
from knock.recipe import Recipe
from knock.scripts import load as script

import msgspec
import numpy as np
from numpy.typing import NDArray

DRAWS = 16
"""The seed of the draws."""

_AT_ONCE = 100  # pictures
_BEFORE_TRAINING = -1  # from here down, steps whose draws no training step has


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
    recipe = run.recipe
    adapter = frameworks.load(run.framework)
    adapter.setup(device, recipe.dtype, threads)
    path = run.question.answer(run.framework)
    model = script.model_class(script.load(path), recipe.class_name, path)(recipe)
    adapter.build(model, recipe)
    networks = {k: v for k, v in run.checkpoint.state.items() if k.split(".")[0] in recipe.networks}
    try:
        adapter.write(model, recipe, networks)
    except WrongNetwork as error:
        raise UserError(
            f"{run.folder} is of another version of question {run.question.label}: {error}"
        ) from None
    parts = []
    for batch in _batches(run, count, pairs):
        given = adapter.to_device({name: batch[name] for name in run.needs})
        unit = adapter.to_numpy(model.generate(*(given[name] for name in run.needs)))
        if not np.isfinite(unit).all():
            raise UserError(f"{run.folder} makes NaN or infinite pictures: its training failed")
        parts.append(to_pixels(unit))
    return Made(np.concatenate(parts), _labels(recipe, 0, count) if run.conditional else None)


def _batches(run: Opened, count: int, pairs: ImageSet | None) -> Iterator[dict[str, NDArray[Any]]]:
    """All that `generate` may ask for, some pictures at a time."""
    recipe = run.recipe
    own = msgspec.structs.replace(recipe, seed=DRAWS)
    fixed = {name for name, draw in recipe.draws.items() if draw.fixed}  # the run's own, always
    # With pairs, batch normalisation may see the other pictures of a batch: as many as it knows.
    size = recipe.train.batch_size if recipe.pairs else _AT_ONCE
    for first in range(0, count, size):
        rows, step = min(size, count - first), _BEFORE_TRAINING - first
        drawn = random_draws(own, step, rows)
        kept = random_draws(recipe, step, rows) if fixed else {}
        batch = {**drawn, **{name: kept[name] for name in fixed if name in kept}}
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
