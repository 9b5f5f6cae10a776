"""Loads an answer's script as a module.

This is the only place in the package that runs an answer's code.
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
"""The first line of an error that TensorFlow found while it turned a function into a graph: then
come the places that it went through, and at the end the error."""

_BOLD = re.compile(r"\x1b\[[01]m")
"""Keras prints an error's text in bold, after a line that names the called layer."""


def load(path: Path, code: CodeType | None = None) -> ModuleType:
    """Run the file at `path` as a new module; with `code`, run that instead of the file's text.

    Raises UserError if the file is missing or its code raises.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    # A new name each time: one process may load two versions of one file.
    name = f"knock_answer_{next(_numbers)}"
    if notebook.is_notebook(path):
        # A module without a file, because TensorFlow would read a function's source from that file.
        module = ModuleType(name)
    else:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None:
            raise UserError(f"{path} is not a Python file; name a .py or .ipynb file")
        module = importlib.util.module_from_spec(spec)
    code = code or _compiled(path)
    sys.modules[name] = module  # Keras and others look up the module of a class
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
    """The class that the question asks for. Raises UserError if the file does not define it."""
    found = getattr(module, name, None)
    if not callable(found):
        raise UserError(f"{path} defines no class {name}")
    return found  # type: ignore[no-any-return]


def describe(error: BaseException, path: Path) -> str:
    """An error that an answer's code raised, in one line, with the place in its file."""
    if isinstance(error, SystemExit):
        return f"it ends the program: sys.exit({error.code!r})"
    message = (error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    lines = message.splitlines()
    traced: list[int | None] = []
    if lines and lines[0] == _TRACED:
        traced += map(int, re.findall(rf'"{re.escape(str(path))}", line (\d+)', message))
        text = lines[-1].strip()
    else:
        if bold := _BOLD.search(message):
            lines = message[bold.end() :].splitlines()
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
    last = passed[-1] if passed else None
    return f"{text} ({notebook.place(path, last)})" if last else text
