"""The pictures that a run learnt from, and those that it never saw."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from knock import data
from knock.data.imageset import ImageSet, Pixels, Split
from knock.recipe import Recipe
from knock.trained.opened import Opened

import numpy as np


@dataclass(frozen=True, eq=False)
class Real:
    """The training and the test pictures of a data set, as a run's answer would make them.

    `name` is the set's; with pairs, it says which pictures of each pair these are. `pairs` is the
    test set as it was read, where a run makes its pictures of the other ones of each pair.
    """

    name: str
    train: ImageSet
    test: ImageSet
    pairs: ImageSet | None = None

    @cached_property
    def digest(self) -> str:
        """Of every picture, label and class."""
        found = hashlib.sha256()
        for part in (self.train, self.test):
            found.update(f"{part.classes} {part.images.shape} {part.border}".encode())
            found.update(np.ascontiguousarray(part.images).data)
            found.update(np.ascontiguousarray(part.labels).data)
        return found.hexdigest()

    @property
    def can_be_told_apart(self) -> bool:
        """Whether there are two classes at least among the training pictures."""
        return len(np.unique(self.train.labels)) > 1


def load(run: Opened) -> Real:
    """The real pictures of a run's data set, in the size that it makes.

    Raises UserError where they are not found, or cannot be read.
    """
    recipe = run.recipe
    train, test = (_read(recipe, split, run.data) for split in ("train", "test"))
    if recipe.pairs is None:
        return Real(recipe.dataset, train, test)
    which = "second" if recipe.pairs == "AtoB" else "first"
    name = f"{recipe.dataset}, the {which} of each pair"
    right = [replace(one, images=_wanted(one, recipe)) for one in (train, test)]
    return Real(name, right[0], right[1], pairs=test)


def source(run: Opened) -> tuple[object, ...]:
    """Runs with an equal one have the same real pictures."""
    recipe = run.recipe
    return recipe.dataset, recipe.read_shape, recipe.augment.crop, recipe.pairs, run.data


def _read(recipe: Recipe, split: Split, folder: Path | None) -> ImageSet:
    found = data.load(recipe.dataset, recipe.read_shape, split, folder, recipe.pairs is not None)
    return found.middle(recipe.augment.crop)


def _wanted(pairs: ImageSet, recipe: Recipe) -> Pixels:
    """The wanted picture of each pair."""
    return data.to_pixels(data.unit_pair(pairs, slice(None), recipe)[1])
