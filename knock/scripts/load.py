"""Loading an answer's script as a module: ours by question and framework, or anyone's by file.

The one place in the package that runs an answer's code.
"""

import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from knock.errors import UserError
from knock.scripts import notebook

_numbers = itertools.count()

_TRACED = "in user code:"
"""How an error begins that TensorFlow met while it turned a function into a graph: the places that
it went through follow, and at last the error."""

_BOLD = re.compile(r"\x1b\[[01]m")
"""What Keras sets an error's own words in, behind a line that says which layer was called."""


def load(path: Path, code: CodeType | None = None) -> ModuleType:
    """Run the file at `path` as a module of its own; with `code`, that in the place of its text.

    Raises UserError when it is missing or does not run through.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    # A new name each time: two versions of one file may be looked at in one process.
    name = f"knock_answer_{next(_numbers)}"
    if notebook.is_notebook(path):
        # Of no file: TensorFlow would take what is in that for the source of a function.
        module = ModuleType(name)
    else:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None:
            raise UserError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
    code = code or _compiled(path)
    sys.modules[name] = module  # Keras and others look up the module that a class is in
    try:
        exec(code, vars(module))
    except (Exception, SystemExit) as error:  # a file that exits has not passed
        raise UserError(f"{path} does not run: {describe(error, path)}") from None
    return module


def _compiled(path: Path) -> CodeType:
    """The code of a file as it is now. Raises UserError where it cannot be read, or is no Python.

    A module's own loader would run bytecode that it has kept, even an older text's if that was as
    long and was saved within the same second.
    """
    try:
        return compile(notebook.text(path), str(path), "exec", dont_inherit=True)
    except UserError:  # a notebook's, which says what is wrong with it
        raise
    except Exception as error:
        raise UserError(f"{path} does not run: {describe(error, path)}") from None


def model_class(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    """The class that the question asks for. Raises UserError when the file does not define it."""
    found = getattr(module, name, None)
    if not callable(found):
        raise UserError(f"{path} defines no class {name}")
    return found  # type: ignore[no-any-return]


def describe(error: BaseException, path: Path) -> str:
    """An error that somebody's code raised, in one line, with the place in their file."""
    if isinstance(error, SystemExit):
        return f"it ends the program: sys.exit({error.code!r})"
    told = (error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    lines = told.splitlines()
    traced: list[int | None] = []
    if lines and lines[0] == _TRACED:
        traced += map(int, re.findall(rf'"{re.escape(str(path))}", line (\d+)', told))
        text = lines[-1].strip()
    else:
        if bold := _BOLD.search(told):
            lines = told[bold.end() :].splitlines()
        text = (
            f"{type(error).__name__}: {_BOLD.sub('', lines[0])}" if lines else type(error).__name__
        )
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{text} ({notebook.place(path, error.lineno)})"
    passed = traced or [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    met = passed[-1] if passed else None
    return f"{text} ({notebook.place(path, met)})" if met else text
