"""What people get wrong in a question: its `mistakes.toml`, planted in our answers as changed text.

[[mistakes]]
name = "what was done"
stage = "loss"                                # the first stage of a check that it turns red
said = "words that this line must contain"    # they name the mistake
numpy = [["old text", "new text"]]            # made by these changes to reference.py
pytorch = [["old", "new"]]                    # and by these to our answer in PyTorch
keras = "why it cannot be made in Keras, or would be another mistake there"
every = [["old", "new"]]                      # in each framework that is not named itself

`knock verify` plants it in the frameworks and reads what a check says. A check plants it in
reference.py and compares numbers: where a learner's are the same, it says `said`, word for word.

Where `said` cannot name the mistake, `unnamed` says why.

A mistake that turns another stage red in some of the frameworks, or is named in other words there,
has a second table of the same name. One that no answer of the question can make has only reasons.

[[suspects]]
said = "what the check says"                  # a mistake that no answer of ours is tried with
numpy = [["old text", "new text"]]
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.questions import Question

import msgspec

FILE_NAME = "mistakes.toml"

Changes = list[tuple[str, str]]
"""Texts of an answer's source and what takes their place."""


class Mistake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake in some frameworks: the stage that must turn red, and what must then be said."""

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

    def told(self, framework: str) -> Changes | str | None:
        """The changes that make it in a framework, or why it is not made there; None if neither."""
        own: Changes | str | None = getattr(self, framework)
        return self.every if own is None else own

    @property
    def made_in(self) -> list[str]:
        """The frameworks that it is planted in."""
        return [f for f in frameworks.FRAMEWORKS if isinstance(self.told(f), list)]


class Suspect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake that the NumPy answer can make: what a check then says, and the changes."""

    said: str
    numpy: Changes


class _File(msgspec.Struct, forbid_unknown_fields=True):
    mistakes: list[Mistake]
    suspects: list[Suspect] = []


@dataclass(frozen=True)
class Row:
    """One mistake in all frameworks: where it is planted, and why it is not where it is not."""

    name: str
    planted: dict[str, Mistake]
    reasons: dict[str, str]

    @property
    def silent(self) -> list[str]:
        """The frameworks in which it is neither planted nor explained."""
        known = {**self.planted, **self.reasons}
        return [f for f in frameworks.FRAMEWORKS if f not in known]


def file_of(question: Question) -> Path:
    """Where a question's mistakes are."""
    return question.folder / FILE_NAME


def of(question: Question) -> list[Mistake]:
    """A question's mistakes, in the order of its file. Raises UserError where it is none."""
    return _read(file_of(question)).mistakes


def suspects(path: Path) -> list[Suspect]:
    """Those of a file's mistakes that the NumPy answer can make. Raises UserError as `of` does."""
    file = _read(path)
    own = [Suspect(one.said, one.numpy) for one in file.mistakes if one.numpy is not None]
    return own + file.suspects


def _read(path: Path) -> _File:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise UserError(f"no file {path}: write down what people get wrong here") from None
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None


def rows(mistakes: Iterable[Mistake]) -> list[Row]:
    """The mistakes by name, each once."""
    found: dict[str, Row] = {}
    for one in mistakes:
        row = found.setdefault(one.name, Row(one.name, {}, {}))
        for framework in frameworks.FRAMEWORKS:
            told = one.told(framework)
            if isinstance(told, str):
                row.reasons[framework] = told
            elif told:
                row.planted[framework] = one
    return list(found.values())


def plant(source: str, changes: Changes) -> str:
    """An answer's source with a mistake in it. Raises UserError where the two no longer fit."""
    for old, new in changes:
        if old not in source:
            raise UserError(f"the mistake no longer fits the answer: {old!r} is not in it")
        source = source.replace(old, new)
    return source


def plant_once(source: str, changes: Changes) -> str:
    """The same where each change must have one place. Raises UserError where one has several."""
    for old, new in changes:
        if (count := source.count(old)) > 1:
            raise UserError(f"the mistake has {count} places, and must have one: {old!r}")
        source = plant(source, [(old, new)])
    return source
