"""What differs, in words that a learner can use: known mistakes are recognised by their numbers.

Each function gets numbers that differ and tries one explanation after another. The first that
reproduces the learner's numbers is returned; where none does, the message gives the numbers.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from knock.check import trace
from knock.check.trace import Trace
from knock.frameworks.adapter import State
from knock.recipe import Draw, Recipe

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Losses = dict[str, float]


def close(a: Any, b: Any) -> bool:
    """Equal to six digits, as whole arrays: gradients may be far smaller than any fixed limit."""
    if np.shape(a) != np.shape(b):
        return False
    distance, length = np.linalg.norm(np.subtract(a, b)), np.linalg.norm(b)
    return bool(distance <= 1e-6 * length < math.inf)  # not when either is NaN or infinite


def alike(a: Any, b: Any) -> bool:
    """As `close`, but both may have numbers that are NaN or infinite; the others are compared.

    Which of them are infinite is not: a framework may take for 0 what is nearly 0.
    """
    if np.shape(a) != np.shape(b) or np.isfinite(a).all() != np.isfinite(b).all():
        return False
    finite = np.isfinite(a) & np.isfinite(b)
    return close(np.asarray(a)[finite], np.asarray(b)[finite])


_OUTPUT: list[tuple[str, Callable[[Array], Array]]] = [
    ("it ends in a tanh that the recipe does not have", np.tanh),
    ("it ends in a sigmoid that the recipe does not have", lambda x: 1 / (1 + np.exp(-x))),
    ("it ends in a ReLU that the recipe does not have", lambda x: np.maximum(x, 0)),
    ("its range is [0, 1] instead of [-1, 1]", lambda x: (x + 1) / 2),
    ("it gives logits: the sigmoid at its end is missing", lambda x: np.log((1 + x) / (1 - x))),
    ("the sigmoid at its end is missing", lambda x: np.log(x / (1 - x))),
    ("the tanh at its end is missing", np.arctanh),
    ("it has the wrong sign", np.negative),
]

_SWAPPED = "height and width are swapped where the flat vector becomes a picture"
_MAPS: list[tuple[str, Callable[[Array], Array]]] = [
    ("height and width are swapped", lambda x: x.swapaxes(2, 3)),
    ("the channels are in reverse order (RGB read as BGR)", lambda x: x[:, ::-1]),
    ("it is upside down", lambda x: x[:, :, ::-1]),
    ("it is mirrored", lambda x: x[:, :, :, ::-1]),
    (
        "the flat vector is read in another order of channels, height and width",
        lambda x: x.reshape(len(x), *x.shape[2:], x.shape[1]).transpose(0, 3, 1, 2),
    ),
    (_SWAPPED, lambda x: x.reshape(len(x), x.shape[1], x.shape[3], x.shape[2])),
    (
        _SWAPPED,  # the same where channels come last
        lambda x: (
            x.transpose(0, 2, 3, 1)
            .reshape(len(x), x.shape[3], x.shape[2], x.shape[1])
            .transpose(0, 3, 1, 2)
        ),
    ),
]


def _rows(count: int) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    """What may have happened to the order of an output's rows; of n·n rows, n to a line."""
    yield "its rows come in reverse order", lambda x: x[::-1]
    side = math.isqrt(count)
    if side > 1 and side * side == count:

        def on_grid(change: Callable[[Array], Array]) -> Callable[[Array], Array]:
            return lambda x: change(x.reshape(side, side, *x.shape[1:])).reshape(x.shape)

        yield "the grid's two axes are swapped", on_grid(lambda x: x.swapaxes(0, 1))
        yield "the grid is mirrored, left to right", on_grid(lambda x: x[:, ::-1])
        yield "the grid is upside down: its first row is the lowest", on_grid(lambda x: x[::-1])


_IMAGES: list[tuple[str, Callable[[Array], Array]]] = [
    ("the channels are in reverse order (RGB read as BGR)", lambda x: x[:, ::-1]),
    ("the images are scaled to [0, 1]; the recipe's are in [-1, 1]", lambda x: (x + 1) / 2),
    ("the images are scaled as if they came in [0, 1]; they come in [-1, 1]", lambda x: 2 * x - 1),
    ("height and width are swapped", lambda x: x.swapaxes(2, 3).reshape(x.shape)),
    ("the images are mirrored", lambda x: x[:, :, :, ::-1]),
]


