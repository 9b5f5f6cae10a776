"""Random changes to training pictures: mirrored, turned, shifted, in one affine warp each."""

from knock import noise
from knock.data.imageset import Border, Pixels
from knock.recipe import Augment

import numpy as np
from numpy.typing import NDArray


def apply(
    images: Pixels, masks: Pixels | None, how: Augment, border: Border, seed: int, step: int
) -> tuple[Pixels, Pixels | None]:
    """Change the pictures of one batch (uint8 N×H×W×C) and their masks (uint8 N×H×W) alike.

    Pictures are interpolated; masks are not, so that no class id arises that was not there. Beyond
    the edge a picture shows its mirror image or black, as `border` says, and its mask the same.
    With nothing to change the arrays themselves come back.
    """
    if how == Augment():
        return images, masks
    import cv2

    count, height, width, _ = images.shape
    beyond = cv2.BORDER_REFLECT_101 if border == "reflect" else cv2.BORDER_CONSTANT
    new_images = np.empty_like(images)
    new_masks = None if masks is None else np.empty_like(masks)
    for index, matrix in enumerate(matrices(how, count, height, width, seed, step)):
        cv2.warpAffine(
            images[index],
            matrix,
            (width, height),
            dst=new_images[index],
            flags=cv2.INTER_LINEAR,
            borderMode=beyond,
        )
        if masks is not None and new_masks is not None:
            cv2.warpAffine(
                masks[index],
                matrix,
                (width, height),
                dst=new_masks[index],
                flags=cv2.INTER_NEAREST,
                borderMode=beyond,
            )
    return new_images, new_masks


def matrices(
    how: Augment, count: int, height: int, width: int, seed: int, step: int
) -> NDArray[np.float64]:
    """`count` affine maps, N×2×3, of a pixel's (x, y, 1) in the old picture to that in the new.

    Mirrored first (every other picture on average), then turned about the centre by up to
    ±`rotate` degrees, then shifted by up to ±`shift` of each side; drawn from (seed, step).
    """
    mirror = noise.uniform(seed, step, "augment/flip", (count,)) < 0.5
    sign = np.where(mirror & how.flip, -1.0, 1.0)
    angle = np.deg2rad(
        noise.uniform(seed, step, "augment/rotate", (count,), -how.rotate, how.rotate)
    )
    shift = noise.uniform(seed, step, "augment/shift", (count, 2), -how.shift, how.shift)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([cosine * sign, sine, -sine * sign, cosine], axis=1).reshape(count, 2, 2)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    move = centre - turn @ centre + shift * (width, height)
    return np.concatenate([turn, move[..., None]], axis=2)
