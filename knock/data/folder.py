"""The user's own pictures: a folder of them, with or without a subfolder for each class."""

import hashlib
import os
import unicodedata
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from knock.data import images, layout, resize
from knock.data.imageset import ImageSet, Labels, Pixels, Shape, Split
from knock.data.layout import Folders
from knock.errors import UserError

import numpy as np

EVERY = 5
"""Without train/ and test/, one picture of each class in five is a test picture."""

Item = TypeVar("Item")
Found = list[tuple[Item, str]]
"""Files of pictures, each with its class ("" if there are no classes)."""


def load(image_shape: Shape, split: Split, folder: Path | None) -> ImageSet:
    """Read `folder`.

    It has the folders `train` and `test`, or another of `layout`, or is split here: of each class's
    pictures one in five, drawn by its name, is a test picture. Each part gets at least one of each
    class; a single picture is in both. The pictures are directly in the folder, or in one subfolder
    per class and in any folder below that. Hidden files and files with other endings are ignored:
    see `left_out`. Raises UserError if no picture is left, and for pictures that cannot be read.
    """
    parts = in_parts(given(folder), gathered, str)
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


def in_parts(
    folder: Path, gather: Callable[[Folders], Found[Item]], name: Callable[[Item], str]
) -> dict[Split, Found[Item]]:
    """What `gather` finds in `folder`, split into training and test as `load` describes.

    `name` is what an item is drawn by; only what follows `folder` in it counts.
    """
    seen = layout.of(folder)
    if seen.parts is not None:
        return {split: gather(folders) for split, folders in seen.parts.items()}
    found = gather({"": seen.home})
    before = len(str(seen.home))
    tested: set[int] = set()
    single: set[int] = set()
    for _, group in groupby(range(len(found)), key=lambda place: found[place][1]):
        drawn = sorted(group, key=lambda place: _draw(name(found[place][0])[before:]))
        tested |= {*drawn[: max(1, len(drawn) // EVERY)]}
        single |= {*drawn} if len(drawn) == 1 else set()
    return {
        "train": [one for place, one in enumerate(found) if place not in tested - single],
        "test": [one for place, one in enumerate(found) if place in tested],
    }


def _draw(name: str) -> bytes:
    """A number at random that depends on nothing but the name: the same wherever the folder is.

    So a picture more or less hardly changes which of the others are test pictures.
    """
    text = f"folder/{plain(name).replace(os.sep, '/')}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def plain(name: str) -> str:
    """A name in composed Unicode: some systems write ö as one character, some as two."""
    return unicodedata.normalize("NFC", name)


def classes(folder: Path) -> tuple[str, ...]:
    """The names of the classes in `folder`; empty if there are none. Raises UserError as `load`."""
    return sorted_in_classes(in_parts(given(folder), gathered, str), "train")[0]


def sorted_in_classes(
    parts: dict[Split, Found[Item]], split: Split
) -> tuple[tuple[str, ...], Labels]:
    """The classes of both parts together, and the labels (int64 N) of `split`."""
    classes = tuple(sorted({name for part in parts.values() for _, name in part} - {""}))
    places = {name: place for place, name in enumerate(classes)}
    return classes, np.array([places.get(name, 0) for _, name in parts[split]], np.int64)


def gathered(folders: Folders) -> Found[Path]:
    """The pictures of one part, by class. Raises UserError."""
    if "" in folders:
        return find(folders[""])
    return [(path, plain(name)) for name, at in folders.items() for path in below(at)]


def below(folder: Path) -> list[Path]:
    """The pictures in `folder` and below it. Raises UserError if there are none."""
    if not (found := list(images.pictures_below(folder))):
        raise UserError(f"no pictures in {folder}; put some there or remove it")
    return found


def find(folder: Path) -> Found[Path]:
    """The pictures in `folder`, or below its subfolders, one per class. Raises UserError."""
    loose: Found[Path] = [(path, "") for path in images.pictures_in(folder)]
    sorted_in = [
        (path, plain(sub.name))
        for sub in images.folders_in(folder)
        for path in images.pictures_below(sub)
    ]
    if loose and sorted_in:
        raise UserError(
            f"{folder} has pictures both in itself ({loose[0][0].name}) and in subfolders "
            f"({sorted_in[0][0].relative_to(folder).as_posix()}); use one subfolder per class, or "
            "none"
        )
    if not (found := loose or sorted_in):
        other = left_out(folder)
        raise UserError(
            f"no pictures in {folder}; put files ({', '.join(images.endings())}) there or into "
            f"folders there, one for each class{f'; {other}' if other else ''}"
        )
    return sorted(found, key=lambda one: one[1])  # composed names may have another order


def left_out(folder: Path) -> str | None:
    """A line about what in `folder` looks like pictures and is not read; None if nothing does."""
    seen = layout.of(folder)
    others = [path for path in images.files_below(folder) if not images.is_picture(path)]
    known = [path for path in others if path.suffix.lower() in images.OTHERS + images.endings()]
    dead = [path for path in known if not path.is_file()]
    lines = []
    if unread := sorted(path for path in known if path not in set(dead)):
        endings = ", ".join(sorted({path.suffix.lower() for path in unread}))
        lines.append(
            f"{_files(unread)} not read ({unread[0].name}): export {endings} as JPEG or PNG"
        )
    if dead:
        lines.append(f"{_files(dead)} no files but dead links, or the like ({dead[0].name})")
    if seen.unused:
        names = ", ".join(path.relative_to(folder).as_posix() for path in seen.unused)
        lines.append(f"not read beside the parts for training and testing: {names}")
    homes = [seen.home] if seen.parts is None else [*seen.parts["train"].values()]
    sorted_in = [at for at in homes if not images.pictures_in(at)]
    subs = [sub for at in sorted_in for sub in images.folders_in(at)]
    if empty := [sub for sub in subs if not images.any_below(sub)]:
        names = ", ".join(path.name for path in empty)
        lines.append(f"no class, since no pictures are in it: {names}")
    return "; ".join(lines) or None


def _files(found: list[Path]) -> str:
    return f"{len(found)} files are" if len(found) > 1 else "1 file is"
