"""`main`, for the script of an answer that trains nothing, and what its `look` is given.

| module | what |
| --- | --- |
| `inside` | a DCGAN, opened: what question 15's answers are asked, and what is drawn of it |
| `concepts` | what made pictures show, in numbers: ink, slant, strokes |
| `labels` | how many labels features need until a linear machine tells classes by them |
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from knock.errors import exit_with
from knock.frameworks.adapter import Adapter
from knock.questions import find
from knock.training.look import Look, parse

Seen = TypeVar("Seen", bound=Look)


def main(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    look: Callable[[Seen, Any], None],
    kind: type[Seen] = Look,  # type: ignore[assignment]  # of a look at any model
) -> None:
    """Run an answer's script: read the options, open the checkpoint, look; then exit.

    `look` is given a `kind`, and the model. Exit code 0 if done, 2 for an error that the user can
    fix (one line says what it is).
    """

    def do() -> int:
        question = find(name)
        options = parse(question, Path(sys.argv[0]).name, adapter.NAME, sys.argv[1:])
        seen = kind(question, adapter, options)
        look(seen, seen.make(model_class))
        return 0

    exit_with(do)
