"""Errors that are meant for the user, and how every command ends."""

import sys
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """Something the user can fix: one line that says what was wrong, where, and what to do.

    Every command prints the message to standard error and exits with code 2. Any other exception is
    a bug of ours and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback."""
        return [_one_line(self)]


def print_error(error: Exception | str) -> None:
    """Print an error or a warning on standard error, always in one line."""
    print(_one_line(error), file=sys.stderr)


def _one_line(error: Exception | str) -> str:
    return f"knock: {' '.join(str(error).split())}"


STOPPED = 130
"""The exit code of a program that was stopped with Ctrl-C."""


def exit_with(do: Callable[[], int], stopped: str = "stopped") -> NoReturn:
    """Exit with the code that `do` returns; 2 after an error the user can fix, 130 after Ctrl-C."""
    try:
        code = do()
    except UserError as error:
        print_error(error)
        code = 2
    except BrokenPipeError:
        raise  # this is an OSError too, but `knock.cli` handles it
    except OSError as error:  # for example, a path that is too long
        print_error(f"{error.strerror}: {error.filename}"[:400])
        code = 2
    except MemoryError:
        print_error("out of memory; try a smaller --batch-size or --size")
        code = 2
    except KeyboardInterrupt:
        print_error(stopped)
        code = STOPPED
    raise SystemExit(code)
