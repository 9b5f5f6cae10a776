"""The plain NumPy answers, held against finite differences: they judge all the others."""

from knock import answers, layers, noise, questions, recipe
from knock.check import plain
from knock.check.trace import batch
from knock.layers import place
from knock.recipe import Layer, Network

import numpy as np
import pytest

CHAINS = {
    "linear": ([6], [Layer("linear", name="a", out=4)]),
    "linear without bias": ([6], [Layer("linear", name="a", out=4, bias=False)]),
    "conv 3 1": ([2, 5, 6], [Layer("conv", name="a", kernel=3, pad=1, out=3)]),
    "conv 5 2": ([2, 6, 8], [Layer("conv", name="a", kernel=5, stride=2, pad=2, out=3)]),
    "tconv 2 2": ([3, 3, 4], [Layer("tconv", name="a", kernel=2, stride=2, out=2)]),
    "tconv 5 2": (
        [3, 3, 4],
        [Layer("tconv", name="a", kernel=5, stride=2, pad=2, out_pad=1, out=2)],
    ),
    "maxpool": ([2, 4, 6], [Layer("maxpool", kernel=2)]),
    "relu": ([2, 4, 6], [Layer("relu")]),
    "reshape": ([2, 4, 6], [Layer("flatten"), Layer("reshape", shape=[4, 2, 6])]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_gradients_are_the_slopes(name):
    plain.setup("cpu", "float64")
    given, chain = CHAINS[name]
    network = plain.Network(place("net", Network(given, chain), {}))
    x = noise.normal(0, 0, "x", (3, *given))
    for i, (key, value) in enumerate(
        (k, v) for module in network.modules for k, v in module.values.items()
    ):
        value[...] = noise.normal(0, i, key, value.shape)
    weight = noise.normal(0, 0, "weight", network(x).shape)
    dx = network.backward(weight)
    gradients = [g for module in network.modules for g in module.gradients.values()]
    arrays = [x, *(v for module in network.modules for v in module.values.values())]
    for array, gradient in zip(arrays, [dx, *gradients], strict=True):
        direction = noise.normal(0, 1, f"d{array.shape}", array.shape)
        kept, step, ends = array.copy(), 1e-6, []
        for sign in (1, -1):
            array[...] = kept + sign * step * direction
            ends.append((network(x) * weight).sum())
        array[...] = kept
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * direction).sum())


@pytest.mark.parametrize(
    "question",
    [q for q in questions.all_questions() if q.reference_file.is_file() and not q.opens],
    ids=str,
)
def test_a_reference_steps_downhill_along_its_slopes(question):
    """One step's first moment is (1 − β₁) times the slope of the loss that the step returns."""
    plain.setup("cpu", "float64")
    resolved = recipe.load_check(question.recipe_file)
    made = answers.model_class(
        answers.load(question.reference_file), resolved.class_name, question.reference_file
    )
    first = dict(layers.initial_weights(resolved))

    def loss_and_state(weights):
        model = made(resolved)
        plain.write(model, resolved, weights)
        return model.train_step(batch(resolved, 1))["loss"], plain.read(model, resolved)

    _, state = loss_and_state(first)
    for key, weight in first.items():
        direction = noise.normal(0, 1, key, weight.shape)
        ends = [
            loss_and_state({**first, key: weight + sign * 1e-6 * direction})[0] for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-6
        gradient = state[f"optimizer.{key}.m"] / 0.1
        assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-9), key


def test_adam_takes_the_papers_steps():
    """By hand for one weight with gradients 2 and −1, learning rate 0.1, betas (0.5, 0.75)."""
    plain.setup("cpu", "float64")
    settings = recipe.Optimizer("adam", ["net"], 0.1, (0.5, 0.75))
    network = plain.Network(
        place("net", Network([1], [Layer("linear", name="a", out=1, bias=False)]), {})
    )
    module, adam = network.modules[0], plain.Adam(settings, network)
    module.gradients["weight"] += 2.0
    adam.update()
    assert module.values["weight"][0, 0] == pytest.approx(-0.1, abs=1e-9)  # m̂ = 2, v̂ = 4
    module.gradients["weight"] += -1.0
    adam.update()
    m, v = 0.0 / 0.75, (0.75 * 1.0 + 0.25 * 1.0) / 0.4375  # (0.5·1 − 0.5·1); v₁ = 1
    assert module.values["weight"][0, 0] == pytest.approx(-0.1 - 0.1 * m / np.sqrt(v), abs=1e-9)
