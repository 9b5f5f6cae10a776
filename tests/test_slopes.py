"""Gradients of gradients in 10 and 14, against differences of what the same answer returns.

`knock check` compares the answers with a judge, by numbers that both have worked out. Here nobody's
second derivative is trusted: the penalty is taken a little to either side, and again in between.
"""

from knock import frameworks, noise, questions, recipe
from knock.check import trace
from knock.check.difference import relative
from knock.frameworks import numpy as plain
from knock.questions import mistakes
from knock.recipe.weights import initial_weights
from knock.scripts import load as answers
from tests.helpers import answer
from tests.test_numpy import settled

import numpy as np
import pytest
from msgspec.structs import replace

STEP = 1e-6
"""Between larger ones, where the third derivative shows, and smaller ones, where the last digits of
the two penalties do."""
WHOLE = 2e-8  # measured: 2e-10 with layer, 6e-9 with spectral, in each framework
TOLERANCE = 1e-9  # measured: 6e-11 in PyTorch and Chainer, 5e-11 in TensorFlow and Keras


def error(framework, path):
    """How far the penalty's gradient by the critic's weights is from the penalty's differences.

    Along a random direction for each array of weights, all together, relative to them.
    """
    adapter = frameworks.load(framework)
    adapter.setup("cpu", "float64", 1)
    small = recipe.load_check(questions.find("wgan_gp").recipe_file)
    still = {name: replace(settings, lr=0.0) for name, settings in small.optimizers.items()}
    small = replace(small, optimizers=still, train=replace(small.train, rounds=1))
    made = answers.model_class(answers.load(path), small.class_name, path)
    batch = adapter.to_device(trace.batch(small, 1))
    first = dict(initial_weights(small))
    weights = [key for key in first if key.startswith("critic.")]
    for key in weights:  # with every γ 1 and every β 0, some mistakes would not show
        first[key] = first[key] + 0.1 * noise.normal(0, 0, key, first[key].shape)

    def model(penalty_weight):
        priced = replace(small, constants={**small.constants, "penalty_weight": penalty_weight})
        built = made(priced)
        adapter.build(built, priced)
        adapter.write(built, priced, first)
        return built

    def gradients(built):
        built.train_step(batch)
        return trace.gradients(small, adapter.read(built, small))

    def penalty(key, moved):
        adapter.write(free, small, {**first, key: first[key] + moved})
        return float(adapter.to_numpy(free.train_step(batch)["penalty"]))

    free = model(0.0)  # of the penalty, which it returns all the same
    dear, cheap = gradients(model(1.0)), gradients(free)
    directions = {key: noise.normal(0, 1, key, first[key].shape) for key in weights}
    slopes = [((dear[key] - cheap[key]) * d).sum() for key, d in directions.items()]
    differences = [
        (penalty(key, STEP * d) - penalty(key, -STEP * d)) / (2 * STEP)
        for key, d in directions.items()
    ]
    return relative(np.array(slopes), np.array(differences))


def whole_error(framework, norm, path=None):
    """The same of question 14's whole discriminator loss, in which the penalty weighs most.

    With spectral weights once their u has come to rest: before, they are not the slope of what is
    computed, since u and v count as constants.
    """
    question = questions.find("gan_landscape")
    small = recipe.load_check(question.recipe_file)
    still = {name: replace(settings, lr=0.0) for name, settings in small.optimizers.items()}
    constants = {"norm": norm, "loss": "wasserstein", "penalty_weight": 10.0}
    small = replace(
        small,
        optimizers=still,
        train=replace(small.train, rounds=1),
        constants={**small.constants, **constants},
    )
    reference = question.reference_file
    judge = answers.model_class(answers.load(reference), small.class_name, reference)
    first = dict(initial_weights(small))
    learnt = [k for k in first if k.startswith("discriminator.") and not k.endswith(".u")]
    for key in learnt:  # with every γ 1 and every β 0, some mistakes would not show
        first[key] = first[key] + 0.1 * noise.normal(0, 0, key, first[key].shape)
    plain.setup("cpu", "float64")
    first = settled(judge(small), small, first)
    adapter = frameworks.load(framework)
    adapter.setup("cpu", "float64", 1)
    path = path or answer("gan_landscape", framework)
    model = answers.model_class(answers.load(path), small.class_name, path)(small)
    adapter.build(model, small)
    batch = adapter.to_device(trace.batch(small, 1))

    def loss(key, moved):
        adapter.write(model, small, {**first, key: first[key] + moved})
        return float(adapter.to_numpy(model.train_step(batch)["discriminator"]))

    loss(learnt[0], 0.0)
    gradients = trace.gradients(small, adapter.read(model, small))
    directions = {key: noise.normal(0, 1, key, first[key].shape) for key in learnt}
    slopes = [(gradients[key] * d).sum() for key, d in directions.items()]
    differences = [
        (loss(key, STEP * d) - loss(key, -STEP * d)) / (2 * STEP) for key, d in directions.items()
    ]
    return relative(np.array(slopes), np.array(differences))


@pytest.mark.parametrize("norm", ["layer", "spectral"])
@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_a_norms_gradient_of_the_penalty_is_its_slope(framework, norm):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    assert whole_error(framework, norm) < WHOLE


def test_without_the_gradient_of_sigma_it_is_not(tmp_path):
    pytest.importorskip("torch")
    known = mistakes.of(questions.find("gan_landscape"))
    (mistake,) = (m for m in known if m.name == "no gradient passes through σ")
    source = answer("gan_landscape", "pytorch").read_text(encoding="utf-8")
    path = tmp_path / "mine_pytorch.py"
    path.write_text(mistakes.plant(source, mistake.change_in("pytorch")), encoding="utf-8")
    assert whole_error("pytorch", "spectral", path) > 1e-3


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_the_penaltys_gradient_is_its_slope(framework):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    assert error(framework, answer("wgan_gp", framework)) < TOLERANCE


@pytest.mark.parametrize(
    ("framework", "name", "least"),
    [
        ("keras", "layer normalisation uses TensorFlow's moments, which stop the gradient", 1e-4),
        ("pytorch", "the penalty teaches nothing", 0.99),
    ],
)
def test_a_gradient_that_stops_on_its_way_is_not_the_slope(framework, name, least, tmp_path):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    (mistake,) = (m for m in mistakes.of(questions.find("wgan_gp")) if m.name == name)
    source = answer("wgan_gp", framework).read_text(encoding="utf-8")
    path = tmp_path / f"mine_{framework}.py"
    path.write_text(mistakes.plant(source, mistake.change_in(framework)), encoding="utf-8")
    assert error(framework, path) > least
