"""`knock score`: the same examiner for everybody, and scores that see what is wrong with pictures.

The examiner is question 16's own, but small and trained for a moment; runs are opened with the
NumPy answers, so that no framework is needed, except where frameworks are what it is about.
"""

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from knock import data, frameworks, kept, paths, questions
from knock import recipe as recipes
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.frameworks.binding import WrongNetwork
from knock.measure import examiner, features, made, real, scores, scoring, table
from knock.measure.made import Made
from knock.recipe.weights import initial_weights
from knock.scripts import load as script
from knock.trained import draws, opened
from knock.training import checkpoint, loss_log, measured, measures, record
from knock.training.checkpoint import Checkpoint
from tests.helpers import numpy_instead, run_of
from tests.test_cli import needs_torch

import msgspec
import numpy as np
import PIL.Image
import pytest

SHAPE = (1, 16, 16)
GAN, CGAN, AE = (questions.find(name) for name in ("gan", "cgan", "ae"))
SETTINGS = scoring.Settings(60, "cpu", 1)


def small(recipe):
    """An examiner's recipe, for one that is trained in a second."""
    constants = {**recipe.constants, "e_width": 4, "features": 12}
    train = msgspec.structs.replace(recipe.train, batch_size=32, steps=150)
    rates = {name: msgspec.structs.replace(o, lr=0.004) for name, o in recipe.optimizers.items()}
    return msgspec.structs.replace(recipe, constants=constants, train=train, optimizers=rates)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def here(cache, tmp_path, monkeypatch):
    """A cache folder of these tests' own, small examiners, and NumPy in every framework's place."""
    recipe = examiner._recipe
    monkeypatch.setattr(paths, "cache", lambda: cache)
    monkeypatch.setattr(examiner, "_recipe", lambda pictures: small(recipe(pictures)))
    numpy_instead(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache for one test."""
    monkeypatch.setattr(paths, "cache", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "examiners"


@pytest.fixture
def trained(monkeypatch):
    """Which examiners are trained: their keys."""
    keys = []

    def train(recipe, pictures, key):
        keys.append(key)
        return original(recipe, pictures, key)

    original = examiner._train
    monkeypatch.setattr(examiner, "_train", train)
    return keys


@pytest.fixture(scope="module")
def digits():
    train, test = (data.load("digits", SHAPE, split) for split in ("train", "test"))
    return real.Real("digits", train, test)


def group_of(pictures):
    asked = examiner.get(pictures)
    return scoring.Group([], pictures, asked, None, asked.test, asked.metrics)


# The examiner


def test_it_learns_and_the_second_time_it_is_read_with_the_same_bits(digits, own_cache, trained):
    first, second = examiner.get(digits), examiner.get(digits)
    assert len(trained) == 1
    assert first.about == second.about
    assert first.about.accuracy > 0.6
    weights = [plain.read(one.metrics, one.recipe) for one in (first, second)]
    for name in weights[0]:
        if name.startswith("examiner."):
            assert np.array_equal(weights[0][name], weights[1][name])
    assert np.array_equal(first.test, second.test)
    some = digits.train.images[:20]
    seen = first.features(some)
    assert seen.dtype == np.float64 and seen.shape == (20, 12)
    assert np.array_equal(seen, second.features(some))
    assert np.array_equal(first.features(digits.test.images), first.test)
    right = (first.logits(first.test).argmax(1) == digits.test.labels).mean()
    assert right == first.about.accuracy


def test_trained_anew_it_has_the_same_bits(digits, own_cache, trained):
    first = examiner.get(digits)
    (file,) = examiner.EXAMINERS.files()
    before = file.read_bytes()
    file.unlink()
    again = examiner.get(digits)
    assert np.array_equal(again.test, first.test) and again.digest == first.digest
    assert len(trained) == 2 and file.read_bytes() == before


def test_scores_may_be_compared_where_an_examiner_is_the_same_whatever_the_version(
    digits, own_cache, trained, monkeypatch
):
    first = examiner.get(digits)
    monkeypatch.setattr(kept, "code", lambda: b"another package")
    second = examiner.get(digits)
    assert len(trained) == 2 and first.key != second.key
    assert first.digest == second.digest
    recipe = examiner._recipe(digits)
    monkeypatch.setattr(examiner, "_recipe", lambda _: msgspec.structs.replace(recipe, seed=1))
    assert examiner.get(digits).digest != first.digest


def test_another_recipe_reference_picture_label_or_version_never_meets_it(
    digits, own_cache, trained, monkeypatch, tmp_path
):
    def changed(part, **arrays):
        return replace(digits, **{part: replace(getattr(digits, part), **arrays)})

    images, labels = digits.train.images.copy(), digits.test.labels.copy()
    images[5, 0, 0] ^= 1
    labels[0] = (labels[0] + 1) % 10
    keys = set()
    monkeypatch.setattr(examiner, "_train", lambda recipe, pictures, key: keys.add(key) or 1 / 0)

    def ask(pictures=digits):
        with pytest.raises(ZeroDivisionError):
            examiner.get(pictures)

    ask()
    ask(changed("train", images=images))
    ask(changed("test", labels=labels))
    recipe = examiner._recipe(digits)
    with monkeypatch.context() as other:
        train = msgspec.structs.replace(recipe.train, steps=151)
        longer = msgspec.structs.replace(recipe, train=train)
        other.setattr(examiner, "_recipe", lambda _: longer)
        ask()
    with monkeypatch.context() as other:
        other.setattr(np, "__version__", "99.0")
        ask()
    with monkeypatch.context() as other:
        other.setattr(kept, "code", lambda: b"another package")
        ask()
    with monkeypatch.context() as other:
        copy = tmp_path / "questions"
        shutil.copytree(paths.QUESTIONS, copy)
        other.setattr(paths, "QUESTIONS", copy)
        reference = questions.find("metrics").reference_file
        assert reference.is_relative_to(copy)
        reference.write_text(reference.read_text(encoding="utf-8") + "# changed\n")
        ask()
    assert len(keys) == 7


def spoilt(file):
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def rewritten(change):
    """Damage in a file with a right digest, as of another version or machine."""

    def do(file):
        arrays = examiner.EXAMINERS.read(file.stem)
        change(arrays)
        examiner.EXAMINERS.write(file.stem, arrays)

    return do


def other_beginning(arrays):
    about = json.loads(arrays["about"].tobytes())
    about["first_losses"][1] = float(np.nextafter(about["first_losses"][1], 9.0))
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)


DAMAGE = {
    "one bit": spoilt,
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a weight missing": rewritten(lambda arrays: arrays.pop("examiner.fc.weight")),
    "a weight of another shape": rewritten(
        lambda arrays: arrays.update({"examiner.fc.weight": np.zeros((3, 2))})
    ),
    "features of another set": rewritten(lambda arrays: arrays.update(test=np.zeros((3, 12)))),
    "nothing said": rewritten(lambda arrays: arrays.pop("about")),
    "another machine's, which rounds otherwise": rewritten(other_beginning),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_damaged_is_trained_again(case, digits, own_cache, trained):
    right = examiner.get(digits)
    (file,) = examiner.EXAMINERS.files()
    DAMAGE[case](file)
    assert np.array_equal(examiner.get(digits).test, right.test)
    assert len(trained) == 2
    examiner.get(digits)
    assert len(trained) == 2


def test_many_may_write_it_at_once(digits, own_cache):
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: examiner.EXAMINERS.write("a", {"x": np.ones(9)}), range(9)))
    assert len(found) == 9 and len(examiner.EXAMINERS.files()) == 1
    assert examiner.EXAMINERS.read("a")["x"].sum() == 9


def test_a_set_that_question_16_does_not_have_is_learnt_with_its_own_classes():
    photographs = data.load("newts", (3, 16, 16), "train")
    mine = replace(photographs, name="folder")
    recipe = examiner._recipe(real.Real("folder", mine, mine))
    assert recipe.dataset == "folder" and recipe.constants["classes"] == 2
    assert recipe.image_shape == (3, 16, 16)
    assert recipe.augment == recipes.Augment(flip=True)
    assert len(examiner._new(recipe).features(np.zeros((2, 3, 16, 16)))) == 2


# The scores


def test_the_test_pictures_themselves_are_at_distance_0(digits):
    group = group_of(digits)
    found = group.of(Made(digits.test.images, digits.test.labels))
    assert found.frechet < 1e-9
    assert found.precision == found.recall == found.coverage == 1.0
    assert found.kinds == 10
    assert found.asked_for == group.examiner.about.accuracy
    assert found.missing == {}


def test_one_picture_again_and_again_is_seen(digits):
    group = group_of(digits)
    honest = group.of(Made(digits.train.images[:300], None))
    collapsed = group.of(Made(digits.train.images[:1].repeat(300, 0), None))
    assert honest.kinds == 10 and collapsed.kinds == 1
    assert collapsed.frechet > 10 * honest.frechet
    assert collapsed.kernel > 10 * abs(honest.kernel)
    assert collapsed.inception == pytest.approx(1.0) and honest.inception > 4
    assert collapsed.recall == 0.0 and collapsed.coverage < 0.1
    assert collapsed.similarity == pytest.approx(1.0) and honest.similarity < 0.8


def test_a_kind_counts_from_two_per_cent_on(digits):
    group = group_of(digits)
    said = group.examiner.logits(group.test).argmax(1)
    a, b = (digits.test.images[said == kind] for kind in (0, 1))
    for few, kinds in ((3, 2), (2, 2), (1, 1)):
        pixels = np.concatenate([a[np.arange(100 - few) % len(a)], b[:few]])
        assert group.of(Made(pixels, None)).kinds == kinds


def test_the_class_asked_for_is_the_share_that_shows_it(digits):
    group = group_of(digits)
    said = group.examiner.logits(group.test).argmax(1)
    asked = said.copy()
    asked[:38] = (asked[:38] + 1) % 10
    found = group.of(Made(digits.test.images, asked))
    assert found.asked_for == pytest.approx(1 - 38 / len(asked))
    assert group.of(Made(digits.test.images, None)).asked_for is None


def test_what_cannot_be_measured_has_a_reason_and_no_number(digits):
    group = group_of(digits)
    few = group.of(Made(digits.test.images[:12], None))
    assert (
        few.frechet is None and "12 features needs more than 12 pictures" in few.missing["frechet"]
    )
    assert few.precision is not None
    three = group.of(Made(digits.test.images[:3], None))
    assert three.precision is three.recall is three.kernel is None
    assert set(three.missing) >= {"frechet", "kernel", "precision", "recall", "density", "coverage"}
    alone = [np.flatnonzero(group.examiner.logits(group.test).argmax(1) == k)[0] for k in range(10)]
    apart = group.of(Made(digits.test.images[alone], None))
    assert apart.similarity is None and "one class" in apart.missing["similarity"]
    short = replace(
        digits,
        test=replace(digits.test, images=digits.test.images[:10], labels=digits.test.labels[:10]),
    )
    seen = scores.Seen(digits.test.images, group.test, None, None)
    found = scores.take(group.measures, seen, group.test[: len(short.test)])
    assert "10 test pictures" in found.missing["frechet"]
    assert found.inception is found.kinds is None and "no classes" in found.missing["kinds"]


def test_a_copy_is_found_at_0_and_the_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (5000, 4, 3, 2)).astype(np.uint8)
    pictures = np.concatenate(
        [train[[4100, 3]], rng.integers(0, 256, (3, 4, 3, 2)).astype(np.uint8)]
    )
    places, far = measures.nearest(pictures, train)
    each = ((pictures[:, None].astype(float) - train[None]) ** 2).mean((2, 3, 4))
    assert places.tolist() == each.argmin(1).tolist() and places[:2].tolist() == [4100, 3]
    assert far[:2] == [0.0, 0.0]
    np.testing.assert_allclose(far, np.sqrt(each.min(1)))


# The pictures of a run


def pictures_of(folder, count=30):
    return made.make(opened.open_run(folder), count, None, "cpu", 1)


def test_the_same_weights_make_the_same_pictures_whatever_the_run_s_seed(tmp_path):
    same = dict(initial_weights(recipes.load(GAN.recipe_file, "digits", "quick", {"image": SHAPE})))

    def weights(state):
        state.update({k: v.astype(np.float32) for k, v in same.items()})

    first, second = (
        pictures_of(run_of(tmp_path / str(seed), seed=seed, change=weights)) for seed in (0, 5)
    )
    assert np.array_equal(first.pixels, second.pixels)
    assert first.pixels.shape == (30, 16, 16, 1) and first.pixels.dtype == np.uint8
    other = pictures_of(run_of(tmp_path / "other", seed=5))
    assert not np.array_equal(first.pixels, other.pixels)
    more = pictures_of(tmp_path / "0", 130)
    assert len(more.pixels) == 130 and len(np.unique(more.pixels, axis=0)) == 130


def test_classes_are_asked_for_in_turn(tmp_path):
    found = pictures_of(run_of(tmp_path / "a", CGAN), 25)
    assert found.asked.tolist() == [*range(10), *range(10), *range(5)]
    assert pictures_of(run_of(tmp_path / "b")).asked is None


def test_what_the_model_is_asked_for_is_what_its_pictures_are_compared_with(tmp_path, monkeypatch):
    run = opened.open_run(run_of(tmp_path / "a", CGAN))
    given = []
    load = script.load

    def listening(path, code=None):
        module = load(path, code)
        generate = module.ConditionalGAN.generate

        def spy(self, noise, labels):
            given.append(labels)
            return generate(self, noise, labels)

        module.ConditionalGAN.generate = spy
        return module

    monkeypatch.setattr(script, "load", listening)
    monkeypatch.setattr(draws, "AT_ONCE", 7)
    found = made.make(run, 30, None, "cpu", 1)
    assert [len(one) for one in given] == [7, 7, 7, 7, 2]
    assert np.concatenate(given).tolist() == found.asked.tolist()


def test_the_inputs_of_pairs_come_in_turn(tmp_path):
    pix2pix = questions.find("pix2pix")
    recipe = recipes.load(pix2pix.recipe_file, "newts", "quick", {"image": (3, 16, 16)})
    found = Checkpoint(recipe, 1, {}, "pytorch", {})
    run = opened.Opened(tmp_path, pix2pix, found, "pytorch", None)
    pictures = real.load(run)
    assert set(np.unique(pictures.test.images)) == {0, 255}  # masks, not photographs
    batches = list(made._batches(run, 40, pictures.pairs))
    given = np.concatenate([batch["images"] for batch in batches])
    photographs = data.load("newts", (3, 16, 16), "test").images
    assert np.array_equal(data.to_pixels(given), photographs[np.arange(40) % 32])
    masks = np.concatenate([batch["mask1"] for batch in batches])
    assert not np.array_equal(masks[0], masks[32])


def test_a_draw_that_is_the_same_in_every_batch_is_the_run_s_own(tmp_path):
    run = opened.open_run(run_of(tmp_path / "a", seed=3))
    draw = msgspec.structs.replace(run.recipe.draws["noise"], fixed=True, rows=8)
    recipe = msgspec.structs.replace(run.recipe, draws={**run.recipe.draws, "fixed": draw})
    mine = replace(run, checkpoint=replace(run.checkpoint, recipe=recipe))
    batch = next(made._batches(mine, 5, None))
    assert len(batch["noise"]) == 5 and len(batch["fixed"]) == 8
    own = data.batches.random_draws(recipe, 40, 5)
    assert np.array_equal(batch["fixed"], own["fixed"])


@pytest.mark.skipif(len(frameworks.installed()) < 2, reason="needs two frameworks")
def test_four_frameworks_make_the_same_pictures_of_the_same_weights(tmp_path, monkeypatch):
    here = {}
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for name in frameworks.installed():
        run_of(tmp_path / name, framework=name)
        run = opened.open_run(tmp_path / name)
        assert run.framework == name
        here[name] = made.make(run, 20, None, "cpu", 1).pixels.astype(int)
    first, *others = here.values()
    assert first.std() > 0
    for pixels in others:
        assert np.abs(pixels - first).max() <= 1


def test_a_framework_that_is_missing_is_replaced(tmp_path):
    run = opened.open_run(run_of(tmp_path / "a", framework="chainer"))
    assert run.framework == "pytorch"
    (found,) = scoring.score([tmp_path / "a"], SETTINGS)
    assert "Chainer (in PyTorch)" in "\n".join(table.lines(found))


# The command


def test_it_prints_a_table_and_writes_scores_and_a_sheet(tmp_path, knock, cache, trained):
    run_of(tmp_path / "runs" / "a")
    run_of(tmp_path / "runs" / "b", CGAN)
    code, printed, _ = knock("score", "runs", "--n", "60", "--threads", "1")
    assert code == 0
    assert "compared with its 382 test pictures" in printed and "no FID" in printed
    about = examiner.known()[-1]
    assert f"names {about.accuracy:.1%} of them right" in printed
    lines = printed.splitlines()
    head, a, b, training = (re.split("  +", line) for line in lines[3:7])
    assert head[:4] == ["run", "question", "framework", "pictures"] and head[-1] == "asked for ↑"
    assert a[:4] == ["runs/a", "gan", "PyTorch", "60"] and len(a) == len(head) - 1
    assert b[:4] == ["runs/b", "cgan", "PyTorch", "60"] and b[-1].endswith("%")
    assert training[:2] == ["(training pictures)", "60"]
    found = measured.read(tmp_path / "runs" / "b")
    assert found.question == "cgan" and found.pictures == 60 and found.scores.asked_for is not None
    assert found.eyes.accuracy == about.accuracy and found.eyes.test == 382
    assert f"{found.scores.frechet:.2f}" in lines[5]
    with PIL.Image.open(tmp_path / "runs" / "b" / "scores.png") as drawn:
        assert drawn.size[0] > 600
    assert sorted(os.listdir(tmp_path / "runs" / "a")) == [
        "checkpoint.safetensors",
        "run.json",
        "scores.json",
        "scores.png",
    ]
    before = {p: p.read_bytes() for p in (tmp_path / "runs").glob("*/scores.*")}
    assert knock("score", "runs", "--n", "60", "--threads", "1")[1] == printed
    assert before == {p: p.read_bytes() for p in before}


def test_json_has_the_same_numbers(tmp_path, knock):
    run_of(tmp_path / "a")
    code, printed, _ = knock("score", "a", "--n", "60", "--json")
    assert code == 0
    document = json.loads(printed)
    assert document["format"] == table.FORMAT and document["error"] == ""
    ((row,),) = (one["rows"] for one in document["tables"])
    assert row == {"run": "a", "measured": json.loads((tmp_path / "a" / "scores.json").read_text())}
    code, printed, error = knock("score", "b", "--json")
    assert code == 2 and json.loads(printed)["error"] == "no folder b" and "no folder b" in error
    code, printed, _ = knock("score", "--json")
    assert code == 2 and "RUN" in json.loads(printed)["error"]


def test_seeds_of_one_run_get_a_mean_and_a_deviation(tmp_path):
    folders = [run_of(tmp_path / f"a{seed}", seed=seed) for seed in (0, 1, 2)]
    folders.append(run_of(tmp_path / "longer", framework="keras", seed=3))
    (found,) = scoring.score([*folders, folders[0]], SETTINGS)
    assert len(found.rows) == 4
    (group,) = found.means
    assert group.seeds == [0, 1, 2] and group.runs == [str(one) for one in folders[:3]]
    column = [row.measured.scores.frechet for row in found.rows[:3]]
    assert group.mean["frechet"] == pytest.approx(np.mean(column))
    assert group.deviation["frechet"] == pytest.approx(np.std(column, ddof=1))
    lines = "\n".join(table.lines(found))
    assert "mean of 3 seeds" in lines and "± deviation" in lines


def test_each_data_set_and_size_has_its_own_table(tmp_path, knock):
    run_of(tmp_path / "runs" / "a")
    run_of(tmp_path / "runs" / "b", shape=(1, 24, 24))
    code, printed, _ = knock("score", "runs", "--n", "60")
    assert code == 0 and printed.count("(training pictures)") == 2
    assert "digits, 16×16" in printed and "digits, 24×24" in printed


def gone(folder):
    (folder / checkpoint.FILE_NAME).unlink()


def cut(folder):
    file = folder / checkpoint.FILE_NAME
    file.write_bytes(file.read_bytes()[:300])


def infinite(state):
    state["generator.pixels.bias"][...] = 1e38
    state["generator.pixels.weight"][...] = 3e38


BAD = {
    "no folder": (None, ["nowhere"], "no folder nowhere"),
    "no run": (lambda folder: folder.mkdir(), ["a"], "a is no run: there is neither run.json"),
    "no checkpoint": (
        lambda folder: gone(run_of(folder)),
        ["a"],
        "a has no checkpoint.safetensors",
    ),
    "half a checkpoint": (lambda folder: cut(run_of(folder)), ["a"], "no whole checkpoint"),
    "makes nothing": (lambda folder: run_of(folder, AE), ["a"], "01 ae, which makes no pictures"),
    "a folder of such": (
        lambda folder: run_of(folder / "b", AE),
        ["a"],
        "no run in a makes pictures",
    ),
    "too few": (run_of, ["a", "--n", "49"], "--n must be from 50 to 50000 pictures, not 49"),
    "no number": (run_of, ["a", "--n", "many"], "must be a whole number, not 'many'"),
    "an empty name": (run_of, [""], "must not be empty"),
    "no features": (run_of, ["a", "--features", "b.pt"], "cannot read the features b.pt"),
    "other features": (run_of, ["a", "--features", "a"], "question gan, not of metrics"),
    "not a set's folder": (run_of, ["a", "--data", "b"], "--data b"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(case, tmp_path, knock):
    prepare, words, said = BAD[case]
    if prepare:
        prepare(tmp_path / "a")
    code, printed, error = knock("score", *words)
    assert code == 2 and printed == ""
    assert len(error.strip().splitlines()) == 1 and error.startswith("knock: ") and said in error
    assert not list(tmp_path.rglob("scores*"))


def test_a_folder_that_cannot_be_written_gets_one_line(tmp_path, knock):
    (run_of(tmp_path / "a") / "scores.json" / "in the way").mkdir(parents=True)
    code, _, error = knock("score", "a", "--n", "60")
    assert code == 2 and "Traceback" not in error
    last = error.splitlines()[-1]  # before it, there may be the bar of a training
    assert last.startswith("knock: cannot write a/scores.json: ")
    assert last.endswith("; choose another folder: copy the run there")


def test_a_run_of_an_unknown_question_is_refused(tmp_path, knock):
    folder = run_of(tmp_path / "a")
    found = checkpoint.load(folder)
    other = msgspec.structs.replace(found.recipe, question="stylegan")
    checkpoint.save(folder / checkpoint.FILE_NAME, replace(found, recipe=other))
    code, _, error = knock("score", "a")
    assert code == 2 and "question 'stylegan', which is not here" in error


def test_pictures_that_are_no_numbers_are_refused(tmp_path, knock, monkeypatch):
    run_of(tmp_path / "a")
    load = script.load

    def spoilt(path, code=None):
        module = load(path, code)
        if hasattr(module, "GAN"):
            module.GAN.generate = lambda self, noise: np.full((len(noise), *SHAPE), np.nan)
        return module

    monkeypatch.setattr(script, "load", spoilt)
    code, _, error = knock("score", "a", "--n", "60")
    assert code == 2 and "a makes NaN or infinite pictures" in error.strip()


def test_a_recipe_of_another_version_is_refused(tmp_path, knock, monkeypatch):
    run_of(tmp_path / "a")
    write = plain.write

    def refuse(model, recipe, state):
        if recipe.question == "gan":
            raise WrongNetwork("no fc9")
        write(model, recipe, state)

    monkeypatch.setattr(plain, "write", refuse)
    code, _, error = knock("score", "a", "--n", "60")
    assert code == 2 and "another version of question 05 gan: no fc9" in error


def test_pictures_without_classes_are_refused_unless_features_are_brought(tmp_path, monkeypatch):
    one = data.load("digits", SHAPE, "train")
    bare = replace(one, labels=np.zeros_like(one.labels), classes=())
    pictures = real.Real("mine", bare, bare)
    monkeypatch.setattr(real, "load", lambda run: pictures)
    run_of(tmp_path / "a")
    with pytest.raises(UserError, match="no two classes .* --features"):
        scoring.score([tmp_path / "a"], SETTINGS)
    own = features.Features(
        "eyes.pt", "d", lambda pixels: pixels.reshape(len(pixels), -1)[:, :9] / 255.0
    )
    monkeypatch.setattr(features, "load", lambda path: own)
    (found,) = scoring.score([tmp_path / "a"], replace(SETTINGS, features="eyes.pt"))
    (row,) = found.rows
    assert row.measured.scores.frechet is not None and row.measured.scores.inception is None
    lines = "\n".join(table.lines(found))
    assert "9 features of eyes.pt" in lines and "[1] there are no classes" in lines


@needs_torch
def test_features_of_one_s_own_are_named_and_never_called_fid(tmp_path, knock):
    import torch

    class Eyes(torch.nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, ::5].float() / 255.0

    class Wrong(torch.nn.Module):
        def forward(self, images):
            return images.float()

    run_of(tmp_path / "a")
    torch.jit.script(Eyes()).save(tmp_path / "eyes.pt")
    code, printed, _ = knock("score", "a", "--n", "60", "--features", "eyes.pt")
    assert code == 0 and "features of eyes.pt" in printed and "FID" not in printed
    found = json.loads((tmp_path / "a" / "scores_features.json").read_text())
    assert found["eyes"]["name"] == "eyes.pt" and found["eyes"]["features"] == 52
    assert not (tmp_path / "a" / "scores.json").exists()
    run = opened.open_run(tmp_path / "a")
    pixels = made.make(run, 60, None, "cpu", 1).pixels
    flat = [
        p.transpose(0, 3, 1, 2).reshape(len(p), -1)[:, ::5] / 255.0
        for p in (pixels, real.load(run).test.images)
    ]
    metrics = examiner.measures()
    assert found["scores"]["frechet"] == pytest.approx(metrics.frechet(flat[1], flat[0]), abs=1e-4)
    torch.jit.script(Wrong()).save(tmp_path / "wrong.pt")
    (tmp_path / "text.pt").write_text("no network")
    for name, said in (("wrong.pt", "must make N×features"), ("text.pt", "cannot be opened as")):
        code, _, error = knock("score", "a", "--n", "60", "--features", name)
        assert code == 2 and said in error and len(error.strip().splitlines()) == 1, error


def test_a_run_of_question_16_brings_its_features(tmp_path, knock):
    run_of(tmp_path / "a")
    run_of(tmp_path / "eyes", questions.find("metrics"))
    code, printed, error = knock("score", "a", "--n", "100", "--features", "eyes")
    assert code == 0, error
    assert "64 features of eyes/checkpoint.safetensors" in printed
    run_of(tmp_path / "large", questions.find("metrics"), shape=(1, 32, 32))
    code, _, error = knock("score", "a", "--n", "100", "--features", "large")
    assert code == 2 and "was trained on pictures of (1, 32, 32), not of (1, 16, 16)" in error


# What is kept


def test_scores_are_read_back_as_they_were_written_and_damage_is_seen(tmp_path):
    (found,) = scoring.score([run_of(tmp_path / "a")], SETTINGS)
    assert measured.read(tmp_path / "a") == found.rows[0].measured
    assert measured.read(tmp_path) is None
    file = tmp_path / "a" / measured.FILE_NAME
    text = file.read_text(encoding="utf-8")
    for damage in (text[:50], "{}", "[" * 5000, text.replace('"format": 1', '"format": 2')):
        file.write_text(damage, encoding="utf-8")
        with pytest.raises(UserError, match="knock score .* writes it anew"):
            measured.read(tmp_path / "a")


def test_the_sheet_of_a_comparison_is_drawn_again_with_the_scores(tmp_path, knock):
    for name in ("pytorch", "keras"):
        folder = run_of(tmp_path / "both" / name, framework=name)
        rows = {"sample": np.zeros((2, 4, 4, 1), np.uint8)}
        record.write_pictures(folder / "result.safetensors", rows)
        (folder / loss_log.FILE_NAME).write_text("step,loss\n1,2.0\n2,1.0\n")
    assert knock("score", "both", "--n", "60")[0] == 0
    assert not (tmp_path / "both" / "compare.png").exists()
    (tmp_path / "both" / "compare.png").write_bytes(b"without scores")
    code, printed, _ = knock("score", "both/pytorch", "--n", "60")
    assert code == 0 and "both/pytorch" in printed and "final loss" not in printed
    with PIL.Image.open(tmp_path / "both" / "compare.png") as drawn:
        assert drawn.size[0] > 200
    (tmp_path / "both" / "keras" / "scores.json").write_text("{")
    code, printed, error = knock("score", "both/pytorch", "--n", "60")
    assert code == 2 and "(training pictures)" in printed
    assert "both/keras/scores.json is damaged" in error and len(error.splitlines()) == 1


def test_what_training_pictures_score_is_kept(tmp_path, own_cache, monkeypatch):
    folder = run_of(tmp_path / "a")
    (first,) = scoring.score([folder], SETTINGS)
    asked = []
    take = scores.take
    monkeypatch.setattr(scores, "take", lambda *given: asked.append(1) or take(*given))
    (second,) = scoring.score([folder], SETTINGS)
    assert len(asked) == 1 and second.real == first.real
    (third,) = scoring.score([folder], replace(SETTINGS, pictures=70))
    assert len(asked) == 3 and third.real != first.real
