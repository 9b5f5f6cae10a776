"""The stages of a check, in the order in which a learner gets them right."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from knock import frameworks
from knock import recipe as recipes
from knock.check import (
    explain_mistakes,
    explain_networks,
    explain_numbers,
    explain_optimizers,
    explain_precision,
    explain_training,
    kept_run,
    trace,
)
from knock.check.difference import TOLERANCE, of_losses, of_output, relative
from knock.check.explain_mistakes import Suspects
from knock.check.trace import Trace
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import Adapter, State
from knock.questions import Question, find
from knock.recipe import Recipe, layers
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint

import numpy as np

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Result:
    """One stage of a check: the value reached, the tolerance and, if it failed, why, in words."""

    name: str
    status: Status
    value: float | None
    tolerance: float
    message: str


def check(
    question: Question | str,
    framework: str,
    file: Path | None = None,
    seed: int = 0,
    travel: bool = True,
    abroad: bool = True,
    standard: "Standard | None" = None,
) -> list[Result]:
    """Check our answer in `framework`, or the one in `file`.

    The judge is the question's NumPy answer or, where it has none, our answer in another
    framework. Without `travel` the stage about checkpoints is left out; in it, with `abroad`, a
    checkpoint of ours makes a trip through every installed framework. `standard` has the judge's
    numbers, where they are known already. Raises UserError for an unknown name, a missing
    framework, or a file that does not load.
    """
    question = find(question) if isinstance(question, str) else question
    path = file.resolve() if file else question.answer(framework)
    ours = path == question.answer(framework)
    adapter = frameworks.load(framework)
    standard = standard or Standard.of(question, framework, seed, ours)
    got = trace.take(path, adapter, standard.recipe, right=standard.expected)
    results = standard.judge(got, travel)
    if ours and travel and abroad and not got.errors:
        results[-1] = _travelled(results[-1], question, framework, standard.recipe, got)
    return results


@dataclass(frozen=True)
class Standard:
    """What the answers to a question must agree with: the judge's numbers, computed once.

    It needs no framework: it judges an answer's numbers, wherever they were computed.
    """

    recipe: Recipe
    judge_path: Path
    adapter: Adapter
    expected: Trace
    kept: bool = field(default=False, kw_only=True)
    """Whether numbers that explain a mistake may come from the user's cache folder, too."""

    @classmethod
    def of(cls, question: Question, framework: str, seed: int, ours: bool) -> "Standard":
        """The standard for our answer, or for anybody else's. Raises UserError as `check` does."""
        recipe = recipes.load_check(question.recipe_file, seed=seed)
        adapter, path = _judge(question, framework, ours)
        return cls.by(adapter, path, recipe, kept=adapter is plain)

    @classmethod
    def by(
        cls, adapter: Adapter, judge_path: Path, recipe: Recipe, kept: bool = False
    ) -> "Standard":
        """The standard that a judge sets for a recipe; `adapter` is the judge's.

        With `kept`, of the NumPy judge alone, its long run may come from the user's cache folder.
        """
        if kept:
            expected = kept_run.expected(judge_path, recipe)
        else:
            expected = trace.take(judge_path, adapter, recipe)
        if expected.errors:
            why = next(iter(expected.errors.values())).replace("your code", "that", 1)
            raise UserError(
                f"the recipe of question {recipe.question} and its judge, {judge_path}, do not fit "
                f"each other: {why}"
            )
        return cls(recipe, judge_path, adapter, expected, kept=kept)

    def judge(self, got: Trace, travel: bool = True) -> list[Result]:
        """An answer's numbers, stage by stage: each that is owed must be there, and right.

        Without `travel` the last stage is there only where the answer raised in it.
        """
        recipe, expected = self.recipe, self.expected
        results = list(compared(got, expected, recipe))
        for place, result in enumerate(results):
            if result.status == "failed":
                switches = result.name == "switches"
                named = got.seen.get(result.name) or (
                    self._named_switch(got) if switches else self._named(result, got)
                )
                results[place] = replace(result, message=named or result.message)
        right = all(one.status != "failed" for one in results)
        if (
            right and not got.errors and len(got.also) < len(recipe.also)
        ):  # it would have been tried
            results = [_not_tried(one) if one.name == "switches" else one for one in results]
        if travel or "checkpoint" in got.errors:
            results.append(self._resumed(got))
        return results

    def of_ten_steps(self) -> "Standard":
        """The same for a run that is over after ten steps."""
        return self.up_to(trace.RESUMED_AT)

    def up_to(self, last: int) -> "Standard":
        """The same for a run that is over after this step."""
        right = self.expected
        states = {step: state for step, state in right.states.items() if step <= last}
        return replace(self, expected=replace(right, losses=right.losses[:last], states=states))

    def _resumed(self, got: Trace) -> Result:
        """Does an answer continue from a checkpoint as if it had never stopped?"""
        name, tolerance = "checkpoint", TOLERANCE["checkpoint"]
        if got.errors:
            return _stage(name, got, 0.0, "")
        after = trace.RESUMED_AT if self.recipe.optimizers else 0
        state, resumed = got.states.get(after, {}), got.resumed
        if resumed is None and after in self.expected.states:
            return _stage(name, got, float("inf"), _missing("what it does after a checkpoint"))
        if resumed is None:  # so short a run has no checkpoint
            return _stage(name, got, 0.0, "")
        seen = got.outputs.keys() & resumed.outputs.keys()
        gone = (state.keys() ^ resumed.state.keys()) | (self.expected.outputs.keys() - seen)
        if gone:
            return _stage(name, got, float("inf"), _missing(min(gone)))
        if len(resumed.losses) < min(trace.RESUMED_STEPS, len(got.losses) - after):
            return _stage(name, got, float("inf"), _missing("a step after a checkpoint"))
        for key, array in resumed.state.items():
            if not np.array_equal(array, state[key]):
                message = f"{key} changes when it is written and read again"
                return Result(name, "failed", float("inf"), tolerance, message)
        drift = 0.0  # a run that continues from a file must take the very same steps
        for losses, wanted in zip(resumed.losses, got.losses[after:], strict=False):
            drift = max(drift, of_losses(losses, wanted))
        if drift > tolerance:
            message = (
                "training continues differently after a checkpoint: train_step changes something "
                "that is in no network and no optimiser of the recipe"
            )
            return Result(name, "failed", drift, tolerance, message)
        expected, _ = trace.opened(self.judge_path, self.adapter, self.recipe, state)
        right = self.expected.outputs  # what was wrong before the training still is after it
        worst = max(
            (
                of_output(key, resumed.outputs[key], array, self.recipe)
                for key, array in expected.items()
                if of_output(key, got.outputs[key], right[key], self.recipe) <= TOLERANCE["forward"]
            ),
            default=0.0,
        )
        passed = worst <= tolerance
        message = "" if passed else "something that is in no network changes the outputs"
        return Result(name, "passed" if passed else "failed", worst, tolerance, message)

    def _named_switch(self, got: Trace) -> str | None:
        """What differs with other constants, and the mistake where its numbers show it."""
        for number, one in enumerate(self.recipe.also[: len(got.also)]):
            mine, expected = got.also[number], self.expected.also[number]
            failed = _first_failed(mine, expected, one)
            if failed:
                named = replace(self, recipe=one, expected=expected)._named(failed, mine)
                failed = replace(failed, message=named or failed.message)
                return _of_switch(number, failed, got, self.expected, self.recipe)
        return None

    def _named(self, result: Result, got: Trace) -> str | None:
        """The mistake that made a stage fail, where its numbers show it."""
        expected, recipe = self.expected, self.recipe
        if result.value is None:
            return explain_numbers.of_error(result.message, recipe)
        known = explain_mistakes.of(self.judge_path, self.adapter, recipe, self.kept)
        if result.name == "forward":
            return _output_mistake(known, got, expected, recipe)
        if result.name == "loss" and got.losses:
            return self._named_loss(result, got, known)
        if 1 not in got.states:
            return None
        a, b = got.states[1], expected.states[1]
        if result.name == "gradients":
            gradients = [trace.gradients(recipe, state) for state in (a, b)]
            named = (
                explain_optimizers.of_constants(got, expected, recipe)
                or known.of_gradients(got, expected)
                or explain_numbers.factor_of_gradients(*gradients)
            )
            if named or explain_numbers.untaught(*gradients):  # which says more than any formula
                return named
            return known.of_terms(got, expected) or known.of_step(got, expected)
        if result.name in ("10 steps", "100 steps"):
            return (
                known.of_means(a, b, _means(recipe))
                or (_means_differ(got, expected, recipe)[1] and known.of_step(got, expected))
                or known.of_later(got, expected)
                or explain_optimizers.of_constants(got, expected, recipe)
                or known.of_epoch(got)
            )
        if result.name == "batch norm":
            keys = _statistics(recipe)
            return (
                explain_numbers.of_share(got.states[0], a, b, keys)
                or known.of_statistics(a, b, keys)
                or known.of_step(got, expected)
            )
        return None

    def _named_loss(self, result: Result, got: Trace, known: Suspects) -> str | None:
        """What gives a learner's first losses; what explains more, or costs less, comes first."""
        expected, recipe = self.expected, self.recipe
        if named := known.of_losses(got, expected):
            return named
        if got.again and (named := explain_numbers.of_repetition(got.again, got.losses[0], recipe)):
            return named
        if explain_numbers.factor_of_loss(got, expected, recipe):
            return None
        if 1 in got.states:
            if named := explain_optimizers.of_constants(got, expected, recipe):
                return named
            gradients = [trace.gradients(recipe, one.states[1]) for one in (got, expected)]
            if untaught := explain_numbers.untaught(*gradients):
                return f"{result.message}. {explain_numbers.of_untaught(untaught)}"
            if named := known.of_terms(got, expected):
                return f"{result.message}. {named}"
        if named := known.of_replayed_losses(got):
            return named
        if 1 in got.states and (told := explain_training.only_told(got, expected, recipe)):
            return f"{result.message}. {told}"
        return None


