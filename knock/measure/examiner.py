"""The examiner: the network that looks at the pictures. It is question 16's, in NumPy.

It is trained once for each data set and size, and kept in the user's cache with what it says of the
real pictures. Everybody on a machine gets the same bits: its recipe, NumPy in one thread, and the
pictures decide them. Before a kept one is used, its first steps are taken again, and must give the
same losses: so one of another machine that shares the folder, which rounds otherwise, is not used.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from knock import kept, questions
from knock import recipe as recipes
from knock.data.batches import Batches, to_unit
from knock.data.imageset import ImageSet, Pixels
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import State
from knock.kept import Arrays, Kept
from knock.measure.real import Real
from knock.recipe import Augment, Recipe
from knock.recipe.weights import initial_weights
from knock.scripts import load as script
from knock.training import bar, checkpoint

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Array = NDArray[Any]

EXAMINERS = Kept("examiners", 128 << 20)
"""All examiners, and what they say of real pictures."""

QUESTION = "metrics"
_PRESET = "quick"
_STEPS = 600
"""Of pictures with `_PIXELS` pixels; larger ones get fewer steps, in half a minute or so."""
_PIXELS = 32 * 32
_EPOCHS = 20
"""After which nothing more is learnt: of newts two, of digits fifteen were enough."""
_AGAIN = 2
"""How many of the first steps are taken again."""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of an examiner without asking it.

    accuracy: the share of the test pictures, 0 … 1, whose class it says. test: how many these are.
    scale: what its features are divided by. first_losses: by which it is recognised.
    """

    name: str
    image: tuple[int, int, int]
    accuracy: float
    test: int
    steps: int
    scale: float
    first_losses: list[float]


@dataclass(frozen=True, eq=False)
class Examiner:
    """A trained examiner: question 16's model with its weights.

    test: the features of the test pictures, float64 N×features. key: a digest of all that it
    depends on, by which it is kept.
    """

    about: About
    recipe: Recipe
    metrics: Any
    real: Real
    test: Array
    key: str

    @cached_property
    def digest(self) -> str:
        """Of its weights, and of what it says of the test pictures.

        Scores by examiners with the same one may be compared, whatever version took them.
        """
        return checkpoint.digest({**_weights(self.metrics, self.recipe), "test": self.test})

    def features(self, pixels: Pixels) -> Array:
        """Features, float64 N×features, of uint8 N×H×W×C pictures.

        They are divided by the root of the mean square of those of the training pictures. So a
        distance does not grow with the numbers that a training happens to end in.
        """
        with threadpool_limits(1):
            found: Array = self.metrics.features(self._unit(pixels)) / self.about.scale
        return found

    def logits(self, features: Array) -> Array:
        """What it decides the class by, float64 N×classes, from the features of pictures."""
        with threadpool_limits(1):
            found: Array = self.metrics.examiner.modules[-1](features * self.about.scale)
        return found

    def _unit(self, pixels: Pixels) -> Array:
        return to_unit(pixels, self.recipe.dtype)


def get(real: Real) -> Examiner:
    """The examiner of a data set: the kept one, or a new one, which takes about half a minute.

    Raises UserError where the pictures have no two classes to tell apart, or are too small.
    """
    question = questions.find(QUESTION)
    recipe = _recipe(real)
    key = kept.digest(recipes.to_json(recipe), question.reference_file.read_bytes(), real.digest)
    with threadpool_limits(1):
        arrays = EXAMINERS.read(key)
        found = _from(arrays, recipe, real, key) if arrays else None
        if found is None:
            found = _train(recipe, real, key)
            text = np.frombuffer(msgspec.json.encode(found.about), np.uint8)
            weights = _weights(found.metrics, recipe)
            EXAMINERS.write(key, {**weights, "test": found.test, "about": text})
    return found


def _weights(metrics: Any, recipe: Recipe) -> State:
    state = plain.read(metrics, recipe)
    return {key: array for key, array in state.items() if key.split(".")[0] in recipe.networks}


def measures() -> Any:
    """Question 16's model for its measures alone, which need no trained weights."""
    return _new(recipes.load(questions.find(QUESTION).recipe_file, preset=_PRESET, dtype="float64"))


def known() -> list[About]:
    """What is known of the kept examiners; of several for the same pictures, the one used last."""
    found = {}
    for key in EXAMINERS.known():
        about = _about(EXAMINERS.read(key, used=False) or {})
        if about is not None:
            found[about.name, about.image] = about
    return list(found.values())


