"""A data set that has been read: arrays in memory."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]
"""Channels, height, width of one picture."""

Split = Literal["train", "test"]
Border = Literal["reflect", "constant"]
Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set; all pictures have the same size.

    images: uint8 N×H×W×C, 0 … 255, RGB order, C 1 or 3.
    labels: int64 N, indices into `classes`; zeros if there are no classes.
    masks: uint8 N×H×W class ids, 0 background, i + 1 for `classes[i]`; None if there are none.
    border: what a shifted or rotated picture shows beyond its edge: its mirror image for
        photographs, black for figures drawn on black.
    targets: uint8 N×H×W×C, in the same form as `images`: the second picture of each pair; None if
        there are no pairs.
    """

    images: Pixels
    labels: Labels
    classes: tuple[str, ...]
    masks: Pixels | None
    name: str
    split: Split
    border: Border = "reflect"
    targets: Pixels | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> Shape:
        """Channels, height, width."""
        _, height, width, channels = self.images.shape
        return channels, height, width

    def middle(self, crop: int) -> "ImageSet":
        """The same set with `crop` pixels fewer on every side of each picture."""
        if not crop:
            return self
        inner = (slice(None), slice(crop, -crop), slice(crop, -crop))
        return replace(
            self,
            images=np.ascontiguousarray(self.images[inner]),
            masks=None if self.masks is None else self.masks[inner],
            targets=None if self.targets is None else self.targets[inner],
        )
