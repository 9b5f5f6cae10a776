"""bootstrap.py really runs, in a copy of its own, with a fake venv, pip and knock: no network.

PYTHONPATH puts the fakes before the real ones, for bootstrap.py and all that it starts.
"""

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "bootstrap.py"
posix_only = pytest.mark.skipif(os.name == "nt", reason="the fake environment is made of links")

FAKE_VENV = """
import os, pathlib, shutil, sys
folder = pathlib.Path(sys.argv[-1])
shutil.rmtree(folder, ignore_errors=True)
python = os.path.realpath(sys.executable)
(folder / "bin").mkdir(parents=True)
(folder / "bin" / "python").symlink_to(python)
(folder / "pyvenv.cfg").write_text("home = " + os.path.dirname(python) + "\\n")
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write("venv\\n")
"""
FAKE_PIP = """
import json, os, sys, time
if sys.argv[1:] == ["--version"]:
    sys.exit()
names = ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write("pip " + json.dumps([sys.argv[1:], [os.environ[name] for name in names]]) + "\\n")
time.sleep(float(os.environ.get("FAKE_PIP_SECONDS", 0)))
sys.exit(os.environ.get("FAKE_PIP_FAILS"))
"""
FAKE_KNOCK = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.getpid()]))
sys.exit(7)
"""
PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
[project]
name = "image-generation-knock"
[tool.hatch.build.targets.wheel]
packages = ["knock"]
[tool.ruff]
line-length = 100
"""


class Copy:
    """A project folder with its own bootstrap.py, and what was done there."""

    def __init__(self, base):
        self.root = base / "a folder"  # the space is on purpose
        self.venv = self.root / ".venv"
        self.stamp = self.venv / "bootstrap.json"
        self.log = base / "log"
        fakes = base / "fakes"
        sources = {"venv": FAKE_VENV, "pip": FAKE_PIP, "knock": FAKE_KNOCK}
        for name, source in sources.items():
            (fakes / name).mkdir(parents=True)
            (fakes / name / "__init__.py").touch()
            (fakes / name / "__main__.py").write_text(source)
        self.root.mkdir()
        shutil.copy(SOURCE, self.root)
        (self.root / "requirements.txt").write_text("numpy==2.4.6\n")
        (self.root / "build-constraints.txt").write_text("setuptools<81\n")
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        self.environ.update(PYTHONPATH=str(fakes), FAKE_LOG=str(self.log))

    def start(self, *words, cwd=None, **environ):
        return subprocess.Popen(
            [sys.executable, str(self.root / "bootstrap.py"), *words],
            cwd=cwd or self.root.parent,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def call(self, *words, **options):
        """The exit code, standard output and standard error of one call."""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def done(self):
        """The calls of the fake venv and pip, oldest first; then forgets them."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    def wait_until_pip_runs(self):
        for _ in range(500):
            if self.log.exists() and "pip" in self.log.read_text():
                return
            time.sleep(0.02)
        raise AssertionError("pip was never started")


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


@pytest.fixture
def installed(copy):
    """A copy whose installation is finished."""
    assert copy.call("list")[0] == 7
    assert copy.done() == ["venv", "pip"]
    return copy


def load(root):
    """The copy's bootstrap.py as a module, for what cannot be tested from outside."""
    spec = importlib.util.spec_from_file_location("bootstrap_copy", root / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Which Python


def other_pythons():
    """Interpreters of this machine that bootstrap.py does not support, as (version, path)."""
    names = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.14"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in names:
        paths = [shutil.which("python" + name), *pyenv.glob(name + ".*/bin/python")]
        for path in paths:
            if path and not subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL):
                yield name, path
                break


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14)])
def test_an_unsupported_python_gets_one_line_and_exit_2(copy, monkeypatch, capsys, version):
    bootstrap = load(copy.root)
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "compare", "ae"])
    with pytest.raises(SystemExit) as end:
        bootstrap.main(["compare", "ae"])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.count("\n") == 1
    assert "needs Python 3.11, 3.12 or 3.13; this is {}.{} ".format(*version) in said
    assert "bootstrap.py compare ae" in said
    assert not copy.venv.exists()


def test_every_other_python_here_reads_the_file_and_says_the_line(copy):
    found = list(other_pythons())
    if not found:
        pytest.skip("no Python older than 3.11 or newer than 3.13 on this machine")
    for name, path in found:
        command = [path, str(copy.root / "bootstrap.py"), "list"]
        end = subprocess.run(command, capture_output=True, encoding="utf-8")
        assert (end.returncode, end.stdout) == (2, ""), name
        assert end.stderr.count("\n") == 1, end.stderr
        assert "this is " + name in end.stderr


