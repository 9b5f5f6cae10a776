"""The four frameworks by name: which are installed, and how to install the others.

Importing this imports none of them. Each adapter module (`knock.frameworks.pytorch` …) imports its
own framework and offers the functions of `knock.frameworks.adapter.Adapter`.
"""

import gc
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from knock import installing
from knock.errors import UserError, print_error

if TYPE_CHECKING:  # it needs NumPy, whose import takes longer than all of `knock list`
    from knock.frameworks.adapter import Adapter


@dataclass(frozen=True)
class Framework:
    """A framework: its name in options, its title in texts, and the packages that it needs.

    `channels_last` is as in its adapter, which nothing imports to know it.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    channels_last: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """Its packages that are not installed; nothing is imported to find out."""
        return tuple(p for p in self.packages if not _is_there(p))

    @property
    def how_to_install(self) -> str:
        """The command that installs it; in a clone, in the folder of that."""
        if self.name == "chainer":  # its build needs an old setuptools, which pip would not choose
            return 'pip install "setuptools>=77,<81" && pip install --no-build-isolation chainer'
        return installing.command(self.name)


def _is_there(package: str) -> bool:
    """Whether a package is installed; a folder with its name (a run's, say) does not count."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


FRAMEWORKS = {
    f.name: f
    for f in (
        Framework("pytorch", "PyTorch", ("torch",)),
        Framework("tensorflow", "TensorFlow", ("tensorflow",), channels_last=True),
        Framework("keras", "Keras", ("keras", "tensorflow"), channels_last=True),
        Framework("chainer", "Chainer", ("chainer",)),
    )
}
"""In the order in which they are shown everywhere."""


def installed() -> list[str]:
    """The names of the frameworks that can be imported here, in the order shown."""
    return [name for name, framework in FRAMEWORKS.items() if not framework.missing]


def find(name: str) -> Framework:
    """The framework called `name`. Raises UserError for an unknown one."""
    if name not in FRAMEWORKS:
        raise UserError(f"no framework {name!r}; choose from: {', '.join(FRAMEWORKS)}")
    return FRAMEWORKS[name]


def in_name(file: Path) -> str | None:
    """The framework in a file's name, as in dcgan_keras.py; None if there is none."""
    return next((name for name in FRAMEWORKS if name in file.stem), None)


def of_file(file: Path) -> str:
    """The framework in a file's name. Raises UserError if there is none."""
    found = in_name(file)
    if found is None:
        raise UserError(f"which framework is {file} in? Add --framework, or name it …_keras.py")
    return found


def load(name: str) -> "Adapter":
    """Import a framework's adapter. Raises UserError if it is unknown or not installed."""
    framework = find(name)
    if framework.missing:
        raise UserError(missing_line(framework))
    return cast("Adapter", importlib.import_module(f"knock.frameworks.{name}"))


def load_fully(name: str) -> "Adapter":
    """As `load`, for a process that is ready before there is work: no fork of it imports anything.

    The garbage collector leaves alone what is there, so that forks share its memory.
    """
    adapter = load(name)
    adapter.import_late()
    gc.collect()
    gc.freeze()
    return adapter


def require(name: str) -> None:
    """Called first by an adapter: exit with one line and code 2 if its framework is missing.

    A script imports its adapter before the framework, so a user without the framework reads this
    line instead of a traceback.
    """
    framework = FRAMEWORKS[name]
    if framework.missing:
        leave(missing_line(framework))


def missing_line(framework: Framework) -> str:
    """The missing packages of a framework, and the command that installs them."""
    packages = " and ".join(framework.missing)
    return f"{framework.title} needs {packages}, not installed here: {framework.how_to_install}"


def leave(message: str) -> NoReturn:
    """End the program with one line and exit code 2, at a place where no caller catches errors."""
    print_error(message)
    raise SystemExit(2) from UserError(message)
