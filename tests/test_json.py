"""`knock check --json`: one document on standard output, whatever is checked and whatever it does.

Every framework is plain NumPy here, and so is our answer; what runs are real processes.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from knock import cli, frameworks, paths
from knock.check import forks, parts, report
from knock.check.difference import TOLERANCE
from knock.frameworks import numpy as plain
from knock.learner import overview
from knock.questions import find
from tests.helpers import REFERENCE
from tests.test_cli import needs_torch
from tests.test_docs import TEACHING, blocks, section

import pytest

PROGRAM = """
import sys
from knock import cli, frameworks
from knock.frameworks import numpy as plain
from knock.questions import Question
frameworks.load = lambda name: plain
Question.answer = lambda self, framework: self.reference_file
cli.main(sys.argv[1:])
"""

QUICK = "from knock.learner import apart; apart._GRACE = 0.1\n"

OURS = REFERENCE.read_text(encoding="utf-8")
STEP = '        return {"loss": loss}\n'
TO_DO = OURS.replace(
    STEP, '        raise NotImplementedError("TODO step: Autoencoder.train_step")\n'
)
SQUARED = "np.square(difference).mean(), 2 * difference / difference.size"
WRONG = OURS.replace(SQUARED, "np.square(difference).sum(), 2 * difference")
NAN = OURS.replace("return self.decoder(self.encoder(images))", "return np.nan * images")
FILES = {"right": OURS, "to do": TO_DO, "wrong": WRONG, "not a number": NAN}
"""What a learner may have written, by how far that is."""


def run(folder: Path, *words: str, **more) -> tuple[int, str, str]:
    """`knock` in a process of its own; its exit code, output and errors."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(paths.ROOT),
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "",  # what is printed into a pipe waits, as it does by itself
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        **more,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def read(out: str) -> dict:
    """The one document that is all of an output, in JSON as strict as can be."""
    assert out.endswith("\n") and out.count("\n") == 1, out

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(out, parse_constant=refuse)


def mine(folder: Path, text: str) -> Path:
    path = folder / "mine_pytorch.py"
    path.write_text(text, encoding="utf-8")
    return path


