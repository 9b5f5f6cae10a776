"""Layers for raw TensorFlow, which has operations but none of these, in PyTorch's geometry.

Maps are N×H×W×C. Weights start as zeros (scales as ones), in the float type of the moment: the
recipe's first values are written into them when a run starts.
"""

from collections.abc import Sequence
from typing import Any

from knock.frameworks.tensorflow.runtime import tf

import numpy as np
from numpy.typing import NDArray

_float_type = tf.float32


def set_float_type(name: str) -> None:
    """The float type ("float32" or "float64") of every layer made from now on."""
    global _float_type
    _float_type = tf.as_dtype(name)


def float_type() -> Any:
    """The float type in which variables are made: a tf.DType."""
    return _float_type


class Linear(tf.Module):
    """x W + b of x (N, inputs): (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = _zeros(inputs, outputs)
        self.bias = _zeros(outputs) if bias else None

    def __call__(self, x: Any) -> Any:
        return _plus(tf.matmul(x, self.weight), self.bias)


class Conv2d(tf.Module):
    """Convolution of N×H×W×inputs with `padding` zeros on every side, as PyTorch's.

    Height (H + 2·padding − kernel) // stride + 1, width likewise.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.weight = _zeros(kernel, kernel, inputs, outputs)
        self.bias = _zeros(outputs) if bias else None

    def __call__(self, x: Any) -> Any:
        padding = "SAME"
        if not _is_same(x.shape[1:3], self):
            x, padding = tf.pad(x, _every_side(self.padding)), "VALID"
        return _plus(tf.nn.conv2d(x, self.weight, self.stride, padding), self.bias)


class ConvTranspose2d(tf.Module):
    """Transposed convolution of N×H×W×inputs, as PyTorch's.

    Height (H − 1)·stride − 2·padding + kernel + output_padding, width likewise. TensorFlow is told
    the output's size, so the output padding needs no more than that.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.beyond = kernel + output_padding - 2 * padding - stride
        self.weight = _zeros(kernel, kernel, outputs, inputs)
        self.bias = _zeros(outputs) if bias else None

    def __call__(self, x: Any) -> Any:
        count, height, width, _ = x.shape
        size = [height * self.stride + self.beyond, width * self.stride + self.beyond]
        shape = [tf.shape(x)[0] if count is None else count, *size, self.weight.shape[2]]
        padding = "SAME" if _is_same(size, self) else _every_side(self.padding)
        h = tf.nn.conv2d_transpose(x, self.weight, shape, self.stride, padding)
        return _plus(h, self.bias)


class BatchNorm(tf.Module):
    """Batch normalisation over all axes but the last (Ioffe & Szegedy 2015, algorithm 1).

    ε = 1e-5; in training the running statistics take one tenth of the batch's, the variance
    unbiased, n / (n − 1), as PyTorch's do. With `running` off there are none, and the batch's own
    serve outside training, too.
    """

    def __init__(self, channels: int, running: bool = True) -> None:
        super().__init__()
        self.weight = _ones(channels)
        self.bias = _zeros(channels)
        self.running = running
        if running:
            self.running_mean = _zeros(channels, trainable=False)
            self.running_var = _ones(channels, trainable=False)

    def __call__(self, x: Any, training: bool = True) -> Any:
        if self.running and not training:
            return _normal(x - self.running_mean, self.running_var, self)
        axes = list(range(len(x.shape) - 1))
        # Not tf.nn.moments: it stops the gradient through the mean, and so gets second ones wrong.
        mean = tf.reduce_mean(x, axes)
        centred = x - mean
        variance = tf.reduce_mean(tf.square(centred), axes)
        if self.running:
            n = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
            self.running_mean.assign_add(0.1 * (mean - self.running_mean))
            self.running_var.assign_add(0.1 * (variance * (n / (n - 1)) - self.running_var))
        return _normal(centred, variance, self)


class LayerNorm(tf.Module):
    """Normalisation of each picture over H, W and C (Ba et al. 2016), scaled channel by channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = _ones(channels)
        self.bias = _zeros(channels)

    def __call__(self, x: Any) -> Any:
        axes = list(range(1, len(x.shape)))
        centred = x - tf.reduce_mean(x, axes, keepdims=True)  # own moments: see BatchNorm
        variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
        return _normal(centred, variance, self)


def leaky_relu(x: Any, slope: float) -> Any:
    """x where positive, slope·x elsewhere, the slope exact in x's type.

    tf.nn.leaky_relu keeps its slope in float32, which shows (1e-8) when x is float64.
    """
    if x.dtype == tf.float32:
        return tf.nn.leaky_relu(x, slope)
    return tf.where(x > 0, x, slope * x)


def resize(images: Any, sides: Sequence[int]) -> Any:
    """N×H×W×C with other `sides`, height and width: linear between the middles of the pixels.

    Fewer pixels are not smoothed first, and beyond the outer middles the last pixel goes on.
    tf.image.resize means the same, but answers in float32, which shows (1e-8) when images are
    float64.
    """
    if images.dtype == tf.float32:
        return tf.image.resize(images, sides)
    rows, columns = (
        tf.constant(_weights(old, new), images.dtype)
        for old, new in zip(images.shape[1:3], sides, strict=True)
    )
    return tf.einsum("yh,nhwc,xw->nyxc", rows, images, columns)


def _weights(old: int, new: int) -> NDArray[np.float64]:
    """How much of each of `old` pixels is in each of `new` ones: new × old."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(old)))


def _normal(centred: Any, variance: Any, layer: Any) -> Any:
    return centred * (tf.math.rsqrt(variance + 1e-5) * layer.weight) + layer.bias


def _plus(x: Any, bias: Any) -> Any:
    return x if bias is None else tf.nn.bias_add(x, bias)


def _is_same(sides: Any, layer: Any) -> bool:
    """Whether "SAME" pads maps of this height and width by `padding` on every side.

    Usually it does (3×3, or 4×4 with stride 2), and it is TensorFlow's fastest way by far. It does
    not for 5×5 with stride 2: one row before, two behind.
    """
    k, s = layer.kernel, layer.stride
    together = [max((-(-side // s) - 1) * s + k - side, 0) for side in sides]
    return all(rows == 2 * layer.padding for rows in together)


def _every_side(padding: int) -> list[list[int]]:
    return [[0, 0], [padding, padding], [padding, padding], [0, 0]]


def _zeros(*shape: int, trainable: bool = True) -> Any:
    return tf.Variable(tf.zeros(shape, _float_type), trainable=trainable)


def _ones(*shape: int, trainable: bool = True) -> Any:
    return tf.Variable(tf.ones(shape, _float_type), trainable=trainable)
