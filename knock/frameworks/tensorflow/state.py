"""A model's state in and out of tf.Variables, for both the TensorFlow and the Keras adapter.

Optimisers are those of `knock.frameworks.tensorflow.optimizers` or Keras' own, recognised by their
attributes: this module does not import Keras, so TensorFlow runs without it.
"""

import inspect
from typing import Any

from knock.frameworks.adapter import State
from knock.frameworks.binding import (
    SLOTS,
    Bound,
    from_channels_last,
    to_channels_last,
    trained,
)
from knock.frameworks.tensorflow.runtime import tf
from knock.recipe import Recipe
from knock.recipe.layers import Parameter

import numpy as np
from numpy.typing import NDArray

_KERAS_SLOTS = {"m": ("_momentums", "momentums"), "v": ("_velocities",)}
"""The lists' names in Keras' optimisers: Adam and RMSprop with an underscore, SGD without."""


def read(bound: dict[str, Bound], model: Any, recipe: Recipe) -> State:
    state = {one.key: _canonical(one.variable, one.parameter) for one in bound.values()}
    for name, settings in recipe.optimizers.items():
        optimizer = getattr(model, name)
        for one in trained(settings, bound):
            for slot in SLOTS[settings.algorithm]:
                kept = _slot(optimizer, slot, one.variable)
                key = f"{name}.{one.key}.{slot}"
                if kept is None:
                    state[key] = np.zeros_like(state[one.key])
                else:
                    scale = _scale(optimizer, slot)
                    state[key] = _canonical(kept, one.parameter) * scale
        state[f"{name}.step"] = np.array(int(_count(optimizer).numpy()), np.int64)
    return state


def write(bound: dict[str, Bound], model: Any, recipe: Recipe, state: State) -> None:
    for one in bound.values():
        _assign(one.variable, state[one.key], one.parameter)
    for name, settings in recipe.optimizers.items():
        if f"{name}.step" not in state:
            continue
        optimizer = getattr(model, name)
        build(optimizer, [one.variable for one in trained(settings, bound)])
        _count(optimizer).assign(int(state[f"{name}.step"]))
        for one in trained(settings, bound):
            for slot in SLOTS[settings.algorithm]:
                kept = _slot(optimizer, slot, one.variable)
                if kept is not None:
                    scale = _scale(optimizer, slot)
                    _assign(kept, state[f"{name}.{one.key}.{slot}"] / scale, one.parameter)


def evaluate(network: Any, x: Any, *masks: Any) -> Any:
    """A network's output outside training; only some networks have the argument `training`."""
    call = network.call if hasattr(network, "call") else network.__call__  # Keras, tf.Module
    takes = "training" in inspect.signature(call).parameters
    return network(x, *masks, training=False) if takes else network(x, *masks)


def build(optimizer: Any, variables: list[Any]) -> None:
    """Make the slots of a Keras optimiser now, instead of at its first update."""
    if not getattr(optimizer, "built", True):
        optimizer.build(variables)


def _count(optimizer: Any) -> Any:
    return optimizer.iterations if hasattr(optimizer, "iterations") else optimizer.step


def _slot(optimizer: Any, slot: str, variable: Any) -> Any | None:
    """The variable in which an optimiser keeps `slot` of a variable; None if it keeps none."""
    if hasattr(optimizer, "slots"):
        kept = optimizer.slots.get(slot)
        places = {id(one): place for place, one in enumerate(optimizer.updated)}
        return kept[places[id(variable)]] if kept and id(variable) in places else None
    if not optimizer.built:
        return None
    lists = (getattr(optimizer, name, None) for name in _KERAS_SLOTS[slot])
    kept = next((one for one in lists if one), None)
    return kept[optimizer._get_variable_index(variable)] if kept else None


def _scale(optimizer: Any, slot: str) -> float:
    """The factor from a kept value to the canonical one: Keras' own SGD keeps −lr·m, not m."""
    if slot == "m" and hasattr(optimizer, "nesterov") and not hasattr(optimizer, "keeps_gradients"):
        return -1.0 / float(optimizer.learning_rate)
    return 1.0


def _canonical(variable: Any, parameter: Parameter) -> NDArray[Any]:
    return np.array(from_channels_last(np.asarray(variable.numpy()), parameter), order="C")


def _assign(variable: Any, array: NDArray[Any], parameter: Parameter) -> None:
    kind = tf.as_dtype(variable.dtype).as_numpy_dtype  # a Keras variable's dtype is its name
    variable.assign(to_channels_last(np.asarray(array), parameter).astype(kind))
