"""The judge's long run, kept on disk, so that it is computed once and not at every check.

A hundred steps in float64 NumPy are nearly all of the judge's time. What the answers are compared
with after the second step is small: the losses, and the networks' arrays after 10 and 100 steps.
This is kept. All else is computed anew each time, and its first losses must be the kept ones bit
for bit: so numbers of another machine that shares the folder, which rounds otherwise, are not used.

A grader never reads this folder, since a submission may be able to write to it.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import sys
from pathlib import Path

from knock import paths
from knock import recipe as recipes
from knock.check import trace
from knock.check.trace import Trace
from knock.errors import UserError
from knock.files import write_atomically
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import State
from knock.recipe import Recipe

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

LARGEST = 64 << 20
"""Bytes that all kept runs may take together; the ones used longest ago are deleted first."""

_BEGINNING = (1, 2)
_ENDING = ".safetensors"


class LongRun(msgspec.Struct, frozen=True):
    """The losses of all steps, and the arrays of the networks after some of the steps."""

    losses: list[dict[str, float]]
    states: dict[int, State]


def folder() -> Path:
    """Where the runs are kept."""
    return paths.cache() / "judge"


def files() -> list[Path]:
    """All kept runs, the one used longest ago first; half-written ones are among them."""
    found = []
    for path in folder().glob(f"*{_ENDING}*"):  # glob finds names with a dot in front, too
        with contextlib.suppress(OSError):  # another process has deleted it
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def size() -> int:
    """The bytes that they take."""
    total = 0
    for path in files():
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def expected(path: Path, recipe: Recipe) -> Trace:
    """The numbers of the NumPy answer at `path`, as `trace.take` returns them, without `resumed`.

    The states after more than two steps have the networks' arrays only. Errors are in `errors`.
    """
    if max(trace.LOOKED_AT) <= max(_BEGINNING):
        return trace.take(path, plain, recipe)
    begun = trace.take(path, plain, recipe, looked_at=_BEGINNING)
    if begun.errors or not recipe.optimizers:
        return begun
    file = folder() / f"{_key(path, recipe)}{_ENDING}"
    long = _read(file)
    if long is None or long.losses[: len(begun.losses)] != begun.losses:
        whole = trace.take(path, plain, recipe)
        if whole.errors:
            return whole
        long = _of(whole, recipe)
        _write(file, long)
    begun.losses = long.losses
    begun.states |= long.states
    return begun


def _of(whole: Trace, recipe: Recipe) -> LongRun:
    states = {
        step: {key: array for key, array in state.items() if key.split(".")[0] in recipe.networks}
        for step, state in whole.states.items()
        if step > max(_BEGINNING)
    }
    return LongRun(whole.losses, states)


def _key(path: Path, recipe: Recipe) -> str:
    """A digest of everything that the numbers depend on: the recipe has the seed and all sizes."""
    versions = [np.__version__, platform.machine(), *map(str, sys.version_info[:2])]
    versions.append(str(trace.LOOKED_AT))
    parts = [
        recipes.to_json(recipe).encode(),
        path.read_bytes(),
        _code(),
        *map(str.encode, versions),
    ]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@functools.cache
def _code() -> bytes:
    """A digest of this package's code as this process runs it."""
    found = hashlib.sha256()
    for path in sorted(paths.PACKAGE.rglob("*.py")):
        text = path.read_bytes()
        found.update(f"{path.relative_to(paths.PACKAGE).as_posix()} {len(text)}\n".encode())
        found.update(text)
    return found.digest()


def _read(file: Path) -> LongRun | None:
    """What is kept in a file; None where there is nothing, or it is damaged."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a folder that can only be read
        os.utime(file)  # so that it counts as used
    digest, data = raw[:32], raw[32:]
    if hashlib.sha256(data).digest() != digest:
        return None
    try:
        arrays = load(data)
        losses = json.loads(arrays.pop("losses").tobytes())
    except (SafetensorError, KeyError, ValueError):
        return None
    states: dict[int, State] = {}
    for name, array in arrays.items():
        step, _, key = name.partition("/")
        states.setdefault(int(step), {})[key] = array
    return LongRun(losses, dict(sorted(states.items())))  # the file keeps no order


def _write(file: Path, long: LongRun) -> None:
    """Keep a run; where that is impossible, the next check computes it again."""
    arrays = {
        f"{step}/{key}": array
        for step, state in long.states.items()
        for key, array in state.items()
    }
    text = json.dumps(long.losses).encode()  # writes a float64 so that it is read back bit for bit
    data = save({**arrays, "losses": np.frombuffer(text, np.uint8)})
    with contextlib.suppress(OSError, UserError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, hashlib.sha256(data).digest() + data)
        _make_room(file)


def _make_room(new: Path) -> None:
    """Delete the runs used longest ago, until the rest is small enough; never the new one."""
    total = size()
    for old in files():
        if total <= LARGEST:
            return
        if old != new:
            total -= old.stat().st_size
            old.unlink(missing_ok=True)
