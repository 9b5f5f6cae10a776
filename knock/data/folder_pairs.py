"""The user's own pairs: two pictures side by side in one file, or in two folders.

    FOLDER/*.jpg         A is the left half of every picture, B the right half
    FOLDER/A/7.jpg       A and B are files with the same name; the endings may differ
    FOLDER/B/7.png

The two folders may have other names, as in `layout.SIDES`. Either may be divided further as in
`folder`: by train and test, and below those by classes. The folders train and test may also be
inside A and B, or in their names: trainA.
"""

import logging
from pathlib import Path

from knock.data import folder as folders
from knock.data import images, layout, resize
from knock.data.folder import Found
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.data.layout import Folders
from knock.errors import UserError

import numpy as np

Files = tuple[Path, ...]
"""The file that holds both pictures of a pair, or one file for each."""

_KNOWN = ", or ".join(" and ".join(pair) for pair in (("A", "B"), *layout.SIDES[1:]))


def load(image_shape: Shape, split: Split, folder: Path | None) -> ImageSet:
    """Read `folder`: A is in the set's `images`, B in its `targets`.

    Pictures of any shape may be side by side; each is then cropped as usual. So a file that is not
    a pair is only noticed if its width is odd, and doubted, with a warning, if it is not wider than
    high. Raises UserError for an odd width, for a picture without its partner, for partners of
    different sizes, and whenever `folder.load` does.
    """
    parts = folders.in_parts(folders.given(folder), _gathered, lambda files: str(files[0]))
    classes, labels = folders.sorted_in_classes(parts, split)
    channels, height, width = image_shape

    sizes: list[tuple[Path, int, int]] = []

    def pair(files: Files) -> list[Pixels]:
        found = _read(files, channels)
        if len(files) == 1:
            sizes.append((files[0], 2 * found[0].shape[1], found[0].shape[0]))
        return [resize.photograph(one, height, width) for one in found]

    read = images.in_parallel(pair, [files for files, _ in parts[split]])
    _warn_of_high(sorted(sizes))
    first, second = zip(*read, strict=True)
    return ImageSet(
        images=np.stack(first),
        labels=labels,
        classes=classes,
        masks=None,
        name="folder",
        split=split,
        targets=np.stack(second),
    )


def _gathered(given: Folders) -> Found[Files]:
    """The pairs of one part. Raises UserError."""
    if "" in given:
        return _find(given[""])
    if pair := layout.sides(given):
        return _matched(given[pair[0]], given[pair[1]])
    return [
        ((path,), folders.plain(name)) for name, at in given.items() for path in folders.below(at)
    ]


def _find(folder: Path) -> Found[Files]:
    inside = {sub.name: sub for sub in images.folders_in(folder)}
    if pair := layout.sides(inside):
        return _matched(inside[pair[0]], inside[pair[1]])
    for side, other in (("A", "B"), ("B", "A")):
        if side in inside:
            raise UserError(
                f"there is {folder / side}, but no folder {folder / other}; put the other pictures "
                "there"
            )
    found = folders.find(folder)
    _require_no_sides(folder, found)
    return [((path,), name) for path, name in found]


def _require_no_sides(folder: Path, found: Found[Path]) -> None:
    """Raises UserError if two folders have the same names, and a picture in them is no pair."""
    stems: dict[str, set[str]] = {}
    for path, name in found:
        stems.setdefault(name, set()).add(folders.plain(path.stem))
    if len(stems) != 2 or len({frozenset(names) for names in stems.values()}) != 1:
        return
    height, width, _ = images.read(found[0][0], 1).shape
    if width < 2 * height:
        raise UserError(
            f"{folder} has pictures of the same names in {' and '.join(stems)}, and they are not "
            f"two side by side; for pairs in two folders, name these {_KNOWN}"
        )


def _matched(a: Path, b: Path) -> Found[Files]:
    """Pairs of the pictures in two folders, by class and name without ending, in A's order."""
    in_a, in_b = _by_name(a), _by_name(b)
    images.require_none(
        [
            f"the picture {path} has no partner {other / name / stem}"
            f"{{{','.join(images.endings())}}}; put it there or remove {path}"
            for here, there, other in ((in_a, in_b, b), (in_b, in_a, a))
            for (name, stem), path in here.items()
            if (name, stem) not in there
        ]
    )
    return [((path, in_b[key]), key[0]) for key, path in in_a.items()]


def _by_name(folder: Path) -> dict[tuple[str, str], Path]:
    """The pictures of `folder` by (class, path in it without ending)."""
    found: dict[tuple[str, str], Path] = {}
    twice = []
    for path, name in folders.find(folder):
        inside = path.relative_to(folder).with_suffix("").parts[1 if name else 0 :]
        key = (name, folders.plain("/".join(inside)))
        if (other := found.setdefault(key, path)) is not path:
            twice.append(
                f"{other} and {path} differ only in their endings, so the pair is not clear; "
                "remove one of them"
            )
    images.require_none(twice)
    return found


def _read(files: Files, channels: int) -> tuple[Pixels, Pixels]:
    """Both pictures of a pair: uint8, of the same H×W×`channels`."""
    if len(files) == 1:
        return _halves(images.read(files[0], channels), files[0])
    a, b = (images.read(path, channels) for path in files)
    if a.shape != b.shape:
        raise UserError(
            f"{files[0]} is {a.shape[1]}×{a.shape[0]}, but its partner {files[1]} is "
            f"{b.shape[1]}×{b.shape[0]}; they must have the same size"
        )
    return a, b


def _halves(image: Pixels, path: Path) -> tuple[Pixels, Pixels]:
    _, width, _ = image.shape
    if width % 2:
        raise UserError(
            f"{path} ({image.shape[1]}×{image.shape[0]}) is not two pictures side by side: its "
            f"width must be even; or put the pictures in two folders, {_KNOWN}"
        )
    return image[:, : width // 2], image[:, width // 2 :]


def _warn_of_high(sizes: list[tuple[Path, int, int]]) -> None:
    """Say which pictures are cut in halves that are very high, in case they are no pairs."""
    high = [(path, width, height) for path, width, height in sizes if width <= height]
    if high:
        path, width, height = high[0]
        logging.getLogger(__name__).warning(
            f"{len(high)} of {len(sizes)} pictures are not wider than high, as pairs side by side "
            f"mostly are: {path} becomes two of {width // 2}×{height}"
        )
