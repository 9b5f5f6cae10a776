"""scikit-learn's digits: 1797 pictures of 8×8, installed with the library, nothing to download."""

import importlib.util
from pathlib import Path

from knock.data import resize
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.errors import UserError

import numpy as np
from numpy.typing import NDArray

TRAIN = 1415
"""Pictures of the train split; the other 382 are the test split.

The pictures are in the order of their 13 writers: 14 times the labels begin with the same series
0 1 2 … 9 0 1 2 …, and the twelfth series begins at 1415. A split there keeps every series whole, so
the test uses handwriting that training has not seen; a shuffled split would not.
"""

CLASSES = tuple("0123456789")


def load(image_shape: Shape, split: Split, folder: Path | None = None) -> ImageSet:
    """The digits, white on black, resized with cubic interpolation (the smoothest strokes).

    Raises UserError if a folder is given: this set has no files.
    """
    if folder is not None:
        raise UserError(
            f"digits come with scikit-learn, not from a folder; leave out --data {folder}"
        )
    from sklearn.datasets import load_digits

    found = load_digits()
    part = slice(0, TRAIN) if split == "train" else slice(TRAIN, None)
    channels, height, width = image_shape
    small = found.images[part].astype(np.float32) * np.float32(255 / 16)  # 0 … 16 to 0 … 255
    images = np.stack([_resize(image, height, width) for image in small])
    return ImageSet(
        images=resize.with_channels(images, channels),
        labels=found.target[part].astype(np.int64),
        classes=CLASSES,
        masks=None,
        name="digits",
        split=split,
        border="constant",
    )


def where() -> Path | None:
    """The package that has them; None if it is not installed."""
    found = importlib.util.find_spec("sklearn")
    return Path(found.origin).parent if found is not None and found.origin else None


def _resize(image: NDArray[np.float32], height: int, width: int) -> Pixels:
    import cv2

    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    # A cubic overshoots at edges, below black and above white.
    return np.asarray(np.rint(np.clip(resized, 0, 255)), np.uint8)[..., None]
