"""Which other network gives a learner's output: one with a layer left out, moved or changed?

Everything is tried with the NumPy layers of the recipe, so it is the same for every framework.
"""

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from knock.check import explain_numbers, trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import State
from knock.frameworks.numpy.layers import Array, TransposedConv
from knock.recipe import Layer, Recipe, kinds, layers
from knock.recipe.layers import Placed, PlacedLayer

import msgspec
import numpy as np

_TITLES = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "silu": "SiLU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
_ALSO = {
    "concat": "skip",
    "keep": "start of the skip",
    "conv": "convolution",
    "tconv": "transposed convolution",
    "maxpool": "max pooling",
    "add": "shortcut",
    "sinusoids": "embedding of a number by sines and cosines",
    "minibatch": "comparison of pictures",
    "masked_conv": "masked convolution",
}
_SLOPES = (0.01, 0.02, 0.1, 0.2, 0.25, 0.3)
_EPSILONS = (0.1, 0.9, 0.8, 0.99, 0.01, 0.001, 2e-5, 1e-6, 1e-7, 1e-8, 1e-12, 0.0)

Substitute = tuple[Layer, plain.Module]
Change = Callable[[PlacedLayer], Sequence[Substitute]]
"""What stands in the place of a layer: nothing, or one or several others."""

Changes = Mapping[int, Change]
"""The changed places of a network."""


class _Of(plain.Module):
    """A layer without weights that is a function of its input."""

    def __init__(self, placed: PlacedLayer, function: Callable[[Array], Array]) -> None:
        super().__init__(placed)
        self.values, self.function = {}, function

    def __call__(self, x: Array) -> Array:
        return self.function(x)


class _Sized(TransposedConv):
    """A transposed convolution whose output is as large as its input makes it."""

    def __call__(self, x: Array) -> Array:
        one, (channels, *_) = self.layer, self.output_shape
        sides = [(n - 1) * one.stride - 2 * one.pad + one.kernel + one.out_pad for n in x.shape[2:]]
        self.output_shape = (channels, *sides)
        return super().__call__(x)


def _averages(x: Array) -> Array:
    """The mean of each 2×2 window."""
    n, c, height, width = x.shape
    means: Array = x.reshape(n, c, height // 2, 2, width // 2, 2).mean((3, 5))
    return means


def _last_read_first(x: Array) -> Array:
    """A map whose channels come last, flattened as if they came first."""
    n, channels, height, width = x.shape
    return x.reshape(n, height, width, channels).transpose(0, 3, 1, 2).reshape(n, -1)


def _first_read_last(x: Array) -> Array:
    """A map whose channels come first, flattened as if they came last."""
    return x.transpose(0, 2, 3, 1).reshape(len(x), -1)


def _elu(x: Array) -> Array:
    y: Array = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return y


def _gelu(x: Array) -> Array:
    """By tanh; that by the error function is `_exact_gelu`."""
    y: Array = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return y


def _exact_gelu(x: Array) -> Array:
    y: Array = x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    return y


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "a ReLU": lambda x: np.maximum(x, 0),
    "a tanh": np.tanh,
    "a sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "an ELU": _elu,
    "a softplus": lambda x: np.logaddexp(0, x),
    "a SiLU (swish)": lambda x: x / (1 + np.exp(-x)),
    "a GELU": _gelu,
    "a GELU, exactly": _exact_gelu,
    "a ReLU6": lambda x: np.clip(x, 0, 6),
    "an absolute value": np.abs,
}
_NORMS = (kinds.BatchNorm, kinds.LayerNorm, kinds.GroupNorm, kinds.InstanceNorm)
_ACTIVE = (kinds.ReLU, kinds.LeakyReLU, kinds.SiLU, kinds.Tanh, kinds.Sigmoid)
_MOVED = (kinds.Dropout, kinds.Keep)


