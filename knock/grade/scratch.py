"""A submission's scratch folder, seen from outside: made, watched and removed.

Where this process may mount, it is in a file system of its own: in memory, of a fixed size, and
gone with the last process that sees it. From such a quota nothing can be hidden. Elsewhere the
files are counted, also those that are deleted but open or mapped, as the file system counts them.
Neither trusts what is in there: folders may be unreadable, or nested deeper than a path can reach.
"""

import contextlib
import ctypes
import itertools
import math
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from knock.grade.sandbox import LARGEST_FILE, libc

LARGEST = 256 << 20
"""The most bytes that a submission may store."""

FULL = "it was stopped: it filled the disk"

_MOST_FILES = 1 << 12
"""The most files and folders: they have to be removed, too."""

_ENTRY = LARGEST // _MOST_FILES
"""Bytes that are counted for each of them besides its content: names fill a disk, too."""

_MOST_THREADS = 1024
"""A system has room for some ten thousand, which are everybody's."""

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_RECURSIVE, _PRIVATE = 0x4000, 0x40000  # MS_REC, MS_PRIVATE
_NO_SETUID, _NO_DEVICES = 2, 4  # MS_NOSUID, MS_NODEV


def prepare(root: Path) -> bool:
    """Make the folder that scratch folders are made in; where that is possible, with a quota.

    Returns whether it has one. Then only the calling process and its forks see what is in there, so
    a process calls it once, as long as it has one thread.
    """
    root.mkdir(exist_ok=True)
    for way in (_NEW_MOUNTS, _NEW_MOUNTS | _NEW_USERS) if sys.platform == "linux" else ():
        # Some systems let everybody enter a namespace, but do nothing in it: a fork tries it first.
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(OSError):
                _mount(root, way)
                Path(root, "x").touch()
                code = 0
            os._exit(code)
        if os.waitpid(child, 0)[1] == 0:
            _mount(root, way)
            return True
    return False


def _mount(root: Path, way: int) -> None:
    """Go into new namespaces, and put a file system of a fixed size there. Raises OSError."""
    _enter(way)
    options = f"size={LARGEST},nr_inodes={_MOST_FILES},mode=700".encode()
    flags = _NO_SETUID | _NO_DEVICES
    _require(libc().mount(b"knock", os.fsencode(root), b"tmpfs", flags, options))


def _enter(way: int) -> None:
    """Go into new namespaces, as the same user as outside."""
    user, group = os.geteuid(), os.getegid()
    _require(libc().unshare(way))
    if way & _NEW_USERS:
        for file, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path("/proc/self", file).write_text(text, encoding="ascii")
    _require(libc().mount(None, b"/", None, _RECURSIVE | _PRIVATE, None))


def _require(done: int) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def wrong(folder: Path, process: int) -> str:
    """Why a process has to be stopped for what it stores or has started; "" if it need not be."""
    with contextlib.suppress(FileNotFoundError):  # it has ended
        if len(os.listdir(f"/proc/{process}/task")) > _MOST_THREADS:
            return "it was stopped: it started too many threads"
    if not os.path.ismount(folder.parent) and used(folder, process) > LARGEST:
        return FULL
    return ""


def used(folder: Path, process: int) -> float:
    """Bytes in a folder, and in deleted files of it that a process still holds open or mapped.

    Infinite if some of it cannot be seen; counting stops once it is too much.
    """
    try:
        total = _deleted(folder, process)
        waiting = [f"{folder}"]
        while waiting and total <= LARGEST:
            with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
                for entry in entries:  # each may be deleted meanwhile
                    total += _ENTRY + _bytes(entry.stat(follow_symlinks=False))
                    if total > LARGEST:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except OSError:  # no permission, or a path that is too long
        return math.inf
    return total


def _bytes(found: os.stat_result) -> int:
    """A file's bytes: those that it may have, or those that are kept for it, beyond its end."""
    return max(found.st_size, 512 * getattr(found, "st_blocks", 0))


def _deleted(folder: Path, process: int) -> int:
    """Bytes in files that have no name any more."""
    found = {one.st_ino: one for one in _open(process) if one.st_nlink == 0}
    total = sum(map(_bytes, found.values()))
    for number in _mapped(folder, process):
        if number not in found:  # nobody tells how large it is
            total += LARGEST_FILE
    return total


def _open(process: int) -> Iterator[os.stat_result]:
    """The files that a process has open. Its threads share them, and its first one may have ended.

    The walls see to that: no thread leaves the common table.
    """
    for place in _threads(process, "fd"):
        names = []
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            names = os.listdir(place)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(f"{place}/{name}")
                if stat.S_ISREG(found.st_mode):
                    yield found
        if names:
            return


def _mapped(folder: Path, process: int) -> set[int]:
    """The numbers of a folder's deleted files that are mapped into a process's memory."""
    found: set[int] = set()
    for place in _threads(process, "maps"):
        text = ""
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),
            open(place, encoding="utf-8", errors="replace") as file,
        ):
            text = file.read()
        for line in text.splitlines():
            words = line.split(maxsplit=5)  # addresses, rights, offset, device, number, name
            if words[-1].startswith(f"{folder}/") and words[-1].endswith(" (deleted)"):
                found.add(int(words[4]))
        if text:
            break
    return found


def _threads(process: int, name: str) -> list[str]:
    """The files of this name of a process's threads, in /proc; none if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [f"/proc/{process}/task/{n}/{name}" for n in os.listdir(f"/proc/{process}/task")]
    return []


def remove(folder: Path) -> None:
    """Remove a folder that nobody writes to any more, with all that is in it.

    A subfolder is moved up before its content is listed, so that no path becomes too long. For that
    no new folder is made: there may be no room for one.
    """
    token, taken = secrets.token_hex(), itertools.count()  # names that are not there
    waiting = [f"{folder}"]
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.rmdir(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                moved = f"{folder}/{token}{next(taken)}"
                os.rename(entry.path, moved)
                waiting.append(moved)
            else:
                os.unlink(entry.path)
        if place != f"{folder}":
            os.rmdir(place)
    os.rmdir(folder)
