"""The losses of a run: a CSV file that grows with it, and what it says when read back."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from knock.errors import UserError
from knock.files import cannot_write, write_atomically

FILE_NAME = "losses.csv"


class LossLog:
    """`losses.csv`: a row a step, `step` counted from 1, then a column for each loss.

    Opened for going on after `step` steps, it begins with the rows up to there of the run in
    `source`. Later ones are dropped: a run that was killed after its last checkpoint takes those
    steps again.
    """

    def __init__(self, folder: Path, step: int, source: Path) -> None:
        self.path = folder / FILE_NAME
        before = read(source) if step and (source / FILE_NAME).is_file() else {}
        self._names = [name for name in before if name != "step"]
        text = io.StringIO()
        if before:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(before)
            for number, *losses in zip(*before.values(), strict=True):
                if number <= step:
                    writer.writerow([int(number), *map(repr, losses)])
        write_atomically(self.path, text.getvalue())
        self._file: TextIO = open(self.path, "a", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Append the row of `step`. Raises UserError when it cannot be written."""
        try:
            if not self._names:
                self._names = list(losses)
                self._writer.writerow(["step", *self._names])
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


def read(folder: Path) -> dict[str, list[float]]:
    """The columns of a run's losses, `step` first. Raises UserError where there are none."""
    path = folder / FILE_NAME
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        names, values = rows[0], [[float(cell) for cell in row] for row in rows[1:]]
        return {n: [row[i] for row in values] for i, n in enumerate(names)}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (IndexError, ValueError):
        raise UserError(f"{path} holds no losses, or is damaged") from None