def check(folder: Path, text: str, *words: str) -> tuple[int, dict, str]:
    """Check a text; the exit code, the document, and what went to standard error."""
    code, out, err = run(folder, "check", "ae", mine(folder, text).name, "--json", *words)
    return code, read(out), err


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A document of each kind, and the words that brought it."""
    folder = tmp_path_factory.mktemp("documents")
    found = {name: check(folder, text, "--seed", "3")[1] for name, text in FILES.items()}
    found["ours"] = read(run(folder, "check", "ae", "--ours", "-f", "pytorch", "--json")[1])
    found["bad input"] = read(run(folder, "check", "9999", "--json")[1])
    return found


def typed(document: dict) -> report.CheckedFile:
    """The one report of a document, as what it was made of."""
    (one,) = report.from_json(json.dumps(document).encode()).reports
    return one


# What is in it


@pytest.mark.parametrize("name", FILES)
def test_it_says_which_file_was_checked_and_how(documents, name):
    (one,) = documents[name]["reports"]
    assert (documents[name]["format"], documents[name]["error"]) == (1, "")
    assert one["question"] == {"number": 1, "name": "ae"}
    assert (one["framework"], one["file"], one["seed"]) == ("pytorch", "mine_pytorch.py", 3)
    assert one["sha256"] == hashlib.sha256(FILES[name].encode()).hexdigest()
    assert one["whose"] == "learner"


def test_it_says_what_was_found(documents):
    right, to_do, wrong, nan = (documents[name]["reports"][0] for name in FILES)
    assert [one["passed"] for one in (right, to_do, wrong, nan)] == [True, False, False, False]
    assert [one["at"] for one in (right, to_do)] == ["", "step"]
    assert {part["status"] for part in right["parts"]} == {"done"}
    assert {part["name"]: part["names"] for part in to_do["parts"] if part["names"]} == {
        "step": ["Autoencoder.train_step"]
    }
    assert to_do["stages"] is None
    stages = {stage["name"]: stage for stage in wrong["stages"]}
    assert list(stages) == [name for name in TOLERANCE if name != "switches"]  # 01 has none
    assert (stages["forward"]["status"], stages["batch norm"]["status"]) == ("passed", "skipped")
    assert stages["loss"]["status"] == "failed" and "sum" in stages["loss"]["message"]
    assert stages["loss"]["value"] > stages["loss"]["tolerance"] == 1e-12
    assert stages["batch norm"]["value"] is None and not stages["batch norm"]["infinite"]
    (failed,) = (part for part in wrong["parts"] if part["status"] == "failed")
    assert (wrong["at"], failed["name"]) == ("losses", "losses")
    assert stages["loss"]["message"] in failed["message"]


def test_what_is_infinite_is_no_number(documents):
    forward = next(s for s in documents["not a number"]["reports"][0]["stages"] if s["infinite"])
    assert (forward["name"], forward["status"], forward["value"]) == ("forward", "failed", None)
    assert "✗ forward           inf  ≤ 1e-12" in report.lines(typed(documents["not a number"]))


def test_ours_is_ours(documents):
    (one,) = documents["ours"]["reports"]
    assert (one["whose"], one["passed"], one["parts"], one["at"]) == ("ours", True, [], "")
    assert one["file"] == str(REFERENCE)
    assert one["sha256"] == hashlib.sha256(REFERENCE.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", FILES)
def test_without_json_the_same_is_printed_as_lines(documents, name, tmp_path):
    path = mine(tmp_path, FILES[name])
    code, out, _ = run(tmp_path, "check", "ae", path.name, "--seed", "3")
    one = typed(documents[name])
    then = f"\n{overview.passed(find('ae'), path)}\n" if one.passed else ""
    assert (out, code) == (f"{report.lines(one)}\n{then}", 0 if one.passed else 1)


def test_a_notebook_is_checked_too(tmp_path):
    pytest.importorskip("IPython", reason="needs IPython")
    cells = [{"cell_type": "code", "source": OURS}, {"cell_type": "code", "source": "1 / 0"}]
    path = tmp_path / "mine_pytorch.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}), encoding="utf-8")
    code, out, err = run(tmp_path, "check", "ae", path.name, "--json")
    (one,) = read(out)["reports"]
    assert (code, err, one["passed"], one["file"]) == (0, "", True, path.name)
    assert one["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_no_text_can_be_written_all_the_same(tmp_path):
    """As a lone half of a pair, from a name that is no UTF-8."""
    raises = OURS.replace(STEP, f"        raise ValueError('\\udcff' + chr(0) + chr(27))\n{STEP}")
    code, document, _ = check(tmp_path, raises)
    assert code == 1
    (loss,) = (s for s in document["reports"][0]["stages"] if s["name"] == "loss")
    assert "ValueError: \\udcff\0\x1b (line" in loss["message"]
    assert (loss["value"], loss["infinite"]) == (None, False)
    report.lines(typed(document)).encode()


# Bad input


BROKEN = "def broken(:\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["9999"], "no question '9999'; there are: 01 ae, "),
        (["ae", "nothing_pytorch.py"], "no file "),
        (["ae", "broken_pytorch.py"], "broken_pytorch.py does not run: SyntaxError: invalid"),
        (["ae", "empty_pytorch.py"], "defines no class Autoencoder"),
        (["ae", "leaves_pytorch.py"], "it ends the program: sys.exit(0)"),
        (["ae", "damaged_pytorch.ipynb"], "is not a notebook, or is damaged"),
        (["ae", "broken.py"], "which framework is broken.py in?"),
        (
            ["ae", "broken.py", "-f", "keras"],
            "Keras needs keras and tensorflow, not installed here: pip",
        ),
        (["ae", "broken.py", "-f", "jax"], "no framework 'jax'; choose from: pytorch"),
        (["ae", "--ours", "broken.py"], "either --ours or broken.py, not both"),
        (["ae", "--ours"], "no framework is installed; knock doctor says how to get one"),
        (["ae", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["ae", "--ours", "-f", "pytorch", "--seed", "-1"], "the seed must be 0 or more, not -1"),
        (["ae", "--framework"], "argument --framework/-f: expected one argument"),
        (["ae", "--fast"], "unknown option '--fast' (see knock check --help)"),
        (["ae", "a.py", "b.py"], "unknown option 'b.py'"),
        (["ae", "\udcff.py"], "must be text in UTF-8"),
        ([], "no question is in hand here; begin one with knock start ae, or name one"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else "",
)
def test_bad_input_is_an_error_in_json_besides_the_line(knock, tmp_path, monkeypatch, words, said):
    for name, text in {"broken": BROKEN, "empty": "", "leaves": "import os; os._exit(0)"}.items():
        for file in (f"{name}_pytorch.py", f"{name}.py"):
            (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "damaged_pytorch.ipynb").write_text("{", encoding="utf-8")
    monkeypatch.setattr(frameworks, "installed", lambda: [])
    load = frameworks.load
    monkeypatch.setattr(frameworks, "_is_there", lambda package: False)
    monkeypatch.setattr(frameworks, "load", lambda name: plain if name == "pytorch" else load(name))
    assert_refused(knock, ["check", *words], said)


def assert_refused(knock, words: list[str], said: str) -> None:
    """The same with `--json` as without, but for the document; nothing else on standard output."""
    code, out, err = knock(*words, "--json")
    document = read(out)
    assert list(document) == ["format", "reports", "error"]
    assert (code, document["format"], document["reports"]) == (2, 1, [])
    assert said in document["error"]
    assert err == f"knock: {document['error']}\n"
    assert knock(*words) == (2, "", err)


def test_an_adapter_that_leaves_says_why_in_json(knock, monkeypatch):
    """As Keras' does on another backend than TensorFlow."""
    monkeypatch.setattr(frameworks, "load", lambda name: frameworks.leave("not on this backend"))
    assert_refused(knock, ["check", "ae", "--ours", "-f", "keras"], "not on this backend")


