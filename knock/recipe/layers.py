"""From a recipe's list of layers to shapes and parameters, in NumPy terms only.

This is what "the same network" means: the name, shape and first value of every parameter, in
PyTorch's layout. Frameworks differ in how they store a weight; `Parameter` says what they need to
know to translate it.
"""

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from knock.errors import UserError
from knock.recipe import kinds
from knock.recipe.kinds import Layer
from knock.recipe.schema import Network, Recipe, to_json
from knock.recipe.sizes import DoesNotFit, evaluate

import msgspec

Shape = tuple[int, ...]

Sizes = Mapping[str, object]
"""The names that a size expression may use, with their values."""


@dataclass(frozen=True)
class Parameter:
    """One array of a network's canonical form.

    `shape` is PyTorch's: linear (out, in), conv (out, in, h, w), tconv (in, out, h, w), vector
    (n,), pictures (n, c, h, w), table (rows, n): one vector after another. `in_map` is the C×H×W
    map whose flattening a linear layer reads, after `in_before` other numbers; `out_map` the one
    that its output (a weight's rows, or a whole vector) is reshaped to: frameworks that keep
    channels last order those axes otherwise. `fan_in` and `fan_out` serve the first values.
    """

    name: str
    shape: Shape
    kind: str
    trainable: bool = True
    in_map: Shape | None = None
    in_before: int = 0
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
    """A network with every shape known; `beside` are those of what it takes beside its input."""

    name: str
    input: Shape
    layers: tuple[PlacedLayer, ...]
    beside: Mapping[str, Shape] = field(default_factory=dict)

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
    return dict(_networks(_Known(to_json(recipe), recipe)))


@dataclass(frozen=True)
class _Known:
    """A recipe that is known again by what it says."""

    text: str
    recipe: Recipe = field(compare=False)


@functools.lru_cache(maxsize=64)  # a check asks hundreds of times of a few recipes
def _networks(known: _Known) -> dict[str, Placed]:
    recipe = known.recipe
    placed = {name: place(name, n, recipe.sizes) for name, n in recipe.networks.items()}
    for network in placed.values():
        for one in network.layers:
            if isinstance(one.layer, kinds.Dropout):
                what = f"the mask of a dropout of {one.input}"
                _require_draw(one.layer.of, what, one.input, "map", recipe)
            elif isinstance(one.layer, kinds.VirtualNorm):
                what = f"the reference of {network.name}.{one.name}"
                _require_draw(one.layer.of, what, network.input, "input", recipe)
    for name, pool in recipe.pools.items():
        if pool.of not in placed:
            raise UserError(f"pools.{name}.of: there is no network {pool.of}")
        if (made := placed[pool.of].output) != recipe.image_shape:
            why = f"{pool.of} makes {'×'.join(map(str, made))} of them"
            raise DoesNotFit(f"pools.{name}", why)
    pools(recipe)  # whose sizes are refused, too
    return placed


def pools(recipe: Recipe) -> dict[str, Parameter]:
    """What each pool of a recipe holds: an array of pictures. Raises UserError for no size."""
    return {
        name: Parameter(
            "pictures",
            (evaluate(pool.pictures, recipe.sizes, f"pools.{name}.pictures"), *recipe.image_shape),
            "pictures",
            trainable=False,
        )
        for name, pool in recipe.pools.items()
    }


def arrays(recipe: Recipe) -> dict[str, tuple[Parameter, ...]]:
    """All that a run's state has, but for its optimisers' memory: by network, and by pool."""
    return {
        **{name: placed.parameters for name, placed in networks(recipe).items()},
        **{name: (pictures,) for name, pictures in pools(recipe).items()},
    }


def _require_draw(name: str, what: str, shape: Shape, where: str, recipe: Recipe) -> None:
    if name not in recipe.draws:
        raise UserError(f"draws.{name} is missing, {what}")
    key = f"draws.{name}.shape"
    drawn = tuple(evaluate(size, recipe.sizes, key) for size in recipe.draws[name].shape)
    if drawn != shape:
        raise DoesNotFit(key, f"{drawn} does not fit on the {where} {shape}")


