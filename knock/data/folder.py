"""The user's own pictures: a folder of them, with or without a subfolder for each class."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from knock.data import images, resize
from knock.data.imageset import ImageSet, Labels, Pixels, Shape, Split
from knock.errors import UserError

import numpy as np

EVERY = 5
"""Without train/ and test/, every fifth picture of each class is a test picture."""

Item = TypeVar("Item")
Found = list[tuple[Item, str]]
"""Files of pictures, each with its class ("" if there are no classes)."""


def load(image_shape: Shape, split: Split, folder: Path | None) -> ImageSet:
    """Read `folder`.

    It has the folders `train` and `test`, or is split here: of each class's pictures, sorted by
    name, every fifth is a test picture. Each part gets at least one of each class; a single picture
    is in both. The pictures are directly in the folder, or in one subfolder per class. Hidden
    files, files with other endings and deeper folders are ignored. Raises UserError if no picture
    is left, and for every picture that cannot be read.
    """
    parts = in_parts(given(folder), find)
    classes, labels = sorted_in_classes(parts, split)
    channels, height, width = image_shape

    def picture(path: Path) -> Pixels:
        return resize.photograph(images.read(path, channels), height, width)

    return ImageSet(
        images=np.stack(images.in_parallel(picture, [path for path, _ in parts[split]])),
        labels=labels,
        classes=classes,
        masks=None,
        name="folder",
        split=split,
    )


def given(folder: Path | None) -> Path:
    """The folder itself. Raises UserError if it is None or does not exist."""
    if folder is None:
        raise UserError("which folder? name the folder of your pictures: --data FOLDER")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; name the folder of your pictures")
    return folder


def in_parts(folder: Path, find: Callable[[Path], Found[Item]]) -> dict[Split, Found[Item]]:
    """What `find` finds in `folder`, split into training and test as `load` describes."""
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        return {"train": find(folder / "train"), "test": find(folder / "test")}
    train: Found[Item] = []
    test: Found[Item] = []
    for _, group in groupby(find(folder), key=lambda one: one[1]):
        found = list(group)
        if len(found) < EVERY:
            train += found[:-1] or found
            test += found[-1:]
        else:
            train += [one for place, one in enumerate(found, start=1) if place % EVERY]
            test += found[EVERY - 1 :: EVERY]
    return {"train": train, "test": test}


def classes(folder: Path) -> tuple[str, ...]:
    """The names of the classes in `folder`; empty if there are none. Raises UserError as `load`."""
    return sorted_in_classes(in_parts(given(folder), find), "train")[0]


def sorted_in_classes(
    parts: dict[Split, Found[Item]], split: Split
) -> tuple[tuple[str, ...], Labels]:
    """The classes of both parts together, and the labels (int64 N) of `split`."""
    classes = tuple(sorted({name for part in parts.values() for _, name in part} - {""}))
    places = {name: place for place, name in enumerate(classes)}
    return classes, np.array([places.get(name, 0) for _, name in parts[split]], np.int64)


def find(folder: Path) -> Found[Path]:
    """The pictures in `folder`, or in its subfolders, one per class. Raises UserError."""
    loose: Found[Path] = [(path, "") for path in images.pictures_in(folder)]
    subfolders = [path for path in images.entries(folder) if path.is_dir()]
    sorted_in = [(path, sub.name) for sub in subfolders for path in images.pictures_in(sub)]
    if loose and sorted_in:
        raise UserError(
            f"{folder} has pictures both in itself ({loose[0][0].name}) and in subfolders "
            f"({sorted_in[0][1]}/{sorted_in[0][0].name}); use one subfolder per class, or none"
        )
    if not (found := loose or sorted_in):
        other = images.unreadable_below(folder)
        raise UserError(
            f"no pictures in {folder}; put files ({', '.join(images.EXTENSIONS)}) there or one "
            f"folder deeper{f'; {other}' if other else ''}"
        )
    return found
