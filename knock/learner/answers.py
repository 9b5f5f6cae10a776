"""The learner's own answers: where they are, and how one is begun, or begun again."""

import shlex
from pathlib import Path

from knock import frameworks, paths
from knock.errors import UserError
from knock.files import keep, make_folder, write_atomically
from knock.learner import progress
from knock.questions import Question, find
from knock.scripts import starter


def file_of(question: Question, framework: str) -> Path:
    """Where a learner's answer is, unless they said otherwise."""
    return progress.FOLDER / question.answer(framework).name


def check_command(question: Question, framework: str, file: Path) -> str:
    """What a learner types to check a file."""
    words = ["knock", "check", question.name, file.as_posix()]
    if frameworks.in_name(file) != framework:
        words += ["--framework", framework]
    return shlex.join(words)


def known(question: Question, framework: str | None) -> tuple[str, Path] | None:
    """The framework and the file of the learner's answer that was last begun or checked.

    Where none is remembered, the first that lies where `knock start` would put it, if there is one.
    """
    last = progress.of(question, framework)
    if last is not None and last.path.is_file():
        return last.framework, last.path
    for one in question.answered_in:
        if framework in (None, one) and file_of(question, one).is_file():
            return one, file_of(question, one)
    return None


def remembered(question: Question, framework: str | None) -> tuple[str, Path]:
    """The same. Raises UserError if there is none."""
    found = known(question, framework)
    if found is None:
        raise UserError(
            f"no answer of yours to question {question.label} is known here; knock start "
            f"{question.name} begins one, and knock check {question.name} FILE checks any"
        )
    return found


def refuse(path: Path, force: bool) -> None:
    """Raise UserError where nothing of a learner's may be written; `force` allows an old file."""
    if path.resolve().parent == paths.ANSWERS:
        raise UserError(f"{path} is in the folder of our answers; choose another --out")
    if path.is_dir():
        raise UserError(f"{path} is a folder; --out must name a file")
    if path.exists() and not force:
        raise UserError(f"{path} is there already; with --force it is kept under another name")


def put(path: Path, text: str) -> Path | None:
    """Write a file for a learner; the copy of what was there, or None.

    Raises UserError, with everything as it was.
    """
    make_folder(path.parent)
    kept = keep(path) if path.exists() else None
    try:
        write_atomically(path, text)
    except UserError:
        if kept is not None:
            kept.unlink()  # what it is a copy of is still in its place
        raise
    return kept


def begin(word: str, framework: str | None, out: Path | None, force: bool) -> str:
    """Write a starter for a learner to fill in; what there is to say about it.

    Without `framework` it is the one in the name of `out`, if there is one, else the first that is
    installed. A file that is there already is kept beside the new one with `force`, and refused
    without. Raises UserError, with everything as it was.
    """
    question = find(word)
    if framework is None and out is not None:
        framework = frameworks.in_name(out)
    framework = question.framework(framework)
    path = out or file_of(question, framework)
    refuse(path, force)
    source = question.answer(framework).read_text(encoding="utf-8")
    command = check_command(question, framework, path)
    text = starter.make(source, question.parts, command)
    kept = put(path, text)
    progress.begun(question, framework, path)
    title = frameworks.FRAMEWORKS[framework].title
    told = [f"{path}: {question.label} in {title} for you to write, part by part:"]
    names = starter.names(source, question.parts)
    told += [f"  {part:<10} {', '.join(ours)}" for part, ours in names.items()]
    if kept is not None:
        told.append(f"What you had there is now {kept}")
    return "\n".join([*told, f"Then: {command}", f"Stuck? knock hint {question.name}"])
