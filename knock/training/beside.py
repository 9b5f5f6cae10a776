"""Runs that exist already, side by side: which were named, and what a sheet calls each."""

import os
from collections.abc import Sequence
from pathlib import Path

from knock.errors import UserError
from knock.files import make_new_folder
from knock.paths import RUNS
from knock.training import folders, sheet
from knock.training.table import aligned


def compare(named: Sequence[Path], out: Path | None) -> list[str]:
    """Draw the sheet of the named runs, or of those in named folders of runs.

    `out` is a new PNG file, or the folder for it. Returns the table's lines and the sheet's path.
    Raises UserError for what is no run, for fewer than two, and where the sheet would replace a
    file.
    """
    runs = _labelled(_found(named))
    path = _place(out or make_new_folder(RUNS / "compare"))
    try:
        table = sheet.draw(path, runs)
    except UserError:
        if out is None:
            path.parent.rmdir()  # nothing was drawn into it
        raise
    return [*aligned(table), str(path)]


def _found(named: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}  # by where it is: one that is named twice comes once
    for path in named:
        if not path.is_dir():
            raise UserError(f"no folder {path}: knock runs lists the runs that there are")
        there = folders.runs_at(path)
        if not there:
            raise UserError(f"{path} is no run, and there is none in it; knock runs lists them")
        for folder in there:
            found.setdefault(folder.resolve(), folder)
    if len(found) < 2:
        raise UserError("name two runs at least: knock compare RUN RUN")
    return [*found.values()]


def _labelled(runs: Sequence[Path]) -> dict[str, Path]:
    """Each run by the last part of its path, or by so many that all differ."""
    whole = [run.resolve().parts for run in runs]
    for count in range(1, max(map(len, whole)) + 1):
        labels = ["/".join(parts[-count:]) for parts in whole]
        if len(set(labels)) == len(runs):
            break
    return dict(zip(labels, runs, strict=True))


def _place(out: Path) -> Path:
    """Where the sheet goes."""
    path = out if out.suffix.lower() == ".png" else out / sheet.FILE_NAME
    if os.path.lexists(path):
        raise UserError(f"{path} exists already; choose another --out")
    return path