def explain(name: str, got: Array, recipe: Recipe) -> str | None:
    """What was done to a network whose output is wrong, if a single change gives that output.

    Each change is tried on one layer, then on all of its kind.
    """
    placed = layers.networks(recipe)[name]
    x, more = trace.shown(recipe, placed), trace.beside(recipe, placed, trace.asked(recipe))
    first = trace.drawn_weights(recipe)
    expected = _output(placed, {}, first, x, more)
    for what, tries in _tries(placed.layers):
        found: list[str] = []
        for where, changes in tries:
            if found and where.startswith("each "):  # the others have it already
                continue
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings(action="error"):
                    mistaken = _output(placed, changes, first, x, more)
            except (ValueError, IndexError, RuntimeWarning):  # the layers do not fit together
                continue
            if explain_numbers.close(got, mistaken) and not explain_numbers.close(
                mistaken, expected
            ):
                found.append(where)
        if found:  # several, where they give the same output
            return f"{name}: {', or '.join(found)} {what}"
    return None


def _output(placed: Placed, changes: Changes, first: State, x: Array, more: list[Array]) -> Array:
    """The output of a network with its drawn weights and some of its layers changed."""
    network = plain.Network(placed)
    dropouts = [n for n, one in enumerate(placed.layers) if isinstance(one.layer, kinds.Dropout)]
    for place, change in sorted(changes.items(), reverse=True):
        instead = list(change(placed.layers[place]))
        network.layers[place : place + 1] = instead
        if place in dropouts and not instead:  # its mask is not the next one's
            more = [one for n, one in enumerate(more) if n != dropouts.index(place)]
    network.modules = [module for _, module in network.layers]
    for module in network.modules:
        if isinstance(module, TransposedConv):
            module.__class__ = _Sized
        for key, value in module.values.items():
            value[...] = first[f"{placed.name}.{module.name}.{key}"]
    output: Array = plain.evaluate(network, x, *more)
    return output


def _tries(placed: Sequence[PlacedLayer]) -> Iterator[tuple[str, Sequence[tuple[str, Changes]]]]:
    """Every change in words, with the places where it can be made, in words, too."""
    alike: dict[str, list[int]] = {}
    for place, one in enumerate(placed):
        alike.setdefault(one.layer.kind, []).append(place)
    alike["keep"] = [i for i in alike.get("keep", ()) if _is_before_a_relu(placed, i)]
    for places in filter(None, alike.values()):
        for what, change in _changes(placed[places[0]].layer):
            chosen = [[place] for place in places] + [places][: len(places) > 1]
            yield what, [(_where(placed, some), dict.fromkeys(some, change)) for some in chosen]
    spectral = [i for i, one in enumerate(placed) if getattr(one.layer, "spectral", False)]
    for what, change in _SPECTRAL.items() if spectral else ():
        yield what, [("each spectral layer", dict.fromkeys(spectral, change))]
    yield from _moves(placed)
    weighted = [i for i, one in enumerate(placed) if one.name]
    for title, function in _ACTIVATIONS.items():
        bare = [i for i in weighted if i + 1 < len(placed)]
        added: list[tuple[str, Changes]] = [
            (placed[i].name, {i: _followed_by(function)}) for i in bare
        ]
        yield f"is followed by {title} that the recipe does not have there", added


def _is_before_a_relu(placed: Sequence[PlacedLayer], place: int) -> bool:
    return place + 1 < len(placed) and isinstance(placed[place + 1].layer, kinds.ReLU)


def _moves(placed: Sequence[PlacedLayer]) -> Iterator[tuple[str, Sequence[tuple[str, Changes]]]]:
    """Neighbours that have changed places: of a kind of pair, one everywhere, then all at once."""
    pairs: dict[tuple[str, str], list[int]] = {}
    for i, both in enumerate(zip(placed, placed[1:], strict=False)):
        if all(isinstance(one.layer, (*_NORMS, *_ACTIVE, *_MOVED)) for one in both):
            pairs.setdefault((both[0].layer.kind, both[1].layer.kind), []).append(i)
    for places in pairs.values():
        after = _called(placed[places[0] + 1])
        tries: list[tuple[str, Changes]] = []
        for some in [[place] for place in places] + [places][: len(places) > 1]:
            changes: dict[int, Change] = {}
            for i in some:
                changes |= {i: _instead(placed[i + 1]), i + 1: _instead(placed[i])}
            tries.append((_where(placed, some), changes))
        yield f"and {after} after it have changed places", tries


