"""A question's page of hints: its levels, the parts in each level, and one framework's share of it.

A level begins with `## 1 · A nudge`; in it, the help with one part of the question begins with
`### networks`. The text before a level's first part belongs to all parts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks

_LEVEL = re.compile(r"^## (\d+) · (.*)$", re.MULTILINE)
_PART = re.compile(r"^### (.*)$", re.MULTILINE)
_BLOCK = re.compile(r"^```\w*\n.*?^```$|^\|[^\n]*(?:\n\|[^\n]*)*", re.MULTILINE | re.DOTALL)
_TITLES = {name: framework.title for name, framework in frameworks.FRAMEWORKS.items()}
_FOR_SOME = re.compile(rf"^(?=# (?:{'|'.join(_TITLES.values())})\b)", re.MULTILINE)
"""Where a block of code continues for other frameworks: a comment that begins with a name."""


@dataclass(frozen=True)
class Level:
    """One level of help: its whole text, the text for all parts, and that for each part."""

    title: str
    text: str
    shared: str
    parts: dict[str, str]

    def of(self, part: str) -> str:
        """The help with one part, after the text for all parts."""
        return f"{self.shared}\n\n{self.parts[part]}".strip()


def read(path: Path) -> dict[int, Level]:
    """The levels of a page by number, in its order."""
    _, *pieces = _LEVEL.split(path.read_text(encoding="utf-8-sig"))
    triples = zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    return {int(number): _level(title, text.strip()) for number, title, text in triples}


def _level(title: str, text: str) -> Level:
    shared, *pieces = _PART.split(text)
    parts = {name: help.strip() for name, help in zip(pieces[::2], pieces[1::2], strict=True)}
    return Level(title, text, shared.strip(), parts)


def narrow(text: str, framework: str) -> str:
    """A text with one framework's column of each table, and its pieces of each block of code.

    A table or block that is the same for all frameworks stays as it is.
    """
    return _BLOCK.sub(lambda found: _narrowed(found[0], _TITLES[framework]), text)


def _narrowed(block: str, title: str) -> str:
    if block.startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.split("\n")]
        return "\n".join(_column(rows, title)) if title in rows[0] else block
    head, *pieces = block.removesuffix("```").splitlines(keepends=True)
    shared, *some = _FOR_SOME.split("".join(pieces))
    kept = [piece.rstrip("\n") for piece in some if title in piece.split("\n")[0]]
    if not kept:
        return block
    return "\n".join([head.rstrip("\n"), *filter(None, [shared.rstrip("\n")]), *kept, "```"])


def _column(rows: list[list[str]], title: str) -> Iterator[str]:
    """The first cell of each row and the cell in the column of a title, as two columns."""
    head, _, *below = rows
    width = max(len(row[0]) for row in below)
    for row in below:
        yield f"  {row[0]:<{width}}  {row[head.index(title)]}"
