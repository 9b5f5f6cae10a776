"""What a learner has reached is remembered, and survives accidents."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

from knock import frameworks, paths
from knock.check import parts as learner
from knock.check import trace
from knock.commands import check as command
from knock.learner import progress
from knock.questions import all_questions
from tests.helpers import answer
from tests.test_cli import needs_torch

import pytest

FILE = "my/progress.jsonl"


@pytest.fixture
def remember(tmp_path, monkeypatch):
    """Remember answers without a check: each is a question, a framework and whether it passes."""
    monkeypatch.chdir(tmp_path)

    def write(*answers: tuple[str, str, bool]) -> None:
        paths.my().mkdir(exist_ok=True)
        questions = {question.name: question for question in all_questions()}
        for name, framework, passes in answers:
            file = paths.my() / f"{name}_{framework}.py"
            file.write_text("mine\n", encoding="utf-8")
            passed = progress.digest(file) if passes else ""
            progress.checked(questions[name], framework, file, ["networks"], passed)

    return write


def lines(tmp_path) -> list[dict[str, object]]:
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def cells(out: str) -> dict[str, list[str]]:
    """The table: each question's name with its cells under the frameworks."""
    rows = [line.split("  ") for line in out.splitlines()[1:] if line[:2].isdigit()]
    cut = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {row[0].split()[1]: row[1:] for row in cut}


# A learner's way


@needs_torch
def test_from_the_first_line_to_a_pass_and_back(knock, tmp_path, monkeypatch):
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 10, 12))  # enough, and fast
    ours = answer("ae", "pytorch").read_text(encoding="utf-8")
    file = tmp_path / "my" / "ae_pytorch.py"
    knock("start", "ae", "-f", "pytorch")
    code, out, err = knock("check", "01")
    assert (code, err) == (1, "")
    assert out.splitlines()[0] == "01 ae in PyTorch: my/ae_pytorch.py"
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["·", part] for part in ("networks", "losses", "step", "sampling")
    ]
    assert out.splitlines()[3] == "  · step         to do: Autoencoder.train_step"
    assert cells(knock("progress")[1])["ae"] == ["◐ 0 of 4", "–", "–", "–"]

    begun = file.read_text(encoding="utf-8")
    loss = "return (reconstruction - images).square().mean()"
    file.write_text(
        begun.replace('raise NotImplementedError("TODO losses: reconstruction_loss")', loss),
        encoding="utf-8",
    )
    _, out, _ = knock("check", "ae")
    assert "\n  ✓ losses\n  · step " in out
    assert cells(knock("progress")[1])["ae"] == ["◐ 1 of 4", "–", "–", "–"]
    _, out, _ = knock("next")
    assert out.splitlines()[:2] == [
        "01 ae in PyTorch, in my/ae_pytorch.py: left: networks, step, sampling",
        "Check: knock check ae",
    ]

    file.write_text(ours, encoding="utf-8")
    code, out, _ = knock("check", "ae")
    assert code == 0
    assert "\n  ✓ sampling\n\n  ✓ parameters " in out
    assert cells(knock("progress")[1])["ae"] == ["✓", "–", "–", "–"]
    assert knock("next")[1].startswith("02 convae: ")
    monkeypatch.setattr("knock.check.judge.check", lambda *_: pytest.fail("it passed already"))
    assert knock("solution", "ae") == (0, ours, "")

    file.write_text(ours.replace("loss.backward()", "(-loss).backward()"), encoding="utf-8")
    assert cells(knock("progress")[1])["ae"][0] == "◐ changed"
    assert "it has changed since it passed" in knock("next")[1]
    code, out, _ = knock("check", "ae")
    assert code == 1
    assert "\n  ✓ losses\n  ✗ step         gradients: " in out
    assert cells(knock("progress")[1])["ae"][0] == "◐ 3 of 4"
    assert lines(tmp_path)[0]["passed"] == ""
    knock("reset", "ae", "-f", "pytorch")
    assert cells(knock("progress")[1])["ae"][0] == "◐ 0 of 4"


@pytest.fixture
def checked(monkeypatch):
    """Every check reports at once that the first part is done."""
    report = learner.Report([learner.Part("networks", "done"), learner.Part("step", "to do", "x")])
    monkeypatch.setattr(learner, "look", lambda *_, **__: report)


