"""`knock runs`: which runs there are, and what is known of each without opening its weights."""

from collections.abc import Sequence
from pathlib import Path

from knock.errors import UserError
from knock.training import checkpoint as checkpoints
from knock.training import folders, measured, record, whose
from knock.training.table import aligned

import msgspec

FORMAT = 1
"""Whoever changes or removes a key of `Listed` counts this up."""

_WORDS = 6  # columns; the others are numbers


class Init(msgspec.Struct, frozen=True):
    """The run whose weights another began with, after which of its steps."""

    run: str
    step: int


class Listed(msgspec.Struct, frozen=True):
    """A run; where `error` says why it cannot be read, the rest is empty.

    frameworks, answers: of those who took its steps, in their order; an answer is `ours`, `a
    notebook` or a file. frechet: of its present weights, from `pictures` pictures, as `knock score`
    has measured it; None where it has not.
    """

    run: str
    question: str = ""
    frameworks: list[str] = []
    answers: list[str] = []
    dataset: str = ""
    image: list[int] = []
    preset: str = ""
    seed: int = 0
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    init: Init | None = None
    frechet: float | None = None
    pictures: int = 0
    error: str = ""


class Document(msgspec.Struct, frozen=True):
    """What `knock runs --json` writes; `error` says what went wrong, if something did."""

    format: int = FORMAT
    runs: list[Listed] = []
    error: str = ""


class _Train(msgspec.Struct):
    steps: int


class _Recipe(msgspec.Struct):
    """Of a recipe what a list shows: so that the run of another version can be listed, too."""

    preset: str
    dataset: str
    image_shape: list[int]
    train: _Train
    seed: int


class _Stretch(msgspec.Struct):
    framework: str
    seconds: float
    answer: str = ""  # older runs do not say it


class _Told(msgspec.Struct):
    question: str
    step: int
    recipe: _Recipe
    history: list[_Stretch]
    init: Init | None = None


def to_json(document: Document) -> bytes:
    """One line of UTF-8 with a line's end."""
    return msgspec.json.encode(document) + b"\n"


def find(folder: Path) -> list[Listed]:
    """The runs in a folder, or the one that it is; what was written last comes last.

    Raises UserError where the folder cannot be read.
    """
    try:
        return [_read(one) for one in sorted(folders.runs_at(folder), key=_written)]
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None


def _written(run: Path) -> tuple[float, str]:
    files = (run / name for name in (record.FILE_NAME, checkpoints.FILE_NAME))
    return max(file.stat().st_mtime for file in files if file.exists()), str(run)


def _read(run: Path) -> Listed:
    path = run / record.FILE_NAME
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_Told)
    except FileNotFoundError:
        return Listed(str(run), error=f"there is no {path}")
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return Listed(str(run), error=f"{path} is damaged, or no run's")
    score, error = _score(run)
    return Listed(
        run=str(run),
        question=told.question,
        frameworks=[*dict.fromkeys(one.framework for one in told.history)],
        answers=[*dict.fromkeys(one.answer for one in told.history if one.answer)],
        dataset=told.recipe.dataset,
        image=told.recipe.image_shape,
        preset=told.recipe.preset,
        seed=told.recipe.seed,
        step=told.step,
        steps=told.recipe.train.steps,
        seconds=round(sum(one.seconds for one in told.history), 3),
        init=told.init,
        frechet=score.scores.frechet if score else None,
        pictures=score.pictures if score else 0,
        error=error,
    )


def _score(run: Path) -> tuple[measured.Measured | None, str]:
    """The scores of a run's present weights, and what is wrong with the file of them."""
    try:
        found = measured.read(run)
    except UserError as error:
        return None, str(error)
    if found and found.checkpoint != checkpoints.told_digest(run / checkpoints.FILE_NAME):
        return None, ""
    return found, ""


def lines(runs: Sequence[Listed]) -> list[str]:
    """The table for a terminal: a line for each run, then what could not be read."""
    head = ["run", "question", "framework", "data set", "preset", "answer", "seed", "step"]
    cells = [[*head, "minutes", "Fréchet ↓", "begun from"]]
    cells += [_cells(run) for run in runs]
    columns = [*zip(*cells, strict=True)]
    columns[-2:] = [column for column in columns[-2:] if any(column[1:])]
    table = aligned([*zip(*columns, strict=True)], _WORDS)
    return [*table, *(run.error for run in runs if run.error)]


def _cells(run: Listed) -> list[str]:
    if not run.question:
        return [run.run, "damaged", *([""] * 9)]
    return [
        run.run,
        run.question,
        ", ".join(run.frameworks),
        run.dataset,
        run.preset,
        ", ".join(whose.short(answer) for answer in run.answers),
        str(run.seed),
        str(run.step) if run.step == run.steps else f"{run.step} of {run.steps}",
        f"{run.seconds / 60:.1f}",
        "" if run.frechet is None else f"{run.frechet:.2f}",
        f"{whose.short(run.init.run)}, step {run.init.step}" if run.init else "",
    ]
