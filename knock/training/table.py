"""A table of numbers, with pictures beside it: printed, drawn, kept in `test.json`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knock.training.pictures import Pixels

BETTER = "*"
"""Marks a number that is better than another row's."""


@dataclass(frozen=True)
class Table:
    """Numbers by row and column; every row has the same columns. NaN stands for "cannot be said".

    name: its key in `test.json`. title: one line above it. pictures: those that a row is about,
    uint8 N×H×W×C; a row may have none. marks: ↑ or ↓ for a column where more or less is better.
    than: a row; numbers that are better than its own are marked.
    """

    name: str
    title: str
    rows: Mapping[str, Mapping[str, float]]
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    than: str = ""

    def is_better(self, row: str, column: str) -> bool:
        """Whether a number is better than that of the row `than`, as far as it is shown."""
        if self.than not in self.rows:
            return False
        mine, other = self.rows[row][column], self.rows[self.than][column]
        if written(mine) == written(other):
            return False
        return {"↑": mine > other, "↓": mine < other}.get(self.marks.get(column, ""), False)

    @property
    def note(self) -> str:
        """What the mark means; empty where nothing is marked."""
        return f"{BETTER} better than {self.than}" if self.than in self.rows else ""

    @property
    def heads(self) -> list[str]:
        """The columns' names, with their marks."""
        first: Mapping[str, float] = next(iter(self.rows.values()), {})
        return [f"{name} {self.marks[name]}" if self.marks.get(name) else name for name in first]

    @property
    def cells(self) -> list[list[str]]:
        """A list for each row: its name, then its numbers, as they are shown."""
        return [
            [name, *(written(value) for value in numbers.values())]
            for name, numbers in self.rows.items()
        ]

    def lines(self) -> list[str]:
        """The table as text: its title, a head, a line for each row, columns aligned, the note."""
        rows = [
            [name, *(f"{written(v)}{self._mark(name, column)}" for column, v in numbers.items())]
            for name, numbers in self.rows.items()
        ]
        below = [self.note] if self.note else []
        heads = [f"{head} " if self.note else head for head in self.heads]
        return [self.title, *aligned([["", *heads], *rows]), *below]

    def _mark(self, row: str, column: str) -> str:
        """What is written after a number: all have something, so that they stay aligned."""
        if not self.note:
            return ""
        return BETTER if self.is_better(row, column) else " "

    def numbers(self) -> dict[str, dict[str, float | None]]:
        """For JSON, which has no NaN, with six digits."""
        return {
            name: {key: _rounded(value) for key, value in row.items()}
            for name, row in self.rows.items()
        }


def written(value: float) -> str:
    """A number as a table shows it: three digits, or all of those before the point."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "–"
    if abs(value) < 0.0005:  # or it could be -0.000
        return "0.000"
    return f"{value:.{min(3, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"


def aligned(cells: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    """Lines of a table of texts: the first `words` columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = "<" * words + ">" * (len(widths) - words)

    def line(row: Sequence[str]) -> str:
        padded = (f"{c:{side}{width}}" for c, side, width in zip(row, sides, widths, strict=True))
        return "  ".join(padded).rstrip()

    return [line(row) for row in cells]


def _rounded(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
