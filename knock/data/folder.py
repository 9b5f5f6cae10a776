"""The reader's own pictures: a folder of them, with or without a subfolder for each class."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from knock.data import images, resize
from knock.data.imageset import ImageSet, Labels, Pixels, Shape, Split
from knock.errors import UserError

import numpy as np

EVERY = 5
"""Without train/ and test/, every fifth picture is for testing."""

Item = TypeVar("Item")
Found = list[tuple[Item, str]]
"""Pictures' files, each with its class ("" where there are none)."""


def load(image_shape: Shape, split: Split, folder: Path | None) -> ImageSet:
    """Read `folder`.

    It holds `train` and `test`, or is itself split: of the pictures, sorted by class and name,
    every fifth is for testing, at least one is in each part, and a single picture is in both.
    Within it are the pictures, or one subfolder of pictures a class. Hidden files, files not named
    as pictures and deeper folders are ignored. Raises UserError where no picture is left, and for
    every picture that cannot be read.
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
    """The folder itself. Raises UserError where there is none."""
    if folder is None:
        raise UserError("which folder? give the folder of your pictures with --data FOLDER")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder of your pictures")
    return folder


def in_parts(folder: Path, find: Callable[[Path], Found[Item]]) -> dict[Split, Found[Item]]:
    """What `find` finds in `folder`, for training and for testing, as `load` says."""
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        return {"train": find(folder / "train"), "test": find(folder / "test")}
    found = find(folder)
    if len(found) < EVERY:
        return {"train": found[:-1] or found, "test": found[-1:]}
    train = [one for place, one in enumerate(found, start=1) if place % EVERY]
    return {"train": train, "test": found[EVERY - 1 :: EVERY]}


def sorted_in_classes(
    parts: dict[Split, Found[Item]], split: Split
) -> tuple[tuple[str, ...], Labels]:
    """The classes of both parts, and the labels (int64 N) of the one that is asked for."""
    classes = tuple(sorted({name for part in parts.values() for _, name in part} - {""}))
    places = {name: place for place, name in enumerate(classes)}
    return classes, np.array([places.get(name, 0) for _, name in parts[split]], np.int64)


def find(folder: Path) -> Found[Path]:
    """The pictures in `folder`, or in its subfolders, which are classes then. Raises UserError."""
    loose: Found[Path] = [(path, "") for path in images.pictures_in(folder)]
    subfolders = [path for path in images.entries(folder) if path.is_dir()]
    sorted_in = [(path, sub.name) for sub in subfolders for path in images.pictures_in(sub)]
    if loose and sorted_in:
        raise UserError(
            f"{folder} has pictures both loose ({loose[0][0].name}) and in subfolders "
            f"({sorted_in[0][1]}/{sorted_in[0][0].name}); subfolders are classes: use one way"
        )
    if not (found := loose or sorted_in):
        raise UserError(
            f"no pictures in {folder}; they end in {', '.join(images.EXTENSIONS)} and lie there "
            "or one folder deeper"
        )
    return found
