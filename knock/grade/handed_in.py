"""The files that a class has handed in: in a folder or a zip file, and zip files inside of either.

Nothing is unpacked onto the disk, and nothing is run. A zip file may be made to hurt whoever opens
it, so what is read of one is counted, and a name in it is only ever shown.
"""

import contextlib
import io
import itertools
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from knock.errors import UserError
from knock.grade import plain_text

LARGEST = {".py": 1 << 18, ".ipynb": 16 << 20}
"""Bytes: our answers have about ten thousand, but a notebook may also hold pictures."""

TOO_LARGE = "it is larger than 256 KB, so it was not read"

_ZIP = ".zip"
_DEEPEST = 20
"""How deep the folders inside a student's folder may be nested."""
_DEEPEST_ZIP = 3
"""The same for zip files, where the class's own is the first."""
_MOST = 20_000
"""How many files a student may hand in, others than scripts among them."""
_MOST_READ = 100
"""How many of them are read: more than a term has questions and frameworks."""
_MOST_BYTES = 128 << 20
"""How many bytes of a student's zip files are read in all: nested ones can hold far more."""
_LARGEST_LIST = 8 << 20
"""Bytes of a zip file's list of its files, which has to be in memory as a whole."""

_END, _END_OF_A_LARGE_ONE = b"PK\5\6", b"PK\6\7"
"""The signatures of the record at a zip file's end, and of what stands before it in a zip64."""
_RECORD, _BEFORE_IT, _LONGEST_COMMENT = 22, 20, 1 << 16
"""Bytes of these two, and of the text that may follow the first."""

Wanted = Callable[[PurePosixPath], bool]
"""Whether a script or a notebook is to be read, by its path in what was handed in."""


@dataclass(frozen=True)
class File:
    """A script or a notebook: its path in what was handed in, and its bytes where it is wanted.

    `problem` says why there are none; it is empty if there are some, or none were wanted.
    """

    path: PurePosixPath
    data: bytes = b""
    problem: str = ""


@dataclass
class Handed:
    """What one folder, zip file or single file holds: the files, what else, and what is wrong.

    `name` is that of the folder or the file, without its ending; `alone` says that it is a file.
    `others` has the names of what is neither script nor notebook, `hidden` those of what was passed
    over: systems and editors leave such names behind. `read` counts the files that were wanted.
    """

    name: str
    alone: bool = False
    files: list[File] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    read: int = 0

    def take(self, path: PurePosixPath, wanted: bool, read: Callable[[], bytes]) -> None:
        """One script or notebook, read if it is wanted, and not too many were."""
        if wanted:
            self.read += 1
        if self.read > _MOST_READ:
            if self.read == _MOST_READ + 1:
                self.wrong.append(f"more than {_MOST_READ} files to grade; the rest was not read")
                self.read += 1
        elif not wanted:
            self.files.append(File(path))
        else:
            try:
                self.files.append(File(path, read()))
            except _NotReadError as error:
                self.files.append(File(path, problem=str(error)))
            except OSError as error:
                self.files.append(File(path, problem=f"it cannot be read: {error.strerror}"))


class _NotReadError(Exception):
    """Why a file or a zip file was not read, in words that follow its name."""


def handed_in(place: Path, wanted: Wanted) -> Iterator[Handed]:
    """What a class has handed in, by name.

    Raises UserError if `place` is neither a folder nor a zip file that can be read.
    """
    if place.is_dir():
        yield from _in_folder(place, wanted)
    elif place.exists():
        try:
            archive = zipfile.ZipFile(place)
        except OSError as error:
            raise UserError(f"cannot read {place}: {error.strerror}") from None
        except Exception:  # it may be damaged in any way
            raise UserError(f"{place} is neither a folder nor a zip file") from None
        with archive:
            yield from _by_student(archive, place.stem, wanted)
    else:
        raise UserError(f"no folder {place} of submissions")


def _hidden(name: str) -> bool:
    """Whether a name is that of what systems and editors leave behind: .git, __MACOSX, ._a.py."""
    return name.startswith((".", "__"))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


_WITHIN = re.compile(r"(.+?\.(?:py|ipynb))(?![a-z0-9]).+", re.IGNORECASE | re.DOTALL)


def meant(name: str) -> str:
    """The name that a script or a notebook should have had; "" for the name of anything else.

    Systems that hide endings, browsers and editors make `gan_keras.py.txt`, `gan_keras.py (1)`,
    `gan_keras.ipynb.json` or `gan_keras.py~` of it.
    """
    found = _WITHIN.fullmatch(name)
    return found[1] if found else ""


def _stem(name: str) -> str:
    return PurePosixPath(meant(name) or name).stem


# A folder


def _in_folder(folder: Path, wanted: Wanted) -> Iterator[Handed]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}") from None
    for entry in entries:
        if _hidden(entry.name):
            handed = Handed(entry.name, hidden=[entry.name])
        elif entry.is_symlink() or not entry.is_dir():
            zipped = _suffix(entry.name) == _ZIP and not entry.is_symlink()
            handed = Handed(_stem(entry.name), alone=not zipped)
            _Folder(folder, handed, wanted).take(entry)
        else:
            handed = Handed(entry.name)
            _Folder(folder, handed, wanted).walk(entry)
        handed.files.sort(key=lambda file: file.path.parts)
        yield handed


