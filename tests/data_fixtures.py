"""Small data sets and pictures that the tests of `knock.data` write."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

from knock.data import ImageSet
from knock.recipe import Augment, Draw, Recipe, Train

import numpy as np
from PIL import Image

RNG = np.random.default_rng(20260101)


def write_picture(path: Path, height: int = 20, width: int = 30, colour=(200, 30, 60)) -> Path:
    """A picture of one colour, in the format of the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), colour).save(path)
    return path


def noisy_picture(height: int = 60, width: int = 40) -> Image.Image:
    """A picture that compresses badly, so that its file is long enough to cut in many places."""
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3)).astype(np.uint8))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def write_newts(root: Path, splits=("train", "test"), each: int = 2, suffix: str = ".jpg") -> Path:
    """The newts' layout; each mask is background on the left half, its species on the right."""
    colours = {"akahara": (128, 0, 0), "madara": (0, 128, 0)}
    for split in splits:
        for name, colour in colours.items():
            for number in range(each):
                write_picture(root / split / "images" / name / f"{name}_{number}{suffix}", 16, 16)
                mask = np.zeros((16, 16, 3), np.uint8)
                mask[:, 8:] = colour
                path = root / split / "seg_images" / name / f"{name}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(path)
    return root


def idx_bytes(values: np.ndarray) -> bytes:
    """A uint8 array as an IDX file."""
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_idx(folder: Path, count: int = 12, packed: bool = True, splits=("train", "t10k")) -> None:
    """The IDX files of a small set: all pixels of picture i are i, its label is i mod 10."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 28, 28))
    for split in splits:
        for name, values in (
            (f"{split}-images-idx3-ubyte", pictures),
            (f"{split}-labels-idx1-ubyte", np.arange(count) % 10),
        ):
            data = idx_bytes(values)
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / name).write_bytes(data)


def cifar_records(count: int, label: int = 3) -> bytes:
    """Records whose pictures are red in the top row and black elsewhere."""
    record = np.zeros(3073, np.uint8)
    record[0] = label
    record[1:33] = 255
    return record.tobytes() * count


def write_cifar(folder: Path, each: int = 4) -> Path:
    """The six files of the binary version; file n has the label n."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(cifar_records(each, number))
    (folder / "test_batch.bin").write_bytes(cifar_records(each, 9))
    return folder


def write_cifar_archive(path: Path, folder: Path) -> Path:
    """The files of `folder` in an archive like the published one."""
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, arcname="cifar-10-batches-bin")
    return path


def image_set(
    images: np.ndarray,
    masks: np.ndarray | None = None,
    border: str = "reflect",
    targets: np.ndarray | None = None,
) -> ImageSet:
    """Arrays as a set; picture i has the label i."""
    labels = np.arange(len(images), dtype=np.int64)
    return ImageSet(images, labels, (), masks, "test", "train", border, targets)


def recipe(
    image_shape=(1, 8, 8),
    batch_size: int = 4,
    seed: int = 0,
    augment: Augment | None = None,
    draws: dict[str, Draw] | None = None,
    dtype: str = "float32",
    pairs: str | None = None,
    known: str | None = None,
    constants: dict[str, int] | None = None,
) -> Recipe:
    """A recipe with only those fields filled that the data use."""
    return Recipe(
        question="test",
        title="test",
        class_name="test",
        methods={},
        preset="quick",
        dataset="test",
        image_shape=image_shape,
        augment=augment or Augment(),
        constants=constants or {"noise": 6},
        networks={},
        optimizers={},
        draws=draws or {},
        train=Train(batch_size=batch_size, steps=10),
        seed=seed,
        dtype=dtype,
        pairs=pairs,
        known=known,
    )
