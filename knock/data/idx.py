"""MNIST and Fashion-MNIST, and any other set in the same four IDX files.

An IDX file is a header of big-endian 32-bit numbers (0x0801 for labels or 0x0803 for images, then
the size of each axis) and then the values, a byte each (LeCun, Cortes & Burges 1998).
"""

import gzip
import hashlib
import logging
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from knock.data import places, resize
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.data.mirrors import Remote, fetch
from knock.errors import UserError

import numpy as np

SIDE = 28
MAX_COUNT = 1_000_000
"""More pictures than any real set has: a larger count means a damaged header."""

STEMS: dict[Split, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class Published:
    """A set as it was published: its classes, its gzipped files by name, and its servers.

    `contents` are the digests of the unpacked files, as far as they are known.
    """

    name: str
    classes: tuple[str, ...]
    files: Mapping[str, Remote]
    homes: tuple[str, ...]
    contents: frozenset[str] = frozenset()

    @property
    def digests(self) -> frozenset[str]:
        """The SHA-256 of every file, packed or unpacked."""
        return self.contents | {remote.sha256 for remote in self.files.values()}


def _files(*rows: tuple[str, int, str]) -> dict[str, Remote]:
    return {stem: Remote(f"{stem}.gz", size, sha256) for stem, size, sha256 in rows}


PUBLISHED = {
    "mnist": Published(
        name="mnist",
        classes=tuple("0123456789"),
        files=_files(
            (
                "train-images-idx3-ubyte",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            (
                "train-labels-idx1-ubyte",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            (
                "t10k-images-idx3-ubyte",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            (
                "t10k-labels-idx1-ubyte",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        homes=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://raw.githubusercontent.com/fgnt/mnist/master/",
        ),
        contents=frozenset(
            {
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            }
        ),
    ),
    "fashion_mnist": Published(
        name="fashion_mnist",
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        files=_files(
            (
                "train-images-idx3-ubyte",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            (
                "train-labels-idx1-ubyte",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            (
                "t10k-images-idx3-ubyte",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            (
                "t10k-labels-idx1-ubyte",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        homes=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
}


def load(
    published: Published, image_shape: Shape, split: Split, folder: Path | None = None
) -> ImageSet:
    """Read one split, downloading it if it does not exist and no `folder` is given.

    The user's own files may differ from the published ones in content (one warning says so), but
    not in form. Raises UserError that names the missing, incomplete or wrong file.
    """
    images_path, labels_path = _paths(published, split, folder)
    images = read(published, images_path, axes=3)
    labels = read(published, labels_path, axes=1)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} has {len(images)} pictures, but {labels_path} has {len(labels)} labels"
        )
    return ImageSet(
        images=resize.drawing(images[..., None], image_shape),
        labels=labels.astype(np.int64),
        classes=published.classes,
        masks=None,
        name=published.name,
        split=split,
        border="constant",
    )


def where(published: Published) -> Path | None:
    """The folder that has both splits; None if there is none."""
    for place in places.candidates(published.name, None):
        if all(_named(place, stem) for stems in STEMS.values() for stem in stems):
            return place
    folders = {
        places.downloads(published.name, remote.file) / remote.file
        for remote in published.files.values()
    }
    return next(iter(folders)).parent if all(path.is_file() for path in folders) else None


def download(published: Published) -> Path:
    """Fetch those of the four files that are not here yet, and return their folder."""
    folders = [
        fetch(remote, published.name, published.homes).parent for remote in published.files.values()
    ]
    return folders[0]


def read(published: Published, path: Path, axes: int) -> Pixels:
    """The values of an IDX file, gzipped or not: uint8 N×28×28 (`axes` 3) or N labels (`axes` 1).

    No more is unpacked than the header announces. Raises UserError if the header is not that of
    such a file, the length differs from the header's, or a label is not 0 … 9.
    """
    try:
        with _open(path) as stream:
            content = _content(stream, path, axes)
    except EOFError:
        raise UserError(f"{path} is incomplete; copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}); copy or download it again") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    _compare(published, path, content)
    header = _header_length(axes)
    values = np.frombuffer(content, np.uint8, offset=header)
    if axes == 1:
        if values.max(initial=0) > 9:
            raise UserError(
                f"{path} has the label {values.max()}, but labels are 0 to 9; use another file"
            )
        return values
    return values.reshape(-1, SIDE, SIDE)


def _paths(published: Published, split: Split, folder: Path | None) -> tuple[Path, Path]:
    stems = STEMS[split]
    for place in places.candidates(published.name, folder):
        images, labels = (_named(place, stem) for stem in stems)
        if images and labels:
            return images, labels
        if images or labels:
            missing = stems[0] if labels else stems[1]
            raise UserError(f"{place} lacks {missing} (or {missing}.gz) of {published.name}")
    if folder is not None:
        raise UserError(
            f"no {published.name} in {folder}; put {stems[0]} and {stems[1]} there, unpacked or "
            "as .gz"
        )
    images, labels = (
        fetch(published.files[stem], published.name, published.homes) for stem in stems
    )
    return images, labels


def _named(place: Path, stem: str) -> Path | None:
    """The file in `place` under one of its usual names; None if there is none."""
    dotted = stem.replace("-idx", ".idx")  # some unpacking programs write this name
    names = (stem, f"{stem}.gz", dotted, f"{dotted}.gz")
    return next((path for name in names if (path := place / name).is_file()), None)


def _open(path: Path) -> BinaryIO:
    """The unpacked bytes. The first two bytes show whether a file is gzipped, not its name."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if gzipped else path.open("rb")  # type: ignore[return-value]


def _header_length(axes: int) -> int:
    return 4 * (1 + axes)


def _content(stream: BinaryIO, path: Path, axes: int) -> bytes:
    header = stream.read(_header_length(axes))
    if len(header) < _header_length(axes):
        raise EOFError
    magic, count, *sides = struct.unpack(f">{1 + axes}I", header)
    what = "images" if axes == 3 else "labels"
    if magic != 0x0800 + axes:
        raise UserError(
            f"{path} is not an IDX file of {what}: it begins with {magic:#010x}, "
            f"not {0x0800 + axes:#010x}"
        )
    if count == 0 or count > MAX_COUNT or any(side != SIDE for side in sides):
        size = "×".join(str(number) for number in (count, *sides))
        raise UserError(
            f"{path} announces {size} {what}, but this set has 1 to {MAX_COUNT} of 28×28; it is "
            "damaged or another set's"
        )
    length = count * SIDE * SIDE if axes == 3 else count
    content = bytearray(header)
    wanted = len(header) + length
    # Piece by piece: memory grows with the file, not with what its header claims.
    while len(content) < wanted:
        piece = stream.read(min(1 << 20, wanted - len(content)))
        if not piece:
            raise EOFError
        content += piece
    if stream.read(1):
        raise UserError(f"{path} is longer than the {count} {what} that its header announces")
    return bytes(content)


def _compare(published: Published, path: Path, content: bytes) -> None:
    """Warn once if a file is not the published one; refuse one that belongs to another set."""
    digests = {hashlib.sha256(content).hexdigest()}
    packed = path.suffix == ".gz"
    if packed:
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    for other in PUBLISHED.values():
        if digests & other.digests and other.name != published.name:
            raise UserError(
                f"{path} is a file of {other.name}, not of {published.name}; the files of each set "
                f"belong in a folder of their own, named {other.name} or {published.name}"
            )
    comparable = packed or published.contents
    if comparable and not digests & published.digests:
        _warn_once(f"{path} is not the file published with {published.name}; it is used as it is")


@cache
def _warn_once(message: str) -> None:
    logging.getLogger(__name__).warning(message)
