"""Seconds a step, and what everything around a step costs: data, log, progress bar, checkpoints.

    python benchmarks/steps.py [QUESTION ...] [--framework NAME] [--steps N] [--rounds N]

For each answer, rounds of bare steps (one batch that is on the device already, over and over) and
of a whole run alternate in one process; the median of the rounds' ratios is what the machinery
adds. Figures of one run belong together; between machines, or busy moments of one, compare ratios.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from knock import frameworks
from knock.questions import all_questions, find
from knock.scripts import load as answers
from knock.training.options import parse
from knock.training.run import Run


def measure(name: str, framework: str, steps: int, rounds: int, words: list[str]) -> None:
    """Print one row for one answer; it runs in this process."""
    question, adapter = find(name), frameworks.load(framework)
    module = answers.load(question.answer(framework))
    bare, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):  # the first one warms up
            out = Path(folder) / str(number)
            said = ["--steps", str(steps), "--out", str(out), "--quiet", *words]
            run = Run(question, adapter, parse(question, "steps.py", said))
            model = run.make(getattr(module, run.recipe.class_name))
            batch = adapter.to_device(run.source.batch(0))
            model.train_step(batch)
            began = time.perf_counter()
            for _ in range(steps):
                losses = model.train_step(batch)
            adapter.to_numpy(next(iter(losses.values())))  # wait for a device that works ahead
            bare.append((time.perf_counter() - began) / steps)

            def train(run: Run, model: object) -> None:
                began = time.perf_counter()
                for batch in run.batches():
                    run.log(model.train_step(batch))
                run.flush()
                whole.append((time.perf_counter() - began) / steps)

            sys.stdout = open("/dev/null", "w")  # noqa: SIM115, PTH123
            run.train(train, model)
            sys.stdout = sys.__stdout__
    ratios = [b / a - 1 for a, b in zip(bare[1:], whole[1:], strict=True)]
    print(
        f"{name:<8} {framework:<11} {1e3 * statistics.median(bare[1:]):8.2f} ms bare "
        f"{1e3 * statistics.median(whole[1:]):8.2f} ms in a run  "
        f"{100 * statistics.median(ratios):+6.1f} %",
        flush=True,
    )


def main() -> None:
    """Measure each answer in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*")
    parser.add_argument("--framework", choices=frameworks.FRAMEWORKS)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    found, words = parser.parse_known_args()
    names = found.questions or [q.name for q in all_questions()]
    if len(names) == 1 and found.framework:
        measure(names[0], found.framework, found.steps, found.rounds, words)
        return
    for name in names:
        for framework in [found.framework] if found.framework else frameworks.installed():
            subprocess.run(
                [sys.executable, __file__, name, "--framework", framework]
                + ["--steps", str(found.steps), "--rounds", str(found.rounds), *words],
                check=True,
            )


if __name__ == "__main__":
    main()
