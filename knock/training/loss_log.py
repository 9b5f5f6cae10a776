"""The losses of a run: a CSV file that grows with it, and what it says when read back."""

import contextlib
import csv
import io
import os
from array import array
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from knock.errors import UserError
from knock.files import cannot_write, write_atomically
from knock.training.past import Columns

FILE_NAME = "losses.csv"


class LossLog:
    """`losses.csv`: a row a step, `step` counted from 1, then a column for each loss.

    Made for going on after `step` steps, it begins with the rows up to there of `before`. Later
    ones are dropped: a run that was killed after its last checkpoint takes those steps again. No
    file is there before `open`.
    """

    def __init__(self, folder: Path, step: int, before: Columns) -> None:
        self.path = folder / FILE_NAME
        count = sum(number <= step for number in before.get("step", ()))
        self._columns = {name: array("d", values[:count]) for name, values in before.items()}
        self._file: TextIO | None = None

    @property
    def last(self) -> dict[str, float]:
        """The losses of the last row; empty where there is none."""
        found = self._columns.items()
        return {name: values[-1] for name, values in found if values and name != "step"}

    def columns(self) -> Columns:
        """All rows so far, as they are at this moment."""
        return {name: values[:] for name, values in self._columns.items()}

    def open(self) -> None:
        """Write the file with all rows so far; later ones are appended."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._columns:
            writer.writerow(self._columns)
            for number, *losses in zip(*self._columns.values(), strict=True):
                writer.writerow([int(number), *map(repr, losses)])
        write_atomically(self.path, text.getvalue())
        self._file = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Append the row of `step`. Raises UserError when it cannot be written."""
        first = not self._columns
        if first:
            self._columns = {"step": array("d"), **{name: array("d") for name in losses}}
        names = [name for name in self._columns if name != "step"]
        if set(losses) != set(names):
            raise UserError(f"{self.path} has the losses {names}, not {list(losses)}")
        self._columns["step"].append(step)
        for name in names:
            self._columns[name].append(losses[name])
        if self._file is None:
            return
        with self._writing():
            if first:
                self._writer.writerow(["step", *names])
            self._writer.writerow([step, *(repr(losses[name]) for name in names)])

    def flush(self) -> None:
        """Hand all rows to the operating system. Raises UserError when that fails."""
        if self._file is not None:
            with self._writing():
                self._file.flush()

    def sync(self) -> None:
        """Make the rows that were flushed last through a power cut. Raises UserError."""
        if self._file is not None:
            with self._writing():
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        if self._file is not None:
            with self._writing():
                self._file.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None


def read(folder: Path) -> dict[str, list[float]]:
    """The columns of a run's losses, `step` first. Raises UserError where there are none.

    A last row without its line's end, which a kill or a full disk leaves, does not count. Rows may
    be missing where an earlier version was killed.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8-sig")  # a spreadsheet adds a mark
        names, *rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
        values = [[float(cell) for cell in row] for row in rows]
        columns = {name: [row[i] for row in values] for i, name in enumerate(names)}
        steps = columns["step"]
        if len(columns) != len(names) or not all(0 < a < b for a, b in pairwise([0.5, *steps])):
            raise ValueError("not a row a step")
        return columns
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (IndexError, KeyError, ValueError, csv.Error):
        raise UserError(f"{path} holds no losses, or is damaged") from None
