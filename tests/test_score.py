"""The scores are what they say, on pictures where they can be counted by hand, and on real ones."""

from dataclasses import replace

from knock import data
from knock.data.batches import to_unit
from knock.data.imageset import ImageSet
from knock.training import score
from knock.training.pixel_judge import PixelJudge, overlaps
from knock.training.score import SCORES, Classifier, Translated, asked_for, overlap, translated

import numpy as np
import pytest


@pytest.fixture(scope="module")
def digits():
    """Training pictures, test pictures, and a classifier of digits."""
    train, test = (data.load("digits", (1, 32, 32), split) for split in ("train", "test"))
    return train, test, Classifier.fit(train)


def test_digits_are_told_apart(digits):
    _, test, classifier = digits
    found = classifier.predict(test.images)
    assert found.dtype == np.int64 and found.shape == (len(test),)
    assert classifier.accuracy(test) == (found == test.labels).mean()
    assert classifier.accuracy(test) > 0.95


def test_newts_are_told_apart():
    train, test = (data.load("newts", (3, 64, 64), split) for split in ("train", "test"))
    assert Classifier.fit(train).accuracy(test) > 0.85


def test_the_same_pictures_give_the_same_classifier(digits, monkeypatch):
    monkeypatch.setattr(score, "_MOST", 200)  # of a large set the same part is learnt, too
    train, test, _ = digits
    once, again = (Classifier.fit(train).predict(test.images) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_asked_for_is_the_share_of_the_right_pictures(digits):
    _, test, classifier = digits
    right = classifier.predict(test.images) == test.labels
    pixels, labels = test.images[right][:8], test.labels[right][:8].copy()
    assert asked_for(classifier, pixels, labels) == 1.0
    labels[:2] = (labels[:2] + 1) % 10
    assert asked_for(classifier, pixels, labels) == 0.75


def figures(border):
    """A bar at the left is class 0, one in the middle class 1; there is none at the right."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (60, 8, 6, 1)).astype(np.uint8)
    labels = np.arange(60) % 2
    images[labels == 0, :, 0] = 255
    images[labels == 1, :, 2] = 255
    return ImageSet(images, labels, ("left", "middle"), None, "bars", "train", border)


def test_photographs_are_learnt_mirrored_too():
    photographs = figures("reflect")
    mirrored = replace(photographs, images=photographs.images[:, :, ::-1])
    assert Classifier.fit(photographs).accuracy(mirrored) == 1.0


def test_figures_are_not_mirrored():
    figure, mirrored = figures("constant"), figures("constant").images[::2, :, ::-1]
    figure.images[1::2] = mirrored  # class 1 is class 0 mirrored
    assert Classifier.fit(figure).accuracy(figure) == 1.0


def test_of_a_large_set_a_part_of_every_class_is_learnt(monkeypatch):
    monkeypatch.setattr(score, "_MOST", 20)
    bars = figures("constant")
    order = np.argsort(bars.labels)  # a part that were the beginning would be one class
    classifier = Classifier.fit(replace(bars, images=bars.images[order], labels=bars.labels[order]))
    assert classifier.accuracy(bars) == 1.0
    vectors = classifier._model[-1]
    assert vectors.shape_fit_[0] == 20


def test_a_set_of_few_pictures_will_do():
    bars = figures("constant")
    classifier = Classifier.fit(replace(bars, images=bars.images[:4], labels=bars.labels[:4]))
    assert classifier.accuracy(bars) > 0.9


def test_a_set_without_classes_has_no_score_that_asks_for_them():
    bars = replace(figures("constant"), labels=np.zeros(60, np.int64), classes=())
    with pytest.raises(ValueError, match="bars has no two classes"):
        Classifier.fit(bars)
    assert [SCORES[name].judge([], bars, bars) for name in ("classes", "kept")] == [None, None]


def test_pictures_of_another_size_are_refused(digits):
    with pytest.raises(ValueError):
        digits[2].predict(np.zeros((1, 28, 28, 1), np.uint8))


def test_a_score_names_the_method_that_makes_its_pictures():
    found = {name: one.method for name, one in score.SCORES.items()}
    assert found == {
        "classes": "generate",
        "overlap": "generate",
        "kept": "reconstruct",
        "named": "classify",
        "used": "encode",
    }


def test_kept_counts_the_reconstructions_that_are_still_given_their_class():
    """Of 60 bars in two batches, ten of class 1 come back as class 0: 50 of 60 keep theirs."""
    bars = figures("constant")
    made = bars.images.copy()
    lost = np.flatnonzero(bars.labels == 1)[:10]
    made[lost] = bars.images[bars.labels == 0][0]
    batches = (
        score.Generated(to_unit(made[part]), bars.labels[part], None)
        for part in (slice(0, 40), slice(40, 60))
    )
    scored = score.SCORES["kept"].judge(batches, bars, bars)
    each = {"left": 1.0, "middle": 0.6667}
    assert scored.numbers == {"kept": 0.8333, "judge": 1.0, "each": each}
    assert scored.line == (
        "all 60 test images: 83.3% of the reconstructions keep their class, middle least (66.7%), "
        "to a classifier that tells 100.0% of the images themselves"
    )


def test_used_counts_codes_and_names_those_that_no_picture_has():
    """Codes 0 and 1 at a half each are as even as two would be; 2 and 3 of four are dead."""
    bars = figures("constant")
    codes = np.tile(np.array([[0, 1], [1, 0]]), (60, 1, 1))
    batches = (
        score.Generated(codes[part], bars.labels[part], None, codes=4)
        for part in (slice(0, 40), slice(40, 60))
    )
    scored = score.SCORES["used"].judge(batches, bars, bars)
    assert scored.numbers == {"used": 2, "codes": 4, "perplexity": 2.0, "dead": [2, 3]}
    assert scored.line == (
        "all 60 test images: 2 of 4 codes are used, as evenly as 2.0 would be (perplexity); "
        "dead: 2, 3"
    )


@pytest.mark.parametrize("logits", [True, False])
def test_named_counts_the_test_pictures_that_are_given_their_class(logits):
    bars = figures("constant")
    said = bars.labels.copy()
    said[:15] = 1 - said[:15]
    given = np.eye(2)[said] if logits else said
    batches = (
        score.Generated(given[part], bars.labels[part], None)
        for part in (slice(0, 40), slice(40, 60))
    )
    scored = score.SCORES["named"].judge(batches, bars, bars)
    assert scored.numbers == {"named": 0.75, "images": 60}
    assert scored.line == "all 60 test images: 75.0% are given their class"


def on_black(*boxes):
    """A white box (top, bottom, left, right) in each 10×12 picture; None leaves it black."""
    made = np.zeros((len(boxes), 10, 12, 1), np.uint8)
    for picture, box in zip(made, boxes, strict=True):
        if box:
            picture[box[0] : box[1], box[2] : box[3]] = 255
    return made


def test_overlap_is_intersection_over_union():
    target = on_black((0, 4, 0, 4))
    assert overlap(target, target) == 1.0
    assert overlap(on_black((0, 4, 2, 6)), target) == 8 / 24
    assert overlap(on_black((0, 2, 0, 2)), target) == 4 / 16
    assert overlap(target, on_black((0, 2, 0, 2))) == 4 / 16
    assert overlap(on_black((6, 8, 0, 4)), target) == 0.0


def test_overlap_is_the_mean_over_pictures_not_over_pixels():
    made, target = on_black((0, 10, 0, 12), (0, 1, 0, 1)), on_black((0, 10, 0, 12), (5, 6, 0, 1))
    assert overlap(made, target) == 0.5


def test_two_pictures_without_foreground_lie_on_each_other():
    assert overlap(on_black(None), on_black(None)) == 1.0
    assert overlap(on_black(None), on_black((0, 1, 0, 1))) == 0.0
    assert overlap(on_black((0, 1, 0, 1)), on_black(None)) == 0.0


def test_foreground_is_where_the_mean_of_the_channels_is_128():
    target = on_black((0, 10, 0, 12))
    enough = np.broadcast_to(np.array([255, 129, 0], np.uint8), (1, 10, 12, 3))  # 128
    assert overlap(enough, target) == 1.0
    assert overlap(np.broadcast_to(np.array([255, 128, 0], np.uint8), (1, 10, 12, 3)), target) == 0


def test_different_numbers_of_pictures_have_no_overlap():
    with pytest.raises(ValueError):
        overlap(on_black(None), on_black(None, None))


@pytest.fixture(scope="module")
def newts():
    """Training and test newts, and a judge of their pixels."""
    train, test = (data.load("newts", (3, 64, 64), split) for split in ("train", "test"))
    return train, test, PixelJudge.fit(train)


def test_newts_are_outlined_and_named_pixel_by_pixel(newts):
    _, test, judge = newts
    masks, found = judge.look(test.images)
    assert overlaps(masks, test.masks > 0).mean() > 0.87
    assert (found == test.labels).mean() > 0.95


def test_a_translation_must_look_like_the_other_class_and_stay_where_it_was(newts, monkeypatch):
    """Pictures left alone are of no other class; pictures of other newts do not stay."""
    train, test, judge = newts
    monkeypatch.setattr(PixelJudge, "fit", lambda train: judge)
    places = np.argsort(test.labels, kind="stable")
    same = translated(Translated(test.images[places], places), train, test).numbers
    assert same["translated"] < 0.05 and same["overlap"] == same["judge_overlap"] > 0.87
    others = translated(Translated(test.images[places[::-1]], places), train, test).numbers
    assert others["translated"] > 0.95 and others["overlap"] < 0.4
    assert others["each"].keys() == {"akahara", "madara"}


def test_translations_without_masks_are_looked_at_as_a_whole(digits):
    train, test, _ = digits
    few = [
        replace(one, images=one.images[one.labels < 2], labels=one.labels[one.labels < 2])
        for one in (train, test)
    ]
    train, test = (replace(one, classes=("0", "1")) for one in few)
    places = np.argsort(test.labels, kind="stable")
    scored = translated(Translated(test.images[places[::-1]], places), train, test)
    assert "overlap" not in scored.numbers and scored.numbers["judge"] > 0.95
    assert scored.numbers["translated"] > 0.9 and "masks" not in scored.line
