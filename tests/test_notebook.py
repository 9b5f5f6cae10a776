"""Notebooks have all of an answer, run from top to bottom, and are read back as that answer."""

import ast
import json
import os
import re
import sys
from pathlib import Path

from knock import frameworks, installing, paths
from knock.check.judge import check
from knock.errors import UserError
from knock.learner import progress
from knock.notebook import cells as plumbing
from knock.notebook.make import make
from knock.questions import Question, all_questions, find
from knock.scripts import load as answers
from knock.scripts import notebook as notebooks
from knock.scripts import raised, starter
from knock.scripts.notebook import place, source
from knock.scripts.source import Source

import pytest

jupytext = pytest.importorskip("jupytext", reason="needs jupytext")
nbformat = pytest.importorskip("nbformat", reason="needs jupytext")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
pytest.importorskip("ipykernel", reason="needs ipykernel")

ANSWERS = [(q, framework) for q in all_questions() for framework in q.answered_in]
WRITTEN = "my/written.py"
TINY = "--dataset digits --batch-size 4 --steps 4 --sample-every 2 --threads 1 --device cpu"


def name(value: object) -> str:
    return value.name if isinstance(value, Question) else str(value)


def needs(framework: str):
    return pytest.mark.skipif(framework not in frameworks.installed(), reason=f"needs {framework}")


def text_of(question: Question, framework: str) -> str:
    return question.answer(framework).read_text(encoding="utf-8")


def begun(question: Question, framework: str) -> str:
    return starter.make(text_of(question, framework), question.parts, "knock check")


def notebook(question: Question, framework: str, text: str | None = None, file: str | None = None):
    made = make(question, framework, text or text_of(question, framework), file, "page")
    return nbformat.reads(made, as_version=4)


def code(made) -> list[str]:
    return [cell.source for cell in made.cells if cell.cell_type == "code"]


def prose(made) -> str:
    return "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


# Made


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_nothing_of_a_script_is_lost_or_moved(question, framework):
    for text, file in ((text_of(question, framework), None), (begun(question, framework), WRITTEN)):
        made = notebook(question, framework, text, file)
        nbformat.validate(made)
        set_up, *pieces = code(made)
        own = pieces[: next(k for k, one in enumerate(pieces) if "knock.notebook.cells" in one)]
        docstring = ast.parse(text).body[0].end_lineno
        body, end = "\n".join(text.split("\n")[docstring:]).split('if __name__ == "__main__":\n')
        assert lines("\n".join(own)) == lines(body)
        given = re.fullmatch(r" +main\((.*)\)\n", end)[1]
        assert f"folder = launch({given}, options=options)" in pieces[-2]
        assert pieces[-1] == "show(folder)"
        assert (f'check("{question.name}", "{framework}", "{WRITTEN}")' in "".join(pieces)) == (
            file is not None
        )
        lesson = ast.get_docstring(ast.parse(text)).split("\n", 1)[1].strip()
        assert lesson in made.cells[0].source
        assert "find_spec" in set_up


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_each_piece_is_a_cell_under_the_part_it_belongs_to(framework):
    made = notebook(find("dcgan"), framework)
    defined = [re.findall(r"^(?:class|def) (\w+)", one, re.M) for one in code(made)]
    assert max(map(len, defined)) == 1
    names = [one for [one] in filter(None, defined)]
    assert names[-5:] == ["called_real", "called_fake", "DCGAN", "train", "sample"]
    headings = re.findall("^## (.*)", prose(made), re.M)
    assert headings == [
        "Set-up",
        "Networks",
        "Losses",
        "The model: step, sampling",
        "The run",
        "Train",
        "The result",
    ]


def test_the_same_script_gives_the_same_bytes_and_no_trace_of_when_or_with_what():
    question = find("ae")
    text = text_of(question, "keras")
    first, again = (make(question, "keras", text, None, "page") for _ in range(2))
    assert first == again
    assert "jupytext" not in first
    made = json.loads(first)
    assert [cell["id"] for cell in made["cells"]] == [
        f"cell-{k}" for k in range(1, len(made["cells"]) + 1)
    ]


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_it_says_how_to_install_into_the_kernel_that_runs_it(framework):
    told = prose(notebook(find("ae"), framework))
    extra = "" if framework == "chainer" else framework
    lines = [installing.from_anywhere(extra)]
    if framework == "chainer":
        lines = [*frameworks.find(framework).how_to_install.split(" && "), *lines]
    assert "".join(f"\n    %{line}" for line in lines) + "\n" in told
    assert "git+https://" in lines[-1] and told.count("    %") == len(lines)


