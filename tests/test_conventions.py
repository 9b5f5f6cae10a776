"""Every layer, update and loss has the same meaning in each framework.

All is float64, compared with PyTorch or plain NumPy. If a framework's own version differs, a test
shows how: when that test fails, our version is no longer needed.
"""

import importlib

from knock import frameworks
from knock.errors import UserError

import numpy as np
import pytest

OTHERS = ("tensorflow", "keras", "chainer")


@pytest.fixture(scope="module")
def pytorch():
    return _column("pytorch")


@pytest.fixture(params=OTHERS)
def other(request):
    return _column(request.param)


@pytest.fixture
def draw():
    """Normal numbers of a shape; the same calls give the same numbers in every test."""
    source = np.random.default_rng(7)
    return lambda *shape: source.normal(size=shape)


def _column(name):
    if frameworks.FRAMEWORKS[name].missing:
        pytest.skip(f"{name} is not installed")
    frameworks.load(name).setup("cpu", "float64", 1)
    return importlib.import_module(f"tests.conventions.{name}")


def same(got, wanted, tolerance=1e-12):
    """Float64, of the same shape, and equal, relative to the largest value."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == np.float64
    assert got.shape == wanted.shape
    assert _distance(got, wanted) < tolerance


def _distance(got, wanted):
    return np.abs(got - wanted).max() / np.abs(wanted).max()


def test_linear(pytorch, other, draw):
    arguments = draw(4, 6), draw(5, 6), draw(5)
    same(other.linear(*arguments), pytorch.linear(*arguments))


CONVOLUTIONS = {
    "3x3, pad 1": (3, 1, 1),
    "5x5, stride 2, pad 2": (5, 2, 2),
    "4x4, stride 2, pad 1": (4, 2, 1),
    "1x1": (1, 1, 0),
    "4x4 to the end": (4, 1, 0),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("sides", [(8, 12), (7, 9)], ids=["even", "odd"])
def test_convolution(pytorch, other, draw, case, sides):
    kernel, stride, pad = CONVOLUTIONS[case]
    arguments = draw(2, 3, *sides), draw(4, 3, kernel, kernel), draw(4), stride, pad
    same(other.conv(*arguments), pytorch.conv(*arguments))


TRANSPOSED = {
    "2x2, stride 2": (2, 2, 0, 0),
    "5x5, stride 2, pad 2, out pad 1": (5, 2, 2, 1),
    "4x4, stride 2, pad 1": (4, 2, 1, 0),
    "4x4 from one pixel": (4, 1, 0, 0),
}


@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_convolution(pytorch, other, draw, case):
    kernel, stride, pad, out_pad = TRANSPOSED[case]
    sides = (1, 1) if "one pixel" in case else (3, 5)
    weights = draw(3, 4, kernel, kernel), draw(4)
    arguments = draw(2, 3, *sides), *weights, stride, pad, out_pad
    same(other.tconv(*arguments), pytorch.tconv(*arguments))


def test_max_pool(pytorch, other, draw):
    x = draw(2, 3, 8, 12)
    same(other.maxpool(x, 2), pytorch.maxpool(x, 2))


@pytest.mark.parametrize("what", ["avgpool", "upsample"])
def test_means_and_repetitions_of_pixels(pytorch, other, draw, what):
    x = draw(2, 3, 4, 6)
    same(getattr(other, what)(x, 2), getattr(pytorch, what)(x, 2), 1e-15)


def test_global_pool(pytorch, other, draw):
    x = draw(2, 3, 4, 6)
    same(other.global_pool(x), pytorch.global_pool(x), 1e-15)


def test_flattening_is_channels_first_for_the_weights(pytorch, other, draw):
    arguments = draw(2, 3, 4, 6), draw(5, 3 * 4 * 6), draw(5)
    same(other.flatten_linear(*arguments), pytorch.flatten_linear(*arguments))


def test_reshape_to_a_map_is_channels_first_for_the_weights(pytorch, other, draw):
    arguments = draw(2, 5), draw(3 * 4 * 6, 5), draw(3 * 4 * 6), (3, 4, 6)
    same(other.linear_reshape(*arguments), pytorch.linear_reshape(*arguments))


SIDES = [(14, 28), (8, 14), (9, 33), (21, 40)]  # more, fewer, and both at once


@pytest.mark.parametrize("sides", SIDES)
def test_resize(pytorch, other, draw, sides):
    x = draw(2, 3, 14, 21)
    same(other.resize(x, sides), pytorch.resize(x, sides), 1e-14)


@pytest.mark.parametrize("slope", [0.01, 0.2])
def test_leaky_relu(other, draw, slope):
    x = np.concatenate([draw(50), [0.0]])
    same(other.leaky_relu(x, slope), np.where(x > 0, x, slope * x), 1e-15)


@pytest.mark.parametrize("target", [0.0, 1.0, 0.9])
def test_cross_entropy_from_logits(other, draw, target):
    logits = np.concatenate([draw(20), [300.0, -300.0, 19.0, 21.0, 0.0]])[:, None]
    wanted = np.mean(np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits))))
    assert abs(other.bce_logits(logits, target) / wanted - 1) < 1e-12


@pytest.mark.parametrize("sides", [(4, 6), ()], ids=["map", "flat"])
def test_batch_norm_in_training(pytorch, other, draw, sides):
    batches = [5 * draw(4, 3, *sides) + i for i in range(6)]
    arguments = batches, 1 + draw(3), draw(3)
    outputs, mean, var = other.batch_norm(*arguments)
    wanted_outputs, wanted_mean, wanted_var = pytorch.batch_norm(*arguments)
    for output, wanted in zip(outputs, wanted_outputs, strict=True):
        same(output, wanted)
    same(mean, wanted_mean)
    same(var, wanted_var)


@pytest.mark.parametrize("sides", [(4, 6), ()], ids=["map", "flat"])
def test_batch_norm_outside_training(pytorch, other, draw, sides):
    arguments = draw(4, 3, *sides), 1 + draw(3), draw(3), draw(3), 1 + draw(3) ** 2
    same(other.batch_norm_eval(*arguments), pytorch.batch_norm_eval(*arguments))


def test_layer_norm(pytorch, other, draw):
    arguments = 5 * draw(4, 3, 4, 6) + 2, 1 + draw(3), draw(3)
    same(other.layer_norm(*arguments), pytorch.layer_norm(*arguments))


def test_group_norm(pytorch, other, draw):
    arguments = 5 * draw(4, 6, 4, 3) + 2, 1 + draw(6), draw(6), 3
    same(other.group_norm(*arguments), pytorch.group_norm(*arguments))


def test_several_pictures_for_each_one_get_the_frameworks_layout(other, draw):
    pictures = draw(2, 3, 4, 5, 6)
    seen = other.framework.to_device({"z": pictures})["z"]
    same(other.framework.to_numpy(seen[:, 1]), pictures[:, 1])


def test_instance_norm(pytorch, other, draw):
    arguments = 5 * draw(4, 3, 4, 6) + 2, 1 + draw(3), draw(3)
    same(other.instance_norm(*arguments), pytorch.instance_norm(*arguments))


def test_layer_norm_second_derivative(pytorch, other, draw):
    arguments = draw(2, 3, 2, 4), 1 + draw(3), draw(3)
    same(other.layer_norm_second(*arguments), pytorch.layer_norm_second(*arguments), 1e-11)


def test_pytorch_s_second_derivative_of_layer_norm_is_right(pytorch, draw):
    """It agrees with finite differences of the first derivative."""
    x, gamma, beta = draw(1, 2, 1, 2), 1 + draw(2), draw(2)

    def norm(x):
        def value(x):
            return np.square(pytorch.layer_norm(x**3, gamma, beta)).sum()

        return np.linalg.norm(_differences(value, x, 1e-5))

    same(pytorch.layer_norm_second(x, gamma, beta), _differences(norm, x, 1e-3), 1e-3)


def _differences(function, x, step):
    """The gradient of a function of an array, by differences of the fourth order."""
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[place] = step
        near, far = function(x + e) - function(x - e), function(x + 2 * e) - function(x - 2 * e)
        gradient[place] = (8 * near - far) / (12 * step)
    return gradient


BETAS = [(0.9, 0.999), (0.5, 0.999), (0.0, 0.9)]


def _gradients(draw):
    return 10.0 ** -np.arange(20).reshape(20, 1, 1) * draw(20, 3, 2)  # from 10 down to below ε


@pytest.mark.parametrize("betas", BETAS)
def test_adam(other, draw, betas):
    w, grads = draw(3, 2), _gradients(draw)
    same(other.adam(w, grads, 1e-3, betas), _adam(w, grads, 1e-3, betas))


def _adam(w, grads, lr, betas):
    """Algorithm 1 of Kingma & Ba, line by line."""
    m = v = 0.0
    path = []
    for t, g in enumerate(grads, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        w = w - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + 1e-8)
        path.append(w)
    return np.stack(path)


def test_our_adam_is_pytorch_s(pytorch, draw):
    w, grads = draw(3, 2), _gradients(draw)
    same(pytorch.adam(w, grads, 1e-3, BETAS[0]), _adam(w, grads, 1e-3, BETAS[0]))


def test_rmsprop(pytorch, other, draw):
    arguments = draw(3, 2), _gradients(draw), 1e-3
    same(other.rmsprop(*arguments), pytorch.rmsprop(*arguments))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd(pytorch, other, draw, momentum):
    arguments = draw(3, 2), draw(20, 3, 2), 1e-2, momentum
    same(other.sgd(*arguments), pytorch.sgd(*arguments))


class TestStockKeras:
    """How Keras' own layers and optimisers differ."""

    @pytest.fixture
    def keras(self):
        column = _column("keras")
        column.stock = importlib.import_module("keras")
        return column

    def test_adam_puts_epsilon_elsewhere(self, keras, draw):
        w, grads = draw(3, 2), 1e-6 * draw(20, 3, 2)
        path = keras.follow(w, grads, keras.stock.optimizers.Adam(1e-3, epsilon=1e-8))
        wanted = _adam(w, grads, 1e-3, BETAS[0])
        assert _distance(path[0] - w, wanted[0] - w) > 0.1

    def test_rmsprop_puts_epsilon_inside_the_root(self, keras, pytorch, draw):
        w, grads = draw(3, 2), 1e-4 * draw(20, 3, 2)
        stock = keras.stock.optimizers.RMSprop(1e-3, rho=0.99, epsilon=1e-8)
        wanted = pytorch.rmsprop(w, grads, 1e-3)
        assert _distance(keras.follow(w, grads, stock)[0] - w, wanted[0] - w) > 0.1

    def test_batch_norm_keeps_the_biased_variance(self, keras, draw):
        x = draw(4, 3)
        layer = keras.stock.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        layer(x, training=True)
        same(keras.to_numpy(layer.moving_variance), 0.9 + 0.1 * x.var(axis=0))

    def test_layer_norm_has_wrong_second_derivatives(self, keras, pytorch, draw):
        x, scale = draw(2, 3, 2, 4), 1 + draw(3)
        raw = importlib.import_module("tests.conventions.tensorflow")
        layer = keras.stock.layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-5)
        got = raw.second(lambda x: layer(x) * scale, x)
        assert _distance(got, pytorch.layer_norm_second(x, scale, np.zeros(3))) > 1e-3

    def test_same_pads_5x5_stride_2_unevenly(self, keras, pytorch, draw):
        x, w, b = draw(2, 3, 8, 12), draw(4, 3, 5, 5), np.zeros(4)
        layer = keras.stock.layers.Conv2D(4, 5, 2, padding="same")
        got = keras.apply(layer, x, "conv", w, b)
        assert _distance(got, pytorch.conv(x, w, b, 2, 2)) > 0.1

    def test_leaky_relu_keeps_its_slope_in_float32(self, keras):
        got = keras.to_numpy(keras.stock.ops.leaky_relu(np.array([-1.0]), 0.2))
        assert 1e-9 < abs(got[0] + 0.2) < 1e-7

    def test_resize_computes_in_float32(self, keras, draw):
        x = draw(2, 4, 6, 3)  # N×H×W×C, as Keras' own
        got = np.asarray(keras.stock.ops.image.resize(x, (7, 9))).transpose(0, 3, 1, 2)
        wanted = keras.resize(x.transpose(0, 3, 1, 2), (7, 9))
        assert 1e-9 < _distance(got, wanted) < 1e-6


