"""`knock sweep`: a question trained with every combination of some options, and one table of it.

A sweep is a folder: `sweep.json`, its plan; a run's folder for each combination; `sweep.csv`, a row
for each run; and `sweep.png`. What a run has to do is a `Task`: it is the same here, in several
processes at once, and on the workers of a Dask cluster. It looks at what its folder has already, so
a sweep that was killed goes on where its runs were saved last.
"""

import contextlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from knock import cluster, frameworks
from knock.errors import UserError, print_error
from knock.files import make_folder, make_new_folder, write_atomically
from knock.paths import RUNS
from knock.questions import Question, find
from knock.recipe import Recipe
from knock.training import checkpoint as checkpoints
from knock.training import grid, measured, options, origin, record, started, sweep_table
from knock.training import plan as plans
from knock.training.grid import Cell, Over

import msgspec
from tqdm import tqdm

PLAN = "sweep.json"
RESUME = "--resume"

PICTURES = 2000
"""How many pictures of each run are measured where nobody says it."""

_LOOK = 0.5
"""Seconds after which a wait is taken up again, so that a signal is heard on every system."""

_STOPPED = "stopped"
"""What a task says that was asked to stop: it is no failure."""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sweep is of: with it, `--resume` alone is enough to go on.

    over: the keys with their values. words: the options that all runs have. pictures: how many of
    each run are measured; 0 for none.
    """

    question: str
    framework: str
    over: Over
    words: list[str]
    pictures: int


@dataclass(frozen=True)
class Task:
    """One run: train it, or go on with it, then measure it. `mark` is the sweep's plan, as text."""

    question: str
    framework: str
    cell: Cell
    folder: Path
    words: list[str]
    steps: int
    pictures: int
    threads: int
    mark: str

    @property
    def is_trained(self) -> bool:
        """Whether the run has taken all of its steps, and written everything."""
        with contextlib.suppress(UserError):  # damaged: the run itself says so
            return record.is_finished(self.folder, self.steps)
        return False

    @property
    def is_measured(self) -> bool:
        """Whether its present weights have been measured, with so many pictures."""
        found = None
        with contextlib.suppress(UserError):  # damaged: it is measured again
            found = measured.read(self.folder)
        digest = checkpoints.told_digest(self.folder / checkpoints.FILE_NAME)
        return not self.pictures or (
            found is not None and found.pictures == self.pictures and found.checkpoint == digest
        )


class Done(msgspec.Struct, frozen=True):
    """How a task ended: `error` is a line, empty where nothing is wrong.

    `files` are those of the run's folder, where the worker has no folder in common with us.
    """

    error: str = ""
    files: dict[str, bytes] = {}


def sweep(
    question: Question,
    framework: str | None,
    over: Over | None,
    folder: Path | None,
    words: Sequence[str],
    jobs: int = 1,
    pictures: int | None = None,
    dask: str | None = None,
) -> int:
    """Train every combination of `over`, measure the pictures, print the table, draw the sheet.

    `words` are the options that all runs share. With `--resume` among them a sweep goes on with
    what its plan says; an `over` given then replaces the plan's, and runs that are there already
    stay. The exit code: 0, 1 where runs failed, or that of a process that was asked to stop. Raises
    UserError for what no run takes, before any is begun.
    """
    if question.opens:
        raise UserError(f"question {question.label} trains nothing; sweep {question.opens}")
    resumes, words = RESUME in words, [word for word in words if word != RESUME]
    if resumes and folder is None:
        folder = _newest(question)
    old = _planned(folder, question) if folder else None
    if old and not resumes:
        raise UserError(f"{folder} holds a sweep; add {RESUME}, or choose another --out")
    if old:
        words, over = [*old.words, *words], over or old.over
        framework = framework or old.framework
        pictures = old.pictures if pictures is None else pictures
    if not over:
        raise UserError(f"{grid.OPTION} is missing: what differs, as in {grid.OPTION} seed=0:3")
    name = question.framework(framework)
    plan = Plan(question.name, name, over, [*words], PICTURES if pictures is None else pictures)
    cells = grid.cells(over)
    recipes = _recipes(question, plan, cells)
    if any(one.from_noise is None for one in recipes):  # there is nothing to measure
        plan = msgspec.structs.replace(plan, pictures=0)
    folder = _folder(question, folder, old is not None)
    tasks = _tasks(question, plan, folder, cells, recipes, jobs)
    write_atomically(folder / PLAN, tasks[0].mark)
    failed, stopped = _work(tasks, jobs, dask)
    if stopped:
        again = ["knock", "sweep", question.name, RESUME, "--out", str(folder)]
        print_error(f"go on with: {shlex.join(again)}")
        return started.BY_SIGNAL + stopped
    rows = sweep_table.rows(folder, cells)
    sweep_table.write(folder, question, over, rows)
    print("\n".join(sweep_table.lines(over, rows)))
    print(folder / sweep_table.SHEET)
    return 1 if failed else 0


