"""Pyramids: the sizes of their levels, a recipe's tables for each, question 11's operators.

The operators d and u are those of the answers; they are asked in every installed framework.
"""

from knock import frameworks, questions, recipe
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.recipe import layers, levels
from knock.scripts import load as answers
from tests.helpers import answer

import numpy as np
import pytest

LAPGAN = questions.find("lapgan")
ADAPTERS = ["numpy", *frameworks.installed()]


@pytest.mark.parametrize(
    ("named", "height", "width", "sizes"),
    [
        ([8, 14, 28], 28, 28, [(8, 8), (14, 14), (28, 28)]),
        ([8, 16, 32, 64, 96], 96, 96, [(8, 8), (16, 16), (32, 32), (64, 64), (96, 96)]),
        ([8, 14, 28], 28, 56, [(8, 16), (14, 28), (28, 56)]),
        ([8, 14, 28], 56, 28, [(16, 8), (28, 14), (56, 28)]),
        ([8, 14, 28], 48, 48, [(8, 8), (16, 16), (32, 32), (48, 48)]),  # 8 is doubled
        ([8, 14, 28], 9, 9, [(8, 8), (9, 9)]),
        ([], 28, 28, []),
    ],
)
def test_levels_follow_the_recipe_or_double(named, height, width, sizes):
    assert levels.sizes(named, height, width) == sizes


@pytest.mark.parametrize(
    ("named", "height", "width", "said"),
    [
        ([8, 14, 28], 8, 8, "pictures of 8×8: there are no two levels"),
        ([8, 14, 28], 4, 8, "pictures of 4×8: there are no two levels"),
        ([8], 8, 8, "there are no two levels"),
        ([14, 8, 28], 28, 28, "there are no two levels"),
        ([8, 14, 28], 28, 30, "pictures of 28×30: the longer side of the level of 8 pixels"),
    ],
)
def test_levels_that_cannot_be_are_refused(named, height, width, said):
    with pytest.raises(UserError, match=said):
        levels.sizes(named, height, width)


def test_a_table_with_a_mark_is_there_for_every_level():
    tree = {
        "networks": {
            "plain": {"input": [1]},
            "g#": {"input": ["height#", 1], "init": "normal"},
            "g1": {"input": ["z"]},
        },
        "optimizers": {"o#": {"networks": ["g#"], "lr": 0.1}},
        "draws": {"z#": {"shape": ["width#"]}, "mask1": {}},
        "methods": {"generate": ["labels", "z#"]},
        "train": {"steps": 3},
    }
    made = levels.expand(tree, 2)
    assert made["networks"] == {
        "plain": {"input": [1]},
        "g1": {"input": ["z"], "init": "normal"},  # its own over the one for all
        "g2": {"input": ["height2", 1], "init": "normal"},
    }
    assert made["optimizers"] == {
        "o1": {"networks": ["g1"], "lr": 0.1},
        "o2": {"networks": ["g2"], "lr": 0.1},
    }
    assert made["draws"] == {
        "mask1": {},
        "z1": {"shape": ["width1"]},
        "z2": {"shape": ["width2"]},
    }
    assert made["methods"] == {"generate": ["labels", "z1", "z2"]}
    assert made["train"] == {"steps": 3}
    assert levels.expand({"networks": {"a": {}}}, 0)["networks"] == {"a": {}}


def test_every_data_set_has_a_network_a_level():
    for dataset, count in {"digits": 3, "mnist": 3, "cifar10": 3, "newts": 4, "folder": 5}.items():
        found = recipe.load(LAPGAN.recipe_file, dataset)
        placed = layers.networks(found)
        names = [
            f"{kind}{k}" for k in range(1, count + 1) for kind in ("generator", "discriminator")
        ]
        assert sorted(placed) == sorted(names)
        for k, (height, width) in enumerate(found.levels, 1):
            assert placed[f"generator{k}"].output == (found.image_shape[0], height, width)
        assert found.optimizers["g_optimizer2"].networks == ["generator2"]
        assert list(found.methods["generate"]) == [
            "labels",
            *(f"noise{k + 1}" for k in range(count)),
        ]


