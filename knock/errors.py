"""The one exception that is meant for the person at the keyboard."""

import sys


class UserError(Exception):
    """Something the user can mend: one line that says what was wrong, where, and what to do.

    Whoever runs a command prints the message to standard error and exits with code 2; anything
    else that is raised is a fault of ours and keeps its traceback.
    """


def tell(error: Exception | str) -> None:
    """Print an error in one line on standard error, whatever its text holds."""
    print("knock:", " ".join(str(error).split()), file=sys.stderr)
