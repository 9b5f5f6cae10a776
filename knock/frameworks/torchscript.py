"""A network of the user's own, in a TorchScript file: opened and asked with PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from knock.errors import UserError
from knock.frameworks import FRAMEWORKS, missing_line

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 100  # pictures


def load(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """A function from uint8 N×C×H×W pictures to float64 N×features, on the CPU.

    Raises UserError where PyTorch is missing, or the file is no TorchScript; so does the function,
    where the network does not take the pictures or gives something else than N rows of numbers.
    """
    if FRAMEWORKS["pytorch"].missing:
        raise UserError(f"{path}: {missing_line(FRAMEWORKS['pytorch'])}")
    import torch

    try:
        network = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # of many kinds, for a file of any content
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} cannot be opened as TorchScript: {first[0]}") from None

    def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        parts = (pixels[i : i + _AT_ONCE] for i in range(0, len(pixels), _AT_ONCE))
        return np.concatenate([_asked(network, path, part) for part in parts])

    return ask


def _asked(network: Any, path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    import torch

    given = f"uint8 pictures of shape {pixels.shape}"
    try:
        with torch.inference_mode():
            found = network(torch.from_numpy(np.ascontiguousarray(pixels)))
    except Exception as error:  # whatever the user's network raises
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} does not take {given}: {said[-1]}") from None
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != len(pixels):
        shape = getattr(found, "shape", type(found).__name__)
        raise UserError(f"{path} must make N×features of {given}, not {tuple(shape)}") from None
    features: NDArray[np.float64] = found.to(torch.float64).numpy()
    if not np.isfinite(features).all():
        raise UserError(f"{path} makes NaN or infinite features of {given}")
    return features
