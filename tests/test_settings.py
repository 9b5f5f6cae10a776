"""`--set`: every key that a page's table names, checked as the recipe is."""

import re

from knock import recipe
from knock.errors import UserError
from knock.questions import all_questions, find
from knock.recipe import settings
from knock.training import options
from tests.test_docs import section, table

import pytest

GAN, LAPGAN, PIX2PIX = (find(name) for name in ("gan", "lapgan", "pix2pix"))
FIXED = re.compile(r"^optimizers\.[^.]+\.algorithm$|^draws\.[^.]+\.shape$")
"""Keys of the pages' tables that are in the answers' code, too."""


def resolved(question, *words, preset="quick", dataset=None, **overrides):
    given = settings.read(words, recipe.read(question.recipe_file))
    return recipe.load(question.recipe_file, dataset, preset, overrides, given=given)


def changed(question, *words, **more):
    """What of the resolved recipe is another one."""
    return recipe.difference(resolved(question, **more), resolved(question, *words, **more))


def refused(*words):
    with pytest.raises(UserError) as raised:
        resolved(GAN, *words)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def leaves(value, key):
    """The dotted keys below a key, with their values."""
    if isinstance(value, dict):
        return [one for name, below in value.items() for one in leaves(below, f"{key}.{name}")]
    return [(key, value)]


def toml(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    "question", [q for q in all_questions() if not q.opens], ids=lambda q: q.name
)
def test_every_key_that_a_page_shows_can_be_set(question):
    """In a run with the preset and the data set that the key is about."""
    tree = recipe.read(question.recipe_file)
    told = re.findall(
        r"`([^`]+)`", "".join(row[2] for row in table(section(question.page, "The recipe")))
    )
    assert told
    for key in told:
        value = tree
        for part in key.split("."):
            value = value[part]
        for leaf, one in leaves(value, key):
            preset, dataset = (
                re.search(rf"(?:^|\.){word}\.([^.]+)\.", leaf) for word in ("presets", "data")
            )
            about = {"preset": preset[1] if preset else "quick", "dataset": dataset and dataset[1]}
            if FIXED.search(leaf):
                with pytest.raises(UserError, match="--set cannot change"):
                    resolved(question, f"{leaf}={toml(one)}", **about)
            else:
                assert resolved(question, f"{leaf}={toml(one)}", **about)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizers.d_optimizer.lr=1e-4"], "d_optimizer.lr was 0.0004 and is now 0.0001"),
        (["optimizers.g_optimizer.betas=[0,0.9]"], "betas was (0.5, 0.999) and is now (0.0, 0.9)"),
        (["draws.noise.distribution=normal"], "was 'uniform' and is now 'normal'"),
        (["draws.noise={low=0,high=2.5}"], "draws.noise.low was -1.0 and is now 0.0"),
        (["networks.generator={init=\"normal\",init_std=0.3}"], "is now 'normal'"),
        (["constants.z=20"], "constants.z was 100 and is now 20"),
        (["data.digits.image=[1, 16, 24]"], "is now (1, 16, 24)"),
        (["data.digits.augment.flip=true"], "augment.flip was False and is now True"),
        (["presets.quick.train.steps=7"], "train.steps was 5000 and is now 7"),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_is_toml_and_a_word_alone_needs_no_quotes(words, said):
    assert said in changed(GAN, *words)


def test_it_goes_before_the_preset_the_data_set_and_the_other_options():
    lr = "optimizers.d_optimizer.lr"
    for preset in ("quick", "full"):
        found = resolved(GAN, f"{lr}=0.5", preset=preset, lr=0.25).optimizers
        assert (found["d_optimizer"].lr, found["g_optimizer"].lr) == (0.5, 0.25)
    assert resolved(GAN, "train.steps=3", dataset="newts", train={"steps": 9}).train.steps == 3


