"""How many points each part is worth, from one table."""

from pathlib import Path
from typing import TYPE_CHECKING

from knock.errors import UserError
from knock.questions import all_questions
from knock.recipe import toml

import msgspec

if TYPE_CHECKING:
    from knock.grade.grading import Grade

TABLE = Path(__file__).with_name("points.toml")

WHOLE = "whole"
"""The table's entry for a file that passes as a whole."""

Points = dict[str, float]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    points: dict[str, float]


def reached(grade: "Grade", worth: Points) -> tuple[float, float]:
    """The points of a submission, and the most that it could have; of one that was not read, 0."""
    if not grade.parts:
        return 0.0, 0.0
    parts = sum(worth[part.name] for part in grade.parts if part.status == "done")
    every = sum(worth[part.name] for part in grade.parts)
    return parts + worth[WHOLE] * grade.whole, every + worth[WHOLE]


def number(value: float) -> str:
    """Points as text."""
    return f"{value:g}"


def load(path: Path = TABLE) -> Points:
    """The points of every part of every question. Raises UserError if one is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = msgspec.convert(toml.parse(text), _File).points
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # not text, not TOML, or another table
        raise UserError(f"{path} is not a table of points: {error}") from None
    parts = [part for question in all_questions() for part in question.parts]
    wanted = dict.fromkeys([WHOLE, *parts])
    for part in wanted:
        if part not in found:
            raise UserError(f"{path}: no points for {part!r}; it needs: {', '.join(wanted)}")
    for part, worth in found.items():
        if part not in wanted:
            raise UserError(
                f"{path}: no question has a part {part!r}; it may have: {', '.join(wanted)}"
            )
        if worth < 0:
            raise UserError(f"{path}: the points of {part} must be 0 or more")
    return found
