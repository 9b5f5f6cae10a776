"""The process that reads files, seen from outside: a file that breaks it costs only itself."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from knock import paths
from knock.errors import PRINTED, UserError
from knock.grade import reader
from knock.grade.process import KEPT
from knock.grade.reader import Asked, Told

import msgspec

_START = 120
"""Seconds until the process can read, on a busy machine."""

_LONGEST = 6 * reader.SECONDS
"""Seconds by the clock for a file: others are read and run beside it."""


class NotReadError(UserError):
    """Why a file has no text, or none that can be checked."""


class _Reader:
    """Reads one file after the other. It is started when it is needed, and again if it broke."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def ask(self, line: bytes) -> Told:
        """The answer of the process. Raises UserError if it does not start."""
        process = self._process or self._begin()
        with stopped_after(_LONGEST, process) as late:
            reply = _exchange(process, line)
        if reply.endswith(b"\n"):
            return msgspec.json.decode(reply, type=Told)
        code = process.wait()
        self.close()
        return Told(problem=_why(code, late.is_set()))

    def _begin(self) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-m", "knock.grade.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=paths.PACKAGE,
            env={**kept, "PYTHONIOENCODING": PRINTED, "PYTHONPATH": str(paths.PACKAGE.parent)},
            start_new_session=True,  # Ctrl-C is for the grader, which ends its processes itself
        )
        with stopped_after(_START, process):
            ready = _exchange(process, b"")
        if ready != reader.READY:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            self.close()
            raise UserError(f"cannot read submissions: {said[-1] if said else 'no reason given'}")
        return process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._errors):
                if stream is not None:
                    with contextlib.suppress(OSError):  # what could not be written any more
                        stream.close()
            self._process = None


@contextlib.contextmanager
def stopped_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """End a process if it takes longer; what it yields is set if so."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _exchange(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send a line; the next line of the process, which has no end if the process has ended."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(OSError):  # the process is dead: then there is no reply
        process.stdin.write(line)
        process.stdin.flush()
    return process.stdout.readline()


def _why(code: int, late: bool) -> str:
    """Why a file ended the process that read it."""
    if late or (os.name == "posix" and code == -signal.SIGXCPU):
        return f"reading it takes more than {reader.SECONDS} s"
    how = signal.strsignal(-code) if code < 0 else f"exit code {code}"
    return f"it ends the process that reads it ({how})"


_of_this_thread = threading.local()
_all: list[_Reader] = []


def _ask(asked: Asked) -> Told:
    """What this thread's process says."""
    try:
        line = msgspec.json.encode(asked) + b"\n"
    except UnicodeEncodeError as error:
        raise NotReadError(f"it is not text: {error}") from None
    if not hasattr(_of_this_thread, "reader"):
        _of_this_thread.reader = _Reader()
        _all.append(_of_this_thread.reader)
    found: Told = _of_this_thread.reader.ask(line)
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
