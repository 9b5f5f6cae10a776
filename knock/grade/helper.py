"""A process of the grader's own, seen from outside: what breaks it costs one piece of work."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from knock import paths
from knock.errors import UserError
from knock.grade.process import environment, last_line


class BrokenError(Exception):
    """Why a piece of work ended the process that did it."""


@dataclass(frozen=True)
class Words:
    """How a process is told of: what fails where it does not start, and what a broken one did."""

    fails: str
    takes: str
    ends: str


class Helper:
    """Does one piece of work after the other, each a message that has an answer.

    It is started when it is needed, and again if it broke. `module` is what it runs, which sends
    `ready` first. How messages travel is a subclass's: `exchange`.
    """

    def __init__(self, module: str, ready: bytes, words: Words) -> None:
        self._module, self._ready, self._words = module, ready, words
        self._lock = threading.RLock()  # a signal may close it in the thread that asks
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def exchange(self, process: subprocess.Popen[bytes], message: bytes | None) -> bytes | None:
        """Send a message, if there is one; what the process sends next, None if it has ended.

        A message that cannot be sent is no error: the process is dead, and there is no answer.
        """
        raise NotImplementedError

    def ask(self, message: bytes, start: float, longest: float, seconds: int) -> bytes:
        """The answer to a message.

        The process may take `start` seconds by the clock to begin and `longest` for this message,
        and limits itself to `seconds` of computing for it. Raises UserError if it does not start,
        and BrokenError if it ends.
        """
        with self._lock:
            process = self._process or self._begin(start)
            with _stopped_after(longest, process) as late:
                answer = self.exchange(process, message)
            if answer is not None:
                return answer
            code = process.wait()
            self._end()
        if late.is_set() or (os.name == "posix" and code == -signal.SIGXCPU):
            raise BrokenError(f"{self._words.takes} takes more than {seconds} s")
        how = signal.strsignal(-code) if code < 0 else f"exit code {code}"
        raise BrokenError(f"{self._words.ends} ({how})")

    def _begin(self, start: float) -> subprocess.Popen[bytes]:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=paths.PACKAGE,
            env=environment(paths.PACKAGE.parent),
            start_new_session=True,  # Ctrl-C is for the grader, which ends its processes itself
        )
        with _stopped_after(start, process):
            ready = self.exchange(process, None)
        if ready != self._ready:
            said = last_line(self._errors)
            self._end()
            raise UserError(f"{self._words.fails}: {said or 'no reason given'}")
        return process

    def close(self) -> None:
        """End the process; an answer that is waited for never comes."""
        if self._process is not None:
            self._process.kill()
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, self._errors):
                if stream is not None:
                    with contextlib.suppress(OSError):  # what could not be written any more
                        stream.close()


@contextlib.contextmanager
def _stopped_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
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
