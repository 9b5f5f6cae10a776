"""One submission, from its text to its grade: the same work on this machine and on a cluster."""

import contextlib
import tempfile
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from knock import frameworks, paths
from knock import recipe as recipes
from knock.check import trace
from knock.check.own_code import Changed, InOurs, OwnCode
from knock.check.parts import Part, examine
from knock.check.trace import Pause, Trace
from knock.errors import UserError
from knock.grade import judges, messages, plain_text, reading, stripped_copy
from knock.grade.conditions import Condition
from knock.grade.judges import Away, Judged
from knock.grade.judging import Verdict
from knock.grade.process import DoesNotStartError, WorkerProcess
from knock.grade.submissions import Submission
from knock.questions import Question
from knock.questions import find as find_question
from knock.scripts import starter
from knock.scripts.source import Source

import msgspec
import numpy as np
from msgspec.structs import replace


class Settings(msgspec.Struct, frozen=True):
    """How submissions are run: `seconds` of computing and `memory` in bytes for each part.

    The first of the conditions is the open one.
    """

    seconds: int
    memory: int
    conditions: list[Condition]


class Grade(msgspec.Struct, frozen=True):
    """What a submission has reached. It holds no points: those depend on the table in use.

    `parts` is empty if it could not be read; then `remark` says why. `whole` says whether the file
    passes as a whole, `remark` what is wrong besides the parts. `seconds` of computing and `memory`
    in bytes are what it used, `walls` what limited it. `note` is what a teacher should know.
    """

    student: str
    question: str
    framework: str
    file: str
    parts: list[Part]
    whole: bool = False
    remark: str = ""
    seconds: float = 0.0
    memory: int = 0
    walls: list[str] = []
    note: str = ""


def unread(submission: Submission) -> Grade:
    """The grade of a submission that could not be read: no points, and the reason."""
    one = submission
    return Grade(
        one.student, one.question, one.framework, one.file, [], remark=one.problem, note=one.note
    )


class StoppedError(Exception):
    """The grading was stopped while a submission ran: what came of it is no grade."""


TEN = [step for step in trace.LOOKED_AT if step <= trace.RESUMED_AT]
"""The steps of a run that shows whose code gives the numbers."""

_judging = threading.Lock()
"""Only one thread judges at a time; while its submission runs, it lets another one judge.

CPython 3.11 counts the depth of its recursion wrongly when two threads parse at once.
"""


def grade(submission: Submission, settings: Settings) -> Grade:
    """Check all parts of a submission.

    Raises UserError if this machine cannot run any, StoppedError after `close`.
    """
    if submission.problem:
        return unread(submission)
    begun = _closed
    with _judging, np.errstate(all="ignore"):  # numbers may be anything
        try:
            return _grade(submission, settings, begun)
        except DoesNotStartError as error:
            raise UserError(str(error)) from None
        except OSError as error:  # disk or memory is full: not the submission's fault
            raise UserError(f"cannot run submissions: {error}") from None


def _grade(submission: Submission, settings: Settings, begun: int) -> Grade:
    question = find_question(submission.question)
    framework = submission.framework
    ours = Source.read(question.answer(question.framework(framework)))
    named = [part for part, names in starter.names(ours.text, question.parts).items() if names]
    found = {part: Part(part, "done") for part in named}
    whole, remark, used = True, "", _Used()
    name = Path(submission.file).with_suffix(".py").name  # a notebook's text is a script's

    def said(text: str) -> str:
        """A message about the file that was handed in, by its own name."""
        return text.replace(name, Path(submission.file).name)

    try:
        _require_plain(Path(name), submission.text, begun)
        mine = Source.parse(Path(name), submission.text)
        for condition in settings.conditions:
            if not condition.fits(question):
                continue
            standard = _standard(question, condition, begun)
            take = _Take(framework, standard, mine, ours, question.parts, settings, used, begun)
            short = standard.of_ten_steps()
            whose = {one.name: one.part for one in starter.places(ours.text, question.parts)}
            in_ours, changed = take.for_ten_steps(short)
            own = OwnCode(short, mine, ours, whose, in_ours, changed)
            report = examine(standard, mine, ours, question.parts, take, own=own)
            for part in report.parts:
                if found[part.name].status == "done" and part.status != "done":
                    found[part.name] = Part(
                        part.name, part.status, _labelled(said(part.message), condition)
                    )
            whole = whole and report.passed and len(report.done) == len(report.parts)
            remark = remark or (_labelled(said(report.rest), condition) if report.rest else "")
    except UserError as error:
        whole, remark = False, plain_text.message(said(str(error)))
        found = {part: Part(part, "failed", remark) for part in named}
    except (DoesNotStartError, StoppedError, OSError):
        raise
    except Exception as error:  # a bug of ours: the other submissions still get their grades
        why = plain_text.message(f"{type(error).__name__}: {error}")
        whole, remark = False, f"the grader fails on it; grade it by hand: {why}"
        found = {part: Part(part, "failed", remark) for part in named}
    return Grade(
        submission.student,
        question.name,
        framework,
        submission.file,
        list(found.values()),
        whole,
        remark,
        round(used.seconds, 2),
        used.memory,
        used.walls or [],
        submission.note,
    )


def _require_plain(path: Path, text: str, begun: int) -> None:
    """As `reading.require_plain`, while another thread goes on."""
    with _others_judge():
        try:
            reading.require_plain(path, text)
        except reading.NotReadError:
            _require_open(begun)  # else nobody has read it to its end
            raise
        except UserError as error:
            raise DoesNotStartError(str(error)) from None


def _standard(question: Question, condition: Condition, begun: int) -> Away:
    """The standard of a question under a condition, while another thread goes on."""
    with _others_judge():
        found = Away.at(question, condition)
    _require_open(begun)
    return found


