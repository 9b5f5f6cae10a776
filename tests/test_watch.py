"""`knock watch` on a terminal: whatever is saved, and however, its check is what is shown.

The checks are real processes, but for what they find: that is in the file. No framework is needed.
"""

import os
import queue
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from knock import paths
from knock.check import parts, report
from knock.learner import answers
from knock.learner.watch import keys, saves, session
from tests.test_cli import needs_torch

import msgspec
import pytest

pty = pytest.importorskip("pty", reason="the terminals of these tests are POSIX'")
import termios  # noqa: E402

PARTS = ("networks", "losses", "step", "sampling")
DEADLINE = 60

CUSTOM = """
import os, sys, time
if "knock.learner.watch.warm" in sys.orig_argv:
    from knock import frameworks
    from knock.check import parts as checked
    from knock.frameworks import numpy as plain
    from knock.scripts import load as answers
    from knock.scripts.source import Source

    frameworks.load = lambda name: plain

    def look(question, framework, file, *_, told, **__):
        Source.read(file.resolve())
        with open("started", "a") as log:
            log.write(f"{os.getpid()}\\n")
        found = answers.load(file.resolve())
        parts = [checked.Part(*one, found.said) for one in zip(found.names, found.found)]
        if hasattr(found, "early"):
            told(checked.Part("step", "failed", found.early))
            found.wait()
        whole = [] if set(found.found) == {"done"} else None
        return checked.Report(parts, whole)

    checked.look = look
if "watch" in sys.orig_argv:
    import watchfiles
    real = watchfiles.watch

    def watch(folder, **more):
        if os.environ.get("DEAF") and not more["force_polling"]:
            folder = "custom"
        if os.environ.get("TICKLESS"):
            more["yield_on_timeout"] = False
        return real(folder, **more)

    watchfiles.watch = watch
"""
"""Runs first in every Python below: a check finds what the file says, a deaf watch hears of no
event, and a tickless one does not look every second."""

PROGRAM = """
import fcntl, sys, termios
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
from knock import cli
cli.main(sys.argv[1:])
"""


