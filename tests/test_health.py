"""A warning comes when a GAN run goes wrong, once, and never while it goes well."""

from knock.training.health import ALIKE, LONG, MOST, WON, Health

import numpy as np
import pytest

RNG = np.random.default_rng(0)
VARIED = RNG.integers(0, 256, (4, 6, 5, 3)).astype(np.uint8)
SAME = np.repeat(VARIED[:1], 4, axis=0)


def warned(health, losses, first=1):
    """The steps at which there was a warning, and the warnings."""
    lines = {s: health.losses(s, {"discriminator": v}) for s, v in enumerate(losses, first)}
    return {step: line for step, line in lines.items() if line is not None}


def test_a_discriminator_that_wins_is_told_once():
    lines = warned(Health(), [1.4] * LONG + [WON / 2] * (3 * LONG))
    assert list(lines) == [LONG + MOST]
    (line,) = lines.values()
    assert f"at step {LONG + MOST} " in line and f"in {MOST} of the last {LONG} steps" in line
    assert "\n" not in line


def test_one_that_errs_now_and_then_wins_too():
    """As that of question 05 with a rate of 0.05: it never wins 200 steps in a row."""
    losses = [0.5 if step % 14 == 0 else WON / 2 for step in range(400)]
    assert list(warned(Health(), losses)) == [LONG]


def test_one_that_wins_a_little_less_than_most_steps_is_not_told():
    losses = [0.5 if step % 4 == 0 else WON / 2 for step in range(5 * LONG)]
    assert not warned(Health(), losses)


def test_a_run_that_is_over_soon_is_not_told():
    assert not warned(Health(), [0.0] * (LONG - 1))


def test_it_is_told_again_only_after_the_loss_recovered():
    health = Health()
    assert len(warned(health, [0.0] * 2 * LONG)) == 1
    assert not warned(health, [1.4] * (LONG // 2) + [0.0] * LONG, 1000)
    lines = warned(health, [1.4] * LONG + [0.0] * LONG, 2000)
    assert list(lines) == [2000 + LONG + MOST - 1]


def test_a_loss_at_the_threshold_has_not_won():
    assert not warned(Health(), [WON] * 2 * LONG)


@pytest.mark.parametrize("value", [0.69, 1.39, float("nan")])
def test_a_discriminator_that_does_not_win_is_not_told(value):
    assert not warned(Health(), [value] * 2 * LONG)


def test_only_a_discriminator_is_watched():
    health = Health()
    for step in range(2 * LONG):
        assert health.losses(step, {"loss": 0.0, "generator": 0.0}) is None


def test_each_level_s_discriminator_is_watched():
    health = Health()
    told = {}
    for step in range(1, 2 * LONG):
        losses = {"discriminator1": 1.4 if step <= 100 else 0.0, "discriminator2": 0.0}
        told[step] = health.losses(step, losses)
    told = {step: line for step, line in told.items() if line}
    assert list(told) == [LONG, 100 + MOST]
    assert "discriminator of level 2 wins" in told[LONG]
    assert "discriminator of level 1 wins" in told[100 + MOST]
    assert health.losses(1, {"code_discriminator": 0.0}) is None


def test_equal_pictures_are_told_once():
    health = Health()
    line = health.pictures(250, "sample", SAME)
    assert "step 250" in line and "'sample'" in line and "4 pictures" in line and "try " in line
    assert "\n" not in line
    assert health.pictures(500, "sample", SAME) is None


def test_equal_pictures_are_told_again_after_varied_ones():
    health = Health()
    assert health.pictures(101, "sample", SAME)
    assert health.pictures(102, "sample", VARIED) is None
    assert "step 103" in health.pictures(103, "sample", SAME)


def test_each_row_is_told_for_itself():
    health = Health()
    assert health.pictures(101, "sample", SAME)
    assert health.pictures(101, "interpolation", VARIED) is None
    assert health.pictures(102, "interpolation", SAME)
    assert health.pictures(103, "sample", SAME) is None
    assert health.pictures(103, "interpolation", SAME) is None


def test_pictures_that_are_but_a_little_apart_count_as_equal():
    pixels = np.full((2, 8, 8, 1), 100, np.uint8)
    pixels[1] += 1  # each half a grey level from the mean
    assert Health().pictures(101, "sample", pixels)
    pixels[1] += 1  # now one
    assert ALIKE == 1.0
    assert Health().pictures(101, "sample", pixels) is None


def test_one_picture_that_differs_is_enough():
    pixels = np.full((20, 8, 8, 1), 100, np.uint8)
    pixels[5] += 2
    assert Health().pictures(101, "sample", pixels) is None


def test_one_pixel_that_differs_is_not_enough():
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    pixels[0, 3, 3] = 100
    assert Health().pictures(101, "sample", pixels)


def test_a_single_picture_says_nothing():
    assert Health().pictures(101, "sample", SAME[:1]) is None
    assert Health().pictures(101, "sample", SAME[:0]) is None


def test_the_grey_of_the_first_steps_is_no_collapse():
    health = Health()
    assert health.pictures(49, "sample", SAME) is None
    assert health.pictures(50, "sample", SAME)
