"""`main`, for the script of an answer that trains nothing."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knock.errors import exit_with
from knock.frameworks.adapter import Adapter
from knock.questions import find
from knock.training.look import Look, parse


def main(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    look: Callable[[Look, Any], None],
) -> None:
    """Run an answer's script: read the options, open the checkpoint, look; then exit.

    Exit code 0 if done, 2 for an error that the user can fix (one line says what it is).
    """

    def do() -> int:
        question = find(name)
        options = parse(question, Path(sys.argv[0]).name, adapter.NAME, sys.argv[1:])
        seen = Look(question, adapter, options)
        look(seen, seen.make(model_class))
        return 0

    exit_with(do)
