"""What the first steps of a run already decide, so nobody has to wait for its hundredth."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from knock.check.judge import Result, Standard, compared
from knock.check.trace import Trace


def failure(results: Iterable[Result]) -> str:
    """The first failure in words; "" where there is none."""
    return next((f"{r.name}: {r.message}" for r in results if r.status == "failed"), "")


def known(standard: Standard, grown: Trace) -> Iterator[Result]:
    """The results that the rest of a run can no longer change, without the mistakes' names."""
    stages = 2  # parameters, forward
    if 1 in grown.states:
        stages += 2 + bool(standard.recipe.also)  # loss, gradients, and perhaps the switches
    if 10 in grown.states:
        stages += 1
    return itertools.islice(compared(grown, standard.expected, standard.recipe), stages)


class Stages:
    """Reports each stage of the whole file once, while it runs; a `Pause`."""

    def __init__(self, standard: Standard, told: Callable[[Result], None]) -> None:
        self.standard, self.told, self.count = standard, told, 0

    def __call__(self, grown: Trace) -> bool:
        """Go on in any case."""
        for result in itertools.islice(known(self.standard, grown), self.count, None):
            self.told(replace(result, message=""))
            self.count += 1
        return False


class UpToTheFirst:
    """Ends a run whose first failure is known; a `Pause`."""

    def __init__(self, standard: Standard) -> None:
        self.standard, self.over = standard, False

    def __call__(self, grown: Trace) -> bool:
        """Whether the run can end: a stage has failed, and what explains it is there."""
        # What the first step does is explained with the second, too.
        enough = 1 not in grown.states or 2 in grown.states
        self.over = enough and bool(failure(known(self.standard, grown)))
        return self.over
