"""Small things that several tests need."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from knock import cli, frameworks, paths, questions
from knock import recipe as recipes
from knock.frameworks import numpy as plain
from knock.questions import Question
from knock.recipe.weights import initial_weights
from knock.run import main
from knock.scripts import load as answers
from knock.training import checkpoint, record, started

import msgspec
import pytest

QUESTIONS = ("ae", "convae")

REFERENCE = questions.find("ae").reference_file

TINY = ["--dataset", "digits", "--batch-size", "4", "--threads", "1", "--device", "cpu", "--quiet"]
"""Options of a run that is over in no time."""


def run(*words: str | Path, cwd: Path, **more) -> subprocess.CompletedProcess[str]:
    """Run Python with some words, in `cwd`, and catch what it prints."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        timeout=300,
        **more,
    )


def knock(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return run("-m", "knock", *words, cwd=cwd)


def run_here(script: str | Path, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Do as `run` does, with a script and in this process: its framework is imported only once.

    That scripts work as processes of their own, too, is tested in test_run.py.
    """
    return _caught([str(script), *map(str, words)], cwd, lambda: _become(script))


def knock_here(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Do as `knock` does, in this process, together with the scripts that the command starts.

    That `knock run` and `knock compare` start them as processes is tested in test_cli.py.
    """
    given = [*map(str, words)]
    with (
        mock.patch.object(os, "execv", lambda _, command: _become(*command[1:])),
        mock.patch.object(started, "subprocess", SimpleNamespace(Popen=_Started)),
    ):
        return _caught(["knock", *given], cwd, lambda: cli.main(given))


class _Started:
    """What `knock compare` and `knock run --seeds` start for each run, in this process."""

    def __init__(self, command: list[str | Path], **more: object) -> None:
        self._command = command

    def wait(self) -> int:
        try:
            _become(*self._command[1:])
        except SystemExit as left:
            return int(left.code or 0)
        return 0


def _become(script: str | Path, *words: str | Path) -> None:
    """Run a script as Python does it; without words, with those that are in `sys.argv`."""
    argv = [str(script), *map(str, words)] if words else sys.argv
    folder = Path(script).resolve().parent
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "path", [str(folder), *sys.path]),
        _own_modules(folder),
    ):
        runpy.run_path(str(script), run_name="__main__")


@contextlib.contextmanager
def _own_modules(folder: Path) -> Iterator[None]:
    """Modules of this folder are imported anew, and forgotten: a copy has others of these names."""
    names = {one.stem for one in folder.glob("*.py")}
    before = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _caught(argv: list[str], cwd: Path, do: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """Do something in a folder; its exit code, and what it printed."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, COLUMNS="200"),
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            do()
        except SystemExit as left:
            code = int(left.code or 0)
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def answer(name: str, framework: str) -> Path:
    """One of our scripts."""
    return paths.ANSWERS / f"{name}_{framework}.py"


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that bad input is to end in; everything else about it is asserted."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("knock: ")
    return lines[0]


def train(learner, model):
    """What every answer's `train` does."""
    for batch in learner.batches():
        learner.log(model.train_step(batch))
        if learner.sample_due:
            sample(learner, model)


def sample(learner, model):
    """What the `sample` of 01's answers does."""
    images = learner.examples["images"]
    learner.show(input=images, reconstruction=model.reconstruct(images))


def run_plain(*words: str | Path, train=train, sample=sample) -> int:
    """Run 01's plain NumPy answer in this process, without any framework; its exit code."""
    model = answers.model_class(answers.load(REFERENCE), "Autoencoder", REFERENCE)
    argv = ["ae_numpy.py", *map(str, words)]
    with mock.patch.object(sys, "argv", argv), pytest.raises(SystemExit) as left:
        main("ae", plain, model, train, sample)
    return left.value.code


def numpy_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open every run with its question's NumPy answer, as if that were PyTorch, the only one."""
    monkeypatch.setattr(frameworks, "load", lambda name: plain)
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])
    monkeypatch.setattr(Question, "answer", lambda self, framework: self.reference_file)


def run_of(
    folder: Path,
    question: Question = questions.find("gan"),  # noqa: B008
    framework: str = "pytorch",
    change: Callable[[dict], None] | None = None,
    shape: tuple[int, int, int] = (1, 16, 16),
    dataset: str = "digits",
    **more,
) -> Path:
    """An untrained run in a folder; `change` changes its weights, `more` goes to `recipe.load`."""
    changes = {"image": shape, **more.pop("overrides", {})}
    recipe = recipes.load(question.recipe_file, dataset, "quick", changes, **more)
    plain.setup("cpu", recipe.dtype)
    path = question.reference_file
    model = answers.model_class(answers.load(path), recipe.class_name, path)(recipe)
    plain.write(model, recipe, dict(initial_weights(recipe)))
    state = plain.read(model, recipe)
    state |= {k: v.astype(recipe.dtype) for k, v in state.items() if v.dtype.kind == "f"}
    if change:
        change(state)
    folder.mkdir(parents=True)
    found = checkpoint.Checkpoint(recipe, 7, state, framework, {})
    checkpoint.save(folder / checkpoint.FILE_NAME, found)
    stretch = {"seconds": 1.0, "versions": {}, "device": "CPU"}
    record.write_run(
        folder,
        {
            "question": question.name,
            "step": 7,
            "losses": {},
            "data": None,
            "history": [stretch],
            "recipe": msgspec.to_builtins(recipe),
        },
    )
    return folder
