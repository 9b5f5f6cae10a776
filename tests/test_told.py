"""What a check says of shapes, weights and constants, in the words of the learner's framework.

Only NumPy is used: the frameworks' own ways to say something are in test_raised.py.
"""

import dataclasses
import re
import sys
import threading

from knock import recipe as recipes
from knock.check import explain_numbers, explain_precision
from knock.check.trace import Trace
from knock.frameworks.binding import Found, WrongNetwork, as_is, bind, to_channels_last
from knock.learner import prints, slow
from knock.questions import find
from knock.recipe import layers

import numpy as np
import pytest


def small(name: str) -> recipes.Recipe:
    return recipes.load_check(find(name).recipe_file)


PICTURE = np.random.default_rng(0).normal(size=(4, 1, 6, 10))


def test_shapes_and_places_are_told_in_the_frameworks_own_layout():
    moved = PICTURE.transpose(0, 3, 1, 2)  # H×W×C read as W×C×H…
    first, last = (explain_numbers.of_output("g", moved, PICTURE, x) for x in (False, True))
    assert first.startswith("g gives 4×10×1×6, expected 4×1×6×10")
    assert last.startswith("g gives 4×1×6×10, expected 4×6×10×1")
    wrong = PICTURE.copy()
    wrong[3, 0, 5, 9] += 7
    first, last = (explain_numbers.of_output("g", wrong, PICTURE, x) for x in (False, True))
    assert "most at [3, 0, 5, 9]" in first and "most at [3, 5, 9, 0]" in last
    flat = PICTURE.reshape(4, -1)
    assert "g gives 4×60, expected 4×6×10×1" in explain_numbers.of_output("g", flat, PICTURE, True)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4, 60), "as many numbers in another shape"),
        ((4, 10, 1, 6), "its axes are in another order"),
        ((), "g gives one number, expected 4×1×6×10"),
        ((4, 1, 6, 5), "g gives 4×1×6×5, expected 4×1×6×10: look at paddings, strides and pool"),
    ],
)
def test_a_wrong_shape_says_what_kind_it_is(shape, said):
    assert said in explain_numbers.of_output("g", np.zeros(shape), PICTURE)


def test_where_an_output_is_wrong_is_told_when_it_is_in_one_place():
    edge, one, all_of_it = PICTURE.copy(), PICTURE.copy(), PICTURE + 1e-3
    edge[:, :, 0] += 0.1
    edge[:, :, :, -1] += 0.1
    one[2] += np.linspace(0, 1, 60).reshape(1, 6, 10)
    told = [explain_numbers.of_output("g", wrong, PICTURE) for wrong in (edge, one, all_of_it)]
    assert told[0].endswith("; only pixels at the edge are wrong: look at the padding")
    assert told[1].endswith("; only the picture with number 2 is wrong")
    assert "only" not in told[2]


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan", "lapgan", "alpha_gan"])
def test_a_slope_that_a_framework_keeps_in_float32_is_named(name):
    recipe = small(name)
    networks = {
        one.name: one
        for one in layers.networks(recipe).values()
        if any(each.layer.kind == "leaky_relu" for each in one.layers)
    }
    right = {n: explain_precision._output(one, recipe) for n, one in networks.items()}
    expected = Trace(outputs={n: right.get(n, np.ones(1)) for n in layers.networks(recipe)})
    assert explain_precision.of_slopes(expected, expected, recipe) is None
    for network, placed in networks.items():
        leaky = [n for n, one in enumerate(placed.layers) if one.layer.kind == "leaky_relu"]
        for chosen in (tuple(leaky), (leaky[0],)):
            made = explain_precision._output(explain_precision._rounded(placed, chosen), recipe)
            got = dataclasses.replace(expected, outputs={**expected.outputs, network: made})
            said = explain_precision.of_slopes(got, expected, recipe)
            assert said is not None and said.startswith(f"{network}: right, but for the slope")
        got.outputs[network] = made * (1 + 1e-9)
        assert explain_precision.of_slopes(got, expected, recipe) is None


# Which variable is which weight


