"""What a run has been until a checkpoint: all that going on needs beside the numbers.

It lies in the checkpoint itself, so that no kill can part the two. Nothing in it depends on when
and how often a run was stopped: one that was killed has the same bytes at its end as another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Columns = Mapping[str, Sequence[float]]
"""The losses of a run: `step` first, then a column for each loss."""

Stretch = dict[str, Any]
"""Steps that were taken alike: by whom, from where to where, with which versions and device."""

_SECONDS = "seconds"


@dataclass(frozen=True)
class Past:
    """`data` is where the pictures are, `init` with whose weights the first step began.

    `classes` are the names of the data set's classes, by number; `pictures` tells of the user's own
    pictures how many were learnt from, and their digest.
    """

    history: tuple[Stretch, ...] = ()
    losses: Columns = field(default_factory=dict)
    data: str | None = None
    init: dict[str, Any] | None = None
    classes: tuple[str, ...] = ()
    pictures: dict[str, Any] | None = None


def joined(history: Sequence[Stretch], stretch: Stretch) -> tuple[Stretch, ...]:
    """A history with a stretch more; steps that were taken like those before make theirs longer."""
    history = [one for one in history if one["from_step"] < one["to_step"]]
    if history and stretch["from_step"] == stretch["to_step"]:
        return tuple(history)
    if history and _who(history[-1]) == _who(stretch):
        return (*history[:-1], {**history[-1], "to_step": stretch["to_step"]})
    return (*history, stretch)


def _who(stretch: Stretch) -> Stretch:
    return {key: v for key, v in stretch.items() if key not in ("from_step", "to_step", _SECONDS)}


def until(history: Sequence[Stretch], step: int) -> tuple[Stretch, ...]:
    """What `run.json` tells of the steps up to one; it may be older or newer than a checkpoint.

    The seconds of each stretch are left out.
    """
    kept = [dict(one) for one in history if one.get("from_step", 0) < step or not step]
    for one in kept:
        one.pop(_SECONDS, None)
    if kept:
        kept[-1]["to_step"] = step
    return tuple(kept)


def timed(history: Sequence[Stretch], seconds: Sequence[float]) -> list[Stretch]:
    """A history with the seconds that each stretch took, behind its steps."""
    made = []
    for stretch, took in zip(history, seconds, strict=True):
        one: Stretch = {}
        for key, value in stretch.items():
            one[key] = value
            if key == "to_step":
                one[_SECONDS] = round(took, 3)
        made.append(one)
    return made


def seconds(history: Sequence[Stretch], count: int) -> list[float]:
    """The seconds of the first `count` stretches that `run.json` tells; 0 where it tells none."""
    told = [one.get(_SECONDS, 0.0) for one in history[:count]]
    told = [float(one) if isinstance(one, int | float) else 0.0 for one in told]
    return told + [0.0] * (count - len(told))
