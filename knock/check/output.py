"""Standard output that is kept for data, whatever other people's code prints meanwhile."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from knock import CLOSED
from knock.errors import UserError


@contextlib.contextmanager
def kept_for_data() -> Iterator[Callable[[bytes], None]]:
    """Yield a function that writes to standard output; all else goes to standard error.

    All else is what this process prints, through `sys.stdout` or to descriptor 1, and what the
    programs that it starts print. The descriptor is not given back: threads and `atexit` functions
    may still print when the command has ended. Raises UserError where standard output is closed.
    """
    out = sys.stdout
    if "stdout" in CLOSED:
        raise UserError("standard output is closed: there is nowhere to write the data to")
    out.flush()
    if out is not sys.__stdout__:  # somebody in this process catches what is printed
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda data: print(data.decode(), end="", file=out)
        return
    with os.fdopen(os.dup(1), "wb") as stream, contextlib.redirect_stdout(sys.stderr):
        os.dup2(2, 1)

        def write(data: bytes) -> None:
            stream.write(data)
            stream.flush()

        yield write
