"""The first value of every parameter of a recipe, from its seed alone."""

import math

from knock import noise
from knock.recipe.layers import Parameter, arrays
from knock.recipe.schema import Recipe

import numpy as np
from numpy.typing import NDArray


def initial_weights(recipe: Recipe) -> dict[str, NDArray[np.float64]]:
    """Every parameter's first value, keyed `network.layer.weight`, drawn from the recipe's seed.

    A network that is like another begins with the very same. A pool's is `pool.pictures`.
    """
    weights = {}
    for name, parameters in arrays(recipe).items():
        for parameter in parameters:
            drawn = name in recipe.networks and recipe.networks[name].like or name
            stream = f"weights/{drawn}.{parameter.name}"
            weights[f"{name}.{parameter.name}"] = _first_value(parameter, recipe.seed, stream)
    return weights


def _first_value(p: Parameter, seed: int, name: str) -> NDArray[np.float64]:
    match p.first:
        case "zeros":
            return np.zeros(p.shape)
        case "ones":
            return np.ones(p.shape)
        case "normal":
            return noise.normal(seed, 0, name, p.shape, std=p.std)
        case "unit":  # a direction, all alike
            drawn = noise.normal(seed, 0, name, p.shape)
            made: NDArray[np.float64] = drawn / np.linalg.norm(drawn)
            return made
        case "glorot_uniform":  # Glorot & Bengio 2010, equation 16
            limit = math.sqrt(6.0 / (p.fan_in + p.fan_out))
        case "he_uniform":  # He et al. 2015, equation 10, as a uniform of the same variance
            limit = math.sqrt(6.0 / p.fan_in)
        case _:
            raise ValueError(f"no initial value {p.first!r}")
    return noise.uniform(seed, 0, name, p.shape, -limit, limit)
