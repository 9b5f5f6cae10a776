"""What a checked file prints: the first lines, and how many more there were.

A check runs a file's step hundreds of times, and what it prints would hide the report.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

MOST = 10
"""How many lines are shown."""


class _Few:
    """Standard output that passes on the first lines; all of them while a debugger is at work."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.shown, self.hidden = 0, 0
        self.open = False  # whether the last shown line has no end yet

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            if self.shown < MOST or sys.gettrace() is not None:
                self._out.write(line)
                self.open = not line.endswith("\n")
                self.shown += not self.open
            else:
                self.hidden += line.endswith("\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


@contextlib.contextmanager
def few() -> Iterator[None]:
    """Meanwhile, only the first lines are printed; then the line is ended, and the rest counted."""
    out = sys.stdout
    made = _Few(out)
    try:
        with contextlib.redirect_stdout(made):
            yield
    finally:
        if made.open:
            out.write("\n")
        if made.hidden:
            out.write(f"… {made.hidden} {'line' if made.hidden == 1 else 'lines'} more\n")
