"""Batches: they depend on the step alone, and every epoch has every picture once."""

import dataclasses
import threading
import time

from knock import data, noise
from knock.data import Batches, augment, prefetch, to_pixels, to_unit
from knock.data.batches import random_draws
from knock.errors import UserError
from knock.recipe import Augment, Draw
from tests import data_fixtures as made

import msgspec
import numpy as np
import pytest


def batches(count: int = 10, **named) -> Batches:
    """Batches of a set whose picture i is filled with i and has the label i."""
    images = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 8, 8, 1)
    )
    return Batches(made.image_set(np.ascontiguousarray(images)), made.recipe(**named))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 23])
def test_every_picture_comes_exactly_once_per_epoch(batch_size):
    source = batches(10, batch_size=batch_size)
    steps = -(-50 // batch_size)
    labels = np.concatenate([source.batch(step)["labels"] for step in range(steps)])[:50]
    epochs = labels.reshape(5, 10)
    for epoch in epochs:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in epochs}) == 5  # each in its own order


def test_pictures_and_labels_stay_together():
    batch = batches(10).batch(3)
    pixels = to_pixels(batch["images"])[:, 0, 0, 0]
    np.testing.assert_array_equal(pixels, batch["labels"])


def test_a_batch_does_not_depend_on_those_before_it():
    settings = {"augment": Augment(flip=True, rotate=10.0, shift=0.1), "draws": DRAWS, "seed": 5}
    forward = batches(10, **settings)
    backward = batches(10, **settings)
    there = [forward.batch(step) for step in range(12)]
    back = [backward.batch(step) for step in reversed(range(12))][::-1]
    for one, other in zip(there, back, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_another_seed_is_another_run():
    draws = {"noise": Draw("normal", [4])}
    one, other = (batches(10, seed=seed, batch_size=10, draws=draws).batch(0) for seed in (0, 1))
    assert one["labels"].tolist() != other["labels"].tolist()
    assert not np.array_equal(one["noise"], other["noise"])


DRAWS = {
    "noise": Draw("normal", ["noise"]),
    "mix": Draw("uniform", [1, "height", "width/2"], -2.0, 3.0),
    "scalar": Draw("uniform"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_arrive_in_their_shape_range_and_dtype(dtype):
    source = batches(10, draws=DRAWS, dtype=dtype, batch_size=50)
    first, second = source.batch(0), source.batch(1)
    assert first["noise"].shape == (50, 6)
    assert first["mix"].shape == (50, 1, 8, 4) and first["scalar"].shape == (50,)
    assert -2 <= first["mix"].min() < -1.9 and 2.9 < first["mix"].max() <= 3
    for name in DRAWS:
        assert first[name].dtype == dtype
        assert not np.array_equal(first[name], second[name])
    expected = noise.normal(0, 1, "draw/noise", (50, 6)).astype(dtype)
    np.testing.assert_array_equal(second["noise"], expected)


def test_a_draw_has_as_many_rows_as_it_says():
    source = batches(10, draws={"z": Draw("normal", [2], rows="noise + 1")}, batch_size=4)
    assert source.batch(0)["z"].shape == (7, 2)


def test_a_fixed_draw_is_the_same_in_every_batch():
    draws = {"z": Draw("normal", [2], fixed=True), "w": Draw("normal", [2])}
    source = batches(10, draws=draws)
    first, second = source.batch(0), source.batch(1)
    np.testing.assert_array_equal(first["z"], second["z"])
    assert not np.array_equal(first["w"], second["w"])


def test_what_makes_pictures_is_in_no_step():
    draws = {"z": Draw("normal", [2], sampling=True)}
    assert "z" not in batches(10, draws=draws).batch(0)
    assert random_draws(made.recipe(draws=draws), 0, 3, "sampling")["z"].shape == (3, 2)


@pytest.mark.parametrize(
    ("bounds", "all_of_them"),
    [
        ({"up_to": 3}, {1, 2, 3}),
        ({"first": 0, "up_to": 3}, {0, 1, 2, 3}),
        ({"first": 0, "up_to": 0}, {0}),
    ],
)
def test_integers_are_drawn_from_the_first_up_to_the_last(bounds, all_of_them):
    recipe = made.recipe(draws={"t": Draw("integers", **bounds)})
    drawn = random_draws(recipe, 0, 600)["t"]
    assert drawn.shape == (600,)
    assert drawn.dtype == np.int64
    assert set(drawn) == all_of_them
    assert min(np.count_nonzero(drawn == one) for one in all_of_them) > 110
    assert len(all_of_them) == 1 or (drawn != random_draws(recipe, 1, 600)["t"]).any()


def test_what_only_a_check_needs_is_in_no_step_but_is_looked_at():
    draws = {"z": Draw("normal", [2], check=True)}
    assert "z" not in batches(10, draws=draws).batch(0)
    assert random_draws(made.recipe(draws=draws), 0, purpose="check")["z"].shape == (4, 2)
    with pytest.raises(UserError, match="draws.z.shape"):
        batches(draws={"z": Draw("normal", ["missing"], check=True)})


@pytest.mark.parametrize(
    "name",
    ["images", "labels", "masks", "targets", "epoch", "step", "known_images", "known_labels"],
)
def test_a_draw_with_a_name_of_the_data_is_refused(name):
    with pytest.raises(UserError, match=f"draws.{name}: the data already use this name"):
        batches(draws={name: Draw("normal")})


def test_draws_that_cannot_be_made_are_refused_at_once():
    with pytest.raises(UserError, match="draws.z.shape"):
        batches(draws={"z": Draw("normal", ["missing"])})


def test_masks_come_along_as_ids_where_they_are_one_of_a_pair():
    masks = made.RNG.integers(0, 3, (5, 8, 8)).astype(np.uint8)
    images = masks[..., None] * 100
    pictures = made.image_set(images, masks)
    batch = Batches(pictures, made.recipe(batch_size=5, pairs="AtoB")).batch(0)
    assert batch["masks"].shape == (5, 8, 8) and batch["masks"].dtype == np.uint8
    np.testing.assert_array_equal(batch["masks"] * 100, to_pixels(batch["images"])[..., 0])
    assert "masks" not in Batches(pictures, made.recipe()).batch(0)  # nobody warps them for nothing


def test_pictures_of_another_shape_than_the_recipe_s_are_a_fault():
    with pytest.raises(ValueError, match=r"\(1, 8, 8\) pictures for a \(3, 8, 8\) recipe"):
        batches(image_shape=(3, 8, 8))


def test_channels_come_first_and_rows_before_columns():
    images = np.zeros((1, 4, 6, 3), np.uint8)
    images[0, 1, 5] = (255, 0, 0)
    unit = to_unit(images)
    assert unit.shape == (1, 3, 4, 6)
    assert unit[0, 0, 1, 5] == 1 and unit.sum() == 1 - (4 * 6 * 3 - 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_is_exact_and_goes_back(dtype):
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    unit = to_unit(images, dtype)
    assert unit.dtype == dtype and unit.min() == -1 and unit.max() == 1
    exact = (np.arange(256).reshape(1, 1, 16, 16) - 127.5) / 127.5
    np.testing.assert_array_equal(unit, exact.astype(dtype))
    np.testing.assert_array_equal(to_pixels(unit), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pairs", [None, "BtoA"])
def test_channels_last_is_another_place_in_memory_and_no_other_value(channels, pairs):
    images = made.RNG.integers(0, 256, (6, 12, 10, channels)).astype(np.uint8)
    pictures = made.image_set(images, targets=255 - images)
    resolved = made.recipe((channels, 12, 10), augment=Augment(True, 9.0, 0.1), pairs=pairs)
    first, last = (Batches(pictures, resolved, there).batch(1) for there in (False, True))
    assert first.keys() == last.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, last[name])
    for name in ("images", "targets") if pairs else ("images",):
        assert first[name].flags.c_contiguous  # what PyTorch and Chainer take
        assert last[name].transpose(0, 2, 3, 1).flags.c_contiguous  # no copy for TensorFlow


def test_pixels_are_rounded_and_clipped():
    unit = np.array([-9.0, -1.0, -1 + 0.9 / 127.5, 0.01, 1.0, 9.0]).reshape(1, 1, 1, 6)
    assert to_pixels(unit)[0, 0, :, 0].tolist() == [0, 0, 1, 129, 255, 255]


def test_prefetching_changes_nothing_but_the_thread():
    source = batches(10, draws=DRAWS)
    for step, batch in zip(range(3, 9), prefetch(source.batch, 3, 9), strict=True):
        for name, values in source.batch(step).items():
            np.testing.assert_array_equal(batch[name], values)


@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
def test_no_more_than_asked_is_made_ahead(ahead):
    made_steps = []

    def make(step):
        made_steps.append(step)
        return step

    for step in prefetch(make, 0, 20, ahead):
        time.sleep(0.005)
        assert step in made_steps and max(made_steps) <= step + ahead
    assert made_steps == list(range(20))


def test_the_next_is_made_while_the_consumer_works():
    threads = []

    def make(step):
        threads.append(threading.current_thread())
        return step

    steps = prefetch(make, 0, 5)
    next(steps)
    deadline = time.monotonic() + 5
    while len(threads) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(threads) == 3 and threading.current_thread() not in threads
    steps.close()


def our_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("batches")]


def test_an_error_is_raised_in_its_place_and_the_thread_ends():
    def make(step):
        if step == 2:
            raise UserError("step 2 is bad")
        return step

    seen = []
    with pytest.raises(UserError, match="step 2 is bad"):
        for step in prefetch(make, 0, 10):
            seen.append(step)
    assert seen == [0, 1] and our_threads() == []


@pytest.mark.parametrize("leave", ["close", "break", "interrupt"])
def test_stopping_early_ends_the_thread(leave):
    made_steps = []

    def make(step):
        made_steps.append(step)
        time.sleep(0.5 if step > 3 else 0)
        return step

    steps = prefetch(make, 0, 10_000)
    try:
        for step in steps:
            if step == 3:
                if leave == "interrupt":
                    raise KeyboardInterrupt
                break
    except KeyboardInterrupt:
        pass
    if leave == "close":
        steps.close()
    else:
        del steps
    # step 4 may have begun, and is finished; step 5 was waiting, and never begins
    assert our_threads() == [] and max(made_steps) <= 4


def test_a_whole_set_can_be_drawn_from(tmp_path):
    made.write_newts(tmp_path)
    found = data.load("newts", (3, 8, 8), "train", tmp_path)
    settings = {"image_shape": (3, 8, 8), "augment": Augment(True, 10.0, 0.1), "batch_size": 6}
    settings["pairs"] = "AtoB"
    batch = Batches(found, made.recipe(**settings)).batch(1)
    assert batch["images"].shape == (6, 3, 8, 8) and batch["images"].dtype == np.float32
    assert set(np.unique(batch["masks"])) <= {0, 1, 2}


def test_a_batch_says_which_epoch_it_begins_in():
    source = batches(10)  # of 4 pictures each
    found = [source.batch(step)["epoch"] for step in range(6)]
    assert [int(one) for one in found] == [0, 0, 0, 1, 1, 2]
    assert all(one.dtype == np.int64 and one.shape == () for one in found)


def test_a_batch_says_which_step_it_is_for():
    first, second = (batches(10).batch(step)["step"] for step in (0, 1))
    assert (int(first), int(second), first.dtype, first.shape) == (1, 2, np.int64, ())


def labelled(each: int, **named) -> Batches:
    """Twelve pictures of two classes, of which `each` of either have a label in training."""
    images = np.zeros((12, 8, 8, 1), np.uint8)
    images[:, :, 4:] = 200
    images[:, 0, 0, 0] = np.arange(12)
    pictures = dataclasses.replace(
        made.image_set(images), labels=np.arange(12) % 2, classes=("a", "b")
    )
    return Batches(pictures, made.recipe(known="each", constants={"each": each}, **named))


def test_a_few_pictures_of_each_class_come_with_their_labels_again_and_again():
    source = labelled(2, batch_size=4)
    found = [source.batch(step) for step in range(3)]
    pictures = [to_pixels(one["known_images"])[:, 0, 0, 0] for one in found]
    few = set(np.concatenate(pictures))
    assert len(few) == 4 and [one % 2 for one in few].count(0) == 2
    for one, shown in zip(found, pictures, strict=True):
        assert set(shown) == few  # all four in each batch of four
        np.testing.assert_array_equal(one["known_labels"], shown % 2)
    assert set(to_pixels(found[0]["images"])[:, 0, 0, 0]) != few
    other = labelled(2, batch_size=4, seed=1).batch(0)
    assert set(to_pixels(other["known_images"])[:, 0, 0, 0]) != few


def test_known_pictures_are_changed_at_random_by_themselves():
    settings = {"augment": Augment(shift=0.3), "batch_size": 12}
    batch = labelled(6, **settings).batch(0)
    still = labelled(6, batch_size=12).batch(0)
    assert not np.array_equal(batch["known_images"], still["known_images"])
    np.testing.assert_array_equal(batch["known_labels"], still["known_labels"])
    moves = [
        augment.matrices(settings["augment"], 12, 8, 8, 0, 0, streams)
        for streams in ("augment", "known/augment")
    ]
    assert not np.array_equal(*moves)


def test_no_label_is_known_where_none_shall_be():
    assert "known_images" not in labelled(0).batch(0)
    assert "known_images" not in batches(10).batch(0)


def test_more_labels_than_pictures_are_refused():
    with pytest.raises(UserError, match="has 6 pictures of a, but each = 7 of each class"):
        labelled(7)
    with pytest.raises(UserError, match="has no classes, so none has each = 1 pictures"):
        batches(10, known="each", constants={"each": 1})


def test_pictures_are_read_larger_where_a_part_is_cut_out():
    images = made.RNG.integers(0, 256, (6, 12, 12, 1)).astype(np.uint8)
    resolved = made.recipe(augment=Augment(crop=2), batch_size=3)
    assert resolved.image_shape == (1, 8, 8) and resolved.read_shape == (1, 12, 12)
    batch = Batches(made.image_set(images), resolved).batch(0)
    assert batch["images"].shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match=r"\(1, 8, 8\) pictures for a \(1, 12, 12\) recipe"):
        Batches(made.image_set(images[:, :8, :8]), resolved)


def test_a_set_s_middle_is_what_is_left_of_every_picture():
    masks = np.arange(2 * 8 * 10, dtype=np.uint8).reshape(2, 8, 10)
    whole = made.image_set(masks[..., None], masks, targets=255 - masks[..., None])
    inner = whole.middle(3)
    np.testing.assert_array_equal(inner.masks, masks[:, 3:5, 3:7])
    np.testing.assert_array_equal(inner.images[..., 0], inner.masks)
    np.testing.assert_array_equal(inner.targets[..., 0], 255 - inner.masks)
    np.testing.assert_array_equal(inner.labels, whole.labels)
    assert whole.middle(0) is whole


def kinds(counts: tuple[int, ...], classes: tuple[str, ...], **named) -> Batches:
    """Batches of unpaired pictures, filled with their number; the classes come in turn."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.broadcast_to(
        np.arange(len(labels), dtype=np.uint8)[:, None, None, None], (len(labels), 8, 8, 1)
    )
    pictures = dataclasses.replace(
        made.image_set(np.ascontiguousarray(images)), labels=labels, classes=classes
    )
    recipe = msgspec.structs.replace(made.recipe(**named), unpaired=True)
    return Batches(pictures, recipe)


def test_unpaired_pictures_come_from_both_classes_each_once_in_its_own_epoch():
    source = kinds((4, 6), ("a", "b"), batch_size=2)
    rows = {"images": [], "others": []}
    for step in range(6):
        for name, row in rows.items():
            row += to_pixels(source.batch(step)[name])[:, 0, 0, 0].tolist()
    assert [sorted(rows["images"][i : i + 4]) for i in (0, 4, 8)] == 3 * [[0, 1, 2, 3]]
    assert [sorted(rows["others"][i : i + 6]) for i in (0, 6)] == 2 * [[4, 5, 6, 7, 8, 9]]
    assert rows["others"][:6] != rows["others"][6:]


@pytest.mark.parametrize(
    ("counts", "classes", "why"),
    [
        ((3, 3, 3), ("a", "b", "c"), "has 3 classes: a, b, c; to translate one kind"),
        ((3,), (), "has no classes; to translate one kind"),
        ((3, 0), ("a", "b"), "no train pictures of b"),
    ],
)
def test_unpaired_pictures_are_of_two_classes(counts, classes, why):
    with pytest.raises(UserError, match=why):
        kinds(counts, classes)
