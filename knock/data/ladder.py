"""The ladder: sets of pictures that get worse in known ways, to see what a measure notices.

Half of a data set's training pictures, `real`, is what they are compared with. Every rung is made
of the other half, or of the test pictures, never of `real` itself: a copy would win by cheating.
Only the last rung does so, on purpose.
"""

from dataclasses import dataclass

from knock import noise
from knock.data.imageset import ImageSet, Pixels

import numpy as np

MOST = 1000
"""Pictures in a rung at most, and in `real`: the time grows with their square."""


TRUE = "test pictures"
"""The rung that nothing was done to."""


@dataclass(frozen=True)
class Ladder:
    """`real` pictures (uint8 N×H×W×C), and rungs by name, each as many pictures as the others.

    Where a set is too small for that, a rung has fewer.
    """

    real: Pixels
    rungs: dict[str, Pixels]


def make(train: ImageSet, test: ImageSet, seed: int) -> Ladder:
    """The ladder of a data set: the same pictures for the same seed."""
    order = noise.permutation(seed, 0, "ladder/train", len(train))
    mine, yours = order[: len(train) // 2][:MOST], order[len(train) // 2 :]
    tested = noise.permutation(seed, 0, "ladder/test", len(test))[:MOST]
    real, true = train.images[mine], test.images[tested]
    count, shape = len(tested), true.shape
    spare = np.concatenate([train.images[yours], test.images])
    kinds = np.concatenate([train.labels[yours], test.labels])
    half = spare[kinds < -(-len(test.classes) // 2)][:count] if test.classes else spare[:count]
    one = [spare[kinds == kind][0] for kind in np.unique(kinds)]
    names = _Names(len(one))
    rungs = {
        "other training pictures": train.images[yours][:count],
        TRUE: true,
        "with noise, σ = 30": _noisy(true, 30.0, seed),
        "with noise, σ = 60": _noisy(true, 60.0, seed),
        "blurred, σ = 1": _blurred(true, 1.0),
        "blurred, σ = 2": _blurred(true, 2.0),
        "halved and enlarged": _coarse(true),
        "moved by a tenth": np.roll(true, (shape[1] // 10, shape[2] // 10), (1, 2)),
        "two quarters swapped": _swapped(true),
        names.half: half,
        names.copied: np.stack(one)[np.arange(count) % len(one)],
        "noise alone": _grey(shape, seed),
        "the real ones themselves": real,
    }
    return Ladder(real, rungs)


@dataclass(frozen=True)
class _Names:
    """Names of rungs that depend on how many kinds there are."""

    kinds: int

    @property
    def half(self) -> str:
        return f"{-(-self.kinds // 2)} of {self.kinds} kinds"

    @property
    def copied(self) -> str:
        return f"{self.kinds} pictures, copied"


def _noisy(images: Pixels, deviation: float, seed: int) -> Pixels:
    drawn = noise.normal(seed, 0, f"ladder/noise{deviation:g}", images.shape, std=deviation)
    return np.clip(np.rint(images + drawn), 0, 255).astype(np.uint8)


def _blurred(images: Pixels, deviation: float) -> Pixels:
    import cv2

    found = [cv2.GaussianBlur(image, (0, 0), deviation) for image in images]
    return np.stack(found).reshape(images.shape)


def _coarse(images: Pixels) -> Pixels:
    """Every second pixel only, each as a square of four."""
    height, width = images.shape[1:3]
    return images[:, ::2, ::2].repeat(2, 1).repeat(2, 2)[:, :height, :width]


def _swapped(images: Pixels) -> Pixels:
    """The upper left quarter and the lower right one change places."""
    height, width = images.shape[1] // 2, images.shape[2] // 2
    made = images.copy()
    made[:, :height, :width] = images[:, -height:, -width:]
    made[:, -height:, -width:] = images[:, :height, :width]
    return made


def _grey(shape: tuple[int, ...], seed: int) -> Pixels:
    drawn = noise.uniform(seed, 0, "ladder/grey", shape, 0.0, 256.0)
    return drawn.astype(np.uint8)