class _Folder:
    """Fills a `Handed` from the disk; `root` is the folder of all submissions."""

    def __init__(self, root: Path, handed: Handed, wanted: Wanted) -> None:
        self.root, self.handed, self.wanted = root, handed, wanted
        self.zipped = _Zipped(handed, wanted)

    def walk(self, folder: Path) -> None:
        """Everything below a student's folder; first what is nearest."""
        waiting, seen = [folder], 0
        for place in waiting:
            try:
                entries = sorted(place.iterdir())
            except OSError as error:
                self.wrong(place, f"cannot be read: {error.strerror}")
                continue
            for entry in entries:
                seen += 1
                if seen > _MOST:
                    self.handed.wrong.append(_TOO_MANY)
                    return
                if _hidden(entry.name):
                    self.handed.hidden.append(entry.name)
                elif entry.is_symlink() or not entry.is_dir():
                    self.take(entry)
                elif len(entry.relative_to(folder).parts) > _DEEPEST:
                    self.handed.wrong.append("its folders are nested too deep")
                else:
                    waiting.append(entry)

    def take(self, path: Path) -> None:
        """One file. A link could lead to somebody else's, so it is not followed."""
        shown, suffix = PurePosixPath(path.relative_to(self.root).as_posix()), _suffix(path.name)
        if suffix == _ZIP and not path.is_symlink():
            try:
                if not path.is_file():
                    raise _NotReadError(_PIPE)
                with path.open("rb") as file:
                    self.zipped.unpack(file, shown, depth=2)
            except _NotReadError as error:
                self.wrong(path, str(error))
            except OSError as error:
                self.wrong(path, f"cannot be read: {error.strerror}")
        elif suffix not in LARGEST:
            if suffix == _ZIP or path.is_dir():
                self.wrong(path, _LINK)
            else:
                self.handed.others.append(path.name)
        else:
            self.handed.take(shown, self.wanted(shown), lambda: self._read(path))

    def _read(self, path: Path) -> bytes:
        if path.is_symlink() or not path.resolve().is_relative_to(self.root.resolve()):
            raise _NotReadError(_LINK)
        if not path.is_file():
            raise _NotReadError(_PIPE)
        if path.stat().st_size > LARGEST[_suffix(path.name)]:
            raise _NotReadError(TOO_LARGE)
        return path.read_bytes()

    def wrong(self, path: Path, why: str) -> None:
        """Keep why a file or a folder was not read."""
        self.handed.wrong.append(f"{plain_text.plain(path.name)}: {why}")


_PIPE = "it is no file but a pipe or the like; put the file there"
_LINK = "it is a link, so it was not read; put there what it leads to"
_TOO_MANY = f"it holds more than {_MOST} files; the rest was not looked at"


# A zip file


