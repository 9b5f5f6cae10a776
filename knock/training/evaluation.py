"""What the test set says of a model: its mean losses, and the scores that the recipe asks for."""

from collections.abc import Iterator, Sequence
from typing import Any

from knock.data.batches import both_kinds, random_draws, to_pixels, to_unit, unit_pair
from knock.data.imageset import ImageSet
from knock.frameworks.adapter import Adapter
from knock.recipe import Recipe
from knock.training import score
from knock.training.score import Generated, Score, Translated

import numpy as np
from numpy.typing import NDArray

_BEFORE_TRAINING = -1  # from here down, steps whose draws no training step has

_ENOUGH = 1000  # pictures at least that are made to be judged


class TestSet:
    """The test pictures of a run, and batches of them with draws that no training step has.

    `shown` are the places of those that are drawn while it trains: from all over the set. A place
    comes more than once where a model looks at no pictures, but makes more than there are.
    """

    def __init__(self, pictures: ImageSet, recipe: Recipe, adapter: Adapter) -> None:
        self.pictures = pictures
        self.recipe = recipe
        self.adapter = adapter
        self._kinds = both_kinds(pictures) if recipe.unpaired else None
        self.count = max(map(len, self._kinds)) if self._kinds else len(pictures)
        shown = recipe.train.shown
        if any("images" in given for given in recipe.methods.values()):
            shown = min(shown, self.count)  # else only draws are looked at: never too few
        self.shown = [i * self.count // shown for i in range(shown)]

    def examples(self) -> dict[str, Any]:
        """The batch that is drawn while a run trains, always the same one: on the device."""
        return self.adapter.to_device(self._batch(self.shown, 0))

    def batches(self, asked: int) -> Iterator[dict[str, Any]]:
        """`asked` test pictures, a batch of arrays at a time; after the last the first come again.

        A picture that comes again has other draws.
        """
        return self.at(np.arange(asked) % self.count)

    def at(self, places: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        """The test pictures at some places, a batch of arrays at a time."""
        size = self.recipe.train.batch_size
        for first in range(0, len(places), size):
            yield self._batch(places[first : first + size], first)

    def translations(self, model: Any) -> Translated:
        """What a model makes of all test pictures of each class in turn, with their places."""
        kinds, size = both_kinds(self.pictures), self.recipe.train.batch_size
        made = []
        for places, method in zip(kinds, (model.generate, model.generate_back), strict=True):
            for first in range(0, len(places), size):
                some = self.pictures.images[places[first : first + size]]
                given = self.adapter.to_device({"x": to_unit(some, self.recipe.dtype)})["x"]
                made.append(to_pixels(self.adapter.to_numpy(method(given))))
        return Translated(np.concatenate(made), np.concatenate(kinds))

    def _batch(self, places: Sequence[int] | np.ndarray[Any, Any], number: int) -> dict[str, Any]:
        images, recipe = self.pictures, self.recipe
        batch: dict[str, Any] = {}
        if self._kinds:
            places, others = (kind[np.asarray(places) % len(kind)] for kind in self._kinds)
            batch["others"] = to_unit(images.images[others], recipe.dtype)
        batch["labels"] = images.labels[places]
        if recipe.pairs:
            batch["images"], batch["targets"] = unit_pair(images, places, recipe)
        else:
            batch["images"] = to_unit(images.images[places], recipe.dtype)
        count, step = len(batch["images"]), _BEFORE_TRAINING - number
        return {**batch, **random_draws(recipe, step, count, "sampling")}


def report(model: Any, test: TestSet, train_set: ImageSet) -> dict[str, Any]:
    """Print what the test set says of a model; the scores that the recipe asks for, by name.

    For a model that has `loss_terms`, their means over all test pictures are printed, too; for one
    that reconstructs pictures, how far it is off on those that it learnt from, and on the others.
    """
    if hasattr(model, "loss_terms"):
        means = ", ".join(f"{name} {value:.5g}" for name, value in _losses(model, test).items())
        print(f"all {len(test.pictures)} test images: {means}")
    train_set = train_set.middle(test.recipe.augment.crop)
    found: dict[str, Any] = {}
    if "reconstruct" in test.recipe.methods:
        learnt = TestSet(train_set, test.recipe, test.adapter)
        error = {"train": _error(model, learnt), "test": _error(model, test)}
        print(
            f"mean squared error of reconstructions: {error['train']:.5g} on training images, "
            f"{error['test']:.5g} on test images"
        )
        found["error"] = {name: round(value, 6) for name, value in error.items()}
    if test.recipe.unpaired and "translated" in test.recipe.scores:
        translated = score.translated(test.translations(model), train_set, test.pictures)
        print(translated.line)
        found["translated"] = translated.numbers
    for name in (one for one in test.recipe.scores if one in score.SCORES):
        wanted = score.SCORES[name]
        if wanted.needs_labels and test.recipe.labelled == 0:
            continue
        made = _generated(model, wanted, test)
        scored = wanted.judge(made, train_set, test.pictures)
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


def _error(model: Any, test: TestSet) -> float:
    """The mean squared error of reconstructed pictures, over at most `_ENOUGH` from all over a set.

    Over their pixels and channels too, in [-1, 1].
    """
    count = len(test.pictures)
    chosen = np.arange(min(count, _ENOUGH)) * count // min(count, _ENOUGH)
    total = 0.0
    for batch in test.at(chosen):
        made = model.reconstruct(test.adapter.to_device(batch)["images"])
        off = test.adapter.to_numpy(made) - batch["images"]
        total += float(np.square(off, dtype=np.float64).mean()) * len(off)
    return total / len(chosen)


def _generated(model: Any, wanted: Score, test: TestSet) -> Iterator[Generated]:
    """What a method says of every test picture's batch, and what was asked of it.

    A small test set is asked for more than once, each time with other draws, unless each of
    its pictures has one right answer. Where pictures of a batch may change each other's answers,
    the last batch is filled up with the first pictures, and what is said of these is not used.
    """
    recipe, count = test.recipe, len(test.pictures)
    names = recipe.methods[wanted.method]
    free = not recipe.pairs and set(names) & set(recipe.draws)
    asked = max(count, _ENOUGH) if free else count
    over = -asked % recipe.train.batch_size if wanted.needs_labels else 0
    for batch in test.batches(asked + over):
        given = test.adapter.to_device(batch)
        said = test.adapter.to_numpy(
            getattr(model, wanted.method)(*(given[name] for name in names))
        )
        used = min(len(said), asked)
        asked -= used
        targets = to_pixels(batch["targets"]) if "targets" in batch else None
        yield Generated(
            said[:used],
            batch["labels"][:used],
            None if targets is None else targets[:used],
            int(recipe.constants.get("codes", 0)),
        )
