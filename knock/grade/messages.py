"""The messages between a grader and the process that runs submissions: framed, typed, no pickle.

What comes from a submission's process is not trusted: `unpack` accepts only the numbers of a check,
with the right names and sizes.
"""

import signal
import struct
from collections.abc import Mapping
from typing import IO, Any

from knock.check import trace
from knock.check.trace import Resumed, Trace
from knock.grade import plain_text, sandbox
from knock.recipe import Recipe

import msgspec
import numpy as np
from numpy.typing import NDArray

READY = b"ready"
"""Sent by a process once it has imported its framework."""

LOADED = b"loaded"
"""Sent once a submission's file is loaded, between the names of its walls and its numbers."""

LARGEST = 64 << 20
"""Bytes of a frame: many times the size of a check's numbers."""

_NUMBERS = {"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"}
"""The types that arrays may have. NumPy would accept far more than a type's name here."""

_STAGES = ("parameters", "forward", "loss", "10 steps", "100 steps", "checkpoint")
"""The stages in which a submission's code may raise, in order."""


class Job(msgspec.Struct, frozen=True):
    """One file to run: on a recipe, with some functions of ours instead of theirs.

    `names` are those functions, None for the file as it is; `ours` is the source that has them.
    `seconds` of computing and `memory` in bytes are its limits; `hidden` are folders that it must
    not read.
    """

    recipe: str
    file: str
    mine: str
    ours: str
    names: list[str] | None
    seconds: int
    memory: int
    hidden: list[str]


class Outcome(msgspec.Struct, frozen=True):
    """How it went: `ended` is empty if the process finished by itself.

    Otherwise it says in words what ended it. `said` is what came out of the process, to be
    unpacked; `loaded`, whether the file was loaded by then. `seconds` of computing and `memory` in
    bytes are what it used; `walls` are those that limited it.
    """

    said: bytes = b""
    ended: str = ""
    loaded: bool = False
    seconds: float = 0.0
    memory: int = 0
    walls: list[str] = []


