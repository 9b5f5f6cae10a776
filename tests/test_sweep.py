"""`knock sweep`: which runs there are, what a killed sweep goes on with, and what is drawn."""

import contextlib
import csv
import io
import json
import re
import signal
import sys
import threading
import time

from knock import frameworks
from knock.errors import UserError
from knock.training import checkpoint, grid, record, sweep, sweep_table
from tests.helpers import run_plain
from tests.test_runs import scored

import PIL.Image
import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--steps", "2"]


@pytest.fixture(autouse=True)
def all_installed(monkeypatch):
    """Nothing here imports a framework."""
    monkeypatch.setattr(frameworks.Framework, "missing", ())


@pytest.fixture
def begun(monkeypatch):
    """Every process that a sweep starts: 01's NumPy answer in this one. The words of all of them.

    `begun.fail` has names of runs that end with an error.
    """

    class Begun(list):
        fail = ()

    made = Begun()

    def called(words, stop):
        made.append(words)
        folder = words[words.index("--out") + 1]
        if any(name in folder for name in made.fail):
            return "knock: a loss is not finite"
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_plain(*words[1:]) == 0
        return ""

    monkeypatch.setattr(sweep, "_called", called)
    return made


# What differs


def test_every_combination_is_a_run_and_the_last_key_changes_fastest():
    over = grid.read("loss=a,b,lr=1e-3,seed=0:3")
    assert over == {"loss": ["a", "b"], "lr": ["1e-3"], "seed": ["0", "1", "2"]}
    found = grid.cells(over)
    assert [cell.name for cell in found][:4] == [
        *(f"loss_a-lr_1e-3-seed_{seed}" for seed in range(3)),
        "loss_b-lr_1e-3-seed_0",
    ]
    assert found[-1].words == ["--loss", "b", "--lr", "1e-3", "--seed", "2"]
    assert found[-1].setting == {"loss": "b", "lr": "1e-3"}


def test_a_key_with_a_point_is_set_and_the_framework_is_no_option():
    (cell,) = grid.cells(grid.read("train.rounds=5,penalty_weight=10,framework=keras"))
    assert cell.words == ["--set", "train.rounds=5", "--penalty-weight", "10"]
    assert cell.name == "rounds_5-penalty_weight_10-framework_keras"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "needs KEY=VALUE"),
        ("norm", "needs KEY=VALUE"),
        ("norm=", "needs KEY=VALUE"),
        ("norm=a,,b", "needs KEY=VALUE"),
        ("a b=1", "'a b' is no key"),
        ("norm=a,norm=b", "has norm twice"),
        ("norm=a,b,a", "has a value of norm twice"),
        ("seed=3:3", "is empty, or too long"),
        ("seed=0:1000,norm=a,b", "asks for 2000 runs"),
    ],
)
def test_what_is_no_such_word_is_refused(word, said):
    with pytest.raises(UserError, match=re.escape(said)):
        grid.read(word)


def test_two_runs_in_one_folder_are_refused():
    with pytest.raises(UserError, match="one folder"):
        grid.cells({"data": ["a b", "a*b"]})


# What is done


def test_a_sweep_trains_every_run_and_writes_a_table(begun, knock, tmp_path):
    code, out, err = knock("sweep", "ae", "--over", "code=2,3,seed=0:2", *TINY, "--out", "s")
    assert (code, err) == (0, "")
    assert len(begun) == 4
    *table, sheet = out.splitlines()
    assert [line.split()[:2] for line in table] == [["code", "runs"], ["2", "2"], ["3", "2"]]
    assert "±" in table[1]
    with open("s/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["code"], row["seed"], row["step"]) for row in rows] == [
        ("2", "0", "2"), ("2", "1", "2"), ("3", "0", "2"), ("3", "1", "2"),
    ]  # fmt: skip
    losses = [float(row["loss"]) for row in rows]
    assert len(set(losses)) == 4
    told = record.read_run(tmp_path / "s/code_3-seed_1")
    assert told["recipe"]["constants"]["code"] == 3 and told["recipe"]["seed"] == 1
    with PIL.Image.open(sheet) as drawn:
        assert drawn.width > 300


