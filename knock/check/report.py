"""What a check found, as data, and the two ways to show it: lines for a terminal, and JSON.

Both are made of the same objects. TEACHING.md describes the JSON for its readers; whoever changes
or removes a key here counts `FORMAT` up.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from knock import frameworks
from knock.check import judge, parts
from knock.check.judge import Result
from knock.check.parts import MARKS, Part
from knock.questions import Question

import msgspec

FORMAT = 1

_TRAINED = {"loss", "gradients", "10 steps", "100 steps"}
"""Stages of one run: once one is wrong, so are those after it."""

_STAGE_MARKS: dict[judge.Status, str] = {"passed": "✓", "failed": "✗", "skipped": "–"}


class Stage(msgspec.Struct, frozen=True):
    """One of the stages that are measured: how far off the answer is, and how far it may be.

    `value` is None where nothing was measured: the stage was skipped or not reached, or the code
    raised in it. It is also None where the difference is infinite, because JSON knows no such
    number.
    """

    name: str
    status: judge.Status
    value: float | None
    infinite: bool
    tolerance: float
    message: str

    @classmethod
    def of(cls, result: Result) -> "Stage":
        """A result of the judge."""
        value = None if result.value is None else float(result.value)
        infinite = value is not None and not math.isfinite(value)
        return cls(
            result.name,
            result.status,
            None if infinite else value,
            infinite,
            result.tolerance,
            _text(result.message),
        )


class Asked(msgspec.Struct, frozen=True):
    """The question that a file answers."""

    number: int
    name: str


class CheckedFile(msgspec.Struct, frozen=True):
    """One file that was checked, and what was found.

    `sha256` is its digest when the check began. `parts` is empty for an answer of ours, and
    `stages` None while something in the file is to do. `rest` says what is wrong outside of the
    parts, `at` names the part to go on with; both are empty where there is nothing to say.
    """

    question: Asked
    framework: str
    file: str
    sha256: str
    whose: Literal["learner", "ours"]
    seed: int
    passed: bool
    parts: list[Part]
    stages: list[Stage] | None
    rest: str
    at: str


class Verdict(msgspec.Struct, frozen=True):
    """What is known of a part or a stage before the check is over; a stage has no message yet."""

    of: Literal["part", "stage"]
    name: str
    status: parts.Status | judge.Status
    message: str = ""

    @classmethod
    def on(cls, known: Part | Result) -> "Verdict":
        """As `knock.check.parts.Told` gets it."""
        of: Literal["part", "stage"] = "part" if isinstance(known, Part) else "stage"
        return cls(of, known.name, known.status, _text(known.message))


class Document(msgspec.Struct, frozen=True):
    """What `knock check --json` writes: a report for each file, and what went wrong, if it did."""

    format: int = FORMAT
    reports: list[CheckedFile] = []
    error: str = ""


def of_learner(
    question: Question, framework: str, file: Path, digest: str, seed: int, found: parts.Report
) -> CheckedFile:
    """The report on a learner's file."""
    return CheckedFile(
        Asked(question.number, question.name),
        framework,
        str(file),
        digest,
        "learner",
        seed,
        found.passed,
        [Part(one.name, one.status, _text(one.message), one.names) for one in found.parts],
        None if found.results is None else _stages(found.results),
        _text(found.rest),
        found.at[0],
    )


def of_ours(
    question: Question,
    framework: str,
    file: Path,
    digest: str,
    seed: int,
    results: Iterable[Result],
) -> CheckedFile:
    """The report on an answer of ours, which is checked as a whole."""
    stages = _stages(results)
    passed = all(stage.status != "failed" for stage in stages)
    asked = Asked(question.number, question.name)
    return CheckedFile(
        asked, framework, str(file), digest, "ours", seed, passed, [], stages, "", ""
    )


def _stages(results: Iterable[Result]) -> list[Stage]:
    """All stages; what fails after the first failure need not be a fault of its own."""
    told: list[Stage] = []
    first = ""
    for one in map(Stage.of, results):
        if one.status == "failed" and first:
            how = "follows" if {first, one.name} <= _TRAINED else "may follow"
            told.append(msgspec.structs.replace(one, message=f"{how} from {first}"))
        else:
            told.append(one)
        first = first or (one.name if one.status == "failed" else "")
    return told


def to_json(document: Document | Verdict) -> bytes:
    """One line of UTF-8 with a line's end."""
    return msgspec.json.encode(document) + b"\n"


def from_json(data: bytes) -> Document | None:
    """What `to_json` wrote; None where that is something else, or not all of it."""
    try:
        return msgspec.json.decode(data, type=Document)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None


def verdict(data: bytes) -> Verdict | None:
    """As `from_json`, for a verdict."""
    try:
        return msgspec.json.decode(data, type=Verdict)
    except (ValueError, RecursionError):
        return None


def line(known: Verdict | Part) -> str:
    """A part or a stage for a terminal."""
    marks = dict[str, str]([*MARKS.items(), *_STAGE_MARKS.items()])
    to_do = "to do: " if known.status == "to do" else ""
    return f"  {marks[known.status]} {known.name:<12} {to_do}{known.message}".rstrip()


def lines(checked: CheckedFile) -> str:
    """The same for a terminal: a line that says what was checked, the parts, the stages."""
    question = f"{checked.question.number:02d} {checked.question.name}"
    title = f"{question} in {frameworks.find(checked.framework).title}"
    ours = f"our answer, {Path(checked.file).name}"
    told = [f"{title}: {ours if checked.whose == 'ours' else checked.file}"]
    for part in checked.parts:
        told.append(line(part))
    if checked.rest:
        told.append(f"  ✗ {'the rest':<12} {checked.rest}")
    if checked.stages is not None:
        told += [""] if checked.parts else []
        told += _table(checked.stages)
    return "\n".join(told)


def _table(stages: list[Stage]) -> list[str]:
    """A line for each stage, and how many have passed."""
    told = []
    for one in stages:
        value = "inf" if one.infinite else "" if one.value is None else f"{one.value:.1e}"
        allowed = f"≤ {one.tolerance:.0e}" if one.tolerance else "exact"
        mark = _STAGE_MARKS[one.status]
        told.append(f"  {mark} {one.name:<12} {value:>8}  {allowed:<7}  {one.message}".rstrip())
    passed, failed = (sum(s.status == wanted for s in stages) for wanted in ("passed", "failed"))
    return [*told, f"  {passed} passed, {failed} failed"]


_LONGEST = 4000
"""Characters of a message: a learner's names, which it may contain, could have millions."""


def _text(text: str) -> str:
    """A text, not too long, without what cannot be written in UTF-8: it may be a learner's."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return text.encode(errors="backslashreplace").decode()
