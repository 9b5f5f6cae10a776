"""The plain NumPy answers, held against finite differences: they judge all the others."""

from typing import get_args

from knock import noise, questions, recipe
from knock.check.trace import batch, drawn_weights
from knock.frameworks import numpy as plain
from knock.recipe import Layer, Network, kinds
from knock.recipe.layers import place
from knock.recipe.weights import initial_weights
from knock.scripts import load as answers

import numpy as np
import pytest
from msgspec.structs import replace

CHAINS = {
    "linear": ([6], [kinds.Linear(name="a", out=4)]),
    "linear without bias": ([6], [kinds.Linear(name="a", out=4, bias=False)]),
    "conv 3 1": ([2, 5, 6], [kinds.Conv(name="a", kernel=3, pad=1, out=3)]),
    "conv 5 2": ([2, 6, 8], [kinds.Conv(name="a", kernel=5, stride=2, pad=2, out=3)]),
    "tconv 2 2": ([3, 3, 4], [kinds.TransposedConv(name="a", kernel=2, stride=2, out=2)]),
    "tconv 5 2": (
        [3, 3, 4],
        [kinds.TransposedConv(name="a", kernel=5, stride=2, pad=2, out_pad=1, out=2)],
    ),
    "masked conv A": ([2, 5, 6], [kinds.MaskedConv(name="a", kernel=5, mask="A", out=3)]),
    "masked conv B": ([2, 5, 6], [kinds.MaskedConv(name="a", kernel=3, mask="B", out=3)]),
    "codebook": ([3, 4, 5], [kinds.Codebook(name="a", codes=6)]),
    "maxpool": ([2, 4, 6], [kinds.MaxPool(kernel=2)]),
    "avgpool": ([2, 4, 6], [kinds.AveragePool(kernel=2)]),
    "global_pool": ([2, 4, 6], [kinds.GlobalPool()]),
    "upsample": ([2, 2, 3], [kinds.Upsample()]),
    "spectral linear": ([6], [kinds.Linear(name="a", out=4, spectral=True)]),
    "spectral conv": ([2, 5, 6], [kinds.Conv(name="a", kernel=3, pad=1, out=3, spectral=True)]),
    "relu": ([2, 4, 6], [kinds.ReLU()]),
    "leaky_relu": ([2, 4, 6], [kinds.LeakyReLU(slope=0.2)]),
    "silu": ([2, 4, 6], [kinds.SiLU()]),
    "tanh": ([2, 4, 6], [kinds.Tanh()]),
    "sigmoid": ([2, 4, 6], [kinds.Sigmoid()]),
    "batch_norm of a map": ([2, 4, 6], [kinds.BatchNorm(name="a")]),
    "batch_norm of a row": ([5], [kinds.BatchNorm(name="a")]),
    "batch_norm of the batch alone": ([2, 4, 6], [kinds.BatchNorm(name="a", running=False)]),
    "layer_norm": ([2, 4, 6], [kinds.LayerNorm(name="a")]),
    "group_norm": ([6, 2, 3], [kinds.GroupNorm(name="a", groups=3)]),
    "maps that a number shifts": (
        [2, 4, 6],
        [
            kinds.Keep(of="pictures"),
            kinds.Restore(of="t"),
            kinds.Sinusoids(out=4),
            kinds.Linear(name="time", out=2),
            kinds.Add(of="pictures"),
            kinds.Tanh(),
        ],
    ),
    "instance_norm": ([2, 4, 6], [kinds.InstanceNorm(name="a")]),
    "virtual_norm of a map": ([2, 4, 6], [kinds.VirtualNorm(name="a", of="reference")]),
    "virtual_norm of a row": ([5], [kinds.VirtualNorm(name="a", of="reference")]),
    "virtual_norm after a convolution": (
        [2, 4, 6],
        [
            kinds.Conv(name="a", kernel=3, pad=1, out=3, bias=False),
            kinds.VirtualNorm(name="b", of="reference"),
            kinds.Tanh(),
            kinds.VirtualNorm(name="c", of="reference"),
        ],
    ),
    "minibatch": ([6], [kinds.Minibatch(name="a", kernels=3, dims=2, scale=0.5)]),
    "minibatch beside what it looks at": (
        [2, 2, 3],
        [
            kinds.Flatten(),
            kinds.Keep(of="features"),
            kinds.Minibatch(name="a", kernels=3, dims=2),
            kinds.Concat(of="features"),
            kinds.Linear(name="b", out=2),
        ],
    ),
    "a skip": (
        [2, 4, 6],
        [
            kinds.Conv(name="a", kernel=3, pad=1, out=3),
            kinds.Keep(of="early"),
            kinds.Tanh(),
            kinds.Concat(of="early"),
            kinds.Conv(name="b", kernel=3, pad=1, out=2),
        ],
    ),
    "a block with a shortcut": (
        [2, 4, 6],
        [
            kinds.Keep(of="block"),
            kinds.Conv(name="short", kernel=1, out=3),
            kinds.Keep(of="shortcut"),
            kinds.Restore(of="block"),
            kinds.Tanh(),
            kinds.Conv(name="a", kernel=3, pad=1, out=3),
            kinds.Add(of="shortcut"),
            kinds.Add(of="shortcut"),  # what is kept may be used more than once
        ],
    ),
    "reshape": ([2, 4, 6], [kinds.Flatten(), kinds.Reshape(shape=[4, 2, 6])]),
}


