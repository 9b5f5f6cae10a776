"""What every framework's adapter offers to the rest of the package.

An adapter is a module with these functions. It alone imports its framework; everybody else speaks
NumPy, in PyTorch's layout (images N×C×H×W, weights as described by
`knock.recipe.layers.Parameter`).
"""

from collections.abc import Mapping
from typing import Any, Protocol

from knock.recipe import Recipe

from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""Everything that a training step changes, in canonical form.

`network.layer.weight` (also `.bias`, `.running_mean`, `.running_var`) for the networks;
`optimizer.network.layer.weight.m` and `….v` for what an optimiser remembers of a weight (Adam: the
two moments; RMSprop: v; SGD: m, its momentum); `optimizer.step`, an int64, counts its updates.
"""


class Adapter(Protocol):
    """The functions of an adapter module. `model` is the object that an answer's class makes."""

    NAME: str

    def setup(self, device: str, dtype: str, threads: int | None = None) -> str:
        """Choose where ("auto", "cpu", "cuda") and in which float type everything is made.

        Called before a model is made. Returns the device as a person calls it. Raises UserError
        when "cuda" is asked for and there is none that this framework can use.
        """

    def devices(self) -> list[str]:
        """The devices that the framework sees, as a person calls them; the CPU first."""

    def versions(self) -> dict[str, str]:
        """Package versions that matter for a run's numbers."""

    def to_device(self, batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """A batch as tensors on the device; arrays with four axes go to the framework's layout."""

    def to_numpy(self, tensor: Any) -> NDArray[Any]:
        """A tensor as a NumPy array; one with four axes comes back as N×C×H×W."""

    def build(self, model: Any, recipe: Recipe) -> None:
        """Make the weights that a framework would only make at the first call."""

    def evaluate(self, network: Any, x: Any, *masks: Any) -> Any:
        """What a network makes of `x`, and of its dropouts' masks, outside training.

        Changes nothing in it.
        """

    def read(self, model: Any, recipe: Recipe) -> State:
        """The model's whole state, copied. Before the first step the optimisers' part is zeros.

        Raises WrongNetwork when a network's parameters are not the recipe's.
        """

    def write(self, model: Any, recipe: Recipe, state: State) -> None:
        """Set the networks, and the optimisers when `state` holds their part, to `state`.

        Raises WrongNetwork when a network's parameters are not the recipe's.
        """
