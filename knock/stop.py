"""How every command ends: an exit code, and one line for what the user can mend."""

from collections.abc import Callable
from typing import NoReturn

from knock.errors import UserError, tell

STOPPED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def exit_with(do: Callable[[], int], stopped: str = "stopped") -> NoReturn:
    """Exit with what `do` returns; with 2 for what the user can mend, 130 for a Ctrl-C."""
    try:
        code = do()
    except UserError as error:
        tell(error)
        code = 2
    except BrokenPipeError:
        raise  # an OSError too, but the command line knows what it means
    except OSError as error:  # a path too long, say
        tell(f"{error.strerror}: {error.filename}"[:400])
        code = 2
    except MemoryError:
        tell("out of memory; try a smaller --batch-size or --size")
        code = 2
    except KeyboardInterrupt:
        tell(stopped)
        code = STOPPED
    raise SystemExit(code)
