"""What a hurried, careless or malicious user gives: one line, exit code 2, nothing half-written.

In one process, with the plain NumPy answer: all of this happens in front of any framework.
"""

import errno
import os
import shutil

from knock import cli, files, frameworks, paths
from knock.training import checkpoint, loss_log
from tests.helpers import run_plain

import numpy as np
import pytest
import safetensors
import safetensors.numpy

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]


@pytest.fixture
def answer(monkeypatch, tmp_path, capsys):
    """Call it with words: runs the plain answer in `tmp_path`; the exit code and its lines."""
    monkeypatch.chdir(tmp_path)

    def call(*words, **functions):
        return run_plain(*words, **functions), capsys.readouterr().err.splitlines()

    return call


@pytest.fixture
def trained(answer, tmp_path):
    """A run of four steps in the folder `a`."""
    assert answer(*TINY, "--steps", "4", "--out", "a")[0] == 0
    return tmp_path / "a"


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(found, said=""):
    code, lines = found
    assert code == 2, lines
    assert len(lines) == 1 and lines[0].startswith("knock: ") and said in lines[0], lines


@pytest.mark.parametrize(
    "words",
    [
        ["--code", "0"],
        ["--code", "-3"],
        ["--batch-size", "999999999999999999"],
        ["--out", ""],
        ["--data", ""],
        ["--dataset", ""],
        ["--preset", ""],
        ["--resume", ""],
        ["--test", ""],
        ["--steps", "9" * 30],
        ["--lr", "inf"],
        ["--lr", "1e-400"],
        ["--step", "1"],
        ["--out", "a" * 300],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_odd_values_are_refused(answer, tmp_path, words):
    refused(answer(*TINY, "--steps", "1", *words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--frameworks", ","], ["--frameworks", ""]], ids=str)
def test_compare_of_no_framework_is_refused(words, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("knock.training.compare.compare", lambda *_: pytest.fail("it would train"))
    with pytest.raises(SystemExit) as left:
        cli.main(["compare", "ae", *words])
    refused((left.value.code, capsys.readouterr().err.splitlines()), "framework")


def forged(folder, metadata=None, **changes):
    """Rewrite a run's checkpoint with a right digest; an array changed to None is left out."""
    path = folder / checkpoint.FILE_NAME
    with safetensors.safe_open(path, framework="numpy") as file:
        told = file.metadata()
        losses = file.get_tensor("losses")
    state = {**checkpoint.load(path).state, **changes}
    state = {name: array for name, array in state.items() if array is not None}
    told = {**told, **(metadata or {}), "digest": checkpoint.digest(state)}
    told["seal"] = checkpoint._seal(told, losses)
    path.write_bytes(safetensors.numpy.save({**state, "losses": losses}, told))


WEIGHT = "decoder.fc.weight"
FORGED = {
    "an array missing": {WEIGHT: None},
    "an optimiser's array missing": {f"optimizer.{WEIGHT}.m": None},
    "the optimiser's count missing": {"optimizer.step": None},
    "another shape": {WEIGHT: np.zeros((3, 3), np.float32)},
    "a shape that spreads": {WEIGHT: np.zeros((1, 1), np.float32)},
    "one number": {WEIGHT: np.zeros((), np.float32)},
    "not a number": {WEIGHT: np.full((64, 64), np.nan, np.float32)},
    "a row of counts": {"optimizer.step": np.arange(3)},
    "a count below 0": {"optimizer.step": np.array(-5)},
    "an array too many": {"zzz": np.zeros(3)},
}


@pytest.mark.parametrize("case", FORGED)
def test_a_checkpoint_whose_arrays_do_not_fit_is_refused(answer, trained, case):
    forged(trained, **FORGED[case])
    before = contents(trained)
    refused(answer("--resume", "a", "--steps", "6", "--quiet"), "a")
    assert contents(trained) == before


@pytest.mark.parametrize(
    "metadata",
    [
        {"step": "-1"},
        {"versions": "[" * 100_000},
        {"recipe": "[" * 100_000},
        {"past": "[" * 100_000},
        {"past": "5"},
        {"past": '{"history": [5]}'},
        {"past": '{"history": [], "losses": [], "data": null, "init": null, "classes": []}'},
    ],
    ids=lambda told: " ".join(told),
)
def test_a_checkpoint_whose_description_is_odd_is_refused(answer, trained, metadata):
    forged(trained, metadata)
    before = contents(trained)
    refused(answer("--resume", "a", "--steps", "6", "--quiet"))
    assert contents(trained) == before


RUN_JSON = [b'{"history": 5}', b'{"history": null}', b'{"data": 5}', b"[]", b"[" * 100_000]
LOSSES = [b"step,foo\n1,1\n", b"loss\n1\n", b"hello\nworld\n", b"\xff\xfe", b"step,loss\n",
          b"step,loss\n1," + b"9" * 200_000 + b"\n"]  # fmt: skip


@pytest.mark.parametrize("content", RUN_JSON, ids=lambda raw: str(raw[:20]))
def test_a_damaged_record_of_a_run_is_refused(answer, trained, content):
    (trained / "run.json").write_bytes(content)
    before = contents(trained)
    refused(answer("--resume", "a", "--steps", "6", "--quiet"), "run.json")
    assert contents(trained) == before


@pytest.mark.parametrize("content", LOSSES, ids=lambda raw: str(raw[:20]))
def test_a_damaged_table_of_losses_is_written_again_from_the_checkpoint(answer, trained, content):
    file = trained / loss_log.FILE_NAME
    before = file.read_bytes()
    file.write_bytes(content)
    assert answer("--resume", "a", "--steps", "6", "--quiet")[0] == 0
    assert file.read_bytes().startswith(before) and loss_log.read(trained)["step"][-1] == 6


@pytest.mark.parametrize("cut", ["5", "5,", "5,0.", "1"])
def test_a_last_row_cut_by_a_full_disk_is_dropped(answer, trained, cut):
    text = (trained / loss_log.FILE_NAME).read_text()
    (trained / loss_log.FILE_NAME).write_text(text + cut)
    code, lines = answer("--resume", "a", "--steps", "6", "--quiet")
    assert code == 0, lines
    assert loss_log.read(trained)["step"] == [1, 2, 3, 4, 5, 6]


def test_what_a_kill_left_is_swept_away_by_going_on(answer, trained):
    (trained / ".checkpoint.safetensors.abcd1234.part").write_bytes(b"half")
    assert answer("--resume", "a", "--steps", "6", "--quiet")[0] == 0
    assert not list(trained.glob(".*"))


def test_going_on_with_a_finished_run_keeps_its_losses(answer, trained):
    before = (trained / "run.json").read_bytes()
    assert answer("--resume", "a", "--steps", "4", "--quiet")[0] == 0
    assert b'"loss"' in before and b'"loss"' in (trained / "run.json").read_bytes()


@pytest.mark.parametrize("name", [checkpoint.FILE_NAME, "result.png", "run.json"])
def test_a_disk_that_fills_up_in_the_middle_leaves_the_last_state(
    answer, trained, monkeypatch, name
):
    """By hand it was tried with a real one: mount -t tmpfs -o size=3300k."""
    monkeypatch.setattr(files.os, "replace", _full_for(name, os.replace))
    refused(answer("--resume", "a", "--steps", "8", "--save-every", "2", "--quiet"), "disk is full")
    monkeypatch.undo()
    assert checkpoint.load(trained).step >= 4
    assert not list(trained.rglob(".*"))


def _full_for(name, replace):
    def fail(old, new):
        if os.path.basename(new) == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    return fail


@pytest.mark.skipif(os.name != "posix", reason="a folder cannot be locked")
def test_a_second_writer_of_a_folder_is_refused_until_the_first_is_gone(answer, trained):
    half = trained / ".result.png.abcd1234.part"
    before = contents(trained)
    with files.only_writer(trained):
        half.write_bytes(b"the first one is still writing this")
        refused(answer("--resume", "a", "--steps", "6", "--quiet"), "another run is writing into a")
        assert half.is_file()
        half.unlink()
    assert contents(trained) == before
    assert answer("--resume", "a", "--steps", "6", "--quiet")[0] == 0


@pytest.mark.parametrize("out", ["file", "file/x", "/dev/null", "/proc/x"])
def test_places_that_cannot_be_written(answer, tmp_path, out):
    if out.startswith("/") and not os.path.isdir("/proc"):
        pytest.skip("needs Linux")
    (tmp_path / "file").write_text("x")
    refused(answer(*TINY, "--steps", "1", "--out", out), f"cannot write {out}")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_spaces_and_other_letters_in_a_path(answer, tmp_path):
    assert answer(*TINY, "--steps", "1", "--out", "ü 🦎 run")[0] == 0
    assert (tmp_path / "ü 🦎 run" / "result.png").is_file()


@pytest.mark.skipif("chainer" not in frameworks.installed(), reason="needs Chainer")
def test_a_sample_that_trains_is_refused_where_nothing_is_trained(answer, trained):
    """`sample` is called by `--test`, too."""

    def logs(learner, model):
        learner.log(model.train_step(learner.examples))

    def steps(learner, model):
        next(learner.batches())

    before = contents(trained)
    for sample in (logs, steps):
        refused(answer("--test", "a", sample=sample), "only in train")
        assert contents(trained) == before


def test_a_checked_file_that_leaves_is_refused(tmp_path, capsys):
    (tmp_path / "ae_chainer.py").write_text("import sys; sys.exit(0)\n")
    with pytest.raises(SystemExit) as left:
        cli.main(["check", "ae", str(tmp_path / "ae_chainer.py")])
    refused((left.value.code, capsys.readouterr().err.splitlines()), "ae_chainer.py")


def test_a_recipe_with_an_unknown_key_stops_every_command(answer, tmp_path, monkeypatch):
    copy = tmp_path / "questions"
    shutil.copytree(paths.QUESTIONS, copy)
    file = copy / "01_ae" / "recipe.toml"
    text = file.read_text(encoding="utf-8").replace("[train]", "colour = 3\n[train]")
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(paths, "QUESTIONS", copy)
    refused(answer(*TINY, "--steps", "1"), "colour")
    file.write_text("title = 3\n", encoding="utf-8")
    refused(answer(*TINY, "--steps", "1"), str(file))
