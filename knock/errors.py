"""Errors that are meant for the user, and how every command begins and ends."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn


class UserError(Exception):
    """Something the user can fix: one line that says what was wrong, where, and what to do.

    Every command prints the message to standard error and exits with code 2. Any other exception is
    a bug of ours and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it, instead of a traceback."""
        return [f"knock: {in_words(self)}"]


def print_error(error: Exception | str) -> None:
    """Print an error or a warning on standard error, always in one line."""
    with contextlib.suppress(OSError, ValueError):  # where nobody hears it, the exit code tells
        print(f"knock: {in_words(error)}", file=sys.stderr)


def in_words(error: Exception | str) -> str:
    """An error in one line: one that the user can cause in our words, any other by its name."""
    match error:
        case str() | UserError():
            said = str(error)
        case OSError(filename=None, errno=errno.ENOSPC | errno.EDQUOT | errno.EIO):
            said = f"cannot print: {error.strerror}"  # all files that we write have names
        case OSError(filename=None):
            said = str(error.strerror or error)
        case OSError():  # a path too long, say
            said = f"{error.strerror}: {error.filename}"[:400]
        case MemoryError():
            said = "out of memory; try a smaller --batch-size or --size"
        case _:
            said = f"{type(error).__name__}: {error}"
    return " ".join(said.split())


PRINTED = "utf-8:backslashreplace"
"""How text goes into pipes and files, in the words of `PYTHONIOENCODING`."""

STOPPED = 130
"""The exit code of a program that was stopped with Ctrl-C."""


def exit_with(do: Callable[[], int], stopped: str = "stopped") -> NoReturn:
    """Exit with the code that `do` returns; 2 after an error the user can fix, 130 after Ctrl-C.

    What it prints is UTF-8. Where a pipe's reader has left (`knock list | head`), that is no error;
    a full disk is one.
    """
    _print_in_utf8()
    code: Any
    try:
        code = _code(do, stopped)
    except SystemExit as left:  # after --help, say
        code = left.code
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):  # nobody reads it, or it is closed
        pass
    except OSError as error:
        if not code:
            print_error(error)
        code = code or 2
    let_go()
    raise SystemExit(code)


def _code(do: Callable[[], int], stopped: str) -> int:
    try:
        return do()
    except BrokenPipeError:
        return 0
    except (UserError, OSError, MemoryError) as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        print_error(stopped)
        return STOPPED


def let_go() -> None:
    """Drop what standard output and error do not take: Python would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), stream.fileno())


def _print_in_utf8() -> None:
    """Print UTF-8 into pipes and files, on every system, and never fail for a character.

    Windows would write there in the code page of its region, which has no → or ✓, and refuse. A
    terminal keeps its own encoding; a character that is missing there becomes \\u2713, say.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):  # in a notebook, or where it is closed
            continue
        encoding, errors = PRINTED.split(":")
        encoding = stream.encoding if stream.isatty() else encoding
        if (stream.encoding.lower(), stream.errors) != (encoding.lower(), errors):
            stream.reconfigure(encoding=encoding, errors=errors)