def test_the_file_holds_no_syntax_that_old_pythons_lack():
    source = SOURCE.read_bytes()
    assert source.isascii()
    newer = ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Nonlocal | ast.Match
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, newer), f"line {node.lineno}"
        if isinstance(node, ast.FunctionDef):
            assert not node.args.kwonlyargs and node.returns is None, node.name
        if isinstance(node, ast.arg):
            assert node.annotation is None, node.arg
        if isinstance(node, ast.Raise):
            assert node.cause is None, f"line {node.lineno}"


# Setting up and handing over


@posix_only
def test_the_first_call_sets_up_and_hands_over_words_folder_and_exit_code(copy, tmp_path):
    words = ["compare", "ae", "--out", "two words", ""]
    process = copy.start(*words, cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    # The same process id: exec took over, so signals and the terminal go straight to knock.
    assert json.loads(out) == [words, str(tmp_path), process.pid]
    assert process.returncode == 7
    assert "making .venv" in err and "ready after 0:0" in err
    venv, pip = copy.log.read_text().splitlines()
    arguments = json.loads(pip.removeprefix("pip "))[0]
    assert venv == "venv"
    assert arguments[0] == "install"
    assert arguments[-4:] == ["-r", str(copy.root / "requirements.txt"), "-e", str(copy.root)]


@posix_only
def test_the_second_call_only_hands_over(installed):
    code, out, err = installed.call("--help")
    assert (code, err) == (7, "")
    assert json.loads(out)[0] == ["--help"]
    assert installed.done() == []


@posix_only
def test_without_words_knock_says_what_it_can_do(installed):
    assert json.loads(installed.call()[1])[0] == ["--help"]


@posix_only
def test_modules_in_the_current_folder_are_not_taken_for_real_ones(installed, tmp_path):
    here = tmp_path / "elsewhere"
    here.mkdir()
    (here / "json.py").write_text("raise SystemExit('the wrong json')")
    assert installed.call("list", cwd=here)[0] == 7


def test_without_exec_the_exit_code_is_knocks_and_knock_handles_ctrl_c(copy, monkeypatch):
    bootstrap = load(copy.root)
    assert bootstrap.wait_for([sys.executable, "-c", "raise SystemExit(9)"]) == 9

    class Interrupted:
        answers = iter([KeyboardInterrupt, 5])

        def wait(self):
            answer = next(self.answers)
            if answer is KeyboardInterrupt:
                raise answer
            return answer

    monkeypatch.setattr(bootstrap.subprocess, "Popen", lambda command: Interrupted())
    assert bootstrap.wait_for(["knock"]) == 5


@posix_only
def test_pip_gets_our_constraint_in_both_variables_after_the_users_own(copy):
    mine = {"PIP_CONSTRAINT": "mine.txt other.txt", "PIP_BUILD_CONSTRAINT": "build.txt"}
    copy.call("list", **mine)
    pip = copy.log.read_text().splitlines()[-1]
    for_all, for_builds = json.loads(pip.removeprefix("pip "))[1]
    ours = (copy.root / "build-constraints.txt").as_uri()
    assert for_all.split(" ") == ["mine.txt", "other.txt", ours]
    assert for_builds.split(" ") == ["build.txt", ours]


# When to install again


@posix_only
@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("requirements.txt", "2.4.6", "2.4.5", ["pip"]),
        ("build-constraints.txt", "81", "80", ["pip"]),
        ("pyproject.toml", 'name = "', 'dependencies = ["numpy"]\nname = "', ["pip"]),
        ("pyproject.toml", "line-length = 100", "line-length = 99", []),
    ],
)
def test_a_change_installs_again_where_it_matters(installed, name, old, new, expected):
    path = installed.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert installed.call("list")[0] == 7
    assert installed.done() == expected


@posix_only
def test_a_killed_installation_is_finished_by_the_next_call(copy):
    process = copy.start("list", FAKE_PIP_SECONDS="4")
    copy.wait_until_pip_runs()
    process.kill()
    process.communicate(timeout=60)
    assert "installed" not in json.loads(copy.stamp.read_text())
    copy.done()
    assert copy.call("list")[0] == 7
    assert copy.done() == ["pip"]


