"""Games as runs, from question 05 on: four frameworks' pictures, warnings, what a test measures."""

import json

from knock import data, frameworks
from knock.data import images
from knock.scripts import load as answers
from knock.training import checkpoint, pictures
from knock.training.record import read_pictures
from tests.helpers import TINY, answer, knock_here, one_line, run_here

import numpy as np
import pytest

SMALL = {
    "gan": ["--size", "8"],
    "dcgan": ["--size", "16", "--g-width", "2", "--d-width", "2"],
    "cgan": ["--size", "16", "--g-width", "2", "--d-width", "2"],
    "wgan": ["--size", "16", "--g-width", "2", "--c-width", "2"],
    "wgan_gp": ["--size", "16", "--g-width", "2", "--c-width", "2"],
    "improved_gan": ["--size", "16", "--g-width", "2", "--d-width", "2", "--history", "0.1"],
    "pix2pix": ["--dataset", "newts", "--size", "16", "--g-width", "2", "--d-width", "2"],
    "cyclegan": ["--dataset", "newts", "--size", "16", "--g-width", "2", "--d-width", "2"],
    "alpha_gan": [
        *("--size", "16", "--e-width", "2", "--g-width", "2", "--d-width", "2", "--c-width", "4"),
    ],
    "vq_vae": ["--size", "16", "--e-width", "2", "--p-width", "4", "--codes", "8"],
    "lapgan": [
        *("--size", "16", "--g-width", "2", "--d-width", "2"),
        *("--g-hidden", "6", "--d-hidden", "5"),
    ],
}
"""Options of runs that are over in seconds, laid over `TINY`."""

ROWS = {
    "gan": ["sample"],
    "dcgan": ["sample", "interpolation"],
    "cgan": [str(digit) for digit in range(10)],
    "pix2pix": ["input", "target", "sample"],
    "cyclegan": ["x", "x to y", "y", "y to x"],
    "wgan": ["sample"],
    "improved_gan": ["sample"],
    "wgan_gp": ["sample"],
    "lapgan": ["picture 1", "low 2", "residual 2", "sample"],
    "alpha_gan": ["input", "reconstruction", "sample"],
    "vq_vae": ["input", "reconstruction", "sample"],
}


@pytest.fixture
def no_graphs():
    """TensorFlow runs functions as they are: making graphs of them takes longer than two steps.

    What the graphs compute is tested in test_check.py, a run with them in test_run.py.
    """
    if frameworks.FRAMEWORKS["tensorflow"].missing:
        yield
        return
    with frameworks.load("tensorflow").eagerly():
        yield


def words(name, folder, *more, steps=2):
    return [*TINY, *SMALL[name], "--steps", str(steps), "--out", folder, *more]


