"""A run in a process of its own, which is waited for."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run(script: Path, words: Sequence[str]) -> int:
    """Run an answer's script with these options; its exit code.

    A Ctrl-C or SIGTERM reaches the run too: it finishes its step and saves before it ends.
    """
    process = subprocess.Popen([sys.executable, str(script), *words])
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return _wait(process)
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
