"""Keys, told of one by one as they are pressed, on a terminal that is left as it was found."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[bool]:
    """Call `tell` with every key, in lower case, in another thread.

    What is yielded is whether there is a terminal to press one on. Once it has gone away, that
    counts as a `q`.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield False
        return

    def read() -> None:
        for key in _keys():
            tell(key.lower())
        tell("q")

    with _at_once():
        threading.Thread(target=read, daemon=True).start()
        yield True


if sys.platform == "win32":
    import msvcrt

    def _keys() -> Iterator[str]:
        while True:
            key = msvcrt.getwch()
            if key in "\0\xe0":  # an arrow or the like: its code comes next
                msvcrt.getwch()
            else:
                yield key

    @contextlib.contextmanager
    def _at_once() -> Iterator[None]:
        yield  # getwch waits for no Enter

else:
    import os
    import re
    import signal
    import termios
    import tty

    _LONGER = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
    """What a terminal sends for an arrow and the like, and for a key with Alt: none of ours."""

    def _keys() -> Iterator[str]:
        while True:
            try:
                pressed = os.read(sys.stdin.fileno(), 64)
            except OSError:
                return
            if not pressed:
                return
            yield from _LONGER.sub(b"", pressed).decode("ascii", "ignore")

    @contextlib.contextmanager
    def _at_once() -> Iterator[None]:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)

        def ask(*_: object) -> None:
            tty.setcbreak(terminal)  # no Enter, no echo; Ctrl-C works as ever

        old = signal.signal(signal.SIGCONT, ask)  # after Ctrl-Z and fg it is the shell's again
        try:
            ask()
            yield
        finally:
            signal.signal(signal.SIGCONT, old)
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
