"""Inside the process that judges numbers, which has limits, since submissions have sent them.

`python -m knock.grade.judging` gets what submissions sent from standard input, and answers each on
standard output with a verdict. It computes the judge's own numbers once, and without limits.
"""

import os
import sys
from functools import cache
from pathlib import Path

from knock.check.judge import Result, Standard
from knock.errors import UserError
from knock.grade import conditions, messages, plain_text, scratch
from knock.grade.conditions import Condition
from knock.questions import find

import msgspec
import numpy as np

READY = b"ready"
"""Sent once the process can judge."""

SECONDS = 120
"""Of computing, for the numbers of one run: most need less than one, and a mistake's name some."""

_MEMORY = 2 << 30
"""Bytes that judging may take, besides `_TIMES` what a submission may send."""

_TIMES = 16


class Asked(msgspec.Struct, frozen=True):
    """What a run of a submission sent, on a question and a condition.

    `short` is for a run of ten steps, `travel` for the stage about checkpoints, `channels_last` for
    the framework's layout of pictures. Without `said`, only the size of messages is asked for.
    """

    question: str
    condition: Condition
    short: bool = False
    travel: bool = False
    channels_last: bool = False
    said: bytes | None = None


class Verdict(msgspec.Struct, frozen=True):
    """The stages of a check, or what came instead.

    `largest` is how many bytes such a run may send. `impossible` says why a condition does not fit
    its question, `wrong` why the numbers are none of a check, `failed` that the judge itself fails
    on them; `refused`, `replaced` and `errors` are what the run said.
    """

    results: list[Result] = []
    errors: dict[str, str] = {}
    refused: str = ""
    replaced: list[str] = []
    wrong: str = ""
    failed: str = ""
    impossible: str = ""
    largest: int = 0


def main() -> None:
    """Judge until there is nothing more."""
    incoming, outgoing = (os.fdopen(os.dup(fd), mode) for fd, mode in ((0, "rb"), (1, "wb")))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    messages.write(outgoing, READY)
    with np.errstate(all="ignore"):  # numbers may be anything
        while (message := messages.read(incoming, sys.maxsize)) is not None:
            verdict = judge(msgspec.msgpack.decode(message, type=Asked))
            messages.write(outgoing, msgspec.msgpack.encode(verdict))


def judge(asked: Asked) -> Verdict:
    """The verdict on what a run sent."""
    _limit(None)
    try:
        standard = conditions.standard(find(asked.question), asked.condition)
    except UserError as error:
        return Verdict(impossible=str(error))
    largest = _largest(asked.question, msgspec.json.encode(asked.condition))
    if asked.said is None:
        return Verdict(largest=largest)
    _limit(_MEMORY + _TIMES * largest)
    try:
        short = standard.of_ten_steps() if asked.short else standard
        return _judged(asked, asked.said, short, largest)
    except MemoryError:
        return Verdict(wrong="to judge its numbers takes too much memory", largest=largest)
    except Exception as error:  # a bug of ours: the other submissions still get their grades
        why = plain_text.message(f"{type(error).__name__}: {error}")
        return Verdict(failed=why, largest=largest)


@cache
def _largest(question: str, condition: bytes) -> int:
    known = msgspec.json.decode(condition, type=Condition)
    return messages.largest(conditions.standard(find(question), known).expected)


def _judged(asked: Asked, said: bytes, standard: Standard, largest: int) -> Verdict:
    try:
        refused, replaced, found = messages.unpack(said, standard.expected, standard.recipe)
    except messages.NotNumbersOfACheckError as error:
        return Verdict(wrong=f"it did not send the numbers of a check: {error}", largest=largest)
    found.channels_last = asked.channels_last
    found.errors = {stage: explained(text) for stage, text in found.errors.items()}
    results = [] if refused or replaced else standard.judge(found, asked.travel)
    return Verdict(results, found.errors, explained(refused), replaced, largest=largest)


_FORBIDDEN = {
    "[Errno 1]": "a submission may start no program, open no connection, lock no file, "
    "and change no file's permissions",
    "PermissionError: [Errno 13]": "a submission may open only its own files",
    "[Errno 28]": f"it filled the disk: a submission may store {scratch.LARGEST >> 20} MB",
}


def explained(error: str) -> str:
    """An error's text; if the sandbox was the reason, also what is not allowed."""
    rules = [rule for what, rule in _FORBIDDEN.items() if what in error]
    return f"{error}: {rules[0]}" if rules else error


def _limit(memory: int | None) -> None:
    """Limit what this process may take from now on; with None, take the limits away."""
    if os.name != "posix":
        return
    import resource

    for which, value in (
        (resource.RLIMIT_CPU, None if memory is None else _seconds() + SECONDS),
        (resource.RLIMIT_AS, None if memory is None else _held() + memory),
    ):
        _, hard = resource.getrlimit(which)
        wanted = hard if value is None else value
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (soft, hard))


def _seconds() -> int:
    """Seconds of computing until now, rounded up."""
    used = os.times()
    return int(used.user + used.system) + 1


def _held() -> int:
    """Bytes of the address space, where the system says so; elsewhere it enforces no limit."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
