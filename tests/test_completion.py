"""The Tab key: what a shell is told may come next."""

import io
import os

from knock import cli, frameworks, paths, questions
from knock.cli import completion
from knock.training import record
from tests.helpers import run

import pytest


class Told(Exception):
    """Raised where a process would end."""


@pytest.fixture
def next_words(monkeypatch, tmp_path):
    """A function that says what may come next on a line, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    # It would take the file that pytest has opened as number 9.
    monkeypatch.setattr(
        "argcomplete.finders.CompletionFinder._init_debug_stream", lambda self: None
    )

    def ask(line: str, shell: str = "bash") -> list[str]:
        for name, value in {
            completion.ASKED: "1",
            "_ARGCOMPLETE_SHELL": shell,
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }.items():
            monkeypatch.setenv(name, value)

        def leave(code):
            raise Told

        stream = io.StringIO()
        with pytest.raises(Told):
            completion.answer(exit_method=leave, output_stream=stream)
        return stream.getvalue().split("\n")

    return ask


NAMES = [question.name for question in questions.all_questions()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("knock ", cli.names()),
        ("knock ch", ["check"]),
        ("knock run ", NAMES),
        ("knock check dcg", ["dcgan", "dcgan_inside"]),
        ("knock check ae --framework ", list(frameworks.FRAMEWORKS)),
        ("knock run --framework keras dcgan --data", ["--dataset", "--data"]),
        ("knock run dcgan --dataset mn", ["mnist"]),
        ("knock run dcgan --dataset=m", ["--dataset=mnist"]),
        ("knock run ae --device c", ["cpu", "cuda"]),
        ("knock compare ae --frameworks keras,p", ["keras,pytorch"]),
        ("knock compare ae --ou", ["--out"]),
        ("knock run dcgan --set optimizers.d_optimizer.l", ["optimizers.d_optimizer.lr="]),
        ("knock hint --part ", ["all"]),
        ("knock hint gan --part ", ["networks", "losses", "step", "sampling", "all"]),
        ("knock verify ae wgan", ["wgan", "wgan_gp"]),
        ("knock diff ae k", ["keras"]),
        ("knock run vae_latent --v", ["--vae"]),
        ("knock fly --", ["--help", "--version"]),
        ("knock check --framework jax nothing --j", ["--json"]),
        ("knock check 'ae", ["ae"]),
    ],
)
def test_what_comes_next(next_words, line, words):
    assert next_words(line) == words


def test_runs_are_named(next_words, tmp_path):
    runs = [os.path.join("runs", "ae_pytorch"), os.path.join("runs", "both", "gan_keras")]
    for folder in runs:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / record.FILE_NAME).touch()
    (tmp_path / "runs" / "notes").mkdir()
    assert next_words("knock score ") == next_words("knock run ae --resume ") == runs


def test_the_parts_are_those_of_the_question_in_hand(next_words, tmp_path):
    begun = tmp_path / "my" / "vae_pytorch.py"
    begun.parent.mkdir()
    begun.touch()
    assert next_words("knock hint --part ") == [*questions.find("vae").parts, "all"]


def test_files_are_offered_and_where_only_an_answer_will_do_only_those(next_words, tmp_path):
    (tmp_path / "my").mkdir()
    for name in ("one.py", "one.ipynb", "one.txt", ".hidden"):
        (tmp_path / "my" / name).touch()
    answers = [os.path.join("my", name) for name in ("one.ipynb", "one.py")]
    assert next_words("knock check ae m") == ["my/"]
    assert next_words("knock check ae my/") == answers
    assert next_words("knock data digits --out my/o") == [*answers, os.path.join("my", "one.txt")]
    assert next_words("knock data digits --out nowhere/") == [""]


def test_zsh_is_told_what_each_command_does(next_words):
    assert next_words("knock li", "zsh") == [f"list:{cli.load('list').HELP}"]


@pytest.mark.parametrize("line", ["knock ", "knock run dcgan --preset "])
def test_it_imports_no_framework(line, tmp_path):
    program = (
        "import os, sys\n"
        "os.environ['_ARGCOMPLETE'] = '1'\n"
        f"os.environ |= {{'COMP_LINE': {line!r}, 'COMP_POINT': '{len(line)}'}}\n"
        "from knock.cli import completion\n"
        "def leave(code):\n"
        "    heavy = {'torch', 'tensorflow', 'keras', 'chainer', 'matplotlib', 'sklearn', 'cv2'}\n"
        "    print('\\nIMPORTED', sorted(heavy & set(sys.modules)))\n"
        "    sys.exit(code)\n"
        "completion.answer(exit_method=leave, output_stream=sys.stdout)\n"
    )
    assert "IMPORTED []" in run("-c", program, cwd=paths.ROOT).stdout
