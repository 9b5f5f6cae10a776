"""Bring pictures to the wanted size and number of channels."""

from knock.data.imageset import Pixels, Shape

import numpy as np


def photograph(image: Pixels, height: int, width: int) -> Pixels:
    """A uint8 H×W×C picture, cropped around its centre to the wanted aspect ratio, then resized.

    It shrinks by averaging areas, which causes no ripples, and grows by linear interpolation.
    """
    import cv2

    image = _crop(image, height, width)
    if image.shape[:2] == (height, width):
        return image
    how = cv2.INTER_AREA if image.shape[0] >= height else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=how)
    return np.asarray(resized, np.uint8).reshape(height, width, -1)


def photographs(images: Pixels, image_shape: Shape) -> Pixels:
    """A uint8 N×H×W×C stack, each picture treated by `with_channels` and `photograph`."""
    channels, height, width = image_shape
    images = with_channels(images, channels)
    if images.shape[1:3] == (height, width):
        return images
    return np.stack([photograph(image, height, width) for image in images])


def mask(ids: Pixels, height: int, width: int) -> Pixels:
    """A uint8 H×W map of class ids, cropped like its photograph; ids are picked, never mixed."""
    import cv2

    ids = _crop(ids, height, width)
    # NEAREST_EXACT picks the pixel in the middle of the area that INTER_AREA averages. Plain
    # NEAREST picks its corner, which would move the mask by half an area.
    resized = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8)


def coarse(images: Pixels, height: int, width: int) -> Pixels:
    """A uint8 N×H×W×C stack, each pixel enlarged so that they fill height × width.

    If the factor is not a whole number, sizes differ by one pixel; no values are mixed.
    """
    rows = (np.arange(height) + 0.5) * images.shape[1] / height
    columns = (np.arange(width) + 0.5) * images.shape[2] / width
    return images[:, rows.astype(int)][:, :, columns.astype(int)]


def drawing(images: Pixels, image_shape: Shape) -> Pixels:
    """A uint8 N×28×28×1 stack of figures on black.

    32×32 adds two black pixels on every side, as for LeNet-5 (LeCun et al. 1998), and does not
    change the strokes; for any other size the pictures are resized like photographs.
    """
    channels, height, width = image_shape
    if (height, width) == (32, 32):
        images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return photographs(images, (channels, height, width))


def with_channels(images: Pixels, channels: int) -> Pixels:
    """An array …×C, converted to 1 or 3 channels.

    Grey is repeated; colour becomes the luma of ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B) in the
    16-bit fixed point of Pillow's mode L, so that all sets get the same grey.
    """
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    weights = np.array([19595, 38470, 7471], np.uint32)  # they sum to 2¹⁶
    return ((images @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]


def _crop(image: Pixels, height: int, width: int) -> Pixels:
    """The largest centred part with the aspect ratio of height × width, at least one pixel."""
    old_height, old_width = image.shape[:2]
    if old_width * height > old_height * width:
        new = max(1, round(old_height * width / height))
        left = (old_width - new) // 2
        return image[:, left : left + new]
    new = max(1, round(old_width * height / width))
    top = (old_height - new) // 2
    return image[top : top + new]
