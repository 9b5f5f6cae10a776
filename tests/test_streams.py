"""Nothing that is told to the user ends a training, and stopping always saves."""

import errno
import io
import os
import signal
import subprocess
import sys
import time

from knock import errors
from knock.training import checkpoint, recorder, telling
from tests.helpers import run_plain

import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1"]
SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]

posix = pytest.mark.skipif(os.name != "posix", reason="needs a shell and its devices")


class Broken(io.TextIOBase):
    """A stream that fails as one does whose reader has gone."""

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        if not isinstance(self.error, RuntimeError):
            raise self.error

    isatty = fileno = flush


ERRORS = [
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOSPC, "No space left on device"),
    ValueError("I/O operation on closed file"),
    RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>"),
]


def train_until(step, act):
    """An answer's `train` that does something after a step."""

    def train(learner, model):
        for batch in learner.batches():
            learner.log(model.train_step(batch))
            if learner.step == step:
                act()

    return train


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__ + str(error)[:9])
def test_a_run_that_nobody_hears_is_stopped_and_saved(error, tmp_path, monkeypatch):
    """The bar, a warning, the handler's line, the closing line: all of them fail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", Broken(error))
    monkeypatch.setattr(sys, "stderr", Broken(error))
    monkeypatch.setattr(recorder.Health, "losses", lambda *_: "a warning")

    def stop():
        print("what an answer prints itself")
        signal.raise_signal(signal.SIGINT)

    words = [*TINY, "--steps", "50", "--sample-every", "50", "--out", "a"]
    assert run_plain(*words, train=train_until(2, stop)) == 130
    assert checkpoint.load(tmp_path / "a").step == 2


@pytest.mark.parametrize("number", SIGNALS)
def test_every_signal_that_asks_to_stop_saves_even_when_sent_twice(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def twice():
        signal.raise_signal(number)
        signal.raise_signal(number)

    words = [*TINY, "--quiet", "--steps", "50", "--sample-every", "50", "--out", "a"]
    before = signal.getsignal(number)
    assert run_plain(*words, train=train_until(2, twice)) == 130
    assert checkpoint.load(tmp_path / "a").step == 2
    assert signal.getsignal(number) == before


def test_another_ctrl_c_ends_a_run_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorder, "_AGAIN", 0.0)
    after = []

    def twice():
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        after.append("went on")

    words = [*TINY, "--quiet", "--steps", "50", "--sample-every", "50", "--out", "a"]
    assert run_plain(*words, train=train_until(2, twice)) == 130
    assert not after and checkpoint.load(tmp_path / "a").step == 0


@posix
def test_a_hangup_that_is_ignored_stays_so(tmp_path, monkeypatch):
    """`nohup knock run …` outlives the terminal."""
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        hang_up = train_until(2, lambda: signal.raise_signal(signal.SIGHUP))
        assert run_plain(*TINY, "--quiet", "--steps", "3", "--out", "a", train=hang_up) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_a_stream_takes_arrives_in_order(capsys):
    with telling.heedless():
        print("one")
        sys.stderr.writelines(["two", "\n"])
    assert capsys.readouterr() == ("one\n", "two\n")
    assert not isinstance(sys.stdout, telling.Heedless)


def shell(line, **more):
    line = line.replace("knock", f"{sys.executable} -m knock")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, **more)


@posix
def test_a_command_says_in_one_line_that_it_cannot_print():
    done = shell("knock list > /dev/full")
    assert (done.returncode, done.stderr) == (2, "knock: cannot print: No space left on device\n")
    assert shell("knock --help > /dev/full").returncode == 2
    assert shell("knock list 2>/dev/full >/dev/full").returncode == 2


@posix
@pytest.mark.parametrize("line", ["knock list", "knock list 2>&1", "knock nonsense 2>&1"])
def test_a_reader_that_leaves_early_is_no_error(line):
    done = shell(f"set -o pipefail; {{ sleep 0.3; {line}; }} | true")
    assert done.stderr == ""
    assert done.returncode == (2 if "nonsense" in line else 0)


@posix
def test_a_program_without_standard_streams_gets_empty_ones(tmp_path):
    """Otherwise losses.csv would be standard error."""
    script = tmp_path / "x.py"
    script.write_text(
        "import os, sys, knock\n"
        "file = open('mine', 'w')\n"
        "print('lost', file=sys.stderr); print('lost'); os.write(2, b'lost')\n"
        "assert file.fileno() > 2 and sys.stdin.read() == ''\n"
        "file.write('kept')\n"
    )
    line = f"{sys.executable} {script} <&- >&- 2>&-"
    assert shell(line, cwd=tmp_path).returncode == 0
    assert (tmp_path / "mine").read_text() == "kept"


def test_an_error_that_no_file_has_names_none():
    assert errors.in_words(OSError(errno.EMFILE, "Too many open files")) == ("Too many open files")
