"""Whose answer takes a run's steps: ours, a learner's, or what stands in a notebook's cells."""

from pathlib import Path

from knock import paths

OURS = "ours"
NOTEBOOK = "a notebook"

_MINE = "_mine"


def of_script(script: Path) -> str:
    """How `run.json` calls the file that runs: `ours`, or its whole path."""
    path = script.resolve()
    return OURS if path.parent == paths.ANSWERS else str(path)


def folder_name(question: str, framework: str, answer: str) -> str:
    """The name of a run's folder: a learner's own runs are not mixed with ours."""
    mine = "" if answer in (OURS, NOTEBOOK) else _MINE
    return f"{question}_{framework}{mine}"


def short(answer: str) -> str:
    """The same for people: a path inside the current folder without that folder."""
    path, here = Path(answer), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else answer


def beside(answer: str) -> str:
    """What the first line of a run says of an answer that is not ours, in brackets."""
    return "" if answer == OURS else f" ({short(answer)})"
