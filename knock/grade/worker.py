"""Inside the process that runs submissions: a fork for each of them, its limits, and its end.

`python -m knock.grade.worker FRAMEWORK` reads jobs from standard input and answers each with an
outcome on standard output. It imports the framework once, and each submission runs in a fork, so
the time for the import is spent only once. Another fork reads the job and watches the first one,
and both end with the job; so the next submission finds nothing of it in its memory.
Where forks are not safe (everywhere but on Linux), `--once` runs one job in the process itself,
which then ends; the process outside stops it if needed.
"""

import importlib
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from knock import frameworks, paths
from knock import recipe as recipes
from knock.check import forks, trace
from knock.errors import UserError
from knock.frameworks.adapter import Adapter
from knock.grade import messages, sandbox, scratch
from knock.scripts.raised import describe
from knock.scripts.source import Source
from knock.scripts.splice import splice
from knock.scripts.transplant import transplant

import msgspec

CLOCK = 3
"""By the clock a job may take this many times its seconds of computing: others run beside it."""

_END = 1.0
"""Seconds that a crash may take: it is told by its signal, and what goes on is ended."""

_LOOK = 0.2
"""Seconds between two measurements of a scratch folder."""

_SCRATCH = paths.ROOT.parent / "scratch"
"""Where the scratch folders are: beside this copy of the package, and removed with it."""


def main() -> None:
    """Answer jobs until there are no more."""
    _, name, *options = sys.argv
    incoming, outgoing = (os.fdopen(os.dup(fd), mode) for fd, mode in ((0, "rb"), (1, "wb")))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    if "--once" not in options:
        scratch.prepare(_SCRATCH)  # before there are threads
    importlib.import_module("knock.run")  # every answer imports it, and that takes a while
    adapter = frameworks.load_fully(name)
    messages.write(outgoing, messages.READY)
    if "--once" in options:
        if (message := messages.read(incoming, sys.maxsize)) is not None:
            _run(_job(message), adapter, Path.cwd(), lambda said: messages.write(outgoing, said))
        return
    more = True
    while more:
        watcher = os.fork()
        if watcher == 0:
            code = 1
            try:
                if (message := messages.read(incoming, sys.maxsize)) is not None:
                    outcome = _watch(_job(message), adapter, (incoming, outgoing))
                    messages.write(outgoing, msgspec.msgpack.encode(outcome))
                    code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(watcher, 0)
        more = status == 0


def _job(message: bytes) -> messages.Job:
    return msgspec.msgpack.decode(message, type=messages.Job)


def _watch(job: messages.Job, adapter: Adapter, ours: tuple[IO[bytes], ...]) -> messages.Outcome:
    """Run a job in a fork, and stop it at its limits."""
    place = Path(tempfile.mkdtemp(dir=_SCRATCH))
    out, inn = os.pipe()

    def submission() -> int:
        os.close(out)
        for stream in ours:  # so that it cannot answer for another submission
            os.close(stream.fileno())
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 2)
        with os.fdopen(inn, "wb") as stream:
            _run(job, adapter, place, lambda message: messages.write(stream, message))
        return 0

    child = forks.fork(submission)
    os.close(inn)
    try:
        until = time.monotonic() + CLOCK * job.seconds
        said, ended = _listen(out, ours[0].fileno(), child, place, until, job.largest)
        if not ended and not messages.are_whole(messages.frames(said)) and not _ends(child):
            ended = messages.CLOSED
    finally:
        os.close(out)
        forks.kill(child)
        _, status, used = os.wait4(child, 0)
        scratch.remove(place)
    seconds = used.ru_utime + used.ru_stime
    ended = ended or _end(os.waitstatus_to_exitcode(status), seconds, job)
    return messages.outcome(messages.frames(said), ended, seconds, used.ru_maxrss << 10)


def _ends(child: int) -> bool:
    """Whether a fork ends by itself that says nothing more; it can still be waited for."""
    until = time.monotonic() + _END
    while time.monotonic() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            return True
        time.sleep(0.01)
    return False


