"""A page for each student, to be given to that student: it says nothing of the others."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from knock.errors import UserError
from knock.files import make_folder, write_atomically
from knock.grade import report
from knock.grade.grading import Grade
from knock.grade.points import Points

_OPTION = "--each"
_LONGEST = 80
"""Characters of a file's name: in UTF-8, each may take three bytes of the 255 that there are."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Names that are no files' on Windows, whatever their ending."""


def pages(folder: Path, students: Iterable[str]) -> dict[str, Path]:
    """The file of each student's page. Makes the folder.

    Raises UserError if it cannot be written to, or a file there is no such page.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; {_OPTION} must name a folder")
    made: dict[str, Path] = {}
    taken: set[str] = set()
    for student in dict.fromkeys(students):
        name = first = _name(student)
        count = 1
        while name.casefold() in taken:  # two that differ in what a file's name cannot have
            count += 1
            name = f"{first}-{count}"
        taken.add(name.casefold())
        path = made[student] = folder / f"{name}.html"
        if path.exists() and not _is_ours(path):
            raise UserError(f"{path} is no page of a grading; choose another {_OPTION}")
    make_folder(folder)
    return made


def write(made: dict[str, Path], grades: Sequence[Grade], worth: Points) -> None:
    """Write the page of each student of whom there is a grade. Raises UserError if that fails."""
    for student, path in made.items():
        mine = [grade for grade in grades if grade.student == student]
        if mine:
            write_atomically(path, report.of_student(student, mine, worth), _OPTION)


def _name(student: str) -> str:
    name = re.sub(r"[^\w.-]+", "_", student).strip("._")[:_LONGEST] or "student"
    return f"{name}_" if _RESERVED.fullmatch(name.partition(".")[0]) else name


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return report.MARK in file.read(400)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
