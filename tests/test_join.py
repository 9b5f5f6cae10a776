"""Levels that were trained one by one and joined are the run that trains them all."""

from dataclasses import replace

from knock import frameworks
from knock.errors import UserError
from knock.join import join
from knock.training import checkpoint, loss_log
from knock.training.record import read_pictures, read_run
from tests.helpers import TINY, answer, knock, one_line, run

import numpy as np
import pytest
from msgspec import structs

WIDTHS = ["--g-hidden", "6", "--d-hidden", "5", "--g-width", "2", "--d-width", "2"]
WORDS = [*TINY, *WIDTHS, "--steps", "4", "--sample-every", "2"]
LEVELS = (1, 2, 3)


def trained(framework, folder, *more):
    done = run(answer("lapgan", framework), *WORDS, *more, "--out", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A PyTorch run for each level, each in its own process, and one for all."""
    pytest.importorskip("torch")
    base = tmp_path_factory.mktemp("levels")
    for level in LEVELS:
        trained("pytorch", base / f"level{level}", "--level", str(level))
    trained("pytorch", base / "all")
    return base


def test_joined_levels_are_the_run_of_all_bit_for_bit(runs, tmp_path):
    done = knock("join", *(runs / f"level{k}" for k in (3, 1, 2)), "--out", "joined", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    joined, whole = (checkpoint.load(folder) for folder in (tmp_path / "joined", runs / "all"))
    assert joined.recipe == whole.recipe and joined.step == whole.step == 4
    assert joined.state.keys() == whole.state.keys()
    assert all(np.array_equal(joined.state[key], whole.state[key]) for key in whole.state)
    assert loss_log.read(tmp_path / "joined") == loss_log.read(runs / "all")
    told = read_run(tmp_path / "joined")
    assert told["losses"] == read_run(runs / "all")["losses"]
    assert [stretch["to_step"] for stretch in told["history"]] == [4, 4, 4]


def test_a_joined_run_can_be_tested_and_goes_on_in_any_framework(runs, tmp_path):
    join([runs / f"level{k}" for k in LEVELS], tmp_path / "joined")
    tested = run(answer("lapgan", "pytorch"), "--test", "joined", "--device", "cpu", cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    pixels = read_pictures(tmp_path / "joined" / "test.safetensors")["sample"]
    all_at_once = read_pictures(runs / "all" / "result.safetensors")["sample"]
    np.testing.assert_array_equal(pixels, all_at_once)
    other = frameworks.installed()[-1]
    more = ["--resume", "joined", "--steps", "6", "--out", "on", "--quiet", "--device", "cpu"]
    done = run(answer("lapgan", other), *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert loss_log.read(tmp_path / "on")["step"] == [1, 2, 3, 4, 5, 6]


def test_a_run_of_one_level_shows_it_on_real_pictures(runs):
    rows = read_pictures(runs / "level2" / "result.safetensors")
    assert list(rows) == ["low 2", "residual 2", "sample"]
    whole = read_pictures(runs / "all" / "result.safetensors")
    assert list(whole) == [
        "picture 1",
        "low 2",
        "residual 2",
        "picture 2",
        "low 3",
        "residual 3",
        "sample",
    ]
    assert {row.shape[1:] for row in whole.values()} == {(32, 32, 1)}
    # of an unwritten coarsest level it would be another
    assert not np.array_equal(rows["low 2"], whole["low 2"])


CHANGED = {
    "again2": ("level2", lambda one: one),
    "seed3": ("level3", lambda one: replace(one, recipe=structs.replace(one.recipe, seed=1))),
    "short3": ("level3", lambda one: replace(one, step=2)),
    "batch3": ("level3", lambda one: replace(one, recipe=with_batches_of(one.recipe, 8))),
}
"""Checkpoints that no run here has written: of which run, and what is other."""


def with_batches_of(recipe, count):
    return structs.replace(recipe, train=structs.replace(recipe.train, batch_size=count))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("level1", "level2"), "level 3 of 3 is trained by none of these runs: --level 3"),
        (("level1", "level2", "level3", "again2"), "both trained level 2; name one"),
        (("level1", "level2", "all"), "did not train one level alone"),
        (("level1", "level2", "nothing"), "cannot read the checkpoint"),
        (("level1", "level2", "seed3"), "are of two recipes: seed was 0 and is now 1"),
        (("level1", "level2", "batch3"), "are of two recipes: train.batch_size was 4 and is now 8"),
        (("level1", "level2", "short3"), "has taken 2 steps"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(runs, tmp_path, names, said):
    paths = []
    for name in names:
        source, change = CHANGED.get(name, (name, None))
        paths.append(tmp_path / f"{name}.safetensors" if change else runs / source)
        if change:
            checkpoint.save(paths[-1], change(checkpoint.load(runs / source)))
    with pytest.raises(UserError, match=said):
        join(paths, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_nothing_is_written_over(runs):
    before = (runs / "all" / "checkpoint.safetensors").read_bytes()
    with pytest.raises(UserError, match="holds a run already"):
        join([runs / f"level{k}" for k in LEVELS], runs / "all")
    assert (runs / "all" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("level", ["4", "-1"])
def test_a_level_that_is_none_is_refused(level, tmp_path):
    pytest.importorskip("torch")
    words = [*WORDS, "--level", level, "--out", tmp_path / "a"]
    line = one_line(run(answer("lapgan", "pytorch"), *words, cwd=tmp_path))
    assert f"level {level} is none: 1 to 3" in line
    assert not (tmp_path / "a").exists()
