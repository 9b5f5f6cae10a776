"""Which file is watched, and how a watch begins and ends."""

import contextlib
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.learner import answers
from knock.learner.watch import keys
from knock.learner.watch.session import KEYS, Event, Session
from knock.questions import Question


def watch(question: Question, framework: str | None, file: Path | None, poll: bool) -> int:
    """Watch a learner's answer until `q` is pressed. Returns 0.

    It is `file`, or the remembered one. Raises UserError if there is none.
    """
    if file is None:
        framework, file = answers.remembered(question, framework)
    framework = question.framework(framework or frameworks.of_file(file))
    if not file.is_file():
        raise UserError(f"no file {file}")
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with _ended_in_order(), keys.listening(events.put) as pressed:
        print(KEYS if pressed else "No keys work here, since this is not a terminal; Ctrl-C ends.")
        session: Session | None = Session(events, question, framework, file, poll, pressed)
        while session is not None:
            with session:
                session = session.follow()
    return 0


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """On signals that end a program at once, clean up first, so that no check keeps running."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    old = {getattr(signal, name): signal.signal(getattr(signal, name), leave) for name in names}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
