"""Networks whose depth follows the side of the pictures have the recipe's depth for other sides."""

from knock import frameworks, recipe
from knock.check import trace
from knock.check.judge import Standard, check
from knock.frameworks import numpy as plain
from knock.questions import all_questions
from knock.recipe import layers

import pytest

SMALL = [2, 16, 32]
PASSED = ("parameters", "forward", "loss", "gradients")


def large(question):
    """Height and width differ; pix2pix halves both six times, the others four times."""
    return [2, 64, 128 if question.name == "pix2pix" else 80]


def kinds(question, image):
    """The kinds and names of all layers that pictures of a size go through."""
    small = recipe.load_check(question.recipe_file, other={"image": image})
    networks = layers.networks(small).values()
    return [(one.layer.kind, one.name) for placed in networks for one in placed.layers]


def grows(question):
    """Whether a question's recipe gives larger pictures more layers."""
    tree = recipe.read(question.recipe_file)
    networks = tree["networks"].values()
    return any("min_side" in layer for one in networks for layer in one.get("layers", []))


GROWING = [question for question in all_questions() if grows(question)]
NAMES = [question.name for question in GROWING]


@pytest.fixture(scope="module")
def judged():
    """For each question, what its judge computes of large pictures in one step."""
    known = {}

    def of(question):
        if question.name not in known:
            there = recipe.load_check(question.recipe_file, other={"image": large(question)})
            known[question.name] = Standard.by(plain, question.reference_file, there)
        return known[question.name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "LOOKED_AT", (1,))
        yield of


def red(question, framework, standard, file=None):
    """The first stage that does not pass, and what it says."""
    with frameworks.load(framework).eagerly():  # graphs are compared in test_verify.py
        results = check(question, framework, file, travel=False, standard=standard)
    reached = [one for one in results if one.name in PASSED]
    return next(((one.name, one.message) for one in reached if one.status == "failed"), None)


def test_large_pictures_go_through_more_layers():
    gans = ["dcgan", "cgan", "pix2pix", "wgan", "wgan_gp", "alpha_gan", "improved_gan"]
    assert [*gans, "dcgan_inside"] == NAMES
    for question in GROWING:
        assert len(kinds(question, large(question))) > len(kinds(question, SMALL)), question.name


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
@pytest.mark.parametrize("question", GROWING, ids=NAMES)
def test_our_answer_has_the_depth_of_large_pictures(question, framework, judged):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    assert red(question, framework, judged(question)) is None


@pytest.mark.skipif("pytorch" not in frameworks.installed(), reason="needs PyTorch")
def test_too_few_doublings_for_large_pictures_are_noticed(judged, tmp_path):
    question = next(one for one in GROWING if one.name == "dcgan")
    source = question.answer("pytorch").read_text(encoding="utf-8")
    assert ">= 64  # doubled" in source
    file = tmp_path / "dcgan_pytorch.py"
    file.write_text(source.replace(">= 64  # doubled", ">= 128  # doubled"), encoding="utf-8")
    stage, said = red(question, "pytorch", judged(question), file)
    assert stage == "parameters"
    assert said.startswith("generator")


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("question", [one for one in GROWING if one.name != "pix2pix"])
def test_a_generator_starts_from_a_map_of_4x4(question, side):
    small = recipe.load_check(question.recipe_file, other={"image": [1, side, side]})
    placed = layers.networks(small)["generator"]
    (start,) = (one.output for one in placed.layers if one.layer.kind == "reshape")
    assert start[1:] == (4, 4)
