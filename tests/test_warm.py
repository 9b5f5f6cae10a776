"""The process that is ready before a save: its checks are those of `knock check`, and end alone.

Every framework is plain NumPy here, and so is our answer; what runs are real processes.
"""

import json
import os
import queue
import subprocess
import sys
import time
from pathlib import Path

from knock import paths
from knock.check import forks, report
from knock.learner.watch import child
from knock.learner.watch.messages import Request
from knock.questions import find
from tests.test_json import FILES, PROGRAM, STEP, WRONG
from tests.test_watch import gone

import pytest

DEADLINE = 60
CUSTOM = PROGRAM.replace(
    "cli.main(sys.argv[1:])",
    """
import os
if os.environ.get("BROKEN"):
    def load(name):
        raise ImportError(os.environ["BROKEN"])
    frameworks.load = load
if os.environ.get("DIES") and "--once" not in sys.argv:
    from knock import run
    frameworks.load = lambda name: print("last words", file=sys.stderr, flush=True) or os._exit(7)
""",
)
"""Runs first in every Python below."""

both = pytest.mark.parametrize(
    "forked",
    [pytest.param(True, marks=pytest.mark.skipif(not forks.SAFE, reason="no forks here")), False],
    ids=["forked", "started in time"],
)


class Place:
    """A folder with a learner's file, and the process that is ready to check it."""

    def __init__(self, folder: Path, forked: bool) -> None:
        self.file = folder / "mine_pytorch.py"
        self.ready = child.Ready(find("ae"), "pytorch", forked)
        self.heard: list[report.Verdict] = []
        self.over: queue.SimpleQueue[child.Check] = queue.SimpleQueue()

    def begin(self, text: str, before: str | None = None) -> child.Check:
        self.file.write_text(text, encoding="utf-8")
        self.heard.clear()
        request = Request(str(self.file), before)
        return self.ready.check(request, lambda _, one: self.heard.append(one), self.over.put)

    def check(self, text: str, before: str | None = None) -> child.Check:
        begun = self.begin(text, before)
        assert self.over.get(timeout=DEADLINE) is begun
        return begun


@pytest.fixture(scope="module")
def custom(tmp_path_factory):
    """Its processes find the stand-ins; the test's own does not."""
    folder = tmp_path_factory.mktemp("custom")
    (folder / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(paths.ROOT)]))
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def shared(custom):
    """One for all tests: that none of them disturbs the next is what they test."""
    place = Place(custom, forks.SAFE)
    yield place
    place.ready.close()


@pytest.fixture
def place(custom, forked):
    place = Place(custom, forked)
    yield place
    place.ready.close()


def cold(file: Path) -> dict:
    """What `knock check --json` says of a file."""
    words = ["knock", "check", "ae", str(file), "--json"]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, timeout=DEADLINE)
    return json.loads(done.stdout)["reports"][0]


@both
def test_a_check_says_what_knock_check_says(place):
    for text in FILES.values():
        found = place.check(text)
        said = report.to_json(report.Document(reports=[found.report]))
        assert json.loads(said)["reports"] == [cold(place.file)]
        assert found.code == (0 if found.report.passed else 1) and found.output == ""


def test_verdicts_come_before_the_report(shared):
    found = shared.check(WRONG)
    assert [one.of for one in shared.heard[:2]] == ["stage", "stage"]
    told = [one for one in shared.heard if one.of == "part"]
    assert [(one.name, one.status, one.message) for one in told] == [
        (one.name, one.status, one.message) for one in found.report.parts
    ]
    before = [one.name for one in told]
    shared.check(WRONG, before=WRONG.replace(STEP, ""))
    told = [one.name for one in shared.heard if one.of == "part"]
    assert told[0] == "step" != before[0] and sorted(told) == sorted(before)


UNRULY = {
    "ends": ("import os; os._exit(0)", "it ends the program: sys.exit(0)"),
    "ends in earnest": ("import posix; posix._exit(3)", ""),
    "interrupts": ("raise KeyboardInterrupt", "knock: stopped"),
    "crashes": ("import ctypes; ctypes.string_at(0)", ""),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", ""),
    "kills its parent": ("import os, time; os.kill(os.getppid(), 9); time.sleep(99)", ""),
    "closes all": ("import os; os.closerange(0, 999)", ""),
    "replaces the output": ("import sys; sys.stdout = sys.stderr = None; 1 / 0", ""),
    "replaces the end": ("import os\nos._exit = print\nraise KeyboardInterrupt", ""),
    "spoils the package": ("import knock.check.parts as p\np.look = p.examine = None\n1 / 0", ""),
}


