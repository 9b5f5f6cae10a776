"""PyTorch's adapter. Our conventions are PyTorch's, so it only copies."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from knock.frameworks import require

require("pytorch")
# An Apple GPU lacks some operations; this, read at the import, lets the CPU do them.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

from knock.frameworks.adapter import State  # noqa: E402
from knock.frameworks.binding import SLOTS, Bound, Found, as_is, bind, trained  # noqa: E402
from knock.frameworks.devices import cuda_index, require_mps  # noqa: E402
from knock.recipe import Recipe  # noqa: E402

import numpy as np  # noqa: E402  # after `require`, which may leave
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

NAME = "pytorch"
CHANNELS_LAST = False
_SLOT_NAMES = {
    ("adam", "m"): "exp_avg",
    ("adam", "v"): "exp_avg_sq",
    ("rmsprop", "v"): "square_avg",
    ("sgd", "m"): "momentum_buffer",
}
_APPLE = "Apple GPU (mps)"
_device = torch.device("cpu")


def setup(device: str, dtype: str, threads: int | None = None, as_written: bool = False) -> str:
    global _device
    if device == "mps":
        require_mps(torch.backends.mps.is_available(), dtype)
        _device, name = torch.device("mps"), _APPLE
    elif (index := cuda_index(device, _cuda_count(), "PyTorch")) is not None:
        _device, name = torch.device("cuda", index), torch.cuda.get_device_name(index)
    else:
        _device, name = torch.device("cpu"), "CPU"
    # None, not "cpu": a default device slows every call a little, even if it changes nothing.
    torch.set_default_device(None if name == "CPU" else _device)
    torch.set_default_dtype(getattr(torch, dtype))
    if threads:
        torch.set_num_threads(threads)
    return name


def devices() -> list[str]:
    apple = [_APPLE] if torch.backends.mps.is_available() else []
    return ["CPU", *(torch.cuda.get_device_name(i) for i in range(_cuda_count())), *apple]


def _cuda_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def versions() -> dict[str, str]:
    return {"torch": torch.__version__}


def to_device(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name: torch.from_numpy(array).to(_device) for name, array in batch.items()}


def to_numpy(tensor: Any) -> NDArray[Any]:
    if not isinstance(tensor, torch.Tensor):  # for example a loss after item()
        return np.array(tensor)
    return np.array(tensor.detach().cpu().numpy())


def import_late() -> None:
    torch.optim.SGD([torch.zeros(1)])  # the first of all optimisers imports eight hundred modules


def eagerly() -> AbstractContextManager[None]:
    return nullcontext()


def build(model: Any, recipe: Recipe) -> None:
    """Count the updates of SGD, the only optimiser without a count; the weights already exist."""
    for name, settings in recipe.optimizers.items():
        if settings.algorithm == "sgd":
            getattr(model, name).register_step_post_hook(_count)


@torch.no_grad()
def evaluate(network: Any, x: Any, *masks: Any) -> Any:
    mode = network.training
    network.eval()
    try:
        return network(x, *masks)
    finally:
        network.train(mode)


def _count(optimizer: Any, *_: Any) -> None:
    optimizer.updates = getattr(optimizer, "updates", 0) + 1


def _variables(network: Any) -> list[Found]:
    return [
        Found(name, tensor, tuple(tensor.shape))
        for name, tensor in network.state_dict(keep_vars=True).items()
        if not name.endswith("num_batches_tracked")  # a count that nobody reads
    ]


def _bound(model: Any, recipe: Recipe) -> dict[str, Bound]:
    return bind(model, recipe, _variables, as_is)


def read(model: Any, recipe: Recipe) -> State:
    bound = _bound(model, recipe)
    state = {one.key: to_numpy(one.variable) for one in bound.values()}
    for name, settings in recipe.optimizers.items():
        optimizer = getattr(model, name)
        memory, steps = optimizer.state, [getattr(optimizer, "updates", 0)]
        for one in trained(settings, bound):
            kept = memory.get(one.variable, {})
            steps.append(int(kept.get("step", 0)))
            for slot in SLOTS[settings.algorithm]:
                value = kept.get(_SLOT_NAMES[settings.algorithm, slot])
                key = f"{name}.{one.key}.{slot}"
                state[key] = np.zeros_like(state[one.key]) if value is None else to_numpy(value)
        state[f"{name}.step"] = np.array(max(steps), np.int64)
    return state


@torch.no_grad()
def write(model: Any, recipe: Recipe, state: State) -> None:
    bound = _bound(model, recipe)
    for one in bound.values():
        one.variable.copy_(torch.from_numpy(np.asarray(state[one.key])))
    for name, settings in recipe.optimizers.items():
        if f"{name}.step" not in state:
            continue
        optimizer = getattr(model, name)
        memory = optimizer.state
        memory.clear()
        if settings.algorithm == "sgd":
            optimizer.updates = int(state[f"{name}.step"])
        if not state[f"{name}.step"]:
            continue  # as new: the optimiser makes its own zeros
        for one in trained(settings, bound):
            memory[one.variable] = {
                "step": torch.tensor(float(state[f"{name}.step"]), device="cpu")
            }
            for slot in SLOTS[settings.algorithm]:
                kept = torch.empty_like(one.variable, requires_grad=False)
                kept.copy_(torch.from_numpy(np.asarray(state[f"{name}.{one.key}.{slot}"])))
                memory[one.variable][_SLOT_NAMES[settings.algorithm, slot]] = kept
