"""A starter: our answer with the bodies of its parts taken out, for a learner to write.

It is made from the answer's syntax tree whenever somebody asks for one, and kept nowhere, so that
the two cannot drift apart.
"""

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_SIDE = r"(?:\d+|[CHWN][₀-₉ₖ]?|z|classes|\([^()]+\))(?:[/−][\dᵏ]+)*"
_SHAPE = re.compile(rf"# *({_SIDE}(?:[×·]{_SIDE})*(?=$|[,:;]| in ).*)")
"""A comment that begins with a shape, as in `# 128×H/2×W/2` or `# 2·z: μ, then log σ²`."""

_WIDTH = 100
_QUOTES = '"""'

Parts = Mapping[str, Sequence[str]]
"""Which names of an answer belong to which of its parts, in the order in which they are written.

A name is a function's, a class' (all of its methods), or a method's: `Generator`, `GAN.generate`.
"""


@dataclass(frozen=True)
class Place:
    """A function or method of an answer that belongs to one of its parts."""

    part: str
    name: str
    node: ast.FunctionDef


def places(source: str, parts: Parts) -> list[Place]:
    """Whatever the parts name in an answer's source, in its order there.

    A name that this answer lacks is passed over: not every framework needs every helper.
    """
    whose = {name: part for part, given in parts.items() for name in given}
    found = []
    for name, node in _functions(ast.parse(source)):
        part = whose.get(name, whose.get(name.split(".")[0]))  # its own name, or its class'
        if part is not None:
            found.append(Place(part, name, node))
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function and every method, with its name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield f"{node.name}.{method.name}", method


def names(source: str, parts: Parts) -> dict[str, list[str]]:
    """The parts with only those of their names that an answer's source has."""
    found = places(source, parts)
    there = {name for place in found for name in (place.name, place.name.split(".")[0])}
    return {part: [name for name in given if name in there] for part, given in parts.items()}


def left(source: str, parts: Parts) -> dict[str, list[str]]:
    """The parts in which a starter's error is still raised, each with the names where it is."""
    found: dict[str, list[str]] = {}
    for place in places(source, parts):
        if any(_is_error(node) for node in ast.walk(place.node)):
            found.setdefault(place.part, []).append(place.name)
    return found


def _is_error(node: ast.AST) -> bool:
    """Whether it is what `make` puts into the place of a body."""
    match node:
        case ast.Raise(ast.Call(ast.Name("NotImplementedError"), [ast.Constant(str(text))])):
            return text.startswith("TODO ")
    return False


def make(source: str, parts: Parts, command: str) -> str:
    """An answer's source with each body of a part replaced by an error that names what is missing.

    Docstrings stay, `super().__init__()` too, and the shapes that stood beside the lines that went,
    as comments. `command` is what checks the learner's file; the module's docstring ends with it.
    """
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for place in reversed(places(source, parts)):  # from below: the lines above keep their numbers
        _empty(lines, tokens, place)
    _sign(lines, ast.parse(source), list(parts), command)
    return "\n".join(lines)


def _empty(lines: list[str], tokens: list[tokenize.TokenInfo], place: Place) -> None:
    """Take one body out of the lines."""
    body, kept = place.node.body, _kept(place.node)
    head = next(t.start[0] for t in tokens if t.type == tokenize.NEWLINE and t.start >= _at(place))
    first, end = (body[kept - 1].end_lineno or 0) if kept else head, body[-1].end_lineno or 0
    shapes = [
        f"# → {shape[1]}"
        for t in tokens
        if t.type == tokenize.COMMENT and first < t.start[0] <= end
        if (shape := _SHAPE.fullmatch(t.string))
    ]
    if body[0].lineno == head:  # the body stands on the signature's own line
        line = lines[head - 1].encode()
        lines[head - 1] = line[: body[0].col_offset].decode().rstrip()
        comment = line[body[-1].end_col_offset or 0 :].decode().strip()
        lines[head - 1] += f"  {comment}" if comment else ""
    error = f'raise NotImplementedError("TODO {place.part}: {place.name}")'
    indent = " " * (place.node.col_offset + 4)
    lines[first:end] = [indent + line for line in (*shapes, error)]


def _at(place: Place) -> tuple[int, int]:
    return place.node.lineno, place.node.col_offset


def _kept(function: ast.FunctionDef) -> int:
    """How many statements at the top of a body stay: its docstring, and the call of `super`."""
    kept = int(ast.get_docstring(function) is not None)
    following = function.body[kept : kept + 1]
    return kept + any(ast.unparse(one).startswith("super().__init__(") for one in following)


def _sign(lines: list[str], tree: ast.Module, parts: list[str], command: str) -> None:
    """Let the module's docstring end with what the file is, and what to do with it."""
    if ast.get_docstring(tree) is None:
        raise ValueError("an answer begins with its docstring")
    end = tree.body[0].end_lineno or 0
    last = lines[end - 1].removesuffix(_QUOTES)
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    told = (
        f"This is a starter: write its {listed}, each where a TODO is raised, and see how far you "
        "are with"
    )
    command = command.replace("\\", "\\\\").replace('"', '\\"')
    note = ["", *textwrap.wrap(told, _WIDTH), "", f"    {command}", _QUOTES]
    lines[end - 1 : end] = [last, *note] if last else note
