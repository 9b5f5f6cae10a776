"""Grading: points for what is right, and whatever a submission does, it loses only that part."""

import contextlib
import copy
import csv
import html
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
import unicodedata
from contextlib import closing

from knock import cluster, frameworks, paths, recipe
from knock.check import forks, trace
from knock.check.early import failure
from knock.check.judge import Standard
from knock.check.parts import Part
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.grade import (
    conditions,
    grading,
    judges,
    messages,
    points,
    report,
    roster,
    sandbox,
    schedule,
    scratch,
    signals,
    stripped_copy,
    submissions,
    worker,
)
from knock.grade.conditions import Condition
from knock.grade.process import DoesNotStartError, WorkerProcess
from knock.grade.submissions import Submission
from knock.grade.table import table
from knock.questions import all_questions, find
from knock.scripts import starter
from tests.helpers import answer

import msgspec
import numpy as np
import psutil
import pytest

FRAMEWORK = next((f for f in ("chainer", "pytorch", "keras") if f in frameworks.installed()), None)
needs_one = pytest.mark.skipif(FRAMEWORK is None, reason="no framework is installed")
needs_walls = pytest.mark.skipif(not sandbox.LINUX, reason="only Linux has these walls")
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

QUESTION = find("vae_latent")  # nothing is trained: the fastest to be checked
PARTS = list(QUESTION.parts)
LOST = "walk"
"""The part that mistakes and attacks are planted into."""
RIGHT = answer("vae_latent", FRAMEWORK or "chainer").read_text(encoding="utf-8")
FILE = f"vae_latent_{FRAMEWORK}.py"
SETTINGS = grading.Settings(20, 1 << 30, [Condition()])
SHORT = grading.Settings(1, 1 << 30, [Condition()])


def planted(code: str) -> str:
    """Our answer with some code at the beginning of `decode`."""
    head = "    def decode(self, first, second):\n"
    assert head in RIGHT
    return RIGHT.replace(head, head + "".join(f"        {line}\n" for line in code.splitlines()))


WRONG = planted("first = first + 1")
"""All right except for one part."""


def hand_in(folder, **texts):
    """A folder of submissions, one subfolder per student."""
    for student, text in texts.items():
        path = folder / student / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def graded(text, settings=SETTINGS, file=FILE):
    return grading.grade(Submission("anna", "vae_latent", FRAMEWORK, file, text), settings)


def part(found, name):
    """One part of a grade."""
    return {part.name: part for part in found.parts}[name]


@pytest.fixture(autouse=True, scope="module")
def rooms():
    """Let all tests of this file share the worker process, and close it at the end."""
    yield
    grading.close()


@pytest.fixture
def grade(knock, tmp_path):
    """Run the command on a folder of submissions: exit code, output, errors and table."""

    def run(*words, **texts):
        hand_in(tmp_path / "class", **texts)
        code, out, err = knock("grade", "class", "--out", "grades.csv", "--jobs", "2", *words)
        return code, out, err, rows(tmp_path / "grades.csv")

    return run


# Points


@needs_one
def test_each_part_has_its_points_and_the_table_says_why_one_gets_none(grade, tmp_path):
    left = {p: n for p, n in QUESTION.parts.items() if p != "networks"}
    code, out, _, found = grade(
        right=RIGHT,
        wrong=WRONG,
        begun=starter.make(RIGHT, left, "knock check"),
        broken="def half(:\n",
        exits="raise SystemExit(0)\n",
    )
    assert code == 0
    worth = points.load()
    every = sum(worth[part] for part in PARTS) + worth["whole"]
    expected = {
        "right": PARTS,
        "wrong": [part for part in PARTS if part != LOST],
        "begun": ["networks"],
        "broken": [],
        "exits": [],
    }
    for student, parts in expected.items():
        row = found[student]
        got = {part: float(row[part]) for part in PARTS}
        assert got == {part: worth[part] if part in parts else 0 for part in PARTS}, row
        whole = worth["whole"] if student == "right" else 0
        assert float(row["points"]) == sum(got.values()) + whole
        assert float(row["of"]) == every
        assert f"{row['points']:>4} of {every:<4g} {student}: vae_latent in" in out
    assert found["right"]["remarks"] == ""
    assert found["wrong"]["remarks"].startswith("walk failed: forward: change differs")
    assert "walk to do: LatentSpace.change" in found["begun"]["remarks"]
    assert (
        found["broken"]["remarks"]
        == f"{FILE} does not run: SyntaxError: invalid syntax (line 1: def half(:)"
    )
    assert found["exits"]["remarks"].startswith(
        f"{FILE} does not run: it ends the program: sys.exit(0) (line "
    )
    assert "5 graded in" in out


@needs_one
def test_output_and_warnings_of_a_submission_cost_no_points(grade):
    noise = "import sys, warnings\nwarnings.warn('x' * 99)\nprint('!' * 99999, file=sys.stderr)\n"
    _, _, err, found = grade(loud=planted(noise))
    assert found["loud"]["points"] == found["loud"]["of"]
    assert "!" not in err


def test_one_table_has_the_points_of_every_part_of_every_question(tmp_path):
    worth = points.load()
    for question in all_questions():
        assert set(question.parts) <= set(worth)
    own = tmp_path / "points.toml"
    text = points.TABLE.read_text(encoding="utf-8")
    for encoding in ("utf-8", "utf-8-sig"):  # with the mark that some editors of Windows write
        own.write_text(text.replace("step = 4", "step = 0.5"), encoding=encoding)
        assert points.load(own) == {**worth, "step": 0.5}
    for old, new, said in (
        ("step = 4\n", "", "no points for 'step'; it needs: whole, networks"),
        ("step = 4", "stepp = 4\nstep = 4", "no question has a part 'stepp'"),
        ("step = 4", "step = -1", "the points of step must be 0 or more"),
        ("step = 4", "step = 'four'", "Expected `float`, got `str`"),
        ("step = 4", "step 4", "is not a table of points"),
    ):
        own.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(UserError, match=re.escape(said)):
            points.load(own)
    with pytest.raises(UserError, match="cannot read"):
        points.load(tmp_path / "none.toml")


# Attacks

STOPPED = "it was stopped"
"""After its seconds of computing, or, on a busy machine, by the clock."""

