"""One grading: from a folder of submissions to the grades, a table and a page."""

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from knock import cluster, frameworks
from knock.errors import UserError, print_error
from knock.files import free, refuse_foreign, write_atomically
from knock.grade import conditions, grading, report, roster, sandbox, schedule, start, submissions
from knock.grade import each as each_student
from knock.grade import points as tables
from knock.grade.conditions import Condition
from knock.grade.grading import Grade, Settings
from knock.grade.journal import Journal
from knock.grade.points import Points, reached
from knock.grade.roster import Roster
from knock.grade.signals import Signals
from knock.grade.submissions import Submission
from knock.grade.table import MARK, table
from knock.questions import find
from knock.training.process import cores

import msgspec

_TABLE = Path("grades.csv")
"""The table where no other file is named; if it exists already, a free name like it."""


@dataclass(frozen=True)
class Options:
    """The options of `knock grade`; `seconds` of computing and `memory` in MiB are per part.

    `folder` may be a zip file. Without `out` the table gets a free name in the current folder.
    """

    folder: Path
    out: Path | None
    page: Path | None
    each: Path | None
    roster: Path | None
    roster_encoding: str | None
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
    """Grade all submissions in a folder. Raises UserError, if possible before any is run.

    Where a signal stops it, the table and the pages have what was graded until then.
    """
    start.require_safe(options.folder)
    with Signals() as signals:
        return _grade(options, signals)


def _grade(options: Options, signals: Signals) -> int:
    worth = tables.load(options.points) if options.points else tables.load()
    question = find(options.question) if options.question else None
    framework = frameworks.find(options.framework).name if options.framework else None
    if options.seconds < 1 or options.memory < 1 or (options.jobs is not None and options.jobs < 1):
        raise UserError("--seconds, --memory and --jobs must be above 0")
    if options.out is not None and options.out.suffix != ".csv":
        raise UserError(f"--out must name a .csv file, not {options.out}")
    if options.out is not None:
        refuse_foreign(options.out, MARK)
    if options.page:
        refuse_foreign(options.page, report.MARK, "--html")
    if options.roster_encoding and not options.roster:
        raise UserError("--roster-encoding is that of a --roster, and there is none")
    listed = roster.read(options.roster, options.roster_encoding) if options.roster else None
    found, said = submissions.find(options.folder, question, framework)
    found = _gradable(found, here=options.dask is None)
    readable = [one for one in found if not one.problem]
    wanted = {one.question: find(one.question) for one in readable}
    if listed:
        listed.match(found)
        said += _strangers(found, listed)
    hidden = conditions.hidden(options.hidden) if options.hidden else []
    settings = Settings(options.seconds, options.memory << 20, [Condition(options.seed), *hidden])
    conditions.require(hidden, wanted.values())
    out = options.out or free(_TABLE)
    students = [one.student for one in found]
    each = each_student.pages(options.each, students) if options.each else {}
    for line in (*said, *_readable(options.folder)):
        print_error(line)
    path = (options.out or _TABLE).with_suffix(".jsonl")
    with closing(Journal(path, settings, cluster.version())) as journal:
        grades = {one: known for one in readable if (known := journal.of(one))}
        left = [one for one in readable if one not in grades]
        if grades:
            print(f"{len(grades)} of {len(readable)} are graded already")
        if left:
            _require_passed(left, hidden, settings, options)
        unread = {one: grading.unread(one) for one in found if one.problem}
        for one in unread:
            print(f"    not read {one.student}: {one.problem}")
        begun = time.monotonic()
        try:
            with closing(_grades(left, settings, options)) as coming:
                for submission, grade in coming:
                    grades[submission] = grade
                    journal.add(submission, grade)
                    print(_line(grade, worth), flush=True)
        finally:  # a stopped grading leaves a table of what it has, too
            signals.over = True  # nothing is called before this, so no signal can come between
            every = grades | unread
            ordered = [every[one] for one in found if one in every]
            write_atomically(out, table(ordered, worth, listed))
            if options.page:
                page = report.document(ordered, worth, settings, listed)
                write_atomically(options.page, page, "--html")
            each_student.write(each, ordered, worth)
    _print_summary(ordered, len(left), time.monotonic() - begun, listed)
    written = {out: "the points", options.page: "the page", options.each: "a page for each student"}
    print("; ".join(f"{place}: {what}" for place, what in written.items() if place))
    return 0


