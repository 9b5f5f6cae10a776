"""The adapter of the plain NumPy answers, which judge the answers of the four frameworks.

It also offers layers with gradients, and optimizers, to the NumPy answers.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from knock.frameworks.adapter import State
from knock.frameworks.binding import SLOTS, Bound, Found, as_is, bind, trained
from knock.frameworks.numpy.layers import (
    Array,
    BatchNorm,
    LayerNorm,
    Module,
    Network,
    Pool,
    add_mixed_slopes,
    make_module,
    networks,
    pools,
    set_float_type,
    turn,
)
from knock.frameworks.numpy.optimizers import SGD, Adam, RMSprop
from knock.recipe import Recipe

import numpy as np

__all__ = [
    "CHANNELS_LAST",
    "NAME",
    "SGD",
    "Adam",
    "BatchNorm",
    "LayerNorm",
    "Module",
    "Network",
    "Pool",
    "RMSprop",
    "add_mixed_slopes",
    "build",
    "devices",
    "eagerly",
    "evaluate",
    "import_late",
    "make_module",
    "networks",
    "pools",
    "read",
    "setup",
    "to_device",
    "to_numpy",
    "turn",
    "versions",
    "write",
]

NAME = "numpy"
CHANNELS_LAST = False


def setup(device: str, dtype: str, threads: int | None = None, as_written: bool = False) -> str:
    set_float_type(dtype)
    return "CPU"


def devices() -> list[str]:
    return ["CPU"]


def versions() -> dict[str, str]:
    return {"numpy": np.__version__}


def to_device(batch: Mapping[str, Array]) -> dict[str, Any]:
    return dict(batch)


def to_numpy(tensor: Any) -> Array:
    return np.array(tensor)


def import_late() -> None:
    """Nothing to do: NumPy has imported all of it."""


def eagerly() -> AbstractContextManager[None]:
    return nullcontext()


def build(model: Any, recipe: Recipe) -> None:
    """Nothing to do: the networks have their arrays from the start."""


def evaluate(network: Any, x: Any, *masks: Any) -> Any:
    for module in network.modules:
        module.training = False
    try:
        return network(x, *masks)
    finally:
        for module in network.modules:
            module.training = True


def _variables(network: Network | Pool) -> list[Found]:
    if isinstance(network, Pool):
        return [Found("pictures", network.pictures, network.pictures.shape)]
    return [
        Found(f"{module.name}.{name}", value, value.shape)
        for module in network.modules
        for name, value in module.values.items()
    ]


def _bound(model: Any, recipe: Recipe) -> dict[str, Bound]:
    return bind(model, recipe, _variables, as_is)


def read(model: Any, recipe: Recipe) -> State:
    bound = _bound(model, recipe)
    state = {one.key: one.variable.copy() for one in bound.values()}
    for name, settings in recipe.optimizers.items():
        optimizer = getattr(model, name)
        for one in trained(settings, bound):
            for slot in SLOTS[settings.algorithm]:
                state[f"{name}.{one.key}.{slot}"] = optimizer.slots(one.variable)[slot].copy()
        state[f"{name}.step"] = np.array(optimizer.step, np.int64)
    return state


def write(model: Any, recipe: Recipe, state: State) -> None:
    bound = _bound(model, recipe)
    for one in bound.values():
        one.variable[...] = state[one.key]
    for name, settings in recipe.optimizers.items():
        if f"{name}.step" not in state:
            continue
        optimizer = getattr(model, name)
        optimizer.step = int(state[f"{name}.step"])
        for one in trained(settings, bound):
            for slot in SLOTS[settings.algorithm]:
                optimizer.slots(one.variable)[slot][...] = state[f"{name}.{one.key}.{slot}"]
