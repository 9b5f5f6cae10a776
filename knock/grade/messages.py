"""The messages between a grader and the process that runs submissions: framed, typed, no pickle.

What comes from a submission's process is not trusted: `unpack` accepts only the numbers of a check,
with the right names and sizes. They come as a short list that declares arrays, with names, types
and shapes, and after it the bytes of these arrays: so they take as much memory as their message is
long, and how long it may be follows from the judge's own numbers.
"""

import math
import signal
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_SPARE = 1 << 20
"""Bytes that a message may have besides twice those of the right one: for long names and texts, and
for outputs of a wrong and larger shape."""

_SPARE_DECLARED = 1 << 16
"""The same for its list of arrays."""

_SPARE_LOSSES = 16
"""How many losses there may be besides the right ones."""

_SHOWN = 9
"""How many replaced functions are named."""

_LONGEST = 2000
"""Characters of a text."""

_NUMBERS = {"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"}
"""The types that arrays may have. NumPy would accept far more than a type's name here."""

_STAGES = ("parameters", "forward", "loss", "10 steps", "100 steps", "checkpoint")
"""The stages in which a submission's code may raise, in order."""

_STEPS_IN = {"parameters": (0, 0), "forward": (0, 0), "loss": (0, 1), "10 steps": (1, 10)}
"""The fewest and the most steps that have been taken when code raises in a stage."""


class Job(msgspec.Struct, frozen=True):
    """One file to run: on a recipe, with some functions of ours instead of theirs.

    `names` are those functions, None for the file as it is; `ours` is the source that has them. Or,
    with `alone`, it is `ours` that runs, with the functions of these names of theirs. The run ends
    after the last step in `looked_at`, if there are any.
    `seconds` of computing and `memory` in bytes are its limits; `hidden` are folders that it must
    not read. What it sends may have at most `largest` bytes.
    """

    recipe: str
    file: str
    mine: str
    ours: str
    names: list[str] | None
    seconds: int
    memory: int
    hidden: list[str]
    largest: int
    alone: list[str] | None = None
    looked_at: list[int] = []


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


class _Array(msgspec.Struct, frozen=True, array_like=True):
    """An array whose bytes are sent: what it is of, after which step, its name, type and shape."""

    kind: str
    step: int
    name: str
    dtype: str
    shape: list[int]


class _Declared(msgspec.Struct, frozen=True, array_like=True):
    """What a message begins with: why there are no numbers, or which arrays follow, in order.

    `replaced` are the functions of the checker that the submission replaced; `stage` is where it
    raised `error`, if it did. `also` has the same two of each trace with other constants.
    """

    refused: str = ""
    replaced: list[str] = []
    stage: str = ""
    error: str = ""
    arrays: list[_Array] = []
    also: list[tuple[str, str]] = []


_Numbers = dict[str, NDArray[Any]]

_STATE = "state"
"""The kind of a state's arrays, which has a step; the other kinds are the fields of a trace."""

_THERE = "/there"
"""After the kind of a loss: at which steps it was there, where that is not at all of them."""


class NotNumbersOfACheckError(ValueError):
    """What a submission's process sent is not what a check sends."""


FRAMED = 8
"""Bytes of a frame besides its message."""


def write(stream: IO[bytes], message: bytes) -> None:
    """Send one frame."""
    stream.write(struct.pack(">Q", len(message)) + message)
    stream.flush()


def read(stream: IO[bytes], largest: int) -> bytes | None:
    """The next frame; None if there are no more.

    Raises ValueError, before any of it is read, for one of more than `largest` bytes.
    """
    head = stream.read(FRAMED)
    if len(head) < FRAMED:
        return None
    (size,) = struct.unpack(">Q", head)
    if size > largest:
        raise ValueError(f"a frame of {size} bytes")
    message = stream.read(size)
    return message if len(message) == size else None