class _Array(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data: bytes


_Arrays = dict[str, _Array]


class _Resumed(msgspec.Struct, frozen=True):
    outputs: _Arrays
    state: _Arrays
    losses: list[dict[str, float]]


class _Said(msgspec.Struct, frozen=True):
    """A trace, or why there is none; and which functions of the checker were replaced."""

    refused: str = ""
    replaced: list[str] = []
    outputs: _Arrays = {}
    blocked: _Arrays = {}
    losses: list[dict[str, float]] = []
    states: dict[int, _Arrays] = {}
    errors: dict[str, str] = {}
    again: dict[str, float] = {}
    resumed: _Resumed | None = None


class NotNumbersOfACheckError(ValueError):
    """What a submission's process sent is not what a check sends."""


def write(stream: IO[bytes], message: bytes) -> None:
    """Send one frame."""
    stream.write(struct.pack(">Q", len(message)) + message)
    stream.flush()


def read(stream: IO[bytes]) -> bytes | None:
    """The next frame; None if there are no more. Raises ValueError for one that is too long."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (size,) = struct.unpack(">Q", head)
    if size > 2 * LARGEST:
        raise ValueError(f"a frame of {size} bytes")
    message = stream.read(size)
    return message if len(message) == size else None


def frames(said: bytes) -> list[bytes]:
    """The complete frames in what was sent."""
    found, place = [], 0
    while place + 8 <= len(said):
        size = int.from_bytes(said[place : place + 8], "big")
        if place + 8 + size > len(said):
            break
        found.append(said[place + 8 : place + 8 + size])
        place += 8 + size
    return found


def outcome(frames: list[bytes], ended: str, seconds: float, memory: int) -> Outcome:
    """What a submission's process has sent, and what is known about it from outside."""
    walls = frames[0].decode(errors="replace").split() if frames else []
    whole = len(frames) > 1 and frames[-1] != LOADED
    return Outcome(
        frames[-1] if whole else b"",
        "" if whole else ended,
        LOADED in frames,
        seconds,
        memory,
        [wall for wall in sandbox.ALL if wall in walls],
    )


LATE = "it was stopped: it took too long"


def left(code: int) -> str:
    """Why a process ended before it had sent everything, by its exit code: < 0 is a signal."""
    if code < 0:
        return f"it crashed the interpreter ({signal.strsignal(-code)})"
    return f"it ended the process (exit code {code}) before it had sent all its numbers"


def refused(why: str) -> bytes:
    """The message for a file that does not even load."""
    return msgspec.msgpack.encode(_Said(refused=why))


def pack(found: Trace, replaced: list[str]) -> bytes:
    """A trace, and the names of the checker's functions that the submission replaced."""
    resumed = None
    if found.resumed is not None:
        outputs, state = _packed(found.resumed.outputs), _packed(found.resumed.state)
        resumed = _Resumed(outputs, state, found.resumed.losses)
    return msgspec.msgpack.encode(
        _Said(
            replaced=replaced,
            outputs=_packed(found.outputs),
            blocked=_packed(found.blocked),
            losses=found.losses,
            states={step: _packed(state) for step, state in found.states.items()},
            errors=found.errors,
            again=found.again,
            resumed=resumed,
        )
    )


def unpack(message: bytes, expected: Trace, recipe: Recipe) -> tuple[str, list[str], Trace]:
    """Why a file was refused, what it replaced, and the trace. `expected` is the judge's.

    Raises NotNumbersOfACheckError for what no honest process sends: other names, sizes or counts.
    """
    try:
        said = msgspec.msgpack.decode(message, type=_Said)
        found = Trace(
            outputs=_arrays(said.outputs),
            blocked=_arrays(said.blocked),
            losses=said.losses,
            states={step: _arrays(state) for step, state in said.states.items()},
            errors={stage: plain_text.message(text) for stage, text in said.errors.items()},
            again=said.again,
        )
        if said.resumed is not None:
            outputs, state = _arrays(said.resumed.outputs), _arrays(said.resumed.state)
            found.resumed = Resumed(outputs, state, said.resumed.losses)
    except (ValueError, TypeError) as error:  # msgspec's own are ValueErrors
        raise NotNumbersOfACheckError(str(error)) from None
    if not said.refused and not said.replaced:
        _require_whole(found, expected, recipe)
    return (
        plain_text.message(said.refused),
        [plain_text.message(name) for name in said.replaced],
        found,
    )


def _packed(arrays: Mapping[str, NDArray[Any]]) -> _Arrays:
    found = {}
    for name, array in arrays.items():
        plain = np.asarray(array)
        found[name] = _Array(plain.dtype.str, list(plain.shape), plain.tobytes())
    return found


def _arrays(packed: _Arrays) -> dict[str, NDArray[Any]]:
    found = {}
    for name, one in packed.items():
        if one.dtype not in _NUMBERS:
            raise ValueError(f"{name} holds {one.dtype[:20]!r}, not numbers")
        found[name] = np.frombuffer(one.data, one.dtype).reshape(one.shape)
    return found


def _require_whole(found: Trace, expected: Trace, recipe: Recipe) -> None:
    """Require of a trace all that `trace.run` puts into it, up to where it raised."""

    def require(holds: bool, what: str) -> None:
        if not holds:
            raise NotNumbersOfACheckError(what)

    steps, broken = len(found.losses), set(found.errors)
    require(broken <= set(_STAGES) and len(broken) <= 1, "errors")
    require(steps <= len(expected.losses), "too many losses")
    looked_at = {0, *trace.LOOKED_AT} if recipe.optimizers else {0}
    seen = set() if "parameters" in broken else {step for step in looked_at if step <= steps}
    require(set(found.states) == seen, "states")
    came_far = steps > 0 or not broken & {"parameters", "forward"}
    require(set(found.outputs) == (set(expected.outputs) if came_far else set()), "outputs")
    require(set(found.blocked) == (set(expected.blocked) if came_far else set()), "layers")
    for state in (*found.states.values(), *([found.resumed.state] if found.resumed else [])):
        right = expected.states[max(looked_at)]
        require(
            {key: (array.shape, array.dtype.kind) for key, array in state.items()}
            == {key: (array.shape, array.dtype.kind) for key, array in right.items()},
            "arrays of a state",
        )
    if not broken:
        require(steps == len(expected.losses) and found.resumed is not None, "no end")
        require(not found.losses or set(found.again) == set(found.losses[0]), "again")
    if found.resumed is not None and expected.resumed is not None:
        require(set(found.resumed.outputs) == set(expected.outputs), "resumed outputs")
        require(len(found.resumed.losses) == len(expected.resumed.losses), "resumed losses")
