"""How many submissions per minute a whole grading does, and how much memory it uses.

    python benchmarks/grading.py [--students N] [--jobs N] [--questions NAME,NAME]

The class is made up: of ten submissions, six are right, two contain one of the known mistakes, one
has only the first part, and one ends the process in its step. Questions and frameworks alternate.
Memory is measured over all processes together five times per second, each shared page counted
once; the highest value is printed.
"""

import argparse
import collections
import os
import threading
import time

from knock import frameworks
from knock.grade import grading, points, schedule
from knock.grade.conditions import Condition
from knock.grade.submissions import Submission
from knock.questions import Question, find, mistakes
from knock.scripts import starter

import psutil

KINDS = ["right"] * 6 + ["mistaken"] * 2 + ["begun", "ending"]


def text(question: Question, framework: str, kind: str, number: int) -> str:
    """The file that a student of this kind hands in."""
    ours = question.answer(framework).read_text(encoding="utf-8")
    if kind == "mistaken":
        known = [one.change_in(framework) for one in mistakes.of(question)]
        planted = [changes for changes in known if isinstance(changes, list)]
        return mistakes.plant(ours, planted[number % len(planted)])
    if kind == "begun":
        left = dict(list(question.parts.items())[1:])
        return starter.make(ours, left, "knock check")
    if kind == "ending":
        head = "    def train_step(self, batch):\n"
        return ours.replace(head, f"{head}        __import__('os')._exit(0)\n")
    return ours


def watch(most: list[int], done: threading.Event) -> None:
    """Record the most memory that this process and its children have held."""
    me = psutil.Process()
    while not done.wait(0.2):
        held = 0
        for process in (me, *me.children(recursive=True)):
            try:
                held += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it has just ended
        most[0] = max(most[0], held)


def main() -> None:
    """Make up a class, grade it, and print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--questions", default="ae,vae,gan,dcgan")
    found = parser.parse_args()
    asked = [find(word) for word in found.questions.split(",")]
    made: dict[Submission, str] = {}
    for number in range(found.students):
        question = asked[number % len(asked)]
        known = [f for f in frameworks.installed() if f in question.answered_in]
        framework = known[number // len(asked) % len(known)]
        kind = KINDS[number * 7 % len(KINDS)]
        written = text(question, framework, kind, number)
        file = f"{question.name}_{framework}.py"
        made[Submission(f"s{number:04}", question.name, framework, file, written)] = kind
    most, done = [0], threading.Event()
    threading.Thread(target=watch, args=(most, done), daemon=True).start()
    began, worth = time.monotonic(), points.load()
    shares: dict[str, list[float]] = collections.defaultdict(list)
    computed: dict[str, list[float]] = collections.defaultdict(list)
    settings = grading.Settings(60, 4 << 30, [Condition()])
    for submission, grade in schedule.here(list(made), settings, found.jobs):
        reached, of = points.reached(grade, worth)
        shares[made[submission]].append(reached / of)
        computed[made[submission]].append(grade.seconds)
    done.set()
    seconds = time.monotonic() - began
    print(
        f"{len(made)} submissions, {found.jobs} at once: {seconds:.0f} s, "
        f"{60 * len(made) / seconds:.1f} per minute, {most[0] >> 20} MiB at most"
    )
    for kind in dict.fromkeys(KINDS):
        if computed[kind]:
            mean = sum(computed[kind]) / len(computed[kind])
            share = 100 * sum(shares[kind]) / len(shares[kind])
            row = f"{kind:<9} {len(computed[kind]):>4}  {mean:5.1f} s each"
            print(f"  {row}  {share:5.1f} % of the points")


if __name__ == "__main__":
    main()
