"""Settings of the user, of the machine and of a container change no run, or are heeded."""

import json
import math
import os
import shutil

from knock import questions
from knock import recipe as recipes
from knock.data import mirrors, places
from knock.errors import UserError
from knock.measure.examiner import EXAMINERS
from knock.recipe import layers
from knock.training import animation, charts, checkpoint, loss_log, options, process
from tests.helpers import run_plain

import matplotlib
import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1"]
CURVES = {"one": {"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0]}}


def test_the_user_s_settings_of_matplotlib_change_no_figure(tmp_path):
    charts.curve(tmp_path / "a.png", CURVES, "title")
    mine = {"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "savefig.dpi": 7}
    with matplotlib.rc_context(mine):
        charts.curve(tmp_path / "b.png", CURVES, "title")
        assert matplotlib.rcParams["font.size"] == 30  # and their own figures keep them
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_picture_of_the_run_that_cannot_be_drawn_costs_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def fail(*_, **__):
        raise RuntimeError("no LaTeX")

    monkeypatch.setattr(charts, "curve", fail)
    monkeypatch.setattr(animation, "animate", fail)
    assert run_plain(*TINY, "--quiet", "--steps", "2", "--out", "a") == 0
    said = capsys.readouterr().err
    assert "losses.png is not drawn: RuntimeError: no LaTeX" in said and "samples.gif" in said
    assert "Traceback" not in said and (tmp_path / "a" / "strip.png").is_file()


def test_a_sample_that_cannot_be_written_costs_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def train(learner, model):
        for batch in learner.batches():
            learner.log(model.train_step(batch))
            if learner.step == 1:
                shutil.rmtree("a/samples")
                (tmp_path / "a" / "samples").write_text("a file in its place")
            learner.show(input=learner.examples["images"])

    assert run_plain(*TINY, "--quiet", "--steps", "3", "--out", "a", train=train) == 0
    assert "warning: cannot write a/samples" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "a").step == 3


def test_a_run_whose_folder_is_deleted_saves_into_a_new_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def train(learner, model):
        for batch in learner.batches():
            learner.log(model.train_step(batch))
            if learner.step == 2:
                shutil.rmtree("a")

    words = [*TINY, "--quiet", "--out", "a"]
    assert run_plain(*words, "--steps", "3", train=train) == 0
    assert "a is gone, and is made again" in capsys.readouterr().err
    assert run_plain(*words, "--steps", "4", "--resume") == 0
    assert loss_log.read(tmp_path / "a")["step"] == [1, 2, 3, 4]


def test_a_full_disk_under_the_samples_leaves_the_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    from knock.training import recorder

    def full(path, *_):
        if path.name == "step_000003.png":
            raise UserError(f"cannot write {path}: the disk is full")

    monkeypatch.setattr(recorder.pictures, "write_rows", full)
    assert run_plain(*TINY, "--quiet", "--steps", "5", "--out", "a") == 2
    assert checkpoint.load(tmp_path / "a").step == 3


@pytest.fixture
def homeless(monkeypatch):
    """As in `docker run --user 12345`: no HOME, and no user of this number."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    for name in ("HOME", "XDG_CACHE_HOME", "KNOCK_DATA"):
        monkeypatch.delenv(name, raising=False)


def test_a_user_without_a_home_needs_none(homeless, knock, tmp_path, monkeypatch, capsys):
    assert knock("data")[0] == 0
    assert run_plain(*TINY, "--quiet", "--steps", "1", "--out", "a") == 0
    assert EXAMINERS.files() == [] and EXAMINERS.read("x") is None
    EXAMINERS.write("x", {})  # is not kept
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_user_without_a_home_is_told_where_downloads_may_go(homeless, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="no home folder .* set KNOCK_DATA"):
        mirrors.fetch(mirrors.Remote("x", 1, "0"), "mnist", [])
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path))
    assert places.downloads("mnist", "x").is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("wish", "threads"), [("1", 1), ("3", 3), ("4,2", 4), ("", 7), ("0", 7), ("many", 7), ("-1", 7)]
)
def test_omp_num_threads_is_a_wish(wish, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    monkeypatch.setattr(process, "cores", lambda: 8)
    assert options.spare_cores() == threads


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "odd"}, 64),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_a_container_s_share_of_the_cores_counts(files, cores, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(process, "_CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert process.cores() == cores
    assert math.isinf(process._quota(tmp_path / "nowhere"))


def test_a_byte_order_mark_in_the_losses_does_no_harm(tmp_path):
    (tmp_path / loss_log.FILE_NAME).write_bytes(b"\xef\xbb\xbfstep,loss\n1,0.5\n")
    assert loss_log.read(tmp_path) == {"step": [1.0], "loss": [0.5]}


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_what_is_wrong_with_a_checkpoint_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="it is no file"):
        checkpoint.load(tmp_path / "pipe")
    with pytest.raises(UserError, match="No such file"):
        checkpoint.load(tmp_path / "nothing")
    with pytest.raises(UserError, match="Not a directory"):
        (tmp_path / "file").write_text("x")
        checkpoint.load(tmp_path / "file" / "x")


TRAINING = [question for question in questions.all_questions() if not question.opens]


@pytest.mark.parametrize("question", TRAINING, ids=lambda question: question.name)
def test_a_batch_that_no_normalisation_can_take_is_refused_for_every_framework(question):
    """The variance of one number is 0, and the unbiased one is 0 / 0."""

    def of(size):
        return recipes.load(question.recipe_file, overrides={"train": {"batch_size": size}})

    layers.require_statistics(of(2))
    single = any(
        isinstance(one.layer, recipes.kinds.BatchNorm) and math.prod(one.input[1:]) == 1
        for network in layers.networks(of(1)).values()
        for one in network.layers
    )
    assert single == (question.name in BATCHES)
    if single:
        with pytest.raises(UserError, match="take --batch-size 2 or more"):
            layers.require_statistics(of(1))
    else:
        layers.require_statistics(of(1))


BATCHES = {"dcgan", "cgan", "wgan", "wgan_gp", "alpha_gan", "gan_landscape"}


def test_a_batch_of_one_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def refuse(recipe):
        raise UserError("too small")

    monkeypatch.setattr(layers, "require_statistics", refuse)
    assert run_plain(*TINY, "--steps", "1", "--out", "a") == 2
    assert not list(tmp_path.iterdir())


def test_keras_settings_of_the_user_change_no_network(monkeypatch):
    keras = pytest.importorskip("keras")
    from knock.frameworks import keras as adapter

    before = json.loads(json.dumps([keras.config.image_data_format(), keras.config.epsilon()]))
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_epsilon(0.1)
        adapter.setup("cpu", "float32")
        assert keras.config.image_data_format() == "channels_last"
        assert keras.config.epsilon() == 1e-7
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_epsilon(before[1])
