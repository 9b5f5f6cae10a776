"""What to worry about while a GAN trains: a discriminator that wins, pictures all alike."""

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

WON = 0.02
"""A discriminator's loss below this: it is sure of nearly every picture.

One that cannot tell has ln 2 = 0.69 (the mean over real and fake), 1.39 (their sum), or 2.08 (the
sum where there are two kinds of fake); 0.02 is e^−0.02 = 98 % certainty (the mean) or 99 % (either
sum), for all pictures of a step.
"""

LONG = 200
"""How many logged steps are looked back on."""

MOST = 160
"""In so many of them the loss must have been below `WON`.

Not in all: a discriminator that wins still errs in a step now and then. With a rate of 0.05,
question 05's loss is below `WON` in 93 % of 400 steps, but never in 200 of them in a row. In a run
that learns, it is in 3 of 5000.
"""

RECOVERED = LONG // 2
"""And in fewer than so many of them, until a warning is repeated."""

ALIKE = 1.0
"""Grey levels of 255 within which pictures are the same to the eye.

Of those of question 05 one at least is 3 away from the mean after 30 steps of training, and every
one 20 and more once they are digits: a run that goes well is never near it.
"""

EARLY = 50
"""Steps before which pictures may well be alike: small first weights make one grey of any noise."""


class Health:
    """Watches one run. It warns once of each trouble, and again only if it was over meanwhile."""

    def __init__(self) -> None:
        self._won: dict[str, deque[bool]] = {}  # by loss: of each of the last steps
        self._lost: set[str] = set()  # the losses that were told of
        self._alike: set[str] = set()

    def losses(self, step: int, losses: Mapping[str, float]) -> str | None:
        """A line when a discriminator has won in `MOST` of the last `LONG` logged steps.

        `losses` are those of `step`; "discriminator", or with a level's number behind it, is the
        cross-entropy (natural logarithm) on real and on fake pictures, their mean or their sum.
        Without such a key nothing is said.
        """
        lines = [
            self._discriminator(step, name, value)
            for name, value in losses.items()
            if name.rstrip("0123456789") == "discriminator"
        ]
        return "; ".join(line for line in lines if line) or None

    def _discriminator(self, step: int, name: str, loss: float) -> str | None:
        last = self._won.setdefault(name, deque(maxlen=LONG))
        last.append(loss < WON)
        won = sum(last)
        if won < RECOVERED:
            self._lost.discard(name)
        if len(last) < LONG or won < MOST or name in self._lost:
            return None
        self._lost.add(name)
        level = name.removeprefix("discriminator")
        who = f"discriminator of level {level}" if level else "discriminator"
        return (
            f"at step {step} the {who} wins (its loss was below {WON} in {won} of the last {LONG} "
            "steps): the generator learns little; try a smaller --lr or another --seed"
        )

    def pictures(self, step: int, name: str, pixels: NDArray[np.uint8]) -> str | None:
        """A line when pictures made from different noise are all the same (mode collapse).

        pixels: uint8 N×H×W×C. They are the same when each is nearer than `ALIKE` to the mean of
        them all, in mean absolute difference. `name` tells one row of pictures from another; a
        single picture says nothing, nor do those of the first `EARLY` steps.
        """
        if len(pixels) < 2 or step < EARLY:
            return None
        away = np.abs(pixels - pixels.mean(axis=0)).mean(axis=(1, 2, 3))
        if away.max() >= ALIKE:
            self._alike.discard(name)
            return None
        if name in self._alike:
            return None
        self._alike.add(name)
        return (
            f"at step {step} the {len(pixels)} pictures of {name!r} are all but the same, whatever "
            "they were made from (mode collapse); try another --seed or a smaller --lr"
        )