@posix_only
def test_a_failed_change_is_repaired_even_if_the_change_is_taken_back(installed):
    path = installed.root / "requirements.txt"
    before = path.read_text()
    path.write_text("numpy==9\n")
    assert installed.call("list", FAKE_PIP_FAILS="no numpy 9")[0] == 1
    path.write_text(before)
    installed.done()
    assert installed.call("list")[0] == 7
    assert installed.done() == ["pip"]


@posix_only
def test_a_stamp_that_cannot_be_read_counts_as_none(installed):
    installed.stamp.write_text('{"made"')
    assert installed.call("list")[0] == 7
    assert installed.done() == ["pip"]


# The environment


@posix_only
def test_an_environment_whose_python_is_gone_is_remade(installed):
    (installed.venv / "bin" / "python").unlink()
    (installed.venv / "bin" / "python").symlink_to("/nowhere/python3")
    code, _, err = installed.call("list")
    assert code == 7 and "making a new .venv" in err
    assert installed.done() == ["venv", "pip"]


@posix_only
def test_half_an_environment_is_remade(copy):
    (copy.venv / "bin").mkdir(parents=True)
    assert copy.call("list")[0] == 7
    assert copy.done() == ["venv", "pip"]


@posix_only
def test_ours_is_remade_for_another_python(installed):
    stamp = json.loads(installed.stamp.read_text())
    stamp["made"][0] = "3.10"
    installed.stamp.write_text(json.dumps(stamp))
    assert installed.call("list")[0] == 7
    assert installed.done() == ["venv", "pip"]


@posix_only
def test_ours_is_remade_where_the_folder_was_moved(installed):
    installed.root = installed.root.rename(installed.root.with_name("moved"))
    assert installed.call("list")[0] == 7
    assert installed.done() == ["venv", "pip"]


@posix_only
def test_an_environment_that_the_user_made_is_kept(installed):
    installed.stamp.unlink()
    theirs = installed.venv / "theirs"
    theirs.touch()
    assert installed.call("list")[0] == 7
    assert installed.done() == ["pip"]
    assert theirs.exists()
    assert "made" not in json.loads(installed.stamp.read_text())
    # In another folder the project is installed again, for its path; the environment stays.
    installed.root = installed.root.rename(installed.root.with_name("moved"))
    assert installed.call("list")[0] == 7
    assert installed.done() == ["pip"]


@posix_only
def test_a_folder_that_is_not_an_environment_is_not_touched(copy):
    copy.venv.mkdir()
    (copy.venv / "diary.txt").write_text("dear diary")
    code, _, err = copy.call("list")
    assert code == 2 and err.count("\n") == 1 and "move it away" in err
    assert (copy.venv / "diary.txt").read_text() == "dear diary"
    assert copy.done() == []


def test_without_the_venv_module_the_error_says_how_to_install_it(copy, monkeypatch):
    bootstrap = load(copy.root)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.Stop, match=r"apt install python3\.\d+-venv") as stop:
        bootstrap.make_venv(lock=None)
    assert stop.value.code == 2


# What goes wrong


@posix_only
def test_when_pip_fails_its_output_is_shown_then_one_line_and_exit_1(copy):
    code, out, err = copy.call("list", FAKE_PIP_FAILS="ERROR: no network")
    assert (code, out) == (1, "")
    assert err.splitlines()[-2:] == [
        "ERROR: no network",
        "bootstrap: pip failed, see above; the next call tries again",
    ]


@posix_only
def test_a_full_disk_is_named_with_exit_2(copy):
    code, _, err = copy.call("list", FAKE_PIP_FAILS="OSError: [Errno 28] No space left on device")
    assert code == 2
    assert "no space left in " + str(copy.root) in err.splitlines()[-1]


@posix_only
def test_what_cannot_be_written_is_named_in_one_line_with_exit_2(copy):
    (copy.root / ".venv.lock").mkdir()
    code, out, err = copy.call("list")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and ".venv.lock" in err


@posix_only
def test_ctrl_c_says_so_and_exits_with_130(copy):
    process = copy.start("list", FAKE_PIP_SECONDS="4")
    copy.wait_until_pip_runs()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "bootstrap: interrupted; the next call continues"


@posix_only
def test_of_two_at_once_one_installs_and_the_other_waits(copy):
    first = copy.start("one", FAKE_PIP_SECONDS="1")
    copy.wait_until_pip_runs()
    code, out, err = copy.call("two")
    assert "waiting" in err
    assert (code, json.loads(out)[0]) == (7, ["two"])
    assert json.loads(first.communicate(timeout=60)[0])[0] == ["one"]
    assert copy.done() == ["venv", "pip"]
