"""Pictures of a run, and sheets of several: the right colours in the right places."""

import itertools
import json
import os
import signal
import time

from knock import cli, frameworks, questions, recipe
from knock.errors import UserError
from knock.questions import Question
from knock.training import (
    charts,
    checkpoint,
    compare,
    loss_log,
    measured,
    pictures,
    record,
    started,
)
from tests.helpers import run_plain

import numpy as np
import PIL.Image
import pytest

AE = questions.find("ae")
RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]


def opened(path):
    """A PNG as another library than ours reads it."""
    return np.array(PIL.Image.open(path))


def test_a_picture_is_written_in_its_own_colours(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8)
    picture[0, 0] = RED
    pictures.write_png(tmp_path / "a.png", picture)
    assert np.array_equal(opened(tmp_path / "a.png"), picture)
    pictures.write_png(tmp_path / "b.png", picture, enlarge=3)
    assert np.array_equal(opened(tmp_path / "b.png"), picture.repeat(3, 0).repeat(3, 1))


def test_a_grid_puts_every_picture_in_its_place():
    grey = np.array([10, 20, 30], np.uint8)[:, None, None, None].repeat(2, 1).repeat(4, 2)
    colour = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 3), np.uint8)
    wanted = np.full((2 + 2 + 2 + 2 + 3 + 2, 2 + 3 * (4 + 2), 3), 255, np.uint8)
    for i, value in enumerate((10, 20, 30)):
        wanted[2:4, 2 + 6 * i : 6 + 6 * i] = value
    wanted[8:11, 2:7] = colour[0]
    made = pictures.grid([grey, colour])
    assert made.dtype == np.uint8
    assert np.array_equal(made, wanted)


def test_a_run_s_picture_has_its_colours_and_rows(tmp_path, monkeypatch):
    """From files, red above blue, to the sample; -1 … 1 becomes 0 … 255, the rest is clipped."""
    monkeypatch.chdir(tmp_path)
    flag = np.array([RED] * 8 + [BLUE] * 8, np.uint8)[:, None].repeat(16, axis=1)
    for part in ("train", "test"):
        (tmp_path / "mine" / part).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            PIL.Image.fromarray(flag).save(tmp_path / "mine" / part / name)

    def sample(learner, model):
        images = learner.examples["images"]
        ramp = np.array([-5.0, 0.0, 0.2])[:, None, None]  # dark, half and a little more
        learner.show(first=images, second=np.zeros_like(images) + ramp, third=-images)

    def train(learner, model):
        for batch in learner.batches():
            learner.log(model.train_step(batch))
            sample(learner, model)

    words = ["--data", "mine", "--size", "16", "--batch-size", "2", "--steps", "1", "--out", "a"]
    assert run_plain(*words, "--threads", "1", "--quiet", train=train, sample=sample) == 0
    picture = opened(tmp_path / "a" / "samples" / "step_000001.png")
    assert np.array_equal(picture, opened(tmp_path / "a" / "result.png"))
    names, picture = np.split(picture, [picture.shape[1] - 4 * (2 * 18 + 2)], axis=1)
    ink = [(band < 128).sum() for band in np.split(names, 3)]  # first, second, third
    assert min(ink) > 50 and ink[1] > ink[0]
    small = picture[::4, ::4]  # 16 pixels are enlarged to 64
    assert np.array_equal(small.repeat(4, 0).repeat(4, 1), picture)
    rows = [
        flag,
        np.full((16, 16, 3), [0, 128, 153], np.uint8),
        np.array([[0, 255, 255]] * 8 + [[255, 255, 0]] * 8, np.uint8)[:, None].repeat(16, axis=1),
    ]
    assert np.array_equal(small, pictures.grid([np.stack([row] * 2) for row in rows]))
    kept = record.read_pictures(tmp_path / "a" / "result.safetensors")
    assert list(kept) == ["first", "second", "third"]
    assert all(np.array_equal(kept[name][0], row) for name, row in zip(kept, rows, strict=True))