def frames(said: bytes) -> list[bytes]:
    """The complete frames in what was sent."""
    found, place = [], 0
    while (begin := place + FRAMED) <= len(said):
        size = int.from_bytes(said[place:begin], "big")
        if begin + size > len(said):
            break
        found.append(said[begin : begin + size])
        place = begin + size
    return found


def are_whole(frames: list[bytes]) -> bool:
    """Whether the last of some frames has a submission's numbers."""
    return len(frames) > 1 and frames[-1] != LOADED


def outcome(frames: list[bytes], ended: str, seconds: float, memory: int) -> Outcome:
    """What a submission's process has sent, and what is known about it from outside."""
    walls = frames[0].decode(errors="replace").split() if frames else []
    whole = are_whole(frames)
    return Outcome(
        frames[-1] if whole else b"",
        "" if whole else ended,
        LOADED in frames,
        seconds,
        memory,
        [wall for wall in sandbox.ALL if wall in walls],
    )


LATE = "it was stopped: it took too long"
CLOSED = "it closed what its numbers are sent through"
TOO_MUCH = "it was stopped: it sent more than a check can send"


def left(code: int) -> str:
    """Why a process ended before it had sent everything, by its exit code: < 0 is a signal."""
    if code < 0:
        return f"it crashed the interpreter ({signal.strsignal(-code)})"
    return f"it ended the process (exit code {code}) before it had sent all its numbers"


def refused(why: str) -> bytes:
    """The message for a file that does not even load."""
    return _message(_Declared(refused=_cut(why)), [])


def pack(found: Trace, replaced: list[str]) -> bytes:
    """A trace, and the names of the checker's functions that the submission replaced."""
    arrays: list[_Array] = []
    data: list[bytes] = []
    for kind, step, name, array in _listed(found):
        plain = np.asarray(array)
        arrays.append(_Array(kind, step, name, plain.dtype.str, list(plain.shape)))
        data.append(plain.tobytes())
    names = [_cut(name) for name in replaced[:_SHOWN]]
    also = [_raised(one) for one in found.also]
    return _message(_Declared("", names, *_raised(found), arrays, also), data)


def _raised(found: Trace) -> tuple[str, str]:
    """The stage in which an error was raised, and its text; empty where none was."""
    stage, error = next(iter(found.errors.items()), ("", ""))
    return stage, _cut(error)


def _cut(text: str) -> str:
    """A text that can be encoded, and is not longer than anybody reads."""
    return text[:_LONGEST].encode(errors="backslashreplace").decode()


def _message(declared: _Declared, data: Sequence[bytes]) -> bytes:
    head = msgspec.msgpack.encode(declared)
    return b"".join([struct.pack(">I", len(head)), head, *data])


def _listed(found: Trace) -> Iterator[tuple[str, int, str, NDArray[Any]]]:
    """Every array of a trace, with its kind, step and name."""
    for kind, arrays in (("outputs", found.outputs), ("blocked", found.blocked)):
        for name, array in arrays.items():
            yield kind, 0, name, array
    for step, state in found.states.items():
        for name, array in state.items():
            yield _STATE, step, name, array
    yield from _of_losses("losses", found.losses)
    yield from _of_losses("again", [found.again] if found.again else [])
    if found.resumed is not None:
        for name, array in found.resumed.outputs.items():
            yield "resumed", 0, name, array
        for name, array in found.resumed.state.items():
            yield "resumed " + _STATE, 0, name, array
        yield from _of_losses("resumed losses", found.resumed.losses)
    for number, one in enumerate(found.also):
        for kind, step, name, array in _listed(one):
            yield _also(number) + kind, step, name, array


def _also(number: int) -> str:
    """What the kinds of a trace with other constants begin with."""
    return f"also {number} "


def _of_losses(
    kind: str, losses: Sequence[Mapping[str, float]]
) -> Iterator[tuple[str, int, str, NDArray[Any]]]:
    """Each loss as one array over the steps, and one that says where it was there."""
    yield kind, 0, "", np.array(len(losses))
    for name in dict.fromkeys(name for one in losses for name in one):
        there = [name in one for one in losses]
        yield kind, 1, f"{name}", np.array([one.get(name, 0.0) for one in losses], np.float64)
        if not all(there):
            yield kind + _THERE, 1, f"{name}", np.array(there)


