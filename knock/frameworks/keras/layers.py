"""Layers for those of Keras that differ from PyTorch's; used like Keras' own.

Maps are N×H×W×C.
"""

from typing import Any

from knock.frameworks.keras.backend import keras

ops = keras.ops


class Conv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D with `pad` zeros on every side.

    Height (H + 2·pad − kernel) // strides + 1. With stride 2, Keras' "same" pads less before the
    map than after it.
    """

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, pad: int = 0, **k: Any):
        super().__init__(filters, kernel_size, strides, padding="valid", **k)
        self.pad = pad

    def call(self, inputs: Any) -> Any:
        """The convolution of N×H×W×C."""
        p = (self.pad, self.pad)
        return super().call(ops.pad(inputs, ((0, 0), p, p, (0, 0))))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape with the batch axis."""
        count, height, width, channels = input_shape
        more = 2 * self.pad
        return super().compute_output_shape((count, height + more, width + more, channels))

    def get_config(self) -> dict[str, Any]:
        """The layer's configuration, as Keras stores it."""
        return _without_padding(super().get_config()) | {"pad": self.pad}


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """keras.layers.Conv2DTranspose with `pad` and `out_pad` as in PyTorch.

    Height (H − 1)·strides − 2·pad + kernel + out_pad: the full result without its first `pad` and
    its last `pad − out_pad` rows; the width likewise.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        pad: int = 0,
        out_pad: int = 0,
        **k: Any,
    ):
        if out_pad > pad:
            raise ValueError(f"out_pad {out_pad} is greater than pad {pad}")
        super().__init__(filters, kernel_size, strides, padding="valid", **k)
        self.pad, self.out_pad = pad, out_pad

    def call(self, inputs: Any) -> Any:
        """The transposed convolution of N×H×W×C."""
        h = super().call(inputs)
        height, width = h.shape[1:3]
        less = self.pad - self.out_pad
        return h[:, self.pad : height - less, self.pad : width - less]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape with the batch axis."""
        count, height, width, channels = super().compute_output_shape(input_shape)
        less = 2 * self.pad - self.out_pad
        return count, height - less, width - less, channels

    def get_config(self) -> dict[str, Any]:
        """The layer's configuration, as Keras stores it."""
        return _without_padding(super().get_config()) | {
            "pad": self.pad,
            "out_pad": self.out_pad,
        }


class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation over all axes except the last (Ioffe & Szegedy 2015, algorithm 1).

    As in PyTorch: ε = 1e-5, and in training a tenth of the running statistics is replaced by the
    batch's, with the unbiased variance (n / (n − 1)); Keras' own layer uses the biased one. With
    `running=False` there are no running statistics: the batch's are used outside training, too.
    """

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 1e-5, running: bool = True, **options: Any
    ):
        super().__init__(momentum=momentum, epsilon=epsilon, **options)
        self.running = running

    def build(self, input_shape: Any) -> None:
        """Make the scale and the shift, and the running statistics if `running`."""
        if self.running:
            super().build(input_shape)
            return
        _add_scale_and_shift(self, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The layer's configuration, as Keras stores it."""
        return super().get_config() | {"running": self.running}

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The normalised input."""
        if self.running and not training:
            centred = inputs - self.moving_mean
            return _normal(centred, self.moving_variance, self.epsilon, self.gamma, self.beta)
        axes = list(range(len(inputs.shape) - 1))
        # Not ops.moments: it stops the gradient through the mean, so second derivatives are wrong.
        mean = ops.mean(inputs, axes)
        centred = inputs - mean
        variance = ops.mean(ops.square(centred), axes)
        if self.running:
            n = ops.cast(ops.size(inputs) // inputs.shape[-1], inputs.dtype)
            unbiased = variance * (n / (n - 1))
            new = 1.0 - self.momentum  # Keras' momentum is the share of the old value
            self.moving_mean.assign_add(new * (mean - self.moving_mean))
            self.moving_variance.assign_add(new * (unbiased - self.moving_variance))
        return _normal(centred, variance, self.epsilon, self.gamma, self.beta)


class LayerNorm(keras.layers.Layer):
    """Normalises each picture over H, W and C (Ba et al. 2016), then scales each channel.

    keras.layers.LayerNormalization uses ops.moments, so its second derivatives are wrong.
    """

    axes: tuple[int, ...] = (1, 2, 3)

    def build(self, input_shape: Any) -> None:
        """Make the scale and the shift."""
        _add_scale_and_shift(self, input_shape[-1])

    def call(self, inputs: Any) -> Any:
        """The normalised input."""
        centred = inputs - ops.mean(inputs, self.axes, keepdims=True)
        variance = ops.mean(ops.square(centred), self.axes, keepdims=True)
        return _normal(centred, variance, 1e-5, self.gamma, self.beta)


class InstanceNorm(LayerNorm):
    """Normalises each picture's map by itself (Ulyanov et al. 2016), then scales each channel."""

    axes = (1, 2)


def leaky_relu(x: Any, slope: float) -> Any:
    """x if positive, else slope·x, with the slope exact in x's type.

    ops.leaky_relu keeps its slope in float32, an error of 1e-8 if x is float64.
    """
    if x.dtype == "float32":
        return ops.leaky_relu(x, slope)
    return ops.where(x > 0, x, slope * x)


def _add_scale_and_shift(layer: Any, channels: int) -> None:
    layer.gamma = layer.add_weight(shape=(channels,), initializer="ones", name="gamma")
    layer.beta = layer.add_weight(shape=(channels,), initializer="zeros", name="beta")


def _normal(centred: Any, variance: Any, epsilon: float, gamma: Any, beta: Any) -> Any:
    return centred * (ops.rsqrt(variance + epsilon) * gamma) + beta


def _without_padding(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "padding"}
