"""Pairs: read from either layout, moved together, passed on in the wanted direction."""

import unicodedata
from pathlib import Path

from knock import data
from knock.data import Batches, to_pixels, unit_pair
from knock.errors import UserError
from knock.recipe import Augment
from tests import data_fixtures as made

import numpy as np
import pytest
from PIL import Image

ALL = Augment(flip=True, rotate=40.0, shift=0.2)
DIRECTIONS = ("AtoB", "BtoA")


def refusal(folder: Path, name: str = "folder", split: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        data.load(name, (3, 8, 8), split, folder, pairs=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def side_by_side(folder: Path, numbers) -> None:
    """Pair n in one file: n red on the left, n green on the right."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        both = np.zeros((8, 16, 3), np.uint8)
        both[:, :8, 0] = both[:, 8:, 1] = number
        Image.fromarray(both).save(folder / f"{number:03}.png")


def two_folders(a: Path, b: Path, numbers) -> None:
    """The same pairs in a file for each picture; B's have another ending."""
    for number in numbers:
        made.write_picture(a / f"{number:03}.png", 8, 8, (number, 0, 0))
        made.write_picture(b / f"{number:03}.BMP", 8, 8, (0, number, 0))


def numbers_of(found: data.ImageSet) -> list[int]:
    """Which pairs a set has; both pictures of each must be complete and in their places."""
    numbers = found.images[:, 0, 0, 0]
    for pictures, channel in ((found.images, 0), (found.targets, 1)):
        expected = np.zeros((len(numbers), 8, 8, 3), np.uint8)
        expected[..., channel] = numbers[:, None, None]
        np.testing.assert_array_equal(pictures, expected)
    return numbers.tolist()


def load(folder: Path, split: str = "train") -> data.ImageSet:
    return data.load("folder", (3, 8, 8), split, folder, pairs=True)


LAYOUTS = {
    "one file per pair": side_by_side,
    "two folders": lambda folder, numbers: two_folders(folder / "A", folder / "B", numbers),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_pair_in_five_is_for_testing(tmp_path, layout):
    LAYOUTS[layout](tmp_path, range(1, 13))
    train, test = load(tmp_path), load(tmp_path, "test")
    assert len(test) == 2 and test.split == "test"
    assert sorted(numbers_of(train) + numbers_of(test)) == [*range(1, 13)]
    assert train.masks is None and train.classes == ()


PARTED = {
    "in the sides' names": ("trainA", "trainB", "testA", "testB"),
    "with val": ("train/A", "train/B", "val/A", "val/B"),
    "inside the sides, with val": ("A/train", "B/train", "A/val", "B/val"),
    "by other names": ("train/input", "train/target", "Test/input", "Test/target"),
    "by other names, inside": ("source/train", "target/train", "source/test", "target/test"),
}


@pytest.mark.parametrize("name", PARTED)
def test_known_layouts_of_pairs_are_recognised(tmp_path, name):
    train_a, train_b, test_a, test_b = (tmp_path / part for part in PARTED[name])
    two_folders(train_a, train_b, [1, 2])
    two_folders(test_a, test_b, [3])
    assert numbers_of(load(tmp_path)) == [1, 2] and numbers_of(load(tmp_path, "test")) == [3]


def test_two_folders_of_other_names_are_no_pictures_to_be_halved(tmp_path):
    two_folders(tmp_path / "day", tmp_path / "night", [1, 2])
    message = refusal(tmp_path)
    assert "day and night" in message and "A and B, or input and target" in message


def test_names_of_partners_may_be_composed_or_not(tmp_path):
    for side, form in (("A", "NFC"), ("B", "NFD")):
        made.write_picture(tmp_path / side / unicodedata.normalize(form, "Kröte.png"), 8, 8)
    assert len(load(tmp_path)) == 1


def test_two_portraits_may_be_side_by_side(tmp_path, caplog):
    made.write_picture(tmp_path / "a.png", 128, 64)
    found = data.load("folder", (3, 128, 32), "train", tmp_path, pairs=True)
    assert found.targets.shape == (1, 128, 32, 3)
    assert "a.png becomes two of 32×128" in caplog.text and len(caplog.records) == 1


def test_the_first_ten_pictures_without_partners_are_named(tmp_path):
    two_folders(tmp_path / "A", tmp_path / "B", range(20))
    for number in range(12):
        (tmp_path / "B" / f"{number:03}.BMP").unlink()
    message = refusal(tmp_path)
    assert all(f"{number:03}.png" in message for number in range(10))
    assert "011.png" not in message and message.endswith("and 2 more")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_train_and_test_folders_of_pairs_are_used(tmp_path, layout):
    LAYOUTS[layout](tmp_path / "train", [1, 2])
    LAYOUTS[layout](tmp_path / "test", [3])
    assert numbers_of(load(tmp_path)) == [1, 2] and numbers_of(load(tmp_path, "test")) == [3]


def test_train_and_test_may_be_inside_a_and_b(tmp_path):
    two_folders(tmp_path / "A" / "train", tmp_path / "B" / "train", [1, 2])
    two_folders(tmp_path / "A" / "test", tmp_path / "B" / "test", [3])
    assert numbers_of(load(tmp_path)) == [1, 2] and numbers_of(load(tmp_path, "test")) == [3]


def test_subfolders_of_pairs_are_classes(tmp_path):
    side_by_side(tmp_path / "one" / "frog", [2])
    side_by_side(tmp_path / "one" / "bird", [1, 3])
    for kind, numbers in (("bird", [1, 2]), ("frog", [1, 3])):  # both classes have a pair 001
        two_folders(tmp_path / "two" / "A" / kind, tmp_path / "two" / "B" / kind, numbers)
    one, two = load(tmp_path / "one"), load(tmp_path / "two")
    assert one.classes == two.classes == ("bird", "frog")
    assert numbers_of(one)[1:] == [2] and one.labels.tolist() == [0, 1]
    assert two.labels.tolist() == [0, 1] and set(numbers_of(two)) <= {1, 2, 3}


@pytest.mark.parametrize("layout", ["one file per pair", "two folders"])
def test_both_pictures_are_cropped_and_resized_alike(tmp_path, layout):
    grey = made.RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    if layout == "two folders":
        for part in "AB":
            (tmp_path / part).mkdir()
            Image.fromarray(grey).save(tmp_path / part / "1.png")
    else:
        Image.fromarray(np.concatenate([grey, grey], axis=1)).save(tmp_path / "1.png")
    found = data.load("folder", (1, 8, 8), "train", tmp_path, pairs=True)
    assert found.targets.shape == (1, 8, 8, 1) and found.targets.dtype == np.uint8
    np.testing.assert_array_equal(found.images, found.targets)


def test_a_folder_read_without_pairs_has_none(tmp_path):
    side_by_side(tmp_path, [1, 2])
    assert data.load("folder", (3, 8, 8), "train", tmp_path).targets is None


@pytest.mark.parametrize(("width", "height"), [(15, 8), (7, 8)])
def test_a_file_that_cannot_be_two_pictures_is_refused(tmp_path, width, height):
    side_by_side(tmp_path, [1])
    made.write_picture(tmp_path / "000.png", height, width)
    message = refusal(tmp_path)
    assert str(tmp_path / "000.png") in message and f"{width}×{height}" in message
    assert "side by side" in message


@pytest.mark.parametrize(("alone", "other"), [("A/009.png", "B/009"), ("B/000.bmp", "A/000")])
def test_a_picture_without_its_partner_is_refused_with_both_names(tmp_path, alone, other):
    two_folders(tmp_path / "A", tmp_path / "B", [1, 2])
    made.write_picture(tmp_path / alone)
    message = refusal(tmp_path)
    assert f"the picture {tmp_path / alone} has no partner {tmp_path / other}" in message


def test_two_pictures_of_one_name_are_refused_with_both_names(tmp_path):
    two_folders(tmp_path / "A", tmp_path / "B", [1, 2])
    made.write_picture(tmp_path / "B" / "001.png")
    message = refusal(tmp_path)
    assert str(tmp_path / "B" / "001.BMP") in message and str(tmp_path / "B" / "001.png") in message


def test_partners_of_different_sizes_are_refused_with_both_names(tmp_path):
    two_folders(tmp_path / "A", tmp_path / "B", [1])
    made.write_picture(tmp_path / "B" / "001.BMP", 8, 9)
    message = refusal(tmp_path)
    assert str(tmp_path / "A" / "001.png") in message and str(tmp_path / "B" / "001.BMP") in message
    assert "8×8" in message and "9×8" in message


@pytest.mark.parametrize(("here", "missing"), ["AB", "BA"])
def test_half_of_the_layout_is_refused(tmp_path, here, missing):
    made.write_picture(tmp_path / here / "1.png", 8, 16)
    message = refusal(tmp_path)
    assert str(tmp_path / here) in message and str(tmp_path / missing) in message


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="--data FOLDER"):
        data.load("folder", (3, 8, 8), pairs=True)
    assert "is not a folder" in refusal(tmp_path / "none")
    assert f"no pictures in {tmp_path}" in refusal(tmp_path)
    for part in "AB":
        (tmp_path / part).mkdir()
    assert f"no pictures in {tmp_path / 'A'}" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10"])
def test_other_sets_have_no_pairs(tmp_path, name):
    assert refusal(tmp_path, name) == f"{name} has no pairs; choose from: newts, folder"


def test_newts_are_pairs_by_their_masks(tmp_path):
    made.write_newts(tmp_path)
    plain, found = (data.load("newts", (3, 8, 8), "train", tmp_path, p) for p in (False, True))
    assert found.targets is None
    np.testing.assert_array_equal(found.masks, plain.masks)


def test_newts_without_masks_cannot_be_pairs(tmp_path):
    made.write_picture(tmp_path / "train" / "images" / "madara" / "1.jpg")
    message = refusal(tmp_path, "newts")
    assert str(tmp_path) in message and "train/seg_images" in message


def masked(count: int = 8, channels: int = 3, side: int = 24) -> data.ImageSet:
    """Pictures whose masks have two species."""
    masks = np.zeros((count, side, side), np.uint8)
    masks[:, 3:14, 4:21] = 1
    masks[:, 14:21, 2:12] = 2
    images = made.RNG.integers(0, 256, (count, side, side, channels)).astype(np.uint8)
    return made.image_set(images, masks)


def inverted(count: int = 8, border: str = "reflect") -> data.ImageSet:
    """Pairs whose B is the negative of A."""
    images = made.RNG.integers(0, 256, (count, 24, 24, 3)).astype(np.uint8)
    return made.image_set(images, border=border, targets=255 - images)


def recipe_of(pictures: data.ImageSet, pairs: str | None, augment: Augment | None = None, **named):
    shape = pictures.image_shape
    return made.recipe(shape, batch_size=8, augment=augment, pairs=pairs, **named)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pictures", [masked(), masked(channels=1), inverted()])
def test_the_direction_says_which_is_the_input(pictures, dtype):
    there, back = (
        Batches(pictures, recipe_of(pictures, way, ALL, dtype=dtype)).batch(3) for way in DIRECTIONS
    )
    alone = Batches(pictures, recipe_of(pictures, None, ALL, dtype=dtype)).batch(3)
    assert "targets" not in alone
    np.testing.assert_array_equal(there["images"], alone["images"])  # A is the photograph
    np.testing.assert_array_equal(back["images"], there["targets"])
    np.testing.assert_array_equal(back["targets"], there["images"])
    for values in (there["images"], there["targets"]):
        assert values.shape == (8, *pictures.image_shape) and values.dtype == dtype
        assert values.min() >= -1 and values.max() <= 1


def test_every_class_is_painted_white_on_black():
    pictures = masked()
    batch = Batches(pictures, recipe_of(pictures, "AtoB")).batch(0)
    expected = np.where(batch["masks"] > 0, 1, -1)[:, None].repeat(3, axis=1)
    np.testing.assert_array_equal(batch["targets"], expected)
    assert set(np.unique(batch["masks"])) == {0, 1, 2}


@pytest.mark.parametrize("way", DIRECTIONS)
def test_painted_masks_stay_black_and_white_when_they_are_rotated(way):
    pictures = masked()
    batch = Batches(pictures, recipe_of(pictures, way, Augment(rotate=40.0))).batch(0)
    target = batch["targets" if way == "AtoB" else "images"]
    assert set(np.unique(target)) == {-1, 1}
    # interpolated ids would push an edge outward, and higher ids further
    high = made.image_set(pictures.images, pictures.masks * 100)
    other = Batches(high, recipe_of(high, way, Augment(rotate=40.0))).batch(0)
    np.testing.assert_array_equal(other["targets" if way == "AtoB" else "images"], target)


@pytest.mark.parametrize("way", DIRECTIONS)
def test_both_pictures_of_a_pair_move_together(way):
    pictures = inverted()
    plain = Batches(pictures, recipe_of(pictures, way)).batch(0)
    for step in range(5):
        batch = Batches(pictures, recipe_of(pictures, way, ALL)).batch(step)
        pixels = [to_pixels(batch[name]).astype(int) for name in ("images", "targets")]
        # each is rounded once after interpolation, so their sum may differ from 255 by one
        assert np.abs(pixels[0] + pixels[1] - 255).max() <= 1
        assert not np.array_equal(batch["images"], plain["images"])


def test_a_painted_mask_matches_its_rotated_picture():
    pictures = masked()
    images = np.where(pictures.masks > 0, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=-1)
    pictures = made.image_set(images, pictures.masks)
    batch = Batches(pictures, recipe_of(pictures, "AtoB", ALL)).batch(0)
    sure = np.abs(batch["images"]) == 1  # away from the edges
    agree = batch["images"][sure] == batch["targets"][sure]
    assert sure.mean() > 0.7 and agree.mean() > 0.99


@pytest.mark.parametrize("chosen", [[5, 2], slice(2, 6), np.array([7])])
@pytest.mark.parametrize("pictures", [masked(), inverted()])
def test_test_pairs_are_those_asked_for_and_not_augmented(pictures, chosen):
    b = pictures.targets
    if b is None:
        b = np.where(pictures.masks > 0, 255, 0)[..., None].repeat(3, axis=-1)
    for way, (first, second) in (("AtoB", (pictures.images, b)), ("BtoA", (b, pictures.images))):
        found = unit_pair(pictures, chosen, recipe_of(pictures, way, ALL, dtype="float64"))
        for unit, pixels in zip(found, (first, second), strict=True):
            assert unit.dtype == np.float64
            np.testing.assert_array_equal(to_pixels(unit), pixels[chosen])


def test_a_recipe_of_pairs_refuses_a_set_without_pairs():
    alone = made.image_set(masked().images)
    with pytest.raises(ValueError, match="no pairs"):
        Batches(alone, recipe_of(alone, "AtoB"))
    with pytest.raises(ValueError, match="no pairs"):
        unit_pair(alone, [0], recipe_of(alone, "AtoB"))
    with pytest.raises(ValueError, match="no pairs"):
        unit_pair(masked(), [0], recipe_of(masked(), None))


def test_pairs_of_a_folder_can_be_drawn_from(tmp_path):
    side_by_side(tmp_path, range(1, 9))
    batch = Batches(load(tmp_path), made.recipe((3, 8, 8), 4, augment=ALL, pairs="BtoA")).batch(2)
    images, targets = (to_pixels(batch[name]) for name in ("images", "targets"))
    assert images[..., 1].min() > 0
    np.testing.assert_array_equal(images[..., 1], targets[..., 0])
