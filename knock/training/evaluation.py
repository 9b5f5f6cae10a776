"""What the test set says of a model: its mean losses, and the scores that the recipe asks for."""

from collections.abc import Iterator, Sequence
from typing import Any

from knock.data.batches import random_draws, to_pixels, to_unit, unit_pair
from knock.data.imageset import ImageSet
from knock.frameworks.adapter import Adapter
from knock.recipe import Recipe
from knock.training import score
from knock.training.score import Generated

import numpy as np

_BEFORE_TRAINING = -1  # from here down, steps whose draws no training step has

_ENOUGH = 1000  # pictures at least that are made to be judged


class TestSet:
    """The test pictures of a run, and batches of them with draws that no training step has.

    `shown` are the places of those that are drawn while it trains: from all over the set.
    """

    def __init__(self, pictures: ImageSet, recipe: Recipe, adapter: Adapter) -> None:
        self.pictures = pictures
        self.recipe = recipe
        self.adapter = adapter
        shown = min(recipe.train.shown, len(pictures))
        self.shown = [i * len(pictures) // shown for i in range(shown)]

    def examples(self) -> dict[str, Any]:
        """The batch that is drawn while a run trains, always the same one: on the device."""
        return self.adapter.to_device(self._batch(self.shown, 0))

    def batches(self, asked: int) -> Iterator[dict[str, Any]]:
        """`asked` test pictures, a batch of arrays at a time; after the last the first come again.

        A picture that comes again has other draws.
        """
        size = self.recipe.train.batch_size
        for first in range(0, asked, size):
            places = np.arange(first, min(first + size, asked)) % len(self.pictures)
            yield self._batch(places, first)

    def _batch(self, places: Sequence[int] | np.ndarray[Any, Any], number: int) -> dict[str, Any]:
        images, recipe = self.pictures, self.recipe
        batch: dict[str, Any] = {"labels": images.labels[places]}
        if recipe.pairs:
            batch["images"], batch["targets"] = unit_pair(images, places, recipe)
        else:
            batch["images"] = to_unit(images.images[places], recipe.dtype)
        return {**batch, **random_draws(recipe, _BEFORE_TRAINING - number, len(batch["images"]))}


def report(model: Any, test: TestSet, train_set: ImageSet) -> dict[str, Any]:
    """Print what the test set says of a model; the scores that the recipe asks for, by name.

    For a model that has `loss_terms`, their means over all test pictures are printed, too. Raises
    UserError when a score cannot be taken on this data set.
    """
    if hasattr(model, "loss_terms"):
        means = ", ".join(f"{name} {value:.5g}" for name, value in _losses(model, test).items())
        print(f"all {len(test.pictures)} test images: {means}")
    found: dict[str, Any] = {}
    for name in test.recipe.scores:
        wanted = score.SCORES[name]
        made = _generated(model, wanted.method, test)
        scored = wanted.judge(made, train_set.middle(test.recipe.augment.crop), test.pictures)
        if scored:
            print(scored.line)
            found[name] = scored.numbers
    return found


def _losses(model: Any, test: TestSet) -> dict[str, float]:
    """Each loss term's mean over all test pictures."""
    count, sums = len(test.pictures), dict[str, float]()
    for batch in test.batches(count):
        share = len(batch["images"]) / count
        for name, value in model.loss_terms(test.adapter.to_device(batch)).items():
            sums[name] = sums.get(name, 0.0) + share * float(test.adapter.to_numpy(value))
    return sums


def _generated(model: Any, method: str, test: TestSet) -> Iterator[Generated]:
    """What a method says of every test picture's batch, and what was asked of it.

    A small test set is asked for more than once, each time with other draws, unless each of
    its pictures has one right answer.
    """
    recipe, count = test.recipe, len(test.pictures)
    names = recipe.methods[method]
    free = not recipe.pairs and set(names) & set(recipe.draws)
    for batch in test.batches(max(count, _ENOUGH) if free else count):
        given = test.adapter.to_device(batch)
        made = getattr(model, method)(*(given[name] for name in names))
        targets = to_pixels(batch["targets"]) if "targets" in batch else None
        yield Generated(test.adapter.to_numpy(made), batch["labels"], targets)
