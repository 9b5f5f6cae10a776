"""Errors that are meant for the person at the keyboard, and how every command ends."""

import sys
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what to do.

    Whoever runs a command prints the message to standard error and exits with code 2; anything
    else that is raised is a fault of ours and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it, in the place of a traceback."""
        return [f"knock: {in_words(self)}"]


def tell(error: Exception | str) -> None:
    """Print an error in one line on standard error, whatever its text holds."""
    print(f"knock: {in_words(error)}", file=sys.stderr)


def in_words(error: Exception | str) -> str:
    """An error in one line: one that the user can cause in our words, any other by its name."""
    match error:
        case str() | UserError():
            said = str(error)
        case OSError():  # a path too long, say
            said = f"{error.strerror}: {error.filename}"[:400]
        case MemoryError():
            said = "out of memory; try a smaller --batch-size or --size"
        case _:
            said = f"{type(error).__name__}: {error}"
    return " ".join(said.split())


STOPPED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def exit_with(do: Callable[[], int], stopped: str = "stopped") -> NoReturn:
    """Exit with what `do` returns; with 2 for what the user can mend, 130 for a Ctrl-C."""
    try:
        code = do()
    except BrokenPipeError:
        raise  # an OSError too, but the command line knows what it means
    except (UserError, OSError, MemoryError) as error:
        tell(error)
        code = 2
    except KeyboardInterrupt:
        tell(stopped)
        code = STOPPED
    raise SystemExit(code)