def started(name, folder, *more, script=None, steps=2):
    """A short PyTorch run, which must end well; what it printed."""
    pytest.importorskip("torch")
    script = script or answer(name, "pytorch")
    done = run_here(script, *words(name, folder, *more, steps=steps), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, []) for name in SMALL),
        ("pix2pix", ["--size", "128"]),  # a discriminator with a layer more
        ("lapgan", ["--classes", "10"]),  # inputs with classes beside them
    ],
)
@pytest.mark.usefixtures("no_graphs")
def test_every_frameworks_run_shows_the_same_pictures(name, more, tmp_path):
    given = words(name, tmp_path / "all", "--dtype", "float64", "--sample-every", "1", *more)
    done = knock_here("compare", name, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = {
        f: read_pictures(tmp_path / "all" / f / "result.safetensors")
        for f in frameworks.installed()
    }
    first = next(iter(shown.values()))
    assert list(first) == ROWS[name]
    for framework, rows in shown.items():
        for row, pixels in first.items():
            assert np.abs(pixels.astype(int) - rows[row]).max() <= 1, (framework, row)
        for left in ("samples.gif", "strip.png", "losses.png", "run.json"):
            assert (tmp_path / "all" / framework / left).is_file()


def test_a_strip_shows_the_first_line_of_what_is_made(tmp_path):
    started("pix2pix", tmp_path / "a", "--sample-every", "1")
    strip = images.read(tmp_path / "a" / "strip.png", 3)
    sample = images.read(tmp_path / "a" / "samples" / "step_000002.png", 3)
    line = len(sample) // 3
    assert len(strip) == 3 * line  # steps 0, 1 and 2, of three rows the made one
    rows = read_pictures(tmp_path / "a" / "result.safetensors")
    names = pictures.names_width(rows, line // (rows["sample"].shape[1] + 4))
    drawn = sample[2 * line :, names:]
    np.testing.assert_array_equal(strip[2 * line :, -drawn.shape[1] :], drawn)


def test_a_discriminator_that_wins_for_long_is_told_of(tmp_path):
    pytest.importorskip("torch")
    script = tmp_path / "gan_pytorch.py"
    source = answer("gan", "pytorch").read_text(encoding="utf-8")
    script.write_text(source.replace("        self.g_optimizer.step()\n", ""))  # it never learns
    done = started("gan", tmp_path / "a", "--lr", "0.002", script=script, steps=320)
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 1 and "the discriminator wins (its loss was below" in warned[0]


def test_pictures_that_have_become_one_are_told_of(tmp_path):
    fast = ["--lr", "0.02", "--size", "16", "--batch-size", "8", "--sample-every", "20"]
    done = started("gan", tmp_path / "a", *fast, steps=100)
    warned = [line for line in done.stderr.splitlines() if "mode collapse" in line]
    assert len(warned) == 1 and "'sample'" in warned[0]
    pixels = read_pictures(tmp_path / "a" / "result.safetensors")["sample"].astype(int)
    assert np.abs(pixels - pixels[0]).max() <= 2


def test_a_run_that_goes_well_is_not_warned_of(tmp_path):
    assert "warning" not in started("gan", tmp_path / "a", steps=20).stderr


def test_losses_of_a_game_that_are_not_finite_stop_it(tmp_path):
    pytest.importorskip("torch")
    script = tmp_path / "dcgan_pytorch.py"
    source = answer("dcgan", "pytorch").read_text(encoding="utf-8")
    script.write_text(source.replace("called_real(self.discriminator(fake))", "fake.mean() / 0"))
    line = one_line(run_here(script, *words("dcgan", tmp_path / "a"), cwd=tmp_path))
    assert "generator is" in line and "at step 1" in line and "--lr" in line
    assert checkpoint.load(tmp_path / "a").step == 0


def test_a_test_counts_the_pictures_that_look_as_asked(tmp_path):
    started("cgan", tmp_path / "a")
    done = run_here(answer("cgan", "pytorch"), "--test", tmp_path / "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1000 pictures made" in done.stdout
    told = json.loads((tmp_path / "a" / "test.json").read_text())
    assert told["step"] == 2 and list(told["classes"]["each"]) == ROWS["cgan"]
    assert told["classes"]["asked_for"] < 0.5 < told["classes"]["judge"]  # nothing is learnt yet


def test_a_test_counts_the_reconstructions_that_keep_their_class(tmp_path):
    """Each test picture once: there is nothing to draw in a reconstruction."""
    started("alpha_gan", tmp_path / "a")
    done = run_here(answer("alpha_gan", "pytorch"), "--test", tmp_path / "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    count = len(data.load("digits", (1, 16, 16), "test"))
    assert f"all {count} test images" in done.stdout and "keep their class" in done.stdout
    told = json.loads((tmp_path / "a" / "test.json").read_text())
    assert told["step"] == 2 and len(told["kept"]["each"]) == 10
    assert told["kept"]["kept"] < 0.5 < told["kept"]["judge"]  # nothing is learnt yet


@pytest.mark.parametrize("framework", frameworks.installed())
def test_the_density_ratio_terms_have_the_right_sign(framework):
    """ratio(l) is −log σ(l) + log(1 − σ(l)); a picture that is called real costs less."""
    adapter = frameworks.load(framework)
    adapter.setup("cpu", "float64", 1)
    own = answers.load(answer("alpha_gan", framework))

    def told(function, logits):
        tensor = adapter.to_device({"logits": np.array(logits)[:, None]})["logits"]
        return float(adapter.to_numpy(function(tensor)))

    for logits in ([-3.0, 0.5, 2.0, 0.0], [7.0], [-7.0]):
        sure = 1 / (1 + np.exp(-np.array(logits)))
        real, fake = -np.log(sure).mean(), -np.log(1 - sure).mean()
        assert told(own.called_real, logits) == pytest.approx(real, rel=1e-12)
        assert told(own.called_fake, logits) == pytest.approx(fake, rel=1e-12)
        assert told(own.ratio, logits) == pytest.approx(real - fake, rel=1e-12)
    assert told(own.ratio, [4.0]) < told(own.ratio, [0.0]) == 0 < told(own.ratio, [-4.0])


def test_classes_that_the_pictures_do_not_have_are_refused(tmp_path):
    pytest.importorskip("torch")
    script = answer("cgan", "pytorch")
    line = one_line(
        run_here(script, *words("cgan", tmp_path / "a", "--classes", "5"), cwd=tmp_path)
    )
    assert "digits has 10 classes, not 5" in line
    assert not (tmp_path / "a").exists()


def test_classes_are_told_by_option(tmp_path):
    script = answer("lapgan", "pytorch")
    started("lapgan", tmp_path / "a", "--classes", "10")
    recipe = checkpoint.load(tmp_path / "a").recipe
    assert recipe.networks["generator2"].input == ["channels + 1 + classes", "height2", "width2"]
    line = one_line(
        run_here(script, *words("lapgan", tmp_path / "b", "--classes", "3"), cwd=tmp_path)
    )
    assert "digits has 10 classes, not 3" in line
    script = answer("cgan", "pytorch")  # whose recipe tells them always
    line = one_line(
        run_here(script, *words("cgan", tmp_path / "c", "--classes", "0"), cwd=tmp_path)
    )
    assert "digits has 10 classes, not 0" in line


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_pix2pix_goes_in_either_direction(direction, tmp_path):
    started("pix2pix", tmp_path / "a", "--direction", direction)
    shown = read_pictures(tmp_path / "a" / "result.safetensors")
    mask, photo = ("target", "input") if direction == "AtoB" else ("input", "target")
    assert set(np.unique(shown[mask])) == {0, 255}
    assert len(np.unique(shown[photo])) > 100
    done = run_here(answer("pix2pix", "pytorch"), "--test", tmp_path / "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("intersection over union" in done.stdout) == (direction == "AtoB")
    assert (tmp_path / "a" / "test.json").exists() == (direction == "AtoB")


def test_going_on_in_the_other_direction_is_refused(tmp_path):
    started("pix2pix", tmp_path / "a")
    script, more = answer("pix2pix", "pytorch"), ["--resume", tmp_path / "a", "--steps", "4"]
    assert "pairs was" in one_line(run_here(script, *more, "--direction", "BtoA", cwd=tmp_path))
    assert run_here(script, *more, "--quiet", cwd=tmp_path).returncode == 0
    assert checkpoint.load(tmp_path / "a").step == 4


@pytest.mark.parametrize("size", ["24", "8", "512"])
def test_sizes_that_the_u_net_is_not_made_for_are_refused(size, tmp_path):
    pytest.importorskip("torch")
    given = words("pix2pix", tmp_path / "a", "--size", size)
    line = one_line(run_here(answer("pix2pix", "pytorch"), *given, cwd=tmp_path))
    assert "; the nearest that fit: --size " in line
    assert not (tmp_path / "a").exists()
