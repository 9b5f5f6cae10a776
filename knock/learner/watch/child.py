"""A check in a process of its own, which can be given up at any time, whatever it does."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from knock import paths
from knock.check import forks, report
from knock.check.report import CheckedFile, Verdict
from knock.errors import PRINTED
from knock.learner.watch.messages import Request
from knock.questions import Question

import msgspec

_KEPT = 1 << 16
"""Bytes of what is printed that are kept, the last ones: a file may print for ever."""

_GRACE = 1.0
"""Seconds to wait for the rest of the output of a process that has ended."""


class Check:
    """A running check.

    `told` is called with it and each verdict, `over` with it once it has ended, both in other
    threads.
    """

    def __init__(
        self,
        process: "_Spare | _Fork",
        told: Callable[["Check", Verdict], None],
        over: Callable[["Check"], None],
    ) -> None:
        self.code: int | None = None
        self._process, self._told = process, told
        self._document: report.Document | None = None
        self._kept = b""
        threading.Thread(target=self._follow, args=(over,), daemon=True).start()

    @property
    def report(self) -> CheckedFile | None:
        """What it has found; None where it came to no report."""
        document = self._document
        return document.reports[0] if document is not None and document.reports else None

    @property
    def output(self) -> str:
        """What it has printed besides the report, as the checked file may: the last of it."""
        return self._kept.decode("utf-8", "replace").replace("\r\n", "\n")

    def stop(self) -> None:
        """End it, and all that it has started."""
        self._process.stop()

    def _follow(self, over: Callable[["Check"], None]) -> None:
        readers = [threading.Thread(target=one, daemon=True) for one in (self._hear, self._read)]
        for reader in readers:
            reader.start()
        self.code = self._process.wait()
        for reader in readers:
            reader.join(_GRACE)
        self._kept = (self._kept + self._process.last_words())[-_KEPT:]
        over(self)

    def _hear(self) -> None:
        with self._process.out as pipe:
            for line in pipe:
                if (verdict := report.verdict(line)) is not None:
                    self._told(self, verdict)
                elif self._document is None:
                    self._document = report.from_json(line)

    def _read(self) -> None:
        with self._process.errors as pipe:
            while some := os.read(pipe.fileno(), _KEPT):
                self._kept = (self._kept + some)[-_KEPT:]


class Ready:
    """A process that waits with the framework imported, for the checks of one question's answer.

    Where it can fork, it lives long; else each check uses one up, and another one is started. It is
    replaced where it has died, or where the package or the question's files have changed.
    """

    def __init__(self, question: Question, framework: str, fork: bool = forks.SAFE) -> None:
        self._question, self._framework, self._forks = question, framework, fork
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._errors: IO[bytes] | None = None
        self._state: list[tuple[Path, int, int]] = []
        self.prepare()

    def prepare(self) -> None:
        """See to it that a process waits, and that it is one of the package as it is now."""
        now = self._files()
        if self._process is not None and (self._process.poll() is not None or (now != self._state)):
            self.close()
        if self._process is None:
            self._state = now
            self._start()

    def check(
        self,
        request: Request,
        told: Callable[[Check, Verdict], None],
        over: Callable[[Check], None],
    ) -> Check:
        """Begin a check."""
        self.prepare()
        data = msgspec.json.encode(request)
        assert self._process is not None
        if self._socket is not None and self._errors is not None:
            return Check(_Fork(self._process, self._socket, self._errors, data), told, over)
        process, self._process = self._process, None
        begun = Check(_Spare(process, data), told, over)
        self.prepare()
        return begun

    def close(self) -> None:
        """End the process; not its checks."""
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self._process = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _start(self) -> None:
        words = [sys.executable, "-P", "-m", "knock.learner.watch.warm"]
        words += [self._question.name, self._framework]
        environment = {**os.environ, "PYTHONIOENCODING": PRINTED}
        if self._forks:
            self._socket, theirs = socket.socketpair()
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # checks read it later
            with theirs:
                self._process = subprocess.Popen(
                    words,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    env=environment,
                    start_new_session=True,  # Ctrl-C is for the watch, which ends it
                )
            return
        self._process = subprocess.Popen(
            [*words, "--once"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def _files(self) -> list[tuple[Path, int, int]]:
        """What a process has read before its checks: each file, when it was saved, and its size."""
        found = []
        for file in (*paths.modules(), *self._question.recipe_file.parent.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # it is just being saved
                stat = file.stat()
                found.append((file, stat.st_mtime_ns, stat.st_size))
        return sorted(found)


class _Fork:
    """A check in a fork of a process, as its watching process describes it."""

    def __init__(
        self,
        parent: subprocess.Popen[bytes],
        to: socket.socket,
        errors: IO[bytes],
        request: bytes,
    ) -> None:
        self._parent, self._parents_errors = parent, os.fdopen(os.dup(errors.fileno()), "rb")
        self._lock, self._number, self._stopped = threading.Lock(), 0, False
        pairs = [os.pipe() for _ in range(3)]
        self._status, self.out, self.errors = (os.fdopen(pair[0], "rb") for pair in pairs)
        with tempfile.TemporaryFile() as file:
            file.write(request)
            file.seek(0)
            with contextlib.suppress(OSError):  # it has just died: then no status comes
                socket.send_fds(to, [b"\n"], [file.fileno(), *(pair[1] for pair in pairs)])
        for pair in pairs:
            os.close(pair[1])

    def wait(self) -> int | None:
        """Wait for its end; its exit code, or None where its watching process was ended."""
        with self._status as status:
            line = status.readline()
            if not line:  # it was not begun
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return self._parent.wait(_GRACE)
                return None
            with self._lock:
                self._number = int(line)
                if self._stopped:
                    forks.kill(self._number)
            line = status.readline()
            with self._lock:
                number, self._number = self._number, 0  # which may be another's soon
                if not line:
                    forks.kill(number)
        return int(line) if line else None

    def stop(self) -> None:
        """End it, and all that it has started, as soon as it has begun."""
        with self._lock:
            self._stopped = True
            if self._number:
                forks.kill(self._number)

    def last_words(self) -> bytes:
        """What its parent said before it died."""
        with self._parents_errors as file:
            if self._parent.poll() is None or self._stopped:
                return b""
            file.seek(0)
            return file.read()


class _Spare:
    """A check in a process that was started for it in time."""

    def __init__(self, process: subprocess.Popen[bytes], request: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None and process.stderr is not None
        self._process, self.out, self.errors = process, process.stdout, process.stderr
        with contextlib.suppress(OSError), process.stdin as pipe:  # it may have died
            pipe.write(request + b"\n")

    def wait(self) -> int | None:
        """Wait for its end; its exit code."""
        code = self._process.wait()
        self.stop()  # what it has left running would hold its output open
        return code

    def stop(self) -> None:
        """End it, and all that it has started."""
        _kill(self._process)

    def last_words(self) -> bytes:
        """Nothing more than what it has printed."""
        return b""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process, and all that it has started; it has a session of its own."""
    if sys.platform == "win32":
        words = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(words, capture_output=True)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: all dead already
        os.killpg(process.pid, signal.SIGKILL)
