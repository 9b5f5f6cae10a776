"""`knock compare`: the same run in every framework, and one sheet that shows it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from knock import frameworks
from knock.errors import STOPPED, UserError, print_error
from knock.files import make_folder, make_new_folder, write_atomically
from knock.frameworks import FRAMEWORKS
from knock.paths import RUNS
from knock.questions import Question
from knock.training import options, plan, sheet, started
from knock.training.folders import is_run
from knock.training.table import aligned

import msgspec

RESUME = "--resume"

SHEET = sheet.FILE_NAME
PLAN = "compare.json"


class _Plan(msgspec.Struct):
    """What a comparison is of: with it, `--resume` alone is enough to go on."""

    question: str
    frameworks: list[str]
    words: list[str]


class Stopped(Exception):
    """A framework's run ended early; a line has said why. Carries the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def compare(
    question: Question, chosen: Sequence[str] | None, folder: Path | None, words: Sequence[str]
) -> Path:
    """Train `question` in each of the chosen frameworks, then draw the sheet into `folder`.

    Without `folder` it is a new one in runs/. `words` are the options of a run; `--out` is not
    among them. With `--resume` among them, a comparison that was stopped goes on, in its own
    frameworks and with its own options where none are given. `chosen` is None where nobody said
    which. Returns the sheet's path. Raises UserError for options that no run takes, and Stopped
    when a run does not end well.
    """
    if question.opens:
        raise UserError(f"question {question.label} trains nothing; compare {question.opens}")
    program = f"knock compare {question.name}"
    resumes = RESUME in words
    words = [word for word in words if word != RESUME]
    said = options.parse(question, program, words)
    if said.resume or said.test:
        raise UserError("compare resumes in its own folder: --resume takes no path, and no --test")
    if resumes and folder and (found := plan.read(folder / PLAN, _Plan, question, "comparison")):
        chosen, words = chosen or found.frameworks, [*found.words, *words]
        options.parse(question, program, words)
    elif not resumes and folder and (folder / PLAN).exists():
        raise UserError(f"{folder} holds a comparison; add {RESUME}, or choose another --out")
    chosen = chosen or choose(question, None)
    if folder is None:
        folder = make_new_folder(RUNS / f"compare_{question.name}")
    elif not resumes:
        _refuse_foreign(folder, chosen)
    make_folder(folder)
    write_atomically(folder / PLAN, plan.text(_Plan(question.name, [*chosen], words)))
    for name in chosen:
        again = [RESUME] if resumes else []
        code = started.run(question.answer(name), [*words, *again, "--out", str(folder / name)])
        if code:
            if code >= STOPPED:
                print_error(f"go on with: {program} {RESUME} --out {shlex.quote(str(folder))}")
            raise Stopped(code)
    path, table = draw(question, chosen, folder)
    print("\n".join(aligned(table)))
    return path


def _refuse_foreign(folder: Path, chosen: Sequence[str]) -> None:
    """Raise UserError where the sheet would replace a picture that no comparison made."""
    path = folder / SHEET
    if path.exists() and not any(is_run(folder / name) for name in chosen):
        raise UserError(f"{path} is there already, and no run is; choose another --out")


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
