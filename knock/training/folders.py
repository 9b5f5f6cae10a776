"""The folders of runs: which there are, which is the newest, and which may be written into."""

from pathlib import Path

from knock.errors import UserError
from knock.paths import RUNS
from knock.training import checkpoint as checkpoints
from knock.training import record

_DEPTH = 2
"""How many folders below a named one runs are looked for."""


def refuse_another_run(folder: Path) -> None:
    """Raise UserError where a folder holds a run, which a new one would overwrite."""
    if is_run(folder):
        raise UserError(f"{folder} holds a run already; add --resume, or choose another --out")


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    return any((path / name).is_file() for name in (checkpoints.FILE_NAME, record.FILE_NAME))


def runs_in(path: Path) -> list[Path]:
    """The runs below a folder, by name: also those of a comparison, one level further down."""
    places = ("/".join("*" * depth) for depth in range(1, _DEPTH + 1))
    return sorted(one for place in places for one in path.glob(place) if is_run(one))


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
