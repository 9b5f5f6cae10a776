"""An error that an answer's code raised, in one line: what, where, and what that line was given."""

import ast
import contextlib
import itertools
import linecache
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from knock import paths
from knock.scripts import notebook
from knock.scripts.said import ENTRY, TRACED, cut, kind_of, said, whole

import msgspec

_MADE = "__autograph_generated_file"
"""What the names of the files have in common into which TensorFlow writes these other ones."""

_WIDEST = 80
"""Characters of a line that are shown."""

_MOST = 6
"""How many tensors of a line are shown."""

_MOST_IN_A_LIST = 4
"""A longer list is one of weights, say, and its tensors are not shown."""

_MOST_AXES = 8
"""What has more of them is no tensor."""

_tracebacks: list[list[str]] = []
"""Where whole tracebacks are kept, by those who have asked for them."""

_MOST_KEYS = 40
"""A larger dictionary is no batch, and its keys are not shown."""


@contextlib.contextmanager
def whole_tracebacks() -> Iterator[list[str]]:
    """Yield a list that gets the whole traceback of each error that is told meanwhile."""
    kept: list[str] = []
    _tracebacks.append(kept)
    try:
        yield kept
    finally:
        _tracebacks.remove(kept)


def told(error: BaseException, path: Path) -> str:
    """As `describe`, after words that say whose code raised it.

    It is the learner's wherever the error went through their file, and ours where it went through
    an answer of ours alone, of which parts were put together with theirs. Else it was in no
    answer's code: then the check could not use what the file defines.
    """
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    with contextlib.suppress(BaseException):  # raised by a method of the error's own class
        files += [file for file, *_ in _entries(whole(error))]
    if str(path) in files:
        how = "in your code," if isinstance(error, SystemExit) else "your code raises"
    elif any(Path(file).parent == paths.ANSWERS for file in files):
        how = "our code, which uses yours here, raises"
    else:
        how = "the check cannot use it:"
    return f"{how} {describe(error, path)}"


class _Place(NamedTuple):
    """A line of an answer's file, the last one of what failed in it, and the variables there."""

    line: int
    last: int
    frame: FrameType | None


def describe(error: BaseException, path: Path) -> str:
    """An error that the code of the file at `path` raised, in one line.

    With the last line of that file that it went through, the shapes of the tensors in this line
    and, where a key is missing, the keys that are there. Whatever the error does when it is asked,
    it has a description.
    """
    message = ""
    try:
        for kept in _tracebacks:
            kept.append("".join(traceback.format_exception(error)))
        message = whole(error)
        text = said(error, message)
    except BaseException as another:  # raised by a method of the error's own class
        asked = f"which raises {kind_of(another)} when it is asked for its text"
        text = cut(f"{kind_of(error)}, {asked}")
    try:
        return _with_place(error, text, message, path)
    except Exception:  # as above
        return text


def _with_place(error: BaseException, text: str, message: str, path: Path) -> str:
    if isinstance(error, SyntaxError):
        if not error.lineno:
            return text
        # Not by the file's name: a text that is only parsed need not be in a file.
        known = notebook.is_notebook(path)
        where = notebook.place(path, error.lineno) if known else f"line {error.lineno}"
        shown = _shortened(error.text or "")
        return f"{text} ({where}{shown and f': {shown}'})"
    found = _place(error, message, path)
    if found is None:
        return text
    linecache.checkcache(str(path))  # it may have been saved since it was last shown
    where = notebook.place(path, found.line)
    shown = _shortened(linecache.getline(str(path), found.line))
    given = [*_keys(error, text, path, found), *_shapes(path, found)]
    return f"{text} ({where}{shown and f': {shown}'}{''.join(f'; {one}' for one in given)})"


def _shortened(line: str) -> str:
    line = " ".join(line.partition("  #")[0].split())  # without a comment at its end
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def _place(error: BaseException, message: str, path: Path) -> _Place | None:
    """Where in a file an error was raised; None where it did not go through that file."""
    steps = list(traceback.walk_tb(error.__traceback__))
    entries = _entries(message)
    at = next((n for n in reversed(range(len(entries))) if entries[n][0] == str(path)), None)
    if at is not None:
        line = int(entries[at][1])
        frames = [f for f, n in steps if (f.f_code.co_filename, n) == (str(path), line)]
        return _Place(line, line, frames[-1] if frames else _traced(steps, entries, at))
    mine = [step for step in steps if step[0].f_code.co_filename == str(path)]
    if not mine:
        return None
    frame, line = mine[-1]
    return _Place(line, _end(error, frame, line), frame)


def _entries(message: str) -> list[tuple[str, str, str]]:
    """The places that TensorFlow names in an error of a graph: file, line, and its stars."""
    return ENTRY.findall(message) if message.startswith(TRACED) else []


