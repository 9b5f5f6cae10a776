"""One file that is watched: when it is checked, and what the learner sees of that."""

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from knock.check import report
from knock.check.report import Verdict
from knock.errors import UserError, in_words
from knock.learner import answers, apart, hints, overview, progress
from knock.learner.watch.child import Check, Ready
from knock.learner.watch.messages import Request
from knock.learner.watch.saves import SECOND, looks
from knock.questions import Question, hint_page
from knock.scripts import notebook

KEYS = "h hint   r run again   l list   n next   x reset   q quit"
_ENDS = ("q", "\x03")
"""Keys that end the watch; the second is Ctrl-C, which Windows gives to who waits for a key."""
_CLEAR = "\x1b[H\x1b[2J"
_SLOW = "That takes long: does it end? A save begins a new check."
_LONG = 60
"""Seconds after which that is said: a check takes less than 20."""


@dataclass(frozen=True)
class News:
    """A verdict of a check that still runs."""

    check: Check
    verdict: Verdict


Event = Check | News | str | None
"""A check that has ended or has news, a key that was pressed, or None: time to look at the file."""


class Session:
    """One file that is watched, its latest report, and what was asked for since."""

    def __init__(
        self,
        events: "queue.SimpleQueue[Event]",
        question: Question,
        framework: str,
        file: Path,
        poll: bool,
        pressed: bool,
    ) -> None:
        self.events, self.poll, self.pressed = events, poll, pressed
        self.question, self.framework, self.file = question, framework, file
        known = progress.of(question, framework)
        mine = known is not None and known.path.resolve() == file.resolve()
        self.at = hints.at(question, known if mine else None)
        self.level = 0  # of the hint that is shown
        self.passes = known is not None and mine and known.passes
        self.asked = False  # whether to start over
        self.report = self.help = self.coming = self.status = ""
        self.seen: tuple[int, str] | None = None
        self.since = 0.0
        self.check: Check | None = None
        self.text: str | None = None  # that is being checked
        self.last = Request(str(file))  # the file, and what the last report was about
        self.ready: Ready | None = None
        self.over = threading.Event()
        self.looking = threading.Thread(target=self._look_out, daemon=True)

    def __enter__(self) -> None:
        self.looking.start()
        self.ready = Ready(self.question, self.framework)
        self.look()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.give_up()
        if self.ready is not None:
            self.ready.close()
        # Python would abort if it ended while the library that watches comes back to it.
        self.looking.join(SECOND)

    def follow(self) -> "Session | None":
        """Go on until the learner quits, or goes on with another file, which is returned."""
        while True:
            event = self.events.get()
            if self.asked and isinstance(event, str) and event not in _ENDS:
                self.answered(event)
                continue
            match event:
                case None:
                    self.look()
                case News(check, verdict):
                    self.hear(check, verdict)
                case Check() as check:
                    self.ended(check)
                case "h":
                    self.hint()
                case "r":
                    self.seen = None
                    self.look()
                case "l":
                    self.coming = overview.show()
                    self.draw(self.coming)
                case "x":
                    self.ask()
                case "n":
                    if (other := self.next()) is not None:
                        return other
                case "q":
                    return None
                case "\x03":
                    raise KeyboardInterrupt

    def _look_out(self) -> None:
        for _ in looks(self.file.resolve().parent, self.poll, self.over):
            self.events.put(None)

    def look(self) -> None:
        """Check the file, if it was saved since the last look."""
        now = _state(self.file)
        waited = time.monotonic() - self.since
        if now != self.seen:
            self.give_up()
            self.seen, self.since, self.status = now, time.monotonic(), ""
            if now is not None:
                self.text = _text(self.file)
                self.ready = self.ready or Ready(self.question, self.framework)
                self.check = self.ready.check(self.last, self._pass_on, self.events.put)
                self.tell(f"{_clock()} checking {self.file} …")
        elif now is None and waited > SECOND and not self.status:  # not between two of a save
            self.tell(f"{_clock()} {self.file} is gone; it is checked once it is back")
        elif self.check is not None and waited > _LONG and _SLOW not in self.status:
            self.tell(f"{self.status}\n{_SLOW}")

    def _pass_on(self, check: Check, verdict: Verdict) -> None:
        self.events.put(News(check, verdict))

    def hear(self, check: Check, verdict: Verdict) -> None:
        """Show what is known already, unless it is of an old check."""
        if check is self.check:
            said = report.line(verdict)
            self.status += f"\n{said}"
            self.draw(said)

    def give_up(self) -> None:
        """End a check that is running: what it finds is of no use any more."""
        if self.check is not None:
            self.check.stop()
            self.check = None

    def ended(self, check: Check) -> None:
        """Show what a check found, unless it is an old one."""
        self.look()
        if check is not self.check:
            return
        self.check, self.status = None, ""
        self.coming = self.coming if self.asked else ""
        if self.ready is not None:
            self.ready.prepare()  # the file may have ended it
        (output, dump), found = apart.split(check.output), check.report
        output = output.strip()
        before, self.passes = self.passes, found is not None and found.passed
        if found is not None:
            output = f"{output}\n{report.lines(found)}".strip()
            failed = [part.name for part in found.parts if part.status == "failed"]
            self.last = Request(str(self.file), self.text, failed)
            at = found.at or None
            if at != self.at:
                self.at, self.level, self.help = at, 0, ""
        elif check.code != 2:  # what is wrong with the file is told in a line
            how = apart.how(check.code, dump, self.file, [])
            output = f"{output}\n{_clock()} {how}".strip()
        rule = f"── {_clock()} ".ljust(60, "─")
        self.report = f"{rule}\n{output}"
        self.draw(self.report)
        if self.passes and not before and not self.asked:
            self.coming = overview.passed(self.question, self.file)
            self.draw(self.coming)

    def hint(self) -> None:
        """Show the next level of help with the part that fails."""
        if self.passes:
            self.coming = (
                f"It passes. n says what comes next; ours: knock solution {self.question.name}"
            )
            self.draw(self.coming)
            return
        last = max(hint_page.read(self.question.hints_file))
        self.level = min(self.level + 1, last)
        text = hints.text(self.question, self.level, self.at or hints.ALL, self.framework)
        self.help = f"{text}\n\n{hints.further(self.question, self.level, 'h again')}"
        self.coming = ""
        self.draw(self.help)

    def next(self) -> "Session | None":
        """Go on with what comes next, if that was begun; say what it is, if not."""
        question, answer = overview.ahead(self.framework) or (self.question, None)
        if answer is not None and answer.path.resolve() != self.file.resolve():
            file = answer.path
            return Session(self.events, question, self.framework, file, self.poll, self.pressed)
        self.coming = overview.following(self.framework)
        self.draw(self.coming)
        return None

    def ask(self) -> None:
        """Before the file is started over: is that meant?"""
        self.asked = True
        self.coming = (
            f"Start {self.file.as_posix()} over? Your file is kept beside it. "
            "y starts over, any other key does not"
        )
        self.draw(self.coming)

    def answered(self, key: str) -> None:
        """After `ask`: write the starter in the file's place, or not. The old file is kept."""
        self.asked, self.coming = False, "It stays as it is."
        if key == "y":
            try:
                name = self.question.name
                _, self.coming = answers.begin(name, self.framework, self.file, force=True)
                self.passes = False
            except UserError as error:
                self.coming = in_words(error)
        self.draw(self.coming)

    def tell(self, status: str) -> None:
        """Show what is going on."""
        self.status = status
        self.draw(status)

    def draw(self, news: str) -> None:
        """Draw everything anew where that can be done, else print what is new."""
        if not (os.name == "posix" and sys.stdout.isatty()):
            print(news, flush=True)
            return
        below = [self.help, self.coming, self.status, KEYS if self.pressed else ""]
        print(_CLEAR + "\n\n".join(filter(None, [self.report, *below])), flush=True)


def _state(file: Path) -> tuple[int, str] | None:
    """What changes when a file is saved, even twice within a tick of its folder's clock.

    None where it is not there.
    """
    try:
        return file.stat().st_mtime_ns, progress.digest(file)
    except OSError:
        return None


def _text(file: Path) -> str | None:
    """The file's text, where it can be read; its check says what is wrong with it."""
    try:
        return notebook.text(file)
    except (UserError, OSError, ValueError, SyntaxError):
        return None


def _clock() -> str:
    return time.strftime("%H:%M:%S")
