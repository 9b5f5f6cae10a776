"""A check in a process of its own, which can be given up at any time, whatever it does."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from knock.check import report
from knock.check.report import CheckedFile

_KEPT = 1 << 16
"""Bytes of what is printed that are kept, the last ones: a file may print for ever."""

_GRACE = 1.0
"""Seconds to wait for the rest of the output of a process that has ended."""


class Check:
    """A running check; `over` is called with it, in another thread, once it has ended."""

    def __init__(self, words: Sequence[str], over: Callable[["Check"], None]) -> None:
        """Start `knock check` with some words, on no terminal, in a process group of its own."""
        self.code: int | None = None
        self._data, self._kept = b"", b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "knock", "check", *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},  # a pipe's is not on Windows
            start_new_session=True,
        )
        threading.Thread(target=self._follow, args=(over,), daemon=True).start()

    @property
    def report(self) -> CheckedFile | None:
        """What it has found; None where it came to no report."""
        document = report.from_json(self._data)
        return document.reports[0] if document is not None and document.reports else None

    @property
    def output(self) -> str:
        """What it has printed besides the report, as the checked file may: the last of it."""
        return self._kept.decode("utf-8", "replace").replace("\r\n", "\n")

    def stop(self) -> None:
        """End it, and all that it has started."""
        if sys.platform == "win32":
            words = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            subprocess.run(words, capture_output=True)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: all dead already
            os.killpg(self._process.pid, signal.SIGKILL)

    def _follow(self, over: Callable[["Check"], None]) -> None:
        readers = [threading.Thread(target=one, daemon=True) for one in (self._hear, self._read)]
        for reader in readers:
            reader.start()
        self.code = self._process.wait()
        self.stop()  # what it has left running would hold its output open
        for reader in readers:
            reader.join(_GRACE)
        over(self)

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while some := os.read(pipe.fileno(), _KEPT):
                self._data += some

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while some := os.read(pipe.fileno(), _KEPT):
                self._kept = (self._kept + some)[-_KEPT:]
