"""How a grading that is stopped ends: once, in order, and with a table of what is done so far."""

import signal
import threading
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Those that end a program, on systems that have them; the last is Ctrl-Break on Windows."""


class Signals:
    """While it is entered, the first of these signals raises what ends the program, and only that.

    That is KeyboardInterrupt for Ctrl-C, else SystemExit with the code of a shell. A signal that
    comes later, or once `over` is set, waits until this is left: it could only cut off the table. A
    signal that is ignored, as SIGHUP under `nohup`, stays ignored.
    """

    def __init__(self) -> None:
        self.over = False
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # no other one may ask for them
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._leave)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if not self.over:
            self.over = True
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
