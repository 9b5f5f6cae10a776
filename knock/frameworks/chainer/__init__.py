"""Chainer's adapter. Its weights have PyTorch's layout, only with other names."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from knock.frameworks import require

require("chainer")

from knock.frameworks.chainer import compat  # noqa: E402, F401, I001  # before Chainer
import chainer  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from knock.recipe.layers import networks  # noqa: E402
from knock.frameworks.chainer import speed  # noqa: E402
from knock.frameworks.adapter import State  # noqa: E402
from knock.frameworks.binding import (  # noqa: E402
    SLOTS,
    Bound,
    Found,
    WrongNetwork,
    as_is,
    bind,
    trained,
)
from knock.frameworks.chainer.layers import (  # noqa: E402
    BatchStatistics,
    LayerNormalization,
    bce_with_logits,
    resize,
)
from knock.frameworks.chainer.optimizers import Adam, MomentumSGD  # noqa: E402
from knock.frameworks.devices import cuda_index  # noqa: E402
from knock.recipe import Recipe  # noqa: E402

__all__ = [
    "Adam",
    "BatchStatistics",
    "LayerNormalization",
    "MomentumSGD",
    "bce_with_logits",
    "resize",
]

NAME = "chainer"
CHANNELS_LAST = False
_NAMES = {
    "W": "weight",
    "gamma": "weight",
    "b": "bias",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
}
_ORDER = list(_NAMES)
_SLOT_NAMES = {
    ("adam", "m"): "m",
    ("adam", "v"): "v",
    ("rmsprop", "v"): "ms",
    ("sgd", "m"): "m",
}
_device = chainer.get_device("@numpy")

speed.install()


def setup(device: str, dtype: str, threads: int | None = None, as_written: bool = False) -> str:
    global _device
    index = cuda_index(device, _cuda_count(), "Chainer", " (it needs CuPy)")
    _device = chainer.get_device("@numpy" if index is None else f"@cupy:{index}")
    _device.use()
    chainer.global_config.dtype = np.dtype(dtype)
    if threads:
        _limit_threads(threads)
    return "CPU" if index is None else _cuda_name(index)


def _limit_threads(threads: int) -> None:
    """Set how many threads NumPy's matrix products use; needs threadpoolctl, else does nothing."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # it comes with scikit-learn
        return
    threadpool_limits(threads, user_api="blas")


def _cuda_name(index: int) -> str:
    properties = chainer.cuda.cupy.cuda.runtime.getDeviceProperties(index)
    return str(properties["name"].decode())


def devices() -> list[str]:
    return ["CPU", *(_cuda_name(index) for index in range(_cuda_count()))]


def _cuda_count() -> int:
    return chainer.cuda.cupy.cuda.runtime.getDeviceCount() if chainer.cuda.available else 0


def versions() -> dict[str, str]:
    found = {"chainer": chainer.__version__}
    if chainer.cuda.available:
        found["cupy"] = chainer.cuda.cupy.__version__
    return found


def to_device(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name: _device.send(array) for name, array in batch.items()}


def to_numpy(tensor: Any) -> NDArray[Any]:
    return np.array(chainer.cuda.to_cpu(chainer.as_array(tensor)))


def import_late() -> None:
    """Nothing to do: Chainer has imported all of it."""


def eagerly() -> AbstractContextManager[None]:
    return nullcontext()


def build(model: Any, recipe: Recipe) -> None:
    """Move the networks to the device, and make the weights whose size was left open (None)."""
    for name in recipe.pools:
        if isinstance(pool := getattr(model, name, None), chainer.Link):
            pool.to_device(_device)
    for placed in networks(recipe).values():
        network = getattr(model, placed.name, None)
        if not isinstance(network, chainer.Link):
            continue  # `read` and `write` report what is wrong
        network.to_device(_device)
        if any(not parameter.is_initialized for parameter in network.params()):
            images = _device.xp.zeros((1, *placed.input), chainer.get_dtype())
            with chainer.no_backprop_mode(), chainer.using_config("train", False):
                network(images)