def largest(expected: Trace) -> int:
    """Bytes that a message may have; `expected` are the judge's numbers, with all that explains."""
    numbers = sum(array.nbytes for _, _, _, array in _listed(expected))
    return 2 * numbers + _most_declared(expected) + _SPARE


def unpack(message: bytes, expected: Trace, recipe: Recipe) -> tuple[str, list[str], Trace]:
    """Why a file was refused, what it replaced, and the trace. `expected` is the judge's.

    Raises NotNumbersOfACheckError for what no honest process sends: other names, sizes or counts.
    """
    try:
        declared, arrays = _read(message, expected)
        found = _trace(declared.stage, declared.error, declared.also, arrays, expected)
    except (ValueError, TypeError, KeyError) as error:  # msgspec's own are ValueErrors
        raise NotNumbersOfACheckError(plain_text.message(str(error))) from None
    if not declared.refused and not declared.replaced:
        _require_whole(found, expected, recipe, expected.states)
    return (
        plain_text.message(declared.refused),
        [plain_text.message(name) for name in declared.replaced],
        found,
    )


def _read(message: bytes, expected: Trace) -> tuple[_Declared, dict[tuple[str, int], _Numbers]]:
    """What a message declares, and the arrays by kind and step. Nothing in it is copied."""
    size = int.from_bytes(message[:4], "big")
    at = 4 + size
    if at > len(message) or size > _most_declared(expected):
        raise ValueError("its list of arrays is too long")
    declared = msgspec.msgpack.decode(message[4:at], type=_Declared)
    found: dict[tuple[str, int], _Numbers] = {}
    for one in declared.arrays:
        if one.dtype not in _NUMBERS:
            raise ValueError(f"{one.name} holds {one.dtype[:20]!r}, not numbers")
        if not all(0 <= side < 1 << 31 for side in one.shape):
            raise ValueError(f"{one.name} has no shape")
        arrays = found.setdefault((one.kind, one.step), {})
        if one.name in arrays:
            raise ValueError(f"{one.name} comes twice")
        count = math.prod(one.shape)
        if count * np.dtype(one.dtype).itemsize > len(message) - at:
            raise ValueError(f"{one.name} is not all there")
        flat = np.frombuffer(message, one.dtype, count, at) if count else np.empty(0, one.dtype)
        arrays[one.name] = flat.reshape(one.shape)
        at += flat.nbytes
    if at != len(message):
        raise ValueError("more bytes than declared")
    return declared, found


def _most_declared(expected: Trace) -> int:
    """Bytes that the list of arrays may have."""
    return 2 * sum(64 + len(name) for _, _, name, _ in _listed(expected)) + _SPARE_DECLARED


def _trace(
    stage: str,
    error: str,
    also: Sequence[tuple[str, str]],
    arrays: dict[tuple[str, int], _Numbers],
    expected: Trace,
) -> Trace:
    """The trace that the arrays are of, which are taken out. Raises ValueError for any other."""
    others = []
    for number, (raised, wanted) in enumerate(zip(also, expected.also, strict=False)):
        begin = _also(number)
        mine = [key for key in arrays if key[0].startswith(begin)]
        own = {(kind.removeprefix(begin), step): arrays.pop((kind, step)) for kind, step in mine}
        others.append(_trace(*raised, [], own, wanted))
    found = Trace(outputs=arrays.pop(("outputs", 0), {}), blocked=arrays.pop(("blocked", 0), {}))
    for kind, step in list(arrays):
        if kind == _STATE:
            found.states[step] = arrays.pop((kind, step))
    found.losses = _losses(arrays, "losses", len(expected.losses), expected)
    found.again = next(iter(_losses(arrays, "again", 1, expected)), {})
    if ("resumed losses", 0) in arrays:
        outputs = arrays.pop(("resumed", 0), {})
        state = arrays.pop(("resumed " + _STATE, 0), {})
        losses = _losses(arrays, "resumed losses", trace.RESUMED_STEPS, expected)
        found.resumed = Resumed(outputs, state, losses)
    if arrays:
        raise ValueError("arrays of another kind")
    if stage:
        found.errors[stage] = plain_text.message(error)
    found.also = others
    return found


