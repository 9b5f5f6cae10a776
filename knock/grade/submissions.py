"""Who has handed in what: a folder with a subfolder or a file for each student."""

import re
from collections.abc import Iterator
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.grade import plain_text
from knock.questions import Question, all_questions
from knock.scripts import notebook

import msgspec

_LARGEST = {".py": 1 << 18, ".ipynb": 16 << 20}
"""Bytes: ours have about ten thousand, but a notebook may hold pictures beside its text."""

_DEEPEST = 20
"""Folders in each other in a student's."""

_TOO_LARGE = "it is larger than 256 KB, and not read"

_BETWEEN = re.compile(r"[\W_]+")


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
    found: list[Submission] = []
    ignored: list[str] = []
    for path, student in _files(folder, ignored):
        name = plain_text.plain(path.relative_to(folder).as_posix())
        asked, used, rest = _named(path.stem)
        asked, used = question.name if question else asked, framework or used
        if asked is None or used is None:
            missing = "question" if asked is None else "framework"
            ignored.append(f"{name}: no {missing} in its name; say --{missing}")
            continue
        text, problem = _read(path, folder)
        whose = plain_text.plain(student or rest or path.stem)
        found.append(Submission(whose, asked, used, name, text, problem))
    if not found:
        more = f": {ignored[0]}" if ignored else ", such as dcgan_keras.py in a subfolder a student"
        raise UserError(f"no submissions in {folder}{more}")
    return found, ignored


def _files(folder: Path, ignored: list[str]) -> Iterator[tuple[Path, str]]:
    """Every script and notebook, and the student whose subfolder it is in, if it is in one.

    A subfolder without any is added to what is ignored, and so is what cannot be looked into.
    """
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            before, scripts = len(ignored), sorted(_scripts(entry, ignored))
            if not scripts and len(ignored) == before:
                ignored.append(f"{plain_text.plain(entry.name)}: no script and no notebook in it")
            yield from ((path, entry.name) for path in scripts)
        elif entry.suffix.lower() in _LARGEST:
            yield entry, ""


def _scripts(folder: Path, ignored: list[str]) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            for entry in place.iterdir():
                if entry.name.startswith((".", "__")):
                    continue
                if not entry.is_dir() or entry.is_symlink():
                    if entry.suffix.lower() in _LARGEST:
                        yield entry
                elif len(entry.relative_to(folder).parts) > _DEEPEST:
                    ignored.append(f"{plain_text.plain(folder.name)}: its folders are too deep")
                else:
                    waiting.append(entry)
        except OSError as error:
            ignored.append(f"{plain_text.plain(place.name)}: cannot be read: {error.strerror}")


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
        if path.stat().st_size > _LARGEST[path.suffix.lower()]:
            return "", _TOO_LARGE
        text = notebook.text(path)
        return (text, "") if len(text) <= _LARGEST[".py"] else ("", _TOO_LARGE)
    except UserError as error:
        return "", str(error).replace(f"{path}", path.name)
    except OSError as error:
        return "", f"it cannot be read: {error.strerror}"
    except (UnicodeDecodeError, SyntaxError) as error:  # a SyntaxError for an unknown encoding
        return "", f"it is no text: {error}"
