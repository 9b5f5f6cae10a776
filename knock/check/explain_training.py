"""What was done otherwise in a training step? The judge's step is replayed until it gives the same.

Two ways. A network's gradient is a sum, one part for each loss that the network learns from: which
multiples of these parts give a learner's gradient says what their network is trained on. And the
step is replayed with one thing in it changed (`knock.check.changes`): a change that gives all of a
learner's losses, gradients and running averages is what they did.
"""

import ast
import functools
import importlib.util
import inspect
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from knock import kept
from knock import recipe as recipes
from knock.check import changes, trace
from knock.check.explain_numbers import Array, Losses, alike, close, same
from knock.check.trace import Trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import State
from knock.recipe import Recipe, layers
from knock.recipe.kinds import BatchNorm
from knock.recipe.weights import initial_weights
from knock.scripts import load as script

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Sketch = dict[str, tuple[float, float]]
"""Of each array its norm, and a projection of it: as good as the array to see whether it is one."""

LONGEST = 10.0
"""Seconds of computing that one search among changed steps may take; mostly it is one or two.

The next search goes on where it ended."""

Key = tuple[int, int]
"""Where in the step a loss is computed, and which one is taken there: 0 is the right one."""


def sketch(state: State, recipe: Recipe) -> Sketch:
    """What a first step leaves in the optimisers, in running averages, and in means of weights."""
    found = {}
    trained = {name for one in recipe.optimizers.values() for name in one.networks}
    for key, array in state.items():
        owner, _, rest = key.partition(".")
        if rest == "step" or (owner in trained and "running_" not in rest):
            continue
        flat = array.ravel().astype(float)
        with np.errstate(invalid="ignore"):  # a changed step may give NaN, which is like nothing
            along = float(flat @ np.cos(1.7 * np.arange(flat.size)))
        found[key] = float(np.linalg.norm(flat)), along
    return found


