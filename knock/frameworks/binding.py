"""Which variable of a model holds which canonical array: one algorithm for all frameworks."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from knock.recipe import Optimizer, Recipe, layers
from knock.recipe.layers import Parameter, Shape

import numpy as np
from numpy.typing import NDArray


class WrongNetwork(Exception):
    """A model's parameters are not those of the recipe; the message names them for a learner."""


@dataclass(frozen=True)
class Found:
    """A variable found in a model, its shape, and the canonical name that its place suggests."""

    name: str
    variable: Any
    shape: Shape


@dataclass(frozen=True)
class Bound:
    """A canonical array (`key` is `network.layer.weight`) and the variable that holds it."""

    key: str
    parameter: Parameter
    variable: Any


SLOTS = {"adam": ("m", "v"), "rmsprop": ("v",), "sgd": ("m",)}
"""What each algorithm remembers about a weight."""


def bind(
    model: Any,
    recipe: Recipe,
    variables: Callable[[Any], list[Found]],
    native: Callable[[NDArray[Any], Parameter], NDArray[Any]],
    registered: str = "an attribute of the network",
) -> dict[str, Bound]:
    """Pair every canonical array of the recipe with a variable of the model.

    Within a network they are paired by name; if the names differ from the recipe's, by order,
    provided that the shapes agree one by one. `variables` lists a network's variables, `native`
    converts a canonical array to the framework's layout, and `registered` says what a layer must be
    for the framework to find its variables. Raises WrongNetwork.
    """
    bound = {}
    for owner, parameters in layers.arrays(recipe).items():
        network = getattr(model, owner, None)
        if network is None:
            kind = "pools" if owner in recipe.pools else "networks"
            names = recipe.pools if owner in recipe.pools else recipe.networks
            raise WrongNetwork(
                f"{type(model).__name__} has no attribute {owner!r}; its {kind} must be "
                f"called as on the question's page: {', '.join(names)}"
            )
        found = variables(network)
        wanted = {p.name: (p, native(np.empty(p.shape), p).shape) for p in parameters}
        if wanted and not found:
            what = "pictures: they" if owner in recipe.pools else "weights: each layer"
            raise WrongNetwork(f"{owner} has no {what} must be {registered}")
        by_name = {f.name: f for f in found}
        if set(by_name) != set(wanted) and [f.shape for f in found] == [
            shape for _, shape in wanted.values()
        ]:
            by_name = dict(zip(wanted, found, strict=True))
        axes = _LAST if native is to_channels_last else _FIRST
        _compare(owner, wanted, by_name, axes)
        for name, (parameter, _) in wanted.items():
            key = f"{owner}.{name}"
            bound[key] = Bound(key, parameter, by_name[name].variable)
    _require_own(bound)
    return bound


def _require_own(bound: dict[str, Bound]) -> None:
    holders: dict[int, str] = {}
    for key, one in bound.items():
        other = holders.setdefault(id(one.variable), key)
        if other != key:
            raise WrongNetwork(f"{key} and {other} are one and the same array: each needs its own")


_TABLE = {"table": "how many vectors, numbers of each"}
_FIRST = {
    "linear": "out, in",
    "conv": "out, in, h, w",
    "tconv": "in, out, h, w",
    "pictures": "n, c, h, w",
    **_TABLE,
}
_LAST = {
    "linear": "in, out",
    "conv": "h, w, in, out",
    "tconv": "h, w, out, in",
    "pictures": "n, h, w, c",
    **_TABLE,
}
"""What the axes of a weight are in a framework's layout, by the kind of its layer."""


def _compare(
    network: str,
    wanted: dict[str, tuple[Parameter, Shape]],
    found: dict[str, Found],
    axes: dict[str, str],
) -> None:
    for name, (parameter, shape) in wanted.items():
        if name not in found:
            have = ", ".join(f"{one} {each.shape}" for one, each in found.items())
            order = ""
            if name.split(".")[0] not in {one.split(".")[0] for one in found}:
                order = (
                    "; define its layers in the order of the page's table, or name them as there"
                )
            raise WrongNetwork(f"{network} has no {name} of shape {shape}; it has: {have}{order}")
        if found[name].shape != shape:
            known = f", as ({axes[parameter.kind]})" if len(shape) > 1 else ""
            raise WrongNetwork(f"{network}.{name} is {found[name].shape}, should be {shape}{known}")
    for name in found:
        if name not in wanted:
            averages = not any("running_" in known for known in wanted) and "running_" in name
            why = ": the recipe has no batch normalisation here" if averages else ""
            raise WrongNetwork(f"{network}.{name} {found[name].shape} is not in the recipe{why}")


def trained(optimizer: Optimizer, bound: dict[str, Bound]) -> Iterator[Bound]:
    """The arrays that an optimiser updates, network by network in the recipe's order."""
    for network in optimizer.networks:
        for one in bound.values():
            if one.key.startswith(f"{network}.") and one.parameter.trainable:
                yield one


def flattened_channels_last(
    array: NDArray[Any], axis: int, shape: Shape, before: int = 0
) -> NDArray[Any]:
    """Reorder an axis that is a flattened C×H×W map, after `before` others, to H×W×C order."""
    return _reorder(array, axis, shape, (1, 2, 0), before)


def flattened_channels_first(
    array: NDArray[Any], axis: int, shape: Shape, before: int = 0
) -> NDArray[Any]:
    """The inverse: `shape` is still (C, H, W), the axis is in H×W×C order."""
    channels, height, width = shape
    return _reorder(array, axis, (height, width, channels), (2, 0, 1), before)


def _reorder(
    array: NDArray[Any], axis: int, shape: Shape, order: tuple[int, ...], before: int
) -> NDArray[Any]:
    index = np.arange(math.prod(shape)).reshape(shape).transpose(order).reshape(-1)
    return np.take(array, np.concatenate([np.arange(before), before + index]), axis=axis)


def to_channels_last(array: NDArray[Any], p: Parameter) -> NDArray[Any]:
    """A canonical array in the layout of TensorFlow and Keras.

    Linear (in, out); convolution (h, w, in, out); transposed convolution (h, w, out, in); pictures
    (n, h, w, c); an axis that is a flattened map has H×W×C order.
    """
    if p.in_map:
        array = flattened_channels_last(array, 1, p.in_map, p.in_before)
    if p.out_map:
        array = flattened_channels_last(array, 0, p.out_map)
    if p.kind == "linear":
        return array.T
    if p.kind in ("conv", "tconv"):
        return array.transpose(2, 3, 1, 0)
    if p.kind == "pictures":
        return array.transpose(0, 2, 3, 1)
    return array


def from_channels_last(array: NDArray[Any], p: Parameter) -> NDArray[Any]:
    """The inverse of `to_channels_last`."""
    if p.kind == "linear":
        array = array.T
    elif p.kind in ("conv", "tconv"):
        array = array.transpose(3, 2, 0, 1)
    elif p.kind == "pictures":
        array = array.transpose(0, 3, 1, 2)
    if p.in_map:
        array = flattened_channels_first(array, 1, p.in_map, p.in_before)
    if p.out_map:
        array = flattened_channels_first(array, 0, p.out_map)
    return array


def as_is(array: NDArray[Any], p: Parameter) -> NDArray[Any]:
    """A canonical array in the layout of PyTorch and Chainer: unchanged."""
    return array
