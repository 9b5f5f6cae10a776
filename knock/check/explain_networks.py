"""Which other network gives a learner's output: one with a layer left out, or a changed one?

Everything is tried with the NumPy layers of the recipe, so it is the same for every framework.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from knock.check import explain_numbers, trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import State
from knock.frameworks.numpy.layers import Array
from knock.recipe import Layer, Recipe, kinds, layers
from knock.recipe.layers import Placed, PlacedLayer
from knock.recipe.weights import initial_weights

import numpy as np

_TITLES = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "tanh": "tanh", "sigmoid": "sigmoid"}
_SLOPES = (0.01, 0.02, 0.1, 0.2, 0.25, 0.3)
_EPSILONS = (0.1, 0.9, 0.8, 0.99, 0.01, 0.001, 2e-5, 1e-6, 1e-7, 1e-8, 1e-12)

Substitute = tuple[Layer, plain.Module]
Change = Callable[[PlacedLayer], Substitute | None]
"""What replaces a layer; None for nothing."""


class _NothingKept(plain.Module):
    """A skip that carries zeros."""

    def __call__(self, x: Array) -> Array:
        missing = self.output_shape[0] - x.shape[1]
        return np.concatenate([x, np.zeros((len(x), missing, *x.shape[2:]))], axis=1)


def explain(name: str, got: Array, recipe: Recipe) -> str | None:
    """What was done to a network whose output is wrong, if a single change gives that output.

    Each change is tried on one layer, then on all of its kind.
    """
    placed = layers.networks(recipe)[name]
    x, given = trace.shown(recipe, placed), trace.asked(recipe)
    more = [given[draw] for draw in trace.beside(placed)]
    first = dict(initial_weights(recipe))
    expected = _output(placed, {}, first, x, more)
    for what, change, places in _tries(placed.layers):
        found = []
        for chosen in [[place] for place in places] + [places][: len(places) > 1]:
            try:
                mistaken = _output(placed, dict.fromkeys(chosen, change), first, x, more)
            except ValueError:  # the other layers do not fit together
                continue
            if explain_numbers.close(got, mistaken) and not explain_numbers.close(
                mistaken, expected
            ):
                found.append(_where(placed.layers, chosen))
        if found:  # several, where they give the same output
            return f"{name}: {', or '.join(found)} {what}"
    return None


def _output(
    placed: Placed, changes: Mapping[int, Change], first: State, x: Array, more: list[Array]
) -> Array:
    """The output of a network with its first weights and some of its layers changed."""
    network = plain.Network(placed)
    for place, change in sorted(changes.items(), reverse=True):
        made = change(placed.layers[place])
        network.layers[place : place + 1] = [made] if made else []
    network.modules = [module for _, module in network.layers]
    for module in network.modules:
        for key, value in module.values.items():
            value[...] = first[f"{placed.name}.{module.name}.{key}"]
    output: Array = plain.evaluate(network, x, *more)
    return output


def _tries(placed: Sequence[PlacedLayer]) -> Iterator[tuple[str, Change, list[int]]]:
    """Every change in words, with the places where it can be made."""
    alike: dict[str, list[int]] = {}
    for place, one in enumerate(placed):
        alike.setdefault(one.layer.kind, []).append(place)
    for places in alike.values():
        for what, change in _changes(placed[places[0]].layer):
            yield what, change, places


def _where(placed: Sequence[PlacedLayer], places: Sequence[int]) -> str:
    """Some layers in a learner's words: one by its name, or by the name before it; or all."""
    one = placed[places[0]]
    called = _TITLES.get(one.layer.kind, one.layer.kind.replace("_norm", " normalisation"))
    called = called.replace("concat", "skip").replace("add", "shortcut")
    if len(places) > 1:
        return f"each {called}"
    if one.name:
        return f"the {called} {one.name}"
    before = [other.name for other in placed[: places[0]] if other.name]
    return f"the {called}" + (f" after {before[-1]}" if before else "")


def _changes(layer: Layer) -> Iterator[tuple[str, Change]]:
    """What may have been done to a layer of this kind, in words, and the change."""
    if layer.kind in (*_TITLES, "dropout"):
        yield "is missing", lambda one: None
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
        case kinds.VirtualNorm():
            yield from _epsilons()
            yield "leaves a picture out of its own statistics", _with("counts", False)
        case kinds.Concat():
            yield "carries nothing", _without_skip
        case kinds.Add():
            yield "carries nothing", lambda one: None


def _epsilons() -> Iterator[tuple[str, Change]]:
    for epsilon in _EPSILONS:
        given = ": was the momentum given as ε?" if epsilon >= 0.1 else ""
        yield f"has ε = {epsilon:g}, the recipe's is 1e-05{given}", _with("eps", epsilon)


def _without_skip(one: PlacedLayer) -> Substitute:
    return kinds.Flatten(), _NothingKept(one)  # of any kind whose module the network calls


def _other(layer: Layer) -> Change:
    def change(one: PlacedLayer) -> Substitute:
        return layer, plain.make_module(dataclasses.replace(one, layer=layer))

    return change


def _with(attribute: str, value: object) -> Change:
    def change(one: PlacedLayer) -> Substitute:
        made = plain.make_module(one)
        setattr(made, attribute, value)
        return one.layer, made

    return change