def test_a_row_of_several_lines_has_its_name_in_the_middle(tmp_path):
    rows = {"a": np.zeros((25, 8, 8, 1), np.uint8), "b": np.zeros((3, 8, 8, 1), np.uint8)}
    pictures.write_rows(tmp_path / "rows.png", rows, 2)
    height, left = 2 * 12, pictures.names_width(rows, 2)
    drawn = opened(tmp_path / "rows.png")
    assert drawn.shape == (4 * height, left + 2 * (10 * 10 + 2), 3)
    dark = (drawn[:, :left] < 128).any(axis=(1, 2))
    written = [part.any() for part in np.split(dark, 4)]
    assert written == [False, True, False, True]


def test_pictures_are_shown_large_enough_to_see():
    shown = {side: side * pictures.enlargement(side) for side in (8, 16, 28, 32, 64, 128, 256)}
    assert shown == {8: 64, 16: 64, 28: 56, 32: 64, 64: 128, 128: 128, 256: 256}


def test_a_running_mean_keeps_the_ends_and_a_line_and_takes_the_noise_away():
    line = np.arange(200) / 7
    assert np.allclose(charts.running_mean(line, 20), line)
    noise = np.random.default_rng(0).normal(size=1000)
    smooth = charts.running_mean(noise, 100)
    assert (smooth[0], smooth[-1]) == pytest.approx((noise[0], noise[-1]))
    assert smooth[500] == pytest.approx(noise[450:551].mean())
    assert smooth[100:900].std() < 0.2
    assert np.allclose(charts.running_mean(noise, 1), noise)


def made_run(folder, weights, rows, losses, history):
    """What a run of three steps leaves in `folder`, as far as a sheet needs it."""
    folder.mkdir()
    resolved = recipe.load(AE.recipe_file, "digits", seed=4)
    state = {"optimizer.step": np.array(3), **weights}
    checkpoint.save(
        folder / checkpoint.FILE_NAME, checkpoint.Checkpoint(resolved, 3, state, folder.name, {})
    )
    last = {name: values[-1] for name, values in losses.items()}
    history = [{"seconds": seconds} for seconds in history]
    record.write_run(folder, {"step": 3, "losses": last, "data": None, "history": history})
    record.write_pictures(folder / "result.safetensors", rows)
    lines = [["step", *losses], *zip((1, 2, 3), *losses.values(), strict=True)]
    text = "".join(",".join(map(str, line)) + "\n" for line in lines)
    (folder / loss_log.FILE_NAME).write_text(text)


def row(value):
    """Two pictures of 4×6, of their own each."""
    return np.stack([np.full((4, 6, 1), value, np.uint8), np.full((4, 6, 1), value + 1, np.uint8)])


def drawn(folder, chosen, monkeypatch):
    """The figure of these runs' sheet, before it is written."""
    figures = []
    monkeypatch.setattr(charts, "save", lambda path, figure: figures.append((path, figure)))
    assert compare.draw(AE, chosen, folder)[0] == folder / "compare.png"
    ((path, figure),) = figures
    assert path == folder / "compare.png"
    return figure


def shown_rows(figure):
    """[label, pixels], from the top."""
    axes = sorted((a for a in figure.axes if a.images), key=lambda a: -a.get_position().y0)
    found = []
    for axis in axes:
        box = axis.get_position()
        beside = [t for t in figure.texts if box.y0 < t.get_position()[1] < box.y1]
        (text,) = (t for t in beside if t is not figure._suptitle)
        found.append((text.get_text(), np.asarray(axis.images[0].get_array())))
    return found


CURVES = {"keras": [0.5, 0.25, 0.125], "chainer": [0.5, 0.3, 0.2], "pytorch": [9.0, 8.0, 7.0]}


@pytest.fixture
def three_runs(tmp_path):
    """Of which two are compared; the optimiser's memory differs too, which counts for nothing."""
    changes = {"keras": (0.0, 0.0, 0.0), "chainer": (0.25, -0.5, 7.0), "pytorch": (9.0, 9.0, 9.0)}
    for number, (name, (up, down, memory)) in enumerate(changes.items()):
        weights = {
            "encoder.fc.weight": np.array([[1.0, 1.0 + up, 1.0]], np.float32),
            "encoder.fc.bias": np.zeros(1, np.float32),
            "decoder.fc.weight": np.array([[2.0], [2.0 + down]], np.float32),
            "decoder.fc.bias": np.full(2, 0.125 * bool(up), np.float32),
            "optimizer.encoder.fc.weight.m": np.full((1, 3), memory, np.float32),
        }
        # What is given comes last here, and first on the sheet.
        rows = {"reconstruction": row(100 + 10 * number), "input": row(10)}
        made_run(tmp_path / name, weights, rows, {"loss": CURVES[name]}, (1.0, 0.5 + number))
    return tmp_path


