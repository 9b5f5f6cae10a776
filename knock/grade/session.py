"""One grading: from a folder of submissions to the grades, a table and a page."""

import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks
from knock.errors import UserError, print_error
from knock.files import write_atomically
from knock.grade import conditions, report, sandbox, schedule, submissions
from knock.grade import points as tables
from knock.grade.conditions import Condition
from knock.grade.grading import Grade, Settings
from knock.grade.journal import Journal
from knock.grade.points import Points
from knock.questions import find


@dataclass(frozen=True)
class Options:
    """The options of `knock grade`; `seconds` of computing and `memory` in MiB are per part."""

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


def grade(options: Options) -> int:
    """Grade all submissions in a folder. Raises UserError, if possible before any is run."""
    worth = tables.load(options.points) if options.points else tables.load()
    question = find(options.question) if options.question else None
    framework = frameworks.find(options.framework).name if options.framework else None
    if options.seconds < 1 or options.memory < 1 or (options.jobs is not None and options.jobs < 1):
        raise UserError("--seconds, --memory and --jobs must be above 0")
    if options.out.suffix != ".csv":
        raise UserError(f"--out must name a .csv file, not {options.out}")
    found, ignored = submissions.find(options.folder, question, framework)
    wanted = {one.question: find(one.question) for one in found}
    for one in found:
        wanted[one.question].framework(one.framework)  # raises if there is no answer of ours
    if options.dask is None:  # a cluster's workers have their own frameworks
        for name in {one.framework for one in found}:
            if frameworks.FRAMEWORKS[name].missing:
                raise UserError(frameworks.missing_line(frameworks.FRAMEWORKS[name]))
    hidden = conditions.hidden(options.hidden) if options.hidden else []
    settings = Settings(options.seconds, options.memory << 20, [Condition(options.seed), *hidden])
    conditions.require(hidden, wanted.values())
    for line in (*ignored, *_readable(options.folder)):
        print_error(line)
    path = options.out.with_suffix(".jsonl")
    with closing(Journal(path, settings, schedule.version())) as journal:
        grades = {one: known for one in found if (known := journal.of(one))}
        left = [one for one in found if one not in grades]
        if grades:
            print(f"{len(grades)} of {len(found)} are graded already")
        begun = time.monotonic()
        if options.dask:
            coming = schedule.on_cluster(left, settings, options.dask)
        else:
            coming = schedule.here(left, settings, options.jobs or os.cpu_count() or 1)
        try:
            for submission, grade in coming:
                grades[submission] = grade
                journal.add(submission, grade)
                print(_line(grade, worth), flush=True)
        finally:  # a stopped grading leaves a table of what it has, too
            ordered = [grades[one] for one in found if one in grades]
            write_atomically(options.out, report.table(ordered, worth))
            if options.page:
                write_atomically(options.page, report.document(ordered, worth, settings), "--html")
    _print_summary(ordered, len(left), time.monotonic() - begun, options)
    return 0


def _readable(folder: Path) -> list[str]:
    """A line where submissions can read the folder of all submissions: it is beside Python."""
    place = folder.resolve()
    return [
        f"submissions can read {place}, since it is in {shared}; move it elsewhere"
        for shared in sandbox.everybodys()
        if place.is_relative_to(shared)
    ]


def _line(grade: Grade, worth: Points) -> str:
    reached, of = report.points(grade, worth)
    name = frameworks.FRAMEWORKS[grade.framework].title
    return f"  {reached:>4g} of {of:<4g} {grade.student}: {grade.question} in {name}"


def _print_summary(grades: list[Grade], new: int, seconds: float, options: Options) -> None:
    for line in report.missing_walls(grades):
        print_error(line)
    speed = f", {60 * new / seconds:.0f} per minute" if new and seconds >= 1 else ""
    most = max((grade.memory for grade in grades), default=0) >> 20
    print(f"{len(grades)} graded in {seconds:.0f} s{speed}; {most} MiB at most for one of them")
    print(f"{options.out}: the points" + (f"; {options.page}: the page" if options.page else ""))
