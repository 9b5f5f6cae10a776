"""Which optimiser is not the recipe's, and in what: read from what it remembers after one step.

After its first update Adam remembers m = (1 − β₁)·g and v = (1 − β₂)·g², and has moved the weights
by −lr·g / (|g| + ε). So each of its constants shows in another place, and a wrong constant can be
told from a wrong gradient: that changes m by a factor and v by its square.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from knock.check.explain_numbers import close
from knock.check.trace import Trace
from knock.frameworks.adapter import State
from knock.recipe import Optimizer, Recipe

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_TITLES = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}
_EPSILON = 1e-8


@dataclass(frozen=True)
class _Seen:
    """What one optimiser did in the first step, as long vectors: a learner's and the judge's."""

    name: str
    settings: Optimizer
    keys: list[str]
    before: Vector
    got: dict[str, Vector]
    wanted: dict[str, Vector]
    sizes: list[int]
    once: bool
    """Whether it takes a single step in each step of training."""
    count: int
    """How many a learner's took."""

    @property
    def gradient(self) -> Vector:
        """The right one; after several updates, and for RMSprop, without a meaning."""
        return self.wanted["m"] / (1 - self.settings.betas[0] if self._adam else 1)

    @property
    def _adam(self) -> bool:
        return self.settings.algorithm == "adam"


def _seen(got: Trace, expected: Trace, recipe: Recipe) -> Iterator[_Seen]:
    for name, settings in recipe.optimizers.items():
        ending = ".v" if settings.algorithm == "rmsprop" else ".m"
        keys = [
            key.removeprefix(f"{name}.").removesuffix(ending)
            for key in expected.states[1]
            if key.startswith(f"{name}.") and key.endswith(ending)
        ]
        if not keys:
            continue
        found: list[dict[str, Vector]] = []
        for trace in (got, expected):
            start, after = trace.states[0], trace.states[1]
            vectors = {"moved": _long(after, keys) - _long(start, keys)}
            for slot in ("m", "v"):
                if f"{name}.{keys[0]}.{slot}" in after:
                    vectors[slot] = _long(after, [f"{name}.{key}.{slot}" for key in keys])
            found.append(vectors)
        sizes = [expected.states[1][key].size for key in keys]
        once = int(expected.states[1].get(f"{name}.step", 1)) == 1
        mine, right = found
        before = _long(got.states[0], keys)
        count = int(got.states[1].get(f"{name}.step", 1))
        yield _Seen(name, settings, keys, before, mine, right, sizes, once, count)


def _long(state: State, keys: list[str]) -> Vector:
    return np.concatenate([state[key].ravel() for key in keys])