def settle(module):
    """Turn a spectral layer's u until u⁺ and v no longer depend on the weight, in the first order.

    Only then is its gradient, for which they are constants, the slope of what it computes.
    """
    for _ in range(300 if "u" in module.values else 0):
        module.turn()


@pytest.mark.parametrize("name", CHAINS)
def test_gradients_are_the_slopes(name):
    plain.setup("cpu", "float64")
    given, chain = CHAINS[name]
    beside = {"t": []} if any(isinstance(layer, kinds.Sinusoids) for layer in chain) else {}
    network = plain.Network(place("net", Network(given, chain, beside=beside), {}))
    x = noise.normal(0, 0, "x", (3, *given))
    for i, (key, value) in enumerate(
        (k, v) for module in network.modules for k, v in module.values.items()
    ):
        value[...] = noise.normal(0, i, key, value.shape)
    for module in network.modules:
        settle(module)
    virtual = any(isinstance(layer, kinds.VirtualNorm) for layer in chain)
    more = [noise.normal(0, 0, "reference", (2, *given))] if virtual else []
    more += [noise.uniform(0, 0, "t", (3,), 0, 9)] if beside else []
    weight = noise.normal(0, 0, "weight", network(x, *more).shape)
    dx = network.backward(weight)
    learned = [
        (value, module.gradients[key])
        for module in network.modules
        for key, value in module.values.items()
        if not key.startswith("running_") and key != "u"
    ]
    arrays, gradients = [x, *(value for value, _ in learned)], [g for _, g in learned]
    for array, gradient in zip(arrays, [dx, *gradients], strict=True):
        direction = noise.normal(0, 1, f"d{array.shape}", array.shape)
        kept, step, ends = array.copy(), 1e-6, []
        for sign in (1, -1):
            array[...] = kept + sign * step * direction
            ends.append((network(x, *more) * weight).sum())
        array[...] = kept
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * direction).sum())


def test_a_spectral_layers_u_turns_towards_its_largest_stretch():
    """And its stretch becomes 1; its gradient counts u⁺ and v as constants, and not σ."""
    plain.setup("cpu", "float64")
    layer = kinds.Conv(name="a", kernel=3, pad=1, out=4, spectral=True)
    (module,) = plain.Network(place("net", Network([3, 4, 6], [layer]), {})).modules
    module.values["weight"][...] = noise.normal(0, 0, "w", (4, 3, 3, 3))
    module.values["u"][...] = noise.normal(0, 0, "u", (4,))
    for _ in range(100):
        module.turn()
    before = module.values["u"].copy()
    assert np.linalg.norm(module.used().reshape(4, -1), 2) == pytest.approx(1.0, abs=1e-9)
    assert np.array_equal(module.values["u"], before)
    first, stretches, last = np.linalg.svd(module.values["weight"].reshape(4, -1))
    assert module.sigma == pytest.approx(stretches[0], abs=1e-9)
    d = noise.normal(0, 0, "d", (4, 3, 3, 3))
    module.clear()
    module.add_slope(d)
    along = (d * module.values["weight"]).sum() / module.sigma
    direction = np.outer(first[:, 0], last[0]).reshape(d.shape)
    wanted = (d - along * direction) / module.sigma
    assert module.gradients["weight"] == pytest.approx(wanted, abs=1e-6)


