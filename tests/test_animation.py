"""The animation and the strip show the steps they say, in order, and are written whole or not."""

import shutil

from knock.data import images
from knock.errors import UserError
from knock.training import animation, pictures

import numpy as np
import pytest
from PIL import Image, ImageSequence

HEIGHT, WIDTH = 24, 40


def level(step):
    """A grey level for each step, told from its neighbours' in a GIF too."""
    return step * 3 % 256


def draw(folder, steps, height=HEIGHT):
    """Sample pictures as a run writes them: the upper half of a level, the lower black."""
    (folder / "samples").mkdir(exist_ok=True)
    for step in steps:
        picture = np.zeros((height, WIDTH, 3), np.uint8)
        picture[: height // 2] = level(step)
        pictures.write_png(folder / "samples" / f"step_{step:06d}.png", picture)


def frames(folder):
    """The levels that the GIF shows, its times, and its sizes."""
    with Image.open(folder / "samples.gif") as gif:
        assert gif.info["loop"] == 0
        shown = [(f.convert("RGB"), f.info["duration"]) for f in ImageSequence.Iterator(gif)]
    assert {picture.size for picture, _ in shown} == {(WIDTH, HEIGHT)}
    return [picture.getpixel((5, 2))[0] for picture, _ in shown], [time for _, time in shown]


def bands(folder, rows):
    """The strip's bands of `rows` rows each, without and with what is left of them."""
    strip = images.read(folder / "strip.png", 3)
    assert len(strip) % rows == 0
    return [(b[:, -WIDTH:], b[:, :-WIDTH]) for b in np.split(strip, len(strip) // rows)]


def written(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "samples")


def test_the_animation_shows_every_step_in_order_and_stays_at_the_last(tmp_path):
    draw(tmp_path, (1, 70, 9, 20))
    animation.animate(tmp_path, 70)
    levels, times = frames(tmp_path)
    assert levels == [level(step) for step in (1, 9, 20, 70)]
    assert len(set(times[:-1])) == 1 and times[-1] > times[0]
    assert written(tmp_path) == ["samples.gif"]


def test_a_step_of_seven_digits_comes_after_those_of_six(tmp_path):
    draw(tmp_path, (999_980, 1_000_000))
    animation.animate(tmp_path, 1_000_000)
    assert frames(tmp_path)[0] == [level(999_980), level(1_000_000)]


def test_of_many_steps_fifty_are_chosen_evenly_with_the_first_and_the_last(tmp_path):
    draw(tmp_path, range(1, 82))
    animation.animate(tmp_path, 81)
    steps = [shown // 3 for shown in frames(tmp_path)[0]]
    assert len(steps) == 50 and steps[0] == 1 and steps[-1] == 81
    assert set(np.diff(steps)) == {1, 2}


def test_later_steps_and_other_files_are_left_out(tmp_path):
    draw(tmp_path, (1, 2, 3))
    (tmp_path / "samples" / "step_last.png").write_bytes(b"mine")
    (tmp_path / "samples" / "notes.txt").write_text("mine")
    animation.animate(tmp_path, 2)
    assert frames(tmp_path)[0] == [level(1), level(2)]
    animation.strip(tmp_path, (0, 12), 2)
    assert len(bands(tmp_path, 12)) == 2


def test_pictures_of_another_size_than_the_newest_are_left_out(tmp_path):
    draw(tmp_path, (1, 4, 9), height=16)
    draw(tmp_path, (2, 8))
    animation.animate(tmp_path, 8)
    assert frames(tmp_path)[0] == [level(2), level(8)]
    animation.strip(tmp_path, (0, 12), 8)
    assert [band[0, 0, 0] for band, _ in bands(tmp_path, 12)] == [level(2), level(8)]


@pytest.mark.parametrize("steps", [(), (5,), (5, 7)])
def test_fewer_than_two_pictures_write_nothing(tmp_path, steps):
    if steps:
        draw(tmp_path, steps)
    animation.animate(tmp_path, 6)
    animation.strip(tmp_path, (0, 12), 6)
    assert written(tmp_path) == []


def test_the_strip_holds_the_rows_asked_for_of_eight_steps(tmp_path):
    draw(tmp_path, range(1, 82))
    animation.strip(tmp_path, (6, 18), 81)  # the level above, black below
    found = bands(tmp_path, 12)
    steps = [int(band[0, 0, 0]) // 3 for band, _ in found]
    assert len(steps) == 8 and steps[0] == 1 and steps[-1] == 81
    assert set(np.diff(steps)) <= {11, 12}
    for step, (band, _) in zip(steps, found, strict=True):
        assert (band[:6] == level(step)).all() and (band[6:] == 0).all()
    assert written(tmp_path) == ["strip.png"]


def test_the_strip_says_the_step_to_the_left_of_each_band(tmp_path):
    draw(tmp_path, (1, 40, 44444))
    animation.strip(tmp_path, (0, HEIGHT), 44444)
    ink = [(left < 128).any(axis=(0, 2)) for _, left in bands(tmp_path, HEIGHT)]
    widths = [columns.sum() for columns in ink]
    assert 0 < widths[0] < widths[1] < widths[2]
    assert not any(columns[0] or columns[-1] for columns in ink)  # nothing is cut off
    right = [np.flatnonzero(columns).max() for columns in ink]
    assert max(right) - min(right) <= 2  # they end below each other


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    draw(tmp_path, (1, 2, 3))
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(tmp_path / "samples", other / "samples")
    for folder in (tmp_path, other):
        animation.animate(folder, 3)
        animation.strip(folder, (0, 12), 3)
    for name in ("samples.gif", "strip.png"):
        assert (tmp_path / name).read_bytes() == (other / name).read_bytes()


def test_a_damaged_picture_is_named_and_the_old_files_stay(tmp_path):
    draw(tmp_path, (1, 2, 3))
    animation.animate(tmp_path, 3)
    before = (tmp_path / "samples.gif").read_bytes()
    damaged = tmp_path / "samples" / "step_000002.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    for make in (animation.animate, lambda *where: animation.strip(where[0], (0, 12), where[1])):
        with pytest.raises(UserError, match="step_000002.png"):
            make(tmp_path, 3)
    assert (tmp_path / "samples.gif").read_bytes() == before
    assert written(tmp_path) == ["samples.gif"]
