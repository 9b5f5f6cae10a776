"""Tables of numbers: as text, as a picture, as JSON."""

import json

from knock.training import charts
from knock.training.table import Table, written

import numpy as np
import pytest
from PIL import Image

NUMBERS = {
    "true": {"score": 9.4218, "distance": 0.27829, "kinds": 10},
    "copied": {"score": float("nan"), "distance": -1234.56, "kinds": 7},
}


def made(**more) -> Table:
    return Table("ladder", "a title", NUMBERS, marks={"score": "↑"}, **more)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9.4218, "9.42"),
        (27.51, "27.5"),
        (876.4, "876"),
        (1410.3, "1410"),
        (0.27829, "0.278"),
        (0.002, "0.002"),
        (-1e-9, "0.000"),
        (0.0, "0.000"),
        (-0.0079, "-0.008"),
        (1.0, "1.00"),
        (10, "10"),
        (float("nan"), "–"),
        (float("-inf"), "–"),
    ],
)
def test_a_number_is_shown_with_three_digits(value, text):
    assert written(value) == text


def test_lines_are_aligned_and_say_which_way_is_better():
    assert made().lines() == [
        "a title",
        "        score ↑  distance  kinds",
        "true       9.42     0.278     10",
        "copied        –     -1235      7",
    ]


def test_json_has_no_nan():
    text = json.dumps(made().numbers(), allow_nan=False)
    assert json.loads(text)["copied"] == {"score": None, "distance": -1234.56, "kinds": 7}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_table_is_drawn_with_the_pictures_of_its_rows(tmp_path, channels):
    white = np.full((3, 16, 16, channels), 255, np.uint8)
    rows = {"true": 0 * white}  # black; the other row has none
    charts.table(tmp_path / "with.png", made(pictures=rows))
    charts.table(tmp_path / "without.png", made())
    dark = [
        (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) < 10).mean()
        for name in ("with", "without")
    ]
    assert dark[0] > dark[1] + 0.02


def test_what_is_better_than_a_row_is_marked():
    rows = {
        "true": {"more": 0.5, "less": 3.0, "neither": 1.0},
        "made": {"more": 0.6, "less": 4.0, "neither": 9.0},
        "same": {"more": 0.5001, "less": 2.0, "neither": 0.0},
    }
    marked = Table("t", "a title", rows, marks={"more": "↑", "less": "↓"}, than="true")
    assert marked.lines() == [
        "a title",
        "      more ↑   less ↓   neither",
        "true   0.500     3.00      1.00",
        "made   0.600*    4.00      9.00",
        "same   0.500     2.00*    0.000",
        "* better than true",
    ]
    assert not made().note and "*" not in "".join(made().lines())
