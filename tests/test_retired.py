"""An old checkpoint opens and goes on, although its recipe has a constant that ours has retired.

The fixture is a run of question 11 from the days when `--level 2` trained one level by itself: two
steps in PyTorch of `--size 16 --z 2 --g-hidden 2 --d-hidden 2 --g-width 1 --d-width 1`, level 0.
"""

import shutil
from dataclasses import replace

from knock import frameworks, paths, questions, recipe
from knock.training import checkpoint, loss_log
from tests.helpers import answer, one_line, run

import numpy as np
import pytest
from msgspec import structs

OLD = paths.ROOT / "tests" / "fixtures" / "0.1.0" / "lapgan"
FILE = questions.find("lapgan").recipe_file
QUIETLY = ["--threads", "1", "--device", "cpu", "--quiet"]


def with_level(level):
    found = checkpoint.load(OLD)
    constants = {**found.recipe.constants, "level": level}
    return replace(found, recipe=structs.replace(found.recipe, constants=constants))


@pytest.fixture
def script():
    if not frameworks.installed():
        pytest.skip("no framework is installed")
    return answer("lapgan", frameworks.installed()[0])


def test_it_goes_on_and_is_then_as_any_other(script, tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    done = run(script, "--resume", "run", "--steps", "4", *QUIETLY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    new, old = checkpoint.load(tmp_path / "run"), checkpoint.load(OLD)
    assert (old.step, new.step) == (2, 4)
    assert old.recipe.constants.pop("level") == 0
    assert new.recipe.constants == old.recipe.constants
    assert new.state.keys() == old.state.keys()
    key = "generator2.conv1.weight"
    assert not np.array_equal(new.state[key], old.state[key])
    assert loss_log.read(tmp_path / "run")["step"] == [1, 2, 3, 4]


def test_it_can_be_tested(script, tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    done = run(script, "--test", "run", *QUIETLY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "test.png").exists()


def test_with_a_value_that_changed_something_it_is_refused(script, tmp_path):
    checkpoint.save(tmp_path / "level2.safetensors", with_level(2))
    words = ["--resume", "level2.safetensors", "--out", "on", *QUIETLY]
    line = one_line(run(script, *words, cwd=tmp_path))
    assert "level2.safetensors is of another recipe" in line and "constants.level" in line
    assert not (tmp_path / "on").exists()


def test_only_what_is_retired_is_dropped():
    old = with_level(0).recipe
    assert "level" not in recipe.without_retired(old, FILE).constants
    assert recipe.without_retired(with_level(2).recipe, FILE).constants["level"] == 2
    other = structs.replace(old, constants={"levels": 0})
    assert recipe.without_retired(other, FILE) == other
