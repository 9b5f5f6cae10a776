"""The networks of a trained run, which can be asked for pictures."""

from collections.abc import Mapping
from typing import Any

from knock import frameworks
from knock.errors import UserError
from knock.frameworks.binding import WrongNetwork
from knock.scripts import load as script
from knock.trained.opened import Opened

import numpy as np
from numpy.typing import NDArray


class Model:
    """A run's model with the weights of its checkpoint, in the framework that opens it."""

    def __init__(self, run: Opened, device: str, threads: int) -> None:
        """Import the framework, and make the model with the answer's class.

        Raises UserError for networks that are not the recipe's, and for a missing device.
        """
        self._run = run
        self._adapter = frameworks.load(run.framework)
        recipe = run.recipe
        self._adapter.setup(device, recipe.dtype, threads)
        path = run.question.answer(run.framework)
        self._model = script.model_class(script.load(path), recipe.class_name, path)(recipe)
        self._adapter.build(self._model, recipe)
        state = run.checkpoint.state
        kept = {*recipe.networks, *recipe.pools}
        networks = {k: v for k, v in state.items() if k.split(".")[0] in kept}
        try:
            self._adapter.write(self._model, recipe, networks)
        except WrongNetwork as error:
            raise UserError(
                f"{run.folder} is of another version of question {run.question.label}: {error}"
            ) from None

    def ask(self, method: str, batch: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """What a method of the recipe makes of a batch: pictures in [-1, 1], N×C×H×W.

        The batch needs the entries that the recipe names for the method; others are left alone.
        Raises UserError where the pictures are not numbers.
        """
        names = self._run.recipe.methods[method]
        given = self._adapter.to_device({name: batch[name] for name in names})
        made = getattr(self._model, method)(*(given[name] for name in names))
        unit = self._adapter.to_numpy(made)
        if not np.isfinite(unit).all():
            folder = self._run.folder
            raise UserError(f"{folder} makes NaN or infinite pictures: its training failed")
        return unit
