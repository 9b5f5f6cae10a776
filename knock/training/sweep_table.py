"""What came of a sweep: `sweep.csv`, a row for each run; a table of its settings; `sweep.png`."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from knock.errors import UserError
from knock.files import write_atomically
from knock.questions import Question
from knock.training import charts, grid, loss_log, measured, record
from knock.training.grid import Cell, Over
from knock.training.pictures import Pixels
from knock.training.pictures import grid as as_one
from knock.training.sheet import GIVEN
from knock.training.table import aligned, written

TABLE = "sweep.csv"
SHEET = "sweep.png"

_SCORES = (
    *("frechet", "kernel", "inception", "precision", "recall", "density", "coverage"),
    *("similarity", "kinds", "asked_for"),
)
_HEADS = {"frechet": "Fréchet ↓", "recall": "recall ↑", "precision": "precision ↑"}
_SHOWN = ("frechet", "kinds", "precision", "recall")
"""The scores of the printed table; `sweep.csv` has all."""

_LAST = 20
"""The last losses of a run are means over as many steps."""

_ACROSS, _COUNT = 4, 8
"""A thumbnail: eight pictures, four side by side."""


@dataclass(frozen=True)
class Row:
    """One run: its cell, the step it came to, its last losses, its scores, and its pictures.

    `numbers` has losses and scores by name; a run that failed, or was not begun, has none.
    """

    cell: Cell
    step: int
    seconds: float
    losses: Mapping[str, float]
    scores: Mapping[str, float]
    pictures: Pixels | None


def rows(folder: Path, cells: Sequence[Cell]) -> list[Row]:
    """What every run of a sweep has left in its folder. Raises UserError for what is damaged."""
    return [_row(folder / cell.name, cell) for cell in cells]


def _row(folder: Path, cell: Cell) -> Row:
    told = record.read_run(folder)
    if not told.get("finished"):
        return Row(cell, int(told.get("step", 0)), 0.0, {}, {}, None)
    columns = loss_log.read(folder)
    losses = {k: statistics.fmean(v[-_LAST:]) for k, v in columns.items() if k != "step"}
    found = measured.read(folder)
    scores = {
        name: value
        for name in (_SCORES if found else ())
        if (value := getattr(found.scores if found else None, name)) is not None
    }
    seconds = sum(float(one.get("seconds", 0.0)) for one in told["history"])
    return Row(cell, int(told["step"]), seconds, losses, scores, _pictures(folder))


def _pictures(folder: Path) -> Pixels | None:
    try:
        shown = record.read_pictures(folder / "result.safetensors")
    except UserError:  # a question that shows none
        return None
    made = [pixels for name, pixels in shown.items() if name not in GIVEN]
    return made[0][:_COUNT] if made else None


def lines(over: Over, found: Sequence[Row]) -> list[str]:
    """The table for a terminal: a line for each setting, its numbers means over its seeds."""
    keys = [key for key in over if key != grid.SEED]
    measures = [name for name in _SHOWN if any(name in one.scores for one in found)]
    if not measures:
        measures = list(dict.fromkeys(name for one in found for name in one.losses))
    heads = [_HEADS.get(name, name) for name in measures]
    cells = [[*keys, "runs", *heads]]
    for some in _settings(found):
        values = some[0].cell.setting
        numbers = [_mean(some, name) for name in measures]
        there = sum(bool(one.losses) for one in some)
        cells.append([*(values[key] for key in keys), str(there), *numbers])
    return aligned(cells, len(keys))


def _settings(found: Sequence[Row]) -> list[list[Row]]:
    """The runs, those of one setting together."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for one in found:
        groups.setdefault(tuple(one.cell.setting.values()), []).append(one)
    return [*groups.values()]


