"""Layers for raw TensorFlow, which only has operations; their geometry is PyTorch's.

Maps are N×H×W×C. Weights start as zeros (scales as ones) in the current float type; when a run
starts, the recipe's first values are written into them.
"""

from collections.abc import Sequence
from typing import Any

from knock.frameworks.tensorflow.runtime import tf

import numpy as np
from numpy.typing import NDArray

_float_type = tf.float32


def set_float_type(name: str) -> None:
    """Choose the float type ("float32" or "float64") of every layer made from now on."""
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
    """Convolution of N×H×W×inputs with `padding` zeros on every side, as in PyTorch.

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
    """Transposed convolution of N×H×W×inputs, as in PyTorch.

    Height (H − 1)·stride − 2·padding + kernel + output_padding, width likewise. TensorFlow takes
    the output's size as an argument, which already includes the output padding.
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


class Embedding(tf.Module):
    """A row of `numbers` for each whole number below `rows`: from any shape to (…, numbers)."""

    def __init__(self, rows: int, numbers: int) -> None:
        super().__init__()
        self.weight = _zeros(rows, numbers)

    def __call__(self, chosen: Any) -> Any:
        return tf.gather(self.weight, chosen)


class BatchNorm(tf.Module):
    """Batch normalisation over all axes except the last (Ioffe & Szegedy 2015, algorithm 1).

    As in PyTorch: ε = 1e-5, and in training a tenth of the running statistics is replaced by the
    batch's, with the unbiased variance (n / (n − 1)). With `running=False` there are no running
    statistics: the batch's are used outside training, too.
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
        # Not tf.nn.moments: it stops the mean's gradient, so second derivatives are wrong.
        mean = tf.reduce_mean(x, axes)
        centred = x - mean
        variance = tf.reduce_mean(tf.square(centred), axes)
        if self.running:
            n = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
            self.running_mean.assign_add(0.1 * (mean - self.running_mean))
            self.running_var.assign_add(0.1 * (variance * (n / (n - 1)) - self.running_var))
        return _normal(centred, variance, self)


class LayerNorm(tf.Module):
    """Normalises each picture over H, W and C (Ba et al. 2016), then scales each channel."""

    axes: tuple[int, ...] = (1, 2, 3)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = _ones(channels)
        self.bias = _zeros(channels)

    def __call__(self, x: Any) -> Any:
        centred = x - tf.reduce_mean(x, self.axes, keepdims=True)  # no moments: see BatchNorm
        variance = tf.reduce_mean(tf.square(centred), self.axes, keepdims=True)
        return _normal(centred, variance, self)


class GroupNorm(tf.Module):
    """Normalises each group of a picture's channels (Wu & He 2018), then scales each channel."""

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = _ones(channels)
        self.bias = _zeros(channels)

    def __call__(self, x: Any) -> Any:
        sides = x.shape[1:]
        h = tf.reshape(x, [-1, sides[0] * sides[1], self.groups, sides[2] // self.groups])
        centred = h - tf.reduce_mean(h, [1, 3], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 3], keepdims=True)
        normal = tf.reshape(centred * tf.math.rsqrt(variance + 1e-5), [-1, *sides])
        return normal * self.weight + self.bias


class InstanceNorm(LayerNorm):
    """Normalises each picture's map by itself (Ulyanov et al. 2016), then scales each channel."""

    axes = (1, 2)


def leaky_relu(x: Any, slope: float) -> Any:
    """x if positive, else slope·x, with the slope exact in x's type.

    tf.nn.leaky_relu keeps its slope in float32, an error of 1e-8 if x is float64.
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

    Usually it does (3×3, or 4×4 with stride 2), and it is by far TensorFlow's fastest way. For 5×5
    with stride 2 it does not: it pads one row before the map and two after it.
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
