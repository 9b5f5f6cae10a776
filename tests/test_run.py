"""Training runs, from the command line to the folder: the same answer in every framework."""

import json
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

from knock import frameworks
from knock.data import images
from knock.training import checkpoint, loss_log, recorder
from knock.training.record import read_pictures, read_run
from tests.helpers import TINY, answer, one_line, run, run_here, run_plain

import cv2
import numpy as np
import pytest

INSTALLED = frameworks.installed()

LIGHTEST = next((f for f in ("chainer", "pytorch") if f in INSTALLED), None)
"""The framework that is imported fastest, for what has to be a process and is knock's own work."""

needs_lightest = pytest.mark.skipif(LIGHTEST is None, reason="needs Chainer or PyTorch")


def trained(framework, folder, *words, run=run_here, steps=6):
    """Train for a few steps into `folder`; returns what is left of it when it has ended."""
    return run(
        answer("ae", framework), *TINY, "--steps", str(steps), "--out", folder, *words,
        cwd=folder.parent,
    )  # fmt: skip


def same_state(a, b) -> bool:
    a, b = checkpoint.load(a).state, checkpoint.load(b).state
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run of question 01 in every installed framework, each a process of its own."""
    base = tmp_path_factory.mktemp("finished")
    for framework in INSTALLED:
        done = trained(framework, base / framework, "--sample-every", "4", run=run)
        assert done.returncode == 0, done.stderr
    return base


@pytest.mark.parametrize("framework", INSTALLED)
def test_a_run_leaves_everything_in_its_folder(finished, framework):
    folder = finished / framework
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "checkpoint.safetensors",
        "losses.csv",
        "losses.png",
        "result.png",
        "result.safetensors",
        "run.json",
        "samples.gif",
        *(f"samples/step_00000{step}.png" for step in (0, 1, 3, 4)),
        "samples/step_000006.png",
        "strip.png",
    }
    losses = loss_log.read(folder)
    assert losses["step"] == [1, 2, 3, 4, 5, 6]
    assert losses["loss"][-1] < losses["loss"][0]
    told = read_run(folder)
    assert (told["question"], told["framework"], told["step"]) == ("ae", framework, 6)
    assert told["losses"]["loss"] == losses["loss"][-1]
    assert told["classes"] == list("0123456789")
    assert told["history"][0]["versions"]["numpy"] == np.__version__
    pictures = read_pictures(folder / "result.safetensors")
    assert list(pictures) == ["input", "reconstruction"]
    assert {p.shape for p in pictures.values()} == {(8, 32, 32, 1)}


@pytest.mark.parametrize("framework", INSTALLED[1:])
def test_the_first_pictures_are_the_same_in_every_framework(finished, framework):
    """Before any step: the recipe's first weights are all that is seen."""
    a, b = (
        images.read(finished / f / "samples" / "step_000000.png", 3).astype(int)
        for f in (INSTALLED[0], framework)
    )
    assert abs(a - b).max() <= 1 and a.std() > 10


@pytest.mark.parametrize("framework", INSTALLED[1:])
def test_every_framework_takes_the_same_run(finished, framework):
    first, other = (loss_log.read(finished / f)["loss"] for f in (INSTALLED[0], framework))
    assert np.allclose(first, other, rtol=1e-5)
    a, b = (read_pictures(finished / f / "result.safetensors") for f in (INSTALLED[0], framework))
    assert np.array_equal(a["input"], b["input"])
    difference = a["reconstruction"].astype(int) - b["reconstruction"].astype(int)
    assert abs(difference).max() <= 1


@pytest.mark.parametrize("framework", INSTALLED)
def test_stopping_and_going_on_changes_no_bit(finished, framework, tmp_path):
    assert trained(framework, tmp_path / "a", steps=2).returncode == 0
    again = trained(framework, tmp_path / "a", "--resume", "--sample-every", "4")
    assert again.returncode == 0, again.stderr
    assert same_state(tmp_path / "a", finished / framework)
    assert loss_log.read(tmp_path / "a") == loss_log.read(finished / framework)
    whole = finished / framework / checkpoint.FILE_NAME
    assert (tmp_path / "a" / checkpoint.FILE_NAME).read_bytes() == whole.read_bytes()
    (stretch,) = read_run(tmp_path / "a")["history"]
    assert (stretch["from_step"], stretch["to_step"]) == (0, 6)


