"""Question 16's measures against other people's, and against what they must give by definition."""

import json

from knock import data, frameworks, questions
from knock import recipe as recipes
from knock.data import images, ladder
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.recipe.weights import initial_weights
from knock.scripts import load as script
from knock.training.measures import BETTER, Measures, pairs
from knock.training.recorder import Recorder
from tests import data_fixtures
from tests.helpers import TINY, one_line, run_here

import numpy as np
import pytest

QUESTION = questions.find("metrics")
RNG = np.random.default_rng(16)


def quick(**constants):
    """The recipe of a run, in float64."""
    changes = {"constants": constants}
    return recipes.load(QUESTION.recipe_file, overrides=changes, dtype="float64")


def metrics(**constants):
    """The NumPy answer at the sizes of `quick`, with its first weights."""
    recipe = quick(**constants)
    plain.setup("cpu", "float64")
    path = QUESTION.reference_file
    made = script.model_class(script.load(path), recipe.class_name, path)(recipe)
    plain.write(made, recipe, dict(initial_weights(recipe)))
    return made


@pytest.fixture(scope="module")
def measures():
    return metrics()


REAL, MADE = RNG.normal(size=(90, 8)), RNG.normal(0.4, 1.3, size=(70, 8))
PICTURES = RNG.uniform(-1, 1, size=(6, 1, 32, 32)).cumsum(3).cumsum(2)
PICTURES = PICTURES / np.abs(PICTURES).max((1, 2, 3), keepdims=True)


def test_the_frechet_distance_is_that_of_scipys_matrix_root(measures):
    from scipy.linalg import sqrtm

    a, b = np.cov(REAL.T), np.cov(MADE.T)
    shared = np.trace(sqrtm(a @ b)).real
    means = ((REAL.mean(0) - MADE.mean(0)) ** 2).sum()
    expected = means + np.trace(a) + np.trace(b) - 2 * shared
    assert measures.frechet(REAL, MADE) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_two_gaussians_is_the_known_one(measures):
    """Equal covariances leave the means; a set twice as wide leaves the deviations."""
    assert measures.frechet(REAL, REAL + 3.0) == pytest.approx(8 * 9.0)
    deviations = np.linalg.eigvalsh(np.cov(REAL.T))
    centred = REAL - REAL.mean(0)
    assert measures.frechet(centred, 2 * centred) == pytest.approx(deviations.sum())


def test_few_pictures_of_many_features_have_a_distance(measures):
    assert np.isfinite(measures.frechet(REAL[:5], MADE[:4]))
    assert measures.frechet(REAL[:5], REAL[:5]) == pytest.approx(0.0, abs=1e-6)


