"""Random changes to training pictures: mirror, rotate, shift (one affine warp), then crop."""

from knock import noise
from knock.data.imageset import Border, Pixels
from knock.recipe import Augment

import numpy as np
from numpy.typing import NDArray


def apply(
    images: Pixels,
    masks: Pixels | None,
    how: Augment,
    border: Border,
    seed: int,
    step: int,
    targets: Pixels | None = None,
    streams: str = "augment",
) -> tuple[Pixels, Pixels | None, Pixels | None]:
    """Change the images and targets (uint8 N×H×W×C) and masks (uint8 N×H×W) of one batch alike.

    Pictures are interpolated; masks are not, so that no new class ids appear. Beyond its edge a
    picture shows its mirror image or black, as `border` says, and so does its mask. At the end each
    is cropped at a random place, or in its middle if it is to be `still`: height and width shrink
    by 2·`crop`. If there is nothing to change, the arrays themselves are returned. `streams` is
    what the names of the random streams begin with.
    """
    if (how.flip, how.rotate, how.shift) != (False, 0.0, 0.0):
        images, masks, targets = _warped(images, masks, targets, how, border, seed, step, streams)
    if how.crop:
        places = corners(how, len(images), seed, step, streams)
        images = _cut(images, how.crop, places)
        masks = None if masks is None else _cut(masks, how.crop, places)
        targets = None if targets is None else _cut(targets, how.crop, places)
    return images, masks, targets


def _warped(
    images: Pixels,
    masks: Pixels | None,
    targets: Pixels | None,
    how: Augment,
    border: Border,
    seed: int,
    step: int,
    streams: str,
) -> tuple[Pixels, Pixels | None, Pixels | None]:
    import cv2

    count, height, width, _ = images.shape
    moves = matrices(how, count, height, width, seed, step, streams)
    beyond = cv2.BORDER_REFLECT_101 if border == "reflect" else cv2.BORDER_CONSTANT

    def moved(old: Pixels, interpolation: int) -> Pixels:
        if old.shape[-1] == 3 and old.ndim == 4:  # OpenCV warps four channels in half the time
            return _recoloured(
                moved(_recoloured(old, cv2.COLOR_RGB2RGBA), interpolation), cv2.COLOR_RGBA2RGB
            )
        new = np.empty_like(old)
        for one, matrix, place in zip(old, moves, new, strict=True):
            cv2.warpAffine(
                one, matrix, (width, height), dst=place, flags=interpolation, borderMode=beyond
            )
        return new

    return (
        moved(images, cv2.INTER_LINEAR),
        None if masks is None else moved(masks, cv2.INTER_NEAREST),
        None if targets is None else moved(targets, cv2.INTER_LINEAR),
    )


def _recoloured(pictures: Pixels, conversion: int) -> Pixels:
    """N×H×W×C pictures with another number of channels, by one of OpenCV's conversions."""
    import cv2

    count, height, width, channels = pictures.shape
    tall: Pixels = cv2.cvtColor(pictures.reshape(count * height, width, channels), conversion)
    return tall.reshape(count, height, width, -1)


def matrices(
    how: Augment,
    count: int,
    height: int,
    width: int,
    seed: int,
    step: int,
    streams: str = "augment",
) -> NDArray[np.float64]:
    """`count` affine maps, N×2×3, from a pixel's (x, y, 1) in the old picture to the new one.

    First mirrored (half of the pictures on average), then rotated about the centre by up to
    ±`rotate` degrees, then shifted by up to ±`shift` of each side; drawn from (seed, step).
    """
    mirror = noise.uniform(seed, step, f"{streams}/flip", (count,)) < 0.5
    sign = np.where(mirror & how.flip, -1.0, 1.0)
    angle = np.deg2rad(
        noise.uniform(seed, step, f"{streams}/rotate", (count,), -how.rotate, how.rotate)
    )
    shift = noise.uniform(seed, step, f"{streams}/shift", (count, 2), -how.shift, how.shift)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([cosine * sign, sine, -sine * sign, cosine], axis=1).reshape(count, 2, 2)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    move = centre - turn @ centre + shift * (width, height)
    return np.concatenate([turn, move[..., None]], axis=2)


def corners(
    how: Augment, count: int, seed: int, step: int, streams: str = "augment"
) -> NDArray[np.int64]:
    """The row and the column, 0 … 2·`crop`, where each cropped picture begins: int64 `count`×2."""
    if how.still:
        return np.full((count, 2), how.crop, np.int64)
    drawn = noise.uniform(seed, step, f"{streams}/crop", (count, 2), 0, 2 * how.crop + 1)
    return drawn.astype(np.int64)


def _cut(whole: Pixels, crop: int, places: NDArray[np.int64]) -> Pixels:
    """The crops that begin at `places`, smaller than the whole by 2·`crop` in each direction."""
    height, width = (side - 2 * crop for side in whole.shape[1:3])
    parts = [
        one[top : top + height, left : left + width]
        for one, (top, left) in zip(whole, places, strict=True)
    ]
    return np.stack(parts)