ATTACKS = {
    "an endless loop": ("while True: pass", STOPPED),
    "an endless loop that hears no signal": (
        "import signal\nfor n in range(1, 64):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: pass",
        STOPPED,
    ),
    "a long sleep": ("import time; time.sleep(1000)", STOPPED),
    "a fork bomb": ("import os\nwhile True: os.fork()", "may start no program"),
    "another program": ("import subprocess; subprocess.run(['true'])", "may start no program"),
    "a crash of the interpreter": ("import ctypes; ctypes.string_at(0)", "crashed the interpreter"),
    "an abort": ("import os; os.abort()", "crashed the interpreter (Aborted)"),
    "a closed pipe": (
        "import os, time\nos.closerange(3, 99)\ntime.sleep(60)",
        "it closed what its numbers are sent through",
    ),
    "an error that raises": (
        "class E(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise E",
        "E, which raises KeyboardInterrupt when it is asked for its text",
    ),
    "ten gigabytes": ("x = bytearray(10 << 30)", "MemoryError"),
    "ten gigabytes, a bit at a time": (
        "x = []\nwhile True: x.append(bytearray(16 << 20))",
        "MemoryError",
    ),
    "a full disk": (
        "n = 0\nwhile True:\n    n += 1\n"
        "    with open(str(n), 'wb') as file: file.write(bytes(32 << 20))",
        "it filled the disk",
    ),
    "a large file": (
        "with open('x', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
        "File too large",
    ),
    "forged results": (
        "import os\nprint('7 passed, 0 failed', flush=True)\nos._exit(0)",
        "it ended the process (exit code 0)",
    ),
    "forged numbers": (
        "import os\nfor n in range(3, 99):\n"
        "    try: os.write(n, bytes(7) + b'\\x06loaded' + bytes(7) + b'\\x05walls' * 9)\n"
        "    except OSError: pass\nos._exit(0)",
        "",
    ),
    "the end of a program": ("raise SystemExit(0)", "ends the program: sys.exit(0)"),
    "a Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "our answer, imported": (
        f"from answers import vae_latent_{FRAMEWORK}",
        "ImportError: a submission cannot import our answers",
    ),
    "our answer, read": (
        f"open({str(answer('vae_latent', FRAMEWORK or 'chainer'))!r})",
        "only its own files",
    ),
    "the judge, imported": (
        "import knock.frameworks.numpy",
        "No module named 'knock.frameworks.numpy'",
    ),
    "the judge's answer, read": (f"open({str(QUESTION.reference_file)!r})", "only its own files"),
    "a patched checker": (
        "from knock.check import trace\ntrace.outputs = lambda *given: {}",
        "it replaces knock.check.trace.outputs of the checker",
    ),
    "a patched method of the checker": (
        "from knock.recipe import Recipe\nRecipe.image_shape = (1, 1, 1)",
        "it replaces knock.recipe.schema.Recipe.image_shape of the checker",
    ),
    "another submission, read": (f"open('{{folder}}/bob/{FILE}')", "only its own files"),
    "all submissions, listed": ("import os; os.listdir('{folder}')", "only its own files"),
    "a file in another place": ("open('{folder}/forged.csv', 'w')", "only its own files"),
    "a connection": (
        "import socket; socket.create_connection(('127.0.0.1', {port}))",
        "open no connection",
    ),
    "a kill of the grader": ("import os; os.kill({grader}, 9)", "may start no program"),
    "a kill of its parent": (
        "import os; os.kill(os.getppid(), 9)",
        "may start no program",
    ),
    "the grader's memory": ("open('/proc/{grader}/mem', 'rb')", "only its own files"),
    "the grader's limits": (
        "import resource; resource.prlimit({grader}, resource.RLIMIT_CPU, (1, 1))",
        "may start no program",
    ),
    "another's file, closed": (
        f"import os; os.chmod('{{folder}}/bob/{FILE}', 0)",
        "change no file's permissions",
    ),
    "another's file, dated back": (
        f"import os; os.utime('{{folder}}/bob/{FILE}', (1, 1))",
        "change no file's permissions",
    ),
    "the grader's share of the processors": (
        "import os; os.setpriority(os.PRIO_PROCESS, {grader}, 19)",
        "may start no program",
    ),
    "the grader's processors": (
        "import os; os.sched_setaffinity({grader}, {0})",
        "may start no program",
    ),
    "a message for the next one": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.msgget(4711, 0o1666) < 0: raise OSError(ctypes.get_errno(), 'msgget')",
        "may start no program",
    ),
    "memory of nobody's": (
        "import os\nfiles = [os.memfd_create('x') for _ in range(9)]\n"
        "for file in files: os.write(file, bytes(32 << 20))",
        "may start no program",
    ),
    "a signal by way of a pipe": (
        "import fcntl, os\nfcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, {grader})",
        "may start no program",
    ),
    "a disk full of deleted files": (
        "import os, time\nfiles = []\nwhile len(files) < 16:\n"
        "    files.append(open('x', 'wb')); files[-1].write(bytes(32 << 20)); os.unlink('x')\n"
        "time.sleep(9)",
        "it filled the disk",
    ),
    "what root may": (
        "text = open('/proc/self/status').read()\n"
        "held = text.partition('CapEff:')[2].split()[0]\n"
        "raise ValueError('no more than to read' if int(held, 16) in (0, 4) else held)",
        "no more than to read",
    ),
    "limits taken off": (
        "import resource\ntry: resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\n"
        "except (OSError, ValueError): pass\nwhile True: pass",
        STOPPED,
    ),
}


