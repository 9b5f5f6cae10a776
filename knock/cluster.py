"""A Dask cluster whose workers have exactly this version of the project."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

from knock import installing, paths
from knock.errors import UserError


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the cluster at an address, `tcp://HOST:PORT`.

    Raises UserError without Dask, if the cluster cannot be reached, or has another version.
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
        yield client


def results(futures: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Each of a client's futures with its result, as they finish."""
    import distributed

    yield from distributed.as_completed(futures, with_results=True)


def version() -> str:
    """A digest of all that a number depends on: the package, the questions, and our answers."""
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