def test_a_script_of_any_form_keeps_its_lines_and_its_comments():
    text = '''"""One line."""
import os
# %matplotlib inline
# ls -l
import math

WIDTH = 3  # of all
if WIDTH:
    HEIGHT = 2


# Above a function.

# Right above it.
@staticmethod
def one(): return "# %%"
class Two:

    x = 1


    y = 2
# Above the end.
if __name__ == "__main__":
    main("ae", framework, Two, train, [1,
        2])
z = 1
# The end.
'''
    own = code(notebook(find("ae"), "pytorch", text, WRITTEN))[1:]
    assert own[:-3] == [
        "import os\n# %matplotlib inline\n# ls -l\nimport math",
        "WIDTH = 3  # of all\nif WIDTH:\n    HEIGHT = 2",
        '# Above a function.\n\n# Right above it.\n@staticmethod\ndef one(): return "# %%"',
        "class Two:\n\n    x = 1\n\n\n    y = 2",
        "# Above the end.",
        "z = 1",
        "# The end.",
    ]
    assert 'launch("ae", framework, Two, train, [1,\n        2], options=options)' in own[-2]


# Read


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_a_notebook_is_read_as_the_script_that_it_was_made_of(question, framework, tmp_path):
    text = text_of(question, framework)
    file = tmp_path / f"mine_{framework}.ipynb"
    file.write_text(make(question, framework, text, WRITTEN, "page"), encoding="utf-8")
    found = {ast.unparse(node) for node in Source.read(file).tree.body}
    wanted = [ast.unparse(node) for node in ast.parse(text).body[1:-1]]
    assert found >= set(wanted)
    assert all(one.startswith(("import ", "from ")) for one in found - set(wanted))


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["x = make()\nprint(x)\nfor i in x:\n    print(i)\nx.y"], []),
        (["def f(): pass", "class f: pass"], ["class f:\n    pass"]),
        (["class A: pass", "A()", "class A:\n  def g(self): return 1"], ["class A:", "return 1"]),
        (["k = 2\ndef f():\n    return k"], ["k = 2", "def f():"]),
        (["k = 2\ndef f(k):\n    return k"], ["def f(k):"]),
        (["k = 2\ndef f():\n    k = 1\n    return k"], ["def f():"]),
        (["a = 1\nb = a\nclass C:\n    c = b"], ["a = 1", "b = a", "class C:"]),
        (["def f(a=k): pass", "k = 2"], ["def f(a=k):", "k = 2"]),
        (
            ["def f():\n    return [[k for _ in x] for x in y]", "k, y = 1, 2"],
            ["def f():", "k, y = (1, 2)"],
        ),
        (["W = 3\nNet = partial(f)\nnet = Net()"], ["W = 3", "Net = partial(f)"]),
        (['if __name__ == "__main__":\n    main()'], []),
        (
            ["with x as y:\n    pass\nimport os", "from a import b"],
            ["import os", "from a import b"],
        ),
        (["é = '×'; print(é); A = 1"], ["A = 1"]),
        (["A = 1; print(\n    A\n); B = 2"], ["A = 1", "B = 2"]),
        (["@print\n@str\ndef f(): pass", "def f(): return 2"], ["return 2"]),
        (["'''A text.\n\nOf three lines.'''\nA = 1"], ["A = 1"]),
        (["k = 1\nasync def f(): return k"], ["k = 1", "async def f():"]),
    ],
)
def test_only_what_defines_something_counts(cells, kept):
    named = {f"cell {k}": text for k, text in enumerate(cells)}
    found = notebooks.definitions(named)
    body = [ast.unparse(node) for node in ast.parse(found).body if not isinstance(node, ast.Pass)]
    told = "\n".join(body)
    assert all(one in told for one in kept), found
    assert len(body) <= len(kept), found
    rows = found.split("\n")
    for cell, text in named.items():  # what is left keeps its line
        first = rows.index(f"# %% {cell}") + 1
        for row, given in zip(rows[first:], text.split("\n"), strict=False):
            assert row in ("", given) or ";" in row


