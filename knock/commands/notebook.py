"""`knock notebook`: makes a notebook of our answer, a starter, or a learner's own file."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from knock import paths
from knock.arguments import file
from knock.errors import UserError

if TYPE_CHECKING:
    from knock.questions import Question

HELP = "make a notebook of an answer, for Jupyter and Colab"


def add_arguments(parser: ArgumentParser) -> None:
    """Which answer, whose, and where the notebook goes."""
    parser.add_argument("question", help="number or name")
    parser.add_argument("file", nargs="?", type=file, help="your answer (default: ours)")
    parser.add_argument("--framework", "-f", help="pytorch, tensorflow, keras or chainer")
    parser.add_argument(
        "--starter", action="store_true", help="leave out the parts, for you to write"
    )
    parser.add_argument(
        "--out",
        type=file,
        metavar="FILE",
        help="where the notebook goes (default: my/NAME_FRAMEWORK.ipynb)",
    )
    parser.add_argument("--force", action="store_true", help="keep the old file under a new name")


def run(found: Namespace, rest: list[str]) -> int:
    """Write a notebook of a file, of a starter with `--starter`, or else of our answer.

    Without `--framework` it is the one in a file's name, or the first installed. With `--force` an
    existing file is kept under another name; without, it is an error. Raises UserError; then
    nothing has changed.
    """
    from knock import frameworks
    from knock.learner import answers, progress
    from knock.notebook.make import make
    from knock.questions import find
    from knock.scripts import starter
    from knock.scripts.notebook import SUFFIX, is_notebook, require
    from knock.scripts.source import Source

    require("jupytext")
    question, framework, file = find(found.question), found.framework, found.file
    if file is not None:
        if found.starter:
            raise UserError(f"either --starter or {file}, not both")
        if is_notebook(file):
            raise UserError(f"{file} is a notebook already")
        framework = framework or frameworks.of_file(file)
    elif framework is None and found.out is not None:
        framework = frameworks.in_name(found.out)
    framework = question.framework(framework)
    usual = answers.file_of(question, framework).with_suffix(SUFFIX)
    theirs = found.starter or file is not None
    # Ours gets another name, so that it does not collide with the learner's.
    path = found.out or (usual if theirs else usual.with_stem(f"{usual.stem}_answer"))
    if not is_notebook(path):
        raise UserError(f"--out must name a notebook, such as {path.stem or 'mine'}{SUFFIX}")
    answers.refuse(path, found.force)
    written = f"{paths.my()}/{question.name}_{framework}_notebook.py" if theirs else None
    source = Source.read(file or question.answer(framework)).text
    if found.starter:
        command = f'check("{question.name}", "{framework}", "{written}")'
        last = frameworks.find(framework).channels_last
        source = starter.make(source, question.parts, command, last)
    kept = answers.put(path, make(question, framework, source, written, _page(question, path)))
    if found.starter:
        progress.begun(question, framework, path)
    print(f"{path}: {question.label} in {frameworks.FRAMEWORKS[framework].title}")
    if kept is not None:
        print(f"Your old file is now {kept}")
    print("Open it in Jupyter, or upload it to Colab, and run all cells")
    return 0


def _page(question: "Question", path: Path) -> str:
    """The path of the question's page; a link to it, if the notebook is in the repository."""
    page, folder = question.page, path.resolve().parent
    shown = page.relative_to(paths.ROOT).as_posix()
    if not (paths.IN_CLONE and folder.is_relative_to(paths.ROOT)):
        return f"`{shown}`"
    return f"[{shown}]({Path(os.path.relpath(page, folder)).as_posix()})"
