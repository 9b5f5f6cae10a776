"""The process that judges numbers, seen from outside: numbers that break it cost one submission."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO

from knock import paths
from knock import recipe as recipes
from knock.check.judge import Result, Standard
from knock.check.trace import Trace
from knock.errors import PRINTED, UserError
from knock.frameworks import numpy as plain
from knock.grade import judging, messages
from knock.grade.conditions import Condition
from knock.grade.judging import Asked, Verdict
from knock.grade.process import KEPT
from knock.grade.reading import stopped_after
from knock.questions import Question

import msgspec

_LONGEST = 10 * judging.SECONDS
"""Seconds by the clock for one verdict, the judge's own numbers included."""

_REPLY = 1 << 24
"""Bytes of a verdict: texts, and a few numbers."""


class _Judge:
    """Judges one run after the other. It is started when it is needed, and again if it broke."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def ask(self, asked: Asked) -> Verdict:
        """The verdict of the process. Raises UserError if it does not start."""
        with self._lock:
            process = self._process or self._begin()
            with stopped_after(_LONGEST, process) as late:
                reply = _exchange(process, msgspec.msgpack.encode(asked))
            if reply is not None:
                return msgspec.msgpack.decode(reply, type=Verdict)
            code = process.wait()
            self._end()
            return Verdict(wrong=_why(code, late.is_set()))

    def _begin(self) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        place = {"PYTHONIOENCODING": PRINTED, "PYTHONPATH": str(paths.PACKAGE.parent)}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-m", "knock.grade.judging"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=paths.PACKAGE,
            env={**kept, **threads, **place},
            start_new_session=True,  # Ctrl-C is for the grader, which ends its processes itself
        )
        with stopped_after(_LONGEST, process):
            ready = _read(process)
        if ready != judging.READY:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            self._end()
            raise UserError(f"the judge does not start: {said[-1] if said else 'no reason given'}")
        return process

    def close(self) -> None:
        """End the process; a verdict that is waited for never comes."""
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


def _exchange(process: subprocess.Popen[bytes], message: bytes) -> bytes | None:
    """Send a message; the reply, None if the process has ended."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # the process is dead: then there is no reply
        messages.write(process.stdin, message)
    return _read(process)


def _read(process: subprocess.Popen[bytes]) -> bytes | None:
    assert process.stdout is not None
    return messages.read(process.stdout, _REPLY)


def _why(code: int, late: bool) -> str:
    """Why what a run sent ended the process that judged it."""
    if late or (os.name == "posix" and code == -signal.SIGXCPU):
        return f"to judge its numbers takes more than {judging.SECONDS} s"
    how = signal.strsignal(-code) if code < 0 else f"exit code {code}"
    return f"its numbers end the process that judges them ({how})"


_judge = _Judge()


@atexit.register
def close() -> None:
    """End the process."""
    _judge.close()


@dataclass
class Judged(Trace):
    """A run whose numbers have been judged in the other process, and stayed there."""

    results: Sequence[Result] = ()


@dataclass(frozen=True)
class Away(Standard):
    """A question's standard under a condition; the judge's numbers are in the other process.

    `largest` is how many bytes a run may send. `short` is for runs of ten steps.
    """

    question: str
    condition: Condition
    largest: int
    short: bool = False

    @classmethod
    def at(cls, question: Question, condition: Condition) -> "Away":
        """The standard. Raises UserError where the condition does not fit the question."""
        recipe = recipes.load_check(
            question.recipe_file, seed=condition.seed, other=condition.check
        )
        verdict = _judge.ask(Asked(question.name, condition))
        if verdict.impossible or verdict.wrong:
            raise UserError(verdict.impossible or verdict.wrong)
        return cls(
            recipe,
            question.reference_file,
            plain,
            Trace(),
            question.name,
            condition,
            verdict.largest,
        )

    def of_ten_steps(self) -> "Away":
        """The same for runs of ten steps."""
        return replace(self, short=True)

    def verdict(self, said: bytes, travel: bool, channels_last: bool) -> Verdict:
        """The verdict on what a run sent; with `travel`, also on the stage about checkpoints."""
        short = self.short
        return _judge.ask(Asked(self.question, self.condition, short, travel, channels_last, said))

    def judge(self, got: Trace, travel: bool = True) -> list[Result]:
        """The stages of a run, as the other process has judged them; else those of its error.

        Raises ValueError for a run that has neither.
        """
        if isinstance(got, Judged) and got.results:
            return list(got.results)
        if not got.errors:
            raise ValueError("a run without a verdict")
        return super().judge(got, travel)