def batch_mistakes(recipe: Recipe) -> Iterator[tuple[str, str, Callable[[Array], Array]]]:
    """What may go wrong with a batch before the networks see it: words, entry, change."""
    for what, change in _IMAGES:
        yield what, "images", change
    size = recipe.train.batch_size  # of each round
    for name, draw in recipe.draws.items():
        if draw.in_training:
            yield f"the {name} is left out", name, np.zeros_like
            same_for_all = f"the {name} is the same for every picture: only its first row is used"
            yield same_for_all, name, lambda x: x[::size].repeat(size, axis=0)[: len(x)]


def explanations(mistaken: Mapping[str, Losses], got: Losses, expected: Losses) -> list[str]:
    """The mistakes that give all of a learner's losses; `mistaken` has each mistake's.

    One that gives only some of the wrong ones explains nothing: a sum is often right for another
    reason than its terms.
    """
    return [
        what
        for what, losses in mistaken.items()
        if _explains(losses, got, expected)
        and all(same(losses.get(name, math.nan), x) for name, x in got.items())
    ]


def _explains(mistaken: Losses, got: Losses, expected: Losses) -> bool:
    """Whether a mistake gives one of the learner's wrong losses."""
    wrong = {n: value for n, value in mistaken.items() if n in got and not same(value, expected[n])}
    return any(same(got[name], value) for name, value in wrong.items())


def of_error(message: str, recipe: Recipe) -> str | None:
    """The mistake that makes a framework raise an error, if it is a known one."""
    if "backward through the graph a second time" not in message:
        return None
    if len(recipe.optimizers) == 1:
        return f"backward goes through the same graph twice: {message}"
    judge = next((n for n in recipe.networks if n in ("discriminator", "critic")), "discriminator")
    return (
        f"two calls of backward go through one graph: either the generator receives gradients from "
        f"the {judge}'s step: the fake batch is not detached; or several losses share the graph "
        f"on purpose, and all calls but the last need retain_graph=True ({message})"
    )


def of_repetition(again: Losses, first: Losses, recipe: Recipe) -> str | None:
    """Why the same batch and the same weights give two different losses, if they do."""
    if all(same(again[name], value) for name, value in first.items()):
        return None
    drawn = "; ".join(
        f"batch[{n!r}], {_drawn(one)}" for n, one in recipe.draws.items() if one.in_training
    )
    return (
        "the same weights and the same batch give another loss the second time: does train_step "
        "draw random numbers itself? (Or remember something that is in no network and no "
        "optimiser of the recipe?) The recipe's random numbers come with the batch: "
        f"{drawn or 'none here'}"
    )


def _drawn(draw: Draw) -> str:
    """How a draw is distributed, and whether it has one number per picture or several."""
    how = {
        "uniform": f"uniform between {draw.low:g} and {draw.high:g}",
        "normal": "normal",
        "dropout": "0 where dropped",
        "integers": f"whole numbers from {draw.first}",
    }[draw.distribution]
    one = all(size == 1 for size in draw.shape)
    return f"{how}, {'one number' if one else 'numbers'} for each picture"


def same(a: float, b: float) -> bool:
    """Whether two losses are the same, to nine digits; two that are NaN are."""
    return math.isclose(a, b, rel_tol=1e-9) or (math.isnan(a) and math.isnan(b))


def change_of_output(got: Array, expected: Array) -> str | None:
    """The known change that turns the right output into the wrong one, if there is one.

    A single number, or a few, is no network's output: nothing is said of it.
    """
    if expected.ndim < 2:
        return None
    for what, change in [*_OUTPUT, *(_MAPS if expected.ndim == 4 else []), *_rows(len(expected))]:
        with np.errstate(all="ignore"):  # not every output comes from a sigmoid
            mistaken = change(expected)
        if close(got, mistaken) and not close(mistaken, expected):
            return what
    return None


