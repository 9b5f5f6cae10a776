"""`knock apply`: one's own picture is read as the run's own are, and a bad one stops no other.

Runs are opened with the NumPy answers, so that no framework is needed.
"""

import os
import shutil

from knock import data, files, paths, questions
from knock.data.batches import painted
from knock.trained import draws, opened
from knock.trained.model import Model
from tests.helpers import numpy_instead, run_of
from tests.test_sample import louder, pixels

import numpy as np
import PIL.Image
import pytest

AE, PIX2PIX, GAN = (questions.find(name) for name in ("ae", "pix2pix", "gan"))
VQ_VAE, CYCLEGAN = (questions.find(name) for name in ("vq_vae", "cyclegan"))
GREY = [questions.find(name) for name in ("ae", "convae", "vae", "alpha_gan")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numpy_instead(monkeypatch)


def photograph(path, size=(50, 30), seed=0, mode="RGB", **more):
    """A picture with large smooth areas, saved as its ending says."""
    few = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    image = PIL.Image.fromarray(few).resize(size, PIL.Image.Resampling.BICUBIC).convert(mode)
    path.parent.mkdir(exist_ok=True)
    image.save(path, **more)
    return path


def results(knock, *words, code=0):
    """The results of a call, by name, and what it said on standard error."""
    left, _, error = knock("apply", *words, "--separate", "--out", "out")
    assert left == code, error
    found = {name: pixels(f"out/{name}") for name in sorted(os.listdir("out"))}
    shutil.rmtree("out")
    return found, error


def pix2pix(folder, **more):
    return run_of(folder, PIX2PIX, change=louder, shape=(3, 16, 16), dataset="newts", **more)


# What is made


@pytest.mark.parametrize("question", GREY, ids=lambda question: question.name)
def test_a_picture_is_read_as_a_folder_of_pictures_is(question, tmp_path, knock):
    run = run_of(tmp_path / "a", question, change=louder)
    photograph(tmp_path / "mine" / "large.jpg", (400, 300))
    photograph(tmp_path / "mine" / "small.png", (7, 9), 1)
    found, _ = results(knock, "a", "mine")
    assert list(found) == ["large.png", "small.png"]
    mine = tmp_path / "mine"
    read = [data.load("folder", (1, 16, 16), split, mine).images for split in ("train", "test")]
    given = {"images": data.to_unit(np.concatenate(read))}
    own = Model(opened.open_run(run), "cpu", 1).ask("reconstruct", given)
    for one, wanted in zip(found.values(), data.to_pixels(own), strict=True):
        assert one.shape == (16, 16, 1) and one.std() > 0
        assert np.array_equal(one, wanted)


def test_every_question_that_takes_pictures_does(tmp_path):
    takes = {"reconstruct", "generate"}
    found = []
    for question in questions.all_questions():
        text = question.recipe_file.read_text(encoding="utf-8")
        if any(f'{method} = ["images"' in text for method in takes):
            found.append(question)
    assert found == [*GREY[:3], PIX2PIX, GREY[3], VQ_VAE, CYCLEGAN]


def test_the_camera_s_orientation_transparency_and_16_bits_are_respected(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    upright = photograph(tmp_path / "upright.png")
    with PIL.Image.open(upright) as image:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6  # turned by 90° when it was taken
        image.transpose(PIL.Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
        grey = np.asarray(image.convert("L"))
        image.save("bare.webp", lossless=True)
    PIL.Image.fromarray(grey.astype(np.uint16) * 257).save("deep.png")
    clear = np.zeros((*grey.shape, 4), np.uint8)
    PIL.Image.fromarray(clear).save("clear.png")
    PIL.Image.new("RGB", (9, 9), "white").save("white.bmp")
    names = ["upright.png", "turned.png", "bare.webp", "deep.png", "clear.png", "white.bmp"]
    found, _ = results(knock, "a", *names)
    for name in ("turned", "bare", "deep"):
        assert np.array_equal(found["upright.png"], found[f"{name}.png"]), name
    assert np.array_equal(found["clear.png"], found["white.png"])
    assert not np.array_equal(found["clear.png"], found["upright.png"])


def test_a_sheet_has_each_result_below_its_picture(tmp_path, knock):
    run_of(tmp_path / "runs" / "a", AE)
    for number in range(10):
        photograph(tmp_path / "mine" / f"{number}.png", seed=number)
    code, printed, _ = knock("apply", "ae", "mine")
    assert code == 0
    assert (
        printed == "runs/a/applied.png: 10 pictures, made 16×16 (01 ae after step 7, in PyTorch)\n"
    )
    found, _ = results(knock, "ae", "mine")
    sheet = pixels("runs/a/applied.png")
    names = sheet.shape[1] - 4 * (8 * 18 + 2)
    for number in range(10):
        line, column = divmod(number, 8)
        left = names + 4 * (column * 18 + 2)
        for row, wanted in enumerate(
            (read(tmp_path / "mine" / f"{number}.png"), found[f"{number}.png"])
        ):
            top = 4 * ((2 * line + row) * 20 + 2)
            shown = sheet[top : top + 64 : 4, left : left + 64 : 4]
            assert np.array_equal(shown, np.repeat(wanted, 3, axis=-1))


def read(path):
    return data.resize.photograph(data.images.read(path, 1), 16, 16)


def test_black_on_white_can_be_turned_round(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    with PIL.Image.open(photograph(tmp_path / "b.png", (16, 16), mode="L")) as image:
        PIL.Image.fromarray(255 - np.asarray(image)).save("c.png")
    turned, _ = results(knock, "a", "b.png", "--invert")
    assert np.array_equal(turned["b.png"], results(knock, "a", "c.png")[0]["c.png"])


# Pairs


def test_what_pix2pix_makes_of_a_picture_depends_on_no_other_one_given(tmp_path, knock):
    run = pix2pix(tmp_path / "a")
    for number in range(3):
        photograph(tmp_path / "mine" / f"{number}.png", seed=number)
    together, _ = results(knock, "a", "mine")
    for name, one in together.items():
        assert np.array_equal(one, results(knock, "a", f"mine/{name}")[0][name])
    other, _ = results(knock, "a", "mine/0.png", "--seed", "1")
    assert not np.array_equal(other["0.png"], together["0.png"])
    # It is in the company of test pictures, as many as a batch of the training has.
    trained = opened.open_run(run)
    test = data.load("newts", (3, 16, 16), "test").images[:7]
    own = data.resize.photograph(data.images.read(tmp_path / "mine" / "0.png", 3), 16, 16)
    batch = draws.of(trained.recipe, 0, 0, 8, 8)
    batch["images"] = data.to_unit(np.stack([own, *test]))
    made = Model(trained, "cpu", 1).ask("generate", batch)
    assert np.array_equal(data.to_pixels(made)[0], together["0.png"])


def test_a_run_that_translates_both_ways_goes_back_when_asked(tmp_path, knock):
    run_of(tmp_path / "a", CYCLEGAN, change=louder, shape=(3, 16, 16), dataset="newts")
    photograph(tmp_path / "mine" / "one.png", (16, 16))
    photograph(tmp_path / "mine" / "two.png", (16, 16), 1)
    there, _ = results(knock, "a", "mine")
    back, _ = results(knock, "a", "mine", "--back")
    assert not np.array_equal(there["one.png"], back["one.png"])
    alone, _ = results(knock, "a", "mine/one.png", "--back")
    np.testing.assert_array_equal(alone["one.png"], back["one.png"])


def test_a_run_that_goes_one_way_does_not_go_back(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    photograph(tmp_path / "mine" / "one.png")
    left, _, error = knock("apply", "a", "mine", "--back")
    assert left == 2
    assert error.endswith("a (01 ae) goes one way only; leave --back out\n")
    assert error.count("\n") == 1


def test_where_the_run_s_pictures_are_gone_a_picture_is_alone(tmp_path, knock, monkeypatch):
    pix2pix(tmp_path / "a")
    photograph(tmp_path / "b.png")
    with_company, _ = results(knock, "a", "b.png")
    monkeypatch.setattr(paths, "DATASET", tmp_path / "nowhere")
    alone, _ = results(knock, "a", "b.png")
    assert alone["b.png"].std() > 0 and not np.array_equal(alone["b.png"], with_company["b.png"])


def test_the_direction_is_the_run_s_and_a_mask_may_have_any_colour(tmp_path, knock):
    pix2pix(tmp_path / "a", overrides={"pairs": "BtoA"})
    place = paths.DATASET / "test" / "seg_images" / "akahara" / "akahara_0001.png"
    ids = data.load("newts", (3, 16, 16), "test").masks[:1]
    shutil.copy(place, "coloured.png")
    with PIL.Image.open(place) as image:
        black = np.asarray(image.convert("RGB")).any(axis=-1)
    PIL.Image.fromarray(np.where(black, 255, 0).astype(np.uint8)).save("white.jpg", quality=90)
    PIL.Image.fromarray(painted(ids, 3)[0]).save("small.png")
    found, _ = results(knock, "a", "coloured.png", "white.jpg", "small.png")
    assert np.array_equal(found["coloured.png"], found["white.png"])
    assert np.array_equal(found["coloured.png"], found["small.png"])


# Files that cannot be read, and files that are there already


def test_the_others_are_done_where_one_cannot_be_read(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    good = photograph(tmp_path / "good.jpg", (200, 200))
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    found, error = results(
        knock, "a", "cut.jpg", "good.jpg", "gone.jpg", "text.png", "empty", code=2
    )
    assert list(found) == ["good.png"]
    lines = error.splitlines()
    assert len(lines) == 4 and all(line.startswith("knock: ") for line in lines)
    for said in (
        "cut.jpg is incomplete",
        "the picture gone.jpg: No such",
        "text.png is not a picture",
        "no pictures in empty",
    ):
        assert any(said in line for line in lines), error


def test_pictures_of_one_name_get_numbers_and_a_picture_given_twice_comes_once(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    photograph(tmp_path / "b" / "one.png")
    photograph(tmp_path / "c" / "one.jpg", seed=1)
    found, _ = results(knock, "a", "b", "c/one.jpg", "b/one.png")
    assert list(found) == ["one-2.png", "one.png"]


def test_no_file_of_the_user_s_is_written_over(tmp_path, knock):
    run_of(tmp_path / "a", AE)
    before = photograph(tmp_path / "mine" / "b.png").read_bytes()
    for words in (["--out", "mine/b.png"], ["--separate", "--out", "mine"]):
        code, _, error = knock("apply", "a", "mine/b.png", *words)
        assert code == 2 and "mine/b.png is there already" in error
    assert (tmp_path / "mine" / "b.png").read_bytes() == before
    assert os.listdir("mine") == ["b.png"]
    for _ in range(2):  # its own it may replace
        assert knock("apply", "a", "mine/b.png", "--out", "mine/c.png")[0] == 0


def test_a_free_name_keeps_the_ending(tmp_path):
    for name in ("a.png", "a-2.png", "run"):
        assert files.free(tmp_path / name.replace("-2", "")) == tmp_path / name
        (tmp_path / name).touch()


BAD = {
    "no run": (["c", "b.png"], "no run 'c'; name a run's folder"),
    "no picture named": (["a"], "the following arguments are required: PICTURE|FOLDER"),
    "no such picture": (["a", "c.png"], "cannot read the picture c.png"),
    "no picture": (["a", "a/run.json"], "a/run.json is not a picture"),
    "noise": (
        ["g", "b.png"],
        "of a picture, but pictures from noise: knock sample g",
    ),
    "neither": (["m", "b.png"], "m (16 metrics) makes no pictures"),
    "no picture's name": (
        ["a", "b.png", "--out", "b.tif"],
        "--out must end in .png, or name a folder",
    ),
    "a file for a folder": (["a", "b.png", "--separate", "--out", "b.png"], "b.png is a file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_nothing_is_written(case, tmp_path, knock):
    words, said = BAD[case]
    run_of(tmp_path / "a", AE)
    photograph(tmp_path / "b.png")
    for name, question in (("g", GAN), ("m", questions.find("metrics"))):
        if words[0] == name:
            run_of(tmp_path / name, question)
    before = sorted(tmp_path.rglob("*"))
    code, printed, error = knock("apply", *words)
    assert code == 2 and printed == ""
    assert len(error.strip().splitlines()) == 1 and error.startswith("knock: ") and said in error
    assert sorted(tmp_path.rglob("*")) == before
