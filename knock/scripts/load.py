"""Loads an answer's script as a module.

This is the only place in the package that runs an answer's code.
"""

import importlib.util
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from knock.errors import UserError
from knock.scripts import notebook
from knock.scripts.raised import describe

_numbers = itertools.count()


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


def _is_own(found: Any, module: ModuleType) -> bool:
    return isinstance(found, type) and found.__module__ == module.__name__


def model_class(module: ModuleType, name: str, path: Path) -> Callable[..., Any]:
    """The class that the question asks for. Raises UserError if the file does not define it."""
    found = getattr(module, name, None)
    if not callable(found):
        mine = [one for one, kind in vars(module).items() if _is_own(kind, module)]
        have = f"; its classes are {', '.join(mine)}" if mine else ""
        raise UserError(f"{path} defines no class {name}{have}")
    return found  # type: ignore[no-any-return]
