"""A test of a run says what its picture shows, and which command does what a test cannot."""

from dataclasses import replace
from pathlib import Path

from knock import questions
from knock import recipe as recipes
from knock.training import elsewhere, options
from tests.helpers import TINY, run_plain

import pytest

RUN = Path("runs/a")


def recipe_of(name):
    return recipes.load(questions.find(name).recipe_file)


def said(name, *words):
    return options.parse(questions.find(name), "knock run", words)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ae", "makes of test images; knock apply runs/a PICTURE takes one of yours"),
        ("pix2pix", "makes of test images; knock apply runs/a PICTURE takes one of yours"),
        ("gan", "makes of noise; knock sample runs/a --seed 1 makes others"),
        ("lapgan", "makes of noise; knock sample runs/a --seed 1 makes others"),
        (
            "vae",
            "makes of test images and noise; knock sample runs/a --seed 1 makes others; knock "
            "apply runs/a PICTURE takes one of yours",
        ),
        ("metrics", "makes of test images"),
    ],
)
def test_the_line_of_a_test_says_what_the_picture_shows(name, shown):
    assert elsewhere.shown(recipe_of(name), said(name, "--test"), RUN) == shown


@pytest.mark.parametrize(
    ("name", "words", "more"),
    [
        ("gan", ["--seed", "3"], "; knock sample b --seed 3 makes other pictures of this run"),
        ("pix2pix", ["--seed", "3"], "; knock apply b PICTURE --seed 3 draws another dropout"),
        ("ae", ["--data", "c"], "; knock apply b c shows what the run makes of your own pictures"),
        ("ae", ["--seed", "3"], ""),
        ("gan", ["--data", "c"], ""),
        ("gan", ["--seed", "0"], ""),
    ],
)
def test_an_error_of_a_test_leads_to_the_command_that_does_it(name, words, more):
    asked = said(name, "--test", "b", *words)
    assert elsewhere.instead(recipe_of(name), asked, RUN) == more
    assert elsewhere.instead(recipe_of(name), replace(asked, test=None, resume="b"), RUN) == ""


def test_both_reach_the_user(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_plain(*TINY, "--size", "8", "--steps", "1", "--out", "a") == 0
    assert run_plain("--quiet", "--threads", "1", "--test", "a") == 0
    assert "step 1 makes of test images; knock apply a PICTURE" in capsys.readouterr().out
    for name, said in (("folder", "b is not a folder"), ("newts", "no newts in b")):
        assert run_plain("--quiet", "--test", "a", "--dataset", name, "--data", "b") == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.endswith("; knock apply a b shows what the run makes of your own pictures\n")
