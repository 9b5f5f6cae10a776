"""The losses of a run: a CSV file that grows with it, and what it says when read back."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from knock.errors import UserError
from knock.files import cannot_write, write_atomically

FILE_NAME = "losses.csv"


Columns = dict[str, list[float]]


class LossLog:
    """`losses.csv`: a row a step, `step` counted from 1, then a column for each loss.

    Opened for going on after `step` steps, it begins with the rows up to there of `before`. Later
    ones are dropped: a run that was killed after its last checkpoint takes those steps again.
    """

    def __init__(self, folder: Path, step: int, before: Columns) -> None:
        self.path = folder / FILE_NAME
        self.last: dict[str, float] = {}
        """The losses of the last of these rows; empty for a new run."""
        self._names = [name for name in before if name != "step"]
        text = io.StringIO()
        if before:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(before)
            for number, *losses in zip(*before.values(), strict=True):
                if number <= step:
                    writer.writerow([int(number), *map(repr, losses)])
                    self.last = dict(zip(self._names, losses, strict=True))
        write_atomically(self.path, text.getvalue())
        self._file: TextIO = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Append the row of `step`. Raises UserError when it cannot be written."""
        try:
            if not self._names:
                self._names = list(losses)
                self._writer.writerow(["step", *self._names])
            if set(losses) != set(self._names):
                raise UserError(f"{self.path} has the losses {self._names}, not {list(losses)}")
            self._writer.writerow([step, *(repr(losses[name]) for name in self._names)])
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None

    def flush(self) -> None:
        """Hand all rows to the operating system. Raises UserError when that fails."""
        try:
            self._file.flush()
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        try:
            self._file.close()
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None


def read(folder: Path) -> Columns:
    """The columns of a run's losses, `step` first. Raises UserError where there are none.

    A last row without its line's end, which a kill or a full disk leaves, does not count.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
        names, *rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
        values = [[float(cell) for cell in row] for row in rows]
        columns = {name: [row[i] for row in values] for i, name in enumerate(names)}
        if columns["step"] != list(range(1, len(rows) + 1)) or len(columns) != len(names):
            raise ValueError("not a row a step")
        return columns
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (IndexError, KeyError, ValueError, csv.Error):
        raise UserError(f"{path} holds no losses, or is damaged") from None