def evaluate(network: Any, x: Any, *masks: Any) -> Any:
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        return network(x, *masks)


def _variables(network: Any) -> list[Found]:
    if not isinstance(network, chainer.Link):
        raise WrongNetwork(f"a network must be a chainer.Link, not {type(network).__name__}")
    return [
        Found(name, variable, tuple(variable.shape))
        for name, variable in _named(network)
        if variable is not None and not np.isscalar(variable)  # batch normalisation has a count
    ]


def _named(link: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All arrays of a link by canonical name, in the order in which they were made.

    Chainer's `namedparams` sorts by name and leaves out running statistics.
    """
    own = [name for name in vars(link) if name in link._params or name in link._persistent]
    for name in sorted(own, key=lambda n: _ORDER.index(n) if n in _NAMES else len(_ORDER)):
        yield prefix + _NAMES.get(name, name), vars(link)[name]
    if isinstance(link, chainer.ChainList):
        # Not a Sequential's `children`: after a plain function their order is wrong.
        listed = list(link) if isinstance(link, chainer.Sequential) else list(link.children())
        children = [(str(n), one) for n, one in enumerate(listed) if isinstance(one, chainer.Link)]
    elif isinstance(link, chainer.Chain):
        children = [(name, vars(link)[name]) for name in vars(link) if name in link._children]
    else:
        children = []
    for name, child in children:
        yield from _named(child, f"{prefix}{name}.")


def _bound(model: Any, recipe: Recipe) -> dict[str, Bound]:
    registered = "an attribute of the network, set within `with self.init_scope():`"
    return bind(model, recipe, _variables, as_is, registered)


def _kept(rule: Any, algorithm: str, slot: str) -> tuple[Any, float]:
    """What an update rule keeps for a canonical slot, and by which factor it is larger.

    None before the first step, and if the optimiser was not set up for the network.
    """
    memory = (rule.state if rule else None) or {}
    if algorithm == "sgd" and "v" in memory:  # Chainer's own MomentumSGD
        return memory["v"], -rule.hyperparam.lr
    return memory.get(_SLOT_NAMES[algorithm, slot]), 1.0


def read(model: Any, recipe: Recipe) -> State:
    bound = _bound(model, recipe)
    state = {one.key: to_numpy(one.variable) for one in bound.values()}
    for name, settings in recipe.optimizers.items():
        optimizer = getattr(model, name)
        for one in trained(settings, bound):
            for slot in SLOTS[settings.algorithm]:
                kept, scale = _kept(one.variable.update_rule, settings.algorithm, slot)
                key = f"{name}.{one.key}.{slot}"
                zeros = np.zeros_like(state[one.key])
                state[key] = zeros if kept is None else to_numpy(kept) / scale
        state[f"{name}.step"] = np.array(optimizer.t, np.int64)
    return state


def write(model: Any, recipe: Recipe, state: State) -> None:
    bound = _bound(model, recipe)
    for one in bound.values():
        _copy(state[one.key], chainer.as_array(one.variable))
    for name, settings in recipe.optimizers.items():
        if f"{name}.step" not in state:
            continue
        optimizer = getattr(model, name)
        optimizer.t = int(state[f"{name}.step"])
        for one in trained(settings, bound):
            rule = one.variable.update_rule
            if rule is None:
                continue
            rule.t = optimizer.t
            rule._state = {} if optimizer.t else None  # with None it makes its own zeros
            if not optimizer.t:
                continue
            rule.init_state(one.variable)
            for slot in SLOTS[settings.algorithm]:
                kept, scale = _kept(rule, settings.algorithm, slot)
                if kept is not None:
                    _copy(state[f"{name}.{one.key}.{slot}"] * scale, kept)


def _copy(source: NDArray[Any], target: Any) -> None:
    target[...] = _device.send(np.asarray(source, target.dtype))