@pytest.mark.skipif(len(INSTALLED) < 2, reason="needs two frameworks")
def test_one_framework_goes_on_where_another_stopped(finished, tmp_path):
    first, other = INSTALLED[0], INSTALLED[-1]
    assert trained(first, tmp_path / "a", steps=3).returncode == 0
    done = trained(other, tmp_path / "b", "--resume", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    told = read_run(tmp_path / "b")
    assert [s["framework"] for s in told["history"]] == [first, other]
    assert np.allclose(
        loss_log.read(tmp_path / "b")["loss"], loss_log.read(finished / first)["loss"], 1e-5
    )
    a, b = (checkpoint.load(f).state for f in (tmp_path / "b", finished / first))
    assert all(np.allclose(a[key], b[key], atol=1e-5) for key in a)
    assert checkpoint.load(tmp_path / "a").step == 3  # the source is left as it was


SLOW = ["--steps", "600", "--save-every", "3", "--sample-every", "300"]


def start(folder, *words):
    command = [sys.executable, str(answer("ae", LIGHTEST)), *TINY, *SLOW, "--out", str(folder)]
    return subprocess.Popen(
        [*command, *words], cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def wait_until_begun(folder):
    deadline = time.monotonic() + 60
    while not (folder / checkpoint.FILE_NAME).exists():
        assert time.monotonic() < deadline, "the run never began"
        time.sleep(0.01)


@needs_lightest
def test_a_killed_run_ends_like_one_that_was_not(tmp_path):
    words = [*TINY, *SLOW, "--out", tmp_path / "whole"]
    assert run_here(answer("ae", LIGHTEST), *words, cwd=tmp_path).returncode == 0
    chance = random.Random(0)
    for kills in range(2):
        killed = start(tmp_path / "killed", *(["--resume"] if kills else []))
        wait_until_begun(tmp_path / "killed")
        time.sleep(chance.uniform(0.0, 0.3))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert checkpoint.load(tmp_path / "killed").step < 600  # the kills came in time
    last = start(tmp_path / "killed", "--resume")
    output = last.communicate()[0]
    assert last.returncode == 0, output
    assert checkpoint.load(tmp_path / "killed").step == 600
    assert same_state(tmp_path / "whole", tmp_path / "killed")
    assert loss_log.read(tmp_path / "whole") == loss_log.read(tmp_path / "killed")


@needs_lightest
def test_ctrl_c_saves_and_leaves(tmp_path):
    stopped = start(tmp_path / "a", "--steps", "100000", "--save-every", "100000")
    wait_until_begun(tmp_path / "a")
    time.sleep(0.3)
    stopped.send_signal(signal.SIGINT)
    output = stopped.communicate()[0].decode()
    assert stopped.returncode == 130
    assert "Traceback" not in output
    saved = checkpoint.load(tmp_path / "a")
    assert f"stopped after step {saved.step}; go on with: --resume" in output
    assert saved.step > 0
    assert loss_log.read(tmp_path / "a")["step"][-1] == saved.step


def test_going_on_before_there_is_anything_begins(tmp_path):
    pytest.importorskip("torch")
    done = trained("pytorch", tmp_path / "new", "--resume", steps=2)
    assert done.returncode == 0, done.stderr
    assert checkpoint.load(tmp_path / "new").step == 2


def test_losses_that_are_not_finite_stop_the_run(tmp_path):
    pytest.importorskip("torch")
    source = answer("ae", "pytorch").read_text(encoding="utf-8")
    script = tmp_path / "ae_pytorch.py"
    script.write_text(source.replace('{"loss": loss.detach()}', '{"loss": loss.detach() / 0}'))
    done = run_here(script, *TINY, "--steps", "3", "--out", tmp_path / "a", cwd=tmp_path)
    line = one_line(done)
    assert "loss is inf at step 1" in line
    assert checkpoint.load(tmp_path / "a").step == 0


def test_showing_what_a_run_learnt_trains_nothing(finished, tmp_path):
    pytest.importorskip("torch")
    before = (finished / "pytorch" / checkpoint.FILE_NAME).read_bytes()
    done = run_here(answer("ae", "pytorch"), "--test", finished / "pytorch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = read_pictures(finished / "pytorch" / "test.safetensors")
    last = read_pictures(finished / "pytorch" / "result.safetensors")
    assert np.array_equal(shown["reconstruction"], last["reconstruction"])
    assert (finished / "pytorch" / checkpoint.FILE_NAME).read_bytes() == before
    for name in ("test.png", "test.safetensors"):
        (finished / "pytorch" / name).unlink()


PLAIN = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1"]


def drawn(folder):
    """The steps of a run's sample pictures."""
    return sorted(int(path.stem[5:]) for path in (folder / "samples").iterdir())


def test_samples_come_early_then_regularly_and_change_no_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*PLAIN, "--quiet", "--sample-every", "50"]
    assert run_plain(*words, "--steps", "120", "--out", "whole") == 0
    assert drawn(tmp_path / "whole") == [0, 1, 3, 10, 30, 50, 100, 120]

    def train(learner, model):
        for batch in learner.batches():
            learner.log(model.train_step(batch))

    none = {"train": train, "sample": lambda learner, model: None}
    assert run_plain(*words, "--steps", "120", "--out", "none", **none) == 0
    assert same_state(tmp_path / "whole", tmp_path / "none")
    assert run_plain(*words, "--steps", "2", "--out", "begun") == 0
    for path in (tmp_path / "begun" / "samples").iterdir():
        path.unlink()
    assert run_plain("--quiet", "--steps", "40", "--resume", "begun") == 0
    assert drawn(tmp_path / "begun") == [3, 10, 30, 40]  # the first is not drawn again


def test_a_run_says_first_what_it_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in (["--steps", "2"], ["--steps", "4", "--resume"]):
        assert run_plain(*PLAIN, *words, "--out", "a") == 0
    first, _, again, _ = capsys.readouterr().out.splitlines()
    assert first == (
        "01 ae in numpy (ae_numpy.py): digits (1415 + 382 test pictures of 8×8, 10 classes), "
        "preset quick, 2 steps of 2, CPU, 1 thread → a"
    )
    assert "4 steps of 2 from step 2, CPU" in again
    assert run_plain(*PLAIN, "--quiet", "--steps", "2", "--out", "b") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_picture_is_changed_in_one_thread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cv2.setNumThreads(2)
    assert run_plain(*PLAIN, "--quiet", "--steps", "1", "--out", "a") == 0
    assert cv2.getNumThreads() == 1


def test_checkpoints_are_left_out_where_saving_costs_much(tmp_path, monkeypatch):
    """The first and the last are always written; the resumed run ends the same."""
    monkeypatch.chdir(tmp_path)
    saved, save = [], checkpoint.save

    def spied(path, made):
        saved.append(made.step)
        save(path, made)

    monkeypatch.setattr(checkpoint, "save", spied)
    words = [*PLAIN, "--quiet", "--steps", "6", "--save-every", "2"]
    monkeypatch.setattr(recorder, "_SAVING", 1e-9)  # of the time: never
    assert run_plain(*words, "--out", "a") == 0
    assert saved == [0, 6]
    saved.clear()
    monkeypatch.setattr(recorder, "_SAVING", 1e9)
    monkeypatch.setattr(recorder.ThreadPoolExecutor, "submit", at_once)
    assert run_plain(*words, "--out", "b") == 0
    assert saved == [0, 2, 4, 6]


def at_once(_, work, *words):
    """A thread pool's `submit` that waits for the work."""
    done = Future()
    done.set_result(work(*words))
    return done


def test_runs_without_out_get_folders_of_their_own(tmp_path):
    pytest.importorskip("torch")
    for _ in range(2):
        words = [*TINY, "--steps", "1"]
        assert run_here(answer("ae", "pytorch"), *words, cwd=tmp_path).returncode == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["ae_pytorch", "ae_pytorch-2"]
    done = run_here(answer("ae", "pytorch"), "--resume", "--steps", "2", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "runs/ae_pytorch-2/run.json").read_text())["step"] == 2
