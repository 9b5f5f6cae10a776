"""The bar stays narrow enough for a terminal, and shows what fits."""

import io
import sys

from knock import recipe as recipes
from knock.check import trace
from knock.frameworks import numpy as plain
from knock.questions import all_questions
from knock.training import bar

import pytest

TRAINING = [question for question in all_questions() if not question.opens]
LONGEST = -1.234e-05


@pytest.mark.parametrize("question", TRAINING, ids=lambda question: question.name)
def test_the_bar_of_every_question_is_below_100_columns(question, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    file, adapter = question.reference_file, plain
    names, _ = trace.first_step(file, adapter, recipes.load_check(question.recipe_file))
    steps = recipes.load(question.recipe_file).train.steps
    with bar.make(question.name, steps, 0, quiet=False) as made:
        for value in (LONGEST, 0.0, 123456.789):
            text = bar.losses(dict.fromkeys(names, value), bar.room(made))
            assert text.startswith(next(iter(names))[:3])  # at least one is there
            made.set_postfix_str(text, refresh=False)
            for done, seconds in ((0, 0.0), (1, 3600.0), (steps, 7.0), (steps, 35999.0)):
                line = made.format_meter(**{**made.format_dict, "n": done, "elapsed": seconds})
                assert len(line) < 100 and line.endswith(f"{text}]"), line


LOSSES = {"discriminator": 0.6931471, "generator": 1.5, "l1": 0.25}


def test_names_are_cut_only_as_far_as_needed():
    whole = "discriminator=0.693, generator=1.5, l1=0.25"
    assert bar.losses(LOSSES, len(whole)) == whole
    assert bar.losses(LOSSES, len(whole) - 1) == "discriminato=0.693, generator=1.5, l1=0.25"
    assert bar.losses(LOSSES, 27) == "dis=0.693, gen=1.5, l1=0.25"
    assert bar.losses(LOSSES, 26) == "dis=0.693, gen=1.5, …"
    assert bar.losses(LOSSES, 20) == "dis=0.693, …"
    assert bar.losses(LOSSES, 3) == bar.losses({}, 50) == ""


def test_the_number_of_a_level_is_not_cut_off():
    assert bar.losses({"generator1": 1.0, "generator2": 2.0}, 14) == "gen1=1, gen2=2"


def test_two_losses_never_get_one_name():
    alike = {"critic_loss": 1.0, "critic_norm": 2.0}
    assert bar.losses(alike, 22) == "critic_l=1, critic_n=2"
    assert bar.losses(alike, 21) == "critic_l=1, …"
