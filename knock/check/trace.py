"""What an answer computes from our weights and our batches, as plain numbers."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any

from knock import noise
from knock.check.difference import TOLERANCE, of_losses, of_output, relative
from knock.data.batches import random_draws
from knock.frameworks.adapter import Adapter, State
from knock.frameworks.binding import WrongNetwork
from knock.recipe import Recipe, kinds, layers
from knock.recipe.layers import Placed
from knock.recipe.weights import initial_weights
from knock.scripts import load as script
from knock.scripts.raised import told

import msgspec
import numpy as np
from numpy.typing import NDArray

LOOKED_AT = (1, 2, 10, 100)
"""The steps after which the state is kept."""

RESUMED_AT = 10
"""The step whose state is written back into the trained model, as a checkpoint does it."""

RESUMED_STEPS = 2
"""How many steps are taken from there."""

STEPS_AN_EPOCH = 3
"""So few that what depends on the epoch changes within the first ten steps."""

Array = NDArray[Any]


class WrongAnswer(Exception):
    """An answer does not do what the check asks of it; the message says it to a learner."""


@dataclass(frozen=True)
class Resumed:
    """What a trained model does with the state that it had after `RESUMED_AT` steps.

    `state` is read back at once, `losses` are those of the next `RESUMED_STEPS` steps.
    """

    outputs: dict[str, Array]
    state: State
    losses: list[dict[str, float]]


@dataclass
class Trace:
    """An answer's numbers on a recipe, and in `errors`, by stage, why some of them are missing.

    `outputs` has the output of each network for random input, and of each method, all with channels
    first; `channels_last` says whether the framework has them last. `blocked` has a network's
    output when one of its layers lets nothing pass; `losses` one dict per step; `states` the
    canonical state after some steps; `again` the first step's losses, once more with the first
    weights. `blocked` and `again` only explain a difference: they are left out where a run was
    given the right numbers and has them. `also` has a trace of one step for each of the recipe's
    other sets of constants; none where a run was given the right numbers and lacks them; `seen`
    says, by stage, why a wrong number is wrong where only the run itself can see it. It
    contains no model and no tensor, so it can be judged in another process than the one that ran
    the answer.
    """

    outputs: dict[str, Array] = field(default_factory=dict)
    channels_last: bool = False
    blocked: dict[str, Array] = field(default_factory=dict)
    losses: list[dict[str, float]] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)
    also: list["Trace"] = field(default_factory=list)
    resumed: Resumed | None = None
    seen: dict[str, str] = field(default_factory=dict)


Pause = Callable[[Trace], bool]
"""Sees the numbers as they grow: after the outputs, and after each step that is looked at.