def test_a_learning_rate_by_option_is_every_level_s():
    found = recipe.load(LAPGAN.recipe_file, overrides={"lr": 0.3})
    assert {one.lr for one in found.optimizers.values()} == {0.3}
    own = recipe.load(LAPGAN.recipe_file).optimizers  # the preset's own, for one level
    assert own["g_optimizer1"].lr != own["g_optimizer2"].lr


def asked(adapter):
    """A framework's adapter, its answer's module, and how to ask d or u of NumPy pictures."""
    if adapter == "numpy":
        module, at = answers.load(LAPGAN.reference_file), plain
    else:
        module, at = answers.load(answer("lapgan", adapter)), frameworks.load(adapter)
    at.setup("cpu", "float64", 1)

    def call(operator):
        return lambda images, sides: at.to_numpy(operator(at.to_device({"x": images})["x"], sides))

    return call(module.shrink), call(module.enlarge)


STEPS = [((28, 28), (14, 14)), ((14, 14), (8, 8)), ((96, 96), (64, 64)), ((21, 40), (9, 33))]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_operators_keep_what_they_should(adapter):
    d, u = asked(adapter)
    rng = np.random.default_rng(0)
    for large, small in STEPS:
        images = rng.uniform(-1, 1, (2, 3, *large))
        coarse = d(images, small)
        low = u(coarse, large)
        assert coarse.shape == (2, 3, *small) and low.shape == images.shape
        np.testing.assert_allclose(low + (images - low), images, atol=1e-15)  # the pyramid is exact
        # A surface of one colour stays, whatever the size; nothing leaves the range.
        flat = np.full((1, 1, *large), 0.3)
        np.testing.assert_allclose(u(d(flat, small), large), 0.3, atol=1e-14)
        assert abs(low).max() <= 1 and abs(coarse).max() <= 1
        # Mirrored pictures come out mirrored: no half pixel is lost to one side.
        turned = np.ascontiguousarray(images[:, :, ::-1, ::-1])
        np.testing.assert_allclose(d(turned, small), coarse[:, :, ::-1, ::-1], atol=1e-15)
        # Smoothed: the finest pattern there is all but vanishes, where taking every other pixel
        # would make a surface of ±1 of it.
        checks = np.ones((1, 1, *large))
        checks[..., 1::2] = -1
        assert abs(d(checks, small)[..., 1:-1]).max() < 0.2
        if adapter != "numpy":
            reference, back = asked("numpy")
            np.testing.assert_allclose(coarse, reference(images, small), atol=1e-14)
            np.testing.assert_allclose(low, back(coarse, large), atol=1e-14)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("size", [(64, 64), (28, 56), (96, 96)])
def test_a_pyramid_of_random_pictures_is_rebuilt_exactly(adapter, size):
    small = {"g_hidden": 2, "d_hidden": 2, "g_width": 1, "d_width": 1}
    said = {"constants": small, "image": (1, *size)}
    name = "folder" if 96 in size else "newts"
    found = recipe.load(LAPGAN.recipe_file, name, overrides=said, dtype="float64")
    at = plain if adapter == "numpy" else frameworks.load(adapter)
    file = LAPGAN.reference_file if adapter == "numpy" else answer("lapgan", adapter)
    at.setup("cpu", "float64", 1)
    model = answers.load(file).LAPGAN(found)
    images = np.random.default_rng(1).uniform(-1, 1, (2, 1, *size))
    given = at.to_device({"x": images})["x"]
    np.testing.assert_allclose(at.to_numpy(model.rebuild(given)), images, atol=1e-14)
    assert at.to_numpy(model.coarsest(given)).shape == (2, 1, *found.levels[0])
