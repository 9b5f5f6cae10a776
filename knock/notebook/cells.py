"""What the last cells of a notebook call: start a run, show what came of it, check what is written.

They do what `knock` does in a terminal. An option is said in words, as there; an error is one line.
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
from knock.scripts.notebook import definitions
from knock.training import look, options
from knock.training.folders import newest_of
from knock.training.run import Run, take

_PICTURES = ("result.png", "test.png", "samples.gif", "losses.png")
"""What is shown of a run's folder, where it is there."""

_WRITTEN = "# Written by a notebook's check from its cells, and again by the next.\n"


def launch(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    *functions: Callable[..., None],
    options: str = "",
) -> Path | None:
    """Train an answer, or whatever else its script does, with the options of `knock run`.

    What `main` is given at the end of a script, and no exit. Returns the folder of what it made;
    None, and a line that says why, where nothing was to be made. Raises UserError.
    """
    question = find(name)
    left = starter.left(_typed(), question.parts)
    if left:
        told = "; ".join(f"{part} ({', '.join(names)})" for part, names in left.items())
        print(f"Nothing is trained yet. Still to do: {told}")
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
        return said.out
    run = Run(question, adapter, options.parse(question, "options", words))
    train, sample = functions
    take(run, model_class, train, sample)
    return run.begun.folder


def show(folder: Path | None) -> None:
    """Show the pictures that a run left in its folder; for None, say that there are none."""
    if folder is None:
        print("Nothing to show yet")
        return
    from IPython.display import Image, display

    known = [folder / name for name in _PICTURES if (folder / name).exists()]
    for path in known or sorted(folder.glob("*.png")):
        print(path)
        display(Image(filename=str(path)))


def provide(name: str, framework: str) -> None:
    """Train our answer to a question whose run is needed, unless there is one in any framework."""
    try:
        print(f"{newest_of(name)} is there already")
    except UserError:
        _knock("run", name, "--framework", framework, "--quiet")


def check(name: str, framework: str, file: str) -> None:
    """Check what the cells define, part by part; for that it is written to `file` (my/….py).

    What counts is what was run last, as for the kernel itself. Raises UserError if `file` is
    there and was not written so.
    """
    question, path = find(name), Path(file)
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as there:
            if there.readline() != _WRITTEN:
                raise UserError(f"{path} is a file of its own; name another for your cells")
    make_folder(path.parent)
    write_atomically(path, _WRITTEN + _typed(), "file")
    _knock("check", question.name, path.as_posix(), "--framework", framework)


def _knock(*words: str) -> None:
    """Run the command line in a process of its own: this one's framework stays as it is."""
    print("$", shlex.join(["knock", *words]), flush=True)
    command = [sys.executable, "-P", "-m", "knock", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")


def _typed() -> str:
    """What the cells run so far define, in the order in which they were run."""
    from IPython import get_ipython

    shell = get_ipython()
    cells = shell.user_ns["In"] if shell else []
    return definitions({f"In [{n}]": text for n, text in enumerate(cells) if _is_python(text)})


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(text)
