"""A size that a question's networks cannot take: the sizes near it that they can."""

import re

from knock import questions
from knock.errors import UserError
from knock.recipe import fitting

import pytest


def said(name: str, height: int, width: int, dataset: str = "newts") -> str:
    with pytest.raises(UserError) as caught:
        fitting.load(
            questions.find(name).recipe_file, dataset, "quick", {"image": (3, height, width)}
        )
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "side", "near"),
    [
        ("dcgan", 50, "--size 48 or --size 56"),
        ("dcgan", 70, "--size 64 or --size 80"),  # from 64 on, halved once more
        ("dcgan", 4, "--size 8"),
        ("convae", 1023, "--size 1020 or --size 1024"),
        ("pix2pix", 100, "--size 64 or --size 128"),
        ("lapgan", 6, "--size 9"),
        ("cyclegan", 57, "--size 56 or --size 64"),  # what is doubled three times is no 57
        ("cyclegan", 8, "--size 16"),
    ],
)
def test_the_next_smaller_and_larger_squares_are_named(name, side, near):
    line = said(name, side, side)
    assert line.startswith(f"the networks take no pictures of {side}×{side}: ")
    assert line.endswith(f"; the nearest that fit: {near}")
    for one in re.findall(r"--size (\d+)", line):
        shape = (3, int(one), int(one))
        path = questions.find(name).recipe_file
        assert fitting.load(path, "newts", "quick", {"image": shape}).image_shape == shape


@pytest.mark.parametrize(
    ("name", "sides", "near"),
    [
        ("dcgan", (50, 100), "48x96"),
        ("pix2pix", (70, 130), "64x128"),
        ("lapgan", (28, 30), "28x28"),
        ("cyclegan", (64, 57), "64x56"),
    ],
)
def test_a_rectangle_near_it_is_named(name, sides, near):
    found = re.search(r"--size (\d+)x?(\d*)$", said(name, *sides))
    high, wide = int(found[1]), int(found[2] or found[1])
    assert f"{high}x{wide}" == near


def test_a_pool_without_a_place_is_refused_by_its_name():
    path, given = questions.find("cyclegan").recipe_file, {"constants": {"pool_size": 0}}
    with pytest.raises(UserError, match=r"^pools.pool_x.pictures: 'pool_size' comes to 0"):
        fitting.load(path, "newts", "quick", given)


def test_what_is_wrong_without_a_size_keeps_its_words(tmp_path):
    path = questions.find("dcgan").recipe_file
    text = path.read_text(encoding="utf-8").replace("[3, 64, 64]", "[3, 50, 50]")
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"networks.generator.layers\[1\].* must divide by 8"):
        fitting.load(tmp_path / "recipe.toml", "newts", "quick", {})
