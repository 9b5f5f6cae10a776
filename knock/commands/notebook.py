"""`knock notebook`: an answer, a starter, or a learner's own file as a notebook."""

import os
from pathlib import Path

from knock import frameworks, paths
from knock.errors import UserError
from knock.learner import answers, progress
from knock.notebook.make import make
from knock.questions import Question, find
from knock.scripts import starter
from knock.scripts.notebook import SUFFIX, is_notebook, require
from knock.scripts.source import Source


def write(
    word: str,
    framework: str | None,
    file: Path | None,
    begin: bool,
    out: Path | None,
    force: bool,
) -> str:
    """Write a notebook; what there is to say about it.

    Of `file`, of a starter with `begin`, or else of our answer. Without `framework` it is the one
    in a file's name, or the first that is installed. A file that is there already is kept beside
    the new one with `force`, and refused without. Raises UserError, with everything as it was.
    """
    require("jupytext")
    question = find(word)
    if file is not None:
        if begin:
            raise UserError(f"either --starter or {file}, not both")
        if is_notebook(file):
            raise UserError(f"{file} is a notebook already")
        framework = framework or frameworks.of_file(file)
    elif framework is None and out is not None:
        framework = frameworks.in_name(out)
    framework = question.framework(framework)
    theirs = begin or file is not None
    path = out or _usual(question, framework, theirs)
    if not is_notebook(path):
        raise UserError(f"--out must name a notebook, as in {path.stem or 'mine'}{SUFFIX}")
    answers.refuse(path, force)
    written = f"{progress.FOLDER}/{question.name}_{framework}_notebook.py" if theirs else None
    source = Source.read(file or question.answer(framework)).text
    if begin:
        command = f'check("{question.name}", "{framework}", "{written}")'
        source = starter.make(source, question.parts, command)
    kept = answers.put(path, make(question, framework, source, written, _page(question, path)))
    if begin:
        progress.begun(question, framework, path)
    told = [f"{path}: {question.label} in {frameworks.FRAMEWORKS[framework].title}"]
    if kept is not None:
        told.append(f"What you had there is now {kept}")
    return "\n".join([*told, "Open it in Jupyter, or upload it to Colab, and run all cells"])


def _usual(question: Question, framework: str, theirs: bool) -> Path:
    """Ours and the learner's are not in each other's way."""
    path = answers.file_of(question, framework).with_suffix(SUFFIX)
    return path if theirs else path.with_stem(f"{path.stem}_answer")


def _page(question: Question, path: Path) -> str:
    """The question's page; a link to it from a notebook that lies in the repository, too."""
    page, folder = question.page, path.resolve().parent
    shown = page.relative_to(paths.ROOT).as_posix()
    if not folder.is_relative_to(paths.ROOT):
        return f"`{shown}`"
    return f"[{shown}]({Path(os.path.relpath(page, folder)).as_posix()})"