def write(file: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    made.cells.insert(1, nbformat.v4.new_markdown_cell("A text."))
    nbformat.write(made, file)
    return file


def test_magics_are_ignored_and_move_no_line(tmp_path):
    file = write(
        tmp_path / "a.ipynb",
        "%%bash\nls (",
        "\n\n%matplotlib inline\n!ls (\nfiles = !ls\nstr?\ndef f():\n    return 1 / 0",
    )
    module = answers.load(file)
    assert not hasattr(module, "files")
    with pytest.raises(ZeroDivisionError) as met:
        module.f()
    assert raised.describe(met.value, file) == (
        "ZeroDivisionError: division by zero (code cell 2, line 8: return 1 / 0)"
    )


@pytest.mark.parametrize(
    "magic",
    [
        "%%time",
        "%%capture out",
        "%%prun -l 3",
        " \n\n%%time",
        "%%capture\n\n%%time",
        "%%time\n%matplotlib inline",
    ],
)
def test_a_magic_that_measures_or_hides_is_looked_through(magic, tmp_path):
    above = magic.count("\n") + 1
    file = write(tmp_path / "a.ipynb", "A = 3", f"{magic}\n\ndef f():\n    return A / 0")
    with pytest.raises(ZeroDivisionError) as met:
        answers.load(file).f()
    assert f"(code cell 2, line {above + 3}: return A / 0)" in raised.describe(met.value, file)
    with pytest.raises(UserError, match=rf"SyntaxError.*code cell 1, line {above + 1}\)"):
        source(write(tmp_path / "b.ipynb", f"{magic}\nA = = 3"))


@pytest.mark.parametrize("magic", ["%%timeit", "%%bash", "%%writefile f.py", "%%html"])
def test_a_magic_that_defines_nothing_is_not(magic, tmp_path):
    file = write(tmp_path / "a.ipynb", f"{magic}\ndef f():\n    return 1")
    assert not hasattr(answers.load(file), "f")


def test_a_kernels_history_is_looked_through_as_well():
    typed = "get_ipython().run_cell_magic('time', '', 'class A:\\n    size = 3\\n')\n"
    assert notebooks.definitions({"In [1]": notebooks.seen_through(typed)}).endswith(
        "# %% In [1]\n\nclass A:\n    size = 3\n\n"
    )


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["A = 1", "def f(:\n    pass"], "SyntaxError: invalid syntax (code cell 2, line 1)"),
        (["\n\nA = 1\nB = = 1"], "SyntaxError: invalid syntax (code cell 1, line 4)"),
        (
            ["A = 1", "import nothing_of_the_kind"],
            "(code cell 2, line 1: import nothing_of_the_kind)",
        ),
        (
            ["A = (\n    0 /\n    0\n)"],
            "ZeroDivisionError: division by zero (code cell 1, line 2: 0 /)",
        ),
    ],
)
def test_an_error_names_the_cell_and_its_line(cells, said, tmp_path):
    with pytest.raises(UserError, match=re.escape(said)):
        answers.load(write(tmp_path / "a.ipynb", *cells))


