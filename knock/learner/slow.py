"""Where a check is that takes long: a loop in a learner's file may have no end."""

import contextlib
import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from knock.errors import print_error
from knock.scripts import notebook

LONG = 30.0
"""Seconds after which it is said: a check takes less than 20."""


@contextlib.contextmanager
def told(
    file: Path, after: float = LONG, say: Callable[[str], None] = print_error
) -> Iterator[None]:
    """Meanwhile, say after some seconds, and then after twice as many, which line of a file runs.

    It is the line that this thread is in. That takes another thread, which ends with the block.
    """
    over, thread, path = threading.Event(), threading.get_ident(), file.resolve()

    def look() -> None:
        begun, wait = time.monotonic(), after
        while not over.wait(wait):
            where = _where(sys._current_frames().get(thread), path)
            seconds = time.monotonic() - begun
            say(f"the check still runs after {seconds:.0f} seconds{where}; Ctrl-C ends it")
            wait *= 2

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()


def _where(frame: FrameType | None, path: Path) -> str:
    """The innermost line of a file that a frame was called from, in words; else empty."""
    while frame is not None and frame.f_code.co_filename != str(path):
        frame = frame.f_back
    if frame is None:
        return ""
    text = " ".join(linecache.getline(str(path), frame.f_lineno).split())
    return f", in your file at {notebook.place(path, frame.f_lineno)}{text and f': {text}'}"
