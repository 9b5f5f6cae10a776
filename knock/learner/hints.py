"""Help with a question, level by level, for the part that a learner is working on."""

from knock import frameworks
from knock.errors import UserError
from knock.learner import progress
from knock.learner.progress import Answer
from knock.questions import Question, find, hint_page

ALL = "all"
"""The name that means every part of a question."""


def show(word: str, level: int, part: str | None = None, framework: str | None = None) -> str:
    """One level of help with a question, as text for a terminal, and how to get the next level.

    It is the help with `part`, or with all parts for `all`. Without `part`, it is the one that the
    learner is working on, in `framework` or the one last used; all parts, if that is not known or
    all are done. If the framework is known, only what concerns it is shown.

    Raises UserError for an unknown question, level, part or framework.
    """
    question = find(word)
    asked = [] if part is None else ["--part", part]
    if framework is not None:
        asked += ["--framework", question.framework(framework)]
    answer = progress.of(question, framework)
    said = []
    if part is None:
        part = at(question, answer) or ALL
        if answer is not None and answer.said:
            said = [f"The last check of {answer.path.as_posix()}: {answer.said}"]
    elif part != ALL:
        _require(question, part)
    if framework is None and part != ALL and answer is not None:
        framework = answer.framework
    command = " ".join(["knock hint", question.name, *asked, "--level", str(level + 1)])
    title, help = text(question, level, part, framework).split("\n\n", 1)
    return "\n\n".join([title, *said, help, further(question, level, command)])


def at(question: Question, answer: Answer | None) -> str | None:
    """The part to work on in an answer: the one that its last check named, else the first not done.

    None if there is no answer, or all of its parts are done.
    """
    if answer is None or not answer.path.is_file():
        return None
    if answer.at in question.parts:
        return answer.at
    return next((part for part in question.parts if part not in answer.done), None)


def text(question: Question, level: int, part: str, framework: str | None) -> str:
    """A level's help with a part, or with `all`, below its title.

    Raises UserError if there is no such level.
    """
    levels = hint_page.read(question.hints_file)
    if level not in levels:
        known = ", ".join(map(str, levels))
        raise UserError(f"no level {level} of hints for {question.label}; choose from: {known}")
    found = levels[level]
    title = f"{question.label} · {found.title}"
    if part != ALL:
        title += f": {part}"
    if framework is not None:
        title += f" in {frameworks.FRAMEWORKS[framework].title}"
    help = found.text if part == ALL else found.of(part)
    if framework is not None:
        help = hint_page.narrow(help, framework)
    return f"{title}\n\n{help}"


def further(question: Question, level: int, how: str) -> str:
    """The line after a level's help: the next level, which `how` shows, or that it was the last."""
    levels = hint_page.read(question.hints_file)
    if level + 1 in levels:
        return f"Not enough? {levels[level + 1].title}: {how}"
    return f"That is all. Once your answer passes, you can see ours: knock solution {question.name}"


def _require(question: Question, part: str) -> None:
    if part not in question.parts:
        known = ", ".join([*question.parts, ALL])
        raise UserError(f"no part {part!r} in {question.label}; choose from: {known}")
