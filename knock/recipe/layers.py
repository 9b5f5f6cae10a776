"""From a recipe's list of layers to shapes and parameters, in NumPy terms only.

This is what "the same network" means: the name, shape and first value of every parameter, in
PyTorch's layout. Frameworks differ in how they store a weight; `Parameter` says what they need to
know to translate it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from knock.errors import UserError
from knock.recipe.schema import Layer, Network, Recipe
from knock.recipe.sizes import evaluate

import msgspec

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Parameter:
    """One array of a network's canonical form.

    `shape` is PyTorch's: linear (out, in), conv (out, in, h, w), tconv (in, out, h, w), vector
    (n,). `in_map` is the C×H×W map whose flattening a linear layer reads, `out_map` the one that
    its output (a weight's rows, or a whole vector) is reshaped to: frameworks that keep channels
    last order those axes otherwise. `fan_in` and `fan_out` serve the first values.
    """

    name: str
    shape: Shape
    kind: str
    trainable: bool = True
    in_map: Shape | None = None
    out_map: Shape | None = None
    first: str = "zeros"
    std: float = 0.0
    fan_in: int = 0
    fan_out: int = 0

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class PlacedLayer:
    """A layer with the shapes it stands between (without the batch axis) and its parameters."""

    layer: Layer
    input: Shape
    output: Shape
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Placed:
    """A network with every shape known."""

    name: str
    input: Shape
    layers: tuple[PlacedLayer, ...]

    @property
    def output(self) -> Shape:
        """The shape that comes out, without the batch axis."""
        return self.layers[-1].output if self.layers else self.input

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of the layers, weight before bias."""
        return tuple(p for layer in self.layers for p in layer.parameters)


def networks(recipe: Recipe) -> dict[str, Placed]:
    """Every network of a recipe, in its order. Raises UserError where sizes do not fit."""
    placed = {name: place(name, n, recipe.sizes) for name, n in recipe.networks.items()}
    for network in placed.values():
        for one in network.layers:
            if one.layer.layer == "dropout":
                _require_mask(one, recipe)
    return placed


def _require_mask(dropout: PlacedLayer, recipe: Recipe) -> None:
    name = str(dropout.layer.of)
    if name not in recipe.draws:
        raise UserError(f"draws.{name} is missing, the mask of a dropout of {dropout.input}")
    where = f"draws.{name}.shape"
    mask = tuple(evaluate(size, recipe.sizes, where) for size in recipe.draws[name].shape)
    if mask != dropout.input:
        raise UserError(
            f"{where}: {mask} does not fit on the map {dropout.input}; choose another --size"
        )


def place(name: str, network: Network, sizes: Mapping[str, object]) -> Placed:
    """Work out the shapes of one network's layers.

    Raises UserError naming the layer where a size is missing or does not divide.
    """
    start = tuple(evaluate(size, sizes, f"networks.{name}.input") for size in network.input)
    shape = start
    placed: list[PlacedLayer] = []
    seen: set[str] = set()
    kept: dict[str | None, Shape] = {}
    side, dropouts = sizes.get("side"), 0
    for index, layer in enumerate(network.layers):
        if isinstance(side, int) and not layer.min_side <= side <= layer.max_side:
            continue
        where = f"networks.{name}.layers[{index}] ({layer.layer})"
        if layer.layer not in _KINDS:
            raise UserError(f"{where}: unknown layer; choose from: {', '.join(_KINDS)}")
        if layer.name is not None and layer.name in seen:
            raise UserError(f"{where}: the name {layer.name!r} is taken")
        seen.add(layer.name or "")
        _refuse_needless(layer, where)
        output, parameters = _KINDS[layer.layer](layer, shape, sizes, network, where)
        if layer.layer == "keep":
            kept[layer.of] = shape
        elif layer.layer == "dropout":
            dropouts += 1
            layer = msgspec.structs.replace(layer, of=f"{layer.of}{dropouts}")
        elif layer.layer == "concat":
            output = _beside(shape, kept.get(layer.of), layer, where)
        placed.append(PlacedLayer(layer, shape, output, parameters))
        shape = output
    return Placed(name, start, tuple(_with_maps(placed)))


_TAKES = {
    "linear": {"name", "out", "bias"},
    "conv": {"name", "out", "kernel", "stride", "pad", "bias"},
    "tconv": {"name", "out", "kernel", "stride", "pad", "out_pad", "bias"},
    "maxpool": {"kernel"},
    "reshape": {"shape"},
    "leaky_relu": {"slope"},
    "batch_norm": {"name", "running"},
    "layer_norm": {"name"},
    "dropout": {"of"},
    "keep": {"of"},
    "concat": {"of"},
}
"""The fields that each kind of layer takes; a kind that is not here takes none."""


def _refuse_needless(layer: Layer, where: str) -> None:
    usual = Layer(layer.layer)
    for field in layer.__struct_fields__:
        said = getattr(layer, field) != getattr(usual, field)
        if said and field not in {"layer", "min_side", "max_side", *_TAKES.get(layer.layer, ())}:
            raise UserError(f"{where}: a {layer.layer} layer takes no {field}")


Made = tuple[Shape, tuple[Parameter, ...]]


def _need(layer: Layer, where: str, *fields: str) -> None:
    for field in fields:
        if getattr(layer, field) is None:
            raise UserError(f"{where}: {field} is missing")


def _map_shape(shape: Shape, where: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise UserError(f"{where}: needs a channels × height × width map, gets {shape}")
    return shape[0], shape[1], shape[2]


def _weights(
    layer: Layer, network: Network, shape: Shape, kind: str, fans: tuple[int, int], out: int
) -> tuple[Parameter, ...]:
    weight = Parameter(
        f"{layer.name}.weight",
        shape,
        kind,
        first=network.init,
        std=network.init_std,
        fan_in=fans[0],
        fan_out=fans[1],
    )
    bias = Parameter(f"{layer.name}.bias", (out,), "vector")
    return (weight, bias) if layer.bias else (weight,)


def _linear(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "name", "out")
    if len(shape) != 1:
        raise UserError(f"{where}: needs a flat input, gets {shape}; put a flatten before it")
    out = evaluate(layer.out or 0, sizes, f"{where}.out")
    return (out,), _weights(layer, network, (out, shape[0]), "linear", (shape[0], out), out)


def _conv(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "name", "out", "kernel")
    channels, *sides = _map_shape(shape, where)
    out, k = evaluate(layer.out or 0, sizes, f"{where}.out"), layer.kernel or 0
    new = [(side + 2 * layer.pad - k) // layer.stride + 1 for side in sides]
    if min(new) < 1:
        raise UserError(
            f"{where}: a {k}×{k} kernel does not fit into {sides[0]}×{sides[1]}; "
            "choose another --size"
        )
    fans = (channels * k * k, out * k * k)
    return (out, *new), _weights(layer, network, (out, channels, k, k), "conv", fans, out)


def _tconv(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "name", "out", "kernel")
    channels, *sides = _map_shape(shape, where)
    out, k = evaluate(layer.out or 0, sizes, f"{where}.out"), layer.kernel or 0
    new = [(side - 1) * layer.stride - 2 * layer.pad + k + layer.out_pad for side in sides]
    fans = (channels * k * k, out * k * k)
    return (out, *new), _weights(layer, network, (channels, out, k, k), "tconv", fans, out)


def _maxpool(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "kernel")
    channels, *sides = _map_shape(shape, where)
    k = layer.kernel or 0
    if any(side % k for side in sides):
        raise UserError(f"{where}: {sides[0]}×{sides[1]} must divide by {k}; choose another --size")
    return (channels, *(side // k for side in sides)), ()


def _flatten(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    return (math.prod(shape),), ()


def _reshape(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "shape")
    new = tuple(evaluate(size, sizes, f"{where}.shape") for size in layer.shape or [])
    if math.prod(new) != math.prod(shape):
        raise UserError(f"{where}: {shape} cannot become {new}: the counts differ")
    return new, ()


def _same(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    return shape, ()


def _leaky_relu(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "slope")
    return shape, ()


def _of(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    """Dropout with a mask from outside; a map kept for later, or laid behind this one."""
    _need(layer, where, "of")
    return shape, ()


def _beside(shape: Shape, kept: Shape | None, layer: Layer, where: str) -> Shape:
    if kept is None:
        raise UserError(f"{where}: no layer before it keeps {layer.of!r}")
    if kept[1:] != shape[1:]:
        raise UserError(
            f"{where}: {layer.of} is {kept}, which does not fit beside {shape}; "
            "choose another --size"
        )
    return shape[0] + kept[0], *shape[1:]


def _layer_norm(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    _need(layer, where, "name")
    channels = (shape[0],)
    return shape, (
        Parameter(f"{layer.name}.weight", channels, "vector", first="ones"),
        Parameter(f"{layer.name}.bias", channels, "vector"),
    )


def _batch_norm(
    layer: Layer, shape: Shape, sizes: Mapping[str, object], network: Network, where: str
) -> Made:
    channels = (shape[0],)
    output, learned = _layer_norm(layer, shape, sizes, network, where)
    if not layer.running:
        return output, learned
    return output, (
        *learned,
        Parameter(f"{layer.name}.running_mean", channels, "vector", trainable=False),
        Parameter(f"{layer.name}.running_var", channels, "vector", trainable=False, first="ones"),
    )


_KINDS: dict[str, Callable[[Layer, Shape, Mapping[str, object], Network, str], Made]] = {
    "linear": _linear,
    "conv": _conv,
    "tconv": _tconv,
    "maxpool": _maxpool,
    "flatten": _flatten,
    "reshape": _reshape,
    "relu": _same,
    "leaky_relu": _leaky_relu,
    "sigmoid": _same,
    "tanh": _same,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "dropout": _of,
    "keep": _of,
    "concat": _of,
}
"""What each kind of layer does to a shape, and the parameters that it brings."""

_KEEPS_ORDER = {"relu", "leaky_relu", "sigmoid", "tanh", "batch_norm", "layer_norm"}


def _with_maps(layers: list[PlacedLayer]) -> Iterator[PlacedLayer]:
    """Mark the parameters whose axes are a flattened map, before or after.

    A linear layer reads a map when a flatten of one stands before it; a linear layer and the
    vectors behind it write one when, before any other layer with weights of its own, a reshape to
    one follows.
    """
    for index, placed in enumerate(layers):
        in_map = out_map = None
        if len(placed.output) == 1:
            before = _first_other(reversed(layers[:index]))
            if before and before.layer.layer == "flatten" and len(before.input) == 3:
                in_map = before.input
            after = _first_other(iter(layers[index + 1 :]))
            if after and after.layer.layer == "reshape" and len(after.output) == 3:
                out_map = after.output
            elif placed.layer.layer in _KEEPS_ORDER:  # a norm's vectors, in the flatten's order
                out_map = in_map
        parameters = tuple(_mapped(p, in_map, out_map) for p in placed.parameters)
        yield replace(placed, parameters=parameters)


def _first_other(layers: Iterator[PlacedLayer]) -> PlacedLayer | None:
    return next((one for one in layers if one.layer.layer not in _KEEPS_ORDER), None)


def _mapped(p: Parameter, in_map: Shape | None, out_map: Shape | None) -> Parameter:
    return replace(p, in_map=in_map if p.kind == "linear" else None, out_map=out_map)
