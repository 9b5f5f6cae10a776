"""Inside the process that reads files: behind walls, and with limits for each file.

`python -m knock.grade.reader` gets files from standard input and answers each on standard output
with its text, or with why it has none. Nothing of a file is run here; but a file may be made to
hurt whoever decodes, converts or parses it. What is let through takes little time and little of the
stack to be parsed and looked at anywhere else.
"""

import ast
import codecs
import io
import os
import re
from pathlib import Path

from knock import paths
from knock.errors import UserError
from knock.grade import plain_text, sandbox
from knock.scripts import notebook
from knock.scripts.source import Source

import msgspec

READY = b"ready\n"
"""Said once the walls stand."""

SECONDS = 5
"""Of computing, for each file: our answers take a hundredth of one."""

MEMORY = 1 << 30
"""Bytes that reading may take."""

LONGEST = 1 << 18
"""Characters of a text: our answers have about ten thousand."""

TOO_LARGE = f"it has more than {LONGEST >> 10} KB of code, so it was not read"

_DEEPEST = 200
"""Levels of a syntax tree: our answers have 15. Python's functions for trees call themselves."""

_MOST = {
    ast.AST: (100_000, "nodes in its syntax tree"),
    ast.FunctionDef: (1_000, "functions"),
    ast.ClassDef: (500, "classes"),
}
"""The most of each kind: our answers have two thousand nodes, and thirty functions."""

_BITS, _DIGITS = 13_000, 3_900
"""Of an integer: Python prints none with more than 4300 digits."""

_ENCODINGS = {
    *("utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252", "mac-roman"),
    *("cp932", "shift_jis", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr", "cp949"),
}
"""What an editor may have written. Python has more codecs, and not all of them decode texts."""

_DECLARED = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


class Asked(msgspec.Struct, frozen=True):
    """A file's bytes, to be made a text of; or, without them, a text that is to be looked at."""

    name: str
    data: bytes | None = None
    text: str = ""


class Told(msgspec.Struct, frozen=True):
    """The text of a file, or what is wrong with it."""

    text: str = ""
    problem: str = ""


def main() -> None:
    """Read files until there are no more: each is a line, and so is each answer."""
    incoming, outgoing = (os.fdopen(os.dup(fd), mode) for fd, mode in ((0, "rb"), (1, "wb")))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    sandbox.put_up(sandbox.Limits(None, MEMORY), [paths.PACKAGE], [], None)
    outgoing.write(READY)
    outgoing.flush()
    for line in incoming:
        _give_time()
        told = answer(msgspec.json.decode(line, type=Asked))
        outgoing.write(msgspec.json.encode(told) + b"\n")
        outgoing.flush()


def _give_time() -> None:
    """Give the next file its seconds of computing, where the system counts them."""
    if os.name == "posix":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = int(used.ru_utime + used.ru_stime) + 1 + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def answer(asked: Asked) -> Told:
    """A file's text, or what is wrong with it."""
    path = Path(asked.name)
    try:
        if asked.data is not None:
            return Told(_text(path, asked.data))
        _require_plain(path, asked.text)
    except UserError as error:
        return Told(problem=plain_text.message(str(error)))
    except UnicodeError as error:
        return Told(problem=plain_text.message(f"it is not text: {error}"))
    except MemoryError:
        return Told(problem=f"reading it takes more than {MEMORY >> 20} MB of memory")
    except Exception as error:  # it may be made to break anything
        why = f"it cannot be read: {type(error).__name__}: {error}"
        return Told(problem=plain_text.message(why))
    return Told()


def _text(path: Path, data: bytes) -> str:
    """A file's text. It is UTF-8 from here on, and says so if it said something else."""
    if notebook.is_notebook(path):
        text = notebook.source_of(path, data, LONGEST)
        text.encode()  # raises for half of a character, which JSON can have
    else:
        text = _decoded(data)
    if len(text) > LONGEST:
        raise UserError(TOO_LARGE)
    begin, end = _declared(text)
    return f"{text[:begin]}utf-8{text[end:]}" if end else text


def _declared(text: str) -> tuple[int, int]:
    """Where a text names its encoding: in one of its first two lines; (0, 0) if nowhere."""
    begin = 0
    for line in text.split("\n", 2)[:2]:
        if found := _DECLARED.match(line):
            return begin + found.start(1), begin + found.end(1)
        if line.strip(" \t\f\r") and not line.lstrip(" \t\f").startswith("#"):
            break
        begin += len(line) + 1
    return 0, 0


def _decoded(data: bytes) -> str:
    """A script's text, by the encoding that it names. Raises UserError for one that no editor has.

    Raises UnicodeDecodeError if the text is not in that encoding.
    """
    marked = data.startswith(codecs.BOM_UTF8)
    head = data.removeprefix(codecs.BOM_UTF8)[: 1 << 12].decode("latin-1")
    head = head.replace("\r\n", "\n").replace("\r", "\n")
    begin, end = _declared(head)
    name = head[begin:end] or "utf-8"
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = ""
    if known not in _ENCODINGS:
        raise UserError(f"it says that its encoding is {name}; save it as UTF-8")
    if marked and known not in ("utf-8", "utf-8-sig"):
        raise UserError(f"it says that its encoding is {name}, but is UTF-8; save it as UTF-8")
    text = data.decode("utf-8-sig" if marked else known)
    return io.IncrementalNewlineDecoder(None, True).decode(text)


def _require_plain(path: Path, text: str) -> None:
    """Raise UserError if a text is not Python, or more than any answer needs."""
    level: list[ast.AST] = [Source.parse(path, text).tree]
    counted = dict.fromkeys(_MOST, 0)
    depth = 0
    while level:
        depth += 1
        for node in level:
            for kind in _MOST:
                counted[kind] += isinstance(node, kind)
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, int) and value.bit_length() > _BITS:
                raise _refused(path, f"a number of more than {_DIGITS} digits")
        if depth > _DEEPEST:
            raise _refused(path, f"code that is nested more than {_DEEPEST} levels deep")
        for kind, (most, called) in _MOST.items():
            if counted[kind] > most:
                raise _refused(path, f"more than {most} {called}")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _refused(path: Path, what: str) -> UserError:
    return UserError(f"{path} does not run here: it has {what}, which no answer needs")


if __name__ == "__main__":
    main()
