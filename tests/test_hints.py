"""Help comes level by level, for the part that a learner is working on, in their framework."""

import re
import subprocess
import sys

from knock import frameworks, paths
from knock.check import parts as learner
from knock.learner import progress
from knock.questions import all_questions, find, hint_page
from tests.helpers import knock as in_a_process

import pytest

LEVELS = ("1", "2", "3")
QUESTIONS = all_questions()
TITLES = [framework.title for framework in frameworks.FRAMEWORKS.values()]


def name(question) -> str:
    return question.name


# The pages


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_no_help_is_empty(question):
    """test_verify.py tests that every part has help on every level."""
    for level in hint_page.read(question.hints_file).values():
        for part, help in level.parts.items():
            assert len(re.sub(r"[^a-z]", "", help)) > 20, f"{level.title}: {part} says nothing"
        assert len(level.shared.splitlines()) <= 4, "shown with every part, so a few words"


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_every_level_is_there_and_names_the_next(question, knock):
    page = question.hints_file.read_text(encoding="utf-8")
    shown = []
    for level in LEVELS:
        code, out, _ = knock("hint", question.name, "--level", level)
        assert code == 0
        title, text, further = re.fullmatch(r"(.*)\n\n(.*)\n\n(.*)\n", out, re.DOTALL).groups()
        assert title.startswith(question.label)
        shown.append(f"## {level} · {title.removeprefix(f'{question.label} · ')}\n\n{text}\n")
        assert further.endswith(f"--level {int(level) + 1}") or level == "3"
    assert further.endswith(f"knock solution {question.name}")
    assert page.rstrip().endswith("\n".join(shown).rstrip())


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_each_framework_has_its_own_help_and_no_other(question, framework):
    title = frameworks.FRAMEWORKS[framework].title
    others = [other for other in TITLES if other != title]
    for level in hint_page.read(question.hints_file).values():
        for part, help in level.parts.items():
            narrow = hint_page.narrow(help, framework)
            assert "| --- |" not in narrow, part
            for title_line in re.findall(r"^# (.*)$", narrow, re.MULTILINE):
                named = title_line.startswith(tuple(others))
                assert title in title_line or not named, title_line
            assert narrow.count("```") == help.count("```"), "no block is lost"


PAGE = """
Before.

| | PyTorch | TensorFlow | Keras | Chainer |
| --- | --- | --- | --- | --- |
| a | `p` | `t` | `k` | `c` |
| longer | `p2` | `t2` | `k2` | – |

| a table | of another kind |
| --- | --- |
| stays | as it is |

```python
shared = 1
# PyTorch
p = 1

# TensorFlow; in Keras the same
t = 1
# a remark
# Chainer
c = 1  # not as in Keras
```

```text
PyTorch
```
"""


@pytest.mark.parametrize(
    ("framework", "cells", "code"),
    [
        ("pytorch", ["`p`", "`p2`"], "# PyTorch\np = 1"),
        ("keras", ["`k`", "`k2`"], "# TensorFlow; in Keras the same\nt = 1\n# a remark"),
        ("chainer", ["`c`", "–"], "# Chainer\nc = 1  # not as in Keras"),
    ],
)
def test_a_column_and_a_piece_of_code_are_chosen(framework, cells, code):
    assert hint_page.narrow(PAGE, framework) == (
        f"\nBefore.\n\n  a       {cells[0]}\n  longer  {cells[1]}\n\n"
        "| a table | of another kind |\n| --- | --- |\n| stays | as it is |\n\n"
        f"```python\nshared = 1\n{code}\n```\n\n```text\nPyTorch\n```\n"
    )


# Which part


@pytest.fixture
def checked(knock, tmp_path, monkeypatch):
    """Check my/gan_FRAMEWORK.py; the result is what a test says, whatever is in the file."""

    def check(*parts: learner.Part, rest: str = "", framework: str = "keras") -> None:
        report = learner.Report(list(parts), rest=rest)
        monkeypatch.setattr(learner, "look", lambda *_, **__: report)
        file = tmp_path / "my" / f"gan_{framework}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("x = 1\n", encoding="utf-8")
        knock("check", "gan", str(file))

    return check


DONE, WRONG, OPEN, UNKNOWN = "done", "failed", "to do", "unknown"