@needs_walls
def test_a_hidden_folder_cannot_be_read_where_the_folders_around_it_can(tmp_path):
    """As our answers in an installed package, among the packages that every submission needs."""
    site, scratch = tmp_path / "site", tmp_path / "scratch"
    hidden = site / "knock"
    seen = [site / "other.py", site / "other" / "deep.py", site / "knock_other" / "x.py"]
    secret = [hidden / "x.py", hidden / "shipped" / "answer.py"]
    for file in (*seen, *secret):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    scratch.mkdir()
    (site / "link").symlink_to(hidden)  # it must not open what it leads to

    def can_read(file):
        try:
            return not file.read_bytes()
        except PermissionError:
            return False

    def child():
        walls = sandbox.put_up(sandbox.Limits(20, 1 << 30), [site], [hidden], scratch)
        if sandbox.FILES not in walls:
            return 2
        names = {path.name for path in site.iterdir()}
        fine = all(map(can_read, seen)) and not any(map(can_read, secret))
        return 0 if fine and names == {"other.py", "other", "knock", "knock_other", "link"} else 1

    _, status = os.waitpid(forks.fork(child), 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 2:
        pytest.skip("this kernel has no Landlock")
    assert code == 0


@needs_one
@needs_walls
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_only_its_part_and_is_named(name, tmp_path):
    code, said = ATTACKS[name]
    hand_in(tmp_path, bob="secret\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        filled = (
            code.replace("{folder}", str(tmp_path))
            .replace("{port}", str(server.getsockname()[1]))
            .replace("{grader}", str(os.getpid()))
        )
        found = graded(planted(filled), SHORT if said == STOPPED else SETTINGS)
    status = {part.name: part.status for part in found.parts}
    assert status == {part: "failed" if part == LOST else "done" for part in PARTS}, found
    assert said in part(found, LOST).message
    assert not found.whole
    assert found.walls == list(sandbox.ALL)
    assert not (tmp_path / "forged.csv").exists()
    after = graded(RIGHT)
    assert after.whole and after.remark == ""


@needs_one
@needs_walls
def test_nothing_of_a_submission_is_left_in_the_memory_of_the_next():
    """The whole memory of the process is searched for a line of the previous submission."""
    assert graded(RIGHT + "\nNOBODY_ELSE = 'has' # this line\n").whole
    search = """
found, memory = 0, open('/proc/self/mem', 'rb', 0)
for line in open('/proc/self/maps'):
    place, rights, *_, name = line.split()
    low, high = (int(side, 16) for side in place.split('-'))
    if 'r' in rights and not name.startswith('[v'):
        memory.seek(low)
        found += memory.read(high - low).count(b"'has' # " + bytes([116, 104, 105, 115]))
raise ValueError(f'{found} of them')"""
    assert "ValueError: 0 of them" in part(graded(planted(search)), LOST).message


WALKS = """
import os, sys
frame = sys._getframe()
while frame and "growing" not in frame.f_code.co_name:
    frame = frame.f_back
trace = frame.f_locals["trace"]
trace.outputs, trace.losses, trace.errors = {}, [], {"checkpoint": "x"}
from knock.grade import messages
for number in range(3, 64):
    try: os.write(number, len(said := messages.pack(trace, [])).to_bytes(8, "big") + said)
    except OSError: pass
os._exit(0)
"""
"""The tracer's own record, emptied, and sent as it is."""


@needs_one
@needs_walls
def test_no_file_gains_a_part_whose_code_does_not_give_the_numbers():
    right = RIGHT[RIGHT.index("class LatentSpace(") : RIGHT.index("def look(")]
    copies = right.replace("class LatentSpace", "class Copy")
    empty = planted("return 0")

    def ending(code, text=empty):
        return text.replace("def look(", f"{copies}{code}\n\n\ndef look(")

    bound = "LatentSpace.decode = lambda self, *given: Copy.decode(self, *given)"
    texts = {
        "bound": ending(bound),
        "set": ending("setattr(LatentSpace, 'dec' + 'ode', Copy.decode)"),
        "agreeing": ending("LatentSpace.decode = LatentSpace.show = lambda self, *given: 0"),
        "walking": planted(WALKS),
        "saying nothing": planted(
            "import os\nfor number in range(3, 64):\n    try: os.write(number, bytes(8))\n"
            "    except OSError: pass\nos._exit(0)"
        ),
        "honest": RIGHT.replace("def look(", f"{copies}def look("),
    }
    assert all(text != RIGHT for text in texts.values())
    made = [Submission(n, "vae_latent", FRAMEWORK, FILE, text) for n, text in texts.items()]
    found = {one.student: given for one, given in schedule.here(made, SETTINGS, 2)}
    grading.close()
    for name, one in found.items():
        status = {part.name: part.status for part in one.parts}
        assert (status[LOST] == "done") == (name == "honest"), one
        assert one.whole == (name == "honest"), one
        assert name == "agreeing" or status["codes"] == "done", one


@needs_walls
def test_a_scratch_folder_is_measured_and_removed_whatever_is_in_it(tmp_path, monkeypatch):
    place = tmp_path / "scratch"
    (place / "results").mkdir(parents=True)
    (place / "results" / "x").write_bytes(bytes(1 << 20))
    (place / "link").symlink_to(tmp_path)
    assert 1 << 20 < scratch.used(place, os.getpid()) < 1 << 21
    for number in range(9):
        (place / f"{number}").touch()
    with monkeypatch.context() as small:
        small.setattr(scratch, "LARGEST", 8192)
        assert scratch.used(place, os.getpid()) > 8192  # files without a byte
    monkeypatch.chdir(place)
    for _ in range(2500):
        os.mkdir("d")
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    assert scratch.used(place, os.getpid()) == math.inf  # beyond where a path reaches
    (place / "closed").mkdir(mode=0)
    scratch.remove(place)
    assert os.listdir(tmp_path) == []


@needs_one
@needs_walls
def test_an_attack_outside_of_all_parts_costs_the_whole_file_and_is_named():
    loop = graded(RIGHT + "\nwhile True: pass\n", SHORT)
    assert [part.status for part in loop.parts] == ["failed"] * 3
    assert loop.remark.startswith(STOPPED)
    patch = graded(RIGHT + "\nfrom knock.recipe import layers\nlayers.networks = None\n")
    assert not patch.whole and "done" not in [part.status for part in patch.parts]


@pytest.mark.parametrize(
    "text", ["(" * 5000, "-" * 200000 + "1", "x." * 20000 + "x", "\0", "é" * 9]
)
def test_a_text_that_breaks_a_parser_gets_a_one_line_remark(text):
    submission = Submission("anna", "vae_latent", FRAMEWORK or "chainer", FILE, text)
    found = grading.grade(submission, SETTINGS)
    assert not found.whole
    assert "\n" not in found.remark and len(found.remark) < 400


@needs_one
@pytest.mark.parametrize(
    "nested",
    ["NotImplementedError(" + "-" * 900 + "1)", "x" + ".x" * 2000, "x(0x" + "f" * 9000 + ")"],
)
def test_what_is_raised_in_a_part_may_be_any_expression(nested):
    """The grader itself parses what a file raises, to find a starter's open parts."""
    found = graded(planted(f"if False: raise {nested}"))
    assert "the grader fails" not in found.remark
    assert part(found, "codes").status == "done" or "does not run" in found.remark


@needs_one
def test_a_failure_of_the_grader_does_not_stop_the_others(monkeypatch):
    def fail(*given, **more):
        raise RecursionError("too deep")

    with monkeypatch.context() as broken:
        broken.setattr(grading, "examine", fail)
        found = graded(RIGHT)
    assert found.remark == ("the grader fails on it; grade it by hand: RecursionError: too deep")
    assert not found.whole


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            DoesNotStartError("chainer does not start: it gives no reason"),
            "^chainer does not start: it gives no reason",
        ),
        (OSError(28, "No space left on device"), "^cannot run submissions: .*No space left"),
    ],
)
def test_a_lack_of_the_machine_is_not_blamed_on_a_submission(error, said, monkeypatch):
    """The grading ends with one line and keeps no grade, so the same command can continue."""

    def broken(framework, begun):
        raise error

    monkeypatch.setattr(grading, "_worker_process", broken)
    text = answer("vae_latent", "chainer").read_text(encoding="utf-8")
    submission = Submission("anna", "vae_latent", "chainer", FILE, text)
    with pytest.raises(UserError, match=said):
        grading.grade(submission, SETTINGS)


