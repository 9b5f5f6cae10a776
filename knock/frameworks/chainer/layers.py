"""What the answers need but Chainer lacks: two normalisations, a cross-entropy, a resize."""

from collections.abc import Sequence
from typing import Any

import chainer
import chainer.functions as F


class LayerNormalization(chainer.Link):
    """Normalises each picture over C, H and W together, then scales and shifts each channel.

    Ba, Kiros & Hinton 2016, "Layer normalization", equation 3, with ε = 1e-5 inside the root.
    N×C×H×W → the same. `chainer.links.LayerNormalization` normalises only rows, and has a scale for
    each number of a row.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        with self.init_scope():
            self.gamma = chainer.Parameter(1, (channels,))
            self.beta = chainer.Parameter(0, (channels,))

    def forward(self, x: Any) -> Any:
        """N×C×H×W → N×C×H×W."""
        pixels = x.shape[2] * x.shape[3]
        rows = F.layer_normalization(
            F.reshape(x, (len(x), -1)),
            F.repeat(self.gamma, pixels),
            F.repeat(self.beta, pixels),
            self.eps,
        )
        return F.reshape(rows, x.shape)


class BatchStatistics(chainer.Link):
    """Batch normalisation without running statistics: it uses the batch's, in training or not.

    Ioffe & Szegedy 2015, algorithm 1, ε = 1e-5. N×C×H×W → the same. Chainer's own link keeps
    running statistics.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        with self.init_scope():
            self.gamma = chainer.Parameter(1, (channels,))
            self.beta = chainer.Parameter(0, (channels,))

    def forward(self, x: Any) -> Any:
        """N×C×H×W → N×C×H×W."""
        return F.batch_normalization(x, self.gamma, self.beta, eps=self.eps)


def bce_with_logits(logits: Any, target: float) -> Any:
    """Mean cross-entropy of logits x with the same target t = `target` for all: 0 ≤ t ≤ 1.

    mean(−t·log σ(x) − (1 − t)·log(1 − σ(x))), where −log σ(x) = softplus(−x). Chainer's own
    `sigmoid_cross_entropy` only takes whole numbers as targets.
    """
    if target == 1.0:
        return F.mean(F.softplus(-logits))
    if target == 0.0:
        return F.mean(F.softplus(logits))
    return F.mean(target * F.softplus(-logits) + (1.0 - target) * F.softplus(logits))


def resize(images: Any, sides: Sequence[int]) -> Any:
    """N×C×H×W with other `sides`, height and width: linear between the middles of the pixels.

    Fewer pixels are not smoothed first, and beyond the outer middles the last pixel goes on.
    `F.resize_images` lets the middles of the corners meet unless it is asked not to, and refuses
    float64, although it computes in whatever type it gets.
    """
    with chainer.using_config("type_check", False):
        return F.resize_images(images, tuple(sides), align_corners=False)
