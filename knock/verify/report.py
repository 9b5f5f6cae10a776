"""What `knock verify` prints: a line for each thing in a question, or a table of its mistakes."""

import logging
from collections.abc import Iterator, Sequence

from knock import frameworks, paths
from knock.errors import UserError
from knock.questions import Question, all_questions, find, mistakes
from knock.questions.mistakes import Row
from knock.verify import folder
from knock.verify.trial import Trial


def report(words: Sequence[str], framework: str | None, table: bool) -> int:
    """Print what is found in some questions, or in all; 0 when nothing is wrong, 1 otherwise.

    With `framework` only that one is tried, else all that are installed. Raises UserError for an
    unknown question or framework, and for a framework that is missing.
    """
    questions = [find(word) for word in words] or all_questions()
    names = frameworks.installed() if framework is None else [frameworks.find(framework).name]
    if framework is not None and frameworks.find(framework).missing:
        raise UserError(frameworks.missing_line(frameworks.find(framework)))
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else it warns of each new graph
    lines = _table if table else _lines
    fine = True
    for question in questions:
        for line, good in lines(question, names):
            print(line, flush=True)
            fine &= good
    return 0 if fine else 1


def _lines(question: Question, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The lines about a question, each with whether all is right there."""
    yield f"{question.label}: {question.title}", True
    for name, look in folder.LOOKS.items():
        if name in folder.IN_A_CLONE and not paths.IN_CLONE:
            yield f"  – {name}: only in a clone of the repository", True
            continue
        yield _line(name, wrong := look(question)), not wrong
    trial = None
    for name in names:
        if name not in question.answered_in:
            continue
        title = frameworks.FRAMEWORKS[name].title
        trial = Trial.of(question, name, trial)
        for what, tried in {"answer": trial.answer, "starter": trial.starter}.items():
            yield _line(f"{title}: {what}", wrong := tried()), not wrong
        wrong, count = [], 0
        for one in mistakes.of(question):
            if name in one.made_in:
                count += 1
                found = trial.mistake(one)
                wrong += [f"{one.name}: {found.wrong}"] if found.wrong else []
        yield _line(f"{title}: {count} mistakes named", wrong), not wrong


def _line(name: str, wrong: Sequence[str]) -> str:
    return "\n".join([f"  {'✗' if wrong else '✓'} {name}", *(f"      {one}" for one in wrong)])


def _table(question: Question, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The question's mistakes as a table in Markdown: what the check said in each framework."""
    titles = [frameworks.FRAMEWORKS[name].title for name in names]
    yield f"\n## {question.label}\n", True
    yield f"| mistake | {' | '.join(titles)} |\n|{' --- |' * (len(names) + 1)}", True
    trials: dict[str, Trial] = {}
    for name in names:
        trials[name] = Trial.of(question, name, next(iter(trials.values()), None))
    for row in mistakes.rows(mistakes.of(question)):
        cells = [_cell(row, name, trials[name]) for name in names]
        line = " | ".join([row.name, *(text for text, _ in cells)])
        yield f"| {line.replace(chr(10), ' ')} |", all(good for _, good in cells)


def _cell(row: Row, name: str, trial: Trial) -> tuple[str, bool]:
    """What a check said about a mistake in a framework, and whether it named it."""
    if name not in row.planted:
        return f"– {row.reasons.get(name, '')}".rstrip(), name in row.reasons
    mistake = row.planted[name]
    found = trial.mistake(mistake)
    said = found.said.replace("|", "\\|") or "nothing is red"
    return f"{'✗' if found.wrong else '✓'} {mistake.stage}: {said}", not found.wrong
