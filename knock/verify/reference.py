"""A question's NumPy answer, tried with every mistake that is planted in it."""

import functools
import importlib.util
import itertools
import re
from dataclasses import dataclass

from knock import recipe as recipes
from knock.check import trace
from knock.check.trace import Array
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.questions import Question, mistakes
from knock.recipe import Recipe
from knock.scripts.raised import describe

import numpy as np

_EVALUATED = re.compile(r"framework\.evaluate\((?!self\.\w+, )")
"""A network in evaluation mode, in other words than those that a check looks for."""


def known_mistakes(question: Question) -> list[str]:
    """Each fits the NumPy answer and changes its numbers, as no other mistake does."""
    path, table = question.reference_file, question.mistakes_file
    if not path.is_file():
        return []
    try:
        known = mistakes.suspects(table)
        small = recipes.load_check(question.recipe_file)
    except UserError as error:
        return [str(error)]
    source = importlib.util.decode_source(path.read_bytes())
    wrong = [
        f"{path}: write framework.evaluate(self.NETWORK, …): a check looks for these words"
        for _ in _EVALUATED.finditer(source)
    ]
    found: list[tuple[str, Changed]] = []
    for said, changes in [("nothing is wrong", []), *((one.said, one.numpy) for one in known)]:
        try:
            numbers = Changed(question, small, mistakes.plant_once(source, changes))
            numbers.usual  # noqa: B018  # which its code may refuse
        except UserError as error:
            wrong.append(f"{path}, when {said}: {error}")
        except Exception as error:  # the code's own
            wrong.append(f"{path}, when {said}: {describe(error, path)}")
        else:
            found.append((said, numbers))
    for (said, numbers), (other, others) in itertools.combinations(found, 2):
        if said == other:
            wrong.append(f"{table}: two mistakes with the same words: {said}")
        elif _alike(numbers.usual, others.usual) and _alike(numbers.switched, others.switched):
            wrong.append(f"{table}: the same numbers come out when {said}, and when {other}")
    return wrong


@dataclass(frozen=True)
class Changed:
    """The NumPy answer with a text of its own: its numbers, and those with other constants."""

    question: Question
    small: Recipe
    text: str

    @functools.cached_property
    def usual(self) -> dict[str, Array]:
        """With the constants of a check."""
        return _numbers(self.question, self.small, self.text)

    @functools.cached_property
    def switched(self) -> dict[str, Array]:
        """With each other set of constants of a check."""
        return {
            f"{number} {name}": array
            for number, one in enumerate(self.small.also)
            for name, array in _numbers(self.question, one, self.text).items()
        }


def _alike(numbers: dict[str, Array], others: dict[str, Array]) -> bool:
    return all(np.array_equal(a, others[name], equal_nan=True) for name, a in numbers.items())


def _numbers(question: Question, small: Recipe, text: str) -> dict[str, Array]:
    """All numbers of the first step, and the outputs of networks and methods before it.

    Where there are pools, the losses of the next steps, too: the pools must fill first.
    """
    path = question.reference_file
    code = compile(text, str(path), "exec", dont_inherit=True)
    with np.errstate(all="ignore"):  # a mistake may take the root of a negative number
        found = trace.first_outputs(path, plain, small, code)
    if small.optimizers:
        losses, state = trace.first_step(path, plain, small, code)
        found |= state | {f"loss {name}": np.array(loss) for name, loss in losses.items()}
    if small.pools:
        later = trace.first_losses(path, plain, small, code, trace.RESUMED_AT)
        found["later losses"] = np.array([[*one.values()] for one in later])
    return found