@needs_one
def test_where_there_is_no_fork_each_job_has_a_process_of_its_own(monkeypatch, tmp_path):
    """As on Windows and macOS, where the time and the memory are watched from outside."""
    elsewhere = stripped_copy.build(tmp_path)
    file = elsewhere / "knock" / "grade" / "sandbox.py"
    text = file.read_text(encoding="utf-8").replace('sys.platform == "linux"', "False")
    file.write_text(text.replace('os.name != "posix"', "True"), encoding="utf-8")
    with closing(WorkerProcess(FRAMEWORK, elsewhere, fork=False)) as process:
        monkeypatch.setattr(grading, "_worker_process", lambda *_: process)
        right = graded(RIGHT)
        assert right.whole and right.walls == []
        for code, seconds, said in (
            ("import os; os._exit(3)", 2, "it ended the process (exit code 3)"),
            ("import time; time.sleep(1000)", 1, "it was stopped: it took too long"),
            (
                "x = bytearray(1 << 29); import time; time.sleep(1000)",
                *(2, "it was stopped: it used more memory than allowed"),
            ),
        ):
            found = graded(planted(code), grading.Settings(seconds, 1 << 28, [Condition()]))
            assert part(found, LOST).message.startswith(said)
            assert part(found, "codes").status == "done"


@pytest.mark.parametrize("name", ["recipe.toml", "reference.py", "mistakes.toml"])
def test_the_version_changes_with_every_file_that_a_grade_depends_on(name, monkeypatch, tmp_path):
    shutil.copytree(paths.QUESTIONS, tmp_path / "questions")
    monkeypatch.setattr(paths, "QUESTIONS", tmp_path / "questions")
    before = cluster.version()
    with (paths.QUESTIONS / QUESTION.folder.name / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert cluster.version() != before


def test_a_submission_sees_of_a_question_only_its_recipe(tmp_path):
    built = stripped_copy.build(tmp_path)
    assert {path.name for path in (built / "questions").rglob("*.*")} == {"recipe.toml"}


# What comes out of a submission's process is not trusted


@pytest.fixture(scope="module")
def honest():
    """The judge's own trace of question 01, its recipe, and the message that carries it."""
    question = find("ae")
    small = recipe.load_check(question.recipe_file)
    found = trace.take(question.reference_file, plain, small)
    return found, small, messages.pack(found, [])


def test_a_trace_comes_out_as_it_went_in(honest):
    found, small, message = honest
    refused, replaced, got = messages.unpack(message, found, small)
    assert (refused, replaced) == ("", [])
    assert got.losses == found.losses and got.again == found.again and got.errors == {}
    for mine, theirs in (
        (got.outputs, found.outputs),
        (got.blocked, found.blocked),
        (got.resumed.state, found.resumed.state),
        *((got.states[step], found.states[step]) for step in found.states),
    ):
        assert list(mine) == list(theirs)
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)
    assert messages.unpack(messages.refused("why"), found, small)[0] == "why"


def without(field, *keys):
    """A change of a trace that removes an entry."""

    def change(got):
        place = getattr(got, field)
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def put(value, *fields):
    """A change of a field of a trace, or of its field `resumed`."""

    def change(got):
        for name in fields[:-1]:
            got = getattr(got, name)
        object.__setattr__(got, fields[-1], value)

    return change


def state(step, name, array):
    """A change of an array of a state."""
    return lambda got: got.states[step].update({name: array})


HOSTILE = {
    "no outputs": put({}, "outputs"),
    "one output too few": without("outputs", "encoder"),
    "one layer too few": without("blocked", "decoder.fc"),
    "no losses": put([], "losses"),
    "no losses, and an error after them": lambda got: (
        got.losses.clear(),
        got.errors.update(checkpoint="x"),
    ),
    "few losses, and an error after them": lambda got: (
        got.losses.__delitem__(slice(50, None)),
        got.errors.update(checkpoint="x"),
    ),
    "all losses, and an error before them": put({"loss": "x"}, "errors"),
    "two errors": put({"10 steps": "x", "checkpoint": "x"}, "errors"),
    "more losses": lambda got: got.losses.append({"loss": 1.0}),
    "losses of a hundred names": lambda got: got.losses[0].update({f"{n}": 0 for n in range(99)}),
    "no state after ten steps": without("states", 10),
    "no state at all": put({}, "states"),
    "a state after three steps": lambda got: got.states.update({3: got.states[2]}),
    "a state without a weight": without("states", 10, "encoder.fc.weight"),
    "a weight of another shape": state(0, "encoder.fc.bias", np.zeros((1, 2))),
    "objects": lambda got: got.outputs.update(encoder=np.array([got], object)),
    "texts": lambda got: got.outputs.update(encoder=np.array(["0.1"])),
    "complex numbers": lambda got: got.outputs.update(encoder=np.zeros(3, complex)),
    "a weight that is true": lambda got: got.states[1].update(
        {"encoder.fc.bias": got.states[1]["encoder.fc.bias"] > 0}
    ),
    "a step that is endless": state(10, "optimizer.step", np.array(np.inf)),
    "an error elsewhere": put({"nowhere": "x"}, "errors"),
    "no end": put(None, "resumed"),
    "another first step": put({"other": 1.0}, "again"),
    "no outputs after a checkpoint": put({}, "resumed", "outputs"),
    "no steps after a checkpoint": put([], "resumed", "losses"),
    "no state after a checkpoint": put({}, "resumed", "state"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_honest_process_sends_is_refused(name, honest):
    found, small, _ = honest
    got = copy.deepcopy(found)
    HOSTILE[name](got)
    with pytest.raises(messages.NotNumbersOfACheckError):
        messages.unpack(messages.pack(got, []), found, small)


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if "no " in name or "after them" in name]
)
def test_what_is_absent_is_not_right(name, honest):
    """The judge by itself takes no point for numbers that are not there."""
    found, small, _ = honest
    got = copy.deepcopy(found)
    HOSTILE[name](got)
    standard = Standard(small, find("ae").reference_file, plain, found)
    assert failure(standard.judge(got)), name
    if "after a checkpoint" not in name and name != "no end":  # that is of the whole, not of a part
        assert failure(standard.judge(got, travel=False)), name


