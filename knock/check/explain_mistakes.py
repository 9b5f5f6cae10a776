"""Which known mistake, made by the judge, gives the numbers that a learner got?

Those with the batch are every question's; a judge names more of its own in `MISTAKES`, with what
then stands in the place of which of its functions.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from knock import recipe as recipes
from knock.check import explain_numbers, trace
from knock.check.trace import Array, Trace
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import Adapter, State
from knock.recipe import Recipe
from knock.recipe.kinds import BatchNorm
from knock.scripts import load as answers


@dataclass(frozen=True)
class Suspects:
    """The numbers of every known mistake, each worked out when it is first asked for."""

    path: Path
    judge: Adapter
    recipe: Recipe

    @functools.cached_property
    def own(self) -> dict[str, Mapping[str, Any]]:
        """The mistakes that the judge names."""
        return getattr(answers.load(self.path), "MISTAKES", {})

    @functools.cached_property
    def steps(self) -> dict[str, tuple[explain_numbers.Losses, State]]:
        """Each mistake's losses in the first step, and the state after it; empty if it fails."""
        step = functools.partial(trace.first_step, self.path, self.judge, self.recipe)
        return {
            what: step(changed={name: change})
            for what, name, change in explain_numbers.batch_mistakes(self.recipe)
        } | {what: step(replaced=replaced) for what, replaced in self.own.items()}

    @functools.cached_property
    def outputs(self) -> dict[str, dict[str, Array]]:
        """What each mistake makes of the networks' and the methods' outputs."""
        made = self.own | (_in_training_mode(self.recipe) if self.judge is plain else {})
        return {
            what: trace.other_outputs(self.path, self.judge, self.recipe, replaced)
            for what, replaced in made.items()
        }

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


def _in_training_mode(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """What it looks like when networks are not in evaluation mode where they should be."""
    normalised = [
        name
        for name, network in recipe.networks.items()
        if any(isinstance(one, BatchNorm) and one.running for one in network.layers)
    ]

    def instead(names: Sequence[str]) -> dict[str, Any]:
        def evaluate(network: plain.Network, *given: Array) -> Array:
            chosen = (
                network if network.name in names else functools.partial(plain.evaluate, network)
            )
            output: Array = chosen(*given)
            return output

        return {"framework": SimpleNamespace(**{**vars(plain), "evaluate": evaluate})}

    each = [[name] for name in normalised] + [normalised][: len(normalised) > 1]
    taken = "batch normalisation takes the batch's statistics instead of the running ones"
    return {
        f"the {' and the '.join(names)} {'is' if len(names) == 1 else 'are'} in training mode: "
        f"{taken}": instead(names)
        for names in each
    }


def of(path: Path, judge: Adapter, recipe: Recipe) -> Suspects:
    """The suspects of a judge; the same ones as long as its file is the same."""
    hashable: Any = judge  # a module is
    return _kept(path, path.read_bytes(), hashable, recipes.to_json(recipe))


@functools.lru_cache(maxsize=16)
def _kept(path: Path, text: bytes, judge: Any, recipe: str) -> Suspects:
    return Suspects(path, judge, recipes.from_json(recipe))