def test_what_is_there_is_not_done_again_and_what_is_not_is_resumed(begun, knock, tmp_path):
    begun.fail = ["seed_1"]
    code, _, err = knock("sweep", "ae", "--over", "seed=0:3", *TINY, "--out", "s")
    assert code == 1 and "seed_1: knock: a loss is not finite" in err
    assert "failed" not in err.replace("not finite", "")
    begun.clear()
    begun.fail = ()
    told = record.read_run(tmp_path / "s/seed_2")  # as if killed after its last checkpoint
    record.write_run(tmp_path / "s/seed_2", {**told, "finished": False})
    code, out, _ = knock("sweep", "ae", "--resume", "--out", "s")
    assert code == 0 and out.splitlines()[1].split()[0] == "3"
    words = {words[words.index("--out") + 1].rpartition("/")[2]: words for words in begun}
    assert sorted(words) == ["seed_1", "seed_2"]
    assert "--resume" in words["seed_2"] and "--resume" not in words["seed_1"]


def test_a_sweep_takes_more_runs_and_more_steps_later(begun, knock, tmp_path):
    assert knock("sweep", "ae", "--over", "seed=0:1", *TINY, "--out", "s")[0] == 0
    assert knock("sweep", "ae", "--over", "seed=0:2", "--resume", "--out", "s")[0] == 0
    assert len(begun) == 2
    assert knock("sweep", "ae", "--resume", "--steps", "3", "--out", "s")[0] == 0
    assert len(begun) == 4
    assert record.read_run(tmp_path / "s/seed_0")["step"] == 3
    assert json.loads((tmp_path / "s/sweep.json").read_bytes())["over"] == {"seed": ["0", "1"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ae", "--over", "code=two"], "--code"),
        (["ae", "--over", "nothing=1"], "--nothing"),
        (["ae", "--over", "train.rounds=2"], "unknown key train.rounds"),
        (["ae", "--over", "framework=jax"], "no framework 'jax'"),
        (["ae", "--over", "seed=0:2", "--test", "x"], "no --test"),
        (["ae"], "--over is missing"),
        (["vae_latent", "--over", "seed=0:2"], "trains nothing; sweep vae"),
        (["ae", "--resume"], "no sweep of ae"),
        (["ae", "--resume", "--out", "other"], "holds a sweep of vae, not of ae"),
        (["vae", "--over", "seed=0:2", "--out", "other"], "add --resume"),
        (["ae", "--over", "seed=0:2", "--out", "full"], "holds no sweep"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_anything_is_done(
    begun, knock, tmp_path, monkeypatch, words, said
):
    monkeypatch.setattr(sweep, "RUNS", tmp_path / "runs")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "other").mkdir()
    plan = {"question": "vae", "framework": "pytorch", "over": {}, "words": [], "pictures": 0}
    (tmp_path / "other/sweep.json").write_text(json.dumps(plan), encoding="utf-8")
    code, out, err = knock("sweep", *words)
    assert (code, out) == (2, "") and said in err, err
    assert not begun and not (tmp_path / "runs").exists()


def test_runs_are_measured_once(tmp_path, monkeypatch):
    task = sweep.Task(
        question="gan",
        framework="pytorch",
        cell=grid.Cell({"seed": "0"}),
        folder=tmp_path / "seed_0",
        words=[],
        steps=2,
        pictures=90,
        threads=1,
        mark="",
    )
    assert not task.is_trained and not task.is_measured
    assert run_plain(*TINY, "--quiet", "--out", str(task.folder)) == 0
    assert task.is_trained and not task.is_measured
    scored(task.folder, 1.5)
    assert task.is_measured
    scored(task.folder, 1.5, checkpoint="of older weights")
    assert not task.is_measured


def test_scores_stand_in_the_table_and_below_the_thumbnails(tmp_path):
    over = {"code": ["2", "3"], "seed": ["0", "1"]}
    cells = grid.cells(over)
    for number, cell in enumerate(cells[:3]):
        folder = tmp_path / cell.name
        assert run_plain(*TINY, "--quiet", *cell.words, "--out", str(folder)) == 0
        scored(folder, float(number))
    rows = sweep_table.rows(tmp_path, cells)
    head, two, three = sweep_table.lines(over, rows)
    assert head.split() == ["code", "runs", "Fréchet", "↓"]
    assert two.split() == ["2", "2", "0.500", "±", "0.707"]
    assert three.split() == ["3", "1", "2.00"]
    assert sweep_table._said(rows[2:]) == "Fréchet 2.00 · 1 failed"


# What a kill leaves


SLOW = "import signal, sys, time\n{handler}\nprint('begun', flush=True)\ntime.sleep({seconds})\n"
SAVES = "signal.signal(signal.SIGTERM, lambda *_: (open({path!r}, 'w').close(), sys.exit(130)))"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_a_sweep_that_is_told_to_stop_lets_its_run_save(tmp_path):
    saved = tmp_path / "saved"
    script = tmp_path / "slow.py"
    script.write_text(
        SLOW.format(handler=SAVES.format(path=str(saved)), seconds=60).replace(
            "print('begun', flush=True)", f"open({str(tmp_path / 'begun')!r}, 'w').close()"
        ),
        encoding="utf-8",
    )
    with sweep._until_stopped() as stop:
        found = []
        thread = threading.Thread(target=lambda: found.append(sweep._called([str(script)], stop)))
        thread.start()
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
        thread.join()
        assert found == [sweep._STOPPED] and saved.exists()
        assert sweep._called([str(script)], stop) == sweep._STOPPED  # and nothing else begins
    assert stop.signal == signal.SIGTERM


def test_a_run_that_fails_is_told_by_its_last_line():
    words = ["-c", "import sys; sys.exit('one\\nknock: two')"]
    assert sweep._called(words, sweep._Stop()) == "knock: two"
    assert sweep._called(["-c", "import sys; sys.exit(3)"], sweep._Stop()) == (
        "ended with exit code 3"
    )
    assert sweep._called(["-c", ""], sweep._Stop()) == ""


# On a cluster


def test_a_worker_without_our_folder_sends_its_files(begun, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep.tempfile, "gettempdir", lambda: str(tmp_path / "worker"))
    (tmp_path / "worker").mkdir()
    over = {"seed": ["0"]}
    (cell,) = grid.cells(over)
    task = sweep.Task(
        question="ae",
        framework="pytorch",
        cell=cell,
        folder=tmp_path / "away" / cell.name,
        words=TINY,
        steps=2,
        pictures=0,
        threads=1,
        mark="the plan",
    )
    done = sweep.on_worker(task)
    assert done.error == "" and "checkpoint.safetensors" in done.files
    assert not task.folder.parent.exists()
    assert not [path for path in (tmp_path / "worker").rglob("*") if path.is_file()]
    task.folder.parent.mkdir()
    (task.folder.parent / sweep.PLAN).write_text("the plan", encoding="utf-8")
    assert sweep.on_worker(task) == sweep.Done()
    assert checkpoint.load(task.folder).step == 2
    assert checkpoint.digest(checkpoint.load(task.folder).state) == checkpoint.told_digest(
        task.folder / checkpoint.FILE_NAME
    )


def test_a_cluster_takes_the_same_tasks(begun, knock, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as there:
        words = ["--over", "seed=0:2", *TINY, "--dask", there.scheduler_address, "--out", "s"]
        code, out, err = knock("sweep", "ae", *words)
    assert code == 0, err
    assert out.splitlines()[1].split()[0] == "2"
    assert len(begun) == 2