def test_a_hash_stands_for_every_level_and_a_level_s_own_key_goes_before_it():
    words = ["optimizers.d_optimizer2.lr=0.5", "optimizers.d_optimizer#.lr=0.25"]
    for order in (words, words[::-1]):  # quick has another rate for level 1
        found = resolved(LAPGAN, *order).optimizers
        assert [found[f"d_optimizer{k}"].lr for k in (1, 2, 3)] == [0.25, 0.5, 0.25]
        assert found["g_optimizer1"].lr == 0.05
    assert resolved(LAPGAN, "data.digits.levels=[16,32]").levels == [(16, 16), (32, 32)]
    with pytest.raises(
        UserError, match="there is no d_optimizer4 in optimizers, only d_optimizer1"
    ):
        resolved(LAPGAN, "optimizers.d_optimizer4.lr=0.5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train.shown"], "needs KEY=VALUE"),
        (["=3"], "needs KEY=VALUE"),
        (["train.stepps=3"], "unknown key train.stepps; did you mean train.steps?"),
        (["lr=0.1"], "unknown key lr; did you mean optimizers.d_optimizer.lr?"),
        (["optimizers.d_optimizer.momentum=0.1"], "choose from: optimizers.d_optimizer.lr, "),
        (["colour=3"], "unknown key colour; the page's table of the recipe has the keys"),
        (["presets.quik.train.steps=3"], "did you mean presets.quick?"),
        (["presets.full.train.steps=3"], "changes nothing: the run's preset is quick"),
        (["data.newts.augment.flip=true"], "changes nothing: the run's data set is digits"),
        (["draws.noise.rate=0.1"], "changes nothing: the distribution of noise is uniform"),
        (["networks.generator.init_std=0.1"], "the init of generator is he_uniform, not normal"),
        (["train.steps=3", "presets.quick.train.steps=4"], "gives train.steps twice"),
        (["train.steps=x"], "--set: train.steps must be a whole number, not 'x'"),
        (["train.steps=0"], "train.steps must be a whole number >= 1, not 0"),
        (["constants.z=1.5"], "--set: constants.z must be a whole number, not 1.5"),
        (["optimizers.d_optimizer.lr=nan"], "nan is too large, or no number"),
        ([f"train.steps={'9' * 40}"], "is too large"),
        (["train.steps=[[["], "is no value of TOML"),
        (["train.steps=1\nx=2"], "is more than one value"),
        (["draws.noise.distribution=two words"], "is no value of TOML"),
        (["draws.noise.distribution=poisson"], "cannot be 'poisson'; choose from: uniform, normal"),
        (["optimizers.d_optimizer=3"], "this is a table; set a key of it, such as optimizers.d_"),
        (["data.digits.augment={}"], "an empty table changes nothing"),
        (["networks.generator.layers[0].out=3"], "it is in the answers' code"),
        (["optimizers.d_optimizer.algorithm=sgd"], "it is in the answers' code"),
        (["draws.noise.shape=[3]"], "cannot change draws.noise.shape"),
        (["name=cat"], "it says what the question is"),
        (["parts.step=[]"], "it says what the question is"),
        (["check.batch_size=3"], "it says what the question is"),
        (["seed=3"], "that is an option of its own"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_set_is_refused(words, said):
    assert said in refused(*words)


@pytest.mark.parametrize(
    ("question", "words", "said"),
    [
        (GAN, "--steps 3 --set train.steps=4", "--steps and --set train.steps set the same"),
        (GAN, "--batch-size 3 --set train.batch_size=4", "--batch-size and --set"),
        (GAN, "--z 3 --set constants.z=4", "--z and --set constants.z"),
        (GAN, "--size 8 --set data.digits.image=[1,8,8]", "--size and --set data.digits.image"),
        (find("ae"), "--lr 0.1 --set optimizers.optimizer.lr=0.2", "--lr and --set"),
        (PIX2PIX, "--direction AtoB --set pairs=BtoA", "--direction and --set pairs"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_key_and_its_option_together_are_refused(question, words, said):
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        options.parse(question, "x", words.split())


def test_the_rate_of_all_may_stand_beside_that_of_one():
    words = ["--lr", "0.1", "--set", "optimizers.d_optimizer.lr=0.2"]
    found = options.parse(GAN, "x", words)
    assert found.changes == {"lr": 0.1} and found.given == {"optimizers.d_optimizer.lr": 0.2}


@pytest.mark.parametrize(
    "question", [q for q in all_questions() if not q.opens], ids=lambda q: q.name
)
def test_what_can_be_set_of_a_recipe_makes_the_same_recipe_again(question):
    """So a run with settings goes on by its own recipe."""
    usual = resolved(question)
    words = [f"optimizers.{next(iter(usual.optimizers))}.lr=0.125", "train.shown=3"]
    words += [
        f'networks.{name}={{init="normal", init_std=0.5}}'
        for name, one in usual.networks.items()
        if one.like is None
    ]
    words += [
        f"draws.{name}.distribution={'normal' if draw.distribution == 'uniform' else 'uniform'}"
        for name, draw in usual.draws.items()
        if not draw.check and draw.distribution != "integers"
    ]
    words.append(f"data.{usual.dataset}.augment.shift=0.25")
    old = resolved(question, *words)
    again = recipe.load(question.recipe_file, overrides=settings.changeable(old))
    assert recipe.difference(old, again) is None
    assert recipe.difference(usual, old) is not None
