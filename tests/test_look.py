"""Question 04: one checkpoint, opened in every framework, shows the same latent space."""

import os

from knock import frameworks, questions, recipe
from knock.recipe.weights import initial_weights
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint
from tests.helpers import answer, knock, one_line, run_here

import cv2
import numpy as np
import pytest

INSTALLED = [f for f in frameworks.installed() if answer("vae_latent", f).is_file()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the checkpoint of a VAE; strong first weights stand in for training."""
    folder = tmp_path_factory.mktemp("vae")
    small = {"constants": {"hidden": 16}, "image": [1, 16, 16]}
    resolved = recipe.load(questions.find("vae").recipe_file, "digits", overrides=small)
    state = {k: (3 * v).astype("f4") for k, v in initial_weights(resolved).items()}
    for key, value in list(state.items()):
        state |= {f"optimizer.{key}.{slot}": np.zeros_like(value) for slot in "mv"}
    state["optimizer.step"] = np.array(0, np.int64)
    checkpoint.save(folder / checkpoint.FILE_NAME, Checkpoint(resolved, 0, state, "keras", {}))
    return folder


@pytest.fixture(scope="module")
def looked(trained):
    """What each framework's answer drew."""
    for framework in INSTALLED:
        words = [
            "--vae",
            trained,
            "--device",
            "cpu",
            "--threads",
            "1",
            "--out",
            trained / framework,
        ]
        done = run_here(answer("vae_latent", framework), *words, cwd=trained)
        assert done.returncode == 0, done.stderr
    return trained


@pytest.mark.parametrize("framework", INSTALLED)
def test_it_draws_its_three_pictures(looked, framework):
    names = sorted(path.name for path in (looked / framework).iterdir())
    assert names == ["change.png", "change2.png", "show.png"]
    line = cv2.imread(str(looked / framework / "change.png"))
    assert line.shape[1] == 10 * (4 * 16 + 8) + 8  # ten pictures, enlarged four times
    plane = cv2.imread(str(looked / framework / "change2.png"))
    assert plane.shape == (30 * (16 + 4), 30 * (16 + 2) + 2, 3)


@pytest.mark.parametrize("framework", INSTALLED[1:])
def test_every_framework_shows_the_same_space(looked, framework):
    for name in ("change.png", "change2.png"):
        first, other = (cv2.imread(str(looked / f / name)) for f in (INSTALLED[0], framework))
        assert np.ptp(first) > 100
        assert np.abs(first.astype(int) - other).max() <= 1


def test_the_newest_run_is_opened_without_a_word(trained, tmp_path):
    name = INSTALLED[0]
    assert "no run of vae in runs" in one_line(run_here(answer("vae_latent", name), cwd=tmp_path))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "vae_latent"], "trains nothing"),
        (["run", "vae_latent", "--vae", "nowhere", "--steps", "3"], "--steps"),
        (["run", "vae_latent", "--vae", ""], "must not be empty"),
    ],
)
def test_what_it_cannot_do_is_one_line(words, said, tmp_path):
    assert said in one_line(knock(*words, cwd=tmp_path))
    assert not os.listdir(tmp_path)


def test_another_questions_checkpoint_is_refused(tmp_path):
    resolved = recipe.load(questions.find("ae").recipe_file, "digits")
    made = Checkpoint(resolved, 0, {"x": np.zeros(1, "f4")}, "keras", {})
    checkpoint.save(tmp_path / "c.safetensors", made)
    done = run_here(answer("vae_latent", INSTALLED[0]), "--vae", "c.safetensors", cwd=tmp_path)
    assert "a checkpoint of question ae, not of vae" in one_line(done)