def test_a_masked_convolution_sees_what_comes_before_and_a_codebook_the_first_of_equals():
    """Row after row; of two equally near vectors, the one with the smaller number."""
    plain.setup("cpu", "float64")
    for mask, wanted in (("A", 7), ("B", 8)):
        layer = kinds.MaskedConv(name="a", kernel=3, mask=mask, out=1)
        network = plain.Network(place("net", Network([1, 4, 5], [layer]), {}))
        network.modules[0].values["weight"] += 1.0
        for place_of_one, flat in enumerate(np.eye(20)):
            seen = network(flat.reshape(1, 1, 4, 5)).ravel()
            assert not seen[: place_of_one + (mask == "A")].any()
            assert seen[place_of_one] == (mask == "B")
        assert network.modules[0].mask().sum() == wanted - 3
    network = plain.Network(
        place("net", Network([2, 1, 3], [kinds.Codebook(name="a", codes=4)]), {})
    )
    (book,) = network.modules
    book.values["weight"][...] = [[9, 9], [1, 0], [1, 0], [0, 1]]
    maps = np.array([[[[1.0, 0.5, 0.0]], [[0.0, 0.5, 2.0]]]])
    assert book.nearest(maps).tolist() == [[[1, 1, 3]]]


def test_every_kind_of_layer_has_its_gradients_tried():
    tried = {type(layer) for _, chain in CHAINS.values() for layer in chain}
    assert set(get_args(Layer)) - tried == {kinds.Dropout}  # its mask comes with a recipe's batch


def settled(model, resolved, first):
    """First weights with every spectral layer's u at rest: see `settle`."""
    plain.write(model, resolved, first)
    for name in resolved.networks:
        for module in getattr(model, name).modules:
            settle(module)
    return {key: array for key, array in plain.read(model, resolved).items() if key in first}


# A distance summed over a picture is so large that its last digit hides a small slope.
WITHOUT = {"wgan": {"clip": 1e9}, "alpha_gan": {"l1_weight": 0.01}}
WHOLE = {
    ("pix2pix", "generator"): lambda told, c: told["generator"] + c["l1_weight"] * told["l1"],
    ("alpha_gan", "encoder"): lambda told, c: told["encoder"] + c["l1_weight"] * told["l1"],
    ("alpha_gan", "generator"): lambda told, c: told["generator"] + c["l1_weight"] * told["l1"],
    ("cyclegan", "discriminator_x"): lambda told, c: (
        told["discriminator_x"] + told["discriminator_y"]
    ),
    ("cyclegan", "generator_y"): lambda told, c: (
        told["generator_x"]
        + told["generator_y"]
        + c["cycle_weight"] * told["cycle"]
        + c["identity_weight"] * told["identity"]
    ),
    ("vq_vae", "decoder"): lambda told, c: told["reconstruction"],
    ("vq_vae", "codebook"): lambda told, c: told["codebook"],
    ("wgan", "critic"): lambda told, c: -told["wasserstein"],
    ("wgan_gp", "critic"): lambda told, c: (
        c["penalty_weight"] * told["penalty"] - told["wasserstein"]
    ),
}
"""What a network's gradients are the slopes of, where the step tells it in parts."""

THROUGH = ("vq_vae", "encoder")
"""The gradients of this network go straight through a choice, and are no slopes: see below."""


