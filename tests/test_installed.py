"""An installed package: it brings all that the commands need, and works in an empty folder."""

import os
import subprocess
import sys
import tomllib
import zipfile

from knock import cluster, frameworks, kept, paths
from knock.grade import stripped_copy

import pytest
from hatchling.build import build_editable, build_wheel

FRAMEWORK = next((f for f in ("chainer", "pytorch", "keras") if f in frameworks.installed()), None)
LARGEST = 10 << 20

PROGRAM = """
import os, runpy, shutil, sys
from pathlib import Path
from knock import cli, cluster, installing, kept, paths
from knock.grade import stripped_copy

def knock(*words, code=0):
    try:
        cli.main(words)
    except SystemExit as left:
        assert left.code == code, (words, left.code)

here, site, framework = Path.cwd(), Path(sys.argv[1]), sys.argv[2]
assert paths.PACKAGE == site / "knock" and not paths.IN_CLONE
for words in ("list", "doctor", "data", "data newts", "next", "progress", "test --help"):
    knock(*words.split())
knock("test", code=2)
knock("start", "ae", "--framework", framework)
for words in ("hint ae", "next", "diff ae pytorch keras", "solution ae --give-up"):
    knock(*words.split())
knock("notebook", "ae", "--framework", framework)
mine = here / "my" / f"ae_{framework}.py"
ours = paths.ANSWERS / mine.name
shutil.copy(ours, mine)
knock("check", "ae")

def become(program, command):
    raise SystemExit(command)

os.execv, runs = become, None
try:
    cli.main(["run", "ae", "--framework", framework, *sys.argv[3:]])
except SystemExit as left:
    runs = left.code
assert runs[:2] == [sys.executable, str(ours)], runs
sys.argv = runs[1:]
try:
    runpy.run_path(str(ours), run_name="__main__")
except SystemExit as left:
    assert left.code == 0
assert (here / "runs" / f"ae_{framework}" / "checkpoint.safetensors").is_file()
copy = stripped_copy.build(here)
assert not list(copy.rglob("ae_*.py")) and not list(copy.rglob("reference.py"))
print(kept.code().hex(), cluster.version(), installing.command("pytorch"), installing.address())
"""


def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built in this process: pip would ask the network for the builder."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(paths.ROOT)
        return folder / build_wheel(str(folder))


def test_a_wheel_has_what_the_commands_need_and_is_small(wheel):
    found = names(wheel)
    for folder in (paths.QUESTIONS, paths.ANSWERS, paths.DATASET, paths.ASSETS):
        files = {p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        assert files
        assert {f"knock/shipped/{p.relative_to(paths.ROOT).as_posix()}" for p in files} <= found
    for page in paths.ROOT.glob("*.md"):
        assert f"knock/shipped/{page.name}" in found
    assert not [one for one in found if "answers_image" in one or "tests" in one]
    assert wheel.stat().st_size < LARGEST


def test_an_editable_installation_copies_nothing(tmp_path, monkeypatch):
    """A copy of the answers among the packages could be read by every submission."""
    monkeypatch.chdir(paths.ROOT)
    found = names(tmp_path / build_editable(str(tmp_path)))
    assert not [one for one in found if one.startswith("knock/")]
    assert [one for one in found if one.endswith(".pth")]


@pytest.mark.skipif(FRAMEWORK is None, reason="no framework is installed")
def test_the_commands_work_in_an_empty_folder_and_write_only_there(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    words = ["--dataset", "digits", "--batch-size", "2", "--steps", "1", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(site), FRAMEWORK, *words],
        cwd=empty,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code, version, *line = told[-1].split(maxsplit=2)
    assert code == kept.code().hex(), "numbers kept by a clone do not serve an installed package"
    assert version == cluster.version()
    assert line[0].startswith('pip install "torch<3,>=')
    assert line[0].endswith(f'" {project["urls"]["Repository"]}')
    assert "the tests are only in a clone of the repository" in done.stderr
    assert f"{site / 'knock' / 'shipped' / 'Dataset'}" in done.stdout
    assert {p.name for p in empty.iterdir()} == {"my", "runs", stripped_copy.FOLDER}
    assert {p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()} == names(wheel)
