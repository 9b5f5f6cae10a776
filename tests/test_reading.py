"""Files are read behind walls: whatever is in one, it costs that file alone, with one line."""

import json
import os
import signal
import threading
from pathlib import Path

from knock import frameworks, paths
from knock.check import forks
from knock.errors import UserError
from knock.grade import grading, reader, reading, sandbox
from knock.questions import find
from tests.helpers import answer
from tests.test_grade import rows

import pytest

FRAMEWORK = next((f for f in ("chainer", "pytorch", "keras") if f in frameworks.installed()), None)
needs_one = pytest.mark.skipif(FRAMEWORK is None, reason="no framework is installed")
RIGHT = answer("vae_latent", FRAMEWORK or "chainer").read_text(encoding="utf-8")
DIGITS = "it has a number of more than 3900 digits"
DEEP = "nested more than 200 levels deep"


@pytest.fixture(autouse=True, scope="module")
def one_process():
    """Let all tests of this file share the process that reads, and close it at the end."""
    yield
    grading.close()


def notebook(*cells):
    """A notebook's bytes."""
    made = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"nbformat": 4, "cells": made}).encode()


def coded(name, text="x = 1\n", encoding="utf-8"):
    """A script that names an encoding."""
    return f"# -*- coding: {name} -*-\n{text}".encode(encoding)


NO_TEXTS = {  # what cannot be made a text of, by the end of its file's name, and what is said
    **{
        f"the codec {name}": (".py", coded(name), f"its encoding is {name}; save it as UTF-8")
        for name in (
            *("hex", "rot13", "zlib", "bz2", "uu", "quopri", "base64", "undefined", "idna"),
            *("utf-7", "utf-16", "unicode_escape", "raw_unicode_escape", "punycode", "no-such"),
            *("encodings.hex_codec", "mbcs", "utf-8-sig-x"),
        )
    },
    "a codec in the second line": (".py", b"#!python\n# coding=hex\n", "its encoding is hex"),
    "a codec after a mark of UTF-8": (".py", b"\xef\xbb\xbf# coding: cp1252\n", "but is UTF-8"),
    "a codec after old line ends": (".py", b"#\r# coding: hex\r", "its encoding is hex"),
    "another encoding than it says": (
        ".py",
        b"# coding: ascii\n# \xe9\n",
        "it is not text: 'ascii'",
    ),
    "UTF-16": (".py", "x = 1\n".encode("utf-16"), "it is not text: 'utf-8'"),
    "half of a character": (".ipynb", notebook("A = '?'").replace(b"?", b"\\ud800"), "damaged"),
    "a notebook of brackets": (".ipynb", b"[" * 100_000, "damaged"),
    "a notebook of numbers": (".ipynb", b"1" * 100_000, "damaged"),
    "a cell that is too deep": (".ipynb", notebook("X = " + "-" * 900 + "1"), "RecursionError"),
    "a cell with too many parentheses": (".ipynb", notebook("X = " + "(" * 900), "too many nested"),
    "a cell of zeros": (".ipynb", notebook("X = '\0'"), "null bytes"),
    "a notebook of code": (".ipynb", notebook("x = 1\n" * (1 << 16)), "more than 256 KB of code"),
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_told_in_a_line(name):
    suffix, data, said = NO_TEXTS[name]
    if suffix == ".ipynb":
        pytest.importorskip("IPython")
    with pytest.raises(reading.NotReadError, match=said) as found:
        reading.text(f"a{suffix}", data)
    assert "\n" not in str(found.value) and len(str(found.value)) < 700


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        *[(name, "latin-1", "é") for name in ("latin-1", "ISO-8859-1", "iso8859_1", "cp1252")],
        *[("utf8", "utf-8", "é"), ("UTF-8", "utf-8", "é"), ("utf-8-sig", "utf-8-sig", "é")],
        *[("cp932", "cp932", "加"), ("euc-jp", "euc-jp", "加"), ("gbk", "gbk", "加")],
    ],
)
def test_what_an_editor_writes_is_read_and_is_utf_8_from_then_on(name, encoding, text):
    """So the process that runs it, which gets it as UTF-8, reads the same characters."""
    got = reading.text("a.py", coded(name, f"x = '{text}'\r\n", encoding))
    assert got == f"# -*- coding: utf-8 -*-\nx = '{text}'\n"


def test_only_the_first_two_lines_name_an_encoding():
    for above in ("x = 1\n", "\n\n", "'# coding: hex'\n", "# x\nx = 1\n"):
        text = f"{above}# coding: hex\n"
        assert reading.text("a.py", text.encode()) == text
    pytest.importorskip("IPython")
    cell = reading.text("a.ipynb", notebook("# coding: hex\nclass A: pass"))
    assert "# coding: utf-8\nclass A: pass" in cell


