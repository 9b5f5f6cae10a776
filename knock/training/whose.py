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
