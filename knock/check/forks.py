"""Forks of a process that has imported a framework, so that the import is waited for only once.

Only on Linux. A fork has only one thread, so a framework's own threads must not exist yet: it may
have been imported, but must not have computed anything. On macOS its system libraries may have
started some already while they were imported, and then end or block the fork.
"""

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable

SAFE = sys.platform == "linux"
"""Whether a process that has imported a framework can be forked here."""

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG

_end = os._exit  # a checked file may have replaced it


def fork(run: Callable[[], int]) -> int:
    """Run in a fork with a session of its own, and end it with the returned code; its number.

    What `run` raises ends the fork with code 1, and never comes back to the caller.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        code = run()
    except BaseException:  # even a KeyboardInterrupt
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):  # a checked file may have replaced them, too
            sys.stdout.flush()
            sys.stderr.flush()
        _end(code)
    raise AssertionError("unreachable")


def end_with_parent() -> None:
    """Let the system kill this process as soon as its parent ends, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def kill(child: int) -> None:
    """End a fork and all that it started, where they have not ended by themselves."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(child, signal.SIGKILL)
