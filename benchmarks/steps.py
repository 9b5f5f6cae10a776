"""What a step costs, and what everything around it adds: data, log, progress bar, checkpoints.

    python benchmarks/steps.py [QUESTION ...] [--framework NAME] [--steps N] [--rounds N]

For each answer, rounds of bare steps (one batch that is on the device already, over and over) and
of a whole run alternate in one process; the median of the rounds' ratios is what a run adds. Each
comes twice: by the clock, and in processor time, all threads together. Where the second core is
busy, only the processor time says what a run costs.

The clock of a run starts when its first checkpoint is written, and stops before its last one: what
a run pays once, at its start and its end, is a column of its own (by the clock).
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from knock import frameworks
from knock.questions import all_questions, find
from knock.scripts import load as answers
from knock.training import record
from knock.training.options import parse
from knock.training.run import Run

import numpy as np

_BEFORE = 1000  # steps at most until the first checkpoint is written


def _clocks() -> Any:
    """Seconds by the clock, and of processor time in all threads, since any moment."""
    return np.array([time.perf_counter(), time.process_time()])


def measure(name: str, framework: str, steps: int, rounds: int, words: list[str]) -> None:
    """Print one row for one answer; it runs in this process."""
    question, adapter = find(name), frameworks.load(framework)
    module = answers.load(question.answer(framework))
    bare, whole, once = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):  # the first one warms up
            out = Path(folder) / str(number)
            said = ["--steps", str(steps + _BEFORE), "--out", str(out), "--quiet", *words]
            run = Run(question, adapter, parse(question, "steps.py", said))
            model = run.make(getattr(module, run.recipe.class_name))
            batch = adapter.to_device(run.source.batch(0))
            model.train_step(batch)
            began = _clocks()
            for _ in range(steps):
                losses = model.train_step(batch)
            adapter.to_numpy(next(iter(losses.values())))  # wait for a device that works ahead
            bare.append((_clocks() - began) / steps)

            def train(run: Run, model: Any, out: Path = out) -> None:
                first, began = None, _clocks()
                for batch in run.batches():
                    if first is None and (run.step == _BEFORE or (out / record.FILE_NAME).exists()):
                        first, began = run.step - 1, _clocks()
                    run.log(model.train_step(batch))
                    if first is not None and run.step == first + steps:
                        break
                run.flush()
                whole.append((_clocks() - began) / steps)

            started = _clocks()
            nothing = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            with nothing, contextlib.redirect_stdout(nothing):
                run.train(train, model)
            once.append((_clocks() - started)[0] - whole[-1][0] * run.step)
    clock, work = np.median(bare[1:], axis=0) * 1e3
    clock_run, work_run = np.median(whole[1:], axis=0) * 1e3
    added = 100 * np.median(np.array(whole[1:]) / np.array(bare[1:]) - 1, axis=0)
    print(
        f"{name:<9} {framework:<11} clock {clock:7.2f} → {clock_run:7.2f} ms {added[0]:+6.1f} %   "
        f"processor {work:7.2f} → {work_run:7.2f} ms {added[1]:+6.1f} %   "
        f"once {statistics.median(once[1:]):5.2f} s",
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