def of_output(name: str, got: Array, expected: Array, channels_last: bool = False) -> str:
    """Why a network's output is not the expected one.

    Both have channels first; with `channels_last`, shapes and indices are told as a framework has
    them that has its channels last.
    """
    if close(got, expected):
        return (
            f"{name} is right to six digits only: something in it is float32, or a constant such "
            "as an epsilon is slightly wrong"
        )
    if what := change_of_output(got, expected):
        return f"{name}: {what}"
    if got.shape != expected.shape:
        turned = got.ndim == 4 and got.swapaxes(2, 3).shape == expected.shape
        swapped = "height and width are swapped: " if turned else ""
        larger = (
            got.ndim == 4 and got.shape[2] > expected.shape[2] and got.shape[3] > expected.shape[3]
        )
        missing = ": is a pooling or a stride missing?" if larger else ""
        if not swapped and sorted(got.shape) == sorted(expected.shape):
            missing = ": its axes are in another order"
        elif got.ndim != expected.ndim and got.size == expected.size:
            missing = ": as many numbers in another shape"
        elif not (swapped or larger) and got.ndim == expected.ndim == 4:
            sides = got.shape[:2] == expected.shape[:2]
            missing = ": look at paddings, strides and pooling" if sides else ""
        have, want = (_shape(one, channels_last) for one in (got, expected))
        return f"{swapped}{name} gives {have}, expected {want}{missing}"
    if not np.isfinite(got).all():
        return f"{name} gives numbers that are NaN or infinite"
    if expected.ndim == 0:
        return f"{name} gives {_two(got.item(), expected.item())}"
    place = np.unravel_index(np.abs(got - expected).argmax(), got.shape)
    where = ", ".join(str(i) for i in _ordered(place, channels_last))
    return (
        f"{name} differs, although the weights are right: most at [{where}], "
        f"{got[place]:.6g} instead of {expected[place]:.6g}{_of_region(got, expected)}"
    )


def _of_region(got: Array, expected: Array) -> str:
    """Which part of an output alone is wrong, where that says where to look."""
    off = np.abs(got - expected) > 1e-6 * np.abs(expected).max()
    if expected.ndim == 4 and min(expected.shape[2:]) > 2 and not off[:, :, 1:-1, 1:-1].any():
        return "; only pixels at the edge are wrong: look at the padding"
    for axis, what in enumerate(("picture", "channel") if expected.ndim == 4 else ("row",)):
        some = off.any(tuple(i for i in range(off.ndim) if i != axis))
        if some.size > 1 and some.sum() == 1:
            return f"; only the {what} with number {some.argmax()} is wrong"
    return ""


def has_a_name(got: Array, expected: Array) -> bool:
    """Whether a wrong output shows by itself what was done."""
    return close(got, expected) or change_of_output(got, expected) is not None


def of_place(name: str, got: Mapping[str, Array], expected: Mapping[str, Array]) -> str:
    """Between which layers of a network the fault is; empty where that cannot be found.

    `got` and `expected` have, by layer, the output when that layer lets nothing pass.
    """
    keys = [key for key in expected if key.startswith(f"{name}.") and key in got]
    if not keys:
        return ""
    right = [close(got[key], expected[key]) for key in keys]
    first = len(keys)  # of the layers after which all is right
    while first and right[first - 1]:
        first -= 1
    called = [key.removeprefix(f"{name}.") for key in keys]
    if first == len(keys):
        return f"; look at what comes after {called[-1]}"
    if first == 0:
        return (
            f"; all after {called[0]} is right, so look at {called[0]} and at what comes before it"
        )
    before, here = called[first - 1 : first + 1]
    return f"; all after {here} is right, so look at {here} and at what is between {before} and it"


def _shape(array: Array, channels_last: bool) -> str:
    """The sides of an array in a framework's order; one number has none."""
    return "×".join(str(side) for side in _ordered(array.shape, channels_last)) or "one number"


def _ordered(axes: Sequence[Any], channels_last: bool) -> Sequence[Any]:
    """What belongs to the axes of an array, in a framework's order."""
    return (axes[0], *axes[2:], axes[1]) if channels_last and len(axes) == 4 else axes


def of_loss(got: Trace, expected: Trace, recipe: Recipe) -> str:
    """Why the first step's loss is not the expected one."""
    a, b = got.losses[0], expected.losses[0]
    for name in b:
        if name not in a:
            return f"train_step returns no {name!r}; it returns: {', '.join(a) or 'nothing'}"
    right = [name for name, value in b.items() if math.isclose(a[name], value, rel_tol=1e-12)]
    wrong = [name for name in b if name not in right]
    # The sum is wrong whenever one of its terms is; of the others the worst comes first.
    wrong.sort(key=lambda name: (name == "loss", -_distance(a[name], b[name])))
    if what := factor_of_loss(got, expected, recipe):
        return what
    if not wrong:
        return "the losses differ"
    name = wrong[0]
    if not math.isfinite(a[name]):
        return (
            f"{name} is {a[name]}; right: {', '.join(right) or 'none'}. Were the gradients cleared "
            "before backward (Chainer fills new ones with NaN)? Does anything divide by zero?"
        )
    times = f" ({a[name] / b[name]:.4g} times as large)" if b[name] else ""
    others = f"; wrong, too: {', '.join(sorted(wrong[1:], key=list(b).index))}" if wrong[1:] else ""
    others += f"; right: {', '.join(right)}" if right else ""
    return f"{name} is {_two(a[name], b[name])}{times}{others}"


