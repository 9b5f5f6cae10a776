"""The command line: quick answers, and one clear line for every wrong input."""

import importlib.util
import os
import re
import shutil
import signal

from knock import __version__ as knock_version
from knock import cli, frameworks, paths
from tests.helpers import TINY, answer, knock, one_line, run, run_here

import pytest

needs_torch = pytest.mark.skipif("pytorch" not in frameworks.installed(), reason="needs PyTorch")


LIGHT = ("--help", "--version", "list", "hint", "chekc")
"""The commands that need not even NumPy."""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["chekc"],
        ["list"],
        ["doctor"],
        ["run", "ae", "--help"],
        ["run", "ae", "--steps", "0"],
        ["start", "ae", "--out", "answers"],
        ["hint", "ae"],
        ["solution", "ae", "--give-up"],
        ["diff", "ae", "pytorch", "keras"],
        ["notebook", "ae", "--out", "answers"],
    ],
    ids=" ".join,
)
def test_no_framework_is_imported_for(words):
    program = (
        "import sys\n"
        "from knock.cli import main\n"
        f"try: main({words})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'chainer', 'matplotlib', 'sklearn'}\n"
        f"heavy |= {set() if words[0] not in LIGHT else {'numpy', 'asyncio'}}\n"
        "print('IMPORTED', sorted(heavy & set(sys.modules)))\n"
    )
    done = run("-c", program, cwd=paths.ROOT)
    assert "IMPORTED []" in done.stdout, done.stdout + done.stderr


def test_list_names_every_question_and_framework(tmp_path):
    done = knock("list", cwd=tmp_path)
    assert done.returncode == 0
    first, second, *_ = done.stdout.splitlines()
    assert first.split() == [
        "01",
        "ae",
        "Autoencoder",
        *["pytorch,", "tensorflow,", "keras,", "chainer"],
    ]
    assert second.startswith("02 convae")


def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path):
    """In a Python that does not find two of the frameworks."""
    program = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n in ('torch', 'keras') else find(n, *a)\n"
        "from knock.cli import main; main(['doctor'])\n"
    )
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'missing torch: pip install -e ".[pytorch]"' in done.stdout
    assert 'missing keras: pip install -e ".[keras]"' in done.stdout


def test_a_folder_with_a_frameworks_name_does_not_count_as_one(tmp_path):
    (tmp_path / "sonnet").mkdir()
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from knock.frameworks import Framework\n"
        "print(Framework('sonnet', 'Sonnet', ('sonnet',)).missing)\n"
    )
    assert run("-c", program, cwd=tmp_path).stdout.strip() == "('sonnet',)"


def test_without_pytest_the_command_that_gets_it_is_named(tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda n, *a: None if n == "xdist" else find(n, *a)
    )
    with pytest.raises(SystemExit) as left:
        cli.main(["test"])
    assert left.value.code == 2
    assert 'pip install -e ".[test]"' in capsys.readouterr().err


