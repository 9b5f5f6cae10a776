"""All numbers of some runs: for a terminal, and as JSON.

Both are made of the same objects. GUIDE.md describes the JSON for its readers; whoever changes or
removes a key here counts `FORMAT` up.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from knock.trained.opened import title
from knock.training.measured import EXAMINER, Eyes, Measured, Scores
from knock.training.measures import BETTER
from knock.training.table import aligned

import msgspec

FORMAT = 1

MEASURES = tuple(name for name in Scores.__struct_fields__ if name != "missing")
"""The names of all measures, in the order shown."""

_CALLED = {"frechet": "Fréchet", "similarity": "MS-SSIM", "asked_for": "asked for"}
"""The measures that a table does not call by their own names."""
_FORMATS: dict[str, Callable[[float], str]] = {
    "frechet": lambda value: f"{value:.2f}",
    "kernel": lambda value: f"{value:.4f}",
    "inception": lambda value: f"{value:.2f}",
    "similarity": lambda value: f"{value:.3f}",
    "kinds": lambda value: f"{value:.3g}",
    "asked_for": lambda value: f"{value:.1%}",
}
_WORDS = 3  # columns; the others are numbers


class Row(msgspec.Struct, frozen=True):
    """A run and its scores."""

    run: str
    measured: Measured


class Mean(msgspec.Struct, frozen=True):
    """Runs that differ in their seed alone: the mean of each measure, and its deviation (N − 1).

    A measure that one of the runs lacks is missing here, too.
    """

    runs: list[str]
    seeds: list[int]
    question: str
    framework: str
    pictures: int
    mean: dict[str, float]
    deviation: dict[str, float]


class Table(msgspec.Struct, frozen=True):
    """Runs of one data set and size, seen by the same eyes.

    real: what the measures say of `real_pictures` training pictures, as if a run had made them.
    """

    dataset: str
    image: tuple[int, int, int]
    eyes: Eyes
    real: Scores
    real_pictures: int
    rows: list[Row]
    means: list[Mean]


class Document(msgspec.Struct, frozen=True):
    """What `knock score --json` writes; `error` says what went wrong, if something did."""

    format: int = FORMAT
    tables: list[Table] = []
    error: str = ""


def to_json(document: Document) -> bytes:
    """One line of UTF-8 with a line's end."""
    return msgspec.json.encode(document) + b"\n"


def mean(rows: Sequence[Row]) -> Mean:
    """The mean and deviation of runs, at least two, that differ in their seed alone."""
    values = {name: [getattr(row.measured.scores, name) for row in rows] for name in MEASURES}
    whole = {name: column for name, column in values.items() if None not in column}
    means = {name: sum(column) / len(column) for name, column in whole.items()}
    spread = {
        name: math.sqrt(sum((v - means[name]) ** 2 for v in column) / (len(column) - 1))
        for name, column in whole.items()
    }
    first = rows[0].measured
    return Mean(
        [row.run for row in rows],
        [row.measured.seed for row in rows],
        first.question,
        first.framework,
        first.pictures,
        means,
        spread,
    )


def lines(table: Table) -> list[str]:
    """The table for a terminal: what was compared with what, a line for each run, footnotes."""
    notes: dict[str, int] = {}
    shown = [name for name in MEASURES if _is_shown(name, table)]
    cells = [["run", "question", "framework", "pictures", *map(_head, shown)]]
    for row in table.rows:
        one = row.measured
        how = title(one.framework)
        if one.made_in != one.framework:
            how += f" (in {title(one.made_in)})"
        values = [_cell(name, one.scores, notes) for name in shown]
        cells.append([row.run, one.question, how, str(one.pictures), *values])
    for group in table.means:
        named = {f"mean of {len(group.runs)} seeds": group.mean, "± deviation": group.deviation}
        for what, numbers in named.items():
            values = [_written(name, numbers) for name in shown]
            count = str(group.pictures)
            cells.append([what, group.question, title(group.framework), count, *values])
    real = [_cell(name, table.real, notes) for name in shown]
    cells.append(["(training pictures)", "", "", str(table.real_pictures), *real])
    footnotes = [f"[{number}] {why}" for why, number in notes.items()]
    return [*_heading(table), "", *aligned(cells, _WORDS), *footnotes]


def _is_shown(name: str, table: Table) -> bool:
    """What no run can have is no column: the class asked for, where none can be."""
    asked = (row.measured.scores.asked_for for row in table.rows)
    return name != "asked_for" or any(share is not None for share in asked)


def _head(name: str) -> str:
    """A measure, and in which direction it is better."""
    return f"{_CALLED.get(name, name)} {BETTER.get(name, '↑')}"


def _heading(table: Table) -> list[str]:
    channels, height, width = table.image
    eyes, colour = table.eyes, "grey" if channels == 1 else "colour"
    found = [
        f"{table.dataset}, {height}×{width}, {colour}: compared with its {eyes.test} test pictures"
    ]
    told = "" if eyes.accuracy is None else f"which names {eyes.accuracy:.1%} of them right"
    if eyes.name == EXAMINER:
        return [*found, f"seen by question 16's examiner, {told}; these distances are no FID"]
    found.append(f"distances and neighbours: {eyes.features} features of {eyes.name}")
    if told:
        found.append(f"classes: question 16's examiner, {told}")
    return found


def _cell(name: str, scores: Scores, notes: dict[str, int]) -> str:
    value = getattr(scores, name)
    if value is not None:
        return _text(name, value)
    why = scores.missing.get(name)
    return "" if why is None else f"[{notes.setdefault(why, len(notes) + 1)}]"


def _written(name: str, numbers: Mapping[str, float]) -> str:
    return _text(name, numbers[name]) if name in numbers else ""


def _text(name: str, value: float) -> str:
    form = _FORMATS.get(name)
    return form(value) if form else f"{value:.3f}"
