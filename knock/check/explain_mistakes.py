"""Which known mistake, made by the judge, gives a learner's numbers?

Mistakes with the batch, and networks in training mode, are possible in every question. Each has
others of its own, as changes to the text of its NumPy answer: see `knock.questions.mistakes`.
"""

import functools
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from knock import recipe as recipes
from knock.check import explain_numbers, explain_training, trace
from knock.check.explain_training import Replays, matches, sketch
from knock.check.trace import Array, Trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import Adapter, State
from knock.questions import mistakes
from knock.questions.mistakes import Suspect
from knock.recipe import Recipe
from knock.recipe.kinds import BatchNorm

import numpy as np


@dataclass(frozen=True)
class Suspects:
    """The numbers of every known mistake, computed when they are first needed.

    `own` are the question's mistakes. With `kept`, what is replayed may come from the user's cache
    folder.
    """

    path: Path
    judge: Adapter
    recipe: Recipe
    own: Sequence[Suspect] = ()
    kept: bool = False

    @functools.cached_property
    def replays(self) -> Replays | None:
        """The judge's step with one thing changed; None where no NumPy answer judges."""
        return Replays(self.path, self.recipe, self.kept) if self.judge is plain else None

    @functools.cached_property
    def planted(self) -> dict[str, CodeType]:
        """The judge's code with each of the question's mistakes in it, by the words for it.

        Raises UserError where one no longer fits the judge.
        """
        return {
            one.said: self._code(mistakes.plant_once(self._source, one.numpy)) for one in self.own
        }

    @functools.cached_property
    def steps(self) -> dict[str, tuple[explain_numbers.Losses, State]]:
        """Each mistake's losses in the first step and the state after it; empty if it fails."""
        if not self.recipe.optimizers:
            return {}
        step = functools.partial(trace.first_step, self.path, self.judge, self.recipe)
        return {
            what: step(changed={name: change})
            for what, name, change in explain_numbers.batch_mistakes(self.recipe)
        } | {what: step(code) for what, code in self.planted.items()}

    @functools.cached_property
    def later(self) -> dict[str, list[explain_numbers.Losses]]:
        """The losses of ten steps with each mistake that does not show in the first.

        Pools alone make such mistakes: they must fill before anything is taken out of them.
        """
        if not self.recipe.pools:
            return {}
        first, state = trace.first_step(self.path, self.judge, self.recipe)
        networks = [key for key in state if key.split(".")[0] not in self.recipe.pools]
        return {
            what: trace.first_losses(self.path, self.judge, self.recipe, code, trace.RESUMED_AT)
            for what, code in self.planted.items()
            if explain_training.losses_match(first, self.steps[what][0])
            and all(explain_numbers.close(self.steps[what][1][key], state[key]) for key in networks)
        }

    @functools.cached_property
    def outputs(self) -> dict[str, dict[str, Array]]:
        """The outputs of the networks and methods with each mistake."""
        outputs = functools.partial(trace.first_outputs, self.path, self.judge, self.recipe)
        made = self.planted | self._in_training_mode()
        with np.errstate(all="ignore"):  # a mistake may take the root of a negative number
            return {what: outputs(code) for what, code in made.items()}

    @functools.cached_property
    def _source(self) -> str:
        return importlib.util.decode_source(self.path.read_bytes())

    def _code(self, text: str) -> CodeType:
        return compile(text, str(self.path), "exec", dont_inherit=True)

    def _in_training_mode(self) -> dict[str, CodeType]:
        """The judge with networks in training mode where they should be in evaluation mode."""
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
        """Which mistake gives a learner's wrong outputs of methods, if any does."""
        wrong = [
            n
            for n, a in expected.outputs.items()
            if not explain_numbers.close(got.outputs.get(n), a)
        ]
        for what, mistaken in self.outputs.items():
            if all(
                explain_numbers.alike(got.outputs.get(name), array)
                for name, array in mistaken.items()
            ):
                return f"{', '.join(wrong)}: {what}"
        methods = [name for name in wrong if name in self.recipe.methods]
        if self.replays and methods == wrong:
            return self.replays.of_outputs(wrong, got.outputs)
        return None

    def of_losses(self, got: Trace, expected: Trace) -> str | None:
        """Which known mistakes give all of a learner's first losses, if any does.

        Those that also give the gradients and running averages come before all others.
        """
        mistaken = {what: losses for what, (losses, _) in self.steps.items()}
        found = explain_numbers.explanations(mistaken, got.losses[0], expected.losses[0])
        why = ""
        if found and 1 in got.states:
            mine = sketch(got.states[1], self.recipe)
            all_of_it = [
                what for what in found if matches(mine, sketch(self.steps[what][1], self.recipe))
            ]
            gradients = [trace.gradients(self.recipe, one.states[1]) for one in (got, expected)]
            idle = explain_numbers.untaught(*gradients)
            if idle and not all_of_it:
                return None  # no gradient at all says more than a loss that follows from it
            found = all_of_it or found
            why = f": {explain_numbers.of_idle(idle)}" if idle else ""
        # Where batch normalisation follows the noise, two mistakes with it give the same loss.
        return f"you get this loss when {', or when '.join(found)}{why}" if found else None

    def of_replayed_losses(self, got: Trace) -> str | None:
        """The same for changes that nobody wrote down."""
        if not self.replays:
            return None
        whole = self.replays.whole(got) if 1 in got.states else None
        found = [whole] if whole else self.replays.by_losses(got)[:2]
        return f"you get this loss when {', or when '.join(found)}" if found else None

    def of_step(self, got: Trace, expected: Trace) -> str | None:
        """The change that gives all losses, gradients and averages of the first step, if any."""
        if not self.replays or explain_training.only_told(got, expected, self.recipe):
            return None  # the first step is right
        what = self.replays.whole(got)
        return f"you get these numbers when {what}" if what else None

    def of_terms(self, got: Trace, expected: Trace) -> str | None:
        """What wrongly trained networks are trained on, where it is a mix of the losses."""
        return self.replays.terms(got, expected) if self.replays and 1 in got.states else None

    def of_later(self, got: Trace, expected: Trace) -> str | None:
        """Which mistake that does not show in the first step gives a learner's next losses."""
        for what, losses in self.later.items():
            mine = got.losses[: len(losses)]
            if len(mine) == len(losses) and all(map(explain_training.losses_match, mine, losses)):
                return f"you get these losses when {what}"
        return None

    def of_epoch(self, got: Trace) -> str | None:
        """Whether a run goes wrong where the second epoch begins, and only there."""
        return self.replays.epoch(got) if self.replays else None

    def of_gradients(self, got: Trace, expected: Trace) -> str | None:
        """Which mistake gives a learner's gradients in the first step, if any does.

        One that gives the first losses, too, comes before those that do not.
        """
        mine = got.losses[0] if got.losses else {}

        def gives_others(what: str) -> bool:
            losses, _ = self.steps[what]
            same = explain_numbers.same
            return not all(same(losses.get(name, math.nan), x) for name, x in mine.items())

        chosen = functools.partial(trace.gradients, self.recipe)
        order = sorted(self.steps, key=gives_others)
        return self._of_state("these gradients", got.states[1], expected.states[1], chosen, order)

    def of_statistics(self, got: State, expected: State, keys: Sequence[str]) -> str | None:
        """Which mistake gives a learner's running statistics after it, if any does."""

        def chosen(state: State) -> State:
            return {key: state[key] for key in keys}

        return self._of_state("these running averages", got, expected, chosen)

    def of_means(self, got: State, expected: State, keys: Sequence[str]) -> str | None:
        """Which mistake gives a learner's means of weights after the first step, if any does."""

        def chosen(state: State) -> State:
            return {key: state[key] for key in keys}

        return self._of_state("these means of weights", got, expected, chosen) if keys else None

    def _of_state(
        self,
        numbers: str,
        got: State,
        expected: State,
        chosen: Callable[[State], State],
        order: Sequence[str] = (),
    ) -> str | None:
        """`order` has the mistakes in the order in which they are tried, where that matters."""
        got, expected = chosen(got), chosen(expected)
        for what in order or self.steps:
            losses, state = self.steps[what]
            mistaken = chosen(state) if losses else expected
            if all(explain_numbers.close(got[key], g) for key, g in mistaken.items()) and any(
                not explain_numbers.close(g, expected[key]) for key, g in mistaken.items()
            ):
                return f"you get {numbers} when {what}"
        return None


def of(path: Path, judge: Adapter, recipe: Recipe, kept: bool = False) -> Suspects:
    """The suspects of a judge; kept until its file or its question's file of mistakes changes.

    Raises UserError where the question's mistakes cannot be read.
    """
    hashable: Any = judge  # a module is
    table = path.with_name(mistakes.FILE_NAME)
    known = table if judge is plain and table.is_file() else None
    texts = tuple(one.read_bytes() for one in (path, known) if one)
    return _kept(path, known, texts, hashable, recipes.to_json(recipe), kept)


@functools.lru_cache(maxsize=16)
def _kept(
    path: Path, table: Path | None, texts: tuple[bytes, ...], judge: Any, recipe: str, kept: bool
) -> Suspects:
    own = mistakes.suspects(table) if table else ()
    return Suspects(path, judge, recipes.from_json(recipe), own, kept)
