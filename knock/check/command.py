"""`knock check`: the parts as a table."""

import subprocess
import sys
from pathlib import Path

from knock import frameworks
from knock.check.parts import Result, check
from knock.errors import UserError
from knock.questions import Question, find

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


def run(word: str, framework: str | None, file: Path | None, seed: int) -> int:
    """Check one answer, or ours in every installed framework; 0 when all passed, 1 otherwise."""
    question = find(word)
    if framework is None and file is not None:
        framework = frameworks.of_file(file)
    if framework is None:
        return _all(question, seed)
    results = check(question, framework, file, seed)
    print(table(question, framework, file, results))
    return 0 if all(r.status != "failed" for r in results) else 1


def _all(question: Question, seed: int) -> int:
    """Every installed framework, each in a process of its own, as a user would run it."""
    names = [name for name in frameworks.installed() if name in question.answered_in]
    if not names:
        raise UserError("no framework is installed; knock doctor says how to get one")
    codes = []
    for name in names:
        words = ["check", question.name, "--framework", name, "--seed", str(seed)]
        codes.append(subprocess.run([sys.executable, "-P", "-m", "knock", *words]).returncode)
    return max(codes)


def table(question: Question, framework: str, file: Path | None, results: list[Result]) -> str:
    """The results as lines for a terminal."""
    title = frameworks.FRAMEWORKS[framework].title
    lines = [f"{question.label} in {title}: {file or question.answer(framework).name}"]
    for r in results:
        value = "" if r.value is None else f"{r.value:.1e}"
        allowed = f"≤ {r.tolerance:.0e}" if r.tolerance else "exact"
        line = f"  {_MARKS[r.status]} {r.name:<12} {value:>8}  {allowed:<7}  {r.message}"
        lines.append(line.rstrip())
    failed = sum(r.status == "failed" for r in results)
    passed = sum(r.status == "passed" for r in results)
    lines.append(f"  {passed} passed, {failed} failed")
    return "\n".join(lines)
