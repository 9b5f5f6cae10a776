"""A check of a learner's file, whose result is remembered."""

import os
import sys
from pathlib import Path
from typing import NoReturn
from unittest import mock

from knock.check import parts, report
from knock.check.judge import Standard
from knock.check.parts import Earlier, Told
from knock.check.report import CheckedFile
from knock.learner import prints, progress, slow
from knock.questions import Question

import numpy as np


def check(
    question: Question,
    framework: str,
    file: Path,
    seed: int = 0,
    standard: Standard | None = None,
    earlier: Earlier | None = None,
    told: Told | None = None,
) -> CheckedFile:
    """Check a file in this process, and remember what was found; as `knock.check.parts.look`."""
    before = progress.digest(file)  # it may be saved again while it is being checked
    system = sys.modules[os.name]  # posix or nt, which has the same function
    with (
        mock.patch.object(os, "_exit", _leave),
        mock.patch.object(system, "_exit", _leave),
        slow.told(file),
        prints.few(),
        np.errstate(all="ignore"),  # a stage says what is NaN or infinite
    ):
        seen = parts.look(
            question, framework, file, seed, standard=standard, earlier=earlier, told=told
        )
    passed = before if seen.passed else ""
    progress.checked(question, framework, file, seen.done, passed, *seen.at)
    return report.of_learner(question, framework, file, before, seed, seen)


def _leave(code: int) -> NoReturn:
    """In the place of `os._exit`, with which a file would end its check, and choose its result."""
    raise SystemExit(code)
