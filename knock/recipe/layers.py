"""From a recipe's list of layers to shapes and parameters, in NumPy terms only.

This is what "the same network" means: the name, shape and first value of every parameter, in
PyTorch's layout. Frameworks differ in how they store a weight; `Parameter` says what they need to
know to translate it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from knock.errors import UserError
from knock.recipe import kinds
from knock.recipe.kinds import Layer
from knock.recipe.schema import Network, Recipe
from knock.recipe.sizes import DoesNotFit, evaluate

import msgspec

Shape = tuple[int, ...]

Sizes = Mapping[str, object]
"""The names that a size expression may use, with their values."""


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
    """A layer with the shapes before and after it (without the batch axis) and its parameters."""

    layer: Layer
    input: Shape
    output: Shape
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """What its parameters' names begin with; empty for a layer that has none."""
        return getattr(self.layer, "name", "")


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


def require_statistics(recipe: Recipe) -> None:
    """Raise UserError where a batch is too small for a batch normalisation: one number a channel.

    Its variance is 0, and the unbiased one, for the running statistics, 0 / 0: some frameworks
    refuse that, others go on with NaN, or train a network that gives the same for every picture.
    """
    size = recipe.train.batch_size
    for network in networks(recipe).values():
        for one in network.layers:
            if isinstance(one.layer, kinds.BatchNorm) and size * math.prod(one.input[1:]) < 2:
                raise UserError(
                    f"{network.name}.{one.name} normalises over a batch, and one of {size} leaves "
                    "it a single number per channel; take --batch-size 2 or more"
                )


def networks(recipe: Recipe) -> dict[str, Placed]:
    """Every network of a recipe, in its order. Raises UserError where sizes do not fit."""
    placed = {name: place(name, n, recipe.sizes) for name, n in recipe.networks.items()}
    for network in placed.values():
        for one in network.layers:
            if isinstance(one.layer, kinds.Dropout):
                _require_mask(one.layer.of, one.input, recipe)
    return placed


def _require_mask(name: str, shape: Shape, recipe: Recipe) -> None:
    if name not in recipe.draws:
        raise UserError(f"draws.{name} is missing, the mask of a dropout of {shape}")
    where = f"draws.{name}.shape"
    mask = tuple(evaluate(size, recipe.sizes, where) for size in recipe.draws[name].shape)
    if mask != shape:
        raise DoesNotFit(where, f"{mask} does not fit on the map {shape}")


def place(name: str, network: Network, sizes: Sizes) -> Placed:
    """Work out the shapes of one network's layers.

    Raises UserError naming the layer where a size is missing or does not divide.
    """
    start = tuple(evaluate(size, sizes, f"networks.{name}.input") for size in network.input)
    shape = start
    placed: list[PlacedLayer] = []
    kept: dict[str, Shape] = {}
    side, dropouts = sizes.get("side"), 0
    for index, layer in enumerate(network.layers):
        if isinstance(side, int) and not layer.min_side <= side <= layer.max_side:
            continue
        where = f"networks.{name}.layers[{index}] ({layer.kind})"
        if not _holds(layer.when, sizes, f"{where}.when"):
            continue
        if isinstance(layer, kinds.Keep):
            kept[layer.of] = shape
        elif isinstance(layer, kinds.Linear | kinds.Conv) and layer.spectral:
            asked = layer.spectral is True or _holds(layer.spectral, sizes, f"{where}.spectral")
            layer = msgspec.structs.replace(layer, spectral=asked)
        elif isinstance(layer, kinds.Restore) and not _is_kept(placed):
            raise UserError(f"{where}: what it replaces would be lost; put a keep before it")
        elif isinstance(layer, kinds.Dropout):
            dropouts += 1
            layer = msgspec.structs.replace(layer, of=f"{layer.of}{dropouts}")
        output = _output(layer, shape, sizes, kept, where)
        one = PlacedLayer(layer, shape, output, _parameters(layer, shape, output, network))
        if one.name and one.name in {other.name for other in placed}:
            raise UserError(f"{where}: the name {one.name!r} is taken")
        placed.append(one)
        shape = output
    return Placed(name, start, tuple(_with_maps(placed)))


def _holds(when: kinds.When, sizes: Sizes, where: str) -> bool:
    """Whether the constants have the values that a condition names.

    Raises UserError for one that there is not, or whose value is of another type: neither could
    ever be right.
    """
    for name, value in when.items():
        if name not in sizes or name in _OF_PICTURES:
            raise UserError(f"{where}: no constant is called {name!r}")
        if type(sizes[name]) is not type(value):
            raise UserError(f"{where}: the constant {name} is {sizes[name]!r}, never {value!r}")
    return all(sizes[name] == value for name, value in when.items())


_OF_PICTURES = ("channels", "height", "width", "side")


def _is_kept(placed: list[PlacedLayer]) -> bool:
    return bool(placed) and isinstance(placed[-1].layer, kinds.Keep)


