"""Loading an answer's script as a module: ours by question and framework, or anyone's by file.

The one place in the package that runs an answer's code.
"""

import importlib.util
import itertools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from knock.errors import UserError

_numbers = itertools.count()


def load(path: Path) -> ModuleType:
    """Run the file at `path` as a module of its own.

    Raises UserError when it is missing or does not run through.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    # A new name each time: two versions of one file may be looked at in one process.
    spec = importlib.util.spec_from_file_location(f"knock_answer_{next(_numbers)}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Keras and others look up the module that a class is in
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a file that exits has not passed
        raise UserError(f"{path} does not run: {describe(error, path)}") from None
    return module


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
    first = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{text} (line {error.lineno})"
    places = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    return f"{text} (line {places[-1]})" if places else text
