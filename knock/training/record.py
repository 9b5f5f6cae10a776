"""What a run leaves beside its checkpoint: `run.json`, its last pictures as numbers, its scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import knock
from knock.errors import UserError
from knock.files import write_atomically
from knock.training import past, pictures
from knock.training.checkpoint import Checkpoint
from knock.training.past import Past, Stretch
from knock.training.pictures import Pixels

import msgspec
import numpy as np
import safetensors
import safetensors.numpy

FILE_NAME = "run.json"


def of_run(made: Checkpoint, seconds: Sequence[float], finished: bool = False) -> dict[str, Any]:
    """Everything needed to take the run again, and how it went: a checkpoint in words.

    `seconds` has those of each stretch of its history. `finished` says that all steps are taken and
    nothing is left to be written.
    """
    told = made.past or Past()
    last = {name: values[-1] for name, values in told.losses.items() if name != "step"}
    return {
        "question": made.recipe.question,
        "framework": made.framework,
        "step": made.step,
        "finished": finished,
        "losses": last,
        "data": told.data,
        "init": told.init,
        "classes": told.classes,
        "recipe": msgspec.to_builtins(made.recipe),
        "history": past.timed(told.history, seconds),
    }


def stretch(
    framework: str,
    answer: str,
    steps: tuple[int, int],
    device: str,
    threads: int | None,
    versions: Mapping[str, str],
) -> Stretch:
    """Who took the steps from one to another, and how; `answer` says whose file it was."""
    return {
        "framework": framework,
        "answer": answer,
        "from_step": steps[0],
        "to_step": steps[1],
        "device": device,
        "threads": threads,
        "versions": {"knock": knock.__version__, "numpy": np.__version__, **versions},
    }


def is_finished(folder: Path, step: int) -> bool:
    """Whether a run's `run.json` says that it ended with this step, and all was written."""
    known = read_run(folder)
    return known.get("finished") is True and known.get("step") == step


def write_scores(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `test.json`: what a test of the run said, whole or not at all."""
    write_atomically(folder / "test.json", json.dumps(content, indent=2) + "\n")


def write_run(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `run.json`, whole or not at all."""
    write_atomically(folder / FILE_NAME, json.dumps(content, indent=2) + "\n")


def read_run(folder: Path) -> dict[str, Any]:
    """A run's `run.json`; empty where there is none. Raises UserError when it is damaged."""
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not (
            isinstance(found["history"], list)
            and all(isinstance(stretch, dict) for stretch in found["history"])
            and isinstance(found["losses"], dict)
            and isinstance(found["data"], str | None)
        ):
            raise ValueError("not a run's")
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise UserError(f"{path} cannot be read: it is damaged, or not a run's") from None
    return dict(found)


def data_folder(run: Mapping[str, Any]) -> Path | None:
    """Where a run's data were, if that was said; `run` is what `read_run` gave."""
    return Path(run["data"]) if run.get("data") else None


def pictures_of(found: Checkpoint, home: Path) -> Path | None:
    """Where the data of the run in `home` were; its checkpoint knows where `run.json` is missing.

    Raises UserError as `read_run` does.
    """
    told = read_run(home)
    if told or not found.past:
        return data_folder(told)
    return Path(found.past.data) if found.past.data else None


def write_shown(folder: Path, name: str, rows: Mapping[str, Pixels], enlarge: int) -> None:
    """Write what an answer shows: `name`.png to look at, and `name`.safetensors as numbers."""
    pictures.write_rows(folder / f"{name}.png", rows, enlarge)
    write_pictures(folder / f"{name}.safetensors", rows)


def write_pictures(path: Path, rows: Mapping[str, Pixels]) -> None:
    """Keep rows of pictures (each N×H×W×C) as numbers, for sheets that compare runs."""
    rows = {name: np.ascontiguousarray(row) for name, row in rows.items()}
    order = {"order": json.dumps(list(rows))}  # safetensors sorts by name
    write_atomically(path, safetensors.numpy.save(rows, order))


def read_pictures(path: Path) -> dict[str, Pixels]:
    """What `write_pictures` wrote. Raises UserError when it is missing or damaged."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            order = json.loads((file.metadata() or {})["order"])
            return {name: file.get_tensor(name) for name in order}
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        raise UserError(f"{path} is missing or damaged; train the run anew") from None
