"""`knock compare`: the same run in every framework, and one sheet that shows it."""

from collections.abc import Sequence
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.files import make_folder
from knock.frameworks import FRAMEWORKS
from knock.questions import Question
from knock.training import options, sheet, started
from knock.training.table import aligned

SHEET = sheet.FILE_NAME


class Stopped(Exception):
    """A framework's run ended early; its own line has said why. Carries the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def compare(question: Question, chosen: Sequence[str], folder: Path, words: Sequence[str]) -> Path:
    """Train `question` in each of the chosen frameworks, then draw the sheet into `folder`.

    `words` are the options of a run; `--out` is not among them. Returns the sheet's path. Raises
    UserError for options that no run takes, and Stopped when a run does not end well.
    """
    if question.opens:
        raise UserError(f"question {question.label} trains nothing; compare {question.opens}")
    said = options.parse(question, f"knock compare {question.name}", words)
    if said.resume or said.test:
        raise UserError("compare trains anew; --resume and --test are options of knock run")
    make_folder(folder)
    for name in chosen:
        code = started.run(question.answer(name), [*words, "--out", str(folder / name)])
        if code:
            raise Stopped(code)
    path, table = draw(question, chosen, folder)
    print("\n".join(aligned(table)))
    return path


def draw(question: Question, chosen: Sequence[str], folder: Path) -> tuple[Path, list[list[str]]]:
    """Draw the sheet of runs that are in `folder` already, one subfolder a framework.

    Returns the sheet's path, and the table, the first row its head. Raises UserError for what
    cannot be read.
    """
    path = folder / SHEET
    runs = {FRAMEWORKS[name].title: folder / name for name in chosen}
    return path, sheet.draw(path, runs, by_framework=True)


def choose(question: Question, wanted: str | None) -> list[str]:
    """The frameworks to compare: those in the comma-separated `wanted`, else all installed.

    Raises UserError for an unknown or missing one, and when there are none.
    """
    if wanted is not None:
        names = list(dict.fromkeys(name.strip() for name in wanted.split(",")))
        for name in names:
            frameworks.find(name)
            if FRAMEWORKS[name].missing:
                raise UserError(frameworks.missing_line(FRAMEWORKS[name]))
    else:
        names = frameworks.installed()
    chosen = [name for name in names if name in question.answered_in]
    if not chosen:
        raise UserError("no framework is installed; knock doctor says how to get one")
    return chosen
