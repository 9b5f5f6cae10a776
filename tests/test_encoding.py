"""Text is UTF-8 on every system, whatever the code page of its region."""

import io
import os
import sys

from knock import recipe
from knock.errors import exit_with
from knock.questions import find
from knock.questions.mistakes import suspects
from knock.scripts.source import Source
from tests.helpers import answer, run

import pytest

SIGNS = "→ ✓ ≥ é × 日本"
PAGES = ["cp1252", "cp932", "ascii"]
"""The code pages of Windows in Western Europe and in Japan, and of a system without any."""


class Stream(io.TextIOWrapper):
    """Standard output, or error, as a system with this code page opens it."""

    def __init__(self, encoding, terminal=False, errors="strict"):
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors)
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def content(self):
        self.flush()
        return self.buffer.getvalue()


def printed(monkeypatch, stream, text):
    """What an entry of ours writes to a stream."""
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as left:
        exit_with(lambda: print(text, end="") or 0)
    assert left.value.code == 0
    return stream.content()


@pytest.mark.parametrize("page", PAGES)
def test_a_pipe_or_file_gets_utf_8(monkeypatch, page):
    assert printed(monkeypatch, Stream(page), SIGNS) == SIGNS.encode()


@pytest.mark.parametrize("page", [*PAGES, "utf-8"])
def test_a_terminal_keeps_its_encoding_and_names_what_that_lacks(monkeypatch, page):
    wanted = SIGNS.encode(page, "backslashreplace")
    assert printed(monkeypatch, Stream(page, terminal=True), SIGNS) == wanted


def test_a_file_name_that_is_not_text_can_be_printed(monkeypatch):
    name = os.fsdecode(b"caf\xe9")
    assert printed(monkeypatch, Stream("utf-8"), name) == b"caf\\udce9"


def test_what_is_no_file_is_left_alone(monkeypatch):
    """In a notebook, standard output is an object of Jupyter's."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit):
        exit_with(lambda: print(SIGNS) or 0)
    assert sys.stdout.getvalue() == f"{SIGNS}\n"


@pytest.mark.parametrize("page", ["cp1252", "cp932"])
def test_commands_print_utf_8_where_the_system_would_not(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", page)
    words = [("progress",), ("hint", "ae"), ("--help",), ("check", "ae", "é.py")]
    program = f"""
from knock import cli
for words in {words}:
    try:
        cli.main(words)
    except SystemExit as left:
        print(left.code)
"""
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "◐ begun" in done.stdout and done.stdout.splitlines()[-1] == "2"
    assert "é.py" in done.stderr


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_its_text(tmp_path):
    """Some editors of Windows begin UTF-8 with it: in a script, a notebook, a recipe, mistakes."""
    script, question = answer("ae", "pytorch"), find("ae")
    for number, file in enumerate((script, question.recipe_file, question.mistakes_file)):
        text = file.read_text(encoding="utf-8")
        marked = tmp_path / f"{number}{file.suffix}"
        marked.write_text(text, encoding="utf-8-sig")
        read = {0: lambda p: Source.read(p).text, 1: recipe.read, 2: suspects}[number]
        assert read(marked) == read(file)


def test_a_notebook_may_begin_with_a_mark(tmp_path):
    pytest.importorskip("IPython")
    file = tmp_path / "a.ipynb"
    cell = '{"cell_type": "code", "source": "import os"}'
    file.write_text(f'{{"nbformat": 4, "cells": [{cell}]}}', encoding="utf-8-sig")
    assert "import os" in Source.read(file).text
