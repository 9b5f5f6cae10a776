"""`knock check`: a learner's parts, and the results of the whole as a table."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn
from unittest import mock

from knock import frameworks, paths
from knock.check import parts as learner
from knock.check.judge import Result, check
from knock.errors import UserError
from knock.learner import answers, progress
from knock.questions import Question, find

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


def run(word: str, framework: str | None, file: Path | None, seed: int, ours: bool = False) -> int:
    """Check one answer; 0 when all of it passed, 1 otherwise.

    Without a file it is the learner's own, which `knock start` or an earlier check knows; where
    there is none, or with `ours`, it is ours in every installed framework.
    """
    question = find(word)
    if ours and file is not None:
        raise UserError(f"either --ours or {file}, not both")
    if not ours and file is None:
        framework, file = answers.known(question, framework) or (framework, None)
    if framework is None and file is not None:
        framework = frameworks.of_file(file)
    if framework is None:
        return _all(question, seed)
    title = f"{question.label} in {frameworks.FRAMEWORKS[framework].title}: "
    if file is None or file.resolve().parent == paths.ANSWERS:
        results = check(question, framework, file, seed)
        print(title + str(file or question.answer(framework).name), table(results), sep="\n")
        return 0 if all(r.status != "failed" for r in results) else 1
    before = progress.digest(file)  # it may be saved again while it is being checked
    with mock.patch.object(os, "_exit", _leave):
        report = learner.look(question, framework, file, seed)
    print(f"{title}{file}", lines(report), sep="\n")
    if report.results is not None:
        print("", table(report.results), sep="\n")
    passed = before if report.passed else ""
    progress.checked(question, framework, file, report.done, passed, *report.at)
    return 0 if report.passed else 1


def _leave(code: int) -> NoReturn:
    """In the place of `os._exit`, with which a file would end its check, and choose its result."""
    raise SystemExit(code)


def _all(question: Question, seed: int) -> int:
    """Every installed framework, each in a process of its own, as a user would run it."""
    names = [name for name in frameworks.installed() if name in question.answered_in]
    if not names:
        raise UserError("no framework is installed; knock doctor says how to get one")
    codes = []
    for name in names:
        words = ["check", question.name, "--ours", "--framework", name, "--seed", str(seed)]
        codes.append(subprocess.run([sys.executable, "-P", "-m", "knock", *words]).returncode)
    return max(codes)


def lines(report: learner.Report) -> str:
    """A learner's parts as lines for a terminal."""
    told = []
    for part in report.parts:
        to_do = "to do: " if part.status == "to do" else ""
        line = f"  {learner.MARKS[part.status]} {part.name:<12} {to_do}{part.message}"
        told.append(line.rstrip())
    return "\n".join([*told, *([f"  ✗ {'the rest':<12} {report.rest}"] if report.rest else [])])


def table(results: list[Result]) -> str:
    """The results as lines for a terminal."""
    found = []
    for r in results:
        value = "" if r.value is None else f"{r.value:.1e}"
        allowed = f"≤ {r.tolerance:.0e}" if r.tolerance else "exact"
        line = f"  {_MARKS[r.status]} {r.name:<12} {value:>8}  {allowed:<7}  {r.message}"
        found.append(line.rstrip())
    failed = sum(r.status == "failed" for r in results)
    passed = sum(r.status == "passed" for r in results)
    return "\n".join([*found, f"  {passed} passed, {failed} failed"])
