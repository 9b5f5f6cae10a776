"""The process that reads files, seen from outside: a file that breaks it costs only itself."""

import atexit
import contextlib
import subprocess
import threading
from pathlib import Path

from knock.errors import UserError
from knock.grade import reader
from knock.grade.helper import BrokenError, Helper, Words
from knock.grade.reader import Asked, Told

import msgspec

_START = 120
"""Seconds until the process can read, on a busy machine."""

_LONGEST = 6 * reader.SECONDS
"""Seconds by the clock for a file: others are read and run beside it."""


class NotReadError(UserError):
    """Why a file has no text, or none that can be checked."""


class _Reader(Helper):
    """Reads one file after the other; messages are lines."""

    def exchange(self, process: subprocess.Popen[bytes], message: bytes | None) -> bytes | None:
        assert process.stdin is not None and process.stdout is not None
        if message is not None:
            with contextlib.suppress(OSError):
                process.stdin.write(message)
                process.stdin.flush()
        line = process.stdout.readline()
        return line if line.endswith(b"\n") else None


_WORDS = Words(
    fails="cannot read submissions",
    takes="reading it",
    ends="it ends the process that reads it",
)
_of_this_thread = threading.local()
_all: list[_Reader] = []


def _ask(asked: Asked) -> Told:
    """What this thread's process says."""
    try:
        line = msgspec.json.encode(asked) + b"\n"
    except UnicodeEncodeError as error:
        raise NotReadError(f"it is not text: {error}") from None
    if not hasattr(_of_this_thread, "reader"):
        _of_this_thread.reader = _Reader("knock.grade.reader", reader.READY, _WORDS)
        _all.append(_of_this_thread.reader)
    try:
        answer = _of_this_thread.reader.ask(line, _START, _LONGEST, reader.SECONDS)
    except BrokenError as error:
        raise NotReadError(str(error)) from None
    found = msgspec.json.decode(answer, type=Told)
    if found.problem:
        raise NotReadError(found.problem)
    return found


def text(name: str, data: bytes) -> str:
    """The text of a script, or of a notebook as one. Raises NotReadError, with why it has none."""
    return _ask(Asked(name, data)).text


def require_plain(path: Path, text: str) -> None:
    """Raise NotReadError if a text is not Python, or too large or too deep for an answer."""
    _ask(Asked(str(path), None, text))


@atexit.register
def close() -> None:
    """End every process that reads files."""
    for one in _all:
        one.close()
