"""The grader's own start: nothing that a student has handed in may be imported into it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from knock import paths
from knock.errors import UserError
from knock.grade import plain_text

_FOLDERS = ("PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The environment variables that name folders which code is loaded from; "" is the current one."""


def require_safe(folder: Path) -> None:
    """Raise UserError where Python loads code from a folder of submissions, or has loaded some.

    It is not enough to stop looking there: Python itself looks for a `sitecustomize`, and for some
    of its own modules, before anybody can tell it not to.
    """
    if not folder.is_dir():
        return
    place = folder.resolve()
    for name, entry in _entries():
        if _is_in(entry, place):
            raise UserError(
                f"{name} has {entry.resolve()}, where submissions are: Python imports from there; "
                "remove it, or grade from another folder"
            )
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and _is_in(Path(file), place):
            raise UserError(
                f"Python has imported {plain_text.plain(file)} as its own {name}; call "
                "`knock grade` from another folder than that of the submissions"
            )


def _entries() -> Iterator[tuple[str, Path]]:
    """The folders that code is loaded from, and what names each of them."""
    for name in _FOLDERS:
        if os.environ.get(name):
            yield from ((name, Path(entry)) for entry in os.environ[name].split(os.pathsep))
    yield from (("sys.path", Path(entry)) for entry in sys.path)


def _is_in(path: Path, folder: Path) -> bool:
    """Whether it is a student's: below the folder, but no part of this Python or this project."""
    found = path.resolve()
    ours = (Path(sys.prefix), Path(sys.base_prefix), paths.WHOLE)
    return found.is_relative_to(folder) and not any(
        found.is_relative_to(one.resolve()) and one.resolve() != folder for one in ours
    )
