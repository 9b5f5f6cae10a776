"""TensorFlow's adapter, without Keras: tf.Module, tf.nn and GradientTape.

It also offers to the answers what TensorFlow lacks: layers and optimisers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from knock.frameworks.adapter import State
from knock.frameworks.binding import Bound, Found, bind, to_channels_last, trained
from knock.frameworks.tensorflow import state as states
from knock.frameworks.tensorflow.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Embedding,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    float_type,
    leaky_relu,
    resize,
    set_float_type,
)
from knock.frameworks.tensorflow.optimizers import SGD, Adam, RMSprop
from knock.frameworks.tensorflow.runtime import (
    devices,
    eagerly,
    import_late,
    start,
    tf,
    to_device,
    to_numpy,
)
from knock.recipe import Recipe

__all__ = [
    "CHANNELS_LAST",
    "NAME",
    "SGD",
    "Adam",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Embedding",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "Linear",
    "RMSprop",
    "build",
    "devices",
    "eagerly",
    "import_late",
    "float_type",
    "leaky_relu",
    "read",
    "resize",
    "setup",
    "to_device",
    "to_numpy",
    "versions",
    "write",
]

NAME = "tensorflow"
CHANNELS_LAST = True


def setup(device: str, dtype: str, threads: int | None = None, as_written: bool = False) -> str:
    set_float_type(dtype)
    return start(device, threads, as_written)


def versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__}


def build(model: Any, recipe: Recipe) -> None:
    """Make the variables of optimisers from Keras; all layers already have their weights."""
    bound = _bound(model, recipe)
    for name, settings in recipe.optimizers.items():
        states.build(getattr(model, name), [one.variable for one in trained(settings, bound)])


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


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every variable inside `value` with its attribute path, in the order in which they were made.

    tf.Module lists them alphabetically, with a bias before its weight.
    """
    if isinstance(value, tf.Variable):
        yield path, value
    elif isinstance(value, tf.Module):
        # Attributes called _self_… are TensorFlow's own.
        own = [(n, v) for n, v in vars(value).items() if not n.startswith("_self_")]
        yield from _walk_all(path, own)
    elif isinstance(value, (list, tuple)):
        yield from _walk_all(path, enumerate(value))
    elif isinstance(value, Mapping):
        yield from _walk_all(path, value.items())


def _walk_all(path: str, items: Any) -> Iterator[tuple[str, Any]]:
    for name, value in items:
        yield from _walk(f"{path}.{name}" if path else str(name), value)
