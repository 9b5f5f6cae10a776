"""Question 15 looks into a DCGAN: what pictures show is measured, the network stays as it was."""

import json

from knock import questions, recipe
from knock.frameworks import numpy as plain
from knock.look import concepts, inside, labels
from knock.recipe.weights import initial_weights
from knock.scripts import load as script
from knock.trained import directions
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint
from knock.training.look import Options
from tests.helpers import knock, one_line

import cv2
import numpy as np
import pytest

QUESTION = questions.find("dcgan_inside")
SMALL = {"_MADE": 400, "_OFTEN": 5, "_FITTED": 20, "_CHANCES": 2, "_SEEN": 20}
SMALL |= {"_FEATURES": 200, "_STATISTICS": 50, "_TURNED": 8}


def drawn(*lines):
    """A picture, 1×32×32×1, with white lines from one place (x, y) to another."""
    picture = np.zeros((32, 32), np.uint8)
    for start, end in lines:
        cv2.line(picture, start, end, 255, 3)
    return picture[None, :, :, None]


def test_a_slant_is_the_slope_of_a_stroke():
    upright, right, left = (drawn(((16 - d, 28), (16 + d, 4))) for d in (0, 6, -6))
    assert concepts.slant(upright) == pytest.approx([0], abs=0.01)
    assert concepts.slant(right) == pytest.approx([0.5], abs=0.03)
    assert concepts.slant(left) == pytest.approx([-0.5], abs=0.03)
    assert concepts.slant(drawn()) == [0]


def test_strokes_have_a_direction_and_a_place():
    across, along = drawn(((4, 8), (28, 8))), drawn(((8, 4), (8, 28)))
    for pixels, order in ((across, 1), (along, -1)):
        horizontal, vertical = concepts.strokes(pixels)
        this, other = (horizontal, vertical)[::order]
        assert this.sum() > 5 * other.sum()
        found = concepts.where(this, other, 8, 8)[0]
        assert found.any()
        found = found if order == 1 else found.T
        assert not found[5:].any()  # the line is in the upper half
        assert not concepts.where(other, this, 8, 8)[0][3, 3]


def test_a_linear_machine_needs_few_labels_where_the_features_say_it_all():
    known = np.arange(120) % 3
    clear = np.eye(3)[known] + 0.01
    found = labels.told(clear, known, clear, known, seed=0)
    assert list(found) == ["1", "5", "10", "all 120"]  # of each there are but 40
    assert set(found.values()) == {1.0}
    vague = np.random.default_rng(0).normal(size=(120, 3))
    assert labels.told(vague, known, vague[::-1], known, seed=0)["all 120"] < 0.6


def test_labelled_pictures_are_the_same_for_all_features_and_as_many_of_each_class():
    known = np.arange(90) % 3
    chosen = labels.few(known, 7, 0, 2)
    assert np.bincount(known[chosen]).tolist() == [7, 7, 7]
    assert np.array_equal(chosen, labels.few(known, 7, 0, 2))
    assert not np.array_equal(chosen, labels.few(known, 7, 0, 3))


def test_how_well_scores_tell_is_the_share_of_pairs_in_order():
    above, below = np.array([3.0, 1.5]), np.array([1.0, 2.0, 0.0])
    assert inside._told_apart(above, below) == pytest.approx(5 / 6)


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """A look into a small DCGAN by the NumPy answer; strong first weights stand in for training."""
    folder = tmp_path_factory.mktemp("dcgan")
    small = {"constants": {"z": 8, "g_width": 4, "d_width": 4}, "image": [1, 16, 16]}
    small["networks"] = {"generator": {"init_std": 0.5}}
    resolved = recipe.load(questions.find("dcgan").recipe_file, "digits", overrides=small)
    state = {k: v.astype("f4") for k, v in initial_weights(resolved).items()}
    for one, network in (("g_optimizer", "generator"), ("d_optimizer", "discriminator")):
        for key, value in list(state.items()):
            if key.startswith(f"{network}.") and "running" not in key:
                state |= {f"{one}.{key}.{slot}": np.zeros_like(value) for slot in "mv"}
        state[f"{one}.step"] = np.array(0, np.int64)
    path = folder / checkpoint.FILE_NAME
    checkpoint.save(path, Checkpoint(resolved, 0, state, "keras", {}))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(inside, name, value)
        options = Options(path, None, "cpu", 1, folder / "out")
        seen = inside.Inside(QUESTION, plain, options)
        made = script.load(QUESTION.reference_file)
        model = seen.make(script.model_class(made, "DCGANInside", QUESTION.reference_file))
        before = plain.read(model, seen.recipe)
        for method in ("walk", "arithmetic", "turn", "forget", "guided", "features"):
            getattr(seen, method)(model)
        seen.directions()
        after = plain.read(model, seen.recipe)
    return folder, before, after


def test_each_method_has_its_picture(looked):
    folder, _, _ = looked
    names = {path.stem for path in (folder / "out").glob("*.png")}
    assert names == set(recipe.load_check(QUESTION.recipe_file).methods)


def test_a_look_leaves_the_network_as_it_was(looked):
    _, before, after = looked
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_its_tables_are_kept(looked):
    folder, _, _ = looked
    tables = json.loads((folder / "out" / inside.TABLES).read_text(encoding="utf-8"))
    assert list(tables) == ["arithmetic", "turn", "forget", "features"]
    assert list(tables["features"]) == ["pixels", "trained", "random"]
    here = tables["turn"]["along slant: same class"]["0"]
    assert here == 1.0


def test_the_directions_are_there_for_knock_explore(looked):
    folder, _, _ = looked
    found = checkpoint.load(folder)
    assert list(directions.read(folder, found)) == ["slant", "thickness"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "dcgan_inside"], "trains nothing; compare dcgan"),
        (["sweep", "dcgan_inside", "--over", "seed=0:2"], "trains nothing; sweep dcgan"),
        (["standalone", "dcgan_inside"], "trains nothing"),
        (["explore", "dcgan_inside"], "use knock explore dcgan"),
        (["run", "dcgan_inside", "--dcgan", "nowhere"], "nowhere"),
    ],
)
def test_what_it_cannot_do_is_one_line(words, said, tmp_path):
    assert said in one_line(knock(*words, cwd=tmp_path))
