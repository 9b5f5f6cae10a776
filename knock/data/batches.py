"""What a training step receives: pictures, labels, masks, and the recipe's random draws."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Literal, TypeVar

from knock import noise
from knock.data import augment
from knock.data.imageset import ImageSet, Pixels
from knock.errors import UserError
from knock.recipe import Draw, Recipe
from knock.recipe.sizes import evaluate

import numpy as np
from numpy.typing import NDArray

Batch = dict[str, NDArray[Any]]
Item = TypeVar("Item")

_OWN = (
    *("images", "labels", "masks", "targets", "epoch", "step"),
    *("known_images", "known_labels"),
)


class Batches:
    """The batches of a run; each depends only on its step.

    Picture i of step s is at place s·B + i of an endless row: one epoch after another, each with a
    permutation of its own. So every picture comes once per epoch, a batch may be part of two
    epochs, and a batch larger than the set is part of several. The few pictures whose labels are
    known, where a recipe says how many, make a second row of this kind. Unpaired pictures make two:
    those of the first class, and those of the second.
    """

    def __init__(self, pictures: ImageSet, recipe: Recipe, channels_last: bool = False) -> None:
        """`channels_last` is how pictures lie in memory: as N×H×W×C, which changes no value.

        Raises UserError if the recipe's draws are impossible, or a class has fewer pictures than
        are to have labels, or unpaired pictures are not of two classes.
        """
        if pictures.image_shape != recipe.read_shape:
            raise ValueError(f"{pictures.image_shape} pictures for a {recipe.read_shape} recipe")
        if recipe.pairs and pictures.targets is None and pictures.masks is None:
            raise ValueError(f"{pictures.name} has no pairs for a recipe of pairs")
        self.pictures = pictures
        self.recipe = recipe
        self._channels_last = channels_last
        self._paints = recipe.pairs is not None and pictures.targets is None
        self._size = recipe.train.pictures
        random_draws(recipe, 0)  # impossible draws are refused before the first step
        kinds = both_kinds(pictures) if recipe.unpaired else (np.arange(len(pictures)),)
        self._images, self._others = kinds[0], kinds[-1]
        self._known = known_places(pictures, recipe) if recipe.labelled else None
        self._order = lru_cache(maxsize=4)(self._permutation)
        self._order_of_few = lru_cache(maxsize=64)(self._permutation)

    def batch(self, step: int) -> Batch:
        """The batch of `step` (0, 1, …).

        N is the recipe's batch size times its rounds.
        images: N×C×H×W in the recipe's dtype, −1 … 1. If the recipe has pairs, images are the
        inputs and targets, in the same form, the wanted outputs. If they are unpaired, images are
        of the first class and others, in the same form, of the second. labels: int64 N. masks:
        uint8 N×H×W, if they are one of each pair. epoch: int64, how many epochs ended before the
        first picture. step: int64, 1 for the first step. known_images, known_labels: as images and
        labels, one round of pictures with labels, where only some have one. And every draw of the
        recipe under its name: N×shape, in the recipe's dtype.
        """
        recipe, pictures = self.recipe, self.pictures
        count = len(self._images)
        order = partial(self._order, "data/order", count)
        chosen = self._images[_of_row(step, self._size, count, order)]
        images, masks, targets = augment.apply(
            pictures.images[chosen],
            pictures.masks[chosen] if self._paints and pictures.masks is not None else None,
            recipe.augment,
            pictures.border,
            recipe.seed,
            step,
            pictures.targets[chosen] if recipe.pairs and pictures.targets is not None else None,
        )
        batch: Batch = {}
        if recipe.pairs:
            batch["images"], batch["targets"] = _directed(
                images, masks, targets, recipe, self._channels_last
            )
        else:
            batch["images"] = to_unit(images, recipe.dtype, self._channels_last)
        if recipe.unpaired:
            _, batch["others"] = self._beside(self._others, self._size, step, "others")
        batch["labels"] = pictures.labels[chosen]
        batch["epoch"] = np.array(step * self._size // count, np.int64)
        batch["step"] = np.array(step + 1, np.int64)
        if masks is not None:
            batch["masks"] = masks
        if self._known is not None:
            chosen, batch["known_images"] = self._beside(
                self._known, recipe.train.batch_size, step, "known"
            )
            batch["known_labels"] = pictures.labels[chosen]
        return {**batch, **random_draws(recipe, step)}

    def _beside(
        self, places: NDArray[np.int64], size: int, step: int, name: str
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """A step's pictures of those at `places`, which are an endless row; their places first."""
        recipe, pictures = self.recipe, self.pictures
        order = partial(self._order_of_few, f"{name}/order", len(places))
        chosen = places[_of_row(step, size, len(places), order)]
        images, _, _ = augment.apply(
            pictures.images[chosen],
            None,
            recipe.augment,
            pictures.border,
            recipe.seed,
            step,
            streams=f"{name}/augment",
        )
        return chosen, to_unit(images, recipe.dtype, self._channels_last)

    def _permutation(self, stream: str, count: int, epoch: int) -> NDArray[np.int64]:
        return noise.permutation(self.recipe.seed, epoch, stream, count)


