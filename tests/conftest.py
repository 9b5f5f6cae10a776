"""What all tests share: one CPU thread, no window, no data folder of the person who runs them."""

import os
import signal

import pytest

# Before any framework is imported: two threads on a busy machine stall, and change sums.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("KNOCK_DATA", None)

# A shell starts a job in the background with Ctrl-C ignored, and so would be every program that the
# tests start, those that are sent one among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """Each file goes to one worker, so that what its tests share is made once.

    Of a long file, each question does.
    """
    for item in items:
        group = item.path.name
        if group == "test_verify.py" and hasattr(item, "callspec"):
            group += f" {getattr(item.callspec.params.get('question'), 'name', '')}"
        item.add_marker(pytest.mark.xdist_group(group))


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
