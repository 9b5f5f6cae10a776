"""What people get wrong in a question: its `mistakes.toml`, which `knock verify` plants.

[[mistakes]]
name = "what was done"
part = "loss"                                 # the first line of a check that it turns red
said = "words that must stand in that line"   # they are to name the mistake
pytorch = [["old text", "new text"]]          # made by these changes to our answer in PyTorch
keras = "why it cannot be made in Keras, or would be another mistake there"
every = [["old", "new"]]                      # in each framework that is not named itself

Where what is said cannot name it, `unnamed` says why.

Where a mistake turns red in another line or with other words in some of the frameworks, it has a
second table of the same name. One that no answer of the question can make has reasons alone.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from knock import frameworks
from knock.errors import UserError
from knock.questions import Question

import msgspec

Changes = list[tuple[str, str]]
"""Texts of an answer's source and what takes their place."""


class Mistake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mistake in some frameworks: what must turn red, and what must then be said."""

    name: str
    part: str = ""
    said: str = ""
    unnamed: str = ""
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


class _File(msgspec.Struct, forbid_unknown_fields=True):
    mistakes: list[Mistake]


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


def of(question: Question) -> list[Mistake]:
    """A question's mistakes, in the order of its file. Raises UserError where it is none."""
    path = question.mistakes_file
    try:
        file = msgspec.toml.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise UserError(f"no file {path}: write down what people get wrong here") from None
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None
    return file.mistakes


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
