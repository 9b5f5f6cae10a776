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
"""Bytes: our answers have about ten thousand, but a notebook may also hold pictures."""

_DEEPEST = 20
"""How deep the folders inside a student's folder may be nested."""

_TOO_LARGE = "it is larger than 256 KB, so it was not read"

_BETWEEN = re.compile(r"[\W_]+")


class Submission(msgspec.Struct, frozen=True):
    """One answer of one student. `problem` says why there is no text; it is empty if there is one.

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
    """All answers in a folder, and a line for each file that was ignored, with the reason.

    The question and the framework are given for all of them, or are in a file's name. If the file
    is in no subfolder, the rest of its name is the student. Raises UserError if nothing is found.
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
            ignored.append(f"{name}: no {missing} in its name; add --{missing}")
            continue
        text, problem = _read(path, folder)
        whose = plain_text.plain(student or rest or path.stem)
        found.append(Submission(whose, asked, used, name, text, problem))
    if not found:
        example = "dcgan_keras.py in a subfolder for each student"
        more = f": {ignored[0]}" if ignored else f", such as {example}"
        raise UserError(f"no submissions in {folder}{more}")
    return found, ignored


def _files(folder: Path, ignored: list[str]) -> Iterator[tuple[Path, str]]:
    """Every script and notebook, with the name of its student's subfolder, if it is in one.

    A subfolder without any is added to `ignored`, and so is one that cannot be read.
    """
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir() and not entry.is_symlink():
            before, scripts = len(ignored), sorted(_scripts(entry, ignored))
            if not scripts and len(ignored) == before:
                ignored.append(f"{plain_text.plain(entry.name)}: has no script or notebook")
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
                    ignored.append(
                        f"{plain_text.plain(folder.name)}: its folders are nested too deep"
                    )
                else:
                    waiting.append(entry)
        except OSError as error:
            ignored.append(f"{plain_text.plain(place.name)}: cannot be read: {error.strerror}")


def _named(stem: str) -> tuple[str | None, str | None, str]:
    """The question and the framework in a file's name, and the rest of the name.

    The longest question that fits wins: `wgan_gp`, not `wgan`.
    """
    words = [word for word in _BETWEEN.split(stem.lower()) if word]
    question, words = _taken(words, [q.name for q in all_questions()])
    framework, words = _taken(words, list(frameworks.FRAMEWORKS))
    return question, framework, "_".join(words)


def _taken(words: list[str], names: list[str]) -> tuple[str | None, list[str]]:
    """The longest of these names that is among the words, and the other words."""
    for name in sorted(names, key=len, reverse=True):
        wanted = name.split("_")
        for place in range(len(words) - len(wanted) + 1):
            if words[place : place + len(wanted)] == wanted:
                return name, words[:place] + words[place + len(wanted) :]
    return None, words


def _read(path: Path, folder: Path) -> tuple[str, str]:
    """A file's text and "", or "" and why it was not read. A link could lead to somebody else's."""
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            return "", "it is a link, so it was not read"
        if not path.is_file():
            return "", "it is not a file"
        if path.stat().st_size > _LARGEST[path.suffix.lower()]:
            return "", _TOO_LARGE
        text = notebook.text(path)
        return (text, "") if len(text) <= _LARGEST[".py"] else ("", _TOO_LARGE)
    except UserError as error:
        return "", str(error).replace(f"{path}", path.name)
    except OSError as error:
        return "", f"it cannot be read: {error.strerror}"
    except (UnicodeDecodeError, SyntaxError) as error:  # a SyntaxError for an unknown encoding
        return "", f"it is not text: {error}"
