"""Augmentation: pictures and masks move together, no values appear, everything is repeatable."""

from knock.data import augment
from knock.recipe import Augment
from tests import data_fixtures as made

import numpy as np
import pytest

ALL = Augment(flip=True, rotate=30.0, shift=0.2)


def blocks(count: int = 16, side: int = 32) -> np.ndarray:
    """Masks of class ids 0, 1 and 2 in large areas: uint8 N×side×side."""
    masks = np.zeros((count, side, side), np.uint8)
    masks[:, 4:16, 6:28] = 1
    masks[:, 18:30, 2:14] = 2
    return masks


def test_without_augmentation_the_same_arrays_come_back():
    masks = blocks()
    images = masks[..., None]
    new_images, new_masks, new_targets = augment.apply(
        images, masks, Augment(), "reflect", 0, 0, images
    )
    assert new_images is images and new_masks is masks and new_targets is images


def test_the_input_is_left_alone():
    masks = blocks()
    images = masks[..., None] * 100
    targets = 255 - images
    before = images.copy(), masks.copy(), targets.copy()
    augment.apply(images, masks, ALL, "reflect", 0, 0, targets)
    for now, then in zip((images, masks, targets), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("border", ["reflect", "constant"])
def test_masks_keep_their_ids_and_move_with_their_pictures(border):
    masks = blocks()
    images = np.repeat(masks[..., None] * 100, 3, axis=-1)
    for step in range(10):
        new_images, new_masks, _ = augment.apply(images, masks, ALL, border, 7, step)
        # the mean of ids 0 and 2 would be id 1; ids 0, 100 and 200 show such a mixture
        _, far_apart, _ = augment.apply(images, masks * 100, ALL, border, 7, step)
        np.testing.assert_array_equal(far_apart, new_masks * 100)
        assert not np.array_equal(new_masks, masks)
        # away from the edges between areas, picture and mask agree
        flat = np.isin(new_images[..., 0], (0, 100, 200))
        assert flat.mean() > 0.7
        agree = new_images[..., 0][flat] == new_masks[flat] * 100
        assert agree.mean() > 0.98


def test_pictures_are_interpolated():
    masks = blocks()
    images = masks[..., None] * 100
    new_images, *_ = augment.apply(images, None, Augment(rotate=30.0), "reflect", 0, 0)
    assert len(np.unique(new_images)) > 10


@pytest.mark.parametrize("border", ["reflect", "constant"])
def test_targets_move_with_their_pictures_and_are_interpolated_too(border):
    images = made.RNG.integers(0, 256, (8, 16, 20, 3)).astype(np.uint8)
    new_images, _, new_targets = augment.apply(images, None, ALL, border, 3, 5, images.copy())
    np.testing.assert_array_equal(new_targets, new_images)
    assert not np.array_equal(new_targets, images)


def test_seed_and_step_decide_everything():
    images = made.RNG.integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    first, *_ = augment.apply(images, None, ALL, "reflect", 3, 5)
    again, *_ = augment.apply(images, None, ALL, "reflect", 3, 5)
    np.testing.assert_array_equal(first, again)
    for seed, step in ((3, 6), (4, 5)):
        other, *_ = augment.apply(images, None, ALL, "reflect", seed, step)
        assert not np.array_equal(first, other)


def test_a_flip_is_exact_and_hits_about_half():
    images = made.RNG.integers(0, 256, (400, 7, 10, 1)).astype(np.uint8)
    found, *_ = augment.apply(images, None, Augment(flip=True), "reflect", 0, 0)
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (found == images).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()  # left and right only, pixel for pixel
    assert 140 < mirrored.sum() < 260


def test_every_step_flips_different_pictures():
    flips = [augment.matrices(Augment(flip=True), 50, 8, 8, 0, step)[:, 0, 0] for step in (0, 1)]
    assert (flips[0] != flips[1]).any()


def test_nothing_is_stretched():
    matrices = augment.matrices(ALL, 200, 20, 40, 0, 0)[:, :, :2]
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(2), (200, 1, 1)), atol=1e-12
    )


def test_turns_and_shifts_stay_in_their_ranges_and_fill_them():
    height, width = 20, 40
    matrices = augment.matrices(Augment(rotate=30.0), 2000, height, width, 0, 0)
    angles = np.rad2deg(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert np.abs(angles).max() <= 30 and angles.min() < -28 and angles.max() > 28
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 1])
    np.testing.assert_allclose(matrices @ centre, np.tile(centre[:2], (2000, 1)), atol=1e-9)
    moves = augment.matrices(Augment(shift=0.25), 2000, height, width, 0, 0)
    np.testing.assert_allclose(moves[:, :, :2], np.tile(np.eye(2), (2000, 1, 1)), atol=1e-12)
    assert np.abs(moves[:, 0, 2]).max() <= 10 and np.abs(moves[:, 0, 2]).max() > 9
    assert np.abs(moves[:, 1, 2]).max() <= 5 and np.abs(moves[:, 1, 2]).max() > 4.5


