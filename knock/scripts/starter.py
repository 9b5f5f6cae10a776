"""A starter: our answer without the bodies of its parts, for a learner to write.

It is made from the answer's syntax tree whenever somebody asks for one, and not stored, so the two
always agree.
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
"""The parts of an answer, each with its names, in the order in which they are written.

A name is a function, a class (all of its methods), or a method: `Generator`, `GAN.generate`.
"""


@dataclass(frozen=True)
class Place:
    """A function or method of an answer that belongs to one of its parts."""

    part: str
    name: str
    node: ast.FunctionDef


def places(source: str, parts: Parts) -> list[Place]:
    """All functions and methods of an answer's source that belong to a part, in source order.

    Names that this answer lacks are ignored: not every framework needs every helper.
    """
    whose = {name: part for part, given in parts.items() for name in given}
    found = []
    for name, node in _functions(ast.parse(source)):
        part = whose.get(name, whose.get(name.split(".")[0]))  # by its own name, or by its class
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
    """The parts, each with only those names that an answer's source has."""
    found = places(source, parts)
    there = {name for place in found for name in (place.name, place.name.split(".")[0])}
    return {part: [name for name in given if name in there] for part, given in parts.items()}


def left(source: str, parts: Parts) -> dict[str, list[str]]:
    """The parts in which a starter's error is still raised, each with the names that raise it."""
    found: dict[str, list[str]] = {}
    for place in places(source, parts):
        if any(_is_error(node) for node in ast.walk(place.node)):
            found.setdefault(place.part, []).append(place.name)
    return found


def _is_error(node: ast.AST) -> bool:
    """Whether a statement is the one that `make` puts in the place of a body."""
    match node:
        case ast.Raise(ast.Call(ast.Name("NotImplementedError"), [ast.Constant(str(text))])):
            return text.startswith("TODO ")
    return False


def make(source: str, parts: Parts, command: str, channels_last: bool = False) -> str:
    """An answer's source with each body of a part replaced by an error that names what is missing.

    Docstrings and `super().__init__()` stay, and so do the shapes next to the removed lines, as
    comments. The module's docstring ends with what a check expects, where the framework has its
    channels last or first, and with `command`, which checks the learner's file.
    """
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for place in reversed(places(source, parts)):  # from the end: earlier lines keep their numbers
        _empty(lines, tokens, place)
    _add_note(lines, ast.parse(source), list(parts), command, channels_last)
    return "\n".join(lines)


def _empty(lines: list[str], tokens: list[tokenize.TokenInfo], place: Place) -> None:
    """Remove one body from the lines."""
    body, kept = place.node.body, _kept(place.node)
    head = next(t.start[0] for t in tokens if t.type == tokenize.NEWLINE and t.start >= _at(place))
    first, end = (body[kept - 1].end_lineno or 0) if kept else head, body[-1].end_lineno or 0
    shapes = [
        f"# → {shape[1]}"
        for t in tokens
        if t.type == tokenize.COMMENT and first < t.start[0] <= end
        if (shape := _SHAPE.fullmatch(t.string))
    ]
    if body[0].lineno == head:  # the body is on the same line as the signature
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
    """How many statements at the top of a body stay: the docstring and the call of `super`."""
    kept = int(ast.get_docstring(function) is not None)
    following = function.body[kept : kept + 1]
    return kept + any(ast.unparse(one).startswith("super().__init__(") for one in following)


_EXPECTED = (
    "A check finds the layers by the names in the table on the question's page or, if you choose "
    "others, by their order: define them in the order of the table. recipe.image_shape is (C, H, "
    "W){but}; pictures in a batch are {layout}. All numbers in a check are float64: a constant in "
    "float32 shows as a difference."
)
"""What a learner must know before the first check."""


def _add_note(
    lines: list[str], tree: ast.Module, parts: list[str], command: str, channels_last: bool
) -> None:
    """Add to the module's docstring what the file is, and what to do with it."""
    if ast.get_docstring(tree) is None:
        raise ValueError("an answer must begin with a docstring")
    end = tree.body[0].end_lineno or 0
    last = lines[end - 1].removesuffix(_QUOTES)
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    but, layout = (" here, too", "N×H×W×C") if channels_last else ("", "N×C×H×W")
    texts = [
        f"This is a starter: write its {listed}, each where a TODO is raised.",
        _EXPECTED.format(but=but, layout=layout),
        "Check it with",
    ]
    command = command.replace("\\", "\\\\").replace('"', '\\"')
    told = [line for text in texts for line in ["", *textwrap.wrap(text, _WIDTH)]]
    note = [*told, "", f"    {command}", _QUOTES]
    lines[end - 1 : end] = [last, *note] if last else note
