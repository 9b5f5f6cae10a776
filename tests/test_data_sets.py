"""The sets themselves: found in their places, read by their layout, refused in one line."""

import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

from knock import data
from knock.data import digits, newts
from knock.errors import UserError
from tests import data_fixtures as made

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def no_own_data(monkeypatch, tmp_path):
    """Hide the user's data folder and the cache of this machine."""
    monkeypatch.delenv("KNOCK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))


def refusal(*arguments, **named) -> str:
    with pytest.raises(UserError) as caught:
        data.load(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_set_names_the_choices():
    message = refusal("newt", (3, 8, 8))
    assert "'newt'" in message and all(name in message for name in data.SETS)


def test_impossible_shapes_and_splits_are_refused():
    assert "(4, 8, 8)" in refusal("digits", (4, 8, 8))
    assert "(1, 0, 8)" in refusal("digits", (1, 0, 8))
    assert "train, test" in refusal("digits", (1, 8, 8), split="valid")


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("torch", "tensorflow", "keras", "chainer", "sklearn", "pooch", "cv2", "PIL")
    code = f"import sys, knock.data; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert found.stdout.strip() == "[]"


def test_status_lists_what_is_here(monkeypatch, tmp_path):
    before = {one.name: one for one in data.status()}
    assert tuple(before) == data.SETS
    assert before["digits"].present and not before["mnist"].present
    assert "knock data mnist" in before["mnist"].how_to_get
    made.write_idx(tmp_path / "mine" / "mnist")
    made.write_cifar(tmp_path / "mine" / "cifar10" / "cifar-10-batches-bin")
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path / "mine"))
    after = {one.name: one for one in data.status()}
    assert after["mnist"].where == tmp_path / "mine" / "mnist"
    assert after["cifar10"].present and not after["fashion_mnist"].present


def test_half_a_set_is_not_present(monkeypatch, tmp_path):
    made.write_idx(tmp_path / "mnist", splits=("train",))
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path))
    assert not {one.name: one for one in data.status()}["mnist"].present


def test_only_downloadable_sets_are_downloaded():
    with pytest.raises(UserError, match="newts is not downloaded: it comes with the repository"):
        data.download("newts")


def test_digits_are_split_where_a_writer_begins():
    train, test = (data.load("digits", (1, 32, 32), split) for split in ("train", "test"))
    assert len(train) + len(test) == 1797 and len(train) == digits.TRAIN
    # every writer's series begins with 0 … 9, 0 … 9
    assert test.labels[:20].tolist() == [*range(10)] * 2
    assert train.labels[:20].tolist() == [*range(10)] * 2
    assert train.images.shape[1:] == (32, 32, 1) and train.border == "constant"
    assert train.images.max() == 255 and train.images.min() == 0
    assert np.bincount(test.labels).min() > 30


def test_digits_look_as_they_did_at_8_by_8():
    from sklearn.datasets import load_digits

    found = data.load("digits", (1, 32, 32)).images.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    # cubic overshoot must be clipped: if it wrapped around, black would become white
    assert np.abs(found - load_digits().images[: digits.TRAIN] * 255 / 16).max() < 80


def test_digits_are_not_read_from_a_folder(tmp_path):
    assert "scikit-learn" in refusal("digits", (1, 8, 8), folder=tmp_path)


def test_newts_are_read_with_their_masks(tmp_path):
    made.write_newts(tmp_path)
    found = data.load("newts", (3, 8, 8), "train", tmp_path)
    assert found.images.shape == (4, 8, 8, 3) and found.masks.shape == (4, 8, 8)
    assert found.labels.tolist() == [0, 0, 1, 1] and found.classes == ("akahara", "madara")
    assert found.border == "reflect" and found.masks.dtype == np.uint8
    for label, mask in zip(found.labels, found.masks, strict=True):
        assert (mask[:, :4] == 0).all() and (mask[:, 4:] == label + 1).all()
    assert data.load("newts", (1, 8, 8), "test", tmp_path).images.shape == (4, 8, 8, 1)


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".png", ".PNG", ".webp"])
def test_own_photographs_may_have_other_endings(tmp_path, suffix):
    made.write_newts(tmp_path, suffix=suffix)
    assert len(data.load("newts", (3, 8, 8), "train", tmp_path)) == 4


