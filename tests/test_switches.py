"""A check tries an answer with other constants, too: those that switch something on or off."""

from pathlib import Path

from knock import recipe as recipes
from knock.check import early, explain_mistakes, judge, trace
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.grade import messages
from knock.questions import find, mistakes

import pytest

ASKED = find("alpha_gan")
LOOKED_AT = (1, 2)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory) -> Path:
    """12's recipe, whose check also has no L1 loss, and codes of another length."""
    return with_also(tmp_path_factory.mktemp("recipe"), "{ l1_weight = 0.0 }, { z = 5 }")


def with_also(folder: Path, sets: str) -> Path:
    path = folder / "recipe.toml"
    text = ASKED.recipe_file.read_text(encoding="utf-8")
    path.write_text(f"{text}also = [{sets}]\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def standard(recipe_file) -> judge.Standard:
    small = recipes.load_check(recipe_file)
    expected = trace.take(ASKED.reference_file, plain, small, looked_at=LOOKED_AT)
    return judge.Standard(small, ASKED.reference_file, plain, expected)


def taken(standard: judge.Standard, folder: Path, old: str = "", new: str = "") -> trace.Trace:
    """The numbers of the judge with a change to its text."""
    path = folder / "mine.py"
    text = ASKED.reference_file.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return trace.take(path, plain, standard.recipe, looked_at=LOOKED_AT, right=standard.expected)


def switches(standard: judge.Standard, got: trace.Trace) -> judge.Result:
    return next(r for r in standard.judge(got, travel=False) if r.name == "switches")


def test_each_set_of_constants_is_compared(standard, tmp_path):
    got = taken(standard, tmp_path)
    assert [one.constants["z"] for one in standard.recipe.also] == [7, 5]
    assert got.also[0].losses[0] != got.also[1].losses[0] != got.losses[0]
    result = switches(standard, got)
    assert (result.status, result.value) == ("passed", 0.0)


def test_what_is_right_with_the_checks_own_constants_alone_is_told(standard, tmp_path):
    got = taken(standard, tmp_path, 'recipe.constants["l1_weight"]', "0.5")
    red = [r.name for r in standard.judge(got, travel=False) if r.status == "failed"]
    assert red == ["switches"]
    said = switches(standard, got).message
    assert said.startswith("wrong with l1_weight = 0: gradients: ")
    assert said.endswith("; right with z = 5")


def test_what_is_raised_with_other_constants_is_told(standard, tmp_path):
    line = '        self.l1_weight = recipe.constants["l1_weight"]\n'
    worse = f'{line}        assert recipe.constants["z"] == 7, "seven"\n'
    said = switches(standard, taken(standard, tmp_path, line, worse)).message
    assert said.startswith("wrong with z = 5: parameters: your code raises AssertionError: seven")
    assert said.endswith("; right with l1_weight = 0")


def test_a_mistake_that_only_shows_with_other_constants_is_named(standard, tmp_path):
    said = "all codes are labelled encoded"
    known = explain_mistakes.of(ASKED.reference_file, plain, standard.recipe.also[0])
    change = next(one.numpy for one in known.own if one.said == said)
    path = tmp_path / "other.py"
    text = ASKED.reference_file.read_text(encoding="utf-8")
    path.write_text(mistakes.plant_once(text, change), encoding="utf-8")
    got = taken(standard, tmp_path)
    got.also[0] = trace.take(path, plain, standard.recipe.also[0], looked_at=(1,))
    assert said in switches(standard, got).message


def test_nothing_else_is_tried_before_all_else_is_right(standard, tmp_path):
    got = taken(
        standard, tmp_path, 'self.l1_weight = recipe.constants["l1_weight"]', "self.l1_weight = 3.0"
    )
    assert got.also == []
    assert switches(standard, got).status == "skipped"


def test_a_check_that_ends_at_its_first_failure_ends_at_this_one(standard, tmp_path):
    got = taken(standard, tmp_path, 'recipe.constants["l1_weight"]', "0.5")
    assert early.failure(early.known(standard, got)).startswith("switches: wrong with l1_weight")
    pause = early.UpToTheFirst(standard)
    assert pause(got)


def test_a_grader_gets_them_and_misses_none(standard, tmp_path):
    expected = trace.take(ASKED.reference_file, plain, standard.recipe)
    got = messages.unpack(messages.pack(expected, []), expected, standard.recipe)[2]
    assert [one.losses for one in got.also] == [one.losses for one in expected.also]
    expected.also, whole = expected.also[:1], expected.also
    short = messages.pack(expected, [])
    expected.also = whole
    with pytest.raises(messages.NotNumbersOfACheckError, match="other constants"):
        messages.unpack(short, expected, standard.recipe)
    del expected.also[1].outputs["encoder"]
    with pytest.raises(messages.NotNumbersOfACheckError, match="outputs"):
        messages.unpack(messages.pack(expected, []), whole_of(standard), standard.recipe)


def whole_of(standard: judge.Standard) -> trace.Trace:
    return trace.take(ASKED.reference_file, plain, standard.recipe)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ("{ l2_weight = 1.0 }", "unknown key constants.l2_weight; the constants are: z, "),
        ("{ z = true }", "constants.z must be a whole number, not True"),
        ("{}", "check.also"),
    ],
)
def test_a_recipe_with_impossible_sets_is_refused(sets, said, tmp_path):
    with pytest.raises(UserError, match=said):
        recipes.load_check(with_also(tmp_path, sets))
