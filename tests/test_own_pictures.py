"""A folder of the user's own pictures, in every question that trains."""

import json
import shutil
from pathlib import Path

from knock import data, frameworks
from knock import recipe as recipes
from knock.questions import all_questions, find
from knock.recipe import Augment
from knock.training import checkpoint, options, origin
from knock.training.record import read_pictures
from tests import data_fixtures as made
from tests.helpers import answer, one_line, run_here, run_plain

import numpy as np
import pytest
from PIL import Image

TRAINED = [question for question in all_questions() if not question.opens]
SINGLE = [q for q in TRAINED if "pairs" not in recipes.read(q.recipe_file)]

LIGHTEST = next((f for f in ("chainer", "pytorch") if f in frameworks.installed()), None)
needs_lightest = pytest.mark.skipif(LIGHTEST is None, reason="needs Chainer or PyTorch")

SHORT = ["--steps", "1", "--batch-size", "2", "--size", "16", "--threads", "1", "--quiet"]
NARROW = {"hidden": 4, "g_width": 1, "d_width": 1, "c_width": 2, "e_width": 1, "g_hidden": 2}
NARROW |= {"maps": 8, "time": 8, "sample_steps": 2}  # a diffusion's
FORMATS = [
    "a.jpg",
    "b.png",
    "c.webp",
    "d.tiff",
    "e.gif",
    "f.bmp",
    "g.JPEG",
    "h.png",
    "i.jpg",
    "j.png",
]


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Two kinds of pictures in subfolders, in many formats, shapes and modes."""
    folder = tmp_path_factory.mktemp("own")
    for kind, mode in (("frog", "RGB"), ("toad", "L")):
        (folder / kind).mkdir()
        for number, name in enumerate(FORMATS):
            picture = made.noisy_picture(20 + number, 30).convert(mode)
            picture.save(folder / kind / name)
    return folder


def narrow(question) -> list[str]:
    """Options that make a question's networks small."""
    constants = recipes.read(question.recipe_file).get("constants", {})
    small = {name: value for name, value in NARROW.items() if name in constants}
    return [word for name, n in small.items() for word in (f"--{name.replace('_', '-')}", str(n))]