The run ends where it returns True; then only the first loss is computed once more."""


def batch(recipe: Recipe, step: int) -> dict[str, Array]:
    """A batch of pure noise in [-1, 1] with everything that the recipe draws."""
    shape = (recipe.train.pictures, *recipe.image_shape)
    images = noise.uniform(recipe.seed, step, "check/images", shape, -1.0, 1.0)
    labels = np.arange(step, step + shape[0]) % int(recipe.constants.get("classes") or 10)
    made = {
        "images": images.astype(recipe.dtype),
        "labels": labels.astype(np.int64),
        "epoch": np.array(step // STEPS_AN_EPOCH, np.int64),
        "step": np.array(step, np.int64),
        **random_draws(recipe, step, purpose="check"),
    }
    if recipe.pairs:
        targets = noise.uniform(recipe.seed, step, "check/targets", shape, -1.0, 1.0)
        made["targets"] = targets.astype(recipe.dtype)
    if recipe.unpaired:
        others = noise.uniform(recipe.seed, step, "check/others", shape, -1.0, 1.0)
        made["others"] = others.astype(recipe.dtype)
    if recipe.labelled:
        shape = (recipe.train.batch_size, *recipe.image_shape)
        known = noise.uniform(recipe.seed, step, "check/known", shape, -1.0, 1.0)
        made["known_images"] = known.astype(recipe.dtype)
        made["known_labels"] = made["labels"][: shape[0]][::-1].copy()
    return made


def take(
    path: Path,
    adapter: Adapter,
    recipe: Recipe,
    code: CodeType | None = None,
    looked_at: Sequence[int] = (),
    pause: Pause | None = None,
    right: Trace | None = None,
) -> Trace:
    """Run the answer at `path`: forward once, a hundred steps, then on from an earlier state.

    `looked_at` has the steps after which the state is kept, where they are not `LOOKED_AT`; after
    the last one the run ends. With `code`, that is run instead of the file's text. `right` has the
    judge's numbers: what only explains a difference from them is left out where there is none. An
    error that the file raises also ends the run, and is kept in `errors`. Raises UserError when it
    does not load.
    """
    made = load(path, adapter, recipe, code)
    return run(made, path, adapter, recipe, looked_at, pause, right)


def load(
    path: Path, adapter: Adapter, recipe: Recipe, code: CodeType | None = None
) -> Callable[..., Any]:
    """The class of the answer at `path`, ready for `run`. Raises UserError as `take` does."""
    # A graph that is rewritten first rounds otherwise than its code, maybe otherwise each time.
    adapter.setup("cpu", recipe.dtype, 1, as_written=True)
    return script.model_class(script.load(path, code), recipe.class_name, path)


def run(
    made: Callable[..., Any],
    path: Path,
    adapter: Adapter,
    recipe: Recipe,
    looked_at: Sequence[int] = (),
    pause: Pause | None = None,
    right: Trace | None = None,
) -> Trace:
    """What `take` does after loading the file."""
    trace = Trace(channels_last=adapter.CHANNELS_LAST)
    growing = _growing(trace, made, path, adapter, recipe, looked_at or LOOKED_AT, right)
    over = None
    while True:
        try:
            growing.send(over)
        except StopIteration:
            return trace
        over = pause is not None and pause(trace)  # out here its errors are not the learner's


def _growing(
    trace: Trace,
    made: Callable[..., Any],
    path: Path,
    adapter: Adapter,
    recipe: Recipe,
    looked_at: Sequence[int],
    right: Trace | None,
) -> Generator[None, bool | None, None]:
    """Fill a trace, and wait at each `Pause`; it is sent whether the run ends there."""
    stage = "parameters"
    try:
        model = made(recipe)
        adapter.build(model, recipe)
        adapter.write(model, recipe, dict(initial_weights(recipe)))
        trace.states[0] = adapter.read(model, recipe)
        stage = "forward"
        adapter.write(model, recipe, drawn_weights(recipe))
        seen = outputs(model, adapter, recipe)
        if right is None or _differ(seen, right.outputs, recipe):
            if right is not None:
                adapter.write(model, recipe, drawn_weights(recipe))
                again = outputs(model, adapter, recipe)
                trace.seen |= _other_again(seen, again, right.outputs, recipe)
            trace.blocked = blocked(model, adapter, recipe)
        adapter.write(model, recipe, trace.states[0])
        trace.outputs = seen
        if (yield):
            return
        over = False
        if recipe.optimizers:  # else it trains nothing
            stage = "loss"
            for step in range(1, max(looked_at) + 1):
                trace.losses.append(losses(model, adapter, batch(recipe, step)))
                if step in looked_at:
                    trace.states[step] = adapter.read(model, recipe)
                    if step == 1 and (right is None or _begun_well(trace, right, recipe)):
                        trace.also = _switched(made, path, adapter, recipe, right)
                    over = bool((yield))
                stage = "10 steps" if step < 10 else "100 steps"
                if over:
                    break
            wrong = _wrong_first(trace, right, recipe) if right else ""
            if wrong and (kind := _other_kind(model, recipe)):
                trace.seen[wrong] = kind
        stage = "checkpoint"
        if recipe.optimizers and (right is None or _missed(trace, right)):
            adapter.write(model, recipe, trace.states[0])
            trace.again = losses(model, adapter, batch(recipe, 1))
        if not over and (not recipe.optimizers or RESUMED_AT in looked_at):
            trace.resumed = _resumed(model, adapter, recipe, trace)
    except (WrongNetwork, WrongAnswer) as error:
        trace.errors[stage] = str(error)
    except (Exception, SystemExit) as error:  # a file that exits has not passed
        trace.errors[stage] = told(error, path)


def _differ(got: Mapping[str, Array], right: Mapping[str, Array], recipe: Recipe) -> bool:
    """Whether outputs are not the right ones."""
    return got.keys() != right.keys() or any(
        of_output(name, array, right[name], recipe) > TOLERANCE["forward"]
        for name, array in got.items()
    )


def _other_again(seen: State, again: State, right: State, recipe: Recipe) -> dict[str, str]:
    """Which wrong output is another one when it is asked for once more; empty where none is."""
    for name, array in seen.items():
        if (
            name in right
            and np.isfinite(array).all()  # NaN is unlike itself, and for another reason
            and of_output(name, array, right[name], recipe) > TOLERANCE["forward"]
            and of_output(name, again[name], array, recipe) > TOLERANCE["forward"]
        ):
            said = (
                f"{name} gives other numbers when it is asked a second time, with the same weights "
                "and the same input: does it draw random numbers itself? It needs only what it is "
                "given"
            )
            return {"forward": said}
    return {}


def _wrong_first(trace: Trace, right: Trace, recipe: Recipe) -> str:
    """The stage at which a first step is wrong, if it is; empty where it is right."""
    if _missed(trace, right):
        return "loss"
    if 1 not in trace.states or 1 not in right.states:
        return ""
    slopes, wanted = (gradients(recipe, one.states[1]) for one in (trace, right))
    off = any(relative(slopes[key], g) > TOLERANCE["gradients"] for key, g in wanted.items())
    return "gradients" if off else ""


_TITLES = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}
_OTHERS = ("adagrad", "adadelta", "adafactor", "lion", "ftrl", "rprop", "lbfgs")


def _other_kind(model: Any, recipe: Recipe) -> str:
    """Which optimiser's class is called as one of another kind than the recipe's; empty if none."""
    for name, settings in recipe.optimizers.items():
        kind = type(getattr(model, name, None)).__name__
        own = settings.algorithm in kind.lower()
        if not own and any(word in kind.lower() for word in [*_TITLES, *_OTHERS]):
            return f"{name} is {kind}, the recipe's is {_TITLES[settings.algorithm]}"
    return ""


def _begun_well(trace: Trace, right: Trace, recipe: Recipe) -> bool:
    """Whether all is right up to what the first step leaves in the networks."""
    got, wanted = trace.states[1], right.states[1]
    slopes, right_slopes = (gradients(recipe, one) for one in (got, wanted))
    networks = [key for key in wanted if key.split(".")[0] in recipe.networks]
    return (
        not _differ(trace.outputs, right.outputs, recipe)
        and not _missed(trace, right)
        and all(relative(slopes[k], g) <= TOLERANCE["10 steps"] for k, g in right_slopes.items())
        and all(relative(got[k], wanted[k]) <= TOLERANCE["100 steps"] for k in networks)
    )


def _switched(
    made: Callable[..., Any], path: Path, adapter: Adapter, recipe: Recipe, right: Trace | None
) -> list[Trace]:
    """A trace of one step for each of the recipe's other sets of constants."""
    with adapter.eagerly():
        return [
            run(made, path, adapter, one, (1,), right=right.also[number] if right else None)
            for number, one in enumerate(recipe.also)
        ]


