"""The text of an answer: a script's own, or the script that a notebook becomes.

In a notebook people also try things out, and write some things more than once. So only definitions
count: imports, the last function or class of each name, and the variables that these use. A check
runs nothing else.
"""

import ast
import codecs
import importlib.util
import linecache
import re
import symtable
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from knock import installing
from knock.errors import UserError

import msgspec

SUFFIX = ".ipynb"

_CELL = "# %% "
"""The beginning of the line above each cell's lines; then comes the name of the cell."""

_NUMBERED = re.compile(rf"{_CELL}(code cell \d+|In \[\d+\])$")
"""The same, where a cell is called by its number, in a saved notebook or in a kernel."""

_BLANK = re.compile(r"\A(?:[ \t]*\n)+")

_SEEN_THROUGH = {"time", "capture", "prun", "debug", "memit", "mprun", "snakeviz"}
"""Cell magics that run the cell in the notebook's own names, so that what it defines stays.

`%%timeit` is none of them: it runs a cell within a function.
"""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign


def is_notebook(path: Path) -> bool:
    """Whether a file is one, by its name."""
    return path.suffix.lower() == SUFFIX


class _Cell(msgspec.Struct):
    """What is read of a cell. Its source is one text, or a list of lines with their line ends."""

    cell_type: str
    source: str | list[str]


class _Notebook(msgspec.Struct):
    """What is read of a notebook, which must have format 4, the only one since 2015."""

    nbformat: Literal[4]
    cells: list[_Cell]


def require(package: str) -> None:
    """Raise UserError if a package that notebooks need is missing."""
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"notebooks need {package}, not installed here: {installing.command('notebook')}"
        )


def text(path: Path) -> str:
    """The text of a script, or of a notebook as one.

    Raises OSError, SyntaxError or UnicodeDecodeError for a script that cannot be read, is in an
    unknown encoding, or does not keep to its own; UserError as `source` does for a notebook.
    """
    return source(path) if is_notebook(path) else text_of(path, path.read_bytes())


def text_of(path: Path, data: bytes) -> str:
    """The same of a file's bytes, which need not be on the disk. Raises all but OSError."""
    return source_of(path, data) if is_notebook(path) else importlib.util.decode_source(data)


def source(path: Path) -> str:
    """The script made of a notebook's code cells, each below a line with its number.

    Tracebacks, and code that looks up a function's source, get that text as the file's content.
    Raises UserError if it cannot be read, is not a notebook, or has a cell that is not Python.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no file {path}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    made = source_of(path, data)
    linecache.cache[str(path)] = (len(made), None, made.splitlines(keepends=True), str(path))
    return made


def source_of(path: Path, data: bytes, longest: int | None = None) -> str:
    """The same of a notebook's bytes, which need not be on the disk.

    Of cells with more than `longest` characters in all it makes no script, but raises UserError.
    """
    require("IPython")
    try:
        raw = data.removeprefix(codecs.BOM_UTF8)  # which some editors begin with
        found = msgspec.json.decode(raw, type=_Notebook)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        raise UserError(f"{path} is not a notebook, or is damaged; save it again") from None
    texts = ["".join(cell.source) for cell in found.cells if cell.cell_type == "code"]
    if longest is not None and sum(map(len, texts)) > longest:
        raise UserError(f"{path} has more than {longest >> 10} KB of code")
    plain: dict[str, str] = {}
    for number, text in enumerate(texts, 1):
        name = f"code cell {number}"
        try:
            plain[name] = _plain(text)
            ast.parse(plain[name])
        except (SyntaxError, ValueError, RuntimeError) as error:  # IPython, too, may give up
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            what = f"{type(error).__name__}: {error.args[0]} ({name}{line})"
            raise UserError(f"{path} does not run: {what}") from None
    return definitions(plain)


def _plain(text: str) -> str:
    """A cell as written, as Python; its lines keep their numbers."""
    from IPython.core.inputtransformer2 import TransformerManager

    body = _BLANK.sub("", text)  # IPython would drop these lines, and shift the numbers
    above = "\n" * text[: len(text) - len(body)].count("\n")
    return above + seen_through(TransformerManager().transform_cell(body))


def seen_through(text: str) -> str:
    """A cell as IPython runs it; below a magic that only measures or hides, what that runs.

    `%%time` and `%%capture` define what is in the cell, but a kernel's history has it as a text
    that it hands to the magic.
    """
    try:
        match ast.parse(text).body:
            case [
                ast.Expr(
                    ast.Call(
                        ast.Attribute(attr="run_cell_magic"),
                        [ast.Constant(magic), ast.Constant(), ast.Constant(str(body))],
                    )
                )
            ] if magic in _SEEN_THROUGH:
                return "\n" + _plain(body)
    except (SyntaxError, ValueError, RecursionError):
        pass  # whoever compiles it says what is wrong
    return text


def place(path: Path, line: int) -> str:
    """A line's place for people: "line 7", or its cell in a script made of a notebook's."""
    above = linecache.getlines(str(path))[:line]
    for distance, text in enumerate(reversed(above)):
        if cell := _NUMBERED.match(text):
            return f"{cell[1]}, line {distance}"
    return f"line {line}"


def definitions(cells: Mapping[str, str]) -> str:
    """One script of all definitions in the cells, given by name; line numbers within a cell stay.

    Raises SyntaxError if a cell is not Python.
    """
    trees = {name: ast.parse(text) for name, text in cells.items()}
    kept = _kept([node for tree in trees.values() for node in tree.body])
    return "".join(
        f"{_CELL}{name}\n{_without([n for n in trees[name].body if n not in kept], text)}\n"
        for name, text in cells.items()
    )


def _kept(nodes: list[ast.stmt]) -> set[ast.stmt]:
    """The statements that define something of an answer."""
    last = {node.name: node for node in nodes if isinstance(node, _Definition)}
    kept: set[ast.stmt] = set(last.values())
    kept |= {node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)}
    waiting = [node for node in nodes if isinstance(node, _Assignment)]
    used = {name for node in kept for name in _used(node)}
    while found := [node for node in waiting if _is_wanted(node, used)]:
        kept |= set(found)
        waiting = [node for node in waiting if node not in kept]
        used |= {name for node in found for name in _used(node)}
    return kept


def _is_wanted(node: ast.stmt, used: set[str]) -> bool:
    """Whether one of the names that it sets is used, or written like a class or a constant."""
    stored = (one for one in ast.walk(node) if isinstance(one, ast.Name))
    names = {one.id for one in stored if isinstance(one.ctx, ast.Store)}
    return any(name in used or name[:1].isupper() for name in names)


def _used(node: ast.stmt) -> Iterator[str]:
    """The module's names that a statement uses, also inside its functions."""
    waiting = [symtable.symtable(ast.unparse(node), "", "exec")]
    for table in waiting:
        waiting += table.get_children()
        module = table.get_type() == "module"
        for one in table.get_symbols():
            if one.is_referenced() and (module or one.is_global()):
                yield one.get_name()


def _without(nodes: list[ast.stmt], text: str) -> str:
    """A cell's text with some statements blanked out; the others keep their lines."""
    lines = [line.encode() for line in text.split("\n")]  # the tree counts bytes
    for node in reversed(nodes):
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(one.lineno for one in decorators)]) - 1
        last = (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        shared = before.strip() or after.strip().startswith(b";")
        lines[first : last + 1] = [
            before + b"pass" + after if shared else b"",
            *[b""] * (last - first),
        ]
    return "\n".join(line.decode() for line in lines)