def test_newts_in_the_data_folder_come_before_the_shipped(monkeypatch, tmp_path):
    made.write_newts(tmp_path / "newts", each=3)
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path))
    assert len(data.load("newts", (3, 8, 8))) == 6
    assert newts.where() == tmp_path / "newts"


def test_without_others_the_shipped_newts_are_used(monkeypatch, tmp_path):
    monkeypatch.setattr("knock.paths.DATASET", made.write_newts(tmp_path / "Dataset", each=1))
    assert len(data.load("newts", (3, 8, 8))) == 2
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refusal("newts", (3, 8, 8), folder=tmp_path / "empty")


def test_newts_without_any_masks_have_none(tmp_path):
    for number in range(2):
        made.write_picture(tmp_path / "train" / "images" / "madara" / f"{number}.jpg")
    found = data.load("newts", (3, 8, 8), "train", tmp_path)
    assert found.masks is None and found.labels.tolist() == [1, 1]


def test_a_newt_without_its_mask_is_refused(tmp_path):
    made.write_newts(tmp_path)
    mask = tmp_path / "train" / "seg_images" / "akahara" / "akahara_1.png"
    mask.unlink()
    message = refusal("newts", (3, 8, 8), "train", tmp_path)
    assert str(mask) in message and "akahara_1.jpg" in message


def test_a_mask_of_another_size_is_refused_with_both_names(tmp_path):
    made.write_newts(tmp_path)
    mask = made.write_picture(tmp_path / "train/seg_images/madara/madara_0.png", 16, 17, (0, 0, 0))
    message = refusal("newts", (3, 8, 8), "train", tmp_path)
    assert str(mask) in message and "madara_0.jpg" in message
    assert "17×16" in message and "16×16" in message


def test_a_mask_with_soft_edges_is_refused(tmp_path):
    made.write_newts(tmp_path)
    made.write_picture(tmp_path / "train/seg_images/madara/madara_0.png", 16, 16, (64, 0, 0))
    assert "(64, 0, 0)" in refusal("newts", (3, 8, 8), "train", tmp_path)


def test_a_folder_without_newts_is_refused(tmp_path):
    assert str(tmp_path) in refusal("newts", (3, 8, 8), "train", tmp_path)
    made.write_newts(tmp_path, splits=("train",))
    assert "no pictures" in refusal("newts", (3, 8, 8), "test", tmp_path)


def names_of(found: data.ImageSet) -> list[int]:
    """Which pictures a folder's set has: each one's number is its red value."""
    return found.images[:, 0, 0, 0].tolist()


def numbered(folder: Path, numbers) -> None:
    for number in numbers:
        made.write_picture(folder / f"{number:03}.png", 8, 8, (number, 0, 0))


def parts_of(folder: Path) -> tuple[list[int], list[int]]:
    """The pictures for training and for testing."""
    train, test = (data.load("folder", (3, 8, 8), split, folder) for split in ("train", "test"))
    assert train.classes == test.classes
    return names_of(train), names_of(test)


