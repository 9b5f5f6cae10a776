"""Grids of pictures, loss curves, and sheets that compare runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from knock.files import write_atomically

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_GAP = 2  # pixels between the pictures of a grid
_WHITE = 255


def grid(rows: Sequence[Pixels]) -> Pixels:
    """Rows of pictures (each N×H×W×C, C 1 or 3) as one H'×W'×3 picture on white."""
    lines = []
    for row in rows:
        count, height, width, _ = row.shape
        line = np.full((height + 2 * _GAP, count * (width + _GAP) + _GAP, 3), _WHITE, np.uint8)
        for i, picture in enumerate(row):
            left = _GAP + i * (width + _GAP)
            line[_GAP : _GAP + height, left : left + width] = picture  # grey fills all three
        lines.append(line)
    widest = max(line.shape[1] for line in lines)
    padded = [
        np.pad(line, ((0, 0), (0, widest - line.shape[1]), (0, 0)), constant_values=_WHITE)
        for line in lines
    ]
    return np.concatenate(padded)


def write_png(path: Path, picture: Pixels, enlarge: int = 1) -> None:
    """Write an H×W×3 RGB picture, each pixel `enlarge` times as wide and high.

    Raises UserError when it cannot be written.
    """
    import cv2

    bigger = picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    _, data = cv2.imencode(".png", bigger[:, :, ::-1])
    write_atomically(path, data.tobytes())


def enlargement(side: int, wanted: int = 64) -> int:
    """How many times to enlarge pictures of `side` pixels so that a person can see them."""
    return max(1, round(wanted / side))


def curve(path: Path, curves: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> None:
    """Draw losses over steps: {label: columns of a loss log}, one axis for each loss."""
    figure, axes = _figure(_losses(curves), height=3.2)
    _draw_curves(axes, curves)
    figure.suptitle(title)
    _save(path, figure)


def sheet(
    path: Path,
    title: str,
    rows: Mapping[str, Pixels],
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    table: Sequence[Sequence[str]],
) -> None:
    """One sheet that compares runs: a row of pictures each, their loss curves, and a table.

    `rows` maps a label to N×H×W×C pixels, the same test images in every column; the table's first
    row is its head.
    """
    from matplotlib.figure import Figure

    some = next(iter(rows.values()))
    count, height, width, _ = some.shape
    cell = 1.1  # inches a picture
    row_height = cell * height / width
    pictures_height = row_height * len(rows)
    table_height = 0.3 * len(table) + 0.3
    sizes = [pictures_height, 2.6, table_height]
    figure = Figure(figsize=(cell * count + 1.5, sum(sizes) + 1.5), layout="constrained")
    figure.suptitle(title, fontsize=13)
    top, middle, bottom = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=sizes)))
    for axis, (label, row) in zip(
        np.atleast_1d(top.subplots(len(rows), 1)), rows.items(), strict=True
    ):
        axis.imshow(grid([row]), interpolation="nearest")
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    names = _losses(curves)
    _draw_curves(np.atleast_1d(middle.subplots(1, len(names))), curves)
    axis = bottom.subplots()
    axis.axis("off")
    drawn = axis.table(cellText=table[1:], colLabels=table[0], loc="center", cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(10)
    drawn.scale(1, 1.3)
    _save(path, figure)


def _losses(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    return list(dict.fromkeys(n for columns in curves.values() for n in columns if n != "step"))


def _figure(names: Sequence[str], height: float) -> tuple[Any, Any]:
    # Figure, not pyplot: nothing global, no window, and safe from any thread.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(names), height), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, len(names)))


def _draw_curves(axes: Any, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Lines over each other: the first the widest, so that equal curves all stay visible."""
    widths = np.linspace(1 + 1.2 * (len(curves) - 1), 1, len(curves))
    for axis, name in zip(axes, _losses(curves), strict=True):
        for (label, columns), width in zip(curves.items(), widths, strict=True):
            axis.plot(columns["step"], columns[name], label=label, linewidth=width)
        axis.set_xlabel("step")
        axis.set_ylabel(name)
        if all(min(columns[name]) > 0 for columns in curves.values()):
            axis.set_yscale("log")
        axis.grid(alpha=0.3)
        if len(curves) > 1:
            axis.legend(fontsize=9)


def _save(path: Path, figure: Any) -> None:
    import io

    buffer = io.BytesIO()
    # Without the software's name in the file, the same run writes the same bytes.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