def test_a_line_of_a_script_is_called_a_line():
    assert place(Path("a.py"), 3) == "line 3"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", '{"nbformat": 3, "worksheets": []}', '{"nbformat": 4, "cells": 3}']
    + ['{"nbformat": 4, "cells": [{"cell_type": "code"}]}', "[" * 100_000],
    ids=range(8),
)
def test_what_is_not_a_notebook_is_one_line(text, tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(
        UserError, match=r"a\.ipynb is not a notebook, or is damaged; save it again$"
    ):
        source(file)


@needs("tensorflow")
def test_a_notebook_is_checked_like_a_script(tmp_path, capfd):
    """TensorFlow reads the source of every function that it turns into a graph."""
    question = find("ae")
    file = tmp_path / "mine.ipynb"
    text = make(question, "tensorflow", text_of(question, "tensorflow"), WRITTEN, "page")
    file.write_text(text, encoding="utf-8")
    results = check(question, "tensorflow", file, travel=False)
    assert {one.status for one in results} == {"passed", "skipped"}
    assert "could not transform" not in capfd.readouterr().err


# Written


def test_an_answer_and_a_starter_are_two_files_and_neither_is_ever_lost(knock, tmp_path):
    for words in (
        ["notebook", "6", "-f", "keras"],
        ["notebook", "dcgan", "-f", "keras", "--starter"],
    ):
        code, out, _ = knock(*words)
        assert code == 0
        path = Path(out.split(":")[0])
        before = path.read_bytes()
        code, _, err = knock(*words)
        assert code == 2
        assert err == (
            f"knock: {path} exists already; with --force it is kept under another name\n"
        )
        path.write_bytes(before + b" ")
        code, out, _ = knock(*words, "--force")
        kept = path.with_stem(f"{path.stem}.old-1")
        assert code == 0
        assert f"Your old file is now {kept}" in out
        assert (path.read_bytes(), kept.read_bytes()) == (before, before + b" ")
    assert {one.name for one in (tmp_path / "my").iterdir()} == {
        *("dcgan_keras.ipynb", "dcgan_keras.old-1.ipynb", "progress.jsonl"),
        *("dcgan_keras_answer.ipynb", "dcgan_keras_answer.old-1.ipynb"),
    }
    assert progress.of(find("dcgan")).file == "my/dcgan_keras.ipynb"


def test_a_learners_own_script_becomes_a_notebook_with_a_check(knock, tmp_path):
    (tmp_path / "own_keras.py").write_text("import math\n\n\ndef square(x):\n    return x * x\n")
    assert knock("notebook", "ae", "own_keras.py", "--out", "a.ipynb")[0] == 0
    made = nbformat.read(tmp_path / "a.ipynb", as_version=4)
    set_up, first, second, last = code(made)
    assert (first, second) == ("import math", "def square(x):\n    return x * x")
    assert 'check("ae", "keras", "my/ae_keras_notebook.py")' in last


def test_a_notebook_in_the_repository_has_a_link_to_the_page(knock, tmp_path, monkeypatch):
    assert knock("notebook", "ae", "--out", "a_keras.ipynb")[0] == 0
    assert "`questions/01_ae/README.md`" in (tmp_path / "a_keras.ipynb").read_text()
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "QUESTIONS", tmp_path / "questions")
    for name in ("questions", "pyproject.toml"):
        (tmp_path / name).symlink_to(Path(__file__).parents[1] / name)
    assert knock("notebook", "ae", "--out", "a_keras.ipynb", "--force")[0] == 0
    assert (
        "[questions/01_ae/README.md](questions/01_ae/README.md)"
        in (tmp_path / "a_keras.ipynb").read_text()
    )


@pytest.mark.parametrize("package", ["jupytext", "IPython"])
def test_a_missing_package_is_one_line_with_the_command(package, knock, tmp_path, monkeypatch):
    file = write(tmp_path / "mine_pytorch.ipynb", "A = 1")
    find_spec = notebooks.importlib.util.find_spec
    monkeypatch.setattr(
        notebooks.importlib.util,
        "find_spec",
        lambda n, *a: None if n == package else find_spec(n, *a),
    )
    words = ["notebook", "ae"] if package == "jupytext" else ["diff", "ae", "keras", str(file)]
    code, out, err = knock(*words)
    assert (code, out) == (2, "")
    assert err == (
        f'knock: notebooks need {package}, not installed here: pip install -e ".[notebook]"\n'
    )
    assert not (tmp_path / "my").exists()


def test_a_check_overwrites_only_its_own_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(plumbing, "_knock", lambda *words: called.append(words))
    file = tmp_path / "my" / "a.py"
    for _ in range(2):
        plumbing.check("1", "keras", "my/a.py")
    assert called == [("check", "ae", "my/a.py", "--framework", "keras")] * 2
    file.write_text("mine = 1\n")
    with pytest.raises(
        UserError, match=r"^my/a\.py was not written by a notebook's check; name another"
    ):
        plumbing.check("1", "keras", "my/a.py")
    assert file.read_text() == "mine = 1\n"


# Run


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run a notebook from top to bottom in an empty folder, as a person would."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / ".jupyter"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(paths.ROOT), *sys.path[1:]]))
    (tmp_path / "my").mkdir()

    def run(made, options: str = TINY) -> dict[str, list]:
        """The text of each code cell, with its outputs."""
        for cell in made.cells:
            cell.source = re.sub("(?m)^options = .*", f"options = {options!r}", cell.source)
        # Jupyter starts a notebook in its own folder.
        resources = {"metadata": {"path": str(tmp_path / "my")}}
        nbclient.NotebookClient(made, timeout=200, resources=resources).execute()
        return {one.source: one.outputs for one in made.cells if one.cell_type == "code"}

    return run