def place(name: str, network: Network, sizes: Sizes) -> Placed:
    """Work out the shapes of one network's layers.

    Raises UserError naming the layer where a size is missing or does not divide.
    """
    start = tuple(evaluate(size, sizes, f"networks.{name}.input") for size in network.input)
    shape = start
    placed: list[PlacedLayer] = []
    beside = {
        key: tuple(evaluate(size, sizes, f"networks.{name}.beside.{key}") for size in one)
        for key, one in network.beside.items()
    }
    kept: dict[str, Shape] = dict(beside)
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
        elif isinstance(layer, kinds.Minibatch):
            layer = _counted(layer, sizes, where)
        elif isinstance(layer, kinds.Codebook):
            codes = evaluate(layer.codes, sizes, f"{where}.codes")
            layer = msgspec.structs.replace(layer, codes=codes)
        elif isinstance(layer, kinds.GroupNorm):
            groups = evaluate(layer.groups, sizes, f"{where}.groups")
            layer = msgspec.structs.replace(layer, groups=groups)
        output = _output(layer, shape, sizes, kept, where)
        one = PlacedLayer(layer, shape, output, _parameters(layer, shape, output, network))
        if one.name and one.name in {other.name for other in placed}:
            raise UserError(f"{where}: the name {one.name!r} is taken")
        placed.append(one)
        shape = output
    return Placed(name, start, tuple(_with_maps(placed, beside)), beside)


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


def _counted(layer: kinds.Minibatch, sizes: Sizes, where: str) -> kinds.Minibatch:
    """The same layer with numbers in place of names."""
    scale = sizes.get(layer.scale) if isinstance(layer.scale, str) else layer.scale
    if not isinstance(scale, int | float):
        raise UserError(f"{where}.scale: no number is called {layer.scale!r}")
    return msgspec.structs.replace(
        layer,
        kernels=evaluate(layer.kernels, sizes, f"{where}.kernels"),
        dims=evaluate(layer.dims, sizes, f"{where}.dims"),
        scale=float(scale),
    )


def _output(
    layer: Layer, shape: Shape, sizes: Sizes, kept: Mapping[str, Shape], where: str
) -> Shape:
    """The shape that a layer makes of another."""
    match layer:
        case kinds.Linear() | kinds.Minibatch() if len(shape) != 1:
            raise UserError(f"{where}: needs a flat input, gets {shape}; put a flatten before it")
        case kinds.Linear(out=out):
            return (evaluate(out, sizes, f"{where}.out"),)
        case kinds.Sinusoids(out=out):
            count = evaluate(out, sizes, f"{where}.out")
            if shape:
                raise UserError(f"{where}: needs a single number, gets {shape}")
            if count % 2:
                why = f"half of its numbers are sines, half cosines: {count} is odd"
                raise UserError(f"{where}: {why}")
            return (count,)
        case kinds.GroupNorm(groups=int(groups)) if shape[0] % groups:
            raise UserError(f"{where}: {groups} groups cannot share {shape[0]} channels evenly")
        case kinds.Minibatch(kernels=int(kernels)):
            return (kernels,)
        case kinds.MaskedConv(kernel=k) if k % 2 == 0:
            raise UserError(f"{where}.kernel: must be odd, not {k}: a place is in its middle")
        case kinds.MaskedConv(out=out):
            return evaluate(out, sizes, f"{where}.out"), *_sides(shape, where)
        case kinds.Codebook():
            return shape[0], *_sides(shape, where)
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
        case kinds.InstanceNorm():
            if _sides(shape, where) == (1, 1):
                raise DoesNotFit(where, "each map is a single number, and nothing would be left")
            return shape
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
            if shape not in (kept[of], kept[of][:1]):
                raise DoesNotFit(where, f"{of} is {kept[of]}, which cannot be added to {shape}")
            return kept[of]
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
    if not before or not after:  # a number, which no layer with weights takes or makes
        return ()
    ins, outs, places = before[0], after[0], 1
    match layer:
        case kinds.Linear():
            shape: Shape = (outs, ins)
        case kinds.Conv(kernel=k) | kinds.MaskedConv(kernel=k):
            shape, places = (outs, ins, k, k), k * k
        case kinds.TransposedConv(kernel=k):
            shape, places = (ins, outs, k, k), k * k
        case kinds.Codebook(codes=int(codes)):
            outs, shape = codes, (codes, ins)
        case kinds.Minibatch(kernels=int(kernels), dims=int(dims)):
            outs, shape = kernels * dims, (kernels * dims, ins)
        case (
            kinds.BatchNorm(name=name)
            | kinds.LayerNorm(name=name)
            | kinds.GroupNorm(name=name)
            | kinds.InstanceNorm(name=name)
            | kinds.VirtualNorm(name=name)
        ):
            learned = (
                Parameter(f"{name}.weight", (outs,), "vector", first="ones"),
                Parameter(f"{name}.bias", (outs,), "vector"),
            )
            if not isinstance(layer, kinds.BatchNorm) or not layer.running:
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
        _STORED.get(layer.kind, layer.kind),
        first=network.init,
        std=network.init_std,
        fan_in=ins * places,
        fan_out=outs * places,
    )
    bias = Parameter(f"{layer.name}.bias", (outs,), "vector")
    if isinstance(layer, kinds.Minibatch | kinds.Codebook):
        return (weight,)
    own = (weight, bias) if layer.bias else (weight,)
    if isinstance(layer, kinds.TransposedConv | kinds.MaskedConv) or not layer.spectral:
        return own
    return *own, Parameter(f"{layer.name}.u", (outs,), "vector", trainable=False, first="unit")