def _missed(trace: Trace, right: Trace) -> bool:
    """Whether the first losses are not the right ones."""
    return of_losses(trace.losses[0], right.losses[0]) > TOLERANCE["loss"]


def _resumed(model: Any, adapter: Adapter, recipe: Recipe, trace: Trace) -> Resumed:
    """Continue from the state after `RESUMED_AT` steps; from the first where nothing is trained."""
    after = RESUMED_AT if recipe.optimizers else 0
    adapter.write(model, recipe, trace.states[after])
    seen, back = outputs(model, adapter, recipe), adapter.read(model, recipe)
    steps = range(after + 1, after + 1 + RESUMED_STEPS) if after else ()
    return Resumed(seen, back, [losses(model, adapter, batch(recipe, step)) for step in steps])


def first_step(
    path: Path,
    adapter: Adapter,
    recipe: Recipe,
    code: CodeType | None = None,
    changed: Mapping[str, Callable[[Array], Array]] = MappingProxyType({}),
) -> tuple[dict[str, float], State]:
    """The losses of an answer's first step, and the state after it.

    With `code`, that is run instead of the file's text. `changed` has a change for some of the
    batch's entries; both results are empty where the networks cannot take the changed ones.
    """
    model = _model(path, adapter, recipe, code)
    given = batch(recipe, 1)
    for name, change in changed.items():
        given[name] = np.ascontiguousarray(change(given[name]))
    try:
        with np.errstate(all="ignore"):  # a mistake may take the root of a negative number
            found = losses(model, adapter, given)
    except Exception:
        if not changed:
            raise
        return {}, {}  # pictures of another shape need not fit the networks
    return found, adapter.read(model, recipe)


