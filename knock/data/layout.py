"""What the folders in a user's folder are: parts for training and testing, sides of pairs, classes.

    train/ test/                    also val, valid or validation where there is no test
    frog/{train,test} toad/…        the same in each class, or in each side of pairs
    trainA trainB testA testB       parts and classes, or sides, in one name
    frog/ toad/                     classes alone: `parts` is None

A folder that holds nothing but one of these is looked through, as an unpacked archive is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from knock.data import images
from knock.data.imageset import Split
from knock.errors import UserError

_TRAIN = ("train", "training")
_HELD = ("test", "testing", "val", "valid", "validation")
"""Best first: pictures for validation are the test part where there are none for testing."""

_WITH_SIDE = re.compile(rf"({'|'.join((*_TRAIN, *_HELD))})[_-]?([AB])", re.IGNORECASE)

SIDES = (
    ("a", "b"),
    ("input", "target"),
    ("inputs", "targets"),
    ("input", "output"),
    ("inputs", "outputs"),
    ("source", "target"),
    ("images", "masks"),
)
"""Names, in small letters, of two folders that hold the two pictures of each pair."""

KNOWN = "train and test, with a folder for each class in them or not; or one folder for each class"

Folders = dict[str, Path]
"""Folders of pictures by class or side; one without a name ("") may have folders for classes."""


@dataclass(frozen=True)
class Layout:
    """`home` is the folder itself, or the only one in it; `unused` are folders beside the parts."""

    home: Path
    parts: dict[Split, Folders] | None
    unused: tuple[Path, ...] = ()


def of(folder: Path) -> Layout:
    """The layout of a folder. Raises UserError for one that is half of a layout."""
    below = [sub for sub in images.folders_in(folder) if images.any_below(sub)]
    if any(map(images.is_picture, images.entries(folder))):
        below = [sub for sub in below if _is(sub, _TRAIN + _HELD)]  # else loose pictures are alone
    if found := _parts(below):
        used = set(found.values())
        unused = tuple(sub for sub in below if sub not in used)
        return Layout(folder, {split: {"": path} for split, path in found.items()}, unused)
    if sided := _sided(folder, below):
        return Layout(folder, sided)
    if inner := _inside(folder, below):
        return inner
    if below and all(_is(sub, _HELD) for sub in below):
        raise UserError(
            f"{folder} has {_names(below)}, but no folder train; put the pictures to train on there"
        )
    if len(below) == 1 and _is(below[0], _TRAIN):
        return of(below[0])
    return Layout(folder, None)


def _parts(below: Sequence[Path]) -> dict[Split, Path]:
    """The folders for training and for testing; empty if these are not both there."""
    train = next((sub for name in _TRAIN for sub in below if _is(sub, (name,))), None)
    held = next((sub for name in _HELD for sub in below if _is(sub, (name,))), None)
    return {"train": train, "test": held} if train and held else {}


def _sided(folder: Path, below: Sequence[Path]) -> dict[Split, Folders] | None:
    """Folders such as trainA and testB. Raises UserError if one of the four is missing."""
    found: dict[str, Folders] = {}
    for sub in below:
        if not (match := _WITH_SIDE.fullmatch(sub.name)):
            return None
        found.setdefault(match[1].lower(), {})[match[2].upper()] = sub
    train = next((found[name] for name in _TRAIN if name in found), {})
    held = next((found[name] for name in _HELD if name in found), {})
    if not found:
        return None
    if not len(train) == len(held) == 2:
        raise UserError(f"{folder} has {_names(below)}; it needs trainA, trainB, testA and testB")
    return {"train": train, "test": held}


def _inside(folder: Path, below: Sequence[Path]) -> Layout | None:
    """Parts in each of the folders; one alone is what is meant. Raises UserError if one lacks."""
    found = {sub: _parts(images.folders_in(sub)) for sub in below}
    without = [sub for sub, parts in found.items() if not parts]
    if len(without) == len(below):
        return None
    if len(below) == 1 and not any(below[0].name.lower() in sides for sides in SIDES):
        return of(below[0])
    if without:
        some = next(sub for sub in below if sub not in without)
        raise UserError(
            f"{some} has folders for training and testing, but {without[0]} has none; a folder of "
            f"pictures has {KNOWN}"
        )
    splits: tuple[Split, ...] = ("train", "test")
    parts = {split: {sub.name: found[sub][split] for sub in below} for split in splits}
    unused = [
        other
        for sub in below
        for other in images.folders_in(sub)
        if other not in found[sub].values() and images.any_below(other)
    ]
    return Layout(folder, parts, tuple(unused))


def sides(folders: Folders) -> tuple[str, str] | None:
    """The names of the two folders that hold the pictures of pairs; None if there are not both."""
    names = {name.lower(): name for name in folders}
    for a, b in SIDES:
        if a in names and b in names:
            return names[a], names[b]
    return None


def _is(folder: Path, names: Sequence[str]) -> bool:
    return folder.name.lower() in names


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(folder.name for folder in folders)
