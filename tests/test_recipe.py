"""Recipes: layered overrides, and every mistake refused with the key's name."""

import re
import shutil
from pathlib import Path

from knock import paths, questions, recipe
from knock.errors import UserError

import pytest

AE = questions.find("ae").recipe_file


def changed(folder: Path, old: str, new: str) -> Path:
    """A copy of 01's recipe with one place changed."""
    text = AE.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path = folder / "recipe.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 1000", "stepps = 1000", r"train: .*stepps"),
        ("steps = 1000", "steps = 0", r"train\.steps: .*>= 1"),
        ("steps = 1000", "steps = -1", r"train\.steps: .*>= 1"),
        ("steps = 1000", 'steps = "many"', r"train\.steps: .*int"),
        ("batch_size = 64", "batch_size = 6.5", r"train\.batch_size: .*int"),
        ("lr = 1e-3", "lr = 0.0", r"optimizers.*lr|optimizers\[.*\].*"),
        ("betas = [0.9, 0.999]", "betas = [0.9, 1.0]", r"optimizers.*< 1"),
        ('algorithm = "adam"', 'algorithm = "adamw"', r"optimizers.*adamw"),
        ("rotate = 10.0", "rotate = 200.0", r"data.*<= 180"),
        ("image = [3, 64, 64]", "image = [64, 64]", r"data.*length 3"),
        ("image = [3, 64, 64]", "image = [3, 0, 64]", r"data.*>= 1"),
        ("code = 64 ", 'code = "wide" ', r"code must be str"),  # on cifar10, against the constant
        ("constants = { code = 128 }", "constants = { kode = 128 }", r"constants\.kode"),
        ('networks = ["encoder", "decoder"]', 'networks = ["encode"]', r"optimizers.*'encode'"),
        ("[train]", "[tarin]", r"unknown field `tarin`|tarin"),
        ("number = 1", "", r"number"),
        ("[presets.quick]", "[presets.quick.train]\nstep = 3\n", r"train: .*step"),
    ],
)
def test_a_mistake_is_refused_by_its_key(tmp_path, old, new, said):
    path = changed(tmp_path, old, new)
    with pytest.raises(UserError) as caught:
        recipe.load(path, dataset="cifar10")
    message = str(caught.value)
    assert str(path) in message
    assert re.search(said, message), message
    assert "\n" not in message


def test_a_broken_file_is_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("number = \n")
    with pytest.raises(UserError, match="not valid TOML"):
        recipe.load(path)
    with pytest.raises(UserError, match="cannot read the recipe"):
        recipe.load(tmp_path / "nothing.toml")


def test_unknown_presets_and_sets_name_the_choices():
    with pytest.raises(UserError, match="'qick'.*quick, full"):
        recipe.load(AE, preset="qick")
    with pytest.raises(UserError, match="'mnits'.*newts, cifar10, digits"):
        recipe.load(AE, dataset="mnits")


def test_later_layers_override_earlier_ones(tmp_path):
    path = changed(
        tmp_path,
        "[presets.quick] ",
        "[presets.quick.train]\nsteps = 7\nbatch_size = 8\n[presets.other] ",
    )
    assert recipe.load(path, preset="other").train.steps == 1000
    assert recipe.load(path).train.steps == 7
    said = recipe.load(path, overrides={"train": {"steps": 3}})
    assert (said.train.steps, said.train.batch_size) == (3, 8)


def test_a_data_set_brings_its_own_constants():
    assert recipe.load(AE, "newts").constants == {"code": 64}
    assert recipe.load(AE, "cifar10").constants == {"code": 128}
    chosen = recipe.load(AE, "cifar10", overrides={"constants": {"code": 3}})
    assert chosen.constants == {"code": 3}


def test_a_data_set_brings_its_own_learning_rate():
    wgan = questions.find("wgan").recipe_file
    digits, mnist = (recipe.load(wgan, name).optimizers for name in ("digits", "mnist"))
    assert mnist["c_optimizer"].lr < digits["c_optimizer"].lr
    assert mnist["g_optimizer"] == digits["g_optimizer"]
    said = recipe.load(wgan, "mnist", overrides={"optimizers": {"c_optimizer": {"lr": 0.5}}})
    assert said.optimizers["c_optimizer"].lr == 0.5


def test_a_data_sets_optimizer_must_be_the_recipes(tmp_path):
    path = changed(tmp_path, "constants = { code = 128 }", "optimizers = { adam = { lr = 0.5 } }")
    with pytest.raises(UserError, match="optimizers"):
        recipe.load(path, "cifar10")


def test_a_whole_number_for_a_float_constant_becomes_a_float(tmp_path):
    """The same run, whichever way it is said."""
    path = changed(tmp_path, "[methods]", "weight = 0.5\n[methods]")
    said = recipe.load(path, overrides={"constants": {"weight": 2}})
    text = path.read_text(encoding="utf-8").replace("code = 128", "code = 128, weight = 2")
    path.write_text(text, encoding="utf-8")
    for found in (said, recipe.load(path, "cifar10")):
        assert (found.constants["weight"], type(found.constants["weight"])) == (2.0, float)
    with pytest.raises(UserError, match=r"constants\.code must be int, not 2\.0"):
        recipe.load(path, overrides={"constants": {"code": 2.0}})


def test_an_override_is_checked_like_the_file():
    with pytest.raises(UserError, match=r"optimizers.*<= 1"):
        recipe.load(AE, overrides={"optimizers": {"optimizer": {"lr": 2.0}}})
    with pytest.raises(UserError, match=r"constants\.width"):
        recipe.load(AE, overrides={"constants": {"width": 2}})


def test_json_brings_back_an_equal_recipe():
    resolved = recipe.load(AE, "digits", seed=5, dtype="float64")
    assert recipe.from_json(recipe.to_json(resolved)) == resolved


def test_the_difference_names_the_key():
    a, b = recipe.load(AE), recipe.load(AE, overrides={"train": {"batch_size": 3}})
    assert recipe.difference(a, a) is None
    assert recipe.difference(a, b) == "train.batch_size was 64 and is now 3"


@pytest.mark.parametrize("question", questions.all_questions(), ids=lambda q: q.name)
def test_every_recipe_resolves_for_every_set_and_preset(question, tmp_path):
    tree = recipe.read(question.recipe_file)
    for dataset in tree["data"]:
        for preset in tree["presets"]:
            recipe.load(question.recipe_file, dataset, preset)
    recipe.load_check(question.recipe_file)
    copy = shutil.copytree(paths.QUESTIONS, tmp_path / "questions")  # and it may lie anywhere
    recipe.load(copy / question.folder.name / "recipe.toml")


def test_a_question_that_opens_another_shares_all_but_its_training():
    vae, look = (questions.find(name).recipe_file for name in ("vae", "vae_latent"))
    there, here = recipe.load(vae, "mnist"), recipe.load(look, "mnist")
    assert here.networks == there.networks
    assert here.constants == there.constants
    assert not here.optimizers
    assert list(here.methods) == ["show", "change", "change2"]


def test_what_is_opened_must_be_there(tmp_path):
    folder = tmp_path / "05_x"
    folder.mkdir()
    (folder / "recipe.toml").write_text('number = 5\nname = "x"\nopens = "nothing"\n')
    with pytest.raises(UserError, match="no question 'nothing' to open"):
        recipe.load(folder / "recipe.toml")
