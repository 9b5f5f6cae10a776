"""The newts: photograph-like pictures of two species, each with a mask of the animal.

    FOLDER/train/images/akahara/*.jpg        FOLDER/train/seg_images/akahara/*.png
    FOLDER/train/images/madara/*.jpg         FOLDER/train/seg_images/madara/*.png
    FOLDER/test/…                            the same

The set comes with the repository, in `Dataset`. With `--data FOLDER`, a user's own photographs in
the same layout are used instead.
"""

from pathlib import Path

from knock import paths
from knock.data import images, places, resize
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.errors import UserError

import numpy as np

CLASSES = ("akahara", "madara")
COLOURS: tuple[images.Colour, ...] = ((0, 0, 0), (128, 0, 0), (0, 128, 0))
"""The colours of a mask in the order of the class ids: background, akahara, madara."""


def load(image_shape: Shape, split: Split, folder: Path | None = None) -> ImageSet:
    """Read one split. If the folder `seg_images` does not exist, the set has no masks.

    Raises UserError if the layout is not there, a picture lacks its mask, a mask and its picture
    differ in size, or a file cannot be read.
    """
    root = where(folder)
    if root is None:
        raise UserError(
            f"no newts in {folder or paths.DATASET}; put pictures into "
            f"train/images/{CLASSES[0]} or train/images/{CLASSES[1]} there"
        )
    found = [
        (path, label)
        for label, name in enumerate(CLASSES)
        if (place := root / split / "images" / name).is_dir()
        for path in images.pictures_in(place)
    ]
    if not found:
        raise UserError(f"no pictures in {root / split / 'images'}/{{{','.join(CLASSES)}}}")
    channels, height, width = image_shape
    mask_root = root / split / "seg_images"
    has_masks = mask_root.is_dir()

    def one(item: tuple[Path, int]) -> tuple[Pixels, Pixels | None]:
        path, label = item
        image = images.read(path, channels)
        ids = _mask(mask_root / CLASSES[label], path, image) if has_masks else None
        return (
            resize.photograph(image, height, width),
            None if ids is None else resize.mask(ids, height, width),
        )

    pictures, masks = zip(*images.in_parallel(one, found), strict=True)
    return ImageSet(
        images=np.stack(pictures),
        labels=np.array([label for _, label in found], np.int64),
        classes=CLASSES,
        masks=np.stack(masks) if has_masks else None,
        name="newts",
        split=split,
    )


def load_pairs(image_shape: Shape, split: Split, folder: Path | None = None) -> ImageSet:
    """As `load`; the mask is the second picture. Raises UserError also if there are no masks."""
    found = load(image_shape, split, folder)
    if found.masks is None:
        raise UserError(
            f"the newts in {where(folder)} have no masks, so there are no pairs; put the masks "
            f"into {split}/seg_images"
        )
    return found


def where(folder: Path | None = None) -> Path | None:
    """The folder with the newts: the given one, else that in `$KNOCK_DATA`, else the shipped."""
    own = places.candidates("newts", folder)
    roots = own if folder is not None else [*own, paths.DATASET]
    return next((root for root in roots if _has_layout(root)), None)


def _has_layout(root: Path) -> bool:
    return any((root / "train" / "images" / name).is_dir() for name in CLASSES)


def _mask(folder: Path, picture: Path, image: Pixels) -> Pixels:
    path = folder / f"{picture.stem}.png"
    if not path.is_file():
        raise UserError(f"the picture {picture} has no mask {path}; draw it or remove {picture}")
    ids = images.read_mask(path, COLOURS)
    if ids.shape != image.shape[:2]:
        raise UserError(
            f"the mask {path} is {ids.shape[1]}×{ids.shape[0]}, but its picture {picture} is "
            f"{image.shape[1]}×{image.shape[0]}; they must have the same size"
        )
    return ids
