"""While a run trains, what cannot be told to the user is lost, and never raised into the training.

The program behind a pipe ends first after Ctrl-C (`knock run … 2>&1 | tee log`), a terminal goes
away, a disk with a log fills up: all of that must not cost the weights.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from knock.errors import let_go

_FAILURES = (OSError, ValueError, RuntimeError)
"""A broken stream, a closed one, and a signal's handler that prints while the same is written."""


class Heedless:
    """A text stream that drops what the one behind it does not take. All else is that one's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or not; its length."""
        with contextlib.suppress(*_FAILURES):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts, or not."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what is written, if that is possible."""
        with contextlib.suppress(*_FAILURES):
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        with contextlib.suppress(*_FAILURES):
            return bool(self._stream.isatty())
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def heedless() -> Iterator[None]:
    """Within this, nothing that is printed, and no progress bar, raises an error."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Heedless(out), Heedless(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        let_go()