def _listen(
    out: int, grader: int, child: int, place: Path, deadline: float, largest: int
) -> tuple[bytes, str]:
    """What a fork sends until it closes the pipe, and the reason to stop it, if there is one."""
    said, looked = bytearray(), time.monotonic()
    while True:
        now = time.monotonic()
        if now > deadline:
            return bytes(said), messages.LATE
        if now - looked > _LOOK:
            looked = now
            if wrong := scratch.wrong(place, child):
                return bytes(said), wrong
        ready, _, _ = select.select([out, grader], [], [], min(_LOOK, deadline - now))
        if grader in ready:  # it sends nothing before it has an answer: so it has ended
            return b"", "the grader has ended"
        if ready:
            piece = os.read(out, 1 << 16)
            if not piece:
                return bytes(said), ""
            said += piece
            if len(said) > largest:
                return b"", messages.TOO_MUCH


def _end(code: int, seconds: float, job: messages.Job) -> str:
    """Why a fork ended before it had sent everything."""
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seconds >= job.seconds):
        return f"it was stopped after {job.seconds} s of computing"
    return messages.left(code)


def _run(job: messages.Job, adapter: Adapter, place: Path, say: Callable[[bytes], None]) -> None:
    """Run a submission inside the walls; send their names, then its numbers."""
    os.chdir(place)
    for name in ("TMPDIR", "TEMP", "TMP", "HOME"):
        os.environ[name] = str(place)
    tempfile.tempdir = None
    file, ours = place / Path(job.file).name, place / "ours" / "answer.py"
    ours.parent.mkdir()
    file.write_text(job.mine, encoding="utf-8")
    ours.write_text(job.ours, encoding="utf-8")
    recipe = recipes.from_json(job.recipe)
    before = _functions()
    limits, hidden = sandbox.Limits(job.seconds, job.memory), map(Path, job.hidden)
    walls = sandbox.put_up(limits, [paths.ROOT], list(hidden), place)
    say(" ".join(walls).encode())
    try:
        code = None
        if job.alone is not None:
            code = transplant(Source.read(file), Source.read(ours), job.alone)
        elif job.names is not None:
            code = splice(Source.read(file), Source.read(ours), job.names)
        made = trace.load(file, adapter, recipe, code)
        say(messages.LOADED)
        found = trace.run(made, file, adapter, recipe, job.looked_at)
    except UserError as error:
        say(messages.refused(str(error).replace(f"{place}{os.sep}", "")))
    except BaseException as error:  # for example, a KeyboardInterrupt of its own
        say(messages.refused(f"{file.name} does not run: {describe(error, file)}"))
    else:
        say(messages.pack(found, _replaced(before)))


def _functions() -> dict[str, Any]:
    """Every function, class and method of the checker by name, each with its code if it has one."""
    found: dict[str, Any] = {}

    def note(name: str, value: Any) -> None:
        if callable(value) or hasattr(value, "__get__"):  # a property is not called
            found[name] = (value, getattr(value, "__code__", None))

    for module in _modules():
        for name, value in vars(module).items():
            note(f"{module.__name__}.{name}", value)
            if isinstance(value, type) and value.__module__ == module.__name__:
                for method, inner in vars(value).items():
                    note(f"{module.__name__}.{name}.{method}", inner)
    return found


def _modules() -> list[ModuleType]:
    """The modules of this package that are loaded."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "knock" and isinstance(module, ModuleType)
    ]


def _replaced(before: dict[str, Any]) -> list[str]:
    """The names of functions that have been replaced."""
    now = _functions()
    return sorted(
        name
        for name, (value, code) in before.items()
        if name not in now or now[name][0] is not value or now[name][1] is not code
    )


if __name__ == "__main__":
    main()
    os._exit(0)  # there is nothing to tidy up, for which some frameworks take half a second
