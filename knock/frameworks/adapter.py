"""What every framework's adapter offers to the rest of the package.

An adapter is a module with these functions. Only it imports its framework; all other code uses
NumPy arrays in PyTorch's layout (images N×C×H×W, weights as in `knock.recipe.layers.Parameter`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from knock.recipe import Recipe

from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""Everything that a training step changes, in canonical form.

`network.layer.weight` (also `.bias`, `.running_mean`, `.running_var`) for the networks;
`pool.pictures` for what a pool holds;
`optimizer.network.layer.weight.m` and `….v` for what an optimiser remembers about a weight (Adam:
the two moments; RMSprop: v; SGD: m, its momentum); `optimizer.step`, an int64, counts its updates.
"""


class Adapter(Protocol):
    """The functions of an adapter module. `model` is an instance of an answer's class."""

    NAME: str

    CHANNELS_LAST: bool
    """Whether its pictures lie in memory as N×H×W×C."""

    def setup(
        self, device: str, dtype: str, threads: int | None = None, as_written: bool = False
    ) -> str:
        """Choose the device and the float type of everything made later.

        Called before a model is made. `device` is what `arguments.device` accepts. Returns the
        device's name for people. With `as_written`, a framework that makes graphs runs them as they
        stand, and does not rewrite them first to be faster; the next call says so anew. Raises
        UserError if this framework has no such device here, or it cannot compute in `dtype`.
        """

    def devices(self) -> list[str]:
        """The names, for people, of the devices that the framework sees; the CPU first."""

    def versions(self) -> dict[str, str]:
        """Package versions that matter for a run's numbers."""

    def to_device(self, batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """A batch as tensors on the device; those with four or five axes in the framework's layout.

        These are N×C×H×W, or N×K×C×H×W: K pictures for each of N.
        """

    def to_numpy(self, tensor: Any) -> NDArray[Any]:
        """A tensor as a NumPy array; one with four axes comes back as N×C×H×W."""

    def import_late(self) -> None:
        """Import now what the framework itself would import at its first step.

        It computes nothing: a process may fork after it.
        """

    def eagerly(self) -> AbstractContextManager[None]:
        """Within it, nothing is made into a graph first, which only pays after several steps."""

    def build(self, model: Any, recipe: Recipe) -> None:
        """Make the weights that a framework would otherwise make at the first call."""

    def evaluate(self, network: Any, x: Any, *masks: Any) -> Any:
        """A network's output for `x`, and for what it takes besides, outside training.

        That is masks of dropouts, a batch of reference, or what its recipe has `beside`. It changes
        nothing in the network.
        """

    def read(self, model: Any, recipe: Recipe) -> State:
        """A copy of the model's whole state; the optimisers' values are 0 before the first step.

        Raises WrongNetwork if a network's parameters are not the recipe's.
        """

    def write(self, model: Any, recipe: Recipe, state: State) -> None:
        """Set the networks to `state`, and the optimisers too if `state` has their values.

        Raises WrongNetwork if a network's parameters are not the recipe's.
        """
