"""The process that judges numbers, seen from outside: numbers that break it cost one submission."""

import atexit
import contextlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace

from knock import recipe as recipes
from knock.check.judge import Result, Standard
from knock.check.trace import Trace
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.grade import judging, messages
from knock.grade.conditions import Condition
from knock.grade.helper import BrokenError, Helper, Words
from knock.grade.judging import Asked, Verdict
from knock.questions import Question

import msgspec

_LONGEST = 10 * judging.SECONDS
"""Seconds by the clock for one verdict, the judge's own numbers included."""

_REPLY = 1 << 24
"""Bytes of a verdict: texts, and a few numbers."""


class _Judge(Helper):
    """Judges one run after the other; messages are frames."""

    def exchange(self, process: subprocess.Popen[bytes], message: bytes | None) -> bytes | None:
        assert process.stdin is not None and process.stdout is not None
        if message is not None:
            with contextlib.suppress(OSError):
                messages.write(process.stdin, message)
        return messages.read(process.stdout, _REPLY)


_WORDS = Words(
    fails="the judge does not start",
    takes="to judge its numbers",
    ends="its numbers end the process that judges them",
)
_judge = _Judge("knock.grade.judging", judging.READY, _WORDS)


def _ask(asked: Asked) -> Verdict:
    """The verdict of the process. Raises UserError if it does not start."""
    message = msgspec.msgpack.encode(asked)
    try:
        answer = _judge.ask(message, _LONGEST, _LONGEST, judging.SECONDS)
    except BrokenError as error:
        return Verdict(wrong=str(error))
    return msgspec.msgpack.decode(answer, type=Verdict)


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
        verdict = _ask(Asked(question.name, condition))
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
        return _ask(Asked(self.question, self.condition, short, travel, channels_last, said))

    def judge(self, got: Trace, travel: bool = True) -> list[Result]:
        """The stages of a run, as the other process has judged them; else those of its error.

        Raises ValueError for a run that has neither.
        """
        if isinstance(got, Judged) and got.results:
            return list(got.results)
        if not got.errors:
            raise ValueError("a run without a verdict")
        return super().judge(got, travel)