_STORED = {"minibatch": "linear", "masked_conv": "conv", "codebook": "table"}
"""How the weight of a kind of layer is stored, where the kind's own name does not say it."""

_KEEPS_ORDER = (
    *(kinds.ReLU, kinds.LeakyReLU, kinds.SiLU, kinds.Sigmoid, kinds.Tanh),
    *(kinds.BatchNorm, kinds.LayerNorm, kinds.VirtualNorm),
)


def _with_maps(layers: list[PlacedLayer], beside: Iterable[str]) -> Iterator[PlacedLayer]:
    """Mark the parameters whose axes are a flattened map, before or after.

    A linear layer reads a map when a flatten of one comes before it, perhaps with other numbers
    laid before the map; a linear layer and the vectors after it write one when a reshape to one
    comes next, before any other layer with weights.
    """
    flat: _Flat = None
    kept: dict[str, _Flat] = dict.fromkeys(beside)
    for index, placed in enumerate(layers):
        in_map, in_before = flat or (None, 0)
        out_map: Shape | None = None
        if len(placed.output) == 1:
            after = _first_other(iter(layers[index + 1 :]))
            if after and isinstance(after.layer, kinds.Reshape) and len(after.output) == 3:
                out_map = after.output
            elif isinstance(placed.layer, _KEEPS_ORDER):  # a norm's vectors, in the flatten's order
                out_map = in_map
        parameters = tuple(_mapped(p, in_map, in_before, out_map) for p in placed.parameters)
        yield replace(placed, parameters=parameters)
        flat = _flattened(placed, flat, kept)


_Flat = tuple[Shape, int] | None
"""The map whose flattening a row of numbers ends with, and how many numbers come before it."""


def _flattened(placed: PlacedLayer, flat: _Flat, kept: dict[str, _Flat]) -> _Flat:
    """What comes out of a layer, where `flat` goes into it."""
    match placed.layer:
        case kinds.Flatten() if len(placed.input) == 3:
            return placed.input, 0
        case kinds.Keep(of=of):
            kept[of] = flat
            return flat
        case kinds.Concat(of=of) if len(placed.input) == 1:
            behind = kept[of]
            return (behind[0], placed.input[0] + behind[1]) if behind and not flat else None
        case kinds.Restore(of=of):
            return kept[of]
        case kinds.Add() | kinds.Dropout():
            return flat
    return flat if isinstance(placed.layer, _KEEPS_ORDER) else None


def _first_other(layers: Iterator[PlacedLayer]) -> PlacedLayer | None:
    return next((one for one in layers if not isinstance(one.layer, _KEEPS_ORDER)), None)


def _mapped(p: Parameter, in_map: Shape | None, in_before: int, out_map: Shape | None) -> Parameter:
    if p.kind != "linear":
        return replace(p, out_map=out_map)
    return replace(p, in_map=in_map, in_before=in_before, out_map=out_map)