def test_tensorflow_s_resize_answers_in_float32(draw):
    _column("tensorflow")
    tf = importlib.import_module("tensorflow")
    assert tf.image.resize(draw(2, 4, 6, 3), (7, 9)).dtype == tf.float32


class TestStockChainer:
    """What Chainer's own `resize_images` does instead."""

    @pytest.fixture
    def chainer(self):
        column = _column("chainer")
        column.stock = importlib.import_module("chainer")
        return column

    def test_resize_refuses_float64(self, chainer, draw):
        with pytest.raises(chainer.stock.utils.type_check.InvalidType):
            chainer.stock.functions.resize_images(draw(2, 3, 4, 6), (7, 9), align_corners=False)

    def test_resize_lets_the_corners_middles_meet(self, chainer, draw):
        x = draw(2, 3, 4, 6).astype(np.float32)
        got = chainer.stock.functions.resize_images(x, (7, 9)).array
        assert _distance(got, chainer.resize(x, (7, 9))) > 0.1


def test_tensorflow_moments_stop_a_gradient(pytorch, draw):
    raw = _column("tensorflow")
    tf = importlib.import_module("tensorflow")

    def layer(x):
        mean, variance = tf.nn.moments(x, [1, 2, 3], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * scale

    x, scale = draw(2, 3, 2, 4), 1 + draw(3)
    got = raw.second(layer, x)
    assert _distance(got, pytorch.layer_norm_second(x, scale, np.zeros(3))) > 1e-3


@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_leaky_relu_in_float32(name, draw):
    """In float32 a faster operation is used."""
    x = draw(50).astype(np.float32)
    got = _column(name).leaky_relu(x, 0.2)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.where(x > 0, x, np.float32(0.2) * x))


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_resize_in_float32(name, draw, sides):
    """TensorFlow's own operation is taken there."""
    x = draw(2, 3, 14, 21)
    column = _column(name)
    got, wanted = column.resize(x.astype(np.float32), sides), column.resize(x, sides)
    assert got.dtype == np.float32
    assert _distance(got, wanted) < 1e-5  # it finds the places in float32, too


def test_tensorflow_computes_on_the_device_that_was_named(monkeypatch):
    """Here, where TensorFlow is imported anyway; PyTorch and Chainer are in test_devices.py."""
    _column("tensorflow")
    runtime = importlib.import_module("knock.frameworks.tensorflow.runtime")
    visible, gpus = [], ["first", "second"]
    monkeypatch.setattr(runtime.tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(
        runtime.tf.config, "set_visible_devices", lambda used, kind: visible.append(used)
    )
    monkeypatch.setattr(
        runtime.tf.config.experimental, "set_memory_growth", lambda gpu, grows: None
    )
    monkeypatch.setattr(runtime, "_name", lambda gpu: f"the {gpu}")
    told = [runtime.start(device) for device in ("auto", "cuda:1", "cpu")]
    assert told == ["the first", "the second", "CPU"]
    assert visible == [["first"], ["second"], []]
    with pytest.raises(UserError, match="finds no cuda:2 here, only cuda:0 to cuda:1"):
        runtime.start("cuda:2")
