"""CIFAR-10 in its binary version: no pickle, so a file cannot run code.

A record is 3073 bytes: the class, then 32×32 red, green and blue, each row by row (Krizhevsky
2009). Five files of 10 000 are for training, one is for testing.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from knock.data import places, resize
from knock.data.imageset import ImageSet, Pixels, Shape, Split
from knock.data.mirrors import Remote, fetch
from knock.errors import UserError

import numpy as np

NAME = "cifar10"
CLASSES = tuple(
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
)
RECORD = 1 + 3 * 32 * 32
MAX_RECORDS = 100_000
"""More than any real file has: no larger one is read into memory."""

ARCHIVE = Remote(
    "cifar-10-binary.tar.gz",
    170052171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
HOMES = (
    "https://www.cs.toronto.edu/~kriz/",
    "https://cave.cs.toronto.edu/kriz/",
    "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
)
FOLDER = "cifar-10-batches-bin"
FILES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}


def load(image_shape: Shape, split: Split, folder: Path | None = None) -> ImageSet:
    """Read one split, unpacked or from the archive; download it if it does not exist.

    Raises UserError that names the missing, incomplete or wrong file.
    """
    found = next(
        (place for root in places.candidates(NAME, folder) if (place := _in(root, split))), None
    )
    if found is None:
        if folder is not None:
            raise UserError(
                f"no {NAME} in {folder}; put {FOLDER}/{FILES[split][0]} or {ARCHIVE.file} "
                "(the binary version) there"
            )
        found = fetch(ARCHIVE, NAME, HOMES)
    files = _unpacked(found, split) if found.is_dir() else _packed(found, split)
    records = np.concatenate([_records(content, where) for where, content in files])
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return ImageSet(
        images=resize.photographs(images, image_shape),
        labels=records[:, 0].astype(np.int64),
        classes=CLASSES,
        masks=None,
        name=NAME,
        split=split,
    )


def where() -> Path | None:
    """The folder with the files of both splits, or with the archive; None if there is none."""
    for root in places.candidates(NAME, None):
        train, test = _in(root, "train"), _in(root, "test")
        if train is not None and test is not None:
            return root
    folder = places.downloads(NAME, ARCHIVE.file)
    return folder if (folder / ARCHIVE.file).is_file() else None


def download() -> Path:
    """Fetch the archive unless it is already here, and return its folder."""
    return fetch(ARCHIVE, NAME, HOMES).parent


def _in(root: Path, split: Split) -> Path | None:
    """The folder with the split's first file, or the archive, in `root`."""
    for folder in (root / FOLDER, root):
        if (folder / FILES[split][0]).is_file():
            return folder
    archive = root / ARCHIVE.file
    return archive if archive.is_file() else None


def _unpacked(folder: Path, split: Split) -> Iterator[tuple[str, bytes]]:
    for name in FILES[split]:
        path = folder / name
        try:
            _check_length(path.stat().st_size, str(path))
            yield str(path), path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None


def _packed(archive: Path, split: Split) -> Iterator[tuple[str, bytes]]:
    """The split's files, read inside the archive; nothing is unpacked to disk."""
    found = {}
    try:
        with gzip.open(archive) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            for member in tar:
                name = Path(member.name).name
                where = f"{archive}: {name}"
                if name in FILES[split] and member.isfile():
                    _check_length(member.size, where)
                    stream = tar.extractfile(member)
                    found[name] = where, stream.read() if stream is not None else b""
            unzipped.read(1 << 20)  # to the end, so that gzip compares its checksum
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UserError(
            f"{archive} is incomplete or damaged ({error}); copy or download it again"
        ) from None
    for name in FILES[split]:
        if name not in found:
            raise UserError(f"{archive} has no {name}; it must be CIFAR-10's binary version")
        yield found[name]


def _check_length(length: int, where: str) -> None:
    if length == 0 or length % RECORD or length > MAX_RECORDS * RECORD:
        raise UserError(
            f"{where} is {length} bytes long, but a file is 1 to {MAX_RECORDS} records of {RECORD} "
            "bytes: it is incomplete, or not CIFAR-10's binary version; download it again"
        )


def _records(content: bytes, where: str) -> Pixels:
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    if (worst := records[:, 0].max()) > 9:
        raise UserError(f"{where} has class {worst}, but the classes are 0 to 9; download it again")
    return records