@dataclass
class _List:
    """What a zip file holds: files, folders, and the paths of hidden and of strange ones."""

    files: list[tuple[PurePosixPath, zipfile.ZipInfo]] = field(default_factory=list)
    folders: list[PurePosixPath] = field(default_factory=list)
    hidden: list[PurePosixPath] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> "_List":
        """The list of a zip file; a path that leads out of it is strange."""
        found = cls()
        for info in archive.infolist():
            path = PurePosixPath(_name(info).replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
                found.strange.append(plain_text.name(str(path)))
            elif not path.parts:
                continue
            elif any(map(_hidden, path.parts)):
                found.hidden.append(path)
            elif info.is_dir():
                found.folders.append(path)
            else:
                found.files.append((path, info))
        found.files.sort(key=lambda one: one[0].parts)
        return found

    def within(self) -> "_List":
        """The same without the folder around everything."""

        def inside(paths: list[PurePosixPath]) -> list[PurePosixPath]:
            return [PurePosixPath(*path.parts[1:]) for path in paths if len(path.parts) > 1]

        files = [(PurePosixPath(*path.parts[1:]), info) for path, info in self.files]
        return _List(files, inside(self.folders), inside(self.hidden), self.strange)

    def empty(self) -> Iterator[Handed]:
        """Whatever has a name at the top, but no file below it that is not hidden."""
        full = {path.parts[0] for path, _ in self.files}
        below: dict[str, list[str]] = {path.parts[0]: [] for path in self.folders}
        for path in self.hidden:
            below.setdefault(path.parts[0], []).append(path.name)
        for top in sorted(below.keys() - full):
            yield Handed(top, hidden=[top] if _hidden(top) else below[top])


def _by_student(archive: zipfile.ZipFile, name: str, wanted: Wanted) -> Iterator[Handed]:
    """What the zip file of a class holds. A folder around everything is nobody's."""
    listed = _List.of(archive)
    for shown in listed.strange:
        yield Handed(shown, wrong=[_LEADS_OUT])
    if _wrapped([path for path, _ in listed.files], name):
        listed = listed.within()
    yield from listed.empty()
    for first, group in itertools.groupby(listed.files, lambda one: one[0].parts[0]):
        mine = list(group)
        inside = any(len(path.parts) > 1 for path, _ in mine)
        stem = first if inside else _stem(first)
        handed = Handed(stem, alone=not inside and _suffix(first) != _ZIP)
        handed.hidden += [path.name for path in listed.hidden if path.parts[0] == first]
        zipped = _Zipped(handed, wanted)
        for path, info in mine:
            zipped.take(archive, path, info, depth=1)
        yield handed


def _wrapped(paths: list[PurePosixPath], name: str) -> bool:
    """Whether the one folder of a zip file holds a class, and is not a student's own."""
    tops = {path.parts[0] for path in paths}
    if len(tops) != 1 or any(len(path.parts) == 1 for path in paths):
        return False
    students = {p.parts[1] for p in paths if len(p.parts) > 2 or _suffix(p.name) == _ZIP}
    return len(students) > 1 or name.casefold().startswith(tops.pop().casefold())


_LEADS_OUT = "its path leads out of the zip file"


def _name(info: zipfile.ZipInfo) -> str:
    """A file's name. Some systems write UTF-8 without the flag that says so."""
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            return info.filename.encode("cp437").decode("utf-8")
    return info.filename


class _Zipped:
    """Fills a `Handed` from zip files, and counts what has been read of them."""

    def __init__(self, handed: Handed, wanted: Wanted) -> None:
        self.handed, self.wanted = handed, wanted
        self.left, self.bytes_left = _MOST, _MOST_BYTES

    def unpack(self, file: IO[bytes], below: PurePosixPath, depth: int) -> None:
        """All of a zip file, as if it were the folder `below`. Raises _NotReadError, OSError."""
        _require_small(file)
        try:
            archive = zipfile.ZipFile(file)
        except OSError:
            raise
        except Exception:  # it may be damaged in any way
            raise _NotReadError(_DAMAGED) from None
        with archive:
            listed = _List.of(archive)
            for path, info in listed.files:
                self.take(archive, below / path, info, depth)
                if self.left < 0:
                    break
        self.handed.hidden += [path.name for path in listed.hidden]
        self.handed.wrong += [f"{shown}: {_LEADS_OUT}" for shown in listed.strange]

    def take(
        self, archive: zipfile.ZipFile, path: PurePosixPath, info: zipfile.ZipInfo, depth: int
    ) -> None:
        """One file of a zip file."""
        suffix, link = _suffix(path.name), stat.S_ISLNK(info.external_attr >> 16)
        self.left -= 1
        if self.left == -1:
            self.handed.wrong.append(_TOO_MANY)
        if self.left < 0:
            return
        if suffix == _ZIP and not link:
            try:
                if depth == _DEEPEST_ZIP:
                    raise _NotReadError("its zip files are nested too deep")
                inner = io.BytesIO(self._read(archive, info, _MOST_BYTES))
                self.unpack(inner, path, depth + 1)
            except _NotReadError as error:
                self.handed.wrong.append(f"{plain_text.name(path.name)}: {error}")
        elif suffix not in LARGEST:
            self.handed.others.append(path.name)
        else:

            def read() -> bytes:
                if link:
                    raise _NotReadError(_LINK)
                return self._read(archive, info, LARGEST[suffix])

            self.handed.take(path, self.wanted(path), read)

    def _read(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int) -> bytes:
        """The bytes of a file. What its zip file says of their number is not believed."""
        most = max(0, min(largest, self.bytes_left))
        try:
            with archive.open(info) as file:
                data = file.read(most + 1)
        except Exception as error:  # it may be damaged in any way, or have a password
            what = plain_text.message(f"{error}" or type(error).__name__)
            raise _NotReadError(f"it cannot be read from its zip file: {what}") from None
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise _NotReadError(f"its zip files hold more than {_MOST_BYTES >> 20} MB")
        if len(data) > largest:
            raise _NotReadError(TOO_LARGE)
        return data


_DAMAGED = "it is no zip file, or damaged"


def _require_small(file: IO[bytes]) -> None:
    """Refuse a zip file whose list of files would fill the memory: `zipfile` reads all of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _RECORD - _LONGEST_COMMENT - _BEFORE_IT))
    tail = file.read()
    file.seek(0)
    plain = tail[-_RECORD:]  # `zipfile` looks there first, too
    at = len(tail) - _RECORD if plain[:4] == _END and plain[-2:] == b"\0\0" else tail.rfind(_END)
    if at < 0:
        raise _NotReadError(_DAMAGED)
    if tail[max(0, at - _BEFORE_IT) : at].startswith(_END_OF_A_LARGE_ONE):
        raise _NotReadError("it is a zip64 file, made for more than 4 GB, so it was not read")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > _LARGEST_LIST:
        raise _NotReadError(f"it holds more than {_MOST} files")
