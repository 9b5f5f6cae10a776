"""One grading: from a folder of submissions to what each has reached, a table and a page."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks, paths
from knock.errors import UserError, tell
from knock.files import write_atomically
from knock.grade import conditions, report, sandbox, schedule, submissions
from knock.grade import points as tables
from knock.grade.conditions import Variant
from knock.grade.grading import Grade, Settings
from knock.grade.journal import Record
from knock.grade.points import Points
from knock.questions import find


@dataclass(frozen=True)
class Options:
    """What `knock grade` is told. `seconds` of computing and `memory` in MiB are for each part."""

    folder: Path
    out: Path
    page: Path | None
    hidden: Path | None
    points: Path | None
    question: str | None
    framework: str | None
    seed: int
    jobs: int | None
    dask: str | None
    seconds: int
    memory: int


def grade(told: Options) -> int:
    """Grade all submissions in a folder. Raises UserError before any is run, where it can."""
    worth = tables.load(told.points) if told.points else tables.load()
    question = find(told.question) if told.question else None
    framework = frameworks.find(told.framework).name if told.framework else None
    if told.seconds < 1 or told.memory < 1 or (told.jobs is not None and told.jobs < 1):
        raise UserError("--seconds, --memory and --jobs must be above 0")
    if told.out.suffix != ".csv":
        raise UserError(f"--out must name a .csv, not {told.out}")
    found, ignored = submissions.find(told.folder, question, framework)
    wanted = {one.question: find(one.question) for one in found}
    for one in found:
        wanted[one.question].framework(one.framework)  # is there an answer to judge it by?
    if told.dask is None:  # a cluster's workers have their own
        for name in {one.framework for one in found}:
            if frameworks.FRAMEWORKS[name].missing:
                raise UserError(frameworks.missing_line(frameworks.FRAMEWORKS[name]))
    hidden = conditions.hidden(told.hidden) if told.hidden else []
    settings = Settings(told.seconds, told.memory << 20, [Variant(told.seed), *hidden])
    conditions.require(hidden, wanted.values())
    for line in (*ignored, *_open(told.folder)):
        tell(line)
    with closing(Record(told.out.with_suffix(".jsonl"), settings, schedule.version())) as record:
        grades = {one: known for one in found if (known := record.of(one))}
        left = [one for one in found if one not in grades]
        if grades:
            print(f"{len(grades)} of {len(found)} are graded already")
        begun = time.monotonic()
        if told.dask:
            coming = schedule.on_cluster(left, settings, told.dask)
        else:
            coming = schedule.here(left, settings, told.jobs or os.cpu_count() or 1)
        try:
            for submission, grade in coming:
                grades[submission] = grade
                record.add(submission, grade)
                print(_line(grade, worth), flush=True)
        finally:  # what there is so far is a table, too
            ordered = [grades[one] for one in found if one in grades]
            write_atomically(told.out, report.table(ordered, worth))
            if told.page:
                write_atomically(told.page, report.document(ordered, worth, settings), "--html")
    _tell_end(ordered, len(left), time.monotonic() - begun, told)
    return 0


def _open(folder: Path) -> list[str]:
    """What submissions can read though they should not, since it lies beside Python."""
    return [
        f"submissions can read {place}, since it lies in {shared}; move it elsewhere"
        for place in (folder.resolve(), paths.ROOT)
        for shared in sandbox.everybodys()
        if place.is_relative_to(shared)
    ]


def _line(grade: Grade, worth: Points) -> str:
    reached, of = report.points(grade, worth)
    name = frameworks.FRAMEWORKS[grade.framework].title
    return f"  {reached:>4g} of {of:<4g} {grade.student}: {grade.question} in {name}"


def _tell_end(grades: list[Grade], new: int, seconds: float, told: Options) -> None:
    for line in report.lacking(grades):
        tell(line)
    speed = f", {60 * new / seconds:.0f} a minute" if new and seconds >= 1 else ""
    most = max((grade.memory for grade in grades), default=0) >> 20
    print(f"{len(grades)} graded in {seconds:.0f} s{speed}; {most} MiB at most for one of them")
    print(f"{told.out}: the points" + (f"; {told.page}: the page" if told.page else ""))