@pytest.mark.parametrize(
    ("found", "rest", "part", "said"),
    [
        ([DONE, OPEN, WRONG, OPEN], "", "step", "it is\n  wrong"),
        ([DONE, OPEN, OPEN, OPEN], "", "losses", "to do: it is wrong"),
        ([OPEN, UNKNOWN, DONE, WRONG], "", "sampling", "it is wrong"),
        ([DONE, DONE, UNKNOWN, DONE], "", "step", "it is wrong"),
        ([UNKNOWN, OPEN, OPEN, OPEN], "__init__ raised", "losses", "__init__ raised"),
        ([DONE, DONE, DONE, DONE], "together they are not", None, "together they are not"),
    ],
)
def test_a_wrong_part_comes_before_an_open_one(knock, checked, found, rest, part, said):
    names = find("gan").parts
    messages = ["" if status == DONE else "it is\n  wrong" for status in found]
    checked(*map(learner.Part, names, found, messages), rest=rest)
    code, out, err = knock("hint", "gan")
    assert (code, err) == (0, "")
    title = f"05 gan · A nudge: {part} in Keras" if part else "05 gan · A nudge"
    said = f"The last check of my/gan_keras.py: {' '.join(said.split())}"
    assert out.splitlines()[:3] == [title, "", said]
    nudge = hint_page.read(find("gan").hints_file)[1]
    assert (nudge.of(part) if part else nudge.text) in out
    assert out.splitlines()[-1] == "Not enough? Which API: knock hint gan --level 2"


def test_each_framework_has_a_part_of_its_own(knock, checked):
    checked(learner.Part("networks", WRONG, "a"), framework="keras")
    checked(learner.Part("networks", DONE), learner.Part("losses", OPEN, "b"), framework="chainer")
    assert knock("hint", "gan")[1].startswith("05 gan · A nudge: losses in Chainer\n")
    out = knock("hint", "gan", "-f", "keras")[1]
    assert out.startswith("05 gan · A nudge: networks in Keras\n")
    assert out.splitlines()[-1].endswith("knock hint gan --framework keras --level 2")
    out = knock("hint", "gan", "-f", "pytorch")[1]
    assert out.startswith("05 gan · A nudge in PyTorch\n\n### networks\n")


def test_a_part_may_be_asked_for(knock, checked):
    checked(learner.Part("networks", WRONG, "a"))
    code, out, _ = knock("hint", "gan", "--part", "sampling", "--level", "2")
    assert code == 0
    assert out.startswith("05 gan · Which API: sampling in Keras\n")
    assert "\n  without gradients  no tape\n" in out
    assert "The last check" not in out
    assert out.splitlines()[-1].endswith("knock hint gan --part sampling --level 3")
    for_all = "Begin with question 05's answer. Only the networks change"
    assert f"A nudge: losses\n\n{for_all}" in knock("hint", "dcgan", "--part", "losses")[1]
    whole = knock("hint", "gan", "--part", "all")[1]
    assert whole.startswith("05 gan · A nudge\n\n### networks\n")
    assert "\n### sampling\n" in whole


def test_without_a_part_to_work_on_the_whole_level_is_shown(knock, tmp_path):
    whole = knock("hint", "gan")[1]
    assert whole.startswith("05 gan · A nudge\n\n### networks\n")
    knock("start", "gan", "-f", "keras")
    assert knock("hint", "gan")[1].startswith("05 gan · A nudge: networks in Keras\n")
    file = tmp_path / "my" / "gan_keras.py"
    done = list(find("gan").parts)
    progress.checked(find("gan"), "keras", file, done, progress.digest(file))
    assert knock("hint", "gan")[1] == whole
    progress.checked(find("gan"), "keras", file, [], "")
    file.unlink()
    assert knock("hint", "gan")[1] == whole


def test_what_an_earlier_version_remembered_is_still_read(knock, tmp_path):
    line = '{"question":"gan","framework":"keras","file":"my/gan_keras.py","done":["networks"],'
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / paths.PROGRESS).write_text(line + '"passed":""}\n', encoding="utf-8")
    (tmp_path / "my" / "gan_keras.py").write_text("x = 1\n", encoding="utf-8")
    code, out, err = knock("hint", "gan")
    assert (code, err) == (0, "")
    assert out.startswith("05 gan · A nudge: losses in Keras\n\n- ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--part", "x"], "no part 'x' in 05 gan; choose from: networks, losses, step, sampling,"),
        (["--framework", "numpy"], "numpy"),
        (["--level", "0"], "no level 0 of hints for 05 gan; choose from: 1, 2, 3"),
    ],
)
def test_what_is_not_there_is_one_line(knock, words, said):
    code, out, err = knock("hint", "gan", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_nudge_comes_first(knock):
    assert knock("hint", "6") == knock("hint", "dcgan", "--level", "1")
    assert knock("hint", "6")[1].startswith("06 dcgan · A nudge\n")


def test_a_hint_imports_no_framework(tmp_path):
    in_a_process("start", "gan", "-f", "keras", cwd=tmp_path)
    program = """
import sys
from knock import cli
try:
    cli.main(["hint", "gan", "--part", "step", "--level", "2"])
except SystemExit as end:
    assert end.code == 0
print(sorted({"torch", "tensorflow", "keras", "chainer"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.stdout.splitlines()[0] == "05 gan · Which API: step in Keras"
    assert done.stdout.splitlines()[-1] == "[]"