def test_a_fault_of_ours_is_an_error_in_json_and_keeps_its_traceback(monkeypatch, tmp_path, capsys):
    def fail(*_, **__):
        raise RuntimeError("a fault\nof ours")

    monkeypatch.setattr(parts, "look", fail)
    with pytest.raises(RuntimeError):
        cli.main(["check", "ae", str(mine(tmp_path, OURS)), "--json"])
    document = read(capsys.readouterr().out)
    assert (document["reports"], document["error"]) == ([], "RuntimeError: a fault of ours")


# What a file does to standard output


LOUD = """
import atexit, os, subprocess, sys, threading, time

def say(how):
    print("printed", how, flush=True)
    sys.__stdout__.write(f"written {how}\\n")
    sys.__stdout__.flush()
    os.write(1, f"by number {how}\\n".encode())
    subprocess.run([sys.executable, "-c", f"print('by another', '{how}')"])

say("at import")
atexit.register(say, "at exit")

class Autoencoder(Autoencoder):
    said = False

    def train_step(self, batch):
        if not self.said:
            Autoencoder.said = True
            say("at work")
            thread = threading.Thread(target=lambda: time.sleep(2) or print("by a thread"))
            thread.start()
        return super().train_step(batch)
"""


def test_what_a_file_prints_goes_elsewhere(tmp_path):
    code, document, err = check(tmp_path, OURS + LOUD)
    assert (code, document["reports"][0]["passed"], document["error"]) == (0, True, "")
    for how in ("at import", "at work", "at exit"):
        for way in ("printed", "written", "by number", "by another"):
            assert f"{way} {how}\n" in err, err
    assert "by a thread\n" in err, "after the document was written"


@pytest.mark.parametrize(
    "more",
    [
        "import sys; sys.stdout.close()",
        "import sys; sys.stdout = None",
        "import sys; sys.__stdout__.close()",
        "import os; os.close(1)",
        "import os; os.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
    ],
)
def test_a_file_that_takes_standard_output_away_is_reported_on(tmp_path, more):
    code, document, _ = check(tmp_path, f"{OURS}\n{more}\n")
    assert (code, document["reports"][0]["passed"]) == (0, True)


def test_a_file_that_prints_before_it_fails_is_refused_in_json(tmp_path):
    code, document, err = check(tmp_path, "print('so far')\nimport os\nos._exit(0)\n")
    assert code == 2
    assert "it ends the program: sys.exit(0)" in document["error"]
    assert err.startswith("so far\nknock: ")