def test_a_missing_framework_names_the_command_that_installs_it(tmp_path):
    program = (
        "import importlib.util as u, runpy, sys; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'torch' else find(n, *a)\n"
        f"sys.argv = ['x']; runpy.run_path({str(answer('ae', 'pytorch'))!r}, run_name='__main__')\n"
    )
    line = one_line(run("-c", program, cwd=tmp_path))
    assert line == 'knock: PyTorch needs torch, not installed here: pip install -e ".[pytorch]"'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paint"], "paint"),
        (["list", "--fast"], "unknown option '--fast'"),
        (["run", "cats"], "no question 'cats'; there are: 01 ae, 02 convae"),
        (["run", "ae", "--framework", "jax"], "no framework 'jax'; choose from: pytorch"),
        (["run", "ae", "--steps", "0"], "--steps: must be a whole number of at least 1"),
        (["run", "ae", "--set", "colour=3"], "--set: unknown key colour"),
        (["run", "ae", "--init", "a", "--resume"], "--resume: not allowed with argument --init"),
        (["run", "ae", "--steps", "-1"], "--steps: must be a whole number of at least 1, not '-1'"),
        (["run", "ae", "--steps", "1e3"], "--steps"),
        (["run", "ae", "--lr", "0"], "--lr: must lie above 0"),
        (["run", "ae", "--lr", "nan"], "--lr: must lie above 0"),
        (["run", "ae", "--seed", "-1"], "--seed"),
        (["run", "ae", "--batch-size", "many"], "--batch-size"),
        (["run", "ae", "--device", "tpu"], "--device"),
        (["run", "ae", "--dtype", "float16"], "--dtype"),
        (["run", "ae", "--size", "64x64x64"], "--size"),
        (["run", "ae", "--size", "50000"], "at most 1024 pixels, not '50000'"),
        (["run", "ae", "--shade", "red"], "--shade"),
        (["run", "ae", "--resume", "a", "--test", "b"], "--test"),
        (["compare", "ae", "--frameworks", "pytorch,jax"], "no framework 'jax'"),
        (["compare", "ae", "--steps", "0"], "--steps"),
        (["compare", "nothing"], "no question 'nothing'"),
        (["check", "ae", "nothing_pytorch.py"], "no file"),
        (["check", "ae", "mine.py"], "no file mine.py"),
        (["check", "ae", "."], ". is a folder; name a file"),
        (["check", "99"], "no question '99'"),
        (["start", "cats"], "no question 'cats'; there are: 01 ae"),
        (["start", "ae", "--framework", "jax"], "no framework 'jax'; choose from: pytorch"),
        (["start", "ae", "--out", ""], "--out: must not be empty"),
        (["start", "ae", "--out", "."], ". is a folder; --out must name a file"),
        (["start", "ae", "--out", "\udcff.py"], "--out: must be text in UTF-8, not"),
        (["diff", "ae", "keras", "\udcff.py"], "B: must be text in UTF-8, not"),
        (["reset", "ae", "--force"], "unknown option '--force'"),
        (["reset", "ae", "--out", str(answer("ae", "keras"))], "is in the folder of our answers"),
        (["hint", "ae", "--level", "4"], "no level 4 of hints for 01 ae; choose from: 1, 2, 3"),
        (["hint", "ae", "--level", "more"], "--level"),
        (["solution", "ae"], "begin one with knock start ae, or use --give-up"),
        (["solution", "ae", "mine.py"], "which framework is mine.py in?"),
        (["solution", "ae", "my_keras.py"], "no file my_keras.py to check"),
        (["diff", "ae", "keras", "keras"], "keras and keras are the same file"),
        (["diff", "ae", "keras", str(answer("ae", "keras"))], "are the same file"),
        (["diff", "ae", "keras", "mine.py"], "'mine.py' is neither a file nor a framework; choose"),
        (["diff", "ae", "keras", "pytorch", "--html", "a.txt"], "--html must name an HTML file"),
        (["diff", "ae", "keras", "pytorch", "--html", "no/a.html"], "choose another --html"),
        (["notebook", "cats"], "no question 'cats'; there are: 01 ae"),
        (["notebook", "ae", "--framework", "jax"], "no framework 'jax'"),
        (["notebook", "ae", "mine.py"], "which framework is mine.py in?"),
        (["notebook", "ae", "my_keras.py"], "no file my_keras.py"),
        (["notebook", "ae", "my_keras.ipynb"], "my_keras.ipynb is a notebook already"),
        (["notebook", "ae", "my.py", "--starter"], "either --starter or my.py, not both"),
        (["notebook", "ae", "--out", "mine.py"], "--out must name a notebook, such as mine.ipynb"),
        (["notebook", "ae", "--out", str(answer("ae", "keras").with_suffix(".ipynb"))], "choose"),
        (["explore", "vae", "--out", ""], "--out: must not be empty"),
        (["explore", "vae", ""], "run: must not be empty"),
        (["grade", "", "--out", "a.csv"], "folder: must not be empty"),
        (["grade", ".", "--out", ""], "--out: must not be empty"),
        (["grade", ".", "--out", "a.csv", "--hidden", ""], "--hidden: must not be empty"),
        (["check", "gan", "--framework", "torch"], "no framework 'torch'; choose from: pytorch"),
        (["run", "gan", "--framework", "torch", "--mine"], "no framework 'torch'; choose from"),
        (["watch", "gan", "--framework", "torch"], "no framework 'torch'; choose from: pytorch"),
        (["data", "cats"], "no data set 'cats'"),
        (["data", "folder"], "folder"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else "",
)
def test_bad_words_get_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("knock: ")
    assert said in line
    assert not list(tmp_path.iterdir())


