"""The learner's editor, as the environment names it."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from knock.errors import UserError

_NAMES = ("VISUAL", "EDITOR")
"""As git, crontab and others ask for it, in this order."""


def command() -> list[str]:
    """The editor's program and its own arguments, as in "code -w".

    Raises UserError if none is named, or there is no such program.
    """
    name = next((name for name in _NAMES if os.environ.get(name, "").strip()), None)
    if name is None:
        raise UserError('--open needs your editor: set VISUAL or EDITOR to it, such as "code -w"')
    words = _words(os.environ[name].strip(), name)
    program = shutil.which(words[0])
    if program is None:
        raise UserError(f"no program {words[0]!r}, which {name} names as your editor")
    return [program, *words[1:]]


def _words(said: str, name: str) -> list[str]:
    if shutil.which(said):  # a path with spaces in it
        return [said]
    try:
        if os.name == "nt":  # there a backslash is part of a path
            return [word.strip('"') for word in shlex.split(said, posix=False)]
        return shlex.split(said)
    except ValueError as error:
        raise UserError(f"{name} is {said!r}: {error}") from None


def open_in(program: list[str], file: Path) -> None:
    """Open a file, and wait until the program ends. Raises UserError if it fails."""
    code = subprocess.run([*program, str(file)]).returncode
    if code:
        raise UserError(f"{program[0]} ended with exit code {code}; {file} is written")