ENDS = {
    "crashes": ("import ctypes; ctypes.string_at(0)", "crashes Python (Segmentation fault)"),
    "aborts": ("import os; os.abort()", "crashes Python (Aborted)"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "was killed, as by a system whose memory"),
    "ends": (
        "import ctypes; ctypes.CDLL(None)._exit(3)",
        "ends Python without a word (exit code",
    ),
}


@pytest.mark.skipif(not forks.SAFE, reason="only there another process waits")
@pytest.mark.parametrize("name", ENDS)
def test_a_file_that_ends_its_process_is_told_in_a_line_and_in_json(tmp_path, name):
    what, said = ENDS[name]
    assert OURS.count(STEP) == 1
    text = OURS.replace(STEP, f"        {what}\n{STEP}")
    line = text[: text.index(what)].count("\n") + 1
    code, document, err = check(tmp_path, text)
    at = f" (line {line})" if "Python (" in said else ""
    told = f"mine_pytorch.py {said}{at}"
    assert (code, document["reports"]) == (2, [])
    assert document["error"].startswith(told)
    assert document["error"].endswith("; the last that is known: forward passed")
    assert err == f"knock: {document['error']}\n"


@pytest.mark.skipif(not forks.SAFE, reason="only there another process waits")
@pytest.mark.parametrize(
    "more",
    [
        "import threading, time; threading.Thread(target=time.sleep, args=(10**6,)).start()",
        "import atexit, time; atexit.register(time.sleep, 10**6)",
    ],
)
def test_what_a_file_leaves_running_is_ended_after_the_report(tmp_path, monkeypatch, more):
    monkeypatch.setitem(globals(), "PROGRAM", PROGRAM.replace("cli.main", QUICK + "cli.main"))
    code, document, err = check(tmp_path, f"{OURS}\n{more}\n")
    assert (code, document["reports"][0]["passed"]) == (0, True)
    assert err == (
        "knock: mine_pytorch.py leaves something that does not end, such as a thread; "
        "it was ended\n"
    )


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_closed_stream_is_no_traceback(tmp_path):
    mine(tmp_path, f"{OURS}\nimport os\nprint('said')\nos.write(1, b'more')\n")

    def closed(stream: str) -> subprocess.CompletedProcess[str]:
        words = f"check ae mine_pytorch.py --json {stream}>&-"
        return subprocess.run(
            f'"{sys.executable}" -c "$PROGRAM" {words}',
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(paths.ROOT), "PROGRAM": PROGRAM},
            capture_output=True,
            encoding="utf-8",
        )

    done = closed("1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("knock: standard output is closed")
    done = closed("2")
    assert read(done.stdout)["reports"][0]["passed"]
    assert done.returncode == 0


# All frameworks


def test_all_frameworks_are_one_document(knock, monkeypatch):
    """Each has a process of its own; one that dies takes no other's report with it."""
    names = ["pytorch", "tensorflow", "keras", "chainer"]
    monkeypatch.setattr(frameworks, "installed", lambda: names)
    asked = []

    def answered(words, stdout):
        name = words[words.index("--framework") + 1]
        asked.append(words[words.index("knock") + 1 :])
        one = report.CheckedFile(
            report.Asked(1, "ae"), name, name, "", "ours", 5, True, [], [], "", ""
        )
        documents = {
            "pytorch": (0, report.to_json(report.Document(reports=[one]))),
            "tensorflow": (1, report.to_json(report.Document(error="RuntimeError: a fault"))),
            "keras": (-11, b""),
            "chainer": (0, report.to_json(report.Document(reports=[one]))),
        }
        code, out = documents[name]
        return SimpleNamespace(returncode=code, stdout=out)

    monkeypatch.setattr(subprocess, "run", answered)
    code, out, err = knock("check", "ae", "--ours", "--seed", "5", "--json")
    document = read(out)
    assert (code, err) == (139, "")
    assert [one["framework"] for one in document["reports"]] == ["pytorch", "chainer"]
    assert document["error"] == (
        "tensorflow: RuntimeError: a fault; keras: its check ended without a report (exit code 139)"
    )
    ours = ["check", "ae", "--ours", "--framework"]
    assert asked == [[*ours, name, "--seed", "5", "--json"] for name in names]


@pytest.mark.parametrize(("codes", "code"), [([0, -9, 0], 137), ([0, 0, 0], 0), ([1, 2, 0], 2)])
def test_a_crash_in_one_framework_is_no_pass(knock, monkeypatch, codes, code):
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch", "keras", "chainer"])
    left = iter(codes)
    monkeypatch.setattr(subprocess, "run", lambda _: SimpleNamespace(returncode=next(left)))
    assert knock("check", "ae", "--ours")[:2] == (code, "")


@needs_torch
def test_ours_is_reported_for_real(knock, monkeypatch):
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])
    code, out, _ = knock("check", "vae_latent", "--ours", "--json")
    (one,) = read(out)["reports"]
    assert (code, one["framework"], one["whose"], one["passed"]) == (0, "pytorch", "ours", True)
    assert {s["name"]: s["status"] for s in one["stages"]}["loss"] == "skipped"


