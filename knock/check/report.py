"""The results of a check, as lines for a terminal."""

from knock.check.judge import Result
from knock.check.parts import MARKS, Report

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


def lines(report: Report) -> str:
    """A learner's parts."""
    told = []
    for part in report.parts:
        to_do = "to do: " if part.status == "to do" else ""
        line = f"  {MARKS[part.status]} {part.name:<12} {to_do}{part.message}"
        told.append(line.rstrip())
    return "\n".join([*told, *([f"  ✗ {'the rest':<12} {report.rest}"] if report.rest else [])])


def table(results: list[Result]) -> str:
    """The results of the whole."""
    found = []
    for r in results:
        value = "" if r.value is None else f"{r.value:.1e}"
        allowed = f"≤ {r.tolerance:.0e}" if r.tolerance else "exact"
        line = f"  {_MARKS[r.status]} {r.name:<12} {value:>8}  {allowed:<7}  {r.message}"
        found.append(line.rstrip())
    failed = sum(r.status == "failed" for r in results)
    passed = sum(r.status == "passed" for r in results)
    return "\n".join([*found, f"  {passed} passed, {failed} failed"])
