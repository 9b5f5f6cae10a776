"""How far a learner is with a question: which parts are done, and what is wrong with the others.

A part is checked by itself: in the learner's own file, our answer's functions replace all other
parts. So it can be right before the others are written, or while they are wrong. What counts in the
end is the whole file: if it passes, all of its parts are done, however it is built.
"""

import ast
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from knock import frameworks
from knock.check import trace
from knock.check.early import Stages, UpToTheFirst, failure
from knock.check.judge import Result, Standard, compared
from knock.check.own_code import OwnCode
from knock.check.trace import Pause, Trace
from knock.errors import UserError
from knock.questions import Question
from knock.scripts import starter
from knock.scripts.source import Source
from knock.scripts.splice import gives_ours, splice

Status = Literal["done", "failed", "to do", "unknown"]

MARKS: dict[Status, str] = {"done": "✓", "failed": "✗", "to do": "·", "unknown": "–"}
"""How each is shown wherever parts are listed."""

_SHOWN = 4
"""How many names of a list a message shows."""

_WITH_ALL = "it counts once the whole file is right"
_AFTER_THE_REST = "mend the rest first: what is wrong there keeps this part from being checked"
"""What a learner can do about a part that is unknown."""


@dataclass(frozen=True)
class Part:
    """One of a question's parts in a learner's file, and what is wrong or missing, in words."""

    name: str
    status: Status
    message: str = ""
    names: Sequence[str] = ()
    """The functions and classes that are to be written, as `GAN.train_step`: not only a few."""


@dataclass(frozen=True)
class Report:
    """All parts in their order, and the whole file's results once nothing is to do.

    `rest` says what is wrong outside of the parts, or between them.
    """

    parts: list[Part]
    results: list[Result] | None = None
    rest: str = ""

    @property
    def done(self) -> list[str]:
        """The names of the parts that are done."""
        return [part.name for part in self.parts if part.status == "done"]

    @property
    def at(self) -> tuple[str, str]:
        """The part to continue with, a wrong one before one that is to do, and its message.

        The part is "" where all are done: then the fault, if there is one, is elsewhere.
        """
        for status in ("failed", "to do", "unknown"):
            for part in self.parts:
                if part.status == status:
                    to_do = "to do: " if status == "to do" else ""
                    return part.name, self.rest or to_do + part.message
        return "", self.rest

    @property
    def passed(self) -> bool:
        """Whether the whole file passes."""
        return self.results is not None and not failure(self.results)


Take = Callable[[Collection[str] | None, Pause | None], Trace]
"""Runs a learner's file and returns its numbers: for None as it is, else with our functions of
these names instead of the learner's. It may end the run where the `Pause` asks for that. Raises
UserError when the file does not load."""

Told = Callable[[Part | Result], None]
"""Gets each verdict as soon as it is known.

These are the parts, in the order in which they are checked, and of a file with nothing to do also
the stages that it reaches, without their messages. What counts is the report: where the fault turns
out to be elsewhere, a part that failed is another in it.
"""


@dataclass(frozen=True)
class Earlier:
    """What the last check of a file saw: the file's text, and the names of the parts that failed.

    Of two parts, the one that has changed since is checked first, then one that failed.
    """

    text: str
    failed: Collection[str] = ()


def look(
    question: Question,
    framework: str,
    file: Path,
    seed: int = 0,
    travel: bool = True,
    standard: Standard | None = None,
    earlier: Earlier | None = None,
    told: Told | None = None,
) -> Report:
    """Check a learner's file part by part and, when nothing in it is to do, as a whole.

    `standard` has the judge's numbers, where they are known already. Raises UserError as
    `knock.check.check` does.
    """
    logging.getLogger("tensorflow").addFilter(_is_news)
    adapter = frameworks.load(framework)
    standard = standard or Standard.of(question, framework, seed, ours=False)
    mine, ours = Source.read(file.resolve()), Source.read(question.answer(framework))

    def take(names: Collection[str] | None, pause: Pause | None) -> Trace:
        code = None if names is None else splice(mine, ours, names)
        return trace.take(
            mine.path, adapter, standard.recipe, code, pause=pause, right=standard.expected
        )

    return examine(standard, mine, ours, question.parts, take, travel, earlier, told)


