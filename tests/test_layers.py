"""From a recipe's layers to shapes, parameters and first weights."""

import math

from knock import questions, recipe
from knock.errors import UserError
from knock.frameworks import binding
from knock.recipe import Network, kinds
from knock.recipe.layers import networks, place
from knock.recipe.sizes import evaluate
from knock.recipe.weights import _first_value, initial_weights

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

CONV = {"name": "a", "out": 6}


@pytest.mark.parametrize(
    ("layer", "twin"),
    [
        (kinds.Conv(kernel=3, pad=1, **CONV), torch.nn.Conv2d(4, 6, 3, padding=1)),
        (kinds.Conv(kernel=5, stride=2, pad=2, **CONV), torch.nn.Conv2d(4, 6, 5, 2, 2)),
        (kinds.Conv(kernel=4, stride=2, pad=1, bias=False, **CONV), None),
        (kinds.TransposedConv(kernel=2, stride=2, **CONV), torch.nn.ConvTranspose2d(4, 6, 2, 2)),
        (
            kinds.TransposedConv(kernel=5, stride=2, pad=2, out_pad=1, **CONV),
            torch.nn.ConvTranspose2d(4, 6, 5, 2, 2, 1),
        ),
        (kinds.BatchNorm(name="a"), torch.nn.BatchNorm2d(4)),
        (kinds.MaxPool(kernel=2), torch.nn.MaxPool2d(2)),
        (kinds.AveragePool(kernel=2), torch.nn.AvgPool2d(2)),
        (kinds.Upsample(scale=2), torch.nn.Upsample(scale_factor=2)),
        (kinds.ReLU(), torch.nn.ReLU()),
        (kinds.Flatten(), torch.nn.Flatten()),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_shapes_are_those_of_pytorch(layer, twin):
    twin = twin or torch.nn.Conv2d(4, 6, 4, 2, 1, bias=False)
    placed = place("net", Network([4, 8, 12], [layer]), {})
    images = torch.zeros(2, 4, 8, 12, dtype=torch.float32)  # whatever the default type is by now
    assert placed.output == tuple(twin.float()(images).shape[1:])
    theirs = {
        f"a.{name}": tuple(value.shape)
        for name, value in twin.state_dict().items()
        if name != "num_batches_tracked"
    }
    assert {p.name: p.shape for p in placed.parameters} == theirs


def test_sizes_are_sums_of_names():
    sizes = {"height": 64, "code": 5}
    assert evaluate("height / 16 * code + 3 - 1", sizes, "x") == 22
    assert evaluate(7, sizes, "x") == 7


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("height / 7", "height = 64 must divide by 7"),
        ("height / 0", "must divide by 0"),
        ("width", "no whole number is called 'width'"),
        ("slope", "no whole number is called 'slope'"),
        ("height - 64", "comes to 0"),
        (-3, "comes to -3"),
        ("height **", "is not a size"),
        ("height ** 2", "is not a size"),
        ("__import__('os')", "is not a size"),
    ],
)
def test_a_size_that_is_none_is_refused(size, said):
    with pytest.raises(UserError) as caught:
        evaluate(size, {"height": 64, "slope": 0.2}, "networks.g.input")
    assert said in str(caught.value)
    assert "networks.g.input" in str(caught.value)


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ([kinds.Linear(name="a", out=3)], "put a flatten before it"),
        ([kinds.Conv(kernel=9, **CONV)], "does not fit into 8×12"),
        ([kinds.MaxPool(kernel=5)], "must divide by 5"),
        ([kinds.Reshape(shape=[3, 8, 12])], "the counts differ"),
        ([kinds.TransposedConv(kernel=1, pad=6, **CONV)], "does not fit into 8×12"),
        ([kinds.Concat(of="early")], "no layer before it keeps 'early'"),
        ([kinds.Add(of="early")], "no layer before it keeps 'early'"),
        ([kinds.Keep(of="a"), kinds.ReLU(), kinds.Restore(of="a")], "put a keep before it"),
        ([kinds.Keep(of="a"), kinds.MaxPool(kernel=2), kinds.Add(of="a")], "cannot be added to"),
        ([kinds.GroupNorm(name="a", groups=3)], "3 groups cannot share 4 channels evenly"),
        ([kinds.Sinusoids(out=4)], "needs a single number, gets (4, 8, 12)"),
        ([kinds.Flatten(), kinds.GlobalPool()], "channels × height × width"),
        ([kinds.Conv(kernel=1, **CONV), kinds.Conv(kernel=1, **CONV)], "'a' is taken"),
    ],
)
def test_layers_that_do_not_fit_are_refused(chain, said):
    with pytest.raises(UserError) as caught:
        place("net", Network([4, 8, 12], chain), {})
    assert said in str(caught.value)
    assert "networks.net.layers[" in str(caught.value)


def test_half_of_the_numbers_of_a_number_are_cosines():
    with pytest.raises(UserError, match=r"half of its numbers are sines, half cosines: 7 is odd"):
        place("net", Network([], [kinds.Sinusoids(out=7)]), {})


