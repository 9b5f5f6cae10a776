"""`knock test`: the test suite."""

import importlib.util
import subprocess
import sys
from argparse import ArgumentParser, Namespace

from knock import installing, paths
from knock.errors import UserError

HELP = "run the test suite; other options go to pytest"
TAKES_MORE = True


def add_arguments(parser: ArgumentParser) -> None:
    """It has none of its own."""


def run(found: Namespace, rest: list[str]) -> int:
    """Run pytest on all cores, and return its exit code."""
    paths.require_clone("the tests are")
    if not (importlib.util.find_spec("pytest") and importlib.util.find_spec("xdist")):
        raise UserError(f"the tests need pytest and pytest-xdist: {installing.command('test')}")
    command = [sys.executable, "-m", "pytest", "-n", "auto", *rest]
    return subprocess.run(command, cwd=paths.ROOT).returncode
