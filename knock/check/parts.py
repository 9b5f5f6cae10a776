"""The parts of a check, in the order in which a learner gets them right."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from knock import answers, checkpoint, frameworks, layers
from knock import recipe as recipes
from knock.check import plain, trace, words
from knock.check.trace import Trace
from knock.checkpoint import Checkpoint
from knock.errors import UserError
from knock.frameworks.adapter import Adapter, State
from knock.questions import Question, find
from knock.recipe import Recipe

import numpy as np

Status = Literal["passed", "failed", "skipped"]

TOLERANCE = {
    "parameters": 0.0,
    "forward": 1e-12,
    "loss": 1e-12,
    "gradients": 1e-12,
    "10 steps": 1e-11,
    "100 steps": 1e-8,
    "batch norm": 1e-8,
    "checkpoint": 1e-12,
}
"""The largest relative difference that passes, in float64: what four frameworks reach with room
for another machine's summation order, and far below what any mistake makes."""


@dataclass(frozen=True)
class Result:
    """One part of a check: the value reached, the tolerance, and, when it failed, why, in words."""

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
) -> list[Result]:
    """Check our answer in `framework`, or the one in `file`.

    The judge is the question's plain NumPy answer; where it has none, our answer in another
    framework. Without `travel` the checkpoint's trip through every framework is left out. Raises
    UserError for an unknown name, a missing framework, or a file that does not load.
    """
    question = find(question) if isinstance(question, str) else question
    standard = Standard.of(question, framework, seed, ours=file is None)
    path = file.resolve() if file else question.answer(framework)
    return standard.check(path, travel=travel)


@dataclass(frozen=True)
class Standard:
    """What the answers to a question in a framework are held to: the judge's numbers, taken once.

    `adapter` is the answers', `judge` the judge's.
    """

    question: Question
    adapter: Adapter
    recipe: Recipe
    judge: Adapter
    judge_path: Path
    expected: Trace

    @classmethod
    def of(cls, question: Question, framework: str, seed: int, ours: bool) -> "Standard":
        """The standard for our answer, or for anybody else's. Raises UserError as `check` does."""
        adapter = frameworks.load(framework)
        recipe = recipes.load_check(question.recipe_file, seed=seed)
        judge, judge_path = _judge(question, framework, ours)
        expected = trace.take(judge_path, judge, recipe)
        if expected.errors:
            raise RuntimeError(f"{judge_path}: {expected.errors}")
        return cls(question, adapter, recipe, judge, judge_path, expected)

    def check(self, path: Path, code: CodeType | None = None, travel: bool = True) -> list[Result]:
        """Check the file at `path`, or `code` in its place."""
        adapter, recipe, expected = self.adapter, self.recipe, self.expected
        got = trace.take(path, adapter, recipe, code)
        results = list(compared(got, expected, recipe))
        explain = {"forward": _output_mistake, "loss": _loss_mistake}
        for place, result in enumerate(results):
            if result.name in explain and result.status == "failed" and result.value is not None:
                told = explain[result.name](got, expected, self.judge_path, self.judge, recipe)
                if result.name == "loss":
                    told = told or _another_time(got, adapter, recipe)
                results[place] = replace(result, message=told or result.message)
        if travel:
            results.append(_checkpoint(self.question, adapter, recipe, got))
        return results


def _own_mistakes(judge_path: Path) -> dict[str, dict[str, Any]]:
    """The mistakes that a judge names: what stands in the place of which of its functions."""
    return getattr(answers.load(judge_path), "MISTAKES", {})


def _output_mistake(
    got: Trace, expected: Trace, judge_path: Path, judge: Adapter, recipe: Recipe
) -> str | None:
    """Which of the judge's own mistakes, made by it, gives the wrong outputs that were got, if any.

    A network's output that is wrong explains the rest by itself.
    """
    wrong = [n for n, a in expected.outputs.items() if not words.close(got.outputs.get(n), a)]
    if not wrong or wrong[0] in recipe.networks:
        return None
    for what, replaced in _own_mistakes(judge_path).items():
        mistaken = trace.other_outputs(judge_path, judge, recipe, replaced)
        if all(words.close(got.outputs.get(name), array) for name, array in mistaken.items()):
            return f"{', '.join(wrong)}: {what}"
    return None