@pytest.mark.usefixtures("checked")
def test_only_what_is_in_my_or_was_begun_is_remembered(knock, tmp_path):
    for path in ("other_keras.py", "my/deep/ae_keras.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n", encoding="utf-8")
    knock("check", "ae", "other_keras.py")
    assert not (tmp_path / FILE).exists()
    knock("check", "ae", "my/deep/ae_keras.py")
    assert [(one["file"], one["done"]) for one in lines(tmp_path)] == [
        ("my/deep/ae_keras.py", ["networks"])
    ]
    knock("start", "gan", "-f", "chainer", "--out", "begun.py")
    assert lines(tmp_path)[1]["done"] == []
    code, out, _ = knock("check", "gan")
    assert (code, out.splitlines()[0]) == (1, "05 gan in Chainer: begun.py")
    assert lines(tmp_path)[1]["done"] == ["networks"]


@pytest.mark.usefixtures("checked")
def test_without_a_file_the_last_answer_is_checked_or_that_of_the_framework(
    knock, tmp_path, monkeypatch
):
    knock("start", "gan", "-f", "keras")
    knock("start", "gan", "-f", "chainer")
    assert knock("check", "gan")[1].startswith("05 gan in Chainer: my/gan_chainer.py")
    assert knock("check", "gan", "-f", "keras")[1].startswith("05 gan in Keras: my/gan")
    assert knock("check", "gan")[1].startswith("05 gan in Keras: ")  # the last one now
    (tmp_path / FILE).unlink()
    assert knock("check", "gan")[1].startswith("05 gan in Keras: ")
    asked = []
    monkeypatch.setattr(command, "_all", lambda question, seed: asked.append(question.name) or 0)
    code, out, err = knock("check", "ae")  # ours is never judged in place of the learner's
    assert (code, out, err.count("\n"), asked) == (2, "", 1, [])
    assert "you have no answer to question 01 ae here" in err
    assert "knock check ae --ours checks ours" in err
    assert knock("check", "gan", "--ours") == (0, "", "")
    assert asked == ["gan"]
    code, out, err = knock("check", "gan", "my/gan_keras.py", "--ours")
    assert (code, out, err) == (2, "", "knock: either --ours or my/gan_keras.py, not both\n")
    (tmp_path / "my" / "gan_keras.py").unlink()
    code, _, err = knock("solution", "gan", "-f", "keras")
    assert (code, err.count("\n")) == (2, 1)


def test_our_own_answers_are_checked_and_not_remembered(knock, tmp_path, monkeypatch):
    monkeypatch.setattr("knock.check.check", lambda *_: [])
    code, out, _ = knock("check", "gan", str(paths.ANSWERS / "gan_keras.py"))
    assert (code, out.splitlines()) == (
        0,
        ["05 gan in Keras: our answer, gan_keras.py", "  0 passed, 0 failed"],
    )
    assert not (tmp_path / "my").exists()


# Whatever happens to the file


@pytest.mark.parametrize(
    "junk",
    [
        b"{",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"question": "ae", "framework": "keras", "file": 3}',
        b'{"question": "ae", "framework": "keras", "file": "a\\u0000b"}',
        b"\0" * 4096,
    ],
    ids=lambda junk: repr(junk[:20]),
)
def test_a_damaged_line_does_not_affect_the_others_and_is_kept(knock, tmp_path, remember, junk):
    remember(("ae", "pytorch", True), ("gan", "keras", False))
    first, second = (tmp_path / FILE).read_bytes().splitlines()
    damaged = b"\n".join([first, junk, second])
    (tmp_path / FILE).write_bytes(damaged)
    code, out, err = knock("progress")
    assert (code, err) == (
        0,
        f"knock: {FILE} is damaged (line 2); the lines that can be read are used\n",
    )
    assert (cells(out)["ae"][0], cells(out)["gan"][2]) == ("✓", "◐ 1 of 4")
    assert (tmp_path / FILE).read_bytes() == damaged
    _, _, err = knock("start", "vae", "-f", "keras")
    assert err.count("\n") == 1 and "the old one is my/progress.old-1.jsonl" in err
    assert (tmp_path / "my" / "progress.old-1.jsonl").read_bytes() == damaged
    assert [one["question"] for one in lines(tmp_path)] == ["ae", "gan", "vae"]
    assert knock("progress")[2] == ""


