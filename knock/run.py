"""`main`, for the script of an answer that trains."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from knock.errors import exit_with
from knock.frameworks.adapter import Adapter
from knock.questions import find
from knock.training import whose
from knock.training.options import parse
from knock.training.run import Run, take
from knock.training.started import end_with_parent
from knock.training.telling import heedless


def main(
    name: str,
    adapter: Adapter,
    model_class: Callable[..., Any],
    train: Callable[[Run, Any], None],
    sample: Callable[[Run, Any], None],
    measure: Callable[[Run, Any], None] | None = None,
) -> None:
    """Run an answer's script: read the options, make the model, train or show it; then exit.

    `measure`, if the answer has one, is called after the last step and in a test.

    Exit code 0 if done, 2 for an error that the user can fix (one line says what), 130 if stopped.
    """

    def do() -> int:
        end_with_parent()
        question, script = find(name), Path(sys.argv[0])
        options = parse(question, script.name, sys.argv[1:])
        with heedless():
            run = Run(question, adapter, options, whose.of_script(script))
            return take(run, model_class, train, sample, measure)

    exit_with(do, "stopped; --resume continues from the last checkpoint")