def _losses(
    arrays: dict[tuple[str, int], _Numbers], kind: str, most: int, expected: Trace
) -> list[dict[str, float]]:
    """The losses of each step; at most of `most` steps."""
    counted = arrays.pop((kind, 0), {})
    values, there = arrays.pop((kind, 1), {}), arrays.pop((kind + _THERE, 1), {})
    if not counted and not values and not there:
        return []
    if counted.keys() != {""} or counted[""].shape or counted[""].dtype.kind not in "iu":
        raise ValueError(f"no number of {kind}")
    steps = int(counted[""])
    right = {name for one in expected.losses[:1] for name in one}
    if not 0 <= steps <= most or len(values) > len(right) + _SPARE_LOSSES:
        raise ValueError(f"too many {kind}")
    if there.keys() - values.keys() or any(
        one.shape != (steps,) or one.dtype.kind != wanted
        for of, wanted in ((values, "f"), (there, "b"))
        for one in of.values()
    ):
        raise ValueError(f"{kind} that are not one number per step")
    return [
        {
            name: float(array[step])
            for name, array in values.items()
            if name not in there or there[name][step]
        }
        for step in range(steps)
    ]


def _require_whole(
    found: Trace, expected: Trace, recipe: Recipe, looked_at: Collection[int]
) -> None:
    """Require of a trace all that `trace.run` puts into it, up to where it raised."""

    def require(holds: bool, what: str) -> None:
        if not holds:
            raise NotNumbersOfACheckError(what)

    steps, broken = len(found.losses), set(found.errors)
    require(broken <= set(_STAGES) and len(broken) <= 1, "errors")
    require(steps <= len(expected.losses), "too many losses")
    where = next(iter(broken), "")
    first, last = _STEPS_IN.get(where, (0, len(expected.losses)))
    require(first <= steps <= last, "an error in another stage")
    kept = {0, *looked_at} if recipe.optimizers else {0}
    seen = set() if where == "parameters" else {step for step in kept if step <= steps}
    # A network that a step has broken raises where its state is read.
    require(
        set(found.states) == seen or (broken != set() and found.states.keys() == seen - {steps}),
        "states",
    )
    came_far = steps > 0 or not broken & {"parameters", "forward"}
    require(set(found.outputs) == (set(expected.outputs) if came_far else set()), "outputs")
    require(set(found.blocked) == (set(expected.blocked) if came_far else set()), "layers")
    for state in (*found.states.values(), *([found.resumed.state] if found.resumed else [])):
        right = expected.states[max(kept)]
        require(
            {key: (array.shape, array.dtype.kind) for key, array in state.items()}
            == {key: (array.shape, array.dtype.kind) for key, array in right.items()},
            "arrays of a state",
        )
    require(steps == len(expected.losses) or where not in ("", "checkpoint"), "too few losses")
    if not broken:
        ends = not recipe.optimizers or trace.RESUMED_AT in looked_at
        require(ends == (found.resumed is not None), "no end")
        require(not found.losses or set(found.again) == set(found.losses[0]), "again")
    if found.resumed is not None and expected.resumed is not None:
        require(set(found.resumed.outputs) == set(expected.outputs), "resumed outputs")
        require(len(found.resumed.losses) == len(expected.resumed.losses), "resumed losses")
    # An honest process tells the first step's state, and then all traces with other constants.
    whole = len(recipe.also) if 1 in found.states else 0
    require(len(found.also) == whole, "other constants")
    for one, wanted, other in zip(found.also, expected.also, recipe.also, strict=False):
        _require_whole(one, wanted, other, (1,))