@pytest.mark.parametrize(
    "question",
    [q for q in questions.all_questions() if q.reference_file.is_file() and not q.opens],
    ids=str,
)
def test_a_reference_steps_downhill_along_its_slopes(question, monkeypatch):
    """One step's first moment is (1 − β₁) times the slope of the loss that the step returns.

    With nothing updated in it: a generator's loss is taken with the discriminator's new weights.
    """
    plain.setup("cpu", "float64")
    # RMSprop keeps no first moment, and a slope ends where weights are clipped.
    monkeypatch.setattr(plain, "RMSprop", plain.Adam)
    monkeypatch.setattr(plain, "SGD", plain.Adam)
    resolved = recipe.load_check(question.recipe_file)
    resolved = replace(resolved, constants=resolved.constants | WITHOUT.get(question.name, {}))
    made = answers.model_class(
        answers.load(question.reference_file), resolved.class_name, question.reference_file
    )
    first = drawn_weights(resolved)  # a slope has an edge where a bias and its input are 0
    still = {
        n: replace(o, lr=0.0, algorithm="adam", betas=(0.0, 0.9))
        for n, o in resolved.optimizers.items()
    }
    resolved = replace(resolved, optimizers=still)

    def loss_and_state(weights):
        model = made(resolved)
        plain.write(model, resolved, weights)
        return model.train_step(batch(resolved, 1)), plain.read(model, resolved)

    first = settled(made(resolved), resolved, first)
    _, state = loss_and_state(first)
    for key, weight in first.items():
        if ".running_" in key or key.endswith((".u", ".pictures")):
            continue
        trained = [(n, o) for n, o in still.items() if key.split(".")[0] in o.networks]
        network = key.split(".")[0]
        if not trained or (question.name, network) == THROUGH:  # else a running mean of others
            continue
        ((name, settings),) = trained
        loss = settings.networks[0] if len(still) > 1 else "loss"
        loss = network if (question.name, network) in WHOLE else loss
        direction = noise.normal(0, 1, key, weight.shape)
        ends = []
        for sign in (1, -1):
            losses, _ = loss_and_state({**first, key: weight + sign * 1e-7 * direction})
            whole = WHOLE.get((question.name, loss), lambda told, constants: told[loss])  # noqa: B023
            ends.append(whole(losses, resolved.constants))
        slope = (ends[0] - ends[1]) / 2e-7
        gradient = state[f"{name}.{key}.m"] / (1 - settings.betas[0])
        assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-7), key


def test_an_encoders_gradient_goes_straight_through_the_codebook():
    """It is the slope of reconstruction + β · commitment where e − z, and then e, are constants."""
    plain.setup("cpu", "float64")
    question = questions.find("vq_vae")
    resolved = recipe.load_check(question.recipe_file)
    settings = replace(resolved.optimizers["optimizer"], lr=1e-9, betas=(0.0, 0.9))
    resolved = replace(resolved, optimizers=resolved.optimizers | {"optimizer": settings})
    path = question.reference_file
    model = answers.model_class(answers.load(path), resolved.class_name, path)(resolved)
    first, given = dict(initial_weights(resolved)), batch(resolved, 1)
    plain.write(model, resolved, first)
    z = model.encoder(given["images"])
    e = model.codebook(z)
    model.train_step(given)
    state = plain.read(model, resolved)

    def loss(weights):
        plain.write(model, resolved, weights)
        moved = model.encoder(given["images"])
        off = model.decoder(moved + (e - z)) - given["images"]
        return (off**2).mean() + resolved.constants["beta"] * ((moved - e) ** 2).mean()

    for key in (key for key in first if key.startswith("encoder.")):
        direction = noise.normal(0, 1, key, first[key].shape)
        ends = [loss({**first, key: first[key] + step * direction}) for step in (1e-6, -1e-6)]
        slope = (ends[0] - ends[1]) / 2e-6
        assert slope == pytest.approx((state[f"optimizer.{key}.m"] * direction).sum(), rel=1e-5)


def test_adam_takes_the_papers_steps():
    """By hand for one weight with gradients 2 and −1, learning rate 0.1, betas (0.5, 0.75)."""
    plain.setup("cpu", "float64")
    settings = recipe.Optimizer("adam", ["net"], 0.1, (0.5, 0.75))
    network = plain.Network(
        place("net", Network([1], [kinds.Linear(name="a", out=1, bias=False)]), {})
    )
    module, adam = network.modules[0], plain.Adam(settings, network)
    module.gradients["weight"] += 2.0
    adam.update()
    assert module.values["weight"][0, 0] == pytest.approx(-0.1, abs=1e-9)  # m̂ = 2, v̂ = 4
    module.gradients["weight"] += -1.0
    adam.update()
    m, v = 0.0 / 0.75, (0.75 * 1.0 + 0.25 * 1.0) / 0.4375  # (0.5·1 − 0.5·1); v₁ = 1
    assert module.values["weight"][0, 0] == pytest.approx(-0.1 - 0.1 * m / np.sqrt(v), abs=1e-9)