def _mean(some: Sequence[Row], name: str) -> str:
    """The mean of a number over runs, ± their standard deviation."""
    values = [value for one in some if (value := _number(one, name)) is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return written(values[0])
    return f"{written(statistics.fmean(values))} ± {written(statistics.stdev(values))}"


def _number(row: Row, name: str) -> float | None:
    return row.scores.get(name, row.losses.get(name))


def write(folder: Path, question: Question, over: Over, found: Sequence[Row]) -> None:
    """Write `sweep.csv` and `sweep.png`. Raises UserError when that is impossible."""
    losses = dict.fromkeys(name for one in found for name in one.losses)
    scores = [name for name in _SCORES if any(name in one.scores for one in found)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*over, "step", "seconds", *losses, *scores])
    for one in found:
        numbers = (_number(one, name) for name in (*losses, *scores))
        cells = ("" if value is None else f"{value:.6g}" for value in numbers)
        writer.writerow([*one.cell.values.values(), one.step, f"{one.seconds:.1f}", *cells])
    write_atomically(folder / TABLE, text.getvalue())
    _draw(folder / SHEET, question, over, found)


@charts.as_it_comes()
def _draw(path: Path, question: Question, over: Over, found: Sequence[Row]) -> None:
    """A thumbnail for each setting: the first seed's pictures above the means of the scores."""
    from matplotlib.figure import Figure

    down, across = grid.axes(over)
    columns = over[across] if across else [""]
    settings = {tuple(some[0].cell.setting.items()): some for some in _settings(found)}
    lines = dict.fromkeys(tuple((k, v) for k, v in setting if k != across) for setting in settings)
    first = next((one.pictures for one in found if one.pictures is not None), None)
    tall = 1.0 if first is None else 2 * first.shape[1] / (_ACROSS * first.shape[2])
    wide, words, head, left = 2.3, 0.3, 0.75, 0.3 + 0.085 * max(_widest(line) for line in lines)
    high = wide * tall + words + 0.1
    size = left + len(columns) * (wide + 0.12) + 0.1, head + len(lines) * high + 0.1
    figure = Figure(figsize=size)
    figure.text(0.1 / size[0], 1 - 0.1 / size[1], _title(question, over), fontsize=12, va="top")
    for n, column in enumerate(columns):
        x = (left + n * (wide + 0.12) + wide / 2) / size[0]
        title = f"{across} {column}" if across else ""
        figure.text(x, 1 - (head - 0.06) / size[1], title, ha="center", va="bottom", fontsize=11)
        for m, line in enumerate(lines):
            bottom = size[1] - head - (m + 1) * high
            some = next((s for k, s in settings.items() if _fits(k, line, across, column)), [])
            if n == 0:
                y = (bottom + words + wide * tall / 2) / size[1]
                label = "\n".join(f"{key.split('.')[-1]} {value}" for key, value in line)
                figure.text((left - 0.1) / size[0], y, label, ha="right", va="center", fontsize=11)
            shown = next((one.pictures for one in some if one.pictures is not None), None)
            if shown is not None:
                box = (left + n * (wide + 0.12), bottom + words, wide, wide * tall)
                place = [v / size[i % 2] for i, v in enumerate(box)]
                axis = figure.add_axes((place[0], place[1], place[2], place[3]))
                axis.imshow(as_one([shown], _ACROSS), interpolation="nearest", aspect="auto")
                axis.set_axis_off()
            y = (bottom + words - 0.04) / size[1]
            figure.text(x, y, _said(some), ha="center", va="top", fontsize=9)
    charts.save(path, figure)


def _widest(line: Sequence[tuple[str, str]]) -> int:
    return max((len(f"{key.split('.')[-1]} {value}") for key, value in line), default=0)


def _fits(setting: Sequence[tuple[str, str]], line: object, across: str, column: str) -> bool:
    rest = tuple((key, value) for key, value in setting if key != across)
    return rest == line and (not across or dict(setting)[across] == column)


def _title(question: Question, over: Over) -> str:
    seeds = len(over.get(grid.SEED, [""]))
    return f"{question.label}" + (f" · {seeds} seeds: mean ± deviation" if seeds > 1 else "")


def _said(some: Sequence[Row]) -> str:
    """What stands below a thumbnail."""
    if not any(one.losses for one in some):
        return "failed"
    parts = []
    if any("frechet" in one.scores for one in some):
        parts.append(f"Fréchet {_mean(some, 'frechet')}")
    if any("kinds" in one.scores for one in some):
        parts.append(f"kinds {_mean(some, 'kinds')}")
    missing = sum(not one.losses for one in some)
    return " · ".join(parts + ([f"{missing} failed"] if missing else []))