@needs_torch
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "cats"], "no data set 'cats'; choose from: newts"),
        (["--preset", "quik"], "no preset 'quik'"),
        (["--data", "nowhere"], "nowhere"),
        (["--dataset", "mnist", "--data", "nowhere"], "nowhere"),
        (["--resume", "nowhere"], "cannot read the checkpoint"),
        (["--test"], "train one first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_options_of_a_run_get_one_line(words, said, tmp_path):
    done = run_here(answer("ae", "pytorch"), "--steps", "1", *words, cwd=tmp_path)
    assert said in one_line(done)
    assert not list(tmp_path.iterdir())


@needs_torch
def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    done = run_here(answer("ae", "pytorch"), *TINY, "--steps", "2", "--out", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "a" / "checkpoint.safetensors"
    tries = {
        ("convae", "--resume", "a"): "checkpoint of question ae, not of convae",
        ("ae", "--resume", "a", "--batch-size", "8"): "train.batch_size was 4 and is now 8",
        ("ae", "--resume", "a", "--lr", "0.5"): "optimizers.optimizer.lr was 0.001 and is now 0.5",
        ("ae", "--resume", "a", "--seed", "1"): "seed was 0 and is now 1",
        ("ae", "--resume", "a", "--dataset", "newts"): "dataset was 'digits' and is now 'newts'",
        ("ae", "--resume", "a", "--code", "3"): "constants.code was 64 and is now 3",
        ("ae", "--resume", "a", "--steps", "1"): "has taken 2 steps already",
        ("ae", "--out", "a"): "a holds a run already",
    }
    before = file.read_bytes()
    for (name, *words), said in tries.items():
        assert said in one_line(run_here(answer(name, "pytorch"), *words, cwd=tmp_path))
        assert file.read_bytes() == before
    file.write_bytes(before[:-9])
    assert "no whole checkpoint" in one_line(
        run_here(answer("ae", "pytorch"), "--resume", "a", cwd=tmp_path)
    )


@needs_torch
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_here(
        answer("ae", "pytorch"), *TINY, "--steps", "1", "--out", "file/run", cwd=tmp_path
    )
    assert "cannot write file/run" in one_line(done)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a shell's head")
def test_a_closed_pipe_is_no_error():
    done = run(
        "-c",
        "import subprocess, sys\n"
        "a = subprocess.Popen([sys.executable, '-m', 'knock', 'list'], stdout=subprocess.PIPE,"
        " stderr=subprocess.PIPE)\n"
        "a.stdout.close(); print(a.stderr.read().decode(), a.wait())",
        cwd=paths.ROOT,
    )
    assert "Traceback" not in done.stdout


@needs_torch
def test_compare_makes_one_sheet(tmp_path):
    words = [*TINY, "--steps", "2", "--out", "both"]
    chosen = [f for f in ("pytorch", "chainer") if f in frameworks.installed()]
    done = knock("compare", "1", "--frameworks", ",".join(chosen), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "both/compare.png".replace("/", os.sep)
    assert {p.name for p in (tmp_path / "both").iterdir()} == {
        *chosen,
        "compare.json",
        "compare.png",
    }
    assert (tmp_path / "both" / "compare.png").stat().st_size > 20_000


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_while_a_framework_is_imported_is_one_line(tmp_path):
    (tmp_path / "slow.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)\n")
    done = run("-c", "import knock; import slow; print('went on')", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "knock: stopped\n")
    assert done.returncode in (-signal.SIGINT, 130)
    done = run("-c", "import knock; import slower", cwd=tmp_path)
    assert "ModuleNotFoundError" in done.stderr  # any other error keeps its traceback
    assert done.returncode == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_ignores_what_runs_write():
    ignored = (paths.ROOT / ".gitignore").read_text().split()
    assert "/runs/" in ignored
    assert "/.venv/" in ignored


# The words themselves


def test_help_shows_every_command_once_in_its_group(knock):
    code, out, _ = knock("--help")
    assert code == 0
    shown = re.findall(r"^  (\w+) ", out, re.MULTILINE)
    assert shown == cli.names()
    modules = {one.stem for one in (paths.PACKAGE / "commands").glob("[a-z]*.py")}
    assert set(shown) == modules, "a command without a group, or a group without its command"
    heads = [line.split(":")[0] for line in out.splitlines() if re.match(r"[A-Z]\w+: ", line)]
    assert heads == ["Learn", "Train", "Teach", "Author"]


@pytest.mark.parametrize("name", cli.names())
def test_each_command_explains_itself(name, knock):
    code, out, err = knock(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: knock {name}")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chekc", "no command 'chekc'; did you mean 'check'? (see knock --help)"),
        ("strat", "no command 'strat'; did you mean 'start'? (see knock --help)"),
        ("train", "no command 'train'; did you mean 'run'? (see knock --help)"),
        ("fly", "no command 'fly' (see knock --help)"),
        ("--verison", "unknown option '--verison' (see knock --help)"),
        ("", "no command '' (see knock --help)"),
    ],
)
def test_a_mistyped_command_is_guessed(typed, said, knock):
    assert knock(typed) == (2, "", f"knock: {said}\n")


@pytest.mark.parametrize("place", range(4))
def test_an_option_may_stand_anywhere(place):
    words = ["ae", "mine.py", "--ours"]
    words.insert(place, "--seed=3")
    _, found, rest = cli.parse(["check", *words])
    assert (found.question, str(found.file), found.seed, rest) == ("ae", "mine.py", 3, [])


def test_without_a_command_all_are_shown_and_how_to_begin(knock):
    code, out, err = knock()
    assert (code, out) == (2, "")
    assert err.startswith(cli.overview()) and err.endswith("knock next says what to do first.\n")


def test_the_words_of_other_programs_lead_to_commands_that_there_are():
    assert set(cli._MEANT.values()) <= {*cli.names(), "sample"}


def test_the_version_is_shown(knock):
    assert knock("--version") == (0, f"knock {knock_version}\n", "")
