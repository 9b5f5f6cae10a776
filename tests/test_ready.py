"""What a process that waits for work has done before: in a framework, not in plain NumPy."""

import subprocess
import sys

from knock import frameworks, paths

import pytest


@pytest.mark.skipif(
    "pytorch" not in frameworks.installed(), reason="it is PyTorch that imports late"
)
def test_a_fork_of_a_ready_process_has_its_framework_imported() -> None:
    """PyTorch's first optimiser imports eight hundred modules, which takes longer than a check."""
    program = """
import importlib, sys
importlib.import_module("knock.run")
from knock import frameworks, recipe
from knock.check import trace
from knock.questions import find
adapter, question = frameworks.load_fully("pytorch"), find("ae")
before, file = set(sys.modules), question.answer("pytorch")
made = trace.load(file, adapter, recipe.load_check(question.recipe_file), None)
trace.run(made, file, adapter, recipe.load_check(question.recipe_file), [1])
print(*(name for name in set(sys.modules) - before if "." in name))
"""
    words = [sys.executable, "-c", program]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, check=True)
    assert len(ran.stdout.split()) < 5  # a step itself imports one, and starts a thread by it