def test_photographs_are_mirrored_at_the_edge_and_figures_get_black():
    images = np.full((50, 16, 16, 1), 200, np.uint8)
    reflected, *_ = augment.apply(images, None, ALL, "reflect", 0, 0)
    assert (reflected == 200).all()
    black, *_ = augment.apply(images, None, ALL, "constant", 0, 0)
    assert black.min() == 0 and black.max() == 200


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_that_are_not_square_keep_their_axes(channels):
    images = made.RNG.integers(0, 256, (3, 12, 20, channels)).astype(np.uint8)
    found, masks, _ = augment.apply(images, images[..., 0], ALL, "constant", 0, 0)
    assert found.shape == images.shape and masks.shape == (3, 12, 20)
    assert found.any(axis=(1, 2, 3)).all() and masks.any(axis=(1, 2)).all()


@pytest.mark.parametrize("side", [(17, 23), (32, 32), (64, 64)])
@pytest.mark.parametrize("border", ["reflect", "constant"])
def test_colours_are_warped_to_the_same_bits_as_each_alone(side, border):
    """Three channels take a detour, over four of them: no bit of a training may depend on it."""
    images = made.RNG.integers(0, 256, (40, *side, 3)).astype(np.uint8)
    found, _, targets = augment.apply(images, None, ALL, border, 2, 4, images[::-1])
    backward, *_ = augment.apply(images[::-1], None, ALL, border, 2, 4)
    np.testing.assert_array_equal(targets, backward)
    for channel in range(3):
        alone, *_ = augment.apply(images[..., channel, None], None, ALL, border, 2, 4)
        np.testing.assert_array_equal(found[..., channel], alone[..., 0])


def test_a_picture_moves_as_its_matrix_says():
    images = np.zeros((30, 31, 41, 1), np.uint8)
    images[:, 10, 30] = 255
    how = Augment(flip=True, rotate=20.0, shift=0.1)
    found, *_ = augment.apply(images, None, how, "constant", 1, 2)
    matrices = augment.matrices(how, 30, 31, 41, 1, 2)
    for picture, matrix in zip(found[..., 0].astype(float), matrices, strict=True):
        y, x = np.mgrid[:31, :41]
        where = np.array([(x * picture).sum(), (y * picture).sum()]) / picture.sum()
        np.testing.assert_allclose(where, matrix @ (30, 10, 1), atol=0.6)


def test_a_crop_takes_random_places_but_the_same_for_picture_mask_and_target():
    """Each pixel holds its own place: the row in one channel, the column in the other."""
    rows, columns = np.mgrid[:12, :14].astype(np.uint8)
    images = np.stack([np.stack([rows, columns, 0 * rows], axis=-1)] * 200)
    masks = np.stack([rows] * 200)
    how = Augment(crop=2)
    new_images, new_masks, new_targets = augment.apply(images, masks, how, "reflect", 0, 3, images)
    assert new_images.shape == (200, 8, 10, 3) and new_masks.shape == (200, 8, 10)
    np.testing.assert_array_equal(new_images[..., 0], new_masks)
    np.testing.assert_array_equal(new_images, new_targets)
    corners = {(int(one[0, 0, 0]), int(one[0, 0, 1])) for one in new_images}
    assert corners == {(row, column) for row in range(5) for column in range(5)}  # every one
    inner = new_images - new_images[:, :1, :1]
    assert (inner == inner[0]).all()  # each is a part of the whole
    again, *_ = augment.apply(images, masks, how, "reflect", 0, 3)
    other, *_ = augment.apply(images, masks, how, "reflect", 0, 4)
    np.testing.assert_array_equal(again, new_images)
    assert not np.array_equal(other, new_images)


def test_a_crop_comes_after_the_rest():
    """So a rotated picture shows no black corners that its own pixels could fill."""
    images = made.RNG.integers(0, 256, (4, 12, 12, 1)).astype(np.uint8)
    turned, *_ = augment.apply(images, None, Augment(rotate=20.0), "constant", 0, 0)
    both, *_ = augment.apply(images, None, Augment(rotate=20.0, crop=2), "constant", 0, 0)
    for whole, part in zip(turned, both, strict=True):
        places = [(y, x) for y in range(5) for x in range(5)]
        assert any(np.array_equal(whole[y : y + 8, x : x + 8], part) for y, x in places)


def test_what_is_to_be_still_is_the_middle_and_else_unchanged():
    images = made.RNG.integers(0, 256, (6, 12, 10, 3)).astype(np.uint8)
    how = Augment(flip=True, rotate=9.0, shift=0.1, crop=2).off
    found, *_ = augment.apply(images, None, how, "reflect", 0, 3)
    np.testing.assert_array_equal(found, images[:, 2:-2, 2:-2])
    assert not how.changes and Augment(crop=2).changes == ["cropped by 4 pixels"]
