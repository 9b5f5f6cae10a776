"""Writes files so that after a kill or a full disk there is the old file or the new, never half."""

import contextlib
import errno
import itertools
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from knock.errors import UserError

_HALF = ".part"
"""The ending of a file while it is being written; its name also begins with a dot."""

DISK_FULL = "the disk is full"
"""What the message of such an error contains."""

_HEAD = 4096  # bytes: whatever tells a file of ours from another stands in its first ones

_umask = os.umask(0o077)  # it can only be read by setting it, and not while other threads write
os.umask(_umask)


def write_atomically(path: Path, data: bytes | str, option: str = "--out") -> None:
    """Write `data` to `path`: first into a temporary file beside it, which then replaces it.

    What a link points to is replaced, not the link; and what is no regular file, such as a pipe or
    `/dev/null`, is written into. Raises UserError if the folder cannot be written or the disk is
    full; then the temporary file is gone and the old file unchanged. `option` is the command's
    option for another path.
    """
    raw = data.encode() if isinstance(data, str) else data
    try:
        if _is_special(path):
            path.write_bytes(raw)
            return
        target = path.resolve() if path.is_symlink() else path
        with _beside(target, raw) as temporary:
            os.replace(temporary, target)
    except OSError as error:
        raise UserError(cannot_write(path, error, option)) from None


def write_new(path: Path, data: bytes | str) -> Path:
    """Write `data` to `path`, or to the first free name as in `free`; returns which it is.

    Two processes at once never get the same name. Raises UserError as `write_atomically` does.
    """
    return _write_first(_numbered(path), data.encode() if isinstance(data, str) else data)


def _write_first(names: Iterator[Path], raw: bytes) -> Path:
    """Write a file under the first of endless names, all in one folder, that is free."""
    path = next(names)
    try:
        with _beside(path, raw) as temporary:
            for found in itertools.chain([path], names):
                with contextlib.suppress(FileExistsError):
                    _link(temporary, found)
                    return found
    except OSError as error:
        raise UserError(cannot_write(path, error)) from None
    raise AssertionError("there is always another name")


@contextlib.contextmanager
def _beside(path: Path, raw: bytes) -> Iterator[str]:
    """A temporary file with these bytes, beside `path`; what is not moved away is deleted."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_HALF)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced; of a new one, what the user's umask leaves."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o666 & ~_umask  # mkstemp's 0600 would hide results from others


def _link(temporary: str, path: Path) -> None:
    """Give a file a name that must be free. Raises FileExistsError where it is not."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        os.replace(temporary, path)


def _is_special(path: Path) -> bool:
    """Whether a path names something that is no file: a pipe, a device, this process' output."""
    if path.is_symlink() and str(path.absolute()).startswith(("/dev/", "/proc/")):
        return True  # /dev/stdout: a file that is replaced there would be lost to the shell
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def refuse_foreign(path: Path, mark: str, option: str = "--out") -> None:
    """Raise UserError where there is a file that we would overwrite and did not make.

    `mark` is text that stands near the beginning of every file that the same command makes. An
    empty file may be replaced, and so may what is no regular file.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise UserError(cannot_write(path, error, option)) from None
    if head and mark.encode() not in head:
        raise UserError(
            f"{path} is there already, and this command did not make it; choose another {option}"
        )


def sync_folder(folder: Path) -> None:
    """Make the names of a folder's files last through a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def keep(path: Path) -> Path:
    """Copy a file to the first free name beside it, and return that. Raises UserError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    names = (path.with_name(f"{path.stem}.old-{n}{path.suffix}") for n in itertools.count(1))
    return _write_first(names, data)


def free(path: Path) -> Path:
    """`path` if nothing exists there, else the same name with the first free number: `run-2`.

    The number comes before a file's ending: `newts-2.png`. Another process may take the name
    before it is used: `write_new` and `make_new_folder` take one.
    """
    return next(found for found in _numbered(path) if not os.path.lexists(found))


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def make_folder(path: Path) -> None:
    """Make a folder that can be written to. Raises UserError if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UserError(cannot_write(path, error)) from None


def make_new_folder(path: Path) -> Path:
    """Make a folder at `path`, or at the first free name as in `free`; returns which it is.

    Two processes at once never get the same one. Raises UserError if that fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for found in _numbered(path):
            with contextlib.suppress(FileExistsError):
                found.mkdir()
                return found
    except OSError as error:
        raise UserError(cannot_write(path, error)) from None
    raise AssertionError("there is always another number")


@contextlib.contextmanager
def lock_of(folder: Path) -> Iterator[Callable[..., bool] | None]:
    """Yield a function that locks a folder against other processes; None where no folder can be.

    It returns whether it has the lock, and waits for it where it is given `wait=True`. It raises
    OSError where the file system has no locks. The system frees the lock when the process ends.
    """
    if os.name != "posix":
        yield None
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)

    def take(wait: bool = False) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    try:
        yield take
    finally:
        os.close(handle)


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder. Raises UserError if another run has it.

    Where a folder cannot be locked, two runs are not noticed.
    """
    with lock_of(folder) as take:
        if take is not None and not take():
            raise UserError(f"another run is writing into {folder}; choose another --out")
        yield


@contextlib.contextmanager
def in_turn(folder: Path, patience: float = 10.0) -> Iterator[None]:
    """Let one process after the other read and change a folder's files.

    One that has waited `patience` seconds, or that cannot lock, goes on all the same.
    """
    with lock_of(folder) as take:
        until = time.monotonic() + patience
        with contextlib.suppress(OSError):  # some network folders have no locks
            while take is not None and time.monotonic() < until and not take():
                time.sleep(0.01)
        yield


def sweep(folder: Path, names: Collection[str]) -> None:
    """Delete what a killed process left in a folder of ours: its half-written files of these names.

    Names may be regular expressions. Only files that `write_atomically` names so are deleted, and
    none in folders below.
    """
    ours = re.compile(rf"\.({'|'.join(names)})\.[a-z0-9_]{{8}}{re.escape(_HALF)}")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def cannot_write(path: Path, error: OSError, option: str = "--out") -> str:
    """The error message for a failed write, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: {DISK_FULL}; make room, or choose another {option}"
    return f"cannot write {path}: {error.strerror}; choose another {option}"