def _output_mistake(known: Suspects, got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """What gives the wrong outputs. A wrong network explains the outputs that depend on it."""
    wrong = [
        n for n, a in expected.outputs.items() if not explain_numbers.close(got.outputs.get(n), a)
    ]
    if not wrong:
        return explain_precision.of_slopes(got, expected, recipe)
    if not got.outputs.keys() >= expected.outputs.keys():
        return None
    if explain_numbers.change_of_output(got.outputs[wrong[0]], expected.outputs[wrong[0]]):
        return None
    if wrong[0] in recipe.networks:
        return explain_networks.explain(wrong[0], got.outputs[wrong[0]], recipe)
    return known.of_outputs(got, expected)


def _judge(question: Question, framework: str, ours: bool) -> tuple[Adapter, Path]:
    if question.reference_file.is_file():
        return plain, question.reference_file
    for name in frameworks.installed():
        if name in question.answered_in and not (ours and name == framework):
            return frameworks.load(name), question.answer(name)
    raise UserError(
        f"nothing to compare {question.name} in {framework} with: install a second framework"
    )


def compared(got: Trace, expected: Trace, recipe: Recipe) -> Iterator[Result]:
    """The stages that compare two traces."""
    value, message = _owed(0, got, expected)
    yield _stage("parameters", got, value, message, _counted(recipe))

    value, message = 0.0, ""
    for name, array in expected.outputs.items():
        if name not in got.outputs:
            value, message = float("inf"), message or _missing(name)
        else:
            value = max(value, of_output(name, got.outputs[name], array, recipe))
            if value > TOLERANCE["forward"] and not message:
                given, last = got.outputs[name], got.channels_last
                message = explain_numbers.of_output(name, given, array, last)
                if given.shape == array.shape and not explain_numbers.has_a_name(given, array):
                    message += explain_numbers.of_place(name, got.blocked, expected.blocked)
    yield _stage("forward", got, value, message)

    if not recipe.optimizers and not got.errors:
        for name in ("loss", "gradients", "10 steps", "100 steps", "batch norm"):
            yield Result(name, "skipped", None, TOLERANCE[name], "nothing is trained here")
        return

    value = _loss_difference(got, expected, 1)
    message = ""
    if value > TOLERANCE["loss"]:
        message = (
            explain_numbers.of_loss(got, expected, recipe) if got.losses else _missing("every loss")
        )
    yield _stage("loss", got, value, message)

    value, message = _owed(1, got, expected)
    if 1 in got.states and not message:
        a, b = (trace.gradients(recipe, t.states[1]) for t in (got, expected))
        value = _state_difference(a, b, list(b))
        if value > TOLERANCE["gradients"]:
            message = explain_numbers.of_gradients(a, b)
    yield _stage("gradients", got, value, message)

    if recipe.also:
        yield _switches(got, expected, recipe)

    pools = _pools(recipe)
    learned = [f"{n.name}.{p.name}" for n in _placed(recipe) for p in n.parameters if p.trainable]
    for steps in (10, 100):
        name = f"{steps} steps"
        value, message = _owed(steps, got, expected)
        if steps == 10 and not message:
            value, message = _means_differ(got, expected, recipe)
        if steps == 10 and not message:
            value, message = _pools_differ(got, expected, recipe)
        if steps in got.states and (not message or value < float("inf")):
            value = max(
                value,
                _loss_difference(got, expected, steps),
                _state_difference(got.states[steps], expected.states[steps], learned + pools),
            )
            if len(got.losses) < min(steps, len(expected.losses)):
                message = _missing("a step's losses")
            elif value > TOLERANCE[name] and not message:
                message = explain_numbers.of_steps(got, expected, recipe)
        yield _stage(name, got, value, message)

    statistics = _statistics(recipe)
    if not statistics:
        yield Result("batch norm", "skipped", None, TOLERANCE["batch norm"], "none here")
    else:
        value, message = 0.0, ""
        for steps in (1, 10, 100):  # an early mistake no longer shows after a hundred
            missing, said = _owed(steps, got, expected)
            value, message = max(value, missing), message or said
            if steps in got.states and not message:
                a, b = got.states[steps], expected.states[steps]
                value = max(value, _state_difference(a, b, statistics))
                if value > TOLERANCE["batch norm"]:
                    message = explain_numbers.of_statistics(a, b, statistics)
        yield _stage("batch norm", got, value, message)


def _owed(step: int, got: Trace, expected: Trace) -> tuple[float, str]:
    """Infinity and why, where the state after a step, or some of it, is not there; else 0."""
    if step not in expected.states:  # a shorter run than most
        return 0.0, ""
    if step not in got.states:
        after = f"after {step} {'step' if step == 1 else 'steps'}" if step else "before any step"
        return float("inf"), _missing(f"the state {after}")
    gone = expected.states[step].keys() - got.states[step].keys()
    return (float("inf"), _missing(min(gone))) if gone else (0.0, "")


def _missing(what: str) -> str:
    return f"{what} is missing"


def _means(recipe: Recipe) -> list[str]:
    """The weights that no optimiser changes, but a step: running means of others."""
    trained = {name for optimizer in recipe.optimizers.values() for name in optimizer.networks}
    return [
        f"{n.name}.{p.name}"
        for n in _placed(recipe)
        for p in n.parameters
        if p.trainable and n.name not in trained
    ]


def _means_differ(got: Trace, expected: Trace, recipe: Recipe) -> tuple[float, str]:
    """How far off running means of weights are after the first step, and which, if too far."""
    means = _means(recipe)
    if not means or 1 not in got.states:
        return 0.0, ""
    a, b = got.states[1], expected.states[1]
    value = _state_difference(a, b, means)
    if value <= TOLERANCE["10 steps"]:
        return value, ""
    key = next(key for key in means if not explain_numbers.close(a[key], b[key]))
    return value, f"{key} differs after the first step: it is no optimiser's, but the mean so far"


def _pools(recipe: Recipe) -> list[str]:
    """What the pools hold."""
    return [f"{name}.{pictures.name}" for name, pictures in layers.pools(recipe).items()]


def _pools_differ(got: Trace, expected: Trace, recipe: Recipe) -> tuple[float, str]:
    """How far off what pools hold is after the first steps, and which, if too far.

    It is made with the weights that the step begins with, so later ones may have other reasons.
    """
    value = 0.0
    for step in (1, 2):
        for key in _pools(recipe) if step in got.states else []:
            held, wanted = got.states[step][key], expected.states[step][key]
            value = max(value, relative(held, wanted))
            if value > TOLERANCE["10 steps"]:
                after = f"after step {step} of {len(wanted)} pictures"
                pairs = enumerate(zip(held, wanted, strict=True))
                other = [str(n) for n, (a, b) in pairs if not explain_numbers.close(a, b)]
                return value, f"{key} {after} holds others at {', '.join(other)}"
    return value, ""


def _switches(got: Trace, expected: Trace, recipe: Recipe) -> Result:
    """The stage in which an answer has other constants: those that switch something on or off."""
    name = "switches"
    if not got.also:
        said = _stage(name, got, 0.0, "")
        why = said.message or "not tried before all above is right"
        return Result(name, "skipped", None, TOLERANCE[name], why)
    value, message = 0.0, ""
    if len(got.also) < len(recipe.also):
        value, message = float("inf"), _missing("a run with other constants")
    for number, one in enumerate(recipe.also[: len(got.also)]):
        mine, wanted = got.also[number], expected.also[number]
        for result in compared(mine, wanted, one):
            value = max(value, result.value or 0.0)
            if result.status == "failed":
                value = float("inf") if result.value is None else value
                message = message or _of_switch(number, result, got, expected, recipe)
    return _stage(name, got, value, message, f"{len(recipe.also)} other sets of constants")


def _not_tried(switches: Result) -> Result:
    said = _missing("a run with other constants")
    return replace(switches, status="failed", value=float("inf"), message=said)


def _first_failed(got: Trace, expected: Trace, recipe: Recipe) -> Result | None:
    return next((r for r in compared(got, expected, recipe) if r.status == "failed"), None)


def _of_switch(number: int, failed: Result, got: Trace, expected: Trace, recipe: Recipe) -> str:
    """What is wrong with the constants of this number, and with which others nothing is."""
    right = [
        recipes.switched(recipe, one)
        for one, mine, wanted in zip(recipe.also, got.also, expected.also, strict=False)
        if not _first_failed(mine, wanted, one)
    ]
    others = f"; right with {'; '.join(right)}" if right else ""
    switched = recipes.switched(recipe, recipe.also[number])
    return f"wrong with {switched}: {failed.name}: {failed.message}{others}"


_ORDER = list(TOLERANCE)


def _stage(name: str, got: Trace, value: float, message: str, note: str = "") -> Result:
    """A stage's result; failed or skipped where the code raised an error in it or before it."""
    tolerance = TOLERANCE[name]
    for stage, error in got.errors.items():
        if stage == name:
            return Result(name, "failed", None, tolerance, error)
        if _ORDER.index(stage) < _ORDER.index(name):
            return Result(name, "skipped", None, tolerance, f"not reached: see {stage}")
    passed = value <= tolerance
    return Result(name, "passed" if passed else "failed", value, tolerance, message or note)


def _placed(recipe: Recipe) -> list[layers.Placed]:
    return list(layers.networks(recipe).values())


def _statistics(recipe: Recipe) -> list[str]:
    """The arrays that no optimiser changes."""
    return [f"{n.name}.{p.name}" for n in _placed(recipe) for p in n.parameters if not p.trainable]


def _counted(recipe: Recipe) -> str:
    arrays = [p for placed in _placed(recipe) for p in placed.parameters]
    return f"{len(arrays)} arrays, {sum(p.size for p in arrays)} numbers"


def _loss_difference(got: Trace, expected: Trace, steps: int) -> float:
    """The largest relative difference of any loss over the first steps; infinite if one is gone."""
    if len(got.losses) < min(steps, len(expected.losses)):
        return float("inf")
    pairs = zip(got.losses[:steps], expected.losses[:steps], strict=False)
    return max((of_losses(a, b) for a, b in pairs), default=0.0)


def _state_difference(got: State, expected: State, keys: list[str]) -> float:
    """The relative difference of some arrays taken together, as one long vector."""
    if any(got[key].shape != expected[key].shape for key in keys):
        return float("inf")
    return relative(*(np.concatenate([s[key].ravel() for key in keys]) for s in (got, expected)))


def _travelled(
    own: Result, question: Question, framework: str, recipe: Recipe, got: Trace
) -> Result:
    """`own`, after the same checkpoint went through a file and every installed framework."""
    if own.status == "failed" or got.resumed is None:
        return own
    after = trace.RESUMED_AT if recipe.optimizers else 0
    state, outputs = got.states[after], got.resumed.outputs
    worst, visited = own.value or 0.0, [framework]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / checkpoint.FILE_NAME
        checkpoint.save(file, Checkpoint(recipe, after, state, framework, {}))
        for name in frameworks.installed():
            if name == framework or name not in question.answered_in:
                continue
            other, script = frameworks.load(name), question.answer(name)
            there, back = trace.opened(script, other, recipe, checkpoint.load(file).state)
            found = (of_output(k, outputs[k], there[k], recipe) for k in outputs)
            worst = max([worst, *found])
            visited.append(name)
            for key, array in back.items():
                if not np.array_equal(array, state[key]):
                    message = f"{key} came back changed from {name}"
                    return replace(own, status="failed", value=float("inf"), message=message)
            checkpoint.save(file, Checkpoint(recipe, after, back, name, {}))
    passed = worst <= own.tolerance
    note = f"through {', '.join(visited)} and back"
    message = note if passed else f"outputs differ after a trip {note}"
    return replace(own, status="passed" if passed else "failed", value=worst, message=message)