def _newest(question: Question) -> Path:
    found = [path.parent for path in RUNS.glob(f"*/{PLAN}") if _is_of(path.parent, question)]
    if not found:
        raise UserError(f"no sweep of {question.name} in {RUNS}/: say where it is with --out")
    return max(found, key=lambda one: ((one / PLAN).stat().st_mtime_ns, one))


def _is_of(folder: Path, question: Question) -> bool:
    with contextlib.suppress(UserError):
        return _planned(folder, question) is not None
    return False


def _planned(folder: Path, question: Question) -> Plan | None:
    return plans.read(folder / PLAN, Plan, question, "sweep")


def _folder(question: Question, folder: Path | None, known: bool) -> Path:
    """The folder of a sweep, which is there then. Raises UserError for one of something else."""
    if folder is None:
        return make_new_folder(RUNS / f"sweep_{question.name}")
    if not known and folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty, and holds no sweep; choose another --out")
    make_folder(folder)
    return folder


def _recipes(question: Question, plan: Plan, cells: Sequence[Cell]) -> list[Recipe]:
    """The recipe of each run. Raises UserError for options that a run refuses."""
    program = f"knock sweep {question.name}"
    said = options.parse(question, program, plan.words)
    if said.resume or said.test or said.out:
        raise UserError(f"a sweep's runs are in its own folder: {RESUME} takes no path, no --test")
    found = []
    for cell in cells:
        name = cell.values.get(grid.FRAMEWORK, plan.framework)
        if (framework := frameworks.find(name)).missing:
            raise UserError(frameworks.missing_line(framework))
        if name not in question.answered_in:
            raise UserError(f"question {question.label} has no answer in {framework.title}")
        one = options.parse(question, program, [*plan.words, *cell.words])
        found.append(origin.decide(question, name, one).recipe)
    return found


def _tasks(
    question: Question,
    plan: Plan,
    folder: Path,
    cells: Sequence[Cell],
    recipes: Sequence[Recipe],
    jobs: int,
) -> list[Task]:
    said = options.parse(question, "knock sweep", plan.words).threads
    mark = plans.text(plan)
    return [
        Task(
            question=question.name,
            framework=cell.values.get(grid.FRAMEWORK, plan.framework),
            cell=cell,
            folder=folder.resolve() / cell.name,
            words=plan.words,
            steps=recipe.train.steps,
            pictures=plan.pictures,
            threads=said or max(1, options.spare_cores() // jobs),
            mark=mark,
        )
        for cell, recipe in zip(cells, recipes, strict=True)
    ]


def _work(tasks: Sequence[Task], jobs: int, dask: str | None) -> tuple[int, int]:
    """How many tasks failed, and the signal that ended the work, or 0."""
    left = [task for task in tasks if not (task.is_trained and task.is_measured)]
    failed = 0
    with _until_stopped() as stop:
        coming = _on_cluster(left, dask) if dask else _here(left, jobs, stop)
        for task, done in tqdm(coming, "swept", total=len(left), unit="run", disable=None):
            if done.error and done.error != _STOPPED:
                failed += 1
                print_error(f"{task.cell.name}: {done.error}")
    return failed, stop.signal


class _Stop:
    """Whether the work is to end, and the processes that are to be told."""

    def __init__(self) -> None:
        self.signal = 0
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[bytes]] = set()

    def now(self, number: int, *_: object) -> None:
        self.signal = number
        for process in self.running.copy():
            process.terminate()  # it saves, and ends


