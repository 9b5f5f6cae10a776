"""The shipped data set: its layout, its masks, and that the script redraws it byte for byte."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest

DATASET = Path(__file__).resolve().parents[1] / "Dataset"
COUNTS = {"train": 64, "test": 16}
COLOURS = {"akahara": (128, 0, 0), "madara": (0, 128, 0)}  # RGB
SAMPLE = [
    ("train", "akahara", 1),
    ("train", "akahara", 30),
    ("train", "madara", 7),
    ("train", "madara", 64),
    ("test", "akahara", 16),
    ("test", "madara", 3),
]


def read(path: Path) -> npt.NDArray[np.uint8]:
    """An image as stored, RGB (H, W, 3)."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, f"{path} does not decode"
    assert image.ndim == 3, f"{path} is not a colour image"
    return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8)


def pairs(split: str, species: str) -> Iterator[tuple[Path, Path]]:
    """(picture, mask) of every newt of one folder."""
    for picture in sorted((DATASET / split / "images" / species).iterdir()):
        yield picture, DATASET / split / "seg_images" / species / f"{picture.stem}.png"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Dataset/draw_newts.py as a module."""
    spec = importlib.util.spec_from_file_location("draw_newts", DATASET / "draw_newts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("species", COLOURS)
def test_layout(split: str, species: str) -> None:
    stems = [f"{species}_{index:04d}" for index in range(1, COUNTS[split] + 1)]
    for folder, extension in (("images", ".jpg"), ("seg_images", ".png")):
        found = sorted(path.name for path in (DATASET / split / folder / species).iterdir())
        assert found == [stem + extension for stem in stems]


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("species", COLOURS)
def test_pictures_and_masks(split: str, species: str) -> None:
    for picture_path, mask_path in pairs(split, species):
        picture, mask = read(picture_path), read(mask_path)
        assert picture.shape == mask.shape == (256, 256, 3)
        animal = (mask == COLOURS[species]).all(axis=2)
        background = (mask == 0).all(axis=2)
        assert (animal | background).all(), f"{mask_path.name}: a colour that means nothing"
        assert 0.08 <= animal.mean() <= 0.40, f"{mask_path.name}: covers {animal.mean():.1%}"

        red, green, blue = np.moveaxis(picture[animal].astype(np.int64), 1, 0)
        if species == "akahara":
            telling = (red > 110) & (red > 2 * green) & (red > 2 * blue)
        else:
            telling = (green > 90) & (green > 1.2 * red) & (green > 1.5 * blue)
        assert telling.mean() > 0.03, f"{picture_path.name}: {telling.mean():.1%} in its colour"


def test_mask_is_one_animal() -> None:
    """No specks: nearly all of a mask is one connected piece."""
    for split in COUNTS:
        for species in COLOURS:
            for _, mask_path in pairs(split, species):
                animal = read(mask_path).any(axis=2).astype(np.uint8)
                _, _, stats, _ = cv2.connectedComponentsWithStats(animal, connectivity=8)
                areas = stats[1:, cv2.CC_STAT_AREA]
                assert areas.max() > 0.99 * areas.sum(), mask_path.name


def test_pictures_all_differ() -> None:
    digests = [
        hashlib.sha256(read(picture).tobytes()).digest()
        for split in COUNTS
        for species in COLOURS
        for picture, _ in pairs(split, species)
    ]
    assert len(set(digests)) == len(digests) == 160


def test_checksums() -> None:
    lines = (DATASET / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    listed = {line[66:]: line[:64] for line in lines}  # 64 hex digits, two spaces, the name
    present = [
        path.relative_to(DATASET).as_posix()
        for split in COUNTS
        for path in (DATASET / split).rglob("*")
        if path.is_file()
    ]
    assert list(listed) == sorted(present)
    for name, digest in listed.items():
        assert hashlib.sha256((DATASET / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize(("split", "species", "index"), SAMPLE)
def test_redraws_byte_for_byte(script: ModuleType, split: str, species: str, index: int) -> None:
    if cv2.__version__ != script.WRITTEN_WITH["opencv"]:
        pytest.skip(
            f"the files were encoded by OpenCV {script.WRITTEN_WITH['opencv']}, "
            f"this is {cv2.__version__}"
        )
    for name, contents in script.files(split, species, index).items():
        assert (DATASET / name).read_bytes() == contents, name


def test_redrawn_masks_whatever_the_encoder(script: ModuleType) -> None:
    """The pixels of a mask do not depend on the version of OpenCV."""
    split, species, index = SAMPLE[0]
    _, mask = script.draw(split, species, index)
    stored = read(DATASET / split / "seg_images" / species / f"{species}_{index:04d}.png")
    assert (mask == stored).all()