def declared(*changes):
    """A change of the list at the beginning of a message."""

    def change(message):
        size = int.from_bytes(message[:4], "big")
        head = msgspec.msgpack.decode(message[4 : 4 + size])
        for place, value in changes:
            head[4][0][place] = value
        new = msgspec.msgpack.encode(head)
        return len(new).to_bytes(4, "big") + new + message[4 + size :]

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message[:-9],
        lambda message: message + bytes(8),
        lambda message: b"",
        lambda message: b"\xff\xff\xff\xff" + message[4:],
        lambda message: (1 << 24).to_bytes(4, "big") + b"\xdc\xff\xff" + bytes(1 << 24),
        declared((0, "other")),
        declared((1, 7)),
        declared((2, "decoder")),
        declared((2, {})),
        declared((3, "|O")),
        declared((3, "f8, (")),
        declared((4, [1, 2])),
        declared((4, [-1])),
        declared((4, [1 << 40, 0])),
        declared((4, [1 << 30, 1 << 30, 1 << 30])),
        declared((4, [{}] * 9999)),
    ],
)
def test_a_message_that_is_not_what_it_declares_is_refused(change, honest):
    found, small, message = honest
    with pytest.raises(messages.NotNumbersOfACheckError):
        messages.unpack(change(message), found, small)


def test_numbers_take_as_much_memory_as_their_message_is_long(honest):
    """Nothing in a message is larger when it is read than it was on its way."""
    found, small, message = honest
    entry = msgspec.msgpack.encode(["x", 0, "", "<f8", [0]])
    count = 200_000
    head = b"\x95\xa0\x90\xa0\xa0\xdd" + count.to_bytes(4, "big") + entry * count
    flood = len(head).to_bytes(4, "big") + head
    assert len(flood) < messages.largest(found) or len(flood) > 1 << 20
    for sent in (message, flood):
        tracemalloc.start()
        with contextlib.suppress(messages.NotNumbersOfACheckError):
            messages.unpack(sent, found, small)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < len(sent) + (1 << 20)
    assert len(message) < messages.largest(found) < 3 * len(message) + (2 << 20)


def test_a_loss_that_is_nan_after_a_checkpoint_does_not_pass(honest):
    question = find("ae")
    standard = Standard.by(plain, question.reference_file, honest[1])
    _, _, got = messages.unpack(honest[2], standard.expected, standard.recipe)
    assert standard.judge(got)[-1].status == "passed"
    got.resumed.losses[0]["loss"] = math.nan
    assert standard.judge(got)[-1].status == "failed"


@pytest.mark.parametrize("stage", messages._STAGES)
def test_the_trace_may_end_where_code_raises(stage, honest, tmp_path):
    """What an honest process sends then is accepted."""
    found, small, _ = honest
    text = find("ae").reference_file.read_text(encoding="utf-8")
    after = {"loss": 0, "10 steps": 5, "100 steps": 50, "checkpoint": 101}.get(stage)
    more = {
        "parameters": "def __init__(self, recipe): raise ValueError",
        "forward": "def reconstruct(self, images): raise ValueError",
    }.get(
        stage,
        "taken = 0\n    def train_step(self, batch):\n        self.taken += 1\n"
        f"        if self.taken > {after}:\n"
        "            raise ValueError\n        return super().train_step(batch)",
    )
    path = tmp_path / "mine.py"
    path.write_text(f"{text}\n\nclass Autoencoder(Autoencoder):\n    {more}\n", encoding="utf-8")
    broken = trace.take(path, plain, small)
    assert list(broken.errors) == [stage]
    assert list(messages.unpack(messages.pack(broken, []), found, small)[2].errors) == [stage]


@needs_walls
def test_numbers_are_judged_in_a_process_with_limits_and_what_breaks_it_costs_one_run():
    import resource

    right = messages.pack(conditions.standard(QUESTION, Condition()).expected, [])
    standard = judges.Away.at(QUESTION, Condition())
    assert len(right) < standard.largest
    for said in (b"", b"x" * 99, right[:-1]):
        verdict = standard.verdict(said, True, False)
        assert verdict.wrong.startswith("it did not send the numbers of a check"), verdict
    judge = judges._judge
    for _ in range(2):
        verdict = standard.verdict(right, True, False)
        assert not failure(verdict.results) and len(verdict.results) > 5, verdict
        process = psutil.Process(judge._process.pid)
        for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
            assert 0 < process.rlimit(which)[0] < 1 << 40
        process.kill()
        verdict = standard.verdict(right, True, False)
        assert verdict.wrong == "its numbers end the process that judges them (Killed)"
        assert not verdict.results
    with pytest.raises(ValueError, match="without a verdict"):
        standard.judge(judges.Judged())
    judges.close()


# Hidden checks


@needs_one
def test_a_file_that_knows_the_open_numbers_fails_the_hidden_ones(grade, tmp_path):
    """It fixes the size of the open check's pictures instead of taking it from the recipe."""
    small = recipe.load_check(QUESTION.recipe_file)
    shape = small.image_shape
    assert "(-1, *self.image_shape)" in RIGHT
    cheat = RIGHT.replace("(-1, *self.image_shape)", f"(-1, *{tuple(shape)})")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "other.toml").write_text(
        f"seed = 7\nquestions = ['04']\n[check]\nimage = [{shape[0]}, {shape[1] + 4}, {shape[2]}]\n"
    )
    (hidden / "elsewhere.toml").write_text("seed = 8\nquestions = ['gan']\n", encoding="utf-8-sig")
    _, _, _, found = grade("--hidden", "hidden", "--html", "page.html", cheat=cheat, right=RIGHT)
    assert found["right"]["points"] == found["right"]["of"]
    assert float(found["cheat"]["networks"]) == 0
    assert "networks failed: hidden check other: " in found["cheat"]["remarks"]
    assert "hidden checks: elsewhere, other" in (tmp_path / "page.html").read_text()
    assert graded(cheat).whole