def both_kinds(pictures: ImageSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in a set the pictures of its first class are, and those of its second.

    Raises UserError where there are not two classes, or one of them has no pictures.
    """
    found = [np.flatnonzero(pictures.labels == n) for n in range(len(pictures.classes))]
    if len(found) != 2:
        names = f": {', '.join(pictures.classes)}" if pictures.classes else ""
        raise UserError(
            f"{pictures.name} has {len(found) or 'no'} classes{names}; to translate one kind of "
            "pictures into another, take two folders of pictures, such as A and B"
        )
    for name, places in zip(pictures.classes, found, strict=True):
        if not len(places):
            raise UserError(f"no {pictures.split} pictures of {name}; put some there")
    return found[0], found[1]


def known_places(pictures: ImageSet, recipe: Recipe) -> NDArray[np.int64]:
    """Where in a set the pictures are whose labels are known: as many of each class as it says.

    The first of each class in an order that the recipe's seed draws. Raises UserError where a class
    has fewer.
    """
    each = recipe.labelled or 0
    if not pictures.classes:
        raise UserError(
            f"{pictures.name} has no classes, so none has {recipe.known} = {each} pictures with a "
            f"label; take --{recipe.known} 0"
        )
    order = noise.permutation(recipe.seed, 0, "known", len(pictures))
    found = []
    for number, name in enumerate(pictures.classes):
        mine = order[pictures.labels[order] == number][:each]
        if len(mine) < each:
            raise UserError(
                f"{pictures.name} has {len(mine)} pictures of {name}, but {recipe.known} = {each} "
                f"of each class are to have labels; take --{recipe.known} {len(mine)} or less"
            )
        found.append(mine)
    return np.concatenate([np.empty(0, np.int64), *found])


def _of_row(
    step: int, size: int, count: int, order: Callable[[int], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Which of `count` pictures make up the batch of a step, int64 `size`: see `Batches`."""
    epochs, places = np.divmod(np.arange(step * size, (step + 1) * size), count)
    chosen = np.empty(size, np.int64)
    for epoch in range(epochs[0], epochs[-1] + 1):
        here = epochs == epoch
        chosen[here] = order(epoch)[places[here]]
    return chosen


Purpose = Literal["training", "sampling", "check"]
"""What draws are for: a step, pictures that a model makes, or a check of everything."""


def random_draws(
    recipe: Recipe, step: int, count: int | None = None, purpose: Purpose = "training"
) -> Batch:
    """Everything that the recipe draws at `step`, by name: N×shape, in the recipe's dtype.

    N is the draw's own number of rows, or `count`, or the recipe's batch size, times its rounds if
    the draw says so. Integers are int64. What the purpose does not need is left out. Raises
    UserError if a name is already used by the data or a shape cannot be evaluated.
    """
    drawn: Batch = {}
    for name, draw in recipe.draws.items():
        if name in _OWN or (recipe.unpaired and name == "others"):
            raise UserError(f"draws.{name}: the data already use this name; choose another")
        shape, key = _drawn_shape(recipe, name, draw, count), f"draw/{name}"
        if draw.check and purpose != "check" or draw.sampling and purpose == "training":
            continue
        when = 0 if draw.fixed else step
        if draw.distribution == "normal":
            values = noise.normal(recipe.seed, when, key, shape)
        elif draw.distribution == "dropout":
            kept = noise.uniform(recipe.seed, when, key, shape) >= draw.rate
            values = kept / (1.0 - draw.rate)
        elif draw.distribution == "integers":
            many = f"({draw.up_to}) + 1 - {draw.first}"  # and not up_to, which may be 0
            last = draw.first + evaluate(many, recipe.sizes, f"draws.{name}.up_to")
            values = noise.uniform(recipe.seed, when, key, shape, draw.first, last)
        else:
            values = noise.uniform(recipe.seed, when, key, shape, draw.low, draw.high)
        whole = draw.distribution == "integers"
        drawn[name] = values.astype(np.int64 if whole else recipe.dtype)
    return drawn


def _drawn_shape(recipe: Recipe, name: str, draw: Draw, count: int | None) -> tuple[int, ...]:
    """Rows and shape of a draw."""
    sizes = [evaluate(size, recipe.sizes, f"draws.{name}.shape") for size in draw.shape]
    if draw.rows is not None:
        rows = evaluate(draw.rows, recipe.sizes, f"draws.{name}.rows")
    elif count is not None:
        rows = count
    else:
        rows = recipe.train.pictures if draw.rounds else recipe.train.batch_size
    return rows, *sizes


def unit_pair(
    pictures: ImageSet, chosen: Sequence[int] | slice | NDArray[np.int64], recipe: Recipe
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The inputs and the wanted pictures at the `chosen` places of a set, not augmented.

    Both N×C×H×W in the recipe's dtype, −1 … 1, as `Batches` pairs them. Raises ValueError if the
    recipe or the set has no pairs.
    """
    return _directed(
        pictures.images[chosen],
        None if pictures.masks is None else pictures.masks[chosen],
        None if pictures.targets is None else pictures.targets[chosen],
        recipe,
    )


def painted(masks: Pixels, channels: int) -> Pixels:
    """Masks (uint8 N×H×W) as pictures (uint8 N×H×W×`channels`): any class white on black."""
    return np.repeat(np.where(masks > 0, 255, 0).astype(np.uint8)[..., None], channels, axis=-1)


def _directed(
    images: Pixels,
    masks: Pixels | None,
    targets: Pixels | None,
    recipe: Recipe,
    channels_last: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Input and wanted picture: A is `images`; B is `targets`, or the painted masks."""
    if recipe.pairs is None:
        raise ValueError("the recipe has no pairs")
    if targets is None:
        if masks is None:
            raise ValueError("a set without targets and masks has no pairs")
        # painted after augmentation, which interpolates pictures but not ids: no grey appears
        targets = painted(masks, images.shape[-1])
    a, b = (to_unit(one, recipe.dtype, channels_last) for one in (images, targets))
    return (a, b) if recipe.pairs == "AtoB" else (b, a)


def to_unit(images: Pixels, dtype: str = "float32", channels_last: bool = False) -> NDArray[Any]:
    """uint8 N×H×W×C pictures as N×C×H×W in −1 … 1: (value − 127.5) / 127.5.

    The difference is exact and the quotient is rounded once, so every machine gets the same bits.
    The array is contiguous, or a view of one that lies in memory as N×H×W×C (`channels_last`).
    """
    unit: NDArray[Any] = (images if channels_last else _planes(images)).astype(dtype, order="C")
    unit -= 127.5
    unit /= 127.5
    return unit.transpose(0, 3, 1, 2) if channels_last else unit


def _planes(images: Pixels) -> Pixels:
    """uint8 N×H×W×C pictures as N×C×H×W.

    OpenCV splits a picture much faster than NumPy copies every third byte.
    """
    import cv2

    count, height, width, channels = images.shape
    if channels == 1 or not images.size:
        return images.transpose(0, 3, 1, 2)
    planes = np.empty((count, channels, height, width), np.uint8)
    for number, plane in enumerate(cv2.split(images.reshape(count * height, width, channels))):
        planes[:, number] = plane.reshape(count, height, width)
    return planes


def to_pixels(unit: NDArray[Any]) -> Pixels:
    """The way back: N×C×H×W in −1 … 1 as uint8 N×H×W×C, rounded; other values are clipped."""
    values = np.rint(np.asarray(unit, np.float64) * 127.5 + 127.5)
    return np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def prefetch(
    make: Callable[[int], Item], start: int, stop: int, ahead: int = 2
) -> Generator[Item, None, None]:
    """make(start) … make(stop − 1) in order, up to `ahead` of them made in the background.

    What `make` raises, the iterator raises. When the iterator is exhausted, closed or deleted, its
    thread finishes the current step and ends.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as worker:
        waiting: deque[Future[Item]] = deque()
        try:
            for step in range(start, stop):
                waiting.append(worker.submit(make, step))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