def printed(outputs: list) -> str:
    return "".join(one.text for one in outputs if one.output_type == "stream")


def pictures(outputs: list) -> list[str]:
    return [kind for one in outputs for kind in one.get("data", {}) if kind.startswith("image/")]


@pytest.mark.parametrize(
    "framework", [pytest.param(f, marks=needs(f)) for f in frameworks.FRAMEWORKS if f != "pytorch"]
)
def test_an_answers_notebook_trains_and_shows_the_result(framework, execute, tmp_path):
    found = execute(notebook(find("ae"), framework))
    *_, launched, shown = found.values()
    folder = f"runs/ae_{framework}"
    assert f"{folder}: step 4, loss " in printed(launched)
    assert pictures(shown) == ["image/png", "image/gif", "image/png"]
    assert printed(shown).split() == [
        f"{folder}/{one}" for one in ("result.png", "samples.gif", "losses.png")
    ]
    assert (tmp_path / folder / "result.png").is_file()


@needs("pytorch")
def test_a_notebook_that_opens_another_questions_run_gets_one_first(execute, tmp_path):
    """Two notebooks in one kernel, and what they print for wrong options."""
    made, opens = (notebook(find(one), "pytorch") for one in ("vae", "vae_latent"))
    options = TINY.replace("digits", "digits --out runs/vae")
    wrong = nbformat.v4.new_code_cell(
        'launch("vae", framework, 0, train, sample, options="--steps 0")'
    )
    wrong.metadata = {"tags": ["raises-exception"]}
    asked = nbformat.v4.new_code_cell(
        'print(launch("vae", framework, 0, train, sample, options="--help"))'
    )
    for cell in opens.cells:
        cell.source = cell.source.replace('options = "" ', 'no_options = ""')
        cell.source = cell.source.replace("options=options", 'options="--threads 1"')
    made.cells += [wrong, asked, *opens.cells]
    found = execute(made, options)
    assert printed(found["show(folder)"]).split() == [
        f"runs/vae_latent_pytorch/{one}.png" for one in ("change", "change2", "show")
    ]
    assert pictures(found["show(folder)"]) == ["image/png"] * 3
    (failed,) = found[wrong.source]
    assert failed.traceback == [
        "knock: argument --steps: must be a whole number of at least 1, not '0' (see --help)"
    ]
    told = printed(found[asked.source])
    assert told.startswith("usage: ")
    assert told.endswith("\nNone\n")
    provided = next(out for text, out in found.items() if "provide(" in text)
    assert "runs/vae exists already\n" in printed(provided)


@needs("pytorch")
def test_a_starters_notebook_says_what_is_to_do_and_its_check_sees_what_was_written(
    execute, tmp_path
):
    question = find("ae")
    made = notebook(question, "pytorch", begun(question, "pytorch"), "my/ae_pytorch_notebook.py")
    at = next(k for k, cell in enumerate(made.cells) if "import check" in cell.source)
    made.cells.insert(
        at,
        nbformat.v4.new_code_cell(
            "def reconstruction_loss(mine, images):\n    return (mine - images).pow(2).mean()"
        ),
    )
    found = execute(made)
    *_, checked, launched, shown = found.values()
    file = "my/ae_pytorch_notebook.py"
    assert printed(checked).split("\n") == [
        f"$ knock check ae {file} --framework pytorch",
        f"01 ae in PyTorch: {file}",
        "  · networks     to do: Encoder.__init__, Encoder.forward, Decoder.__init__, "
        "Decoder.forward",
        "  ✓ losses",
        "  · step         to do: Autoencoder.train_step",
        "  · sampling     to do: Autoencoder.reconstruct",
        "",
    ]
    assert printed(launched) == (
        "Nothing is trained yet. Still to do: networks (Encoder.__init__, Encoder.forward, "
        "Decoder.__init__, Decoder.forward); step (Autoencoder.train_step); sampling "
        "(Autoencoder.reconstruct)\n"
    )
    assert printed(shown) == "Nothing to show yet\n"
    assert not (tmp_path / "runs").exists()
    assert (tmp_path / file).is_file()
