"""The one exception that is meant for the person at the keyboard."""

import sys


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what to do.

    Whoever runs a command prints the message to standard error and exits with code 2; anything
    else that is raised is a fault of ours and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it, in the place of a traceback."""
        return [_one_line(self)]


def tell(error: Exception | str) -> None:
    """Print an error in one line on standard error, whatever its text holds."""
    print(_one_line(error), file=sys.stderr)


def _one_line(error: Exception | str) -> str:
    return f"knock: {' '.join(str(error).split())}"
