"""What the page of a generator shows: the network, and the directions of noise that matter most."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from knock.errors import UserError
from knock.explore import network, page
from knock.frameworks import numpy as plain
from knock.recipe import Draw, Recipe, kinds, layers
from knock.recipe.layers import Placed
from knock.trained import draws
from knock.trained.directions import Directions
from knock.training.checkpoint import Checkpoint

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NETWORK = "generator"
_SLIDERS = 8
_NOISES = 1000  # what the first layer makes of so many shows what matters most there
_MODEST = 4_000_000  # bytes: a page that would have more has the weights as float16
MOST = 20_000_000  # bytes
_BESIDE = 60_000  # bytes of a page that are not weights
_ACTIVATIONS = (kinds.ReLU, kinds.LeakyReLU, kinds.Tanh, kinds.Sigmoid)


def make(found: Checkpoint, classes: Sequence[str], named: Directions) -> str:
    """The page of a checkpoint, as HTML; the same arguments give the same text.

    `classes` are the names of those that pictures can be asked for by, `named` more directions.
    Raises UserError if the page cannot evaluate the generator or would be too large, if a weight is
    missing, or where the pictures are not finite.
    """
    return page.make("generator", describe(found, classes, named))


def noise_of(recipe: Recipe) -> str | None:
    """The one draw that a recipe's only generator makes pictures of, labels aside; None if none is.

    A batch of reference, which is the same for every picture, is no noise.
    """
    method = recipe.from_noise
    if method is None or NETWORK not in recipe.networks:
        return None
    names = [name for name in recipe.methods[method] if name != "labels"]
    noises = [name for name in names if name in recipe.draws and not recipe.draws[name].fixed]
    return noises[0] if len(noises) == 1 else None


def describe(found: Checkpoint, classes: Sequence[str], named: Directions) -> dict[str, Any]:
    """Everything that the page's script reads, ready for JSON.

    Arrays are base64 text, as `network.described` says. `noise` is what noise is drawn from, with
    its mean and its standard deviation; `first` one that `knock sample` draws. A direction has its
    share of all that the first layer makes of noise, or a name.
    """
    recipe = found.recipe
    placed = layers.networks(recipe)[NETWORK]
    network.require_known(placed)
    half = _is_large(placed)
    drawn = draws.of(recipe, 0, 0, _NOISES, _NOISES)
    name = noise_of(recipe)
    assert name is not None
    noise, draw = drawn[name].astype(np.float64), recipe.draws[name]
    size = noise.shape[1]
    _require_input(placed, size, classes)
    for called, vector in named.items():
        if vector.shape != (size,):
            raise UserError(f"direction {called!r} has {len(vector)} numbers; a noise has {size}")
    generator = network.opened(found, placed)
    if half:
        _round(generator)
    inputs = _with_classes(noise, len(classes))
    _require_finite(_made(generator, placed, inputs[: max(1, len(classes))], drawn))
    end = next(
        (i for i, one in enumerate(placed.layers, 1) if isinstance(one.layer, _ACTIVATIONS)), 1
    )
    first = Placed(placed.name, placed.input, placed.layers[:end])
    made = _made(network.opened(found, first), first, inputs, drawn).reshape(len(noise), -1)
    _require_finite(made)
    vectors, shares = principal(made, noise, max(1, len(classes)))
    return {
        **page.told(found),
        "title": f"{recipe.title}: a walk through its noise",
        "question": recipe.question,
        "z": size,
        "generator": {
            "layers": network.described(generator, placed, half),
            "range": _range(placed),
        },
        "numbers": "float16" if half else "float32",
        "noise": _told(draw),
        "first": network.single(draws.of(recipe, 0, 0, 1, draws.AT_ONCE)[name][0]),
        "noises": _NOISES,
        "units": made.shape[1],
        "classes": list(classes),
        "directions": [
            *(
                {"vector": network.single(vector), "share": round(share, 4)}
                for vector, share in zip(vectors, shares, strict=True)
            ),
            *({"vector": network.single(v), "name": n} for n, v in named.items()),
        ],
    }


def _told(draw: Draw) -> dict[str, Any]:
    if draw.distribution == "normal":
        return {"distribution": "normal", "mean": 0.0, "deviation": 1.0}
    middle, width = (draw.low + draw.high) / 2, draw.high - draw.low
    return {
        **{"distribution": "uniform", "low": draw.low, "high": draw.high},
        **{"mean": middle, "deviation": width / math.sqrt(12)},
    }


def _require_input(placed: Placed, size: int, classes: Sequence[str]) -> None:
    """Raise UserError where a generator takes something besides noise and a class."""
    if placed.input != (size + len(classes),):
        raise UserError(
            f"networks.{NETWORK} takes {placed.input}, not {size} numbers of noise and "
            f"{len(classes)} of a class; the page gives it nothing else"
        )


def _is_large(placed: Placed) -> bool:
    """Whether a page should have the weights as float16. Raises UserError if that is too much."""
    count = sum(one.size for one in placed.parameters)
    bytes_of = {width: _BESIDE + count * width * 4 / 3 for width in (2, 4)}  # base64: 4 for 3
    if bytes_of[2] > MOST:
        raise UserError(
            f"a page with this generator's {count:,} weights would have "
            f"{bytes_of[2] / 1e6:.0f} MB, more than {MOST / 1e6:.0f}; train a smaller one "
            "(--preset quick), or let knock sample make the pictures"
        )
    return bytes_of[4] > _MODEST


def _round(generator: plain.Network) -> None:
    """Give a network the weights that a page with float16 has: matrices and kernels rounded."""
    for module in generator.modules:
        for name, value in module.values.items():
            if value.ndim > 1:
                module.values[name] = value.astype(np.float16).astype(np.float64)


def _range(placed: Placed) -> network.Range:
    """Black and white, by the generator's last activation. Raises UserError for another one."""
    last = [one.layer for one in placed.layers if not isinstance(one.layer, kinds.Reshape)][-1]
    if isinstance(last, kinds.Tanh | kinds.Sigmoid):
        return network.TANH if isinstance(last, kinds.Tanh) else network.SIGMOID
    raise UserError(
        f"networks.{NETWORK} ends with a layer {last.kind!r}; the page needs a tanh or a sigmoid "
        "to know what is black and what is white"
    )