def first_losses(
    path: Path, adapter: Adapter, recipe: Recipe, code: CodeType | None, steps: int
) -> list[dict[str, float]]:
    """The losses of an answer's first steps; `code` as in `first_step`."""
    model = _model(path, adapter, recipe, code)
    return [losses(model, adapter, batch(recipe, step)) for step in range(1, steps + 1)]


def losses(model: Any, adapter: Adapter, given: dict[str, Array]) -> dict[str, float]:
    """The losses of a training step on a batch. Raises WrongAnswer where they are none."""
    found = model.train_step(adapter.to_device(given))
    if not isinstance(found, Mapping):
        raise WrongAnswer(f"train_step must return a dict of losses, not {_kind(found)}")
    return {name: _number(name, value, adapter) for name, value in found.items()}


def _number(name: str, value: Any, adapter: Adapter) -> float:
    """A loss as a number."""
    try:
        array = np.asarray(adapter.to_numpy(value))
        number = float(array.item() if array.size == 1 else array)
    except (TypeError, ValueError, AttributeError):
        shape = getattr(value, "shape", None)
        of = "" if shape is None else f" of shape {tuple(shape)}"
        raise WrongAnswer(
            f"train_step must return each loss as one number; {name!r} is {_kind(value)}{of}"
        ) from None
    return number


def _kind(value: object) -> str:
    """What something is, for a message."""
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0] in 'AEIOaeiou' else 'a'} {kind}"


def first_outputs(
    path: Path, adapter: Adapter, recipe: Recipe, code: CodeType | None = None
) -> dict[str, Array]:
    """What `outputs` gives for an answer with `drawn_weights`; `code` as in `first_step`."""
    model = _model(path, adapter, recipe, code, drawn_weights(recipe))
    return outputs(model, adapter, recipe)


def opened(
    path: Path, adapter: Adapter, recipe: Recipe, state: State
) -> tuple[dict[str, Array], State]:
    """What `outputs` gives for an answer that a state is written into, and the state read back."""
    model = _model(path, adapter, recipe, state=state)
    return outputs(model, adapter, recipe), adapter.read(model, recipe)


def _model(
    path: Path,
    adapter: Adapter,
    recipe: Recipe,
    code: CodeType | None = None,
    state: State | None = None,
) -> Any:
    """The answer's model with the first weights, or with `state`."""
    model = load(path, adapter, recipe, code)(recipe)
    adapter.build(model, recipe)
    adapter.write(model, recipe, state or dict(initial_weights(recipe)))
    return model


def drawn_weights(recipe: Recipe) -> State:
    """The first weights, with numbers in place of those arrays that begin as zeros or ones.

    Else a batch normalisation's γ, β and running averages would change next to nothing: one that is
    never called, or that stands after the ReLU, would hardly show in an output.
    """
    first = dict(initial_weights(recipe))
    for key, array in first.items():
        if array.size and (array == array.flat[0]).all() and array.flat[0] in (0.0, 1.0):
            low, high = (0.5, 1.5) if array.flat[0] else (-1.0, 1.0)
            first[key] = noise.uniform(recipe.seed, 0, f"check/drawn/{key}", array.shape, low, high)
    return first


def outputs(model: Any, adapter: Adapter, recipe: Recipe) -> dict[str, Array]:
    """Every network's output on noise of its input's shape, then every method's on a batch."""
    found = {}
    once = asked(recipe)
    given = adapter.to_device(once)
    for name, placed in layers.networks(recipe).items():
        arrays = [shown(recipe, placed), *beside(recipe, placed, once)]
        tensors = adapter.to_device({str(number): one for number, one in enumerate(arrays)})
        made = adapter.evaluate(getattr(model, name), *tensors.values())
        found[name] = _array(name, made, adapter)
    for name, arguments in recipe.methods.items():
        method = getattr(model, name, None)
        if not callable(method):
            title = type(model).__name__
            raise WrongAnswer(f"{title} has no method {name}({', '.join(arguments)})")
        found[name] = _array(name, method(*(given[a] for a in arguments)), adapter)
    return found


