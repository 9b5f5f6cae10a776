"""A process that runs submissions in one framework, seen from outside.

On Linux it lives long and forks for each job. Elsewhere each job has a process of its own, which is
watched from here, and stopped if needed.
"""

import contextlib
import os
import queue
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from knock.check import forks
from knock.errors import PRINTED
from knock.grade import messages
from knock.grade.worker import CLOCK

import msgspec
import psutil

_START = 120
"""Seconds that a framework may take to import, on a busy machine."""

_REPLY = 1 << 16
"""Bytes that a reply may have besides what a submission has sent."""

_END = 3.0
"""Seconds that a process gets to end its job and to remove its folder."""

_LOOK = 0.1
"""Seconds between two measurements of a job's memory, where it has a process of its own."""

_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
"""The environment variables that a submission sees: none that could hold a secret."""


def environment(package: Path) -> dict[str, str]:
    """What a process of the grader sees; it imports this package from a folder, `package`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    plain = {"MPLBACKEND": "Agg", "PYTHONIOENCODING": PRINTED, "PYTHONPATH": str(package)}
    return {**kept, **threads, **plain}


def last_line(errors: IO[bytes]) -> str:
    """What a process has said last in its errors; "" for nothing."""
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    return said[-1] if said else ""


class DoesNotStartError(Exception):
    """The framework does not start, which is not the submission's fault."""


class WorkerProcess:
    """Runs jobs, one at a time, in a framework. To be closed.

    `package` is the folder that Python imports from, made by `stripped_copy`.
    """

    def __init__(self, framework: str, package: Path, fork: bool = forks.SAFE) -> None:
        self.framework = framework
        self._package, self._fork = package, fork
        self._stopped = False
        self._running = threading.RLock()  # a signal may stop it in the thread that runs
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def run(self, job: messages.Job) -> messages.Outcome:
        """Run one submission. Raises DoesNotStartError if the framework does not start."""
        with self._running:
            return self._run(job)

    def _run(self, job: messages.Job) -> messages.Outcome:
        message = msgspec.msgpack.encode(job)
        if not self._fork:
            return self._once(job, message)
        process = self._process or self._begin()
        if self._stopped:  # while it was started
            self.close()
            return messages.Outcome(ended=_STOPPED)
        assert process.stdin is not None
        reply = None
        with contextlib.suppress(OSError):  # the process is dead: then there is no reply
            messages.write(process.stdin, message)
            seconds = CLOCK * job.seconds + _START
            reply = self._next(process, seconds, job.largest + _REPLY)
        if reply is None:
            self.close()  # the next job starts a new one
            return messages.Outcome(ended="it ended the process that runs all submissions")
        return msgspec.msgpack.decode(reply, type=messages.Outcome)

    def stop(self) -> None:
        """End the process for good, even while another thread waits for its job."""
        self._stopped = True
        if self._process is not None:
            _end(self._process)
        with self._running:
            self.close()

    def close(self) -> None:
        """End the process; the next job starts a new one."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
            for stream in (process.stdout, self._errors):
                if stream is not None:
                    stream.close()

    def _begin(self) -> subprocess.Popen[bytes]:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = process = self._start(self._errors)
        if self._next(process, _START, _REPLY) != messages.READY:
            raise self._broken(self._errors)
        return process

    def _start(self, errors: IO[bytes], *options: str, place: str | None = None) -> "_Process":
        words = ["-P", "-s", "-m", "knock.grade.worker", self.framework, *options]
        return subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=place or self._package,
            env=environment(self._package),
            start_new_session=True,  # Ctrl-C is for the grader, which ends its processes itself
        )

    def _next(self, process: "_Process", seconds: float, largest: int) -> bytes | None:
        """The next frame, of at most `largest` bytes; None if none comes in time."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return messages.read(process.stdout, largest) if ready else None

    def _broken(self, errors: IO[bytes]) -> DoesNotStartError:
        said = last_line(errors)
        self.close()
        return DoesNotStartError(f"{self.framework} does not start: {said or 'it gives no reason'}")

    def _once(self, job: messages.Job, message: bytes) -> messages.Outcome:
        """Run a job in a process of its own, and watch it."""
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as place:
            process = self._process = self._start(errors, "--once", place=place)
            assert process.stdin is not None and process.stdout is not None
            frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            given = (process.stdout, frames, job.largest)
            threading.Thread(target=_listen, args=given, daemon=True).start()
            try:
                if _wait(frames, _START) != messages.READY:
                    raise self._broken(errors)
                most = base = _memory(process.pid)
                with contextlib.suppress(OSError):  # the process is dead: then there is no reply
                    messages.write(process.stdin, message)
                deadline, ended, said = time.monotonic() + CLOCK * job.seconds, "", []
                while not ended and (frame := _wait(frames, _LOOK)) is not None:
                    said += [frame] if frame else []
                    most = max(most, _memory(process.pid))
                    if time.monotonic() > deadline:
                        ended = messages.LATE
                    elif most > base + job.memory:
                        ended = "it was stopped: it used more memory than allowed"
                return messages.outcome(said, ended or messages.left(process.wait()), 0.0, most)
            finally:
                self._process = None
                _kill(process)
                process.stdin.close()


def _listen(stream: IO[bytes], frames: "queue.SimpleQueue[bytes | None]", left: int) -> None:
    """Pass on each frame that a process sends, and None at its end or after `left` bytes."""
    with stream, contextlib.suppress(ValueError):  # a submission may write nonsense
        while (frame := messages.read(stream, left)) is not None:
            frames.put(frame)
            left -= len(frame) + messages.FRAMED
    frames.put(None)


def _wait(frames: "queue.SimpleQueue[bytes | None]", seconds: float) -> bytes | None:
    """The next frame: an empty one if none comes in time, and None at the end."""
    try:
        return frames.get(timeout=seconds)
    except queue.Empty:
        return b""


_Process = subprocess.Popen[bytes]

_STOPPED = "the grading was stopped"


def _memory(number: int) -> int:
    """Bytes that a process and its children hold."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):  # it may end while this looks
        process = psutil.Process(number)
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    return total


def _end(process: "_Process") -> None:
    """Tell a process that nobody needs it any more: it removes its folder, and ends."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it has ended already
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END)
    _kill(process)


def _kill(process: "_Process") -> None:
    """End a process and all its children."""
    try:
        whole = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        whole = []
    for one in whole:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()
