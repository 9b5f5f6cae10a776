"""Writes files so that after a kill or a full disk there is the old file or the new, never half."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from knock.errors import UserError

_HALF = ".part"
"""The ending of a file while it is being written; its name also begins with a dot."""


def write_atomically(path: Path, data: bytes | str, option: str = "--out") -> None:
    """Write `data` to `path`: first into a temporary file beside it, which then replaces it.

    Raises UserError if the folder cannot be written or the disk is full; then the temporary file is
    gone and the old file unchanged. `option` is the command's option for another path.
    """
    raw = data.encode() if isinstance(data, str) else data
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_HALF)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide results from others
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UserError(cannot_write(path, error, option)) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


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
    number = 1
    while (kept := path.with_name(f"{path.stem}.old-{number}{path.suffix}")).exists():
        number += 1
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    write_atomically(kept, data)
    return kept


def free(path: Path) -> Path:
    """`path` if nothing exists there, else the same name with the first free number: `run-2`.

    The number comes before a file's ending: `newts-2.png`.
    """
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def make_folder(path: Path) -> None:
    """Make a folder that can be written to. Raises UserError if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UserError(cannot_write(path, error)) from None


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, and remove the half-written files of a killed one.

    The system frees the lock when the process ends. Raises UserError if another run has it.
    """
    if os.name != "posix":  # elsewhere a folder cannot be locked, and two runs are not noticed
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another run is writing into {folder}; choose another --out") from None
        for half in folder.rglob(f".*{_HALF}"):
            half.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def in_turn(folder: Path, patience: float = 10.0) -> Iterator[None]:
    """Let one process after the other read and change a folder's files.

    One that has waited `patience` seconds, or that cannot lock, goes on all the same.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    handle, until = os.open(folder, os.O_RDONLY), time.monotonic() + patience
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # some network folders have no locks
                break
        yield
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError, option: str = "--out") -> str:
    """The error message for a failed write, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {path}: the disk is full; make room, or choose another {option}"
    return f"cannot write {path}: {error.strerror}; choose another {option}"