def test_networks_are_placed_anew_where_anything_of_a_recipe_is_another():
    first = recipe.load_check(questions.find("ae").recipe_file)
    wider = msgspec.structs.replace(first, image_shape=(3, 8, 16))
    placed = networks(first)
    assert networks(first) == placed != networks(wider)
    placed.clear()
    assert networks(first)


def test_a_layer_is_there_where_the_constants_say_so():
    chain = [
        kinds.Conv(kernel=3, **CONV, spectral={"norm": "spectral"}),
        kinds.BatchNorm(name="n", running=False, when={"norm": "batch", "deep": True}),
        kinds.LayerNorm(name="n", when={"norm": "layer"}),
    ]

    def names(norm, deep=True):
        placed = place("net", Network([4, 8, 12], chain), {"norm": norm, "deep": deep})
        return [one.layer.kind for one in placed.layers], [p.name for p in placed.parameters]

    conv = ["a.weight", "a.bias"]
    assert names("none") == (["conv"], conv)
    assert names("batch") == (["conv", "batch_norm"], [*conv, "n.weight", "n.bias"])
    assert names("batch", deep=False) == (["conv"], conv)
    assert names("layer") == (["conv", "layer_norm"], [*conv, "n.weight", "n.bias"])
    assert names("spectral") == (["conv"], [*conv, "a.u"])


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"nrom": "batch"}, "no constant is called 'nrom'"),
        ({"side": 8}, "no constant is called 'side'"),
        ({"norm": 1}, "the constant norm is 'layer', never 1"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(when, said):
    for layer in (kinds.ReLU(when=when), kinds.Conv(kernel=3, **CONV, spectral=when)):
        with pytest.raises(UserError) as caught:
            place("net", Network([4, 8, 12], [layer]), {"norm": "layer", "side": 8})
        assert said in str(caught.value)
        assert "networks.net.layers[0]" in str(caught.value)


def test_the_vector_of_a_spectral_layer_begins_as_a_direction_of_its_own():
    layers = [kinds.Conv(kernel=3, **CONV, spectral=True)]
    placed = place("net", Network([4, 8, 12], layers), {})
    u = placed.parameters[-1]
    assert (u.name, u.shape, u.trainable, u.kind) == ("a.u", (6,), False, "vector")
    first, other = _first_value(u, 0, "one"), _first_value(u, 0, "other")
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-15)
    assert not np.isclose(first, other).any()


def test_flattened_maps_are_marked_where_they_matter():
    chain = [
        kinds.Flatten(),
        kinds.Linear(name="inner", out=5),
        kinds.ReLU(),
        kinds.Linear(name="outer", out=2 * 3 * 4),
        kinds.ReLU(),
        kinds.Reshape(shape=[2, 3, 4]),
    ]
    found = {p.name: p for p in place("net", Network([4, 8, 12], chain), {}).parameters}
    assert found["inner.weight"].in_map == (4, 8, 12)
    assert found["inner.weight"].out_map is None
    assert found["inner.bias"].in_map is None
    assert found["outer.weight"].in_map is None
    assert found["outer.weight"].out_map == (2, 3, 4)
    assert found["outer.bias"].out_map == (2, 3, 4)


BETWEEN = [
    kinds.ReLU(),
    kinds.LeakyReLU(slope=0.2),
    kinds.Sigmoid(),
    kinds.Tanh(),
    kinds.BatchNorm(name="norm"),
    kinds.LayerNorm(name="norm"),
    kinds.SiLU(),
    kinds.VirtualNorm(name="norm", of="reference"),
]


@pytest.mark.parametrize("layer", BETWEEN, ids=lambda layer: layer.kind)
def test_flattened_maps_are_seen_through_what_keeps_their_order(layer):
    """DCGAN's generator: linear, batch norm, ReLU, reshape. A map's vectors are reordered too."""
    into = [kinds.Linear(name="fc", out=2 * 3 * 4), layer, kinds.Reshape(shape=[2, 3, 4])]
    found = place("net", Network([5], into), {}).parameters
    assert {p.name: p.out_map for p in found} == {p.name: (2, 3, 4) for p in found}
    assert not any(p.in_map for p in found)
    out_of = [kinds.Flatten(), layer, kinds.Linear(name="fc", out=7)]
    found = {p.name: p for p in place("net", Network([2, 3, 4], out_of), {}).parameters}
    assert found["fc.weight"].in_map == (2, 3, 4)
    assert found["fc.weight"].out_map is None
    assert found["fc.bias"].out_map is None


