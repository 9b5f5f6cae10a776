"""What has been graded so far, one line of JSON per grade: a stopped grading continues from it."""

import hashlib
import os
from pathlib import Path

from knock.errors import UserError
from knock.files import cannot_write
from knock.grade.grading import Grade, Settings
from knock.grade.submissions import Submission

import msgspec

_BEGINNING = b'{"key":'


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    grade: Grade


class Journal:
    """A file of grades. Each new grade is on the disk before the next one is accepted.

    To be closed: until then it is locked, on systems that can. Raises UserError if the file is
    something else, cannot be written, or is being written by another grading.
    """

    def __init__(self, path: Path, settings: Settings, version: str) -> None:
        self.path = path
        self._settings = msgspec.json.encode(settings) + version.encode()
        self._known: dict[str, Grade] = {}
        try:
            self._file = self.path.open("ab")
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None
        try:
            self._lock()
            self._read()
        except UserError:
            self._file.close()
            raise

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def of(self, submission: Submission) -> Grade | None:
        """A submission's grade; None if it is not known for these settings and this text."""
        return self._known.get(self._key(submission))

    def add(self, submission: Submission, grade: Grade) -> None:
        """Write one more grade. Raises UserError if that fails."""
        line = msgspec.json.encode(_Line(self._key(submission), grade)) + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(cannot_write(self.path, error)) from None

    def _key(self, submission: Submission) -> str:
        return hashlib.sha256(msgspec.json.encode(submission) + self._settings).hexdigest()

    def _lock(self) -> None:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"another grading is writing {self.path}; choose another --out"
                ) from None

    def _read(self) -> None:
        """Read the known grades; an incomplete last line is removed."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error.strerror}") from None
        whole, _, cut = data.rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                known = msgspec.json.decode(line, type=_Line)
            except ValueError:
                raise UserError(
                    f"{self.path}, line {number}, is not a grade; choose another --out"
                ) from None
            self._known[known.key] = known.grade
        if not (_BEGINNING.startswith(cut) or cut.startswith(_BEGINNING)):
            raise UserError(f"{self.path} is no list of grades; choose another --out")
        if cut:
            self._file.truncate(len(data) - len(cut))
