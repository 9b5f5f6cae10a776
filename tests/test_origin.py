"""Where a run begins: with its own recipe's weights, with another run's, or where it stopped.

In one process, with the plain NumPy answer: all of this happens in front of any framework.
"""

import json

from knock import questions, recipe
from knock.errors import UserError
from knock.recipe.weights import initial_weights
from knock.training import checkpoint, whose
from knock.training.checkpoint import Checkpoint
from knock.training.record import read_run
from tests.helpers import answer as ours
from tests.helpers import run_plain

import numpy as np
import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]
AGAIN = ["--threads", "1", "--quiet"]
SET = ["optimizers.optimizer.betas=[0.5,0.9]", "networks.encoder.init=he_uniform",
       "data.digits.augment.shift=0.1", "train.shown=3"]  # fmt: skip


@pytest.fixture
def answer(monkeypatch, tmp_path, capsys):
    """Call it with words: runs the plain answer in `tmp_path`; the exit code and its lines."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        return run_plain(*words), capsys.readouterr().err.splitlines()

    return call


@pytest.fixture
def trained(answer, tmp_path):
    """A run of three steps in the folder `a`."""
    assert answer(*TINY, "--steps", "3", "--out", "a")[0] == 0
    return tmp_path / "a"


def refused(found, said):
    code, lines = found
    assert code == 2, lines
    assert len(lines) == 1 and lines[0].startswith("knock: ") and said in lines[0], lines


def test_a_run_with_settings_goes_on_and_is_shown_by_its_own_recipe(answer, tmp_path):
    given = [word for one in SET for word in ("--set", one)]
    assert answer(*TINY, *given, "--steps", "4", "--out", "whole")[0] == 0
    assert answer(*TINY, *given, "--steps", "2", "--out", "a")[0] == 0
    assert answer(*AGAIN, "--resume", "a", "--steps", "4")[0] == 0
    whole, again = (checkpoint.load(tmp_path / name) for name in ("whole", "a"))
    assert checkpoint.digest(whole.state) == checkpoint.digest(again.state)
    found = again.recipe
    assert found.optimizers["optimizer"].betas == (0.5, 0.9) and found.augment.shift == 0.1
    assert found.networks["encoder"].init == "he_uniform" and found.train.shown == 3
    assert answer(*AGAIN, "--test", "a")[0] == 0
    plain = checkpoint.load(tmp_path / "a").state
    assert answer(*TINY, "--steps", "4", "--out", "plain")[0] == 0
    other = checkpoint.load(tmp_path / "plain").state
    assert not np.array_equal(plain["encoder.fc.weight"], other["encoder.fc.weight"])


@pytest.mark.parametrize("words", [["--lr", "0.5"], ["--set", "optimizers.optimizer.lr=0.5"]])
def test_going_on_with_another_rate_is_refused_and_a_new_run_named(answer, trained, words):
    said = "lr was 0.001 and is now 0.5; --init a begins a new run from its weights"
    refused(answer(*AGAIN, "--resume", "a", "--steps", "5", *words), said)


def test_init_begins_a_new_run_with_the_weights_of_another(answer, trained, monkeypatch):
    """The optimiser begins anew, and where no option says more it is like the other."""
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    states = []
    save = checkpoint.save
    monkeypatch.setattr(
        checkpoint, "save", lambda path, made: (states.append(made), save(path, made))
    )
    assert answer(*AGAIN, "--init", "a", "--out", "b", "--lr", "0.01", "--steps", "2")[0] == 0
    old, first = checkpoint.load(trained), states[0]
    assert first.step == 0 and states[-1].step == 2
    for key, array in first.state.items():
        of_network = key.split(".")[0] in old.recipe.networks
        assert np.array_equal(array, old.state[key] if of_network else np.zeros_like(array)), key
    new = first.recipe
    assert new.image_shape == (1, 8, 8) and new.train.batch_size == 2 and new.train.steps == 2
    assert new.optimizers["optimizer"].lr == 0.01
    told = read_run(trained.parent / "b")
    assert told["init"] == {
        "run": str(trained),
        "framework": "numpy",
        "step": 3,
        "digest": checkpoint.digest(old.state),
    }
    assert [one["from_step"] for one in told["history"]] == [0]
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert answer(*AGAIN, "--resume", "b", "--steps", "3")[0] == 0
    assert read_run(trained.parent / "b")["init"] == told["init"]


def test_init_takes_other_pictures_in_the_size_and_colours_of_the_run(answer, trained):
    words = ["--init", "a/checkpoint.safetensors", "--dataset", "newts", "--out", "b"]
    assert answer(*AGAIN, *words, "--steps", "1", "--dtype", "float64")[0] == 0
    found = checkpoint.load(trained.parent / "b").recipe
    assert (found.dataset, found.image_shape, found.dtype) == ("newts", (1, 8, 8), "float64")
    assert found.augment.rotate > 0  # the set's own


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "16"], "should be (64, 256) (image_shape was (1, 8, 8)"),
        (["--code", "3"], "(constants.code was 64 and is now 3)"),
        (["--set", "constants.code=3"], "(constants.code was 64 and is now 3)"),
        (["--resume"], "not allowed with argument"),
        (["--test"], "not allowed with argument"),
        (["--out", "a"], "a holds a run already"),
        (["--dataset", "cats"], "no data set 'cats'"),
    ],
    ids=str,
)  # fmt: skip
def test_init_of_what_does_not_fit_is_refused(answer, trained, words, said):
    before = sorted(trained.parent.rglob("*"))
    refused(answer(*AGAIN, "--init", "a", "--steps", "1", *words), said)
    assert sorted(trained.parent.rglob("*")) == before


def test_init_needs_a_run_of_the_same_question(answer, tmp_path):
    refused(answer(*TINY, "--init", "nowhere"), "cannot read the checkpoint nowhere")
    resolved = recipe.load(questions.find("convae").recipe_file, "digits")
    made = Checkpoint(resolved, 0, {"x": np.zeros(1)}, "numpy", {})
    checkpoint.save(tmp_path / "other.safetensors", made)
    refused(answer(*TINY, "--init", "other.safetensors"), "of question convae, not of ae")
    assert [path.name for path in tmp_path.iterdir()] == ["other.safetensors"]


def test_the_weights_of_a_run_come_with_its_running_statistics():
    resolved = recipe.load(questions.find("dcgan").recipe_file)
    state = {**initial_weights(resolved), "d_optimizer.step": np.array(3)}
    made = Checkpoint(resolved, 3, state, "numpy", {})
    found = checkpoint.weights(made, resolved, "a")
    assert found.keys() == state.keys() - {"d_optimizer.step"}
    assert any(key.endswith("running_var") for key in found)
    gone = next(key for key in found if key.endswith("running_mean"))
    del state[gone]
    with pytest.raises(UserError, match=f"misses the array {gone}"):
        checkpoint.weights(made, resolved, "a")


def test_a_run_tells_whose_answer_it_is_and_has_its_own_folder(answer, tmp_path):
    assert answer(*TINY, "--steps", "1")[0] == 0  # a file that is none of ours
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == "ae_numpy_mine"
    (stretch,) = json.loads((folder / "run.json").read_text(encoding="utf-8"))["history"]
    assert stretch["answer"] == str(tmp_path / "ae_numpy.py")
    assert whose.of_script(ours("ae", "keras")) == whose.OURS
    assert whose.folder_name("ae", "keras", whose.OURS) == "ae_keras"
    assert answer(*AGAIN, "--resume", "--steps", "2")[0] == 0  # the newest of this answer
    assert read_run(folder)["step"] == 2
