"""A checkpoint's network: in plain NumPy, and as text that the page's script can evaluate."""

import base64
from collections.abc import Mapping
from typing import Any

from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks.numpy import layers as modules
from knock.recipe import kinds
from knock.recipe.layers import Placed, PlacedLayer
from knock.training.checkpoint import Checkpoint

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Range = tuple[float, float]
"""The lowest and the highest number that a network makes: black and white."""

TANH, SIGMOID = (-1.0, 1.0), (0.0, 1.0)

_EVALUATED = (
    *(kinds.Linear, kinds.Conv, kinds.TransposedConv, kinds.BatchNorm, kinds.LayerNorm),
    *(kinds.VirtualNorm, kinds.ReLU, kinds.LeakyReLU, kinds.Tanh, kinds.Sigmoid, kinds.Upsample),
    *(kinds.Flatten, kinds.Reshape, kinds.Keep, kinds.Restore, kinds.Add, kinds.Concat),
)


def require_known(placed: Placed) -> None:
    """Raise UserError where the page's script cannot evaluate a layer of a network."""
    for one in placed.layers:
        layer = one.layer
        if not isinstance(layer, _EVALUATED):
            known = ", ".join(name for name, kind in kinds.BY_NAME.items() if kind in _EVALUATED)
            why = f"the page can evaluate: {known}"
        elif isinstance(layer, kinds.BatchNorm) and not layer.running:
            why = "that needs a whole batch, and the page makes one picture"
        else:
            continue
        raise UserError(f"networks.{placed.name} has a layer {layer.kind!r}; {why}")


def references(placed: Placed, drawn: Mapping[str, Array]) -> list[Array]:
    """The batch of reference (N×…) that a network takes after its input, if it takes one."""
    names = {one.layer.of for one in placed.layers if isinstance(one.layer, kinds.VirtualNorm)}
    return [drawn[name].astype(np.float64) for name in names]


def opened(found: Checkpoint, placed: Placed) -> plain.Network:
    """A network, or its first layers, with the checkpoint's weights, in float64.

    Raises UserError if a weight is missing, or of another shape.
    """
    network = plain.Network(placed)
    for module in network.modules:
        module.values = {
            name: _weight(found, f"{placed.name}.{module.name}.{name}", value.shape)
            for name, value in module.values.items()
        }
    return network


def _weight(found: Checkpoint, key: str, shape: tuple[int, ...]) -> Array:
    value = found.state.get(key)
    if value is None or value.shape != shape:
        raise UserError(
            f"the checkpoint has no {key} of shape {shape}: it belongs to other networks"
        )
    return value.astype(np.float64)


def described(network: plain.Network, placed: Placed, half: bool = False) -> list[dict[str, Any]]:
    """A network's layers for the page's script, in order and with their weights.

    Arrays are base64 text of little-endian float32; with `half`, matrices and kernels are float16.
    Of virtual normalisations, the script gets the statistics that their batch of reference had when
    the network was called last. What only changes a shape is left out: numbers lie in the order C,
    H, W everywhere.
    """
    found = []
    for one, module in zip(placed.layers, network.modules, strict=True):
        if not isinstance(one.layer, kinds.Flatten | kinds.Reshape):
            found.append({"layer": one.layer.kind, **_shapes(one), **_values(module, half)})
    return found


def _shapes(one: PlacedLayer) -> dict[str, Any]:
    match one.layer:
        case kinds.Linear():
            return {"in": one.input[0], "out": one.output[0]}
        case kinds.Conv() | kinds.TransposedConv() as slid:
            kernel = {"kernel": slid.kernel, "stride": slid.stride, "pad": slid.pad}
            return {"in": one.input, "out": one.output, **kernel}
        case kinds.Upsample(scale=times):
            return {"in": one.input, "times": times}
    return {}


def _values(module: modules.Module, half: bool) -> dict[str, Any]:
    """All that a layer is evaluated with besides its shapes."""
    values = module.values
    match module:
        case modules.Linear() | modules.Conv():
            return _packed(module.used(), values.get("bias"), half)
        case modules.TransposedConv():
            return _packed(values["weight"], values.get("bias"), half)
        case modules.BatchNorm():
            scale = values["weight"] / np.sqrt(values["running_var"] + module.eps)
            shift = values["bias"] - scale * values["running_mean"]
            return {"layer": "affine", "scale": single(scale), "shift": single(shift)}
        case modules.LayerNorm():
            return {**_learned(values), "eps": module.eps}
        case modules.VirtualNorm():
            rows = module.x[: module.rows]
            axes = tuple(i for i in range(rows.ndim) if i != 1)
            of_reference = {"mean": single(rows.mean(axes)), "square": single((rows**2).mean(axes))}
            return {**_learned(values), **of_reference, "share": module.share, "eps": module.eps}
    match module.layer:
        case kinds.LeakyReLU(slope=slope):
            return {"slope": slope}
        case kinds.Keep(of=of) | kinds.Restore(of=of) | kinds.Add(of=of) | kinds.Concat(of=of):
            return {"of": of}
    return {}


def _packed(weight: Array, bias: Array | None, half: bool) -> dict[str, Any]:
    packed: dict[str, Any] = {"weight": packed_as(weight, "<f2" if half else "<f4")}
    if half:
        packed["half"] = True
    if bias is not None:
        packed["bias"] = single(bias)
    return packed


def _learned(values: Mapping[str, Array]) -> dict[str, str]:
    return {"scale": single(values["weight"]), "shift": single(values["bias"])}


def single(values: Array) -> str:
    """Numbers as float32, in base64."""
    return packed_as(values, "<f4")


def packed_as(values: Array, dtype: str) -> str:
    """Numbers of any little-endian type, in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
