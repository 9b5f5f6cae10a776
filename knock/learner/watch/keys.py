"""Reads single keys as they are pressed, and restores the terminal at the end."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening(report: Callable[[str], None]) -> Iterator[bool]:
    """Call `report` with every key, in lower case, in another thread.

    It yields whether there is a terminal with keys. If the terminal is closed, it reports a `q`.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield False
        return

    def read() -> None:
        for key in _keys():
            report(key.lower())
        report("q")

    with _at_once():
        threading.Thread(target=read, daemon=True).start()
        yield True


if sys.platform == "win32":
    import msvcrt

    def _keys() -> Iterator[str]:
        while True:
            key = msvcrt.getwch()
            if key in "\0\xe0":  # a special key, such as an arrow: its code comes next
                msvcrt.getwch()
            else:
                yield key

    @contextlib.contextmanager
    def _at_once() -> Iterator[None]:
        yield  # getwch does not wait for Enter

else:
    import os
    import re
    import signal
    import termios
    import tty

    _LONGER = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
    """What a terminal sends for special keys, such as arrows, and for keys with Alt: ignored."""

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
            tty.setcbreak(terminal)  # no Enter, no echo; Ctrl-C still works

        old = signal.signal(signal.SIGCONT, ask)  # Ctrl-Z and fg restore the shell's settings
        try:
            ask()
            yield
        finally:
            signal.signal(signal.SIGCONT, old)
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
