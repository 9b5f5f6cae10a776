"""The plan in a folder of several runs: what they are of, so that `--resume` alone can go on."""

from pathlib import Path
from typing import Protocol, TypeVar

from knock.errors import UserError
from knock.questions import Question

import msgspec


class _Plan(Protocol):
    @property
    def question(self) -> str: ...


_Kind = TypeVar("_Kind", bound=_Plan)


def text(plan: object) -> str:
    """What stands in a plan's file."""
    return msgspec.json.format(msgspec.json.encode(plan)).decode() + "\n"


def read(path: Path, kind: type[_Kind], question: Question, what: str) -> _Kind | None:
    """The plan in a file; None where there is none. `what` is a word for the folder's runs.

    Raises UserError where it cannot be read, or is of another question.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path} cannot be read: it is damaged, or not a {what}'s") from None
    if found.question != question.name:
        raise UserError(f"{path.parent} holds a {what} of {found.question}, not of {question.name}")
    return found
