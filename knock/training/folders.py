"""The folders of runs: which there are, which is the newest, and which may be written into."""

import os
import re
from pathlib import Path

from knock.errors import UserError
from knock.files import sweep
from knock.paths import RUNS
from knock.training import animation, charts, loss_log, record
from knock.training import checkpoint as checkpoints

SAMPLES = "samples"
_SAMPLE = r"step_[0-9]{6,}\.png"
_SHOWN = tuple(f"{name}.{kind}" for name in ("result", "test") for kind in ("png", "safetensors"))
_WRITTEN = (
    *(checkpoints.FILE_NAME, record.FILE_NAME, loss_log.FILE_NAME, charts.LOSSES),
    *(*_SHOWN, "test.json", animation.GIF, animation.STRIP),
)
"""What a run writes into its folder, beside `samples`."""

_DEPTH = 2
"""How many folders below a named one runs are looked for."""


def refuse_another_run(folder: Path) -> None:
    """Raise UserError where a new run would overwrite another one, or files that no run wrote."""
    if is_run(folder):
        raise UserError(f"{folder} holds a run already; add --resume, or choose another --out")
    taken = [folder / name for name in _WRITTEN if os.path.lexists(folder / name)]
    samples = folder / SAMPLES
    if samples.is_file() or (samples.is_dir() and any(samples.iterdir())):
        taken.append(samples)
    if taken:
        raise UserError(f"{taken[0]} is there already, and no run made it; choose another --out")


def refuse_foreign_test(folder: Path) -> None:
    """Raise UserError where a test would overwrite files of its names that no test wrote."""
    there = {kind for kind in ("png", "safetensors", "json") if (folder / f"test.{kind}").exists()}
    if there and not (is_run(folder) or {"png"} < there):
        name = folder / f"test.{min(there)}"
        raise UserError(f"{name} is there already, and no test made it; choose another --out")


def sweep_run(folder: Path) -> None:
    """Delete what a killed run left half-written in its folder.

    Where there is no run yet, that can only be its first checkpoint.
    """
    if not is_run(folder):
        sweep(folder, [re.escape(checkpoints.FILE_NAME)])
        return
    sweep(folder, [*map(re.escape, _WRITTEN)])
    sweep(folder / SAMPLES, [_SAMPLE])


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    return any((path / name).is_file() for name in (checkpoints.FILE_NAME, record.FILE_NAME))


def runs_in(path: Path) -> list[Path]:
    """The runs below a folder, by name: also those of a comparison, one level further down."""
    places = ("/".join("*" * depth) for depth in range(1, _DEPTH + 1))
    return sorted(one for place in places for one in path.glob(place) if is_run(one))


def runs_at(path: Path) -> list[Path]:
    """The run that a folder holds, or else the runs below it."""
    return [path] if is_run(path) else runs_in(path)


def newest(base: str) -> Path | None:
    """Of the runs with this name, or with a number behind it, the last; None when there is none."""
    found = []
    for path in RUNS.glob(f"{base}*"):
        tail = path.name.removeprefix(base)
        if path.is_dir() and (not tail or (tail[0] == "-" and tail[1:].isdigit())):
            found.append((int(tail[1:] or 1), path))
    return max(found)[1] if found else None


def newest_of(name: str) -> Path:
    """The run of a question, in whatever framework, whose checkpoint was written last.

    Raises UserError when there is none.
    """
    found = [path for path in RUNS.rglob(checkpoints.FILE_NAME) if _is_of(path.parent, name)]
    if not found:
        raise UserError(f"no run of {name} in {RUNS}/: train one first, with knock run {name}")
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path)).parent


def _is_of(folder: Path, name: str) -> bool:
    try:
        return record.read_run(folder).get("question") == name
    except UserError:  # another run's damaged record is no reason to stop here
        return False