def _output(
    layer: Layer, shape: Shape, sizes: Sizes, kept: Mapping[str, Shape], where: str
) -> Shape:
    """The shape that a layer makes of another."""
    match layer:
        case kinds.Linear(out=out):
            if len(shape) != 1:
                raise UserError(
                    f"{where}: needs a flat input, gets {shape}; put a flatten before it"
                )
            return (evaluate(out, sizes, f"{where}.out"),)
        case kinds.Conv(out=out, kernel=k) | kinds.TransposedConv(out=out, kernel=k):
            height, width = _sides(shape, where)
            new = _slid(layer, height), _slid(layer, width)
            if min(new) < 1:
                raise DoesNotFit(where, f"a {k}×{k} kernel does not fit into {height}×{width}")
            return evaluate(out, sizes, f"{where}.out"), *new
        case kinds.MaxPool(kernel=k) | kinds.AveragePool(kernel=k):
            height, width = _sides(shape, where)
            if height % k or width % k:
                raise DoesNotFit(where, f"{height}×{width} must divide by {k}")
            return shape[0], height // k, width // k
        case kinds.Upsample(scale=scale):
            height, width = _sides(shape, where)
            return shape[0], height * scale, width * scale
        case kinds.GlobalPool():
            _sides(shape, where)
            return shape[:1]
        case kinds.Flatten():
            return (math.prod(shape),)
        case kinds.Reshape(shape=wanted):
            other = tuple(evaluate(size, sizes, f"{where}.shape") for size in wanted)
            if math.prod(other) != math.prod(shape):
                raise UserError(f"{where}: {shape} cannot become {other}: the counts differ")
            return other
        case kinds.Concat(of=of) | kinds.Restore(of=of) | kinds.Add(of=of) if of not in kept:
            raise UserError(f"{where}: no layer before it keeps {of!r}")
        case kinds.Restore(of=of):
            return kept[of]
        case kinds.Add(of=of):
            if kept[of] != shape:
                raise DoesNotFit(where, f"{of} is {kept[of]}, which cannot be added to {shape}")
            return shape
        case kinds.Concat(of=of):
            if kept[of][1:] != shape[1:]:
                raise DoesNotFit(where, f"{of} is {kept[of]}, which does not fit beside {shape}")
            return shape[0] + kept[of][0], *shape[1:]
        case _:
            return shape


def _slid(layer: kinds.Conv | kinds.TransposedConv, side: int) -> int:
    """A side of the map that comes out where a kernel slides over a side of another."""
    if isinstance(layer, kinds.Conv):
        return (side + 2 * layer.pad - layer.kernel) // layer.stride + 1
    return (side - 1) * layer.stride - 2 * layer.pad + layer.kernel + layer.out_pad


def _sides(shape: Shape, where: str) -> Shape:
    if len(shape) != 3:
        raise UserError(f"{where}: needs a channels × height × width map, gets {shape}")
    return shape[1:]


def _parameters(
    layer: Layer, before: Shape, after: Shape, network: Network
) -> tuple[Parameter, ...]:
    """A layer's parameters, weight before bias, from the shapes before and after it."""
    ins, outs, places = before[0], after[0], 1
    match layer:
        case kinds.Linear():
            shape: Shape = (outs, ins)
        case kinds.Conv(kernel=k):
            shape, places = (outs, ins, k, k), k * k
        case kinds.TransposedConv(kernel=k):
            shape, places = (ins, outs, k, k), k * k
        case kinds.BatchNorm(name=name) | kinds.LayerNorm(name=name):
            learned = (
                Parameter(f"{name}.weight", (outs,), "vector", first="ones"),
                Parameter(f"{name}.bias", (outs,), "vector"),
            )
            if isinstance(layer, kinds.LayerNorm) or not layer.running:
                return learned
            return (
                *learned,
                Parameter(f"{name}.running_mean", (outs,), "vector", trainable=False),
                Parameter(f"{name}.running_var", (outs,), "vector", trainable=False, first="ones"),
            )
        case _:
            return ()
    weight = Parameter(
        f"{layer.name}.weight",
        shape,
        layer.kind,
        first=network.init,
        std=network.init_std,
        fan_in=ins * places,
        fan_out=outs * places,
    )
    bias = Parameter(f"{layer.name}.bias", (outs,), "vector")
    own = (weight, bias) if layer.bias else (weight,)
    if isinstance(layer, kinds.TransposedConv) or not layer.spectral:
        return own
    return *own, Parameter(f"{layer.name}.u", (outs,), "vector", trainable=False, first="unit")


_KEEPS_ORDER = (
    *(kinds.ReLU, kinds.LeakyReLU, kinds.Sigmoid, kinds.Tanh),
    *(kinds.BatchNorm, kinds.LayerNorm),
)


def _with_maps(layers: list[PlacedLayer]) -> Iterator[PlacedLayer]:
    """Mark the parameters whose axes are a flattened map, before or after.

    A linear layer reads a map when a flatten of one comes before it; a linear layer and the vectors
    after it write one when a reshape to one comes next, before any other layer with weights.
    """
    for index, placed in enumerate(layers):
        in_map = out_map = None
        if len(placed.output) == 1:
            before = _first_other(reversed(layers[:index]))
            if before and isinstance(before.layer, kinds.Flatten) and len(before.input) == 3:
                in_map = before.input
            after = _first_other(iter(layers[index + 1 :]))
            if after and isinstance(after.layer, kinds.Reshape) and len(after.output) == 3:
                out_map = after.output
            elif isinstance(placed.layer, _KEEPS_ORDER):  # a norm's vectors, in the flatten's order
                out_map = in_map
        parameters = tuple(_mapped(p, in_map, out_map) for p in placed.parameters)
        yield replace(placed, parameters=parameters)


def _first_other(layers: Iterator[PlacedLayer]) -> PlacedLayer | None:
    return next((one for one in layers if not isinstance(one.layer, _KEEPS_ORDER)), None)


def _mapped(p: Parameter, in_map: Shape | None, out_map: Shape | None) -> Parameter:
    return replace(p, in_map=in_map if p.kind == "linear" else None, out_map=out_map)
