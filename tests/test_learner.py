"""What learners do with a question: begin, see our answer, compare, start over."""

import re

from knock import files, frameworks, paths
from knock.errors import UserError
from knock.learner import answers
from knock.scripts import side_by_side
from tests.helpers import answer
from tests.test_cli import needs_torch

import pytest

# Begin


def test_start_writes_a_starter_and_says_what_comes_next(knock, tmp_path):
    code, out, _ = knock("start", "06", "--framework", "keras")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("my/dcgan_keras.py: 06 dcgan in Keras")
    assert [line.split()[0] for line in lines[1:5]] == ["networks", "losses", "step", "sampling"]
    assert lines[1].split(maxsplit=1)[1] == "Generator, Discriminator"  # no helper of Chainer's
    assert "Then: knock check dcgan" in lines
    text = (tmp_path / "my" / "dcgan_keras.py").read_text(encoding="utf-8")
    assert 'NotImplementedError("TODO step: DCGAN.train_step")' in text
    assert "    knock check dcgan my/dcgan_keras.py\n" in text


def test_without_a_framework_the_first_installed_is_taken_or_the_one_in_the_files_name(
    knock, tmp_path, monkeypatch
):
    monkeypatch.setattr(frameworks, "installed", lambda: ["chainer", "keras"])
    assert knock("start", "ae")[0] == 0
    assert knock("start", "ae", "--out", "a_keras.py")[0] == 0
    _, out, _ = knock("start", "ae", "--out", "deep/down/a.py")
    assert "Then: knock check ae\n" in out
    text = (tmp_path / "deep/down/a.py").read_text(encoding="utf-8")
    assert "\n    knock check ae deep/down/a.py --framework chainer\n" in text
    assert "import chainer" in (tmp_path / "my" / "ae_chainer.py").read_text(encoding="utf-8")
    assert "import keras" in (tmp_path / "a_keras.py").read_text(encoding="utf-8")
    assert "import chainer" in (tmp_path / "deep/down/a.py").read_text(encoding="utf-8")


def test_a_file_that_is_there_is_refused_or_kept(knock, tmp_path):
    file = tmp_path / "my" / "gan_keras.py"
    knock("start", "gan", "-f", "keras")
    fresh = file.read_text(encoding="utf-8")
    file.write_text("mine\n", encoding="utf-8")
    code, out, err = knock("start", "gan", "-f", "keras")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "my/gan_keras.py exists already; with --force" in err
    assert file.read_text(encoding="utf-8") == "mine\n"
    _, out, _ = knock("start", "gan", "-f", "keras", "--force")
    assert "Your old file is now my/gan_keras.old-1.py" in out
    file.write_text("mine again\n", encoding="utf-8")
    _, out, _ = knock("reset", "gan", "-f", "keras")
    assert "Your old file is now my/gan_keras.old-2.py" in out
    assert file.read_text(encoding="utf-8") == fresh
    assert file.with_name("gan_keras.old-1.py").read_text(encoding="utf-8") == "mine\n"
    assert file.with_name("gan_keras.old-2.py").read_text(encoding="utf-8") == "mine again\n"


def test_reset_of_a_question_that_was_never_begun_begins_it(knock, tmp_path):
    _, out, _ = knock("reset", "gan", "-f", "keras")
    assert "Your old file" not in out
    assert (tmp_path / "my" / "gan_keras.py").is_file()


def test_if_the_new_file_cannot_be_written_nothing_changes(knock, tmp_path, monkeypatch):
    knock("start", "gan", "-f", "keras")
    file = tmp_path / "my" / "gan_keras.py"
    file.write_text("mine\n", encoding="utf-8")
    write = files.write_atomically

    def full(path, data):
        if path.name == file.name:
            raise UserError("the disk is full")
        write(path, data)

    monkeypatch.setattr(answers, "write_atomically", full)
    assert knock("reset", "gan", "-f", "keras")[0] == 2
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, "progress.jsonl"]
    assert file.read_text(encoding="utf-8") == "mine\n"


def test_a_folder_that_cannot_be_made_is_one_line(knock, tmp_path):
    (tmp_path / "my").write_text("", encoding="utf-8")
    code, _, err = knock("start", "gan", "-f", "keras")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot write my" in err


def test_a_question_without_answers_cannot_be_begun(knock, monkeypatch):
    monkeypatch.setattr("knock.paths.ANSWERS", paths.QUESTIONS)
    for words in (["start", "ae"], ["solution", "ae", "--give-up"], ["run", "ae"]):
        assert knock(*words) == (2, "", "knock: question 01 ae has no answer yet\n")


# Our answer


@needs_torch
def test_our_answer_is_shown_once_the_learners_passes(knock, tmp_path, monkeypatch):
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])  # and import no other
    ours = answer("vae_latent", "pytorch").read_text(encoding="utf-8")
    knock("start", "vae_latent", "-f", "pytorch")
    code, out, err = knock("solution", "vae_latent")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "my/vae_latent_pytorch.py has not passed yet (parameters)" in err
    assert "knock check vae_latent says why" in err
    assert "--give-up" in err
    assert knock("solution", "vae_latent", "--give-up") == (0, ours, "")
    (tmp_path / "my" / "vae_latent_pytorch.py").write_text(ours, encoding="utf-8")
    assert knock("solution", "04") == (0, ours, "")


