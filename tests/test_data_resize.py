"""Sizes and channels: nothing is swapped, squeezed or mixed by mistake."""

from knock.data import resize

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)


def test_height_and_width_are_not_swapped():
    image = np.zeros((40, 80, 3), np.uint8)
    image[:20, 60:] = 255  # the upper right
    for height, width in ((10, 20), (80, 160)):
        found = resize.photograph(image, height, width)
        expected = np.zeros((height, width, 3), bool)
        expected[: height // 2, width * 3 // 4 :] = True
        np.testing.assert_array_equal(found > 127, expected)


@pytest.mark.parametrize("size", [(30, 90), (90, 30)])
def test_the_middle_is_kept_and_not_squeezed(size):
    image = np.zeros((*size, 3), np.uint8)
    image[size[0] // 2 - 15 : size[0] // 2 + 15, size[1] // 2 - 15 : size[1] // 2 + 15] = 255
    assert (resize.photograph(image, 10, 10) == 255).all()


def test_a_smaller_picture_is_the_mean_of_its_areas():
    image = RNG.integers(0, 256, (8, 8, 1)).astype(np.uint8)
    small = resize.photograph(image, 4, 4)
    means = image.reshape(4, 2, 4, 2).mean(axis=(1, 3))
    assert np.abs(small[..., 0] - means).max() <= 0.5


def test_one_pixel_can_become_a_picture():
    assert (resize.photograph(np.full((1, 1, 3), 9, np.uint8), 8, 6) == 9).all()
    assert resize.photograph(np.zeros((1, 500, 1), np.uint8), 8, 6).shape == (8, 6, 1)


def test_a_mask_matches_its_picture_after_resizing():
    ids = np.zeros((256, 256), np.uint8)
    ids[37:181, 90:233] = 2
    for side in (32, 64, 100):
        small = resize.mask(ids, side, side)
        picture = resize.photograph(ids[..., None] * 100, side, side)[..., 0]
        assert set(np.unique(small)) == {0, 2}
        # where the picture has one pure value, the mask has the same
        assert (small[picture == 200] == 2).all() and (small[picture == 0] == 0).all()


def test_a_mask_is_not_moved_by_shrinking():
    ids = np.zeros((256, 256), np.uint8)
    ids[:, 2:] = (
        1  # the first new pixel covers columns 0 … 3, half and half; its middle is column 2
    )
    assert resize.mask(ids, 64, 64)[0].tolist() == [1] * 64


def test_28_becomes_32_by_black_edges_only():
    images = RNG.integers(1, 256, (2, 28, 28, 1)).astype(np.uint8)
    padded = resize.drawing(images, (1, 32, 32))
    np.testing.assert_array_equal(padded[:, 2:30, 2:30], images)
    assert (padded > 0).sum() == images.size
    assert resize.drawing(images, (1, 14, 14)).shape == (2, 14, 14, 1)
    assert resize.drawing(images, (3, 56, 56)).shape == (2, 56, 56, 3)


def test_our_grey_is_pillow_s_grey():
    colour = RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    pillow = np.asarray(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(resize.with_channels(colour, 1)[..., 0], pillow)


def test_grey_made_colour_is_grey():
    grey = RNG.integers(0, 256, (2, 4, 4, 1)).astype(np.uint8)
    colour = resize.with_channels(grey, 3)
    for channel in range(3):
        np.testing.assert_array_equal(colour[..., channel], grey[..., 0])


def test_a_coarse_picture_is_shown_with_larger_pixels():
    small = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(
        resize.coarse(small, 4, 6), small.repeat(2, axis=1).repeat(2, axis=2)
    )
    assert resize.coarse(small, 2, 3).tolist() == small.tolist()
    shown = resize.coarse(np.arange(8, dtype=np.uint8).reshape(1, 8, 1, 1), 28, 1)[0, :, 0, 0]
    assert sorted(np.bincount(shown).tolist()) == [3, 3, 3, 3, 4, 4, 4, 4]  # 3.5 pixels each
    assert (np.diff(shown.astype(int)) >= 0).all()
    middles = resize.coarse(np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1), 4, 1)
    assert middles[0, :, 0, 0].tolist() == [0, 1, 1, 2]  # the pixel that contains the middle
