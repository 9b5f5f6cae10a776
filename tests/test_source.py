"""An answer's text is read in one way, whoever reads it."""

import json
import os
import sys
from pathlib import Path

from knock.errors import UserError
from knock.grade import submissions
from knock.grade.handed_in import File
from knock.scripts import load, notebook, side_by_side
from knock.scripts.source import Source

import pytest

READERS = {
    "check": lambda path: Source.read(path).text,
    "diff": lambda path: side_by_side._text(path),
    "grade": lambda path: submissions._text(File(path, path.read_bytes()))[0],
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_script_is_read_by_its_own_encoding(read, tmp_path):
    path = tmp_path / "mine.py"
    path.write_bytes("# coding: latin-1\r\nname = 'café'\r\n".encode("latin-1"))
    said, text = read(path).split("\n", 1)
    assert said in ("# coding: latin-1", "# coding: utf-8")  # a grader hands it on in its own
    assert text == "name = 'café'\n"
    assert load.load(path).name == "café"


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_notebook_is_read_as_a_script(read, tmp_path):
    pytest.importorskip("IPython", reason="needs IPython")
    path = tmp_path / "mine.ipynb"
    cells = [{"cell_type": "code", "source": "NAME = 'café'"}]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}), encoding="utf-8")
    assert read(path).rstrip() == "# %% code cell 1\nNAME = 'café'"
    assert load.load(path).NAME == "café"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\n\nname = '\xe9'\n", "does not run: UnicodeDecodeError: "),
        (b"# coding: klingon\n", "does not run: SyntaxError: unknown encoding"),
        (b"def f(:\n", "does not run: SyntaxError: invalid syntax (line 1: def f(:)"),
        (b"a = '\0'\n", "does not run: "),
        (
            b"from knock.errors import UserError\nraise UserError('x')\n",
            "run: UserError: x (line 2",
        ),
    ],
    ids=["no UTF-8", "no such encoding", "no Python", "a zero", "an error of ours"],
)
def test_what_does_not_load_is_one_sentence(text, said, tmp_path):
    path = tmp_path / "mine.py"
    path.write_bytes(text)
    with pytest.raises(UserError) as met:
        load.load(path)
    assert str(met.value).startswith(f"{path} does not run: ")
    assert said in str(met.value)


def test_a_broken_notebook_is_named_once(tmp_path):
    pytest.importorskip("IPython", reason="needs IPython")
    path = tmp_path / "mine.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is not a notebook, or is damaged") as met:
        load.load(path)
    assert "does not run" not in str(met.value)
    with pytest.raises(UserError, match="is not a notebook"):
        notebook.text(path)


def test_a_file_that_is_saved_again_within_a_second_is_run_anew(tmp_path, monkeypatch):
    """Of Python's own bytecode it would be the old one: as long, and of the same second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path: Path = tmp_path / "mine.py"
    for number, time in ((1, 5_100_000_000), (2, 5_900_000_000)):
        path.write_text(f"value = {number}\n", encoding="utf-8")
        os.utime(path, ns=(time, time))
        assert load.load(path).value == number
