"""What `--help` says of a run's options."""

import re

from knock import recipe as recipes
from knock.questions import all_questions
from knock.training import options

import pytest

TRAINING = [question for question in all_questions() if not question.opens]


@pytest.mark.parametrize("question", TRAINING, ids=lambda question: question.name)
def test_every_option_that_takes_a_value_shows_what_holds_without_it(question):
    made = options.parser(question, "x")
    usual = recipes.load(question.recipe_file)
    shown = {}
    for action in made._actions:
        if action.nargs is None and not isinstance(action.default, bool):
            brackets = re.search(r"\((.+)\)$", action.help)
            assert brackets, action.dest
            shown[action.dest] = brackets[1]
    train = usual.train
    assert shown["dataset"] == usual.dataset and shown["preset"] == usual.preset
    assert shown["train.steps"] == str(train.steps)
    assert shown["train.batch_size"] == str(train.batch_size)
    assert shown["train.sample_every"] == str(train.sample_every)
    assert shown["size"] == "{1}x{2}".format(*usual.image_shape)
    assert {float(rate) for rate in shown["lr"].split(" and ")} == {
        one.lr for one in usual.optimizers.values()
    }
    for name, value in usual.constants.items():
        if f"constants.{name}" in shown:
            assert shown[f"constants.{name}"] == str(value)
    assert set(shown) >= {"data", "seed", "device", "threads", "dtype", "out", "train.save_every"}
    assert made.format_help()  # no stray % in it
