"""One sheet for several runs: their last pictures, their loss curves, and a table of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import questions
from knock import recipe as recipes
from knock.errors import UserError
from knock.files import make_folder
from knock.frameworks import FRAMEWORKS
from knock.recipe import Recipe
from knock.training import charts, checkpoint, loss_log, measured, record
from knock.training.checkpoint import Checkpoint
from knock.training.past import Columns
from knock.training.pictures import Pixels

import numpy as np

FILE_NAME = "compare.png"

GIVEN = ("input", "target", "x", "y")
"""Rows of pictures that an answer was given; the others it made, and each run shows its own."""

_ACROSS = 8  # pictures side by side, so that labels and table can be read
_ROWS = 3
"""Of more rows than these, as where there is one a class, a run shows one picture each."""
_LOSSES = 4
"""Of more than these, a cell of the table tells no names."""
_KEYS = 4
"""Of more keys than these, in which recipes differ, the table shows none: it is another preset."""

_SCORES = {
    "frechet": "Fréchet distance of {} pictures",
    "inception": "inception score",
    "kinds": "kinds",
    "asked_for": "as asked for",
}
"""The scores that a sheet shows, and what it calls them."""


@dataclass(frozen=True)
class _Run:
    """What a run's folder holds for a sheet."""

    folder: Path
    told: dict[str, Any]
    found: Checkpoint
    rows: dict[str, Pixels]
    losses: Columns

    @property
    def recipe(self) -> Recipe:
        return self.found.recipe


def draw(path: Path, runs: Mapping[str, Path], by_framework: bool = False) -> list[list[str]]:
    """Draw the sheet of runs, of any questions, each under its label. Returns the table.

    Runs that `knock score` has measured have some of their scores in it. With `by_framework` the
    labels say which framework a run is of. The table's first row is its head. Raises UserError for
    what cannot be read or written.
    """
    opened = {label: _open(folder) for label, folder in runs.items()}
    facts = {label: _facts(run) for label, run in opened.items()}
    if by_framework:
        facts = {
            label: {k: v for k, v in one.items() if k != "framework"}
            for label, one in facts.items()
        }
    table = _columns(opened, facts)
    make_folder(path.parent)
    charts.sheet(
        path,
        _title([*facts.values()], by_framework),
        _pictures(opened),
        {label: run.losses for label, run in opened.items()},
        table,
    )
    return table


def _open(folder: Path) -> _Run:
    told = record.read_run(folder)
    if not told:
        raise UserError(f"{folder} is no run: there is no {record.FILE_NAME} in it")
    return _Run(
        folder,
        told,
        checkpoint.load(folder),
        _readable(record.read_pictures(folder / "result.safetensors")),
        loss_log.read(folder),
    )


def _readable(rows: dict[str, Pixels]) -> dict[str, Pixels]:
    """As many pictures of each row as fit on a sheet; of many rows, the first of each."""
    made = [pixels for row, pixels in rows.items() if row not in GIVEN]
    if len(made) > _ROWS:
        return {"": np.stack([pixels[0] for pixels in made])}
    return {row: pixels[:_ACROSS] for row, pixels in rows.items()}


def _pictures(opened: Mapping[str, _Run]) -> dict[str, Pixels]:
    """The sheet's rows: those of one name together, and a picture that all were given once."""
    names = dict.fromkeys(row for run in opened.values() for row in run.rows)
    given = [row for row in names if row in GIVEN]
    made = [row for row in names if row not in GIVEN]
    rows: dict[str, Pixels] = {}
    for row in given:
        rows |= _distinct(row, {k: run for k, run in opened.items() if row in run.rows})
    for row in made:
        alone = row == "" or len(made) == 1
        for label, run in opened.items():
            if row in run.rows:
                rows[label if alone else f"{row}\n{label}"] = run.rows[row]
    return rows


def _distinct(row: str, runs: Mapping[str, _Run]) -> dict[str, Pixels]:
    """The pictures that runs were given, each set of them once, and by what they are called."""
    found: dict[str, Pixels] = {}
    for label, run in runs.items():
        pixels = run.rows[row]
        if not any(np.array_equal(pixels, other) for other in found.values()):
            name = f"{row}\n{run.recipe.dataset}"
            found[f"{row}\n{label}" if name in found else name] = pixels
    return found if len(found) > 1 else dict.fromkeys([row], *found.values())


def _facts(run: _Run) -> dict[str, str]:
    """What a run is, in words; what all runs of a sheet share is in its title."""
    recipe = run.recipe
    framework = FRAMEWORKS.get(run.found.framework)
    answers = dict.fromkeys(stretch.get("answer") for stretch in run.told["history"])
    return {
        "question": _question(recipe),
        "framework": framework.title if framework else run.found.framework,
        "answer": ", ".join(Path(one).name for one in answers if one),
        "data set": recipe.dataset,
        "preset": recipe.preset,
        "steps": str(run.told["step"]),
        "batch": str(recipe.train.pictures),
        "seed": str(recipe.seed),
        "dtype": recipe.dtype,
    }