def _recipe(real: Real) -> Recipe:
    """Question 16's recipe for these pictures; for a set that it does not have, as for its first.

    Photographs may then be mirrored, figures may not. It learns for as long as is worth it here.
    """
    if not real.can_be_told_apart:
        raise UserError(
            f"{real.name} has no two classes that an examiner could learn to tell apart; sort the "
            "pictures into a subfolder for each class, or bring eyes of your own: --features FILE"
        )
    file = questions.find(QUESTION).recipe_file
    name = real.train.name if real.train.name in recipes.read(file)["data"] else None
    changes = {
        "constants": {"classes": len(real.train.classes)},
        "image": real.train.image_shape,
    }
    recipe = recipes.load(file, name, _PRESET, changes, seed=0, dtype="float64")
    train = msgspec.structs.replace(recipe.train, steps=_steps_for(real.train, recipe))
    recipe = msgspec.structs.replace(recipe, train=train)
    if name is None:
        augment = Augment(flip=real.train.border == "reflect")
        recipe = msgspec.structs.replace(recipe, dataset=real.train.name, augment=augment)
    return recipe


def _steps_for(train: ImageSet, recipe: Recipe) -> int:
    """How many steps an examiner learns: about half a minute, and not much more than it needs."""
    _, height, width = train.image_shape
    fit = _STEPS * _PIXELS // max(height * width, _PIXELS)
    return max(1, min(fit, _EPOCHS * len(train) // recipe.train.batch_size))


def _new(recipe: Recipe) -> Any:
    """An examiner with its first weights."""
    path = questions.find(QUESTION).reference_file
    plain.setup("cpu", recipe.dtype)
    metrics = script.model_class(script.load(path), recipe.class_name, path)(recipe)
    plain.build(metrics, recipe)
    plain.write(metrics, recipe, dict(initial_weights(recipe)))
    return metrics


def _steps(metrics: Any, recipe: Recipe, train: ImageSet, count: int) -> Iterator[float]:
    """Take the first `count` steps; the loss of each."""
    batches = Batches(train, recipe)
    for step in range(count):
        yield float(metrics.train_step(batches.batch(step))["loss"])


def _train(recipe: Recipe, real: Real, key: str) -> Examiner:
    metrics, steps = _new(recipe), recipe.train.steps
    losses = []
    with bar.make(f"examiner of {real.name}", steps, 0, quiet=False) as shown:
        for loss in _steps(metrics, recipe, real.train, steps):
            losses.append(loss)
            shown.update()
    if not math.isfinite(losses[-1]):
        raise UserError(f"the examiner of {real.name} learns nothing: its loss is {losses[-1]}")
    about = About(
        name=real.name,
        image=real.train.image_shape,
        accuracy=0.0,
        test=len(real.test),
        steps=steps,
        scale=1.0,
        first_losses=losses[:_AGAIN],
    )
    raw = Examiner(about, recipe, metrics, real, np.empty(0), key)
    some = _evenly(real.train, len(real.test))
    scale = float(np.sqrt(np.square(raw.features(some)).mean()))
    test = raw.features(real.test.images)
    said = raw.logits(test).argmax(1)
    about = msgspec.structs.replace(
        about, accuracy=float((said == real.test.labels).mean()), scale=scale
    )
    return Examiner(about, recipe, metrics, real, test / scale, key)


def _from(arrays: Arrays, recipe: Recipe, real: Real, key: str) -> Examiner | None:
    """The examiner that was kept in these arrays; None where they are not what they should be."""
    about, metrics = _about(arrays), _new(recipe)
    if about is None or about.first_losses != list(_steps(metrics, recipe, real.train, _AGAIN)):
        return None
    try:
        plain.write(metrics, recipe, arrays)
        test = arrays["test"]
    except (KeyError, ValueError):
        return None
    if test.shape != (len(real.test), recipe.constants["features"]):
        return None
    return Examiner(about, recipe, metrics, real, test, key)


def _about(arrays: Arrays) -> About | None:
    try:
        return msgspec.json.decode(arrays["about"].tobytes(), type=About)
    except (KeyError, ValueError):  # msgspec's own errors are ValueErrors
        return None


def _evenly(pictures: ImageSet, most: int) -> Pixels:
    """At most so many pictures, from all over a set."""
    return pictures.images[evenly(len(pictures), most)]


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the places 0 … count − 1, evenly spread and in order."""
    wanted = min(count, most)
    return np.arange(wanted) * count // max(wanted, 1)
