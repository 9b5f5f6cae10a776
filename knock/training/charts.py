"""Loss curves, sheets that compare runs, and points in a plane."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from knock.files import write_atomically
from knock.training.pictures import Pixels, grid
from knock.training.table import BETTER, Table

import numpy as np
from numpy.typing import NDArray

LOSSES = "losses.png"
"""The curves of a run, in its folder."""

_WINDOWS = 50  # means of a fiftieth of a run: enough to see where a game's noisy losses go
_DPI = 110
_SIDE = 115  # dots across a picture of a sheet, about; never less than its pixels
_BESIDE = 8
"""How many of a row's pictures a table shows."""

_BETTER: dict[str, Any] = {"weight": "bold", "color": "#a3480f"}

_DECADE = 10  # losses that span less are read more easily on a plain axis


@contextlib.contextmanager
def as_it_comes() -> Iterator[None]:
    """matplotlib without the user's own settings, so that a figure is the same everywhere.

    Fonts, sizes, LaTeX and windows are settings that people have for their own figures.
    """
    try:
        import matplotlib
    except ValueError:  # a name in MPLBACKEND that this version does not know
        del os.environ["MPLBACKEND"]
        import matplotlib
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@as_it_comes()
def curve(path: Path, curves: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> None:
    """Draw losses over steps: {label: columns of a loss log}, one axis for each loss."""
    figure, axes = _figure(_losses(curves), height=3.2)
    _draw_curves(axes, curves)
    figure.suptitle(title)
    save(path, figure)


@as_it_comes()
def sheet(
    path: Path,
    title: str,
    rows: Mapping[str, Pixels],
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    table: Sequence[Sequence[str]],
) -> None:
    """One sheet that compares runs: a row of pictures each, their loss curves, and a table.

    `rows` maps a label to N×H×W×C pixels, and pictures of other sizes are drawn as large as the
    first ones; the table's first row is its head. A run may lack a loss that another one has.
    """
    from matplotlib.figure import Figure

    _, height, width, _ = next(iter(rows.values())).shape
    count = max(map(len, rows.values()))
    curve_height, line = 2.4, 0.27  # inches
    # A whole number of dots for each pixel, so that all pixels look alike.
    picture = max(1, round(_SIDE / width)) * (width + 2) / _DPI
    band = picture * height / width
    names = _losses(curves)
    down, across = _arranged(len(names))
    sizes = [band * len(rows), curve_height * down, line * (len(table) + 1)]
    longest = max(len(line) for label in rows for line in label.split("\n"))
    label_width = max(1.15, 0.087 * longest + 0.25)
    total = sum(sizes) + 0.5
    figure = Figure(figsize=(picture * count + label_width + 0.15, total))
    figure.suptitle(title, fontsize=12, y=1 - 0.12 / total, va="top")
    left = label_width / figure.get_figwidth()
    right = 1 - 0.15 / figure.get_figwidth()
    top = 1 - 0.42 / total
    for number, (label, row) in enumerate(rows.items()):
        bottom = top - (number + 1) * band / total
        axis = figure.add_axes((left, bottom, right - left, band / total), anchor="W")
        axis.imshow(grid([row]), interpolation="nearest")
        axis.set_axis_off()
        figure.text(left - 0.01, bottom + band / total / 2, label, ha="right", va="center")
    share = (right - left) / across
    wide = (1.0, 0.8, 0.74, 0.74)[across - 1]  # the rest is for the next one's numbers
    bottom = (sizes[2] + 0.5) / total
    axes = [
        figure.add_axes(
            (
                left + i % across * share,
                bottom + (down - 1 - i // across) * curve_height / total,
                share * wide,
                (curve_height - 0.75) / total,
            )
        )
        for i in range(len(names))
    ]
    _draw_curves(axes, curves)
    axis = figure.add_axes((0.02, 0.0, 0.96, sizes[2] / total))
    axis.set_axis_off()
    drawn = axis.table(cellText=table[1:], colLabels=table[0], loc="center", edges="horizontal")
    drawn.auto_set_font_size(False)
    letters = sum(max(map(len, column)) for column in zip(*table, strict=True))
    drawn.set_fontsize(9 * min(1.0, 115 / letters))  # so that a row of many losses fits
    drawn.auto_set_column_width(range(len(table[0])))
    drawn.scale(1.1, 1.25)
    save(path, figure)


@as_it_comes()
def table(path: Path, shown: Table) -> None:
    """Draw a table: its title, and for each row its name, some of its pictures, and its numbers."""
    from matplotlib.figure import Figure

    across = max((len(p[:_BESIDE]) for p in shown.pictures.values()), default=0)
    picture, line = 0.42, 0.3  # inches
    tall = {name: _height(shown.pictures.get(name), picture, line) for name in shown.rows}
    names = 0.072 * max(map(len, shown.rows)) + 0.25
    heads = shown.heads
    step = max(0.6, 0.07 * max(map(len, heads)) + 0.12)
    above = 0.75
    wide = names + across * picture + step * len(heads) + 0.25
    high = above + sum(tall.values()) + 0.15
    figure = Figure(figsize=(wide, high))
    figure.text(0.1 / wide, 1 - 0.1 / high, shown.title, fontsize=11, va="top")
    if shown.note:
        words = f"bold: {shown.note.removeprefix(BETTER).strip()}"
        figure.text(0.1 / wide, 1 - (above - 0.08) / high, words, fontsize=9, **_BETTER)
    ends = [(names + across * picture + (n + 1) * step) / wide for n in range(len(heads))]
    for head, end in zip(heads, ends, strict=True):
        figure.text(end, 1 - (above - 0.08) / high, head, fontsize=9, ha="right")
    top = high - above
    for name, *numbers in shown.cells:
        middle = (top - tall[name] / 2) / high
        figure.text(0.1 / wide, middle, name, fontsize=9, va="center")
        if name in shown.pictures:
            some = shown.pictures[name][:_BESIDE]
            low = (top - tall[name]) / high
            box = (names / wide, low, len(some) * picture / wide, tall[name] / high)
            axis = figure.add_axes(box, anchor="W")
            axis.imshow(grid([some]), interpolation="nearest")
            axis.set_axis_off()
        for column, number, end in zip(shown.rows[name], numbers, ends, strict=True):
            style = _BETTER if shown.is_better(name, column) else {}
            figure.text(end, middle, number, fontsize=9, ha="right", va="center", **style)
        top -= tall[name]
    save(path, figure)


def _height(pictures: Pixels | None, picture: float, line: float) -> float:
    """Of a table's row in inches, given the width of a picture and the height of a line."""
    if pictures is None:
        return line
    height, width = pictures.shape[1:3]
    return max(line, picture * int(height) / int(width))


@as_it_comes()
def scatter(path: Path, points: NDArray[Any], labels: NDArray[Any], classes: Sequence[str]) -> None:
    """Draw points (N×z, z at least 1) in the plane of their first two numbers, a colour a class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    axis = figure.subplots()
    x, y = points[:, 0], points[:, min(1, points.shape[1] - 1)]
    for number, name in enumerate(classes or ("all",)):
        mine = labels == number if classes else slice(None)
        axis.scatter(x[mine], y[mine], s=9, alpha=0.6, linewidths=0, color=f"C{number}", label=name)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel("first number of μ")
    axis.set_ylabel("second number of μ")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", markerscale=2.5, frameon=False)
    save(path, figure)


@as_it_comes()
def lines(path: Path, shown: Table, across: str, up: str) -> None:
    """Draw a table's rows as lines, its columns side by side, evenly apart."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    for name, numbers in shown.rows.items():
        axis.plot(list(numbers), list(numbers.values()), "o-", label=name)
    axis.set_title(shown.title, fontsize=10)
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    save(path, figure)


@as_it_comes()
def bars(path: Path, title: str, rows: Mapping[str, NDArray[Any]], across: str) -> None:
    """Draw the numbers of each row in their order from the largest to the lowest, around 0."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(rows), 3.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(rows), sharey=True))
    for axis, (name, numbers) in zip(axes, rows.items(), strict=True):
        ranked = np.sort(numbers)[::-1]
        colours = ["C3" if number > 0 else "C0" for number in ranked]
        axis.bar(np.arange(1, len(ranked) + 1), ranked, color=colours)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set_title(f"{name}: {(numbers > 0).sum()} of {len(numbers)} above 0", fontsize=10)
        axis.set_xlabel(across)
        axis.grid(alpha=0.3, axis="y")
    figure.suptitle(title, fontsize=11)
    save(path, figure)


def _losses(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    return list(dict.fromkeys(n for columns in curves.values() for n in columns if n != "step"))


def _arranged(count: int) -> tuple[int, int]:
    """How many rows of axes, and how many axes in each: at most four, and rows alike."""
    down = -(-count // 4)
    return down, -(-count // down)


def _figure(names: Sequence[str], height: float) -> tuple[Any, Any]:
    # Figure, not pyplot: nothing global, no window, and safe from any thread.
    from matplotlib.figure import Figure

    down, across = _arranged(len(names))
    figure = Figure(figsize=(5.5 * across, height * down), layout="constrained")
    axes = np.atleast_1d(figure.subplots(down, across)).ravel()
    for unused in axes[len(names) :]:
        unused.remove()
    return figure, axes[: len(names)]


def _draw_curves(axes: Any, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Lines over each other: the first the widest, so that equal curves all stay visible."""
    widths = np.linspace(1 + 0.8 * min(len(curves) - 1, 3), 0.8, len(curves))
    for axis, name in zip(axes, _losses(curves), strict=True):
        here = [columns for columns in curves.values() if name in columns]
        for number, (label, columns) in enumerate(curves.items()):
            if name not in columns:
                continue
            steps, values = columns["step"], columns[name]
            window = len(values) // _WINDOWS
            means = running_mean(np.array(values), window) if window > 1 else values
            style: dict[str, Any] = {"color": f"C{number}"}  # the same for a run in every axis
            axis.plot(steps, means, label=label, linewidth=widths[number], **style)
            if window > 1:
                axis.plot(steps, values, linewidth=0.5, alpha=0.3, zorder=1, **style)
        axis.set_xlabel("step")
        axis.set_title(name, fontsize=10)
        lowest = min(min(columns[name]) for columns in here)
        highest = max(max(columns[name]) for columns in here)
        if lowest > 0 and highest > _DECADE * lowest:
            axis.set_yscale("log")
        axis.grid(alpha=0.3)
        if len(curves) > 1 and (axis is axes[0] or len(here) < len(curves)):
            axis.legend(fontsize=9)


def running_mean(values: NDArray[Any], window: int) -> NDArray[Any]:
    """The mean of each value (N) and of those around it, about `window` of them in all.

    As many are taken from before as from after: at either end fewer, so the first value and the
    last one stay, and a straight line stays straight.
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    places = np.arange(len(values))
    reach = np.minimum(np.minimum(places, places[::-1]), window // 2)
    means: NDArray[Any] = (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)
    return means


def save(path: Path, figure: Any) -> None:
    """Write a figure as PNG: the same one writes the same bytes. Raises UserError if it cannot."""
    import io

    buffer = io.BytesIO()
    # Without the software's name in the file.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