def _question(recipe: Recipe) -> str:
    try:
        return f"{questions.find(recipe.question).label}: {recipe.title}"
    except UserError:  # of another version of the project
        return f"{recipe.question}: {recipe.title}"


def _title(facts: Sequence[Mapping[str, str]], by_framework: bool) -> str:
    same = {key: value for key, value in facts[0].items() if _shared(key, facts)}
    asked = dict.fromkeys(one["question"] for one in facts)
    heads = [*asked] if len(asked) == 1 else [name.split(":")[0] for name in asked]
    parts = [same["data set"]] if "data set" in same else []
    if "steps" in same and "batch" in same:
        parts.append(f"{same['steps']} steps of {same['batch']}")
    if "seed" in same:
        parts.append(f"seed {same['seed']}")
    parts += [same[key] for key in ("dtype", "framework") if key in same]
    return " · ".join(filter(None, [" and ".join(heads), ", ".join(parts)]))


def _shared(key: str, facts: Sequence[Mapping[str, str]]) -> bool:
    return len({one.get(key) for one in facts}) == 1


def _columns(opened: Mapping[str, _Run], facts: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """The table: what differs between the runs, then how they went."""
    runs, told = [*opened.values()], [*facts.values()]
    columns: dict[str, list[str]] = {"": [*opened]}
    for key in told[0]:
        if not _shared(key, told):
            cells = [one[key] for one in told]
            columns[key] = [one.split(":")[0] for one in cells] if key == "question" else cells
    columns |= _settings([run.recipe for run in runs])
    seconds = [sum(stretch["seconds"] for stretch in run.told["history"]) for run in runs]
    columns["final loss"] = [_losses(run.told["losses"]) for run in runs]
    columns["seconds"] = [f"{one:.1f}" for one in seconds]
    columns["ms a step"] = [
        f"{1000 * one / run.told['step']:.1f}" if run.told["step"] else "–"
        for one, run in zip(seconds, runs, strict=True)
    ]
    if all(_same_training(runs[0].recipe, run.recipe) for run in runs):
        label = next(iter(opened))
        columns[f"largest weight difference to {label}"] = _farthest(runs)
    columns |= _scores(runs)
    return [[*columns], *(list(line) for line in zip(*columns.values(), strict=True))]


def _settings(made: Sequence[Recipe]) -> dict[str, list[str]]:
    """Columns for the keys in which recipes of one question, data set and preset differ."""
    if len({(one.question, one.dataset, one.preset) for one in made}) > 1:
        return {}
    values = [recipes.settings.leaves(recipes.settings.changeable(one)) for one in made]
    names = [
        name
        for name in values[0]
        if not name.startswith("train.") and len({repr(one.get(name)) for one in values}) > 1
    ]
    if len(names) > _KEYS:
        return {}
    return {name: [str(one.get(name)) for one in values] for name in names}


def _same_training(first: Recipe, other: Recipe) -> bool:
    return recipes.difference(first, recipes.timed_as(other, first)) is None


def _farthest(runs: Sequence[_Run]) -> list[str]:
    """How far the weights of each run are from the first one's."""
    first = runs[0]
    state = first.found.state
    weights = [key for key in state if key.split(".")[0] in first.recipe.networks]
    return ["–"] + [
        f"{max(float(np.abs(run.found.state[k] - state[k]).max()) for k in weights):.1e}"
        for run in runs[1:]
    ]


def _scores(runs: Sequence[_Run]) -> dict[str, list[str]]:
    """Columns for the scores of the runs; none where nothing was scored.

    Scores of another checkpoint than the run's present one are left out, and so are all where they
    were not taken alike: they could not be compared.
    """
    known = [measured.read(run.folder) for run in runs]
    now = [
        one if one and one.checkpoint == checkpoint.digest(run.found.state) else None
        for one, run in zip(known, runs, strict=True)
    ]
    taken = [one for one in now if one is not None]
    if len({(one.eyes.digest, one.pictures) for one in taken}) != 1:
        return {}
    columns = {}
    for field, head in _SCORES.items():
        values = [getattr(one.scores, field) if one else None for one in now]
        if any(value is not None for value in values):
            columns[head.format(taken[0].pictures)] = [_number(value) for value in values]
    return columns


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _losses(losses: Mapping[str, float]) -> str:
    """Losses in a cell of the table; of many the numbers alone, in the order of the curves."""
    if len(losses) > _LOSSES:
        return ", ".join(f"{value:.4g}" for value in losses.values())
    return ", ".join(f"{name} {value:.6g}" for name, value in losses.items())