def examine(
    standard: Standard,
    mine: Source,
    ours: Source,
    parts: starter.Parts,
    take: Take,
    travel: bool = True,
    earlier: Earlier | None = None,
    told: Told | None = None,
    own: OwnCode | None = None,
) -> Report:
    """As `look`, with the numbers that `take` returns, wherever it runs the file.

    With `own`, a part counts only if its own code gives the right numbers, whatever the file is.
    """
    told = told or (lambda verdict: None)
    named = {part: names for part, names in starter.names(ours.text, parts).items() if names}
    open_places = starter.left(mine.text, parts)
    if open_places:
        take(None, lambda trace: True)  # even a file with something to do has to load
        results = None
    else:
        results = standard.judge(take(None, Stages(standard, told)), travel)
        if not failure(results):
            done = [Part(name, "done") for name in named]
            return Report([_seen(part, own, True) for part in done], results)
    whose = {place.name: place.part for place in starter.places(ours.text, parts)}
    alone = _Alone(standard, whose, take, gives_ours(mine, ours, list(whose)))
    bound, found = mine.bound, {}
    for name, wanted in _in_order(named, mine, earlier):
        gone = [one for one in wanted if one not in bound]
        if name in open_places:
            part = Part(name, "to do", _some(open_places[name]), open_places[name])
        elif gone and results is None:
            part = Part(name, "to do", f"{_some(gone)} not in your file", gone)
        elif gone:  # what is not there cannot be checked by itself
            message = f"{_some(gone)} not in your file: {_WITH_ALL}"
            part = Part(name, "unknown", message, gone)
        elif (wrong := alone.failure(name)) and alone.misfits(name, results):
            part = Part(name, "unknown", f"our other parts do not fit it: {_WITH_ALL}")
        else:
            part = _seen(Part(name, "failed" if wrong else "done", wrong), own, False)
        found[name] = part
        if part.status != "failed" or alone.rest_is_ours or not alone.failure(None):
            told(part)
    return _with_rest([found[name] for name in named], results, alone, own)


def _seen(part: Part, own: OwnCode | None, whole: bool) -> Part:
    """A part that is done, unless it is in doubt whether its own code is right."""
    doubt = own.doubt(part.name, whole) if own and part.status == "done" else ""
    return Part(part.name, "unknown", doubt) if doubt else part


def _in_order(
    named: starter.Parts, mine: Source, earlier: Earlier | None
) -> list[tuple[str, Sequence[str]]]:
    """The parts with their names, in the order in which they are checked."""
    if earlier is None:
        return list(named.items())
    before = {}
    with contextlib.suppress(UserError):  # then all of them have changed
        before = Source.parse(mine.path, earlier.text).definitions
    now = mine.definitions

    def changed(names: Sequence[str]) -> bool:
        return any(_dump(now.get(name)) != _dump(before.get(name)) for name in names)

    return sorted(
        named.items(), key=lambda one: (not changed(one[1]), one[0] not in earlier.failed)
    )