def _end(error: BaseException, frame: FrameType, line: int) -> int:
    """The last line of the expression that failed: a call may take several."""
    step = error.__traceback__
    while step is not None and (step.tb_frame is not frame or step.tb_lineno != line):
        step = step.tb_next
    if step is None or step.tb_lasti < 0:
        return line
    positions = itertools.islice(frame.f_code.co_positions(), step.tb_lasti // 2, None)
    first, last, *_ = next(positions, (line, line))
    return last if first == line and last else line


def _traced(
    steps: list[tuple[FrameType, int]], entries: list[tuple[str, str, str]], at: int
) -> FrameType | None:
    """The frame of an entry in what TensorFlow tells; None where that cannot be said.

    Each of the functions that it has made is in a file of its own, and they were called in the
    order of the entries.
    """
    made = [frame for frame, _ in steps if _MADE in frame.f_code.co_filename]
    calls = [list(group) for _, group in itertools.groupby(made, lambda f: f.f_code.co_filename)]
    starred = [number for number, entry in enumerate(entries) if entry[2] == "*"]
    if at not in starred or len(calls) != len(starred):
        return None
    return calls[starred.index(at)][-1]


def _keys(error: BaseException, text: str, path: Path, place: _Place) -> Iterator[str]:
    """Where a key is missing: the keys of the dictionaries in that line that do not have it."""
    if not isinstance(error, KeyError):
        return
    for name, value in _values(path, place):
        if not isinstance(value, Mapping) or len(value) > _MOST_KEYS:
            continue
        keys = [key for key in value if isinstance(key, str)]
        if not any(text.endswith(f": {key!r}") for key in keys):
            yield f"{name} has {', '.join(sorted(keys)) or 'no keys'}"


def _shapes(path: Path, place: _Place) -> Iterator[str]:
    """The tensors of a line, with shape and type, in one text; if there are none, its sizes."""
    values = _values(path, place)
    for seen_as in (_tensor, _sizes):
        shown = [f"{name} = {seen}" for name, value in values if (seen := seen_as(value))]
        if shown:
            yield ", ".join(shown[:_MOST])
            return


def _sizes(value: object) -> str:
    """A few whole numbers, such as a shape, as they are; empty for anything else."""
    if not isinstance(value, tuple | list) or type(value) not in (tuple, list):
        return ""
    whole = 0 < len(value) <= _MOST and all(type(one) is int for one in value)
    return repr(value) if whole else ""


def _tensor(value: object) -> str:
    """A tensor's shape and type, in any framework, or those in a list; empty for anything else."""
    if isinstance(value, type):
        return ""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        seen = [_tensor(one) for one in value] if 0 < len(value) <= _MOST_IN_A_LIST else [""]
        return f"[{', '.join(seen)}]" if all(seen) else ""
    try:
        # Not all of it: an object may answer any question, and have a shape without an end.
        shape = tuple(itertools.islice(value.shape, _MOST_AXES + 1))  # type: ignore[attr-defined]
        dtype = value.dtype  # type: ignore[attr-defined]
        sizes = ["?" if size is None else str(int(size)) for size in shape]
    except Exception:  # no tensor, or one whose shape is not known
        return ""
    if len(shape) > _MOST_AXES:
        return ""
    kind = getattr(dtype, "name", None) or str(dtype).removeprefix("torch.")
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''}) {kind}"


def _values(path: Path, place: _Place) -> list[tuple[str, Any]]:
    """The variables, attributes and entries that a line uses, each as it is written, and its value.

    Nothing is run for them: no property, no function.
    """
    if place.frame is None:
        return []
    text = "".join(linecache.getlines(str(path)))
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    wanted = [
        node
        for node in nodes
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
        and place.line <= node.lineno <= place.last
    ]
    found: dict[str, Any] = {}
    for node in sorted(wanted, key=lambda one: (one.lineno, one.col_offset, one.end_col_offset)):
        value = _value(node, place.frame)
        if value is not None:
            found[ast.get_source_segment(text, node) or ""] = value
    return list(found.items())


def _value(node: ast.expr, frame: FrameType) -> Any:
    """What an expression is worth, if that can be looked up; else None."""
    match node:
        case ast.Name(id=name):
            return frame.f_locals.get(name, frame.f_globals.get(name))
        case ast.Attribute(value=of, attr=name):
            owner = _value(of, frame)
            if isinstance(owner, msgspec.Struct):  # the recipe, or a table of it
                return getattr(owner, name) if name in owner.__struct_fields__ else None
            try:
                return vars(owner).get(name)
            except Exception:  # it has no attributes of its own
                return None
        case ast.Subscript(value=of, slice=ast.Constant(value=key)):
            owner = _value(of, frame)
            return owner.get(key) if type(owner) is dict else None
    return None
