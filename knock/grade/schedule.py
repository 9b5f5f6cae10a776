"""All submissions at once: on this machine's cores, or on a Dask cluster's."""

import contextlib
import hashlib
import queue
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from knock import installing, paths
from knock.errors import UserError
from knock.grade import grading
from knock.grade.grading import Grade, Settings
from knock.grade.submissions import Submission

_LOOK = 0.5
"""Seconds after which a wait is taken up again, so that a signal is heard on every system."""


def here(
    submissions: Sequence[Submission], settings: Settings, jobs: int
) -> Generator[tuple[Submission, Grade]]:
    """Each submission with its grade, as they finish. Each running process has one thread."""
    finished: queue.SimpleQueue[Future[Grade]] = queue.SimpleQueue()
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting: dict[Future[Grade], Submission] = {
            pool.submit(grading.grade, one, settings): one for one in _in_order(submissions)
        }
        for future in waiting:
            future.add_done_callback(finished.put)
        for _ in waiting:
            future = _next(finished)
            yield waiting[future], future.result()
    finally:  # nobody waits for the grades that are not finished
        pool.shutdown(wait=False, cancel_futures=True)
        grading.close()


def _next(finished: "queue.SimpleQueue[Future[Grade]]") -> Future[Grade]:
    while True:
        with contextlib.suppress(queue.Empty):
            return finished.get(timeout=_LOOK)


def on_cluster(
    submissions: Sequence[Submission], settings: Settings, address: str
) -> Generator[tuple[Submission, Grade]]:
    """The same on a Dask cluster, whose workers need exactly this version of the project.

    Raises UserError if it cannot be reached, or has another version.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(f"--dask needs Dask: {installing.command('dask')}") from None
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask cluster at {address}: {error}") from None
    with client:
        ours = version()
        for worker, theirs in client.run(version).items():
            if theirs != ours:
                raise UserError(f"{worker} has another version of this project; update it there")
        ordered = _in_order(submissions)
        futures = client.map(grading.grade, ordered, settings=settings, pure=False)
        waiting = dict(zip((future.key for future in futures), ordered, strict=True))
        for future, found in distributed.as_completed(futures, with_results=True):
            yield waiting[future.key], found


def version() -> str:
    """A digest of all that a grade depends on: the package, the questions, and our answers."""
    found = hashlib.sha256()
    for folder, files in (
        (paths.PACKAGE, paths.modules()),
        (paths.QUESTIONS, sorted(paths.QUESTIONS.glob("*/recipe.toml"))),
        (paths.QUESTIONS, sorted(paths.QUESTIONS.glob("*/reference.py"))),
        (paths.QUESTIONS, sorted(paths.QUESTIONS.glob("*/mistakes.toml"))),
        (paths.ANSWERS, sorted(paths.ANSWERS.glob("*.py"))),
    ):
        for path in files:
            found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def _in_order(submissions: Sequence[Submission]) -> list[Submission]:
    """By framework, so that a process that has imported one is used for all of its submissions."""
    return sorted(submissions, key=lambda one: (one.framework, one.question))
