"""`knock sample`: the pictures are the model's own, and nothing of the user's is written over.

Runs are opened with the NumPy answers, so that no framework is needed, except where frameworks are
what it is about.
"""

import os
from dataclasses import replace

from knock import data, frameworks, questions
from knock.recipe import Draw
from knock.trained import draws, film, opened, output, walk
from knock.trained.model import Model
from knock.training import record
from tests.helpers import numpy_instead, run_of

import numpy as np
import PIL.Image
import pytest

QUESTIONS = [questions.find(n) for n in ("vae", "gan", "dcgan", "cgan", "wgan", "wgan_gp")]
QUESTIONS += [questions.find(n) for n in ("lapgan", "alpha_gan", "improved_gan", "gan_landscape")]
QUESTIONS += [questions.find(n) for n in ("ddpm", "flow_matching", "vq_vae")]
ASKED = [questions.find(n) for n in ("cgan", "flow_matching")]
GAN, CGAN, VAE = (questions.find(name) for name in ("gan", "cgan", "vae"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numpy_instead(monkeypatch)


def louder(state):
    """First weights that make pictures with contrast."""
    for key in state:
        if key.startswith(("generator.", "decoder.")) and key.endswith(".weight"):
            state[key] *= 3


def pixels(path):
    with PIL.Image.open(path) as image:
        found = np.asarray(image)
    return found if found.ndim == 3 else found[..., None]


def separate(knock, *words, out="out"):
    """The single pictures of a call, by name."""
    code, _, error = knock("sample", *words, "--separate", "--out", out)
    assert code == 0, error
    return {name: pixels(f"{out}/{name}") for name in sorted(os.listdir(out))}


# What is made


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_each_question_that_makes_pictures_from_noise_does(question, tmp_path, knock):
    run = run_of(tmp_path / "a", question, change=louder)
    assert [q for q in questions.all_questions() if makes(q)] == QUESTIONS
    few = separate(knock, "a", "--n", "3", *(("--class", "4") if question in ASKED else ()))
    assert len(few) == 3
    trained = opened.open_run(run)
    batch = draws.of(trained.recipe, 0, 0, 3, draws.AT_ONCE)
    batch["labels"] = np.full(3, 4 if question in ASKED else 0)
    own = Model(trained, "cpu", 1).ask("generate", batch)
    for one, wanted in zip(few.values(), data.to_pixels(own), strict=True):
        assert np.array_equal(one, wanted)
        assert one.std() > 0


def makes(question):
    text = question.recipe_file.read_text(encoding="utf-8")
    return 'generate = ["' in text and 'generate = ["images' not in text


def test_a_picture_depends_on_its_seed_and_number_alone(tmp_path, knock, monkeypatch):
    run_of(tmp_path / "a", VAE)  # whose noise is normal
    few, more = separate(knock, "a", "--n", "3"), separate(knock, "a", "--n", "20", out="more")
    assert list(few) == ["seed0_0.png", "seed0_1.png", "seed0_2.png"]
    assert list(more)[:2] == ["seed0_00.png", "seed0_01.png"]
    for one, same in zip(few.values(), more.values(), strict=False):
        assert np.array_equal(one, same)
    assert len({one.tobytes() for one in more.values()}) == 20
    other = separate(knock, "a", "--n", "3", "--seed", "3", out="other")
    assert not np.array_equal(other["seed3_0.png"], few["seed0_0.png"])


def test_a_sheet_shows_them_in_lines_and_one_line_says_where_it_is(tmp_path, knock):
    run_of(tmp_path / "runs" / "a", change=louder)
    code, printed, _ = knock("sample", "gan", "--n", "10")
    assert code == 0
    assert (
        printed
        == "runs/a/sampled.png: 10 pictures of 16×16, seed 0 (05 gan after step 7, in PyTorch)\n"
    )
    singles = list(separate(knock, "gan", "--n", "10").values())
    sheet = pixels("runs/a/sampled.png")
    side = 4 * (16 + 2)  # four times as large, and a gap of two pixels
    assert sheet.shape == (4 * 2 * 20, 8 * side + 8, 3)
    for number, one in enumerate(singles):
        line, column = divmod(number, 8)
        top, left = line * 4 * 20 + 8, column * side + 8
        shown = sheet[top : top + 64 : 4, left : left + 64 : 4]
        assert np.array_equal(shown, np.repeat(one, 3, axis=-1))
    assert knock("sample", "runs/a/checkpoint.safetensors")[1].startswith(
        "runs/a/sampled-2.png: 64 "
    )


def test_classes_are_asked_for_by_name_or_number_and_come_in_turn(tmp_path, knock):
    run = run_of(tmp_path / "a", CGAN, "pytorch", louder, (3, 16, 16), "newts", overrides={})
    found = separate(knock, "a", "--class", "Madara,akahara", "--n", "3")
    names = ["class0_akahara_seed0_0.png", "class1_madara_seed0_0.png", "class1_madara_seed0_1.png"]
    assert list(found) == names  # madara was named first, and gets the odd one
    trained = opened.open_run(run)
    batch = draws.of(trained.recipe, 0, 0, 2, draws.AT_ONCE)
    model = Model(trained, "cpu", 1)
    for label, name in enumerate(("akahara", "madara")):
        own = model.ask("generate", {**batch, "labels": np.full(2, label)})
        assert np.array_equal(found[f"class{label}_{name}_seed0_0.png"], data.to_pixels(own)[0])
    assert list(separate(knock, "a", "--class", "1", out="one"))[0] == "class1_madara_seed0_00.png"
    code, printed, _ = knock("sample", "a")
    assert code == 0 and ": 16 pictures of" in printed  # eight of each


def test_a_run_that_wrote_its_class_names_down_needs_no_data(tmp_path, knock):
    run = run_of(tmp_path / "a", CGAN, overrides={"constants": {"classes": 4}})
    told = {**record.read_run(run), "classes": ["1", "a cat", "0", "A cat"]}
    record.write_run(run, told)
    found = list(separate(knock, "a", "--class", "0", "--class", "a cat", "--n", "2"))
    assert found == ["class1_a-cat_seed0_0.png", "class2_0_seed0_0.png"]  # a name goes first
    code, _, error = knock("sample", "a", "--class", "dog")
    assert code == 2 and "no class 'dog' in a; choose from: 1, a cat, 0, A cat, or 0 to 3" in error


# The walk


def test_a_walk_leads_from_one_picture_to_the_next(tmp_path, knock):
    run_of(tmp_path / "a", change=louder)
    stills = list(separate(knock, "a", "--n", "4").values())
    found = separate(knock, "a", "--steps-between", "5", "--n", "2", out="way")
    assert found.pop("walk.gif") is not None and len(found) == 10
    ways = list(found.values())
    for number in range(2):
        assert np.array_equal(ways[5 * number], stills[2 * number])
        assert np.array_equal(ways[5 * number + 4], stills[2 * number + 1])
    assert len({one.tobytes() for one in ways}) == 10


def test_a_film_plays_again_and_again_without_a_jump(tmp_path, knock):
    run_of(tmp_path / "a", change=louder)
    code, printed, _ = knock("sample", "a", "--steps-between", "3")
    assert code == 0 and "on a straight line from one noise to another" in printed
    assert printed.endswith("in motion: a/walk.gif\n")
    with PIL.Image.open("a/walk.gif") as image:
        assert image.info["loop"] == 0
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("L")).astype(int))
    assert len(frames) == 2 * film.FRAMES - 2
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    far = np.abs(frames[0] - frames[film.FRAMES - 1]).mean()
    assert max(steps) < far / 5
    half = film.FRAMES // 2
    for turn in (0, film.FRAMES - 1):  # it leaves slowly
        assert steps[turn] < steps[half] / 3


