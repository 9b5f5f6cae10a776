"""Keras' adapter, on the TensorFlow backend.

It also offers layers and optimisers to the answers, with the same meaning as PyTorch's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from knock.frameworks.adapter import State
from knock.frameworks.binding import Bound, Found, bind, to_channels_last, trained
from knock.frameworks.keras.backend import keras, tf
from knock.frameworks.keras.layers import (
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    InstanceNorm,
    LayerNorm,
    leaky_relu,
)
from knock.frameworks.keras.optimizers import SGD, Adam, RMSprop
from knock.frameworks.tensorflow import state as states
from knock.frameworks.tensorflow.layers import resize
from knock.frameworks.tensorflow.runtime import (
    channels_last,
    devices,
    eagerly,
    import_late,
    start,
    to_device,
    to_numpy,
)
from knock.recipe import Recipe
from knock.recipe.kinds import Dropout, VirtualNorm
from knock.recipe.layers import networks

import numpy as np

__all__ = [
    "CHANNELS_LAST",
    "NAME",
    "SGD",
    "Adam",
    "BatchNorm",
    "Conv2D",
    "Conv2DTranspose",
    "InstanceNorm",
    "LayerNorm",
    "RMSprop",
    "build",
    "devices",
    "eagerly",
    "import_late",
    "leaky_relu",
    "read",
    "resize",
    "setup",
    "to_device",
    "to_numpy",
    "versions",
    "write",
]

NAME = "keras"
CHANNELS_LAST = True
_NAMES = {
    "kernel": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Keras' names of variables whose canonical name differs."""


def setup(device: str, dtype: str, threads: int | None = None, as_written: bool = False) -> str:
    # The user's keras.json may say otherwise, for models of their own.
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)  # without this, layers stay in float32
    return start(device, threads, as_written)


def versions() -> dict[str, str]:
    return {"keras": keras.__version__, "tensorflow": tf.__version__}


def build(model: Any, recipe: Recipe) -> None:
    """Call each network once, then make the optimisers' variables."""
    for name, placed in networks(recipe).items():
        network = getattr(model, name, None)
        if network is None:
            continue  # `bind` reports it
        more = [one.input for one in placed.layers if isinstance(one.layer, Dropout)]
        if any(isinstance(one.layer, VirtualNorm) for one in placed.layers):
            more.append(placed.input)
        more += placed.beside.values()
        zeros = [np.zeros((1, *shape), recipe.dtype) for shape in (placed.input, *more)]
        # Called as a layer, a network would first be traced to make its layers' weights, and so
        # would each block in it.
        _need_no_trace(network)
        call = network.call if hasattr(network, "call") else network
        call(*(tf.constant(channels_last(one)) for one in zeros))
    bound = _bound(model, recipe)
    for name, settings in recipe.optimizers.items():
        states.build(getattr(model, name), [one.variable for one in trained(settings, bound)])


def _need_no_trace(layer: Any) -> None:
    """Let layers without a `build` of their own make their layers' weights when they are called."""
    for _, one in _below(layer):
        if type(one).build in (keras.Layer.build, keras.Model.build):
            one.built = True
        _need_no_trace(one)


def evaluate(network: Any, x: Any, *masks: Any) -> Any:
    return states.evaluate(network, x, *masks)


def read(model: Any, recipe: Recipe) -> State:
    return states.read(_bound(model, recipe), model, recipe)


def write(model: Any, recipe: Recipe, state: State) -> None:
    states.write(_bound(model, recipe), model, recipe, state)


def _bound(model: Any, recipe: Recipe) -> dict[str, Bound]:
    return bind(model, recipe, _variables, to_channels_last)


def _variables(network: Any) -> list[Found]:
    return [Found(name, v, tuple(v.shape)) for name, v in _walk("", network)]


def _walk(path: str, layer: Any) -> Iterator[tuple[str, Any]]:
    """Every weight of a layer and of the layers in it, by attribute path, in layer order."""
    below = list(_below(layer))
    theirs = {id(v) for _, one in below for v in one.weights}
    for variable in layer.weights:
        if id(variable) not in theirs:
            yield f"{path}{_NAMES.get(variable.name, variable.name)}", variable
    for name, one in below:
        yield from _walk(f"{path}{name}.", one)


def _below(layer: Any) -> Iterator[tuple[str, Any]]:
    """The layers directly inside a layer, by the name of their attribute, or their own name."""
    named = dict(_attributes(layer))
    for one in layer._flatten_layers(include_self=False, recursive=False):
        yield named.get(id(one), one.name), one


def _attributes(layer: Any) -> Iterator[tuple[int, str]]:
    """Which attribute holds which layer; private attributes are Keras' own."""
    for name, value in vars(layer).items():
        if not name.startswith("_"):
            yield from _held(name, value)


def _held(name: str, value: Any) -> Iterator[tuple[int, str]]:
    if isinstance(value, keras.layers.Layer):
        yield id(value), name
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from _held(f"{name}.{index}", one)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _held(f"{name}.{key}", one)
