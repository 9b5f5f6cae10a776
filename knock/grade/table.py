"""The results of a grading as a table for a spreadsheet."""

import csv
import io
import re
from collections.abc import Sequence

from knock.check.parts import Part
from knock.grade.grading import Grade
from knock.grade.points import WHOLE, Points, number, reached
from knock.grade.roster import Roster

MARK = "framework"
"""A column of every table: by it a file is known as one that may be written again."""

_NOTHING, _NOT_YET = "handed in nothing", "not graded yet"


def table(grades: Sequence[Grade], worth: Points, roster: Roster | None = None) -> str:
    """One row of CSV per submission, with the points of each part.

    With a roster, its columns come first, its lines keep their order, also those of which nothing
    was handed in, and whoever is not in it comes last. It begins with the mark by which Excel
    recognises UTF-8. Where the roster has semicolons between cells, so has the table, and numbers
    have a decimal comma: a spreadsheet that writes the one reads the other.
    """
    delimiter = roster.delimiter if roster else ","
    comma = delimiter == ";"
    columns = [name for name in worth if name in {part.name for g in grades for part in g.parts}]
    ours = ["student", "question", MARK, "file", *columns, WHOLE, "points", "of", "remarks"]
    made = io.StringIO()
    made.write("\ufeff")
    writer = csv.writer(made, delimiter=delimiter, lineterminator="\n")

    def write(theirs: list[str], cells: list[str]) -> None:
        writer.writerow([*theirs, *(_harmless(cell, delimiter) for cell in cells)])

    def of(one: Grade) -> list[str]:
        return _row(one, columns, worth, comma)

    if roster is None:
        write([], ours)
        for one in grades:
            write([], of(one))
        return made.getvalue()
    taken = {cell.strip().casefold() for cell in roster.head}
    write(roster.head, [f"{name} (knock)" if name in taken else name for name in ours])
    for line, theirs in enumerate(roster.rows):
        mine = [one for one in grades if roster.lines.get(one.student) == line]
        for one in mine:
            write(theirs, of(one))
        if not mine:  # a stopped grading has not come to all that was handed in
            why = _NOT_YET if line in roster.lines.values() else _NOTHING
            write(theirs, [*[""] * (len(ours) - 1), why])
    for one in grades:
        if one.student not in roster.lines:
            *cells, remarks = of(one)
            remarks = "; ".join(filter(None, [f"not in {roster.file}", remarks]))
            write([""] * len(roster.head), [*cells, remarks])
    return made.getvalue()


def _row(one: Grade, columns: list[str], worth: Points, comma: bool) -> list[str]:
    """The cells of a submission; without points where it could not be read."""
    parts = {part.name: part for part in one.parts}
    scores = [_cell(parts.get(name), worth[name]) for name in columns]
    whole, got, of = worth[WHOLE] * one.whole, *reached(one, worth)
    scores += [number(value) if one.parts else "" for value in (whole, got, of)]
    if comma:
        scores = [score.replace(".", ",") for score in scores]
    return [one.student, one.question, one.framework, one.file, *scores, _remarks(one)]


def _cell(part: Part | None, worth: float) -> str:
    return "" if part is None else number(worth if part.status == "done" else 0)


def _remarks(grade: Grade) -> str:
    """What is wrong with a submission, in one text. A reason that all parts share appears once."""
    messages = [
        f"{part.name} {part.status}: {part.message}"
        for part in grade.parts
        if part.status != "done" and part.message != grade.remark
    ]
    return "; ".join(filter(None, [*messages, grade.remark, grade.note]))


_INVISIBLE = r"[\s\"'\u200c\u200d]*"
"""What a spreadsheet may take away before it looks at a cell's first character."""
_BEGINS = "[=+@\uff1d\uff0b\uff0d\uff20-]"
"""What a formula begins with; in Japan, the wide ones do it, too."""


def _harmless(cell: str, delimiter: str) -> str:
    """A cell that no spreadsheet reads as a formula: names and messages come from students.

    It may also be cut at a delimiter of another country, which no quotes protect from: `a;=1+1`.
    """
    others = "".join(one for one in ",;|" if one != delimiter)
    formula = f"((?:^|[{others}]){_INVISIBLE})(?={_BEGINS})"
    return re.sub(formula, r"\1'", " ".join(cell.split()))
