"""A command in a process of its own, so that whatever ends it or keeps it running can be told.

A learner's file may crash Python, fill the memory, or leave a thread behind that never ends; then
the process that it runs in can say nothing any more. Another one waits for it, and says it in a
line. It does so only where a process can be forked; elsewhere Python itself tells of a crash.
"""

import atexit
import contextlib
import faulthandler
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from knock.check import forks
from knock.check.judge import Result
from knock.check.parts import Part
from knock.errors import exit_with, in_words, print_error
from knock.scripts import notebook

_GRACE = 5.0
"""Seconds that threads and functions of `atexit` get after the command has said everything."""

_OVER = b"\0"
"""What comes before the exit code; before it come the file's path, and what is known of it."""

_FRAME = re.compile(r'^ *File "(.+)", line (\d+) in ', re.MULTILINE)
_FATAL = "Fatal Python error: "
"""How Python begins to tell of a crash, with the frames of all threads after it."""

_pipe: int | None = None
"""In a process that is waited for: where it writes."""


def possible() -> bool:
    """Whether this process can be forked, and what a fork prints is seen as if it printed it."""
    frameworks = {"torch", "tensorflow", "keras", "chainer"}
    alone = threading.active_count() == 1 and not frameworks & sys.modules.keys()
    heard = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    return forks.SAFE and alone and heard


def tell_of_crashes() -> None:
    """Let Python say where it crashes, in a process that nobody waits for."""
    if not forks.SAFE and sys.stderr is sys.__stderr__ and sys.stderr is not None:
        faulthandler.enable()


def run(do: Callable[[], int], died: Callable[[str], None]) -> int:
    """Do something that runs a learner's file; its exit code, 2 where the file has ended it.

    Then a line on standard error says how, and `died` gets it, too.
    """
    with tempfile.TemporaryFile() as dump:
        out, inn = os.pipe()
        child = forks.fork(lambda: _done(do, out, inn, dump))
        os.close(inn)
        ended: list[int] = []
        waiter = threading.Thread(target=_wait, args=(child, ended), daemon=True)
        waiter.start()
        try:
            said, code = _heard(out)
            waiter.join(_GRACE if code is not None else None)
        except KeyboardInterrupt:  # it is in a session of its own: it has not heard that
            forks.kill(child)
            raise
        file = Path(said[0]) if said else None
        if not ended:
            forks.kill(child)
            what = "something that does not end, such as a thread"
            print_error(f"{file or 'the file'} leaves {what}; it was ended")
        if code is not None:
            return code
        dump.seek(0)
        told = dump.read().decode("utf-8", "replace")
        line = how(ended[0], told, file, said[1:])
        print_error(line)
        died(in_words(line))
        return 2


def _heard(out: int) -> tuple[list[str], int | None]:
    """The lines that a process writes, and its exit code; None where it ends before it says it."""
    said: list[str] = []
    with os.fdopen(out, "rb") as stream:
        for line in stream:
            if line.startswith(_OVER):
                return said, int(line[1:])
            said.append(os.fsdecode(line.rstrip(b"\n")))
    return said, None


def _wait(child: int, ended: list[int]) -> None:
    """Wait for a process; what it has started must not hold its pipe open."""
    _, status = os.waitpid(child, 0)
    ended.append(os.waitstatus_to_exitcode(status))
    forks.kill(child)


def _done(do: Callable[[], int], out: int, inn: int, dump: IO[bytes]) -> int:
    """In the fork: do it, say that it is done, and end as Python does."""
    global _pipe
    os.close(out)
    _pipe = inn
    forks.end_with_parent()
    atexit._clear()  # what others have asked for is for their process
    faulthandler.enable(dump)
    code = 1
    try:
        exit_with(do)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(OSError):  # the file has closed it: then it ended without a word
        os.write(inn, _OVER + b"%d\n" % code)
    threading._shutdown()  # type: ignore[attr-defined]  # Python's own end, which a fork has not
    atexit._run_exitfuncs()
    return code


def begins(file: Path) -> None:
    """Say in a process that is waited for which file it runs."""
    if _pipe is not None:
        os.write(_pipe, os.fsencode(file).replace(b"\n", b" ") + b"\n")


def known(verdict: Part | Result) -> None:
    """Say in a process that is waited for what is known of the file."""
    if _pipe is not None:
        with contextlib.suppress(OSError):  # the file has closed it
            os.write(_pipe, f"{verdict.name} {verdict.status}\n".encode())


def how(code: int | None, dump: str, file: Path | None, verdicts: list[str]) -> str:
    """How a file has ended the process that ran it, and in which of its lines if that is known.

    `dump` is what Python said of a crash, `verdicts` is what was known of the file by then.
    """
    if code is None:
        what = "was ended by another process"
    elif code == -signal.SIGKILL:
        what = "was killed, as by a system whose memory is full"
    elif code < 0:
        what = f"crashes Python ({signal.strsignal(-code)})"
    else:
        what = f"ends Python without a word (exit code {code})"
    at = f" ({found})" if file is not None and (found := _line(dump, file)) else ""
    last = f"; the last that is known: {verdicts[-1]}" if verdicts else ""
    return f"{file or 'the file'} {what}{at}{last}"


def split(output: str) -> tuple[str, str]:
    """What a process has printed, and what Python said of its crash at the end."""
    before, fatal, after = output.rpartition(_FATAL)
    return (before, fatal + after) if fatal else (output, "")


def _line(dump: str, file: Path) -> str:
    """The innermost line of a file in what Python said of a crash; "" where it has none."""
    path = str(file.resolve()).encode("ascii", "backslashreplace").decode()
    for found in _FRAME.finditer(dump):
        if found[1] == path:
            return notebook.place(file, int(found[2]))
    return ""
