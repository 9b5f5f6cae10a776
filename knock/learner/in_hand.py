"""The question in hand: that of the answer which a learner began or checked last."""

import sys
from pathlib import Path

from knock import frameworks
from knock.errors import UserError
from knock.learner import answers, progress
from knock.questions import Question, all_questions, find
from knock.scripts import notebook

Meant = tuple[Question, str | None, Path | None]
"""A question, and the framework and the file of its answer, each None where that is open."""


def meant(word: str | None, framework: str | None, file: Path | None = None) -> Meant:
    """What the words of a command mean: a question, a script or notebook alone, or nothing.

    Without a word, it is the answer begun or checked last, in `framework` or in any; it is named on
    standard error. Raises UserError where there is none, and for an unknown word.
    """
    if word is None:
        question, name, path = last(framework)
        title = frameworks.FRAMEWORKS[name].title
        print(f"In hand: {question.label} in {title}, {path.as_posix()}", file=sys.stderr)
        return question, name, path
    if file is None and Path(word).suffix in (".py", notebook.SUFFIX):
        file = Path(word)
        return _of_file(file), framework, file
    return find(word), framework, file


def last(framework: str | None) -> tuple[Question, str, Path]:
    """The answer in hand. Raises UserError for an unknown framework, and where there is none."""
    if framework is not None:
        frameworks.find(framework)
    known = {question.name: question for question in all_questions()}
    for one in reversed(progress.answers()):
        wanted = framework in (None, one.framework) and one.framework in frameworks.FRAMEWORKS
        if wanted and one.question in known and one.path.is_file():
            return known[one.question], one.framework, one.path
    there = [  # their progress is lost, or was never here
        (file.stat().st_mtime, question, name, file)
        for question in known.values()
        for name in question.answered_in
        if framework in (None, name) and (file := answers.file_of(question, name)).is_file()
    ]
    if there:
        return max(there, key=lambda one: one[0])[1:]
    begin = f"knock start {next(iter(known))}" + (f" --framework {framework}" if framework else "")
    raise UserError(f"no question is in hand here; begin one with {begin}, or name one")


def _of_file(file: Path) -> Question:
    """The question that a file answers, as remembered or by its name."""
    for one in reversed(progress.answers()):
        if one.path.resolve() == file.resolve() and one.question in _names():
            return find(one.question)
    found = [name for name in _names() if file.stem == name or file.stem.startswith(f"{name}_")]
    if not found:
        raise UserError(f"which question does {file} answer? Name it: knock check ae {file}")
    return find(max(found, key=len))


def _names() -> list[str]:
    return [question.name for question in all_questions()]