# What TEACHING.md says of it


TITLE = "A check as data"
TYPES = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
    list: "list",
    dict: "object",
}


def documented() -> dict[str, set[str]]:
    """The types that each key may have, by the path to it, as the page's table gives them."""
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \|$", section(TEACHING, TITLE), re.MULTILINE
    )
    return {key: set(kinds.split(" or ")) for key, kinds in rows}


def found_in(value: object, path: str = "") -> list[tuple[str, str]]:
    """Every key's path in some JSON, with the type of what it has there."""
    below = []
    if isinstance(value, dict):
        below = [one for key in value for one in found_in(value[key], f"{path}.{key}".strip("."))]
    if isinstance(value, list):
        below = [one for element in value for one in found_in(element, f"{path}[]")]
    return [(path, TYPES[type(value)]), *below] if path else below


def test_the_page_describes_every_key_and_no_other(documents):
    told = documented()
    real: dict[str, set[str]] = {}
    for document in documents.values():
        for path, kind in found_in(document):
            real.setdefault(path, set()).add(kind)
    elements = {path for path in real if path.endswith("[]")}
    assert told == {path: kinds for path, kinds in real.items() if path not in elements}


def test_the_page_s_example_is_a_document():
    (example,) = (json.loads(text) for text in blocks(TEACHING, "json"))
    one = typed(example)
    assert example["format"] == report.FORMAT
    assert {path for path, _ in found_in(example) if not path.endswith("[]")} == set(documented())
    printed = "".join(blocks(TEACHING, "text"))
    head, *lines = report.lines(one).splitlines()
    assert head in printed
    assert [line for line in lines[:-1] if line and line not in printed] == []


@pytest.mark.parametrize(
    ("files", "printed", "points", "said"),
    [
        (["a.py"], "the example", [2, 0], ""),
        (["a.py", "b.ipynb"], "", None, "hand in one script or notebook, not 2"),
        (["a.txt"], "", None, "hand in one script or notebook, not 0"),
        (["a.py"], '{"format": 1, "reports": [], "error": "no class"}', None, "no class"),
        (["a.py"], "", None, "your file ends the program that checks it"),
    ],
)
def test_the_pages_autograder_gives_the_points(tmp_path, monkeypatch, files, printed, points, said):
    (program,) = (text for text in blocks(TEACHING, "python") if "results.json" in text)
    if printed == "the example":
        (printed,) = blocks(TEACHING, "json")
    (tmp_path / "submission" / "deep").mkdir(parents=True)
    for name in files:
        (tmp_path / "submission" / "deep" / name).touch()
    asked = []

    def run(words, stdout):
        asked.append(cli.parse(words[words.index("knock") + 1 :])[1])
        return SimpleNamespace(stdout=printed.encode())

    monkeypatch.setattr(subprocess, "run", run)
    path = tmp_path / "run_autograder"
    exec(compile(program, str(path), "exec"), {"__file__": str(path)})
    found = json.loads((tmp_path / "results" / "results.json").read_text(encoding="utf-8"))
    assert found["output"] == said
    assert [test["score"] for test in found["tests"]] == (points or [])
    assert ("score" in found) == (points is None)
    assert all(one.json and one.file.name == "a.py" for one in asked)