@contextlib.contextmanager
def _until_stopped() -> Iterator[_Stop]:
    """Ctrl-C and SIGTERM let every run save and end, and begin no other."""
    stop = _Stop()
    before = {one: signal.signal(one, stop.now) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _here(tasks: Sequence[Task], jobs: int, stop: _Stop) -> Iterator[tuple[Task, Done]]:
    with ThreadPoolExecutor(jobs) as pool:
        tasks_of: dict[Future[Done], Task] = {pool.submit(_do, one, stop): one for one in tasks}
        left = {*tasks_of}
        while left:
            done, left = wait(left, _LOOK, FIRST_COMPLETED)
            for future in done:
                yield tasks_of[future], future.result()


def _on_cluster(tasks: Sequence[Task], address: str) -> Iterator[tuple[Task, Done]]:
    with cluster.connected(address) as client:
        waiting = {client.submit(on_worker, one, pure=False): one for one in tasks}
        for future, done in cluster.results([*waiting]):
            task = waiting[future]
            for name, content in done.files.items():
                path = task.folder / name
                make_folder(path.parent)
                write_atomically(path, content)
            yield task, done


def on_worker(task: Task) -> Done:
    """A task on a worker of a cluster: in the sweep's folder, if the worker sees it, too.

    Else in one of its own, whose files come back. That is kept until the run has ended well, so a
    task that comes again goes on.
    """
    with contextlib.suppress(OSError):
        if (task.folder.parent / PLAN).read_text(encoding="utf-8") == task.mark:
            return _do(task, _Stop())
    mine = Path(tempfile.gettempdir()) / "knock_sweep" / cluster.version()[:16]
    folder = mine / f"{task.question}-{task.framework}-{task.cell.name}"
    make_folder(folder.parent)
    done = _do(replace(task, folder=folder), _Stop())
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    if not done.error:
        shutil.rmtree(folder)
    return Done(done.error, files)


def _do(task: Task, stop: _Stop) -> Done:
    """Train the run as far as it is not trained, then measure what has not been measured."""
    threads = ["--threads", str(task.threads)]
    if not task.is_trained:
        again = [RESUME] if (task.folder / checkpoints.FILE_NAME).exists() else []
        script = find(task.question).answer(task.framework)
        words = [*task.words, *task.cell.words, *again, "--out", str(task.folder), "--quiet"]
        if error := _called([str(script), *words, *threads], stop):
            return Done(error)
    if not task.is_measured:
        words = ["-m", "knock", "score", str(task.folder), "--n", str(task.pictures)]
        return Done(_called([*words, *threads], stop))
    return Done()


def _called(words: Sequence[str], stop: _Stop) -> str:
    """Run Python with these words; its last line where it does not end well."""
    with started.lifeline() as more:
        with stop.lock:
            if stop.signal:
                return _STOPPED
            # In a session of its own, so that a Ctrl-C reaches it once: from us.
            process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                **more,
            )
            stop.running.add(process)
        if stop.signal:  # it came while the process began
            process.terminate()
        _, said = process.communicate()
        stop.running.discard(process)
    if process.returncode == 0:
        return ""
    if stop.signal:
        return _STOPPED
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"ended with exit code {process.returncode}"
