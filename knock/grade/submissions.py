"""Who has handed in what: a folder with a subfolder or a file for each student."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from knock import frameworks, notebook
from knock.errors import UserError
from knock.questions import Question, all_questions

import msgspec

_LARGEST = 1 << 20
"""Bytes; ours have about ten thousand."""

_SUFFIXES = (".py", ".ipynb")

_BETWEEN = re.compile(r"[^a-z0-9]+")


class Submission(msgspec.Struct, frozen=True):
    """One answer of one student. `problem` says why there is no text, if there is none.

    `file` is its path in the folder of submissions.
    """

    student: str
    question: str
    framework: str
    file: str
    text: str = ""
    problem: str = ""


def find(
    folder: Path, question: Question | None, framework: str | None
) -> tuple[list[Submission], list[str]]:
    """All answers in a folder, and the files that are none, each with the reason.

    Which question and framework it is, is said for all of them or stands in a file's name. What
    else stands there is the student's, if the file is in no subfolder. Raises UserError where
    nothing is found.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder} of submissions")
    found, ignored = [], []
    for path, student in _files(folder):
        name = path.relative_to(folder).as_posix()
        asked, used, rest = _named(path.stem)
        asked, used = question.name if question else asked, framework or used
        if asked is None or used is None:
            missing = "question" if asked is None else "framework"
            ignored.append(f"{name}: no {missing} in its name; say --{missing}")
            continue
        text, problem = _read(path, folder)
        found.append(Submission(student or rest or path.stem, asked, used, name, text, problem))
    if not found:
        more = f": {ignored[0]}" if ignored else ", such as dcgan_keras.py in a subfolder a student"
        raise UserError(f"no submissions in {folder}{more}")
    return found, ignored


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every script and notebook, and the student whose subfolder it is in, if it is in one."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            for path in sorted(entry.rglob("*")):
                inside = path.relative_to(entry).parts
                hidden = any(part.startswith((".", "__")) for part in inside)
                if path.suffix in _SUFFIXES and not hidden:
                    yield path, entry.name
        elif entry.suffix in _SUFFIXES:
            yield entry, ""


def _named(stem: str) -> tuple[str | None, str | None, str]:
    """The question and the framework in a file's name, and what else is in it.

    The longest question that fits is meant: `wgan_gp`, not `wgan`.
    """
    words = [word for word in _BETWEEN.split(stem.lower()) if word]
    question, words = _taken(words, [q.name for q in all_questions()])
    framework, words = _taken(words, list(frameworks.FRAMEWORKS))
    return question, framework, "_".join(words)


def _taken(words: list[str], names: list[str]) -> tuple[str | None, list[str]]:
    """The longest of some names that is among the words, and the other words."""
    for name in sorted(names, key=len, reverse=True):
        wanted = name.split("_")
        for place in range(len(words) - len(wanted) + 1):
            if words[place : place + len(wanted)] == wanted:
                return name, words[:place] + words[place + len(wanted) :]
    return None, words


def _read(path: Path, folder: Path) -> tuple[str, str]:
    """A file's text, or why it is not read. A link could bring another student's."""
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            return "", "it is a link, and not read"
        if not path.is_file():
            return "", "it is no file"
        if path.stat().st_size > _LARGEST:
            return "", "it is larger than 1 MB, and not read"
        if notebook.is_notebook(path):
            return notebook.source(path), ""
        return importlib.util.decode_source(path.read_bytes()), ""
    except UserError as error:
        return "", str(error).replace(f"{path}", path.name)
    except OSError as error:
        return "", f"it cannot be read: {error.strerror}"
    except (UnicodeDecodeError, SyntaxError) as error:  # a SyntaxError for an unknown encoding
        return "", f"it is no text: {error}"