def output(model: Any, adapter: Adapter, recipe: Recipe, method: str) -> Array:
    """The same of a single method."""
    given = adapter.to_device(asked(recipe))
    value = getattr(model, method)(*(given[a] for a in recipe.methods[method]))
    return _array(method, value, adapter)


def _array(name: str, value: Any, adapter: Adapter) -> Array:
    """An output as an array."""
    if isinstance(value, list | tuple) and all(np.ndim(one) == 0 for one in value):
        return np.array([adapter.to_numpy(one) for one in value])  # several numbers
    if value is None or isinstance(value, list | tuple | Mapping):
        raise WrongAnswer(f"{name} must return one tensor, not {_kind(value)}")
    return adapter.to_numpy(value)


_LED_AROUND = kinds.Concat | kinds.Restore | kinds.Dropout | kinds.VirtualNorm

_CARRY = (kinds.Linear, kinds.Conv, kinds.TransposedConv, kinds.MaskedConv)
"""The layers whose weights the whole input of a network must pass, where it has no skips."""


def blocked(model: Any, adapter: Adapter, recipe: Recipe) -> dict[str, Array]:
    """Each network's output when one of its layers lets nothing pass, by `network.layer`.

    That layer's weight is 0, so the output depends only on biases and running averages, and on the
    layers after it: it is wrong only where one of these is. Networks with skips, which lead around
    a layer, have no entry, nor has a spectral layer, whose weight would be 0 / 0. The model has
    other weights afterwards.
    """
    first = drawn_weights(recipe)
    found = {}
    for name, placed in layers.networks(recipe).items():
        if any(isinstance(one.layer, _LED_AROUND) for one in placed.layers):
            continue
        tensor = adapter.to_device({"x": shown(recipe, placed)})["x"]
        for one in placed.layers:
            if isinstance(one.layer, _CARRY) and not getattr(one.layer, "spectral", False):
                key = f"{name}.{one.layer.name}"
                weight = {f"{key}.weight": np.zeros_like(first[f"{key}.weight"])}
                adapter.write(model, recipe, {**first, **weight})
                found[key] = adapter.to_numpy(adapter.evaluate(getattr(model, name), tensor))
    return found


def shown(recipe: Recipe, placed: Placed) -> Array:
    """The input of a network in a check: noise of the shape that it takes."""
    shape = (recipe.train.batch_size, *placed.input)
    drawn = noise.uniform(recipe.seed, 0, f"check/{placed.name}", shape, -1.0, 1.0)
    return drawn.astype(recipe.dtype)


def beside(recipe: Recipe, placed: Placed, given: Mapping[str, Array]) -> list[Array]:
    """What a network is given in a check after its input.

    Of the batch that is `asked`, its masks, and then its reference; then noise for what it takes
    beside its input.
    """
    masks = [one.layer.of for one in placed.layers if isinstance(one.layer, kinds.Dropout)]
    virtual = [one.layer.of for one in placed.layers if isinstance(one.layer, kinds.VirtualNorm)]
    noises = [
        noise.uniform(recipe.seed, 0, f"check/{placed.name}/{name}", (len(given["images"]), *shape))
        for name, shape in placed.beside.items()
    ]
    return [
        *(given[name] for name in [*masks, *dict.fromkeys(virtual)]),
        *(one.astype(recipe.dtype) for one in noises),
    ]


def asked(recipe: Recipe) -> dict[str, Array]:
    """The batch that the networks and methods get: that of one round."""
    once = msgspec.structs.replace(recipe.train, rounds=1)
    return batch(msgspec.structs.replace(recipe, train=once), 0)


def gradients(recipe: Recipe, state: State) -> State:
    """The first step's gradients, read back from what the optimisers remember after it.

    Adam's first moment is then (1−β₁)·g and SGD's velocity is g; RMSprop keeps only (1−α)·g², which
    gives |g|. This works for every answer, whatever its own code looks like.
    """
    found = {}
    for name, settings in recipe.optimizers.items():
        for key, array in state.items():
            if not key.startswith(f"{name}.") or key == f"{name}.step":
                continue
            weight, _, slot = key.removeprefix(f"{name}.").rpartition(".")
            if settings.algorithm == "adam" and slot == "m":
                found[weight] = array / (1.0 - settings.betas[0])
            elif settings.algorithm == "rmsprop":
                found[weight] = np.sqrt(array / (1.0 - settings.alpha))
            elif settings.algorithm == "sgd":
                found[weight] = array
    return found
