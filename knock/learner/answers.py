"""The learner's own answers: where they are, and how one is begun or started over."""

import shlex
from pathlib import Path

from knock import frameworks, paths
from knock.errors import UserError
from knock.files import keep, make_folder, write_atomically
from knock.learner import progress
from knock.questions import Question, find
from knock.scripts import notebook, starter


def file_of(question: Question, framework: str) -> Path:
    """Where a learner's answer is, unless they chose another file."""
    return paths.my() / question.answer(framework).name


def check_command(question: Question, framework: str, file: Path) -> str:
    """The command that checks a learner's file."""
    words = ["knock", "check", question.name, file.as_posix()]
    if frameworks.in_name(file) != framework:
        words += ["--framework", framework]
    return shlex.join(words)


def shortest_check(question: Question, framework: str, file: Path) -> str:
    """The same, without the file where the question's name alone means it."""
    last = known(question, None)
    if last is not None and last[0] == framework and last[1].resolve() == file.resolve():
        return f"knock check {question.name}"
    return check_command(question, framework, file)


def known(question: Question, framework: str | None) -> tuple[str, Path] | None:
    """The framework and the file of the learner's answer that was last begun or checked.

    If none is remembered, the first one that is where `knock start` would put it; None if there is
    none. Raises UserError for an unknown framework.
    """
    if framework is not None:
        frameworks.find(framework)
    last = progress.of(question, framework)
    if last is not None and last.path.is_file():
        return last.framework, last.path
    for one in question.answered_in:
        if framework in (None, one) and file_of(question, one).is_file():
            return one, file_of(question, one)
    return None


def remembered(question: Question, framework: str | None, other: str = "") -> tuple[str, Path]:
    """The same. Raises UserError also if there is none; `other` ends what it says to do then."""
    found = known(question, framework)
    if found is None:
        raise UserError(
            f"you have no answer to question {question.label} here; begin one with knock start "
            f"{question.name}, or name your file{other}"
        )
    return found


def refuse(path: Path, force: bool) -> None:
    """Raise UserError if a learner's file must not be written here; `force` allows an old file."""
    if path.resolve().parent == paths.ANSWERS:
        raise UserError(f"{path} is in the folder of our answers; choose another --out")
    if path.is_dir():
        raise UserError(f"{path} is a folder; --out must name a file")
    if path.exists() and not force:
        raise UserError(f"{path} exists already; with --force it is kept under another name")


def put(path: Path, text: str) -> Path | None:
    """Write a file for a learner. Returns the copy of the old file, or None if there was none.

    Raises UserError if that fails; then nothing has changed.
    """
    make_folder(path.parent)
    kept = keep(path) if path.exists() else None
    try:
        write_atomically(path, text)
    except UserError:
        if kept is not None:
            kept.unlink()  # the old file is still in its place
        raise
    return kept


def begin(word: str, framework: str | None, out: Path | None, force: bool) -> tuple[Path, str]:
    """Write a starter for a learner to fill in. Returns its file, and the text to print.

    Without `framework` it is the one in the name of `out`, if there is one, else the first
    installed. With `force` an existing file is kept under another name; without, it is an error.
    Raises UserError; then nothing has changed.
    """
    question = find(word)
    if framework is None and out is not None:
        framework = frameworks.in_name(out)
    framework = question.framework(framework)
    path = out or file_of(question, framework)
    refuse(path, force)
    if notebook.is_notebook(path):
        raise UserError(
            f"{path} would be a notebook: knock notebook {question.name} --starter makes one"
        )
    source = question.answer(framework).read_text(encoding="utf-8")
    last = frameworks.find(framework).channels_last
    text = starter.make(source, question.parts, check_command(question, framework, path), last)
    kept = put(path, text)
    progress.begun(question, framework, path)
    title = frameworks.FRAMEWORKS[framework].title
    lines = [f"{path}: {question.label} in {title} for you to write, part by part:"]
    names = starter.names(source, question.parts)
    lines += [f"  {part:<10} {', '.join(ours)}" for part, ours in names.items()]
    if kept is not None:
        lines.append(f"Your old file is now {kept}")
    command = shortest_check(question, framework, path)
    lines += [f"Then: {command}", f"Stuck? knock hint {question.name}"]
    return path, "\n".join(lines)
