"""A table of numbers, with pictures beside it: printed, drawn, kept in `test.json`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knock.training.pictures import Pixels


@dataclass(frozen=True)
class Table:
    """Numbers by row and column; every row has the same columns. NaN stands for "cannot be said".

    name: its key in `test.json`. title: one line above it. pictures: those that a row is about,
    uint8 N×H×W×C; a row may have none. marks: what is written after a column's name, such as ↓
    where less is better.
    """

    name: str
    title: str
    rows: Mapping[str, Mapping[str, float]]
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

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
        """The table as text: its title, a head, a line for each row, columns aligned."""
        return [self.title, *aligned([["", *self.heads], *self.cells])]

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


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of texts: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        rest = (f"{one:>{width}}" for one, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([f"{first:<{widths[0]}}", *rest]).rstrip())
    return lines


def _rounded(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