def test_a_sheet_shows_each_framework_its_own_and_what_was_given_once(three_runs, monkeypatch):
    figure = drawn(three_runs, ["keras", "chainer"], monkeypatch)
    shown = shown_rows(figure)
    assert [label for label, _ in shown] == ["input", "Keras", "Chainer"]
    for (_, pixels), value in zip(shown, (10, 100, 110), strict=True):
        assert np.array_equal(pixels, pictures.grid([row(value)]))
    title = figure.get_suptitle()
    assert all(word in title for word in ("01 ae", "digits", "3 steps of 64", "seed 4", "float32"))


def test_a_sheet_draws_every_curve(three_runs, monkeypatch):
    figure = drawn(three_runs, ["keras", "chainer"], monkeypatch)
    (axis,) = (a for a in figure.axes if a.lines)
    lines = {line.get_label(): [list(xs) for xs in line.get_data()] for line in axis.lines}
    assert lines == {
        "Keras": [[1, 2, 3], CURVES["keras"]],
        "Chainer": [[1, 2, 3], CURVES["chainer"]],
    }
    assert (axis.get_xlabel(), axis.get_title(), axis.get_yscale()) == ("step", "loss", "linear")
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["Keras", "Chainer"]


def test_a_sheet_s_table_holds_the_last_losses_and_the_largest_difference(three_runs, monkeypatch):
    figure = drawn(three_runs, ["keras", "chainer"], monkeypatch)
    ((table,),) = (a.tables for a in figure.axes if a.tables)
    cells = {place: cell.get_text().get_text() for place, cell in table.get_celld().items()}
    told = [[cells[line, column] for column in range(5)] for line in range(3)]
    assert told == [
        ["", "final loss", "seconds", "ms a step", "largest weight difference to Keras"],
        ["Keras", "loss 0.125", "1.5", "500.0", "–"],
        ["Chainer", "loss 0.2", "2.5", "833.3", "5.0e-01"],  # the larger of 0.25 and |−0.5|
    ]
    assert len(cells) == 15


def test_several_made_rows_stand_framework_by_framework(tmp_path, monkeypatch):
    """And several losses have an axis each: of powers where one spans more than a decade."""
    for number, name in enumerate(("pytorch", "keras")):
        rows = {"input": row(1), "fake": row(20 + 2 * number), "back": row(40 + 2 * number)}
        losses = {"g": [1.0, 2.0, 3.0], "d": [0.5, -0.5, 0.25 + number], "h": [0.1, 0.5, 3.0]}
        weights = {"encoder.fc.weight": np.zeros(2)}
        made_run(tmp_path / name, weights, rows, losses, (1.0,))
    figure = drawn(tmp_path, ["pytorch", "keras"], monkeypatch)
    shown = shown_rows(figure)
    assert [label for label, _ in shown] == [
        "input", "fake\nPyTorch", "fake\nKeras", "back\nPyTorch", "back\nKeras",
    ]  # fmt: skip
    for (_, pixels), value in zip(shown, (1, 20, 22, 40, 42), strict=True):
        assert np.array_equal(pixels, pictures.grid([row(value)]))
    axes = {a.get_title(): a for a in figure.axes if a.lines}
    assert {name: a.get_yscale() for name, a in axes.items()} == {
        "g": "linear",  # too little between them to need powers
        "d": "linear",  # one is not above 0
        "h": "log",
    }
    assert [list(line.get_ydata()) for line in axes["d"].lines] == [
        [0.5, -0.5, 0.25],
        [0.5, -0.5, 1.25],
    ]
    ((table,),) = (a.tables for a in figure.axes if a.tables)
    assert table[2, 1].get_text().get_text() == "g 3, d 1.25, h 3"


