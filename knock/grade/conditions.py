"""The seeds and sizes that submissions are checked with: the open one, and a teacher's hidden ones.

A hidden one is a TOML file: `seed`, a table `check` with other values for the keys of the recipe's
own, and `questions` where it is not for all of them.
"""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from knock import recipe as recipes
from knock.check.judge import Standard
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.questions import Question, find

import msgspec


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One seed and one set of sizes. `name` is its file's, and empty for the open one."""

    seed: int = 0
    check: dict[str, Any] = {}
    questions: list[str] = []
    name: str = ""

    def fits(self, question: Question) -> bool:
        """Whether it is meant for a question."""
        return not self.questions or question.name in self.questions


def hidden(folder: Path) -> list[Variant]:
    """Those in a folder, by name. Raises UserError where there is none, or one is broken."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            made = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Variant)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:  # no text, no TOML, or other keys
            raise UserError(f"{path} is no hidden check: {error}") from None
        questions = [find(word).name for word in made.questions]
        found.append(msgspec.structs.replace(made, name=path.stem, questions=questions))
    if not found:
        raise UserError(f"no hidden checks in {folder}: it must hold TOML files with a seed each")
    return found


def require(variants: Iterable[Variant], questions: Iterable[Question]) -> None:
    """Let the judge take every one of them. Raises UserError where a question's answer cannot."""
    for variant in variants:
        for question in questions:
            if variant.fits(question):
                try:
                    standard(question, variant)
                except UserError as error:
                    raise UserError(f"hidden check {variant.name}: {error}") from None
                except Exception as error:  # sizes that no network of this question can have
                    raise UserError(
                        f"hidden check {variant.name} does not fit question {question.label}: "
                        f"{error}"
                    ) from None


def standard(question: Question, variant: Variant) -> Standard:
    """What a submission's numbers are compared with. Raises UserError for sizes that no recipe has.

    It is taken once in a process.
    """
    return _standard(question.name, msgspec.json.encode(variant))


@cache
def _standard(name: str, variant: bytes) -> Standard:
    question, known = find(name), msgspec.json.decode(variant, type=Variant)
    recipe = recipes.load_check(question.recipe_file, seed=known.seed, other=known.check)
    if not question.reference_file.is_file():
        raise UserError(f"question {question.label} has no NumPy answer to judge by")
    return Standard.by(plain, question.reference_file, recipe)
