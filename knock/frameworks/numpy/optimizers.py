"""The three optimizers in plain NumPy, with PyTorch's formulas."""

from knock.frameworks.numpy.layers import Array, Network
from knock.recipe import Optimizer

import numpy as np


class Adam:
    """Kingma & Ba 2015, algorithm 1, for all weights of the `trained` networks."""

    kept: tuple[str, ...] = ("m", "v")

    def __init__(self, settings: Optimizer, *trained: Network) -> None:
        self.settings, self.step, self.trained = settings, 0, trained
        self.memory: dict[int, dict[str, Array]] = {}

    def slots(self, value: Array) -> dict[str, Array]:
        """What is remembered about a weight, by name; zeros at first."""
        return self.memory.setdefault(id(value), {name: np.zeros_like(value) for name in self.kept})

    def change(self, g: Array, slots: dict[str, Array]) -> Array:
        """What is subtracted from a weight, given its gradient."""
        beta1, beta2 = self.settings.betas
        slots["m"][...] = beta1 * slots["m"] + (1 - beta1) * g
        slots["v"][...] = beta2 * slots["v"] + (1 - beta2) * g**2
        m = slots["m"] / (1 - beta1**self.step)
        v = slots["v"] / (1 - beta2**self.step)
        taken: Array = self.settings.lr * m / (np.sqrt(v) + 1e-8)
        return taken

    def update(self) -> None:
        """One step with the gradients that the networks hold; then clear them."""
        self.step += 1
        for module in (m for network in self.trained for m in network.modules):
            for name, value in module.values.items():
                if not name.startswith("running_"):
                    value -= self.change(module.gradients[name], self.slots(value))
            module.clear()


class RMSprop(Adam):
    """Hinton 2012, lecture 6e, as in PyTorch: v ← α·v + (1 − α)·g², w ← w − lr·g/(√v + ε)."""

    kept = ("v",)

    def change(self, g: Array, slots: dict[str, Array]) -> Array:
        """What is subtracted from a weight, given its gradient."""
        alpha, v = self.settings.alpha, slots["v"]
        v[...] = alpha * v + (1 - alpha) * g**2
        taken: Array = self.settings.lr * g / (np.sqrt(v) + 1e-8)
        return taken


class SGD(Adam):
    """m ← μ·m + g, w ← w − lr·m; to change lr or μ during training, replace `settings`."""

    kept = ("m",)

    def change(self, g: Array, slots: dict[str, Array]) -> Array:
        """What is subtracted from a weight, given its gradient."""
        m = slots["m"]
        m[...] = self.settings.momentum * m + g
        return self.settings.lr * m
