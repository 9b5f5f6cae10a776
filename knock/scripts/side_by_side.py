"""Two answers to one question side by side: each function next to its counterpart."""

import ast
import difflib
import html
import itertools
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.files import refuse_foreign, write_atomically
from knock.questions import Question, find
from knock.scripts import notebook

SAME, CHANGED, LEFT, RIGHT = " ", "|", "<", ">"
"""The mark between two lines: equal, different, only left, only right."""

_NARROWEST = 40
_FORWARD = {"__call__": "forward", "call": "forward"}
"""The frameworks' other names for the method that computes a network's output."""
_MARK = "table.diff"  # of the style at the head of every page that difflib makes
_BEGINNING = re.compile(r" *(#|@|\w[\w.]*(?:, \w+)*)")

Row = tuple[str, str, str]
"""A line of one answer, a mark, and a line of the other."""


@dataclass(frozen=True)
class Side:
    """One of the two: the title of its column, and its text."""

    title: str
    source: str

    @property
    def lines(self) -> list[str]:
        """Its lines, without line ends."""
        return self.source.expandtabs(4).splitlines()


def show(word: str, first: str, second: str, page: Path | None = None) -> str:
    """Compare two answers, each named by a framework or a file: two columns, as wide as a terminal.

    With `page`, write an HTML page instead and return a line with its path. Raises UserError for a
    word that is neither, and for a comparison of a file with itself.
    """
    question = find(word)
    paths = [_path(question, one) for one in (first, second)]
    if paths[0].resolve() == paths[1].resolve():
        raise UserError(f"{first} and {second} are the same file; name two different ones")
    ours = {question.answer(name): one.title for name, one in frameworks.FRAMEWORKS.items()}
    folder = next(iter(ours)).parent
    if any(path.parent == folder and path not in ours for path in paths):  # of two questions
        ours = {path: path.name for path in paths}
    left, right = (Side(ours.get(path, str(path)), _text(path)) for path in paths)
    if page is None:
        return columns(left, right, shutil.get_terminal_size((160, 24)).columns)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--html must name an HTML file, such as diff.html, not {page}")
    refuse_foreign(page, _MARK, "--html")
    write_atomically(page, document(question, left, right), "--html")
    return f"{page}: open it in a browser"


def _path(question: Question, word: str) -> Path:
    if word in frameworks.FRAMEWORKS:
        return question.answer(question.framework(word))
    if Path(word).is_file():
        return Path(word)
    known = ", ".join(question.answered_in)
    raise UserError(f"{word!r} is neither a file nor a framework; choose from: {known}")


def _text(path: Path) -> str:
    try:
        return notebook.text(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, SyntaxError):  # a SyntaxError for an unknown encoding
        raise UserError(f"{path} is not text; name a script or a notebook") from None


# In a terminal


def columns(left: Side, right: Side, width: int) -> str:
    """Two columns, together `width` characters wide; longer lines are cut."""
    width = max(width, _NARROWEST)
    one = (width - 3) // 2
    found = rows(left, right)
    differ = sum(mark != SAME for _, mark, _ in found)
    body = [(left.title, SAME, right.title), ("─" * one, SAME, "─" * one), *found]
    lines = [f"{_cut(a, one, pad=True)} {mark} {_cut(b, one)}".rstrip() for a, mark, b in body]
    return "\n".join([*lines, "", f"{len(found) - differ} lines are the same, {differ} differ"])


def rows(left: Side, right: Side) -> list[Row]:
    """The lines of both: functions with the same name side by side, and within them the lines."""
    blocks, others = _blocks(left), _blocks(right)
    a, b = [name for name, _ in blocks], [name for name, _ in others]
    found: list[Row] = []
    for _, i, k, j, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if a[i:k] == b[j:m]:
            pairs = zip(blocks[i:k], others[j:m], strict=True)
            found += [row for one, other in pairs for row in _within(one[1], other[1])]
        else:
            found += [(line, LEFT, "") for _, lines in blocks[i:k] for line in lines]
            found += [("", RIGHT, line) for _, lines in others[j:m] for line in lines]
    return found


def _blocks(side: Side) -> list[tuple[str, list[str]]]:
    """An answer cut into pieces, each with its name: one per function, class or method.

    A file that is not valid Python yet is one piece.
    """
    try:
        tree = ast.parse(side.source)
    except (SyntaxError, ValueError):
        return [("", side.lines)]
    starts = [(0, ""), *((line - 1, name) for line, name in _names(tree))]
    ends = [line for line, _ in starts[1:]] + [len(side.lines)]
    return [(name, side.lines[start:end]) for (start, name), end in zip(starts, ends, strict=True)]


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield _first_line(node), node.name
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    called = _FORWARD.get(method.name, method.name)
                    yield _first_line(method), f"{node.name}.{called}"


def _first_line(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _within(a: list[str], b: list[str]) -> Iterator[Row]:
    keys, others = [_key(line) for line in a], [_key(line) for line in b]
    for _, i, k, j, m in difflib.SequenceMatcher(None, keys, others, autojunk=False).get_opcodes():
        for left, right in itertools.zip_longest(a[i:k], b[j:m]):
            if left is None:
                yield "", RIGHT, right
            elif right is None:
                yield left, LEFT, ""
            else:
                yield left, SAME if left == right else CHANGED, right


def _key(line: str) -> str:
    """What a line shares with another framework's: its beginning, as in `self.fc`."""
    found = _BEGINNING.match(line)
    return found[1] if found else line


def _cut(text: str, width: int, pad: bool = False) -> str:
    """A text cut to at most `width` columns of a terminal; with `pad`, to exactly as many."""
    places = [_places(one) for one in text]
    if sum(places) > width:
        taken = itertools.accumulate(places)
        text = text[: sum(so_far < width for so_far in taken)] + "…"
    spare = width - sum(map(_places, text))
    return text + " " * spare if pad else text


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


# In a browser


def document(question: Question, left: Side, right: Side) -> str:
    """An HTML page that needs no other file."""
    one, other = html.escape(left.title), html.escape(right.title)
    made = difflib.HtmlDiff().make_file(left.lines, right.lines, one, other, charset="utf-8")
    title = html.escape(f"{question.label}: {left.title} and {right.title}")
    return made.replace("<title></title>", f"<title>{title}</title>", 1)
