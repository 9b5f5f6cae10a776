"""What an answer uses of its framework's adapter: layers, optimisers, and what these use in turn.

It is the adapter's own text. Left out are annotations, all of a docstring but its first line, and
methods that no script calls.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from knock import paths

_LEFT_OUT = ("get_config", "update_core_cpu")
"""Methods that save a model as Keras does, or only save time."""

_WIDTH = 100


@dataclass
class Taken:
    """Definitions, in an order in which Python can run them, and what they import."""

    definitions: dict[str, str] = field(default_factory=dict)
    imports: list[ast.stmt] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of them, two lines apart; empty if there are none."""
        values = [text for text in self.definitions.values() if not _is_block(text)]
        blocks = [text for text in self.definitions.values() if _is_block(text)]
        return "\n\n\n".join(["\n".join(values), *blocks] if values else blocks)


@dataclass(frozen=True)
class _Module:
    """A module of this package, as text: its definitions, and where its other names are from."""

    source: str
    definitions: dict[str, ast.stmt]
    imported: dict[str, tuple[str, str]]
    """Names from this package: the module that has each, and its name there."""
    outside: dict[str, ast.stmt]
    """The imports of what is not of this package, by the name that each binds."""


def take(tree: ast.Module) -> Taken:
    """What the imports of an answer take from `knock.frameworks`, without the adapter itself."""
    taken = Taken()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("knock.frameworks."):
            for alias in node.names:
                _take(node.module or "", alias.name, taken)
    return taken


def _take(module: str, name: str, taken: Taken) -> None:
    """Take one definition; first all that it uses."""
    found = _read(module)
    if name in found.imported:
        _take(*found.imported[name], taken)
    elif name in found.outside:
        taken.imports.append(found.outside[name])
    elif name in found.definitions and name not in taken.definitions:
        text = plain(found.source, found.definitions[name])
        for alias, (home, own) in found.imported.items():  # a module of ours by its name
            if _file(f"{home}.{own}").is_file():
                for used in re.findall(rf"\b{alias}\.(\w+)", text):
                    _take(f"{home}.{own}", used, taken)
                text = re.sub(rf"\b{alias}\.", "", text)
        for used in _names(text):
            if used != name:
                _take(module, used, taken)
        taken.definitions[name] = text


@cache
def _read(module: str) -> _Module:
    source = _file(module).read_text(encoding="utf-8")
    tree = ast.parse(source)
    made = _Module(source, {}, {}, {})
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                made.definitions[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]):
                made.definitions[name] = node
    for node in _imports(tree.body):
        for alias in node.names:
            bound = alias.asname or alias.name.split(".")[0]
            home = node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
            if isinstance(node, ast.ImportFrom) and home.split(".")[0] == "knock":
                made.imported[bound] = (home, alias.name)
            elif home.split(".")[0] != "typing":
                made.outside[bound] = (
                    ast.ImportFrom(home, [alias], 0)
                    if isinstance(node, ast.ImportFrom)
                    else ast.Import([alias])
                )
    return made


def _imports(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a module, those in a `with` too."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.With):
            yield from _imports(node.body)


def _file(module: str) -> Path:
    path = paths.PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _names(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id


def _is_block(text: str) -> bool:
    return text.startswith(("class ", "def ", "@"))


def plain(source: str, node: ast.stmt) -> str:
    """The text of a definition without annotations, and with short docstrings."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    written = source.split("\n")
    lines = dict(enumerate(written, 1))
    gone: set[int] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            _shorten(one, lines, gone)
        if isinstance(one, ast.FunctionDef):
            _strip(one, written, lines, gone)
            if one.name in _LEFT_OUT:
                gone |= set(range(one.lineno - 1, (one.end_lineno or 0) + 1))  # and a line above
        if isinstance(one, ast.AnnAssign) and one.value is None:
            gone.add(one.lineno)
        elif isinstance(one, ast.AnnAssign) and one.value is not None:
            target, value = ast.unparse(one.target), ast.get_source_segment(source, one.value)
            gone |= set(range(one.lineno + 1, (one.end_lineno or 0) + 1))
            lines[one.lineno] = f"{' ' * one.col_offset}{target} = {value}"
    kept = [lines[n] for n in range(first, (node.end_lineno or 0) + 1) if n not in gone]
    return re.sub(r"  # type: ignore\S*", "", "\n".join(kept)).rstrip()


def _shorten(node: ast.FunctionDef | ast.ClassDef, lines: dict[int, str], gone: set[int]) -> None:
    """Leave the first line of a docstring."""
    head = node.body[0]
    if ast.get_docstring(node) is not None and head.end_lineno != head.lineno:
        lines[head.lineno] += '"""'
        gone |= set(range(head.lineno + 1, (head.end_lineno or 0) + 1))


def _strip(
    node: ast.FunctionDef, written: Sequence[str], lines: dict[int, str], gone: set[int]
) -> None:
    """Write a function's head anew, without annotations."""
    given = node.args
    plain_ones = [*given.posonlyargs, *given.args]
    without = len(plain_ones) - len(given.defaults)
    defaults: Mapping[int, str] = {
        without + n: _value(written, one) for n, one in enumerate(given.defaults)
    }
    words = [f"{a.arg}={defaults[n]}" if n in defaults else a.arg for n, a in enumerate(plain_ones)]
    words += [f"*{given.vararg.arg}"] if given.vararg else []
    words += [
        one.arg if value is None else f"{one.arg}={_value(written, value)}"
        for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    words += [f"**{given.kwarg.arg}"] if given.kwarg else []
    space = " " * node.col_offset
    head = f"{space}def {node.name}({', '.join(words)}):"
    if len(head) > _WIDTH:
        head = f"{space}def {node.name}(\n{space}    {', '.join(words)}\n{space}):"
    last = node.body[0].lineno - 1
    lines[node.lineno] = head
    gone |= set(range(node.lineno + 1, last + 1))


def _value(written: Sequence[str], node: ast.expr) -> str:
    """A default as it is written, on one line."""
    line = written[node.lineno - 1].encode()
    return line[node.col_offset : node.end_col_offset].decode()
