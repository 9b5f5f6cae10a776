"""Optimisers for raw TensorFlow, which only has their kernels.

Each is made with the variables that it updates and applied to their gradients, in the same order:
`optimizer.apply(tape.gradient(loss, optimizer.variables))`. Its own variables are made at once, so
`apply` can be used inside a tf.function. Everything is computed in the variables' own type.
"""

from collections.abc import Sequence
from typing import Any

from knock.frameworks.tensorflow.runtime import tf


class Optimizer(tf.Module):
    """The variables, the count of updates, and for each slot one more variable for each of them."""

    SLOTS: tuple[str, ...] = ()

    def __init__(self, variables: Sequence[Any], lr: Any) -> None:
        super().__init__()
        self.updated = list(variables)
        self.lr: Any = lr
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.slots = {
            slot: [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
            for slot in self.SLOTS
        }

    def apply(self, gradients: Sequence[Any]) -> None:
        """One update with a gradient for each variable."""
        self.step.assign_add(1)
        slots = zip(*self.slots.values(), strict=True) if self.slots else ((),) * len(gradients)
        for variable, gradient, kept in zip(self.updated, gradients, slots, strict=True):
            self.update(variable, gradient, *kept)

    def update(self, variable: Any, gradient: Any, *kept: Any) -> None:
        """Change one variable, and its slots `kept`, in the order of SLOTS."""
        raise NotImplementedError


class Adam(Optimizer):
    """Adam, algorithm 1 of Kingma & Ba (2015), with ε = 1e-8.

    w ← w − lr · m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    """

    SLOTS = ("m", "v")

    def __init__(
        self, variables: Sequence[Any], lr: float, betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        super().__init__(variables, lr)
        self.betas = betas

    def update(self, variable: Any, gradient: Any, *kept: Any) -> None:
        m, v = kept
        adam(variable, gradient, m, v, self.step, self.lr, self.betas)


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012, lecture 6e), with ε = 1e-8 outside the root, as in PyTorch.

    v ← α·v + (1 − α)·g², w ← w − lr · g / (√v + ε).
    """

    SLOTS = ("v",)

    def __init__(self, variables: Sequence[Any], lr: float, alpha: float = 0.99) -> None:
        super().__init__(variables, lr)
        self.alpha = alpha

    def update(self, variable: Any, gradient: Any, *kept: Any) -> None:
        (v,) = kept
        rmsprop(variable, gradient, v, self.lr, self.alpha)


class SGD(Optimizer):
    """Stochastic gradient descent: m ← μ·m + g, w ← w − lr·m, as in PyTorch.

    `lr` and `momentum` are variables: assign to them to change them during training.
    """

    def __init__(self, variables: Sequence[Any], lr: float, momentum: float = 0.0) -> None:
        self.SLOTS = ("m",) if momentum else ()
        super().__init__(variables, lr)
        kind = variables[0].dtype
        self.lr = tf.Variable(lr, trainable=False, dtype=kind)
        self.momentum = tf.Variable(momentum, trainable=False, dtype=kind)

    def update(self, variable: Any, gradient: Any, *kept: Any) -> None:
        for m in kept:
            gradient = m.assign(self.momentum * m + gradient)
        variable.assign_sub(self.lr * gradient)


def adam(
    variable: Any, gradient: Any, m: Any, v: Any, step: Any, lr: Any, betas: tuple[float, float]
) -> None:
    """Adam's `step`-th update (from 1) of a tf.Variable; its slots m and v are updated too.

    TensorFlow's kernel has the paper's other form, w ← w − lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m/(√v + ε̂).
    With ε̂ = ε·√(1 − β₂ᵗ) that is algorithm 1. The kernel is three times as fast as the formula
    written out, which reads each array ten times.
    """
    kind = variable.dtype
    t = tf.cast(step, kind)
    beta1, beta2 = tf.constant(betas[0], kind), tf.constant(betas[1], kind)
    power1, power2 = tf.pow(beta1, t), tf.pow(beta2, t)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=m.handle,
        v=v.handle,
        beta1_power=power1,
        beta2_power=power2,
        lr=tf.cast(lr, kind) if tf.is_tensor(lr) else tf.constant(lr, kind),
        beta1=beta1,
        beta2=beta2,
        epsilon=tf.constant(1e-8, kind) * tf.sqrt(1 - power2),
        grad=gradient,
    )


def rmsprop(variable: Any, gradient: Any, v: Any, lr: Any, alpha: float) -> None:
    """RMSprop's update of a tf.Variable; its slot v is updated too."""
    v.assign(alpha * v + (1 - alpha) * tf.square(gradient))
    variable.assign_sub(lr * gradient / (tf.sqrt(v) + 1e-8))
