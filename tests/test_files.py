"""Nothing of the user's is overwritten or deleted; two programs never get the same free name."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from knock import arguments, cli, files
from knock.errors import UserError
from knock.explore import write as explore
from knock.grade import report
from knock.grade import table as tables
from knock.training import folders
from tests.helpers import run_plain

import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]

posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes and devices as files")


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, with the bytes of its files."""
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


FOREIGN = [
    *("result.png", "losses.csv", "losses.png", "samples.gif", "strip.png", "test.json"),
    *("result.safetensors", "samples/holiday.png", "samples"),
]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_run_refuses_a_folder_with_files_of_its_names_that_no_run_wrote(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "home" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = snapshot(tmp_path)
    assert run_plain(*TINY, "--steps", "1", "--out", "home") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert name.split("/")[0] in line and "choose another --out" in line
    assert snapshot(tmp_path) == before


def test_only_half_written_files_of_a_run_are_swept_and_none_further_below(tmp_path):
    mine = [".holiday.mkv.part", ".result.png.part", ".notes.abcd1234.part", "result.png.part"]
    mine += ["films/.result.png.abcd1234.part", "samples/deep/.step_000001.png.abcd1234.part"]
    mine += [".result.png.ABCD1234.part", "samples/.x.png.abcd1234.part"]
    ours = [".result.png.abcd1234.part", ".checkpoint.safetensors.a_cd1234.part"]
    ours += ["samples/.step_000001.png.abcd1234.part"]
    for name in [*mine, *ours, "checkpoint.safetensors"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    folders.sweep_run(tmp_path)
    assert all((tmp_path / name).exists() for name in mine)
    assert not any((tmp_path / name).exists() for name in ours)


def test_where_no_run_is_only_a_first_checkpoint_is_swept(tmp_path):
    first, other = ".checkpoint.safetensors.abcd1234.part", ".result.png.abcd1234.part"
    for name in (first, other):
        (tmp_path / name).write_text("x")
    folders.sweep_run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [other]


@pytest.mark.parametrize(
    ("begins", "mark"),
    [("student,", tables.MARK), ("<html>", report.MARK), ("<html>", explore._MARK)],
)
def test_a_file_that_a_command_did_not_make_is_not_replaced(begins, mark, tmp_path):
    path = tmp_path / "file"
    files.refuse_foreign(path, mark)  # there is none
    path.write_text("")
    files.refuse_foreign(path, mark)  # nothing is lost
    path.write_text(f"\ufeff{begins}{mark} and so on", encoding="utf-8")
    files.refuse_foreign(path, mark)
    path.write_text("my own")
    with pytest.raises(UserError, match="did not make it; choose another --html"):
        files.refuse_foreign(path, mark, "--html")


def test_what_the_commands_write_has_their_marks():
    assert tables.MARK in tables.table([], {"whole": 1}).splitlines()[0]
    assert explore._MARK in (Path(explore.__file__).parent / "page.html").read_text("utf-8")


def test_compare_does_not_replace_a_picture_of_its_sheet_s_name(knock, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "compare.png").write_text("mine")
    code, _, said = knock("compare", "ae", "--out", "a", "--steps", "1")
    assert code == 2 and "compare.png is there already" in said


@pytest.mark.parametrize("links", [True, False])
def test_many_at_once_get_a_free_name_each(links, tmp_path, monkeypatch):
    if not links:  # as on a FAT disk
        monkeypatch.setattr(files.os, "link", lambda *_: (_ for _ in ()).throw(PermissionError()))
    every = threading.Barrier(8)

    def take(number):
        every.wait()
        folder = files.make_new_folder(tmp_path / "run")
        return folder, files.write_new(tmp_path / "newts.png", str(number))

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(take, range(8)))
    assert len({folder for folder, _ in made}) == len({file for _, file in made}) == 8
    assert [file.read_text() for _, file in made] == [str(n) for n in range(8)]
    assert {p.name for p in tmp_path.iterdir()} == {
        *("run", *(f"run-{n}" for n in range(2, 9))),
        *("newts.png", *(f"newts-{n}.png" for n in range(2, 9))),
    }


def test_a_run_takes_the_next_name_when_another_began_since_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    claim = files.make_new_folder

    def late(path):
        path.mkdir(parents=True)  # the other one comes first
        return claim(path)

    monkeypatch.setattr("knock.training.run.make_new_folder", late)
    assert run_plain(*TINY, "--steps", "1") == 0
    (other, ours) = sorted((tmp_path / "runs").iterdir())
    assert ours.name == f"{other.name}-2"
    assert not list(other.iterdir()) and (ours / "result.png").is_file()


def test_the_next_name_of_a_numbered_one_has_the_next_number(tmp_path, monkeypatch):
    """`ae_numpy-2-2` would be no name of a run: --resume without a folder would not find it."""
    monkeypatch.chdir(tmp_path)
    assert run_plain(*TINY, "--steps", "1") == 0
    (first,) = (tmp_path / "runs").iterdir()
    second, claim = first.with_name(f"{first.name}-2"), files.make_new_folder

    def late(path):
        second.mkdir()  # the other one comes first
        return claim(path)

    monkeypatch.setattr("knock.training.run.make_new_folder", late)
    assert run_plain(*TINY, "--steps", "1") == 0
    assert {path.name for path in first.parent.iterdir()} == {
        *(first.name, second.name, f"{first.name}-3"),
    }
    assert (first.with_name(f"{first.name}-3") / "result.png").is_file()


@posix
def test_what_is_no_file_is_written_into(tmp_path):
    pipe, said = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()))
    reader.start()
    files.write_atomically(pipe, "text")
    reader.join()
    assert said == ["text"] and pipe.is_fifo()
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    files.write_atomically(null, "text")
    assert null.is_symlink() and null.is_char_device()
    files.write_atomically(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


@posix
def test_a_link_stays_and_permissions_too(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    files.write_atomically(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", [arguments.folder, arguments.file, arguments.place])
def test_a_tilde_in_a_path_is_the_home(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Path(kind("~/x")) == tmp_path / "x"
    assert str(kind("a~b")) == "a~b"


def test_every_option_of_a_path_knows_the_tilde(tmp_path, monkeypatch):
    """Whatever is shown as a file, a folder or a run in a command's help."""
    from knock.questions import find
    from knock.training import look, options

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    parsers = [cli.parser(name) for name in cli.names()]
    parsers += [options.parser(find("ae"), "x"), look.parser(find("vae_latent"), "x")]
    shown = {"FILE", "FOLDER", "RUN", "FILE|FOLDER"}
    paths = [
        action
        for parser in parsers
        for action in parser._actions
        if action.type is Path
        or (action.metavar or "") in shown
        or action.dest in ("file", "folder", "run", "out", "data", "A", "B")
    ]
    assert len(paths) > 25
    for action in paths:
        if action.nargs == 0 or action.choices:
            continue
        assert action.type is not None, action
        assert Path(action.type("~/x")) == tmp_path / "x", action
