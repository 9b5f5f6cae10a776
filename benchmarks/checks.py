"""Seconds from a save to the first verdict and to the whole report, and of a cold `knock check`.

    python benchmarks/checks.py [QUESTION ...] [--framework NAME ...] [--rounds N] [--wrong]

What is checked is our answer, as a learner's file in a folder of its own; with `--wrong`, the same
with the question's first planted mistake. A process is got ready as `knock watch` does it, and the
fastest of some checks is shown. A cold check is a whole process, when all that is kept on disk is
there; what it takes beyond 3 s is divided by the time that a process takes to import the framework.
One process runs at a time. On a busy machine compare the ratios.
"""

import argparse
import os
import queue
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from knock import frameworks
from knock.learner.watch.child import Check, Ready
from knock.learner.watch.messages import Request
from knock.questions import Question, all_questions, find, mistakes

IMPORTS = "import knock.run; from knock import frameworks; frameworks.load({name!r})"


def whole(*words: str) -> float:
    """The seconds of a whole process. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def importing(framework: str, rounds: int) -> float:
    """The seconds of a process that imports a framework as every answer does."""
    words = [sys.executable, "-c", IMPORTS.format(name=framework)]
    return min(whole(*words) for _ in range(rounds))


def text(question: Question, framework: str, wrong: bool) -> str:
    """Our answer, right or with a mistake. Raises StopIteration where none can be planted."""
    ours = question.answer(framework).read_text(encoding="utf-8")
    if not wrong:
        return ours
    known = (one.change_in(framework) for one in mistakes.of(question))
    return mistakes.plant(ours, next(change for change in known if isinstance(change, list)))


def warm(question: Question, framework: str, file: Path, rounds: int) -> tuple[float, float]:
    """The seconds to the first verdict and to the report."""
    first: list[float] = []
    over: queue.SimpleQueue[Check] = queue.SimpleQueue()
    ready = Ready(question, framework)
    best = []
    for number in range(rounds + 1):  # the first one waits for the import
        first.clear()
        began = time.perf_counter()
        request = Request(str(file))
        ready.check(request, lambda *_: first.append(time.perf_counter()), over.put)
        found = over.get()
        ended = time.perf_counter()
        if found.report is None:
            raise RuntimeError(f"{question.name} in {framework}: {found.output}")
        if number:
            best.append(((first or [ended])[0] - began, ended - began))
    ready.close()
    return min(one[0] for one in best), min(one[1] for one in best)


def main() -> None:
    """Print a row for each answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*")
    parser.add_argument("--framework", choices=frameworks.FRAMEWORKS, action="append")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--wrong", action="store_true", help="with a planted mistake; no cold check"
    )
    asked = parser.parse_args()
    names = asked.framework or frameworks.installed()
    seconds = {name: importing(name, asked.rounds) for name in names}
    print("question  framework    first  report    cold  import  (cold - 3 s) / import")
    for question in map(find, asked.questions) if asked.questions else all_questions():
        for name in names:
            if name not in question.answered_in:
                continue
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / f"mine_{name}.py"
                file.write_text(text(question, name, asked.wrong), encoding="utf-8")
                first, report = warm(question, name, file, asked.rounds)
                row = f"{question.name:<9} {name:<11} {first:6.2f}  {report:6.2f}"
                if not asked.wrong:
                    words = [sys.executable, "-m", "knock", "check", question.name, str(file)]
                    cold = min(whole(*words) for _ in range(asked.rounds))
                    row += (
                        f"  {cold:6.2f}  {seconds[name]:6.2f}  {(cold - 3) / seconds[name]:21.1f}"
                    )
                print(row, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    main()