@needs_lightest
@pytest.mark.parametrize("question", SINGLE, ids=lambda question: question.name)
def test_a_folder_alone_trains_every_question_in_colour_and_is_tested(question, own, tmp_path):
    """Where nothing but draws is looked at, as many are shown as anywhere: of few pictures, too."""
    script = answer(question.name, LIGHTEST)
    words = ["--data", own, *SHORT, *narrow(question), "--out", tmp_path / "a"]
    done = run_here(script, *words, cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    recipe = checkpoint.load(tmp_path / "a").recipe
    assert recipe.dataset == "folder" and recipe.image_shape == (3, 16, 16)
    assert recipe.constants.get("classes", 2) in (0, 2) and recipe.augment.flip
    if not any("images" in given for given in recipe.methods.values()):
        shown = read_pictures(tmp_path / "a" / "result.safetensors").values()
        assert max(len(row) for row in shown) == recipe.train.shown
    done = run_here(script, "--test", tmp_path / "a", "--threads", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("question", TRAINED, ids=lambda question: question.name)
def test_every_recipe_has_a_folder_in_colour_with_pictures_that_are_changed(question):
    folder = recipes.load(question.recipe_file, "folder")
    assert folder.image_shape[0] == 3 and folder.augment.changes
    assert folder.train.batch_size <= 16


def begin(name: str, *words) -> recipes.Recipe:
    """The recipe of a new run with some options."""
    question = find(name)
    given = options.parse(question, "x", [str(word) for word in words])
    return origin.decide(question, "numpy", given).recipe


def test_networks_are_told_of_as_many_classes_as_there_are_subfolders(own, tmp_path):
    three = tmp_path / "three"
    shutil.copytree(own, three)
    made.write_picture(three / "newt" / "a.png")
    assert begin("cgan", "--data", three).constants["classes"] == 3
    assert begin("metrics", "--dataset", "folder", "--data", own).constants["classes"] == 2
    assert begin("lapgan", "--data", three).constants["classes"] == 0  # not told, unless asked
    assert (
        begin("cgan", "--data", three, "--classes", "2").constants["classes"] == 2
    )  # refused later


BAD = {
    "no classes": ("cgan", ["--data", "one/frog"], "one/frog has none"),
    "one class": ("metrics", ["--data", "one"], "one has one alone, frog"),
    "no folder": ("gan", ["--data", "none"], "none is not a folder"),
    "a folder without pictures": ("vae", ["--data", "empty"], "1 file is not read (a.HEIC)"),
    "a size between two": ("dcgan", ["--data", "one", "--size", "50"], "--size 48 or --size 56"),
    "two colours": ("gan", ["--data", "one", "--grey", "--colour"], "not allowed with"),
    "a damaged picture": ("wgan", ["--data", "bad", "--size", "16"], "0.png is"),
    "too few to measure": ("metrics", ["--data", "few", "--size", "16"], "at least 4 pictures"),
    "other classes": (
        "cgan",
        ["--data", "few", "--classes", "5", "--size", "16"],
        "2 classes, not 5",
    ),
    "pixels that are no colours": ("ae", ["--data", "odd"], "32 bits"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_folder_that_cannot_be_used_is_refused_in_one_line(case, tmp_path):
    name, words, said = BAD[case]
    for kind in ("few/frog", "few/toad", "one/frog"):
        made.write_picture(tmp_path / kind / "0.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.HEIC").touch()
    bad = made.write_picture(tmp_path / "bad" / "0.png")
    bad.write_bytes(bad.read_bytes()[:40])
    (tmp_path / "odd").mkdir()
    Image.fromarray(np.ones((9, 9), np.float32)).save(tmp_path / "odd" / "0.tif")
    before = sorted(tmp_path.rglob("*"))
    script = answer(name, LIGHTEST or "pytorch")
    line = one_line(run_here(script, *words, "--quiet", "--threads", "1", cwd=tmp_path))
    assert said in line
    assert sorted(tmp_path.rglob("*")) == before


# The sheet of `knock data`


def test_a_sheet_goes_into_runs_and_never_over_another_file(knock, own, tmp_path):
    (own / "toad" / "a.heic").touch()
    for name in ("folder.png", "folder-2.png"):
        code, out, err = knock("data", "--data", str(own))
        assert code == 0 and out.splitlines()[-1] == str(Path("runs", name))
        assert "  frog: 8" in out and "a.heic" in err
    (own / "toad" / "a.heic").unlink()
    assert [one.name for one in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits", "--out", "mine.png"], "mine.png exists already"),
        (["digits", "--out", "mine.txt"], "--out must name a PNG file"),
        (["--data", "nowhere"], "nowhere is not a folder"),
        (["digits", "--data", "empty"], "leave out --data empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_sheet_that_cannot_be_is_refused_in_one_line(words, said, knock, tmp_path):
    (tmp_path / "mine.png").write_text("mine")
    (tmp_path / "empty").mkdir()
    code, _, err = knock("data", *words)
    assert code == 2 and said in err and len(err.splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty", "mine.png"]
    assert (tmp_path / "mine.png").read_text() == "mine"


# Options


def test_pictures_are_read_in_grey_or_colour_as_asked(own):
    assert begin("ae", "--data", own, "--grey", "--size", "12x8").image_shape == (1, 12, 8)
    assert begin("gan", "--dataset", "digits", "--color").image_shape == (3, 32, 32)


def test_augmentation_is_switched_on_and_off():
    on = begin("ae")
    assert on.augment == begin("ae", "--augment").augment and on.augment.changes
    assert begin("ae", "--no-augment").augment == Augment()
    assert begin("gan", "--augment").augment == data.usual_changes("digits")
    assert not begin("gan").augment.changes
    still = begin("lapgan", "--dataset", "cifar10", "--no-augment")  # the middle of 32×32 pixels
    assert still.augment == Augment(crop=2, still=True) and still.read_shape == (3, 32, 32)


def test_a_run_without_augmentation_goes_on_without(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_plain("--data", own, *SHORT, "--grey", "--no-augment", "--out", "a") == 0
    more = ["--resume", "a", "--quiet", "--steps", "2"]
    assert run_plain(*more, "--size", "16") == 0  # of pictures that are grey as before
    found = checkpoint.load(tmp_path / "a")
    assert found.step == 2 and not found.recipe.augment.changes and found.recipe.image_shape[0] == 1
    assert run_plain(*more, "--augment") == 2
    assert "augment.flip was False and is now True" in capsys.readouterr().err


def test_too_few_pictures_for_a_batch_and_unread_ones_are_warned_of(
    own, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(own / "frog", "photos")
    Path("photos", "a.heic").touch()
    words = ["--data", "photos", *SHORT]
    words[words.index("--batch-size") + 1] = "9"
    assert run_plain(*words, "--out", "a") == 0
    unread, few = capsys.readouterr().err.splitlines()
    assert unread == "warning: 1 file is not read (a.heic): export .heic as JPEG or PNG"
    assert few.startswith("warning: 8 training pictures are fewer than a batch of 9")
    assert few.endswith("--batch-size 8")
    assert run_plain(*words, "--batch-size", "8", "--out", "b") == 0
    assert "fewer" not in capsys.readouterr().err


# A test of other pictures than those that a run learnt from


def test_a_run_is_tested_on_other_pictures(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_plain("--dataset", "newts", *SHORT, "--out", "a") == 0
    for words, count in ((["--dataset", "digits"], 8), ([], 8), (["--data", own], 4)):
        assert run_plain("--test", "a", *words) == 0
        shown = read_pictures(tmp_path / "a" / "test.safetensors")
        assert len(shown["input"]) == count
        assert "on training images" in capsys.readouterr().out
    error = json.loads((tmp_path / "a" / "test.json").read_text())["error"]  # of all four
    off = (shown["reconstruction"].astype(float) - shown["input"]) / 127.5
    assert error["test"] == pytest.approx(np.square(off).mean(), rel=0.02)
    assert error["train"] != error["test"]
    assert run_plain("--test", "a", "--dataset", "folder") == 2  # which folder?
    assert run_plain("--resume", "a", "--data", own, "--steps", "2") == 2  # it learnt from newts


# A run that goes on, or is tested, when the pictures have changed


@pytest.fixture
def learnt(own, tmp_path, monkeypatch, capsys) -> Path:
    """A folder of pictures of two classes from which the run `a` has learnt."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(own, "photos")
    assert run_plain("--data", "photos", *SHORT, "--out", "a") == 0
    capsys.readouterr()
    return Path("photos")


GOES_ON = (["--resume", "a", "--steps", "2", "--size", "16", "--quiet"], ["--test", "a"])


@pytest.mark.parametrize("words", GOES_ON, ids=["resume", "test"])
def test_other_names_of_classes_are_refused_and_other_pictures_mentioned(learnt, words, capsys):
    assert run_plain(*words) == 0 and "learnt from" not in capsys.readouterr().err
    (learnt / "frog").rename(learnt / "zebra")
    assert run_plain(*words) == 2
    assert "(frog missing, zebra new)" in one_err(capsys)
    (learnt / "zebra").rename(learnt / "frog")
    (learnt / "newt").mkdir()
    made.write_picture(learnt / "newt" / "a.png")
    assert run_plain(*words) == 2
    assert "(newt new)" in one_err(capsys)
    shutil.rmtree(learnt / "newt")
    for number in range(5):
        made.write_picture(learnt / "toad" / f"more{number}.png")
    if words[0] == "--resume":
        words = [*words, "--steps", "3"]
    assert run_plain(*words) == 0
    assert "20 training pictures in" in (said := one_err(capsys)) and "the same 16 that" in said


def one_err(capsys) -> str:
    """The one line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line