def _dump(node: ast.stmt | None) -> str:
    return "" if node is None else ast.dump(node)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether TensorFlow says more than that a function is traced again, as it is for each part."""
    return "triggered tf.function retracing" not in str(record.msg)


def _with_rest(
    found: list[Part], results: list[Result] | None, alone: "_Alone", own: OwnCode | None
) -> Report:
    """The report; no part counts as failed for a fault that is outside of the parts."""
    failed = any(part.status == "failed" for part in found)
    if not failed and results is None:
        return Report(found)
    # Code that is ours has no fault where it works with one of the parts.
    right = alone.rest_is_ours and any(part.status == "done" for part in found)
    rest = "" if right else alone.failure(None)
    if rest and alone.misfits(None, results):
        rest = ""
    elif rest:
        found = [alone.beside_the_rest(p, own) if p.status == "failed" else p for p in found]
    if results is not None and not rest and _open(found):
        rest = f"our parts do not fit beside yours, so see the whole file: {failure(results)}"
    elif rest:
        rest = f"with our parts instead of yours: {rest}"
    elif results is not None and all(part.status == "done" for part in found):
        rest = f"each part is right by itself, but together they are not: {failure(results)}"
    return Report(found, results, rest)


def _open(found: Sequence[Part]) -> bool:
    """Whether no part failed, and one that is all there could not be checked by itself."""
    return not any(one.status == "failed" for one in found) and any(
        one.status == "unknown" and not one.names for one in found
    )


@dataclass(frozen=True)
class _Alone:
    """Checks one part of a learner's file; `whose` has the part that each of our functions is in.

    `rest_is_ours` says whether the code outside of the parts is that of our answer. `wrong`,
    `stopped` (at the stage where an error was raised) and `traces` keep what is known of each part;
    None is the file with none of the learner's parts.
    """

    standard: Standard
    whose: dict[str, str]
    take: Take
    rest_is_ours: bool
    wrong: dict[str | None, str] = field(default_factory=dict)
    stopped: dict[str | None, str] = field(default_factory=dict)
    traces: dict[str | None, Trace] = field(default_factory=dict)

    def failure(self, part: str | None) -> str:
        """What is wrong when only this part is the learner's; for None, when all parts are ours."""
        if part not in self.wrong:
            pause = UpToTheFirst(self.standard)
            try:
                got = self._taken(part, pause)
            except UserError as error:  # the file runs by itself, but not with our functions in it
                self.wrong[part], self.stopped[part] = str(error), "parameters"
            else:
                results = self.standard.judge(got, travel=False)
                self.wrong[part] = self._left_behind(part, results) + failure(results)
                if stage := next((r.name for r in results if r.name in got.errors), ""):
                    self.stopped[part] = stage
                if not pause.over:
                    self.traces[part] = got
        return self.wrong[part]

    def _left_behind(self, part: str | None, results: list[Result]) -> str:
        """Who spoils our step, where a part has no line of it: its methods are called before."""
        own = [name.split(".")[-1] for name, owner in self.whose.items() if owner == part]
        first = next((one.name for one in results if one.status == "failed"), "")
        if not own or first in ("", "parameters", "forward", "checkpoint"):
            return ""
        if not set(own) <= set(self.standard.recipe.methods):
            return ""
        return f"{' or '.join(own)} leaves something changed behind, such as a network's mode: "

    def misfits(self, part: str | None, results: list[Result] | None) -> bool:
        """Whether a part's check met an error at a stage that the learner's own file reaches.

        So our code asked theirs, or theirs ours, for something that only its own other parts have:
        that is no fault of the learner's.
        """
        stage = self.stopped.get(part)
        return any(one.name == stage and one.value is not None for one in results or [])

    def beside_the_rest(self, part: Part, own: OwnCode | None) -> Part:
        """A part where the code outside of all parts is wrong: there, does it do what ours does?

        With `own`: is it right in our answer? What two files do alike may be wrong in both.
        """
        rest = self._whole(None)
        if rest is None or rest.errors:
            return Part(part.name, "unknown", _AFTER_THE_REST)
        if own:
            wrong, ran = own.alone(own.names(part.name))
            if wrong:
                return Part(
                    part.name, *(("failed", wrong) if ran else ("unknown", _AFTER_THE_REST))
                )
            return Part(part.name, "done")
        got = self._whole(part.name)
        if got is None or failure(list(compared(got, rest, self.standard.recipe))):
            return part
        return Part(part.name, "done")

    def _whole(self, part: str | None) -> Trace | None:
        """All numbers with this part of the learner's; None where the file does not load."""
        if part not in self.traces:
            try:
                self.traces[part] = self._taken(part, None)
            except UserError:  # which `failure` has said
                return None
        return self.traces[part]

    def _taken(self, part: str | None, pause: Pause | None) -> Trace:
        return self.take({name for name, owner in self.whose.items() if owner != part}, pause)


def _some(names: Sequence[str]) -> str:
    """The first few names."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