def test_what_a_later_version_adds_is_ignored_and_kept(knock, tmp_path, remember):
    remember(("ae", "pytorch", True))
    more = '{"question": "later", "framework": "jax", "file": "my/a.py", "stars": 3}\n'
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write(more)
    (tmp_path / "my" / "a.py").write_text("", encoding="utf-8")
    assert (knock("progress")[0], knock("progress")[2]) == (0, "")
    assert knock("next")[1].startswith("02 convae")
    remember(("gan", "keras", False))
    assert [one["question"] for one in lines(tmp_path)] == ["ae", "later", "gan"]


@pytest.mark.usefixtures("checked")
def test_a_check_whose_result_cannot_be_saved_is_still_shown(knock, tmp_path):
    (tmp_path / FILE).mkdir(parents=True)
    (tmp_path / "my" / "ae_keras.py").write_text("x = 1\n", encoding="utf-8")
    code, out, err = knock("check", "ae", "my/ae_keras.py")
    assert (code, out.count("\n"), err.count("\n")) == (1, 3, 1)
    assert "your progress was not saved" in err
    assert sorted(os.listdir(tmp_path / "my")) == ["ae_keras.py", "progress.jsonl"]


# What comes next


@pytest.mark.parametrize(
    ("known", "words", "said"),
    [
        ([], [], ["01 ae: ", "Begin: knock start ae\n"]),
        ([], ["-f", "keras"], ["01 ae: ", "Begin: knock start ae --framework keras\n"]),
        ([("ae", "keras", True)], [], ["02 convae: ", "Begin: knock start convae --framework ker"]),
        ([("gan", "keras", True)], [], ["06 dcgan: ", "knock start dcgan --framework keras"]),
        (
            [(all_questions()[-1].name, "keras", True)],
            [],
            ["01 ae: ", "knock start ae --framework keras"],
        ),
        (
            [
                (all_questions()[-1].name, "keras", True),
                ("ae", "keras", True),
                ("convae", "keras", True),
            ],
            [],
            ["03 vae: "],
        ),
        (
            [("ae", "keras", False), ("gan", "chainer", False), ("vae", "keras", True)],
            [],
            ["05 gan in Chainer, in my/gan_chainer.py: left: losses, step, sampling\n"],
        ),
        (
            [("ae", "keras", False), ("gan", "chainer", False)],
            ["-f", "keras"],
            ["01 ae in Keras, "],
        ),
        ([("ae", "keras", False), ("ae", "chainer", True)], [], ["02 convae: "]),
        ([("ae", "keras", True)], ["-f", "chainer"], ["01 ae: ", "ae --framework chainer"]),
        ([(q.name, "keras", True) for q in all_questions()], [], ["questions are done"]),
    ],
)
def test_what_was_begun_comes_first_then_the_next_open_question(
    knock, remember, known, words, said
):
    remember(*known)
    code, out, err = knock("next", *words)
    assert (code, err) == (0, "")
    for text in said:
        assert text in out
    assert out.startswith(said[0]) or len(known) == len(all_questions())


def test_a_question_whose_file_is_gone_starts_over(knock, tmp_path, remember):
    remember(("ae", "keras", False))
    (tmp_path / "my" / "ae_keras.py").unlink()
    assert cells(knock("progress")[1])["ae"] == ["–"] * 4
    assert knock("next")[1].splitlines()[1] == "Begin: knock start ae"


def test_an_unknown_framework_is_one_line(knock):
    code, out, err = knock("next", "-f", "numpy")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_several_processes_at_once_lose_no_line(tmp_path, monkeypatch):
    """Threads here: a lock belongs to the opened folder, and each opens its own."""
    monkeypatch.chdir(tmp_path)
    names = [f"q{number}" for number in range(24)]

    def write(name):
        progress._remember(progress.Answer(name, "keras", f"my/{name}.py"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, names))
    assert sorted(line["question"] for line in lines(tmp_path)) == sorted(names)
