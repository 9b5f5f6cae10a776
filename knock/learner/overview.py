"""A learner's way through the questions: what is done, and what comes next."""

import shlex
from pathlib import Path

from knock import frameworks, paths
from knock.learner import answers, progress
from knock.learner.progress import Answer
from knock.questions import Question, all_questions

_WIDTH = 13


def show() -> str:
    """The table of `knock progress`: a line for each question, a column for each framework."""
    known = {(one.question, one.framework): one for one in progress.answers()}
    titles = [framework.title for framework in frameworks.FRAMEWORKS.values()]
    rows = [["", *titles]]
    for question in all_questions():
        cells = [_cell(question, known.get((question.name, f))) for f in frameworks.FRAMEWORKS]
        rows.append([question.label, *cells])
    lines = ["  ".join(f"{cell:<{_WIDTH}}" for cell in row).rstrip() for row in rows]
    legend = "✓ passes   ◐ begun: parts that are done   – not begun"
    if any("changed" in line for line in lines):
        legend += "   changed: after it had passed"
    return "\n".join([*lines, "", legend, "What comes next? knock next"])


def _cell(question: Question, answer: Answer | None) -> str:
    if answer is None or not answer.path.is_file():
        return "–"
    if answer.passes:
        return "✓"
    if answer.passed:
        return "◐ changed"
    return f"◐ {len(set(question.parts) & set(answer.done))} of {len(question.parts)}"


def following(framework: str | None) -> str:
    """The text of `knock next`: which question, in a framework or in any, and the command for it.

    Raises UserError for an unknown framework.
    """
    found = ahead(framework)
    if found is None:
        return f"All {len(all_questions())} questions are done. Another framework? knock progress"
    question, answer = found
    if answer is not None:
        return _continue(question, answer)
    known = _known(framework)
    return _begin(question, framework or (known[-1].framework if known else None))


def passed(question: Question, file: Path) -> str:
    """What to do once an answer passes: the command for each, as text for a terminal."""
    commands = {
        f"knock solution {question.name}": "our answer, to compare with yours",
        "knock next": "what comes next, and the command for it",
    }
    if file.suffix == ".py" and "__main__" in file.read_text(encoding="utf-8", errors="replace"):
        what = f"look into a run of {question.opens}" if question.opens else "train it"
        commands = {shlex.join(["python", file.as_posix()]): what, **commands}
    width = max(map(len, commands))
    lines = [f"  {command:<{width}}  # {what}" for command, what in commands.items()]
    return "\n".join([f"{question.label} is done. And now:", *lines])


def ahead(framework: str | None) -> tuple[Question, Answer | None] | None:
    """The question that comes next, in a framework or in any, and the learner's answer, if begun.

    It is the question last worked on, if it does not pass yet; else the next one after it without
    an answer that passes, starting over after the last question. None if all are done. Raises
    UserError for an unknown framework.
    """
    if framework is not None:
        frameworks.find(framework)
    questions = {question.name: question for question in all_questions()}
    known = _known(framework)
    passed = {one.question for one in known if one.passes}
    for one in reversed(known):
        if one.question not in passed:
            return questions[one.question], one
    here = questions[known[-1].question].number if known else 0
    onward = sorted(questions.values(), key=lambda question: question.number <= here)
    return next(((question, None) for question in onward if question.name not in passed), None)


def _known(framework: str | None) -> list[Answer]:
    """The answers whose files exist, in a framework or in any; the last changed comes last."""
    names = {question.name for question in all_questions()}
    return [
        one
        for one in progress.answers()
        if framework in (None, one.framework)
        and one.framework in frameworks.FRAMEWORKS
        and one.question in names
        and one.path.is_file()
    ]


def _continue(question: Question, answer: Answer) -> str:
    title = frameworks.FRAMEWORKS[answer.framework].title
    left = [part for part in question.parts if part not in answer.done]
    if answer.passed:
        state = "it has changed since it passed"
    elif left:
        state = f"left: {', '.join(left)}"
    else:
        state = "all parts are done, but the whole file does not pass yet"
    return "\n".join(
        [
            f"{question.label} in {title}, in {answer.path.as_posix()}: {state}",
            f"Check: {answers.shortest_check(question, answer.framework, answer.path)}",
            f"Stuck? knock hint {question.name}",
        ]
    )


def _begin(question: Question, framework: str | None) -> str:
    command = f"knock start {question.name}"
    if framework in question.answered_in:
        command += f" --framework {framework}"
    page = paths.shown(question.page)
    return f"{question.label}: {question.title}; its page is {page}\nBegin: {command}"
