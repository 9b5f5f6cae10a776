"""Numbers that take long to compute, kept in the user's cache under a digest of all they depend on.

So another recipe, another version or another text of ours never meets what an old one left. A file
that is damaged counts as not there, and what cannot be kept is computed again: the cache makes
things faster and decides nothing.
"""

import contextlib
import functools
import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knock import paths
from knock.errors import UserError
from knock.files import write_atomically

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = dict[str, NDArray[Any]]

_ENDING = ".safetensors"
_SEAL = hashlib.sha256().digest_size


@dataclass
class Kept:
    """One kind of numbers, in a folder of the cache.

    `largest` is how many bytes all of its files may take together; the ones used longest ago are
    deleted first. Many processes may read and write at once.
    """

    name: str
    largest: int

    @property
    def folder(self) -> Path:
        """Where they are."""
        return paths.cache() / self.name

    def file(self, key: str) -> Path:
        """Where the numbers of a digest are, or would be."""
        return self.folder / f"{key}{_ENDING}"

    def files(self) -> list[Path]:
        """All files, the one used longest ago first; half-written ones are among them."""
        found = []
        for path in self.folder.glob(f"*{_ENDING}*"):  # glob finds names with a dot in front, too
            with contextlib.suppress(OSError):  # another process has deleted it
                found.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(found)]

    def known(self) -> list[str]:
        """The digests whose numbers are here, the one used longest ago first."""
        return [path.stem for path in self.files() if path.suffix == _ENDING]

    def size(self) -> int:
        """The bytes that they take."""
        total = 0
        for path in self.files():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def read(self, key: str, used: bool = True) -> Arrays | None:
        """The arrays of a digest; None where there are none, or they are damaged.

        Not `used`: whoever only looks leaves a file as old as it is.
        """
        file = self.file(key)
        try:
            raw = file.read_bytes()
        except OSError:
            return None
        if used:
            with contextlib.suppress(OSError):  # a folder that can only be read
                os.utime(file)
        seal, data = raw[:_SEAL], raw[_SEAL:]
        if hashlib.sha256(data).digest() != seal:
            return None
        try:
            return dict(load(data))
        except SafetensorError:
            return None

    def write(self, key: str, arrays: Arrays) -> None:
        """Keep arrays; where that is impossible, they are computed again the next time."""
        data = save(arrays)
        file = self.file(key)
        with contextlib.suppress(OSError, UserError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, hashlib.sha256(data).digest() + data)
            self._make_room(file)

    def _make_room(self, new: Path) -> None:
        """Delete the files used longest ago, until the rest is small enough; never the new one."""
        total = self.size()
        for old in self.files():
            if total <= self.largest:
                return
            if old != new:
                with contextlib.suppress(OSError):
                    total -= old.stat().st_size
                    old.unlink()


def digest(*parts: bytes | str) -> str:
    """A digest of these parts, and of what all numbers depend on: our code, NumPy, the machine."""
    machine = [np.__version__, platform.machine(), *map(str, sys.version_info[:2])]
    found = hashlib.sha256(code())
    for part in (*machine, *parts):
        raw = part.encode() if isinstance(part, str) else part
        found.update(hashlib.sha256(raw).digest())
    return found.hexdigest()


@functools.cache
def code() -> bytes:
    """A digest of this package's code as this process runs it."""
    found = hashlib.sha256()
    for path in paths.modules():
        text = path.read_bytes()
        found.update(f"{path.relative_to(paths.PACKAGE).as_posix()} {len(text)}\n".encode())
        found.update(text)
    return found.digest()
