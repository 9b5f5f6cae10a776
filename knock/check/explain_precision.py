"""Which constant of a network is right only to the digits that a framework keeps of it?"""

import dataclasses
import itertools

from knock.check import trace
from knock.check.difference import TOLERANCE, relative
from knock.check.trace import Trace
from knock.frameworks import numpy as plain
from knock.frameworks.numpy.layers import Array
from knock.recipe import Recipe, kinds, layers
from knock.recipe.layers import Placed
from knock.recipe.weights import initial_weights

import numpy as np


def of_slopes(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """The network whose leaky ReLUs have a slope in float32, as some frameworks' own keep it."""
    for name, placed in layers.networks(recipe).items():
        seen, right = got.outputs.get(name), expected.outputs[name]
        if seen is None or relative(seen, right) <= TOLERANCE["forward"]:
            continue
        leaky = [n for n, one in enumerate(placed.layers) if isinstance(one.layer, kinds.LeakyReLU)]
        for count in range(len(leaky), 0, -1):
            for chosen in itertools.combinations(leaky, count):
                rounded = _rounded(placed, chosen)
                if relative(seen, _output(rounded, recipe)) <= TOLERANCE["forward"]:
                    return (
                        f"{name}: right, but for the slope of its leaky ReLUs, which is kept in "
                        "float32 only: take the leaky_relu that a starter imports"
                    )
    return None


def _rounded(placed: Placed, chosen: tuple[int, ...]) -> Placed:
    """The network with the slopes of some leaky ReLUs rounded."""
    made = list(placed.layers)
    for n in chosen:
        layer = made[n].layer
        assert isinstance(layer, kinds.LeakyReLU)
        made[n] = dataclasses.replace(
            made[n], layer=kinds.LeakyReLU(float(np.float32(layer.slope)))
        )
    return dataclasses.replace(placed, layers=tuple(made))


def _output(placed: Placed, recipe: Recipe) -> Array:
    """What it gives in a check, with the first weights."""
    network, first = plain.Network(placed), initial_weights(recipe)
    for module in network.modules:
        for key, value in module.values.items():
            value[...] = first[f"{placed.name}.{module.name}.{key}"]
    more = trace.beside(recipe, placed, trace.asked(recipe))
    made: Array = plain.evaluate(network, trace.shown(recipe, placed), *more)
    return made