@needs_one
@needs_walls
def test_a_hidden_check_that_our_own_answer_does_not_pass_is_refused(knock, tmp_path):
    """Before anything is graded: a lack of memory there would be taken for everybody's mistake."""
    hand_in(tmp_path / "class", anna=RIGHT)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "large.toml").write_text("seed = 3\n")
    words = ("--out", "grades.csv", "--hidden", "hidden", "--memory", "1")
    code, out, err = knock("grade", "class", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    title = frameworks.FRAMEWORKS[FRAMEWORK].title
    assert (
        f"our own answer to question 04 vae_latent in {title} does not pass, so nobody's can: "
        in err
    )
    assert "nobody's can: hidden check large: " in err
    assert not (tmp_path / "grades.csv").exists()


def test_more_bytes_are_let_through_where_a_hidden_check_is_larger():
    """Our own answer to question 05 was too long at twice the sizes."""
    condition = Condition(1, {"image": [2, 4, 6]})
    small, large = (
        conditions.standard(find("ae"), one).expected
        for one in (condition, Condition(1, {"image": [2, 8, 12]}))
    )
    sizes = [len(messages.pack(one, [])) for one in (small, large)]
    assert sizes[1] > 2 * sizes[0]
    for one, size in zip((small, large), sizes, strict=True):
        assert size < messages.largest(one) < 3 * size + (2 << 20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no hidden checks in hidden"),
        ("seed = 'x'\n", "is not a hidden check: Expected `int`, got `str` - at `$.seed`"),
        ("sead = 1\n", "is not a hidden check: Object contains unknown field `sead`"),
        ("questions = ['nothing']\n", "no question 'nothing'"),
        ("[check]\nimage = [1, 2]\n", "hidden check one: "),
        ("[check]\nconstants = { zz = 3 }\n", "hidden check one: "),
        ("[check]\nimage = [1, -8, 8]\n", "hidden check one: "),
    ],
)
def test_a_broken_hidden_check_is_reported_before_anything_is_graded(knock, tmp_path, text, said):
    hand_in(tmp_path / "class", anna=RIGHT)
    (tmp_path / "hidden").mkdir()
    if text is not None:
        (tmp_path / "hidden" / "one.toml").write_text(text)
    code, out, err = knock("grade", "class", "--out", "grades.csv", "--hidden", "hidden")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "grades.csv").exists()


# Stopped and continued


def command(folder, *words, **settings):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "knock",
            "grade",
            "class",
            "--out",
            "grades.csv",
            "--jobs",
            "1",
            *words,
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **settings},
    )


def lines(path):
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0


def descendants(pid):
    """The numbers of a process' children, and of theirs."""
    return [one.pid for one in psutil.Process(pid).children(recursive=True)]


def ended(pids):
    """Whether these processes end soon."""
    deadline = time.monotonic() + 60
    while running := [pid for pid in pids if psutil.pid_exists(pid)]:
        if all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in running):
            return True  # nobody here waits for them
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


STOPS = {
    "killed": ([signal.SIGKILL], -9),
    "ctrl-c twice": ([signal.SIGINT] * 2, 130),
    "terminated twice": ([signal.SIGTERM] * 2, 143),
}


@needs_one
@posix
@pytest.mark.parametrize("name", STOPS)
def test_a_grading_that_was_stopped_leaves_what_is_done_and_continues(name, tmp_path, knock):
    stops, code = STOPS[name]
    names = [f"s{number}" for number in range(4)]
    endless = planted("import time\nwhile True: time.sleep(9)")
    hand_in(tmp_path / "class", **dict.fromkeys(names[:2], RIGHT))
    hand_in(tmp_path / "class", **dict.fromkeys(names[2:], endless))
    (tmp_path / "tmp").mkdir()
    stopped = command(tmp_path, TMPDIR=str(tmp_path / "tmp"))
    journal, deadline = tmp_path / "grades.jsonl", time.monotonic() + 120
    while lines(journal) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    while len(begun := descendants(stopped.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)  # a process, what watches in it, and the third submission
    for stop in stops:
        stopped.send_signal(stop)
    stopped.communicate(timeout=60)
    assert ended(begun)
    assert stopped.returncode == code
    assert lines(journal) == 2
    if code < 0:
        with journal.open("a", encoding="utf-8") as file:
            file.write('{"key": "cut in the mid')
    else:
        assert list(rows(tmp_path / "grades.csv")) == names[:2]
        assert not list((tmp_path / "tmp").iterdir())
    hand_in(tmp_path / "class", **dict.fromkeys(names[2:], "(\n"))
    code, out, _ = knock("grade", "class", "--out", "grades.csv", "--jobs", "1")
    assert code == 0
    assert "2 of 4 are graded already" in out
    assert out.count(": vae_latent in") == 2
    assert list(rows(tmp_path / "grades.csv")) == names
    code, out, _ = knock("grade", "class", "--out", "grades.csv", "--jobs", "1")
    assert code == 0 and "4 of 4 are graded already" in out  # nothing is left of the cut line


@posix
def test_one_signal_stops_a_grading_and_an_ignored_one_stays_ignored(monkeypatch):
    here = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signals, "_NAMES", ("SIGTERM", "SIGHUP", "SIGUSR1"))
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with pytest.raises(SystemExit) as left, signals.Signals() as ours:
        signal.raise_signal(signal.SIGUSR1)
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            assert ours.over
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 129
    with signals.Signals() as ours:
        ours.over = True
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is here
    signal.signal(signal.SIGUSR1, before)


@needs_one
def test_what_has_changed_is_graded_again(grade, tmp_path):
    code, out, _, found = grade(anna=RIGHT, bert=WRONG)
    assert "already" not in out
    _, out, _, _ = grade()
    assert "2 of 2 are graded already" in out and "anna" not in out
    _, out, _, found = grade(bert=RIGHT)
    assert "1 of 2 are graded already" in out and "anna:" not in out
    assert found["bert"]["points"] == found["bert"]["of"]
    _, out, _, _ = grade("--seed", "5")
    assert "already" not in out
    (tmp_path / "points.toml").write_text(
        points.TABLE.read_text(encoding="utf-8").replace("walk = 2", "walk = 50"), encoding="utf-8"
    )
    _, out, _, found = grade("--seed", "5", "--points", "points.toml")
    assert "2 of 2 are graded already" in out  # a grade holds no points
    assert float(found["anna"]["walk"]) == 50


@posix
def test_two_gradings_do_not_write_the_same_journal(knock, tmp_path):
    import fcntl

    hand_in(tmp_path / "class", anna=RIGHT)
    with (tmp_path / "grades.jsonl").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, _, err = knock("grade", "class", "--out", "grades.csv")
    assert (code, err) == (
        2,
        "knock: another grading is writing grades.jsonl; choose another --out\n",
    )