def _loss_mistake(
    got: Trace, expected: Trace, judge_path: Path, judge: Adapter, recipe: Recipe
) -> str | None:
    """Which known mistake, made by the judge, gives the first loss that was got, if any.

    Those with the batch are every question's; a judge may name more of its own in `MISTAKES`.
    """
    mistaken = {
        what: trace.first_loss(judge_path, judge, recipe, changed={name: change})
        for what, name, change in words.batch_mistakes(recipe)
    } | {
        what: trace.first_loss(judge_path, judge, recipe, replaced=replaced)
        for what, replaced in _own_mistakes(judge_path).items()
    }
    told = words.explanations(mistaken, got.losses[0], expected.losses[0])
    # Behind a batch normalisation, two mistakes with the noise give one and the same loss.
    return f"the loss is what comes out when {', or when '.join(told)}" if told else None


def _another_time(got: Trace, adapter: Adapter, recipe: Recipe) -> str | None:
    """That the first step, taken again, has another loss: then its numbers are not the batch's."""
    if got.errors:
        return None
    adapter.write(got.model, recipe, got.states[0])
    again = trace.losses(got.model, adapter, trace.batch(recipe, 1))
    return words.of_repetition(again, got.losses[0], recipe)


def _judge(question: Question, framework: str, ours: bool) -> tuple[Adapter, Path]:
    if question.reference_file.is_file():
        return plain, question.reference_file
    for name in frameworks.installed():
        if name in question.answered_in and not (ours and name == framework):
            return frameworks.load(name), question.answer(name)
    raise UserError(
        f"nothing to compare {question.name} in {framework} with: install a second framework"
    )


def relative(got: np.ndarray, expected: np.ndarray) -> float:
    """‖got − expected‖ / ‖expected‖ over all numbers; infinite when a shape or a number is off."""
    if got.shape != expected.shape or not np.isfinite(got).all():
        return float("inf")
    scale = float(np.linalg.norm(expected))
    difference = float(np.linalg.norm(got - expected))
    return difference / scale if scale else difference


def compared(got: Trace, expected: Trace, recipe: Recipe) -> Iterator[Result]:
    """The parts that compare two traces."""
    yield _part("parameters", got, 0.0, "", _counted(recipe))

    value, message = 0.0, ""
    for name, array in expected.outputs.items():
        if name in got.outputs:
            value = max(value, relative(got.outputs[name], array))
            if value > TOLERANCE["forward"] and not message:
                message = words.of_output(name, got.outputs[name], array)
    yield _part("forward", got, value, message)

    if not recipe.optimizers and not got.errors:
        for name in ("loss", "gradients", "10 steps", "100 steps", "batch norm"):
            yield Result(name, "skipped", None, TOLERANCE[name], "nothing is trained here")
        return

    value = _loss_difference(got, expected, 1)
    message = words.of_loss(got, expected, recipe) if value > TOLERANCE["loss"] else ""
    yield _part("loss", got, value, message)

    value, message = 0.0, ""
    if 1 in got.states:
        a, b = (trace.gradients(recipe, t.states[1]) for t in (got, expected))
        value = _state_difference(a, b, list(b))
        message = ""
        if value > TOLERANCE["gradients"]:
            message = words.of_optimizer(got, expected, recipe) or words.of_gradients(a, b)
    yield _part("gradients", got, value, message)

    learned = [f"{n.name}.{p.name}" for n in _placed(recipe) for p in n.parameters if p.trainable]
    for steps in (10, 100):
        name, value, message = f"{steps} steps", 0.0, ""
        if steps in got.states:
            value = max(
                _loss_difference(got, expected, steps),
                _state_difference(got.states[steps], expected.states[steps], learned),
            )
            if value > TOLERANCE[name]:
                message = words.of_steps(got, expected, recipe)
        yield _part(name, got, value, message)

    statistics = [
        f"{n.name}.{p.name}" for n in _placed(recipe) for p in n.parameters if not p.trainable
    ]
    if not statistics:
        yield Result("batch norm", "skipped", None, TOLERANCE["batch norm"], "none here")
    else:
        value, message = 0.0, ""
        for steps in (1, 10, 100):  # what went wrong early on is forgotten after a hundred
            if steps in got.states and not message:
                a, b = got.states[steps], expected.states[steps]
                value = max(value, _state_difference(a, b, statistics))
                if value > TOLERANCE["batch norm"]:
                    message = words.of_statistics(a, b, statistics)
        yield _part("batch norm", got, value, message)


