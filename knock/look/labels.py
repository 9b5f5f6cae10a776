"""How few labels are enough to tell classes by some features?

A linear support vector machine learns from a few labelled pictures of each class, and from more
and more of them. How much it may bend to single pictures is chosen on a fifth of what it learns
from, never on the test set.
"""

from typing import Any

from knock import noise
from knock.data.imageset import Labels

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EACH = (1, 5, 10, 50)
"""Labelled pictures of each class."""

_COSTS = (1e-4, 1e-3, 1e-2)
"""Of a picture on the wrong side. With 1e-1 liblinear no longer gets to its end."""
_USUAL = 1e-3  # where there are too few pictures to hold some out
_CHOICES = 8  # draws of the labelled pictures, of which the mean is taken
_AT_LEAST = 5  # of each class, or none can be held out


def told(train: Array, labels: Labels, test: Array, answers: Labels, seed: int) -> dict[str, float]:
    """The share of a test set (M×features) that is told right, by how many labels are known.

    train: N×features, with labels int64 N. The keys are the numbers of labels of each class, where
    every class has more, and last `all N`. The first ones are means over eight draws of the
    pictures. Features are divided by the largest one.
    """
    scale = float(np.abs(train).max()) or 1.0
    train, test = train / scale, test / scale
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    found = {}
    for each in (one for one in EACH if one < fewest):
        scores = []
        for choice in range(_CHOICES):
            chosen = few(labels, each, seed, choice)
            scores.append(_score(train[chosen], labels[chosen], test, answers, seed))
        found[str(each)] = float(np.mean(scores))
    found[f"all {len(train)}"] = _score(train, labels, test, answers, seed)
    return found


def few(labels: Labels, each: int, seed: int, choice: int) -> Labels:
    """The places of so many pictures of each class, the same for all features."""
    order = noise.permutation(seed, choice, "look/labels", len(labels))
    return np.concatenate([order[labels[order] == kind][:each] for kind in np.unique(labels)])


def _score(train: Array, labels: Labels, test: Array, answers: Labels, seed: int) -> float:
    cost = _cost(train, labels, seed)
    return float((_machine(train, labels, cost).predict(test) == answers).mean())


def _cost(train: Array, labels: Labels, seed: int) -> float:
    """The cost with which most of a held out fifth is told right; of equal ones the smallest."""
    counts = np.unique(labels, return_counts=True)[1]
    if counts.min() < _AT_LEAST:
        return _USUAL
    out = few(labels, max(1, int(counts.min()) // 5), seed, 0)
    kept = np.setdiff1d(np.arange(len(labels)), out)

    def right(cost: float) -> float:
        machine = _machine(train[kept], labels[kept], cost)
        return float((machine.predict(train[out]) == labels[out]).mean())

    return max(_COSTS, key=right)


def _machine(train: Array, labels: Labels, cost: float) -> Any:
    """A fitted LinearSVC: squared hinge loss, one class against all others."""
    from sklearn.svm import LinearSVC

    return LinearSVC(C=cost, dual="auto", random_state=0).fit(train, labels)