def test_another_file_is_not_taken_for_a_journal(knock, tmp_path):
    hand_in(tmp_path / "class", anna=RIGHT)
    (tmp_path / "grades.jsonl").write_text('{"a": 1}\n')
    code, _, err = knock("grade", "class", "--out", "grades.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "grades.jsonl, line 1, is not a grade" in err
    assert (tmp_path / "grades.jsonl").read_text() == '{"a": 1}\n'


# A large class, and a cluster


@needs_one
def test_a_large_class(tmp_path):
    """Each gets its own grade, whatever the others do. benchmarks/grading.py grades two hundred."""
    attacks = ["import os; os._exit(0)", "raise ValueError", "import os; os.kill(os.getppid(), 9)"]
    kinds = [*map(planted, attacks), WRONG, *[RIGHT] * 21]
    made = [
        Submission(f"s{n:03}", "vae_latent", FRAMEWORK, FILE, kinds[n % len(kinds)])
        for n in range(75)
    ]
    found = {one.student: given for one, given in schedule.here(made, SETTINGS, 2)}
    assert len(found) == 75
    for number, one in enumerate(made):
        parts = {part.name: part.status for part in found[one.student].parts}
        lost = "done" if number % len(kinds) > 3 else "failed"
        assert parts == {part: lost if part == LOST else "done" for part in PARTS}


@needs_one
def test_a_cluster_grades_as_this_machine_does(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    texts = [RIGHT, WRONG, planted("import os; os._exit(0)"), "def half(:\n", planted("1/0")]
    made = [Submission(f"s{n}", "vae_latent", FRAMEWORK, FILE, t) for n, t in enumerate(texts)]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
    ) as cluster:
        there = dict(schedule.on_cluster(made, SETTINGS, cluster.scheduler_address))
        with monkeypatch.context() as other:
            other.setattr(paths, "ANSWERS", paths.ASSETS)
            with pytest.raises(UserError, match="has another version of this project"):
                list(schedule.on_cluster(made, SETTINGS, cluster.scheduler_address))
    here = dict(schedule.here(made, SETTINGS, 2))

    def of(grades):
        return [msgspec.structs.replace(grades[one], seconds=0.0, memory=0) for one in made]

    assert of(there) == of(here)
    assert [grade.whole for grade in of(here)] == [True, False, False, False, False]


def test_a_cluster_that_is_not_there_is_a_line(knock, tmp_path):
    pytest.importorskip("distributed")
    hand_in(tmp_path / "class", anna=RIGHT)
    code, _, err = knock("grade", "class", "--out", "g.csv", "--dask", "nowhere")
    assert code == 2 and "no Dask cluster at nowhere" in err


# Who has handed in what


def test_question_framework_and_student_are_read_from_names(tmp_path):
    for name in (
        "anna/wgan_gp_pytorch.py",
        "anna/deep/down/My WGAN (keras).py",
        "anna/helpers.py",
        "bert-dcgan-keras-final.py",
        "gan_tensorflow.py",
        "anna/__pycache__/gan_keras.py",
        "anna/.ipynb_checkpoints/gan_keras.py",
        ".hidden/gan_keras.py",
        "notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")
    found, ignored = submissions.find(tmp_path, None, None)
    assert [(one.student, one.question, one.framework) for one in found] == [
        ("anna", "wgan", "keras"),
        ("anna", "wgan_gp", "pytorch"),
        ("bert_final", "dcgan", "keras"),
        ("gan_tensorflow", "gan", "tensorflow"),
    ]
    assert all(one.text == "x = 1\n" for one in found)
    assert ignored == [
        "anna/helpers.py: no question in its name; add --question",
        "notes.txt: neither a folder nor a script, a notebook or a zip file, so not graded",
        ".hidden: passed over, since the name begins with . or __; rename what is to be graded",
    ]
    (tmp_path / "carl").mkdir()
    (tmp_path / "carl" / "homework.py").touch()
    (nothing,) = (one for one in submissions.find(tmp_path, None, None)[0] if not one.question)
    assert (nothing.student, nothing.file) == ("carl", "carl/homework.py")
    assert nothing.problem == "no question in its name; add --question"
    shutil.rmtree(tmp_path / "carl")
    found, ignored = submissions.find(tmp_path, find("ae"), "chainer")
    assert {(one.question, one.framework) for one in found} == {("ae", "chainer")}
    assert len(found) == 5
    assert [line.split(", but another ")[0] for line in ignored] == [
        "notes.txt: neither a folder nor a script, a notebook or a zip file, so not graded",
        ".hidden: passed over, since the name begins with . or __; rename what is to be graded",
        "--question ae",
        "--framework chainer",
    ]


def test_what_is_not_a_readable_file_is_reported_and_not_read(tmp_path):
    folder = tmp_path / "class"
    (folder / "anna").mkdir(parents=True)
    (tmp_path / "other.py").write_text("secret\n", encoding="utf-8")
    (folder / "anna" / "ae_keras.py").symlink_to(tmp_path / "other.py")
    (folder / "bert_ae_keras.py").write_bytes(b"\xff\xfe")
    (folder / "carl_ae_keras.py").write_bytes(b"#" * (1 << 19))
    (folder / "dora_ae_keras.py").mkdir()
    (folder / "emil_ae_keras.py").write_text("x = 1\n")
    found = {one.student: one for one in submissions.find(folder, None, None)[0]}
    link = "it is a link, so it was not read; put there what it leads to"
    assert found["anna"].problem == link
    assert found["bert"].problem.startswith("it is not text")
    assert found["carl"].problem == "it is larger than 256 KB, so it was not read"
    assert found["emil"].problem == ""
    assert not any(one.text for name, one in found.items() if name != "emil")
    assert found["dora_ae_keras.py"].problem.startswith("no script or notebook; ask for")
    unread = grading.grade(found["anna"], SETTINGS)
    assert (unread.remark, unread.parts) == (link, [])


def test_names_keep_their_letters_and_nobody_is_left_out_silently(tmp_path):
    folder = tmp_path / "class"
    for name in ("加藤2_ae_keras.py", "佐藤2_ae_keras.py", "Mu\u0308ller/AE_keras.PY"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    (folder / "empty").mkdir()
    (folder / "deep" / "/".join("d" * 30)).mkdir(parents=True)
    found, ignored = submissions.find(folder, None, None)
    assert {one.student for one in found if not one.problem} == {"加藤2", "佐藤2", "Müller"}
    assert {one.student: one.problem for one in found if one.problem} == {
        "deep": "its folders are nested too deep",
        "empty": "no script or notebook; ask for a file that ends in .py or .ipynb",
    }
    assert ignored == []


@needs_one
@posix
@pytest.mark.parametrize("name", [b"a\nb", b"\x1b[2Jc", b"\xff\xfe", "\u202ed".encode()])
def test_control_characters_in_a_name_are_escaped(name, tmp_path, knock):
    folder = os.fsencode(tmp_path / "class") + b"/" + name
    try:
        os.makedirs(folder)
    except OSError:
        pytest.skip("no such name in this file system")
    with open(folder + b"/" + FILE.encode(), "w", encoding="utf-8") as file:
        file.write("(\n")
    code, out, err = knock("grade", "class", "--out", "g.csv", "--html", "g.html")
    assert code == 0, err
    assert all(letter.isprintable() for line in out.splitlines() for letter in line)
    [student] = rows(tmp_path / "g.csv")
    assert student.isprintable() and "\\" in student


@needs_one
def test_a_message_is_one_line_without_control_characters():
    found = graded(planted("raise ValueError('a\\x1b[2J\\u202e' + 'x' * 9999)"))
    said = part(found, LOST).message
    assert said.isprintable() and "a\\x1b[2J\\u202exxx" in said and len(said) < 700


@needs_one
def test_a_notebook_is_graded_as_its_script_is(knock, tmp_path):
    pytest.importorskip("jupytext")
    pytest.importorskip("IPython")
    hand_in(tmp_path / "class", anna=WRONG, bert=RIGHT, dora="x = 1\n")
    for student in ("anna", "bert", "dora"):
        script = tmp_path / "class" / student / FILE
        code, _, err = knock(
            "notebook", "04", str(script), "--out", str(script.with_suffix(".ipynb"))
        )
        assert code == 0, err
        script.unlink()
    (tmp_path / "class" / "carl").mkdir()
    (tmp_path / "class" / "carl" / FILE).with_suffix(".ipynb").write_text("{", encoding="utf-8")
    assert knock("grade", "class", "--out", "grades.csv")[0] == 0
    found = rows(tmp_path / "grades.csv")
    assert found["bert"]["points"] == found["bert"]["of"]
    assert found["anna"]["remarks"].startswith("walk failed: forward: change differs")
    assert "is not a notebook" in found["carl"]["remarks"]
    assert found["dora"]["remarks"].startswith(FILE.replace(".py", ".ipynb"))


@needs_one
def test_a_class_folder_that_submissions_can_read_is_reported(grade, tmp_path, monkeypatch):
    place = tmp_path.resolve()
    monkeypatch.setattr(sandbox, "_SYSTEM", (f"{place}",))
    code, _, err, _ = grade(anna="(\n")
    assert code == 0
    assert f"submissions can read {place / 'class'}, since it is in {place}" in err


# The table and the page


def result(student="anna", message="", remark=""):
    parts = [
        Part(name, "failed", message) if name == LOST else Part(name, "done") for name in PARTS
    ]
    return grading.Grade(student, "vae_latent", "keras", "a.py", parts, False, remark, 1.0, 1 << 20)


def test_no_cell_is_a_formula_and_no_text_is_markup():
    assert table([], points.load()).startswith("\ufeffstudent,")  # Excel's mark of UTF-8
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "  =2\n", "<script>alert(1)</script>", '"><b>']
    evil += [
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "a;=1",
        'a; "=1;',
        "a\t=1",
        "\u200d=1",
        "a|@x",
    ]
    grades = [result(text, text, text) for text in evil]
    worth = points.load()
    german = roster.Roster("r.csv", ["Name"], [], [], ";")
    for made in (table(grades, worth), table(grades, worth, german)):
        for delimiter in ",;|\t":  # of whoever opens it, which need not be ours
            for row in csv.reader(made.splitlines()[1:], delimiter=delimiter):
                begin = {unicodedata.normalize("NFKC", c.lstrip('\u200d" '))[:1] for c in row}
                assert not begin & set("=+-@"), row
    page = report.document(grades, worth, SETTINGS)
    assert "<script>" not in page and "<b>\n" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert not re.search(r'src=|href="[^#]|@import|url\(', page)


def test_the_page_counts_what_went_wrong_and_says_which_walls_are_missing():
    grades = [result("anna", "doubled"), result("bert", "doubled"), result("carl", "halved")]
    page = report.document(grades, points.load(), SETTINGS)
    counted = re.findall(r"<tr><td>(\d)</td><th>vae_latent, walk</th><td>(\w+)</td>", page)
    assert counted == [("2", "doubled"), ("1", "halved")]
    assert "network not restricted on this system: a submission can use the network" in page
    walled = [msgspec.structs.replace(one, walls=list(sandbox.ALL)) for one in grades]
    assert "not restricted" not in report.document(walled, points.load(), SETTINGS)
    for number in range(3):
        assert f'href="#s{number}"' in page and f'id="s{number}"' in page


# Bad input


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--out", "g.csv"], "no folder nowhere of submissions"),
        (["empty", "--out", "g.csv"], "no submissions in empty, such as dcgan_keras.py"),
        (["unnamed", "--out", "g.csv"], "unnamed: a.py: no question in its name"),
        (["class", "--out", "g.txt"], "--out must name a .csv file, not g.txt"),
        (["class", "--out", "no/g.csv"], "cannot write no/g.jsonl"),
        (["class", "--out", "g.csv", "--jobs", "0"], "must be above 0"),
        (["class", "--out", "g.csv", "--question", "x"], "no question 'x'"),
        (["class", "--out", "g.csv", "--framework", "x"], "no framework 'x'"),
    ],
)
def test_bad_input_is_one_line(knock, tmp_path, words, said):
    hand_in(tmp_path / "class", anna=RIGHT)
    (tmp_path / "empty").mkdir()
    (tmp_path / "unnamed").mkdir()
    (tmp_path / "unnamed" / "a.py").write_text("")
    code, out, err = knock("grade", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_missing_framework_is_reported_at_once(knock, tmp_path, monkeypatch):
    hand_in(tmp_path / "class", anna=RIGHT)
    monkeypatch.setattr(frameworks.Framework, "missing", property(lambda self: ("it",)))
    code, _, err = knock("grade", "class", "--out", "g.csv")
    assert code == 2 and "needs it, not installed here" in err
    assert json.dumps(err).count("\\n") == 1
    assert not (tmp_path / "g.csv").exists()


def test_submissions_do_not_see_the_environment(monkeypatch):
    """Only the variables that Python needs are passed on."""
    monkeypatch.setenv("SECRET_TOKEN", "x")
    seen = {}
    monkeypatch.setattr(subprocess, "Popen", lambda words, **more: seen.update(more))
    WorkerProcess("keras", worker.Path("."))._start(None)
    assert "SECRET_TOKEN" not in seen["env"] and "PATH" in seen["env"]


def test_a_process_that_is_stopped_while_it_waits_leaves_no_file_open(monkeypatch):
    says = "import sys; from knock.grade import messages as m; m.write(sys.stdout.buffer, m.READY)"
    says += "; sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    monkeypatch.setattr(
        *(WorkerProcess, "_start"),
        lambda self, errors: subprocess.Popen([sys.executable, "-c", says], **pipes),
    )
    process = WorkerProcess("keras", worker.Path("."))
    started, errors = process._begin(), process._errors
    process.stop()
    assert started.stdin.closed and started.stdout.closed and errors.closed