def of_constants(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """Which constant of an optimiser is not the recipe's, with both values, if the numbers show it.

    Also what else happens between a right gradient and the update: decay, clipping, no memory.
    """
    if what := _shared(got, expected, recipe):
        return what
    for one in _seen(got, expected, recipe):
        what = _without_memory(one, got)
        if not what and one.once:
            what = _of_one(one) if one.count == 1 else _of_count(one, got, recipe)
        if what:
            return what if what.startswith(one.name) else f"{one.name}: {what}"
    return None


def _of_one(one: _Seen) -> str | None:
    """What is wrong with an optimiser that has taken one step."""
    if not all(np.isfinite(vector).all() for vector in one.got.values()):
        return None
    reading = {"adam": _of_adam, "sgd": _of_sgd, "rmsprop": _of_rmsprop}[one.settings.algorithm]
    return reading(one)


def _of_count(one: _Seen, got: Trace, recipe: Recipe) -> str | None:
    """Whether an optimiser takes its step several times with the gradients of one backward.

    What it remembers is then as much as one update leaves, times 1 + β + β² + ….
    """
    shares = {
        "adam": dict(zip("mv", one.settings.betas, strict=True)),
        "sgd": {"m": one.settings.momentum},
        "rmsprop": {"v": one.settings.alpha},
    }[one.settings.algorithm]
    for slot, kept in shares.items():
        share = _share(one.got[slot], one.wanted[slot])
        grown = sum(kept**i for i in range(one.count))
        if share is None or one.count < 2 or not math.isclose(share, grown, rel_tol=1e-6):
            return None
    idle = [name for name in recipe.optimizers if got.states[1].get(f"{name}.step", 1) == 0]
    more = f", and {' and '.join(idle)} takes none: was that one meant?" if idle else ""
    return f"it takes its step {one.count} times with the same gradients{more}"


def _shared(got: Trace, expected: Trace, recipe: Recipe) -> str | None:
    """Whether two optimisers count each other's steps, as one under two names does."""
    counts = {
        name: (int(got.states[1][f"{name}.step"]), int(expected.states[1][f"{name}.step"]))
        for name in recipe.optimizers
        if f"{name}.step" in got.states[1]
    }
    twice = [name for name, (mine, right) in counts.items() if mine != right]
    whole = sum(right for _, right in counts.values())
    if (
        len(counts) > 1
        and twice == list(counts)
        and {mine for mine, _ in counts.values()} == {whole}
    ):
        names = " and ".join(twice)
        return f"{names} are one and the same optimiser: each needs its own"
    return None


def _without_memory(one: _Seen, got: Trace) -> str | None:
    """An optimiser that remembers nothing after the first step, though it had a gradient."""
    slot = "v" if one.settings.algorithm == "rmsprop" else "m"
    if one.got[slot].any() or not one.wanted[slot].any():
        return None
    if one.got["moved"].any():
        what = {"adam": "first moment", "sgd": "momentum", "rmsprop": "mean of squares"}
        title = _TITLES[one.settings.algorithm]
        return (
            f"{one.name} trains, but keeps no {what[one.settings.algorithm]}: "
            f"is it the recipe's {title}?"
        )
    if 2 in got.states and one.once:
        later = _long(got.states[2], [f"{one.name}.{key}.{slot}" for key in one.keys])
        if close(later, one.wanted[slot]):
            return (
                "it takes its step before backward, so the second step is made with the first "
                "step's gradients: first backward, then the update"
            )
    return None


def _share(got: Vector, wanted: Vector) -> float | None:
    """The c of got = c · wanted; None where there is none."""
    square = float(wanted @ wanted)
    c = float(got @ wanted) / square if square else math.nan
    return c if math.isfinite(c) and close(got, c * wanted) else None


def _one(c: float | None) -> bool:
    return c is not None and math.isclose(c, 1.0, rel_tol=1e-6)


def _of_adam(one: _Seen) -> str | None:
    beta1, beta2 = one.settings.betas
    a, b = (_share(one.got[slot], one.wanted[slot]) for slot in ("m", "v"))
    if _one(a) and _one(b):
        return _of_update(one)
    if a is None or b is None:
        if a is not None or b is not None:  # a factor of one moment alone is a constant of it
            return None
        return _of_changed_gradient(one, one.got["m"] / (1 - beta1))
    if a > 0 and not math.isclose(b, a**2, rel_tol=1e-5):
        first, second = 1 - a * (1 - beta1), 1 - b * (1 - beta2)
        if _one(b):
            return _differs("first beta", first, beta1)
        if _one(a):
            return _differs("second beta", second, beta2)
        if math.isclose(first, beta2, abs_tol=1e-6) and math.isclose(second, beta1, abs_tol=1e-6):
            return f"its two betas are swapped: ({first:.4g}, {second:.4g})"
        if -1e-9 < first < 1 and -1e-9 < second < 1:
            return (
                f"its betas are ({abs(first):.4g}, {abs(second):.4g}), "
                f"the recipe's ({beta1:g}, {beta2:g})"
            )
        return None
    return _clipped_as_a_whole(one, a)


def _of_sgd(one: _Seen) -> str | None:
    a = _share(one.got["m"], one.wanted["m"])
    if _one(a):
        return _of_update(one)
    if a is None:
        return _of_changed_gradient(one, one.got["m"])
    return _clipped_as_a_whole(one, a)


def _of_rmsprop(one: _Seen) -> str | None:
    b = _share(one.got["v"], one.wanted["v"])
    if _one(b):
        return _of_update(one)
    if b is None or b <= 0:
        return None
    alpha = 1 - b * (1 - one.settings.alpha)
    if 0 <= alpha < 1 and math.isclose(alpha, round(alpha, 3), abs_tol=1e-7):
        return _differs("alpha", alpha, one.settings.alpha)
    return None


def _differs(constant: str, mine: float, right: float) -> str:
    return f"its {constant} is {abs(mine):.4g}, the recipe's {right:g}"  # no -0


def _nice(number: float) -> bool:
    """Whether somebody may have written this number: it has at most three digits."""
    return number > 0 and math.isclose(number, float(f"{number:.3g}"), rel_tol=1e-4)


def _clipped_as_a_whole(one: _Seen, factor: float) -> str | None:
    limit = factor * float(np.linalg.norm(one.gradient))
    if 0 < factor < 1 and _nice(limit) and not _nice(factor):
        return (
            f"its gradients are clipped to a norm of {limit:.3g}, all together; "
            "the recipe clips none"
        )
    return None


def _of_changed_gradient(one: _Seen, taken: Vector) -> str | None:
    """What turned the right gradient into the one that was taken."""
    right, more = one.gradient, taken - one.gradient
    decay = _share(more, one.before)
    if decay is not None and abs(decay) > 1e-12:
        return f"a weight decay of {decay:.4g} is added to its gradients; the recipe has none"
    limit = float(np.abs(taken).max())
    if limit < np.abs(right).max() and close(taken, np.clip(right, -limit, limit)):
        return f"each number of its gradients is clipped to ±{limit:.4g}; the recipe clips none"
    norms, place = [], 0
    for size in one.sizes:
        mine, wanted = taken[place : place + size], right[place : place + size]
        place += size
        share = _share(mine, wanted) if wanted.any() else 1.0
        if share is None or not 0 < share < 1 + 1e-6:
            return None
        if share < 1 - 1e-6:
            norms.append(float(np.linalg.norm(mine)))
    if norms and all(math.isclose(norm, norms[0], rel_tol=1e-5) for norm in norms):
        return (
            f"the gradient of each weight is clipped to a norm of {norms[0]:.4g}; "
            "the recipe clips none"
        )
    return None


def _of_update(one: _Seen) -> str | None:
    """What is wrong with an update whose moments are right."""
    mine, right, lr = one.got["moved"], one.wanted["moved"], one.settings.lr
    if close(mine, right) and _epsilon_alike(mine, right):
        return None
    factor = _share(mine, right)
    if factor is not None and not _one(factor):
        if factor < 0:
            return "it goes uphill: its update has the wrong sign"
        if one.settings.algorithm == "adam":
            beta1, beta2 = one.settings.betas
            if math.isclose(factor, (1 - beta1) / math.sqrt(1 - beta2), rel_tol=1e-3):
                return "its moments are not corrected for their start at 0 (Adam's bias correction)"
        return f"its learning rate is {factor * lr:.4g}, the recipe's {lr:g}"
    decay = _share(mine - right, one.before)
    if decay is not None and abs(decay) > 1e-12:
        return f"a weight decay of {-decay / lr:.4g} shrinks the weights; the recipe has none"
    if one.settings.algorithm != "sgd":
        return _of_epsilon(one)
    return None


def _epsilon_alike(mine: Vector, right: Vector) -> bool:
    """Whether two updates are the same to more digits than an ε leaves right."""
    return bool(np.linalg.norm(mine - right) <= 1e-11 * np.linalg.norm(right))


def _of_epsilon(one: _Seen) -> str | None:
    """Which ε an update of the first step was divided with."""
    lr, moved = one.settings.lr, np.abs(one.got["moved"])
    if one.settings.algorithm == "adam":
        beta2 = one.settings.betas[1]
        root, size = np.sqrt(one.wanted["v"] / (1 - beta2)), np.abs(one.gradient)
    else:
        beta2 = 0.0
        root = np.sqrt(one.wanted["v"])
        size = root / math.sqrt(1 - one.settings.alpha)
    some = (moved > 0) & (size > 1e-12)
    if not some.any():
        return None
    divided = lr * size[some] / moved[some]
    forms: list[tuple[str, Vector, Callable[[float], Vector]]] = [
        ("", divided - root[some], lambda e: root[some] + e),
        (
            ", inside the root",
            divided**2 - root[some] ** 2,
            lambda e: np.sqrt(root[some] ** 2 + e),
        ),
    ]
    small = np.argsort(size[some])[: max(1, some.sum() // 20)]  # where ε counts most
    for where, found, formula in forms:
        epsilon = float(np.median(found[small]))
        if epsilon < 0 or math.isclose(epsilon, _EPSILON, rel_tol=1e-3) and not where:
            continue
        off, off_with_ours = (
            np.abs(lr * size[some] / formula(e) / moved[some] - 1).max()
            for e in (epsilon, _EPSILON)
        )
        # Keras' own optimisers have constants in float32, where 1 - β₂ has four digits.
        if off < 1e-9 or off < 1e-4 < 1e-3 * off_with_ours:
            before = epsilon * math.sqrt(1 - beta2)
            if not where and beta2 and not _about(epsilon) and _about(before):
                where, epsilon = ", added before the bias correction of v", before
            return f"its ε is {epsilon:.3g}{where}; the recipe's is 1e-08, outside the root"
    return None


def _about(number: float) -> bool:
    return number > 0 and math.isclose(number, float(f"{number:.1g}"), rel_tol=1e-2)