def test_on_a_walk_what_is_fixed_stays_as_it_is(tmp_path, knock):
    """The reference of a virtual normalisation has rows of its own, fewer than there are noises."""
    question = questions.find("improved_gan")
    run_of(tmp_path / "a", question, change=louder)
    way = separate(knock, "a", "--steps-between", "3", "--n", "20", out="way")
    still = separate(knock, "a", "--n", "40", out="still")
    for number, last in ((19, 39), (0, 1)):
        assert np.array_equal(
            way[f"seed0_way{number:02}_0.png"], still[f"seed0_{2 * number:02}.png"]
        )
        assert np.array_equal(way[f"seed0_way{number:02}_2.png"], still[f"seed0_{last:02}.png"])


def test_points_between_normal_noises_are_as_likely_as_drawn_ones():
    draw = Draw("normal", [10_000])
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(2, 10_000)).astype(np.float32)
    points = walk.between(draw, *ends, walk.even(5))
    assert points.dtype == np.float32
    assert np.allclose(points[0], ends[0], atol=1e-6) and np.allclose(points[4], ends[1], atol=1e-6)
    assert np.allclose((points**2).mean(axis=1), 1, atol=0.05)  # on a straight line: 0.5


def test_uniform_noise_goes_straight():
    ends = np.array([[[-1.0]], [[0.5]]])
    points = walk.between(Draw("uniform", [1]), *ends, walk.even(4))
    assert points[:, 0, 0].tolist() == pytest.approx([-1.0, -0.5, 0.0, 0.5])


# Frameworks


