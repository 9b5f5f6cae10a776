"""Without a name, a command means the question in hand; after a pass, it says what comes next."""

import io
import os
import shlex
import subprocess
import sys

from knock import frameworks, paths
from knock.check import judge, parts
from knock.commands import check as command
from knock.errors import UserError
from knock.learner import answers, editor, in_hand, overview
from knock.learner.watch import loop
from knock.questions import find
from knock.scripts import side_by_side

import pytest

GAN = "In hand: 05 gan in Keras, my/gan_keras.py\n"


@pytest.fixture
def begun(knock, monkeypatch):
    """Two questions are begun, 05 last; each check reports at once what the returned dict says."""
    found = {"passes": False}
    passed = [judge.Result("loss", "passed", 0.0, 1e-12, "")]

    def look(*_, **__):
        status = "done" if found["passes"] else "to do"
        return parts.Report([parts.Part("step", status)], passed if found["passes"] else None)

    monkeypatch.setattr(parts, "look", look)
    knock("start", "ae", "-f", "chainer")
    knock("start", "gan", "-f", "keras")
    return found


@pytest.mark.usefixtures("begun")
def test_without_a_name_the_question_begun_or_checked_last_is_meant(knock, monkeypatch):
    code, out, err = knock("check")
    assert (code, err) == (1, GAN)
    assert out.startswith("05 gan in Keras: my/gan_keras.py\n")
    assert knock("hint") == (*knock("hint", "gan")[:2], GAN)
    monkeypatch.setattr(judge, "check", lambda *_: [judge.Result("loss", "failed", 1.0, 0.0, "")])
    code, _, err = knock("solution")
    assert (code, err.startswith(f"{GAN}knock: my/gan_keras.py has not passed yet")) == (1, True)
    watched = []
    monkeypatch.setattr(loop, "watch", lambda *given: watched.append(given) or 0)
    assert knock("watch") == (0, "", GAN)
    (given,) = watched
    assert (given[0].name, given[1], given[2].as_posix()) == ("gan", "keras", "my/gan_keras.py")
    assert knock("check", "-f", "chainer")[2] == "In hand: 01 ae in Chainer, my/ae_chainer.py\n"
    assert knock("hint")[2] == "In hand: 01 ae in Chainer, my/ae_chainer.py\n"  # the last one now
    assert knock("check", "gan")[2] == ""


@pytest.mark.usefixtures("begun")
def test_a_file_alone_tells_its_question(knock, tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "wgan_gp_keras_2.py").write_text("x = 1\n", encoding="utf-8")
    assert knock("check", "wgan_gp_keras_2.py")[1].startswith("10 wgan_gp in Keras: wgan_gp_")
    assert knock("check", "my/ae_chainer.py")[1].startswith("01 ae in Chainer: ")
    knock("start", "vae", "-f", "keras", "--out", "other.py")
    assert in_hand.meant("other.py", None)[0].name == "vae"
    code, out, err = knock("check", "mine.py", "-f", "keras")
    assert (code, out) == (2, "")
    assert err == "knock: which question does mine.py answer? Name it: knock check ae mine.py\n"


@pytest.mark.parametrize("command", ["check", "hint", "watch", "solution", "diff"])
def test_with_nothing_in_hand_a_line_says_how_to_begin(knock, command):
    assert knock(command) == (
        2,
        "",
        "knock: no question is in hand here; begin one with knock start ae, or name one\n",
    )


def test_what_is_in_hand_survives_lost_progress_and_lost_files(knock, tmp_path, begun):
    (tmp_path / "my" / paths.PROGRESS).unlink()
    os.utime(tmp_path / "my" / "ae_chainer.py", (1, 1))
    assert in_hand.last(None)[0].name == "gan"  # the one saved last
    os.utime(tmp_path / "my" / "gan_keras.py", (0, 0))
    assert in_hand.last(None)[0].name == "ae"
    assert in_hand.last("keras")[0].name == "gan"
    knock("start", "vae", "-f", "keras")
    (tmp_path / "my" / "vae_keras.py").unlink()
    assert in_hand.last(None)[0].name == "ae"
    with pytest.raises(UserError, match="knock start ae --framework pytorch"):
        in_hand.last("pytorch")
    with pytest.raises(UserError, match="no framework 'jax'"):
        in_hand.last("jax")


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("folder", ["my", "my/deep", "notes"])
def test_the_same_is_in_hand_from_within_the_folder_and_beside_it(
    knock, tmp_path, monkeypatch, folder
):
    before = (tmp_path / "my" / paths.PROGRESS).read_text(encoding="utf-8")
    (tmp_path / folder).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / folder)
    code, out, err = knock("check")
    shown = f"{os.path.relpath(tmp_path)}/my/gan_keras.py"
    assert (code, err) == (1, f"In hand: 05 gan in Keras, {shown}\n")
    assert out.startswith(f"05 gan in Keras: {shown}\n")
    assert knock("check", "ae")[1].startswith("01 ae in Chainer: ")
    assert knock("check", "ae", "-f", "keras")[0] == 2  # ours is not judged instead
    knock("start", "vae", "-f", "keras")
    assert (tmp_path / "my" / "vae_keras.py").is_file()
    after = (tmp_path / "my" / paths.PROGRESS).read_text(encoding="utf-8")
    assert [line.split(",")[2] for line in after.splitlines()] == [
        *sorted((line.split(",")[2] for line in before.splitlines()), reverse=True),
        '"file":"my/vae_keras.py"',
    ]


