"""Small things that several tests need."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from knock import paths, questions
from knock.frameworks import numpy as plain
from knock.run import main
from knock.scripts import load as answers

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
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        timeout=300,
        **more,
    )


def knock(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return run("-m", "knock", *words, cwd=cwd)


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
