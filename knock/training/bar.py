"""The progress bar of a run: at most 99 columns, however many losses there are."""

import sys
from collections.abc import Mapping

from tqdm import tqdm

COLUMNS = 99
"""How wide a bar is at most, in characters."""

REFRESH = 0.2  # seconds, in a terminal
_BLOCKS = 4  # characters that the bar itself has at least
_AROUND = len("100%|") + _BLOCKS + len("| / [1:00:00<1:00:00, 123.45step/s, ]")
_SHORTEST = 3  # letters of a loss' name


def make(name: str, steps: int, done: int, quiet: bool) -> "tqdm[None]":
    """A bar for the run of a question, after `done` of its steps; `quiet` shows none."""
    made: tqdm[None] = tqdm(
        total=steps,
        initial=done,
        desc=name,
        unit="step",
        disable=quiet,
        mininterval=_between(),
    )
    if not quiet:
        made.ncols = min(made.ncols or COLUMNS, COLUMNS)
    return made


def room(made: "tqdm[None]") -> int:
    """How many characters the losses may take in a bar, whatever its times and its rate become."""
    if made.disable:
        return 0
    return int(made.ncols) - len(made.desc) - 2 * len(str(made.total)) - _AROUND


def losses(values: Mapping[str, float], width: int) -> str:
    """As many losses as `width` characters hold, each as name=number.

    Names are cut as far as needed while they differ; what still does not fit becomes "…".
    """
    kept = dict(values)
    length = max(map(len, kept), default=0)
    while len(_text(kept, length)) > width and _differ(kept, length - 1):
        length -= 1
    if len(_text(kept, length)) <= width:
        return _text(kept, length)
    while len(kept) > 1:
        kept.popitem()
        text = f"{_text(kept, length)}, …"
        if len(text) <= width:
            return text
    return ""


def _text(values: Mapping[str, float], length: int) -> str:
    return ", ".join(f"{_cut(name, length)}={value:.3g}" for name, value in values.items())


def _differ(values: Mapping[str, float], length: int) -> bool:
    return length >= _SHORTEST and len({_cut(name, length) for name in values}) == len(values)


def _cut(name: str, length: int) -> str:
    """The first letters of a name, and the level's number at its end."""
    letters = name.rstrip("0123456789")
    return letters[:length] + name[len(letters) :]


def _between() -> float:
    """Seconds: a terminal shows a moving bar, a log file gets a line now and then.

    A notebook shows it moving too, but some keep each of its states.
    """
    if sys.stderr.isatty():
        return REFRESH
    return 1.0 if "ipykernel" in sys.modules else 10.0
