"""A run in a process of its own, which is waited for and does not outlive the one that waits."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from knock.errors import print_error

_LIFELINE = "KNOCK_LIFELINE"
"""Names the end of a pipe that is closed, by the system, when the process that waits is gone."""

BY_SIGNAL = 128
"""A shell adds it to the number of the signal that ended a process."""


def run(script: Path, words: Sequence[str]) -> int:
    """Run an answer's script with these options; its exit code.

    A Ctrl-C or SIGTERM reaches the run too: it finishes its step and saves before it ends. So it
    does when this process is killed. One that is killed itself gets a line, and its code is that of
    a shell: 137 for SIGKILL.
    """
    with lifeline() as more:
        process = subprocess.Popen([sys.executable, str(script), *words], **more)
        before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            code = _wait(process)
        finally:
            signal.signal(signal.SIGTERM, before)
    if code >= 0:
        return code
    why = ", often for lack of memory" if -code == getattr(signal, "SIGKILL", None) else ""
    print_error(f"{script.name} was ended by {_name(-code)}{why}")
    return BY_SIGNAL - code


def end_with_parent() -> None:
    """Stop this run, as SIGTERM does, when the process that started it and waits is gone."""
    handle = os.environ.pop(_LIFELINE, None)
    if handle is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(int(handle), 1)  # nothing is ever written: it returns at the end
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


@contextlib.contextmanager
def lifeline() -> Iterator[dict[str, Any]]:
    """What a process is to be started with so that `end_with_parent` works in it."""
    if os.name != "posix":
        yield {}
        return
    theirs, ours = os.pipe()
    try:
        yield {"pass_fds": (theirs,), "env": {**os.environ, _LIFELINE: str(theirs)}}
    finally:
        os.close(theirs)
        os.close(ours)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _wait(process: "subprocess.Popen[bytes]") -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