NO_ANSWERS = {  # texts that are refused, and what is said
    "parentheses": ("(" * 5000, "too many nested parentheses"),
    "signs": ("-" * 200_000 + "1", "does not run: MemoryError"),
    "attributes": ("x" + ".x" * 20_000, "does not run: RecursionError"),
    "attributes, fewer": ("x" + ".x" * 250, DEEP),
    "branches": ("if x: pass\n" + "elif x: pass\n" * 250, DEEP),
    "lambdas": ("lambda: " * 3000 + "0", "does not run"),
    "sums": ("1" + " + 1" * 250, DEEP),
    "blocks": ("".join(" " * n + "if x:\n" for n in range(150)), "too many levels of indentation"),
    "functions": ("def f(): 0\n" * 15_000, "more than 1000 functions"),
    "classes": ("class A: 0\n" * 600, "more than 500 classes"),
    "comparisons": ("1" + " < 1" * 60_000, "more than 100000 nodes"),
    "a number in base 16": ("x = 0x" + "f" * 9000, DIGITS),
    "a number in base 2": ("def f():\n  x(0b" + "1" * 20_000 + ")", DIGITS),
    "a number in base 10": ("x = " + "9" * 9000, "Exceeds the limit"),
    "a zero": ("\0", "null bytes"),
    "half a character": ("x = '\ud800'", "it is not text"),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_text_that_no_answer_needs_is_told_in_a_line(name):
    text, said = NO_ANSWERS[name]
    with pytest.raises(UserError) as found:
        reading.require_plain(Path("a.py"), text)
    assert said in str(found.value)
    assert "\n" not in str(found.value) and len(str(found.value)) < 700


def test_every_answer_of_ours_is_plain_by_far(monkeypatch):
    monkeypatch.setattr(reader, "_DEEPEST", reader._DEEPEST // 4)
    most = {kind: (most // 4, called) for kind, (most, called) in reader._MOST.items()}
    monkeypatch.setattr(reader, "_MOST", most)
    for path in find("gan").answer("pytorch").parent.glob("*.py"):
        asked = reader.Asked(path.name, None, path.read_text(encoding="utf-8"))
        assert reader.answer(asked) == reader.Told()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_file_that_ends_the_process_costs_only_itself(monkeypatch):
    """However it does that; the next file has a new process."""
    for signals, said in (
        ([signal.SIGXCPU], "reading it takes more than 5 s"),
        ([signal.SIGSEGV], "it ends the process that reads it (Segmentation fault)"),
    ):
        reading.text("a.py", b"x = 1\n")
        process = reading._of_this_thread.reader._process
        process.send_signal(signals[0])
        process.wait()
        with pytest.raises(reading.NotReadError) as found:
            reading.text("a.py", b"x = 1\n")
        assert str(found.value) == said
    assert reading.text("a.py", b"x = 1\n") == "x = 1\n"
    pytest.importorskip("IPython")
    monkeypatch.setattr(reading, "_LONGEST", 0.5)
    with pytest.raises(reading.NotReadError, match="takes more than 5 s"):
        reading.text("a.ipynb", notebook("!x\n" * 25_000))


@pytest.mark.skipif(not sandbox.LINUX, reason="only Linux is sure to count them for a fork")
def test_each_file_has_its_seconds(monkeypatch):
    monkeypatch.setattr(reader, "SECONDS", 0)

    def child():
        reader._give_time()
        while True:
            pass

    _, status = os.waitpid(forks.fork(child), 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGXCPU


def test_a_process_that_does_not_start_is_no_submissions_fault(monkeypatch, tmp_path):
    (tmp_path / "knock.py").write_text("raise ImportError('half installed')", encoding="utf-8")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(reading, "_of_this_thread", threading.local())
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "here")
    with pytest.raises(UserError, match="cannot read submissions: .*half installed") as found:
        reading.text("a.py", b"x = 1\n")
    assert not isinstance(found.value, reading.NotReadError)


@needs_one
def test_a_class_with_all_of_them_is_graded(knock, tmp_path):
    """Each has a row with its reason, and those who did nothing of it have their points."""
    pytest.importorskip("IPython")
    folder = tmp_path / "class"
    folder.mkdir()
    for number, (suffix, data, _) in enumerate(NO_TEXTS.values()):
        (folder / f"s{number}_vae_latent_{FRAMEWORK}{suffix}").write_bytes(data)
    for number, (text, _) in enumerate(NO_ANSWERS.values()):
        file = folder / f"t{number}_vae_latent_{FRAMEWORK}.py"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
    old = coded("latin-1", "# Für é\n" + RIGHT.encode("ascii", "replace").decode(), "latin-1")
    (folder / f"right_vae_latent_{FRAMEWORK}.py").write_bytes(old)
    code, _, err = knock("grade", "class", "--out", "g.csv", "--jobs", "1")
    assert code == 0, err
    found = rows(tmp_path / "g.csv")
    assert found["right"]["points"] == found["right"]["of"]
    for sort, attacks in (("s", NO_TEXTS), ("t", NO_ANSWERS)):
        for number, said in enumerate(one[-1] for one in attacks.values()):
            row = found[f"{sort}{number}"]
            assert row["points"] in ("", "0") and "\n" not in row["remarks"]
            if said != NO_ANSWERS["half a character"][1]:
                assert said in row["remarks"], row
