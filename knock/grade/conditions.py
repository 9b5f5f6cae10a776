"""The seeds and sizes that submissions are checked with: the open ones, and those kept hidden.

A hidden check is a TOML file: `seed`; a table `check`, whose values replace those of the recipe's
own table `check`; and `questions`, if it is not for all of them.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from knock import recipe as recipes
from knock.check.judge import Standard
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.questions import Question, find
from knock.recipe import toml

import msgspec


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One seed and one set of sizes. `name` is that of its file, and empty for the open one."""

    seed: int = 0
    check: dict[str, Any] = {}
    questions: list[str] = []
    name: str = ""

    def fits(self, question: Question) -> bool:
        """Whether it applies to a question."""
        return not self.questions or question.name in self.questions


def hidden(folder: Path) -> list[Condition]:
    """The hidden ones of a folder, by name. Raises UserError if it has none, or one is broken."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            made = msgspec.convert(toml.parse(path.read_text(encoding="utf-8-sig")), Condition)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:  # not text, not TOML, or unknown keys
            raise UserError(f"{path} is not a hidden check: {error}") from None
        questions = [find(word).name for word in made.questions]
        found.append(msgspec.structs.replace(made, name=path.stem, questions=questions))
    if not found:
        raise UserError(f"no hidden checks in {folder}; put TOML files there, each with a seed")
    return found


def require(conditions: Iterable[Condition], questions: Iterable[Question]) -> None:
    """Run the judge under every condition. Raises UserError if one does not fit its question."""
    for condition in conditions:
        for question in questions:
            if condition.fits(question):
                try:
                    standard(question, condition)
                except UserError as error:
                    raise UserError(f"hidden check {condition.name}: {error}") from None
                except Exception as error:  # sizes that no network of this question can have
                    raise UserError(
                        f"hidden check {condition.name} does not fit question {question.label}: "
                        f"{error}"
                    ) from None


def standard(question: Question, condition: Condition) -> Standard:
    """What a submission's numbers are compared with. Raises UserError for impossible sizes.

    It is computed once per process.
    """
    return _standard(question.name, msgspec.json.encode(condition))


@cache
def _standard(name: str, condition: bytes) -> Standard:
    question, known = find(name), msgspec.json.decode(condition, type=Condition)
    recipe = recipes.load_check(question.recipe_file, seed=known.seed, other=known.check)
    if not question.reference_file.is_file():
        raise UserError(f"question {question.label} has no NumPy answer to judge by")
    return Standard.by(plain, question.reference_file, recipe)