def _with_classes(noise: Array, classes: int) -> Array:
    """A generator's inputs: noise, and after it a one-hot row, with one class after another."""
    labels = np.arange(len(noise)) % max(1, classes)
    return np.concatenate([noise, labels[:, None] == np.arange(classes)], axis=1)


def _made(built: plain.Network, placed: Placed, inputs: Array, drawn: Mapping[str, Array]) -> Array:
    """What a network makes of inputs, with its running statistics or its batch of reference."""
    made: Array = plain.evaluate(built, inputs, *network.references(placed, drawn))
    return made


def _require_finite(made: Array) -> None:
    if not np.isfinite(made).all():
        raise UserError(
            "the generator makes NaN or infinite numbers: the training of this run failed; use "
            "another"
        )


def principal(made: Array, noise: Array, classes: int) -> tuple[Array, list[float]]:
    """The directions of noise (N×z) that change most of what a layer makes of it (N×units).

    They are K×z and orthonormal, each with the share of the change that it stands for. What is made
    is reduced to its principal components; a component's direction is the regression of the noise
    on it (Härkönen et al. 2020, "GANSpace", arXiv 2004.02546, section 3). Rows have the classes 0,
    1 … in turn, and what a class adds to all of its rows does not count.
    """
    of_class = np.stack([made[label::classes].mean(0) for label in range(classes)])
    made = made - of_class[np.arange(len(made)) % classes]
    spread, scores = np.linalg.eigh(made @ made.T)
    order = np.argsort(-spread, kind="stable")[: min(_SLIDERS, noise.shape[1])]
    towards = (noise - noise.mean(0)).T @ scores[:, order]
    vectors = np.linalg.qr(towards)[0].T  # each at right angles to those before it
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], 1)
    shares = spread[order] / max(float(spread.sum()), np.finfo(float).tiny)
    return np.where(largest < 0, -vectors, vectors), [float(share) for share in shares]
