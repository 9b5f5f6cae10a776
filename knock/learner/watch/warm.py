"""Inside the process that has the framework and the judge's numbers ready before a save.

`python -m knock.learner.watch.warm QUESTION FRAMEWORK` gets the descriptors of one check after
another through the socket that is its standard input: a file with the request, where the number and
the exit code of the check's process are written, its standard output and its standard error. Each
check runs in a fork, and another fork waits for it, ends all that it started, and ends it as soon
as nobody reads its exit code any more. The process itself never runs a learner's code.
Where forks are not safe, `--once` reads one request from standard input, runs it in the process
itself and ends; the next process is started meanwhile.
"""

import contextlib
import faulthandler
import importlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from knock import frameworks
from knock.check import explain_mistakes, forks, output, report
from knock.check.judge import Standard
from knock.check.parts import Earlier
from knock.errors import exit_with
from knock.learner import checking
from knock.learner.watch.messages import Request
from knock.questions import Question, find

import msgspec


def main() -> None:
    """Get ready, then check."""
    _, name, framework, *options = sys.argv
    question = find(name)
    if "--once" in options:
        with output.kept_for_data() as write:  # an import may print
            ready = _Ready(question, framework)
            ready.more()
            request = sys.stdin.buffer.readline()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            code = _code(lambda: ready.check(request, write)) if request else 0
        sys.stderr.flush()
        os._exit(code)  # a thread of the file's would go on
    incoming = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    ready = _Ready(question, framework)
    while True:
        if not select.select([incoming], [], [], 0)[0]:
            ready.more()
        _, descriptors, _, _ = socket.recv_fds(incoming, 1, 4)
        if not descriptors:
            return
        forks.fork(lambda: _watch(ready, incoming, *descriptors))  # noqa: B023  # runs at once
        for one in descriptors:
            os.close(one)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


class _Ready:
    """A framework that is imported, and what a question's answers must agree with."""

    def __init__(self, question: Question, framework: str) -> None:
        self.question, self.framework = question, framework
        self.standard: Standard | None = None
        with contextlib.suppress(Exception, SystemExit):  # a check raises it again, and shows it
            importlib.import_module("knock.run")  # every answer imports it, and that takes a while
            frameworks.load_fully(framework)
            if question.reference_file.is_file():  # else a framework would compute before the forks
                self.standard = Standard.of(question, framework, seed=0, ours=False)

    def more(self) -> None:
        """Compute what names the mistakes, too, while there is nothing else to do."""
        if self.standard is not None:
            with contextlib.suppress(Exception):  # as above
                of = self.standard
                known = explain_mistakes.of(of.judge_path, of.adapter, of.recipe)
                _ = known.steps, known.outputs  # it keeps them

    def check(self, request: bytes, write: Callable[[bytes], None]) -> None:
        """Check a file as `knock check --json` does, and exit.

        A line for each verdict comes before the document.
        """
        asked = msgspec.json.decode(request, type=Request)

        def do() -> int:
            found = checking.check(
                self.question,
                self.framework,
                Path(asked.file),
                standard=self.standard,
                earlier=None if asked.text is None else Earlier(asked.text, asked.failed),
                told=lambda one: write(report.to_json(report.Verdict.on(one))),
            )
            write(report.to_json(report.Document(reports=[found])))
            return 0 if found.passed else 1

        exit_with(do)


def _code(check: Callable[[], None]) -> int:
    """The exit code of a check, which ends by raising SystemExit."""
    faulthandler.enable(2)  # so that a crash is told with its line
    try:
        check()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    return 1


def _watch(
    ready: _Ready, incoming: socket.socket, request: int, status: int, out: int, errors: int
) -> int:
    """Run a check in a fork, and end it once nobody reads its status any more."""
    incoming.close()
    ended, rings = os.pipe()
    os.set_blocking(rings, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rings)

    def check() -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(out, 1)
        os.dup2(errors, 2)
        with os.fdopen(request, "rb") as file:
            text = file.read()
        for one in (ended, rings, status, out, errors):
            os.close(one)
        with output.kept_for_data() as write:
            return _code(lambda: ready.check(text, write))

    child = forks.fork(check)
    for one in (request, out, errors):
        os.close(one)
    with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
        os.write(status, b"%d\n" % child)
    waiting = select.poll()
    waiting.register(ended, select.POLLIN)
    waiting.register(status, 0)  # its other end was closed
    waiting.poll()
    forks.kill(child)
    _, code = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(code))
    return 0


if __name__ == "__main__":
    main()
