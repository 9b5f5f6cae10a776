"""`knock runs`; `knock run` of a learner's file and of several seeds; `knock compare` of runs."""

import json
import os

from knock import frameworks, paths
from knock.training import charts, checkpoint, listing, measured, record, started
from tests.helpers import answer, run_plain

import PIL.Image
import pytest

TINY = ["--dataset", "digits", "--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]


@pytest.fixture(autouse=True)
def all_installed(monkeypatch):
    """Nothing here imports a framework."""
    monkeypatch.setattr(frameworks.Framework, "missing", ())


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    """A function that trains the plain answer in this folder, which is where its runs go."""
    monkeypatch.chdir(tmp_path)

    def train(*words, out=None):
        more = ["--out", f"runs/{out}"] if out else []
        assert run_plain(*TINY, "--steps", "2", *words, *more) == 0
        capsys.readouterr()

    return train


def scored(folder, frechet, **other):
    told = record.read_run(folder)
    made = measured.Measured(
        question=told["question"],
        framework=told["framework"],
        made_in="numpy",
        dataset="digits",
        image=(1, 8, 8),
        preset="quick",
        seed=0,
        step=told["step"],
        draws=1,
        pictures=90,
        eyes=measured.Eyes(measured.EXAMINER, "one", 0.9, 9, 9, 9),
        scores=measured.Scores(frechet=frechet),
        **{"checkpoint": checkpoint.digest(checkpoint.load(folder).state), **other},
    )
    measured.write(folder / measured.FILE_NAME, made)


def refused(found, said):
    code, out, err = found
    assert (code, out) == (2, ""), out
    assert err.startswith("knock: ") and err.count("\n") == 1 and said in err, err


# knock runs


def test_runs_are_listed_the_newest_last(trained, knock, tmp_path):
    trained("--seed", "4")
    trained("--steps", "3", "--init", "runs/ae_numpy_mine", out="a/second")
    os.utime(tmp_path / "runs/ae_numpy_mine/run.json", (1, 1))
    os.utime(tmp_path / "runs/ae_numpy_mine/checkpoint.safetensors", (1, 1))
    scored(tmp_path / "runs/ae_numpy_mine", 12.345)
    scored(tmp_path / "runs/a/second", 1.0, checkpoint="of older weights")
    code, out, err = knock("runs")
    assert (code, err) == (0, "")
    head, first, second = (line.split() for line in out.splitlines())
    assert head[:4] == ["run", "question", "framework", "data"]
    assert first[:9] == [
        "runs/ae_numpy_mine", "ae", "numpy", "digits", "quick", "ae_numpy.py", "4", "2", "0.0",
    ]  # fmt: skip
    assert first[9:] == ["12.35"]
    assert second[:8] == [
        "runs/a/second", "ae", "numpy", "digits", "quick", "ae_numpy.py", "4", "3",
    ]  # fmt: skip
    assert second[9:] == ["runs/ae_numpy_mine,", "step", "2"]  # and no score
    told = json.loads(knock("runs", "--json")[1])
    assert told["format"] == listing.FORMAT and told["error"] == ""
    assert [one["run"] for one in told["runs"]] == [first[0], second[0]]
    assert told["runs"][0]["frechet"] == 12.345 and told["runs"][1]["frechet"] is None
    assert told["runs"][0]["answers"] == [str(tmp_path / "ae_numpy.py")]
    assert told["runs"][1]["init"] == {"run": str(tmp_path / "runs/ae_numpy_mine"), "step": 2}
    assert knock("runs", "runs/a")[1].splitlines()[1].split()[0] == "runs/a/second"
    assert knock("runs", "runs/a/second")[1].splitlines()[1].split()[0] == "runs/a/second"


def test_a_run_that_stopped_says_of_how_many_steps(trained, knock, tmp_path):
    trained(out="a")
    path = tmp_path / "runs/a/run.json"
    path.write_text(path.read_text().replace('"step": 2', '"step": 1'))
    assert " 1 of 2 " in knock("runs")[1]


@pytest.mark.parametrize("content", [b"{}", b"[", b'{"step": 5}', b"[" * 100_000, None], ids=str)
def test_a_damaged_run_has_a_row_that_says_so(trained, knock, tmp_path, content):
    trained(out="whole")
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    name = "run.json" if content else "checkpoint.safetensors"
    (broken / name).write_bytes(content or b"half")
    code, out, _ = knock("runs")
    assert code == 0
    assert any(line.split() == ["runs/broken", "damaged"] for line in out.splitlines())
    assert "runs/broken/run.json" in out.splitlines()[-1]
    assert any(line.split()[0] == "runs/whole" for line in out.splitlines())
    (told,) = [one for one in json.loads(knock("runs", "--json")[1])["runs"] if one["error"]]
    assert told["run"] == "runs/broken" and told["question"] == ""


def test_a_run_with_damaged_scores_is_listed(trained, knock, tmp_path):
    trained(out="a")
    (tmp_path / "runs/a/scores.json").write_text("{")
    _, row, said = knock("runs")[1].splitlines()
    assert row.split()[:2] == ["runs/a", "ae"]
    assert said.startswith("runs/a/scores.json is damaged")


def test_where_there_is_no_run_the_list_says_what_to_do(knock, tmp_path):
    assert knock("runs") == (0, "no runs in runs; knock run ae trains the first question\n", "")
    (tmp_path / "empty").mkdir()
    assert knock("runs", "empty")[1].startswith("no runs in empty;")
    assert json.loads(knock("runs", "--json")[1])["runs"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no folder nowhere"),
        (["a", "b"], "unknown option 'b'"),
        (["--all"], "unknown option '--all'"),
        ([""], "must not be empty"),
    ],
    ids=str,
)
def test_a_wrong_list_is_one_line(knock, words, said):
    refused(knock("runs", *words), said)
    code, out, err = knock("runs", "--json", *words)
    assert code == 2 and said in json.loads(out)["error"] and said in err


