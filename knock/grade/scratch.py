"""A submission's scratch folder, seen from outside: how full it is, and how it is removed.

Neither trusts what is in there: folders may be unreadable, or nested deeper than a path can reach.
"""

import contextlib
import math
import os
import stat
import tempfile
from pathlib import Path

LARGEST = 256 << 20
"""The most bytes that a submission may store."""

_ENTRY = 4096
"""Bytes that are counted for each file or folder besides its content: names fill a disk, too."""


def used(folder: Path, process: int) -> float:
    """Bytes in a folder, and in deleted files that a process still holds open.

    Infinite if some of it cannot be seen; counting stops once it is too much.
    """
    try:
        total = _deleted(process)
        waiting = [f"{folder}"]
        while waiting and total <= LARGEST:
            with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
                for entry in entries:  # each may be deleted meanwhile
                    total += _ENTRY + entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except OSError:  # no permission, or a path that is too long
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

    A subfolder is moved up before its content is listed, so that no path becomes too long.
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