@contextlib.contextmanager
def _others_judge() -> Iterator[None]:
    """Let another thread go on, while this one waits for a process."""
    _judging.release()
    try:
        yield
    finally:
        _judging.acquire()


def _labelled(message: str, condition: Condition) -> str:
    """A message, with the name of the hidden check that it comes from."""
    return plain_text.message(
        f"hidden check {condition.name}: {message}" if condition.name else message
    )


class _Used:
    """What all forks of a submission used, and the walls that every one of them had."""

    def __init__(self) -> None:
        self.seconds, self.memory = 0.0, 0
        self.walls: list[str] | None = None

    def add(self, outcome: messages.Outcome) -> None:
        self.seconds += outcome.seconds
        self.memory = max(self.memory, outcome.memory)
        known = outcome.walls if self.walls is None else self.walls
        self.walls = [wall for wall in known if wall in outcome.walls]


class _Take:
    """Gets a submission's numbers from the sandbox; a `knock.check.parts.Take`."""

    def __init__(
        self,
        framework: str,
        standard: Away,
        mine: Source,
        ours: Source,
        parts: starter.Parts,
        settings: Settings,
        used: _Used,
        begun: int,
    ) -> None:
        self.framework, self.standard = framework, standard
        self.mine, self.ours, self.parts = mine, ours, parts
        self.settings, self.used, self.begun = settings, used, begun

    def __call__(self, names: Collection[str] | None, pause: Pause | None) -> Trace:
        """Run all of it: from inside the walls nothing is heard before the end."""
        return self._run(self._job(self.mine.text, names), self.standard)

    def for_ten_steps(self, standard: Away) -> tuple[InOurs, Changed]:
        """As `OwnCode` needs them; `standard` is for ten steps."""

        def in_ours(names: Collection[str]) -> Trace:
            job = self._job(self.mine.text, self._all - set(names))
            return self._run(replace(job, names=None, alone=sorted(names), looked_at=TEN), standard)

        def changed(text: str, names: Collection[str] | None) -> Trace:
            return self._run(replace(self._job(text, names), looked_at=TEN), standard)

        return in_ours, changed

    @property
    def _all(self) -> set[str]:
        return {place.name for place in starter.places(self.ours.text, self.parts)}

    def _job(self, text: str, names: Collection[str] | None) -> messages.Job:
        return messages.Job(
            recipes.to_json(self.standard.recipe),
            self.mine.path.name,
            text,
            "" if names is None else self._without(names),
            None if names is None else sorted(names),
            self.settings.seconds,
            self.settings.memory,
            [str(paths.WHOLE)],
            self.standard.largest,
        )

    def _run(self, job: messages.Job, standard: Away) -> Trace:
        whole = job.names is None and job.alone is None
        last = frameworks.find(self.framework).channels_last
        verdict = Verdict()
        with _others_judge():
            outcome = _worker_process(self.framework, self.begun).run(job)
            if not outcome.ended:
                verdict = standard.verdict(outcome.said, whole and not standard.short, last)
        _require_open(self.begun)
        self.used.add(outcome)
        if verdict.failed:
            raise RuntimeError(verdict.failed)
        wrong = outcome.ended or verdict.wrong or verdict.refused
        if not wrong and verdict.replaced:
            wrong = f"it replaces {_listed(verdict.replaced)}"
        if not wrong:
            return Judged(errors=verdict.errors, results=verdict.results)
        if whole and outcome.loaded:  # checking part by part will show which part it was
            return Trace(errors={"parameters": wrong})
        raise UserError(wrong)

    def _without(self, names: Collection[str]) -> str:
        """Our answer without the parts that the submission must bring itself."""
        asked = {
            part: given
            for part, given in self.parts.items()
            if any(
                place.part == part and place.name not in names
                for place in starter.places(self.ours.text, self.parts)
            )
        }
        return starter.make(self.ours.text, asked, "knock check") if asked else self.ours.text


def _listed(names: list[str]) -> str:
    return f"{names[0]} of the checker" + (f" and {len(names) - 1} more" if names[1:] else "")


_of_this_thread = threading.local()
_copy_lock = threading.Lock()
_copy: tempfile.TemporaryDirectory[str] | None = None
_open_processes: list[WorkerProcess] = []
_closed = 0
"""How often `close` was called: a grade that began before is not ended after it."""


def _require_open(begun: int) -> None:
    if begun != _closed:
        raise StoppedError


def _worker_process(framework: str, begun: int) -> WorkerProcess:
    """This thread's process. It has one at a time, since a framework takes much memory."""
    global _copy
    process: WorkerProcess | None = getattr(_of_this_thread, "process", None)
    if process is None or process.framework != framework or process not in _open_processes:
        if process is not None:
            process.close()
            with contextlib.suppress(ValueError):  # `close` has taken it
                _open_processes.remove(process)
        frameworks.find(framework)
        with _copy_lock:
            _require_open(begun)
            if _copy is None:
                _copy = tempfile.TemporaryDirectory(prefix="knock-")
                stripped_copy.build(Path(_copy.name))
            process = WorkerProcess(framework, Path(_copy.name) / stripped_copy.FOLDER)
            _open_processes.append(process)
        _of_this_thread.process = process
    return process


def close() -> None:
    """End every process that reads or runs submissions, and remove what they needed on the disk.

    Grades that have not ended by then never do.
    """
    global _closed, _copy
    with _copy_lock:
        _closed += 1
        for process in _open_processes:
            process.stop()
        _open_processes.clear()
        if _copy is not None:
            _copy.cleanup()
            _copy = None
    reading.close()
    judges.close()
