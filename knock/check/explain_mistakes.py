"""Which known mistake, made by the judge, gives the numbers that a learner got?

Mistakes with the batch, and networks in training mode, are possible in every question. Each has
more of its own, as changes to the text of its NumPy answer: see `knock.questions.mistakes`.
"""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from knock import recipe as recipes
from knock.check import explain_numbers, trace
from knock.check.trace import Array, Trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import Adapter, State
from knock.questions import mistakes
from knock.questions.mistakes import Suspect
from knock.recipe import Recipe
from knock.recipe.kinds import BatchNorm


@dataclass(frozen=True)
class Suspects:
    """The numbers of every known mistake, each worked out when it is first asked for.

    `own` are the question's.
    """

    path: Path
    judge: Adapter
    recipe: Recipe
    own: Sequence[Suspect] = ()

    @functools.cached_property
    def planted(self) -> dict[str, CodeType]:
        """The judge's code with each of the question's mistakes in it, by what is said of it.

        Raises UserError where one no longer fits the judge.
        """
        return {
            one.said: self._code(mistakes.plant_once(self._source, one.numpy)) for one in self.own
        }

    @functools.cached_property
    def steps(self) -> dict[str, tuple[explain_numbers.Losses, State]]:
        """Each mistake's losses in the first step, and the state after it; empty if it fails."""
        if not self.recipe.optimizers:
            return {}
        step = functools.partial(trace.first_step, self.path, self.judge, self.recipe)
        return {
            what: step(changed={name: change})
            for what, name, change in explain_numbers.batch_mistakes(self.recipe)
        } | {what: step(code) for what, code in self.planted.items()}

    @functools.cached_property
    def outputs(self) -> dict[str, dict[str, Array]]:
        """What each mistake makes of the networks' and the methods' outputs."""
        outputs = functools.partial(trace.first_outputs, self.path, self.judge, self.recipe)
        made = self.planted | self._in_training_mode()
        return {what: outputs(code) for what, code in made.items()}

    @functools.cached_property
    def _source(self) -> str:
        return importlib.util.decode_source(self.path.read_bytes())

    def _code(self, text: str) -> CodeType:
        return compile(text, str(self.path), "exec", dont_inherit=True)

    def _in_training_mode(self) -> dict[str, CodeType]:
        """The judge with networks that are not in evaluation mode where they should be."""
        if self.judge is not plain:
            return {}
        changes = {
            name: (f"framework.evaluate(self.{name}, ", f"self.{name}(")
            for name, network in self.recipe.networks.items()
            if any(isinstance(one, BatchNorm) and one.running for one in network.layers)
        }
        found = [name for name, (old, _) in changes.items() if old in self._source]
        taken = "batch normalisation takes the batch's statistics instead of the running ones"
        made = {}
        for names in [[name] for name in found] + [found][: len(found) > 1]:
            who = f"the {' and the '.join(names)} {'is' if len(names) == 1 else 'are'}"
            text = mistakes.plant(self._source, [changes[name] for name in names])
            made[f"{who} in training mode: {taken}"] = self._code(text)
        return made

    def of_outputs(self, got: Trace, expected: Trace) -> str | None:
        """Which mistake gives the wrong outputs of methods that were got, if any does."""
        wrong = [
            n
            for n, a in expected.outputs.items()
            if not explain_numbers.close(got.outputs.get(n), a)
        ]
        for what, mistaken in self.outputs.items():
            if all(
                explain_numbers.close(got.outputs.get(name), array)
                for name, array in mistaken.items()
            ):
                return f"{', '.join(wrong)}: {what}"
        return None

    def of_losses(self, got: Trace, expected: Trace) -> str | None:
        """Which mistake gives the first loss that was got, if any does."""
        mistaken = {what: losses for what, (losses, _) in self.steps.items()}
        told = explain_numbers.explanations(mistaken, got.losses[0], expected.losses[0])
        # Behind a batch normalisation, two mistakes with the noise give one and the same loss.
        return f"the loss is what comes out when {', or when '.join(told)}" if told else None

    def of_gradients(self, got: State, expected: State) -> str | None:
        """Which mistake gives the gradients that were got in the first step, if any does."""
        told = functools.partial(trace.gradients, self.recipe)
        return self._of_state("the gradients are", told(got), told(expected), told)

    def of_statistics(self, got: State, expected: State, keys: Sequence[str]) -> str | None:
        """Which mistake gives the running statistics that were got after it, if any does."""

        def told(state: State) -> State:
            return {key: state[key] for key in keys}

        return self._of_state("the running averages are", told(got), told(expected), told)

    def _of_state(
        self, subject: str, got: State, expected: State, told: Callable[[State], State]
    ) -> str | None:
        for what, (losses, state) in self.steps.items():
            mistaken = told(state) if losses else expected
            if all(explain_numbers.close(got[key], g) for key, g in mistaken.items()) and any(
                not explain_numbers.close(g, expected[key]) for key, g in mistaken.items()
            ):
                return f"{subject} what comes out when {what}"
        return None


def of(path: Path, judge: Adapter, recipe: Recipe) -> Suspects:
    """The suspects of a judge; the same ones as long as its file and its question's are the same.

    Raises UserError where the question's mistakes cannot be read.
    """
    hashable: Any = judge  # a module is
    table = path.with_name(mistakes.FILE_NAME)
    known = table if judge is plain and table.is_file() else None
    texts = tuple(one.read_bytes() for one in (path, known) if one)
    return _kept(path, known, texts, hashable, recipes.to_json(recipe))


@functools.lru_cache(maxsize=16)
def _kept(
    path: Path, table: Path | None, texts: tuple[bytes, ...], judge: Any, recipe: str
) -> Suspects:
    own = mistakes.suspects(table) if table else ()
    return Suspects(path, judge, recipes.from_json(recipe), own)
