"""What people get wrong in a question: its `mistakes.toml`, planted in our answers as changed text.

[[mistakes]]
name = "what was done"
stage = "loss"                                # the first stage of a check that it turns red
said = "words that the message must contain"  # they name the mistake
numpy = [["old text", "new text"]]            # these changes to reference.py make it
pytorch = [["old", "new"]]                    # and these to our answer in PyTorch
keras = "why it cannot be made in Keras, or would be another mistake there"
every = [["old", "new"]]                      # in each framework that has no line here

`knock verify` plants it in the frameworks and reads the messages of a check. A check plants it in
reference.py and compares numbers: if a learner's are the same, its message contains all of `said`.

Where `said` cannot name the mistake, `unnamed` says why.

A mistake that turns another stage red in some of the frameworks, or gets other words there, has a
second table of the same name. One that no answer to the question can make has only reasons.

[[suspects]]
said = "what the check says"                  # a mistake that is planted in no answer of ours
numpy = [["old text", "new text"]]
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.questions import Question
from knock.recipe import toml

import msgspec

FILE_NAME = "mistakes.toml"

Changes = list[tuple[str, str]]
"""Texts in an answer's source, each with its replacement."""


class Mistake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake in some frameworks: the stage that must turn red, and what its message must say."""

    name: str
    stage: str = ""
    said: str = ""
    unnamed: str = ""
    numpy: Changes | None = None
    every: Changes | str | None = None
    pytorch: Changes | str | None = None
    tensorflow: Changes | str | None = None
    keras: Changes | str | None = None
    chainer: Changes | str | None = None

    def change_in(self, framework: str) -> Changes | str | None:
        """The changes that make it in a framework, or why it is not made there; None if neither."""
        own: Changes | str | None = getattr(self, framework)
        return self.every if own is None else own

    @property
    def made_in(self) -> list[str]:
        """The frameworks in which it is planted."""
        return [f for f in frameworks.FRAMEWORKS if isinstance(self.change_in(f), list)]


class Suspect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake that the NumPy answer can make: what a check then says, and the changes."""

    said: str
    numpy: Changes


class _File(msgspec.Struct, forbid_unknown_fields=True):
    mistakes: list[Mistake]
    suspects: list[Suspect] = []


@dataclass(frozen=True)
class Row:
    """One mistake in all frameworks: where it is planted, and why it is not planted elsewhere."""

    name: str
    planted: dict[str, Mistake]
    reasons: dict[str, str]

    @property
    def silent(self) -> list[str]:
        """The frameworks in which it is neither planted nor explained."""
        known = {**self.planted, **self.reasons}
        return [f for f in frameworks.FRAMEWORKS if f not in known]


def of(question: Question) -> list[Mistake]:
    """A question's mistakes, in the order of its file. Raises UserError where it is broken."""
    return _read(question.mistakes_file).mistakes


def suspects(path: Path) -> list[Suspect]:
    """Those of a file's mistakes that the NumPy answer can make. Raises UserError as `of` does."""
    file = _read(path)
    own = [Suspect(one.said, one.numpy) for one in file.mistakes if one.numpy is not None]
    return own + file.suspects


def _read(path: Path) -> _File:
    try:
        return msgspec.convert(toml.parse(path.read_text(encoding="utf-8-sig")), _File)
    except FileNotFoundError:
        raise UserError(f"no file {path}: write down what people get wrong here") from None
    except ValueError as error:  # not text, not TOML, or not what it should say
        raise UserError(f"{path}: {error}") from None


def rows(mistakes: Iterable[Mistake]) -> list[Row]:
    """One row for each name of a mistake."""
    found: dict[str, Row] = {}
    for one in mistakes:
        row = found.setdefault(one.name, Row(one.name, {}, {}))
        for framework in frameworks.FRAMEWORKS:
            change = one.change_in(framework)
            if isinstance(change, str):
                row.reasons[framework] = change
            elif change:
                row.planted[framework] = one
    return list(found.values())


def plant(source: str, changes: Changes) -> str:
    """An answer's source with a mistake in it. Raises UserError where a text is not there."""
    for old, new in changes:
        if old not in source:
            raise UserError(f"the mistake no longer fits the answer: {old!r} is not in it")
        source = source.replace(old, new)
    return source


def plant_once(source: str, changes: Changes) -> str:
    """The same for texts that must occur exactly once. Raises UserError where one does not."""
    for old, new in changes:
        if (count := source.count(old)) > 1:
            raise UserError(f"the mistake has {count} places, and must have one: {old!r}")
        source = plant(source, [(old, new)])
    return source
