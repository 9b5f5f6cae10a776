"""The random source: every number that affects a result, from (seed, step, name) alone.

A stream is keyed, not continued: the draws of step 700 need none of the steps before it. This makes
exact resume, drawing ahead in another thread, and the same run in four frameworks possible.

The bits come from Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
3"), a counter-based generator. Only its raw 64-bit integers are used: NumPy guarantees that they
never change, but it may change how it makes distributions from them.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Shape = Sequence[int]


def bits(seed: int, step: int, name: str, count: int) -> NDArray[np.uint64]:
    """`count` raw 64-bit integers of the stream (seed, step, name)."""
    digest = hashlib.sha256(f"{seed}/{step}/{name}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
    return np.random.Philox(key=key).random_raw(count)


def uniform(
    seed: int, step: int, name: str, shape: Shape, low: float = 0.0, high: float = 1.0
) -> NDArray[np.float64]:
    """Float64 array of `shape`, uniform over [low, high), with 53 random bits per value."""
    count = int(np.prod(shape, dtype=np.int64))
    unit = (bits(seed, step, name, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (low + (high - low) * unit).reshape(shape)


def normal(
    seed: int, step: int, name: str, shape: Shape, mean: float = 0.0, std: float = 1.0
) -> NDArray[np.float64]:
    """Float64 array of `shape`, normal, by the transform of Box & Muller (1958)."""
    count = int(np.prod(shape, dtype=np.int64))
    pairs = uniform(seed, step, name, (2, (count + 1) // 2))
    radius = np.sqrt(-2.0 * np.log1p(-pairs[0]))  # 1 − u is in (0, 1], so the log is finite
    angle = 2.0 * np.pi * pairs[1]
    values = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    return (mean + std * values).reshape(shape)


def permutation(seed: int, step: int, name: str, count: int) -> NDArray[np.int64]:
    """A random order of 0 … count−1: the order that sorts `count` random integers."""
    return np.argsort(bits(seed, step, name, count), kind="stable")