def test_a_flattened_map_is_marked_where_other_numbers_come_before_it():
    """Of minibatch discrimination: what it says of a row, and then the row itself."""
    chain = [
        kinds.Flatten(),
        kinds.Keep(of="features"),
        kinds.Minibatch(name="closeness", kernels="b", dims=5, scale="weight"),
        kinds.Concat(of="features"),
        kinds.Linear(name="fc", out=7),
    ]
    network = place("net", Network([2, 3, 4], chain), {"b": 6, "weight": 0.5})
    found = {p.name: p for p in network.parameters}
    assert (found["closeness.weight"].shape, found["fc.weight"].shape) == ((30, 24), (7, 30))
    assert (found["closeness.weight"].in_map, found["closeness.weight"].in_before) == ((2, 3, 4), 0)
    assert (found["fc.weight"].in_map, found["fc.weight"].in_before) == ((2, 3, 4), 6)
    assert network.layers[2].layer.scale == 0.5
    weight = np.arange(7 * 30.0).reshape(7, 30)
    native = binding.to_channels_last(weight, found["fc.weight"])
    assert native.T[0, 5:9].tolist() == [5, 6, 18, 7]  # the map's places in turn, both channels
    np.testing.assert_array_equal(binding.from_channels_last(native, found["fc.weight"]), weight)


def test_a_codebook_is_stored_alike_in_all_frameworks():
    """A vector in each row; what comes out has the shape of what goes in."""
    codebook = kinds.Codebook(name="e", codes="k")
    placed = place("net", Network([3, 4, 5], [codebook]), {"k": 7})
    (weight,) = placed.parameters
    assert (weight.name, weight.shape, placed.output) == ("e.weight", (7, 3), (3, 4, 5))
    array = np.arange(21.0).reshape(7, 3)
    assert binding.to_channels_last(array, weight) is array


def test_a_masked_convolution_keeps_the_sides_of_its_map():
    masked = kinds.MaskedConv(name="a", kernel=5, mask="A", out=6)
    placed = place("net", Network([3, 4, 5], [masked]), {})
    assert placed.output == (6, 4, 5)
    assert {p.name: p.shape for p in placed.parameters} == {
        "a.weight": (6, 3, 5, 5),
        "a.bias": (6,),
    }
    even = msgspec.structs.replace(masked, kernel=4)
    with pytest.raises(UserError, match=r"masked_conv.*\.kernel: must be odd, not 4"):
        place("net", Network([3, 4, 5], [even]), {})


@pytest.mark.parametrize("kind", [kinds.BatchNorm, kinds.LayerNorm])
def test_vectors_behind_a_flatten_are_a_flattened_map(kind):
    """One number for each place of the map, in whose order a framework keeps its channels."""
    chain = [kinds.Flatten(), kind(name="norm"), kinds.Linear(name="fc", out=7)]
    found = place("net", Network([2, 3, 4], chain), {}).parameters
    vectors = [p for p in found if p.name.startswith("norm.")]
    assert {p.out_map for p in vectors} == {(2, 3, 4)}


@pytest.mark.parametrize(
    ("init", "variance"),
    [("glorot_uniform", 2 / (200 + 300)), ("he_uniform", 2 / 200), ("normal", 0.02**2)],
)
def test_first_weights_have_the_papers_variance(init, variance):
    one = place("net", Network([200], [kinds.Linear(name="a", out=300)], init), {}).parameters
    weight, bias = (_first_value(p, 0, p.name) for p in one)
    assert abs(weight.var() / variance - 1) < 0.02
    assert abs(weight.mean()) < 0.01 * math.sqrt(variance) + 1e-3
    assert not bias.any()


@pytest.mark.parametrize("kind", [kinds.Conv, kinds.TransposedConv])
@pytest.mark.parametrize(
    ("init", "variance"),
    [("glorot_uniform", 2 / ((24 + 40) * 3 * 3)), ("he_uniform", 2 / (24 * 3 * 3))],
)
def test_a_kernel_s_places_count_as_inputs_and_outputs(kind, init, variance):
    """For tconv too: 24 channels come in, 40 go out, whatever the axes' order."""
    layer = kind(name="a", kernel=3, out=40)
    weight = place("net", Network([24, 8, 8], [layer], init), {}).parameters[0]
    assert abs(_first_value(weight, 0, "a").var() / variance - 1) < 0.04


def test_the_recipe_s_own_deviation_is_used():
    network = Network([200], [kinds.Linear(name="a", out=300)], "normal", 0.3)
    weight = place("net", network, {}).parameters[0]
    assert abs(_first_value(weight, 0, "a").std() / 0.3 - 1) < 0.01


def test_networks_with_equal_layers_begin_differently():
    """Two discriminators, say."""
    one = Network([3, 8, 8], [kinds.Conv(name="a", kernel=3, out=4)])
    resolved = recipe.load(questions.find("ae").recipe_file)
    twins = msgspec.structs.replace(resolved, networks={"one": one, "two": one})
    first = initial_weights(twins)
    assert first["one.a.weight"].shape == first["two.a.weight"].shape
    assert not np.isclose(first["one.a.weight"], first["two.a.weight"]).any()
    other = initial_weights(msgspec.structs.replace(twins, seed=1))
    assert not np.isclose(first["one.a.weight"], other["one.a.weight"]).any()


def test_every_array_is_drawn_from_a_stream_of_its_own():
    resolved = recipe.load(questions.find("convae").recipe_file)
    first, again = (initial_weights(resolved) for _ in range(2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    kernels = [value.ravel()[:4].tobytes() for value in first.values() if value.any()]
    assert len(set(kernels)) == len(kernels)
