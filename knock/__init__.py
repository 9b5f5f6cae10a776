"""Image Generation Knock: the package that the scripts use, for everything but the lesson."""

import sys

# `python -m knock` would import whatever has a module's name in the current folder, which may be a
# class's. Once this package is found, that place is not needed. Nothing is imported before this.
if (
    sys.argv[:1] == ["-m"]  # as long as Python looks for the module
    and not sys.flags.safe_path
    and {"knock", "-mknock"} & {*sys.orig_argv}
):
    del sys.path[0]

import contextlib
import os
from types import TracebackType

__version__ = "0.1.0"


def _one_line_for_ctrl_c(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        with contextlib.suppress(OSError, ValueError):
            print("knock: stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# A framework takes seconds to import, and during that time no other code could catch a Ctrl-C.
sys.excepthook = _one_line_for_ctrl_c


def _open_what_is_closed() -> frozenset[str]:
    """Give a program without standard streams (`2>&-`) empty ones, and return their names.

    Otherwise the next file that is opened would get the number of the missing one, and messages of
    C libraries would be written into it.
    """
    closed = set()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            closed.add(name)
            nothing = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    return frozenset(closed)


CLOSED = _open_what_is_closed()
"""The standard streams that this program was begun without; what is written there is lost."""
