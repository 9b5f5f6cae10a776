"""A run that is killed at any moment goes on, and ends in the same bytes as one that was not.

Each kill is real: a child process that ends at once, without cleaning up, before it replaces a
file, or before it hands rows of losses to the system.
"""

import json
import os
import threading

from knock import files
from knock.training import charts, checkpoint, loss_log, recorder
from knock.training.run import Run
from tests.helpers import run_plain

import pytest

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are copied")

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]
RUN = [*TINY, "--steps", "3", "--save-every", "2", "--sample-every", "4", "--out", "a"]
GO_ON = ["--threads", "1", "--quiet", "--out", "a", "--resume"]
KILLED = 9


def contents(folder):
    """Every file below a folder; of `run.json` all but how long it took."""
    found = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for path, raw in found.items():
        if path.name == "run.json":
            told = json.loads(raw)
            for stretch in told["history"]:
                assert stretch.pop("seconds") >= 0
            found[path] = json.dumps(told).encode()
    return found


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Runs in `tmp_path` whose curves are drawn quickly, and whose saving waits for no time."""

    def curve(path, curves, title):
        files.write_atomically(path, f"{title} {curves}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(charts, "curve", curve)
    monkeypatch.setattr(recorder, "_SAVING", 1e9)
    monkeypatch.setattr(recorder, "_LOG_EVERY", 0)
    return tmp_path


def killed(words, at):
    """Do a run in a copy of this process that is killed at its moment `at`; whether it was."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, KILLED), status
        return os.WEXITSTATUS(status) == KILLED
    moments = iter(range(10**6))
    lock = threading.Lock()

    def may_die(function):
        def wrapped(*given, **more):
            with lock:
                if next(moments) == at:
                    os._exit(KILLED)
            return function(*given, **more)

        return wrapped

    files.os.replace = may_die(os.replace)
    loss_log.LossLog.flush = may_die(loss_log.LossLog.flush)
    try:
        os._exit(run_plain(*words))
    except BaseException:
        os._exit(1)


@posix
def test_after_a_kill_at_any_moment_a_run_ends_in_the_same_bytes(quick):
    assert run_plain(*RUN[:-1], "whole") == 0
    expected = contents(quick / "whole")
    at = 0
    while killed(RUN, at):
        again = GO_ON if (quick / "a" / checkpoint.FILE_NAME).exists() else [*RUN, "--resume"]
        assert run_plain(*again) == 0, at
        found = contents(quick / "a")
        assert found.keys() == expected.keys(), at
        assert [str(p) for p in found if found[p] != expected[p]] == [], at
        for path in (quick / "a").rglob("*"):
            if path.is_file():
                path.unlink()
        at += 1
    assert at > 20


def test_losses_that_are_missing_are_written_again_from_the_checkpoint(quick):
    assert run_plain(*RUN[:-1], "whole") == 0
    assert run_plain(*RUN, "--steps", "2") == 0
    for damage in ("", "step,loss\n", "\ufeffstep,loss\n1,0.5\n"):
        (quick / "a" / loss_log.FILE_NAME).write_text(damage, encoding="utf-8")
        (quick / "a" / "run.json").unlink(missing_ok=True)
        assert run_plain(*GO_ON, "--steps", "2") == 0
    assert run_plain(*GO_ON, "--steps", "3", "--sample-every", "4") == 0
    same = ("losses.csv", checkpoint.FILE_NAME, "losses.png")
    assert all((quick / n / f).read_bytes() for n in ("a", "whole") for f in same)
    for name in same:
        assert (quick / "a" / name).read_bytes() == (quick / "whole" / name).read_bytes(), name


@pytest.mark.parametrize(("taken", "said"), [(3, None), (4, None), (5, "has taken 5 steps")])
def test_a_run_that_went_on_since_it_was_read_is_not_set_back(
    taken, said, quick, monkeypatch, capsys
):
    """Between reading a folder and having its lock, another process takes the run further."""
    assert run_plain(*RUN, "--steps", "2") == 0
    train = Run.train

    def later(learner, *given):
        monkeypatch.setattr(Run, "train", train)
        assert run_plain(*GO_ON, "--steps", str(taken)) == 0
        return train(learner, *given)

    steps, save = [], checkpoint.save
    monkeypatch.setattr(
        checkpoint, "save", lambda p, made: (steps.append(made.step), save(p, made))
    )
    monkeypatch.setattr(Run, "train", later)
    capsys.readouterr()
    assert run_plain(*GO_ON, "--steps", "4") == (2 if said else 0)
    assert steps == sorted(steps) and steps[-1] == max(taken, 4)
    if said:
        assert said in capsys.readouterr().err
    rows = (quick / "a" / "losses.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(n + 1) for n in range(max(taken, 4))]
    assert checkpoint.load(quick / "a").step == max(taken, 4)
    told = json.loads((quick / "a" / "run.json").read_text())["history"]
    assert [(one["from_step"], one["to_step"]) for one in told] == [(0, max(taken, 4))]


def test_a_finished_run_is_left_alone(quick, capsys):
    assert run_plain(*RUN) == 0
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in quick.rglob("*")}
    assert run_plain(*GO_ON) == 0
    assert "all 3 steps are taken already" in capsys.readouterr().out
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in quick.rglob("*")}
