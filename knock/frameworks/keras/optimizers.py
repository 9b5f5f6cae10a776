"""Keras' optimisers with the same updates and slots as PyTorch's; used like Keras' own.

Keras' own differ: Adam uses ε̂ = 1e-7 where the paper's algorithm 1 has √(1 − β₂ᵗ)·ε, and RMSprop
puts ε inside the root. Everything here is computed in the variable's own type.
"""

from typing import Any

from knock.frameworks.keras.backend import keras
from knock.frameworks.tensorflow import optimizers as updates


class Adam(keras.optimizers.Adam):
    """Adam, algorithm 1 of Kingma & Ba (2015), with ε = 1e-8.

    w ← w − lr · m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, name=name)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update."""
        index = self._get_variable_index(variable)
        m, v = self._momentums[index].value, self._velocities[index].value
        step = self.iterations.value + 1
        lr = keras.ops.cast(learning_rate, variable.dtype)
        updates.adam(variable, gradient, m, v, step, lr, (self.beta_1, self.beta_2))


class RMSprop(keras.optimizers.RMSprop):
    """RMSprop (Hinton 2012, lecture 6e), with ε = 1e-8 outside the root.

    v ← ρ·v + (1 − ρ)·g², w ← w − lr · g / (√v + ε).
    """

    def __init__(
        self, learning_rate: Any = 1e-3, rho: float = 0.99, name: str | None = None
    ) -> None:
        super().__init__(learning_rate, rho, name=name)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update."""
        v = self._velocities[self._get_variable_index(variable)].value
        lr = keras.ops.cast(learning_rate, variable.dtype)
        updates.rmsprop(variable, gradient, v, lr, self.rho)


class SGD(keras.optimizers.SGD):
    """Stochastic gradient descent: m ← μ·m + g, w ← w − lr·m.

    Keras' own keeps −lr·m: the same steps while the learning rate stays constant. Once built,
    `momentum` is a variable like `learning_rate`: assign to it to change it during training.
    """

    keeps_gradients = True

    def __init__(
        self, learning_rate: Any = 1e-2, momentum: float = 0.0, name: str | None = None
    ) -> None:
        super().__init__(learning_rate, momentum, name=name)

    def build(self, variables: Any) -> None:
        """Make the slots of the variables, and the variable for the momentum."""
        super().build(variables)
        kind = variables[0].dtype
        first = float(self.momentum)
        self.momentum: Any = keras.Variable(first, dtype=kind, trainable=False, name="momentum")

    def get_config(self) -> dict[str, Any]:
        """The optimiser's configuration, as Keras stores it."""
        return super().get_config() | {"momentum": float(self.momentum)}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update."""
        if self.momentums:
            m = self.momentums[self._get_variable_index(variable)].value
            gradient = m.assign(self.momentum * m + gradient)
        variable.assign_sub(keras.ops.cast(learning_rate, variable.dtype) * gradient)
