"""What a learner has reached: a line of JSON for each question and framework, in `my`.

A damaged line does not affect the others, and the damaged file is kept. The file only has results
of checks, each with a digest of the file that passed: so later changes to that file are noticed,
and a check that fails makes its question open again.
"""

import hashlib
from pathlib import Path

from knock.errors import UserError, print_error
from knock.files import in_turn, keep, make_folder, write_atomically
from knock.paths import PROGRESS, my
from knock.questions import Question

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """The learner's answer to a question in a framework, as it was last begun or checked.

    `passed` is the digest of the file if it passed as a whole, else empty. `at` is the part to
    continue with and `said` the last check's message about it; each may be empty.
    """

    question: str
    framework: str
    file: str
    done: list[str] = []
    passed: str = ""
    at: str = ""
    said: str = ""

    @property
    def path(self) -> Path:
        """The file as seen from the current folder; `file` is relative to that which has `my`."""
        return my().parent / self.file

    @property
    def passes(self) -> bool:
        """Whether the file, as it is now, has passed."""
        return bool(self.passed) and self.passed == digest(self.path)


def digest(path: Path) -> str:
    """A file's SHA-256; empty if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):  # a ValueError for an impossible path
        return ""


def answers() -> list[Answer]:
    """All known answers, the last changed comes last; warns if the file is damaged."""
    found, damage = _read()
    if damage:
        print_error(f"{my() / PROGRESS} is damaged ({damage}); the lines that can be read are used")
    return found


def of(question: Question, framework: str | None = None) -> Answer | None:
    """The last changed answer to a question, in a framework or in any."""
    found = [one for one in answers() if one.question == question.name]
    return next((one for one in reversed(found) if framework in (None, one.framework)), None)


def passes(question: Question, framework: str, file: Path) -> bool:
    """Whether a file, as it is now, has passed as a whole when it was checked."""
    return any(
        (one.question, one.framework) == (question.name, framework)
        and one.path.resolve() == file.resolve()
        and one.passes
        for one in _read()[0]
    )


def begun(question: Question, framework: str, file: Path) -> None:
    """Remember that an answer was begun or started over."""
    _remember(Answer(question.name, framework, _named(file)))


def checked(
    question: Question,
    framework: str,
    file: Path,
    done: list[str],
    passed: str,
    at: str = "",
    said: str = "",
) -> None:
    """Remember the result of a check, if the file is in `my` or already remembered.

    `passed` is the digest of the file before the check if the whole file passed, else empty; `at`
    and `said` are as in `Answer`.
    """
    known = any(one.path.resolve() == file.resolve() for one in _read()[0])
    if known or file.resolve().is_relative_to(my().resolve()):
        said = " ".join(said.split())  # a message may contain an error with several lines
        _remember(Answer(question.name, framework, _named(file), done, passed, at, said))


def _named(file: Path) -> str:
    """A file's path, relative to the folder that has `my` if it is inside it."""
    path, here = file.resolve(), my().parent.resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _read() -> tuple[list[Answer], str]:
    """The answers that can be read, and what is wrong with the file."""
    try:
        lines = (my() / PROGRESS).read_bytes().splitlines()
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], error.strerror or "unreadable"
    found: dict[tuple[str, str], Answer] = {}
    damage = ""
    for number, line in enumerate(lines, 1):
        try:
            one = msgspec.json.decode(line, type=Answer)
            one.path.resolve()  # a ValueError for an impossible path
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            damage = damage or f"line {number}"
        else:
            found.pop((one.question, one.framework), None)
            found[one.question, one.framework] = one
    return list(found.values()), damage


def _remember(answer: Answer) -> None:
    """Write an answer after all others. If that fails, it only warns: no check fails for it."""
    folder = my()
    try:
        make_folder(folder)
        with in_turn(folder):
            _append(answer, folder / PROGRESS)
    except UserError as error:
        print_error(f"your progress was not saved: {error}")
    except OSError as error:
        print_error(f"your progress was not saved: cannot read {folder}: {error.strerror}")


def _append(answer: Answer, path: Path) -> None:
    found, damage = _read()
    found = [
        one for one in found if (one.question, one.framework) != (answer.question, answer.framework)
    ]
    text = b"".join(msgspec.json.encode(one) + b"\n" for one in [*found, answer])
    if damage:
        print_error(
            f"{path} was damaged ({damage}), so a new one is begun; the old one is {keep(path)}"
        )
    write_atomically(path, text)