@pytest.mark.skipif(not forks.SAFE, reason="no forks here")
@pytest.mark.parametrize("name", UNRULY)
def test_no_file_disturbs_the_next_check(shared, name):
    text, said = UNRULY[name]
    found = shared.check(text)
    assert found.report is None and said in found.output
    process = shared.ready._process
    assert process is not None and process.poll() is None
    after = shared.check(FILES["right"])
    assert after.report is not None and after.report.passed
    assert shared.ready._process is process, "it is still the same"


@both
def test_a_check_can_be_given_up_with_all_that_it_started(place):
    log = place.file.with_name("started")
    text = (
        "import os, subprocess, sys\n"
        "other = subprocess.Popen([sys.executable, '-S', '-c', 'while True: pass'])\n"
        f"open({str(log)!r}, 'w').write(f'{{os.getpid()}} {{other.pid}};')\n"
        "while True: pass\n"
    )
    log.unlink(missing_ok=True)
    for early in (True, False):  # before it has begun, and while it runs
        begun = place.begin(text)
        end = time.monotonic() + DEADLINE
        while not early and not (log.exists() and log.read_text().endswith(";")):
            assert time.monotonic() < end
            time.sleep(0.01)
        begun.stop()
        assert place.over.get(timeout=DEADLINE) is begun and begun.report is None
    assert all(gone(int(one)) for one in log.read_text().rstrip(";").split())


@both
def test_of_an_endless_output_the_last_is_kept(place, monkeypatch):
    monkeypatch.setattr(child, "_KEPT", 20)
    found = place.check("for n in range(99999): print(n)\nraise SystemExit('the end')")
    assert (found.code, found.output) == (2, "raise SystemExit('the end'))\n"[-20:])


@pytest.mark.skipif(not forks.SAFE, reason="no forks here")
def test_a_process_that_has_died_is_replaced(shared):
    process = shared.ready._process
    process.kill()
    process.wait()
    assert shared.check(FILES["right"]).report.passed
    assert shared.ready._process is not process


@pytest.mark.skipif(not forks.SAFE, reason="no forks here")
def test_a_change_of_the_package_or_of_the_question_is_noticed(shared, monkeypatch):
    process, seen = shared.ready._process, shared.ready._files()
    assert {"judge.py", "recipe.toml", "reference.py"} <= {path.name for path, *_ in seen}
    shared.ready.prepare()
    assert shared.ready._process is process
    monkeypatch.setattr(shared.ready, "_files", lambda: seen[1:])
    shared.ready.prepare()
    assert shared.ready._process is not process and process.poll() is not None
    assert shared.check(FILES["right"]).report.passed


@both
def test_a_framework_that_cannot_be_imported_is_said_at_each_check(custom, forked, monkeypatch):
    monkeypatch.setenv("BROKEN", "no such library")
    place = Place(custom, forked)
    try:
        for _ in range(2):
            found = place.check(FILES["right"])
            assert found.report is None and found.code == 1
            assert "ImportError: no such library" in found.output
    finally:
        place.ready.close()


@pytest.mark.skipif(not forks.SAFE, reason="no forks here")
def test_a_framework_that_ends_the_process_is_said_at_each_check(custom, monkeypatch):
    monkeypatch.setenv("DIES", "1")
    place = Place(custom, True)
    try:
        for _ in range(2):
            found = place.check(FILES["right"])
            assert (found.report, found.code, found.output) == (None, 7, "last words\n")
    finally:
        place.ready.close()


@pytest.mark.skipif(not forks.SAFE, reason="no forks here")
def test_a_watch_that_is_killed_leaves_nothing_running(custom):
    log = custom / "running"
    log.unlink(missing_ok=True)
    (custom / "loop_pytorch.py").write_text(
        f"import os\nopen({str(log)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}};')\n"
        "while True: pass\n",
        encoding="utf-8",
    )
    program = (
        "from knock.learner.watch import child\nfrom knock.questions import find\n"
        "ready = child.Ready(find('ae'), 'pytorch')\nprint(ready._process.pid, flush=True)\n"
        "ready.check(child.Request('loop_pytorch.py'), print, print)\nimport time\ntime.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as watch:
        warm = int(watch.stdout.readline())
        end = time.monotonic() + DEADLINE
        while not (log.exists() and log.read_text().endswith(";")):
            assert time.monotonic() < end
            time.sleep(0.01)
        watch.kill()
    running = [int(one) for one in log.read_text().rstrip(";").split()]
    assert all(gone(one) for one in [warm, *running])