def bound(name: str, change, native=as_is, registered="an attribute of the network") -> str:
    """What is said of networks whose variables are the recipe's, but for a change of their list."""
    recipe = small(name)
    placed = layers.networks(recipe)

    def variables(network: str) -> list[Found]:
        wanted = placed[network].parameters
        shapes = [native(np.empty(p.shape), p).shape for p in wanted]
        found = [Found(p.name, object(), shape) for p, shape in zip(wanted, shapes, strict=True)]
        return change(found)

    class Model:
        pass

    model = Model()
    for network in placed:
        setattr(model, network, network)
    try:
        bind(model, recipe, variables, native, registered)
    except WrongNetwork as error:
        return str(error)
    return ""


def renamed(found: list[Found]) -> list[Found]:
    return [dataclasses.replace(one, name=f"my{n}.weight") for n, one in enumerate(found)]


def turned(found: list[Found]) -> list[Found]:
    return [dataclasses.replace(one, shape=one.shape[::-1]) for one in found]


ORDER = "; define its layers in the order of the page's table, or name them as there"
BOUND = {
    "right": (list, as_is, ""),
    "renamed": (renamed, as_is, ""),
    "in another order": (lambda found: renamed(found[::-1]), as_is, ORDER),
    "none": (lambda found: [], as_is, "encoder has no weights: each layer must be an attribute"),
    "without a bias": (lambda found: found[:1], as_is, "encoder has no fc.bias of shape (8,)"),
    "turned": (turned, as_is, "encoder.fc.weight is (120, 8), should be (8, 120), as (out, in)"),
    "turned, channels last": (
        turned,
        to_channels_last,
        "encoder.fc.weight is (8, 120), should be (120, 8), as (in, out)",
    ),
}


@pytest.mark.parametrize(("change", "native", "said"), BOUND.values(), ids=BOUND)
def test_networks_that_are_not_the_recipes_are_told_with_what_to_do(change, native, said):
    found = bound("vae", change, native)
    assert said in found
    assert bool(said) == bool(found)
    assert (ORDER in found) == (said == ORDER)


def test_a_network_under_another_name_is_told_with_all_that_are_asked_for():
    with pytest.raises(WrongNetwork, match="object has no attribute 'encoder'; .*: encoder, decod"):
        bind(object(), small("vae"), lambda network: [], as_is)


# While it is checked


def test_a_check_that_takes_long_says_which_line_runs(tmp_path):
    """The loop ends once that was said, however long it takes."""
    said: list[str] = []
    path = tmp_path / "a.py"
    path.write_text("def step(over):\n    while not over():\n        pass\n", encoding="utf-8")
    space: dict = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    with slow.told(path, 0.001, said.append):
        space["step"](lambda: len(said) > 1)
    said_so = re.compile(r"the check still runs after \d+ seconds, in your")
    assert all(said_so.match(one) for one in said), said
    assert any("line 2: while not over():" in one or "line 3: pass" in one for one in said)
    running = threading.active_count()
    with slow.told(path, 60, said.append):
        pass
    assert threading.active_count() == running


def printed(capsys, *texts: str) -> str:
    with prints.few():
        for text in texts:
            print(text, end="")
    return capsys.readouterr().out


def test_of_what_is_printed_the_first_lines_are_shown_and_the_rest_is_counted(capsys):
    lines = [f"{n}\n" for n in range(14)]
    assert printed(capsys, *lines[:10]) == "".join(lines[:10])
    assert printed(capsys, *lines) == "".join(lines[:10]) + "… 4 lines more\n"
    assert printed(capsys, "".join(lines[:11])) == "".join(lines[:10]) + "… 1 line more\n"
    assert printed(capsys, "a", "b") == "ab\n"  # so the report begins a line
    assert printed(capsys) == ""


def test_a_debugger_shows_all_that_it_prints(capsys, monkeypatch):
    monkeypatch.setattr(sys, "gettrace", lambda: print)
    lines = [f"{n}\n" for n in range(14)]
    assert printed(capsys, *lines) == "".join(lines)


def test_a_loss_that_is_right_in_float32_is_told_so_with_the_digits_that_differ():
    right, got = (Trace(losses=[{"loss": value}]) for value in (1.2690504, 1.26905041))
    said = explain_numbers.of_loss(got, right, small("ae"))
    assert said.endswith("1.26905041, expected 1.2690504") and "float32" not in said
    got.losses = [{"loss": float(np.float32(1.2690504))}]
    said = explain_numbers.of_loss(got, right, small("ae"))
    assert "rounded to float32" in said and "1.2690504, expected 1.2690504" not in said