def factor_of_loss(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """The first of the first step's losses that is wrong by a factor which shows what was done."""
    a, b = got.losses[0], expected.losses[0]
    for name, value in sorted(b.items(), key=lambda item: item[0] == "loss"):
        if name not in a or math.isclose(a[name], value, rel_tol=1e-12):
            continue
        if (what := _factor(a[name], value, recipe)) and (
            what is not _ALMOST or _almost_trained(got, expected, recipe)
        ):
            return f"{name} {what}: it is {_two(a[name], value)}"
    return None


def _two(got: float, expected: float) -> str:
    """Two numbers with as many digits as it takes to see that they differ."""
    digits = 8
    while digits < 17 and f"{got:.{digits}g}" == f"{expected:.{digits}g}":
        digits += 1
    return f"{got:.{digits}g}, expected {expected:.{digits}g}"


def _distance(got: float, expected: float) -> float:
    """How wrong a loss is, as a share of the right one; infinitely if it is not finite."""
    off = abs(got - expected) / (abs(expected) or 1.0)
    return off if math.isfinite(off) else math.inf


_ALMOST = "is almost right, so look at a constant or the float type"


def _almost_trained(got: Trace, expected: Trace, recipe: Recipe) -> bool:
    """Whether the first step's gradients are almost right, too.

    A loss that follows an update is nearly right whatever was wrong in that: the weights have moved
    little.
    """
    if 1 not in got.states:
        return True
    mine, right = (trace.gradients(recipe, one.states[1]) for one in (got, expected))
    return all(
        np.linalg.norm(mine[key] - gradient) <= 1e-3 * np.linalg.norm(gradient)
        for key, gradient in right.items()
    )


def _factor(got: float, expected: float, recipe: Recipe) -> str | None:
    """What was done to a loss, if the factor by which it is wrong shows it."""
    batch, pixels = recipe.train.batch_size, math.prod(recipe.image_shape)
    factors = {
        1.0: _ALMOST,
        float(batch * pixels): "is summed over everything instead of averaged",
        float(pixels): "is summed over the pixels instead of averaged",
        float(batch): "is summed over the batch instead of averaged",
        1.0 / pixels: "is averaged over the pixels instead of summed",
        1.0 / batch: "is averaged over the batch twice",
        0.5: "is halved",
        2.0: "is doubled",
        -1.0: "has the wrong sign",
    }
    if got == float(np.float32(expected)):
        return "is right, but rounded to float32: is what train_step returns cast?"
    for factor, what in factors.items():
        if math.isclose(got, factor * expected, rel_tol=1e-5):
            return what
    return None


def factor_of_gradients(got: State, expected: State) -> str | None:
    """The factor by which all of the first step's gradients are wrong, if there is one."""
    keys = [key for key, g in expected.items() if g.any()]
    ratios = [float(np.vdot(got[k], expected[k]) / np.vdot(expected[k], expected[k])) for k in keys]
    same = bool(keys) and all(close(got[k], ratios[0] * expected[k]) for k in keys)
    if not same or not ratios[0] or math.isclose(ratios[0], 1.0, rel_tol=1e-5):
        return None
    factor = f"{ratios[0]:.6g} times the expected one"
    return f"every gradient is {factor}, as if the loss had this factor"


def _dead(got: State, expected: State) -> list[str]:
    """The weights whose gradient is 0, and should not be."""
    return [key for key, g in got.items() if not g.any() and expected[key].any()]


def untaught(got: State, expected: State) -> list[str]:
    """The networks of which no weight gets the gradient that it should, in the judge's order."""
    dead = set(_dead(got, expected))
    networks = dict.fromkeys(key.split(".")[0] for key in expected if key in dead)
    return [n for n in networks if all(k in dead for k in expected if k.startswith(f"{n}."))]


def of_untaught(networks: Sequence[str]) -> str:
    """Why networks, all that `untaught` has found, may get no gradient."""
    get, their = ("gets", "its") if len(networks) == 1 else ("get", "their")
    return (
        f"{' and '.join(networks)} {get} no gradient: {their} weights are not given to the "
        f"optimiser, {their} gradients are cleared between backward and the update, or the loss "
        "does not depend on them"
    )


def of_idle(networks: Sequence[str]) -> str:
    """What to look at where networks, all that `untaught` has found, were not updated at all."""
    one = len(networks) == 1
    whose = f"optimiser{'' if one else 's'} of the {' and the '.join(networks)}"
    return (
        f"the {whose} saw no gradient. Is {'its update' if one else 'an update'} missing, or are "
        "gradients cleared between backward and the update?"
    )


def of_gradients(got: State, expected: State) -> str:
    """Why the first step's gradients are not the expected ones."""
    for key, g in got.items():
        if not np.isfinite(g).all():
            return (
                f"the gradient of {key} is NaN or infinite: was the old one cleared before "
                "backward? Does anything divide by zero?"
            )
    if dead := _dead(got, expected):
        if whole := untaught(got, expected):
            return of_untaught(whole)
        return f"{dead[0]} gets no gradient"
    if what := factor_of_gradients(got, expected):
        return what
    keys = [key for key, g in expected.items() if g.any()]
    worst = max(keys, key=lambda k: float(np.linalg.norm(got[k] - expected[k])))
    return (
        f"the gradient of {worst} differs: norm {np.linalg.norm(got[worst]):.6g}, "
        f"expected {np.linalg.norm(expected[worst]):.6g}"
    )


_UNCLEARED = (
    "the second step's gradients still contain the first step's: clear them before each step"
)


def of_steps(got: Trace, expected: Trace, recipe: Recipe) -> str:
    """Why two training runs diverge, though the first loss may agree."""
    if not all(step in t.states for t in (got, expected) for step in (0, 1, 2)):
        return "the runs diverge"
    keys = [key for key in expected.states[0] if key.split(".")[0] in recipe.networks]
    moved = {k: got.states[1][k] - got.states[0][k] for k in keys}
    wanted = {k: expected.states[1][k] - expected.states[0][k] for k in keys}
    still = [k for k in keys if not moved[k].any() and wanted[k].any()]
    if still:
        return f"{still[0]} does not change in the first step: its update is missing"
    if not all(close(moved[k], wanted[k]) for k in keys):
        return _of_first_update(moved, wanted, keys)
    g1, g2 = (_gradient_at(expected, recipe, step) for step in (1, 2))
    mine = _gradient_at(got, recipe, 2)
    for network in recipe.networks:
        own = [k for k in g2 if k.startswith(f"{network}.") and k in mine and g1[k].any()]
        if own and all(close(mine[k], g1[k] + g2[k]) for k in own):
            return _UNCLEARED
    if what := _of_momentum(got, expected, recipe):
        return what
    if not close(list(got.losses[1].values()), list(expected.losses[1].values())):
        return "the first step agrees, the second step's loss does not"
    agreed = sum(
        1 for _ in itertools.takewhile(_agree, zip(got.losses, expected.losses, strict=False))
    )
    begun = f"the first {'steps agree' if agreed > 1 else 'step agrees'}, then the runs diverge"
    if agreed < len(got.losses):
        begun += f", from step {agreed + 1} on"
        if found := _wrong_alone(got.losses[agreed], expected.losses[agreed]):
            wrong, right = found
            return (
                f"{begun}: there {wrong} is wrong while {right} is still right. Look at how "
                f"{wrong} is computed, and at an update between the two, for what the first steps "
                "do not show: a limit, an absolute value, one side of a square"
            )
    else:
        begun += " slowly"
    return (
        f"{begun}{_first_to_differ(got, expected, recipe)}: look at {_constants(recipe)}, and at "
        "what these first pictures do not show, such as a limit"
    )


def _constants(recipe: Recipe) -> str:
    """What may be wrong with the recipe's optimisers that the first steps do not show."""
    kinds = {one.algorithm for one in recipe.optimizers.values()}
    if kinds == {"sgd"}:
        return "the optimiser's learning rate and momentum, and how they change"
    which = "alpha" if kinds == {"rmsprop"} else "betas"
    more = "" if kinds == {"rmsprop"} else " or outside the bias correction"
    return f"the optimiser's constants ({which}, or an epsilon inside the root{more})"


def _wrong_alone(got: Losses, expected: Losses) -> tuple[str, str] | None:
    """The first wrong loss of a step, and those that are right before it; None without such.

    The losses are in the order in which a step computes them.
    """
    right: list[str] = []
    for name, value in expected.items():
        if not same(got.get(name, math.nan), value):
            return (name, " and ".join(right)) if right else None
        right.append(name)
    return None


def _first_to_differ(got: Trace, expected: Trace, recipe: Recipe) -> str:
    """Which network is the first whose weights are not to ten digits the judge's; "" if none."""
    for step in (1, 2, 10):
        for name in recipe.networks:
            if step not in got.states or step not in expected.states:
                continue
            a, b = got.states[step], expected.states[step]
            keys = [key for key in b if key.startswith(f"{name}.") and "running_" not in key]
            off = max(
                (float(np.linalg.norm(a[k] - b[k]) / (np.linalg.norm(b[k]) or 1.0)) for k in keys),
                default=0.0,
            )
            if off > 1e-10:
                return f", the {name} first"
    return ""


def _of_momentum(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """Which momentum SGD took in the second step, if not the recipe's: m₂ = μ·m₁ + g₂."""
    for name, settings in recipe.optimizers.items():
        if settings.algorithm != "sgd":
            continue
        for key, first in expected.states[1].items():
            m1, more = first, got.states[2][key] - expected.states[2][key]
            if (
                not key.startswith(f"{name}.")
                or not key.endswith(".m")
                or not (m1.any() and more.any())
            ):
                continue
            ratio = float(np.vdot(more, m1) / np.vdot(m1, m1))
            if abs(ratio) < 1e-6 or not close(more, ratio * m1):
                continue
            if math.isclose(ratio, 1.0, rel_tol=1e-6):
                return _UNCLEARED
            momentum = round(settings.momentum + ratio, 6) + 0.0  # no -0
            return f"{name}: its momentum is {momentum:.4g}, the recipe's {settings.momentum:g}"
    return None


def _agree(pair: tuple[Losses, Losses]) -> bool:
    """Whether all losses of a step are right, to nine digits."""
    got, expected = pair
    return all(name in got and same(got[name], value) for name, value in expected.items())


def _of_first_update(moved: State, wanted: State, keys: list[str]) -> str:
    moving = [k for k in keys if wanted[k].any()]
    ratios = [float(np.vdot(moved[k], wanted[k]) / np.vdot(wanted[k], wanted[k])) for k in moving]
    if all(math.isclose(r, ratios[0], rel_tol=1e-3) for r in ratios) and ratios[0] < 0:
        return "the first update goes uphill: it has the wrong sign"
    if all(math.isclose(r, ratios[0], rel_tol=1e-3) for r in ratios) and abs(ratios[0] - 1) > 1e-3:
        return f"the first update is {ratios[0]:.4g} times as large: look at the learning rate"
    return (
        "the first update differs: if the gradients agree, look at the optimiser's betas or epsilon"
    )


def _gradient_at(t: Trace, recipe: Recipe, step: int) -> State:
    """The gradients of step 1, or of step 2 where all optimisers are Adam; else empty."""
    now = trace.gradients(recipe, t.states[step])
    if step == 1:
        return now
    before, found = trace.gradients(recipe, t.states[1]), {}
    for settings in recipe.optimizers.values():
        if settings.algorithm != "adam":
            return {}
        for key, g in now.items():
            if key.split(".")[0] in settings.networks:
                found[key] = g - settings.betas[0] * before[key]
    return found


def of_share(start: State, got: State, expected: State, keys: Sequence[str]) -> str | None:
    """The share of a running average that the first step replaced, if that explains it.

    For one batch b: r₁ = (1 − s)·r₀ + s·b, and the expected share s is 0.1.
    """
    for key in keys:
        grown = expected[key] - start[key]
        if close(got[key], expected[key]) or not grown.any():
            continue
        share = 0.1 * float(np.vdot(got[key] - start[key], grown) / np.vdot(grown, grown))
        if close(got[key] - start[key], share / 0.1 * grown):
            if math.isclose(share, 1 - 0.9**2, rel_tol=1e-6):
                return (
                    f"{key}: a step replaces {share:.4g} of a running average instead of 0.1, as "
                    f"if the {key.split('.')[0]} saw the same batch twice: is it called twice?"
                )
            return (
                f"{key}: a step replaces {share:.4g} of a running average instead of 0.1: is your "
                "momentum the share that is kept?"
            )
    return None


def of_statistics(got: State, expected: State, keys: list[str]) -> str:
    """Why the running statistics of batch normalisation differ."""
    worst = max(keys, key=lambda k: float(np.linalg.norm(got[k] - expected[k])))
    return (
        f"{worst} differs: {got[worst].flat[0]:.6g} instead of {expected[worst].flat[0]:.6g}; "
        "look at the momentum (0.1 is replaced), at eps (1e-5) and at the variance's n/(n-1)"
    )
