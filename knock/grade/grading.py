"""One submission, from its text to its grade: the same work on this machine and on a cluster's."""

import tempfile
import threading
from collections.abc import Collection
from pathlib import Path

from knock import frameworks
from knock import recipe as recipes
from knock.check.judge import Standard
from knock.check.parts import Part, examine
from knock.check.trace import Trace
from knock.errors import UserError
from knock.grade import conditions, messages, plain_text, stripped_copy
from knock.grade.conditions import Variant
from knock.grade.process import DoesNotStartError, Room
from knock.grade.submissions import Submission
from knock.questions import find as find_question
from knock.scripts import starter
from knock.scripts.source import Source

import msgspec
import numpy as np


class Settings(msgspec.Struct, frozen=True):
    """How submissions are run: `seconds` of computing and `memory` in bytes for each part.

    The first of the variants is the open one.
    """

    seconds: int
    memory: int
    variants: list[Variant]


class Grade(msgspec.Struct, frozen=True):
    """What a submission has reached. Points are no part of it: another table gives others.

    `whole` says whether the file passes as a whole, `remark` what is wrong besides the parts;
    `seconds` of computing and `memory` in bytes are what it took.
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


_judging = threading.Lock()
"""Held but while a submission runs: several threads may wait for theirs, and only one judges.

CPython 3.11 miscounts how deep it is when two threads parse at once.
"""


def grade(submission: Submission, settings: Settings) -> Grade:
    """Check all parts of a submission. Raises UserError where none could be."""
    with _judging, np.errstate(all="ignore"):  # numbers may be anything
        try:
            return _grade(submission, settings)
        except DoesNotStartError as error:
            raise UserError(str(error)) from None
        except OSError as error:  # no room, no memory: no submission is to blame
            raise UserError(f"cannot run submissions: {error}") from None


def _grade(submission: Submission, settings: Settings) -> Grade:
    question = find_question(submission.question)
    framework = submission.framework
    ours = Source.read(question.answer(question.framework(framework)))
    named = [part for part, names in starter.names(ours.text, question.parts).items() if names]
    found = {part: Part(part, "done") for part in named}
    whole, remark, used = True, "", _Used()
    try:
        if submission.problem:
            raise UserError(submission.problem)
        name = Path(submission.file).with_suffix(".py").name  # a notebook's text is a script's
        mine = Source.parse(Path(name), submission.text)
        for variant in settings.variants:
            if not variant.fits(question):
                continue
            standard = conditions.standard(question, variant)
            take = _Take(framework, standard, mine, ours, question.parts, settings, used)
            report = examine(standard, mine, ours, question.parts, take)
            for part in report.parts:
                if found[part.name].status == "done" and part.status != "done":
                    found[part.name] = Part(part.name, part.status, _told(part.message, variant))
            whole = whole and report.passed
            remark = remark or (_told(report.rest, variant) if report.rest else "")
    except UserError as error:
        whole, remark = False, plain_text.message(str(error))
        found = {part: Part(part, "failed", remark) for part in named}
    except (DoesNotStartError, OSError):
        raise
    except Exception as error:  # ours, but no reason for the others to have no grades
        why = plain_text.message(f"{type(error).__name__}: {error}")
        whole, remark = False, f"the grader fails on it, so grade it by hand: {why}"
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
    )


def _told(message: str, variant: Variant) -> str:
    """A message, and which of the hidden checks it comes from."""
    return plain_text.message(
        f"hidden check {variant.name}: {message}" if variant.name else message
    )


class _Used:
    """What all processes of a submission took, and the walls that stood around each of them."""

    def __init__(self) -> None:
        self.seconds, self.memory = 0.0, 0
        self.walls: list[str] | None = None

    def add(self, outcome: messages.Outcome) -> None:
        self.seconds += outcome.seconds
        self.memory = max(self.memory, outcome.memory)
        known = outcome.walls if self.walls is None else self.walls
        self.walls = [wall for wall in known if wall in outcome.walls]


class _Take:
    """Has a submission's numbers taken behind walls; a `knock.check.parts.Take`."""

    def __init__(
        self,
        framework: str,
        standard: Standard,
        mine: Source,
        ours: Source,
        parts: starter.Parts,
        settings: Settings,
        used: _Used,
    ) -> None:
        self.framework, self.standard = framework, standard
        self.mine, self.ours, self.parts = mine, ours, parts
        self.settings, self.used = settings, used

    def __call__(self, names: Collection[str] | None) -> Trace:
        job = messages.Job(
            recipes.to_json(self.standard.recipe),
            self.mine.path.name,
            self.mine.text,
            "" if names is None else self._without(names),
            None if names is None else sorted(names),
            self.settings.seconds,
            self.settings.memory,
        )
        _judging.release()
        try:
            outcome = _room(self.framework).run(job)
        finally:
            _judging.acquire()
        self.used.add(outcome)
        wrong, found = outcome.ended, Trace()
        if not wrong:
            try:
                refused, replaced, found = messages.unpack(
                    outcome.said, self.standard.expected, self.standard.recipe
                )
            except messages.NotNumbersOfACheckError as error:
                wrong = f"what it sent are not the numbers of a check: {error}"
            else:
                found.errors = {part: _explained(text) for part, text in found.errors.items()}
                wrong = _explained(refused) or (
                    f"it replaces {_listed(replaced)}" if replaced else ""
                )
        if not wrong:
            return found
        if names is None and outcome.loaded:  # which part it was is seen part by part
            return Trace(errors={"parameters": wrong})
        raise UserError(wrong)

    def _without(self, names: Collection[str]) -> str:
        """Our answer with nothing in it that the submission is asked for."""
        asked = {
            part: given
            for part, given in self.parts.items()
            if any(
                place.part == part and place.name not in names
                for place in starter.places(self.ours.text, self.parts)
            )
        }
        return starter.make(self.ours.text, asked, "knock check") if asked else self.ours.text


_FORBIDDEN = {
    "[Errno 1]": "a submission may start no program, open no connection, "
    "and change no file's rights",
    "PermissionError: [Errno 13]": "a submission may open no files but its own",
}


def _explained(error: str) -> str:
    """An error's text, and, where a wall was the reason, what is not allowed."""
    told = [why for what, why in _FORBIDDEN.items() if what in error]
    return f"{error}: {told[0]}" if told else error


def _listed(names: list[str]) -> str:
    return f"{names[0]} of the checker" + (f" and {len(names) - 1} more" if names[1:] else "")


_rooms = threading.local()
_exam_lock = threading.Lock()
_exam: tempfile.TemporaryDirectory[str] | None = None
_open_rooms: list[Room] = []


def _room(framework: str) -> Room:
    """This thread's room. It has one at a time, since a framework takes much memory."""
    global _exam
    room: Room | None = getattr(_rooms, "room", None)
    if room is None or room.framework != framework:
        if room is not None:
            room.close()
            _open_rooms.remove(room)
        frameworks.find(framework)
        with _exam_lock:
            if _exam is None:
                _exam = tempfile.TemporaryDirectory(prefix="knock-")
                stripped_copy.build(Path(_exam.name))
        room = _rooms.room = Room(framework, Path(_exam.name) / "exam")
        _open_rooms.append(room)
    return room


def close() -> None:
    """End every process that runs submissions."""
    while _open_rooms:
        _open_rooms.pop().close()
