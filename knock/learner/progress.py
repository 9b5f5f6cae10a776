"""What a learner has reached: a line of JSON for each question and framework, in `my`.

A line that cannot be read costs nobody the others, and the damaged file is kept. Only what a check
found is in it, with a digest of the file that passed: so a file that has changed since then is
known to have done so, and a check that fails puts its question back to open.
"""

import hashlib
from pathlib import Path

from knock.errors import UserError, print_error
from knock.files import keep, make_folder, write_atomically
from knock.questions import Question

import msgspec

FOLDER = Path("my")
"""Where a learner's answers are, without another word: in the folder one works in."""

FILE = FOLDER / "progress.jsonl"


class Answer(msgspec.Struct, frozen=True):
    """The learner's answer to a question in a framework, as it was last begun or checked.

    `passed` is the digest of the file that passed as a whole, and empty where it did not. `at` is
    the part to go on with and `said` what the last check said of it, each empty where there is
    none.
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
        """The file, from the folder one works in."""
        return Path(self.file)

    @property
    def passes(self) -> bool:
        """Whether the file, as it is now, has passed."""
        return bool(self.passed) and self.passed == digest(self.path)


def digest(path: Path) -> str:
    """A file's SHA-256; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):  # a ValueError for a path that can be none
        return ""


def answers() -> list[Answer]:
    """All that is known, the last touched last; a damaged file is told of in one line."""
    found, damage = _read()
    if damage:
        print_error(f"{FILE} is damaged ({damage}); it tells of what can still be read in it")
    return found


def of(question: Question, framework: str | None = None) -> Answer | None:
    """The last touched answer to a question, in a framework or in any."""
    found = [one for one in answers() if one.question == question.name]
    return next((one for one in reversed(found) if framework in (None, one.framework)), None)


def begun(question: Question, framework: str, file: Path) -> None:
    """Remember that an answer was begun, or begun again."""
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
    """Remember what a check of a file found, if the file is in `my` or is remembered already.

    `passed` is the digest that it had before the check, and empty unless the whole passed; `at` and
    `said` are as in `Answer`.
    """
    known = any(one.path.resolve() == file.resolve() for one in _read()[0])
    if known or file.resolve().is_relative_to(FOLDER.resolve()):
        said = " ".join(said.split())  # a message may quote an error of several lines
        _remember(Answer(question.name, framework, _named(file), done, passed, at, said))


def _named(file: Path) -> str:
    """A file's path, from the folder one works in where it lies in that."""
    path, here = file.resolve(), Path.cwd().resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _read() -> tuple[list[Answer], str]:
    """The answers that can be read, and what is wrong with the file."""
    try:
        lines = FILE.read_bytes().splitlines()
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], error.strerror or "unreadable"
    found: dict[tuple[str, str], Answer] = {}
    damage = ""
    for number, line in enumerate(lines, 1):
        try:
            one = msgspec.json.decode(line, type=Answer)
            one.path.resolve()  # a ValueError for a path that can be none
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            damage = damage or f"line {number}"
        else:
            found.pop((one.question, one.framework), None)
            found[one.question, one.framework] = one
    return list(found.values()), damage


def _remember(answer: Answer) -> None:
    """Write an answer behind all others. What went wrong is told: no check fails for it."""
    found, damage = _read()
    found = [
        one for one in found if (one.question, one.framework) != (answer.question, answer.framework)
    ]
    text = b"".join(msgspec.json.encode(one) + b"\n" for one in [*found, answer])
    try:
        make_folder(FOLDER)
        if damage:
            print_error(
                f"{FILE} was damaged ({damage}): begun anew, and the old one kept as {keep(FILE)}"
            )
        write_atomically(FILE, text)
    except UserError as error:
        print_error(f"your progress is not kept: {error}")
