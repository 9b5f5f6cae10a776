"""`knock compare`: the same run in every framework, and one sheet that shows it."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.files import make_folder
from knock.frameworks import FRAMEWORKS
from knock.questions import Question
from knock.training import charts, checkpoint, loss_log, measured, options, record
from knock.training.checkpoint import Checkpoint
from knock.training.pictures import Pixels

import numpy as np

SHEET = "compare.png"
_ACROSS = 8  # pictures side by side, so that labels and table can be read
_ROWS = 3
"""Of more rows than these, as where there is one a class, a framework shows one picture each."""
_LOSSES = 4
"""Of more than these, a cell of the table tells no names."""
GIVEN = ("input", "target")
"""Rows of pictures that an answer was given; the others it made, and there is one a framework."""

_SCORES = {
    "frechet": "Fréchet distance of {} pictures",
    "inception": "inception score",
    "kinds": "kinds",
    "asked_for": "as asked for",
}
"""The scores that a sheet shows, and what it calls them."""


class Stopped(Exception):
    """A framework's run ended early; its own line has said why. Carries the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def compare(question: Question, chosen: Sequence[str], folder: Path, words: Sequence[str]) -> Path:
    """Train `question` in each of the chosen frameworks, then draw the sheet into `folder`.

    `words` are the options of a run; `--out` is not among them. Returns the sheet's path. Raises
    UserError for options that no run takes, and Stopped when a run does not end well.
    """
    if question.opens:
        raise UserError(f"question {question.label} trains nothing; compare {question.opens}")
    said = options.parse(question, f"knock compare {question.name}", words)
    if said.resume or said.test:
        raise UserError("compare trains anew; --resume and --test are options of knock run")
    make_folder(folder)
    for name in chosen:
        script = question.answer(name)
        run = subprocess.Popen([sys.executable, script, *words, "--out", str(folder / name)])
        before = signal.signal(signal.SIGTERM, lambda *_, run=run: run.terminate())
        code = _wait(run)
        signal.signal(signal.SIGTERM, before)
        if code:
            raise Stopped(code)
    path, table = draw(question, chosen, folder)
    for line in table:
        print("  ".join(f"{cell:<22}" for cell in line).rstrip())
    return path


def _wait(run: "subprocess.Popen[bytes]") -> int:
    """Wait for a run to end; a Ctrl-C reaches it too, and it saves before it ends."""
    while True:
        try:
            return run.wait()
        except KeyboardInterrupt:
            continue


def draw(question: Question, chosen: Sequence[str], folder: Path) -> tuple[Path, list[list[str]]]:
    """Draw the sheet of runs that are in `folder` already, one subfolder a framework.

    Runs that `knock score` has measured have some of their scores in the table. Returns the sheet's
    path, and the table, the first row its head. Raises UserError for what cannot be read.
    """
    titles = {name: FRAMEWORKS[name].title for name in chosen}
    runs = {name: record.read_run(folder / name) for name in chosen}
    shown = {n: record.read_pictures(folder / n / "result.safetensors") for n in chosen}
    found = {name: checkpoint.load(folder / name) for name in chosen}
    first = chosen[0]
    shown = {name: _readable(rows) for name, rows in shown.items()}
    rows = {row: pixels for row, pixels in shown[first].items() if row in GIVEN}
    made = [row for row in shown[first] if row not in GIVEN]
    for row in made:
        for name in chosen:
            label = titles[name] if len(made) == 1 else f"{row}\n{titles[name]}"
            rows[label] = shown[name][row]
    recipe = found[first].recipe
    weights = [key for key in found[first].state if key.split(".")[0] in recipe.networks]
    table = [
        [
            "",
            "final loss",
            "seconds",
            "ms a step",
            f"largest weight difference to {titles[first]}",
        ]
    ]
    for name in chosen:
        seconds = sum(stretch["seconds"] for stretch in runs[name]["history"])
        farthest = max(
            float(np.abs(found[name].state[key] - found[first].state[key]).max()) for key in weights
        )
        table.append(
            [
                titles[name],
                _told(runs[name]["losses"]),
                f"{seconds:.1f}",
                f"{1000 * seconds / runs[name]['step']:.1f}",
                "–" if name == first else f"{farthest:.1e}",
            ]
        )
    table = [
        [*line, *more] for line, more in zip(table, _scores(chosen, folder, found), strict=True)
    ]
    path = folder / SHEET
    charts.sheet(
        path,
        f"{question.label}: {question.title} · {recipe.dataset}, {runs[first]['step']} steps of "
        f"{recipe.train.batch_size}, seed {recipe.seed}, {recipe.dtype}",
        rows,
        {titles[name]: loss_log.read(folder / name) for name in chosen},
        table,
    )
    return path, table


def _scores(
    chosen: Sequence[str], folder: Path, found: Mapping[str, Checkpoint]
) -> list[list[str]]:
    """Columns for the scores of the runs, the first row their heads; none where nothing was scored.

    Scores of another checkpoint than the run's present one are left out, and so are all where they
    were not taken alike: they could not be compared.
    """
    known = {name: measured.read(folder / name) for name in chosen}
    now = {
        name: one
        for name, one in known.items()
        if one is not None and one.checkpoint == checkpoint.digest(found[name].state)
    }
    columns = {}
    if len({(one.eyes.digest, one.pictures) for one in now.values()}) == 1:
        count = next(iter(now.values())).pictures
        for field, head in _SCORES.items():
            values = {name: getattr(one.scores, field) for name, one in now.items()}
            if any(value is not None for value in values.values()):
                columns[head.format(count)] = [_number(values.get(name)) for name in chosen]
    return [[*columns], *([column[i] for column in columns.values()] for i in range(len(chosen)))]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _told(losses: Mapping[str, float]) -> str:
    """Losses in a cell of the table; of many the numbers alone, in the order of the curves."""
    if len(losses) > _LOSSES:
        return ", ".join(f"{value:.4g}" for value in losses.values())
    return ", ".join(f"{name} {value:.6g}" for name, value in losses.items())


def _readable(rows: dict[str, Pixels]) -> dict[str, Pixels]:
    """As many pictures of each row as fit on a sheet; of many rows, the first of each."""
    made = [pixels for row, pixels in rows.items() if row not in GIVEN]
    if len(made) > _ROWS:
        return {"": np.stack([pixels[0] for pixels in made])}
    return {row: pixels[:_ACROSS] for row, pixels in rows.items()}


def choose(question: Question, wanted: str | None) -> list[str]:
    """The frameworks to compare: those in the comma-separated `wanted`, else all installed.

    Raises UserError for an unknown or missing one, and when there are none.
    """
    if wanted is not None:
        names = list(dict.fromkeys(name.strip() for name in wanted.split(",")))
        for name in names:
            frameworks.find(name)
            if FRAMEWORKS[name].missing:
                raise UserError(frameworks.missing_line(FRAMEWORKS[name]))
    else:
        names = frameworks.installed()
    chosen = [name for name in names if name in question.answered_in]
    if not chosen:
        raise UserError("no framework is installed; knock doctor says how to get one")
    return chosen
