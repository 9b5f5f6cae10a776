"""The rooms of `knock/`: imports run down only, and whoever breaks that is stopped."""

import shutil
import subprocess
import sys

from knock import paths
from tests.conftest import group

import pytest

pytest.importorskip("importlinter", reason="needs import-linter")


@pytest.mark.parametrize(
    ("room", "line", "said"),
    [
        ("recipe/levels.py", "from knock.check import trace", "knock.recipe is not allowed"),
        ("training/record.py", "from knock.scripts import load", "knock.training is not allowed"),
        ("attic.py", "", "knock.attic"),
    ],
)
def test_an_import_upwards_or_a_room_without_a_place_is_red(room, line, said, tmp_path):
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.PACKAGE, tmp_path / "knock", ignore=ignore)
    shutil.copy(paths.ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "knock" / room).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout


def test_tests_that_share_what_they_make_are_one_workers():
    assert group("tests/test_run.py::test_a[b]") == group("tests/test_run.py::test_c")
    verify = "tests/test_verify.py::test_a_planted_mistake"
    assert group(f"{verify}[gan-keras-no β]") == group(f"{verify}[gan-chainer-x]")
    assert group(f"{verify}[gan-keras-no β]") != group(f"{verify}[wgan-keras-no β]")
