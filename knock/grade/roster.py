"""A school's list of a class: a table as a spreadsheet writes it, with a line for each student.

It is read as it comes: with commas, semicolons or tabs, in UTF-8, UTF-16 or an old code page. No
column has to have a certain name, since schools and languages differ.
"""

import codecs
import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from knock.errors import UserError
from knock.grade.submissions import Submission

_LARGEST = 16 << 20
"""Bytes."""

_DELIMITERS = ",;\t|"
_HINT = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""A first line by which Excel can be told the delimiter."""

_NO_STUDENT = "Points Possible"
"""What begins a line of Canvas's gradebook that is no student's."""

_MOST_CELLS = 12
"""How many cells of a line may be put together in pairs, as a first and a last name."""

_NUMBER = re.compile(r"\d{4,}")
_NUMBERED = re.compile(r"[^\W\d]+[\s_/-]*[^\W\d]*\s*(\d{4,})")
"""As Moodle's worksheet calls a student: `Participant 1234567`."""


@dataclass(frozen=True)
class Roster:
    """The head of a list, its lines with as many cells, and the line of the file that each is in.

    `delimiter` is what the file has between cells; `lines` gives a student's line by the name that
    submissions have.
    """

    file: str
    head: list[str]
    rows: list[list[str]]
    numbers: list[int]
    delimiter: str
    lines: dict[str, int] = field(default_factory=dict)

    def match(self, submissions: Iterable[Submission]) -> None:
        """Find everybody's line. Raises UserError if a submission could be of two students.

        A submission is of the line in which a cell, or two cells one after the other, are the name
        of its folder, its number on a learning platform, an e-mail address or a number within the
        name. Upper and lower case, spaces and punctuation do not matter.
        """
        index = self._index()
        if first := self._student_in_head(submissions):
            raise UserError(
                f"the first line of {self.file} must name the columns, but it has {first!r}, who "
                "handed in something"
            )
        for one in submissions:
            found = [rows for key in _called(one) if (rows := index.get(key))]
            if not found:
                continue
            both = set.intersection(*found) or set.union(*found)
            if len(both) > 1:
                places = " or ".join(str(self.numbers[row]) for row in sorted(both)[:2])
                raise UserError(
                    f"{one.student} may be line {places} of {self.file}; rename the folder to what "
                    "only one line has, such as an e-mail address"
                )
            self.lines[one.student] = both.pop()

    @property
    def nothing(self) -> list[list[str]]:
        """The lines of those who have handed in nothing."""
        there = set(self.lines.values())
        return [row for number, row in enumerate(self.rows) if number not in there]

    def _index(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for number, row in enumerate(self.rows):
            for key in _keys(row):
                found.setdefault(key, set()).add(number)
        return found

    def _student_in_head(self, submissions: Iterable[Submission]) -> str:
        head = set(_keys(self.head))
        return next((one.student for one in submissions if head & set(_called(one))), "")


def read(path: Path, encoding: str | None = None) -> Roster:
    """Read a list; without an encoding it is found out: UTF-8, UTF-16, else that of Western Europe.

    Raises UserError if it cannot be read, has no lines, or a line with more cells than the first.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _LARGEST or data.startswith(b"PK\3\4") or b"\0" in data and not _is_wide(data):
        raise UserError(f"{path} is no table in CSV; save it as such in your spreadsheet")
    text = _decoded(data, path, encoding)
    shift = 0
    if hint := _HINT.match(text):
        text, delimiter, shift = text[hint.end() :], hint[1], 1
    else:
        head = next(iter(text.splitlines()), "")
        delimiter = max(
            _DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), []))
        )
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(row, reader.line_num + shift) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} is no table in CSV: {error}") from None
    lines = [(row, number) for row, number in lines if any(cell.strip() for cell in row)]
    if len(lines) < 2:
        raise UserError(f"{path} has no students: its first line names the columns")
    (head_row, _), *rest = lines
    rest = [(row, number) for row, number in rest if row[0].strip() != _NO_STUDENT]
    for row, number in rest:
        if any(cell.strip() for cell in row[len(head_row) :]):
            raise UserError(
                f"{path}, line {number}, has {len(row)} cells, but the first line {len(head_row)}"
            )
    rows = [(row + [""] * len(head_row))[: len(head_row)] for row, _ in rest]
    return Roster(str(path), head_row, rows, [number for _, number in rest], delimiter)


def _is_wide(data: bytes) -> bool:
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _decoded(data: bytes, path: Path, encoding: str | None) -> str:
    if encoding is not None:
        tried = [encoding]
    elif _is_wide(data):
        tried = ["utf-16"]
    else:
        tried = ["utf-8-sig", "cp1252"]
    for name in tried:
        try:
            return data.decode(name)
        except LookupError:
            raise UserError(
                f"no encoding {name!r}; cp932 is that of Japan's Windows, say"
            ) from None
        except UnicodeError:
            continue
    raise UserError(f"{path} is not in {tried[-1]}; name its encoding with --roster-encoding")


def _key(text: str) -> str:
    """What counts of a name: its letters and digits."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _keys(row: list[str]) -> Iterator[str]:
    """All by which a line can be found."""
    cells = [cell.strip() for cell in row if cell.strip()]
    for cell in cells:
        yield _key(cell)
        if "@" in cell:
            yield _key(cell.partition("@")[0])
        if numbered := _NUMBERED.fullmatch(cell):
            yield numbered[1]
    for one, other in itertools.permutations(cells[:_MOST_CELLS], 2):
        yield _key(one + other)


def _called(one: Submission) -> set[str]:
    """All that a submission says of its student."""
    name = one.student.removesuffix(f" ({one.number})") if one.number else one.student
    said = {_key(name), *_NUMBER.findall(name)}
    said |= {_key(word) for word in name.split() if "@" in word}
    return {key for key in (*said, one.number) if key}