def test_after_the_last_pass_the_next_three_commands_are_named_once(knock, begun, tmp_path):
    assert "knock next" not in knock("check")[1]
    begun["passes"] = True
    assert knock("check", "--json")[1].count("\n") == 1
    with (tmp_path / "my" / "gan_keras.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    code, out, _ = knock("check")
    assert code == 0
    assert out.endswith(
        "\n\n05 gan is done. And now:\n"
        "  python my/gan_keras.py  # train it\n"
        "  knock solution gan      # our answer, to compare with yours\n"
        "  knock next              # what comes next, and the command for it\n"
    )
    assert "knock next" not in knock("check")[1]


def test_what_cannot_be_trained_by_itself_is_not_offered_for_it(tmp_path):
    script = tmp_path / "a.py"
    script.write_text("def f(): pass\n", encoding="utf-8")  # as a notebook's check writes it
    assert "python" not in overview.passed(find("ae"), script)
    script.write_text('if __name__ == "__main__": main()\n', encoding="utf-8")
    assert "# train it" in overview.passed(find("ae"), script)
    assert "# look into a run of vae" in overview.passed(find("vae_latent"), script)
    assert "python" not in overview.passed(find("ae"), script.with_suffix(".ipynb"))


def test_diff_alone_is_yours_and_ours_once_yours_passes(knock, begun, monkeypatch):
    shown = []
    monkeypatch.setattr(side_by_side, "show", lambda *given: shown.append(given) or "")
    code, out, err = knock("diff")
    assert (code, out, shown) == (2, "", [])
    assert "my/gan_keras.py has not passed yet; knock diff gan keras my/gan_keras.py" in err
    begun["passes"] = True
    knock("check")
    for words in ([], ["gan"], ["keras", "pytorch"], ["ae", "keras", "pytorch"]):
        assert knock("diff", *words)[0] == 0
    assert [given[:3] for given in shown] == [
        ("gan", "my/gan_keras.py", "keras"),
        ("gan", "my/gan_keras.py", "keras"),
        ("gan", "keras", "pytorch"),
        ("ae", "keras", "pytorch"),
    ]


def test_a_check_of_ours_says_each_framework_as_it_begins(knock, monkeypatch, begun):
    monkeypatch.setattr(frameworks, "installed", lambda: ["keras", "chainer"])
    there = []

    def check(words):
        there.append((words[words.index("--framework") + 1], sys.stderr.getvalue()))
        return subprocess.CompletedProcess(words, len(there) - 1)

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(command.subprocess, "run", check)
    assert knock("check", "--ours")[0] == 1
    said = f"{GAN}Keras …\n"
    assert there == [("keras", said), ("chainer", f"{said}Chainer …\n")]


# The editor


def test_start_opens_the_editor_with_its_own_arguments(knock, tmp_path, monkeypatch):
    program = tmp_path / "an editor.py"
    program.write_text("import sys; open('seen', 'w').write(repr(sys.argv[1:]))", encoding="utf-8")
    monkeypatch.setenv("EDITOR", "no-such-editor")
    monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(program), "-w"]))
    code, out, err = knock("start", "ae", "-f", "keras", "--open")
    assert (code, err) == (0, "")
    assert "Then: knock check ae" in out
    assert (tmp_path / "seen").read_text() == repr(["-w", str(answers.paths.my() / "ae_keras.py")])


@pytest.mark.parametrize(
    ("visual", "said"),
    [
        ("", '--open needs your editor: set VISUAL or EDITOR to it, such as "code -w"'),
        ("no-such-editor -w", "no program 'no-such-editor', which VISUAL names as your editor"),
        ('code "-w', "VISUAL is 'code \"-w': No closing quotation"),
    ],
)
def test_without_an_editor_nothing_is_begun(knock, tmp_path, monkeypatch, visual, said):
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("VISUAL", visual)
    assert knock("start", "ae", "-f", "keras", "--open") == (2, "", f"knock: {said}\n")
    assert list(tmp_path.iterdir()) == []


def test_an_editor_that_fails_is_said_and_the_file_stays(tmp_path):
    file = tmp_path / "a.py"
    file.touch()
    with pytest.raises(UserError, match=r"ended with exit code 3; .*a.py is written"):
        editor.open_in([sys.executable, "-c", "raise SystemExit(3)"], file)


def test_no_script_is_written_into_a_notebook(knock, tmp_path):
    (tmp_path / "a.ipynb").write_text("{}", encoding="utf-8")
    code, _, err = knock("reset", "ae", "-f", "keras", "--out", "a.ipynb")
    assert (code, err.count("\n")) == (2, 1)
    assert "knock notebook ae --starter makes one" in err
    assert (tmp_path / "a.ipynb").read_text(encoding="utf-8") == "{}"