# knock run of a learner's own file


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """A finished file of the learner's, and the command that a `knock run` becomes."""
    (tmp_path / "my").mkdir()
    text = answer("gan", "chainer").read_text(encoding="utf-8")
    (tmp_path / "my" / "gan_chainer.py").write_text(text, encoding="utf-8")
    became: list[list[str]] = []

    def become(_, command):
        became.append(command[1:])
        raise SystemExit(0)  # a process that has become another never returns

    monkeypatch.setattr(os, "execv", become)
    return became


@pytest.mark.parametrize(
    "words",
    [
        ["gan", "--mine"],
        ["gan", "--framework", "chainer", "--mine"],
        ["gan", "my/gan_chainer.py"],
        ["05", "-f", "chainer", "my/gan_chainer.py"],
    ],
    ids=" ".join,
)
def test_the_learner_s_own_file_runs(knock, begun, words):
    knock("run", *words, "--steps", "3", "--resume")
    assert begun.pop() == ["my/gan_chainer.py", "--steps", "3", "--resume"]
    knock("run", words[0], "--steps", "3", *words[1:])
    assert begun.pop() == ["my/gan_chainer.py", "--steps", "3"]
    knock("run", "gan", "--framework", "chainer")
    assert begun.pop() == [str(answer("gan", "chainer"))]


def test_the_file_may_be_called_as_an_option_s_value(knock, begun):
    knock("run", "gan", "my/gan_chainer.py", "--out", "my/gan_chainer.py")
    assert begun.pop() == ["my/gan_chainer.py", "--out", "my/gan_chainer.py"]
    knock("run", "gan", "--out", "my/gan_chainer.py", "my/gan_chainer.py")
    assert begun.pop() == ["my/gan_chainer.py", "--out", "my/gan_chainer.py"]