_ORDER = list(TOLERANCE)


def _part(name: str, got: Trace, value: float, message: str, note: str = "") -> Result:
    """A part's result, unless the code raised in it or before it."""
    tolerance = TOLERANCE[name]
    for part, error in got.errors.items():
        if part == name:
            return Result(name, "failed", None, tolerance, error)
        if _ORDER.index(part) < _ORDER.index(name):
            return Result(name, "skipped", None, tolerance, f"not reached: see {part}")
    passed = value <= tolerance
    return Result(name, "passed" if passed else "failed", value, tolerance, message or note)


def _placed(recipe: Recipe) -> list[layers.Placed]:
    return list(layers.networks(recipe).values())


def _counted(recipe: Recipe) -> str:
    arrays = [p for placed in _placed(recipe) for p in placed.parameters]
    return f"{len(arrays)} arrays, {sum(p.size for p in arrays)} numbers"


def _loss_difference(got: Trace, expected: Trace, steps: int) -> float:
    """The largest relative difference of any loss over the first steps."""
    if not got.errors and len(got.losses) < min(steps, len(expected.losses)):
        return float("inf")
    worst = 0.0
    for a, b in zip(got.losses[:steps], expected.losses[:steps], strict=False):
        for name, value in b.items():
            if name not in a or not np.isfinite(a[name]):
                return float("inf")
            worst = max(worst, abs(a[name] - value) / (abs(value) or 1.0))
    return worst


def _state_difference(got: State, expected: State, keys: list[str]) -> float:
    """The relative difference of some arrays taken together, as one long vector."""
    if any(got[key].shape != expected[key].shape for key in keys):
        return float("inf")
    return relative(*(np.concatenate([s[key].ravel() for key in keys]) for s in (got, expected)))


def _checkpoint(question: Question, adapter: Adapter, recipe: Recipe, got: Trace) -> Result:
    """Into a file, into every installed framework's answer, and back: after ten steps, if any."""
    name, tolerance = "checkpoint", TOLERANCE["checkpoint"]
    if got.errors:
        return _part(name, got, 0.0, "")
    after = 10 if recipe.optimizers else 0
    worst, visited = 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / checkpoint.FILE_NAME
        made = Checkpoint(recipe, after, got.states[after], adapter.NAME, adapter.versions())
        checkpoint.save(file, made)
        adapter.write(got.model, recipe, checkpoint.load(file).state)
        own = trace.outputs(got.model, adapter, recipe)
        for other_name in frameworks.installed():
            if other_name not in question.answered_in:
                continue
            other = frameworks.load(other_name)
            other.setup("cpu", recipe.dtype, 1)
            script = question.answer(other_name)
            model = answers.model_class(answers.load(script), recipe.class_name, script)(recipe)
            other.build(model, recipe)
            other.write(model, recipe, checkpoint.load(file).state)
            there = trace.outputs(model, other, recipe)
            worst = max([worst, *(relative(own[key], there[key]) for key in own)])
            checkpoint.save(
                file, Checkpoint(recipe, after, other.read(model, recipe), other_name, {})
            )
            visited.append(other_name)
        adapter.setup("cpu", recipe.dtype, 1)
        adapter.write(got.model, recipe, checkpoint.load(file).state)
        back = adapter.read(got.model, recipe)
        drift = 0.0  # a run that goes on from a file is to take the very same steps
        for step in (11, 12) if after else ():
            told = trace.losses(got.model, adapter, trace.batch(recipe, step))
            for loss, wanted in got.losses[step - 1].items():
                drift = max(drift, abs(told[loss] - wanted) / (abs(wanted) or 1.0))
    changed = [
        key for key, array in back.items() if not np.array_equal(array, got.states[after][key])
    ]
    if changed:
        message = f"{changed[0]} came back changed from {', '.join(visited)}"
        return Result(name, "failed", float("inf"), tolerance, message)
    if drift > tolerance:
        message = (
            "after a checkpoint it trains on differently: something that train_step changes is in "
            "no network and in no optimiser of the recipe"
        )
        return Result(name, "failed", drift, tolerance, message)
    note = f"through {', '.join(visited)} and back"
    message = note if worst <= tolerance else f"outputs differ after a trip {note}"
    return Result(name, "passed" if worst <= tolerance else "failed", worst, tolerance, message)