def _grades(
    asked: Sequence[Submission], settings: Settings, options: Options
) -> Generator[tuple[Submission, Grade]]:
    """Each submission with its grade, as they finish."""
    if options.dask:
        return schedule.on_cluster(asked, settings, options.dask)
    return schedule.here(asked, settings, options.jobs or cores())


def _require_passed(
    readable: Sequence[Submission], hidden: list[Condition], settings: Settings, options: Options
) -> None:
    """Raise UserError if one of our own answers does not pass the hidden checks: nobody's could.

    Larger sizes need more time and memory, and seeds may be found that ask for too much precision.
    """
    own = []
    for name, framework in sorted({(one.question, one.framework) for one in readable}):
        question = find(name)
        if any(condition.fits(question) for condition in hidden):
            path = question.answer(question.framework(framework))
            text = path.read_text(encoding="utf-8")
            own.append(Submission("ours", question.name, framework, path.name, text))
    if not own:
        return
    alone = msgspec.structs.replace(settings, conditions=hidden)
    with closing(_grades(own, alone, options)) as coming:
        for one, grade in coming:
            if not grade.whole:
                failed = [part.message for part in grade.parts if part.status == "failed"]
                said = [*failed, grade.remark, *(part.message for part in grade.parts)]
                why = next(filter(None, said), "it gives no reason")
                ours = f"our own answer to question {find(one.question).label}"
                title = frameworks.FRAMEWORKS[one.framework].title
                raise UserError(f"{ours} in {title} does not pass, so nobody's can: {why}")


def _gradable(found: list[Submission], here: bool) -> list[Submission]:
    """The same; one in a framework that the question, or this machine, does not have has a problem.

    A cluster's workers have their own frameworks. Raises UserError if that is so of all of them.
    """

    def looked_at(one: Submission) -> Submission:
        if one.problem:
            return one
        known = frameworks.FRAMEWORKS[one.framework]
        try:
            find(one.question).framework(one.framework)
            why = frameworks.missing_line(known) if here and known.missing else ""
        except UserError as error:
            why = str(error)
        return msgspec.structs.replace(one, problem=why) if why else one

    made = [looked_at(one) for one in found]
    if not all(one.problem for one in found) and all(one.problem for one in made):
        raise UserError(next(n.problem for n, o in zip(made, found, strict=True) if not o.problem))
    return made


def _strangers(found: Sequence[Submission], listed: Roster) -> list[str]:
    """A line about those who are not in the roster, if there are any."""
    names = list(dict.fromkeys(one.student for one in found if one.student not in listed.lines))
    return [f"not in {listed.file}: {', '.join(names)}"] if names else []


def _readable(folder: Path) -> list[str]:
    """A line where submissions can read the folder of all submissions: it is beside Python."""
    place = folder.resolve()
    return [
        f"submissions can read {place}, since it is in {shared}; move it elsewhere"
        for shared in sandbox.everybodys()
        if place.is_relative_to(shared)
    ]


def _line(grade: Grade, worth: Points) -> str:
    got, of = reached(grade, worth)
    name = frameworks.FRAMEWORKS[grade.framework].title
    return f"  {got:>4g} of {of:<4g} {grade.student}: {grade.question} in {name}"


def _print_summary(grades: list[Grade], new: int, seconds: float, listed: Roster | None) -> None:
    for line in report.missing_walls(grades):
        print_error(line)
    graded = sum(bool(grade.parts) for grade in grades)
    speed = f", {60 * new / seconds:.0f} per minute" if new and seconds >= 1 else ""
    most = max((grade.memory for grade in grades), default=0) >> 20
    print(f"{graded} graded in {seconds:.0f} s{speed}; {most} MiB at most for one of them")
    if graded < len(grades):
        print(f"{len(grades) - graded} could not be read; the table says why")
    if listed and listed.nothing:
        missing = len(listed.nothing)
        print(f"{missing} of {len(listed.rows)} in {listed.file} handed in nothing")
