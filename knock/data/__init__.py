"""Data sets: find or download them, read them, draw batches. No framework is imported here.

from knock import data
pictures = data.load("newts", (3, 64, 64))
batches = data.Batches(pictures, recipe)
batches.batch(700)["images"]            # N×C×H×W in [−1, 1]
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from knock.data import cifar10, digits, folder, folder_pairs, idx, images, newts
from knock.data.batches import Batches, prefetch, to_pixels, to_unit, unit_pair
from knock.data.folder import classes as classes_in
from knock.data.folder import left_out
from knock.data.imageset import ImageSet, Shape, Split
from knock.errors import UserError
from knock.recipe import Augment

__all__ = [
    "SETS",
    "Batches",
    "ImageSet",
    "SetStatus",
    "classes",
    "classes_in",
    "download",
    "left_out",
    "load",
    "prefetch",
    "set_in",
    "status",
    "to_pixels",
    "to_unit",
    "unit_pair",
    "usual_changes",
]

_PHOTOGRAPHS = Augment(flip=True, rotate=10.0, shift=0.05)
_FIGURES = Augment(rotate=10.0, shift=0.05)  # a mirrored 2 is no 2


class _Load(Protocol):
    def __call__(self, image_shape: Shape, split: Split, folder: Path | None) -> ImageSet: ...


@dataclass(frozen=True)
class _Source:
    """How one set is read, where it is (None: nowhere yet), and how to get it.

    `load_pairs` reads it as pairs of pictures; None if it has no pairs. `classes` are empty where
    the pictures are the user's own. `changes` are random ones that leave a picture one of its kind.
    """

    load: _Load
    where: Callable[[], Path | None]
    how_to_get: str
    download: Callable[[], Path] | None = None
    load_pairs: _Load | None = None
    classes: tuple[str, ...] = ()
    changes: Augment = _PHOTOGRAPHS


_DOWNLOADS = "knock data {name} downloads it; or put its files in {by_hand}"


def _idx_source(name: str, changes: Augment) -> _Source:
    published = idx.PUBLISHED[name]
    return _Source(
        load=lambda image_shape, split, folder: idx.load(published, image_shape, split, folder),
        where=lambda: idx.where(published),
        how_to_get=_DOWNLOADS.format(name=name, by_hand=f"$KNOCK_DATA/{name}"),
        download=lambda: idx.download(published),
        classes=published.classes,
        changes=changes,
    )


_SOURCES: dict[str, _Source] = {
    "newts": _Source(
        newts.load,
        newts.where,
        "it comes with the repository, in Dataset",
        load_pairs=newts.load_pairs,
        classes=newts.CLASSES,
    ),
    "digits": _Source(
        digits.load,
        digits.where,
        "pip install scikit-learn",
        classes=digits.CLASSES,
        changes=_FIGURES,
    ),
    "mnist": _idx_source("mnist", _FIGURES),
    "fashion_mnist": _idx_source("fashion_mnist", _PHOTOGRAPHS),
    "cifar10": _Source(
        cifar10.load,
        cifar10.where,
        _DOWNLOADS.format(name="cifar10", by_hand="$KNOCK_DATA/cifar10"),
        cifar10.download,
        classes=cifar10.CLASSES,
    ),
    "folder": _Source(
        folder.load,
        lambda: None,
        "your own pictures: --data FOLDER",
        load_pairs=folder_pairs.load,
    ),
}

SETS = tuple(_SOURCES)


@dataclass(frozen=True)
class SetStatus:
    """One line of `knock data`: whether the set is here, where, and otherwise how to get it."""

    name: str
    where: Path | None
    present: bool
    how_to_get: str


def load(
    name: str,
    image_shape: Shape,
    split: Split = "train",
    folder: Path | None = None,
    pairs: bool = False,
) -> ImageSet:
    """Read one of `SETS` into memory, every picture already `image_shape` = (C, H, W).

    Without `folder` the set is searched in `$KNOCK_DATA`, then in the cache folder; mnist,
    fashion_mnist and cifar10 are downloaded if they are in neither. With `pairs` every picture has
    a second one: in `targets`, or to be painted from its mask. Raises UserError for an unknown
    name, a missing set, a set without pairs, and any file that cannot be used, with its name.
    """
    source = _source(name)
    channels, height, width = image_shape
    if channels not in (1, 3) or min(height, width) < 1:
        raise UserError(
            f"pictures are 1×height×width (grey) or 3×height×width (colour), not {image_shape}"
        )
    if split not in ("train", "test"):
        raise UserError(f"no split {split!r}; choose from: train, test")
    read = source.load_pairs if pairs else source.load
    if read is None:
        paired = ", ".join(name for name, source in _SOURCES.items() if source.load_pairs)
        raise UserError(f"{name} has no pairs; choose from: {paired}")
    return read((channels, height, width), split, folder)


def classes(name: str) -> tuple[str, ...]:
    """The names of a set's classes, by number; none for the user's own. Raises UserError."""
    return _source(name).classes


def set_in(folder: Path, usual: str) -> str:
    """Which set a folder is that was named without one.

    By its layout it is newts, by any picture the user's own; one without pictures is `usual`, of
    whose files nothing is known here.
    """
    if newts.where(folder):
        return "newts"
    return "folder" if images.any_below(folder) else usual


def usual_changes(name: str) -> Augment:
    """Random changes for the training pictures of a set, where a recipe says none."""
    return _source(name).changes


def status() -> list[SetStatus]:
    """Every set, and where it was found. Reads no file's content, opens no connection."""
    found = [(name, source, source.where()) for name, source in _SOURCES.items()]
    return [SetStatus(n, where, where is not None, s.how_to_get) for n, s, where in found]


def download(name: str) -> Path:
    """Fetch a set from its public servers, unless it is already here, and return its folder.

    Raises UserError for a set that cannot be downloaded, and if no server answers.
    """
    source = _source(name)
    if source.download is None:
        raise UserError(f"{name} is not downloaded: {source.how_to_get}")
    return source.download()


def _source(name: str) -> _Source:
    if name not in _SOURCES:
        raise UserError(f"no data set {name!r}; choose from: {', '.join(SETS)}")
    return _SOURCES[name]