def test_our_answer_is_in_the_framework_that_was_begun(knock, monkeypatch):
    ours = {f: answer("gan", f).read_text(encoding="utf-8") for f in ("chainer", "keras")}
    monkeypatch.setattr(frameworks, "installed", lambda: ["keras"])
    assert knock("solution", "gan", "--give-up")[1] == ours["keras"]
    knock("start", "gan", "-f", "chainer")
    assert knock("solution", "gan", "--give-up")[1] == ours["chainer"]
    assert knock("solution", "gan", "any_keras.py", "--give-up")[1] == ours["keras"]
    assert knock("solution", "gan", "-f", "keras", "--give-up")[1] == ours["keras"]


# Side by side


def test_two_answers_are_side_by_side_in_the_width_of_the_terminal(knock):
    code, out, _ = knock("diff", "06", "keras", "pytorch")
    lines = out.splitlines()
    assert code == 0
    assert re.fullmatch(r"Keras +PyTorch", lines[0])
    assert max(map(len, lines)) <= 120
    (line,) = (line for line in lines if line.lstrip().startswith("self.tconv2"))
    assert line.count("self.tconv2") == 2  # each next to its counterpart, whatever comes before it
    assert line[59] == side_by_side.CHANGED
    (line,) = (line for line in lines if line.startswith("def called_fake"))
    assert line[59] == side_by_side.SAME
    assert re.fullmatch(r"\d+ lines are the same, \d+ differ", lines[-1])


def test_our_answers_to_two_questions_are_side_by_side(knock):
    code, out, _ = knock("diff", "gan", "6", "keras")
    assert (code, out.splitlines()[0].split()) == (0, ["gan_keras.py", "dcgan_keras.py"])
    assert knock("diff", "gan", "5")[::2] == (2, "knock: gan and 5 are one question; name two\n")
    code, _, error = knock("diff", "gan", "dcgann")
    assert code == 2 and error.startswith("knock: no question 'dcgann'"), error


@pytest.mark.parametrize("name", ["wgan_gp", "lapgan"])
def test_side_by_side_loses_no_line_of_either(name):
    sides = [
        side_by_side.Side(framework, answer(name, framework).read_text(encoding="utf-8"))
        for framework in ("pytorch", "chainer")
    ]
    rows = side_by_side.rows(*sides)
    assert [left for left, mark, _ in rows if mark != side_by_side.RIGHT] == sides[0].lines
    assert [right for _, mark, right in rows if mark != side_by_side.LEFT] == sides[1].lines
    for left, mark, right in rows:
        if mark in (side_by_side.SAME, side_by_side.CHANGED):
            assert (mark == side_by_side.SAME) == (left == right)
            beginnings = [re.match(r"(?:def|class) \w+|", line)[0] for line in (left, right)]
            assert beginnings[0] == beginnings[1]


def test_a_file_may_be_compared_even_before_it_is_python(knock, tmp_path):
    (tmp_path / "mine.py").write_text("def half(\n\tx̂ 漢字\n", encoding="utf-8")
    code, out, _ = knock("diff", "ae", "mine.py", "keras")
    assert code == 0
    assert out.startswith("mine.py ")
    (line,) = (line for line in out.splitlines() if "漢字" in line)
    assert (
        line[58] == side_by_side.CHANGED
    )  # two characters take two columns each, and one takes none


def test_a_file_that_is_not_text_is_one_line(knock, tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe")
    assert (
        knock("diff", "ae", "mine.py", "keras")[2]
        == "knock: mine.py is not text; name a script or a notebook\n"
    )


def test_the_page_needs_no_other_file(knock, tmp_path):
    (tmp_path / "a<b.py").write_text("x = '<i>'\n", encoding="utf-8")
    code, out, _ = knock("diff", "ae", "keras", "a<b.py", "--html", "diff.html")
    assert (code, out) == (0, "diff.html: open it in a browser\n")
    text = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert "<title>01 ae: Keras and a&lt;b.py</title>" in text
    assert "<i>" not in text
    assert "a<b" not in text
    assert not re.search(r'src=|href="[^#]|@import|url\(', text)
    assert "reconstruction_loss" in text


def test_a_page_of_the_user_s_is_not_replaced_but_ours_is(knock, tmp_path):
    page, words = tmp_path / "diff.html", ("diff", "ae", "keras", "pytorch", "--html", "diff.html")
    page.write_text("<p>mine</p>", encoding="utf-8")
    assert "did not make it; choose another --html" in knock(*words)[2]
    assert page.read_text(encoding="utf-8") == "<p>mine</p>"
    page.unlink()
    assert [knock(*words)[0] for _ in range(2)] == [0, 0]
