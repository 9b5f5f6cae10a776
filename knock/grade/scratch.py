"""A submission's scratch folder, seen by whoever watches it: how full it is, and how it is emptied.

Neither trusts what is in there: folders may be closed, or deeper than any path is long.
"""

import contextlib
import math
import os
import stat
import tempfile
from pathlib import Path

LARGEST = 256 << 20
"""Bytes: more than that is no scratch any more."""

_ENTRY = 4096
"""Bytes that a file or folder is counted with at least: names fill a disk, too."""


def used(folder: Path, process: int) -> float:
    """Bytes in a folder, and in files that a process holds open though they are deleted.

    Infinite where some of it cannot be seen; counting ends where there is too much.
    """
    try:
        total = _deleted(process)
        waiting = [f"{folder}"]
        while waiting and total <= LARGEST:
            with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
                for entry in entries:  # each may be gone between two looks
                    total += _ENTRY + entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except OSError:  # without the right to look, or of too long a path
        return math.inf
    return total


def _deleted(process: int) -> int:
    total = 0
    place = f"/proc/{process}/fd"
    with contextlib.suppress(FileNotFoundError):  # it has ended
        for name in os.listdir(place):
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(f"{place}/{name}")
                if found.st_nlink == 0 and stat.S_ISREG(found.st_mode):
                    total += found.st_size
    return total


def remove(folder: Path) -> None:
    """Remove a folder that nobody writes to any more, with all that is in it.

    What lies deep is moved up before it is looked at, so that no path becomes long.
    """
    waiting = [f"{folder}"]
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                moved = tempfile.mkdtemp(dir=folder)
                os.rename(entry.path, moved)
                waiting.append(moved)
            else:
                os.unlink(entry.path)
        if place != f"{folder}":
            os.rmdir(place)
    os.rmdir(folder)