def answer(said: str, *found: str, more: str = "") -> str:
    """The text of a file of which a check finds something."""
    found = found or ("done", "done", "failed", "to do")
    return f"names, found, said = {PARTS}, {found}, {said!r}\n{more}\n"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, folder: Path, *words: str, terminal: bool = True, **settings: str) -> None:
        self.screen, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=folder,
            stdin=self.slave if terminal else subprocess.DEVNULL,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(folder / "custom"), str(paths.ROOT)]),
                **settings,
            },
        )

    def see(self, wanted: str) -> str:
        """Wait until something is shown that was not yet waited for; all that came before it."""
        end = time.monotonic() + DEADLINE
        while not (found := re.search(wanted, self.text)):
            assert time.monotonic() < end, f"no {wanted!r} in {self.text!r}"
            if select.select([self.screen], [], [], 1)[0]:
                self.text += os.read(self.screen, 1 << 16).decode("utf-8", "replace")
        before, self.text = self.text[: found.end()], self.text[found.end() :]
        return before

    def press(self, key: str) -> None:
        os.write(self.screen, key.encode())

    def end(self) -> int:
        """Wait for its end, and find the terminal as it was."""
        code = self.process.wait(DEADLINE)
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def close(self) -> None:
        self.process.terminate()  # not killed: it ends its check
        self.process.wait(DEADLINE)
        os.close(self.screen)
        os.close(self.slave)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """my/ae_pytorch.py, in the folder that all work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    path = tmp_path / "my" / "ae_pytorch.py"
    path.parent.mkdir()
    path.write_text(answer("as begun"), encoding="utf-8")
    return path


@pytest.fixture
def watch(tmp_path, file):
    """Watch that file, and wait until its first check is shown."""
    started: list[Terminal] = []

    def start(*words: str, **more) -> tuple[Terminal, Path]:
        started.append(Terminal(tmp_path, "watch", "ae", *words, **more))
        started[0].see("✗ step +as begun")
        return started[0], file

    yield start
    for one in started:
        one.close()


def pids(folder: Path) -> list[int]:
    """The processes of checks that got as far as running the file."""
    return [int(line) for line in (folder / "started").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process ends before the deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists():
            told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            state = told.rpartition(")")[2].split()[0]
            if state == "Z":  # nobody here waits for it
                return True
        time.sleep(0.01)
    return False


# Saves


def in_place(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def by_rename(file: Path, text: str) -> None:
    other = file.with_suffix(".tmp")
    other.write_text(text, encoding="utf-8")
    other.replace(file)


def deleted_first(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text, encoding="utf-8")


def with_a_backup(file: Path, text: str) -> None:
    file.replace(file.with_suffix(".py~"))
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ([], {"TICKLESS": "1"}),
        (["--poll"], {}),
        ([], {"DEAF": "1"}),
    ],
    ids=["events", "polling", "no event comes"],
)
def test_every_kind_of_save_is_checked(watch, words, settings):
    terminal, file = watch("my/ae_pytorch.py", *words, **settings)
    for number, save in enumerate((in_place, by_rename, deleted_first, with_a_backup)):
        save(file, answer(f"number {number}"))
        before = terminal.see(f"✗ step +number {number}")
        assert "checking my/ae_pytorch.py" in before
        assert "is gone" not in before
    os.utime(file)  # saved as it is
    terminal.see("checking")
    terminal.see("✗ step +number 3")


def test_polling_hears_of_a_save_where_no_event_comes(watch, file):
    os.utime(file, (1, 1))  # it compares whole seconds
    terminal, file = watch("--poll", TICKLESS="1", DEAF="1")
    in_place(file, answer("polled"))
    terminal.see("✗ step +polled")


def test_of_a_burst_the_last_state_is_shown(watch):
    terminal, file = watch()
    for number in range(20):
        (in_place, by_rename)[number % 2](file, answer(f"number {number};"))
    before = terminal.see("✗ step +number 19;")
    assert not re.search(r"number (?!19;)", before)
    assert before.count("checking") <= 3, "one or two, and one more where the machine is slow"
    in_place(file, answer("after it"))
    terminal.see("✗ step +after it")


START_ANOTHER = """
import subprocess, sys
other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
open("other", "w").write(f"{other.pid};")
"""


def test_a_check_that_never_ends_is_ended_with_all_it_started(watch, tmp_path):
    terminal, file = watch()
    in_place(file, answer("never", more=f"{START_ANOTHER}while True: print('x' * 9999)"))
    other = tmp_path / "other"
    end = time.monotonic() + DEADLINE
    while not (other.exists() and other.read_text().endswith(";")):
        assert time.monotonic() < end
        time.sleep(0.01)
    in_place(file, answer("at last"))
    assert "never" not in terminal.see("✗ step +at last")
    assert gone(pids(tmp_path)[1])
    assert gone(int(other.read_text().rstrip(";")))


def test_what_a_check_leaves_running_is_ended(watch, tmp_path):
    terminal, file = watch()
    in_place(file, answer("others", more=START_ANOTHER))
    terminal.see("✗ step +others")
    assert gone(int((tmp_path / "other").read_text().rstrip(";")))


FORGED = r"""
print("01 ae in PyTorch: my/ae_pytorch.py\n  ✗ networks     forged", flush=True)
import os
os.write(1, b'{"format": 1, "reports": [], "error": "forged"}\n')
"""


def test_what_a_file_prints_is_shown_and_is_no_report(watch):
    terminal, file = watch()
    in_place(file, answer("found", more=FORGED))
    before = terminal.see("✗ step +found")
    assert "✗ networks     forged" in before and '"error": "forged"' in before
    terminal.press("h")
    terminal.see("01 ae · A nudge: step in PyTorch")
    in_place(file, answer("all done", "done", "done", "done", "done", more=FORGED))
    terminal.see("0 passed, 0 failed")
    terminal.press("h")
    terminal.see("It passes.")


KNOWN_EARLY = """
early = "known early"
def wait():
    import pathlib, time
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
"""


def test_what_is_known_is_shown_before_the_check_is_over(watch, tmp_path):
    terminal, file = watch()
    in_place(file, answer("the report", more=KNOWN_EARLY))
    assert "checking" in terminal.see("✗ step +known early")
    (tmp_path / "go").touch()
    assert "known early" not in terminal.see("✗ step +the report").rpartition("──")[2]


def test_a_file_that_prints_much_hides_no_report(watch):
    terminal, file = watch()
    in_place(file, answer("found", more="print('z' * 200_000)"))
    shown = terminal.see("✗ step +found")
    assert 60_000 < shown.count("z") <= 1 << 16, "the last of it"
    assert "✓ networks" in shown and "✓ losses" in shown


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("def broken(:", r"knock: .*does not run: SyntaxError: .*\(line 2: def broken\(:\)"),
        ("import sys; sys.exit(0)", r"knock: .*it ends the program: sys.exit\(0\)"),
        ("import os; os._exit(0)", r"knock: .*it ends the program: sys.exit\(0\)"),
        ("import ctypes; ctypes.string_at(0)", r"crashes Python \(Segmentation fault\) \(line 2"),
        ("import os; os.kill(os.getpid(), 9)", "was killed, as by a system whose memory is full"),
        ("1 / 0", "knock: .*ZeroDivisionError"),
    ],
)
def test_no_file_ends_the_watch(watch, more, said):
    terminal, file = watch()
    in_place(file, answer("x", more=more))
    terminal.see(said)
    in_place(file, answer("mended"))
    terminal.see("✗ step +mended")
    terminal.press("q")
    assert terminal.end() == 0


def test_a_file_that_is_gone_is_waited_for(watch):
    terminal, file = watch()
    file.unlink()
    terminal.see("my/ae_pytorch.py is gone; it is checked once it is back")
    in_place(file, answer("back"))
    assert "is gone" not in terminal.see("✗ step +back").rpartition("\x1b[2J")[2]
    shutil.rmtree(file.parent)
    terminal.see("is gone")
    file.parent.mkdir()
    in_place(file, answer("back again"))
    terminal.see("✗ step +back again")


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A session without a terminal, whose checks are what a test says they are."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "ae_keras.py"
    file.write_text("1", encoding="utf-8")
    monkeypatch.setattr(session, "Check", FakeCheck)
    monkeypatch.setattr(session, "Ready", FakeReady)
    question = session.overview.all_questions()[0]
    return session.Session(queue.SimpleQueue(), question, "keras", file, False, False), file


class FakeCheck:
    question, part = report.Asked(1, "ae"), parts.Part("step", "failed", "wrong")
    report = report.CheckedFile(
        question, "keras", "x", "", "learner", 0, False, [part], None, "", "step"
    )
    output, code, stopped = "", 1, False

    def __init__(self, *_):
        pass

    def stop(self):
        self.stopped = True


class FakeReady:
    def __init__(self, *_):
        pass

    def check(self, *_):
        return FakeCheck()

    def prepare(self):
        pass

    close = prepare


def test_what_an_old_check_found_is_not_shown_for_a_new_file(alone, capsys):
    watched, file = alone
    watched.look()
    first = watched.check
    file.write_text("2", encoding="utf-8")
    watched.ended(first)  # before anybody has heard of the save
    assert first.stopped and watched.check is not first
    assert (watched.report, watched.at) == ("", None)
    second = watched.check
    watched.ended(first)
    assert watched.check is second and watched.report == ""
    watched.ended(second)
    assert "01 ae in Keras: x\n  ✗ step         wrong" in watched.report and watched.at == "step"
    assert capsys.readouterr().out.count("✗ step") == 1


def test_r_checks_again_l_lists_and_x_starts_over_once_that_is_confirmed(alone, capsys):
    watched, file = alone

    def pressed(*keys):
        for key in (*keys, "q"):
            watched.events.put(key)
        watched.follow()
        return capsys.readouterr().out

    watched.look()
    first = watched.check
    assert "checking" in pressed("r")
    assert first.stopped and watched.check is not first
    assert "01 ae          –" in pressed("l")
    assert "/ae_keras.py over? Your file is kept beside it." in pressed("x")
    assert file.read_text(encoding="utf-8") == "1"
    watched.asked = False
    assert "It stays as it is." in pressed("x", "h")
    assert not watched.asked and watched.level == 0, "a key that says no does nothing else"
    assert "It stays" in pressed("x", "n") and file.read_text(encoding="utf-8") == "1"
    assert "/ae_keras.old-1.py\nThen: " in pressed("x", "y")
    assert file.with_name("ae_keras.old-1.py").read_text(encoding="utf-8") == "1"
    assert "TODO step" in file.read_text(encoding="utf-8")
    watched.file = file.with_suffix(".ipynb")
    watched.file.write_text("{}", encoding="utf-8")
    assert "knock notebook ae --starter makes one" in pressed("x", "y")
    assert watched.file.read_text(encoding="utf-8") == "{}"


def test_after_the_last_pass_the_next_commands_are_shown_once(alone, capsys):
    watched, file = alone
    file.write_text('if __name__ == "__main__": main()\n', encoding="utf-8")
    passes = msgspec.structs.replace(FakeCheck.report, passed=True)
    for wanted in (1, 0):
        watched.seen = None
        watched.look()
        watched.check.report = passes
        watched.ended(watched.check)
        assert capsys.readouterr().out.count("01 ae is done. And now:") == wanted


def test_two_saves_within_a_tick_of_the_clock_are_two(alone):
    watched, file = alone
    watched.look()
    first, stamp = watched.check, file.stat().st_mtime_ns
    watched.look()
    assert watched.check is first
    file.write_text("2", encoding="utf-8")
    os.utime(file, ns=(stamp, stamp))
    watched.look()
    assert watched.check is not first


def test_a_file_is_not_called_gone_between_the_two_halves_of_a_save(alone, monkeypatch, capsys):
    watched, file = alone
    watched.look()
    file.unlink()
    watched.look()
    watched.look()
    assert watched.check is None
    assert "is gone" not in capsys.readouterr().out
    now = time.monotonic()
    monkeypatch.setattr(session.time, "monotonic", lambda: now + 2)
    watched.look()
    watched.look()
    assert capsys.readouterr().out.count("is gone") == 1


def test_news_of_an_old_check_is_not_shown_and_what_failed_is_known_to_the_next(alone, capsys):
    watched, file = alone
    watched.look()
    first, wrong = watched.check, report.Verdict("part", "step", "failed", "early")
    watched.hear(first, wrong)
    assert capsys.readouterr().out.count("✗ step         early") == 1
    file.write_text("2", encoding="utf-8")
    watched.look()
    watched.hear(first, wrong)
    assert "early" not in capsys.readouterr().out + watched.status
    assert watched.last.text is None
    watched.ended(watched.check)
    assert (watched.last.text, watched.last.failed) == ("2", ["step"])


def test_when_it_is_over_nobody_looks_out_any_more(alone):
    watched, _ = alone
    before = set(threading.enumerate())
    with watched:
        (looking,) = set(threading.enumerate()) - before
    looking.join(DEADLINE)
    assert not looking.is_alive()


def test_ctrl_c_is_a_key_on_some_systems(alone):
    watched, _ = alone
    for key in "\x03q":
        watched.events.put(key)
    with pytest.raises(KeyboardInterrupt):
        watched.follow()


def test_a_check_that_takes_long_is_told_of_once(alone, monkeypatch, capsys):
    watched, _ = alone
    watched.look()
    now = time.monotonic()
    monkeypatch.setattr(session.time, "monotonic", lambda: now + 100)
    watched.look()
    watched.look()
    assert capsys.readouterr().out.count("That takes long") == 1


def test_where_nothing_can_be_watched_the_file_is_looked_at_every_second(
    tmp_path, monkeypatch, capsys
):
    def refuse(*_, **__):
        raise OSError("too many files")

    monkeypatch.setattr(saves, "watch", refuse)
    monkeypatch.setattr(saves, "SECOND", 0.01)
    over = threading.Event()
    looks = saves.looks(tmp_path, False, over)
    next(looks), next(looks)
    over.set()
    assert list(looks) == []
    assert capsys.readouterr().err.count("(too many files); its file is read every second") == 1


# Keys


def test_h_gives_the_next_level_of_the_part_that_fails(watch):
    terminal, file = watch()
    for title in ("A nudge", "Which API", "Nearly the code", "Nearly the code"):
        terminal.press("h")
        terminal.see(f"01 ae · {title}: step in PyTorch")
        terminal.see("h again" if title != "Nearly the code" else "That is all")
    in_place(file, answer("the same part"))
    terminal.see("✗ step +the same part")
    assert "Nearly the code: step" in terminal.see("q quit")  # it stays beside the new report
    in_place(file, answer("another", "done", "failed", "failed", "to do"))
    terminal.see("✗ losses +another")
    assert "Nearly the code" not in terminal.see("q quit")
    terminal.press("H")
    terminal.see("01 ae · A nudge: losses in PyTorch")
    in_place(file, answer("all open", "to do", "to do", "to do", "to do"))
    terminal.see("· sampling +to do: all open")
    terminal.press("h")
    terminal.see("A nudge: networks in PyTorch")
    in_place(file, answer("all done", "done", "done", "done", "done"))
    terminal.see("0 passed, 0 failed")
    terminal.press("\x1b[1;5H\x1bq\x1bOHh")  # Ctrl-Home, Alt-q, Home: no keys of ours; and one
    terminal.see("It passes. n says what comes next; ours: knock solution ae")
    in_place(file, answer("no report", more="import os; os.kill(os.getpid(), 9)"))
    terminal.see("was killed, as by a system whose memory is full")
    terminal.press("h")
    terminal.see("01 ae · A nudge in PyTorch")  # of all parts: nothing is known of one
    in_place(file, answer("broken again", "done", "done", "done", "failed"))
    terminal.see("✗ sampling +broken again")
    terminal.press("h")
    terminal.see("01 ae · A nudge: sampling in PyTorch")


def test_n_says_what_is_next_and_goes_on_with_it_once_it_is_begun(watch, tmp_path):
    terminal, file = watch()
    terminal.press("n")
    terminal.see("01 ae in PyTorch, in my/ae_pytorch.py: left: step, sampling")
    for title in ("A nudge", "Which API"):
        terminal.press("h")
        assert "left:" not in terminal.see(f"01 ae · {title}: step in PyTorch")
        terminal.press("n")
        terminal.see("left: step, sampling")  # between two hints, it begins no new series of them
    in_place(file, answer("saved again"))
    terminal.see("✗ step +saved again")
    assert "left:" not in terminal.see("q quit"), "that may be another now"
    in_place(file, answer("x", "done", "done", "done", "done"))
    terminal.see("0 passed, 0 failed")
    terminal.press("n")
    terminal.see("02 convae: .*")
    terminal.see("Begin: knock start convae --framework pytorch")
    answers.begin("convae", "pytorch", Path("other/convae_pytorch.py"), False)
    other = tmp_path / "other" / "convae_pytorch.py"
    in_place(other, answer("the next one"))
    terminal.press("n")
    terminal.see("checking other/convae_pytorch.py")
    terminal.see("02 convae in PyTorch: other/convae_pytorch.py")
    terminal.see("✗ step +the next one")
    in_place(file, answer("the old one"))
    in_place(other, answer("once more"))
    assert "the old one" not in terminal.see("✗ step +once more")
    terminal.press("h")
    terminal.see("02 convae · A nudge: step in PyTorch")
    terminal.press("q")
    assert terminal.end() == 0


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda terminal: terminal.press("q"), 0),
        (lambda terminal: terminal.press("\x03"), 130),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
        (lambda terminal: terminal.process.send_signal(signal.SIGHUP), 129),
    ],
    ids=["q", "Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_however_it_ends_the_terminal_is_as_before_and_no_check_goes_on(
    watch, tmp_path, leave, code
):
    terminal, file = watch()
    assert not termios.tcgetattr(terminal.slave)[3] & (termios.ICANON | termios.ECHO)
    in_place(file, answer("x", more="while True: pass"))
    end = time.monotonic() + DEADLINE
    while len(pids(tmp_path)) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    leave(terminal)
    assert terminal.end() == code
    assert gone(pids(tmp_path)[1])
    if code == 130:
        terminal.see("knock: stopped")


def test_an_error_leaves_the_terminal_as_it_was(monkeypatch):
    screen, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
        with pytest.raises(ZeroDivisionError), keys.listening(pressed.put) as listens:
            assert listens
            os.write(screen, b"N")
            assert pressed.get(timeout=DEADLINE) == "n"
            os.write(screen, b"x")
            assert pressed.get(timeout=DEADLINE) == "x"
            termios.tcsetattr(slave, termios.TCSANOW, before)
            os.kill(os.getpid(), signal.SIGCONT)  # as after Ctrl-Z and fg
            assert not termios.tcgetattr(slave)[3] & termios.ICANON
            raise ZeroDivisionError
        assert termios.tcgetattr(slave) == before
        os.close(screen)
        assert pressed.get(timeout=DEADLINE) == "q", "the terminal is gone"


def test_without_a_terminal_there_are_no_keys_and_that_is_said_once(watch):
    terminal, file = watch(terminal=False)
    in_place(file, answer("saved"))
    terminal.see("✗ step +saved")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    terminal.see("knock: stopped")


def test_into_a_file_it_writes_one_report_below_the_other(file, tmp_path):
    command = [sys.executable, "-c", PROGRAM, "watch", "ae"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'custom'}{os.pathsep}{paths.ROOT}"}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
    ) as done:
        lines = [done.stdout.readline() for _ in range(8)]
        in_place(file, answer("saved"))
        lines += [done.stdout.readline() for _ in range(7)]
        done.send_signal(signal.SIGINT)
    assert "\x1b" not in "".join(lines)
    kinds = [re.sub(r"\d\d:\d\d:\d\d", "T", line).rstrip() for line in lines]
    assert kinds[0].startswith("No keys")
    assert [kind for kind in kinds if "checking" in kind] == ["T checking my/ae_pytorch.py …"] * 2
    assert sum(kind.startswith("── T ──") for kind in kinds) == 2
    assert kinds[-2].split() == ["✗", "step", "saved"]


# What is watched


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ae"], "you have no answer to question 01 ae here; begin one with knock start ae"),
        (["ae", "my_keras.py"], "no file my_keras.py"),
        (["ae", "mine.py"], "which framework is mine.py in?"),
        (["ae", "a_keras.py", "-f", "numpy"], "numpy"),
        (["9999"], "no question '9999'"),
    ],
)
def test_nothing_to_watch_is_one_line(knock, words, said):
    code, out, err = knock("watch", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@needs_torch
def test_a_starter_is_checked_for_real(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers.begin("ae", "pytorch", None, False)
    terminal = Terminal(tmp_path, "watch", "1")
    try:
        terminal.see(r"01 ae in PyTorch: my/ae_pytorch.py\s+· networks +to do: Encoder")
        terminal.press("h")
        terminal.see("A nudge: networks in PyTorch")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()
