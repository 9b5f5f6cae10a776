"""A question's answers, starters and planted mistakes, tried in one framework."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from knock import frameworks
from knock.check import trace
from knock.check.difference import TOLERANCE
from knock.check.early import UpToTheFirst
from knock.check.judge import Result, Standard, check
from knock.check.parts import look
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks.adapter import Adapter
from knock.questions import Question
from knock.questions import mistakes as known
from knock.questions.mistakes import Mistake
from knock.scripts import starter
from knock.scripts.source import Source
from knock.scripts.splice import gives_ours

import numpy as np

TEN = (1, 2, 10)

STEPS = {"10 steps": TEN, "100 steps": (), "checkpoint": ()}
"""After which steps the state is kept to try a stage: a check's own for `()`; not named: step 1."""


@dataclass(frozen=True)
class Found:
    """What a check said about a planted mistake, and what is wrong with that, if anything."""

    said: str
    wrong: str = ""


@dataclass(frozen=True)
class Trial:
    """A question in a framework, and what a learner's answer must agree with."""

    question: Question
    framework: str
    adapter: Adapter
    standard: Standard

    @classmethod
    def of(cls, question: Question, framework: str, other: "Trial | None" = None) -> "Trial":
        """`other` is a trial in another framework, whose judge's numbers are used again.

        Raises UserError as `knock.check.check` does.
        """
        adapter = frameworks.load(framework)
        if other is not None and other.standard.adapter is plain:
            return cls(question, framework, adapter, other.standard)
        return cls(question, framework, adapter, Standard.of(question, framework, 0, ours=False))

    @functools.cached_property
    def source(self) -> Source:
        """Our answer."""
        return Source.read(self.question.answer(self.framework))

    def answer(self, abroad: bool = True) -> list[str]:
        """It passes every stage of its check; `abroad` as in `knock.check.check`."""
        results = check(self.question, self.framework, abroad=abroad, standard=self.standard)
        return [f"{r.name}: {r.message}" for r in results if r.status == "failed"]

    def starter(self) -> list[str]:
        """Everything in it is to do; with our parts filled in again, it is our answer."""
        parts = self.question.parts
        text = starter.make(self.source.text, parts, "knock check")
        with self._file(text) as path:
            report = look(self.question, self.framework, path, travel=False, standard=self.standard)
            wrong = [
                f"{p.name}: {p.status}, not to do" for p in report.parts if p.status != "to do"
            ]
            results = self._results(path)
            if all(one.status != "failed" for one in results):
                wrong.append("an empty starter passes: are the parts in recipe.toml its functions?")
            taken = {place.name for place in starter.places(self.source.text, parts)}
            if not gives_ours(Source.read(path), self.source, taken):
                wrong.append("with our parts in it again, it is not our answer")
        return wrong

    def mistake(self, one: Mistake) -> Found:
        """It turns its stage red, and none before that, and is named."""
        changes = one.change_in(self.framework)
        if not isinstance(changes, list):
            raise ValueError(f"{one.name} is not planted in {self.framework}")
        try:
            text = known.plant(self.source.text, changes)
        except UserError as error:
            return Found("", str(error))
        with self._file(text) as path:
            steps = STEPS.get(one.stage, (1,))
            eagerly = self.adapter.eagerly() if steps == (1,) else contextlib.nullcontext()
            with eagerly, np.errstate(all="ignore"):  # some take the root of a negative number
                results = self._results(path, looked_at=steps, travel=one.stage == "checkpoint")
        return _judged(one, results)

    def _results(
        self, path: Path, looked_at: Sequence[int] = TEN, travel: bool = False
    ) -> list[Result]:
        standard = self.standard.up_to(max(looked_at or trace.LOOKED_AT))
        got = trace.take(
            path,
            self.adapter,
            standard.recipe,
            looked_at=looked_at,
            pause=UpToTheFirst(standard),
            right=standard.expected,
        )
        return standard.judge(got, travel)

    @contextlib.contextmanager
    def _file(self, text: str) -> Iterator[Path]:
        """A learner's file. TensorFlow reads the source of what it traces from there."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"mine_{self.framework}.py"
            path.write_text(text, encoding="utf-8")
            yield path


def _judged(one: Mistake, results: list[Result]) -> Found:
    red = next((r for r in results if r.status == "failed"), None)
    if red is None:
        return Found("", f"nothing is red; {one.stage} should be")
    if red.name != one.stage:
        earlier = list(TOLERANCE).index(red.name) < list(TOLERANCE).index(one.stage)
        what = f"{red.name} is red ({red.message})"
        return Found(red.message, f"{what}, and not {one.stage}" if earlier else f"only {what}")
    if one.said not in red.message:
        return Found(red.message, f"{red.name} says {red.message!r}, not {one.said!r}")
    return Found(red.message)
