"""What the last cells of a notebook call: start a run, show its pictures, check the answer.

They do what `knock` does in a terminal: options are the same words, and an error is one line.
"""

import ast
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knock.errors import UserError
from knock.files import make_folder, write_atomically
from knock.frameworks.adapter import Adapter
from knock.questions import Question, find
from knock.scripts import starter
from knock.scripts.notebook import definitions, seen_through
from knock.training import look, options
from knock.training.folders import newest_of
from knock.training.run import Run, take
from knock.training.whose import NOTEBOOK

_PICTURES = ("result.png", "test.png", "samples.gif", "losses.png")
"""The pictures of a run's folder that are shown, if they exist."""

_WRITTEN = "# Written by a notebook's check from its cells, and again by the next.\n"


def launch(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    *functions: Callable[..., None],
    options: str = "",
) -> Path | None:
    """Do what an answer's script does, usually training, with the options of `knock run`.

    It takes the arguments of a script's `main`, but does not exit. Returns the folder of the
    results; None if there are none, after a line that says why. Raises UserError.
    """
    question = find(name)
    left = starter.left(_typed(), question.parts)
    if left:
        to_do = "; ".join(f"{part} ({', '.join(names)})" for part, names in left.items())
        print(f"Nothing is trained yet. Still to do: {to_do}")
        return None
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise UserError(f"options {options!r}: {error}") from None
    try:
        return _launch(question, adapter, model_class, functions, words)
    except SystemExit:  # `--help` has been shown
        return None


def _launch(
    question: Question,
    adapter: Adapter,
    model_class: Callable[..., Any],
    functions: tuple[Callable[..., None], ...],
    words: list[str],
) -> Path:
    if question.opens:
        said = look.parse(question, "options", adapter.NAME, words)
        seen = look.Look(question, adapter, said)
        functions[0](seen, seen.make(model_class))
        return seen.folder
    run = Run(question, adapter, options.parse(question, "options", words), NOTEBOOK)
    take(run, model_class, *functions)
    return run.begun.folder


def show(folder: Path | None) -> None:
    """Show the pictures in a run's folder; for None, print that there are none."""
    if folder is None:
        print("Nothing to show yet")
        return
    from IPython.display import Image, display

    known = [folder / name for name in _PICTURES if (folder / name).exists()]
    for path in known or sorted(folder.glob("*.png")):
        print(path)
        display(Image(filename=str(path)))


def provide(name: str, framework: str) -> None:
    """Train our answer to a question, unless there already is a run of it in any framework."""
    try:
        print(f"{newest_of(name)} exists already")
    except UserError:
        _knock("run", name, "--framework", framework, "--quiet")


def check(name: str, framework: str, file: str) -> None:
    """Check what the cells define, part by part; it is first written to `file` (my/….py).

    The cell that was run last counts, as in the kernel itself. Raises UserError if `file` exists
    but was not written by such a check.
    """
    question, path = find(name), Path(file)
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as there:
            if there.readline() != _WRITTEN:
                raise UserError(
                    f"{path} was not written by a notebook's check; name another file in "
                    "the check's cell"
                )
    make_folder(path.parent)
    write_atomically(path, _WRITTEN + _typed(), "file")
    _knock("check", question.name, path.as_posix(), "--framework", framework)


def _knock(*words: str) -> None:
    """Run `knock` in another process, so that the framework in this one is not affected."""
    print("$", shlex.join(["knock", *words]), flush=True)
    command = [sys.executable, "-P", "-m", "knock", *words]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    print(done.stdout, end="")


def _typed() -> str:
    """The definitions of all cells run so far, in the order in which they were run."""
    from IPython import get_ipython

    shell = get_ipython()
    cells = shell.user_ns["In"] if shell else []
    plain = {f"In [{n}]": seen_through(text) for n, text in enumerate(cells)}
    return definitions({name: text for name, text in plain.items() if _is_python(text)})


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(text)