def _called(one: PlacedLayer) -> str:
    kind = one.layer.kind
    return f"the {_TITLES.get(kind) or _ALSO.get(kind) or kind.replace('_norm', ' normalisation')}"


def _where(placed: Sequence[PlacedLayer], places: Sequence[int]) -> str:
    """Some layers in a learner's words: one by its name, or by the name before it; or all."""
    one = placed[places[0]]
    called = _called(one)
    if len(places) > 1:
        return called.replace("the ", "each ", 1)
    if one.name:
        return f"{called} {one.name}"
    before = [other.name for other in placed[: places[0]] if other.name]
    return called + (f" after {before[-1]}" if before else "")


def _changes(layer: Layer) -> Iterator[tuple[str, Change]]:
    """What may have been done to a layer of this kind, in words, and the change."""
    norms = "batch_norm", "layer_norm", "group_norm", "instance_norm"
    if layer.kind in (*_TITLES, "dropout", *norms):
        yield "is missing", lambda one: []
    match layer:
        case kinds.LeakyReLU(slope=given):
            yield "is a ReLU", _other(kinds.ReLU())
            for slope in _SLOPES:
                what = f"has a slope of {slope:g}, the recipe's is {given:g}"
                yield what, _other(kinds.LeakyReLU(slope))
        case kinds.ReLU():
            for slope in _SLOPES:
                what = f"is a leaky ReLU with a slope of {slope:g}"
                yield what, _other(kinds.LeakyReLU(slope))
        case kinds.BatchNorm(running=running):
            yield from _epsilons()
            if running:
                what = "takes the batch's statistics instead of the running ones"
                yield what, _with("always", True)
        case kinds.LayerNorm():
            yield from _epsilons()
            why = "a picture's score must not depend on the others"
            what = f"averages over the batch, as batch normalisation does: {why}"
            yield what, _with("axes", (0, 2, 3))
            yield "averages at each pixel over its channels alone", _with("axes", (1,))
            yield (
                "averages each channel by itself, as instance normalisation does",
                _with("axes", (2, 3)),
            )
        case kinds.GroupNorm(groups=int(groups)):
            yield from _epsilons()
            yield "has one group: it is layer normalisation", _with("groups", 1)
            what = "has a group for each channel: it is instance normalisation"
            yield what, lambda one: _with("groups", one.input[0])(one)
            for other in (2 * groups, groups // 2, 32):
                if other > 1:
                    what = f"has {other} groups, the recipe's has {groups}"
                    yield what, _with("groups", other)
        case kinds.Sinusoids():
            what = "has the cosines before the sines"
            yield what, _with("order", (np.cos, np.sin))
            yield "has each cosine beside its sine; the sines come first", _with("beside", True)
            what = "ends at 1/10000: k is divided by K − 1, the recipe's by K"
            yield what, _with("ends", True)
            for longest in (100.0, 1000.0, 100000.0, 2.0):
                what = f"has {longest:g} for the recipe's 10000"
                yield what, _with("longest", longest)
            for factor in (1000.0, 0.001, 2 * np.pi):
                yield f"has {factor:.4g}·t for t", _with("factor", factor)
        case kinds.InstanceNorm():
            yield from _epsilons()
            what = "averages over the batch, as batch normalisation does"
            yield (
                f"{what}: a picture's translation must not depend on the others",
                _with("axes", (0, 2, 3)),
            )
            yield (
                "averages over all channels, as layer normalisation does",
                _with("axes", (1, 2, 3)),
            )
        case kinds.VirtualNorm():
            yield from _epsilons()
            yield "leaves a picture out of its own statistics", _with("counts", False)
            what = "averages variances: the variance is the mean of squares, minus the mean squared"
            yield what, _with("spreads", True)
        case kinds.Minibatch():
            yield "counts each picture as close to itself, too", _with("itself", True)
            yield "squares differences, and does not take their size", _with("power", 2)
            what = "finds no differences: each picture is subtracted from itself alone"
            yield what, _with("lifted", False)
            yield "is not multiplied by its weight", _with("scale", 1.0)
        case kinds.MaskedConv():
            yield "has mask B, and sees the place itself", _settings(mask="B")
            yield "has mask A, and does not see the place itself", _settings(mask="A")
            yield "sees everything: it has no mask", _with("open", True)
            yield "sees what comes after a place, not what comes before", _with("backwards", True)
            yield "counts column after column: its mask is turned over", _with("columns", True)
        case kinds.Codebook():
            yield "takes the farthest vector, not the nearest", _with("farthest", True)
            what = "takes the vector with the largest product: ‖e‖² is missing from the distance"
            yield what, _with("alike", True)
            what = "makes vectors of neighbouring places: the channels must become the last axis"
            yield what, _with("mixed", True)
        case kinds.Linear() if layer.spectral:
            yield _OWN_WEIGHT, _not_spectral
        case kinds.Conv():
            if layer.spectral:
                yield _OWN_WEIGHT, _not_spectral
            yield from _other_sides(layer)
        case kinds.TransposedConv():
            yield from _other_crops(layer)
        case kinds.Flatten():
            what = "takes channels, height and width in another order"
            for change in (_last_read_first, _first_read_last):
                yield what, _function(change)
            yield (
                "takes width before height",
                _function(lambda x: x.swapaxes(2, 3).reshape(len(x), -1)),
            )
        case kinds.Add():
            yield "carries nothing", lambda one: []
            what = "has maps that nothing is added to: is the row with a number for each left out?"
            yield what, _maps_alone
        case kinds.Keep():
            why = "was the map changed in place?"
            yield f"is taken after the ReLU: {why}", _after_a_relu
        case kinds.MaxPool():
            yield "is missing", lambda one: []
            yield (
                "takes the windows' averages instead of their largest numbers",
                _function(_averages),
            )
        case kinds.Concat():
            yield "carries nothing", _skip(_zeros_after)
            yield (
                "comes before what it is joined to; it belongs after it",
                _skip(lambda x, own: np.concatenate([x[:, own:], x[:, :own]], axis=1)),
            )
    if isinstance(layer, _ACTIVE):
        for title, function in _ACTIVATIONS.items():
            yield f"is {title}", _function(function)


def _epsilons() -> Iterator[tuple[str, Change]]:
    for epsilon in _EPSILONS:
        given = ": was the momentum given as ε?" if epsilon >= 0.1 else ""
        yield f"has ε = {epsilon:g}, the recipe's is 1e-05{given}", _with("eps", epsilon)


def _other_sides(layer: kinds.Conv) -> Iterator[tuple[str, Change]]:
    """A convolution with another padding or stride."""
    right, kernel = layer.pad, layer.kernel
    for pad in range(max(kernel, right + 1)):
        if pad != right:
            yield f"has a padding of {pad}, the recipe's is {right}", _padded(pad, pad)
    for stride in (1, 2, 3):
        if stride != layer.stride:
            what = f"has a stride of {stride}, the recipe's is {layer.stride}"
            yield what, _padded(right, right, stride)
    for mode, what in _EDGES.items() if right else ():
        yield f"is padded {what}, the recipe's with zeros", _padded(right, right, mode=mode)
    if right and layer.stride > 1:  # what TensorFlow calls "same"
        what = f"is padded by {right - 1} before and {right} after; the recipe pads {right} on each"
        yield f"{what} side", _padded(right - 1, right)
        yield f"is padded by 0 before and {right} after, the recipe's is {right}", _padded(0, right)


_EDGES: dict[str, Any] = {
    "edge": "with the pixels at its edge again",
    "reflect": "with what the edge reflects",
    "wrap": "with the pixels of the opposite edge",
}
"""What may stand beyond an edge, by NumPy's name for it."""


def _padded(before: int, after: int, stride: int = 0, mode: Any = "constant") -> Change:
    """A convolution with so many zeros, or others, before and after its input."""

    def made(one: PlacedLayer) -> list[Substitute]:
        assert isinstance(one.layer, kinds.Conv)
        sides = (before, after)

        def pad(x: Array) -> Array:
            return np.pad(x, ((0, 0), (0, 0), sides, sides), mode)

        slid = _settings(pad=0, stride=stride or one.layer.stride)
        return [(kinds.Flatten(), _Of(one, pad)), *slid(one)]

    return made


def _other_crops(layer: kinds.TransposedConv) -> Iterator[tuple[str, Change]]:
    """A transposed convolution of which other rows and columns are cut off."""
    right = layer.pad
    for pad in range(layer.kernel):
        for more in (0, 1, 2):
            if (pad, more) == (right, layer.out_pad) or more >= max(layer.stride, 1):
                continue
            what = f"has {_pads(pad, more)}, the recipe's {_pads(right, layer.out_pad)}"
            yield what, _settings(pad=pad, out_pad=more)


def _pads(pad: int, more: int) -> str:
    return f"a padding of {pad}" + f" and an output padding of {more}" * bool(more)


def _zeros_after(x: Array, own: int) -> Array:
    x = x.copy()
    x[:, own:] = 0
    return x


def _skip(change: Callable[[Array, int], Array]) -> Change:
    """A change of what a skip joins, given that and the number of channels from below."""

    def made(one: PlacedLayer) -> list[Substitute]:
        def joined(x: Array) -> Array:
            return change(x, one.input[0])

        return [(one.layer, plain.make_module(one)), (kinds.Flatten(), _Of(one, joined))]

    return made


def _function(function: Callable[[Array], Array]) -> Change:
    return lambda one: [(kinds.Flatten(), _Of(one, function))]  # any kind that is called


def _followed_by(function: Callable[[Array], Array]) -> Change:
    return lambda one: [
        (one.layer, plain.make_module(one)),
        (kinds.Flatten(), _Of(one, function)),
    ]


def _instead(other: PlacedLayer) -> Change:
    return lambda one: [(other.layer, plain.make_module(other))]


def _other(layer: Layer) -> Change:
    return lambda one: [(layer, plain.make_module(dataclasses.replace(one, layer=layer)))]


def _with(attribute: str, value: object) -> Change:
    def change(one: PlacedLayer) -> list[Substitute]:
        made = plain.make_module(one)
        setattr(made, attribute, value)
        return [(one.layer, made)]

    return change


def _settings(**others: Any) -> Change:
    """The same layer, with other settings than the recipe's."""
    return lambda one: _other(msgspec.structs.replace(one.layer, **others))(one)


def _maps_alone(one: PlacedLayer) -> list[Substitute]:
    assert isinstance(one.layer, kinds.Add)
    if len(one.input) == len(one.output):
        raise ValueError("no row is added here")
    return [(kinds.Restore(of=one.layer.of), plain.make_module(one))]


def _after_a_relu(one: PlacedLayer) -> list[Substitute]:
    return [*_other(kinds.ReLU())(one), (one.layer, plain.make_module(one))]


def _not_spectral(one: PlacedLayer) -> list[Substitute]:
    layer = msgspec.structs.replace(one.layer, spectral=False)
    return [(one.layer, plain.make_module(dataclasses.replace(one, layer=layer)))]


_OWN_WEIGHT = "works with its weight itself, not with W / σ"

_SPECTRAL: dict[str, Change] = {
    _OWN_WEIGHT: _not_spectral,
    "divides its bias by σ, too": _with("with_bias", True),
    "divides by the root of all entries' squares, not by the largest stretch": _with(
        "by_all_entries", True
    ),
    "makes a matrix whose rows are no output's: were the weight's axes mixed up?": _with(
        "shuffled", True
    ),
    **{
        f"takes {rounds} rounds of the power iteration, not one": _with("rounds", rounds)
        for rounds in (2, 3, 5, 10, 15, 16)
    },
}
"""What may have been done to all spectral layers, in words, and the change."""
