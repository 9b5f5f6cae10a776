"""What all tests share: one CPU thread, no window, no data folder of the person who runs them."""

import os
import signal

import pytest

# Before any framework is imported: two threads on a busy machine stall, and change sums.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("KNOCK_DATA", None)

# A shell starts a job in the background with Ctrl-C ignored, and nohup ignores SIGHUP. So would
# every program that the tests start, those that are sent one among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A Chromium for the tests of a file. Skips them where it does not start."""
    from tests.browser import Browser

    try:
        opened = Browser(tmp_path_factory.mktemp("profile"))
    except RuntimeError as error:
        pytest.skip(f"{error}: it does not start here")
    yield opened
    opened.close()


LONGEST = [
    *("grade", "watch", "docs", "standalone", "games", "check"),
    *("run", "warm", "crash", "metrics", "other_ways"),
]
"""Files that begin first, so that at the end no worker waits long for another."""


def group(nodeid: str) -> str:
    """What one worker does as a whole, so that what its tests share is made once.

    Each file is, and of the longest each question.
    """
    file, _, test = nodeid.partition("::")
    if file.endswith("test_verify.py") and "[" in test:
        return f"{file} {test.partition('[')[2].partition('-')[0]}"
    return file


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers(config):
    """One worker more than there are cores: some tests wait for what they have started."""
    return (yield) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give groups to workers; pytest-xdist 3.8 no longer sees its own marks with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # by their number of tests, in which no time is seen
    return Groups(config, log)


def pytest_collection_modifyitems(items):
    """Put the longest files first; refuse names that would be others in the next worker."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give its parameters names, with ids=")
    first = [f"test_{name}.py" for name in LONGEST]
    items.sort(key=lambda item: first.index(n) if (n := item.path.name) in first else len(first))


@pytest.fixture
def knock(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder, in this process; its exit code, output and errors."""
    from knock import cli  # after the settings above

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return run