def matches(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches are of the same numbers, to six digits."""
    return one.keys() == other.keys() and all(
        abs(one[key][0] - norm) <= 1e-6 * norm and abs(one[key][1] - along) <= 1e-6 * norm
        for key, (norm, along) in other.items()
    )


def losses_match(got: Losses, other: Losses) -> bool:
    """Whether all losses are the same, to nine digits."""
    return all(name in other and same(value, other[name]) for name, value in got.items())


def only_told(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """Whether only the returned losses are wrong, and all that the first step does is right."""
    if not matches(*(sketch(t.states[1], recipe) for t in (got, expected))):
        return None
    return "The gradients are right: only what train_step returns is not"


@dataclass
class Replays:
    """The judge's first step, again and again with something changed.

    What was played is kept in `played`, and with `kept` also in the user's cache folder; `tried`
    counts the changes that were played or did not run, `over` says that there are no more. No
    search takes much longer than `LONGEST`.
    """

    path: Path
    recipe: Recipe
    kept: bool = False
    played: list[tuple[str, Losses, Sketch]] = field(default_factory=list)
    tried: int = 0
    over: bool = False

    def whole(self, got: Trace) -> str | None:
        """The change that gives all of a learner's first losses, gradients and averages."""
        mine = sketch(got.states[1], self.recipe)
        for said, losses, seen in self._all():
            if losses_match(got.losses[0], losses) and matches(mine, seen):
                return said
        return None

    def by_losses(self, got: Trace) -> list[str]:
        """The changes that give all of a learner's first losses, though not the rest.

        None where a loss is NaN: nearly any change that breaks a step would explain it.
        """
        if any(math.isnan(value) for value in got.losses[0].values()):
            return []
        return [said for said, losses, _ in self._all() if losses_match(got.losses[0], losses)]

    def _all(self) -> Iterator[tuple[str, Losses, Sketch]]:
        """All changes with what they give; each is played when it is first needed."""
        if self.kept and not self.tried:
            self.tried, self.over, self.played = _read(self._key)
        yield from self.played
        before, begun = self.tried, time.process_time()
        if self.over:
            return
        try:
            for said, play in self._left:
                if time.process_time() - begun > LONGEST:  # the likelier ones come first
                    self._left = itertools.chain([(said, play)], self._left)
                    return
                self.tried += 1
                try:
                    losses, state = play()
                except Exception:  # the changed step does not run: nobody has its numbers
                    continue
                one = said, losses, sketch(state, self.recipe)
                right = self._right
                if losses_match(losses, right[0]) and matches(one[2], right[1]):
                    continue  # it changes nothing
                self.played.append(one)
                yield one
            self.over = True
        finally:  # also where a search has found what it wanted
            if self.kept and self.tried > before:
                _write(self._key, self.tried, self.over, self.played)

    @functools.cached_property
    def _left(self) -> Iterator[tuple[str, Callable[[], tuple[Losses, State]]]]:
        return itertools.islice(self._tries(), self.tried, None)

    @functools.cached_property
    def _right(self) -> tuple[Losses, Sketch]:
        losses, state = self.step()
        return losses, sketch(state, self.recipe)

    @functools.cached_property
    def _key(self) -> str:
        """A digest of all that numbers and words depend on; the package's code is always in it."""
        return kept.digest(recipes.to_json(self.recipe), self.path.read_bytes())

    def _tries(self) -> Iterator[tuple[str, Callable[[], tuple[Losses, State]]]]:
        for said, recipe in self._other_settings():
            yield said, functools.partial(self.step, None, recipe)
        name = self.recipe.class_name
        normed = [
            network
            for network, placed in layers.networks(self.recipe).items()
            if any(isinstance(one.layer, BatchNorm) and one.layer.running for one in placed.layers)
        ]
        formulas = changes.reached(self._tree, name, ["train_step"])
        formulas = [one for one in formulas if one not in ("sigmoid", "set_rates")]
        known = set[str]()
        for change in itertools.chain(
            changes.of_step(self._tree, name, self._values, normed),
            changes.of_formulas(self._tree, formulas),
        ):
            text = ast.dump(change.tree)
            if text not in known:
                known.add(text)
                yield change.said, functools.partial(self._changed_step, change)

    def _changed_step(self, change: changes.Change) -> tuple[Losses, State]:
        return self.step(self._code(change.tree))

    def of_outputs(self, wrong: Sequence[str], got: Mapping[str, Array]) -> str | None:
        """The change of a formula that gives all of a learner's wrong outputs of methods."""
        name = self.recipe.class_name
        functions = changes.reached(self._tree, name, wrong)
        known, begun = set[str](), time.process_time()
        for change in changes.of_formulas(self._tree, functions):
            text = ast.dump(change.tree)
            if text in known:
                continue
            if time.process_time() - begun > LONGEST:
                return None
            known.add(text)
            try:
                with np.errstate(all="ignore"):
                    model, _ = self._model(self._code(change.tree), self.recipe, self._drawn)
                    same = all(
                        alike(got.get(one), trace.output(model, plain, self.recipe, one))
                        for one in wrong
                    )
            except Exception:  # the changed text does not run: nobody has its numbers
                continue
            if same:
                return f"{', '.join(wrong)}: {change.said}"
        return None

    @functools.cached_property
    def _drawn(self) -> State:
        return trace.drawn_weights(self.recipe)

    def _other_settings(self) -> Iterator[tuple[str, Recipe]]:
        """The recipe with constants of an optimiser that people take in their place."""
        for name, settings in self.recipe.optimizers.items():
            tries: list[tuple[str, dict[str, Any]]] = []
            if settings.algorithm == "adam":
                usual = [(0.9, 0.999), (0.5, 0.999), (0.0, 0.9), (0.5, 0.9), (0.9, 0.99)]
                usual += [(settings.betas[1], settings.betas[0])]
                right = _pair(settings.betas)
                tries += [
                    (f"betas are {_pair(betas)}, the recipe's {right}", {"betas": betas})
                    for betas in usual
                ]
            if settings.algorithm == "rmsprop":
                tries += [
                    (f"alpha is {a:g}, the recipe's {settings.alpha:g}", {"alpha": a})
                    for a in (0.9, 0.99, 0.999, 0.95, 0.5)
                ]
            rates = {1e-2, 1e-3, 1e-4, 2e-4, 5e-5, settings.lr * 10, settings.lr / 10}
            tries += [
                (f"learning rate is {rate:g}, the recipe's {settings.lr:g}", {"lr": rate})
                for rate in sorted(rates)
            ]
            if int(self._after_one.get(f"{name}.step", 1)) == 1:
                continue  # what it remembers shows its constants: see explain_optimizers
            for said, changed in tries:
                other = msgspec.structs.replace(settings, **changed)
                if other != settings:
                    optimizers = {**self.recipe.optimizers, name: other}
                    recipe = msgspec.structs.replace(self.recipe, optimizers=optimizers)
                    yield f"{name}'s {said}", recipe

    @functools.cached_property
    def _after_one(self) -> State:
        return self.step()[1]

    @functools.cached_property
    def _tree(self) -> ast.Module:
        tree = ast.parse(importlib.util.decode_source(self.path.read_bytes()))
        place = next(i for i, node in enumerate(tree.body) if isinstance(node, ast.ClassDef))
        tree.body[place:place] = changes.helpers()
        return tree

    @functools.cached_property
    def _values(self) -> dict[str, Any]:
        """What stands in the names and the batch of the right step, at its end, by their text."""
        seen: dict[str, Any] = {}
        model, _ = self._model(None, self.recipe)
        given = trace.batch(self.recipe, 1)

        def told(frame: Any, event: str, argument: Any) -> Any:
            if frame.f_code.co_name != "train_step":
                return None
            if event == "return":
                seen.update(frame.f_locals)
            return told

        before = sys.gettrace()
        sys.settrace(told)
        try:
            model.train_step(dict(given))
        finally:
            sys.settrace(before)
        values = {name: value for name, value in seen.items() if isinstance(value, np.ndarray)}
        values |= {f"batch['{name}']": value for name, value in given.items()}
        numbers = {name: value for name, value in vars(model).items() if isinstance(value, float)}
        return values | {f"self.{name}": value for name, value in numbers.items()}

    def _code(self, tree: ast.Module) -> CodeType:
        return compile(tree, str(self.path), "exec", dont_inherit=True)

    @functools.cached_property
    def _right_code(self) -> CodeType:
        return self._code(self._tree)

    @functools.cached_property
    def _first(self) -> State:
        return dict(initial_weights(self.recipe))

    def _model(
        self, code: CodeType | None, recipe: Recipe, state: State | None = None
    ) -> tuple[Any, ModuleType]:
        plain.setup("cpu", recipe.dtype, 1)
        module = script.load(self.path, code or self._right_code)
        model = script.model_class(module, recipe.class_name, self.path)(recipe)
        plain.write(model, recipe, state or self._first)
        return model, module

    def step(
        self, code: CodeType | None = None, recipe: Recipe | None = None
    ) -> tuple[Losses, State]:
        """The first losses, and the state after them. Raises what a changed text raises."""
        model, _ = self._model(code, recipe or self.recipe)
        with np.errstate(all="ignore"):
            losses = trace.losses(model, plain, trace.batch(self.recipe, 1))
        return losses, plain.read(model, self.recipe)

    def epoch(self, got: Trace) -> str | None:
        """Whether a run goes wrong where an epoch begins, in a question in which that matters."""
        steps = range(1, min(len(got.losses), 10) + 1)
        runs = []
        for frozen in (False, True):
            model, _ = self._model(None, self.recipe)
            found = []
            for step in steps:
                batch = trace.batch(self.recipe, step)
                if frozen:
                    batch["epoch"] = np.zeros_like(batch["epoch"])
                found.append(trace.losses(model, plain, batch))
            runs.append(found)
        right, still = runs
        begins, differs = _parting(right, still), _parting(got.losses, right)
        if begins is None or differs is None or (differs - begins) % trace.STEPS_AN_EPOCH:
            return None
        epoch = 1 + (differs - begins) // trace.STEPS_AN_EPOCH
        if epoch < 1:
            return None
        step = epoch * trace.STEPS_AN_EPOCH
        if epoch > 1:
            return (
                f"the runs diverge at step {step}, where batch['epoch'] becomes {epoch}; with a "
                "smaller one all is right. By how much does each constant change with every epoch?"
            )
        where = f"the runs diverge at step {step}, where the second epoch begins"
        if _parting(got.losses, still) is None:
            return f"{where}: nothing changes with batch['epoch'], as it should"
        return f"{where}: does everything change with the epoch that should, and by as much?"

    def terms(self, got: Trace, expected: Trace) -> str | None:
        """What networks with wrong gradients are trained on, where that is a mix of the losses."""
        found, left = [], []
        weights: dict[Key, float] = {}
        for name, settings in self.recipe.optimizers.items():
            once = int(expected.states[1].get(f"{name}.step", 1)) == 1
            if settings.algorithm == "rmsprop" or not once:
                continue
            mine, right = (_gradient(t.states[1], name) for t in (got, expected))
            if not np.isfinite(mine).all():
                return None
            if close(mine, right):
                continue
            fitted = self._fitted(name, mine, weights)
            if fitted is None:
                left += settings.networks
                continue
            own, said = fitted
            if not any(own.values()):
                return None  # it learns nothing at all: the gradients themselves say that better
            weights |= own
            if said:  # else its loss is right, and only what came before it is not
                found.append(f"{' and '.join(settings.networks)}: {said}")
        if found and left:
            found.append(f"{' and '.join(left)}: wrong, too, and no mix of the losses explains it")
        return "; ".join(found) or None

    def _fitted(
        self, optimizer: str, mine: Vector, known: Mapping[Key, float]
    ) -> tuple[dict[Key, float], str] | None:
        """The multiples of all losses whose sum is a gradient, and what is unusual in them."""
        sites = self._sites
        trained = [
            s for s in range(len(sites)) if self._gradient_of(optimizer, {(s, 0): 1.0}, {}).any()
        ]
        if not trained:  # its losses are no functions of their own
            return None
        columns: dict[Key, Vector] = {}

        def column(key: Key) -> Vector:
            if key not in columns:
                columns[key] = self._gradient_of(optimizer, {key: 1.0}, known, trained)
            return columns[key]

        own = [(s, 0) for s in trained]
        tries = [own]
        for s in trained:  # one loss in place of another
            tries += [[*own, (s, j)] for j in range(1, len(sites[s].alternatives))]
        tries.append([(s, j) for s in trained for j in range(min(2, len(sites[s].alternatives)))])
        for keys in tries:
            matrix = np.stack([column(key) for key in keys], axis=1)
            if np.linalg.matrix_rank(matrix) < len(keys):
                continue
            share, *_ = np.linalg.lstsq(matrix, mine, rcond=None)
            if close(matrix @ share, mine):
                values = {key: float(c) for key, c in zip(keys, share, strict=True)}
                return values, self._mix(values)
        return None

    def _mix(self, values: Mapping[Key, float]) -> str:
        """A mix of losses, where it is not each of them once."""
        said, by_site = [], dict[int, dict[int, float]]()
        for (s, j), c in values.items():
            by_site.setdefault(s, {})[j] = 0.0 if abs(c) < 1e-6 else c
        for s, shares in by_site.items():
            site = self._sites[s]
            if math.isclose(shares.get(0, 0.0), 1.0, rel_tol=1e-6) and not any(
                c for j, c in shares.items() if j
            ):
                continue
            parts = [f"{_times(c)}{site.said(j)}" for j, c in sorted(shares.items()) if c]
            if not parts:
                said.append(f"it learns nothing from {site.said(0)}")
            elif len(parts) == 1 and shares.get(0, 0.0) < 0:
                said.append(f"{site.said(0)} has the wrong sign: it counts {shares[0]:.4g} times")
            elif len(parts) == 1 and shares.get(0):
                times = f"counts {shares[0]:.4g} times as much as it should"
                said.append(f"{site.said(0)} {times}{self._constant(shares[0], site.said(0))}")
            else:
                mix = f"it learns from {' + '.join(parts)} in place of {site.said(0)}"
                said.append(mix + _label(site, shares))
        return ", and ".join(said)

    def _constant(self, factor: float, loss: str) -> str:
        """Which of the recipe's constants a factor of a loss is; `l1_weight` is that of l1_loss."""
        for name, value in self.recipe.constants.items():
            if not isinstance(value, float) or value in (0.0, 1.0):
                continue
            own = name.split("_")[0] in loss
            for how, c in (
                ("left out?" if own else "", 1 / value),
                ("counted twice?" if own else "is another loss's weight", value),
            ):
                if how and math.isclose(factor, c, rel_tol=1e-6) and (own or value not in _USUAL):
                    return f" ({name} = {value:g} {how})"
        pixels, batch = math.prod(self.recipe.image_shape), self.recipe.train.batch_size
        for what, c in (
            ("the number of pixels", pixels),
            ("the size of the batch", batch),
            ("all numbers of a batch", pixels * batch),
        ):
            if math.isclose(factor, c, rel_tol=1e-6):
                return f" ({what}: a sum instead of a mean?)"
            if math.isclose(factor, 1 / c, rel_tol=1e-6):
                return f" (1 / {what}: a mean instead of a sum?)"
        return ""

    def _gradient_of(
        self,
        optimizer: str,
        chosen: Mapping[Key, float],
        known: Mapping[Key, float],
        trained: Sequence[int] | None = None,
    ) -> Vector:
        """The gradient that an optimiser gets when only some of its losses teach anything."""

        def weights(site: int, j: int) -> float:
            if (site, j) in chosen:
                return chosen[site, j]
            if trained is None or site in trained:
                return 0.0
            return known.get((site, j), 1.0 if (site, 0) not in known and j == 0 else 0.0)

        _, state = self._listened(weights)
        return _gradient(state, optimizer)

    @functools.cached_property
    def _sites(self) -> list["Site"]:
        sites, _ = self._listened(None)
        functions = {f.function for f in sites}
        for site in sites:
            site.alternatives = [site.function] + [
                f
                for f in sorted(functions, key=lambda f: f.__name__)
                if f is not site.function and site.takes(f)
            ]
            if _arity(site.function) == 2 and site.alike:
                site.alternatives += [_squared, _absolute]
        return sites

    def _listened(self, weights: Callable[[int, int], float] | None) -> tuple[list["Site"], State]:
        """The step with the gradient of every loss weighed; without weights, the right one."""
        model, module = self._model(None, self.recipe)
        given = trace.batch(self.recipe, 1)
        heard: list[tuple[Any, str, Any]] = []
        sites: list[Site] = []
        listening = [True]
        known = None if weights is None else self._sites
        losses = {site.function.__name__ for site in known or ()}
        for name in self.recipe.networks:
            network = getattr(model, name)
            network.__class__ = _heard_class(heard)

        def wrapped(function: FunctionType) -> Callable[..., Any]:
            @functools.wraps(function)
            def called(*arguments: Any) -> Any:
                if not listening[-1]:  # a loss asks another one, or is only tried
                    return function(*arguments)
                before = len(sites)
                listening.append(function.__name__ not in losses)
                try:
                    found = function(*arguments)
                    if not _is_loss(found):
                        return found
                    del sites[before:]  # of those that this one has asked
                    listening[-1] = False
                    return heard_out(found, arguments)
                finally:
                    listening.pop()

            def heard_out(found: Any, arguments: Sequence[Any]) -> Any:
                place = len(sites)
                value, *slopes = found
                names = _names_of(arguments, heard, given)
                site = Site(function, names, _alike(arguments), arguments)
                sites.append(site)
                if weights is None or known is None:
                    return found
                mixed = [np.zeros_like(slope) for slope in slopes]
                for j, other in enumerate(known[place].alternatives):
                    if c := weights(place, j):
                        own = originals.get(other.__name__, other)  # this module's
                        _, *others = own(*arguments)
                        mixed = [m + c * o for m, o in zip(mixed, others, strict=True)]
                return (value, *mixed)

            return called

        originals = {
            name: f
            for name, f in vars(module).items()
            if isinstance(f, FunctionType) and f.__module__ == module.__name__
        }
        for name, function in originals.items():
            setattr(module, name, wrapped(function))
        with np.errstate(all="ignore"):
            model.train_step(dict(given))
        listening.append(False)
        for name in self.recipe.networks:
            getattr(model, name).__class__ = plain.Network
        return sites, plain.read(model, self.recipe)


_USUAL = (0.5, 2.0)
"""Factors that somebody takes without thinking of any constant."""

_PLAYED = kept.Kept("replays", 16 << 20)


def _read(key: str) -> tuple[int, bool, list[tuple[str, Losses, Sketch]]]:
    """What an earlier process has played of the same text; nothing where that is damaged."""
    try:
        tried, over, played = json.loads((_PLAYED.read(key) or {})["table"].tobytes())
        return (
            int(tried),
            bool(over),
            [
                (said, losses, {name: (norm, along) for name, (norm, along) in seen.items()})
                for said, losses, seen in played
            ],
        )
    except (KeyError, TypeError, ValueError):
        return 0, False, []


def _write(key: str, tried: int, over: bool, played: Sequence[tuple[str, Losses, Sketch]]) -> None:
    table = json.dumps([tried, over, played]).encode()
    _PLAYED.write(key, {"table": np.frombuffer(table, np.uint8)})


@dataclass
class Site:
    """A place in the step where a loss is computed."""

    function: Any
    given: str
    alike: bool
    arguments: Sequence[Any] = ()
    alternatives: list[Any] = field(default_factory=list)

    def takes(self, other: Any) -> bool:
        """Whether another loss can be computed here, of the same arrays."""
        if _arity(other) != _arity(self.function):
            return False
        try:
            with np.errstate(all="ignore"):
                slopes = [other(*self.arguments)[1:], self.function(*self.arguments)[1:]]
        except Exception:  # it takes other things in these places: classes, say, and no label
            return False
        return [np.shape(one) for one in slopes[0]] == [np.shape(one) for one in slopes[1]]

    def said(self, j: int) -> str:
        """It in words, with one of the losses that could be taken here."""
        if self.alternatives and self.alternatives[j] is _squared:
            return f"the mean squared difference of {self.given}"
        if self.alternatives and self.alternatives[j] is _absolute:
            return f"the mean absolute difference of {self.given}"
        function = self.alternatives[j] if self.alternatives else self.function
        return f"{function.__name__}({self.given})"


def _label(site: Site, shares: Mapping[int, float]) -> str:
    """What a mix of both cross-entropies means; empty for another mix.

    Against label t it is t · called_real + (1 − t) · called_fake. The slopes of the two differ by 1
    at every logit, so their difference teaches the same whatever the logits are.
    """
    known = {site.alternatives[j].__name__: c for j, c in shares.items() if c}
    if known.keys() != {"called_real", "called_fake"}:
        return ""
    if math.isclose(sum(known.values()), 1.0, rel_tol=1e-6) and min(known.values()) > 0:
        right = int(site.function.__name__ == "called_real")
        return f": is the label {known['called_real']:.4g} instead of {right}?"
    if abs(sum(known.values())) < 1e-6:
        return ", so it learns the same whatever the logits are: are labels and logits swapped?"
    return ""


def _parting(one: Sequence[Losses], other: Sequence[Losses]) -> int | None:
    """The first step in which two runs do not have the same losses; None if they always do."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((step for step, both in pairs if not losses_match(*both)), None)


def _squared(a: Any, b: Any) -> tuple[Any, Any]:
    return np.square(a - b).mean(), 2 * (a - b) / a.size


def _absolute(a: Any, b: Any) -> tuple[Any, Any]:
    return np.abs(a - b).mean(), np.sign(a - b) / a.size


def _heard_class(heard: list[tuple[Any, str, Any]]) -> type:
    class Heard(plain.Network):
        """A network that writes down what it is asked."""

        def __call__(self, x: Any, *masks: Any) -> Any:
            y = super().__call__(x, *masks)
            heard.append((y, self.name, x))
            return y

    return Heard


def _is_loss(found: Any) -> bool:
    return (
        isinstance(found, tuple)
        and len(found) > 1
        and np.ndim(found[0]) == 0
        and all(isinstance(slope, np.ndarray) and slope.ndim for slope in found[1:])
    )


def _alike(arguments: Sequence[Any]) -> bool:
    return len(arguments) == 2 and np.shape(arguments[0]) == np.shape(arguments[1])


def _names_of(
    arguments: Sequence[Any], heard: Sequence[tuple[Any, str, Any]], given: Mapping[str, Any]
) -> str:
    """What a loss was given, in an answer's words: the names of its arrays where it was called."""
    frames = []
    frame = inspect.currentframe()
    while frame is not None:
        frames.append(frame)
        if frame.f_code.co_name == "train_step":
            break
        frame = frame.f_back
    names = []
    for one in arguments:
        name = _name_of(one, frames, given)
        if not name:
            for y, network, x in heard:
                if y is one:
                    asked = _name_of(x, frames, given)
                    name = f"{network}({asked or '…'})"
        names.append(name or "…")
    return ", ".join(names)


def _name_of(array: Any, frames: Sequence[Any], given: Mapping[str, Any]) -> str:
    for frame in frames[:1:-1]:
        if frame.f_code.co_name in ("called", "heard_out", "wrapped"):
            continue
        for name, value in frame.f_locals.items():
            if value is array:
                return str(name)
    return next((name for name, value in given.items() if value is array), "")


def _arity(function: Any) -> int:
    return len(inspect.signature(function).parameters)


def _gradient(state: State, optimizer: str) -> Vector:
    """An optimiser's first moments, as one long vector: its first gradient, but for 1 − β₁."""
    keys = [k for k in sorted(state) if k.startswith(f"{optimizer}.") and k.endswith(".m")]
    return np.concatenate([state[key].ravel() for key in keys])


def _pair(betas: Sequence[float]) -> str:
    return f"({betas[0]:g}, {betas[1]:g})"


def _times(c: float) -> str:
    return "" if math.isclose(c, 1.0, rel_tol=1e-6) else f"{c:.4g} · "