@pytest.mark.skipif(len(frameworks.installed()) < 2, reason="needs two frameworks")
def test_four_frameworks_make_the_same_pictures(tmp_path, knock, monkeypatch):
    run_of(tmp_path / "a", change=louder)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    here = [
        np.stack(
            list(separate(knock, "a", "-f", name, "--n", "5", "--threads", "1", out=name).values())
        )
        for name in frameworks.installed()
    ]
    assert here[0].std() > 10
    for one in here[1:]:
        assert np.abs(one.astype(int) - here[0]).max() <= 1


# What may be written over


def test_a_sample_is_written_over_and_nothing_else(tmp_path, knock):
    run_of(tmp_path / "a")
    words = ("sample", "a", "--n", "2", "--out", "mine.png")
    assert knock(*words)[0] == 0
    first = pixels("mine.png")
    assert knock(*words, "--seed", "1")[0] == 0
    assert not np.array_equal(first, pixels("mine.png"))
    PIL.Image.fromarray(pixels("mine.png")).save("mine.png")  # no longer signed
    before = (tmp_path / "mine.png").read_bytes()
    code, _, error = knock(*words)
    assert code == 2 and "mine.png is there already, and knock sample did not make it" in error
    assert before == (tmp_path / "mine.png").read_bytes()
    (tmp_path / "film.gif").write_text("mine")
    code, _, error = knock("sample", "a", "--steps-between", "3", "--out", "film.png")
    assert code == 2 and "film.gif is there already" in error
    assert not (tmp_path / "film.png").exists()


def test_single_pictures_never_replace_a_file(tmp_path, knock):
    run_of(tmp_path / "a")
    separate(knock, "a", "--n", "2")
    code, _, error = knock("sample", "a", "--n", "3", "--separate", "--out", "out")
    assert code == 2 and "out/seed0_0.png is there already" in error
    assert len(os.listdir("out")) == 2
    for name in ("sampled", "sampled-2"):
        code, printed, _ = knock("sample", "a", "--n", "2", "--separate")
        assert code == 0 and printed.startswith(f"a/{name}: ")


def test_out_may_be_a_folder_that_is_not_there_yet(tmp_path, knock):
    run_of(tmp_path / "a")
    for name in ("sampled.png", "sampled-2.png"):
        assert knock("sample", "a", "--n", "2", "--out", "new/b")[0] == 0
        assert (tmp_path / "new" / "b" / name).is_file()


# Bad input


BAD = {
    "no run": (["b"], "no run 'b'; name a run's folder"),
    "a folder without a run": (["."], ". is no run"),
    "a question without a run": (["dcgan"], "no run of dcgan in runs/: train one first"),
    "a question that makes none": (
        ["ae"],
        "no pictures from noise, but from pictures: knock apply",
    ),
    "no classes": (["a", "--class", "7"], "a (05 gan) knows no classes: leave --class out"),
    "an unknown class": (["c", "--class", "10"], "no class '10' in c; choose from: 0 to 9"),
    "classes that were not learnt": (
        ["l", "--class", "1"],
        "one that does, with knock run lapgan",
    ),
    "too few": (["a", "--n", "0"], "must be a whole number of at least 1, not '0'"),
    "too many": (["a", "--n", "10001"], "must be at most 10000"),
    "no way": (["a", "--steps-between", "1"], "must be from 2 to 100 pictures, not '1'"),
    "too many ways": (["a", "--steps-between", "9", "--n", "101"], "at most 100 ways, not 101"),
    "too large a sheet": (["a", "--n", "900"], "are too many for one; add --separate"),
    "no picture's name": (["a", "--out", "b.jpg"], "--out must end in .png, or name a folder"),
    "an unknown framework": (["a", "-f", "jax"], "no framework 'jax'"),
    "a missing framework": (["a", "-f", "keras"], "Keras needs not_there"),
    "both": (["a", "--grid", "--separate"], "not allowed with argument"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_nothing_is_written(case, tmp_path, knock, monkeypatch):
    words, said = BAD[case]
    keras = replace(frameworks.FRAMEWORKS["keras"], packages=("not_there",))
    monkeypatch.setitem(frameworks.FRAMEWORKS, "keras", keras)
    monkeypatch.setattr(output, "_MOST", 200_000)
    run_of(tmp_path / "a")
    if words[0] in MORE:
        MORE[words[0]](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, printed, error = knock("sample", *words)
    assert code == 2 and printed == ""
    assert len(error.strip().splitlines()) == 1 and error.startswith("knock: ") and said in error
    assert sorted(tmp_path.rglob("*")) == before


MORE = {
    "c": lambda folder: run_of(folder / "c", CGAN),
    "l": lambda folder: run_of(folder / "l", questions.find("lapgan")),
    "ae": lambda folder: run_of(folder / "runs" / "x", questions.find("ae")),
}
