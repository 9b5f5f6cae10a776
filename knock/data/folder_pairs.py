"""The user's own pairs: two pictures side by side in one file, or in the folders A and B.

    FOLDER/*.jpg         A is the left half of every picture, B the right half
    FOLDER/A/7.jpg       A and B are files with the same name; the endings may differ
    FOLDER/B/7.png

Either may be divided further as in `folder`: by train and test, and below those by classes.
The folders train and test may also be inside A and B.
"""

from pathlib import Path

from knock.data import folder as folders
from knock.data import images, resize
from knock.data.folder import Found
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.errors import UserError

import numpy as np

Files = tuple[Path, ...]
"""The file that holds both pictures of a pair, or one file for each."""


def load(image_shape: Shape, split: Split, folder: Path | None) -> ImageSet:
    """Read `folder`: A is in the set's `images`, B in its `targets`.

    Pictures of any shape may be side by side; each is then cropped as usual. So a file that is not
    a pair is only noticed if its width is odd, or not greater than its height. Raises UserError for
    such a file, for a picture without its partner, for partners of different sizes, and whenever
    `folder.load` does.
    """
    folder = folders.given(folder)
    a, b = folder / "A", folder / "B"
    if all((place / part).is_dir() for place in (a, b) for part in ("train", "test")):
        parts: dict[Split, Found[Files]] = {
            "train": _matched(a / "train", b / "train"),
            "test": _matched(a / "test", b / "test"),
        }
    else:
        parts = folders.in_parts(folder, _find)
    classes, labels = folders.sorted_in_classes(parts, split)
    channels, height, width = image_shape

    def pair(files: Files) -> list[Pixels]:
        return [resize.photograph(one, height, width) for one in _read(files, channels)]

    read = images.in_parallel(pair, [files for files, _ in parts[split]])
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


def _find(folder: Path) -> Found[Files]:
    a, b = folder / "A", folder / "B"
    if a.is_dir() and b.is_dir():
        return _matched(a, b)
    if a.is_dir() or b.is_dir():
        here, missing = (a, b) if a.is_dir() else (b, a)
        raise UserError(f"there is {here}, but no folder {missing}; put the other pictures there")
    return [((path,), name) for path, name in folders.find(folder)]


def _matched(a: Path, b: Path) -> Found[Files]:
    """Pairs of the pictures in two folders, by class and name without ending, in A's order."""
    in_a, in_b = _by_name(a), _by_name(b)
    for here, there, other in ((in_a, in_b, b), (in_b, in_a, a)):
        for (name, stem), path in here.items():
            if (name, stem) not in there:
                raise UserError(
                    f"the picture {path} has no partner {other / name / stem}"
                    f"{{{','.join(images.EXTENSIONS)}}}; put it there or remove {path}"
                )
    return [((path, in_b[key]), key[0]) for key, path in in_a.items()]


def _by_name(folder: Path) -> dict[tuple[str, str], Path]:
    """The pictures of `folder` by (class, name without ending)."""
    found: dict[tuple[str, str], Path] = {}
    for path, name in folders.find(folder):
        if (other := found.setdefault((name, path.stem), path)) is not path:
            raise UserError(
                f"{other} and {path} differ only in their endings, so the pair is not clear; "
                "remove one of them"
            )
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
    height, width, _ = image.shape
    if width % 2 or width <= height:
        raise UserError(
            f"{path} ({width}×{height}) is not two pictures side by side: its width must be even "
            "and greater than its height; or put the pictures in folders A and B"
        )
    return image[:, : width // 2], image[:, width // 2 :]
