"""An error that an answer's code raised, in one line: what, where, and what that line was given."""

import ast
import itertools
import linecache
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from knock.scripts import notebook

_TRACED = "in user code:"
"""The first line of an error that TensorFlow found while it turned a function into a graph: then
come the places that it went through, and at the end the error."""

_ENTRY = re.compile(r'File "(.+)", line (\d+), in \S+ *(\**)$', re.MULTILINE)
"""Such a place; one star marks a function of which TensorFlow has made another one."""

_MADE = "__autograph_generated_file"
"""What the names of the files have in common into which TensorFlow writes these other ones."""

_BOLD = re.compile(r"\x1b\[[01]m")
"""Keras prints an error's text in bold, after a line that names its kind and the called layer."""

_CALLING = re.compile(r"(\w+): Exception encountered when calling ")
"""That line, where TensorFlow has put the error into another one's text."""

_WIDEST = 80
"""Characters of a line that are shown."""

_LONGEST = 400
"""Characters of an error's text that are shown: a tensor in it may have millions."""

_MOST = 6
"""How many tensors of a line are shown."""


_MOST_KEYS = 40
"""A larger dictionary is no batch, and its keys are not shown."""


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
    try:
        message = _message(error)
        text = _said(error, message)
    except BaseException as another:  # raised by a method of the error's own class
        message, asked = "", f"which raises {_kind(another)} when it is asked for its text"
        text = _cut(f"{_kind(error)}, {asked}")
    if isinstance(error, SystemExit):
        return text
    try:
        return _with_place(error, text, message, path)
    except Exception:  # as above
        return text


def _message(error: BaseException) -> str:
    """All of an error's text."""
    if isinstance(error, SystemExit):
        return f"it ends the program: sys.exit({error.code!r})"
    asked = error.msg if isinstance(error, SyntaxError) else error
    return str.__str__(str(asked)).strip()  # str may return a text of a class of its own


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


def _said(error: BaseException, message: str) -> str:
    """The error's kind and the first line of its text, without what a framework lays around it."""
    if isinstance(error, SystemExit):
        return _cut(message)
    lines, kind = message.splitlines(), _kind(error)
    if bold := _BOLD.search(message):
        inner = _CALLING.findall(message[: bold.start()])
        lines, kind = message[bold.end() :].splitlines(), inner[-1] if inner else kind
    elif lines and lines[0] == _TRACED:
        return _cut(lines[-1].strip())
    return _cut(f"{kind}: {_BOLD.sub('', lines[0])}" if lines else kind)


def _kind(error: BaseException) -> str:
    """The name of an error's class, whatever a class of classes says it is."""
    return str(type.__dict__["__name__"].__get__(type(error)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _shortened(line: str) -> str:
    line = " ".join(line.partition("  #")[0].split())  # without a comment at its end
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def _place(error: BaseException, message: str, path: Path) -> _Place | None:
    """Where in a file an error was raised; None where it did not go through that file."""
    steps = list(traceback.walk_tb(error.__traceback__))
    entries = _ENTRY.findall(message) if message.startswith(_TRACED) else []
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
    """The tensors of a line, with shape and type, in one text."""
    tensors = [
        f"{name} = {seen}" for name, value in _values(path, place) if (seen := _tensor(value))
    ]
    if tensors:
        yield ", ".join(tensors[:_MOST])


def _tensor(value: object) -> str:
    """A tensor's shape and type, in any framework; empty for anything else."""
    if isinstance(value, type):
        return ""
    try:
        shape = tuple(value.shape)  # type: ignore[attr-defined]
        dtype = value.dtype  # type: ignore[attr-defined]
        sizes = ["?" if size is None else str(int(size)) for size in shape]
    except Exception:  # no tensor, or one whose shape is not known
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
            try:
                return vars(owner).get(name)
            except Exception:  # it has no attributes of its own
                return None
        case ast.Subscript(value=of, slice=ast.Constant(value=key)):
            owner = _value(of, frame)
            return owner.get(key) if type(owner) is dict else None
    return None