def test_the_kernel_distance_is_the_mean_over_pairs(measures):
    def k(a, b):
        return (a @ b / 8 + 1) ** 3

    def others(rows):
        return np.mean([k(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])

    across = np.mean([k(a, b) for a in REAL for b in MADE])
    expected = others(REAL) + others(MADE) - 2 * across
    assert measures.kernel(REAL, MADE) == pytest.approx(expected, rel=1e-10)


def test_the_kernel_distance_has_no_bias(measures):
    """Its mean over many small samples of one distribution is 0; about half are below."""
    values = [measures.kernel(*RNG.normal(size=(2, 12, 4))) for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert 0.3 < np.mean(np.array(values) < 0) < 0.75


def test_neighbourhoods_are_those_of_sklearns_neighbours(measures):
    from sklearn.neighbors import NearestNeighbors

    def reach(rows):
        return NearestNeighbors(n_neighbors=4).fit(rows).kneighbors(rows)[0][:, 3]

    apart = np.linalg.norm(REAL[:, None] - MADE, axis=2)
    in_real, in_made = apart <= reach(REAL)[:, None], apart <= reach(MADE)
    expected = [
        in_real.any(0).mean(),
        in_made.any(1).mean(),
        in_real.sum() / (3 * len(MADE)),
        in_real.any(1).mean(),
    ]
    np.testing.assert_allclose(measures.neighbourhoods(REAL, MADE), expected, rtol=1e-12)


def test_copies_lie_in_the_balls_that_they_are_the_middle_of(measures):
    """Of four times the same points, each ball has the radius 0, and still holds its copies."""
    copied = np.repeat(REAL[:5] + 1e8, 4, axis=0)
    np.testing.assert_array_equal(measures.neighbourhoods(copied, copied)[[0, 1, 3]], 1.0)


def test_the_inception_score_runs_from_1_to_the_number_of_classes(measures):
    sure = 50.0 * np.eye(10)[np.arange(200) % 10]
    assert measures.inception(sure) == pytest.approx(10.0)
    assert measures.inception(sure[::10]) == pytest.approx(1.0)
    assert measures.inception(np.zeros((7, 10))) == pytest.approx(1.0)


def test_sorted_pictures_spoil_the_splits():
    in_turn = 50.0 * np.eye(10)[np.arange(200) % 10]
    ten = metrics(splits=10)
    assert ten.inception(in_turn) == pytest.approx(10.0)
    assert ten.inception(in_turn[np.argsort(in_turn.argmax(1), kind="stable")]) == pytest.approx(
        1.0
    )


def test_parzen_windows_are_sklearns_kernel_density(measures):
    from sklearn.neighbors import KernelDensity

    found = measures.parzen(REAL, MADE)
    assert found.shape == (90, 10)
    for column, width in zip(found.T, np.logspace(-1, 0, 10), strict=True):
        expected = KernelDensity(bandwidth=width, rtol=1e-12).fit(MADE).score_samples(REAL)
        np.testing.assert_allclose(column, expected, rtol=1e-9)


def test_far_pictures_have_a_finite_likelihood(measures):
    assert np.isfinite(measures.parzen(REAL + 100.0, MADE)).all()


def test_a_picture_is_like_itself_and_unlike_its_negative(measures):
    twice = PICTURES.repeat(2, axis=0)
    assert measures.similarity(twice) == pytest.approx(1.0)
    twice[1::2] *= -1
    assert measures.similarity(twice) == 0.0


def test_similarity_is_the_mean_over_channels_and_pairs(measures):
    """With windows by SciPy: torchmetrics, too, counts the padded edge at the coarsest scale."""
    from scipy.signal import convolve2d

    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()

    def seen(map_):
        return convolve2d(map_, window, mode="valid")

    def terms(a, b):
        covariance = seen(a * b) - seen(a) * seen(b)
        variances = seen(a**2) - seen(a) ** 2 + seen(b**2) - seen(b) ** 2
        structure = (2 * covariance + 0.0009) / (variances + 0.0009)
        luminance = (2 * seen(a) * seen(b) + 0.0001) / (seen(a) ** 2 + seen(b) ** 2 + 0.0001)
        return structure.mean(), (structure * luminance).mean()

    images = PICTURES.reshape(2, 3, 32, 32)  # one pair in colour
    found = []
    for a, b in zip(*((one + 1) / 2 for one in images), strict=True):
        product = 1.0
        for scale, weight in enumerate((0.0448, 0.2856, 0.3001)):
            part = terms(a, b)[scale == 2]
            product *= max(part, 0.0) ** (weight / 0.6305)
            a, b = (one.reshape(len(one) // 2, 2, -1, 2).mean((1, 3)) for one in (a, b))
        found.append(product)
    assert measures.similarity(images) == pytest.approx(np.mean(found), rel=1e-10)
    assert np.mean(found) > 0.01


@pytest.mark.parametrize("side", [7, 13, 14, 28, 55, 56, 112, 200])
def test_small_and_odd_pictures_have_a_similarity(measures, side):
    images = np.linspace(-1, 1, 4 * 3 * side * (side + 1)).reshape(4, 3, side, side + 1)
    assert 0.0 < measures.similarity(images) <= 1.0


def test_many_rows_give_what_few_give(measures):
    """A set is worked on in pieces, which must change nothing."""
    images = RNG.uniform(-1, 1, size=(300, 1, 32, 32))
    np.testing.assert_allclose(
        measures.features(images)[-5:], measures.features(images[-5:]), rtol=1e-12
    )
    np.testing.assert_allclose(
        measures.classify(images)[-5:], measures.classify(images[-5:]), rtol=1e-12
    )
    many = RNG.normal(size=(600, 8))
    np.testing.assert_allclose(measures.parzen(many, MADE)[-5:], measures.parzen(many[-5:], MADE))
    k = (many @ MADE.T / 8 + 1) ** 3
    within = (many @ many.T / 8 + 1) ** 3
    among = (within.sum() - within.trace()) / (600 * 599)
    made = (MADE @ MADE.T / 8 + 1) ** 3
    among += (made.sum() - made.trace()) / (70 * 69)
    assert measures.kernel(many, MADE) == pytest.approx(among - 2 * k.mean(), rel=1e-10)


def test_they_agree_with_torchmetrics(measures):
    pytest.importorskip("torchmetrics")
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Given(torch.nn.Module):
        """Features that are given in place of pictures."""

        num_features = 8

        def forward(self, x):
            return x.flatten(1)[:, :8].double()

    def shown(rows):
        return torch.from_numpy(rows)[:, :, None, None]

    distance = FrechetInceptionDistance(Given(), normalize=False, input_img_size=(8, 1, 1))
    kernel = KernelInceptionDistance(Given(), subsets=1, subset_size=70)
    for measured in (distance.set_dtype(torch.float64), kernel):
        measured.update(shown(REAL[:70]), real=True)
        measured.update(shown(MADE), real=False)
    assert measures.frechet(REAL[:70], MADE) == pytest.approx(distance.compute().item(), rel=1e-8)
    assert measures.kernel(REAL[:70], MADE) == pytest.approx(kernel.compute()[0].item(), rel=1e-8)


# The ladder, and what asks the measures


@pytest.fixture(scope="module")
def built():
    sets = (data.load("digits", (1, 32, 32), split) for split in ("train", "test"))
    return ladder.make(*sets, seed=0)


def of(images) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_no_rung_but_the_last_has_a_real_picture(built):
    *rungs, last = built.rungs.values()
    assert of(last) == of(built.real)
    for rung in rungs:
        assert not of(rung) & of(built.real)


def test_every_rung_has_as_many_pictures_as_the_test_set(built):
    *rungs, _ = built.rungs.values()
    assert {len(rung) for rung in rungs} == {382}
    assert len(built.real) == 1415 // 2


def test_the_ladder_depends_on_the_seed_alone(built):
    sets = [data.load("digits", (1, 32, 32), split) for split in ("train", "test")]
    again, other = ladder.make(*sets, seed=0), ladder.make(*sets, seed=1)
    assert list(again.rungs) == list(other.rungs)
    for name, rung in again.rungs.items():
        np.testing.assert_array_equal(rung, built.rungs[name])
        assert not np.array_equal(rung, other.rungs[name][: len(rung)])


def test_rungs_are_what_they_are_called(built):
    true, rungs = built.rungs["test pictures"], built.rungs
    noise = rungs["with noise, σ = 30"].astype(float) - true
    inside = (true > 100) & (true < 155)  # where nothing is clipped
    assert noise[inside].std() == pytest.approx(30, rel=0.1)
    np.testing.assert_array_equal(np.roll(true, (3, 3), (1, 2)), rungs["moved by a tenth"])
    assert len(of(rungs["10 pictures, copied"])) == 10
    coarse = rungs["halved and enlarged"]
    np.testing.assert_array_equal(coarse[:, ::2, ::2], true[:, ::2, ::2])
    np.testing.assert_array_equal(coarse[:, ::2, ::2], coarse[:, 1::2, 1::2])
    assert rungs["blurred, σ = 2"].std() < rungs["blurred, σ = 1"].std() < true.std()


@pytest.fixture(scope="module")
def asked(built):
    return Measures(metrics(), plain, quick(), built.real)


def test_all_measures_are_taken_of_some_pictures(asked, built):
    copied = built.rungs["test pictures"][:1].repeat(20, axis=0)
    found = asked.of(copied)
    assert list(found) == list(BETTER)
    assert (found["recall"], found["inception"]) == (0.0, pytest.approx(1.0))
    assert found["similarity"] == pytest.approx(1.0)
    assert found["nearest"] > 0.0


def test_the_real_ones_are_at_no_distance_from_themselves(asked, built):
    found = asked.of(built.real)
    assert found["frechet"] == pytest.approx(0.0, abs=1e-6)
    assert (found["precision"], found["recall"], found["coverage"]) == (1.0, 1.0, 1.0)
    assert found["nearest"] == 0.0
    assert found["kernel"] < 0.0


def test_larger_features_do_not_change_a_distance(asked, built):
    """An examiner whose features are three times as large judges alike."""
    larger = metrics()
    fc, _, classes = larger.examiner.modules[-3:]
    for value in fc.values.values():
        value *= 3.0
    classes.values["weight"] /= 3.0
    made = built.rungs["blurred, σ = 1"][:50]
    other = Measures(larger, plain, quick(), built.real).of(made)
    assert other == pytest.approx(asked.of(made), rel=1e-6)


def test_pairs_are_of_one_kind_and_nobody_is_in_two():
    kinds = np.array([3, 1, 3, 3, 0, 1, 1, 1])
    order = pairs(kinds)
    assert len(order) == 6 == len(set(order))
    assert (kinds[order[0::2]] == kinds[order[1::2]]).all()
    assert len(pairs(np.arange(5))) == 0 == len(pairs(np.zeros(0, np.int64)))
    assert pairs(np.zeros(7, np.int64)).tolist() == [0, 3, 1, 4, 2, 5]  # no neighbours


def test_without_a_pair_there_is_no_similarity(asked, built):
    one = built.real[:5]
    found = asked._similarity(one, np.arange(5))
    assert np.isnan(found)


def test_too_few_pictures_are_refused(asked, built):
    with pytest.raises(UserError, match="at least 4 pictures on each side, and there are 3 made"):
        asked.of(built.real[:3])
    with pytest.raises(UserError, match="at least 6 pictures on each side, and there are 2 real"):
        Measures(metrics(), plain, quick(neighbours=5), built.real[:2])


# Runs


@pytest.fixture
def small(monkeypatch):
    """Ladders of few pictures, which take no time."""
    monkeypatch.setattr(ladder, "MOST", 30)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Every framework's run of one step, over small ladders: what it printed, and its folder."""
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "MOST", 30)
        for framework in frameworks.installed():
            folder = tmp_path_factory.mktemp(framework) / "run"
            words = [*TINY, "--steps", "1", "--out", folder]
            with frameworks.load(framework).eagerly():  # one step is over before its graph is made
                done = run_here(QUESTION.answer(framework), *words, cwd=folder.parent)
            assert done.returncode == 0, done.stderr
            kept = json.loads((folder / "test.json").read_text(encoding="utf-8"))
            runs[framework] = (folder, kept, done.stdout)
    return runs


@pytest.mark.parametrize("framework", frameworks.installed())
def test_a_run_ends_with_its_ladder_and_a_test_shows_it_again(framework, ended, small):
    folder, kept, printed = ended[framework]
    assert list(kept) == ["step", "named", "ladder"]
    assert kept["step"] == 1 and 0.0 <= kept["named"]["named"] <= 1.0
    assert list(kept["ladder"]["test pictures"]) == list(BETTER)
    assert kept["ladder"]["the real ones themselves"]["nearest"] == 0.0
    assert "test pictures" in printed and "frechet ↓" in printed
    table = images.read(folder / "result.png", 3)
    sample = images.read(folder / "samples" / "step_000001.png", 3)
    assert table.shape != sample.shape

    script = QUESTION.answer(framework)
    with frameworks.load(framework).eagerly():
        shown = run_here(script, "--test", folder, "--threads", "1", cwd=folder.parent)
    assert shown.returncode == 0, shown.stderr
    assert "all 382 test images: " in shown.stdout
    again = json.loads((folder / "test.json").read_text(encoding="utf-8"))
    assert again["ladder"].keys() == kept["ladder"].keys()
    for name, row in kept["ladder"].items():
        assert again["ladder"][name] == pytest.approx(row, rel=1e-4, abs=1e-5), name
    assert (folder / "test.png").is_file()


def test_every_framework_measures_alike(ended):
    """After one step the examiners are the same, and so must the measures be."""
    first, *others = (kept["ladder"] for _, kept, _ in ended.values())
    for other in others:
        for name, row in first.items():
            assert other[name] == pytest.approx(row, rel=1e-3, abs=1e-4), name


def test_a_run_that_was_stopped_is_not_measured(small, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(Recorder, "advance", lambda self: setattr(self, "stopped", True))
    words = [*TINY, "--steps", "3", "--out", tmp_path / "run"]
    done = run_here(QUESTION.answer("pytorch"), *words, cwd=tmp_path)
    assert done.returncode == 130
    assert "stopped after step 1" in done.stdout
    assert not (tmp_path / "run" / "test.json").exists()


def test_a_data_set_too_small_to_be_measured_is_refused(tmp_path):
    pytest.importorskip("torch")
    data_fixtures.write_newts(tmp_path / "newts", each=1)
    words = ["--dataset", "newts", "--data", "newts", "--steps", "1", "--quiet", "--threads", "1"]
    done = run_here(QUESTION.answer("pytorch"), *words, "--batch-size", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "at least 4 pictures on each side, and there are 1 real pictures" in one_line(done)