def test_one_picture_in_five_is_drawn_for_testing(tmp_path):
    numbered(tmp_path, range(60))
    train, test = parts_of(tmp_path)
    assert len(test) == 12 and sorted(train + test) == [*range(60)]
    assert train == sorted(train)
    for view in range(5):  # as where five views follow one another
        assert 0 < sum(number % 5 == view for number in test) < 12
    assert {number // 15 for number in test} == {0, 1, 2, 3}  # nor are they the last ones
    shutil.copytree(tmp_path, tmp_path / "copy" / "b")
    assert parts_of(tmp_path / "copy" / "b") == (train, test)
    numbered(tmp_path / "copy" / "b", [60])
    assert len({*parts_of(tmp_path / "copy" / "b")[1]} - {*test}) <= 1


@pytest.mark.parametrize(("count", "train", "test"), [(1, 1, 1), (2, 1, 1), (5, 4, 1), (9, 8, 1)])
def test_few_pictures_leave_one_in_each_part(tmp_path, count, train, test):
    numbered(tmp_path, range(count))
    assert [len(part) for part in parts_of(tmp_path)] == [train, test]


def test_subfolders_are_classes(tmp_path):
    numbered(tmp_path / "frog", [1, 2, 3])
    numbered(tmp_path / "bird", [11, 12, 13])
    train = data.load("folder", (3, 8, 8), "train", tmp_path)
    assert train.classes == ("bird", "frog")
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert [number > 9 for number in names_of(train)] == [True, True, False, False]
    assert data.classes_in(tmp_path) == ("bird", "frog")


def test_each_class_is_in_both_parts(tmp_path):
    numbered(tmp_path / "one", [1])
    numbered(tmp_path / "six", range(11, 17))
    numbered(tmp_path / "two", [21, 22])
    train, test = (data.load("folder", (3, 8, 8), split, tmp_path) for split in ("train", "test"))
    assert test.labels.tolist() == [0, 1, 2] and train.labels.tolist() == [0] + [1] * 5 + [2]
    assert {*names_of(train), *names_of(test)} == {1, *range(11, 17), 21, 22}


def test_pictures_in_any_folder_below_a_class_are_of_it(tmp_path):
    numbered(tmp_path / "frog" / "green" / "small", [1, 2])
    numbered(tmp_path / "frog" / "brown", [3])
    numbered(tmp_path / "toad" / "2024", [4])
    (tmp_path / "frog" / "green" / "again").symlink_to(tmp_path / "frog")
    (tmp_path / "frog" / "all").symlink_to(tmp_path)
    train, test = parts_of(tmp_path)
    assert {*train, *test} == {1, 2, 3, 4} and len(train) == 3
    assert data.classes_in(tmp_path) == ("frog", "toad")
    assert data.left_out(tmp_path) is None


PARTED = {
    "training and val": ("training", "val", "", ()),
    "train, test and val": ("train", "test", "val", ()),
    "in another folder": ("birds/train", "birds/validation", "", ()),
    "in each class": ("frog/train", "frog/val", "frog/other", ("frog", "toad")),
    "in the names": ("trainA", "testA", "", ("A", "B")),
    "large letters": ("Train", "TEST", "", ()),
}


@pytest.mark.parametrize("name", PARTED)
def test_known_layouts_are_recognised(tmp_path, name):
    train, test, unused, classes = PARTED[name]
    numbered(tmp_path / train, [1, 2])
    numbered(tmp_path / test, [3])
    if unused:
        numbered(tmp_path / unused, [4])
    for part, number in ((train, 5), (test, 6)) if classes else ():
        numbered(tmp_path / part.replace("frog", "toad").replace("A", "B"), [number])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.txt").touch()
    found = {split: data.load("folder", (3, 8, 8), split, tmp_path) for split in ("train", "test")}
    assert names_of(found["train"]) == ([1, 2, 5] if classes else [1, 2])
    assert names_of(found["test"]) == ([3, 6] if classes else [3])
    assert found["test"].classes == classes
    assert (data.left_out(tmp_path) or "").endswith(unused)


def test_train_alone_is_split_and_train_among_classes_is_one(tmp_path):
    numbered(tmp_path / "a" / "train" / "frog", [1, 2])
    assert data.classes_in(tmp_path / "a") == ("frog",)
    for kind in ("train", "plane"):
        numbered(tmp_path / "b" / kind, [1, 2])
    assert data.classes_in(tmp_path / "b") == ("plane", "train")


HALF = {
    "test and val": (["test", "val"], "no folder train"),
    "no testB": (["trainA", "trainB", "testA"], "trainA, trainB, testA and testB"),
    "parts in one class only": (["frog/train", "frog/test", "toad"], "toad has none"),
}


@pytest.mark.parametrize("name", HALF)
def test_half_a_layout_is_refused(tmp_path, name):
    folders, said = HALF[name]
    for folder in folders:
        numbered(tmp_path / folder, [1])
    assert said in refusal("folder", (3, 8, 8), "train", tmp_path)


def test_what_is_left_out_is_said(tmp_path):
    numbered(tmp_path / "frog", [1, 2])
    for name in ("frog/Thumbs.db", "frog/.DS_Store", "frog/desktop.ini", "frog/names.csv"):
        (tmp_path / name).touch()
    made.write_picture(tmp_path / "__MACOSX" / "frog" / "001.png")
    made.write_picture(tmp_path / "frog" / "._001.png")
    assert data.left_out(tmp_path) is None and data.classes_in(tmp_path) == ("frog",)
    (tmp_path / "toad" / "more").mkdir(parents=True)
    (tmp_path / "toad" / "more" / "a.HEIC").touch()
    (tmp_path / "frog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "frog" / "round.png").symlink_to(tmp_path / "frog" / "round.png")
    assert data.left_out(tmp_path) == (
        "1 file is not read (a.HEIC): export .heic as JPEG or PNG; "
        "2 files are no files but dead links, or the like (gone.png); "
        "no class, since no pictures are in it: toad"
    )
    shutil.copy(tmp_path / "frog" / "001.png", tmp_path / "toad" / "a picture")  # without ending
    assert data.classes_in(tmp_path) == ("frog", "toad")


def test_classes_in_composed_and_decomposed_letters_are_one(tmp_path):
    for part, form in (("train", "NFC"), ("test", "NFD")):
        numbered(tmp_path / part / unicodedata.normalize(form, "Kröte"), [1])
    assert len(data.classes_in(tmp_path)) == 1


def test_train_and_test_folders_are_used_and_agree_on_classes(tmp_path):
    numbered(tmp_path / "train" / "frog", [1])
    numbered(tmp_path / "test" / "bird", [2])
    for split, red, label in (("train", 1, 1), ("test", 2, 0)):
        found = data.load("folder", (3, 8, 8), split, tmp_path)
        assert names_of(found) == [red] and found.labels.tolist() == [label]
        assert found.classes == ("bird", "frog")


def test_hidden_files_and_other_files_are_ignored(tmp_path):
    numbered(tmp_path, [7])
    made.write_picture(tmp_path / ".hidden.png")
    made.write_picture(tmp_path / ".thumbnails" / "small.png")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "broken.heic").write_text("text")
    assert names_of(data.load("folder", (3, 8, 8), "train", tmp_path)) == [7]


def test_pictures_that_are_not_read_are_named_where_there_are_no_others(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_text("text")
    (tmp_path / "IMG_2.dng").write_text("text")
    said = refusal("folder", (3, 8, 8), "train", tmp_path)
    assert "2 files are not read (IMG_1.HEIC): export .dng, .heic as JPEG or PNG" in said


def test_a_folder_is_newts_by_its_layout_and_the_user_s_own_by_any_picture(tmp_path):
    made.write_newts(tmp_path / "newts", each=1)
    numbered(tmp_path / "pairs" / "A" / "train", [1])
    (tmp_path / "files" / ".thumbnails").mkdir(parents=True)
    made.write_picture(tmp_path / "files" / ".thumbnails" / "small.png")
    found = {name: data.set_in(tmp_path / name, "mnist") for name in ("newts", "pairs", "files")}
    assert found == {"newts": "newts", "pairs": "folder", "files": "mnist"}


def test_figures_are_not_mirrored_unless_a_recipe_says_so():
    flipped = {name for name in data.SETS if data.usual_changes(name).flip}
    assert flipped == set(data.SETS) - {"digits", "mnist"}


def test_folders_that_cannot_be_a_set_are_refused(tmp_path):
    assert "--data FOLDER" in refusal("folder", (3, 8, 8))
    assert "is not a folder" in refusal("folder", (3, 8, 8), "train", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert ".webp" in refusal("folder", (3, 8, 8), "train", tmp_path / "empty")
    numbered(tmp_path / "both", [1])
    numbered(tmp_path / "both" / "frog", [2])
    assert "both in itself (001.png)" in refusal("folder", (3, 8, 8), "train", tmp_path / "both")


def test_the_first_ten_bad_pictures_in_a_folder_are_named(tmp_path):
    numbered(tmp_path / "train", range(14))
    numbered(tmp_path / "test", [1])
    for number in range(1, 13):
        path = tmp_path / "train" / f"{number:03}.png"
        path.write_bytes(path.read_bytes()[:50])
    said = refusal("folder", (3, 8, 8), "train", tmp_path)
    assert all(f"{number:03}.png is" in said for number in range(1, 11)), said
    assert "011.png" not in said and said.endswith("; and 2 more") and "\n" not in said


def test_pictures_of_any_size_become_one_shape(tmp_path):
    Image.new("L", (50, 9), 80).save(tmp_path / "a.png")
    made.write_picture(tmp_path / "b.png", 200, 300)
    made.write_picture(tmp_path / "c.jpg", 1, 1)
    assert data.load("folder", (3, 12, 16), "train", tmp_path).image_shape == (3, 12, 16)