def changed(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("words", "change", "said"),
    [
        (["ae", "--mine"], None, "you have no answer to question 01 ae here"),
        (["gan", "--mine", "my/gan_chainer.py"], None, "either --mine or my/gan_chainer.py"),
        (["gan", "my/none.py"], None, "no file my/none.py to run"),
        (["gan", "my/gan_chainer.py", "other.py"], None, "my/gan_chainer.py other.py"),
        (["gan", "my/gan_chainer.py", "-f", "keras"], None, "is in chainer, not in keras"),
        (["gan", "my/gan_chainer.py", "--steps", "0"], None, "--steps"),
        (["ae", "my/gan_chainer.py"], None, "answers question gan: knock run gan my/gan_chainer"),
        (["gan", "--mine"], changed("def called_real(", "def called_real(("), "does not run"),
        (["gan", "--mine"], changed("knock.run import main", "knock import verify"), "never calls"),
        (
            ["gan", "--mine"],
            changed("    return F.mean(F.softplus(-logits))",
                    '    raise NotImplementedError("TODO losses: called_real")'),
            "still to do: losses (called_real)",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)  # fmt: skip
def test_a_file_that_would_not_train_is_refused(knock, begun, tmp_path, words, change, said):
    path = tmp_path / "my" / "gan_chainer.py"
    if change:
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    refused(knock("run", *words), said)
    assert not begun


# Several seeds


@pytest.fixture
def seeds(monkeypatch):
    """The runs that `--seeds` starts, each with its script and options; the first of all fail."""
    ran, codes = [], []

    def run(script, words):
        ran.append((script, [*words]))
        folder = paths.Path(words[words.index("--out") + 1])
        folder.mkdir(parents=True)
        return codes.pop() if codes else 0

    monkeypatch.setattr(started, "run", run)
    return ran, codes


def test_several_seeds_run_one_after_the_other(knock, seeds):
    ran, _ = seeds
    code, out, err = knock("run", "gan", "-f", "chainer", "--seeds", "3", "--steps", "2")
    assert (code, err) == (0, "")
    assert [script for script, _ in ran] == [answer("gan", "chainer")] * 3
    assert [words[-3:] for _, words in ran] == [
        [str(seed), "--out", f"runs/gan_chainer{tail}"]
        for seed, tail in enumerate(("", "-2", "-3"))
    ]
    assert out.split(": ")[1].split() == ["knock", "compare", *(words[-1] for _, words in ran)]


def test_the_seeds_go_on_from_the_one_that_was_said(knock, seeds):
    ran, _ = seeds
    knock("run", "gan", "-f", "chainer", "--seeds", "2", "--seed", "7", "--out", "many")
    ends = [words[-4:] for _, words in ran]
    assert ends == [["--seed", f"{seed}", "--out", f"many/seed_{seed}"] for seed in (7, 8)]


def test_a_run_that_fails_ends_the_others(knock, seeds):
    ran, codes = seeds
    codes += [130]
    assert knock("run", "gan", "-f", "chainer", "--seeds", "3") == (130, "", "")
    assert len(ran) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gan", "--seeds", "0"], "--seeds: must be from 1 to 1000, not '0'"),
        (["gan", "--seeds", "many"], "--seeds"),
        (["gan", "--seeds", "2", "--resume"], "--seeds goes with no --test"),
        (["gan", "--seeds", "2", "--test", "a"], "--seeds goes with no --test"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_seeds_that_cannot_be_are_refused(knock, seeds, tmp_path, words, said):
    refused(knock("run", *words), said)
    assert not seeds[0] and not list(tmp_path.iterdir())


# Runs side by side


@pytest.fixture
def pair(trained):
    """Two runs that differ in a rate, and a longer one of another size."""
    trained(out="a")
    trained("--lr", "0.5", out="b")
    trained("--size", "16", "--steps", "3", "--seed", "1", out="c/a")


def drawn(knock, monkeypatch, *words):
    """The figure of the sheet, and what was printed."""
    figures = []
    save = charts.save
    monkeypatch.setattr(
        charts, "save", lambda path, figure: (figures.append(figure), save(path, figure))
    )
    code, out, err = knock("compare", *words)
    assert (code, err) == (0, "")
    return figures[0], out.splitlines()


def test_runs_are_laid_side_by_side(pair, knock, monkeypatch, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    figure, (head, first, second, place) = drawn(knock, monkeypatch, "runs/a", "runs/b")
    assert place == os.path.join("runs", "compare", "compare.png")
    with PIL.Image.open(tmp_path / place) as picture:
        assert picture.size[0] > 500
    labels = [text.get_text() for text in figure.texts]
    assert labels == [figure.get_suptitle(), "input", "a", "b"]  # the same pictures in
    title = figure.get_suptitle()
    assert title == "01 ae: Autoencoder · digits, 2 steps of 2, seed 0, float32, numpy"
    assert head.split()[0] == "optimizers.optimizer.lr"
    assert (first.split()[:2], second.split()[:2]) == (["a", "0.001"], ["b", "0.5"])
    again = {path: path.read_bytes() for path in before}
    assert again == before


def test_runs_of_other_sizes_and_lengths_are_compared_too(pair, knock, monkeypatch):
    """A folder of runs stands for all in it; where two are called alike they have longer names."""
    figure, lines = drawn(knock, monkeypatch, "runs", "runs/a", "--out", "sheet.png")
    assert lines[-1] == "sheet.png" and len(lines) == 5
    labels = [text.get_text() for text in figure.texts][1:]
    assert labels == ["input\ndigits", "input\nc/a", "runs/a", "runs/b", "c/a"]
    assert lines[0].split()[:2] == ["steps", "seed"]
    curves = [axis for axis in figure.axes if axis.lines]
    assert [len(line.get_xdata()) for line in curves[0].lines] == [2, 2, 3]


def test_a_loss_that_a_run_lacks_has_no_curve_there(tmp_path):
    import matplotlib.pyplot

    figure, axes = charts._figure(["d", "g"], height=3)
    curves = {"one": {"step": [1, 2], "d": [1.0, 2.0]},
              "two": {"step": [1, 2], "d": [1.0, 2.0], "g": [3.0, 4.0]}}  # fmt: skip
    charts._draw_curves(axes, curves)
    assert [[line.get_label() for line in axis.lines] for axis in axes] == [["one", "two"], ["two"]]
    assert axes[0].lines[1].get_color() == axes[1].lines[0].get_color()
    assert axes[1].get_legend() is not None
    matplotlib.pyplot.close(figure)


NOT_COMPARED = {
    "runs/a": "name two runs at least",
    "runs/a runs/../runs/a": "name two runs at least",
    "runs/a runs/none": "no folder runs/none",
    "runs/a empty": "empty is no run, and there is none in it",
    "runs/a runs/b --steps 3": "--steps: runs are compared as they are",
    "runs/a runs/b --frameworks keras": "--frameworks: runs are compared as",
    "gan runs/a": "either question 05 gan or runs, not 'runs/a' beside it",
    "runs/a gan": "no folder gan",
    "runs/a runs/b --out mine.png": "mine.png exists already; choose another",
    "runs/a runs/bare": "runs/bare is no run: there is no run.json in it",
    "runs/a runs/broken": "runs/broken/run.json cannot be read",
}


def test_what_cannot_be_compared_is_refused(pair, knock, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.png").write_bytes(b"mine")
    for name, file in (("bare", "checkpoint.safetensors"), ("broken", "run.json")):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / file).write_bytes(b"half")
    before = sorted(tmp_path.rglob("*"))
    for words, said in NOT_COMPARED.items():
        refused(knock("compare", *words.split()), said)
        assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
