"""All submissions at once: on this machine's cores, or on a Dask cluster's."""

import contextlib
import queue
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from knock import cluster
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
    with cluster.connected(address) as client:
        ordered = _in_order(submissions)
        futures = client.map(grading.grade, ordered, settings=settings, pure=False)
        waiting = dict(zip((future.key for future in futures), ordered, strict=True))
        for future, found in cluster.results(futures):
            yield waiting[future.key], found


def _in_order(submissions: Sequence[Submission]) -> list[Submission]:
    """By framework, so that a process that has imported one is used for all of its submissions."""
    return sorted(submissions, key=lambda one: (one.framework, one.question))