@pytest.mark.parametrize(("codes", "begun"), [((7, 0), 1), ((0, 7), 2), ((130, 0), 1)])
def test_a_failing_run_ends_the_comparison_with_its_code(codes, begun, tmp_path, monkeypatch):
    names = ["pytorch", "keras"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(frameworks.Framework, "missing", ())
    monkeypatch.setattr(Question, "answer", lambda self, name: tmp_path / f"ae_{name}.py")
    monkeypatch.setattr(compare, "draw", lambda *_: pytest.fail("it draws a sheet"))
    for name, code in zip(names, codes, strict=True):
        (tmp_path / f"ae_{name}.py").write_text(
            f"import os, sys\nos.mkdir(sys.argv[sys.argv.index('--out') + 1])\nsys.exit({code})\n"
        )
    with pytest.raises(SystemExit) as left:
        cli.main(["compare", "ae", "--frameworks", ",".join(names), "--out", "both"])
    assert left.value.code == max(codes)
    made = sorted(path.name for path in (tmp_path / "both").iterdir())
    assert made == sorted([*names[:begun], compare.PLAN])


def test_a_sheet_shows_the_scores_of_its_runs_as_they_are_now(tmp_path, monkeypatch):
    chosen = ("pytorch", "keras")
    for name in chosen:
        weights = {"decoder.fc.weight": np.full((2, 2), len(name) / 8)}
        made_run(tmp_path / name, weights, {"sample": row(3)}, {"loss": [3.0, 2.0, 1.0]}, [2.0])

    def table():
        monkeypatch.setattr(charts, "save", lambda path, figure: None)
        return compare.draw(AE, chosen, tmp_path)[1]

    def scored(name, frechet, examiner="one", **other):
        digest = checkpoint.digest(checkpoint.load(tmp_path / name).state)
        found = measured.Measured(
            question="ae",
            framework=name,
            made_in=name,
            dataset="digits",
            image=(1, 2, 2),
            preset="quick",
            seed=4,
            step=3,
            draws=1,
            eyes=measured.Eyes(measured.EXAMINER, examiner, 0.9, 9, 9, 9),
            scores=measured.Scores(frechet=frechet, kinds=7),
            **{"checkpoint": digest, "pictures": 90, **other},
        )
        measured.write(tmp_path / name / measured.FILE_NAME, found)

    bare = table()
    scored("pytorch", 12.34)
    heads = ["Fréchet distance of 90 pictures", "kinds"]
    more = (heads, ["12.3", "7"], ["–", "–"])
    assert table() == [[*line, *cells] for line, cells in zip(bare, more, strict=True)]
    scored("keras", 0.5)
    assert [line[-2] for line in table()[1:]] == ["12.3", "0.5"]
    scored("keras", 0.5, checkpoint="an older one")
    assert [line[-2] for line in table()[1:]] == ["12.3", "–"]
    for other in ({"examiner": "another"}, {"pictures": 60}):
        scored("keras", 0.5, **other)
        assert table() == bare
    (tmp_path / "keras" / measured.FILE_NAME).write_text("{")
    with pytest.raises(UserError, match="scores.json is damaged"):
        table()


def test_many_losses_are_laid_out_in_rows(tmp_path, monkeypatch):
    """At most four side by side, none over another, and the table without their names."""
    for name in ("pytorch", "keras"):
        losses = {f"loss{k}": [1.0, 2.0, float(k)] for k in range(1, 8)}
        made_run(tmp_path / name, {"encoder.fc.weight": np.zeros(2)}, {"a": row(1)}, losses, (1.0,))
    figure = drawn(tmp_path, ["pytorch", "keras"], monkeypatch)
    places = {a.get_title(): a.get_position() for a in figure.axes if a.lines}
    assert list(places) == [f"loss{k}" for k in range(1, 8)]
    tops = sorted({round(place.y1, 3) for place in places.values()}, reverse=True)
    assert len(tops) == 2
    assert [round(places[f"loss{k}"].y1, 3) for k in range(1, 8)] == [tops[0]] * 4 + [tops[1]] * 3
    assert all(0 < place.x0 < place.x1 <= 1 for place in places.values())  # none off the sheet
    for left, right in itertools.combinations(places.values(), 2):
        assert left.x1 < right.x0 or right.x1 < left.x0 or left.y0 > right.y1 or right.y0 > left.y1
    ((table,),) = (a.tables for a in figure.axes if a.tables)
    assert table.get_celld()[1, 1].get_text().get_text() == "1, 2, 3, 4, 5, 6, 7"


def test_of_many_rows_the_first_picture_of_each_is_shown(tmp_path, monkeypatch):
    rows = {f"stage {k}": np.concatenate([row(10 * k), row(200)]) for k in range(1, 6)}
    losses = {"g": [1.0, 2.0, 3.0]}
    made_run(tmp_path / "pytorch", {"encoder.fc.weight": np.zeros(2)}, rows, losses, (1.0,))
    ((label, pixels),) = shown_rows(drawn(tmp_path, ["pytorch"], monkeypatch))
    assert label == "PyTorch"
    first = np.concatenate([rows[name][:1] for name in rows])
    assert np.array_equal(pixels, pictures.grid([first]))


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Instead of each answer, a script of this text; the comparison goes into `both`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(frameworks.Framework, "missing", ())
    monkeypatch.setattr(Question, "answer", lambda self, name: tmp_path / f"ae_{name}.py")
    monkeypatch.setattr(compare, "draw", lambda *_: ("the sheet", [["drawn"]]))

    def write(framework, text):
        text = f"import json, os, sys, time\n{text}\n"
        (tmp_path / f"ae_{framework}.py").write_text(text, encoding="utf-8")

    return write


def call(*words):
    with pytest.raises(SystemExit) as left:
        cli.main(["compare", "ae", *words])
    return left.value.code


NOTE = "open(sys.argv[0][:-3] + '.txt', 'a').write(json.dumps(sys.argv[1:]) + '\\n')"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_run_gets_a_word_and_its_comparison_goes_on(scripts, tmp_path, capsys):
    scripts("pytorch", NOTE)
    scripts("keras", "os.kill(os.getpid(), 9)")
    assert call("--frameworks", "pytorch,keras", "--steps", "7", "--out", "both") == 137
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "knock: ae_keras.py was ended by SIGKILL, often for lack of memory",
        "knock: go on with: knock compare ae --resume --out both",
    ]
    scripts("keras", NOTE)
    assert call("--resume", "--out", "both") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "the sheet"
    told = {
        name: [json.loads(one) for one in (tmp_path / f"ae_{name}.txt").read_text().splitlines()]
        for name in ("pytorch", "keras")
    }
    again = [["--steps", "7", "--resume", "--out", os.path.join("both", name)] for name in told]
    first = ["--steps", "7", "--out", os.path.join("both", "pytorch")]
    assert told == {"pytorch": [first, again[0]], "keras": [again[1]]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "both"], "both holds a comparison; add --resume"),
        (["--resume", "--out", "gans"], "gans holds a comparison of gan, not of ae"),
        (["--resume", "--out", "odd"], "cannot be read"),
        (["--resume", "here", "--out", "new"], "unrecognized arguments: here"),
        (["--resume=here", "--out", "new"], "--resume takes no path"),
    ],
)
def test_what_cannot_be_compared_again_is_refused(words, said, scripts, tmp_path, capsys):
    for name in ("pytorch", "keras", "tensorflow", "chainer"):
        scripts(name, "sys.exit('it would train')")
    plan = '{"question": "%s", "frameworks": ["keras"], "words": []}'
    for name, text in (("both", plan % "ae"), ("gans", plan % "gan"), ("odd", "[")):
        (tmp_path / name).mkdir()
        (tmp_path / name / compare.PLAN).write_text(text)
    assert call(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_run_ends_with_the_process_that_waits_for_it(scripts, tmp_path):
    """As after a SIGKILL, which nothing can catch: the waiting process ends at once."""
    scripts(
        "keras",
        "from knock.training import started\nimport signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: (open('saved', 'w').close(), os._exit(0)))\n"
        "started.end_with_parent()\nopen('begun', 'w').close()\ntime.sleep(60)",
    )
    waits = os.fork()
    if not waits:
        started.run(tmp_path / "ae_keras.py", [])
        os._exit(0)
    until_there(tmp_path / "begun")
    os.kill(waits, signal.SIGKILL)
    os.waitpid(waits, 0)
    until_there(tmp_path / "saved")


def until_there(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)
